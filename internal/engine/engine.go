// Package engine makes calls: one or more attempts, bounded in time and size, whose errors show no
// secrets. It knows HTTP but no endpoints: the caller passes the bytes to send, and a Protocol that
// classifies responses.
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/identomat-go/identomat/internal/form"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/trace"
)

// A Limiter is called before every attempt.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Event describes one attempt.
type Event struct {
	Context       context.Context
	Operation     string
	Host          string
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

// Config is shared by all calls of one client.
type Config struct {
	HTTPClient     *http.Client // only Transport, which is not nil, and Timeout are used
	UserAgent      string
	Retry          RetryPolicy
	AttemptTimeout time.Duration
	Limiter        Limiter
	Observers      []func(Event)
	Secrets        []redact.Secret
}

// Engine makes calls. It is safe for concurrent use.
type Engine struct {
	cfg    Config
	plain  bool // the RoundTripper is an http.Transport
	conns  connections
	budget budget
}

// New returns an engine.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg, conns: connections{inUse: map[net.Conn]activity{}}}
	_, e.plain = cfg.HTTPClient.Transport.(*http.Transport)
	e.budget.init()
	return e
}

// CloseIdleConnections closes connections that no call is using.
func (e *Engine) CloseIdleConnections() { e.cfg.HTTPClient.CloseIdleConnections() }

// Call is one call to an endpoint.
type Call struct {
	// Operation names the endpoint in events.
	Operation string
	// Retryable allows a retry even if the service may have processed an earlier attempt.
	Retryable   bool
	URL         url.URL
	ContentType string
	// Body is sent unless Source is set.
	Body   []byte
	Source Source
	// Admitted says that the limiter has been asked about the first attempt, by Admit.
	Admitted bool
	// Limit is the maximum size of a response in bytes.
	Limit    int64
	Protocol Protocol
	// Stream, if not nil, decides whether to stream a successful response.
	Stream StreamProtocol
	// SelfDelimiting is set if streamed content itself shows whether it is complete.
	SelfDelimiting bool
}

// Protocol classifies responses and makes the errors that callers see.
type Protocol interface {
	// Classify is called with the whole body, or with the part that was read before readErr. If
	// readErr is not nil and Classify returns a zero Disposition, the attempt fails with readErr.
	Classify(r *Response, readErr error) Disposition
	// Secrets returns the call's secrets, which no error may show. The engine adds the client's
	// secrets.
	Secrets() []string
	// Public returns the error that the caller sees.
	Public(f *Failure) error
}

// StreamProtocol chooses the responses that are streamed.
type StreamProtocol interface {
	// Streams reports whether a successful response is streamed. r.Body holds up to PeekSize bytes.
	// The parameter whole says that these bytes are the whole body. If Streams returns false, the
	// engine reads up to 64 KiB of the response and calls Classify.
	Streams(r *Response, whole bool) bool
}

// Source is a request body that is not in memory.
type Source interface {
	Open() io.ReadCloser
	Len() int64
	// Once reports whether Open works only once.
	Once() bool
}

// Disposition is the result of classifying a response.
type Disposition struct {
	// Err is nil for a successful response.
	Err error
	// NotProcessed says that the service certainly did not carry out the call.
	NotProcessed bool
	// Final rules out a retry, whatever the status.
	Final bool
}

// Response is a response with its body or a stream.
type Response struct {
	StatusCode int
	Header     http.Header
	// Body is the whole body, or the first bytes of a stream, which are valid until Stream is read.
	Body   []byte
	Stream *Stream
	// Early says that the response arrived before the whole upload was sent, so it cannot be a
	// success.
	Early bool
}

// Failure is the outcome of a call that did not succeed.
type Failure struct {
	// Err comes from Classify if FromResponse is set, or else from the network, the limiter or the
	// context, without secrets.
	Err          error
	FromResponse bool
	// Attempts counts the requests that were started.
	Attempts int
	// MaybeProcessed is false only if the service certainly processed no attempt.
	MaybeProcessed bool
	// RetryAfter is the wait that the last response asked for.
	RetryAfter time.Duration
}

// ErrTooLarge reports a response over the limit.
var ErrTooLarge = errors.New("response exceeds the size limit")

// attemptTimeoutError ends an attempt, not the call.
type attemptTimeoutError struct{}

func (attemptTimeoutError) Error() string { return "no complete response within the attempt timeout" }
func (attemptTimeoutError) Timeout() bool { return true }

var errAttemptTimeout error = attemptTimeoutError{}

// Do makes attempts until one succeeds or the call may not be retried. Errors are from
// Protocol.Public.
func (e *Engine) Do(ctx context.Context, c *Call) (*Response, error) {
	e.budget.earn()
	var last Failure
	for attempt := 1; ; attempt++ {
		if err := e.ready(ctx, c.Admitted && attempt == 1); err != nil {
			return nil, c.Protocol.Public(last.endedBy(err, e.Secrets(c.Protocol)))
		}
		start := time.Now()
		out := e.attempt(ctx, c)
		last.Attempts = attempt
		if t := trace.From(ctx); t != nil {
			t.Attempts, t.StatusCode, t.Body = attempt, out.status, nil
			if !out.failed() && !out.streams() {
				t.Body = out.response.Body
			}
		}
		if out.failed() {
			last.Err, last.FromResponse, last.RetryAfter = out.err, out.fromResponse, out.retryAfter
			last.MaybeProcessed = last.MaybeProcessed || !out.notProcessed
			if !out.fromResponse {
				last.Err = redact.Error(out.err, e.Secrets(c.Protocol)...)
			}
		}
		delay, retry := e.next(ctx, c, attempt, &out)
		if e.cfg.Observers != nil {
			event := Event{
				Context: ctx, Operation: c.Operation, Host: c.URL.Host, Attempt: attempt, Start: start,
				StatusCode: out.status, BytesSent: c.length(), BytesReceived: out.received,
				RetryIn: delay, WillRetry: retry,
			}
			if out.failed() {
				event.Err = c.Protocol.Public(last.escape())
			}
			if out.streams() {
				out.response.Stream.event = &event // complete when the stream has ended
			} else {
				e.observe(event)
			}
		}
		if !out.failed() {
			if out.response.Stream != nil {
				out.response.Stream.Attempts = attempt
			}
			return out.response, nil
		}
		if !retry {
			return nil, c.Protocol.Public(last.escape())
		}
		if err := Sleep(ctx, delay); err != nil {
			return nil, c.Protocol.Public(last.endedBy(err, e.Secrets(c.Protocol)))
		}
	}
}

func (e *Engine) observe(event Event) {
	event.Duration = time.Since(event.Start)
	for _, observe := range e.cfg.Observers {
		observe(event)
	}
}

// length returns the length of the body to send.
func (c *Call) length() int64 {
	if c.Source != nil {
		return c.Source.Len()
	}
	return int64(len(c.Body))
}

// escape returns a pointer to a copy, so that a successful call allocates no Failure.
func (f Failure) escape() *Failure { return &f }

// endedBy returns the failure of a call that err ended between two attempts. Its Err wraps err
// and the error of the last attempt.
func (f Failure) endedBy(err error, secrets []string) *Failure {
	err = redact.Error(err, secrets...)
	if f.Err != nil {
		err = fmt.Errorf("%w; last attempt: %w", err, f.Err)
	}
	f.Err, f.FromResponse = err, false
	return &f
}

// Admit waits for the limiter before a call is prepared, because many waiting calls would take a lot of memory.
func (e *Engine) Admit(ctx context.Context) error { return e.ready(ctx, false) }

// ready checks the caller's context, and waits for the limiter unless the attempt was admitted before.
func (e *Engine) ready(ctx context.Context, admitted bool) error {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	if e.cfg.Limiter == nil || admitted {
		return nil
	}
	return e.cfg.Limiter.Wait(ctx)
}

// Ended returns why the caller's context ended. errors.Is matches the cause, and context.Canceled or
// context.DeadlineExceeded.
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

// Secrets returns the client's secrets, and a call's secrets of at least MinSecret bytes.
func (e *Engine) Secrets(p Protocol) []string {
	all := make([]string, 0, len(e.cfg.Secrets))
	for _, s := range e.cfg.Secrets {
		all = append(all, s.Reveal())
	}
	for _, s := range p.Secrets() {
		if len(s) >= MinSecret {
			all = append(all, s)
		}
	}
	return all
}

// MinSecret is the length of the shortest text that counts as a secret. A customer id such as 7
// would match most addresses and ports.
const MinSecret = 4

// outcome is the result of one attempt.
type outcome struct {
	response     *Response
	err          error
	fromResponse bool
	final        bool
	notProcessed bool // the service certainly did not process the attempt
	status       int
	retryAfter   time.Duration
	received     int64
}

func (o *outcome) failed() bool { return o.err != nil }

func (o *outcome) streams() bool { return o.response != nil && o.response.Stream != nil }

func (e *Engine) attempt(ctx context.Context, c *Call) outcome {
	actx, cancel := ctx, context.CancelFunc(func() {})
	sent := &sending{call: c}
	if c.Source == nil && c.Stream == nil {
		timeout := e.cfg.AttemptTimeout
		if whole := e.cfg.HTTPClient.Timeout; whole > 0 {
			timeout = min(timeout, whole)
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > timeout {
			actx, cancel = context.WithTimeoutCause(ctx, timeout, errAttemptTimeout)
		}
		defer cancel()
		out := e.exchange(ctx, actx, sent, nil)
		sent.conn.end(out.failed() && actx.Err() != nil)
		return out
	}
	if whole := e.cfg.HTTPClient.Timeout; whole > 0 {
		actx, cancel = context.WithTimeoutCause(ctx, whole, errAttemptTimeout)
	}
	stall := newStallTimer(actx, cancel, e.cfg.AttemptTimeout, &sent.conn)
	out := e.exchange(ctx, stall.ctx, sent, stall)
	if !out.streams() {
		sent.conn.end(out.failed() && stall.ctx.Err() != nil)
		stall.stop()
	}
	return out
}

// exchange sends one request with the context actx, and reads the response or peeks at it.
func (e *Engine) exchange(ctx, actx context.Context, sent *sending, stall *stallTimer) outcome {
	c := sent.call
	resp, err := e.roundTrip(sent.request(actx, e, stall))
	if err != nil {
		// An incomplete form cannot have been processed.
		if source, ok := errors.AsType[*form.SourceError](err); ok {
			return outcome{err: source, notProcessed: true}
		}
		err = unprocessed(err)
		return outcome{err: attemptError(actx, ctx, err), notProcessed: sent.notSent(err)}
	}
	sent.conn.heard()
	sent.response = Response{StatusCode: resp.StatusCode, Header: resp.Header, Early: sent.answeredEarly()}
	out := outcome{status: resp.StatusCode, response: &sent.response}
	body, length, limit := io.Reader(resp.Body), resp.ContentLength, c.Limit
	if length == 0 {
		length = -1 // a stub may send a body without setting ContentLength
	}
	var watched *watchedResponse
	if stall != nil {
		watched = stall.watch(resp.Body)
		body = watched
	}
	var readErr error
	switch {
	case !IsSuccess(resp.StatusCode):
		// This much of an error page is enough to find a code. If the page is longer, the
		// connection is closed.
		limit = min(limit, maxErrorBody)
		out.retryAfter = retryAfter(resp.Header, time.Now())
	case c.Stream != nil && length <= limit:
		out.response.Body, readErr = watched.peek()
		whole := readErr == io.EOF
		if whole {
			readErr = nil
		}
		if readErr == nil && c.Stream.Streams(out.response, whole) {
			stall.pause()
			out.response.Stream = &Stream{
				Length: length, engine: e, call: c, ctx: ctx, body: watched, left: limit, undelimited: endsWithConnection(resp),
			}
			return out
		}
		limit = min(limit, maxErrorBody)
	}
	defer resp.Body.Close()
	if readErr == nil {
		out.response.Body, readErr = readBody(body, length, limit)
	}
	if errors.Is(readErr, ErrTooLarge) && (!IsSuccess(resp.StatusCode) || limit < c.Limit) {
		readErr = nil
	}
	out.received = int64(len(out.response.Body))
	if d := c.Protocol.Classify(out.response, readErr); d.Err != nil {
		out.err, out.fromResponse, out.final = d.Err, true, d.Final
		out.notProcessed = (d.NotProcessed || isUnprocessed(resp.StatusCode)) && !sent.repeated()
		if resp.StatusCode == http.StatusMisdirectedRequest {
			e.CloseIdleConnections() // the next attempt needs another connection
		}
	} else if readErr != nil {
		out.err = attemptError(actx, ctx, readErr)
	}
	return out
}

var errNoResponse = errors.New("the RoundTripper returned neither a response nor an error")

// roundTrip bypasses the http.Client, which would follow a redirect. The request contains a key and
// personal data, and no endpoint is documented to redirect.
func (e *Engine) roundTrip(req *http.Request) (*http.Response, error) {
	resp, err := e.cfg.HTTPClient.Transport.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case resp == nil:
		return nil, errNoResponse
	case resp.Body == nil: // from a stub
		resp.Body = http.NoBody
	}
	return resp, nil
}

// endsWithConnection reports whether the body is delimited only by connection close, so truncation
// cannot be detected: crypto/tls does not require close_notify. Truncated gzip is detected.
func endsWithConnection(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && !resp.Uncompressed
}

const maxErrorBody = 64 << 10

// IsSuccess reports whether a status is 2xx, except 206: no call asks for a range.
func IsSuccess(status int) bool {
	return status >= 200 && status < 300 && status != http.StatusPartialContent
}

// attemptError distinguishes the attempt's timeout from the caller's deadline.
func attemptError(actx, ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	if actx != ctx && errors.Is(context.Cause(actx), errAttemptTimeout) {
		return errAttemptTimeout
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errAttemptTimeout // the timeout is a RoundTripper's, not the caller's
	}
	// Replace the error of a TLS handshake with an HTTP server, as http.Client does, because that
	// error holds the connection.
	if record, ok := err.(tls.RecordHeaderError); ok && string(record.RecordHeader[:]) == "HTTP/" {
		return http.ErrSchemeMismatch
	}
	return err
}
