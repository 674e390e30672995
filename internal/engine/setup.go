package engine

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What every package with a client checks and fills in before it calls New. The errors
// repeat no value; the packages put their names before them.

// CheckKey refuses a key that would fail later, or be refused by the service.
func CheckKey(name, key string) error {
	switch {
	case key == "":
		return fmt.Errorf("the %s is empty", name)
	case strings.TrimSpace(key) != key, strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("the %s begins or ends with white space, or contains a control character", name)
	}
	return nil
}

// CheckBaseURL returns the origin that base is. It does not repeat it in its errors: it may
// hold a password.
func CheckBaseURL(name, base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return "", fmt.Errorf("the %s is not an absolute URL", name)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("the %s must be a scheme and a host alone", name)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())) {
		return "", fmt.Errorf("the %s must be https, except for a loopback host", name)
	}
	return u.Scheme + "://" + u.Host, nil
}

// IsLoopback reports whether nothing leaves the machine on the way to host.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// CheckProduct refuses what may not stand in a User-Agent header.
func CheckProduct(product string) error {
	if product == "" || strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("the product must be printable ASCII")
	}
	return nil
}

// DefaultTransport is [http.DefaultTransport] with a connection pool of its own.
func DefaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // replaced, by a test for instance
	}
	t = t.Clone()
	// There are one or two hosts, and the default of two idle connections would make a busy
	// service dial for most calls.
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
}

// Check refuses negative numbers.
func (p RetryPolicy) Check() error {
	if p.MaxAttempts < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 {
		return errors.New("a field is negative")
	}
	return nil
}

// WithDefaults fills in what is zero.
func (p RetryPolicy) WithDefaults() RetryPolicy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 3
	}
	if p.BaseDelay == 0 {
		p.BaseDelay = 500 * time.Millisecond
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = 30 * time.Second
	}
	return p
}
