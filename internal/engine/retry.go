package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/identomat-go/identomat/internal/form"
)

// RetryPolicy bounds the retries of one call.
type RetryPolicy struct {
	MaxAttempts int
	BaseDelay   time.Duration
	MaxDelay    time.Duration
}

// Check refuses negative numbers.
func (p RetryPolicy) Check() error {
	if p.MaxAttempts < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 {
		return errors.New("a field is negative")
	}
	return nil
}

// WithDefaults fills in the fields that are zero.
func (p RetryPolicy) WithDefaults() RetryPolicy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 3
	}
	if p.BaseDelay == 0 {
		p.BaseDelay = 500 * time.Millisecond
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = 30 * time.Second
	}
	return p
}

// next decides whether the call is retried, and after which delay.
func (e *Engine) next(ctx context.Context, c *Call, attempt int, out *outcome) (time.Duration, bool) {
	if !out.failed() || attempt >= e.cfg.Retry.MaxAttempts || !mayRetry(c, out) || ctx.Err() != nil {
		return 0, false
	}
	if out.retryAfter > e.cfg.Retry.MaxDelay {
		return 0, false
	}
	// Add jitter to Retry-After so that throttled clients do not return in lockstep.
	delay := out.retryAfter + min(e.cfg.Retry.backoff(attempt), e.cfg.Retry.MaxDelay-out.retryAfter)
	if deadline, ok := ctx.Deadline(); ok && delay >= time.Until(deadline) {
		return 0, false
	}
	// A service that closes an HTTP/2 connection is not failing, so the retry does not use up the
	// budget.
	if out.err != errGoAway && out.err != errUnused && !e.budget.spend() {
		return 0, false
	}
	return delay, true
}

// mayRetry allows a retry after an attempt that certainly had no effect. After any other attempt,
// it allows a retry only if the operation is retryable.
func mayRetry(c *Call, out *outcome) bool {
	var source *form.SourceError
	if c.Source != nil && c.Source.Once() || errors.As(out.err, &source) {
		return false
	}
	if !out.fromResponse {
		return c.Retryable || out.notProcessed
	}
	return !out.final && (isUnprocessed(out.status) && out.notProcessed || c.Retryable && IsTemporary(out.status))
}

// isUnprocessed reports whether a status means that the request was not processed: the server does
// not serve the host, the request was TLS early data, or there were too many requests.
func isUnprocessed(status int) bool {
	return status == http.StatusMisdirectedRequest || status == http.StatusTooEarly || status == http.StatusTooManyRequests
}

// IsTemporary reports whether a read that failed with this status may succeed later.
func IsTemporary(status int) bool {
	return isUnprocessed(status) || status == http.StatusRequestTimeout || status >= 500 && status != http.StatusNotImplemented
}

// backoff returns a delay with full jitter. Its upper bound doubles with every attempt.
func (p RetryPolicy) backoff(attempt int) time.Duration {
	ceiling := p.MaxDelay
	if shift := attempt - 1; shift < 30 && p.BaseDelay < p.MaxDelay>>shift {
		ceiling = p.BaseDelay << shift
	}
	return rand.N(ceiling) + 1
}

// Sleep waits for d. If the context ends first, it returns the error of [Ended].
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return Ended(ctx)
	}
}

// retryAfter returns the delay in a Retry-After header, or 0 if the header is absent or malformed.
// It compares a date with the Date of the response, because the clocks may differ.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	// ParseUint reports a range error before it has looked at all digits.
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) && strings.Trim(text, "0123456789") == "" {
		if seconds > uint64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now))
}

// budget is a token bucket that keeps retries from multiplying the load on a failing service: every
// call earns a tenth of a retry.
type budget struct{ tenths atomic.Int64 }

const (
	retryCost = 10
	// A client starts with twenty retries, enough for a short outage.
	budgetFull = 20 * retryCost
)

func (b *budget) init() { b.tenths.Store(budgetFull) }

func (b *budget) earn() {
	for {
		have := b.tenths.Load()
		if have >= budgetFull || b.tenths.CompareAndSwap(have, have+1) {
			return
		}
	}
}

func (b *budget) spend() bool {
	for {
		have := b.tenths.Load()
		if have < retryCost {
			return false
		}
		if b.tenths.CompareAndSwap(have, have-retryCost) {
			return true
		}
	}
}
