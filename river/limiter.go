package identomatriver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
)

// RateLimit is a limit that all processes with the same database share.
type RateLimit struct {
	// Name names the limit. Limits with other names are separate, for example one for each company key.
	Name string
	// PerSecond is the number of requests in a second. The limiter spaces them evenly.
	PerSecond float64
	// Local is this process's share of PerSecond while the database cannot be used. If Local is 0, calls
	// fail instead, without being sent, until the database is back.
	Local float64
}

// databaseTimeout limits how long a request waits for the database, and databasePause is how long a process
// with a local share then leaves the database alone.
const databaseTimeout, databasePause = 2 * time.Second, 5 * time.Second

// NewRateLimiter returns a limiter for [identomat.WithRateLimiter]. Every request reserves its moment in one
// row of the database, with the database's clock, and then waits for that moment without a connection. If the
// moment is after the request's deadline, the request fails at once and reserves nothing.
func (s *SQLStore[TTx]) NewRateLimiter(limit RateLimit) (identomat.RateLimiter, error) {
	if limit.PerSecond <= 0 || limit.Local < 0 || limit.Local > limit.PerSecond {
		return nil, errors.New("identomatriver: PerSecond must be positive, and Local from 0 to PerSecond")
	}
	return &limiter{limit: limit, reserve: s.reserve}, nil
}

// errTooLate means that the next free moment is after the deadline. Nothing was reserved: with more callers than
// the limit serves, moments that nobody uses would make all callers wait longer and longer.
var errTooLate = fmt.Errorf("identomatriver: the next free moment of the rate limit is too late: %w", context.DeadlineExceeded)

// reserve reserves the next free moment of a limit, and returns how long to wait for it: at most longest.
func (s *SQLStore[TTx]) reserve(ctx context.Context, name string, interval, longest time.Duration) (wait time.Duration, err error) {
	err = errTooLate
	failed := s.inTx(ctx, func(tx TTx) error {
		if s.relaxed != "" {
			if _, err := s.exec(ctx, tx, s.relaxed); err != nil {
				return err
			}
		}
		now := `(SELECT ` + s.micros + `)`
		return s.query(ctx, tx, `INSERT INTO identomat_limits (name, next_at) VALUES ($1, `+now+` + $2)
			ON CONFLICT (name) DO UPDATE SET next_at = CASE WHEN identomat_limits.next_at > `+now+` THEN identomat_limits.next_at ELSE `+now+` END + $2
				WHERE identomat_limits.next_at <= `+now+` + $3
			RETURNING next_at - $2 - `+now, []any{name, interval.Microseconds(), longest.Microseconds()}, func(row row) error {
			var micros int64
			err = row.Scan(&micros)
			wait = time.Duration(micros) * time.Microsecond
			return err
		})
	})
	if failed != nil {
		err = failed
	}
	return wait, err
}

type limiter struct {
	limit   RateLimit
	reserve func(ctx context.Context, name string, interval, longest time.Duration) (time.Duration, error)

	mu sync.Mutex
	// next is the next free moment of the local share. until is when to try the database again.
	next, until time.Time
}

// maxLate is how late a request may use its moment. A process that was stalled for longer reserves again, or the
// requests of several moments would be sent at once.
const maxLate = 50 * time.Millisecond

// Wait implements [identomat.RateLimiter].
func (l *limiter) Wait(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		wait, err := l.shared(ctx)
		if err != nil {
			if errors.Is(err, errTooLate) {
				return err
			}
			if l.limit.Local == 0 || ctx.Err() != nil {
				return fmt.Errorf("identomatriver: the shared rate limit cannot be used: %w", err)
			}
			wait = l.local()
		}
		moment := time.Now().Add(wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if attempt == 3 || time.Since(moment) <= maxLate {
			return nil
		}
	}
}

// shared reserves a moment in the database.
func (l *limiter) shared(ctx context.Context) (time.Duration, error) {
	l.mu.Lock()
	paused := time.Now().Before(l.until)
	l.mu.Unlock()
	if paused {
		return 0, errPaused
	}
	longest := 24 * time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		longest = time.Until(deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	wait, err := l.reserve(ctx, l.limit.Name, interval(l.limit.PerSecond), longest)
	if err != nil && !errors.Is(err, errTooLate) && l.limit.Local > 0 {
		l.mu.Lock()
		l.until = time.Now().Add(databasePause)
		l.mu.Unlock()
	}
	return wait, err
}

var errPaused = errors.New("the database could not be used a moment ago")

// local reserves a moment of the local share.
func (l *limiter) local() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	wait := l.next.Sub(now)
	l.next = l.next.Add(interval(l.limit.Local))
	return wait
}

func interval(perSecond float64) time.Duration {
	return time.Duration(float64(time.Second) / perSecond)
}
