package idenfy

// All lists of values are open: any value can be sent, and responses may contain others.

// Locale is the language in which the customer sees the verification. The page calls it a country
// code, but the codes are language codes of ISO 639-1.
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

// The 17 documented types of documents.
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

// The 5 documented types of tokens. The page does not explain those of video calls.
const (
	// TokenDocument asks for a document without a selfie, so settings about faces and liveness
	// have no effect.
	TokenDocument TokenType = "DOCUMENT"
	// TokenIdentification asks for a document and a selfie. It is the default.
	TokenIdentification          TokenType = "IDENTIFICATION"
	TokenVideoCall               TokenType = "VIDEO_CALL"
	TokenVideoCallPhotos         TokenType = "VIDEO_CALL_PHOTOS"
	TokenVideoCallIdentification TokenType = "VIDEO_CALL_IDENTIFICATION"
)

// Sex is the sex of a person as a document states it.
type Sex string

// The documented sexes.
const (
	Male   Sex = "M"
	Female Sex = "F"
)

// FraudService is a check in addition to the check of the document.
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
