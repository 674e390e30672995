package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/identomat-go/identomat/internal/redact"
)

// PeekSize is how much of a stream is looked at before it is handed out.
const PeekSize = 4 << 10

// guard ends an attempt that makes no progress for the attempt timeout. A large file may
// take as long as it likes; a connection that stands still may not.
type guard struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
}

func newGuard(ctx context.Context, timeout time.Duration) *guard {
	g := &guard{timeout: timeout}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	g.timer = time.AfterFunc(timeout, func() { g.cancel(errAttemptTimeout) })
	return g
}

func (g *guard) progress() { g.timer.Reset(g.timeout) }

func (g *guard) stop() {
	g.timer.Stop()
	g.cancel(nil)
}

// guardedBody reports the progress of an upload.
type guardedBody struct {
	io.ReadCloser
	guard *guard
	read  *atomic.Bool
}

func (b *guardedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.guard.progress()
	}
	return n, err
}

// Stream is a reply that the caller reads. It must be closed, or read to its end.
type Stream struct {
	// Length is the length in bytes, or -1 if the service did not tell it.
	Length int64
	// Attempts counts the requests that led to it.
	Attempts int

	engine *Engine
	call   *Call
	ctx    context.Context
	guard  *guard
	head   *bufio.Reader
	body   io.ReadCloser
	left   int64
	read   int64
	err    error
	event  *Event

	end sync.Once
}

// Read returns errors without secrets. An error that a RoundTripper puts in place of io.EOF
// is returned as it is.
func (s *Stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.head.Read(p)
	s.left -= int64(n)
	switch {
	case s.left < 0:
		n, err = n-1, ErrTooLarge
	case err == nil:
		s.read += int64(n)
		s.guard.progress()
		return n, nil
	case !errors.Is(err, io.EOF):
		err = redact.Error(attemptError(s.guard.ctx, s.ctx, err), s.engine.secrets(s.call)...)
	}
	s.read += int64(n)
	s.err = err
	s.finish()
	return n, err
}

var errClosed = errors.New("read after close")

// Close ends the stream. The connection of one that was not read to its end is closed.
func (s *Stream) Close() error {
	if s.err == nil {
		s.err = errClosed
	}
	s.finish()
	return nil
}

func (s *Stream) finish() {
	s.end.Do(func() {
		_ = s.body.Close()
		s.guard.stop()
		if s.event != nil {
			s.event.BytesReceived = s.read
			if !errors.Is(s.err, io.EOF) && !errors.Is(s.err, errClosed) {
				s.event.Failure = &Failure{Err: s.err, Attempts: s.Attempts, MaybeProcessed: true}
			}
			s.engine.observe(*s.event)
		}
	})
}
