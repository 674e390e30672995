package idenfy

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/redact"
)

// Defaults of the options.
const (
	// DefaultBaseURL is iDenfy's only host. Development and production use the same host with
	// different keys.
	DefaultBaseURL = "https://ivs.idenfy.com"
	// DefaultMaxResponseSize is 1 MiB. The documented responses are 1.5 kB.
	DefaultMaxResponseSize = 1 << 20
	// DefaultMaxDigitStringExpiry is the longest lifetime, in seconds, of a token with a digit
	// string. It is the documented default for expiryTime.
	DefaultMaxDigitStringExpiry = 86400
)

// Client calls iDenfy. [NewClient] makes it. It is immutable and safe for concurrent use. One
// client per pair of keys is enough. No formatter, logger or encoder prints its keys.
type Client struct {
	masked
	settings
	engine      *engine.Engine
	keys        []redact.Secret
	endpoint    url.URL
	maxResponse int64
	validate    bool
}

// NewClient returns a client for an API key and its API secret. Errors name the invalid option, not
// its value.
func NewClient(apiKey, apiSecret string, opts ...Option) (*Client, error) {
	if err := cmp.Or(option.CheckKey("API key", apiKey), option.CheckKey("API secret", apiSecret)); err != nil {
		return nil, fmt.Errorf("idenfy: %w", err)
	}
	if strings.Contains(apiKey, ":") {
		return nil, errors.New("idenfy: the API key contains a colon, which Basic authentication cannot send")
	}
	own := settings{
		baseURL:   url.URL{Scheme: "https", Host: strings.TrimPrefix(DefaultBaseURL, "https://")},
		maxDigits: DefaultMaxDigitStringExpiry,
	}
	s := option.Defaults("idenfy", &own)
	s.MaxResponse = DefaultMaxResponseSize
	if err := option.Apply(s, opts); err != nil {
		return nil, err
	}
	if err := s.CheckScheme("base URL", own.baseURL); err != nil {
		return nil, err
	}
	credentials := base64.StdEncoding.EncodeToString([]byte(apiKey + ":" + apiSecret))
	s.UserAgent = s.Product + "identomat-go/" + identomat.Version
	s.Secrets = []redact.Secret{redact.NewSecret(apiKey), redact.NewSecret(apiSecret), redact.NewSecret(credentials)}
	authenticated := *s.HTTPClient
	authenticated.Transport = basicAuth{authenticated.Transport, redact.NewSecret("Basic " + credentials)}
	s.HTTPClient = &authenticated
	c := &Client{
		settings: own, engine: engine.New(s.Config), keys: s.Secrets, endpoint: own.baseURL,
		maxResponse: s.MaxResponse, validate: s.Validate,
	}
	c.endpoint.Path = "/api/v2/token"
	return c, nil
}

// Environment variables read by [NewClientFromEnv].
const (
	EnvAPIKey    = "IDENFY_API_KEY"    // required
	EnvAPISecret = "IDENFY_API_SECRET" // required
	EnvBaseURL   = "IDENFY_BASE_URL"   // replaces DefaultBaseURL
)

// NewClientFromEnv returns a client for the keys in the environment. Options passed here override
// the environment.
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

// CloseIdleConnections closes connections that no call is using. The client remains usable.
func (c *Client) CloseIdleConnections() { c.engine.CloseIdleConnections() }

// basicAuth adds the keys to every request.
type basicAuth struct {
	base   http.RoundTripper // nil means http.DefaultTransport
	header redact.Secret
}

func (t basicAuth) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // a RoundTripper must not modify the request
	req.Header.Set("Authorization", t.header.Reveal())
	if t.base == nil {
		return http.DefaultTransport.RoundTrip(req)
	}
	return t.base.RoundTrip(req)
}

func (t basicAuth) CloseIdleConnections() { (&http.Client{Transport: t.base}).CloseIdleConnections() }
