package main

import (
	"context"
	"database/sql"
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

// settings are the environment of a test, and nothing else of the program's.
func settings(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"ADDR", "PUBLIC_URL", "DATABASE", "SESSION_LIFETIME", "SIGN_IN_PASSWORD", "IDENTOMAT_CONFIG_ID",
		"IDENTOMAT_CALLBACK_KEYS", "IDENTOMAT_COMPANY_KEY", "IDENTOMAT_SECRET_KEY", "IDENTOMAT_WIDGET_URL", "IDENTOMAT_API_URL"} {
		t.Setenv(name, env[name])
	}
}

func TestWithoutSettingsAFakeRunsInsideAndLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	settings(t, map[string]string{"ADDR": "127.0.0.1:0"})
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp) // on Windows
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, logged, ended := &lines{}, &lines{}, make(chan error, 1)
	go func() { ended <- run(ctx, out, slog.New(slog.NewTextHandler(logged, nil))) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Ctrl-C stops.") }, patience, time.Millisecond)
	at := regexp.MustCompile(`Open +(http://localhost:\d+)`).FindStringSubmatch(out.String())
	require.NotNil(t, at, out.String())
	files, err := filepath.Glob(temp + "/onboarding-*/onboarding.db")
	require.NoError(t, err)
	require.Len(t, files, 1)

	customer := somebody(t, at[1]).signIn("customer-1")
	answer := customer.press("/verification", "/verification", "way", "redirect")
	widget, err := url.Parse(answer.header.Get("Location"))
	require.NoError(t, err)
	form := url.Values{"session_token": {widget.Query().Get("session_token")}, "decision": {"approve"}}
	page := somebody(t, "http://"+widget.Host)
	done := page.send(page.request(http.MethodPost, "/", form))
	assert.Equal(t, at[1]+"/verification/return?session_token="+form.Get("session_token"), done.header.Get("Location"))
	require.Eventually(t, func() bool { return customer.sees() == "Your account is open" }, patience, 5*time.Millisecond, "without a return")

	interrupt()
	require.NoError(t, <-ended)
	assert.Contains(t, logged.String(), "method=POST route=/callbacks/identomat status=200", "the fake has called")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestSettingsThatWouldBeDangerousAreRefused(t *testing.T) {
	service := map[string]string{"IDENTOMAT_COMPANY_KEY": "company-key-of-a-test", "SIGN_IN_PASSWORD": "sixteen letters!"}
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"the service without a password": {map[string]string{"IDENTOMAT_COMPANY_KEY": "k"}, "SIGN_IN_PASSWORD"},
		"a short password":               {map[string]string{"IDENTOMAT_COMPANY_KEY": "k", "SIGN_IN_PASSWORD": "short"}, "SIGN_IN_PASSWORD"},
		"http in public":                 {map[string]string{"PUBLIC_URL": "http://bank.example"}, "PUBLIC_URL must be https"},
		"a path":                         {map[string]string{"PUBLIC_URL": "https://bank.example/kyc"}, "PUBLIC_URL is not a URL"},
		"a user":                         {map[string]string{"PUBLIC_URL": "https://u@bank.example"}, "PUBLIC_URL is not a URL"},
		"no host":                        {map[string]string{"PUBLIC_URL": "bank.example"}, "PUBLIC_URL is not a URL"},
		"a lifetime without a unit":      {map[string]string{"SESSION_LIFETIME": "15"}, "SESSION_LIFETIME"},
		"no lifetime":                    {map[string]string{"SESSION_LIFETIME": "0s"}, "SESSION_LIFETIME"},
	} {
		t.Run(name, func(t *testing.T) {
			settings(t, test.env)
			_, err := configFromEnv()
			require.ErrorContains(t, err, test.want)
		})
	}
	service["PUBLIC_URL"], service["IDENTOMAT_CALLBACK_KEYS"] = "https://bank.example/", " new-key , old-key,"
	settings(t, service)
	c, err := configFromEnv()
	require.NoError(t, err)
	assert.Equal(t, "https://bank.example", c.publicURL)
	assert.Equal(t, []string{"new-key", "old-key"}, c.callbackKeys)
	assert.Equal(t, "onboarding.db", c.database)
	assert.Equal(t, 15*time.Minute, c.lifetime)
}

func TestADatabaseOfTheProgramBeforeIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bank.db")
	first, err := migrations.ReadFile("migrations/0001.sql")
	require.NoError(t, err)
	before, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = before.ExecContext(t.Context(), string(first)+`; PRAGMA user_version = 1;
		INSERT INTO verifications (customer, way, state, token, reserved_at, expires_at) VALUES ('customer-1', 'redirect', 'approved', 'a-token', 1, 2)`)
	require.NoError(t, err)
	require.NoError(t, before.Close())
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.close()) }()
	require.NoError(t, s.keep(t.Context(), 1, "comparison", "reviewer-1", []byte(`{"similarity":1}`)))
	made, err := s.checks(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, `{"similarity":1}`, string(made["comparison"].answer))
}

func TestADatabaseOfANewerProgramIsNotTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a bank #1 & 100%41.db") // what a URL would take for something else
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	_, err = s.exec(t.Context(), "PRAGMA user_version = 99")
	require.NoError(t, err)
	require.NoError(t, s.close())
	assert.FileExists(t, path)
	_, err = openStore(t.Context(), path)
	assert.ErrorContains(t, err, "a newer version of this program")
}
