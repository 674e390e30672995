package idenfy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/redact"
)

// Defaults of the options.
const (
	// DefaultBaseURL is the one host for development and production: only the keys differ.
	DefaultBaseURL = "https://ivs.idenfy.com"
	// DefaultAttemptTimeout is generous. iDenfy documents no response times.
	DefaultAttemptTimeout = 60 * time.Second
	// DefaultMaxResponseSize is far above the replies in the documentation, which have 1.5 kB.
	DefaultMaxResponseSize = 1 << 20
	// DefaultMaxDigitStringExpiry is the longest life in seconds of a token with a digit
	// string, which the page gives as the default of expiryTime.
	DefaultMaxDigitStringExpiry = 86400
)

// Client calls iDenfy. It is made by [NewClient], never changes afterwards, and is safe for
// any number of goroutines; one per pair of keys is enough. No formatter, logger or encoder
// prints its keys.
type Client struct {
	settings
	engine   *engine.Engine
	endpoint *url.URL
}

// NewClient returns a client for an API key and its API secret. Every option is checked;
// the errors do not repeat what was passed.
func NewClient(apiKey, apiSecret string, opts ...Option) (*Client, error) {
	if err := named(engine.CheckKey("API key", apiKey)); err != nil {
		return nil, err
	}
	if strings.Contains(apiKey, ":") {
		return nil, errors.New("idenfy: the API key contains a colon, which Basic authentication cannot send")
	}
	if err := named(engine.CheckKey("API secret", apiSecret)); err != nil {
		return nil, err
	}
	s := settings{
		base:      DefaultBaseURL,
		maxDigits: DefaultMaxDigitStringExpiry,
		config: engine.Config{
			Client:         &http.Client{Transport: engine.DefaultTransport()},
			UserAgent:      userAgent,
			Retry:          engine.RetryPolicy{}.WithDefaults(),
			AttemptTimeout: DefaultAttemptTimeout,
		},
		maxReply: DefaultMaxResponseSize,
		validate: true,
	}
	for _, o := range opts {
		if o == nil {
			return nil, errors.New("idenfy: an option is nil")
		}
		if err := o.apply(&s); err != nil {
			return nil, err
		}
	}
	endpoint, err := url.Parse(s.base + "/api/v2/token")
	if err != nil {
		return nil, errors.New("idenfy: malformed base URL")
	}
	credentials := base64.StdEncoding.EncodeToString([]byte(apiKey + ":" + apiSecret))
	httpClient := *s.config.Client
	httpClient.Transport = basicAuth{httpClient.Transport, redact.NewSecret("Basic " + credentials)}
	s.config.Client = &httpClient
	s.config.Secrets = []redact.Secret{redact.NewSecret(apiKey), redact.NewSecret(apiSecret), redact.NewSecret(credentials)}
	return &Client{settings: s, engine: engine.New(s.config), endpoint: endpoint}, nil
}

// Environment variables read by [NewClientFromEnv].
const (
	EnvAPIKey    = "IDENFY_API_KEY"    // required
	EnvAPISecret = "IDENFY_API_SECRET" // required
	EnvBaseURL   = "IDENFY_BASE_URL"   // replaces DefaultBaseURL
)

// NewClientFromEnv returns a client for the API key in IDENFY_API_KEY and the API secret in
// IDENFY_API_SECRET, which must be set. IDENFY_BASE_URL replaces the host. Options given
// here win over the environment.
func NewClientFromEnv(opts ...Option) (*Client, error) {
	for _, name := range []string{EnvAPIKey, EnvAPISecret} {
		if os.Getenv(name) == "" {
			return nil, fmt.Errorf("idenfy: %s is not set", name)
		}
	}
	var env []Option
	if base := os.Getenv(EnvBaseURL); base != "" {
		env = append(env, WithBaseURL(base))
	}
	return NewClient(os.Getenv(EnvAPIKey), os.Getenv(EnvAPISecret), append(env, opts...)...)
}

const userAgent = "identomat-go/" + identomat.Version

// named puts the name of the package before an error of the engine's; nil stays nil.
func named(err error) error {
	if err != nil {
		err = fmt.Errorf("idenfy: %w", err)
	}
	return err
}

// CloseIdleConnections closes connections that no call is using, as
// [http.Client.CloseIdleConnections] does. The client can be used afterwards.
func (c *Client) CloseIdleConnections() { c.engine.CloseIdleConnections() }

// String names the type and nothing else.
func (c *Client) String() string { return "idenfy.Client" }

// Format writes String under every verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// basicAuth adds the keys to every request. The engine knows no keys but those that it keeps
// out of errors.
type basicAuth struct {
	base   http.RoundTripper
	header redact.Secret
}

func (t basicAuth) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // a RoundTripper must not change the request
	req.Header.Set("Authorization", t.header.Reveal())
	if t.base == nil {
		return http.DefaultTransport.RoundTrip(req)
	}
	return t.base.RoundTrip(req)
}

func (t basicAuth) CloseIdleConnections() {
	(&http.Client{Transport: t.base}).CloseIdleConnections() // which knows the default, too
}

// An Option configures a client in [NewClient]. Of two options for the same thing the
// later one wins.
type Option interface {
	apply(*settings) error
}

type option func(*settings) error

func (o option) apply(s *settings) error { return o(s) }

// settings is what the options fill in.
type settings struct {
	base      string
	config    engine.Config
	maxReply  int64
	maxDigits int
	guard     func(ctx context.Context, clientID string) error
	validate  bool
	unknown   bool
}

// WithBaseURL replaces [DefaultBaseURL]: a scheme and a host without a path. It must be
// https, except for a loopback host.
func WithBaseURL(baseURL string) Option {
	return option(func(s *settings) (err error) {
		s.base, err = engine.CheckBaseURL("base URL", baseURL)
		return named(err)
	})
}

// WithHTTPClient sends requests through c, for a proxy, a client certificate or a test.
// Of c, its Transport is used, and its Timeout, if any, which bounds each attempt through
// the context of the request. CheckRedirect and Jar are not: redirects are not followed,
// and no cookie is documented. The default has a connection pool of its own with the
// settings of [http.DefaultTransport] and up to 100 idle connections a host.
func WithHTTPClient(c *http.Client) Option {
	return option(func(s *settings) error {
		if c == nil {
			return errors.New("idenfy: WithHTTPClient: the client is nil")
		}
		s.config.Client = c
		return nil
	})
}

// WithRetry replaces the [identomat.RetryPolicy]. A session is sent again only after a
// failed connection and after HTTP 429.
func WithRetry(p identomat.RetryPolicy) Option {
	return option(func(s *settings) error {
		policy := engine.RetryPolicy(p)
		if err := policy.Check(); err != nil {
			return fmt.Errorf("idenfy: WithRetry: %w", err)
		}
		s.config.Retry = policy.WithDefaults()
		return nil
	})
}

// WithAttemptTimeout bounds one attempt, reply included, beside whatever bounds the whole
// call in its context. An attempt that times out is not repeated: the session may exist.
// The default is [DefaultAttemptTimeout].
func WithAttemptTimeout(d time.Duration) Option {
	return option(func(s *settings) error {
		if d <= 0 {
			return errors.New("idenfy: WithAttemptTimeout: the timeout must be positive")
		}
		s.config.AttemptTimeout = d
		return nil
	})
}

// WithMaxResponseSize bounds a reply, in bytes after decompression. A larger one is
// [ErrTooLarge]. The default is [DefaultMaxResponseSize].
func WithMaxResponseSize(bytes int64) Option {
	return option(func(s *settings) error {
		if bytes <= 0 {
			return errors.New("idenfy: WithMaxResponseSize: the size must be positive")
		}
		s.maxReply = bytes
		return nil
	})
}

// WithRateLimiter makes every attempt wait for l. iDenfy allows 10,000 requests an hour by
// default (public documentation, not the page).
func WithRateLimiter(l identomat.RateLimiter) Option {
	return option(func(s *settings) error {
		if l == nil {
			return errors.New("idenfy: WithRateLimiter: the limiter is nil")
		}
		s.config.Limiter = l
		return nil
	})
}

// WithObserver calls observe after every attempt, in the goroutine of the call. The
// operation of its events is idenfy/token. It may be given several times; all are called.
// It must be safe for concurrent use.
func WithObserver(observe func(identomat.Event)) Option {
	return option(func(s *settings) error {
		if observe == nil {
			return errors.New("idenfy: WithObserver: the function is nil")
		}
		s.config.Observe = append(s.config.Observe, func(e engine.Event) {
			observe(identomat.Event{
				Context: e.Context, Operation: e.Operation, Attempt: e.Attempt, Start: e.Start, Duration: e.Duration,
				StatusCode: e.StatusCode, BytesSent: e.BytesSent, BytesReceived: e.BytesReceived,
				Err: callError(e.Failure), RetryIn: e.RetryIn, WillRetry: e.WillRetry,
			})
		})
		return nil
	})
}

// WithLogger logs every attempt: successes at the debug level, failures as warnings.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		return option(func(*settings) error { return errors.New("idenfy: WithLogger: the logger is nil") })
	}
	return WithObserver(func(e identomat.Event) {
		level, msg := slog.LevelDebug, "idenfy call"
		if e.Err != nil {
			level, msg = slog.LevelWarn, "idenfy call failed"
		}
		if l.Enabled(e.Context, level) {
			l.LogAttrs(e.Context, level, msg, e.LogValue().Group()...)
		}
	})
}

// WithUserAgent puts product, such as "bank-onboarding/2.1", before the SDK's own name in
// the User-Agent header.
func WithUserAgent(product string) Option {
	return option(func(s *settings) error {
		if err := engine.CheckProduct(product); err != nil {
			return fmt.Errorf("idenfy: WithUserAgent: %w", err)
		}
		s.config.UserAgent = product + " " + userAgent
		return nil
	})
}

// WithGuard asks guard before every session, after validation and before anything is sent.
// An error ends the call with an [identomat.TransportError] of no attempt. A second session
// for a client id before the final webhook of the first can cost credits, so a guard may
// look whether one is open; it must be safe for concurrent use. What a guard reserves is
// still reserved after a call that fails: if [MaybeProcessed] is false of the error, no webhook
// will come to free it. An error of the guard that shows a value of the request loses its
// text, and errors.As does not see it.
func WithGuard(guard func(ctx context.Context, clientID string) error) Option {
	return option(func(s *settings) error {
		if guard == nil {
			return errors.New("idenfy: WithGuard: the function is nil")
		}
		s.guard = guard
		return nil
	})
}

// WithMaxDigitStringExpiry raises the longest ExpiryTime, in seconds, that a request with
// GenerateDigitString may have, for contracts that allow more than
// [DefaultMaxDigitStringExpiry].
func WithMaxDigitStringExpiry(seconds int) Option {
	return option(func(s *settings) error {
		if seconds <= 0 {
			return errors.New("idenfy: WithMaxDigitStringExpiry: the time must be positive")
		}
		s.maxDigits = seconds
		return nil
	})
}

// WithUnknownValues lets values pass that the page's lists of locales, documents, sexes,
// token types, fraud services and detection types do not have. Everything else is checked
// all the same.
func WithUnknownValues() Option {
	return option(func(s *settings) error { s.unknown = true; return nil })
}

// WithoutValidation sends requests without checking them against the page first, for the
// day on which the service allows more than it says.
func WithoutValidation() Option {
	return option(func(s *settings) error { s.validate = false; return nil })
}
