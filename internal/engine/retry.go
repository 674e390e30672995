package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/identomat-go/identomat/internal/form"
)

// RetryPolicy bounds the repeats of one call.
type RetryPolicy struct {
	MaxAttempts int
	BaseDelay   time.Duration
	MaxDelay    time.Duration
}

// next decides whether the call is sent again, and when.
func (e *Engine) next(ctx context.Context, c *Call, attempt int, out *outcome) (time.Duration, bool) {
	if !out.failed() || attempt >= e.cfg.Retry.MaxAttempts || !mayRepeat(c, out) || ctx.Err() != nil {
		return 0, false
	}
	if out.retryAfter > e.cfg.Retry.MaxDelay {
		return 0, false
	}
	// All that were sent away together would come back together.
	delay := out.retryAfter + min(e.cfg.Retry.backoff(attempt), e.cfg.Retry.MaxDelay-out.retryAfter)
	if deadline, ok := ctx.Deadline(); ok && delay >= time.Until(deadline) {
		return 0, false
	}
	if !e.budget.spend() {
		return 0, false
	}
	return delay, true
}

// mayRepeat is the whole rule: what is certain to have had no effect may always be
// sent again, the rest only where a repeat does no harm.
func mayRepeat(c *Call, out *outcome) bool {
	var source *form.SourceError
	if c.Source != nil && c.Source.Once() || errors.As(out.err, &source) {
		return false
	}
	if !out.fromReply {
		return c.Repeatable || out.untouched
	}
	return !out.final && (out.status == http.StatusTooManyRequests || c.Repeatable && IsTemporary(out.status))
}

// IsTemporary reports whether a read that came to this status may succeed later.
func IsTemporary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return status >= 500
}

// backoff is a random part of a delay that doubles with every attempt, so that
// clients that failed together do not come back together.
func (p RetryPolicy) backoff(attempt int) time.Duration {
	ceiling := p.MaxDelay
	if shift := attempt - 1; shift < 30 && p.BaseDelay < p.MaxDelay>>shift {
		ceiling = p.BaseDelay << shift
	}
	return rand.N(ceiling) + 1
}

// Sleep waits for d, and returns the error of [Ended] if the context ends first.
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

// retryAfter reads the header in both of its forms; nonsense is no request to wait.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	// ParseUint reports the range before it has seen what follows the digits.
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
	return max(0, at.Sub(now))
}

// neverConnected recognises errors of dialling and of the TLS handshake from
// RoundTrippers that report nothing through httptrace.
func neverConnected(err error) bool {
	var (
		op     *net.OpError
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
	)
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) ||
		errors.As(err, &cert) || errors.As(err, &record)
}

// budget keeps a failing service from being sent a multiple of the load: every call
// earns a tenth of a repeat, every repeat costs one.
type budget struct{ tenths atomic.Int64 }

const (
	repeatCost = 10
	// A quiet client has saved up enough for a bad minute.
	budgetFull = 20 * repeatCost
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
		if have < repeatCost {
			return false
		}
		if b.tenths.CompareAndSwap(have, have-repeatCost) {
			return true
		}
	}
}
