package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// noRetry turns off the client's retries, so that one fault is enough to fail a session.
var noRetry = identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})

// beginApproved begins n sessions on the fake and approves them.
func beginApproved(t *testing.T, server *identomattest.Server, n int) []Session {
	t.Helper()
	client := server.Client()
	sessions := make([]Session, n)
	for i := range sessions {
		session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.NoError(t, err)
		require.NoError(t, server.Approve(session.Token))
		sessions[i] = Session{ID: fmt.Sprintf("user-%03d", i), Token: session.Token}
	}
	return sessions
}

func journal(t *testing.T, name string) *Journal {
	t.Helper()
	j, err := OpenJournal(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func TestBatchContinuesAfterSingleErrors(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 59)
	_, err := server.Client().Sessions.Delete(t.Context(), sessions[10].Token)
	require.NoError(t, err)
	rejected, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	require.NoError(t, server.Reject(rejected.Token, "low_similarity"))
	waiting, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	sessions = append(sessions, Session{"user-rejected", rejected.Token}, Session{"user-waiting", waiting.Token})
	name := filepath.Join(t.TempDir(), "journal")
	var seen []int
	batch := Batch{
		Client: server.Client(noRetry), Workers: 4, Journal: journal(t, name),
		Progress: func(r Report) { seen = append(seen, r.Done()) },
	}

	server.Fault("result/", identomattest.HTMLPage(200), 3)
	report, err := batch.Run(t.Context(), sessions)
	require.NoError(t, err)
	require.ErrorIs(t, report.Last, identomat.ErrUnexpectedResponse)
	report.Last = nil
	// The pending session may be one of the three that failed.
	assert.Equal(t, Report{Total: 61, Read: 61 - 3 - report.Pending, Pending: report.Pending, Failed: 3}, report)
	assert.LessOrEqual(t, report.Pending, 1)
	require.Len(t, seen, 61)
	for i, done := range seen {
		assert.Equal(t, i+1, done)
	}

	// The next run reads only the sessions that have no outcome yet.
	remaining := report.Failed + report.Pending
	before := server.Count("result/")
	report, err = batch.Run(t.Context(), sessions)
	require.NoError(t, err)
	assert.Equal(t, Report{Total: 61, Read: 60, Before: 61 - remaining, Pending: 1}, report)
	assert.Equal(t, remaining, server.Count("result/")-before)
	assert.Equal(t, map[identomat.Outcome]int{"approved": 58, "rejected": 1, "session_not_found": 1}, batch.Journal.Outcomes())
}

func TestBatchResumesAfterCancellation(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 40)
	name := filepath.Join(t.TempDir(), "journal")
	ctx, cancel := context.WithCancel(t.Context())
	first := Batch{Client: server.Client(), Workers: 4, Journal: journal(t, name), Progress: func(r Report) {
		if r.Read == 15 {
			cancel()
		}
	}}
	report, err := first.Run(ctx, sessions)
	require.ErrorIs(t, err, context.Canceled)
	assert.GreaterOrEqual(t, report.Read, 15)
	assert.LessOrEqual(t, report.Read, 15+4)
	assert.Zero(t, report.Failed)
	require.NoError(t, first.Journal.Close())
	written := report.Read
	assert.Len(t, lines(t, name), written)

	second := Batch{Client: server.Client(), Workers: 4, Journal: journal(t, name)}
	report, err = second.Run(t.Context(), sessions)
	require.NoError(t, err)
	assert.Equal(t, Report{Total: 40, Read: 40, Before: written}, report)
	entries := map[string]bool{}
	for _, line := range lines(t, name) {
		entries[line] = true
	}
	assert.Len(t, lines(t, name), 40)
	for _, s := range sessions {
		assert.Contains(t, entries, `{"id":"`+s.ID+`","outcome":"approved"}`)
	}
}

func TestJournalDropsTruncatedLine(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 3)
	name := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(name, []byte(`{"id":"user-000","outcome":"approved"}`+"\n"+`{"id":"user-001","outcome":"`+strings.Repeat("x", 200)), 0o600))
	batch := Batch{Client: server.Client(), Workers: 1, Journal: journal(t, name)}
	report, err := batch.Run(t.Context(), sessions)
	require.NoError(t, err)
	assert.Equal(t, Report{Total: 3, Read: 3, Before: 1}, report)
	assert.Equal(t, []string{
		`{"id":"user-000","outcome":"approved"}`, `{"id":"user-001","outcome":"approved"}`, `{"id":"user-002","outcome":"approved"}`,
	}, lines(t, name))
}

func TestOpenJournalRejectsOtherFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "letter")
	require.NoError(t, os.WriteFile(name, []byte("Dear customer,\nwe"), 0o600))
	_, err := OpenJournal(name)
	require.Error(t, err)
	assert.Equal(t, []string{"Dear customer,", "we"}, lines(t, name))
}

func TestJournalHoldsNoTokenOrPerson(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 5)
	name := filepath.Join(t.TempDir(), "journal")
	batch := Batch{Client: server.Client(), Workers: 2, Journal: journal(t, name)}
	_, err := batch.Run(t.Context(), sessions)
	require.NoError(t, err)
	text := strings.Join(lines(t, name), "\n")
	for _, s := range sessions {
		assert.NotContains(t, text, string(s.Token))
	}
	assert.NotContains(t, text, identomattest.JohnSmith.LastName)
}

func TestBatchStopsOnInvalidKey(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 100)
	client, err := identomat.NewClient("another-key-than-that-of-the-server", identomat.WithWidgetURL(server.WidgetURL))
	require.NoError(t, err)
	batch := Batch{Client: client, Workers: 4, Journal: journal(t, filepath.Join(t.TempDir(), "journal"))}
	report, err := batch.Run(t.Context(), sessions)
	require.ErrorIs(t, err, identomat.ErrInvalidKey)
	assert.Zero(t, report.Done())
	assert.LessOrEqual(t, server.Count("result/"), 3*batch.Workers)
}

func TestBatchStopsWhenServiceIsDown(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 100)
	server.Fault("result/", identomattest.HTTPStatus(503), 0)
	batch := Batch{Client: server.Client(noRetry), Workers: 4, Journal: journal(t, filepath.Join(t.TempDir(), "journal"))}
	report, err := batch.Run(t.Context(), sessions)
	require.ErrorContains(t, err, "50 sessions in a row failed")
	assert.Equal(t, 50, report.Failed)
	assert.Zero(t, report.Read)
}

func TestBatchKeepsRateLimit(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		client, err := identomat.NewClient("test-company-key", identomat.WithRateLimiter(rate.NewLimiter(10, 1)),
			identomat.WithHTTPClient(&http.Client{Transport: approveAll{}}))
		require.NoError(t, err)
		sessions := make([]Session, 101)
		for i := range sessions {
			sessions[i] = Session{fmt.Sprint(i), "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"}
		}
		batch := Batch{Client: client, Workers: 8, Journal: journal(t, name)}
		start := time.Now()
		report, err := batch.Run(t.Context(), sessions)
		require.NoError(t, err)
		assert.Equal(t, 101, report.Read)
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

type approveAll struct{}

func (approveAll) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"result":"approved"}`)), Request: r}, nil
}

func TestRunReadsFakeSessions(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, settings{rate: 1e6, workers: 8, fakes: 200}))
	assert.Contains(t, out.String(), "Beginning 200 sessions at a fake Identomat.\n")
	assert.Regexp(t, `19[0-7] of 200 sessions are in the journal, [0-2] have no outcome yet, [3-8] failed\.`, out.String())
	assert.Regexp(t, `(17[0-9]|180) approved`, out.String())
}

func TestRunRequiresJournalForService(t *testing.T) {
	err := run(t.Context(), io.Discard, settings{sessions: "sessions.csv"})
	assert.EqualError(t, err, "-sessions requires -journal, the file that keeps the outcomes")
}

func TestRunReadsSessionsFromFile(t *testing.T) {
	server := identomattest.NewServer(t)
	sessions := beginApproved(t, server, 3)
	dir := t.TempDir()
	var file strings.Builder
	for _, s := range sessions {
		fmt.Fprintf(&file, "%s,%s\n", s.ID, string(s.Token))
	}
	name := filepath.Join(dir, "sessions.csv")
	require.NoError(t, os.WriteFile(name, []byte(file.String()), 0o600))
	t.Setenv(identomat.EnvCompanyKey, server.CompanyKey)
	t.Setenv(identomat.EnvWidgetURL, server.WidgetURL)
	t.Setenv(identomat.EnvAPIURL, server.APIURL)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, settings{
		rate: 1e6, workers: 2, sessions: name, journal: filepath.Join(dir, "journal"),
	}))
	assert.Equal(t, "3 of 3 sessions are in the journal, 0 have no outcome yet, 0 failed.\n       3 approved\n", out.String())
	assert.Len(t, lines(t, filepath.Join(dir, "journal")), 3)
}
