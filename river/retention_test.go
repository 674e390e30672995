package identomatriver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

// clock is the time of a test, for the engine and for River.
type clock struct{ unix atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(c.unix.Load(), 0).UTC() }

func (c *clock) NowOrNil() *time.Time {
	now := c.Now()
	return &now
}

// Five years (one in the short test), one day at a time: nothing is erased early, everything within a day, nothing without a verified
// package, and holds win.
func TestFiveYears(t *testing.T) {
	years := map[bool]int{false: 1, true: 5}[longTests]
	retention := time.Duration(years) * 365 * 24 * time.Hour
	total := map[bool]int{false: 20, true: 100}[longTests]
	b, err := openSQLite(filepath.Join(t.TempDir(), "bank.db"))
	b = prepare(t, b, err)
	time0 := &clock{}
	time0.unix.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	fake := identomattest.NewServer(t, identomattest.WithClock(time0.Now))
	dir := t.TempDir()
	config := b.config(fake.Client())
	config.Retention = retention
	config.Evidence = &identomatriver.Evidence{Dir: func(id string) string { return filepath.Join(dir, id) }}
	config.River = &river.Config{TestOnly: true, FetchPollInterval: 5 * time.Millisecond, FetchCooldown: 5 * time.Millisecond}
	config.River.Test.Time = time0
	identomatriver.SetClock(&config, time0.Now)
	e := start(t, b, config)

	idle := func() {
		eventually(t, "no job can run", func() bool {
			return b.n(t, `SELECT count(*) FROM river_job WHERE (state = 'running' OR state = 'available' AND attempt = 0) AND kind <> 'identomat_sweep'`) == 0
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	type customer struct {
		token           identomat.Token
		decided, erased time.Time
		hold, release   time.Time // zero: never
		broken          bool      // the evidence does not verify
	}
	customers := make([]*customer, total)
	day := func(n int) time.Time { return time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC) }
	for n := range years*365 + 200 {
		time0.unix.Store(day(n).Unix())
		now := time0.Now()
		for i, c := range customers {
			id := fmt.Sprintf("v%d", i)
			switch {
			case c == nil && i*30/total == n: // in the first month
				c = &customer{broken: i%10 == 3}
				customers[i] = c
				b.in(t, func(tx *sql.Tx) error { return e.Begin(t.Context(), tx, id) })
				c.token = sessionOf(t, e, id).Token
				require.NoError(t, fake.Approve(c.token))
				b.in(t, func(tx *sql.Tx) error { _, err := e.Wake(t.Context(), tx, c.token); return err })
				eventually(t, "the evidence is sealed", func() bool {
					time0.unix.Add(1) // a job that failed is repeated only when time passes
					return !record(t, b, identomatriver.Verification, id).Sealed.IsZero()
				})
				c.decided = now
				switch i % 5 {
				case 1: // released before the erasure is due
					c.hold = day(n + random.IntN(years*200))
					c.release = c.hold.AddDate(0, 0, random.IntN(years*100))
				case 2: // released after the erasure is due
					c.hold = day(n + random.IntN(years*360))
					c.release = day(n + years*365 + random.IntN(100))
				case 4: // never released
					c.hold = day(n + random.IntN(years*360))
				}
				if c.broken {
					require.NoError(t, changeFile(filepath.Join(dir, id, "data/result.json")))
				}
			case c == nil:
			case now.Equal(c.hold):
				b.in(t, func(tx *sql.Tx) error { return e.Hold(t.Context(), tx, id, true) })
			case now.Equal(c.release):
				b.in(t, func(tx *sql.Tx) error { return e.Hold(t.Context(), tx, id, false) })
			}
		}
		require.NoError(t, identomatriver.Sweep(context.Background(), e))
		time0.unix.Add(3 * 60 * 60) // a sweep finds what is overdue by two hours
		require.NoError(t, identomatriver.Sweep(context.Background(), e))
		idle()
		for i, c := range customers {
			if c != nil && c.erased.IsZero() {
				if _, exists := fake.Session(c.token); !exists {
					c.erased = now
					r := record(t, b, identomatriver.Verification, fmt.Sprintf("v%d", i))
					assert.Contains(t, string(r.Receipt), `"verified":true,"complete":true`)
				}
			}
		}
	}
	erased := 0
	for i, c := range customers {
		due := c.decided.Add(retention)
		if c.release.After(due) {
			due = c.release
		}
		if c.broken || !c.hold.IsZero() && c.release.IsZero() {
			assert.True(t, c.erased.IsZero(), "v%d: broken %v, held since %v", i, c.broken, c.hold)
			continue
		}
		erased++
		assert.False(t, c.erased.Before(due.Truncate(24*time.Hour)), "v%d: erased at %v, due at %v", i, c.erased, due)
		assert.Less(t, c.erased.Sub(due), 24*time.Hour, "v%d: erased at %v, due at %v", i, c.erased, due)
	}
	assert.Positive(t, erased)
	t.Logf("%d verifications in %d years and 200 days: %d erased, all within a day; the others are held or have no verified package", total, years, erased)
}

// changeFile changes a file of a package.
func changeFile(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString("\n")
	return errors.Join(err, file.Close())
}
