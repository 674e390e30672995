package identomat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/redact"
)

// Option configures a [Client], or a client of package idenfy if the option applies there. If two options
// set the same thing, the later one wins.
type Option func(*option.Settings) error

// settings are the settings that a [Client] has but package idenfy's client does not.
type settings struct {
	widgetURL, apiURL url.URL
	maxMedia          int64

	secretKey     redact.Secret
	requireSigned bool
	// sign is a function so that programs that do not sign link no signing code.
	sign func(base http.RoundTripper) http.RoundTripper
}

// checked returns an option that fails with the message problem unless ok is true.
func checked(ok bool, problem string, set func(*option.Settings)) Option {
	return func(s *option.Settings) error {
		if !ok {
			return errors.New("identomat: " + problem)
		}
		set(s)
		return nil
	}
}

// WithHMAC signs every request with the secret key that belongs to a company key of the HMAC type, and
// checks the signatures of responses. See [NewHMACTransport] for the rules and [RequireSignedResponses]
// for responses that must be signed.
func WithHMAC(secretKey string, opts ...HMACOption) Option {
	return option.Own("identomat.WithHMAC", func(s *settings) error {
		if slices.ContainsFunc(opts, func(o HMACOption) bool { return o == nil }) {
			return errors.New("WithHMAC: an option is nil")
		}
		s.secretKey, s.requireSigned = redact.NewSecret(secretKey), rulesOf(opts).requireSigned
		s.sign = func(base http.RoundTripper) http.RoundTripper { return NewHMACTransport(secretKey, base, opts...) }
		return option.CheckKey("secret key", secretKey)
	})
}

// WithWidgetURL replaces [DefaultWidgetURL]. The baseURL is a scheme and a host, without a path. The
// scheme must be https, except for a loopback host and the hosts of [WithInsecureTestHosts].
func WithWidgetURL(baseURL string) Option {
	return option.Own("identomat.WithWidgetURL", func(s *settings) (err error) {
		s.widgetURL, err = option.CheckBaseURL("widget URL", baseURL)
		return err
	})
}

// WithAPIURL replaces [DefaultAPIURL], under the rules of [WithWidgetURL].
func WithAPIURL(baseURL string) Option {
	return option.Own("identomat.WithAPIURL", func(s *settings) (err error) {
		s.apiURL, err = option.CheckBaseURL("API URL", baseURL)
		return err
	})
}

// WithInsecureTestHosts allows http URLs with these host names in [WithWidgetURL] and [WithAPIURL], such
// as the name of a sandbox in a container network: http://sandbox:8080. The names have no port. Company
// keys and personal data are sent to these hosts without encryption, so name only hosts in a test
// network. The hosts of Identomat and iDenfy are refused.
func WithInsecureTestHosts(names ...string) Option {
	return func(s *option.Settings) error {
		s.InsecureTestHosts = names
		for _, name := range names {
			if err := option.CheckTestHost(name); err != nil {
				return fmt.Errorf("%s: WithInsecureTestHosts: %w", s.Service, err)
			}
		}
		return nil
	}
}

// WithHTTPClient sends requests through c, for a proxy, a client certificate or a test. The SDK uses c's
// Transport and c's Timeout. The Timeout, if any, bounds each attempt, including the reading of media.
// The SDK does not use CheckRedirect or Jar: redirects are not followed, and no cookie is documented.
//
// If c has no Transport, the SDK's default is used. It has its own connection pool, the settings of
// [http.DefaultTransport], and up to 100 idle connections to each host. It closes a connection after 30
// idle seconds, before common servers do. It pings HTTP/2 connections, so that a dead one is found within
// 25 s. It accepts at most 64 KiB of response header. If unexpected bytes follow a response, it closes
// the connection, and does not log them as net/http would. In your own Transport, set
// [http.Transport.IdleConnTimeout], [http.Transport.HTTP2] and [http.Transport.MaxResponseHeaderBytes].
func WithHTTPClient(c *http.Client) Option {
	return checked(c != nil, "WithHTTPClient: the client is nil", func(s *option.Settings) {
		own := *c
		if own.Transport == nil {
			own.Transport = engine.DefaultTransport()
		}
		s.HTTPClient = &own
	})
}

// RetryPolicy says how often and how fast a call is retried. It does not change which calls may be
// retried. Calls that create something, and those of [DocumentsService], are retried only when the service
// certainly did not process them: no part of the body was sent, the service refused the HTTP/2 stream, or
// the status is HTTP 421, 425 or 429. All other calls are also retried after lost connections, timeouts,
// HTTP 408, and HTTP 5xx except 501. After its first twenty retries, a client makes at most one retry for every ten
// calls, so that retries do not multiply the load on a failing service.
type RetryPolicy struct {
	// MaxAttempts includes the first attempt. 0 means 3; 1 turns retries off.
	MaxAttempts int
	// BaseDelay is the upper bound of the random wait before the second attempt. It doubles with every
	// further attempt. 0 means 500 ms.
	BaseDelay time.Duration
	// MaxDelay is the upper bound of every wait. A Retry-After beyond it, or beyond the context's
	// deadline, ends the call at once. 0 means 30 s.
	MaxDelay time.Duration
}

// WithRetry replaces the [RetryPolicy].
func WithRetry(p RetryPolicy) Option {
	return func(s *option.Settings) error {
		policy := engine.RetryPolicy(p)
		s.Retry = policy.WithDefaults()
		if err := policy.Check(); err != nil {
			return fmt.Errorf("identomat: WithRetry: %w", err)
		}
		return nil
	}
}

// WithAttemptTimeout bounds one attempt including its response; the context bounds the whole call. For
// media and uploads, which may take long, the timeout applies only while no byte moves. A timed-out
// attempt is retried like a lost response. The default is [DefaultAttemptTimeout].
func WithAttemptTimeout(d time.Duration) Option {
	return checked(d > 0, "WithAttemptTimeout: the timeout must be positive", func(s *option.Settings) { s.AttemptTimeout = d })
}

// WithMaxResponseSize limits the size of responses held in memory, in decompressed bytes. A larger one
// fails with [ErrTooLarge]. The default is [DefaultMaxResponseSize].
func WithMaxResponseSize(bytes int64) Option {
	return checked(bytes > 0, "WithMaxResponseSize: the size must be positive", func(s *option.Settings) { s.MaxResponse = bytes })
}

// WithMaxMediaSize bounds a streamed response (images, videos, archives and PDFs), in bytes on the wire.
// A larger response fails with [ErrTooLarge] as soon as its size is known. The default is
// [DefaultMaxMediaSize].
func WithMaxMediaSize(bytes int64) Option {
	return option.Own("identomat.WithMaxMediaSize", func(s *settings) error {
		s.maxMedia = bytes
		if bytes <= 0 {
			return errors.New("WithMaxMediaSize: the size must be positive")
		}
		return nil
	})
}

// RateLimiter is called before every attempt, and its error ends the call. The *rate.Limiter of
// golang.org/x/time/rate implements it.
type RateLimiter interface {
	// Wait returns nil when the attempt may be made, or an error when the context ends.
	Wait(ctx context.Context) error
}

// WithRateLimiter makes every attempt wait for l. Identomat documents no rate limit.
func WithRateLimiter(l RateLimiter) Option {
	return checked(l != nil, "WithRateLimiter: the limiter is nil", func(s *option.Settings) { s.Limiter = l })
}

// WithUserAgent puts product, such as "bank-onboarding/2.1", before the SDK's name in the User-Agent.
func WithUserAgent(product string) Option {
	isPrintable := product != "" && !strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' })
	return checked(isPrintable, "WithUserAgent: the product must be printable ASCII", func(s *option.Settings) { s.Product = product + " " })
}

// WithoutValidation sends requests without checking them against the API documentation, in case the
// service allows more than the documentation says.
func WithoutValidation() Option {
	return func(s *option.Settings) error { s.Validate = false; return nil }
}
