package main

import (
	"bytes"
	"context"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
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
	worker *worker
	server *server
	url    string
	logged *syncBuffer
	// clockOffset is how many nanoseconds the bank's clock is ahead.
	clockOffset atomic.Int64
	// liveClock makes the bank's clock follow real time, which a running worker needs. Otherwise the
	// clock stands still until a test advances it.
	liveClock atomic.Bool
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

// openBank starts the bank without its worker, so that the test decides when jobs run.
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
	b.store, err = openStore(t.Context(), filepath.Join(t.TempDir(), "bank.db"))
	require.NoError(t, err)
	start := time.Now()
	b.store.now = func() time.Time {
		now := start // fixed, so that no job becomes due on a slow machine
		if b.liveClock.Load() {
			now = time.Now()
		}
		return now.Add(time.Duration(b.clockOffset.Load()))
	}
	client := b.fake.Client(fastRetry, identomat.WithLogger(log))
	b.worker = newWorker(b.store, client, log)
	c := config{publicURL: b.url, callbackKeys: []string{b.fake.CallbackKey}, lifetime: 15 * time.Minute}
	b.server, err = newServer(c, b.store, b.worker, client, log)
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
		client.CloseIdleConnections()
		assert.NoError(t, b.store.close())
	})
	return b
}

func newBank(t *testing.T) *bank { return openBank(t, "127.0.0.1") }

// startWorker runs the worker in the background until the end of the test.
func (b *bank) startWorker() *bank {
	b.Helper()
	b.liveClock.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.worker.run(ctx)
	}()
	b.Cleanup(func() { cancel(); <-done })
	return b
}

// work runs the jobs that are due now.
func (b *bank) work() { b.Helper(); require.NoError(b, b.worker.work(b.Context())) }

// advance advances the bank's clock. It does not affect the fake or its sessions.
func (b *bank) advance(d time.Duration) { b.clockOffset.Add(int64(d)) }

// count returns the number of rows, as in count("accounts WHERE customer = ?", "customer-1").
func (b *bank) count(from string, args ...any) (n int) {
	b.Helper()
	require.NoError(b, b.store.db.QueryRowContext(b.Context(), "SELECT count(*) FROM "+from, args...).Scan(&n))
	return n
}

// latest returns a customer's newest verification.
func (b *bank) latest(customer string) verification {
	b.Helper()
	v, found, err := b.store.latest(b.Context(), customer)
	require.NoError(b, err)
	require.True(b, found)
	return v
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
	assert.Equal(t, "We are checking your details", customer.heading())
	b.work()
	assert.Equal(t, "Your account is open", customer.heading())
	assert.Equal(t, 1, b.count("accounts WHERE customer = 'customer-1'"))
	assert.Equal(t, 2, countRequests(b.fake, "result/"), "once for the outcome and once for the evidence")
	assert.Zero(t, b.count("jobs"), "the job ends with the evidence")
	assert.Empty(t, b.latest("customer-1").Session.URL, "the URL is no longer needed")

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
	token := b.latest("customer-1").Session.Token
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

func TestWorkerPollsWithoutCallback(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.work()
	assert.Zero(t, countRequests(b.fake, "result/"), "it is too early for the first check")
	b.advance(firstCheck)
	b.work()
	b.work()
	assert.Equal(t, 1, countRequests(b.fake, "result/"), "the next check is later")
	require.NoError(t, b.fake.SetResult(token, `{"result":"APPROVED"}`))
	_, err := b.store.exec(t.Context(), "UPDATE jobs SET due_at = ?", b.store.now().Add(maxCheckInterval).UnixMilli()) // as if the callback had been lost
	require.NoError(t, err)
	b.work()
	assert.Equal(t, "Your verification is not finished", customer.heading())
	b.advance(maxCheckInterval)
	b.work()
	assert.Equal(t, "Your account is open", customer.heading())
}

func TestWakeDuringFetchNotLost(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	b.advance(firstCheck)
	b.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	worked := make(chan error)
	go func() { worked <- b.worker.work(t.Context()) }()
	require.Eventually(t, func() bool { return hasResponse(b.fake, "result/") }, testTimeout, time.Millisecond)
	require.NoError(t, b.fake.Approve(token)) // sends a callback while the older response is delayed
	b.fake.Release()
	require.NoError(t, <-worked)
	assert.Equal(t, approved, b.latest("customer-1").State)
	assert.Equal(t, 3, countRequests(b.fake, "result/"), "twice for the outcome and once for the evidence")
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
	b.advance(grace)
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
	settled, err := b.store.settle(t.Context(), id, approved, "", "a test")
	require.NoError(t, err)
	assert.False(t, settled)
	assert.Equal(t, rejected, b.latest("customer-1").State)
	assert.Zero(t, b.count("accounts"))
}

func TestConcurrentWorkersApproveOnce(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.Approve(token))
	id := b.latest("customer-1").ID
	var wait sync.WaitGroup
	var settled atomic.Int64
	for range 20 {
		wait.Go(func() {
			settledHere, err := b.store.settle(t.Context(), id, approved, "", "a test")
			assert.NoError(t, err)
			if settledHere {
				settled.Add(1)
			}
			assert.NoError(t, b.worker.work(t.Context()))
		})
	}
	wait.Wait()
	assert.EqualValues(t, 1, settled.Load())
	assert.Equal(t, 1, b.count("outcomes"))
	assert.Equal(t, 1, b.count("accounts"))
}

func TestMissingSessionExpires(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	b.fake.Reset()
	b.advance(firstCheck)
	b.work()
	assert.Equal(t, "Your verification has expired", customer.heading())
	customer.begin()
	assert.Equal(t, inProgress, b.latest("customer-1").State, "the customer can begin another session")
}

func TestWorkerRetriesLater(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.HTTPStatus(503), 0)
	require.NoError(t, b.fake.Approve(token))
	b.work()
	assert.Equal(t, 2, countRequests(b.fake, "result/"), "one job with two attempts")
	b.fake.ClearFaults()
	b.work()
	assert.Equal(t, 2, countRequests(b.fake, "result/"))
	b.advance(2 * time.Second)
	b.work()
	assert.Equal(t, "Your account is open", customer.heading())
}

// A refused key stays refused until someone replaces it, so the failure is logged as an error.
func TestWorkerLogsPermanentFailureAsError(t *testing.T) {
	for level, fault := range map[string]identomattest.Fault{
		"WARN":  identomattest.HTTPStatus(503),
		"ERROR": identomattest.ErrorCode("INVALID_COMPANY_KEY"),
	} {
		b := newBank(t)
		require.NoError(t, b.fake.Approve(b.signedIn("customer-1").begin()))
		b.fake.Fault("result/", fault, 0)
		b.work()
		assert.Contains(t, b.logged.String(), "level="+level+" msg=\"job failed\"")
		assert.Equal(t, 1, b.count("jobs WHERE tries = 1"), "the job is retried in either case")
	}
}

func TestWorkerHonorsRetryAfter(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.TooManyRequests(10*time.Minute), 1)
	require.NoError(t, b.fake.Approve(token))
	b.work()
	b.advance(9 * time.Minute)
	b.work()
	assert.Equal(t, 1, countRequests(b.fake, "result/"))
	b.advance(time.Minute)
	b.work()
	assert.Equal(t, "Your account is open", customer.heading())
}

func TestManualCheckWithoutSession(t *testing.T) {
	b := newBank(t)
	require.NoError(t, b.fake.ManualCheck(b.signedIn("customer-1").begin()))
	b.work()
	b.fake.Reset()
	b.advance(maxReviewInterval)
	b.work()
	assert.Equal(t, manualCheck, b.latest("customer-1").State)
	assert.Zero(t, b.count("jobs"), "there is nothing left to fetch")
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
		assert.Contains(t, customer.get("/verification").body, `You can start again at <time datetime="`+until.Format("2006-01-02T15:04:05Z")+`">`+until.Format("2 January 2006, 15:04")+` UTC</time>.`)
	}
	assert.Equal(t, 1, countRequests(b.fake, "begin/"))
	assert.Equal(t, http.StatusConflict, customer.press("/erase", "/erase").status, "a session without a known token cannot be erased")

	reviewer := b.signedIn("reviewer-1")
	assert.Contains(t, reviewer.get("/review").body, "start unclear")
	assert.Contains(t, reviewer.get("/review/1").body, "Its client user ID is customer-1. Identomat's API documentation does not say how to find a session by that ID")

	b.advance(15 * time.Minute) // the lost session has expired
	require.NoError(t, b.store.sweep(t.Context()))
	assert.Contains(t, customer.get("/verification").body, "Before we open your account")
	customer.begin()
	assert.Equal(t, 2, countRequests(b.fake, "begin/"))
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
		"outcomes WHERE verification IN (1, 2)", "jobs WHERE verification IN (1, 2)",
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
	var path string
	require.NoError(t, b.store.db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
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

func TestSweepTruncatesLogAfterRestart(t *testing.T) {
	b := newBank(t)
	token := string(b.signedIn("customer-1").begin())
	require.NoError(t, b.store.saveCheck(t.Context(), 1, "screening", "reviewer-1", []byte(`{"Name":"Somebody Searched"}`)))
	require.NoError(t, b.store.requestErasure(t.Context(), "customer-1"))
	_, err := b.store.exec(t.Context(), "DELETE FROM verifications WHERE erasing") // as if the process were killed at this point
	require.NoError(t, err)
	var path string
	require.NoError(t, b.store.db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(copied+suffix, data, 0o600))
	}
	require.True(t, databaseContains(t, copied, token))
	require.True(t, databaseContains(t, copied, "Somebody Searched"))
	restarted, err := openStore(t.Context(), copied)
	require.NoError(t, err)
	defer func() { assert.NoError(t, restarted.close()) }()
	require.NoError(t, restarted.sweep(t.Context()))
	assert.False(t, databaseContains(t, copied, token))
	assert.False(t, databaseContains(t, copied, "Somebody Searched"))
}

func TestSweepTruncatesLogAfterReader(t *testing.T) {
	b := newBank(t)
	token := string(b.signedIn("customer-1").begin())
	var path string
	require.NoError(t, b.store.db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
	_, err := b.store.exec(t.Context(), "PRAGMA busy_timeout = 1")
	require.NoError(t, err)
	another, err := openStore(t.Context(), path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, another.close()) }()
	tx, err := another.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	var n int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM verifications").Scan(&n))
	require.NoError(t, b.store.requestErasure(t.Context(), "customer-1"))
	b.work()
	require.Zero(t, b.count("verifications"))
	require.True(t, databaseContains(t, path, token), "the reader prevents the truncation")
	require.NoError(t, tx.Rollback())
	require.NoError(t, b.store.sweep(t.Context()))
	assert.False(t, databaseContains(t, path, token))
}

func TestApprovalDuringErasure(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, b.fake.Approve(token))
	worked := make(chan error)
	go func() { worked <- b.worker.work(t.Context()) }()
	require.Eventually(t, func() bool { return hasResponse(b.fake, "result/") }, testTimeout, time.Millisecond)
	customer.press("/erase", "/erase")
	b.fake.Release()
	require.NoError(t, <-worked)
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
	b := newBank(t).startWorker()
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
	require.Eventually(t, func() bool { return b.count("jobs") == 0 }, testTimeout, 5*time.Millisecond)
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
