package idenfy

// All lists of values are open: any value can be sent, and responses may contain other values.

// Locale is the language that the customer sees. The API page calls it a country code, but the
// values are ISO 639-1 language codes.
type Locale string

// The 24 documented locales. iDenfy shows English for a locale that it does not support.
const (
	Lithuanian Locale = "lt"
	English    Locale = "en" // the default
	Russian    Locale = "ru"
	Polish     Locale = "pl"
	Latvian    Locale = "lv"
	Estonian   Locale = "et"
	Romanian   Locale = "ro"
	Italian    Locale = "it"
	German     Locale = "de"
	French     Locale = "fr"
	Swedish    Locale = "sv"
	Spanish    Locale = "es"
	Hungarian  Locale = "hu"
	Japanese   Locale = "ja"
	Bulgarian  Locale = "bg"
	Czech      Locale = "cs"
	Dutch      Locale = "nl"
	Portuguese Locale = "pt"
	Ukrainian  Locale = "uk"
	Vietnamese Locale = "vi"
	Slovak     Locale = "sk"
	Thai       Locale = "th"
	Hindi      Locale = "hi"
	Indonesian Locale = "id"
)

// DocumentType is a type of document.
type DocumentType string

// The 17 documented document types.
const (
	IDCard           DocumentType = "ID_CARD"
	Passport         DocumentType = "PASSPORT"
	ResidencePermit  DocumentType = "RESIDENCE_PERMIT"
	DriverLicense    DocumentType = "DRIVER_LICENSE"
	Aadhaar          DocumentType = "AADHAAR"
	PANCard          DocumentType = "PAN_CARD"
	Visa             DocumentType = "VISA"
	BorderCrossing   DocumentType = "BORDER_CROSSING"
	Asylum           DocumentType = "ASYLUM"
	NationalPassport DocumentType = "NATIONAL_PASSPORT"
	VoterCard        DocumentType = "VOTER_CARD"
	OldIDCard        DocumentType = "OLD_ID_CARD"
	TravelCard       DocumentType = "TRAVEL_CARD"
	PhotoCard        DocumentType = "PHOTO_CARD"
	MilitaryCard     DocumentType = "MILITARY_CARD"
	ProofOfAgeCard   DocumentType = "PROOF_OF_AGE_CARD"
	DiplomaticID     DocumentType = "DIPLOMATIC_ID"
)

// TokenType is the kind of verification that a customer goes through.
type TokenType string

// The 5 documented token types. The API page does not explain the types for video calls.
const (
	// TokenDocument asks for a document without a selfie, so face and liveness settings have no
	// effect.
	TokenDocument TokenType = "DOCUMENT"
	// TokenIdentification asks for a document and a selfie. It is the default.
	TokenIdentification          TokenType = "IDENTIFICATION"
	TokenVideoCall               TokenType = "VIDEO_CALL"
	TokenVideoCallPhotos         TokenType = "VIDEO_CALL_PHOTOS"
	TokenVideoCallIdentification TokenType = "VIDEO_CALL_IDENTIFICATION"
)

// Sex is a person's sex as stated on a document.
type Sex string

// The documented sexes.
const (
	Male   Sex = "M"
	Female Sex = "F"
)

// FraudService is a check in addition to the document check.
type FraudService string

// The documented fraud services.
const (
	AMLNamesCheck FraudService = "AML_NAMES_CHECK"
	LID           FraudService = "LID"
	AMLNews       FraudService = "AML_NEWS"
)

// DetectionType is what the selfie step detects on mobile devices.
type DetectionType string

// The documented detection types.
const (
	DetectFace DetectionType = "FACE"
	DetectEyes DetectionType = "EYES"
)
