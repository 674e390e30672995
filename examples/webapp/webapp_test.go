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

// TestMain lets the test binary be the program, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("WEBAPP_RUN") != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// bank is the program inside the test, beside a fake Identomat.
type bank struct {
	*testing.T
	fake   *identomattest.Server
	store  *store
	worker *worker
	server *server
	url    string
	logged *lines
	passed atomic.Int64 // nanoseconds that the bank's clock is ahead
	works  atomic.Bool  // its clock goes by itself, too: its worker waits for what is due
}

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// durations are those of a log. They and the times hold any digits by chance.
var durations = regexp.MustCompile(`\b(time|took|duration|retry_in|again_in)=\S+`)

// told is the log without them.
func (l *lines) told() string { return durations.ReplaceAllString(l.String(), "") }

// quick keeps a test from waiting for the service that the test has broken.
var quick = identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond})

// openBank starts the bank without its worker, so that a test says when it works.
func openBank(t *testing.T, host string) *bank {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	b := &bank{T: t, url: "http://" + net.JoinHostPort(host, port), logged: &lines{}}
	b.fake = identomattest.NewServer(t, identomattest.WithCallbackURL(b.url+callbackPath), identomattest.WithStatusCallback("status-of-a-test"))
	log := slog.New(slog.NewTextHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.store, err = openStore(t.Context(), filepath.Join(t.TempDir(), "bank.db"))
	require.NoError(t, err)
	begun := time.Now()
	b.store.now = func() time.Time {
		now := begun // a slow machine makes nothing due
		if b.works.Load() {
			now = time.Now()
		}
		return now.Add(time.Duration(b.passed.Load()))
	}
	client := b.fake.Client(quick, identomat.WithLogger(log))
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

// working starts the worker.
func (b *bank) working() *bank {
	b.Helper()
	b.works.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.worker.run(ctx)
	}()
	b.Cleanup(func() { cancel(); <-done })
	return b
}

// work lets the worker do what is due now.
func (b *bank) work() { b.Helper(); require.NoError(b, b.worker.work(b.Context())) }

// pass lets time pass for the bank. The fake and its sessions stay where they are.
func (b *bank) pass(d time.Duration) { b.passed.Add(int64(d)) }

// count is the number of rows that a condition meets, as in "accounts WHERE customer = ?".
func (b *bank) count(from string, args ...any) (n int) {
	b.Helper()
	require.NoError(b, b.store.db.QueryRowContext(b.Context(), "SELECT count(*) FROM "+from, args...).Scan(&n))
	return n
}

// latest is the newest verification of a customer.
func (b *bank) latest(customer string) verification {
	b.Helper()
	v, found, err := b.store.latest(b.Context(), customer)
	require.NoError(b, err)
	require.True(b, found)
	return v
}

// asked counts the calls of an operation at the fake.
func asked(fake *identomattest.Server, operation string) (n int) {
	for _, r := range fake.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// holds reports whether the fake has an answer ready, which a fault holds back until Release.
func holds(fake *identomattest.Server, operation string) bool {
	return slices.ContainsFunc(fake.Requests(), func(r identomattest.Request) bool { return r.Operation == operation && r.Status != 0 })
}

// person is somebody with a browser, whose cookies are kept.
type person struct {
	*testing.T
	url     string
	browser *http.Client
}

// reply is what the browser of a person shows.
type reply struct {
	status int
	header http.Header
	body   string
}

func somebody(t *testing.T, url string) *person {
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

func (b *bank) visitor() *person { b.Helper(); return somebody(b.T, b.url) }

func (b *bank) signedIn(user string) *person {
	b.Helper()
	return b.visitor().signIn(user)
}

func (p *person) signIn(user string) *person {
	p.Helper()
	require.Equal(p, http.StatusSeeOther, p.press("/", "/sign-in", "user", user).status)
	return p
}

func (p *person) send(r *http.Request) reply {
	p.Helper()
	resp, err := p.browser.Do(r)
	require.NoError(p, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p, err)
	return reply{resp.StatusCode, resp.Header, string(body)}
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

func (p *person) get(path string) reply {
	p.Helper()
	return p.send(p.request(http.MethodGet, path, nil))
}

// follow goes where an answer leads, as a browser does.
func (p *person) follow(answer reply) reply {
	p.Helper()
	for answer.status == http.StatusSeeOther {
		path, _, _ := strings.Cut(answer.header.Get("Location"), "#")
		answer = p.get(path)
	}
	return answer
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of the forms of a page.
func (p *person) csrf(page string) string {
	p.Helper()
	match := csrfField.FindStringSubmatch(p.get(page).body)
	require.NotNil(p, match, "%s has no form", page)
	return match[1]
}

// press sends a form of a page, with fields by name and value.
func (p *person) press(page, action string, fields ...string) reply {
	p.Helper()
	form := url.Values{"csrf": {p.csrf(page)}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return p.send(p.request(http.MethodPost, action, form))
}

// begin presses the button and returns the token that the address of the widget holds.
func (p *person) begin() identomat.Token {
	p.Helper()
	answer := p.press("/verification", "/verification", "way", "redirect")
	require.Equal(p, http.StatusSeeOther, answer.status)
	at, err := url.Parse(answer.header.Get("Location"))
	require.NoError(p, err)
	token := at.Query().Get("session_token")
	require.NotEmpty(p, token, "the browser is not sent to the widget")
	return identomat.Token(token)
}

var heading = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>`)

// sees is the heading of the status page, or of where it leads.
func (p *person) sees() string {
	p.Helper()
	match := heading.FindStringSubmatch(p.follow(p.get("/verification")).body)
	require.NotNil(p, match)
	return match[1]
}

// The onboarding.

func TestACustomerIsVerifiedByRedirect(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	assert.Equal(t, "Verify your identity", customer.sees())
	token := customer.begin()
	ses, _ := b.fake.Session(token)
	assert.Equal(t, "customer-1", ses.ClientUserID)
	assert.Equal(t, b.url+"/verification/return", ses.ReturnURL)
	assert.Equal(t, "Your verification is not finished", customer.sees())

	require.NoError(t, b.fake.Approve(token))
	back := customer.get("/verification/return?session_token=" + string(token))
	assert.Equal(t, http.StatusSeeOther, back.status)
	assert.Equal(t, "/verification", back.header.Get("Location"), "no token stays in the address")
	assert.Equal(t, "We are checking your details", customer.sees())
	b.work()
	assert.Equal(t, "Your account is open", customer.sees())
	assert.Equal(t, 1, b.count("accounts WHERE customer = 'customer-1'"))
	assert.Equal(t, 1, asked(b.fake, "result/"))
	assert.Zero(t, b.count("jobs"), "nothing is asked about what has ended")
	assert.Empty(t, b.latest("customer-1").Session.URL, "nobody goes there again")

	again := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, "/verification", again.header.Get("Location"), "who has an account needs no second verification")
	assert.Equal(t, 1, asked(b.fake, "begin/"))
}

func TestTheEmbeddedWidgetComesBackByItsForm(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	answer := customer.press("/verification", "/verification", "way", "iframe")
	require.Equal(t, "/verification/embed", answer.header.Get("Location"))
	page := customer.get("/verification/embed")
	token := b.latest("customer-1").Session.Token
	ses, _ := b.fake.Session(token)
	assert.Empty(t, ses.ReturnURL, "the widget must not navigate inside of the iframe")
	assert.Contains(t, page.header.Get("Content-Security-Policy"), "; frame-src "+b.fake.WidgetURL+";")
	assert.Equal(t, `camera=(self "`+b.fake.WidgetURL+`"), microphone=(self "`+b.fake.WidgetURL+`"), geolocation=()`,
		page.header.Get("Permissions-Policy"))
	assert.Contains(t, page.body, `action="/verification/return"`)
	nonce := regexp.MustCompile(`script-src 'nonce-(\w+)'`).FindStringSubmatch(page.header.Get("Content-Security-Policy"))
	require.NotNil(t, nonce)
	assert.Equal(t, strings.Count(page.body, "<script"), strings.Count(page.body, `<script nonce="`+nonce[1]+`">`))

	back := customer.press("/verification/embed", "/verification/return", "session_token", string(token))
	assert.Equal(t, "/verification", back.header.Get("Location"))
	b.work()
	assert.Equal(t, "We are checking your details", customer.sees(), "a form that was sent by hand proves nothing")
	assert.Zero(t, b.count("accounts"))
}

func TestAWorkerLooksAfterSessionsThatNobodyCalledAbout(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.work()
	assert.Zero(t, asked(b.fake, "result/"), "the customer has hardly begun")
	b.pass(firstCheck)
	b.work()
	b.work()
	assert.Equal(t, 1, asked(b.fake, "result/"), "the next look is put off")
	require.NoError(t, b.fake.SetResult(token, `{"result":"APPROVED"}`))
	_, err := b.store.exec(t.Context(), "UPDATE jobs SET due_at = ?", b.store.now().Add(slowestCheck).UnixMilli()) // as if the callback were lost
	require.NoError(t, err)
	b.work()
	assert.Equal(t, "Your verification is not finished", customer.sees())
	b.pass(slowestCheck)
	b.work()
	assert.Equal(t, "Your account is open", customer.sees())
}

func TestAWakeUpDuringAFetchIsNotLost(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	b.pass(firstCheck)
	b.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	worked := make(chan error)
	go func() { worked <- b.worker.work(t.Context()) }()
	require.Eventually(t, func() bool { return holds(b.fake, "result/") }, patience, time.Millisecond)
	require.NoError(t, b.fake.Approve(token)) // and calls, while the older answer is on its way
	b.fake.Release()
	require.NoError(t, <-worked)
	assert.Equal(t, approved, b.latest("customer-1").State)
	assert.Equal(t, 2, asked(b.fake, "result/"))
}

func TestARejectedCustomerTriesAgainAndNotForEver(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	for try := 1; try <= maxTries; try++ {
		require.NoError(t, b.fake.Reject(customer.begin(), "low_similarity"))
		b.work()
		page := customer.get("/verification").body
		assert.Contains(t, page, "We could not verify your identity")
		assert.Contains(t, page, "Your face could not be matched with the photo on your document.")
		assert.NotContains(t, page, "low_similarity")
		assert.Equal(t, try < maxTries, strings.Contains(page, "Try again"), "try %d", try)
	}
	assert.Contains(t, customer.get("/verification").body, "You have used your tries for today.")
	answer := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, http.StatusTooManyRequests, answer.status)
	assert.Equal(t, maxTries, asked(b.fake, "begin/"))
	assert.Equal(t, maxTries, b.count("verifications"), "a refused try leaves nothing")
	customer.press("/erase", "/erase")
	b.work()
	page := customer.get("/verification").body
	assert.Contains(t, page, "Verify your identity")
	assert.Contains(t, page, "You have used your tries for today.", "erasing does not buy new ones")
	b.pass(triesWithin)
	customer.signIn("customer-1").begin()
	assert.Equal(t, maxTries+1, asked(b.fake, "begin/"))
}

func TestAnAbandonedSessionExpiresAfterItsGrace(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	assert.Equal(t, "in_progress", customer.get("/verification/state").body)
	until := b.latest("customer-1").Expires.UTC()
	page := customer.get("/verification").body
	assert.Contains(t, page, `You have until <time datetime="`+until.Format("2006-01-02T15:04:05Z")+`">`+until.Format("2 January 2006, 15:04")+` UTC</time>.`)
	assert.Contains(t, page, `<button class="primary">Continue</button>`)
	b.pass(15 * time.Minute)
	b.work()
	assert.Equal(t, "late", customer.get("/verification/state").body, "so the page that is open loads anew")
	page = customer.get("/verification").body
	assert.Contains(t, page, "You can start a new one in a few minutes.")
	assert.NotContains(t, page, "<button class=\"primary\">")
	assert.Equal(t, inProgress, b.latest("customer-1").State, "it may have been finished at the last moment")
	b.pass(grace)
	b.work()
	page = customer.get("/verification").body
	assert.Contains(t, page, "It was not finished in time, so nothing was decided.")
	assert.Contains(t, page, "You can try 2 more times today.")
}

func TestOutcomesThatAreNoApprovalOpenNoAccount(t *testing.T) {
	for reply, want := range map[string]state{
		`{"result":"manual_check"}`:                             manualCheck,
		`{"result":"disagreed_with_terms"}`:                     manualCheck,
		`{"result":"approved_"}`:                                manualCheck,
		`{"result":"in_progress"}`:                              inProgress,
		`{"result":"rejected","reject_reason":{"value":"new"}}`: rejected,
		`{"result":"","x":"approved"}`:                          inProgress,
		`"approved"`:                                            inProgress,
		`{"argumentError":"wrong-parameters"}`:                  inProgress,
	} {
		t.Run(reply, func(t *testing.T) {
			b := newBank(t)
			customer := b.signedIn("customer-1")
			require.NoError(t, b.fake.SetResult(customer.begin(), reply))
			b.work()
			assert.Equal(t, want, b.latest("customer-1").State)
			assert.Zero(t, b.count("accounts"))
		})
	}
}

func TestADecidedVerificationStaysDecided(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.Reject(token, "face_mismatch"))
	b.work()
	require.NoError(t, b.fake.Approve(token)) // an operator changes the mind
	b.work()
	id := b.latest("customer-1").ID
	settled, err := b.store.settle(t.Context(), id, approved, "", "a test")
	require.NoError(t, err)
	assert.False(t, settled)
	assert.Equal(t, rejected, b.latest("customer-1").State)
	assert.Zero(t, b.count("accounts"))
}

func TestManyWorkersApproveOnce(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.Approve(token))
	id := b.latest("customer-1").ID
	var wait sync.WaitGroup
	var settled atomic.Int64
	for range 20 {
		wait.Go(func() {
			mine, err := b.store.settle(t.Context(), id, approved, "", "a test")
			assert.NoError(t, err)
			if mine {
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

func TestASessionThatIsGoneIsNoOutcome(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	b.fake.Reset()
	b.pass(firstCheck)
	b.work()
	assert.Equal(t, "The time for your verification is over", customer.sees())
	customer.begin()
	assert.Equal(t, inProgress, b.latest("customer-1").State, "another one can begin")
}

func TestAnUnreachableServicePutsTheWorkOff(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.HTTPStatus(503), 0)
	require.NoError(t, b.fake.Approve(token))
	b.work()
	assert.Equal(t, 2, asked(b.fake, "result/"), "one job of two attempts")
	b.fake.ClearFaults()
	b.work()
	assert.Equal(t, 2, asked(b.fake, "result/"))
	b.pass(2 * time.Second)
	b.work()
	assert.Equal(t, "Your account is open", customer.sees())
}

func TestAServiceThatAsksForPatienceGetsIt(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.TooManyRequests(10*time.Minute), 1)
	require.NoError(t, b.fake.Approve(token))
	b.work()
	b.pass(9 * time.Minute)
	b.work()
	assert.Equal(t, 1, asked(b.fake, "result/"))
	b.pass(time.Minute)
	b.work()
	assert.Equal(t, "Your account is open", customer.sees())
}

func TestAManualCheckWhoseEvidenceIsGoneIsLeftToTheReviewers(t *testing.T) {
	b := newBank(t)
	require.NoError(t, b.fake.ManualCheck(b.signedIn("customer-1").begin()))
	b.work()
	b.fake.Reset()
	b.pass(slowestReview)
	b.work()
	assert.Equal(t, manualCheck, b.latest("customer-1").State)
	assert.Zero(t, b.count("jobs"), "there is nothing left to ask")
	answer := b.signedIn("reviewer-1").press("/review", "/review/1/decision", "outcome", "rejected")
	assert.Equal(t, http.StatusSeeOther, answer.status)
	assert.Equal(t, rejected, b.latest("customer-1").State)
}

// Beginning.

func TestALostBeginIsNotRepeatedBlindly(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	b.fake.Fault("begin/", identomattest.ResetAfterRead(), 1)
	for range 3 {
		answer := customer.press("/verification", "/verification", "way", "redirect")
		assert.Equal(t, "/verification", answer.header.Get("Location"))
		assert.Equal(t, "We could not start your verification", customer.sees())
		until := b.latest("customer-1").Expires.UTC()
		assert.Contains(t, customer.get("/verification").body, `You can start again at <time datetime="`+until.Format("2006-01-02T15:04:05Z")+`">`+until.Format("2 January 2006, 15:04")+` UTC</time>.`)
	}
	assert.Equal(t, 1, asked(b.fake, "begin/"))
	assert.Equal(t, http.StatusConflict, customer.press("/erase", "/erase").status, "what may exist cannot be erased")

	reviewer := b.signedIn("reviewer-1")
	assert.Contains(t, reviewer.get("/review").body, "start unclear")
	assert.Contains(t, reviewer.get("/review/1").body, "It has the client user id customer-1; how to find it by that is not documented")

	b.pass(15 * time.Minute) // then nobody can open the lost session any more
	require.NoError(t, b.store.sweep(t.Context()))
	assert.Contains(t, customer.get("/verification").body, "Before we open your account")
	customer.begin()
	assert.Equal(t, 2, asked(b.fake, "begin/"))
}

func TestABeginThatWasSurelyRefusedCanBeRepeated(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	b.fake.Fault("begin/", identomattest.TooManyRequests(time.Hour), 1)
	answer := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, http.StatusBadGateway, answer.status)
	assert.Contains(t, answer.body, "Nothing was started")
	assert.Zero(t, b.count("verifications"))
	assert.Zero(t, b.count("begins"), "it does not count as a try")
	customer.begin()
}

func TestASessionIsKeptWhenTheCustomerGoesAwayWhileItBegins(t *testing.T) {
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
	require.Eventually(t, func() bool { return holds(b.fake, "begin/") }, patience, time.Millisecond)
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	assert.Equal(t, "Your verification is being prepared", customer.sees())
	b.fake.Release()
	require.Eventually(t, func() bool { return b.latest("customer-1").State == inProgress }, patience, time.Millisecond)
	assert.Equal(t, b.fake.Sessions()[0].Token, customer.begin(), "the button leads to the session that was begun")
}

// Erasing.

func TestErasedDataAreGoneAtTheServiceAndInTheBooks(t *testing.T) {
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
	assert.Equal(t, "Your data is being erased", customer.sees())
	assert.Contains(t, customer.get("/erased").body, `data-stage="erasing" data-waits`, "the page looks for the end by itself")
	answer := customer.press("/erase", "/verification", "way", "redirect")
	assert.Equal(t, http.StatusConflict, answer.status, "nothing new begins before the old is gone")
	b.work()
	assert.Equal(t, "Your data is being erased", customer.sees(), "the service does not answer")
	assert.Equal(t, 2, b.count("verifications WHERE erasing"), "what the service still has is not forgotten")
	b.fake.ClearFaults()
	b.pass(time.Minute)
	b.work()
	assert.NotEqual(t, "erasing", customer.get("/verification/state").body)
	erased := customer.get("/erased")
	assert.Contains(t, erased.body, `<h1 id="title">Your data has been erased</h1>`)
	assert.NotContains(t, erased.body, "data-waits")
	assert.Empty(t, erased.header.Values("Set-Cookie"), "nothing is kept to say so")
	assert.Equal(t, "Verify your identity", customer.sees(), "and it is said on that page alone")
	assert.Equal(t, "/verification", other.get("/erased").header.Get("Location"), "not to somebody of whom there are data")
	sessions := b.fake.Sessions()
	require.Len(t, sessions, 1)
	assert.Equal(t, kept, sessions[0].Token)
	for _, rows := range []string{
		"verifications WHERE customer = 'customer-1'", "accounts WHERE customer = 'customer-1'",
		"outcomes WHERE verification IN (1, 2)", "jobs WHERE verification IN (1, 2)",
	} {
		assert.Zero(t, b.count(rows), rows)
	}
	assert.Equal(t, 2, b.count("begins WHERE customer = 'customer-1'"), "erasing does not buy new tries")
}

func TestWhoErasesIsToldOfTheErasureAndOfNothingElse(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	require.NoError(t, b.fake.Reject(customer.begin(), "a_code_of_tomorrow"))
	b.work()
	const advice = "Your details could not be confirmed. It often helps to use a valid document"
	assert.Contains(t, customer.get("/verification").body, advice)
	customer.press("/erase", "/erase")
	page := customer.get("/erased").body
	assert.Contains(t, page, "Your data is being erased")
	assert.NotContains(t, page, advice)
}

func TestErasingASessionThatIsGoneSucceeds(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	b.fake.Reset()
	customer.press("/erase", "/erase")
	b.work()
	assert.Equal(t, "Verify your identity", customer.sees())
	assert.Zero(t, b.count("verifications"))
}

func TestWhatIsErasedIsNowhereInTheDatabase(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	require.NoError(t, b.fake.Approve(token))
	b.work()
	reviewer := b.signedIn("reviewer-1")
	for range 2 { // the second answer replaces the first
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
			continue // has no such modes
		}
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

// keeps reports whether a database still has a text somewhere.
func keeps(t *testing.T, path, text string) bool {
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

func TestWhatAKilledProcessHasErasedLeavesTheDatabaseAfterTheRestart(t *testing.T) {
	b := newBank(t)
	token := string(b.signedIn("customer-1").begin())
	require.NoError(t, b.store.keep(t.Context(), 1, "screening", "reviewer-1", []byte(`{"Name":"Somebody Searched"}`)))
	require.NoError(t, b.store.eraseAll(t.Context(), "customer-1"))
	_, err := b.store.exec(t.Context(), "DELETE FROM verifications WHERE erasing") // and is killed
	require.NoError(t, err)
	var path string
	require.NoError(t, b.store.db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
	left := filepath.Join(t.TempDir(), "left.db")
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + end)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(left+end, data, 0o600))
	}
	require.True(t, keeps(t, left, token))
	require.True(t, keeps(t, left, "Somebody Searched"))
	restarted, err := openStore(t.Context(), left)
	require.NoError(t, err)
	defer func() { assert.NoError(t, restarted.close()) }()
	require.NoError(t, restarted.sweep(t.Context()))
	assert.False(t, keeps(t, left, token))
	assert.False(t, keeps(t, left, "Somebody Searched"))
}

func TestWhatIsErasedWhileAnotherProcessReadsLeavesTheDatabaseAfterwards(t *testing.T) {
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
	require.NoError(t, b.store.eraseAll(t.Context(), "customer-1"))
	b.work()
	require.Zero(t, b.count("verifications"))
	require.True(t, keeps(t, path, token), "a reader holds the log")
	require.NoError(t, tx.Rollback())
	require.NoError(t, b.store.sweep(t.Context()))
	assert.False(t, keeps(t, path, token))
}

func TestAnApprovalThatComesWhileDataAreErasedOpensNoAccount(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	b.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, b.fake.Approve(token))
	worked := make(chan error)
	go func() { worked <- b.worker.work(t.Context()) }()
	require.Eventually(t, func() bool { return holds(b.fake, "result/") }, patience, time.Millisecond)
	customer.press("/erase", "/erase")
	b.fake.Release()
	require.NoError(t, <-worked)
	assert.Zero(t, b.count("accounts"))
	assert.Zero(t, b.count("verifications"))
	assert.Empty(t, b.fake.Sessions())
}

// Messages.

func TestAOneTimePasswordIsSentOnceAndNeverLogged(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	send := func(callback identomattest.Callback) int {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, callback)
		require.NoError(t, err)
		return status
	}
	const handed = "a message was handed to the stub"
	for range 3 {
		assert.Equal(t, 200, send(identomattest.OneTimePassword(token, "+12025550143", "918273")))
	}
	assert.Equal(t, 1, strings.Count(b.logged.String(), handed))
	assert.Equal(t, 200, send(identomattest.SessionLinkSMS(token, "+12025550143", "https://bank.example/s/5544332211")))
	assert.Equal(t, 200, send(identomattest.OneTimePassword("8x0q1zp5v7m3c9k2j4h6g8f1d3s5a7w9e2r4t6y8", "+12025550199", "1234")), "an unknown session")
	assert.Equal(t, 2, strings.Count(b.logged.String(), handed))
	for i := range smsPerNumber {
		assert.Equal(t, 200, send(identomattest.OneTimePassword(token, "+12025550143", "55443322"+string(rune('0'+i)))))
	}
	assert.Equal(t, smsPerNumber, strings.Count(b.logged.String(), handed), "a number gets no more in an hour")
	for _, secret := range []string{"918273", "5550143", "5544332", string(token)} {
		assert.NotContains(t, b.logged.told(), secret)
	}
}

func TestAMessageThatTheGatewayRefusedIsSentWhenItIsAskedForAgain(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	var taken []string
	gateway := errors.New("the gateway is down")
	b.server.sms.gateway = func(_ context.Context, message identomat.SMS) error {
		if gateway == nil {
			taken = append(taken, message.PhoneNumber)
		}
		return gateway
	}
	send := func() int {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(token, "+12025550143", "918273"))
		require.NoError(t, err)
		return status
	}
	for range smsPerNumber {
		assert.Equal(t, 500, send(), "what was not taken does not count")
	}
	gateway = nil
	assert.Equal(t, 200, send())
	assert.Equal(t, 200, send())
	assert.Equal(t, []string{"+12025550143"}, taken)
}

func TestACustomerWithManyNumbersGetsNoMoreMessages(t *testing.T) {
	b := newBank(t)
	token, other := b.signedIn("customer-1").begin(), b.signedIn("customer-2").begin()
	for i := range 3 * smsPerSession {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(token, fmt.Sprintf("+120255501%02d", i), "918273"))
		require.NoError(t, err)
		assert.Equal(t, 200, status)
	}
	status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(other, "+12025550199", "5511"))
	require.NoError(t, err)
	assert.Equal(t, 200, status, "another customer is not in their way")
	assert.Equal(t, smsPerSession+1, strings.Count(b.logged.String(), "a message was handed to the stub"))
}

// Logs.

func TestNoLogLineOfAWholeOnboardingHoldsASecret(t *testing.T) {
	b := newBank(t).working()
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	token := customer.begin()
	_, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.OneTimePassword(token, "+12025550143", "918273"))
	require.NoError(t, err)
	b.fake.Fault("result/", identomattest.HTMLPage(502), 1)
	require.NoError(t, b.fake.ManualCheck(token))
	customer.get("/verification/return?session_token=" + string(token))
	customer.get("/verification/return?session_token=" + string(token) + "&session_token=" + string(token))
	require.Eventually(t, func() bool { return b.latest("customer-1").State == manualCheck }, patience, 5*time.Millisecond)
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
	_, err = b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.PlainCallback("x", token).WithKey("a-wrong-callback-key"))
	require.NoError(t, err)
	customer.press("/erase", "/erase")
	require.Eventually(t, func() bool { return b.count("verifications") == 0 }, patience, 5*time.Millisecond)

	text := b.logged.told()
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
