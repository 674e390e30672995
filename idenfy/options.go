package idenfy

import (
	"context"
	"errors"
	"net/url"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/option"
)

// An Option configures a client in [NewClient]. All options of package identomat can be used,
// except WithHMAC, WithWidgetURL, WithAPIURL and WithMaxMediaSize. If two options set the same
// thing, the later one wins.
type Option = identomat.Option

// settings holds the settings that only this package's client has.
type settings struct {
	baseURL   url.URL
	guard     func(ctx context.Context, clientID string) error
	maxDigits int // longest ExpiryTime with a digit string, in seconds
}

// WithBaseURL replaces [DefaultBaseURL] with a scheme and a host, without a path. The scheme must
// be https, except for a loopback host and for [identomat.WithInsecureTestHosts].
func WithBaseURL(baseURL string) Option {
	return option.Own("idenfy.WithBaseURL", func(s *settings) (err error) {
		s.baseURL, err = option.CheckBaseURL("base URL", baseURL)
		return err
	})
}

// WithGuard calls guard before every session, after validation and before anything is sent. An error from
// guard ends the call with an [identomat.TransportError] whose Attempts is 0. For example, guard can
// refuse a client id until the final webhook of its last session has arrived, because another session can
// cost credits. guard must be safe for concurrent use.
//
// If guard reserves something and the call fails, release it if [identomat.MaybeProcessed] is false for
// the error: no webhook will arrive. If guard's error shows a value from the request, the text of the
// error is withheld, and errors.As does not find the error.
func WithGuard(guard func(ctx context.Context, clientID string) error) Option {
	return option.Own("idenfy.WithGuard", func(s *settings) error {
		s.guard = guard
		if guard == nil {
			return errors.New("WithGuard: the function is nil")
		}
		return nil
	})
}

// WithMaxDigitStringExpiry sets the longest ExpiryTime, in seconds, for a request with
// GenerateDigitString. Use it if your contract allows more than [DefaultMaxDigitStringExpiry].
func WithMaxDigitStringExpiry(seconds int) Option {
	return option.Own("idenfy.WithMaxDigitStringExpiry", func(s *settings) error {
		s.maxDigits = seconds
		if seconds <= 0 {
			return errors.New("WithMaxDigitStringExpiry: the time must be positive")
		}
		return nil
	})
}
