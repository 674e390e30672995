package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// certificate writes a self-signed certificate for a host to the file ca.pem, and returns it.
func certificate(t *testing.T, host string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true}
	template.Issuer.CommonName, template.Subject.CommonName = "Test CA", "Test CA"
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// doctorRows runs doctor in a process of its own, and returns the state and the detail of each check.
func doctorRows(t *testing.T, env ...string) map[string]string {
	t.Helper()
	cmd := process(t, "doctor", "-o", "json")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.Output()
	var checks []check
	require.NoError(t, json.Unmarshal(out, &checks), "%v: %s", err, out)
	rows := map[string]string{}
	for _, c := range checks {
		rows[c.Check] = c.State + ": " + c.Detail
	}
	return rows
}

// needsCertificateFile skips a test where Go verifies certificates with the system instead of SSL_CERT_FILE.
func needsCertificateFile(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("this system ignores SSL_CERT_FILE")
	}
}

func TestDoctorChecksCertificateAndClock(t *testing.T) {
	needsCertificateFile(t)
	soon, late := time.Now().Add(48*time.Hour), time.Now().AddDate(1, 0, 0)
	for _, c := range []struct {
		name, host            string
		until                 time.Time
		skew                  time.Duration
		reached, trust, clock string
	}{
		{
			"valid", "localhost", late, 0,
			"ok: localhost:PORT answered with HTTP 404 in ", "ok: TLS 1.3; certificate by Test CA until " + late.UTC().Format(time.DateOnly), "ok: differs by less than a minute",
		},
		{
			"for another host", "identomat.example", late, 0,
			"ok: localhost:PORT is reachable",
			"failed: tls: failed to verify certificate: x509: certificate is valid for identomat.example, not localhost", "not checked: there is no response",
		},
		{
			"expired", "localhost", time.Now().AddDate(0, 0, -1), 0,
			"ok: localhost:PORT is reachable",
			"failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time ", "not checked: there is no response",
		},
		{
			"about to expire", "localhost", soon, 0,
			"ok: localhost:PORT answered", "failed: TLS 1.3; certificate by Test CA until " + soon.UTC().Format(time.DateOnly) + ", which is soon", "ok: ",
		},
		{
			"fast clock", "localhost", late, -time.Hour,
			"ok: localhost:PORT answered", "ok: ", "failed: this machine's clock is ahead by 1h0m0s",
		},
		{
			"slow clock", "localhost", late, 2 * time.Hour,
			"ok: localhost:PORT answered", "ok: ", "failed: this machine's clock is behind by 2h0m0s",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			start(t)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
				w.WriteHeader(http.StatusNotFound)
			}))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, c.host, c.until)}}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
			rows := doctorRows(t, identomat.EnvWidgetURL+"=https://localhost:"+port, "SSL_CERT_FILE=ca.pem")
			assert.Contains(t, strings.Replace(rows["widget host"], port, "PORT", 1), c.reached)
			assert.Contains(t, rows["widget host, TLS"], c.trust)
			assert.Contains(t, rows["widget host, clock"], c.clock)
		})
	}
}

func TestDoctorWithoutTrustedCertificate(t *testing.T) {
	needsCertificateFile(t)
	start(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	rows := doctorRows(t, identomat.EnvWidgetURL+"="+server.URL)
	assert.Equal(t, "failed: tls: failed to verify certificate: x509: certificate signed by unknown authority", rows["widget host, TLS"])
}

// The proxy's password must not be printed.
func TestDoctorWithProxyThatRefuses(t *testing.T) {
	start(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodConnect, r.Method)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	rows := doctorRows(t, identomat.EnvWidgetURL+"=https://widget.test",
		"HTTPS_PROXY="+strings.Replace(proxy.URL, "//", "//ana:secret-of-the-proxy@", 1))
	assert.Equal(t, "ok: "+proxy.URL, rows["widget host, proxy"])
	assert.Equal(t, "failed: widget.test: the proxy refuses: Proxy Authentication Required", rows["widget host"])
	for _, row := range rows {
		assert.NotContains(t, row, "secret-of-the-proxy")
	}
}

func TestDoctorWithMalformedProxy(t *testing.T) {
	for _, proxy := range []string{"http://ana:12345/secret-of-the-proxy@127.0.0.1:1", "http://ana:pa%ss@127.0.0.1:1"} {
		start(t)
		rows := doctorRows(t, identomat.EnvWidgetURL+"=https://widget.test", "HTTPS_PROXY="+proxy)
		assert.Equal(t, "failed: the proxy's URL is not valid; special characters of a password must be escaped", rows["widget host, proxy"])
	}
}

func TestDoctorWithWrongSecretKey(t *testing.T) {
	start(t)
	rows := doctorRows(t, identomat.EnvSecretKey+"=wrong")
	assert.Equal(t, "failed: the company key or the secret key is refused", rows["widget host, access"])
	assert.Equal(t, "failed: the company key is accepted, but the secret key is wrong", rows["signed requests"])

	start(t, identomattest.RequireHMAC())
	rows = doctorRows(t, identomat.EnvSecretKey+"=wrong")
	assert.Equal(t, "failed: the company key or the secret key is wrong", rows["signed requests"])
}

func TestDoctorChecksSignedResponses(t *testing.T) {
	server := start(t)
	assert.Equal(t, "ok: they are signed with the secret key", doctorRows(t)["signed responses"])
	server.Fault("list-groups", identomattest.WrongSignature(), 0)
	assert.Equal(t, "failed: they are signed with another key", doctorRows(t)["signed responses"])
	server.ClearFaults()
	server.Fault("list-groups", identomattest.MissingSignature(), 0)
	assert.Equal(t, "not checked: the API host does not sign its responses", doctorRows(t)["signed responses"])
}

func TestDoctorWithServerError(t *testing.T) {
	start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer server.Close()
	rows := doctorRows(t, identomat.EnvWidgetURL+"="+server.URL)
	assert.Contains(t, rows["widget host"], "failed: "+strings.TrimPrefix(server.URL, "http://")+" answered with HTTP 502 in ")
}
