package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// setEnv sets the given environment variables and clears the program's others.
func setEnv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"ADDR", "PUBLIC_URL", "DATABASE", "EVIDENCE", "SESSION_LIFETIME", "SIGN_IN_PASSWORD", "IDENTOMAT_CONFIG_ID",
		"IDENTOMAT_CALLBACK_KEYS", "IDENTOMAT_COMPANY_KEY", "IDENTOMAT_SECRET_KEY", "IDENTOMAT_WIDGET_URL", "IDENTOMAT_API_URL"} {
		t.Setenv(name, env[name])
	}
}

func TestRunWithFake(t *testing.T) {
	temp := t.TempDir()
	setEnv(t, map[string]string{"ADDR": "127.0.0.1:0"})
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp) // for Windows
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, logged, ended := &syncBuffer{}, &syncBuffer{}, make(chan error, 1)
	go func() { ended <- run(ctx, out, slog.New(slog.NewTextHandler(logged, nil))) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Press Ctrl-C to stop.") }, testTimeout, time.Millisecond)
	at := regexp.MustCompile(`Open +(http://localhost:\d+)`).FindStringSubmatch(out.String())
	require.NotNil(t, at, out.String())
	files, err := filepath.Glob(temp + "/onboarding-*/onboarding.db")
	require.NoError(t, err)
	require.Len(t, files, 1)

	customer := newPerson(t, at[1]).signIn("customer-1")
	got := customer.press("/verification", "/verification", "way", "redirect")
	widget, err := url.Parse(got.header.Get("Location"))
	require.NoError(t, err)
	form := url.Values{"session_token": {widget.Query().Get("session_token")}, "decision": {"approve"}}
	page := newPerson(t, "http://"+widget.Host)
	done := page.send(page.request(http.MethodPost, "/", form))
	assert.Equal(t, at[1]+"/verification/return?session_token="+form.Get("session_token"), done.header.Get("Location"))
	require.Eventually(t, func() bool { return customer.heading() == "Your account is open" }, testTimeout, 5*time.Millisecond, "the callback suffices")

	interrupt()
	require.NoError(t, <-ended)
	assert.Contains(t, logged.String(), "method=POST route=/callbacks/identomat status=200", "the fake sent a callback")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestConfigFromEnv(t *testing.T) {
	service := map[string]string{"IDENTOMAT_COMPANY_KEY": "company-key-of-a-test", "SIGN_IN_PASSWORD": "sixteen letters!"}
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"service without password": {map[string]string{"IDENTOMAT_COMPANY_KEY": "k"}, "SIGN_IN_PASSWORD"},
		"short password":           {map[string]string{"IDENTOMAT_COMPANY_KEY": "k", "SIGN_IN_PASSWORD": "short"}, "SIGN_IN_PASSWORD"},
		"public http":              {map[string]string{"PUBLIC_URL": "http://bank.example"}, "PUBLIC_URL must use https"},
		"URL with path":            {map[string]string{"PUBLIC_URL": "https://bank.example/kyc"}, "PUBLIC_URL is not a URL"},
		"URL with user":            {map[string]string{"PUBLIC_URL": "https://u@bank.example"}, "PUBLIC_URL is not a URL"},
		"URL without host":         {map[string]string{"PUBLIC_URL": "bank.example"}, "PUBLIC_URL is not a URL"},
		"lifetime without unit":    {map[string]string{"SESSION_LIFETIME": "15"}, "SESSION_LIFETIME"},
		"zero lifetime":            {map[string]string{"SESSION_LIFETIME": "0s"}, "SESSION_LIFETIME"},
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, test.env)
			_, err := configFromEnv()
			require.ErrorContains(t, err, test.want)
		})
	}
	service["PUBLIC_URL"], service["IDENTOMAT_CALLBACK_KEYS"] = "https://bank.example/", " new-key , old-key,"
	setEnv(t, service)
	c, err := configFromEnv()
	require.NoError(t, err)
	assert.Equal(t, "https://bank.example", c.publicURL)
	assert.Equal(t, []string{"new-key", "old-key"}, c.callbackKeys)
	assert.Equal(t, "onboarding.db", c.database)
	assert.Equal(t, 15*time.Minute, c.lifetime)
}

func TestNewerDatabaseRejected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a bank #1 & 100%41.db") // characters that are special in a URL
	d, err := openDatabase(t.Context(), path)
	require.NoError(t, err)
	_, err = d.ExecContext(t.Context(), "INSERT INTO migrations (name) VALUES ('9999.sql')")
	require.NoError(t, err)
	require.NoError(t, d.Close())
	assert.FileExists(t, path)
	_, err = openDatabase(t.Context(), path)
	assert.ErrorContains(t, err, "a newer version of this program")
}
