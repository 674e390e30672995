package engine

import (
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
	release context.CancelFunc // of the context around it
	timer   *time.Timer
	timeout time.Duration
}

func newGuard(ctx context.Context, release context.CancelFunc, timeout time.Duration) *guard {
	g := &guard{release: release, timeout: timeout}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	g.timer = time.AfterFunc(timeout, func() { g.cancel(errAttemptTimeout) })
	return g
}

func (g *guard) progress() { g.timer.Reset(g.timeout) }

// pause is for the time in which nobody waits for the network.
func (g *guard) pause() { g.timer.Stop() }

func (g *guard) stop() {
	g.timer.Stop()
	g.cancel(nil)
	g.release()
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

// guardedReply reports the progress of a reply, and shows its head before that is read.
type guardedReply struct {
	io.ReadCloser
	guard *guard
	head  *[PeekSize]byte
	ahead []byte // of the head, was peeked at and not yet read
}

// heads are shared, or the head would be most of what a download allocates.
var heads = sync.Pool{New: func() any { return new([PeekSize]byte) }}

// peek is the head of the reply, and io.EOF if that is all. Reading past it gives the memory
// to the next reply.
func (r *guardedReply) peek() ([]byte, error) {
	r.head = heads.Get().(*[PeekSize]byte)
	n, err := fill(r, r.head[:])
	r.ahead = r.head[:n]
	return r.ahead, err
}

func (r *guardedReply) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		if r.ahead = r.ahead[n:]; len(r.ahead) == 0 {
			heads.Put(r.head)
			r.head, r.ahead = nil, nil
		}
		return n, nil
	}
	r.guard.progress()
	return r.ReadCloser.Read(p)
}

// Stream is a reply that the caller reads, and then ends.
type Stream struct {
	// Length is the length in bytes, or -1 if the service did not tell it.
	Length int64
	// Attempts counts the requests that led to it.
	Attempts int

	engine *Engine
	call   *Call
	ctx    context.Context
	body   *guardedReply
	left   int64
	read   int64
	// unbounded says that the reply ends with the connection, which proves nothing.
	unbounded bool
	err       error // what ended the reading
	event     *Event
}

var errLength = errors.New("the reply is longer than its Content-Length")

// Read returns errors without secrets, and io.EOF only after as many bytes as were
// announced. An error that a RoundTripper puts in place of io.EOF is returned as it is.
func (s *Stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.body.Read(p)
	s.body.guard.pause()
	s.left -= int64(n)
	s.read += int64(n)
	switch {
	case s.left < 0:
		n, s.read, err = n-1, s.read-1, ErrTooLarge
	case err == nil:
		return n, nil
	case err == io.EOF && s.Length >= 0 && s.read > s.Length:
		err = errLength
	case err == io.EOF && (s.read < s.Length || s.unbounded && !s.call.EndsItself), err != io.EOF && errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	case err != io.EOF:
		err = redact.Error(attemptError(s.body.guard.ctx, s.ctx, err), s.engine.Secrets(s.call.Judge)...)
	}
	s.err = err
	s.release()
	return n, err
}

var errClosed = errors.New("read after close")

// Complete reports whether the reply was read to its end, and it is certain that this was
// its end.
func (s *Stream) Complete() bool { return s.err == io.EOF && !s.unbounded }

// End closes the connection if the reply was not read to its end, and reports the attempt:
// as a success if failure is nil, also for a reply of which no more was wanted. After a
// failure a short rest is read, for the sake of the connection. Only the first time counts.
func (s *Stream) End(failure *Failure) {
	if rest := s.Length - s.read; failure != nil && s.Length >= 0 && rest <= maxErrorReply {
		_, _ = io.Copy(io.Discard, s)
	}
	if s.err == nil {
		s.err = errClosed
		s.release()
	}
	if event := s.event; event != nil {
		s.event = nil
		event.BytesReceived, event.Failure = s.read, failure
		s.engine.observe(*event)
	}
}

func (s *Stream) release() {
	_ = s.body.Close()
	s.body.guard.stop()
}
