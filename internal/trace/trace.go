// Package trace tells code inside this module how a call went: package evidence records the attempts, the
// status and the signature of every response that it keeps. The trace travels in the context.
package trace

import (
	"context"
	"sync/atomic"
)

// Trace describes the latest call that was made with its context. Calls with the same context are made
// one after another, in one goroutine.
type Trace struct {
	// Attempts counts the requests of the latest call. StatusCode is the HTTP status of its last
	// attempt, or 0 without a response.
	Attempts   int
	StatusCode int
	// Body is the body of a successful response that was not streamed.
	Body []byte
	// Files counts the files in a response that should hold only one. It is set when the first has been read.
	Files int
	// Signed says that the response has a signature. Reading such a response to its end fails if the
	// signature is wrong.
	Signed atomic.Bool // atomic, because a RoundTripper may run in another goroutine
}

type key struct{}

// With returns a context whose calls are described in t.
func With(ctx context.Context, t *Trace) context.Context { return context.WithValue(ctx, key{}, t) }

// From returns the trace in a context, or nil.
func From(ctx context.Context) *Trace {
	t, _ := ctx.Value(key{}).(*Trace)
	return t
}
