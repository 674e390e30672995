package identomattest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// WithHosts adds host names, without a port, that browsers and tools may use for this server, such as a
// container's name. IP addresses, localhost and names below .localhost are always accepted. A backend
// can use any name: the API accepts unknown host names in requests that cannot come from a browser.
func WithHosts(names ...string) Option {
	return func(s *Server) { s.hosts = append(s.hosts, names...) }
}

// The checks below protect a fake on a developer's machine from web pages on other sites. A page can
// send requests to any address; the headers Origin and Sec-Fetch-Site reveal such a request. If the
// page's domain points at the fake's address (DNS rebinding), the page can also read the responses; the
// Host header reveals such a request.

// checkHost refuses a host name that an attacker could have pointed at the fake.
func (s *Server) checkHost(r *http.Request) error {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if net.ParseIP(host) != nil || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return nil
	}
	if slices.ContainsFunc(s.hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
		return nil
	}
	return fmt.Errorf("the host name %q is not allowed; add it with WithHosts, or with --host of the sandbox", host)
}

// checkOrigin refuses requests from web pages on other origins.
func checkOrigin(r *http.Request) error {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "http" || u.Host != r.Host {
			return errors.New("requests from web pages on other origins are not allowed")
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return nil
	}
	return errors.New("requests from web pages on other sites are not allowed")
}

// checkTool protects the control API, which needs no key.
func (s *Server) checkTool(r *http.Request) error {
	if err := s.checkHost(r); err != nil {
		return err
	}
	return checkOrigin(r)
}

// checkBackend protects the API. The built-in company key is not secret, so it keeps no web page out. A
// backend may use any host name, so checkHost cannot help either. Browsers send Origin with every POST
// request, but not with GET requests to the page's own origin. So only a POST request without Origin
// certainly comes from a backend.
func (s *Server) checkBackend(r *http.Request) error {
	fromBackend := r.Method == http.MethodPost && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == ""
	if fromBackend {
		return nil
	}
	return s.checkTool(r)
}
