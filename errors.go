package identomat

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/signature"
)

// What the service can answer, for [errors.Is]. Codes are compared without regard to
// case, hyphens and underscores, because the service spells them in two ways.
var (
	// ErrSessionNotFound: no session has this token, or its data was deleted.
	ErrSessionNotFound = errors.New("identomat: session not found")
	// ErrSessionInvalid: the session cannot be used (system manual).
	ErrSessionInvalid = errors.New("identomat: session invalid")
	// ErrWrongParameters: the service does not accept the parameters.
	ErrWrongParameters = errors.New("identomat: wrong parameters")
	// ErrInvalidKey: the company key is wrong or has no right to the call. The service
	// has five codes for it: invalid-access, invalid-company-key, company-missing,
	// access-denied and COMPANY_KEY_INVALID.
	ErrInvalidKey = errors.New("identomat: invalid company key")
	// ErrFacePhotoNotFound: the session's main document shows no face.
	ErrFacePhotoNotFound = errors.New("identomat: face photo not found")
	// ErrNotFound: the record or the media does not exist. A missing session is
	// ErrSessionNotFound, not this.
	ErrNotFound = errors.New("identomat: not found")
	// ErrAlreadyExists: an equal blacklist or monitoring record exists.
	ErrAlreadyExists = errors.New("identomat: already exists")
	// ErrInvalidEmailFormat: the e-mail address of a new user is malformed.
	ErrInvalidEmailFormat = errors.New("identomat: invalid e-mail format")
	// ErrPasswordTooShort: the password of a new user is too short.
	ErrPasswordTooShort = errors.New("identomat: password too short")
	// ErrInvalidRights: a right of a new user is unknown.
	ErrInvalidRights = errors.New("identomat: invalid rights")
	// ErrUserAlreadyExists: a user with this e-mail address exists.
	ErrUserAlreadyExists = errors.New("identomat: user already exists")
	// ErrInternal: the service reported an internalError, a free text that
	// [APIError.Message] holds.
	ErrInternal = errors.New("identomat: internal error of the service")

	// ErrRateLimited: HTTP 429. [APIError.RetryAfter] tells how long to wait, if the
	// service did.
	ErrRateLimited = errors.New("identomat: rate limited")
	// ErrUnexpectedResponse: the reply is neither what was asked for nor a known error: a
	// login or proxy page, a truncated document, another shape, a redirect.
	ErrUnexpectedResponse = errors.New("identomat: unexpected reply")
	// ErrTooLarge: the reply is larger than [WithMaxResponseSize] allows, or than
	// [WithMaxMediaSize] if it is streamed, or an archive is beyond the limits of
	// [Media.Files], or a reply has more than 250,000 values.
	ErrTooLarge = errors.New("identomat: reply too large")
	// ErrSignatureMismatch: the reply's signature is wrong, or missing where
	// [RequireSignedResponses] demands it. Nothing of the reply can be trusted.
	ErrSignatureMismatch = signature.ErrMismatch
)

// codes maps an error code, reduced by foldCode, to what it means.
var codes = map[string]error{
	"sessionnotfound":    ErrSessionNotFound,
	"sessioninvalid":     ErrSessionInvalid,
	"wrongparameters":    ErrWrongParameters,
	"invalidaccess":      ErrInvalidKey,
	"invalidcompanykey":  ErrInvalidKey,
	"companymissing":     ErrInvalidKey,
	"accessdenied":       ErrInvalidKey,
	"companykeyinvalid":  ErrInvalidKey,
	"facephotonotfound":  ErrFacePhotoNotFound,
	"notfound":           ErrNotFound,
	"alreadyexists":      ErrAlreadyExists,
	"invalidemailformat": ErrInvalidEmailFormat,
	"passwordtooshort":   ErrPasswordTooShort,
	"invalidrights":      ErrInvalidRights,
	"useralreadyexists":  ErrUserAlreadyExists,
}

var codeFolder = strings.NewReplacer("-", "", "_", "")

func foldCode(code string) string { return strings.ToLower(codeFolder.Replace(code)) }

// APIError is a reply that is not what was asked for: an error of the service, with
// whatever HTTP status it came, or something that is no reply of the service at all.
// Test for the cause with [errors.Is] and the Err variables.
type APIError struct {
	// Operation is the endpoint, such as result/.
	Operation string
	// StatusCode is the HTTP status; the service reports errors with 200, too.
	StatusCode int
	// Code is the service's error code in the service's spelling, or "".
	Code string
	// Group is the errorSourceGroup of the reply, or "".
	Group string
	// Message is the free text of an internalError. It can repeat what was sent, so
	// no formatter, logger or encoder shows it.
	Message string
	// ContentType and Sample describe a reply that was not understood. The sample shows
	// the reply's structure and known words, never its values.
	ContentType string
	Sample      string
	// RetryAfter is what the reply asked for in its Retry-After header, or 0.
	RetryAfter time.Duration
	// Attempts counts the requests that were sent.
	Attempts int
	// MaybeProcessed is false only if it is certain that the service did not carry out
	// the call, in no attempt.
	MaybeProcessed bool

	kind error
}

// Error names the endpoint, the code and the status, and no value of the request or
// of the reply.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "identomat: %s: ", e.Operation)
	switch {
	case e.Code != "":
		b.WriteString(e.Code)
	case e.StatusCode == http.StatusTooManyRequests:
		b.WriteString("rate limited")
	case e.kind != nil:
		b.WriteString(strings.TrimPrefix(e.kind.Error(), "identomat: "))
	default:
		b.WriteString("error of the service")
	}
	fmt.Fprintf(&b, " (HTTP %d", e.StatusCode)
	if e.ContentType != "" {
		fmt.Fprintf(&b, ", %s", e.ContentType)
	}
	if e.Group != "" {
		fmt.Fprintf(&b, ", %s", e.Group)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	b.WriteByte(')')
	if e.Sample != "" {
		fmt.Fprintf(&b, ": %s", e.Sample)
	}
	return b.String()
}

// Is matches the Err variables.
func (e *APIError) Is(target error) bool {
	if target == ErrRateLimited && e.StatusCode == http.StatusTooManyRequests {
		return true
	}
	// The code counts for errors that were made in a test, too.
	return e.kind != nil && target == e.kind || e.Code != "" && target == codes[foldCode(e.Code)]
}

// Format writes Error under every verb, for a copy of the error, too.
func (e APIError) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Error())) }

// MarshalText is Error, for encoders.
func (e APIError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// LogValue is a group of the fields that are safe to log.
func (e APIError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("operation", e.Operation), slog.Int("status", e.StatusCode), slog.Int("attempts", e.Attempts)}
	if e.Code != "" {
		attrs = append(attrs, slog.String("code", e.Code))
	}
	return slog.GroupValue(append(attrs, slog.String("error", e.Error()))...)
}

// TransportError is a call without a usable reply: no connection, a broken one, a
// timeout, or the end of the caller's context. [errors.Is] and [errors.As] see the
// cause. A cause that would print a secret is replaced by a scrubbed one, which
// errors.As does not see.
type TransportError struct {
	// Operation is the endpoint, such as begin/.
	Operation string
	// Attempts counts the requests that were started; 0 if the context or the rate
	// limiter ended the call before the first, and in [SessionsService.Wait] if the context
	// ended between two polls.
	Attempts int
	// MaybeProcessed is false only if it is certain that the service did not see any of
	// the attempts. A begin/ with MaybeProcessed may have made a session that costs
	// money and whose token is lost.
	MaybeProcessed bool
	// Err is the cause.
	Err error
}

// Error names the endpoint and the cause.
func (e *TransportError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", qualified(e.Operation), e.Err)
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	if e.MaybeProcessed {
		b.WriteString(" (the service may have processed the request)")
	}
	return b.String()
}

// MaybeProcessed reports whether the service may have carried out the call that ended with
// err: the MaybeProcessed of the [TransportError] or [APIError] in its tree. It is false for
// nil, for a [ValidationError], and for errors of anybody else.
//
// Ask it before [SessionsService.Begin], or another call that creates something, is made
// again.
func MaybeProcessed(err error) bool {
	var transport *TransportError
	var api *APIError
	return errors.As(err, &transport) && transport.MaybeProcessed || errors.As(err, &api) && api.MaybeProcessed
}

// qualified is an operation after the name of its package. Package idenfy has the same types
// of errors, and operations such as idenfy/token.
func qualified(op string) string {
	if own, found := strings.CutPrefix(op, "idenfy/"); found {
		return "idenfy: " + own
	}
	return "identomat: " + op
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// Timeout reports whether the cause is a timeout, as net.Error does.
func (e *TransportError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Format writes Error under every verb: the cause may be of any type.
func (e TransportError) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Error())) }

// MarshalText is Error, for encoders.
func (e TransportError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// LogValue is a group of the fields that are safe to log.
func (e TransportError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("operation", e.Operation), slog.Int("attempts", e.Attempts),
		slog.Bool("maybe_processed", e.MaybeProcessed), slog.String("error", e.Error()))
}
