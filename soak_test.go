package identomat_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// soakCalls is the number of calls in the soak test.
var soakCalls = map[bool]int{false: 1_000, true: 50_000}[longTests]

// countingDialer counts all connections that it has opened, and the connections that are still open.
type countingDialer struct{ opened, open atomic.Int64 }

type countedConn struct {
	net.Conn
	onClose func()
}

func (c *countedConn) Close() error {
	c.onClose()
	return c.Conn.Close()
}

func (d *countingDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.opened.Add(1)
	d.open.Add(1)
	return &countedConn{conn, sync.OnceFunc(func() { d.open.Add(-1) })}, nil
}

// soak makes calls of every class to the fake. A quarter of the calls meet a fault, and some have a
// deadline that is too short.
type soak struct {
	t      *testing.T
	server *identomattest.Server
	client *identomat.Client
	conns  countingDialer
	dir    string
	// approved and open are the sessions that the calls read.
	approved, open []identomat.Token
	begun          atomic.Int64
	photo          [sha256.Size]byte

	mu       sync.Mutex
	outcomes map[string]int
}

func newSoak(t *testing.T) *soak {
	s := &soak{t: t, dir: t.TempDir(), outcomes: map[string]int{}}
	s.server = identomattest.NewServer(t, identomattest.RequireHMAC(), identomattest.WithLogf(func(string, ...any) {}))
	transport := &http.Transport{DialContext: s.conns.dial, MaxIdleConnsPerHost: 8}
	s.client = s.server.Client(
		identomat.WithHTTPClient(&http.Client{Transport: transport}),
		identomat.WithHMAC(s.server.SecretKey, identomat.RequireSignedResponses()),
		identomat.WithRetry(identomat.RetryPolicy{BaseDelay: time.Microsecond, MaxDelay: time.Millisecond}))
	return s
}

// prepare begins the sessions that the calls read.
func (s *soak) prepare() {
	s.approved, s.open = nil, nil
	for i := range 8 {
		session, err := s.client.Sessions.Begin(s.t.Context(), identomat.BeginRequest{
			Steps: identomat.Steps{identomat.IdentityDocument(), identomat.Liveness(), identomat.VideoCall()},
		})
		require.NoError(s.t, err)
		if i%2 == 0 {
			s.open = append(s.open, session.Token)
			continue
		}
		require.NoError(s.t, s.server.Approve(session.Token))
		s.approved = append(s.approved, session.Token)
	}
	media, err := s.client.Media.Face(s.t.Context(), s.approved[0])
	require.NoError(s.t, err)
	data, err := media.Bytes()
	require.NoError(s.t, err)
	s.photo = sha256.Sum256(data)
}

// soakFaults lists the faults in the soak test. Each applies to one request.
var soakFaults = []func() identomattest.Fault{
	identomattest.ResetBeforeRead, identomattest.ResetAfterRead,
	identomattest.EmptyBody, identomattest.EmptyObject, identomattest.Null,
	identomattest.WrongSignature, identomattest.MissingSignature,
	func() identomattest.Fault { return identomattest.HTTPStatus(500).AfterProcessing() },
	func() identomattest.Fault { return identomattest.HTTPStatus(503) },
	func() identomattest.Fault { return identomattest.TooManyRequests(0) },
	func() identomattest.Fault { return identomattest.TooManyRequests(time.Hour) },
	func() identomattest.Fault { return identomattest.HTMLPage(502) },
	func() identomattest.Fault { return identomattest.HTMLPage(200) },
	func() identomattest.Fault { return identomattest.ArgumentError("session-not-found") },
	func() identomattest.Fault { return identomattest.InternalError("broken") },
	func() identomattest.Fault { return identomattest.Truncated(rand.IntN(400)) },
	func() identomattest.Fault { return identomattest.WrongContentType("text/html") },
	func() identomattest.Fault { return identomattest.Redirect(302, "http://127.0.0.1:1/") },
	func() identomattest.Fault { return identomattest.SlowHeaders(2 * time.Millisecond) },
	func() identomattest.Fault { return identomattest.SlowBody(2 * time.Millisecond) },
}

// run makes the calls in 16 goroutines. It logs the progress ten times.
func (s *soak) run(calls int) {
	var started atomic.Int64
	var workers sync.WaitGroup
	for worker := range 16 {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(50_000, uint64(worker)))
			for n := int(started.Add(1)); n <= calls; n = int(started.Add(1)) {
				s.call(random)
				if longTests && n%(calls/10) == 0 {
					s.t.Logf("%d of %d calls", n, calls)
				}
			}
		})
	}
	workers.Wait()
}

// call makes one call of a random class and counts its outcome.
func (s *soak) call(random *rand.Rand) {
	ctx, cancel := s.t.Context(), context.CancelFunc(func() {})
	switch random.IntN(12) {
	case 0, 1, 2:
		s.server.Fault(identomattest.AnyOperation, soakFaults[random.IntN(len(soakFaults))](), 1)
	case 3:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(4000))*time.Microsecond)
	}
	defer cancel()
	pick := func(tokens []identomat.Token) identomat.Token { return tokens[random.IntN(len(tokens))] }
	var err error
	var class string
	switch random.IntN(8) {
	case 0:
		class, err = "create", s.create(ctx)
	case 1:
		class = "upload"
		_, err = s.client.Documents.Passport(ctx, image())
	case 2:
		class, err = "download", s.download(ctx, pick(s.approved), random.Uint64())
	case 3:
		class, err = "archive", s.archive(ctx, pick(s.approved), random.Uint64())
	case 4:
		class, err = "delete", s.remove(ctx)
	case 5:
		class = "read, open"
		var result *identomat.Result
		if result, err = s.client.Sessions.Result(ctx, pick(s.open)); err == nil {
			assert.False(s.t, result.Approved(), "an open session is reported as approved")
		}
	default:
		class = "read, approved"
		var result *identomat.Result
		if result, err = s.client.Sessions.Result(ctx, pick(s.approved)); err == nil {
			assert.True(s.t, result.Approved(), "an approved session is reported as not approved")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes[class+": "+errorKind(err)]++
}

// create begins a session with a unique ClientUserID.
func (s *soak) create(ctx context.Context) error {
	_, err := s.client.Sessions.Begin(ctx, identomat.BeginRequest{ClientUserID: fmt.Sprint("customer-", s.begun.Add(1))})
	return err
}

// remove deletes a session that no other call reads.
func (s *soak) remove(ctx context.Context) error {
	session, err := s.client.Sessions.Begin(s.t.Context(), identomat.BeginRequest{})
	if err != nil {
		return err
	}
	_, err = s.client.Sessions.Delete(ctx, session.Token)
	return err
}

// download saves a photo. If it fails, there must be no file.
func (s *soak) download(ctx context.Context, token identomat.Token, name uint64) error {
	path := filepath.Join(s.dir, fmt.Sprint(name, ".jpg"))
	media, err := s.client.Media.Face(ctx, token)
	if err == nil {
		_, err = media.SaveFile(path)
	}
	data, readErr := os.ReadFile(path)
	if err != nil {
		assert.ErrorIs(s.t, readErr, os.ErrNotExist, "a failed download left a file")
		return err
	}
	assert.NoError(s.t, readErr)
	assert.Equal(s.t, s.photo, sha256.Sum256(data), "the saved file is not the photo")
	assert.NoError(s.t, os.Remove(path))
	return nil
}

// archive extracts the photos from a video call. Each archive has its own folder. If the extraction fails,
// the folder must be empty.
func (s *soak) archive(ctx context.Context, token identomat.Token, name uint64) error {
	dir := filepath.Join(s.dir, fmt.Sprint(name))
	assert.NoError(s.t, os.Mkdir(dir, 0o700))
	defer func() { assert.NoError(s.t, os.RemoveAll(dir)) }()
	for archive, err := range s.client.VideoCalls.Shots(ctx, token) {
		if err != nil {
			return err
		}
		shots, err := os.MkdirTemp(dir, "")
		assert.NoError(s.t, err)
		n, err := archive.ExtractTo(shots)
		if err != nil {
			assert.Empty(s.t, filesIn(s.t, shots), "a failed extraction left files")
			return err
		}
		assert.Len(s.t, filesIn(s.t, shots), n)
	}
	return nil
}

// settle empties the fake and closes idle connections. It then waits up to a minute until no connection is
// open and no more than the given number of goroutines are running. Leaked connections and goroutines never
// end. settle returns the size of the heap.
func (s *soak) settle(goroutines int) (heap uint64) {
	s.server.ClearFaults()
	s.server.Reset()
	s.client.CloseIdleConnections()
	for deadline := time.Now().Add(time.Minute); s.conns.open.Load() > 0 || runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			s.t.Fatalf("%d connections are open; %d goroutines run, %d at the start:\n%s",
				s.conns.open.Load(), runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks, true)])
		}
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestSoak makes many concurrent calls with faults. The calls must not leak goroutines, connections, memory
// or files, and must not begin a session twice. If longTests is set, there are 50,000 calls.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	goroutines := runtime.NumGoroutine()
	s.prepare()
	s.run(soakCalls / 10) // fills pools and caches, so that they do not look like leaks
	before := s.settle(goroutines)

	s.prepare()
	clear(s.outcomes)
	start, opened := time.Now(), s.conns.opened.Load()
	s.run(soakCalls)
	took := time.Since(start).Round(time.Second)

	customers := map[string]bool{}
	for _, session := range s.server.Sessions() {
		if strings.HasPrefix(session.ClientUserID, "customer-") {
			assert.False(t, customers[session.ClientUserID], "%s has two sessions", session.ClientUserID)
			customers[session.ClientUserID] = true
		}
	}
	assert.GreaterOrEqual(t, len(customers), s.outcomes["create: ok"])
	assert.Empty(t, filesIn(t, s.dir))
	after := s.settle(goroutines)
	assert.Less(t, after, before+1<<20, "bytes of heap")

	total, failed := 0, 0
	var lines []string
	for outcome, n := range s.outcomes {
		total += n
		if !strings.HasSuffix(outcome, ": ok") {
			failed += n
			assert.NotContains(t, outcome, "*", "a caller cannot tell the kind of this error")
		}
		lines = append(lines, fmt.Sprintf("\n  %6d %s", n, outcome))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[9:], b[9:]) })
	assert.Equal(t, soakCalls, total)
	assert.Greater(t, failed, total/20, "too few calls met a fault")
	t.Logf("%d calls in %s, %d failed; goroutines: %d before, %d after; heap: %d kB before, %d kB after; connections: %d opened, %d left open%s",
		total, took, failed, goroutines, runtime.NumGoroutine(), before>>10, after>>10, s.conns.opened.Load()-opened, s.conns.open.Load(), strings.Join(lines, ""))
}
