package idenfy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/redact"
)

// Causes of an [APIError], for [errors.Is]. The page names "a standard iDenfy API error
// response" without describing its form. Identifiers and statuses are those of iDenfy's public
// documentation on errors.
var (
	// ErrOutOfCredits: HTTP 402, or PERMISSIONS_ERROR with the message "Partner reached token
	// limit." Neither retrying nor waiting helps.
	ErrOutOfCredits = errors.New("idenfy: out of credits")
	// ErrRateLimited: TOO_MANY_REQUESTS or HTTP 429. [APIError.RetryAfter] holds the wait that
	// the service asked for, if it did.
	ErrRateLimited = errors.New("idenfy: rate limited")
	// ErrUnauthorized: UNAUTHORIZED or HTTP 401. The API key or secret is wrong.
	ErrUnauthorized = errors.New("idenfy: unauthorized")
	// ErrForbidden: HTTP 403. The account is inactive, or may not use the endpoint.
	ErrForbidden = errors.New("idenfy: forbidden")
	// ErrNotFound: HTTP 404.
	ErrNotFound = errors.New("idenfy: not found")
	// ErrConflict: HTTP 409. The client id has a session that is still active.
	ErrConflict = errors.New("idenfy: conflict")
	// ErrInternal: INTERNAL_ERROR. A session may exist.
	ErrInternal = errors.New("idenfy: internal error of the service")
	// ErrBadValue: BAD_VALUE. [APIError.Message] names the parameter.
	ErrBadValue = errors.New("idenfy: bad value")
	// ErrMissingValue: MISSING_VALUE. [APIError.Message] names the parameter.
	ErrMissingValue = errors.New("idenfy: missing value")
	// ErrValidation: VALIDATION_ERROR.
	ErrValidation = errors.New("idenfy: validation error of the service")
	// ErrEncoding: ENCODING_ERROR.
	ErrEncoding = errors.New("idenfy: encoding error")
	// ErrJSON: JSON_ERROR.
	ErrJSON = errors.New("idenfy: JSON error")
	// ErrTokenNotValid: TOKEN_NOT_VALID.
	ErrTokenNotValid = errors.New("idenfy: token not valid")
	// ErrPartnerContract: PARTNER_CONTRACT_ERROR. The contract does not include what the request
	// asked for.
	ErrPartnerContract = errors.New("idenfy: not in the contract")
	// ErrPartner: PARTNER_ERROR.
	ErrPartner = errors.New("idenfy: partner error")
	// ErrPermissions: PERMISSIONS_ERROR, except that of [ErrOutOfCredits].
	ErrPermissions = errors.New("idenfy: no permission")
	// ErrMethodNotAllowed: METHOD_NOT_ALLOWED or HTTP 405.
	ErrMethodNotAllowed = errors.New("idenfy: method not allowed")

	// ErrUnexpectedResponse: the response is neither a session nor an error in iDenfy's form. It
	// is a login or proxy page, a truncated document, a session without a token, or a redirect.
	ErrUnexpectedResponse = errors.New("idenfy: unexpected response")
	// ErrTooLarge: the response exceeds [identomat.WithMaxResponseSize] or has more than 10,000
	// values, or the webhook exceeds [MaxWebhookSize].
	ErrTooLarge = errors.New("idenfy: too large")
	// ErrSignatureMismatch: the signature of a webhook is wrong or missing. Nothing in the
	// webhook can be trusted.
	ErrSignatureMismatch = errors.New("idenfy: webhook signature does not match")
)

var identifiers = map[string]error{
	"INTERNAL_ERROR":         ErrInternal,
	"BAD_VALUE":              ErrBadValue,
	"MISSING_VALUE":          ErrMissingValue,
	"UNAUTHORIZED":           ErrUnauthorized,
	"ENCODING_ERROR":         ErrEncoding,
	"JSON_ERROR":             ErrJSON,
	"TOKEN_NOT_VALID":        ErrTokenNotValid,
	"PARTNER_CONTRACT_ERROR": ErrPartnerContract,
	"PARTNER_ERROR":          ErrPartner,
	"METHOD_NOT_ALLOWED":     ErrMethodNotAllowed,
	"PERMISSIONS_ERROR":      ErrPermissions,
	"TOO_MANY_REQUESTS":      ErrRateLimited,
	"VALIDATION_ERROR":       ErrValidation,
}

var statuses = map[int]error{
	http.StatusUnauthorized:     ErrUnauthorized,
	http.StatusPaymentRequired:  ErrOutOfCredits,
	http.StatusForbidden:        ErrForbidden,
	http.StatusNotFound:         ErrNotFound,
	http.StatusMethodNotAllowed: ErrMethodNotAllowed,
	http.StatusConflict:         ErrConflict,
	http.StatusTooManyRequests:  ErrRateLimited,
}

// APIError is a response other than a session: an error that iDenfy reported, or content that
// does not come from iDenfy at all. Test for the cause with [errors.Is] and the Err variables.
type APIError struct {
	// Operation is idenfy/token.
	Operation string
	// StatusCode is the HTTP status.
	StatusCode int
	// Identifier is iDenfy's constant, such as BAD_VALUE. It is "" for an error that occurred
	// before processing. The list is open.
	Identifier string
	// ContentType and Sample describe a response that was not understood. The sample shows the
	// structure and known words of the response, never its values.
	ContentType string
	Sample      string
	// RetryAfter is the wait that the Retry-After header asked for, or 0. iDenfy does not
	// document the header.
	RetryAfter time.Duration
	// Attempts counts the requests that were sent.
	Attempts int
	// MaybeProcessed is false only if iDenfy certainly created no session in any attempt.
	MaybeProcessed bool

	kind    error
	message redact.Secret
}

// Message returns iDenfy's text for developers. It can repeat the request, so no formatter,
// logger or encoder shows it.
func (e *APIError) Message() string { return e.message.Reveal() }

// MaybeProcessed reports whether iDenfy may have created a session although err was returned: it
// returns MaybeProcessed of the [APIError] or [identomat.TransportError] in err's tree. It is
// false for nil, for an [identomat.ValidationError], and for errors from elsewhere.
func MaybeProcessed(err error) bool {
	var api *APIError
	return identomat.MaybeProcessed(err) || errors.As(err, &api) && api.MaybeProcessed
}

// Error names the cause and the status. It contains no value of the request or the response.
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("idenfy: " + strings.TrimPrefix(e.Operation, "idenfy/") + ": ")
	if cause := e.cause(); cause != nil {
		b.WriteString(strings.TrimPrefix(cause.Error(), "idenfy: "))
	} else {
		b.WriteString(cmp.Or(e.Identifier, "error of the service"))
	}
	fmt.Fprintf(&b, " (HTTP %d", e.StatusCode)
	if e.Identifier != "" && e.cause() != nil {
		fmt.Fprintf(&b, ", %s", e.Identifier)
	}
	if e.ContentType != "" {
		fmt.Fprintf(&b, ", %s", e.ContentType)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	if e.MaybeProcessed {
		b.WriteString(", a session may exist")
	}
	b.WriteByte(')')
	if e.Sample != "" {
		fmt.Fprintf(&b, ": %s", e.Sample)
	}
	return b.String()
}

// cause returns the most specific of the Err variables that the error matches, or nil.
func (e *APIError) cause() error { return cmp.Or(e.causes()...) }

// causes returns the Err variables that the error matches, the most specific first. Some may be
// nil.
func (e *APIError) causes() []error {
	if e.outOfCredits() {
		return []error{ErrOutOfCredits, e.kind}
	}
	return []error{identifiers[e.Identifier], statuses[e.StatusCode], e.kind}
}

// outOfCredits tells the end of the credits from a missing permission, which has the same
// identifier.
func (e *APIError) outOfCredits() bool {
	return e.StatusCode == http.StatusPaymentRequired ||
		e.Identifier == "PERMISSIONS_ERROR" && strings.Contains(strings.ToLower(e.Message()), "reached token limit")
}

// Is matches the Err variables. An error built in a test matches by its Identifier and StatusCode.
func (e *APIError) Is(target error) bool { return target != nil && slices.Contains(e.causes(), target) }

// Format writes Error under every verb.
func (e APIError) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Error())) }

// MarshalText returns Error, for encoders.
func (e APIError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// LogValue returns a group of the fields that are safe to log.
func (e APIError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("operation", e.Operation), slog.Int("status", e.StatusCode), slog.Int("attempts", e.Attempts),
		slog.Bool("maybe_processed", e.MaybeProcessed)}
	if e.Identifier != "" {
		attrs = append(attrs, slog.String("identifier", e.Identifier))
	}
	return slog.GroupValue(append(attrs, slog.String("error", e.Error()))...)
}
