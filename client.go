package identomat

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/redact"
)

// Version is the version of this SDK. The User-Agent header contains it.
const Version = "0.1.0"

// Defaults of the options.
const (
	// DefaultWidgetURL serves the widget and the older endpoints.
	DefaultWidgetURL = "https://widget.identomat.com"
	// DefaultAPIURL serves the newer endpoints.
	DefaultAPIURL = "https://external-api.identomat.com"
	// DefaultAttemptTimeout is 60 s, enough for image processing. No response times are documented.
	DefaultAttemptTimeout = option.DefaultAttemptTimeout
	// DefaultMaxResponseSize is 16 MiB. The longest JSON response in Identomat's API documentation is 5
	// kB, and no limit is documented.
	DefaultMaxResponseSize = 16 << 20
	// DefaultMaxMediaSize is 1 GiB, enough for videos of long calls. No limit is documented.
	DefaultMaxMediaSize = 1 << 30
)

// Client calls Identomat's API. Create it with [NewClient]; one client per company key is enough. It is
// immutable and safe for concurrent use. No formatter, logger or encoder prints the client's key.
type Client struct {
	masked

	// Sessions begins verification sessions and reads their results.
	Sessions *SessionsService
	// Media fetches a session's images, videos and files.
	Media *MediaService
	// Documents reads images of documents and compares faces.
	Documents *DocumentsService
	// Screening searches sanctions lists and politically exposed persons.
	Screening *ScreeningService
	// Blacklist manages the company's list of people to be refused.
	Blacklist *BlacklistService
	// Groups and Users manage the people who work with the dashboard.
	Groups *GroupsService
	Users  *UsersService
	// VideoCalls ends video calls and fetches their recordings.
	VideoCalls *VideoCallsService

	key           redact.Secret
	secret        redact.Secret // zero if the client does not sign
	requireSigned bool
	engine        *engine.Engine
	hosts         [2]url.URL // indexed by operation.Host
	widgetURL     string
	maxResponse   int64
	maxMedia      int64
	validate      bool
}

// NewClient returns a client for a company key (company_key or companyKey on the wire). An error names
// the invalid option, but not its value.
func NewClient(companyKey string, opts ...Option) (*Client, error) {
	if err := option.CheckKey("company key", companyKey); err != nil {
		return nil, fmt.Errorf("identomat: %w", err)
	}
	own := settings{
		widgetURL: url.URL{Scheme: "https", Host: strings.TrimPrefix(DefaultWidgetURL, "https://")},
		apiURL:    url.URL{Scheme: "https", Host: strings.TrimPrefix(DefaultAPIURL, "https://")},
		maxMedia:  DefaultMaxMediaSize,
	}
	s := option.Defaults("identomat", &own)
	s.MaxResponse = DefaultMaxResponseSize
	if err := option.Apply(s, opts); err != nil {
		return nil, err
	}
	if err := cmp.Or(s.CheckScheme("widget URL", own.widgetURL), s.CheckScheme("API URL", own.apiURL)); err != nil {
		return nil, err
	}
	s.UserAgent = s.Product + "identomat-go/" + Version
	s.Secrets = []redact.Secret{redact.NewSecret(companyKey)}
	if own.sign != nil {
		s.Secrets = append(s.Secrets, own.secretKey)
		signing := *s.HTTPClient
		signing.Transport = own.sign(signing.Transport)
		s.HTTPClient = &signing
	}
	c := &Client{
		key:           s.Secrets[0],
		secret:        own.secretKey,
		requireSigned: own.requireSigned,
		engine:        engine.New(s.Config),
		hosts:         [...]url.URL{operation.Widget: own.widgetURL, operation.API: own.apiURL},
		widgetURL:     own.widgetURL.String(),
		maxResponse:   s.MaxResponse,
		maxMedia:      own.maxMedia,
		validate:      s.Validate,
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

// url returns the URL of an endpoint.
func (c *Client) url(op *operation.Operation) url.URL {
	u := c.hosts[op.Host]
	u.Path = op.Path()
	return u
}

// Environment variables read by [NewClientFromEnv].
const (
	EnvCompanyKey = "IDENTOMAT_COMPANY_KEY" // required
	EnvSecretKey  = "IDENTOMAT_SECRET_KEY"  // turns on signing
	EnvWidgetURL  = "IDENTOMAT_WIDGET_URL"  // replaces DefaultWidgetURL
	EnvAPIURL     = "IDENTOMAT_API_URL"     // replaces DefaultAPIURL

	// EnvInsecureTestHosts holds the arguments of [WithInsecureTestHosts], separated by commas.
	EnvInsecureTestHosts = "IDENTOMAT_INSECURE_TEST_HOSTS"

	// EnvRequireSigned set to "true" has the effect of [RequireSignedResponses]. It needs EnvSecretKey.
	EnvRequireSigned = "IDENTOMAT_REQUIRE_SIGNED_RESPONSES"
)

// NewClientFromEnv returns a client for the company key in the variable [EnvCompanyKey], which must be
// set. The other Env constants name optional variables. Options passed here override the environment.
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
	if hosts := os.Getenv(EnvInsecureTestHosts); hosts != "" {
		env = append(env, WithInsecureTestHosts(strings.Split(hosts, ",")...))
	}
	return NewClient(key, append(env, opts...)...)
}

// WidgetURL returns [DefaultWidgetURL] or the URL given to [WithWidgetURL], without a trailing slash.
// If your page has a Content-Security-Policy, it must name this origin in frame-src to embed the
// widget, or in form-action if submitting a form leads to the widget.
func (c *Client) WidgetURL() string { return c.widgetURL }

// CloseIdleConnections closes connections that no call is using, as [http.Client.CloseIdleConnections]
// does. The client can be used afterwards.
func (c *Client) CloseIdleConnections() { c.engine.CloseIdleConnections() }
