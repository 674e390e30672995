package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
		d.signing(ctx)
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

// host checks the connection to a host, the proxy, TLS and the clock.
func (d *doctor) host(ctx context.Context, name, base string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		d.add("failed", name, "its URL is not valid")
		return
	}
	proxy, err := http.ProxyFromEnvironment(request)
	switch {
	case err != nil:
		d.add("failed", name+", proxy", "the proxy's URL is not valid")
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
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		d.add("failed", name, "%s: %v", request.URL.Host, err)
		d.add("not checked", name+", TLS", "there is no connection")
		d.add("not checked", name+", clock", "there is no connection")
		return
	}
	_ = response.Body.Close()
	d.add("ok", name, "%s answered in %d ms", request.URL.Host, took.Milliseconds())
	if response.TLS == nil {
		d.add("not checked", name+", TLS", "the connection is not encrypted")
	} else {
		certificate := response.TLS.PeerCertificates[0]
		state := "ok"
		if time.Until(certificate.NotAfter) < 14*24*time.Hour {
			state = "failed"
		}
		d.add(state, name+", TLS", "%s; certificate by %s until %s", tls.VersionName(response.TLS.Version), certificate.Issuer.CommonName, certificate.NotAfter.Format(time.DateOnly))
	}
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		d.add("not checked", name+", clock", "the response has no date")
		return
	}
	off := began.Add(took / 2).Sub(at).Abs()
	if off > time.Minute {
		d.add("failed", name+", clock", "this machine's clock differs by %s", off.Round(time.Second))
		return
	}
	d.add("ok", name+", clock", "differs by less than a minute")
}

// noSession has the form of a session token.
const noSession = "identomatDoctorAsksForNoSession000000000"

// access checks that both hosts accept the key.
func (d *doctor) access(ctx context.Context, client *identomat.Client) {
	_, err := client.Sessions.Result(ctx, noSession)
	if errors.Is(err, identomat.ErrSessionNotFound) {
		err = nil
	}
	d.accepted("widget host, access", err)
	_, err = client.Groups.List(ctx)
	if errors.Is(err, identomat.ErrNotFound) {
		err = nil
	}
	d.accepted("API host, access", err)
}

func (d *doctor) accepted(name string, err error) {
	switch {
	case err == nil:
		d.add("ok", name, "the key is accepted")
	case errors.Is(err, identomat.ErrInvalidKey):
		d.add("failed", name, "the key is refused")
		d.code = 7
	default:
		d.add("failed", name, "%s", strings.TrimPrefix(err.Error(), "identomat: "))
	}
}

// signing checks that responses are signed with the secret key.
func (d *doctor) signing(ctx context.Context) {
	secret := os.Getenv(identomat.EnvSecretKey)
	if secret == "" {
		d.add("not checked", "signing", "there is no secret key (%s)", identomat.EnvSecretKey)
		return
	}
	client, err := d.client(identomat.WithHMAC(secret, identomat.RequireSignedResponses()), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 2}))
	if err != nil {
		d.add("failed", "signing", "%s", strings.TrimPrefix(err.Error(), "identomat: "))
		return
	}
	_, err = client.Sessions.Result(ctx, noSession)
	switch {
	case errors.Is(err, identomat.ErrSignatureMismatch):
		d.add("failed", "signing", "responses are not signed with the secret key")
	case errors.Is(err, identomat.ErrSessionNotFound):
		d.add("ok", "signing", "requests and responses are signed")
	default:
		d.add("not checked", "signing", "the call failed")
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
