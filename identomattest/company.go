package identomattest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Company is a company that uses the server. Companies have separate sessions, records, groups and users.
type Company struct {
	// Name identifies the company in [Request] and on the start page.
	Name string `json:"name"`
	// CompanyKey and SecretKey are the company's keys. An empty secret key means [DefaultSecretKey]. If
	// RequireHMAC is set, the server refuses unsigned requests.
	CompanyKey  string `json:"companyKey"`
	SecretKey   string `json:"secretKey"`
	RequireHMAC bool   `json:"requireHmac"`
	// CallbackKey is the callbackApiKey of the callbacks that the server posts to CallbackURL. An
	// empty key means [DefaultCallbackKey]. Without a URL, it posts none.
	CallbackKey string `json:"callbackKey"`
	CallbackURL string `json:"callbackUrl"`
	// RequestsPerMinute limits the company's requests in any 60 seconds. The server responds to further
	// ones with status 429 and Retry-After. 0 means no limit. Identomat publishes no limits.
	RequestsPerMinute int `json:"requestsPerMinute"`
}

// WithCompanies makes the server serve these companies instead of the one that [WithKeys],
// [WithCallbackKey] and [RequireHMAC] describe. The server's fields, [Server.Client] and
// [Server.SetCallbackURL] belong to the first company. Methods that take a token find the session of any
// company.
func WithCompanies(companies ...Company) Option {
	return func(s *Server) {
		s.companies = []*company{}
		for _, c := range companies {
			c.SecretKey, c.CallbackKey = cmp.Or(c.SecretKey, DefaultSecretKey), cmp.Or(c.CallbackKey, DefaultCallbackKey)
			s.companies = append(s.companies, &company{Company: c})
		}
	}
}

// company is the state of a company. Server.mu guards everything except the fields of Company other than
// CallbackURL, which do not change.
type company struct {
	Company
	monitoring []*monitoredQuery
	blacklist  []blacklistRecord
	groups     []*group
	users      []user
	recent     []time.Time // when the requests of the last minute arrived
}

// clear removes the company's records, groups and users.
func (c *company) clear() {
	c.monitoring, c.blacklist, c.groups, c.recent = nil, nil, nil, nil
	c.users = []user{administrator}
}

// checkCompanies reports companies that cannot be told apart.
// minKey is the length of the shortest keys. Masking a shorter key could mask parts of words.
const minKey = 8

func checkCompanies(companies []*company) error {
	if len(companies) == 0 {
		return errors.New("there is no company")
	}
	for i, c := range companies {
		switch {
		case c.CompanyKey == "" || c.SecretKey == "" || c.CallbackKey == "":
			return errors.New("a company key, secret key or callback key is empty")
		case min(len(c.CompanyKey), len(c.SecretKey), len(c.CallbackKey)) < minKey:
			return fmt.Errorf("a company key, secret key or callback key has fewer than %d characters", minKey)
		case c.Name == "" && len(companies) > 1:
			return errors.New("a company has no name")
		case c.CallbackURL != "" && !isHTTPURL(c.CallbackURL):
			return fmt.Errorf("the callback URL of %q is not an http URL", c.Name)
		case c.RequestsPerMinute < 0:
			return fmt.Errorf("the limit of %q is negative", c.Name)
		}
		if slices.ContainsFunc(companies[:i], func(o *company) bool { return o.Name == c.Name || o.CompanyKey == c.CompanyKey }) {
			return fmt.Errorf("two companies have the name or the company key of %q", c.Name)
		}
	}
	return nil
}

// admit counts a request. If the company has reached its limit, admit returns how long to wait. The caller
// holds s.mu.
func (c *company) admit(now time.Time) (wait time.Duration) {
	if c.RequestsPerMinute == 0 {
		return 0
	}
	c.recent = slices.DeleteFunc(c.recent, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(c.recent) >= c.RequestsPerMinute {
		return time.Minute - now.Sub(c.recent[0])
	}
	c.recent = append(c.recent, now)
	return 0
}
