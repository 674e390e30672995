package identomat_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// These tests measure the load from thousands of waiting sessions, on the service and in the caller's
// process. Time is virtual, so minutes pass in seconds, and the numbers do not depend on the machine.

// waiting is the number of waiting sessions.
var waiting = map[bool]int{false: 2_000, true: 10_000}[longTests]

// pacer is a limiter like golang.org/x/time/rate with a burst of one. It admits requests at a fixed
// interval, in the order of arrival.
type pacer struct {
	interval time.Duration
	mu       sync.Mutex
	next     time.Time
}

func (p *pacer) Wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(p.interval)
	p.mu.Unlock()
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load counts the requests per second.
type load struct {
	start     time.Time
	perSecond [600]atomic.Int64
	last      atomic.Int64 // the latest second with a request
}

func (l *load) arrive() {
	second := int64(time.Since(l.start) / time.Second)
	l.perSecond[second].Add(1)
	for last := l.last.Load(); second > last && !l.last.CompareAndSwap(last, second); last = l.last.Load() {
	}
}

func (l *load) seconds() []int64 {
	all := make([]int64, l.last.Load()+1)
	for i := range all {
		all[i] = l.perSecond[i].Load()
	}
	return all
}

func sum(seconds []int64) (n int64) {
	for _, s := range seconds {
		n += s
	}
	return n
}

// histogram returns a text chart of the requests per second. For every five seconds it shows the mean and
// the busiest second.
func histogram(seconds []int64) string {
	var out strings.Builder
	most := slices.Max(seconds)
	for i := 0; i < len(seconds); i += 5 {
		five := seconds[i:min(i+5, len(seconds))]
		bar := int(50 * slices.Max(five) / max(most, 1))
		fmt.Fprintf(&out, "\n  %3d-%3d s %6d/s, busiest %6d/s %s", i, i+len(five), sum(five)/int64(len(five)), slices.Max(five), strings.Repeat("#", bar))
	}
	return out.String()
}

// approving returns a service with literal responses. It approves every session at a random time between
// from and to. While failing returns a status line, all responses have this status.
func approving(l *load, from, to time.Duration, failing func(since time.Duration) string) func(sessionToken string) (status, body string) {
	approved := make([]time.Duration, waiting)
	random := rand.New(rand.NewPCG(6, 6))
	for i := range approved {
		approved[i] = from + time.Duration(random.Int64N(int64(to-from)))
	}
	return func(sessionToken string) (string, string) {
		l.arrive()
		since := time.Since(l.start)
		if line := failing(since); line != "" {
			return line, "<html></html>"
		}
		var i int
		if _, err := fmt.Sscanf(sessionToken, "session%d", &i); err != nil {
			return "400 Bad Request", ""
		}
		if since < approved[i] {
			return "200 OK", `{"result":"in_progress"}`
		}
		return "200 OK", `{"result":"approved"}`
	}
}

func never(time.Duration) string { return "" }

// withoutNetwork returns a RoundTripper that calls a service directly.
func withoutNetwork(service func(string) (string, string)) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		line, text := service(form.Get("session_token"))
		var status int
		_, err = fmt.Sscan(line, &status)
		return newResponse(status, text), err
	}
}

// waitForAll waits for every session in a separate goroutine. finish waits for the goroutines and returns
// the number of approved sessions.
func waitForAll(t *testing.T, client *identomat.Client) (finish func() (approved int64)) {
	var approved atomic.Int64
	var waiters sync.WaitGroup
	for i := range waiting {
		waiters.Go(func() {
			result, err := client.Sessions.Wait(t.Context(), identomat.Token(fmt.Sprintf("session%d", i)))
			if err == nil && result.Approved() {
				approved.Add(1)
			}
		})
	}
	return func() int64 {
		waiters.Wait()
		return approved.Load()
	}
}

// memory returns the number of bytes in use on the heap and in stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// TestScaleLimiterBoundsLoad sends HTTP requests through a limiter. The limiter must bound the requests in
// every second. A waiting session must cost one goroutine and a few kB, and every session must be
// approved.
func TestScaleLimiterBoundsLoad(t *testing.T) {
	perSecond := waiting / 20
	synctest.Test(t, func(t *testing.T) {
		l := &load{start: time.Now()}
		service := approving(l, 30*time.Second, 60*time.Second, never)
		network := &memoryNetwork{respond: func(form url.Values) string {
			time.Sleep(50 * time.Millisecond)
			line, body := service(form.Get("session_token"))
			return literal(line, "Content-Type: application/json\r\n", body)
		}}
		transport := &http.Transport{DialContext: network.dial, MaxIdleConnsPerHost: 100}
		defer transport.CloseIdleConnections()
		client, err := identomat.NewClient(companyKey,
			identomat.WithHTTPClient(&http.Client{Transport: transport}), identomat.WithWidgetURL("http://localhost"),
			identomat.WithRateLimiter(&pacer{interval: time.Second / time.Duration(perSecond)}))
		require.NoError(t, err)

		goroutines, held := runtime.NumGoroutine(), memory()
		finish := waitForAll(t, client)
		time.Sleep(29 * time.Second)
		perWaiter := float64(runtime.NumGoroutine()-goroutines) / float64(waiting)
		bytes := int64(memory()-held) / int64(waiting)
		require.EqualValues(t, waiting, finish())

		seconds := l.seconds()
		assert.LessOrEqual(t, slices.Max(seconds), int64(perSecond)+1, "requests in the busiest second")
		assert.GreaterOrEqual(t, sum(seconds[:60]), int64(60*perSecond*9/10), "the requests must nearly reach the limit")
		assert.Less(t, perWaiter, 1.1, "goroutines per waiting session")
		if !raceEnabled {
			assert.Less(t, bytes, int64(8_000), "bytes per waiting session")
		}
		t.Logf("%d sessions behind a limiter of %d/s, all approved after %s: %.3f goroutines and %d bytes per waiting session, %d connections, %d requests%s",
			waiting, perSecond, time.Since(l.start).Round(time.Second), perWaiter, bytes, len(network.conns), sum(seconds), histogram(seconds))
	})
}

// TestScaleJitterSpreadsLoad starts waiting for all sessions at the same time, without a limiter. The
// jitter in the intervals must spread the polls.
func TestScaleJitterSpreadsLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &load{start: time.Now()}
		finish := waitForAll(t, stubbed(t, withoutNetwork(approving(l, 70*time.Second, 71*time.Second, never))))
		require.EqualValues(t, waiting, finish())
		seconds := l.seconds()
		assert.EqualValues(t, waiting, seconds[0], "every session polls at once")
		for i, n := range seconds[1:] {
			assert.LessOrEqual(t, n, int64(waiting), "a session must poll at most once in second %d", i+1)
		}
		steady := seconds[45:70]
		mean := sum(steady) / int64(len(steady))
		assert.LessOrEqual(t, slices.Max(steady), mean*3/2)
		assert.GreaterOrEqual(t, slices.Min(steady), mean/2)
		assert.LessOrEqual(t, mean, int64(waiting/8), "a session polls about every eleven seconds")
		t.Logf("%d sessions without a limiter, %d requests; from second 45 on %d/s, busiest %d/s%s",
			waiting, sum(seconds), mean, slices.Max(steady), histogram(seconds))
	})
}

// TestScaleBurstOf429DoesNotMultiplyRequests compares a run in which every response is a 429 for ten
// seconds to a run without 429s. The service must receive at most 1.2 times the requests, and every
// session must be approved.
func TestScaleBurstOf429DoesNotMultiplyRequests(t *testing.T) {
	const from, to = 20, 30
	run := func(failing func(time.Duration) string) (seconds []int64, calls int64) {
		synctest.Test(t, func(t *testing.T) {
			l := &load{start: time.Now()}
			var polls atomic.Int64
			client := stubbed(t, withoutNetwork(approving(l, 45*time.Second, 50*time.Second, failing)), identomat.WithObserver(func(e identomat.Event) {
				if e.Attempt == 1 {
					polls.Add(1)
				}
			}))
			require.EqualValues(t, waiting, waitForAll(t, client)())
			seconds, calls = l.seconds(), polls.Load()
		})
		return seconds, calls
	}
	calm, _ := run(never)
	var refused atomic.Int64
	burst, calls := run(func(since time.Duration) string {
		if since >= from*time.Second && since < to*time.Second {
			refused.Add(1)
			return "429 Too Many Requests"
		}
		return ""
	})
	overall := float64(sum(burst)) / float64(calls)
	inside := float64(sum(burst[from:to])) / float64(sum(calm[from:to]))
	after := float64(sum(burst[to:to+15])) / float64(sum(calm[to:to+15]))
	assert.LessOrEqual(t, overall, 1.2, "requests per call")
	assert.LessOrEqual(t, inside, 1.2, "requests during the burst, relative to the calm run")
	assert.LessOrEqual(t, after, 1.2, "requests after the burst, relative to the calm run")
	assert.Greater(t, refused.Load(), int64(waiting/2))
	t.Logf("%d of %d responses were 429: %.3f requests per call; %.3f times the requests of the calm run during the burst, %.3f times in the 15 s after it%s",
		refused.Load(), sum(burst), overall, inside, after, histogram(burst))
}

// TestScaleFailingCallsAreRarelyRetried makes calls that all fail. The client's token bucket must soon end
// the retries.
func TestScaleFailingCallsAreRarelyRetried(t *testing.T) {
	for _, line := range []string{"429", "503"} {
		synctest.Test(t, func(t *testing.T) {
			var sent, failed atomic.Int64
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				sent.Add(1)
				if line == "429" {
					return newResponse(429, ""), nil
				}
				return newResponse(503, ""), nil
			})
			var callers sync.WaitGroup
			for range waiting {
				callers.Go(func() {
					time.Sleep(rand.N(10 * time.Second))
					call := begin
					if line == "503" {
						call = getResult
					}
					if call(client, t.Context()) != nil {
						failed.Add(1)
					}
				})
			}
			callers.Wait()
			require.EqualValues(t, waiting, failed.Load())
			amplification := float64(sent.Load()) / float64(waiting)
			assert.LessOrEqual(t, amplification, 1.2, "requests per call")
			assert.Greater(t, amplification, 1.0, "requests per call")
			t.Logf("%d calls within ten seconds, every response a %s: %.3f requests per call", waiting, line, amplification)
		})
	}
}
