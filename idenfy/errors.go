package idenfy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/redact"
)

// Causes of an [APIError], for [errors.Is]. Other causes are [identomat.ErrRateLimited],
// [identomat.ErrInternal], [identomat.ErrUnexpectedResponse] and [identomat.ErrTooLarge] (more
// bytes than [identomat.WithMaxResponseSize], or more than 10,000 values). The API page names "a
// standard iDenfy API error response" without describing its format. The identifiers and statuses
// are from iDenfy's public documentation on errors.
var (
	// ErrOutOfCredits: HTTP 402, or PERMISSIONS_ERROR with the message "Partner reached token
	// limit." Neither retrying nor waiting helps.
	ErrOutOfCredits = errors.New("idenfy: out of credits")
	// ErrUnauthorized: UNAUTHORIZED or HTTP 401. The API key or secret is wrong.
	ErrUnauthorized = errors.New("idenfy: unauthorized")
	// ErrForbidden: HTTP 403. The account is inactive, or may not use the endpoint.
	ErrForbidden = errors.New("idenfy: forbidden")
	// ErrConflict: HTTP 409. The client id has a session that is still active.
	ErrConflict = errors.New("idenfy: conflict")
	// ErrBadValue: BAD_VALUE. [APIError.Message] names the parameter.
	ErrBadValue = errors.New("idenfy: bad value")
	// ErrMissingValue: MISSING_VALUE. [APIError.Message] names the parameter.
	ErrMissingValue = errors.New("idenfy: missing value")
	// ErrValidation: VALIDATION_ERROR.
	ErrValidation = errors.New("idenfy: service validation error")
	// ErrPartnerContract: PARTNER_CONTRACT_ERROR. Your contract does not include what the request asks
	// for.
	ErrPartnerContract = errors.New("idenfy: not in the contract")
	// ErrPartner: PARTNER_ERROR.
	ErrPartner = errors.New("idenfy: partner error")
	// ErrPermissions: PERMISSIONS_ERROR, unless the cause is [ErrOutOfCredits].
	ErrPermissions = errors.New("idenfy: no permission")
)

// identifiers holds the documented identifiers that this package's requests can cause.
var identifiers = map[string]error{
	"INTERNAL_ERROR":         identomat.ErrInternal,
	"BAD_VALUE":              ErrBadValue,
	"MISSING_VALUE":          ErrMissingValue,
	"UNAUTHORIZED":           ErrUnauthorized,
	"PARTNER_CONTRACT_ERROR": ErrPartnerContract,
	"PARTNER_ERROR":          ErrPartner,
	"PERMISSIONS_ERROR":      ErrPermissions,
	"TOO_MANY_REQUESTS":      identomat.ErrRateLimited,
	"VALIDATION_ERROR":       ErrValidation,
}

var statuses = map[int]error{
	http.StatusUnauthorized:    ErrUnauthorized,
	http.StatusPaymentRequired: ErrOutOfCredits,
	http.StatusForbidden:       ErrForbidden,
	http.StatusConflict:        ErrConflict,
	http.StatusTooManyRequests: identomat.ErrRateLimited,
}

// APIError reports a response other than a session: an error from iDenfy, or content that does not come
// from iDenfy at all. Code is an identifier such as BAD_VALUE (iDenfy may add others), or "" for an
// error that iDenfy reported before it processed the request. MaybeProcessed is false only if
// iDenfy certainly created no session. To find the cause, use [errors.Is] with the Err variables.
// [errors.As] also finds the [identomat.APIError].
type APIError struct {
	identomat.APIError

	kind    error
	message redact.Secret
}

// Message returns iDenfy's text for developers, or the JSON of the object that iDenfy sent instead.
// The message can repeat the request, so no formatter, logger or encoder shows it.
func (e *APIError) Message() string { return e.message.Reveal() }

// causes returns the Err variables that the error matches, the most specific first.
func (e *APIError) causes() []error {
	causes := []error{identifiers[e.Code], statuses[e.StatusCode], e.kind}
	if e.outOfCredits() {
		causes = []error{ErrOutOfCredits, e.kind}
	}
	return slices.DeleteFunc(causes, func(err error) bool { return err == nil })
}

// outOfCredits reports whether the credits are used up. PERMISSIONS_ERROR can also mean a missing
// permission.
func (e *APIError) outOfCredits() bool {
	return e.StatusCode == http.StatusPaymentRequired ||
		e.Code == "PERMISSIONS_ERROR" && strings.Contains(strings.ToLower(e.Message()), "reached token limit")
}

// Unwrap returns the Err variables that the error matches, and the error of package identomat.
func (e *APIError) Unwrap() []error { return append(e.causes(), &e.APIError) }

// shown returns the error of package identomat that formats and logs this error: its Code is the cause,
// and its Group is the identifier.
func (e *APIError) shown() *identomat.APIError {
	shown := e.APIError
	if cause := cmp.Or(e.causes()...); cause != nil {
		_, text, _ := strings.Cut(cause.Error(), ": ")
		shown.Code, shown.Group = text, e.Code
	}
	return &shown
}

// Error names the cause and the status. It contains no values from the request or the response.
func (e *APIError) Error() string { return e.shown().Error() }

// Format writes Error under every verb.
func (e APIError) Format(f fmt.State, verb rune) { e.shown().Format(f, verb) }

// MarshalText returns Error.
func (e APIError) MarshalText() ([]byte, error) { return e.shown().MarshalText() }

// LogValue returns Error, so that the error is a text in every log record.
func (e APIError) LogValue() slog.Value { return e.shown().LogValue() }
