package idenfy

import (
	"cmp"
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
	"github.com/identomat-go/identomat/internal/wire"
)

// operation is the operation in errors, events and logs. This package has no other.
const operation = "idenfy/token"

// CreateSession creates a verification session with POST /api/v2/token, as on the API page.
//
// A session can cost credits, so the call is retried only if iDenfy certainly created none: no part
// of the body was sent, or the status is HTTP 421, 425 or 429. If [identomat.MaybeProcessed] is
// true for an error, a session may exist, and its token is lost. The session expires by itself.
//
// Errors: [identomat.ValidationError] before anything is sent, with every problem;
// [identomat.TransportError]; [APIError], above all [ErrOutOfCredits], [ErrUnauthorized],
// [ErrBadValue], [identomat.ErrRateLimited], [identomat.ErrUnexpectedResponse].
func (c *Client) CreateSession(ctx context.Context, req SessionRequest) (*Session, error) {
	body, err := c.encode(&req)
	if err != nil {
		return nil, err
	}
	p := &protocol{client: c, sent: body}
	if c.guard != nil {
		if err := c.guard(ctx, req.ClientID); err != nil {
			return nil, &identomat.TransportError{Operation: operation, Err: redact.Error(err, c.engine.Secrets(p)...)}
		}
	}
	_, err = c.engine.Do(ctx, &engine.Call{
		Operation: operation, URL: c.endpoint, ContentType: "application/json", Body: body, Limit: c.maxResponse, Protocol: p,
	})
	if err != nil {
		return nil, err
	}
	p.session.baseURL = c.baseURL.String()
	p.session.redirects = req.SuccessURL != "" || req.ErrorURL != "" || req.UnverifiedURL != ""
	return &p.session, nil
}

// AuthToken opens a session: whoever has it can act as the customer. fmt and slog show a mask.
// Encoders refuse it, except as a map key. string(token) returns the unmasked token. To identify a
// session later, store [Session.ScanRef].
type AuthToken string

// Format writes a mask under every verb.
func (AuthToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redact.Mask) }

// String returns a mask, because a panic prints what String returns.
func (AuthToken) String() string { return redact.Mask }

// LogValue returns a mask.
func (AuthToken) LogValue() slog.Value { return slog.StringValue(redact.Mask) }

// MarshalText returns an error, because loggers encode their arguments.
func (AuthToken) MarshalText() ([]byte, error) { return nil, redact.ErrEncode }

// GobEncode returns an error.
func (AuthToken) GobEncode() ([]byte, error) { return nil, redact.ErrEncode }

// Session is a created session: its token, and the request as iDenfy understood it.
//
// A field is zero if its value is absent, null, or of the wrong type. [Session.Raw] shows which of
// these is the case, and [Session.Extra] returns values of the wrong type. A session is personal
// data: fmt and slog show a mask, and encoders refuse it; store ScanRef, or Raw.
type Session struct {
	private

	// AuthToken is for the customer's browser. It is never empty.
	AuthToken AuthToken `json:"authToken"`
	// ScanRef identifies the verification here and in webhooks: store it with your customer's id.
	// It is never empty.
	ScanRef string `json:"scanRef"`
	// Message is for developers: "Token created successfully".
	Message string `json:"message"`
	// DigitString identifies the session in iDenfy's mobile application. The API page documents
	// eight characters, and null without GenerateDigitString. Its examples have seven characters,
	// even without GenerateDigitString.
	DigitString string `json:"digitString"`
	// AllowedDocuments maps a country, or ALL, to the permitted documents. (The API page
	// shows it only in examples.)
	AllowedDocuments map[string][]DocumentType `json:"allowedDocuments"`
	// PersonScanRef is not documented. In the API page's only example it is the client id.
	PersonScanRef string `json:"personScanRef"`

	// SessionRequest holds the parameters and iDenfy's defaults. iDenfy returns personal names in
	// capitals. AdditionalSteps and AdditionalData are nil for null. Extra is nil.
	SessionRequest

	raw     json.RawMessage
	baseURL string // of the client that created the session
	// redirects says that the request set SuccessURL, ErrorURL or UnverifiedURL.
	redirects bool
}

// Raw returns the response. It contains the token. The caller must not modify it.
func (s *Session) Raw() json.RawMessage { return s.raw }

// Extra returns the members of the response that this SDK does not know or whose type was wrong,
// keyed by path.
func (s *Session) Extra() map[string]json.RawMessage { return codec.Extra(s.raw, s) }

// UnmarshalJSON decodes a response, such as a stored [Session.Raw]. If a name is duplicated, as in
// the API page's example, the last member wins. A missing or ambiguous authToken or scanRef is an
// error.
func (s *Session) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, s) }

func (s *Session) decoded(raw json.RawMessage) error {
	s.raw = raw
	for _, name := range []string{"authToken", "scanRef"} {
		if value, _ := wire.Get(raw, name); !isReference(wire.Unquote(value)) {
			return errors.New("idenfy: a session without authToken or scanRef")
		}
	}
	if wire.Ambiguous(raw, "authToken", "scanRef") {
		return errors.New("idenfy: a session with two values of authToken or scanRef")
	}
	return nil
}

// isReference reports whether s can be an authToken or a scanRef. It allows more than the documented
// 40 characters, but no spaces.
func isReference(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// RedirectURL returns the URL to send the customer's browser to. The URL contains the token. It
// begins with the client's base URL, or with [DefaultBaseURL] if the session was decoded from JSON.
// (iDenfy's public documentation; the API page says only that the URL has a token parameter.)
func (s *Session) RedirectURL() string {
	return cmp.Or(s.baseURL, DefaultBaseURL) + "/api/v2/redirect?authToken=" + url.QueryEscape(string(s.AuthToken))
}

// ErrNotForIframe means that the session has a SuccessURL, an ErrorURL or an UnverifiedURL. The API
// page forbids such a session in an iframe.
var ErrNotForIframe = errors.New("idenfy: a session with a success, error or unverified URL cannot be shown in an iframe")

// IframeURL returns the src for an iframe in your page. If lang is empty, iDenfy chooses the
// language; the session's Locale has no effect in an iframe. The URL contains the token. Its host
// is iDenfy's even if the client has another base URL.
//
// The iframe needs allow="camera; microphone" and allowfullscreen, and 670 by 800 pixels on a
// desktop. It posts messages to your page with the origin https://ui.idenfy.com; the messages prove
// nothing. (iDenfy's public documentation, not the API page.)
//
// Errors: [ErrNotForIframe].
func (s *Session) IframeURL(lang Locale) (string, error) {
	if s.redirects {
		return "", ErrNotForIframe
	}
	for _, to := range []string{s.SuccessURL, s.ErrorURL, s.UnverifiedURL} {
		// redirects is false if the session was decoded from JSON, or if the environment sets the
		// URL.
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
