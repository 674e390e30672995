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

// WithHosts adds host names, without a port, that browsers and tools may use for this server, such as
// the name of a container. IP addresses, localhost and names below .localhost are always accepted. A
// backend can use any name: the API accepts requests from unknown names unless they can come from a
// browser.
func WithHosts(names ...string) Option {
	return func(s *Server) { s.hosts = append(s.hosts, names...) }
}

// The checks below keep web pages of other sites away from a fake on the developer's machine. A page
// can send requests to any address, and if its domain is pointed at this address (DNS rebinding) it can
// read the responses too. The Origin header and Sec-Fetch-Site give away the first kind, the Host header
// the second.

// checkHost refuses a host name that an attacker could have pointed at this address.
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
	return fmt.Errorf("the host name %q is not allowed; add it with WithHosts, or -host of the sandbox", host)
}

// checkOrigin refuses requests from web pages of other origins.
func checkOrigin(r *http.Request) error {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "http" || u.Host != r.Host {
			return errors.New("requests from web pages of other origins are not allowed")
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return nil
	}
	return errors.New("requests from web pages of other sites are not allowed")
}

// checkTool protects the control API, which needs no key.
func (s *Server) checkTool(r *http.Request) error {
	if err := s.checkHost(r); err != nil {
		return err
	}
	return checkOrigin(r)
}

// checkBackend protects the API. The built-in company key is not secret, and backends call the server
// by any name. Browsers send Origin with every POST request, but not with GET requests of the page's own
// origin.
func (s *Server) checkBackend(r *http.Request) error {
	fromBackend := r.Method == http.MethodPost && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == ""
	if fromBackend {
		return nil
	}
	return s.checkTool(r)
}
