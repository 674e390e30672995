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
	evidence string
	widget   string // the program's IDENTOMAT_WIDGET_URL
	cmd      *exec.Cmd
	ended    chan error
	db       *database // the test's own connection to the database
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(i *installation)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(install(t, filepath.Join(t.TempDir(), "bank.db")))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(install(t, newPostgres(t)))
	})
}

func install(t *testing.T, database string) *installation {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	i := &installation{T: t, addr: free.Addr().String(), database: database, evidence: filepath.Join(t.TempDir(), "evidence")}
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
		"WEBAPP_RUN=1", "ADDR=" + i.addr, "PUBLIC_URL=http://" + i.addr, "DATABASE=" + i.database, "EVIDENCE=" + i.evidence, "SIGN_IN_PASSWORD=" + password,
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
		if isPostgres(i.database) {
			i.db, err = openPostgres(i.database)
		} else {
			i.db, err = openSQLite(i.database)
		}
		require.NoError(i, err)
	}
}

// kill kills the program.
func (i *installation) kill() {
	i.Helper()
	require.NoError(i, i.cmd.Process.Kill())
	require.Error(i, <-i.ended)
}

// restart starts the program after it was killed.
func (i *installation) restart() {
	i.Helper()
	i.later()
	i.start()
}

// later lets five minutes pass for the jobs of a killed program: River takes them for lost after three, and a
// leader that was killed keeps its office for 15 seconds.
func (i *installation) later() {
	i.Helper()
	i.exec("DELETE FROM river_leader")
	attempted := "strftime('%Y-%m-%d %H:%M:%f', attempted_at, '-5 minutes')"
	if !i.db.sqlite {
		attempted = "attempted_at - interval '5 minutes'"
	}
	i.exec("UPDATE river_job SET attempted_at = " + attempted + " WHERE state = 'running'")
}

func (i *installation) exec(statement string) {
	i.Helper()
	_, err := i.db.ExecContext(i.Context(), statement)
	require.NoError(i, err)
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

// collected reports whether the evidence of the verification is collected.
func (i *installation) collected() bool { return i.count("identomat_records WHERE sealed_at > 0") == 1 }

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
	i.restart()
	i.wait("the outcome is shown", func() bool { return customer.heading() == "Your account is open" })
	for _, table := range []string{"outcomes", "accounts"} {
		assert.Equal(i, 1, i.count(table), table)
	}
	i.wait("the evidence is collected", i.collected)
	status, err := i.fake.SendCallback(i.Context(), "http://"+i.addr+callbackPath,
		identomattest.PlainCallback("status-of-a-test", i.fake.Sessions()[0].Token))
	require.NoError(i, err)
	assert.Equal(i, http.StatusOK, status)
	assert.Equal(i, 1, i.count("accounts"))
	assert.Equal(i, 1, countRequests(i.fake, "begin/"))
	i.kill()
	i.restart()
	assert.Equal(i, "Your account is open", customer.heading(), "the outcome and the sign-in survive another restart")
	assert.Equal(i, 1, i.count("accounts"))
}

func TestKillBetweenCallbackAndFetch(t *testing.T) { onBoth(t, killBetweenCallbackAndFetch) }

func killBetweenCallbackAndFetch(i *installation) {
	t := i.T
	i.start()
	customer := i.customer()
	token := customer.begin()
	i.fake.Fault("result/", identomattest.SlowHeaders(0), 0)
	require.NoError(t, i.fake.Approve(token)) // returns after the program has responded to the callback
	assert.Equal(t, 1, i.count("identomat_records WHERE wakes = 1"), "the callback is stored")
	i.wait("the engine calls result/", func() bool { return hasResponse(i.fake, "result/") })
	i.kill()
	assert.Zero(t, i.count("outcomes"), "no outcome is stored")
	i.fake.ClearFaults()
	i.fake.Release()
	i.restartApproved(customer)
}

func TestKillBetweenFetchAndCommit(t *testing.T) { onBoth(t, killBetweenFetchAndCommit) }

func killBetweenFetchAndCommit(i *installation) {
	t := i.T
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
		lock, err := i.db.BeginTx(t.Context(), nil) // locks SQLite
		assert.NoError(t, err)
		if !i.db.sqlite {
			_, err = lock.ExecContext(t.Context(), "LOCK TABLE identomat_records")
			assert.NoError(t, err)
		}
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

func TestKillDuringBegin(t *testing.T) { onBoth(t, killDuringBegin) }

func killDuringBegin(i *installation) {
	t := i.T
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
	i.restart()
	got := customer.press("/verification", "/verification", "way", "redirect")
	assert.Equal(t, "/verification", got.header.Get("Location"))
	assert.Equal(t, "We could not start your verification", customer.heading())
	assert.Equal(t, 1, countRequests(i.fake, "begin/"), "a session may exist, so no other one is begun")
	assert.Len(t, i.fake.Sessions(), 1)
}

func TestKillDuringCollection(t *testing.T) { onBoth(t, killDuringCollection) }

func killDuringCollection(i *installation) {
	t := i.T
	i.start()
	i.fake.Fault("result/face/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, i.fake.Approve(i.customer().begin()))
	i.wait("the engine collects the evidence", func() bool { return hasResponse(i.fake, "result/face/") })
	i.kill()
	i.fake.Release()
	i.restart()
	i.wait("the evidence is collected", i.collected)
	check, err := evidence.Verify(os.DirFS(filepath.Join(i.evidence, "1")))
	require.NoError(t, err)
	assert.True(t, check.Complete)
}

func TestKillDuringErasure(t *testing.T) { onBoth(t, killDuringErasure) }

func killDuringErasure(i *installation) {
	t := i.T
	i.start()
	customer := i.customer()
	require.NoError(t, i.fake.Approve(customer.begin()))
	i.wait("the evidence is collected", i.collected)
	reviewer := newPerson(t, "http://"+i.addr)
	reviewer.press("/", "/sign-in", "user", "reviewer-1", "password", password)
	reviewer.press("/review", "/review/1/screening")
	require.Equal(t, 1, i.count("checks"))
	i.fake.Fault("delete/", identomattest.SlowHeaders(0), 1)
	assert.Equal(t, http.StatusSeeOther, customer.press("/erase", "/erase").status)
	i.wait("the engine calls delete/", func() bool { return hasResponse(i.fake, "delete/") })
	i.kill()
	assert.Equal(t, 1, i.count("verifications WHERE erasing"))
	assert.Empty(t, i.fake.Sessions(), "the service has erased the session, but the records remain")
	i.fake.Release()
	i.restart()
	i.wait("the records are erased", func() bool { return strings.Contains(customer.get("/erased").body, "Your data has been erased") })
	assert.NoDirExists(t, filepath.Join(i.evidence, "1"))
	assert.Equal(t, "Verify your identity", customer.heading())
	assert.Zero(t, i.count("verifications"))
	assert.Zero(t, i.count("checks"))
}

func TestShutdownFinishesRequests(t *testing.T) { onBoth(t, shutdownFinishesRequests) }

func shutdownFinishesRequests(i *installation) {
	t := i.T
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send an interrupt to one process")
	}
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

// Two processes share a database, and one of them is killed. The other one continues its work.
func TestKillOneOfTwoProcesses(t *testing.T) {
	first := install(t, newPostgres(t))
	second := install(t, first.database)
	second.fake, second.widget, second.evidence = first.fake, first.widget, first.evidence
	var both sync.WaitGroup
	both.Go(first.start) // both migrate the empty database
	both.Go(second.start)
	both.Wait()
	one, two := first.customer(), newPerson(t, "http://"+second.addr)
	at, err := url.Parse(one.url)
	require.NoError(t, err)
	two.browser.Jar.SetCookies(&url.URL{Scheme: "http", Host: second.addr}, one.browser.Jar.Cookies(at))

	form := url.Values{"csrf": {one.csrf("/verification")}, "way": {"redirect"}}
	locations := make([]string, 10)
	var presses sync.WaitGroup
	for n := range locations {
		presses.Go(func() {
			p := []*person{one, two}[n%2]
			locations[n] = p.send(p.request(http.MethodPost, "/verification", form)).header.Get("Location")
		})
	}
	presses.Wait()
	token := first.fake.Sessions()[0].Token
	for _, location := range locations {
		assert.Equal(t, first.fake.WidgetURL+"/?session_token="+string(token), location, "every request leads to the one session")
	}
	assert.Equal(t, 1, countRequests(first.fake, "begin/"))

	second.kill()
	first.fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	require.NoError(t, first.fake.Approve(token))
	first.wait("the first process calls result/", func() bool { return hasResponse(first.fake, "result/") })
	second.start()
	first.kill()
	first.fake.Release()
	first.later()
	first.wait("the outcome is shown", func() bool { return two.heading() == "Your account is open" })
	first.wait("the evidence is collected", first.collected)
	for _, table := range []string{"outcomes", "accounts"} {
		assert.Equal(t, 1, first.count(table), table)
	}
}
