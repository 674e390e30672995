package identomatriver_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

// sessionOf waits for a session.
func sessionOf[TTx any](t *testing.T, e *identomatriver.Engine[TTx], id string) *identomat.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	session, err := e.Session(ctx, id)
	require.NoError(t, err)
	return session
}

// A verification is begun, decided, screened, sealed and erased, and the bank gets one event for each.
func TestLifecycle(t *testing.T) { onBoth(t, testLifecycle[*sql.Tx], testLifecycle[pgx.Tx]) }

func testLifecycle[TTx any](t *testing.T, b *bank[TTx], database string) {
	fake := identomattest.NewServer(t)
	dir := t.TempDir()
	var failures atomic.Int64
	e := lifecycle(b, fake.Client(), dir, func(c *identomatriver.Config[TTx]) {
		query := c.ScreeningQuery
		c.ScreeningQuery = func(ctx context.Context, id string) (identomat.ScreeningQuery, error) {
			switch failures.Add(1) { // River must store neither error
			case 1:
				return identomat.ScreeningQuery{}, errors.New("cannot read Nino Beridze")
			case 2:
				panic("cannot find Nino Beridze")
			}
			return query(ctx, id)
		}
	})
	require.NoError(t, e.Start(t.Context()))
	defer func() { require.NoError(t, e.Stop(context.Background())) }()
	b.in(t, func(tx TTx) error { return e.Begin(t.Context(), tx, "w1") })
	b.in(t, func(tx TTx) error {
		assert.ErrorIs(t, e.Begin(t.Context(), tx, "w1"), identomatriver.ErrExists)
		return nil
	})
	session := sessionOf(t, e, "w1")
	assert.Equal(t, fake.WidgetURL+"/?session_token="+string(session.Token), session.URL)
	require.NoError(t, fake.Approve(session.Token, identomattest.AsPerson(identomattest.GeorgianPerson)))
	b.in(t, func(tx TTx) error {
		known, err := e.Wake(t.Context(), tx, session.Token)
		assert.True(t, known)
		return err
	})
	eventually(t, "the session is erased and the person is screened", func() bool {
		return b.n(t, `SELECT count(*) FROM bank_events WHERE event IN ('session_erased', 'screened')`) == 2
	})
	for _, event := range []string{"session_begun", "decided", "evidence_sealed", "screened", "session_erased"} {
		assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM bank_events WHERE event = $1`, event), event)
	}
	assert.Empty(t, fake.Sessions())
	assert.NoDirExists(t, filepath.Join(dir, "w1"))
	r := record(t, b, identomatriver.Verification, "w1")
	assert.Equal(t, identomatriver.Approved, r.State)
	assert.Empty(t, string(r.Token))
	assert.Contains(t, string(r.Receipt), `"verified":true,"complete":true`)
	assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM river_job WHERE kind = 'identomat_screen' AND attempt = 3`))

	searchDatabase(t, b, database, string(session.Token), "Nino", "Beridze", identomattest.GeorgianPerson.PersonalNumber, fake.CompanyKey)
}

// searchDatabase searches the whole database for texts that must not be in it.
func searchDatabase[TTx any](t *testing.T, b *bank[TTx], database string, secrets ...string) {
	t.Helper()
	contains := func(text string) bool {
		if isPostgres(database) { // as text, or as the hexadecimal digits of bytes
			return b.n(t, `SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format(
				'SELECT count(*) AS n FROM %I t WHERE t::text LIKE %L OR t::text LIKE %L', table_name, '%' || $1::text || '%',
				'%' || encode(convert_to($1, 'UTF8'), 'hex') || '%'), false, true, '')))[1]::text::int), 0)
				FROM information_schema.tables WHERE table_schema = 'public'`, text) > 0
		}
		var all []byte
		for _, file := range []string{database, database + "-wal"} {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			all = append(all, data...)
		}
		return bytes.Contains(all, []byte(text))
	}
	for _, secret := range secrets {
		assert.False(t, contains(secret), "the database contains a secret")
	}
	for _, text := range []string{"identomat_begin", "w1", "session_erased"} {
		assert.True(t, contains(text), "the search does not find %s", text)
	}
}

// Doubled, late, reordered and unknown callbacks change nothing.
func TestCallbacksChangeNothing(t *testing.T) {
	onBoth(t, testCallbacks[*sql.Tx], testCallbacks[pgx.Tx])
}

func testCallbacks[TTx any](t *testing.T, b *bank[TTx], _ string) {
	fake := identomattest.NewServer(t)
	e := start(t, b, b.config(fake.Client()))
	wake := func(token identomat.Token) (known bool) {
		b.in(t, func(tx TTx) (err error) {
			known, err = e.Wake(t.Context(), tx, token)
			return err
		})
		return known
	}
	b.in(t, func(tx TTx) error { return e.Begin(t.Context(), tx, "v1") })
	token := sessionOf(t, e, "v1").Token
	assert.False(t, wake("another-token"))
	for range 5 { // before the decision
		assert.True(t, wake(token))
	}
	require.NoError(t, fake.Approve(token))
	for range 5 {
		wake(token)
	}
	eventually(t, "the verification is decided", func() bool { return record(t, b, identomatriver.Verification, "v1").State == identomatriver.Approved })
	before := fake.Count("result/")
	for range 5 { // late
		assert.True(t, wake(token))
	}
	assert.Zero(t, b.n(t, `SELECT count(*) FROM river_job WHERE state <> 'completed' AND kind <> 'identomat_sweep'`), "a late callback makes no job")
	assert.Equal(t, before, fake.Count("result/"))
	assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM bank_events WHERE event = 'decided'`))
	assert.Equal(t, 1, fake.Count("begin/"))
}

// A call whose response was lost is unclear, and is made again only when a person says so.
func TestUnclearIsSettledByPerson(t *testing.T) { onBoth(t, testUnclear[*sql.Tx], testUnclear[pgx.Tx]) }

func testUnclear[TTx any](t *testing.T, b *bank[TTx], _ string) {
	fake := identomattest.NewServer(t)
	e := start(t, b, b.config(fake.Client()))
	fake.Fault("begin/", identomattest.ResetAfterRead(), 3)
	for _, id := range []string{"v1", "v2", "v3"} {
		b.in(t, func(tx TTx) error { return e.Begin(t.Context(), tx, id) })
	}
	unclear := func() (records []*identomatriver.Record) {
		b.in(t, func(tx TTx) (err error) {
			records, err = e.Unclear(t.Context(), tx, 10)
			return err
		})
		return records
	}
	eventually(t, "all are unclear", func() bool { return len(unclear()) == 3 })
	_, err := e.Session(t.Context(), "v1")
	require.ErrorIs(t, err, identomatriver.ErrUnclear)
	assert.Equal(t, 3, fake.Count("begin/"))
	assert.Equal(t, 3, b.n(t, `SELECT count(*) FROM bank_events WHERE event = 'call_unclear'`))
	var stats *identomatriver.Stats
	b.in(t, func(tx TTx) (err error) {
		stats, err = e.Stats(t.Context(), tx)
		return err
	})
	assert.Equal(t, 3, stats.Unclear)
	assert.Equal(t, map[identomatriver.Kind]int{identomatriver.Verification: 3}, stats.BillableCalls)
	assert.Zero(t, stats.OldestOpen)

	settle := func(id string, s identomatriver.Settlement) (err error) {
		b.in(t, func(tx TTx) error {
			err = e.Settle(t.Context(), tx, identomatriver.Verification, id, s)
			return nil
		})
		return err
	}
	found := fake.Sessions()[0]
	require.NoError(t, settle(found.ClientUserID, identomatriver.Settlement{Token: found.Token}))
	require.NoError(t, fake.Approve(found.Token))
	again, given := "v1", "v2"
	switch found.ClientUserID {
	case "v1":
		again, given = "v2", "v3"
	case "v2":
		again, given = "v1", "v3"
	}
	require.NoError(t, settle(again, identomatriver.Settlement{Again: true}))
	require.NoError(t, settle(given, identomatriver.Settlement{}))
	require.ErrorIs(t, settle(given, identomatriver.Settlement{}), identomatriver.ErrNotUnclear)
	assert.Equal(t, found.Token, sessionOf(t, e, found.ClientUserID).Token)
	sessionOf(t, e, again)
	_, err = e.Session(t.Context(), given)
	require.ErrorIs(t, err, identomatriver.ErrFailed)
	assert.Equal(t, 4, fake.Count("begin/"))
	eventually(t, "the adopted session is decided", func() bool {
		return record(t, b, identomatriver.Verification, found.ClientUserID).State == identomatriver.Approved
	})
}

// A call that the service certainly refused is made again, and fails when the customer no longer waits.
func TestRefusedCallIsRepeated(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})))
	config.BeginWithin = 6 * time.Second
	e := start(t, b, config)
	fake.Fault("begin/", identomattest.TooManyRequests(0), 1)
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	sessionOf(t, e, "v1")
	assert.Equal(t, 2, fake.Count("begin/"))

	fake.Fault("begin/", identomattest.TooManyRequests(0), 0)
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v2") })
	_, err = e.Session(t.Context(), "v2")
	require.ErrorIs(t, err, identomatriver.ErrFailed)
	assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM bank_events WHERE id = 'v2' AND event = 'call_failed'`))
	assert.Len(t, fake.Sessions(), 1)
}

// If the bank cannot store a session, its token is kept for the person who settles the call.
func TestTokenIsKeptWhenBankFails(t *testing.T) {
	t.Run("error", func(t *testing.T) {
		testTokenIsKept(t, func() error { return errors.New("the bank's table is full") })
	})
	t.Run("panic", func(t *testing.T) { testTokenIsKept(t, func() error { panic("no table for Nino Beridze") }) })
}

func testTokenIsKept(t *testing.T, changed func() error) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client())
	config.CallTimeout = 3 * time.Second
	config.Changed = func(context.Context, *sql.Tx, identomatriver.Change) error { return changed() }
	e := start(t, b, config)
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	_, err = e.Session(t.Context(), "v1")
	require.ErrorIs(t, err, identomatriver.ErrUnclear)
	r := record(t, b, identomatriver.Verification, "v1")
	assert.Equal(t, fake.Sessions()[0].Token, r.Token)
	assert.Equal(t, 1, fake.Count("begin/"))
}

// A monitoring is started once. The bank gets the ID that ends it.
func TestMonitor(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client())
	got := make(chan string, 1)
	config.Changed = func(_ context.Context, _ *sql.Tx, c identomatriver.Change) error {
		got <- c.MonitoringID
		return nil
	}
	e := start(t, b, config)
	b.in(t, func(tx *sql.Tx) error { return e.Monitor(t.Context(), tx, "m1") })
	id := <-got
	require.NoError(t, fake.Client().Screening.Unmonitor(t.Context(), id))
}

// A manual check is decided by a person. The evidence is collected afterwards.
func TestManualCheck(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	fake := identomattest.NewServer(t)
	dir := t.TempDir()
	e := lifecycle(b, fake.Client(), dir, func(c *identomatriver.Config[*sql.Tx]) { c.Retention, c.Changed = time.Hour, b.changed })
	require.NoError(t, e.Start(t.Context()))
	defer func() { require.NoError(t, e.Stop(context.Background())) }()
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	token := sessionOf(t, e, "v1").Token
	require.NoError(t, fake.ManualCheck(token))
	b.in(t, func(tx *sql.Tx) error { _, err := e.Wake(t.Context(), tx, token); return err })
	eventually(t, "a person must decide", func() bool {
		return record(t, b, identomatriver.Verification, "v1").State == identomatriver.ManualCheck
	})
	for _, want := range []bool{true, false} { // the second decision comes too late
		b.in(t, func(tx *sql.Tx) error {
			decided, err := e.Decide(t.Context(), tx, "v1", want)
			assert.Equal(t, want, decided)
			return err
		})
	}
	eventually(t, "the evidence is sealed", func() bool { return !record(t, b, identomatriver.Verification, "v1").Sealed.IsZero() })
	check, err := evidence.Verify(os.DirFS(filepath.Join(dir, "v1")))
	require.NoError(t, err)
	assert.True(t, check.Complete)
	assert.Equal(t, identomatriver.Approved, record(t, b, identomatriver.Verification, "v1").State)
}

// A customer's erasure needs no evidence, but a reason. An open session is erased, too.
func TestEraseOpenSession(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	fake := identomattest.NewServer(t)
	e := start(t, b, b.config(fake.Client()))
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	b.in(t, func(tx *sql.Tx) error {
		assert.ErrorIs(t, e.Erase(t.Context(), tx, "v1", time.Now(), "requested"), identomatriver.ErrUnclear)
		return nil
	})
	sessionOf(t, e, "v1")
	b.in(t, func(tx *sql.Tx) error {
		assert.ErrorContains(t, e.Erase(t.Context(), tx, "v1", time.Now(), ""), "requires a reason")
		return e.Erase(t.Context(), tx, "v1", time.Now(), "the customer requested the erasure")
	})
	eventually(t, "the session is erased", func() bool { return !record(t, b, identomatriver.Verification, "v1").Erased.IsZero() })
	assert.Empty(t, fake.Sessions())
	r := record(t, b, identomatriver.Verification, "v1")
	assert.Equal(t, identomatriver.Expired, r.State)
	assert.Contains(t, string(r.Receipt), `"reason":"the customer requested the erasure"`)
}

// The evidence of a session that the customer wants erased is removed, even if it was being collected.
func TestEraseDuringCollection(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	fake := identomattest.NewServer(t)
	dir := t.TempDir()
	e := lifecycle(b, fake.Client(), dir, func(c *identomatriver.Config[*sql.Tx]) { c.Retention = time.Hour })
	require.NoError(t, e.Start(t.Context()))
	defer func() { require.NoError(t, e.Stop(context.Background())) }()
	fake.Fault("result/face/", identomattest.SlowHeaders(0), 1)
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	token := sessionOf(t, e, "v1").Token
	require.NoError(t, fake.Approve(token))
	b.in(t, func(tx *sql.Tx) error { _, err := e.Wake(t.Context(), tx, token); return err })
	eventually(t, "the evidence is being collected", func() bool { return fake.Count("result/face/") == 1 })
	b.in(t, func(tx *sql.Tx) error {
		return e.Erase(t.Context(), tx, "v1", time.Now(), "the customer requested the erasure")
	})
	eventually(t, "the session is erased", func() bool { return !record(t, b, identomatriver.Verification, "v1").Erased.IsZero() })
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "v1"), 0o700)) // as if the collection had just written a file
	fake.Release()
	eventually(t, "no job is left", func() bool {
		return b.n(t, `SELECT count(*) FROM river_job WHERE state <> 'completed' AND kind <> 'identomat_sweep'`) == 0
	})
	assert.NoDirExists(t, filepath.Join(dir, "v1"))
	assert.Zero(t, b.n(t, `SELECT count(*) FROM bank_events WHERE event = 'evidence_sealed'`))
}

// A callback that arrives while the result is read makes it be read again.
func TestCallbackDuringResult(t *testing.T) {
	onBoth(t, testCallbackDuringResult[*sql.Tx], testCallbackDuringResult[pgx.Tx])
}

func testCallbackDuringResult[TTx any](t *testing.T, b *bank[TTx], _ string) {
	fake := identomattest.NewServer(t)
	e := start(t, b, b.config(fake.Client()))
	fake.Fault("result/", identomattest.SlowHeaders(0), 1)
	b.in(t, func(tx TTx) error { return e.Begin(t.Context(), tx, "v1") })
	token := sessionOf(t, e, "v1").Token
	wake := func() { b.in(t, func(tx TTx) error { _, err := e.Wake(t.Context(), tx, token); return err }) }
	wake()
	eventually(t, "the result is being read", func() bool { return fake.Count("result/") == 1 })
	require.NoError(t, fake.Approve(token))
	wake()
	released := time.Now()
	fake.Release()
	eventually(t, "the verification is decided", func() bool { return record(t, b, identomatriver.Verification, "v1").State == identomatriver.Approved })
	assert.Less(t, time.Since(released), 3*time.Second, "the next poll would come after five seconds")
	assert.Equal(t, 2, fake.Count("result/"))
}

// A sweep makes the jobs that were lost.
func TestSweepFindsLostJobs(t *testing.T) { onBoth(t, testSweep[*sql.Tx], testSweep[pgx.Tx]) }

func testSweep[TTx any](t *testing.T, b *bank[TTx], _ string) {
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client())
	config.InsertOnly = true
	e := start(t, b, config)
	b.in(t, func(tx TTx) error { return e.Begin(t.Context(), tx, "v1") })
	b.in(t, func(tx TTx) error { return e.Screen(t.Context(), tx, "s1") })
	b.in(t, func(tx TTx) error { return e.Adopt(t.Context(), tx, "v2", "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc") })
	b.do(t, `DELETE FROM river_job`)
	require.NoError(t, identomatriver.Sweep(t.Context(), e))
	assert.Zero(t, b.n(t, `SELECT count(*) FROM river_job`), "the jobs are not overdue yet")
	identomatriver.SetClock(&config, func() time.Time { return time.Now().Add(3 * time.Hour) })
	later := start(t, b, config)
	for range 2 { // the second sweep finds nothing
		require.NoError(t, identomatriver.Sweep(t.Context(), later))
	}
	for _, kind := range []string{"identomat_begin", "identomat_screen", "identomat_result"} {
		assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM river_job WHERE kind = $1`, kind), kind)
	}
	var stats *identomatriver.Stats
	b.in(t, func(tx TTx) (err error) {
		stats, err = later.Stats(t.Context(), tx)
		return err
	})
	assert.InDelta(t, 3*time.Hour, stats.OldestOpen, float64(time.Minute))
	assert.Equal(t, map[identomatriver.Kind]map[identomatriver.State]int{
		identomatriver.Verification: {identomatriver.Queued: 1, identomatriver.Open: 1}, identomatriver.Screening: {identomatriver.Queued: 1},
	}, stats.Undecided)
}

// A token that was moved to another record cannot be decrypted.
func TestTokenIsBoundToRecord(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	config := b.config(identomattest.NewServer(t).Client())
	config.InsertOnly = true
	e := start(t, b, config)
	b.in(t, func(tx *sql.Tx) error {
		return e.Adopt(t.Context(), tx, "v1", "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
	})
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v2") })
	b.do(t, `UPDATE identomat_records SET token = (SELECT token FROM identomat_records WHERE id = 'v1') WHERE id = 'v2'`)
	assert.Equal(t, identomat.Token("47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"), record(t, b, identomatriver.Verification, "v1").Token)
	b.in(t, func(tx *sql.Tx) error {
		_, err := e.Record(t.Context(), tx, identomatriver.Verification, "v2")
		assert.ErrorContains(t, err, "cannot decrypt the token of verification v2")
		return nil
	})
}

func TestNewRefusesBadSettings(t *testing.T) {
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	client := identomattest.NewServer(t).Client()
	for name, change := range map[string]func(*identomatriver.Config[*sql.Tx]){
		"Client and Store are required":   func(c *identomatriver.Config[*sql.Tx]) { c.Client = nil },
		"Evidence.Dir is required":        func(c *identomatriver.Config[*sql.Tx]) { c.Evidence = &identomatriver.Evidence{} },
		"Retention requires Evidence":     func(c *identomatriver.Config[*sql.Tx]) { c.Retention = time.Hour },
		"JobTimeout must be at least 50s": func(c *identomatriver.Config[*sql.Tx]) { c.River = &river.Config{JobTimeout: 49 * time.Second} },
		"JobTimeout must be at least":     func(c *identomatriver.Config[*sql.Tx]) { c.River = &river.Config{JobTimeout: -1} }, // none
	} {
		config := b.config(client)
		change(&config)
		_, err := identomatriver.New(b.driver, config)
		assert.ErrorContains(t, err, name)
	}
}

// A session that nobody called about is polled less and less often until its lifetime is over.
func TestPollIntervals(t *testing.T) {
	began := time.Now()
	r := &identomatriver.Record{State: identomatriver.Open, Entered: began, Expires: began.Add(15 * time.Minute)}
	polls, longest := 0, time.Duration(0)
	now := began
	for ; now.Before(r.Expires.Add(5 * time.Minute)); polls++ {
		after := identomatriver.PollAfter(r, now)
		longest = max(longest, after)
		now = now.Add(after)
	}
	assert.InDelta(t, 15, polls, 4)
	assert.Greater(t, longest, 3*time.Minute)
	assert.Less(t, now.Sub(r.Expires), 6*time.Minute)

	r = &identomatriver.Record{State: identomatriver.ManualCheck, Entered: began}
	polls = 0
	for now = began; now.Before(began.AddDate(0, 0, 7)); polls++ {
		now = now.Add(identomatriver.PollAfter(r, now))
	}
	assert.InDelta(t, 40, polls, 10)
}

// The store locks a record for the transaction that changes it.
func TestConcurrentWakes(t *testing.T) {
	onBoth(t, testConcurrentWakes[*sql.Tx], testConcurrentWakes[pgx.Tx])
}

func testConcurrentWakes[TTx any](t *testing.T, b *bank[TTx], _ string) {
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client())
	config.InsertOnly = true
	e := start(t, b, config)
	const token = identomat.Token("47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
	b.in(t, func(tx TTx) error { return e.Adopt(t.Context(), tx, "v1", token) })
	errs := make(chan error)
	for range 10 {
		go func() {
			errs <- b.store.InTx(t.Context(), func(tx TTx) error {
				_, err := e.Wake(t.Context(), tx, token)
				return err
			})
		}()
	}
	for range 10 {
		require.NoError(t, <-errs)
	}
	assert.Equal(t, int64(10), record(t, b, identomatriver.Verification, "v1").Wakes)
	assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM river_job`), "one job")
}
