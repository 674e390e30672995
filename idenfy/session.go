package idenfy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/redact"
)

// operation is the one operation in errors, events and logs.
const operation = "idenfy/token"

// CreateSession makes a verification session with POST /api/v2/token and returns its token.
// (Create verification session.)
//
// A session can cost credits, so the request is sent again only when it is certain that none
// was made: after a failed connection, and after HTTP 429. After an error
// of which [MaybeProcessed] is true, a session may exist whose token is lost; it expires by
// itself.
//
// Errors: [identomat.ValidationError] before anything is sent, with every problem;
// [identomat.TransportError]; [APIError], above all [ErrOutOfCredits], [ErrUnauthorized],
// [ErrRateLimited], [ErrBadValue], [ErrUnexpectedResponse].
func (c *Client) CreateSession(ctx context.Context, req SessionRequest) (*Session, error) {
	body := c.body(&req)
	if err := body.err(c.validate, c.unknown); err != nil {
		return nil, err
	}
	call := &call{client: c, texts: body.texts}
	if c.guard != nil {
		if err := c.guard(ctx, req.ClientID); err != nil {
			return nil, &identomat.TransportError{Operation: operation, Err: redact.Error(err, c.engine.Secrets(call)...)}
		}
	}
	_, failure := c.engine.Do(ctx, &engine.Call{
		Operation: operation, URL: c.endpoint, ContentType: "application/json", Body: body.bytes(),
		Limit: c.maxReply, Judge: call,
	})
	if failure != nil {
		return nil, callError(failure)
	}
	session := call.session
	session.base = c.base
	session.redirects = req.SuccessURL != "" || req.ErrorURL != "" || req.UnverifiedURL != ""
	return session, nil
}

// AuthToken opens a session: whoever has it can take the customer's place. fmt, slog and
// encoding/json show a mask, except encoding/json for the key of a map; string(token) is the
// token. What is worth storing is [Session.ScanRef].
type AuthToken string

// Format writes a mask under every verb.
func (AuthToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redact.Mask) }

// String is a mask: a panic prints a text of any type, but asks for this first.
func (AuthToken) String() string { return redact.Mask }

// LogValue is a mask.
func (AuthToken) LogValue() slog.Value { return slog.StringValue(redact.Mask) }

// MarshalText is a mask.
func (AuthToken) MarshalText() ([]byte, error) { return []byte(redact.Mask), nil }

// Session is a session that was created: its token, and what iDenfy made of the request,
// with its defaults. Strings are empty and pointers nil where the reply has null, nothing, or
// another type than the page says; [Session.Raw] tells them apart. fmt, slog and
// encoding/json show a mask; to store a session store ScanRef, or Raw.
type Session struct {
	private

	// AuthToken is for the customer's browser. It is always there.
	AuthToken AuthToken
	// ScanRef identifies the verification, in webhooks, too: store it with your customer's
	// id. It is always there.
	ScanRef string
	// Message is for developers: "Token created successfully".
	Message string
	// DigitString identifies the session in iDenfy's mobile application. The page says eight
	// characters and null without GenerateDigitString, and shows seven and the contrary.
	DigitString string
	// AllowedDocuments are what the environment permits, by country or ALL. (In the page's
	// examples only.)
	AllowedDocuments map[string][]DocumentType
	// PersonScanRef is undocumented. In the page's one example it is the client id.
	PersonScanRef string

	// The other fields are those of [SessionRequest], as iDenfy took them.

	ClientID string
	// FirstName and LastName come back in capitals.
	FirstName, LastName                       string
	SuccessURL, ErrorURL, UnverifiedURL       string
	Locale                                    Locale
	ShowInstructions                          *bool
	ExpiryTime, SessionLength                 *int // in seconds
	Country                                   string
	Documents                                 []DocumentType
	DateOfBirth, DateOfExpiry, DateOfIssue    identomat.Date
	Nationality                               string
	PersonalNumber, DocumentNumber            string
	Sex                                       Sex
	GenerateDigitString                       *bool
	Address                                   string
	TokenType                                 TokenType
	ExternalRef                               string
	UtilityBill                               *bool
	AdditionalSteps, AdditionalData           json.RawMessage // nil for null
	CallbackURL                               string
	Questionnaire                             string
	RiskAssessmentProfile                     string
	CheckLiveness                             *bool
	ReviewSuccessful, ReviewFailed            *bool
	DriverLicenseBack                         *bool
	AutoAMLMonitoring                         *bool
	FraudServices                             []FraudService
	CheckIPProxy                              *bool
	CheckFaceBlacklist, CheckDocFaceBlacklist *bool
	CheckDuplicateFaces                       *bool
	CheckDuplicateDocFaces                    *bool
	NFCRequired                               *bool
	LevenshteinTextMatchRatio                 *float64
	LevenshteinMRZMatchRatio                  *float64
	DetectionTypes                            []DetectionType

	raw  json.RawMessage
	base string // of the client that created it
	// redirects says that the request had a URL to redirect to.
	redirects bool
}

// Raw is the reply as it came. It holds the token. The caller must not write to it.
func (s *Session) Raw() json.RawMessage { return s.raw }

// UnmarshalJSON reads a reply, or [Session.Raw] from where it was stored. Of two values of
// one name the later counts, as in the page's example. It fails without an authToken and a
// scanRef, and when one of them stands there with two values.
func (s *Session) UnmarshalJSON(data []byte) error {
	o, err := readObject(data, "authToken", "scanRef")
	if err != nil {
		return err
	}
	token, scanRef := read[string](o, "authToken"), read[string](o, "scanRef")
	if !isReference(token) || !isReference(scanRef) {
		return errors.New("idenfy: a session without authToken or scanRef")
	}
	*s = Session{
		AuthToken: AuthToken(token), ScanRef: scanRef,
		Message:          text(o, "message"),
		DigitString:      text(o, "digitString"),
		AllowedDocuments: read[map[string][]DocumentType](o, "allowedDocuments"),
		PersonScanRef:    text(o, "personScanRef"),

		ClientID:  text(o, "clientId"),
		FirstName: text(o, "firstName"), LastName: text(o, "lastName"),
		SuccessURL: text(o, "successUrl"), ErrorURL: text(o, "errorUrl"), UnverifiedURL: text(o, "unverifiedUrl"),
		Locale:           Locale(text(o, "locale")),
		ShowInstructions: read[*bool](o, "showInstructions"),
		ExpiryTime:       read[*int](o, "expiryTime"), SessionLength: read[*int](o, "sessionLength"),
		Country:     text(o, "country"),
		Documents:   read[[]DocumentType](o, "documents"),
		DateOfBirth: identomat.Date(text(o, "dateOfBirth")), DateOfExpiry: identomat.Date(text(o, "dateOfExpiry")),
		DateOfIssue:    identomat.Date(text(o, "dateOfIssue")),
		Nationality:    text(o, "nationality"),
		PersonalNumber: text(o, "personalNumber"), DocumentNumber: text(o, "documentNumber"),
		Sex:                 Sex(text(o, "sex")),
		GenerateDigitString: read[*bool](o, "generateDigitString"),
		Address:             text(o, "address"),
		TokenType:           TokenType(text(o, "tokenType")),
		ExternalRef:         text(o, "externalRef"),
		UtilityBill:         read[*bool](o, "utilityBill"),
		AdditionalSteps:     notNull(o["additionalSteps"]), AdditionalData: notNull(o["additionalData"]),
		CallbackURL:           text(o, "callbackUrl"),
		Questionnaire:         text(o, "questionnaire"),
		RiskAssessmentProfile: text(o, "riskAssessmentProfile"),

		CheckLiveness:    read[*bool](o, "checkLiveness"),
		ReviewSuccessful: read[*bool](o, "reviewSuccessful"), ReviewFailed: read[*bool](o, "reviewFailed"),
		DriverLicenseBack:  read[*bool](o, "driverLicenseBack"),
		AutoAMLMonitoring:  read[*bool](o, "autoAmlMonitoring"),
		FraudServices:      read[[]FraudService](o, "fraudServices"),
		CheckIPProxy:       read[*bool](o, "checkIpProxy"),
		CheckFaceBlacklist: read[*bool](o, "checkFaceBlacklist"), CheckDocFaceBlacklist: read[*bool](o, "checkDocFaceBlacklist"),
		CheckDuplicateFaces:       read[*bool](o, "checkDuplicateFaces"),
		CheckDuplicateDocFaces:    read[*bool](o, "checkDuplicateDocFaces"),
		NFCRequired:               read[*bool](o, "nfcRequired"),
		LevenshteinTextMatchRatio: read[*float64](o, "levenshteinTextMatchRatio"),
		LevenshteinMRZMatchRatio:  read[*float64](o, "levenshteinMrzMatchRatio"),
		DetectionTypes:            read[[]DetectionType](o, "detectionTypes"),

		raw: bytes.Clone(data),
	}
	return nil
}

// isReference allows more than the 40 characters that the page names, but nothing that
// could be a sentence.
func isReference(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// RedirectURL is where to send the customer's browser. It contains the token. It is below the
// base URL of the client that created the session, and below [DefaultBaseURL] for a session
// that was read from JSON. (iDenfy's public documentation; the page says only that the token is
// a parameter of the URL.)
func (s *Session) RedirectURL() string {
	base := s.base
	if base == "" {
		base = DefaultBaseURL
	}
	return base + "/api/v2/redirect?authToken=" + url.QueryEscape(string(s.AuthToken))
}

// ErrNotForIframe means that the session was created with a SuccessURL, an ErrorURL or an
// UnverifiedURL, which the page forbids in an iframe.
var ErrNotForIframe = errors.New("idenfy: a session with a success, error or unverified URL cannot be shown in an iframe")

// IframeURL is the src of an iframe in a page of yours, in the language lang, or in
// iDenfy's choice if that is empty: in an iframe the session's Locale has no effect. It
// contains the token. The iframe needs allow="camera; microphone" and allowfullscreen, and
// 670 by 800 pixels on a desktop. What it posts to your page, with the origin
// https://ui.idenfy.com, is a hint and proves nothing. It is an address of iDenfy's, also for a
// session of [WithBaseURL] or of the fake. (iDenfy's public documentation, not the page.)
//
// Errors: [ErrNotForIframe].
func (s *Session) IframeURL(lang Locale) (string, error) {
	if s.redirects {
		return "", ErrNotForIframe
	}
	for _, to := range []string{s.SuccessURL, s.ErrorURL, s.UnverifiedURL} {
		// A session that was read from JSON has only these to tell by, and the environment
		// may have some of its own.
		if to != "" && !strings.HasPrefix(to, "https://ui.idenfy.com/result?status=") {
			return "", ErrNotForIframe
		}
	}
	query := "?authToken=" + url.QueryEscape(string(s.AuthToken))
	if lang != "" {
		query += "&lang=" + url.QueryEscape(string(lang))
	}
	return "https://ui.idenfy.com/" + query, nil
}
