package idenfy

import (
	"encoding/json"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/redact"
)

// private is embedded in every type that holds personal data, masked in other secret ones.
type (
	private = redact.Private
	masked  = redact.Masked
)

// SessionRequest holds the documented parameters of a session. ClientID is required and
// suffices for a standard verification. A zero field is not sent, so iDenfy uses its default.
// Pointers tell a value from its absence, as in CheckLiveness: new(false). A nil list is not
// sent; an empty list is. Lengths are counted in characters.
//
// iDenfy compares data about the person with the document. A difference makes a verification
// SUSPECTED, with the mismatch tags NAME, SURNAME or DATE_OF_BIRTH.
//
// A request is personal data: fmt and slog show a mask, and encoders refuse it. To queue
// requests, queue what they are made from.
type SessionRequest struct {
	private

	// ClientID is your own id of the customer, up to 100 ASCII characters. The checks for
	// duplicates are skipped for the same ClientID. Another session for the same ClientID
	// before the final webhook of the first can cost credits.
	ClientID string `json:"clientId,omitzero"`
	// FirstName and LastName have up to 100 characters, without digits and without
	// ~!@#$%^*()_+={}[]|:;",<>/?
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	// SuccessURL, ErrorURL and UnverifiedURL are where the customer's browser goes after a
	// verification that succeeded, failed, or was not analyzed, for instance because it was
	// canceled. They have 5 to 2048 characters. A session with one of them cannot be shown in an
	// iframe. The defaults are pages below https://ui.idenfy.com/result.
	SuccessURL    string `json:"successUrl,omitzero"`
	ErrorURL      string `json:"errorUrl,omitzero"`
	UnverifiedURL string `json:"unverifiedUrl,omitzero"`
	// Locale is the language that the customer sees first. The default is [English], also for a
	// locale that iDenfy does not support.
	Locale Locale `json:"locale,omitzero"`
	// ShowInstructions defaults to true.
	ShowInstructions *bool `json:"showInstructions,omitzero"`
	// ExpiryTime is the lifetime of the token in seconds: 1 to 2592000, which is 30 days. The
	// documented default is 86400; environments have their own defaults.
	ExpiryTime *int `json:"expiryTime,omitzero"`
	// SessionLength is the time that the customer has, in seconds: 60 to 3600. The page excludes
	// both ends, and iDenfy's OpenAPI document includes them. The documented default is 1800.
	SessionLength *int `json:"sessionLength,omitzero"`
	// Country is the country of the document in two letters of either case. The customer cannot
	// choose another one.
	Country string `json:"country,omitzero"`
	// Documents are the types that the customer may use. The documented default is [IDCard] and
	// [Passport].
	Documents []DocumentType `json:"documents,omitzero"`
	// DateOfBirth, DateOfExpiry and DateOfIssue are dates such as 1990-12-20. They are not
	// compared with each other or with today.
	DateOfBirth  identomat.Date `json:"dateOfBirth,omitzero"`
	DateOfExpiry identomat.Date `json:"dateOfExpiry,omitzero"`
	DateOfIssue  identomat.Date `json:"dateOfIssue,omitzero"`
	// Nationality is a country in two letters of either case.
	Nationality string `json:"nationality,omitzero"`
	// PersonalNumber and DocumentNumber have up to 50 ASCII characters.
	PersonalNumber string `json:"personalNumber,omitzero"`
	DocumentNumber string `json:"documentNumber,omitzero"`
	// Sex is [Male] or [Female].
	Sex Sex `json:"sex,omitzero"`
	// GenerateDigitString requests [Session.DigitString]. The contract must allow it, and
	// ExpiryTime must not exceed [DefaultMaxDigitStringExpiry] or the value given to
	// [WithMaxDigitStringExpiry]. The default is false.
	GenerateDigitString *bool `json:"generateDigitString,omitzero"`
	// Address has up to 255 characters.
	Address string `json:"address,omitzero"`
	// TokenType is the kind of verification. The default is [TokenIdentification].
	TokenType TokenType `json:"tokenType,omitzero"`
	// ExternalRef is another id of yours, up to 40 ASCII characters.
	ExternalRef string `json:"externalRef,omitzero"`
	// UtilityBill also requests a utility bill. It cannot be used together with AdditionalSteps,
	// which iDenfy prefers. The default is false.
	UtilityBill *bool `json:"utilityBill,omitzero"`
	// AdditionalSteps is a JSON object that requests further photos. iDenfy's manual on
	// additional steps describes it. null is sent, too.
	AdditionalSteps json.RawMessage `json:"additionalSteps,omitzero"`
	// AdditionalData is a JSON object of data for AdditionalSteps, such as a social security
	// number in UTILITY_BILL. It needs AdditionalSteps.
	AdditionalData json.RawMessage `json:"additionalData,omitzero"`
	// CallbackURL receives the webhooks of this session instead of the environment's URL. It
	// must be https. iDenfy must have permitted it, and webhooks must be set up already.
	CallbackURL string `json:"callbackUrl,omitzero"`
	// Questionnaire is the key of an existing questionnaire.
	Questionnaire string `json:"questionnaire,omitzero"`
	// RiskAssessmentProfile is the id of an existing risk assessment profile.
	RiskAssessmentProfile string `json:"riskAssessmentProfile,omitzero"`

	// The custom settings follow. A setting can be sent only if iDenfy has enabled it for the
	// environment. Each default is the environment's.

	// CheckLiveness adds liveness detection.
	CheckLiveness *bool `json:"checkLiveness,omitzero"`
	// ReviewSuccessful and ReviewFailed let iDenfy's reviewers check verifications that
	// succeeded or failed automatically.
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
	// CheckFaceBlacklist and CheckDocFaceBlacklist search the environment's blacklist for the
	// face in the selfie and for the face on the document.
	CheckFaceBlacklist    *bool `json:"checkFaceBlacklist,omitzero"`
	CheckDocFaceBlacklist *bool `json:"checkDocFaceBlacklist,omitzero"`
	// CheckDuplicateFaces and CheckDuplicateDocFaces search earlier verifications for the same
	// face in the selfie, or on the document.
	CheckDuplicateFaces    *bool `json:"checkDuplicateFaces,omitzero"`
	CheckDuplicateDocFaces *bool `json:"checkDuplicateDocFaces,omitzero"`
	// NFCRequired requires that the document is read by NFC.
	NFCRequired *bool `json:"nfcRequired,omitzero"`
	// LevenshteinTextMatchRatio is how similar two texts must be. No range is documented; the
	// documented optimum is 0.8.
	LevenshteinTextMatchRatio *float64 `json:"levenshteinTextMatchRatio,omitzero"`
	// LevenshteinMRZMatchRatio is the same for the machine-readable zone, with an optimum of 0.7.
	LevenshteinMRZMatchRatio *float64 `json:"levenshteinMrzMatchRatio,omitzero"`
	// DetectionTypes is what the selfie step detects on mobile devices, by priority.
	DetectionTypes []DetectionType `json:"detectionTypes,omitzero"`

	// Extra holds parameters that this SDK does not know, by their wire names. The name of a
	// field above is refused.
	Extra map[string]any `json:",inline"`
}
