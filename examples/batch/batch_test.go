package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

// childEnv makes the test binary run a batch in a folder, so that a test can kill it.
const childEnv = "IDENTOMAT_BATCH_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := run(context.Background(), io.Discard, inDir(dir)); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func inDir(dir string) settings {
	return settings{customers: filepath.Join(dir, "customers.csv"), dir: dir, rate: 50, workers: 8}
}

func write(t *testing.T, dir, customers string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "customers.csv"), []byte(customers), 0o600))
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

// setEnv makes NewClientFromEnv return clients of the server.
func setEnv(t *testing.T, server *identomattest.Server) {
	t.Helper()
	t.Setenv(identomat.EnvCompanyKey, server.CompanyKey)
	t.Setenv(identomat.EnvWidgetURL, server.WidgetURL)
	t.Setenv(identomat.EnvAPIURL, server.APIURL)
}

// sessions counts the sessions of each customer.
func sessions(server *identomattest.Server) map[string]int {
	count := map[string]int{}
	for _, session := range server.Sessions() {
		count[session.ClientUserID]++
	}
	return count
}

// A batch is killed in the middle and run again. Each customer has one session, and nobody is lost.
func TestBatchBeginsOnceAfterKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the exit status of a killed process differs")
	}
	const total = 100
	server := identomattest.NewServer(t)
	setEnv(t, server)
	dir := t.TempDir()
	var customers strings.Builder
	for i := range total {
		fmt.Fprintf(&customers, "user-%02d\n", i)
	}
	write(t, dir, customers.String())
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "links.csv"))
		return err == nil && server.Count("begin/") >= total/2
	}, time.Minute, time.Millisecond)
	require.NoError(t, child.Process.Kill())
	exit, isExit := errors.AsType[*exec.ExitError](<-ended)
	require.True(t, isExit && exit.String() == "signal: killed", "the batch was not killed")
	assert.Less(t, server.Count("begin/"), total)
	link, _, _ := strings.Cut(read(t, dir, "links.csv"), "\n")
	assert.Regexp(t, `^user-\d{2},http://127\.0\.0\.1:\d+/\?session_token=[0-9a-z]{40}$`, link)

	// The jobs of the killed process count as stuck after minutes, and its leadership ends after 15 seconds.
	db, err := sql.Open("sqlite", filepath.Join(dir, "batch.db"))
	require.NoError(t, err)
	_, err = db.Exec(`UPDATE river_job SET attempted_at = datetime('now', '-1 hour') WHERE state = 'running'; DELETE FROM river_leader`)
	require.NoError(t, errors.Join(err, db.Close()))
	approve := func() {
		for _, session := range server.Sessions() {
			if session.Outcome == "in_progress" {
				_ = server.Approve(session.Token) // the invitation approves it at the same time
			}
		}
	}
	approve()
	s := inDir(dir)
	b := batch{rate: s.rate, workers: s.workers}
	b.customers, err = readCustomers(s.customers)
	require.NoError(t, err)
	b.client = func(opts ...identomat.Option) (*identomat.Client, error) { return server.Client(opts...), nil }
	b.invite = func(string, *identomat.Session) error { approve(); return nil }
	states, err := b.run(t.Context(), io.Discard, "", filepath.Join(dir, "batch.db"))
	require.NoError(t, err)
	require.Len(t, states, total)
	unclear := 0
	begun := sessions(server)
	for id, state := range states {
		switch state {
		case identomatriver.Approved:
			assert.Equal(t, 1, begun[id], id)
		case identomatriver.Unclear:
			unclear++
			assert.LessOrEqual(t, begun[id], 1, id)
		default:
			t.Errorf("%s is %s", id, state)
		}
	}
	assert.LessOrEqual(t, unclear, s.workers, "at most the calls in flight")
	t.Logf("%d customers: %d approved, %d unclear, none begun twice", total, total-unclear, unclear)
}

// The output names every planted failure. None of them loses a customer, and none begins a session twice.
func TestFakeBatch(t *testing.T) {
	server := identomattest.NewServer(t)
	var out bytes.Buffer
	b := batch{rate: 1000, workers: 8}
	b.fake(&out, server, 100)
	assert.Contains(t, out.String(), `Verifying 100 customers at a fake Identomat. These failures are planted:
  begin/   5 responses with status 429: retried
           3 lost responses, so nobody knows if there is a session: 3 customers are unclear at the end
  result/  5 responses with status 503, and 3 with an HTML page: read again
`)
	states, err := b.run(t.Context(), &out, "", filepath.Join(t.TempDir(), "batch.db"))
	require.NoError(t, err)
	assert.Regexp(t, `\n100 customers: \d+ to begin, \d+ open, \d unclear, \d+ done; \d+ jobs wait to be retried, \d+ requests/s\n`, out.String())
	require.NoError(t, report(&out, states, filepath.Join(t.TempDir(), "outcomes.csv"), true))
	assert.Regexp(t, `\nUnclear: user-\d+, user-\d+, user-\d+\nThese are the planted lost responses of begin/, not a defect\.`, out.String())
	count := map[identomatriver.State]int{}
	for _, state := range states {
		count[state]++
	}
	assert.Equal(t, 3, count[identomatriver.Unclear])
	assert.Equal(t, 97, count[identomatriver.Approved]+count[identomatriver.Rejected]+count[identomatriver.ManualCheck])
	assert.InDelta(t, 10, count[identomatriver.Rejected], 2, "one may be unclear")
	assert.InDelta(t, 1, count[identomatriver.ManualCheck], 1, "one may be unclear")
	assert.Equal(t, 105, server.Count("begin/"), "100 sessions, and 5 refusals")
	for id, n := range sessions(server) {
		assert.Equal(t, 1, n, id)
	}
}

// A person finds the session of an unclear customer, and adds its token to the file.
func TestTokenSettlesUnclear(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { tokenSettlesUnclear(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { tokenSettlesUnclear(t, newPostgres(t)) })
}

// newPostgres makes an empty database and returns its URL. The test is skipped without a server.
func newPostgres(t *testing.T) string {
	t.Helper()
	server := os.Getenv("IDENTOMAT_POSTGRES")
	if server == "" && os.Getenv("IDENTOMAT_REQUIRE_POSTGRES") == "" {
		t.Skip("run .ci/postgres go test ./examples/batch")
	}
	conn, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	name := fmt.Sprintf("batch_%d", time.Now().UnixNano())
	_, err = conn.Exec(t.Context(), `CREATE DATABASE `+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = conn.Exec(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`)
		_ = conn.Close(context.Background())
	})
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.Path = name
	return u.String()
}

func tokenSettlesUnclear(t *testing.T, database string) {
	server := identomattest.NewServer(t)
	setEnv(t, server)
	dir := t.TempDir()
	s := inDir(dir)
	s.database = database
	elsewhere, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}})
	require.NoError(t, err)
	require.NoError(t, server.Reject(elsewhere.Token, "low_similarity"))
	server.Fault("begin/", identomattest.ResetAfterRead(), 1)
	write(t, dir, "user-1\nuser-2,"+string(elsewhere.Token)+"\n")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, s))
	assert.Equal(t, "user-1,unclear\nuser-2,rejected\n", read(t, dir, "outcomes.csv"))
	assert.True(t, strings.HasSuffix(out.String(), `
2 customers:
       1 rejected
       1 unclear
Unclear: user-1
Look for their sessions in Identomat's dashboard. Add the tokens to the file of customers, and run again.
`), out.String())

	lost := server.Sessions()[1]
	require.Equal(t, "user-1", lost.ClientUserID)
	require.NoError(t, server.Approve(lost.Token))
	write(t, dir, "user-1,"+string(lost.Token)+"\nuser-2,"+string(elsewhere.Token)+"\n")
	require.NoError(t, run(t.Context(), io.Discard, s))
	assert.Equal(t, "user-1,approved\nuser-2,rejected\n", read(t, dir, "outcomes.csv"))
	assert.Len(t, server.Sessions(), 2)
}

func TestBatchStopsOnInvalidKey(t *testing.T) {
	server := identomattest.NewServer(t)
	setEnv(t, server)
	t.Setenv(identomat.EnvCompanyKey, "another-key-than-that-of-the-server")
	dir := t.TempDir()
	write(t, dir, "user-1\nuser-2\n")
	err := run(t.Context(), io.Discard, inDir(dir))
	require.ErrorIs(t, err, identomat.ErrInvalidKey)
	assert.ErrorContains(t, err, "run again to continue")
	assert.Equal(t, "user-1,queued\nuser-2,queued\n", read(t, dir, "outcomes.csv"))
}

func TestBatchKeepsRateLimit(t *testing.T) {
	server := identomattest.NewServer(t)
	b := batch{rate: 20, workers: 8, invite: func(string, *identomat.Session) error { return nil }}
	for i := range 100 {
		b.customers = append(b.customers, customer{id: fmt.Sprint(i)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var starts []time.Time
	b.client = func(opts ...identomat.Option) (*identomat.Client, error) {
		return server.Client(append(opts, identomat.WithObserver(func(e identomat.Event) {
			mu.Lock()
			defer mu.Unlock()
			if starts = append(starts, e.Start); len(starts) == 41 {
				cancel()
			}
		}))...), nil
	}
	_, err := b.run(ctx, io.Discard, "", filepath.Join(t.TempDir(), "batch.db"))
	require.ErrorIs(t, err, context.Canceled)
	assert.Greater(t, slices.MaxFunc(starts, time.Time.Compare).Sub(slices.MinFunc(starts, time.Time.Compare)), 1900*time.Millisecond,
		"at least 40 intervals of 50 ms")
}

func TestRunRefusesBadSettings(t *testing.T) {
	err := run(t.Context(), io.Discard, settings{customers: "customers.csv"})
	assert.EqualError(t, err, "-customers requires -dir, the folder that keeps the database and the results")
	err = run(t.Context(), io.Discard, settings{dir: "batch"})
	assert.EqualError(t, err, "-dir and -database require -customers, because the fake forgets its sessions")
}
