package identomat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/signature"
)

// Causes of an [APIError], for [errors.Is]. Codes match regardless of case, hyphens and
// underscores, because the service spells each code in two ways.
var (
	// ErrSessionNotFound: no session has this token, or its data was deleted.
	ErrSessionNotFound = response.ErrSessionNotFound
	// ErrSessionInvalid: the session cannot be used. (System manual.)
	ErrSessionInvalid = response.ErrSessionInvalid
	// ErrWrongParameters: the service does not accept the parameters.
	ErrWrongParameters = response.ErrWrongParameters
	// ErrInvalidKey: the company key is wrong, or does not permit the call. The service has five codes
	// for this: invalid-access, invalid-company-key, company-missing, access-denied and
	// COMPANY_KEY_INVALID.
	ErrInvalidKey = response.ErrInvalidKey
	// ErrNotFound: the record or the media does not exist. A missing session is ErrSessionNotFound.
	ErrNotFound = response.ErrNotFound
	// ErrFacePhotoNotFound: the session's main document shows no face. The error is also ErrNotFound.
	ErrFacePhotoNotFound = response.ErrFacePhotoNotFound
	// ErrAlreadyExists: an equal blacklist or monitoring record exists.
	ErrAlreadyExists = response.ErrAlreadyExists
	// ErrInvalidEmailFormat, ErrPasswordTooShort, ErrInvalidRights and ErrUserAlreadyExists: a new user
	// has a malformed e-mail address, too short a password, an unknown right, or another user's address.
	ErrInvalidEmailFormat = response.ErrInvalidEmailFormat
	ErrPasswordTooShort   = response.ErrPasswordTooShort
	ErrInvalidRights      = response.ErrInvalidRights
	ErrUserAlreadyExists  = response.ErrUserAlreadyExists
	// ErrImageRefused: the image cannot be read. Ask the customer to take the picture again.
	// [APIError.ImageCode] says what is wrong with the image, if the response says so.
	ErrImageRefused = response.ErrImageRefused
	// ErrInternal: the service reported an internalError. [APIError.Message] returns its text.
	ErrInternal = response.ErrInternal

	// ErrRateLimited: HTTP 429. [APIError.RetryAfter] holds the wait that the service asked for, if any.
	ErrRateLimited = response.ErrRateLimited
	// ErrUnexpectedResponse: the response is neither the documented one nor a known error, such as a
	// login or proxy page, truncated JSON, JSON of another shape, or a redirect.
	ErrUnexpectedResponse = response.ErrUnexpected
	// ErrTooLarge: the response exceeds [WithMaxResponseSize], or [WithMaxMediaSize] if it is streamed,
	// or has more than 250,000 JSON values; or an archive exceeds the limits of [Media.Files].
	ErrTooLarge = response.ErrTooLarge
	// ErrSignatureMismatch: the response's signature is wrong, or missing although
	// [RequireSignedResponses] is set. Nothing in the response can be trusted.
	ErrSignatureMismatch = signature.ErrMismatch
)

// APIError reports a response that is not the requested result: an error from the service, with any HTTP
// status, or content that does not come from the service at all. To find the cause, use [errors.Is] with
// the Err variables.
type APIError struct {
	// Operation is the endpoint, such as result/.
	Operation string
	// StatusCode is the HTTP status. The service also reports errors with 200.
	StatusCode int
	// Code is the error code as the service spells it. Group is its errorSourceGroup. Either may be "".
	Code  string
	Group string
	// ContentType and Sample describe an unexpected response. The sample shows the response's structure
	// and known words, never its values.
	ContentType string
	Sample      string
	// RetryAfter is the wait that the Retry-After header asked for, or 0.
	RetryAfter time.Duration
	// Attempts counts the requests that were sent.
	Attempts int
	// MaybeProcessed reports whether the service may have processed an attempt. It matters only for calls
	// that create something or may be billed; see [MaybeProcessed].
	MaybeProcessed bool

	kind    error
	message redact.Secret
}

// Message returns an internalError's text. It is never printed, because it can repeat the request.
func (e *APIError) Message() string { return e.message.Reveal() }

// Error names the endpoint, the cause and the status. It contains no value from the request or response.
func (e *APIError) Error() string {
	cause := "service error"
	switch {
	case e.Code != "":
		cause = e.Code
	case e.StatusCode == http.StatusTooManyRequests:
		cause = "rate limited"
	case e.kind != nil:
		cause = strings.TrimPrefix(e.kind.Error(), "identomat: ")
	}
	text := fmt.Sprintf("identomat: %s: %s (HTTP %d", e.Operation, cause, e.StatusCode)
	for _, detail := range [...]string{e.ContentType, e.Group} {
		if detail != "" {
			text += ", " + detail
		}
	}
	if e.RetryAfter > 0 {
		text += ", retry after " + e.RetryAfter.String()
	}
	if e.Attempts > 1 {
		text += fmt.Sprintf(", %d attempts", e.Attempts)
	}
	if text += ")"; e.Sample != "" {
		text += ": " + e.Sample
	}
	return text
}

// Is matches the Err variables. An APIError that a test builds matches by its Code and StatusCode.
func (e *APIError) Is(target error) bool {
	if target == ErrRateLimited && e.StatusCode == http.StatusTooManyRequests {
		return true
	}
	return errors.Is(e.kind, target) || errors.Is(response.Cause(e.Code), target)
}

// Format writes Error for every verb.
func (e APIError) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Error())) }

// MarshalText returns Error, for encoders.
func (e APIError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// LogValue returns Error, so that the error is a text in every log record, as in those of [WithLogger].
func (e APIError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// TransportError reports a call without a usable response: no connection, a lost connection, a timeout, a
// file that could not be read, or a context that ended. [errors.Is] and [errors.As] match the cause. If
// the cause's text contains a secret, Err is a stand-in without the text: errors.Is still matches the
// cause, but errors.As does not.
type TransportError struct {
	// Operation is the endpoint, such as begin/.
	Operation string
	// Attempts counts the requests that were started. It is 0 if the call ended before the first attempt,
	// or if the context ended between two polls of [SessionsService.Wait].
	Attempts int
	// MaybeProcessed reports whether the service may have processed an attempt. It matters only for calls
	// that create something or may be billed; see [MaybeProcessed]. If it is true for begin/, a billed
	// session may exist, and its token is lost.
	MaybeProcessed bool
	// Err is the cause.
	Err error
}

// Error names the endpoint and the cause.
func (e *TransportError) Error() string {
	text := fmt.Sprintf("identomat: %s: %s", e.Operation, e.Err)
	if e.Attempts > 1 {
		text += fmt.Sprintf(" (%d attempts)", e.Attempts)
	}
	if e.MaybeProcessed {
		text += " (the service may have processed the request)"
	}
	return text
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// Timeout reports whether the cause is a timeout, as in [net.Error].
func (e *TransportError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Format writes Error for every verb, because the cause may be of any type.
func (e TransportError) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Error())) }

// MarshalText returns Error, for encoders.
func (e TransportError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// LogValue returns Error, so that the error is a text in every log record, as in those of [WithLogger].
func (e TransportError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// isPublic reports whether err is already a call's public error.
func isPublic(err error) bool {
	_, isAPI := errors.AsType[*APIError](err)
	_, isTransport := errors.AsType[*TransportError](err)
	return isAPI || isTransport
}

// MaybeProcessed reports whether the service may have carried out the call that failed with err. It
// returns the MaybeProcessed of the [TransportError] or [APIError] in err's tree, and false for nil, for
// a [ValidationError] and for errors from elsewhere.
//
// Check it before you retry [SessionsService.Begin] or another call that creates something or may be
// billed. For a read it is often true and means nothing: call again if [IsTemporary] is true.
func MaybeProcessed(err error) bool {
	transport, isTransport := errors.AsType[*TransportError](err)
	api, isAPI := errors.AsType[*APIError](err)
	return isTransport && transport.MaybeProcessed || isAPI && api.MaybeProcessed
}

// IsTemporary reports whether a read that failed with err may succeed later. It is true for a
// [TransportError] and for HTTP 408, 421, 425, 429 and 5xx except 501, unless the caller's own context
// ended. It is false for an [ErrInternal] with status 200. It says nothing about calls that create
// something; see [MaybeProcessed].
func IsTemporary(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if api, ok := errors.AsType[*APIError](err); ok {
		return engine.IsTemporary(api.StatusCode)
	}
	_, isTransport := errors.AsType[*TransportError](err)
	return isTransport
}
