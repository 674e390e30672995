package identomat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
)

// Version is the version of this SDK, as it stands in the User-Agent header.
const Version = "0.1.0"

// Defaults of the options.
const (
	// DefaultWidgetURL serves the widget and the older endpoints.
	DefaultWidgetURL = "https://widget.identomat.com"
	// DefaultAPIURL serves the newer endpoints.
	DefaultAPIURL = "https://external-api.identomat.com"
	// DefaultAttemptTimeout is generous towards image processing. The service documents
	// no response times.
	DefaultAttemptTimeout = 60 * time.Second
	// DefaultMaxResponseSize is far above any JSON reply in the documents, the longest of
	// which has 5 kB. The service documents no limit.
	DefaultMaxResponseSize = 16 << 20
	// DefaultMaxMediaSize leaves room for the videos of long calls. The service documents
	// no limit.
	DefaultMaxMediaSize = 1 << 30
)

// Client calls Identomat. It is made by [NewClient], never changes afterwards, and is
// safe for any number of goroutines; one per company key is enough. No formatter, logger
// or encoder prints its key.
type Client struct {
	// Sessions begins verification sessions and learns how they ended.
	Sessions *SessionsService
	// Media fetches what a session recorded.
	Media *MediaService
	// Documents reads images of documents and compares faces.
	Documents *DocumentsService
	// Screening searches sanctions lists and politically exposed persons.
	Screening *ScreeningService
	// Blacklist keeps the company's list of people who must not pass.
	Blacklist *BlacklistService
	// Groups and Users keep the people who work with the dashboard.
	Groups *GroupsService
	Users  *UsersService
	// VideoCalls ends video calls and fetches their recordings.
	VideoCalls *VideoCallsService

	key redact.Secret
	// signedOnly is what RequireSignedResponses asks for.
	signedOnly bool
	secret     redact.Secret // the zero Secret without signing
	engine     *engine.Engine
	urls       map[*operation.Operation]*url.URL
	widget     string
	maxReply   int64
	maxMedia   int64
	validate   bool
}

// NewClient returns a client for a company key. Every option is checked; the errors do
// not repeat what was passed.
func NewClient(companyKey string, opts ...Option) (*Client, error) {
	if err := checkKey("company key", companyKey); err != nil {
		return nil, err
	}
	s := settings{
		widgetURL:      DefaultWidgetURL,
		apiURL:         DefaultAPIURL,
		attemptTimeout: DefaultAttemptTimeout,
		maxReply:       DefaultMaxResponseSize,
		maxMedia:       DefaultMaxMediaSize,
		userAgent:      "identomat-go/" + Version,
		retry:          engine.RetryPolicy{}.WithDefaults(),
		validate:       true,
	}
	for _, o := range opts {
		if o == nil {
			return nil, errors.New("identomat: an option is nil")
		}
		if err := o(&s); err != nil {
			return nil, err
		}
	}
	return s.client(companyKey)
}

// Environment variables read by [NewClientFromEnv].
const (
	EnvCompanyKey = "IDENTOMAT_COMPANY_KEY" // required
	EnvSecretKey  = "IDENTOMAT_SECRET_KEY"  // turns on signing
	EnvWidgetURL  = "IDENTOMAT_WIDGET_URL"  // replaces DefaultWidgetURL
	EnvAPIURL     = "IDENTOMAT_API_URL"     // replaces DefaultAPIURL

	// EnvRequireSigned set to "true" has the effect of [RequireSignedResponses]. It needs
	// IDENTOMAT_SECRET_KEY.
	EnvRequireSigned = "IDENTOMAT_REQUIRE_SIGNED_RESPONSES"
)

// NewClientFromEnv returns a client for the company key in IDENTOMAT_COMPANY_KEY, which
// must be set. IDENTOMAT_SECRET_KEY turns on signing, and
// IDENTOMAT_REQUIRE_SIGNED_RESPONSES=true refuses unsigned responses;
// IDENTOMAT_WIDGET_URL and IDENTOMAT_API_URL replace the two hosts. Options given here win
// over the environment.
func NewClientFromEnv(opts ...Option) (*Client, error) {
	key := os.Getenv(EnvCompanyKey)
	if key == "" {
		return nil, fmt.Errorf("identomat: %s is not set", EnvCompanyKey)
	}
	var env []Option
	var signing []HMACOption
	switch required := os.Getenv(EnvRequireSigned); required {
	case "", "false":
	case "true":
		signing = append(signing, RequireSignedResponses())
	default:
		return nil, fmt.Errorf("identomat: %s must be true or false", EnvRequireSigned)
	}
	if secret := os.Getenv(EnvSecretKey); secret != "" {
		env = append(env, WithHMAC(secret, signing...))
	} else if len(signing) > 0 {
		return nil, fmt.Errorf("identomat: %s needs %s", EnvRequireSigned, EnvSecretKey)
	}
	if base := os.Getenv(EnvWidgetURL); base != "" {
		env = append(env, WithWidgetURL(base))
	}
	if base := os.Getenv(EnvAPIURL); base != "" {
		env = append(env, WithAPIURL(base))
	}
	return NewClient(key, append(env, opts...)...)
}

// WidgetURL is [DefaultWidgetURL] or what [WithWidgetURL] put in its place: the origin that a
// page's Content-Security-Policy must name, in form-action or frame-src, before it has a
// [Session]. It ends without a slash.
func (c *Client) WidgetURL() string { return c.widget }

// CloseIdleConnections closes connections that no call is using, as
// [http.Client.CloseIdleConnections] does. The client can be used afterwards.
func (c *Client) CloseIdleConnections() { c.engine.CloseIdleConnections() }

// String names the type and nothing else.
func (c *Client) String() string { return "identomat.Client" }

// Format writes String under every verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// An Option configures a client in [NewClient]. Of two options for the same thing the
// later one wins.
type Option func(*settings) error

// settings is what the options fill in.
type settings struct {
	widgetURL, apiURL  string
	secretKey          redact.Secret
	hmac               []HMACOption
	httpClient         *http.Client
	retry              engine.RetryPolicy
	attemptTimeout     time.Duration
	maxReply, maxMedia int64
	limiter            RateLimiter
	observers          []func(engine.Event)
	userAgent          string
	validate           bool
}

// WithHMAC signs every request with the secret key that belongs to a company key of the
// HMAC type, and checks the signatures of responses. See [NewHMACTransport] for the rules
// and [RequireSignedResponses] for responses that must be signed.
func WithHMAC(secretKey string, opts ...HMACOption) Option {
	return func(s *settings) error {
		if err := checkKey("secret key", secretKey); err != nil {
			return err
		}
		s.secretKey, s.hmac = redact.NewSecret(secretKey), opts
		return nil
	}
}

// WithHTTPClient sends requests through c, for a proxy, a client certificate or a test.
// Of c, its Transport is used, and its Timeout, if any, which bounds each attempt and the
// reading of media through the context of the request. CheckRedirect and Jar are not:
// redirects are not followed, and no cookie is documented. The default has a connection
// pool of its own with the settings of [http.DefaultTransport] and up to 100 idle
// connections a host.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) error {
		if c == nil {
			return errors.New("identomat: WithHTTPClient: the client is nil")
		}
		s.httpClient = c
		return nil
	}
}

// WithWidgetURL replaces [DefaultWidgetURL]: a scheme and a host without a path. It must
// be https, except for a loopback host.
func WithWidgetURL(baseURL string) Option {
	return func(s *settings) (err error) {
		s.widgetURL, err = engine.CheckBaseURL("widget URL", baseURL)
		return named(err)
	}
}

// WithAPIURL replaces [DefaultAPIURL]: a scheme and a host without a path. It must be
// https, except for a loopback host.
func WithAPIURL(baseURL string) Option {
	return func(s *settings) (err error) {
		s.apiURL, err = engine.CheckBaseURL("API URL", baseURL)
		return named(err)
	}
}

// RetryPolicy says how often and how fast a call is sent again. What may be sent again
// at all is not configurable: calls that create something, or may cost something, only when
// it is certain that the service processed nothing, which is after a failed connection and
// after HTTP 429; all others also after lost connections, timeouts and HTTP 408 and 5xx
// except 501. The first twenty repeats of a client are free, further ones are limited to a
// tenth of its calls, so that a failing service is not sent a multiple of the load.
type RetryPolicy struct {
	// MaxAttempts counts the first one; 0 means 3, and 1 turns repeats off.
	MaxAttempts int
	// BaseDelay bounds the random wait before the second attempt; it doubles with every
	// further one. 0 means 500 ms.
	BaseDelay time.Duration
	// MaxDelay bounds every wait. A reply with a longer Retry-After, or one beyond the
	// deadline of the context, ends the call at once. 0 means 30 s.
	MaxDelay time.Duration
}

// WithRetry replaces the [RetryPolicy].
func WithRetry(p RetryPolicy) Option {
	return func(s *settings) error {
		policy := engine.RetryPolicy(p)
		if err := policy.Check(); err != nil {
			return fmt.Errorf("identomat: WithRetry: %w", err)
		}
		s.retry = policy.WithDefaults()
		return nil
	}
}

// WithAttemptTimeout bounds one attempt, reply included, beside whatever bounds the
// whole call in its context. Of media and uploads, which may take long, it bounds the time
// in which no byte moves. An attempt that times out is repeated where a lost reply
// would be. The default is [DefaultAttemptTimeout].
func WithAttemptTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return errors.New("identomat: WithAttemptTimeout: the timeout must be positive")
		}
		s.attemptTimeout = d
		return nil
	}
}

// WithMaxResponseSize bounds a reply that is held in memory, in bytes after decompression.
// A larger one is [ErrTooLarge]. The default is [DefaultMaxResponseSize].
func WithMaxResponseSize(bytes int64) Option {
	return func(s *settings) error {
		if bytes <= 0 {
			return errors.New("identomat: WithMaxResponseSize: the size must be positive")
		}
		s.maxReply = bytes
		return nil
	}
}

// WithMaxMediaSize bounds a reply that is streamed, in bytes as it is sent: images, videos,
// archives and PDFs. A larger one is [ErrTooLarge] as soon as that is known. The default is
// [DefaultMaxMediaSize].
func WithMaxMediaSize(bytes int64) Option {
	return func(s *settings) error {
		if bytes <= 0 {
			return errors.New("identomat: WithMaxMediaSize: the size must be positive")
		}
		s.maxMedia = bytes
		return nil
	}
}

// A RateLimiter is asked before every attempt; *rate.Limiter of golang.org/x/time/rate
// is one. An error ends the call.
type RateLimiter interface {
	// Wait returns when the attempt may be made, or an error when the context ends.
	Wait(ctx context.Context) error
}

// WithRateLimiter makes every attempt wait for l. The service documents no rate limit.
func WithRateLimiter(l RateLimiter) Option {
	return func(s *settings) error {
		if l == nil {
			return errors.New("identomat: WithRateLimiter: the limiter is nil")
		}
		s.limiter = l
		return nil
	}
}

// Event describes one attempt of a call. It holds no body and no parameter.
type Event struct {
	// Context is the caller's, for the span that the attempt belongs to.
	Context context.Context
	// Operation is the endpoint, such as result/.
	Operation string
	// Attempt counts from 1.
	Attempt int
	// Start is when the attempt began, after any wait for the [RateLimiter], and Duration
	// how long it took, the reading of media included.
	Start    time.Time
	Duration time.Duration
	// StatusCode is the HTTP status, 0 without a reply.
	StatusCode int
	// BytesSent is the length of the request's body, also if not all of it was sent.
	// BytesReceived counts the bytes of the reply's body that were read.
	BytesSent     int64
	BytesReceived int64
	// Err is nil for a success, or the error that the call would return if this were its
	// last attempt.
	Err error
	// WillRetry says that another attempt follows, and RetryIn after which wait.
	RetryIn   time.Duration
	WillRetry bool
}

// Format writes the operation and its outcome under every verb; the values inside the
// context stay unseen.
func (e Event) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s attempt %d: status %d in %s", e.Operation, e.Attempt, e.StatusCode, e.Duration)
	if e.Err != nil {
		fmt.Fprintf(f, ": %v", e.Err)
	}
}

// LogValue is a group of the fields without the context.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(e.attrs()...)
}

func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("operation", e.Operation), slog.Int("attempt", e.Attempt), slog.Int("status", e.StatusCode),
		slog.Duration("duration", e.Duration), slog.Int64("sent", e.BytesSent), slog.Int64("received", e.BytesReceived),
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	if e.WillRetry {
		attrs = append(attrs, slog.Duration("retry_in", e.RetryIn))
	}
	return attrs
}

// WithObserver calls observe after every attempt, in the goroutine of the call. It may be
// given several times; all are called. It must be safe for concurrent use.
func WithObserver(observe func(Event)) Option {
	return func(s *settings) error {
		if observe == nil {
			return errors.New("identomat: WithObserver: the function is nil")
		}
		s.observers = append(s.observers, func(e engine.Event) {
			observe(Event{
				Context: e.Context, Operation: e.Operation, Attempt: e.Attempt, Start: e.Start, Duration: e.Duration,
				StatusCode: e.StatusCode, BytesSent: e.BytesSent, BytesReceived: e.BytesReceived,
				Err: callError(e.Operation, e.Failure), RetryIn: e.RetryIn, WillRetry: e.WillRetry,
			})
		})
		return nil
	}
}

// WithLogger logs every attempt: successes at the debug level, failures as warnings. A
// record has the fields of [Event] without the context.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		return func(*settings) error { return errors.New("identomat: WithLogger: the logger is nil") }
	}
	return WithObserver(func(e Event) {
		level, msg := slog.LevelDebug, "identomat call"
		if e.Err != nil {
			level, msg = slog.LevelWarn, "identomat call failed"
		}
		if l.Enabled(e.Context, level) {
			l.LogAttrs(e.Context, level, msg, e.attrs()...)
		}
	})
}

// WithUserAgent puts product, such as "bank-onboarding/2.1", before the SDK's own name in
// the User-Agent header.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		if err := engine.CheckProduct(product); err != nil {
			return fmt.Errorf("identomat: WithUserAgent: %w", err)
		}
		s.userAgent = product + " identomat-go/" + Version
		return nil
	}
}

// WithoutValidation sends requests without checking them against the documents first,
// for the day on which the service allows more than they say.
func WithoutValidation() Option {
	return func(s *settings) error { s.validate = false; return nil }
}

func (s *settings) client(companyKey string) (*Client, error) {
	httpClient := http.Client{}
	if s.httpClient != nil {
		httpClient = *s.httpClient
	} else {
		httpClient.Transport = engine.DefaultTransport()
	}
	secrets := []redact.Secret{redact.NewSecret(companyKey)}
	var rules hmacRules
	if secret := s.secretKey.Reveal(); secret != "" {
		secrets = append(secrets, s.secretKey)
		for _, o := range s.hmac {
			o(&rules)
		}
		httpClient.Transport = NewHMACTransport(secret, httpClient.Transport, s.hmac...)
	}
	c := &Client{
		key:        secrets[0],
		signedOnly: rules.requireSigned,
		secret:     s.secretKey,
		widget:     s.widgetURL,
		maxReply:   s.maxReply,
		maxMedia:   s.maxMedia,
		validate:   s.validate,
		urls:       make(map[*operation.Operation]*url.URL, len(operation.All())),
		engine: engine.New(engine.Config{
			Client: &httpClient, UserAgent: s.userAgent, Retry: s.retry,
			AttemptTimeout: s.attemptTimeout, Limiter: s.limiter, Observe: s.observers, Secrets: secrets,
		}),
	}
	for _, op := range operation.All() {
		base := s.widgetURL
		if op.Host == operation.API {
			base = s.apiURL
		}
		u, err := url.Parse(base + op.Path())
		if err != nil {
			return nil, errors.New("identomat: malformed base URL")
		}
		c.urls[op] = u
	}
	c.Sessions = &SessionsService{client: c}
	c.Media = &MediaService{client: c}
	c.Documents = &DocumentsService{client: c}
	c.Screening = &ScreeningService{client: c}
	c.Blacklist = &BlacklistService{client: c}
	c.Groups = &GroupsService{client: c}
	c.Users = &UsersService{client: c}
	c.VideoCalls = &VideoCallsService{client: c}
	return c, nil
}

func checkKey(name, key string) error { return named(engine.CheckKey(name, key)) }

// named puts the name of the package before an error of the engine's; nil stays nil.
func named(err error) error {
	if err != nil {
		err = fmt.Errorf("identomat: %w", err)
	}
	return err
}
