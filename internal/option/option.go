// Package option holds what the clients' options share: the settings that they fill in, and the
// checks of common values. Errors contain no values. Clients put their package name before an
// error's text.
package option

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/engine"
)

// Settings is filled in by options.
type Settings struct {
	// Service is the name of the package: identomat or idenfy.
	Service string
	engine.Config
	// Product is a prefix for the User-Agent header.
	Product     string
	MaxResponse int64
	Validate    bool
	// InsecureTestHosts are host names to which plain HTTP is allowed.
	InsecureTestHosts []string
	// Own points to the settings that only one service has.
	Own any
}

// DefaultAttemptTimeout leaves time for image processing. Neither service documents response times.
const DefaultAttemptTimeout = 60 * time.Second

// Defaults returns the settings of a client without options.
func Defaults(service string, own any) *Settings {
	return &Settings{
		Service: service,
		Config: engine.Config{
			HTTPClient:     &http.Client{Transport: engine.DefaultTransport()},
			Retry:          engine.RetryPolicy{}.WithDefaults(),
			AttemptTimeout: DefaultAttemptTimeout,
		},
		Validate: true,
		Own:      own,
	}
}

// Apply applies the options in order. O is a type such as identomat.Option.
func Apply[O ~func(*Settings) error](s *Settings, opts []O) error {
	for _, o := range opts {
		if o == nil {
			return errors.New(s.Service + ": an option is nil")
		}
		if err := o(s); err != nil {
			return err
		}
	}
	return nil
}

// Own returns an option for the settings of type S, which only one client has. Other clients refuse
// the option.
func Own[S any](name string, set func(*S) error) func(*Settings) error {
	return func(s *Settings) error {
		own, ok := s.Own.(*S)
		if !ok {
			return errors.New(s.Service + ": " + name + " is not an option of this client")
		}
		if err := set(own); err != nil {
			return fmt.Errorf("%s: %w", s.Service, err)
		}
		return nil
	}
}

// CheckKey refuses a key that cannot be sent, and a key with characters that are easily copied by
// mistake, such as quotes.
func CheckKey(name, key string) error {
	const quotes = "\"'`“”„‟‘’‚‛«»"
	first, _ := utf8.DecodeRuneInString(key)
	last, size := utf8.DecodeLastRuneInString(key)
	switch {
	case key == "":
		return fmt.Errorf("the %s is empty", name)
	case !utf8.ValidString(key):
		return fmt.Errorf("the %s is not UTF-8", name)
	case unicode.IsSpace(first) || unicode.IsSpace(last):
		return fmt.Errorf("the %s begins or ends with white space", name)
	case strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the %s contains an invisible or control character", name)
	case len(key) > size && strings.ContainsRune(quotes, first) && strings.ContainsRune(quotes, last):
		return fmt.Errorf("the %s is in quotes", name)
	}
	return nil
}

// CheckBaseURL returns the origin of base. [Settings.CheckScheme] checks its scheme after all
// options are applied. The error does not repeat base, which may hold a password.
func CheckBaseURL(name, base string) (url.URL, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return url.URL{}, fmt.Errorf("the %s is not an absolute URL", name)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return url.URL{}, fmt.Errorf("the %s must be only a scheme and a host", name)
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// CheckScheme accepts https, and also http for loopback and test hosts.
func (s *Settings) CheckScheme(name string, u url.URL) error {
	host := u.Hostname()
	isTestHost := slices.ContainsFunc(s.InsecureTestHosts, func(name string) bool { return strings.EqualFold(name, host) })
	if u.Scheme == "https" || u.Scheme == "http" && (IsLoopback(host) || isTestHost) {
		return nil
	}
	return fmt.Errorf("%s: the %s must be https, except for a loopback host", s.Service, name)
}

// CheckTestHost refuses the services' own hosts, and anything that is not a host name.
func CheckTestHost(name string) error {
	if name == "" || strings.ContainsAny(name, ":/@?# ,") {
		return errors.New("a test host must be a host name without a scheme or port")
	}
	for _, service := range []string{"identomat.com", "idenfy.com"} {
		if folded := strings.ToLower(name); folded == service || strings.HasSuffix(folded, "."+service) {
			return errors.New("a host of the service cannot be a test host")
		}
	}
	return nil
}

// IsLoopback reports whether host is this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
