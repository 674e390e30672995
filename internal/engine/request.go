package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// sending holds the request, the trace and the response of one attempt in one allocation.
type sending struct {
	call     *Call
	response Response
	url      url.URL
	header   [3]string
	memory   bytes.Reader
	body     requestBody
	trace    httptrace.ClientTrace
	conn     use
	writes   atomic.Int32 // how often net/http wrote the header
}

// prototype is copied by WithContext, the only way to set a request's context.
var prototype = &http.Request{Method: http.MethodPost}

// request returns a new request for every attempt, because a body can be read only once, and a
// RoundTripper may keep a request or rewrite its URL. The request has no GetBody: with it, net/http would
// retry by itself, many times over HTTP/2. Without it, the error says whether the service refused the
// stream.
func (s *sending) request(ctx context.Context, e *Engine, stall *stallTimer) *http.Request {
	s.url = s.call.URL
	s.header = [...]string{s.call.ContentType, e.cfg.UserAgent, "*/*"}
	s.body.call, s.body.stall = s.call, stall
	s.trace.WroteHeaders = func() {
		s.body.begin()
		s.writes.Add(1)
	}
	s.conn.watch(&e.conns, &s.trace)
	req := prototype.WithContext(httptrace.WithClientTrace(ctx, &s.trace))
	req.URL, req.Host = &s.url, s.url.Host
	req.Header = http.Header{"Content-Type": s.header[0:1:1], "User-Agent": s.header[1:2:2], "Accept": s.header[2:3:3]}
	req.ContentLength = s.call.length()
	switch {
	case s.call.Source != nil:
		s.body.ReadCloser = s.call.Source.Open()
	case e.plain:
		// net/http writes header and body in one packet if it sees that the body is in memory.
		s.memory.Reset(s.call.Body)
		s.body.memory = &s.memory
		req.Body = io.NopCloser(&s.memory)
		return req
	default:
		s.memory.Reset(s.call.Body)
		s.body.ReadCloser = io.NopCloser(&s.memory)
	}
	req.Body = &s.body
	return req
}

// requestBody records whether any part of the body was sent.
type requestBody struct {
	io.ReadCloser
	call  *Call
	stall *stallTimer
	state atomic.Int32 // unsent, sent or withheld
	read  atomic.Int64 // bytes read so far

	memory *bytes.Reader // the body that an http.Transport reads instead of the requestBody
}

const (
	unsent int32 = iota
	sent
	withheld
)

// begin reports whether the body may be sent.
func (b *requestBody) begin() bool {
	return b.state.CompareAndSwap(unsent, sent) || b.state.Load() == sent
}

// withhold reports whether nothing was sent. If so, a RoundTripper that has already returned cannot
// send anything later.
func (b *requestBody) withhold() bool { return b.state.CompareAndSwap(unsent, withheld) }

var errWithheld = errors.New("the attempt is over")

func (b *requestBody) Read(p []byte) (int, error) {
	if !b.begin() {
		return 0, errWithheld
	}
	n, err := b.ReadCloser.Read(p)
	if b.read.Add(int64(n)); n > 0 && b.stall != nil {
		b.stall.progress()
	}
	return n, err
}

// Memory returns the body if it is in memory.
func (b *requestBody) Memory() (body []byte, ok bool) { return b.call.Body, b.call.Source == nil }

// Copy returns another reader of a body that is not in memory.
func (b *requestBody) Copy() io.ReadCloser { return b.call.Source.Open() }

// InMemory returns the body as a reader that net/http recognizes as held in memory: an http.Transport
// sends such a body in one packet with the header.
func (b *requestBody) InMemory() io.ReadCloser {
	b.memory = bytes.NewReader(b.call.Body)
	return io.NopCloser(b.memory)
}

// isTaken reports whether a protocol that was registered with an http.Transport has read the body.
// Such a protocol need not report anything to the trace.
func (s *sending) isTaken() bool {
	return s.body.memory != nil && !s.conn.hadConn() && s.body.memory.Len() < len(s.call.Body)
}

// notSent reports whether the service certainly processed nothing.
func (s *sending) notSent(err error) bool {
	return s.body.withhold() && !s.isTaken() || (err == errGoAway || err == errRefused) && !s.repeated()
}

// repeated reports whether a RoundTripper has retried the request by itself. The response or error
// is then only about the last retry.
func (s *sending) repeated() bool { return s.writes.Load() > 1 }

// These HTTP/2 errors prove that nothing was processed (RFC 9113, 8.7).
var (
	errGoAway  = errors.New("the service closed the HTTP/2 connection before it processed the request")
	errRefused = errors.New("the service refused the HTTP/2 stream")
)

// errUnused reports that a connection closed before the request was written to it. Unlike errGoAway and
// errRefused, it proves nothing: a RoundTripper may have sent the request before.
var errUnused = errors.New("the HTTP/2 connection closed before it was used")

// unprocessed returns errGoAway, errRefused or errUnused if err means one of them, otherwise err. net/http
// and golang.org/x/net/http2 report them only as text, which the peer cannot influence.
func unprocessed(err error) error {
	reason, found := strings.CutPrefix(err.Error(), "http2: Transport: cannot retry err [")
	switch {
	case err.Error() == "net/http: cannot rewind body after connection loss":
		return errUnused
	case found && strings.HasPrefix(reason, "http2: Transport received Server's graceful shutdown GOAWAY]"):
		return errGoAway
	case found && strings.HasPrefix(reason, "stream error: ") && strings.Contains(reason, "; REFUSED_STREAM; received from peer]"):
		return errRefused
	}
	return err
}

// answeredEarly reports whether a response arrived before the whole upload was sent. If the
// RoundTripper has read nothing of the upload, it counts as a stub, and answeredEarly returns
// false.
func (s *sending) answeredEarly() bool {
	return s.call.Source != nil && s.body.state.Load() == sent && s.body.read.Load() < s.call.Source.Len()
}
