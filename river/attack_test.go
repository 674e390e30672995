package identomatriver_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

// sqliteBank returns a new SQLite database.
func sqliteBank(t *testing.T) *bank[*sql.Tx] {
	t.Helper()
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	return prepare(t, b, err)
}

// doubtful is a store that reports an error for one transaction that was committed.
type doubtful struct {
	*identomatriver.SQLStore[*sql.Tx]
	next atomic.Bool
}

func (d *doubtful) InTx(ctx context.Context, fn func(*sql.Tx) error) error {
	err := d.SQLStore.InTx(ctx, fn)
	if err == nil && d.next.CompareAndSwap(true, false) {
		return errors.New("connection lost during the commit")
	}
	return err
}

// A commit that succeeds with an error neither repeats a call nor loses the next job.
func TestCommitWithUnknownOutcome(t *testing.T) {
	for name, refusals := range map[string]int{"accepted call": 0, "refused call": 1} {
		t.Run(name, func(t *testing.T) {
			b := sqliteBank(t)
			fake := identomattest.NewServer(t)
			config := b.config(fake.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})))
			config.CallTimeout = 3 * time.Second
			d := &doubtful{SQLStore: b.store}
			config.Store = d
			var once sync.Once
			identomatriver.SetStep(&config, func(_, step string) {
				if step == "after the call" {
					once.Do(func() { d.next.Store(true) })
				}
			})
			if refusals > 0 {
				fake.Fault("begin/", identomattest.TooManyRequests(0), refusals)
			}
			e := start(t, b, config)
			b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
			token := sessionOf(t, e, "v1").Token
			assert.Equal(t, fake.Sessions()[0].Token, token)
			assert.Equal(t, 1+refusals, fake.Count("begin/"))
		})
	}
}

// A refused call is made again, even if its job was rescued and completed during the call.
func TestRefusedCallWithoutJob(t *testing.T) {
	b := sqliteBank(t)
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})))
	fake.Fault("begin/", identomattest.TooManyRequests(0), 1)
	var once sync.Once
	identomatriver.SetStep(&config, func(_, step string) {
		if step == "after the call" {
			once.Do(func() { b.do(t, `DELETE FROM river_job WHERE kind = 'identomat_begin'`) })
		}
	})
	e := start(t, b, config)
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	sessionOf(t, e, "v1")
	assert.Equal(t, 2, fake.Count("begin/"))
}

// A process that was stalled after the intent for longer than CallTimeout does not make the call.
func TestStalledProcessMakesNoCall(t *testing.T) {
	b := sqliteBank(t)
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client())
	config.CallTimeout = 2 * time.Second
	var once sync.Once
	identomatriver.SetStep(&config, func(_, step string) {
		if step == "after the intent" {
			once.Do(func() { <-time.After(config.CallTimeout) })
		}
	})
	e := start(t, b, config)
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	sessionOf(t, e, "v1")
	assert.Equal(t, 1, fake.Count("begin/"))
	assert.Equal(t, int64(2), record(t, b, identomatriver.Verification, "v1").Intent)
}

// A response that arrives after a person gave the call up is logged, because its session is lost.
func TestResponseAfterSettlement(t *testing.T) {
	b := sqliteBank(t)
	fake := identomattest.NewServer(t)
	config := b.config(fake.Client())
	var log bytes.Buffer
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	done := make(chan struct{})
	var e *identomatriver.Engine[*sql.Tx]
	identomatriver.SetStep(&config, func(id, step string) {
		switch step {
		case "after the call": // as if the job was rescued during the call
			b.in(t, func(tx *sql.Tx) error {
				r, err := b.store.Lock(t.Context(), tx, identomatriver.Verification, id)
				if err != nil {
					return err
				}
				r.State = identomatriver.Unclear
				if err := b.store.Save(t.Context(), tx, r); err != nil {
					return err
				}
				return e.Settle(t.Context(), tx, identomatriver.Verification, id, identomatriver.Settlement{})
			})
		case "after the response":
			close(done)
		}
	})
	e, err := identomatriver.New(b.driver, config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context()))
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	<-done
	require.NoError(t, e.Stop(context.Background()))
	assert.Contains(t, log.String(), "processed after a person settled it otherwise")
	assert.NotContains(t, log.String(), string(fake.Sessions()[0].Token))
	assert.Equal(t, identomatriver.Failed, record(t, b, identomatriver.Verification, "v1").State)
}

// Evidence that was collected stays when Identomat deletes the session before the rest is collected.
func TestPartialEvidenceIsKept(t *testing.T) {
	b := sqliteBank(t)
	fake := identomattest.NewServer(t)
	dir := t.TempDir()
	e := lifecycle(b, fake.Client(), dir, func(c *identomatriver.Config[*sql.Tx]) { c.Retention = time.Hour })
	require.NoError(t, e.Start(t.Context()))
	defer func() { require.NoError(t, e.Stop(context.Background())) }()
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	token := sessionOf(t, e, "v1").Token
	b.in(t, func(tx *sql.Tx) error { _, err := e.Decide(t.Context(), tx, "v1", true); return err }) // a session in progress is incomplete
	retryable := `SELECT count(*) FROM river_job WHERE kind = 'identomat_evidence' AND state = 'retryable'`
	eventually(t, "the collection was incomplete", func() bool { return b.n(t, retryable) == 1 })
	require.FileExists(t, filepath.Join(dir, "v1/data/result.json"))
	_, err := fake.Client().Sessions.Delete(t.Context(), token)
	require.NoError(t, err)
	_, err = e.River().JobRetry(t.Context(), int64(b.n(t, `SELECT id FROM river_job WHERE kind = 'identomat_evidence'`)))
	require.NoError(t, err)
	eventually(t, "the evidence is missing", func() bool {
		return b.n(t, `SELECT count(*) FROM bank_events WHERE event = 'evidence_missing'`) == 1
	})
	assert.FileExists(t, filepath.Join(dir, "v1/data/result.json"))
}

// A hold that is set while the session is deleted keeps the bank's copy until it is released.
func TestHoldDuringDeletion(t *testing.T) {
	b := sqliteBank(t)
	fake := identomattest.NewServer(t)
	dir := t.TempDir()
	var e *identomatriver.Engine[*sql.Tx]
	hold := func(held bool) {
		b.in(t, func(tx *sql.Tx) error { return e.Hold(t.Context(), tx, "v1", held) })
	}
	e = lifecycle(b, fake.Client(), dir, func(c *identomatriver.Config[*sql.Tx]) {
		c.Retention = time.Hour
		identomatriver.SetStep(c, func(_, step string) {
			if step == "after the deletion" {
				hold(true)
			}
		})
	})
	require.NoError(t, e.Start(t.Context()))
	defer func() { require.NoError(t, e.Stop(context.Background())) }()
	b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, "v1") })
	token := sessionOf(t, e, "v1").Token
	require.NoError(t, fake.Approve(token))
	b.in(t, func(tx *sql.Tx) error { _, err := e.Wake(t.Context(), tx, token); return err })
	eventually(t, "the evidence is sealed", func() bool { return !record(t, b, identomatriver.Verification, "v1").Sealed.IsZero() })
	b.in(t, func(tx *sql.Tx) error { return e.Erase(t.Context(), tx, "v1", time.Now(), "") })
	eventually(t, "the erasure has ended", func() bool {
		return b.n(t, `SELECT count(*) FROM river_job WHERE kind = 'identomat_erase' AND state = 'completed'`) == 1
	})
	r := record(t, b, identomatriver.Verification, "v1")
	assert.NotNil(t, r.Receipt)
	assert.True(t, r.Erased.IsZero())
	assert.DirExists(t, filepath.Join(dir, "v1"))
	hold(false)
	eventually(t, "the rest is erased", func() bool { return !record(t, b, identomatriver.Verification, "v1").Erased.IsZero() })
	assert.NoDirExists(t, filepath.Join(dir, "v1"))
	assert.Equal(t, 1, fake.Count("delete/"))
}

// An erasure must be due by the clocks of the process and of the database. If one of them is late, it waits.
func TestEraseNeedsBothClocks(t *testing.T) {
	onBoth(t, testEraseNeedsBothClocks[*sql.Tx], testEraseNeedsBothClocks[pgx.Tx])
}

func testEraseNeedsBothClocks[TTx any](t *testing.T, b *bank[TTx], _ string) {
	for name, skew := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		fake := identomattest.NewServer(t)
		config := b.config(fake.Client())
		at := time.Now()
		if skew > 0 {
			at = at.Add(skew / 2)
		}
		identomatriver.SetClock(&config, func() time.Time { return time.Now().Add(skew) })
		e, err := identomatriver.New(b.driver, config)
		require.NoError(t, err)
		ahead := config
		ahead.InsertOnly = true
		identomatriver.SetClock(&ahead, func() time.Time { return time.Now().Add(time.Hour) })
		other := start(t, b, ahead)
		session, err := fake.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.NoError(t, err)
		b.in(t, func(tx TTx) error { return other.Adopt(t.Context(), tx, name, session.Token) })
		b.in(t, func(tx TTx) error { return other.Erase(t.Context(), tx, name, at, "requested") })
		require.NoError(t, e.Start(t.Context()))
		eventually(t, name, func() bool {
			return b.n(t, `SELECT count(*) FROM river_job WHERE kind = 'identomat_erase' AND state <> 'available' AND state <> 'running'`) == 1
		})
		require.NoError(t, e.Stop(context.Background()))
		assert.Len(t, fake.Sessions(), 1, name)
		assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM river_job WHERE kind = 'identomat_erase' AND state = 'scheduled'`), name)
		b.do(t, `DELETE FROM river_job`)
	}
}

// Each condition alone stops an erasure.
func TestErasing(t *testing.T) {
	now := time.Now()
	due := func(change func(*identomatriver.Record)) *identomatriver.Record {
		r := &identomatriver.Record{EraseAt: now}
		change(r)
		return r
	}
	assert.True(t, identomatriver.Erasing(due(func(*identomatriver.Record) {}), now))
	for name, change := range map[string]func(*identomatriver.Record){
		"no erasure is scheduled": func(r *identomatriver.Record) { r.EraseAt = time.Time{} },
		"it is early":             func(r *identomatriver.Record) { r.EraseAt = now.Add(1) },
		"it is held":              func(r *identomatriver.Record) { r.Held = true },
		"it is erased":            func(r *identomatriver.Record) { r.Erased = now },
	} {
		assert.False(t, identomatriver.Erasing(due(change), now), name)
	}
}

// An expired session has no evidence, so its erasure could never be made without a reason.
func TestEraseExpiredSession(t *testing.T) {
	b := sqliteBank(t)
	e := lifecycle(b, identomattest.NewServer(t).Client(), t.TempDir(), func(c *identomatriver.Config[*sql.Tx]) { c.InsertOnly = true })
	b.in(t, func(tx *sql.Tx) error {
		_, err := b.store.Insert(t.Context(), tx, &identomatriver.Record{Kind: identomatriver.Verification, ID: "v1",
			State: identomatriver.Expired, Token: "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"})
		require.NoError(t, err)
		require.ErrorContains(t, e.Erase(t.Context(), tx, "v1", time.Now(), ""), "requires a reason")
		return e.Erase(t.Context(), tx, "v1", time.Now(), "the customer left")
	})
}

// A callback makes a result be read whose job failed and waits for its next attempt.
func TestWakeRetriesFailedJob(t *testing.T) {
	onBoth(t, testWakeRetriesFailedJob[*sql.Tx], testWakeRetriesFailedJob[pgx.Tx])
}

func testWakeRetriesFailedJob[TTx any](t *testing.T, b *bank[TTx], _ string) {
	config := b.config(identomattest.NewServer(t).Client())
	config.InsertOnly = true
	e := start(t, b, config)
	const token = identomat.Token("47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
	b.in(t, func(tx TTx) error { return e.Adopt(t.Context(), tx, "v1", token) })
	b.do(t, `UPDATE river_job SET state = 'retryable'`)
	b.in(t, func(tx TTx) error { _, err := e.Wake(t.Context(), tx, token); return err })
	assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM river_job WHERE state = 'available'`))
}

// A sweep does not wait for records that other transactions have locked.
func TestSweepSkipsLockedRecords(t *testing.T) {
	b, err := openPostgres(newPostgres(t))
	b = prepare(t, b, err)
	config := b.config(identomattest.NewServer(t).Client())
	config.InsertOnly = true
	e := start(t, b, config)
	for _, id := range []string{"v1", "v2"} {
		b.in(t, func(tx pgx.Tx) error { return e.Begin(t.Context(), tx, id) })
	}
	b.do(t, `DELETE FROM river_job`)
	identomatriver.SetClock(&config, func() time.Time { return time.Now().Add(3 * time.Hour) })
	later := start(t, b, config)
	b.in(t, func(tx pgx.Tx) error {
		if _, err := b.store.Lock(t.Context(), tx, identomatriver.Verification, "v1"); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		return identomatriver.Sweep(ctx, later)
	})
	assert.Equal(t, 1, b.n(t, `SELECT count(*) FROM river_job`))
}

// A request that cannot be sent before its deadline reserves no moment, or requests that gave up would use the
// whole limit.
func TestRateLimitReservesNothingAfterDeadline(t *testing.T) {
	onBoth(t, testRateLimitDeadline[*sql.Tx], testRateLimitDeadline[pgx.Tx])
}

func testRateLimitDeadline[TTx any](t *testing.T, b *bank[TTx], _ string) {
	limiter, err := b.store.NewRateLimiter(identomatriver.RateLimit{Name: "test", PerSecond: 0.01, Local: 0.01})
	require.NoError(t, err)
	require.NoError(t, limiter.Wait(t.Context()))
	next := b.n(t, `SELECT next_at FROM identomat_limits`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.ErrorIs(t, limiter.Wait(ctx), context.DeadlineExceeded)
	client, err := identomat.NewClient("test-company-key", identomat.WithWidgetURL("http://127.0.0.1:1"), identomat.WithRateLimiter(limiter))
	require.NoError(t, err)
	_, err = client.Sessions.Begin(ctx, identomat.BeginRequest{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.False(t, identomat.MaybeProcessed(err))
	require.NoError(t, ctx.Err(), "the errors come at once")
	assert.Equal(t, next, b.n(t, `SELECT next_at FROM identomat_limits`))
}
