// Package engine sends calls: one attempt or several, bounded in time and size, with
// nothing secret in what it reports. It knows HTTP and nothing of Identomat: the
// caller hands it the bytes to send and a function that judges the reply.
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/identomat-go/identomat/internal/form"
	"github.com/identomat-go/identomat/internal/redact"
)

// Limiter is asked for permission before every send.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Event describes one attempt.
type Event struct {
	Context       context.Context
	Operation     string
	Attempt       int
	Start         time.Time
	Duration      time.Duration
	StatusCode    int
	BytesSent     int64
	BytesReceived int64
	// Failure is nil for a success.
	Failure   *Failure
	RetryIn   time.Duration
	WillRetry bool
}

// Config is what all calls of one client share. It is not changed after New.
type Config struct {
	Client         *http.Client // its Transport and Timeout
	UserAgent      string
	Retry          RetryPolicy
	AttemptTimeout time.Duration
	Limiter        Limiter
	Observe        []func(Event)
	Secrets        []redact.Secret
}

// Engine sends calls. It is safe for concurrent use.
type Engine struct {
	cfg    Config
	budget budget
}

// New returns an engine.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg}
	e.budget.init()
	return e
}

var errNoReply = errors.New("the RoundTripper returned neither a reply nor an error")

// roundTrip goes past the http.Client, which would follow a redirect: the request holds a key
// and personal data in its body, and no endpoint is documented to move.
func (e *Engine) roundTrip(req *http.Request) (*http.Response, error) {
	transport := e.cfg.Client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	resp, err := transport.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case resp == nil:
		return nil, errNoReply
	case resp.Body == nil: // a stub's
		resp.Body = http.NoBody
	}
	return resp, nil
}

// CloseIdleConnections closes connections that no call is using.
func (e *Engine) CloseIdleConnections() { e.cfg.Client.CloseIdleConnections() }

// Call is one call of an endpoint.
type Call struct {
	// Operation names the endpoint in events.
	Operation string
	// Repeatable says that the call may be sent again when it is not known whether
	// the service has processed it.
	Repeatable  bool
	URL         *url.URL
	ContentType string
	// Body is what is sent, unless Source is set.
	Body   []byte
	Source Source
	// Limit is the largest reply in bytes.
	Limit int64
	Judge Judge
	// Stream, if set, may take a successful reply as a stream instead of having it read.
	Stream StreamJudge
	// EndsItself says that a stream shows by itself whether it is whole.
	EndsItself bool
}

// Judge decides what a reply is. It is called with the whole body, or with what arrived
// of it and the error that ended it. Without a verdict on a read error the attempt ended
// with that error.
type Judge interface {
	Judge(r *Reply, readErr error) Verdict
	// Secrets are values of the call that no error may show, beside the client's own.
	Secrets() []string
}

// StreamJudge looks at the head of a successful reply, of which it gets up to PeekSize
// bytes and whether that is all. If it does not take the reply, that is read to its end, up
// to 64 KiB, and judged.
type StreamJudge interface {
	Takes(r *Reply, whole bool) bool
}

// A Source is a body that is not in memory.
type Source interface {
	Open() io.ReadCloser
	Len() int64
	// Once says that Open works only once.
	Once() bool
}

// Verdict is what a reply comes to.
type Verdict struct {
	// Err is nil for the reply that was asked for.
	Err error
	// Refused says that the service understood the call and did not carry it out.
	Refused bool
	// Final says that the call shall not be sent again, whatever the status.
	Final bool
}

// Reply is a reply whose body was read, or one with a stream.
type Reply struct {
	StatusCode int
	Header     http.Header
	// Body is the whole body, or the head of the stream, which is good until that is read.
	Body   []byte
	Stream *Stream
}

// Failure is the outcome of a call that did not succeed.
type Failure struct {
	// Err is what Judge returned when FromReply is true, else the error of the network,
	// the limiter or the context, without secrets.
	Err       error
	FromReply bool
	// Attempts counts the requests that were started.
	Attempts int
	// MaybeProcessed is false only if it is certain that no attempt was processed.
	MaybeProcessed bool
	// RetryAfter is what the last reply asked for.
	RetryAfter time.Duration
}

// ErrTooLarge reports a reply over the limit.
var ErrTooLarge = errors.New("reply is larger than the limit")

// errAttemptTimeout ends an attempt, not the call.
type attemptTimeoutError struct{}

func (attemptTimeoutError) Error() string { return "no complete reply within the attempt timeout" }
func (attemptTimeoutError) Timeout() bool { return true }

var errAttemptTimeout error = attemptTimeoutError{}

// Do sends the call until it succeeds, fails for good, or may not be sent again.
func (e *Engine) Do(ctx context.Context, c *Call) (*Reply, *Failure) {
	e.budget.earn()
	var last Failure
	for attempt := 1; ; attempt++ {
		if err := e.ready(ctx); err != nil {
			return nil, endedBy(last, err, e.Secrets(c.Judge))
		}
		start := time.Now()
		out := e.attempt(ctx, c)
		last.Attempts = attempt
		if out.failed() {
			last.Err, last.FromReply, last.RetryAfter = out.err, out.fromReply, out.retryAfter
			last.MaybeProcessed = last.MaybeProcessed || !out.untouched
			if !out.fromReply {
				last.Err = redact.Error(out.err, e.Secrets(c.Judge)...)
			}
		}
		delay, again := e.next(ctx, c, attempt, &out)
		if e.cfg.Observe != nil {
			ev := Event{
				Context: ctx, Operation: c.Operation, Attempt: attempt, Start: start,
				StatusCode: out.status, BytesSent: c.length(), BytesReceived: out.received,
				RetryIn: delay, WillRetry: again,
			}
			if out.failed() {
				ev.Failure = last.escape()
			}
			if out.reply != nil && out.reply.Stream != nil {
				out.reply.Stream.event = &ev // known when the stream has ended
			} else {
				e.observe(ev)
			}
		}
		if !out.failed() {
			if out.reply.Stream != nil {
				out.reply.Stream.Attempts = attempt
			}
			return out.reply, nil
		}
		if !again {
			return nil, last.escape()
		}
		if err := Sleep(ctx, delay); err != nil {
			return nil, endedBy(last, err, e.Secrets(c.Judge))
		}
	}
}

func (e *Engine) observe(ev Event) {
	ev.Duration = time.Since(ev.Start)
	for _, observe := range e.cfg.Observe {
		observe(ev)
	}
}

// length of the body that is sent.
func (c *Call) length() int64 {
	if c.Source != nil {
		return c.Source.Len()
	}
	return int64(len(c.Body))
}

// escape copies the failure, so that a call that succeeds allocates none.
func (f Failure) escape() *Failure { return &f }

// ready waits for the limiter and looks at the caller's context.
func (e *Engine) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	if e.cfg.Limiter == nil {
		return nil
	}
	return e.cfg.Limiter.Wait(ctx)
}

// Ended is why the caller's context is over. errors.Is finds context.Canceled or
// context.DeadlineExceeded beside a cause of the caller's own.
func Ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return &causeError{cause: cause, err: ctx.Err()}
}

type causeError struct{ cause, err error }

func (e *causeError) Error() string   { return e.cause.Error() }
func (e *causeError) Unwrap() []error { return []error{e.cause, e.err} }

// Secrets are the client's own and those of a call that are long enough to be searched for.
func (e *Engine) Secrets(j Judge) []string {
	all := make([]string, 0, len(e.cfg.Secrets))
	for _, s := range e.cfg.Secrets {
		all = append(all, s.Reveal())
	}
	for _, s := range j.Secrets() {
		if len(s) >= MinSecret {
			all = append(all, s)
		}
	}
	return all
}

// MinSecret keeps a customer id such as 7 from being found in every address and port.
const MinSecret = 4

// endedBy is the failure of a call that ended between two attempts. The error of the
// last attempt survives beside the one that ended the call.
func endedBy(f Failure, err error, secrets []string) *Failure {
	err = redact.Error(err, secrets...)
	if f.Err != nil {
		err = &interruptedError{by: err, last: f.Err}
	}
	f.Err, f.FromReply = err, false
	return &f
}

// interruptedError answers errors.Is and errors.As for both of its causes.
type interruptedError struct{ by, last error }

func (e *interruptedError) Error() string   { return e.by.Error() + "; last attempt: " + e.last.Error() }
func (e *interruptedError) Unwrap() []error { return []error{e.by, e.last} }

// outcome is what one attempt came to.
type outcome struct {
	reply      *Reply
	err        error
	fromReply  bool
	final      bool
	untouched  bool // it is certain that the service processed nothing
	status     int
	retryAfter time.Duration
	received   int64
}

func (o *outcome) failed() bool { return o.err != nil }

func (e *Engine) attempt(ctx context.Context, c *Call) outcome {
	actx, cancel := ctx, context.CancelFunc(func() {})
	if c.Source == nil && c.Stream == nil {
		timeout := e.cfg.AttemptTimeout
		if whole := e.cfg.Client.Timeout; whole > 0 {
			timeout = min(timeout, whole)
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > timeout {
			actx, cancel = context.WithTimeoutCause(ctx, timeout, errAttemptTimeout)
		}
		defer cancel()
		return e.exchange(ctx, actx, c, nil)
	}
	if whole := e.cfg.Client.Timeout; whole > 0 {
		actx, cancel = context.WithTimeoutCause(ctx, whole, errAttemptTimeout)
	}
	guard := newGuard(actx, cancel, e.cfg.AttemptTimeout)
	out := e.exchange(ctx, guard.ctx, c, guard)
	if out.reply == nil || out.reply.Stream == nil {
		guard.stop()
	}
	return out
}

// exchange sends one request in the context actx and reads the reply, or its head.
func (e *Engine) exchange(ctx, actx context.Context, c *Call, guard *guard) outcome {
	sent := sending{call: c}
	resp, err := e.roundTrip(sent.request(actx, e.cfg.UserAgent, guard))
	if err != nil {
		// An incomplete form cannot have been processed.
		if source, ok := errors.AsType[*form.SourceError](err); ok {
			return outcome{err: source, untouched: true}
		}
		return outcome{err: attemptError(actx, ctx, err), untouched: sent.untouched(err)}
	}
	sent.reply = Reply{StatusCode: resp.StatusCode, Header: resp.Header}
	out := outcome{status: resp.StatusCode, reply: &sent.reply}
	body, length, limit := io.Reader(resp.Body), resp.ContentLength, c.Limit
	if length == 0 {
		length = -1 // a stub leaves the field alone and sends a body
	}
	var in *guardedReply
	if guard != nil {
		in = &guardedReply{ReadCloser: resp.Body, guard: guard}
		body = in
	}
	var readErr error
	switch {
	case !IsSuccess(resp.StatusCode):
		// Enough of an error page to find a code in it; the connection of a longer one is dropped.
		limit = min(limit, maxErrorReply)
		out.retryAfter = retryAfter(resp.Header, time.Now())
	case c.Stream != nil && length <= limit:
		out.reply.Body, readErr = in.peek()
		whole := readErr == io.EOF
		if whole {
			readErr = nil
		}
		if readErr == nil && c.Stream.Takes(out.reply, whole) {
			guard.pause()
			out.reply.Stream = &Stream{
				Length: length, engine: e, call: c, ctx: ctx, body: in, left: limit, unbounded: endsWithTheConnection(resp),
			}
			return out
		}
		limit = min(limit, maxErrorReply)
	}
	defer resp.Body.Close()
	if readErr == nil {
		out.reply.Body, readErr = readBody(body, length, limit)
	}
	if errors.Is(readErr, ErrTooLarge) && (!IsSuccess(resp.StatusCode) || limit < c.Limit) {
		readErr = nil
	}
	out.received = int64(len(out.reply.Body))
	if verdict := c.Judge.Judge(out.reply, readErr); verdict.Err != nil {
		out.err, out.fromReply, out.final = verdict.Err, true, verdict.Final
		out.untouched = verdict.Refused || resp.StatusCode == http.StatusTooManyRequests
	} else if readErr != nil {
		out.err = attemptError(actx, ctx, readErr)
	}
	return out
}

// endsWithTheConnection reports whether nobody could tell a cut connection from the end of
// the reply: a broken gzip shows. TLS has a word of its own for the end, which crypto/tls does
// not insist on.
func endsWithTheConnection(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && !resp.Uncompressed
}

const maxErrorReply = 64 << 10

// IsSuccess reports whether a status is 2xx.
func IsSuccess(status int) bool { return status >= 200 && status < 300 }

// attemptError tells the attempt's own timeout from the caller's deadline.
func attemptError(actx, ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	if actx != ctx && errors.Is(context.Cause(actx), errAttemptTimeout) {
		return errAttemptTimeout
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errAttemptTimeout // of a RoundTripper, and not of the caller's context
	}
	// As an http.Client says it. What net/http returns holds the connection, too.
	if record, ok := err.(tls.RecordHeaderError); ok && string(record.RecordHeader[:]) == "HTTP/" {
		return http.ErrSchemeMismatch
	}
	return err
}
