package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
)

// config holds the settings from the environment, which the README lists.
type config struct {
	addr         string
	anyPort      bool // ADDR is not set, so any free port is acceptable
	publicURL    string
	database     string
	evidence     string
	service      bool // run against Identomat, not the fake
	callbackKeys []string
	configID     string
	lifetime     time.Duration
	password     string
}

func configFromEnv() (config, error) {
	c := config{
		addr:      cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"),
		anyPort:   os.Getenv("ADDR") == "",
		publicURL: strings.TrimSuffix(os.Getenv("PUBLIC_URL"), "/"),
		database:  os.Getenv("DATABASE"),
		evidence:  os.Getenv("EVIDENCE"),
		service:   os.Getenv(identomat.EnvCompanyKey) != "",
		configID:  os.Getenv("IDENTOMAT_CONFIG_ID"),
		lifetime:  15 * time.Minute,
		password:  os.Getenv("SIGN_IN_PASSWORD"),
	}
	for key := range strings.SplitSeq(os.Getenv("IDENTOMAT_CALLBACK_KEYS"), ",") {
		if key = strings.TrimSpace(key); key != "" {
			c.callbackKeys = append(c.callbackKeys, key)
		}
	}
	if text := os.Getenv("SESSION_LIFETIME"); text != "" {
		var err error
		if c.lifetime, err = time.ParseDuration(text); err != nil || c.lifetime <= 0 {
			return c, errors.New("SESSION_LIFETIME is not a positive duration such as 15m")
		}
	}
	if c.service {
		c.database = cmp.Or(c.database, "onboarding.db")
		// The sign-in is a stub: anybody can choose to be the reviewer. With the service, the data
		// is real, so a password is required.
		if len(c.password) < 16 {
			return c, errors.New("the sign-in is a stub; to run against the service, set SIGN_IN_PASSWORD to at least 16 characters")
		}
	}
	if c.publicURL != "" {
		if _, err := c.public(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// public parses PUBLIC_URL, the address that customers and callbacks use. The program never builds
// an address from the Host header of a request.
func (c config) public() (*url.URL, error) {
	u, err := url.Parse(c.publicURL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("PUBLIC_URL is not a URL such as https://onboarding.bank.example")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("PUBLIC_URL must use https unless its host is this machine, because cookies and customers need https")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listen opens the port. If ADDR is not set and the default port is in use, it takes a free one.
func (c config) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", c.addr)
	if err != nil && c.anyPort {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("ADDR: %w", err)
	}
	return listener, nil
}
