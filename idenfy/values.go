package idenfy

// The lists of the page. All are open: with [WithUnknownValues] any value can be sent, and
// replies may hold others.

// Locale is the language in which the customer sees the verification. The page calls it a
// country code; the codes are those of languages, in ISO 639-1.
type Locale string

// The 24 locales of the page. In place of one that it does not support iDenfy shows English.
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

var locales = []Locale{
	Lithuanian, English, Russian, Polish, Latvian, Estonian, Romanian, Italian, German, French, Swedish, Spanish,
	Hungarian, Japanese, Bulgarian, Czech, Dutch, Portuguese, Ukrainian, Vietnamese, Slovak, Thai, Hindi, Indonesian,
}

// DocumentType is a kind of document.
type DocumentType string

// The 17 types of documents of the page.
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

var documentTypes = []DocumentType{
	IDCard, Passport, ResidencePermit, DriverLicense, Aadhaar, PANCard, Visa, BorderCrossing, Asylum, NationalPassport,
	VoterCard, OldIDCard, TravelCard, PhotoCard, MilitaryCard, ProofOfAgeCard, DiplomaticID,
}

// TokenType says what a customer goes through.
type TokenType string

// The 5 types of tokens of the page, which does not explain those of video calls.
const (
	// TokenDocument asks for a document alone. There is no selfie, so settings about faces
	// and liveness have nothing to act on.
	TokenDocument TokenType = "DOCUMENT"
	// TokenIdentification asks for a document and a selfie. It is the default.
	TokenIdentification          TokenType = "IDENTIFICATION"
	TokenVideoCall               TokenType = "VIDEO_CALL"
	TokenVideoCallPhotos         TokenType = "VIDEO_CALL_PHOTOS"
	TokenVideoCallIdentification TokenType = "VIDEO_CALL_IDENTIFICATION"
)

var tokenTypes = []TokenType{TokenDocument, TokenIdentification, TokenVideoCall, TokenVideoCallPhotos, TokenVideoCallIdentification}

// Sex is the sex of a person as documents state it.
type Sex string

// The sexes of the page.
const (
	Male   Sex = "M"
	Female Sex = "F"
)

var sexes = []Sex{Male, Female}

// FraudService is a check beside that of the document.
type FraudService string

// The fraud services of the page.
const (
	AMLNamesCheck FraudService = "AML_NAMES_CHECK"
	LID           FraudService = "LID"
	AMLNews       FraudService = "AML_NEWS"
)

var fraudServices = []FraudService{AMLNamesCheck, LID, AMLNews}

// DetectionType is what the selfie step looks for on mobile devices.
type DetectionType string

// The detection types of the page.
const (
	DetectFace DetectionType = "FACE"
	DetectEyes DetectionType = "EYES"
)

var detectionTypes = []DetectionType{DetectFace, DetectEyes}
