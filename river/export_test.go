package identomatriver

import (
	"context"
	"time"
)

// SetStep sets a function that is called before and after each committed step.
func SetStep[TTx any](c *Config[TTx], step func(id, step string)) { c.step = step }

// SetClock replaces the engine's clock.
func SetClock[TTx any](c *Config[TTx], now func() time.Time) { c.now = now }

// Erasing reports whether a record is to be erased.
func Erasing(r *Record, now time.Time) bool { return r.erasing(now) }

// PollAfter is the interval between polls.
var PollAfter = pollAfter

// Sweep runs a sweep.
func Sweep[TTx any](ctx context.Context, e *Engine[TTx]) error { return e.sweep(ctx, nil, "") }
