package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

// TestMain runs the test binary as the program if WEBAPP_RUN is set, so that a test can start and kill
// the program.
func TestMain(m *testing.M) {
	if os.Getenv("WEBAPP_RUN") != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// bank is the application in the test's process, with a fake Identomat.
type bank struct {
	*testing.T
	fake   *identomattest.Server
	store  *store
	server *server
	url    string
	logged *syncBuffer
	// clockOffset is how many nanoseconds the bank's clock is ahead.
	clockOffset atomic.Int64
}

// syncBuffer is a buffer that is safe for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *syncBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// times matches the times and durations in a log. Their digits could match a secret by chance.
var times = regexp.MustCompile(`\b(time|took|duration|retry_in)=\S+`)

// withoutTimes returns the log without times and durations.
func (l *syncBuffer) withoutTimes() string { return times.ReplaceAllString(l.String(), "") }

// fastRetry shortens the delays between retries.
var fastRetry = identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond})

const postgresEnv = "IDENTOMAT_POSTGRES"

// newPostgres makes an empty PostgreSQL database and returns its URL. The test is skipped without a server.
func newPostgres(t *testing.T) string {
	t.Helper()
	server := os.Getenv(postgresEnv)
	if server == "" {
		require.Empty(t, os.Getenv("IDENTOMAT_REQUIRE_POSTGRES"), "no PostgreSQL server")
		t.Skip("set " + postgresEnv + " to the URL of a PostgreSQL server, or run: .ci/postgres go test ./examples/webapp")
	}
	do := func(ctx context.Context, statement string) {
		conn, err := pgx.Connect(ctx, server)
		require.NoError(t, err)
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, statement)
		require.NoError(t, err)
	}
	name := "webapp_" + strings.ToLower(rand.Text())
	do(t.Context(), "CREATE DATABASE "+name)
	t.Cleanup(func() { do(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}

// testDatabase returns the name of an empty database: SQLite, unless WEBAPP_TEST is postgres.
func testDatabase(t *testing.T, dir string) string {
	t.Helper()
	if os.Getenv("WEBAPP_TEST") == "postgres" {
		return newPostgres(t)
	}
	return filepath.Join(dir, "bank.db")
}

// fastRiver makes River look for jobs more often.
var fastRiver = river.Config{TestOnly: true, FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond}

// openBank starts the bank.
func openBank(t *testing.T, host string) *bank {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	b := &bank{T: t, url: "http://" + net.JoinHostPort(host, port), logged: &syncBuffer{}}
	b.fake = identomattest.NewServer(t, identomattest.WithStatusCallback("status-of-a-test"))
	require.NoError(t, b.fake.SetCallbackURL(b.url+callbackPath))
	log := slog.New(slog.NewTextHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	b.store, err = openStore(t.Context(), testDatabase(t, dir), filepath.Join(dir, "evidence"))
	require.NoError(t, err)
	b.store.now = func() time.Time { return time.Now().Add(time.Duration(b.clockOffset.Load())) }
	client := b.fake.Client(fastRetry, identomat.WithLogger(log))
	c := config{publicURL: b.url, callbackKeys: []string{b.fake.CallbackKey}, lifetime: 15 * time.Minute}
	require.NoError(t, newEngine(c, b.store, client, log, fastRiver))
	require.NoError(t, b.store.engine.Start(context.WithoutCancel(t.Context())))
	b.server, err = newServer(c, b.store, client, log)
	require.NoError(t, err)
	server := &http.Server{Handler: b.server, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-serving
		b.fake.Release()
		assert.NoError(t, b.store.engine.Stop(context.Background()))
		if t.Failed() {
			for line := range strings.Lines(b.logged.String()) {
				if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
					t.Log(line)
				}
			}
		}
		client.CloseIdleConnections()
		assert.NoError(t, b.store.Close())
	})
	return b
}

func newBank(t *testing.T) *bank { return openBank(t, "127.0.0.1") }

// work waits until no job is due.
func (b *bank) work() {
	b.Helper()
	due := "julianday(scheduled_at) <= julianday('now')"
	if !b.store.sqlite {
		due = "scheduled_at <= now()"
	}
	require.Eventually(b, func() bool {
		return b.count("river_job WHERE state = 'running' OR state = 'available' AND "+due) == 0
	}, testTimeout, 5*time.Millisecond)
}

// advance lets time pass for the bank, but not for the fake and its sessions: the bank's clock is advanced, the
// engine's records become older, and waiting jobs are due.
func (b *bank) advance(d time.Duration) {
	b.Helper()
	b.clockOffset.Add(int64(d))
	for _, column := range []string{"queued_at", "called_at", "entered_at", "expires_at", "due_at", "erase_at"} {
		b.exec("UPDATE identomat_records SET "+column+" = "+column+" - $1 WHERE "+column+" > 0", d.Milliseconds())
	}
	b.exec("UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE state IN ('available', 'scheduled', 'retryable')")
}

// cleanUp cleans up, as the bank does regularly.
func (b *bank) cleanUp() { b.Helper(); require.NoError(b, b.store.cleanUp(b.Context())) }

func (b *bank) exec(statement string, args ...any) {
	b.Helper()
	_, err := b.store.ExecContext(b.Context(), statement, args...)
	require.NoError(b, err)
}

// count returns the number of rows, as in count("accounts WHERE customer = 'customer-1'").
func (b *bank) count(from string, args ...any) (n int) {
	b.Helper()
	require.NoError(b, b.store.QueryRowContext(b.Context(), "SELECT count(*) FROM "+from, args...).Scan(&n))
	return n
}

// latest returns a customer's newest verification.
func (b *bank) latest(customer string) verification {
	b.Helper()
	v, found, err := b.store.latest(b.Context(), customer)
	require.NoError(b, err)
	require.True(b, found)
	v, found, err = b.store.verification(b.Context(), v.ID)
	require.NoError(b, err)
	require.True(b, found)
	return v
}

// record returns what the engine knows about a verification.
func (b *bank) record(id int64) (r *identomatriver.Record) {
	b.Helper()
	require.NoError(b, b.store.inTx(b.Context(), func(tx *sql.Tx) (err error) {
		r, err = b.store.engine.Record(b.Context(), tx, identomatriver.Verification, recordID(id))
		return err
	}))
	return r
}

// countRequests counts the fake's requests for an operation.
func countRequests(fake *identomattest.Server, operation string) (n int) {
	for _, r := range fake.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// hasResponse reports whether the fake has a response for an operation, even if a fault holds the
// response back until Release.
func hasResponse(fake *identomattest.Server, operation string) bool {
	return slices.ContainsFunc(fake.Requests(), func(r identomattest.Request) bool { return r.Operation == operation && r.Status != 0 })
}

// person is a visitor with an HTTP client that keeps cookies.
type person struct {
	*testing.T
	url     string
	browser *http.Client
}

// response is an HTTP response that a person received.
type response struct {
	status int
	header http.Header
	body   string
}

func newPerson(t *testing.T, url string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &person{T: t, url: url, browser: &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *bank) visitor() *person { b.Helper(); return newPerson(b.T, b.url) }

func (b *bank) signedIn(user string) *person {
	b.Helper()
	return b.visitor().signIn(user)
}

func (p *person) signIn(user string) *person {
	p.Helper()
	require.Equal(p, http.StatusSeeOther, p.press("/", "/sign-in", "user", user).status)
	return p
}

func (p *person) send(r *http.Request) response {
	p.Helper()
	resp, err := p.browser.Do(r)
	require.NoError(p, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p, err)
	return response{resp.StatusCode, resp.Header, string(body)}
}

func (p *person) request(method, path string, form url.Values) *http.Request {
	p.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(p.Context(), method, p.url+path, body)
	require.NoError(p, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (p *person) get(path string) response {
	p.Helper()
	return p.send(p.request(http.MethodGet, path, nil))
}

// follow follows redirects, as a browser does, and returns the last response.
func (p *person) follow(got response) response {
	p.Helper()
	for got.status == http.StatusSeeOther {
		path, _, _ := strings.Cut(got.header.Get("Location"), "#")
		got = p.get(path)
	}
	return got
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf returns the CSRF token in a page's forms.
func (p *person) csrf(page string) string {
	p.Helper()
	match := csrfField.FindStringSubmatch(p.get(page).body)
	require.NotNil(p, match, "%s has no form", page)
	return match[1]
}

// press submits a form on a page. The fields are pairs of names and values.
func (p *person) press(page, action string, fields ...string) response {
	p.Helper()
	form := url.Values{"csrf": {p.csrf(page)}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return p.send(p.request(http.MethodPost, action, form))
}

// begin presses the start button and returns the token in the widget's address.
func (p *person) begin() identomat.Token {
	p.Helper()
	got := p.press("/verification", "/verification", "way", "redirect")
	require.Equal(p, http.StatusSeeOther, got.status)
	at, err := url.Parse(got.header.Get("Location"))
	require.NoError(p, err)
	token := at.Query().Get("session_token")
	require.NotEmpty(p, token, "the browser is not redirected to the widget")
	return identomat.Token(token)
}

var heading = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>`)

// heading returns the heading of the status page, or of the page that it redirects to.
func (p *person) heading() string {
	p.Helper()
	match := heading.FindStringSubmatch(p.follow(p.get("/verification")).body)
	require.NotNil(p, match)
	return match[1]
}

// Onboarding.

func TestRedirectFlow(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	assert.Equal(t, "Verify your identity", customer.heading())
	token := customer.begin()
	ses, _ := b.fake.Session(token)
	assert.Equal(t, "customer-1", ses.ClientUserID)
	assert.Equal(t, b.url+"/verification/return", ses.ReturnURL)
	assert.Equal(t, "Your verification is not finished", customer.heading())

	require.NoError(t, b.fake.Approve(token))
	back := customer.get("/verification/return?session_token=" + string(token))
	assert.Equal(t, http.StatusSeeOther, back.status)
	assert.Equal(t, "/verification", back.header.Get("Location"), "the address has no token")
	b.work()
	assert.Equal(t, "Your account is open", customer.heading())
	assert.Equal(t, 1, b.count("accounts WHERE customer = 'customer-1'"))
	assert.False(t, b.record(1).Sealed.IsZero(), "the evidence is collected")

	second := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, "/verification", second.header.Get("Location"), "a customer with an account needs no second verification")
	assert.Equal(t, 1, countRequests(b.fake, "begin/"))
}

func TestIframeFlow(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	got := customer.press("/verification", "/verification", "way", "iframe")
	require.Equal(t, "/verification/embed", got.header.Get("Location"))
	page := customer.get("/verification/embed")
	token := b.latest("customer-1").Token
	ses, _ := b.fake.Session(token)
	assert.Empty(t, ses.ReturnURL, "the widget must not navigate inside the iframe")
	assert.Contains(t, page.header.Get("Content-Security-Policy"), "; frame-src "+b.fake.WidgetURL+";")
	assert.Equal(t, `camera=(self "`+b.fake.WidgetURL+`"), microphone=(), geolocation=()`,
		page.header.Get("Permissions-Policy"))
	assert.Contains(t, page.body, `action="/verification/return"`)
	nonce := regexp.MustCompile(`script-src 'nonce-(\w+)'`).FindStringSubmatch(page.header.Get("Content-Security-Policy"))
	require.NotNil(t, nonce)
	assert.Equal(t, strings.Count(page.body, "<script"), strings.Count(page.body, `<script nonce="`+nonce[1]+`">`))

	back := customer.press("/verification/embed", "/verification/return", "session_token", string(token))
	assert.Equal(t, "/verification", back.header.Get("Location"))
	b.work()
	assert.Equal(t, "We are checking your details", customer.heading(), "a forged form proves nothing")
	assert.Zero(t, b.count("accounts"))
}

func TestPollsWithoutCallback(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	require.NoError(t, b.fake.SetCallbackURL(b.url+"/lost")) // callbacks are lost
	require.NoError(t, b.fake.SetResult(token, `{"result":"APPROVED"}`))
	b.work()
	assert.Equal(t, "Your verification is not finished", customer.heading())
	b.advance(time.Minute)
	b.work()
	assert.Equal(t, "Your account is open", customer.heading())
}

func TestWakeDuringFetchNotLost(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	b.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, b.store.wake(t.Context(), token))
	require.Eventually(t, func() bool { return hasResponse(b.fake, "result/") }, testTimeout, time.Millisecond)
	require.NoError(t, b.fake.Approve(token)) // sends a callback while the older response is delayed
	b.fake.Release()
	b.work()
	assert.Equal(t, approved, b.latest("customer-1").State)
}

func TestRejectedCustomerHasLimitedTries(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	for try := 1; try <= maxTries; try++ {
		require.NoError(t, b.fake.Reject(customer.begin(), "low_similarity"))
		b.work()
		page := customer.get("/verification").body
		assert.Contains(t, page, "We could not verify your identity")
		assert.Contains(t, page, "Your face could not be matched with the photo on your document.")
		assert.NotContains(t, page, "low_similarity")
		assert.Equal(t, try < maxTries, strings.Contains(page, "Try again"), "attempt %d", try)
	}
	assert.Contains(t, customer.get("/verification").body, "You have used all your attempts for today.")
	got := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, http.StatusTooManyRequests, got.status)
	assert.Equal(t, maxTries, countRequests(b.fake, "begin/"))
	assert.Equal(t, maxTries, b.count("verifications"), "a refused attempt leaves no row")
	customer.press("/erase", "/erase")
	b.work()
	page := customer.get("/verification").body
	assert.Contains(t, page, "Verify your identity")
	assert.Contains(t, page, "You have used all your attempts for today.", "an erasure does not reset the attempts")
	b.advance(triesWindow)
	customer.signIn("customer-1").begin()
	assert.Equal(t, maxTries+1, countRequests(b.fake, "begin/"))
}

func TestAbandonedSessionExpires(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	assert.Equal(t, "in_progress", customer.get("/verification/state").body)
	until := b.latest("customer-1").Expires.UTC()
	page := customer.get("/verification").body
	assert.Contains(t, page, `You have until <time datetime="`+until.Format("2006-01-02T15:04:05Z")+`">`+until.Format("2 January 2006, 15:04")+` UTC</time>.`)
	assert.Contains(t, page, `<button class="primary">Continue</button>`)
	b.advance(15 * time.Minute)
	b.work()
	assert.Equal(t, "late", customer.get("/verification/state").body, "an open page reloads")
	page = customer.get("/verification").body
	assert.Contains(t, page, "You can start a new one in a few minutes.")
	assert.NotContains(t, page, "<button class=\"primary\">")
	assert.Equal(t, inProgress, b.latest("customer-1").State, "the session may have been finished at the last moment")
	b.advance(5 * time.Minute)
	b.work()
	page = customer.get("/verification").body
	assert.Contains(t, page, "It was not finished in time, so no decision was made.")
	assert.Contains(t, page, "You can try 2 more times today.")
}

func TestOnlyApprovalOpensAccount(t *testing.T) {
	for result, want := range map[string]state{
		`{"result":"manual_check"}`:                             manualCheck,
		`{"result":"disagreed_with_terms"}`:                     manualCheck,
		`{"result":"approved_"}`:                                manualCheck,
		`{"result":"in_progress"}`:                              inProgress,
		`{"result":"rejected","reject_reason":{"value":"new"}}`: rejected,
		`{"result":"","x":"approved"}`:                          inProgress,
		`"approved"`:                                            inProgress,
		`{"argumentError":"wrong-parameters"}`:                  inProgress,
	} {
		t.Run(result, func(t *testing.T) {
			b := newBank(t)
			customer := b.signedIn("customer-1")
			require.NoError(t, b.fake.SetResult(customer.begin(), result))
			b.work()
			assert.Equal(t, want, b.latest("customer-1").State)
			assert.Zero(t, b.count("accounts"))
		})
	}
}

func TestOutcomeIsFinal(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.Reject(token, "face_mismatch"))
	b.work()
	require.NoError(t, b.fake.SetResult(token, `{"result":"approved"}`)) // an operator changes the decision
	b.work()
	id := b.latest("customer-1").ID
	decided, err := b.store.decide(t.Context(), id, approved, "", "a test")
	require.NoError(t, err)
	assert.False(t, decided)
	assert.Equal(t, rejected, b.latest("customer-1").State)
	assert.Zero(t, b.count("accounts"))
}

func TestConcurrentDecisionsApproveOnce(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.ManualCheck(token))
	b.work()
	require.NoError(t, b.fake.SetCallbackURL(b.url+"/lost")) // callbacks are lost
	require.NoError(t, b.fake.Approve(token))
	var wait sync.WaitGroup
	var decided atomic.Int64
	for range 20 {
		wait.Go(func() {
			assert.NoError(t, b.store.wake(t.Context(), token)) // the engine reads Identomat's decision
			decidedHere, err := b.store.decide(t.Context(), 1, approved, "", "a test")
			assert.NoError(t, err)
			if decidedHere {
				decided.Add(1)
			}
		})
	}
	wait.Wait()
	b.work()
	assert.LessOrEqual(t, decided.Load(), int64(1))
	assert.Equal(t, 1, b.count("outcomes"))
	assert.Equal(t, 1, b.count("accounts"))
}

func TestMissingSessionExpires(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	b.fake.Reset()
	b.advance(time.Minute)
	b.work()
	assert.Equal(t, "Your verification has expired", customer.heading())
	customer.begin()
	assert.Equal(t, inProgress, b.latest("customer-1").State, "the customer can begin another session")
}

// A refused key stays refused until someone replaces it, so the failure is logged as an error.
func TestPermanentFailureLoggedAsError(t *testing.T) {
	for level, fault := range map[string]identomattest.Fault{
		"WARN":  identomattest.HTTPStatus(503),
		"ERROR": identomattest.ErrorCode("INVALID_COMPANY_KEY"),
	} {
		b := newBank(t)
		token := b.signedIn("customer-1").begin()
		b.fake.Fault("result/", fault, 0)
		require.NoError(t, b.store.wake(t.Context(), token))
		require.Eventually(t, func() bool {
			return strings.Contains(b.logged.String(), "level="+level+" msg=\"identomatriver: job failed\"")
		}, testTimeout, time.Millisecond)
	}
}

func TestManualCheckWithoutSession(t *testing.T) {
	b := newBank(t)
	require.NoError(t, b.fake.ManualCheck(b.signedIn("customer-1").begin()))
	b.work()
	b.fake.Reset()
	b.advance(time.Hour)
	b.work()
	assert.Equal(t, manualCheck, b.latest("customer-1").State)
	assert.True(t, b.record(1).Due.IsZero(), "there is nothing left to fetch")
	got := b.signedIn("reviewer-1").press("/review", "/review/1/decision", "outcome", "rejected")
	assert.Equal(t, http.StatusSeeOther, got.status)
	assert.Equal(t, rejected, b.latest("customer-1").State)
}

// Begin requests.

func TestLostBeginNotRetried(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	b.fake.Fault("begin/", identomattest.ResetAfterRead(), 1)
	for range 3 {
		got := customer.press("/verification", "/verification", "way", "redirect")
		assert.Equal(t, "/verification", got.header.Get("Location"))
		assert.Equal(t, "We could not start your verification", customer.heading())
		until := b.latest("customer-1").Expires.UTC()
		assert.Contains(t, customer.get("/verification").body, `You can start again after <time datetime="`+until.Format("2006-01-02T15:04:05Z")+`">`+until.Format("2 January 2006, 15:04")+` UTC</time>.`)
	}
	assert.Equal(t, 1, countRequests(b.fake, "begin/"))
	assert.Equal(t, http.StatusConflict, customer.press("/erase", "/erase").status, "a session without a known token cannot be erased")

	reviewer := b.signedIn("reviewer-1")
	assert.Contains(t, reviewer.get("/review").body, "Unclear whether started")
	assert.Contains(t, reviewer.get("/review/1").body, "Its client user ID is customer-1. Identomat's API documentation does not say how to find a session by that ID")

	b.cleanUp()
	assert.Equal(t, "We could not start your verification", customer.heading())
	b.advance(beginTimeout + 15*time.Minute) // the lost session has expired
	b.cleanUp()
	assert.Contains(t, customer.get("/verification").body, "Before we open your account")
	customer.begin()
	assert.Equal(t, 2, countRequests(b.fake, "begin/"))
}

func TestReviewerGivesUpUnclearStart(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	b.fake.Fault("begin/", identomattest.ResetAfterRead(), 1)
	customer.press("/verification", "/verification", "way", "redirect")
	assert.NotContains(t, reviewer.get("/review/1").body, `value="continue"`)
	got := reviewer.press("/review", "/review/1/settlement", "to", "continue")
	assert.Equal(t, http.StatusConflict, got.status, "the token is unknown")
	assert.Equal(t, http.StatusBadRequest, reviewer.press("/review", "/review/1/settlement").status)
	assert.Equal(t, unclear, b.latest("customer-1").State)

	got = reviewer.press("/review", "/review/1/settlement", "to", "give-up")
	assert.Equal(t, "/review", got.header.Get("Location"))
	assert.Equal(t, 1, b.count("audit WHERE who = 'reviewer-1' AND action = 'gave up the unclear start' AND verification = 1"))
	assert.Equal(t, 1, b.count("begins"), "the session may have been billed, so the attempt counts")
	assert.Equal(t, identomatriver.Failed, b.record(1).State)
	assert.Equal(t, "Verify your identity", customer.heading())
	customer.begin()
	assert.Equal(t, http.StatusConflict, reviewer.press("/review", "/review/2/settlement", "to", "give-up").status)
	assert.Equal(t, inProgress, b.latest("customer-1").State, "only an unclear start is given up")
}

// The engine keeps the token of a session whose record the bank could not change.
func TestReviewerLetsCustomerContinueUnclearSession(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	token := customer.begin()
	b.exec("UPDATE identomat_records SET state = 'unclear', due_at = 0")
	b.exec("UPDATE verifications SET state = 'beginning'")
	assert.Contains(t, reviewer.get("/review").body, "Unclear whether started")
	assert.Contains(t, reviewer.get("/review/1").body, `value="continue"`)
	got := reviewer.press("/review", "/review/1/settlement", "to", "continue")
	assert.Equal(t, "/review/1", got.header.Get("Location"))
	assert.Equal(t, "Your verification is not finished", customer.heading())
	assert.Equal(t, token, customer.begin(), "the button leads to the session")
	assert.Equal(t, 1, countRequests(b.fake, "begin/"))
	assert.Equal(t, 1, b.count("audit WHERE who = 'reviewer-1' AND action = 'let the customer continue the session'"))
	require.NoError(t, b.fake.Approve(token))
	b.work()
	assert.Equal(t, 1, b.count("accounts"), "the engine waits for the outcome")
}

func TestRefusedBeginCanBeRetried(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	b.fake.Fault("begin/", identomattest.TooManyRequests(time.Hour), 1)
	got := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, http.StatusBadGateway, got.status)
	assert.Contains(t, got.body, "Nothing was started")
	assert.Zero(t, b.count("verifications"))
	assert.Zero(t, b.count("begins"), "a refused begin/ does not count as an attempt")
	customer.begin()
}

func TestBeginSurvivesDisconnect(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	form := url.Values{"csrf": {customer.csrf("/verification")}, "way": {"redirect"}}
	b.fake.Fault("begin/", identomattest.SlowHeaders(0), 1)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		resp, err := customer.browser.Do(customer.request(http.MethodPost, "/verification", form).WithContext(ctx))
		if err == nil {
			_ = resp.Body.Close()
		}
		left <- err
	}()
	require.Eventually(t, func() bool { return hasResponse(b.fake, "begin/") }, testTimeout, time.Millisecond)
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	assert.Equal(t, "We are preparing your verification", customer.heading())
	b.fake.Release()
	require.Eventually(t, func() bool { return b.latest("customer-1").State == inProgress }, testTimeout, time.Millisecond)
	assert.Equal(t, b.fake.Sessions()[0].Token, customer.begin(), "the button leads to the existing session")
}

// Erasure.

func TestErasureDeletesEverywhere(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	require.NoError(t, b.fake.Reject(customer.begin(), "low_similarity"))
	b.work()
	require.NoError(t, b.fake.Approve(customer.begin()))
	b.work()
	require.Equal(t, 1, b.count("accounts"))
	other := b.signedIn("customer-2")
	kept := other.begin()

	require.Contains(t, customer.get("/erase").body, "This cannot be undone.")
	b.fake.Fault("delete/", identomattest.HTTPStatus(503), 0)
	assert.Equal(t, "/erased", customer.press("/erase", "/erase").header.Get("Location"))
	assert.Equal(t, "Your data is being erased", customer.heading())
	assert.Contains(t, customer.get("/erased").body, `data-stage="erasing" data-waits`, "the page polls for the end")
	got := customer.press("/erase", "/verification", "way", "redirect")
	assert.Equal(t, http.StatusConflict, got.status, "no new verification can begin during the erasure")
	b.work()
	assert.Equal(t, "Your data is being erased", customer.heading(), "the service is unavailable")
	assert.Equal(t, 2, b.count("verifications WHERE erasing"), "the rows remain until the service has erased the sessions")
	b.fake.ClearFaults()
	b.advance(time.Minute)
	b.work()
	assert.NotEqual(t, "erasing", customer.get("/verification/state").body)
	erased := customer.get("/erased")
	assert.Contains(t, erased.body, `<h1 id="title">Your data has been erased</h1>`)
	assert.NotContains(t, erased.body, "data-waits")
	assert.Empty(t, erased.header.Values("Set-Cookie"), "the page needs no cookie")
	assert.Equal(t, "Verify your identity", customer.heading(), "only /erased mentions the erasure")
	assert.Equal(t, "/verification", other.get("/erased").header.Get("Location"), "a customer with data is redirected")
	sessions := b.fake.Sessions()
	require.Len(t, sessions, 1)
	assert.Equal(t, kept, sessions[0].Token)
	for _, rows := range []string{
		"verifications WHERE customer = 'customer-1'", "accounts WHERE customer = 'customer-1'",
		"outcomes WHERE verification IN (1, 2)", "identomat_records WHERE id IN ('1', '2') AND token IS NOT NULL",
	} {
		assert.Zero(t, b.count(rows), rows)
	}
	assert.Equal(t, 2, b.count("begins WHERE customer = 'customer-1'"), "an erasure does not reset the attempts")
}

func TestErasedPageShowsNoReason(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	require.NoError(t, b.fake.Reject(customer.begin(), "an_unknown_code"))
	b.work()
	const advice = "Your details could not be confirmed. Please use a valid document"
	assert.Contains(t, customer.get("/verification").body, advice)
	customer.press("/erase", "/erase")
	page := customer.get("/erased").body
	assert.Contains(t, page, "Your data is being erased")
	assert.NotContains(t, page, advice)
}

func TestErasureOfMissingSession(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	b.fake.Reset()
	customer.press("/erase", "/erase")
	b.work()
	assert.Equal(t, "Verify your identity", customer.heading())
	assert.Zero(t, b.count("verifications"))
}

func TestDatabaseHoldsNoErasedData(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	require.NoError(t, b.fake.Approve(token))
	b.work()
	reviewer := b.signedIn("reviewer-1")
	for range 2 { // the second check replaces the first
		reviewer.press("/review", "/review/1/screening")
		reviewer.press("/review", "/review/1/person", "person", "67137933a2176f0797f1e601")
	}
	require.Equal(t, 2, b.count("checks"))
	customer.press("/erase", "/erase")
	b.work()
	assert.Zero(t, b.count("checks"))
	path := b.file()
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
		for _, erased := range []string{string(token), "John Smith", "Doe", "67137933a2176f0797f1e601", "1952-10-07"} {
			assert.NotContains(t, string(data), erased)
		}
		if runtime.GOOS == "windows" {
			continue // Windows has no file modes
		}
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

// file returns the path of the SQLite file.
func (b *bank) file() (path string) {
	b.Helper()
	if !b.store.sqlite {
		b.Skip("only for SQLite")
	}
	require.NoError(b, b.store.QueryRowContext(b.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
	return path
}

// databaseContains reports whether the files of a database contain the text.
func databaseContains(t *testing.T, path, text string) bool {
	t.Helper()
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		if strings.Contains(string(data), text) {
			return true
		}
	}
	return false
}

func TestCleanupTruncatesLogAfterRestart(t *testing.T) {
	b := newBank(t)
	token := string(b.signedIn("customer-1").begin())
	require.NoError(t, b.store.saveCheck(t.Context(), 1, "screening", "reviewer-1", []byte(`{"Name":"Somebody Searched"}`)))
	b.exec("DELETE FROM verifications") // as if the process were killed before it truncates the log
	b.exec("UPDATE identomat_records SET token = NULL")
	path := b.file()
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(copied+suffix, data, 0o600))
	}
	require.True(t, databaseContains(t, copied, token))
	require.True(t, databaseContains(t, copied, "Somebody Searched"))
	restarted, err := openStore(t.Context(), copied, t.TempDir())
	require.NoError(t, err)
	defer func() { assert.NoError(t, restarted.Close()) }()
	require.NoError(t, newEngine(b.server.config, restarted, b.server.client, b.server.log, fastRiver))
	require.NoError(t, restarted.cleanUp(t.Context()))
	assert.False(t, databaseContains(t, copied, token))
	assert.False(t, databaseContains(t, copied, "Somebody Searched"))
}

func TestCleanupTruncatesLogAfterReader(t *testing.T) {
	b := newBank(t)
	token := string(b.signedIn("customer-1").begin())
	path := b.file()
	b.exec("PRAGMA busy_timeout = 1")
	reader, err := openSQLite(path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, reader.Close()) }()
	tx, err := reader.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	var n int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM verifications").Scan(&n))
	require.NoError(t, b.store.requestErasure(t.Context(), "customer-1"))
	require.Eventually(t, func() bool { return b.count("verifications") == 0 }, testTimeout, time.Millisecond)
	b.work()
	require.True(t, databaseContains(t, path, token), "the reader prevents the truncation")
	require.NoError(t, tx.Rollback())
	b.cleanUp()
	assert.False(t, databaseContains(t, path, token))
}

func TestApprovalDuringErasure(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, b.fake.Approve(token))
	require.Eventually(t, func() bool { return hasResponse(b.fake, "result/") }, testTimeout, time.Millisecond)
	customer.press("/erase", "/erase")
	b.fake.Release()
	b.work()
	assert.Zero(t, b.count("accounts"))
	assert.Zero(t, b.count("verifications"))
	assert.Empty(t, b.fake.Sessions())
}

// SMS.

func TestOneTimePasswordSentOnceAndNotLogged(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	send := func(callback identomattest.Callback) int {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, callback)
		require.NoError(t, err)
		return status
	}
	const passedOn = "message passed to the SMS gateway stub"
	for range 3 {
		assert.Equal(t, 200, send(identomattest.OneTimePassword(token, "+12025550143", "918273")))
	}
	assert.Equal(t, 1, strings.Count(b.logged.String(), passedOn))
	assert.Equal(t, 200, send(identomattest.SessionLinkSMS(token, "+12025550143", "https://bank.example/s/5544332211")))
	assert.Equal(t, 200, send(identomattest.OneTimePassword("8x0q1zp5v7m3c9k2j4h6g8f1d3s5a7w9e2r4t6y8", "+12025550199", "1234")), "an unknown session")
	assert.Equal(t, 2, strings.Count(b.logged.String(), passedOn))
	for i := range smsPerNumber {
		assert.Equal(t, 200, send(identomattest.OneTimePassword(token, "+12025550143", "55443322"+string(rune('0'+i)))))
	}
	assert.Equal(t, smsPerNumber, strings.Count(b.logged.String(), passedOn), "the number has reached its limit for the hour")
	for _, secret := range []string{"918273", "5550143", "5544332", string(token)} {
		assert.NotContains(t, b.logged.withoutTimes(), secret)
	}
}

func TestSMSRetriedAfterGatewayError(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	var sent []string
	gatewayErr := errors.New("the gateway is down")
	b.server.sms.gateway = func(_ context.Context, message identomat.SMS) error {
		if gatewayErr == nil {
			sent = append(sent, message.PhoneNumber)
		}
		return gatewayErr
	}
	send := func() int {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(token, "+12025550143", "918273"))
		require.NoError(t, err)
		return status
	}
	for range smsPerNumber {
		assert.Equal(t, 500, send(), "a failed message does not count against the limit")
	}
	gatewayErr = nil
	assert.Equal(t, 200, send())
	assert.Equal(t, 200, send())
	assert.Equal(t, []string{"+12025550143"}, sent)
}

func TestSMSPerSessionLimit(t *testing.T) {
	b := newBank(t)
	token, other := b.signedIn("customer-1").begin(), b.signedIn("customer-2").begin()
	for i := range 3 * smsPerSession {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(token, fmt.Sprintf("+120255501%02d", i), "918273"))
		require.NoError(t, err)
		assert.Equal(t, 200, status)
	}
	status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(other, "+12025550199", "5511"))
	require.NoError(t, err)
	assert.Equal(t, 200, status, "the limit does not affect another customer")
	assert.Equal(t, smsPerSession+1, strings.Count(b.logged.String(), "message passed to the SMS gateway stub"))
}

// Logs.

func TestLogsHoldNoSecrets(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	token := customer.begin()
	_, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(token, "+12025550143", "918273"))
	require.NoError(t, err)
	b.fake.Fault("result/", identomattest.HTMLPage(502), 1)
	require.NoError(t, b.fake.ManualCheck(token))
	customer.get("/verification/return?session_token=" + string(token))
	customer.get("/verification/return?session_token=" + string(token) + "&session_token=" + string(token))
	require.Eventually(t, func() bool { return b.latest("customer-1").State == manualCheck }, testTimeout, 5*time.Millisecond)
	reviewer.get("/review/1")
	reviewer.press("/review", "/review/1/screening")
	reviewer.press("/review", "/review/1/person", "person", "67137933a2176f0797f1e601")
	reviewer.press("/review", "/review/1/comparison")
	for _, path := range []string{"image/face", "image/document-face", "image/card-front", "image/passport", "pdf"} {
		reviewer.get("/review/1/" + path)
	}
	b.fake.Fault("result/face/", identomattest.HTMLPage(200), 1)
	reviewer.get("/review/1/image/face")
	reviewer.press("/review", "/review/1/decision", "outcome", "approved")
	b.work()
	require.Equal(t, http.StatusOK, reviewer.get("/review/1/evidence").status)
	require.Equal(t, http.StatusSeeOther, reviewer.press("/review", "/review/1/erasure").status)
	_, err = b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.PlainCallback("x", token).WithKey("a-wrong-callback-key"))
	require.NoError(t, err)
	customer.press("/erase", "/erase")
	require.Eventually(t, func() bool { return b.count("verifications") == 0 }, testTimeout, 5*time.Millisecond)

	text := b.logged.withoutTimes()
	require.Contains(t, text, "verification=1 outcome=approved")
	secrets := map[string]string{
		"token": string(token), "company key": b.fake.CompanyKey, "callback key": b.fake.CallbackKey, "wrong key": "a-wrong-callback-key",
		"one-time password": "918273", "telephone": "5550143", "first name": "John", "last name": "Smith", "document number": "AB0002261",
		"id of a hit": "67137933a2176f0797f1e601", "birthday of a hit": "1952-10-07",
		"csrf": customer.csrf("/verification"),
	}
	at, err := url.Parse(b.url)
	require.NoError(t, err)
	for _, p := range []*person{customer, reviewer} {
		for _, cookie := range p.browser.Jar.Cookies(at) {
			secrets["cookie of "+cookie.Name] = cookie.Value
			assert.NotContains(t, text, cookie.Value)
		}
	}
	for what, secret := range secrets {
		assert.NotContains(t, text, secret, what)
		assert.NotContains(t, text, url.QueryEscape(secret), what)
	}
}
