package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/identomat-go/identomat/internal/redact"
)

// PeekSize is the number of bytes inspected before a response is streamed.
const PeekSize = 4 << 10

// stallTimer ends an attempt in which no byte moves for the attempt timeout. A large file may
// take as long as it needs.
type stallTimer struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	release context.CancelFunc // of the parent context
	timer   *time.Timer
	timeout time.Duration
	conn    *use
	// response is here to save an allocation.
	response watchedResponse
}

func newStallTimer(ctx context.Context, release context.CancelFunc, timeout time.Duration, conn *use) *stallTimer {
	t := &stallTimer{release: release, timeout: timeout, conn: conn}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	t.timer = time.AfterFunc(timeout, func() { t.cancel(errAttemptTimeout) })
	return t
}

func (t *stallTimer) reset() { t.timer.Reset(t.timeout) }

// progress reports that bytes have moved.
func (t *stallTimer) progress() {
	t.reset()
	t.conn.heard()
}

// pause stops the timer while the caller is not reading.
func (t *stallTimer) pause() { t.timer.Stop() }

func (t *stallTimer) stop() {
	t.timer.Stop()
	t.cancel(nil)
	t.release()
}

// watch wraps the body of the attempt's response: reading the body resets the timer.
func (t *stallTimer) watch(body io.ReadCloser) *watchedResponse {
	t.response = watchedResponse{ReadCloser: body, stall: t}
	return &t.response
}

// watchedResponse resets the stall timer as a response is read, and can be peeked at.
type watchedResponse struct {
	io.ReadCloser
	stall  *stallTimer
	buf    *[PeekSize]byte
	peeked []byte // the part of buf that is not yet read
}

// peekBuffers are pooled: otherwise they would be most of what a download allocates.
var peekBuffers = sync.Pool{New: func() any { return new([PeekSize]byte) }}

// peek returns the first bytes of the response, with io.EOF if there are no more. They are valid
// until Read has returned them.
func (r *watchedResponse) peek() ([]byte, error) {
	r.buf = peekBuffers.Get().(*[PeekSize]byte)
	n, err := fill(r, r.buf[:])
	r.peeked = r.buf[:n]
	return r.peeked, err
}

func (r *watchedResponse) Read(p []byte) (int, error) {
	if len(r.peeked) > 0 {
		n := copy(p, r.peeked)
		if r.peeked = r.peeked[n:]; len(r.peeked) == 0 {
			peekBuffers.Put(r.buf)
			r.buf, r.peeked = nil, nil
		}
		return n, nil
	}
	r.stall.reset()
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.stall.conn.heard()
	}
	return n, err
}

// Stream is a response that the caller reads, and then closes with End.
type Stream struct {
	// Length is the announced length in bytes, or -1.
	Length int64
	// Attempts counts the requests of the call.
	Attempts int

	engine *Engine
	call   *Call
	ctx    context.Context
	body   *watchedResponse
	left   int64 // bytes left until the limit
	read   int64
	// undelimited says that only connection close delimits the response, so it may be truncated.
	undelimited bool
	err         error // the error that ended the reading
	event       *Event
}

var errLength = errors.New("the response is longer than its Content-Length")

// Read returns errors without secrets, and io.EOF only after all announced bytes. If a RoundTripper
// returns another error instead of io.EOF, Read returns that error.
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
	s.body.stall.pause()
	s.left -= int64(n)
	s.read += int64(n)
	switch {
	case s.left < 0:
		n, s.read, err = n-1, s.read-1, ErrTooLarge
	case err == nil:
		return n, nil
	case err == io.EOF && s.Length >= 0 && s.read > s.Length:
		err = errLength
	case err == io.EOF && (s.read < s.Length || s.undelimited && !s.call.SelfDelimiting), err != io.EOF && errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	case err != io.EOF:
		err = redact.Error(attemptError(s.body.stall.ctx, s.ctx, err), s.engine.Secrets(s.call.Protocol)...)
	}
	s.err = err
	s.release()
	return n, err
}

var errClosed = errors.New("read after close")

// Complete reports whether the response was read to its end and cannot be truncated.
func (s *Stream) Complete() bool { return s.err == io.EOF && !s.undelimited }

// End ends the attempt and reports it to the observers. A nil failure means success, even if the
// caller did not read to the end. After a failure, End reads the rest of the response if it is
// short. If the end of the response is not reached, End closes the connection. Further calls have
// no effect.
func (s *Stream) End(failure *Failure) {
	if rest := s.Length - s.read; failure != nil && s.Length >= 0 && rest <= maxErrorBody {
		_, _ = io.Copy(io.Discard, s)
	}
	if s.err == nil {
		s.err = errClosed
		s.release()
	}
	if event := s.event; event != nil {
		s.event = nil
		event.BytesReceived = s.read
		if failure != nil {
			event.Err = s.call.Protocol.Public(failure)
		}
		s.engine.observe(*event)
	}
}

func (s *Stream) release() {
	_ = s.body.Close()
	s.body.stall.conn.end(s.body.stall.ctx.Err() != nil)
	s.body.stall.stop()
}
