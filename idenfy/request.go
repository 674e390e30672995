package idenfy

import (
	"encoding/json"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/redact"
)

// private is embedded in types that hold personal data, and masked in other types that hold
// secrets.
type (
	private = redact.Private
	masked  = redact.Masked
)

// SessionRequest holds the documented parameters of a session. ClientID is required and suffices
// for a standard verification. A zero field is not sent, so iDenfy uses its default. A pointer
// distinguishes false or 0 from no value, as in CheckLiveness: new(false). A nil list is not sent;
// an empty list is. Lengths are in characters.
//
// iDenfy compares data about the person with the document. A difference makes the verification
// SUSPECTED, with the mismatch tags NAME, SURNAME or DATE_OF_BIRTH.
//
// A request is personal data: fmt and slog show a mask, and encoders refuse it. To queue a
// request, store the data that you make it from.
type SessionRequest struct {
	private

	// ClientID is your id for the customer, up to 100 ASCII characters. Checks for duplicates skip
	// verifications with the same ClientID. Another session for the same ClientID before the first
	// session's final webhook can cost credits.
	ClientID string `json:"clientId,omitzero"`
	// FirstName and LastName have up to 100 characters, no digits and none of
	// ~!@#$%^*()_+={}[]|:;",<>/?
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	// SuccessURL, ErrorURL and UnverifiedURL are where the customer's browser goes after a
	// verification that succeeded, failed, or was not analyzed, for example because it was
	// canceled. Each has 5 to 2048 characters. A session with any of them cannot be shown in an
	// iframe. The defaults are pages below https://ui.idenfy.com/result.
	SuccessURL    string `json:"successUrl,omitzero"`
	ErrorURL      string `json:"errorUrl,omitzero"`
	UnverifiedURL string `json:"unverifiedUrl,omitzero"`
	// Locale is the language that the customer sees first. The default is [English].
	Locale Locale `json:"locale,omitzero"`
	// ShowInstructions defaults to true.
	ShowInstructions *bool `json:"showInstructions,omitzero"`
	// ExpiryTime is the lifetime of the token in seconds: 1 to 2592000 (30 days). The documented
	// default is 86400; each iDenfy environment has its own default.
	ExpiryTime *int `json:"expiryTime,omitzero"`
	// SessionLength is the time that the customer has, in seconds: 60 to 3600. The API page
	// excludes 60 and 3600 themselves; iDenfy's OpenAPI file includes them. The documented default
	// is 1800.
	SessionLength *int `json:"sessionLength,omitzero"`
	// Country is the document's country: two letters, in upper or lower case. The customer cannot
	// choose another country.
	Country string `json:"country,omitzero"`
	// Documents are the types that the customer may use. Documented default: [IDCard] and
	// [Passport].
	Documents []DocumentType `json:"documents,omitzero"`
	// DateOfBirth, DateOfExpiry and DateOfIssue are dates such as 1990-12-20. The SDK does not
	// compare them with each other or with today.
	DateOfBirth  identomat.Date `json:"dateOfBirth,omitzero"`
	DateOfExpiry identomat.Date `json:"dateOfExpiry,omitzero"`
	DateOfIssue  identomat.Date `json:"dateOfIssue,omitzero"`
	// Nationality is a country: two letters, in upper or lower case.
	Nationality string `json:"nationality,omitzero"`
	// PersonalNumber and DocumentNumber have up to 50 ASCII characters.
	PersonalNumber string `json:"personalNumber,omitzero"`
	DocumentNumber string `json:"documentNumber,omitzero"`
	// Sex is [Male] or [Female].
	Sex Sex `json:"sex,omitzero"`
	// GenerateDigitString requests a [Session.DigitString]. Your contract must allow it. ExpiryTime
	// must not exceed [DefaultMaxDigitStringExpiry], or the value from [WithMaxDigitStringExpiry].
	// The default is false.
	GenerateDigitString *bool `json:"generateDigitString,omitzero"`
	// Address has up to 255 characters.
	Address string `json:"address,omitzero"`
	// TokenType is the kind of verification. The default is [TokenIdentification].
	TokenType TokenType `json:"tokenType,omitzero"`
	// ExternalRef is another id that you choose, up to 40 ASCII characters.
	ExternalRef string `json:"externalRef,omitzero"`
	// UtilityBill requests a utility bill. It cannot be combined with AdditionalSteps, which iDenfy
	// recommends instead. The default is false.
	UtilityBill *bool `json:"utilityBill,omitzero"`
	// AdditionalSteps is a JSON object that requests further photos, as described in iDenfy's
	// manual on additional steps. The JSON value null is sent, not left out.
	AdditionalSteps json.RawMessage `json:"additionalSteps,omitzero"`
	// AdditionalData is a JSON object with data for AdditionalSteps, such as a social security
	// number in UTILITY_BILL. It requires AdditionalSteps.
	AdditionalData json.RawMessage `json:"additionalData,omitzero"`
	// CallbackURL receives this session's webhooks instead of the environment's URL. It must be
	// https. iDenfy must have permitted it, and webhooks must be set up.
	CallbackURL string `json:"callbackUrl,omitzero"`
	// Questionnaire is the key of an existing questionnaire.
	Questionnaire string `json:"questionnaire,omitzero"`
	// RiskAssessmentProfile is the id of an existing risk assessment profile.
	RiskAssessmentProfile string `json:"riskAssessmentProfile,omitzero"`

	// The custom settings follow. Each can be sent only if iDenfy has enabled it for the
	// environment, which also sets its default.

	// CheckLiveness adds liveness detection.
	CheckLiveness *bool `json:"checkLiveness,omitzero"`
	// ReviewSuccessful and ReviewFailed let iDenfy's reviewers check verifications that succeeded
	// or failed automatically.
	ReviewSuccessful *bool `json:"reviewSuccessful,omitzero"`
	ReviewFailed     *bool `json:"reviewFailed,omitzero"`
	// DriverLicenseBack allows the back of a driver's license.
	DriverLicenseBack *bool `json:"driverLicenseBack,omitzero"`
	// AutoAMLMonitoring puts the verified person under AML monitoring.
	AutoAMLMonitoring *bool `json:"autoAmlMonitoring,omitzero"`
	// FraudServices are further checks.
	FraudServices []FraudService `json:"fraudServices,omitzero"`
	// CheckIPProxy checks whether the customer uses an IP proxy.
	CheckIPProxy *bool `json:"checkIpProxy,omitzero"`
	// CheckFaceBlacklist and CheckDocFaceBlacklist search the environment's blacklist for the face
	// in the selfie and for the face on the document.
	CheckFaceBlacklist    *bool `json:"checkFaceBlacklist,omitzero"`
	CheckDocFaceBlacklist *bool `json:"checkDocFaceBlacklist,omitzero"`
	// CheckDuplicateFaces and CheckDuplicateDocFaces search earlier verifications for the same face
	// in the selfie, or on the document.
	CheckDuplicateFaces    *bool `json:"checkDuplicateFaces,omitzero"`
	CheckDuplicateDocFaces *bool `json:"checkDuplicateDocFaces,omitzero"`
	// NFCRequired requires that the document be read by NFC.
	NFCRequired *bool `json:"nfcRequired,omitzero"`
	// LevenshteinTextMatchRatio is how similar two texts must be. Documented optimum: 0.8. No range
	// is documented.
	LevenshteinTextMatchRatio *float64 `json:"levenshteinTextMatchRatio,omitzero"`
	// LevenshteinMRZMatchRatio is the ratio for the machine-readable zone. Documented optimum: 0.7.
	LevenshteinMRZMatchRatio *float64 `json:"levenshteinMrzMatchRatio,omitzero"`
	// DetectionTypes is what the selfie step detects on mobile devices, by priority.
	DetectionTypes []DetectionType `json:"detectionTypes,omitzero"`

	// Extra holds parameters that this SDK does not know, keyed by wire name. The names of the
	// fields above are refused.
	Extra map[string]any `json:",inline"`
}
