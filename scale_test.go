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

// The load that 10,000 waiting sessions put on the service and on their process, in virtual
// time: a run of minutes takes seconds, and its figures do not depend on the machine.

// waiting sessions are 10,000; the race detector makes each of them many times as dear.
var waiting = map[bool]int{false: 10_000, true: 4_000}[raceEnabled]

// pacer is a limiter of the kind that golang.org/x/time/rate has: requests go one after the
// other, every so often, in the order in which they came.
type pacer struct {
	every time.Duration
	mu    sync.Mutex
	next  time.Time
}

func (p *pacer) Wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	p.mu.Unlock()
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load counts the requests that arrive in every second.
type load struct {
	start     time.Time
	perSecond [600]atomic.Int64
	last      atomic.Int64 // the last second with a request
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

// histogram draws the requests per second: the mean and the busiest second of every five.
func histogram(seconds []int64) string {
	var out strings.Builder
	most := slices.Max(seconds)
	for i := 0; i < len(seconds); i += 5 {
		five := seconds[i:min(i+5, len(seconds))]
		bar := int(50 * slices.Max(five) / max(most, 1))
		fmt.Fprintf(&out, "\n  %3d-%3d s %6d/s, at most %6d/s %s", i, i+len(five), sum(five)/int64(len(five)), slices.Max(five), strings.Repeat("#", bar))
	}
	return out.String()
}

// deciding is a service of literal replies at which every session is settled at a time of its
// own, all of them between from and to.
func deciding(l *load, from, to time.Duration, refused func(since time.Duration) string) func(sessionToken string) (status, body string) {
	settled := make([]time.Duration, waiting)
	random := rand.New(rand.NewPCG(6, 6))
	for i := range settled {
		settled[i] = from + time.Duration(random.Int64N(int64(to-from)))
	}
	return func(sessionToken string) (string, string) {
		l.arrive()
		since := time.Since(l.start)
		if line := refused(since); line != "" {
			return line, "<html></html>"
		}
		var i int
		if _, err := fmt.Sscanf(sessionToken, "session%d", &i); err != nil {
			return "400 Bad Request", ""
		}
		if since < settled[i] {
			return "200 OK", `{"result":"in_progress"}`
		}
		return "200 OK", `{"result":"approved"}`
	}
}

func never(time.Duration) string { return "" }

// stubbedBy is such a service without a network.
func stubbedBy(service func(string) (string, string)) roundTrip {
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
		return reply(status, text), err
	}
}

// waitForAll waits on all sessions at once.
func waitForAll(t *testing.T, client *identomat.Client) (finish func() (approved int64)) {
	var approved atomic.Int64
	var all sync.WaitGroup
	for i := range waiting {
		all.Go(func() {
			result, err := client.Sessions.Wait(t.Context(), identomat.Token(fmt.Sprintf("session%d", i)))
			if err == nil && result.Approved() {
				approved.Add(1)
			}
		})
	}
	return func() int64 {
		all.Wait()
		return approved.Load()
	}
}

// memory is what the process holds on the heap and in stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// TestScaleALimiterBoundsTheLoadOfAllThatWait sends real HTTP: the limiter bounds the load in
// every second, a waiting session is one goroutine and a few kB, and none is forgotten.
func TestScaleALimiterBoundsTheLoadOfAllThatWait(t *testing.T) {
	perSecond := waiting / 20
	synctest.Test(t, func(t *testing.T) {
		l := &load{start: time.Now()}
		service := deciding(l, 30*time.Second, 60*time.Second, never)
		network := &memoryNetwork{fault: fault{}, classes: map[string]callClass{}}
		network.answers = func(form url.Values) string {
			time.Sleep(50 * time.Millisecond)
			line, body := service(form.Get("session_token"))
			return literal(line, "Content-Type: application/json\r\n", body)
		}
		transport := &http.Transport{DialContext: network.dial, MaxIdleConnsPerHost: 100}
		defer transport.CloseIdleConnections()
		client, err := identomat.NewClient(companyKey,
			identomat.WithHTTPClient(&http.Client{Transport: transport}), identomat.WithWidgetURL("http://localhost"),
			identomat.WithRateLimiter(&pacer{every: time.Second / time.Duration(perSecond)}))
		require.NoError(t, err)

		goroutines, held := runtime.NumGoroutine(), memory()
		finish := waitForAll(t, client)
		time.Sleep(29 * time.Second)
		perWaiter := float64(runtime.NumGoroutine()-goroutines) / float64(waiting)
		bytes := int64(memory()-held) / int64(waiting)
		require.EqualValues(t, waiting, finish())

		seconds := l.seconds()
		assert.LessOrEqual(t, slices.Max(seconds), int64(perSecond)+1, "in no second more than the limiter allows")
		assert.GreaterOrEqual(t, sum(seconds[:60]), int64(60*perSecond*9/10), "and nearly as much as it allows")
		assert.Less(t, perWaiter, 1.1, "a waiting session is the goroutine that waits")
		if !raceEnabled {
			assert.Less(t, bytes, int64(16<<10))
		}
		t.Logf("%d sessions behind a limiter of %d/s, all settled after %s: %.3f goroutines and %d bytes per waiting session, %d connections, %d requests%s",
			waiting, perSecond, time.Since(l.start).Round(time.Second), perWaiter, bytes, len(network.conns), sum(seconds), histogram(seconds))
	})
}

// TestScaleJitterSpreadsWhatBeganAtOnce has no limiter: what began in the same
// instant is spread by the random part of the intervals.
func TestScaleJitterSpreadsWhatBeganAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &load{start: time.Now()}
		finish := waitForAll(t, stubbed(t, stubbedBy(deciding(l, 70*time.Second, 71*time.Second, never))))
		require.EqualValues(t, waiting, finish())
		seconds := l.seconds()
		assert.EqualValues(t, waiting, seconds[0], "the first poll is at once")
		for i, n := range seconds[1:] {
			assert.LessOrEqual(t, n, int64(waiting), "no session polls twice in second %d", i+1)
		}
		steady := seconds[45:70]
		mean := sum(steady) / int64(len(steady))
		assert.LessOrEqual(t, slices.Max(steady), mean*3/2)
		assert.GreaterOrEqual(t, slices.Min(steady), mean/2)
		assert.LessOrEqual(t, mean, int64(waiting/8), "and every session polls about every eleven seconds")
		t.Logf("%d sessions without a limiter, %d requests; from second 45 on %d/s, at most %d/s%s",
			waiting, sum(seconds), mean, slices.Max(steady), histogram(seconds))
	})
}

// TestScaleABurstOf429DoesNotMultiplyTheRequests refuses everything for ten seconds: the service is
// sent at most 1.2 times what it would be sent without, and every session survives.
func TestScaleABurstOf429DoesNotMultiplyTheRequests(t *testing.T) {
	const from, to = 20, 30
	run := func(refused func(time.Duration) string) (seconds []int64, calls int64) {
		synctest.Test(t, func(t *testing.T) {
			l := &load{start: time.Now()}
			var polls atomic.Int64
			client := stubbed(t, stubbedBy(deciding(l, 45*time.Second, 50*time.Second, refused)), identomat.WithObserver(func(e identomat.Event) {
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
	assert.LessOrEqual(t, overall, 1.2, "sends of a call")
	assert.LessOrEqual(t, inside, 1.2, "during the burst")
	assert.LessOrEqual(t, after, 1.2, "after it")
	assert.Greater(t, refused.Load(), int64(waiting/2))
	t.Logf("%d of %d requests refused with 429: %.3f sends per call; %.3f times the requests of a calm run during the burst, %.3f in the 15 s after it%s",
		refused.Load(), sum(burst), overall, inside, after, histogram(burst))
}

// TestScaleRefusedCallsAreHardlySentAgain makes calls that are not polls, and of which none
// succeeds.
func TestScaleRefusedCallsAreHardlySentAgain(t *testing.T) {
	for _, line := range []string{"429", "503"} {
		synctest.Test(t, func(t *testing.T) {
			var sent, failed atomic.Int64
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				sent.Add(1)
				if line == "429" {
					return reply(429, ""), nil
				}
				return reply(503, ""), nil
			})
			var all sync.WaitGroup
			for range waiting {
				all.Go(func() {
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
			all.Wait()
			require.EqualValues(t, waiting, failed.Load())
			amplification := float64(sent.Load()) / float64(waiting)
			assert.LessOrEqual(t, amplification, 1.2)
			assert.Greater(t, amplification, 1.0, "a few are sent again, in hope")
			t.Logf("%d calls within ten seconds, all answered with %s: %.3f sends per call", waiting, line, amplification)
		})
	}
}
