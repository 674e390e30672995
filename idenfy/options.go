package idenfy

import (
	"context"
	"errors"
	"net/url"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/option"
)

// An Option configures a client in [NewClient]. The options of package identomat are options of
// this package, too, except for WithHMAC, WithWidgetURL, WithAPIURL and WithMaxMediaSize. If two
// options set the same thing, the later one wins.
type Option = identomat.Option

// settings holds the settings that only a client of iDenfy has.
type settings struct {
	baseURL   url.URL
	guard     func(ctx context.Context, clientID string) error
	maxDigits int // seconds
}

// WithBaseURL replaces [DefaultBaseURL]: a scheme and a host without a path. The scheme must be
// https, except for a loopback host and those of [identomat.WithInsecureTestHosts].
func WithBaseURL(baseURL string) Option {
	return option.Own("idenfy.WithBaseURL", func(s *settings) (err error) {
		s.baseURL, err = option.CheckBaseURL("base URL", baseURL)
		return err
	})
}

// WithGuard calls guard before every session, after validation and before anything is sent. An
// error ends the call with an [identomat.TransportError] that counts no attempt. A guard may
// refuse a client id that has an open session, because another session before the final webhook
// of the first can cost credits. A guard must be safe for concurrent use.
//
// What a guard has reserved stays reserved if the call fails. Release it when the call returns
// if [identomat.MaybeProcessed] is false for the error: no webhook will arrive then. If an error of the
// guard shows a value of the request, its text is removed, and errors.As does not find it.
func WithGuard(guard func(ctx context.Context, clientID string) error) Option {
	return option.Own("idenfy.WithGuard", func(s *settings) error {
		s.guard = guard
		if guard == nil {
			return errors.New("WithGuard: the function is nil")
		}
		return nil
	})
}

// WithMaxDigitStringExpiry sets the longest ExpiryTime, in seconds, of a request with
// GenerateDigitString, for contracts that allow more than [DefaultMaxDigitStringExpiry].
func WithMaxDigitStringExpiry(seconds int) Option {
	return option.Own("idenfy.WithMaxDigitStringExpiry", func(s *settings) error {
		s.maxDigits = seconds
		if seconds <= 0 {
			return errors.New("WithMaxDigitStringExpiry: the time must be positive")
		}
		return nil
	})
}
