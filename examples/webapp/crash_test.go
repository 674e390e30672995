package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// testTimeout limits how long a test waits for an event.
const testTimeout = 2 * time.Minute

const password = "the-password-of-a-test"

// installation runs the program in a separate process and keeps what survives a restart.
type installation struct {
	*testing.T
	fake     *identomattest.Server
	addr     string
	database string
	widget   string // the program's IDENTOMAT_WIDGET_URL
	cmd      *exec.Cmd
	ended    chan error
	db       *sql.DB // the test's own connection to the database
}

func install(t *testing.T) *installation {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	i := &installation{T: t, addr: free.Addr().String(), database: filepath.Join(t.TempDir(), "bank.db")}
	require.NoError(t, free.Close())
	i.fake = identomattest.NewServer(t, identomattest.WithStatusCallback("status-of-a-test"))
	require.NoError(t, i.fake.SetCallbackURL("http://"+i.addr+callbackPath))
	i.widget = i.fake.WidgetURL
	t.Cleanup(func() {
		if i.db != nil {
			assert.NoError(t, i.db.Close())
		}
	})
	return i
}

// start starts the program and waits until it listens.
func (i *installation) start() {
	i.Helper()
	self, err := os.Executable()
	require.NoError(i, err)
	ctx, cancel := context.WithCancel(context.Background())
	i.cmd = exec.CommandContext(ctx, self)
	i.cmd.Env = []string{
		"WEBAPP_RUN=1", "ADDR=" + i.addr, "PUBLIC_URL=http://" + i.addr, "DATABASE=" + i.database, "SIGN_IN_PASSWORD=" + password,
		"IDENTOMAT_COMPANY_KEY=" + i.fake.CompanyKey, "IDENTOMAT_CALLBACK_KEYS=a-key-that-is-being-replaced," + i.fake.CallbackKey,
		"IDENTOMAT_WIDGET_URL=" + i.widget, "IDENTOMAT_API_URL=" + i.fake.APIURL,
		"GORACE=atexit_sleep_ms=0", // by default, the race detector delays the exit of a process by a second
	}
	stderr := &bytes.Buffer{}
	i.cmd.Stderr = stderr
	stdout, err := i.cmd.StdoutPipe()
	require.NoError(i, err)
	require.NoError(i, i.cmd.Start())
	listening, ended := make(chan struct{}), make(chan error, 1)
	i.ended = ended
	var once sync.Once
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Press Ctrl-C to stop.") {
				once.Do(func() { close(listening) })
			}
		}
		ended <- i.cmd.Wait()
		close(ended)
	}()
	i.Cleanup(func() { cancel(); <-ended })
	select {
	case <-listening:
	case err := <-ended:
		i.Fatalf("the program ended: %v\n%s", err, stderr)
	case <-time.After(testTimeout):
		i.Fatal("the program did not start to listen")
	}
	if i.db == nil {
		i.db, err = sql.Open("sqlite", i.database+"?_txlock=immediate&_pragma=busy_timeout(5000)")
		require.NoError(i, err)
		i.db.SetMaxOpenConns(1)
	}
}

// kill kills the program.
func (i *installation) kill() {
	i.Helper()
	require.NoError(i, i.cmd.Process.Kill())
	require.Error(i, <-i.ended)
}

func (i *installation) count(from string) (n int) {
	i.Helper()
	require.NoError(i, i.db.QueryRowContext(i.Context(), "SELECT count(*) FROM "+from).Scan(&n))
	return n
}

func (i *installation) wait(what string, until func() bool) {
	i.Helper()
	require.Eventually(i, until, testTimeout, 5*time.Millisecond, what)
}

func (i *installation) customer() *person {
	i.Helper()
	p := newPerson(i.T, "http://"+i.addr)
	require.Equal(i, http.StatusSeeOther, p.press("/", "/sign-in", "user", "customer-1", "password", password).status)
	return p
}

// restartApproved restarts the program, and checks that it shows the approval and stores the
// approval once.
func (i *installation) restartApproved(customer *person) {
	i.Helper()
	i.start()
	i.wait("the outcome is shown", func() bool { return customer.heading() == "Your account is open" })
	for _, table := range []string{"outcomes", "accounts"} {
		assert.Equal(i, 1, i.count(table), table)
	}
	i.wait("the evidence is collected", func() bool { return i.count("jobs") == 0 })
	status, err := i.fake.SendCallback(i.Context(), "http://"+i.addr+callbackPath,
		identomattest.PlainCallback("status-of-a-test", i.fake.Sessions()[0].Token))
	require.NoError(i, err)
	assert.Equal(i, http.StatusOK, status)
	assert.Equal(i, 1, i.count("accounts"))
	assert.Equal(i, 1, countRequests(i.fake, "begin/"))
	i.kill()
	i.start()
	assert.Equal(i, "Your account is open", customer.heading(), "the outcome and the sign-in survive another restart")
	assert.Equal(i, 1, i.count("accounts"))
}

func TestKillBetweenCallbackAndFetch(t *testing.T) {
	i := install(t)
	i.start()
	customer := i.customer()
	token := customer.begin()
	i.fake.Fault("result/", identomattest.SlowHeaders(0), 0)
	require.NoError(t, i.fake.Approve(token)) // returns after the program has responded to the callback
	assert.Equal(t, 1, i.count("jobs WHERE wakes = 1"), "the callback is stored")
	i.wait("the worker calls result/", func() bool { return hasResponse(i.fake, "result/") })
	i.kill()
	assert.Zero(t, i.count("outcomes"), "no outcome is stored")
	i.fake.ClearFaults()
	i.fake.Release()
	i.restartApproved(customer)
}

func TestKillBetweenFetchAndCommit(t *testing.T) {
	i := install(t)
	// A proxy in front of the fake locks the database, so that the program cannot store the outcome.
	// The proxy then sends a complete result and waits until the program has read it.
	target, err := url.Parse(i.fake.WidgetURL)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(target)
	var approved atomic.Bool
	locks := make(chan *sql.Tx, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/result/") || !approved.CompareAndSwap(true, false) {
			forward.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		forward.ServeHTTP(rec, r)
		assert.Contains(t, rec.Body.String(), `"approved"`)
		lock, err := i.db.BeginTx(t.Context(), nil)
		assert.NoError(t, err)
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		resp := rec.Result()
		resp.Close = true
		assert.NoError(t, resp.Write(conn))
		_, _ = io.Copy(io.Discard, conn) // ends when the program has read the response and closed the connection
		_ = conn.Close()
		locks <- lock
	}))
	defer proxy.Close()
	i.widget = proxy.URL
	i.start()
	customer := i.customer()
	token := customer.begin()
	approved.Store(true)
	require.NoError(t, i.fake.Approve(token))
	lock := <-locks
	i.kill()
	require.NoError(t, lock.Rollback())
	assert.Zero(t, i.count("outcomes"), "no outcome is stored")
	i.widget = i.fake.WidgetURL
	i.restartApproved(customer)
}

func TestKillDuringBegin(t *testing.T) {
	i := install(t)
	i.start()
	customer := i.customer()
	form := url.Values{"csrf": {customer.csrf("/verification")}, "way": {"redirect"}}
	i.fake.Fault("begin/", identomattest.SlowHeaders(0), 1)
	pressed := make(chan error)
	go func() {
		resp, err := customer.browser.Do(customer.request(http.MethodPost, "/verification", form))
		if err == nil {
			_ = resp.Body.Close()
		}
		pressed <- err
	}()
	i.wait("the program calls begin/", func() bool { return hasResponse(i.fake, "begin/") })
	i.kill()
	require.Error(t, <-pressed)
	i.fake.Release()
	i.start()
	got := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, "/verification", got.header.Get("Location"))
	assert.Equal(t, "We are preparing your verification", customer.heading())
	assert.Equal(t, 1, countRequests(i.fake, "begin/"), "a session may exist, so no other one is begun")
	assert.Len(t, i.fake.Sessions(), 1)
}

func TestKillDuringCollection(t *testing.T) {
	i := install(t)
	i.start()
	i.fake.Fault("result/face/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, i.fake.Approve(i.customer().begin()))
	i.wait("the worker collects the evidence", func() bool { return hasResponse(i.fake, "result/face/") })
	i.kill()
	i.fake.Release()
	i.start()
	i.wait("the evidence is collected", func() bool { return i.count("jobs") == 0 })
	check, err := evidence.Verify(os.DirFS(filepath.Join(i.database+".evidence", "1")))
	require.NoError(t, err)
	assert.True(t, check.Complete)
}

func TestKillDuringErasure(t *testing.T) {
	i := install(t)
	i.start()
	customer := i.customer()
	require.NoError(t, i.fake.Approve(customer.begin()))
	i.wait("the outcome is stored", func() bool { return i.count("outcomes") == 1 })
	reviewer := newPerson(t, "http://"+i.addr)
	reviewer.press("/", "/sign-in", "user", "reviewer-1", "password", password)
	reviewer.press("/review", "/review/1/screening")
	require.Equal(t, 1, i.count("checks"))
	i.fake.Fault("delete/", identomattest.SlowHeaders(0), 1)
	assert.Equal(t, http.StatusSeeOther, customer.press("/erase", "/erase").status)
	i.wait("the worker calls delete/", func() bool { return hasResponse(i.fake, "delete/") })
	i.kill()
	assert.Equal(t, 1, i.count("verifications WHERE erasing"))
	assert.Empty(t, i.fake.Sessions(), "the service has erased the session, but the records remain")
	i.fake.Release()
	i.start()
	i.wait("the records are erased", func() bool { return strings.Contains(customer.get("/erased").body, "Your data has been erased") })
	assert.Equal(t, "Verify your identity", customer.heading())
	assert.Zero(t, i.count("verifications"))
	assert.Zero(t, i.count("checks"))
}

func TestShutdownFinishesRequests(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send an interrupt to one process")
	}
	i := install(t)
	i.start()
	customer := i.customer()
	form := url.Values{"csrf": {customer.csrf("/verification")}, "way": {"redirect"}}
	i.fake.Fault("begin/", identomattest.SlowHeaders(0), 1)
	answered := make(chan string)
	go func() {
		resp, err := customer.browser.Do(customer.request(http.MethodPost, "/verification", form))
		if !assert.NoError(t, err) {
			close(answered)
			return
		}
		_ = resp.Body.Close()
		answered <- resp.Header.Get("Location")
	}()
	i.wait("the program calls begin/", func() bool { return hasResponse(i.fake, "begin/") })
	require.NoError(t, i.cmd.Process.Signal(os.Interrupt))
	i.wait("the listener is closed", func() bool {
		conn, err := net.Dial("tcp", i.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	i.fake.Release()
	assert.Equal(t, i.fake.WidgetURL+"/?session_token="+string(i.fake.Sessions()[0].Token), <-answered, "the customer is redirected to the session")
	require.NoError(t, <-i.ended, "the exit status is 0")
	assert.Equal(t, 1, i.count("verifications WHERE state = 'in_progress'"))
}
