package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// check is the record of one check.
type check struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, failed or not checked
	Detail string `json:"detail,omitzero"`
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the key, the hosts, the clock, the proxy, TLS and signing",
		Long: `Check the key, the hosts, the clock, the proxy, TLS and signing. No call is billed: doctor asks for the
result of a session that does not exist, and lists the groups. It says what it could not check.`,
		Example: `  identomat doctor
  identomat doctor -o json | jq '.[] | select(.state == "failed")'`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{app: a, printer: a.list("Check=check State=state Detail=detail")}
			d.run(cmd.Context())
			if err := errors.Join(d.err, d.printer.close()); err != nil {
				return err
			}
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			if d.code != 0 {
				return outcomeError(d.code)
			}
			return nil
		},
	}
}

type doctor struct {
	*app
	printer *printer
	err     error
	code    int // the exit code
}

func (d *doctor) add(state, name, format string, args ...any) {
	d.err = errors.Join(d.err, d.printer.add(check{name, state, fmt.Sprintf(format, args...)}))
	if state == "failed" && d.code == 0 {
		d.code = 1
	}
}

func (d *doctor) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := d.client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 2}))
	if err != nil {
		d.add("failed", "key", "%s", strings.TrimPrefix(err.Error(), "identomat: "))
	} else {
		d.add("ok", "key", "from %s", d.keySource())
	}
	for _, host := range []struct{ name, env, standard string }{
		{"widget host", identomat.EnvWidgetURL, identomat.DefaultWidgetURL},
		{"API host", identomat.EnvAPIURL, identomat.DefaultAPIURL},
	} {
		base := os.Getenv(host.env)
		if base == "" {
			base = host.standard
		}
		d.host(ctx, host.name, base)
	}
	if client == nil {
		d.add("not checked", "access", "there is no usable key")
		d.add("not checked", "signing", "there is no usable key")
	} else {
		d.access(ctx, client)
	}
	d.add("not checked", "billing", "whether the company may begin sessions: a session is billed")
	d.add("not checked", "callbacks", "whether callbacks arrive: only the service can send them; see: identomat listen")
}

func (d *doctor) keySource() string {
	switch {
	case d.keyFile != "":
		return "the key file"
	case d.keyring:
		return "the keyring"
	}
	return identomat.EnvCompanyKey
}

// validProxy reports whether net/http understands the variable with the proxy's URL. net/http ignores a malformed URL,
// and reads a password with an unescaped slash as the host and the port.
func validProxy(scheme string) bool {
	name := strings.ToUpper(scheme) + "_PROXY"
	value := cmp.Or(os.Getenv(name), os.Getenv(strings.ToLower(name)))
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		u, err = url.Parse("http://" + value)
	}
	return err == nil && strings.Contains(value, "@") == (u.User != nil)
}

// host checks the connection to a host, the proxy, TLS and the clock.
func (d *doctor) host(ctx context.Context, name, base string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		d.add("failed", name, "its URL is not valid")
		return
	}
	proxy, err := http.ProxyFromEnvironment(request)
	switch {
	case err != nil || !validProxy(request.URL.Scheme):
		d.add("failed", name+", proxy", "the proxy's URL is not valid; special characters of a password must be escaped")
	case proxy != nil:
		d.add("ok", name+", proxy", "%s", (&url.URL{Scheme: proxy.Scheme, Host: proxy.Host}).String())
	default:
		d.add("ok", name+", proxy", "none")
	}
	client := http.Client{
		Timeout:       15 * time.Second,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	began := time.Now()
	response, err := client.Do(request)
	took := time.Since(began)
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	if err != nil {
		d.noResponse(name, request.URL.Host, proxy != nil, err)
		return
	}
	_ = response.Body.Close()
	state := "ok"
	if response.StatusCode >= 500 || response.StatusCode == http.StatusProxyAuthRequired {
		state = "failed"
	}
	d.add(state, name, "%s answered with HTTP %d in %d ms", request.URL.Host, response.StatusCode, took.Milliseconds())
	if response.TLS == nil {
		d.add("not checked", name+", TLS", "the connection is not encrypted")
	} else {
		certificate, state, soon := response.TLS.PeerCertificates[0], "ok", ""
		if time.Until(certificate.NotAfter) < 14*24*time.Hour {
			state, soon = "failed", ", which is soon"
		}
		d.add(state, name+", TLS", "%s; certificate by %s until %s%s", tls.VersionName(response.TLS.Version), certificate.Issuer.CommonName, certificate.NotAfter.Format(time.DateOnly), soon)
	}
	at, err := http.ParseTime(response.Header.Get("Date"))
	off := began.Add(took / 2).Sub(at)
	switch {
	case err != nil:
		d.add("not checked", name+", clock", "the response has no date")
	case off > time.Minute:
		d.add("failed", name+", clock", "this machine's clock is ahead by %s", off.Round(time.Minute))
	case off < -time.Minute:
		d.add("failed", name+", clock", "this machine's clock is behind by %s", -off.Round(time.Minute))
	default:
		d.add("ok", name+", clock", "differs by less than a minute")
	}
}

// noResponse says why a host did not answer.
func (d *doctor) noResponse(name, host string, hasProxy bool, err error) {
	network := &net.OpError{}
	untrusted, isUntrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isUntrusted:
		d.add("ok", name, "%s is reachable", host)
		d.add("failed", name+", TLS", "%v", untrusted)
	case hasProxy && !errors.As(err, &network): // net/http returns the text of the proxy's status
		d.add("failed", name, "%s: the proxy refuses: %v", host, err)
		d.add("not checked", name+", TLS", "there is no connection")
	default:
		d.add("failed", name, "%s: %v", host, err)
		d.add("not checked", name+", TLS", "there is no connection")
	}
	d.add("not checked", name+", clock", "there is no response")
}

// noSession has the form of a session token.
const noSession = "identomatDoctorAsksForNoSession000000000"

// access checks that both hosts accept the key and the signatures.
func (d *doctor) access(ctx context.Context, client *identomat.Client) {
	_, widget := client.Sessions.Result(ctx, noSession)
	d.accepted("widget host, access", widget)
	_, api := client.Groups.List(ctx)
	d.accepted("API host, access", api)
	secret := os.Getenv(identomat.EnvSecretKey)
	if secret == "" {
		d.add("not checked", "signing", "there is no secret key (%s)", identomat.EnvSecretKey)
		return
	}
	d.signedRequests(ctx, secret, widget)
	d.signedResponses(ctx, secret, api)
}

func (d *doctor) accepted(name string, err error) {
	switch {
	case err == nil, errors.Is(err, identomat.ErrSessionNotFound), errors.Is(err, identomat.ErrNotFound):
		d.add("ok", name, "the key is accepted")
	case errors.Is(err, identomat.ErrInvalidKey):
		key := "the key"
		if os.Getenv(identomat.EnvSecretKey) != "" {
			key = "the company key or the secret key"
		}
		d.add("failed", name, "%s is refused", key)
		d.code = 7
	default:
		d.add("failed", name, "%s", strings.TrimPrefix(err.Error(), "identomat: "))
	}
}

// signedRequests takes the error of a signed request. If a key was refused, it makes an unsigned call to find out
// which one.
func (d *doctor) signedRequests(ctx context.Context, secret string, err error) {
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		d.add("ok", "signed requests", "they are accepted")
		return
	case !errors.Is(err, identomat.ErrInvalidKey):
		d.add("not checked", "signed requests", "the call failed")
		return
	}
	_ = os.Unsetenv(identomat.EnvSecretKey)
	defer os.Setenv(identomat.EnvSecretKey, secret)
	client, err := identomat.NewClientFromEnv()
	if err == nil {
		_, err = client.Sessions.Result(ctx, noSession)
	}
	if errors.Is(err, identomat.ErrSessionNotFound) {
		d.add("failed", "signed requests", "the company key is accepted, but the secret key is wrong")
		return
	}
	d.add("failed", "signed requests", "the company key or the secret key is wrong")
}

// signedResponses takes the error of a call to the API host. The response about the session proves nothing, because
// error responses are not signed.
func (d *doctor) signedResponses(ctx context.Context, secret string, err error) {
	if err == nil {
		var client *identomat.Client
		if client, err = identomat.NewClientFromEnv(identomat.WithHMAC(secret, identomat.RequireSignedResponses())); err == nil {
			_, err = client.Groups.List(ctx)
		}
		if errors.Is(err, identomat.ErrSignatureMismatch) {
			d.add("not checked", "signed responses", "the API host does not sign its responses")
			return
		}
	}
	switch {
	case err == nil:
		d.add("ok", "signed responses", "they are signed with the secret key")
	case errors.Is(err, identomat.ErrSignatureMismatch):
		d.add("failed", "signed responses", "they are signed with another key")
	default:
		d.add("not checked", "signed responses", "the call failed")
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  identomat version -o json`,
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Revision string `json:"revision,omitzero"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{identomat.Version, "", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, setting := range info.Settings {
					if setting.Key == "vcs.revision" {
						v.Revision = setting.Value
					}
				}
			}
			return a.show(v, "Version=version Revision=revision Go=go Platform=platform", nil)
		},
	}
}

func (a *app) openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:     "openapi",
		Short:   "Print the OpenAPI description of Identomat's API",
		Example: `  identomat openapi > openapi.json`,
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(identomattest.OpenAPI())
			return err
		},
	}
}
