package idenfy

import (
	"encoding/json"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/redact"
)

// private is embedded in every type that holds personal data.
type private = redact.Private

// SessionRequest holds the parameters of the page. ClientID is required and is all that a
// standard verification needs. What is zero is not sent, and iDenfy takes its default;
// pointers tell a value from its absence, as in CheckLiveness: new(false). Lists that are
// nil are not sent, empty ones are. Lengths are counted in characters.
//
// Data about the person is compared with the document, so that differences make a
// verification SUSPECTED with the mismatch tags NAME, SURNAME or DATE_OF_BIRTH. fmt, slog and
// encoding/json show a mask, so a request cannot be queued as JSON; queue what it is made
// from.
type SessionRequest struct {
	private

	// ClientID is your own id of the customer, up to 100 characters of ASCII. The same
	// ClientID skips the checks for duplicates. A second session for it before the final
	// webhook of the first can cost credits.
	ClientID string
	// FirstName and LastName have up to 100 characters, with no digit and none of
	// ~!@#$%^*()_+={}[]|:;",<>/?
	FirstName, LastName string
	// SuccessURL, ErrorURL and UnverifiedURL are where the customer's browser goes after a
	// verification that succeeded, failed, or was not analysed, because it was cancelled for
	// instance: 5 to 2048 characters. A session with one of them cannot be shown in an
	// iframe. The defaults are pages below https://ui.idenfy.com/result.
	SuccessURL, ErrorURL, UnverifiedURL string
	// Locale is the language that the customer sees first. The default is [English].
	Locale Locale
	// ShowInstructions defaults to true.
	ShowInstructions *bool
	// ExpiryTime is how long the token can be used, in seconds: 1 to 2592000, which is 30
	// days. The page's default is 86400; environments have their own.
	ExpiryTime *int
	// SessionLength is the time that the customer has, in seconds. The page says more than
	// 60 and less than 3600; iDenfy's OpenAPI document allows both ends, so 60 to 3600 is
	// sent and the service decides about the ends. The page's default is 1800.
	SessionLength *int
	// Country is the country of the document in two letters, in either case. The customer
	// cannot choose another.
	Country string
	// Documents are the types that the customer may show. The page's default is [IDCard] and
	// [Passport].
	Documents []DocumentType
	// DateOfBirth, DateOfExpiry and DateOfIssue are dates such as 1990-12-20. They are not
	// compared with each other or with today.
	DateOfBirth, DateOfExpiry, DateOfIssue identomat.Date
	// Nationality is a country in two letters, in either case.
	Nationality string
	// PersonalNumber and DocumentNumber have up to 50 characters of ASCII.
	PersonalNumber, DocumentNumber string
	// Sex is [Male] or [Female].
	Sex Sex
	// GenerateDigitString asks for [Session.DigitString]. The contract must allow it, and
	// ExpiryTime must not exceed [DefaultMaxDigitStringExpiry] or what
	// [WithMaxDigitStringExpiry] says. The default is false.
	GenerateDigitString *bool
	// Address has up to 255 characters.
	Address string
	// TokenType is what the customer goes through. The default is [TokenIdentification].
	TokenType TokenType
	// ExternalRef is another id of yours, up to 40 characters of ASCII.
	ExternalRef string
	// UtilityBill asks for a utility bill, too. It cannot be used together with
	// AdditionalSteps, which iDenfy prefers. The default is false.
	UtilityBill *bool
	// AdditionalSteps is a JSON object that asks for further photos. iDenfy's manual on
	// additional steps describes it.
	AdditionalSteps json.RawMessage
	// AdditionalData is a JSON object that goes with AdditionalSteps, such as a social
	// security number in UTILITY_BILL. It needs AdditionalSteps.
	AdditionalData json.RawMessage
	// CallbackURL receives the webhooks of this session in place of the environment's. It
	// must be https, needs a permission of iDenfy's, and webhooks must be set up already.
	CallbackURL string
	// Questionnaire is the key of a questionnaire that exists.
	Questionnaire string
	// RiskAssessmentProfile is the id of a risk assessment profile that exists.
	RiskAssessmentProfile string

	// The custom settings. Each must be turned on for the environment before it can be sent,
	// and then holds for every session that does not say otherwise. Their defaults are the
	// environment's.

	// CheckLiveness adds liveness detection.
	CheckLiveness *bool
	// ReviewSuccessful and ReviewFailed let iDenfy's reviewers look at what succeeded or
	// failed automatically.
	ReviewSuccessful, ReviewFailed *bool
	// DriverLicenseBack allows the back of a driver's licence.
	DriverLicenseBack *bool
	// AutoAMLMonitoring puts the verified person under AML monitoring.
	AutoAMLMonitoring *bool
	// FraudServices are the further checks.
	FraudServices []FraudService
	// CheckIPProxy looks whether an IP proxy was used.
	CheckIPProxy *bool
	// CheckFaceBlacklist and CheckDocFaceBlacklist look for the selfie and for the face of
	// the document on the environment's blacklist.
	CheckFaceBlacklist, CheckDocFaceBlacklist *bool
	// CheckDuplicateFaces and CheckDuplicateDocFaces look for an earlier verification of the
	// same face, or of the same face on a document.
	CheckDuplicateFaces, CheckDuplicateDocFaces *bool
	// NFCRequired demands that the document is read by NFC.
	NFCRequired *bool
	// LevenshteinTextMatchRatio is how alike two texts must be. The page gives no range; 0.8
	// is its optimum.
	LevenshteinTextMatchRatio *float64
	// LevenshteinMRZMatchRatio is the same for the machine-readable zone; 0.7 is the
	// optimum.
	LevenshteinMRZMatchRatio *float64
	// DetectionTypes is what the selfie step looks for on mobile devices, by priority.
	DetectionTypes []DetectionType

	// Extra holds parameters that this SDK does not know, by their wire names. The name of
	// one of the fields above is refused in every spelling, client_id, too.
	Extra map[string]any
}

// body is the request as the page describes it, and what is wrong with it.
func (c *Client) body(r *SessionRequest) *body {
	b := &body{}
	b.text("clientId", r.ClientID, isASCII, atMost(100))
	if r.ClientID == "" {
		b.refuse("clientId", "is required")
	}
	b.text("firstName", r.FirstName, atMost(100), isPersonName)
	b.text("lastName", r.LastName, atMost(100), isPersonName)
	b.text("successUrl", r.SuccessURL, atLeast(5), atMost(2048))
	b.text("errorUrl", r.ErrorURL, atLeast(5), atMost(2048))
	b.text("unverifiedUrl", r.UnverifiedURL, atLeast(5), atMost(2048))
	choice(b, "locale", r.Locale, locales)
	optional(b, "showInstructions", r.ShowInstructions)
	b.seconds("expiryTime", r.ExpiryTime, 1, 2592000)
	if isSet(r.GenerateDigitString) && r.ExpiryTime != nil && *r.ExpiryTime > c.maxDigits {
		b.refuse("expiryTime", "must be at most %d with generateDigitString", c.maxDigits)
	}
	b.seconds("sessionLength", r.SessionLength, 60, 3600)
	b.text("country", r.Country, isCountry)
	list(b, "documents", r.Documents, documentTypes)
	b.text("dateOfBirth", string(r.DateOfBirth), isDate)
	b.text("dateOfExpiry", string(r.DateOfExpiry), isDate)
	b.text("dateOfIssue", string(r.DateOfIssue), isDate)
	b.text("nationality", r.Nationality, isCountry)
	b.text("personalNumber", r.PersonalNumber, isASCII, atMost(50))
	b.text("documentNumber", r.DocumentNumber, isASCII, atMost(50))
	choice(b, "sex", r.Sex, sexes)
	optional(b, "generateDigitString", r.GenerateDigitString)
	b.text("address", r.Address, atMost(255))
	choice(b, "tokenType", r.TokenType, tokenTypes)
	b.text("externalRef", r.ExternalRef, isASCII, atMost(40))
	optional(b, "utilityBill", r.UtilityBill)
	if isSet(r.UtilityBill) && isGiven(r.AdditionalSteps) {
		b.refuse("utilityBill", "cannot be used together with additionalSteps")
	}
	b.object("additionalSteps", r.AdditionalSteps)
	b.object("additionalData", r.AdditionalData)
	if isGiven(r.AdditionalData) && !isGiven(r.AdditionalSteps) {
		b.refuse("additionalData", "must be used with additionalSteps")
	}
	b.text("callbackUrl", r.CallbackURL, isHTTPS)
	b.text("questionnaire", r.Questionnaire)
	b.text("riskAssessmentProfile", r.RiskAssessmentProfile)

	optional(b, "checkLiveness", r.CheckLiveness)
	optional(b, "reviewSuccessful", r.ReviewSuccessful)
	optional(b, "reviewFailed", r.ReviewFailed)
	optional(b, "driverLicenseBack", r.DriverLicenseBack)
	optional(b, "autoAmlMonitoring", r.AutoAMLMonitoring)
	list(b, "fraudServices", r.FraudServices, fraudServices)
	optional(b, "checkIpProxy", r.CheckIPProxy)
	optional(b, "checkFaceBlacklist", r.CheckFaceBlacklist)
	optional(b, "checkDocFaceBlacklist", r.CheckDocFaceBlacklist)
	optional(b, "checkDuplicateFaces", r.CheckDuplicateFaces)
	optional(b, "checkDuplicateDocFaces", r.CheckDuplicateDocFaces)
	optional(b, "nfcRequired", r.NFCRequired)
	optional(b, "levenshteinTextMatchRatio", r.LevenshteinTextMatchRatio)
	optional(b, "levenshteinMrzMatchRatio", r.LevenshteinMRZMatchRatio)
	list(b, "detectionTypes", r.DetectionTypes, detectionTypes)
	b.extra(r.Extra)
	return b
}

func isSet(flag *bool) bool { return flag != nil && *flag }
