package identomatriver_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	identomatriver "github.com/identomat-go/identomat/river"
)

// limitedCalls makes calls under the shared limit, in 20 goroutines.
func limitedCalls[TTx any](r childRequest, b *bank[TTx]) {
	limiter, err := b.store.NewRateLimiter(identomatriver.RateLimit{Name: "test", PerSecond: r.Limit})
	must(err)
	client, err := identomat.NewClient(r.Key, identomat.WithWidgetURL(r.WidgetURL), identomat.WithRateLimiter(limiter))
	must(err)
	var tasks sync.WaitGroup
	for range 20 {
		tasks.Go(func() {
			for range r.Calls / 20 {
				_, err := client.Sessions.Result(context.Background(), "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
				must(err)
			}
		})
	}
	tasks.Wait()
}

// Four processes share a limit of 100 requests per second.
func TestSharedRateLimit(t *testing.T) {
	onBoth(t, sharedRateLimit[*sql.Tx], sharedRateLimit[pgx.Tx])
}

var alone sync.Mutex

func sharedRateLimit[TTx any](t *testing.T, _ *bank[TTx], database string) {
	alone.Lock() // the other database's processes would disturb the times
	defer alone.Unlock()
	calls := map[bool]int{false: 100, true: 400}[longTests] // of each process
	var mu sync.Mutex
	var arrived []time.Time
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		arrived = append(arrived, time.Now())
		mu.Unlock()
		_, _ = w.Write([]byte(`{"result":"in_progress"}`))
	}))
	defer service.Close()
	ended := make(chan struct{})
	stall := longestStall(ended)
	var processes []*process
	for range 4 {
		processes = append(processes, startChild(t, childRequest{Database: database, WidgetURL: service.URL, APIURL: service.URL,
			Key: "test-company-key", Limit: 100, Calls: calls}))
	}
	for _, p := range processes {
		require.NoError(t, <-p.ended)
	}
	close(ended)
	stalled := <-stall
	require.Len(t, arrived, 4*calls)
	slices.SortFunc(arrived, time.Time.Compare)
	most := 0
	for i, first := range arrived { // every window of one second that begins with a request
		n, _ := slices.BinarySearchFunc(arrived, first.Add(time.Second), time.Time.Compare)
		most = max(most, n-i)
	}
	mean := float64(len(arrived)) / arrived[len(arrived)-1].Sub(arrived[0]).Seconds()
	t.Logf("%d requests of 4 processes: mean %.1f/s, at most %d in a second; this process stalled for up to %v", len(arrived), mean, most, stalled)
	// Requests that arrive while this process is stalled seem to arrive together when it continues.
	assert.LessOrEqual(t, most, 110+int(100*stalled.Seconds()))
	assert.GreaterOrEqual(t, mean, 85.0)
}

// longestStall returns a channel that, once ended is closed, yields the longest time for which a busy machine did
// not run this process.
func longestStall(ended <-chan struct{}) <-chan time.Duration {
	const interval = 5 * time.Millisecond
	longest := make(chan time.Duration, 1)
	go func() {
		most, last := time.Duration(0), time.Now()
		for tick := time.NewTicker(interval); ; {
			select {
			case <-ended:
				tick.Stop()
				longest <- most
				return
			case <-tick.C:
				now := time.Now()
				most, last = max(most, now.Sub(last)-interval), now
			}
		}
	}()
	return longest
}

// Without the database, a limiter without a local share sends nothing.
func TestRateLimitFailsClosed(t *testing.T) {
	b, err := openSQLite(t.TempDir() + "/bank.db")
	require.NoError(t, err)
	limiter, err := b.store.NewRateLimiter(identomatriver.RateLimit{Name: "test", PerSecond: 1000})
	require.NoError(t, err)
	b.close()
	client, err := identomat.NewClient("test-company-key", identomat.WithWidgetURL("http://127.0.0.1:1"), identomat.WithRateLimiter(limiter))
	require.NoError(t, err)
	_, err = client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.ErrorContains(t, err, "the shared rate limit cannot be used")
	assert.False(t, identomat.MaybeProcessed(err))
}

// Without the database, a limiter with a local share spaces the process's own requests.
func TestRateLimitLocalShare(t *testing.T) {
	b, err := openSQLite(t.TempDir() + "/bank.db")
	require.NoError(t, err)
	limiter, err := b.store.NewRateLimiter(identomatriver.RateLimit{Name: "test", PerSecond: 100, Local: 50})
	require.NoError(t, err)
	b.close()
	begin := time.Now()
	for range 6 {
		require.NoError(t, limiter.Wait(t.Context()))
	}
	assert.GreaterOrEqual(t, time.Since(begin), 5*time.Second/50)
}

func TestRateLimitRefusesBadSettings(t *testing.T) {
	b, err := openSQLite(t.TempDir() + "/bank.db")
	require.NoError(t, err)
	defer b.close()
	for _, limit := range []identomatriver.RateLimit{{}, {PerSecond: -1}, {PerSecond: 10, Local: -1}, {PerSecond: 10, Local: 11}} {
		_, err := b.store.NewRateLimiter(limit)
		assert.Error(t, err, "%+v", limit)
	}
}

// One process reserves moments of a limit in 20 goroutines for each processor.
func BenchmarkSharedRateLimit(b *testing.B) {
	bank, err := openPostgres(newPostgres(b))
	require.NoError(b, err)
	defer bank.close()
	require.NoError(b, identomatriver.Migrate(b.Context(), bank.driver, bank.store))
	limiter, err := bank.store.NewRateLimiter(identomatriver.RateLimit{Name: "test", PerSecond: 1e9})
	require.NoError(b, err)
	b.SetParallelism(20)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			assert.NoError(b, limiter.Wait(b.Context()))
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
