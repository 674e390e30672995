package identomatriver_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// begins is a service that approves every session, and counts the sessions of each customer.
type begins struct {
	mu    sync.Mutex
	count map[string]int
}

func (s *begins) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/result/") {
		_, _ = w.Write([]byte(`{"result":"approved"}`))
		return
	}
	var body [1 << 10]byte
	n, _ := r.Body.Read(body[:])
	_, id, _ := strings.Cut(string(body[:n]), `"clientUserId":"`)
	id, _, _ = strings.Cut(id, `"`)
	s.mu.Lock()
	s.count[id]++
	s.mu.Unlock()
	_, _ = fmt.Fprintf(w, `"%040s"`, strings.ToLower(id))
}

// Verifications go through two processes on PostgreSQL, and one of them is killed in the middle. Each is decided
// once or listed as unclear.
func TestTwoProcessesOneKilled(t *testing.T) {
	total := map[bool]int{false: 500, true: 10_000}[longTests]
	database := newPostgres(t)
	b, err := openPostgres(database)
	b = prepare(t, b, err)
	service := &begins{count: map[string]int{}}
	server := httptest.NewServer(service)
	defer server.Close()
	client, err := identomat.NewClient("test-company-key", identomat.WithWidgetURL(server.URL))
	require.NoError(t, err)
	config := b.config(client)
	config.InsertOnly = true
	queue := start(t, b, config)
	wal := func() int { return b.n(t, `SELECT CAST(pg_current_wal_insert_lsn() - '0/0' AS BIGINT)`) }
	walBefore, queueing := wal(), time.Now()
	b.in(t, func(tx pgx.Tx) error {
		for i := range total {
			if err := queue.Begin(t.Context(), tx, fmt.Sprintf("v%d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	queued := time.Since(queueing)
	request := childRequest{Database: database, WidgetURL: server.URL, APIURL: server.URL, Key: "test-company-key", Plain: true}
	begin := time.Now()
	victim, survivor := startChild(t, request), startChild(t, request)
	decided := func() int { return b.n(t, `SELECT count(*) FROM identomat_records WHERE state = 'approved'`) }
	eventually(t, "half of the sessions have begun", func() bool {
		return b.n(t, `SELECT count(*) FROM identomat_records WHERE state <> 'queued'`) >= total/2
	})
	require.NoError(t, victim.cmd.Process.Kill())
	<-victim.ended
	b.do(t, `ANALYZE river_job`) // autovacuum does so once a minute; see docs/scale.md
	unclear := func() int { return b.n(t, `SELECT count(*) FROM identomat_records WHERE state = 'unclear'`) }
	eventuallyEvery(t, time.Second, "every verification is decided or unclear", func() bool { return decided()+unclear() == total })
	elapsed := time.Since(begin)
	var memory int
	memory, err = strconv.Atoi(strings.TrimSpace(survivor.stop(t)))
	require.NoError(t, err)

	twice := 0
	for id, n := range service.count {
		if n > 1 {
			twice++
			t.Errorf("%s was begun %d times", id, n)
		}
	}
	assert.LessOrEqual(t, unclear(), 50, "at most the jobs in flight")
	assert.Equal(t, decided(), b.n(t, `SELECT count(*) FROM bank_events WHERE event = 'decided'`), "each is decided once")
	jobs := b.n(t, `SELECT count(*) FROM river_job WHERE state = 'completed'`)
	size := b.n(t, `SELECT pg_database_size(current_database())`)
	perVerification := func(bytes int) float64 { return float64(bytes) / float64(total) / (1 << 10) }
	t.Logf("queued %.0f/s in one transaction; each verification: %.1f KiB of records, %.1f KiB of jobs, %.1f KiB of write-ahead log",
		float64(total)/queued.Seconds(), perVerification(b.n(t, `SELECT pg_total_relation_size('identomat_records')`)),
		perVerification(b.n(t, `SELECT pg_total_relation_size('river_job')`)), perVerification(wal()-walBefore))
	var processor time.Duration
	for _, p := range []*process{victim, survivor} {
		processor += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	t.Logf("%d verifications in two processes, one killed: %d decided, %d unclear, %d begun twice; %d jobs in %.1f s, %.0f/s; %.2f ms of processor time per job; %.1f MiB of memory; %.1f MiB of database",
		total, decided(), unclear(), twice, jobs, elapsed.Seconds(), float64(jobs)/elapsed.Seconds(),
		1000*processor.Seconds()/float64(jobs), float64(memory)/(1<<20), float64(size)/(1<<20))
}

// Verifications wait in the database: goroutines and memory do not depend on their number.
func TestWaitingCostsNoMemory(t *testing.T) {
	onBoth(t, waiting[*sql.Tx], waiting[pgx.Tx])
}

func waiting[TTx any](t *testing.T, b *bank[TTx], database string) {
	client, err := identomat.NewClient("test-company-key", identomat.WithWidgetURL("http://127.0.0.1:1"))
	require.NoError(t, err)
	config := b.config(client)
	config.InsertOnly = true
	e := start(t, b, config)
	next := 0
	measure := func(total int) (goroutines int, heap float64) {
		b.in(t, func(tx TTx) error {
			for ; next < total; next++ {
				if err := e.Adopt(t.Context(), tx, fmt.Sprintf("v%d", next), identomat.Token(fmt.Sprintf("%040d", next))); err != nil {
					return err
				}
			}
			return nil
		})
		later := `datetime('now', '+1 hour')`
		if isPostgres(database) {
			later = `now() + interval '1 hour'`
		}
		b.do(t, `UPDATE river_job SET state = 'scheduled', scheduled_at = `+later+` WHERE kind = 'identomat_result'`)
		p := startChild(t, childRequest{Database: database, WidgetURL: "http://127.0.0.1:1", APIURL: "http://127.0.0.1:1", Key: "test-company-key", Plain: true, Measure: true})
		_, err := fmt.Sscan(p.stop(t), &goroutines, &heap)
		require.NoError(t, err)
		return goroutines, heap / (1 << 20)
	}
	goroutines, heap := measure(100)
	more := map[bool]int{false: 1000, true: 10_000}[longTests]
	goroutinesMore, heapMore := measure(more)
	t.Logf("100 waiting: %d goroutines, %.2f MiB; %d waiting: %d goroutines, %.2f MiB", goroutines, heap, more, goroutinesMore, heapMore)
	assert.LessOrEqual(t, goroutinesMore, goroutines+5)
	assert.Less(t, heapMore, heap+1)
}
