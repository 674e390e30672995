// Package engine sends calls: one attempt or several, bounded in time and size, with
// nothing secret in what it reports. It knows HTTP and nothing of Identomat: the
// caller hands it the bytes to send and a function that judges the reply.
package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

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
	Err           error
	RetryIn       time.Duration
	WillRetry     bool
}

// Config is what all calls of one client share. It is not changed after New.
type Config struct {
	Client         *http.Client
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

// New returns an engine that never follows a redirect: the request holds a key and
// personal data in its body, and no endpoint is documented to move.
func New(cfg Config) *Engine {
	client := *cfg.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.Client = &client
	e := &Engine{cfg: cfg}
	e.budget.init()
	return e
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
	Body        []byte
	// Limit is the largest reply in bytes.
	Limit int64
	Judge Judge
	// Secrets are values of this call that no error may show, beside the client's own.
	Secrets []string
}

// Judge decides what a reply is. It is called with the whole body, or with what arrived
// of it and the error that ended it. Without a verdict on a read error the attempt ended
// with that error.
type Judge interface {
	Judge(r *Reply, readErr error) Verdict
}

// Verdict is what a reply comes to.
type Verdict struct {
	// Err is nil for the reply that was asked for.
	Err error
	// Refused says that the service understood the call and did not carry it out.
	Refused bool
}

// Reply is a reply whose body was read.
type Reply struct {
	StatusCode int
	Header     http.Header
	Body       []byte
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
			return nil, endedBy(last, err, e.secrets(c))
		}
		start := time.Now()
		out := e.attempt(ctx, c)
		last.Attempts = attempt
		if out.failed() {
			last.Err, last.FromReply, last.RetryAfter = out.err, out.fromReply, out.retryAfter
			last.MaybeProcessed = last.MaybeProcessed || !out.untouched
			if !out.fromReply {
				last.Err = redact.Error(out.err, e.secrets(c)...)
			}
		}
		delay, again := e.next(ctx, c, attempt, &out)
		if e.cfg.Observe != nil {
			ev := Event{
				Context: ctx, Operation: c.Operation, Attempt: attempt,
				Start: start, Duration: time.Since(start),
				StatusCode: out.status, BytesSent: int64(len(c.Body)), BytesReceived: out.received,
				RetryIn: delay, WillRetry: again,
			}
			if out.failed() {
				ev.Err = last.Err
			}
			for _, observe := range e.cfg.Observe {
				observe(ev)
			}
		}
		if !out.failed() {
			return out.reply, nil
		}
		if !again {
			return nil, last.escape()
		}
		if err := Sleep(ctx, delay); err != nil {
			return nil, endedBy(last, err, e.secrets(c))
		}
	}
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

func (e *Engine) secrets(c *Call) []string {
	all := make([]string, 0, len(e.cfg.Secrets)+len(c.Secrets))
	for _, s := range e.cfg.Secrets {
		all = append(all, s.Reveal())
	}
	for _, s := range c.Secrets {
		if len(s) >= minSecret {
			all = append(all, s)
		}
	}
	return all
}

// minSecret keeps a customer id such as 7 from being found in every address and port.
const minSecret = 4

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
	untouched  bool // it is certain that the service processed nothing
	status     int
	retryAfter time.Duration
	received   int64
}

func (o *outcome) failed() bool { return o.err != nil }

func (e *Engine) attempt(ctx context.Context, c *Call) outcome {
	actx := ctx
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > e.cfg.AttemptTimeout {
		var cancel context.CancelFunc
		actx, cancel = context.WithTimeoutCause(ctx, e.cfg.AttemptTimeout, errAttemptTimeout)
		defer cancel()
	}
	var conn connection
	resp, err := e.cfg.Client.Do(e.request(conn.watch(actx), c))
	if err != nil {
		return outcome{err: attemptError(actx, ctx, err), untouched: conn.untouched(err)}
	}
	defer resp.Body.Close()

	out := outcome{status: resp.StatusCode}
	limit := c.Limit
	if !isSuccess(resp.StatusCode) {
		// Enough of an error page to find a code in it; the connection of a longer one is dropped.
		limit = min(limit, maxErrorReply)
		out.retryAfter = retryAfter(resp.Header, time.Now())
	}
	body, readErr := readBody(resp.Body, resp.ContentLength, limit)
	if errors.Is(readErr, ErrTooLarge) && !isSuccess(resp.StatusCode) {
		readErr = nil
	}
	out.received = int64(len(body))
	out.reply = &Reply{StatusCode: resp.StatusCode, Header: resp.Header, Body: body}
	if verdict := c.Judge.Judge(out.reply, readErr); verdict.Err != nil {
		out.err, out.fromReply = verdict.Err, true
		out.untouched = verdict.Refused || resp.StatusCode == http.StatusTooManyRequests
	} else if readErr != nil {
		out.err = attemptError(actx, ctx, readErr)
	}
	return out
}

const maxErrorReply = 64 << 10

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// prototype saves a copy: only WithContext can give a request its context.
var prototype = &http.Request{Method: http.MethodPost}

// request makes a fresh request: a body is read once, and a RoundTripper may keep the last one.
func (e *Engine) request(ctx context.Context, c *Call) *http.Request {
	req := prototype.WithContext(ctx)
	req.URL, req.Host = c.URL, c.URL.Host
	values := [...]string{c.ContentType, e.cfg.UserAgent, "*/*"}
	req.Header = http.Header{
		"Content-Type": values[0:1:1],
		"User-Agent":   values[1:2:2],
		"Accept":       values[2:3:3],
	}
	req.ContentLength = int64(len(c.Body))
	req.GetBody = func() (io.ReadCloser, error) {
		// net/http writes the header and a body that it can see to be in memory in one packet.
		return io.NopCloser(bytes.NewReader(c.Body)), nil
	}
	req.Body, _ = req.GetBody()
	return req
}

// attemptError tells the attempt's own timeout from the caller's deadline.
func attemptError(actx, ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	if actx != ctx && errors.Is(context.Cause(actx), errAttemptTimeout) {
		return errAttemptTimeout
	}
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err // the operation says which endpoint it was
	}
	return err
}

// connection learns from net/http whether an attempt got a connection at all.
type connection struct {
	trace      httptrace.ClientTrace
	asked, got atomic.Bool
}

func (c *connection) watch(ctx context.Context) context.Context {
	c.trace.GetConn = func(string) { c.asked.Store(true) }
	// Once set it stays: a RoundTripper that repeats by itself may have lost a request on
	// an earlier connection.
	c.trace.GotConn = func(httptrace.GotConnInfo) { c.got.Store(true) }
	return httptrace.WithClientTrace(ctx, &c.trace)
}

// untouched reports whether it is certain that the service saw nothing of the request.
func (c *connection) untouched(err error) bool {
	if c.got.Load() {
		return false
	}
	return c.asked.Load() || neverConnected(err)
}
