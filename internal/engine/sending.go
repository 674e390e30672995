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
)

// sending is what one attempt sends, what net/http tells about it, and what comes back, in
// one allocation.
type sending struct {
	call   *Call
	reply  Reply
	url    url.URL
	header [2]string
	body   bytes.Reader
	trace  httptrace.ClientTrace
	// A connection was asked for and got, the header was written, the source was read.
	asked, got, wrote, read atomic.Bool
}

// prototype saves a copy: only WithContext can give a request its context.
var prototype = &http.Request{Method: http.MethodPost}

// request makes a fresh request: a body is read once, and a RoundTripper may keep the last
// request or rewrite its URL.
func (s *sending) request(ctx context.Context, userAgent string, guard *guard) *http.Request {
	s.url = *s.call.URL
	s.header = [...]string{s.call.ContentType, userAgent}
	req := prototype.WithContext(s.watch(ctx))
	req.URL, req.Host = &s.url, s.url.Host
	req.Header = http.Header{"Content-Type": s.header[0:1:1], "User-Agent": s.header[1:2:2]}
	req.ContentLength = s.call.length()
	if source := s.call.Source; source == nil {
		s.body.Reset(s.call.Body)
		// net/http writes the header and a body that it can see to be in memory in one packet.
		req.Body = io.NopCloser(&s.body)
		req.GetBody = s.again
	} else {
		req.Body = &guardedBody{ReadCloser: source.Open(), guard: guard, read: &s.read}
		if !source.Once() {
			req.GetBody = s.again
		}
	}
	return req
}

// again is the body once more, for a signature, and for net/http as long as nothing was
// written. After that net/http must not repeat a request by itself: HTTP/2 does so for any
// whose body it can have again, without end.
func (s *sending) again() (io.ReadCloser, error) {
	if s.wrote.Load() {
		return nil, errReplay
	}
	if s.call.Source != nil {
		return s.call.Source.Open(), nil
	}
	return io.NopCloser(bytes.NewReader(s.call.Body)), nil
}

var errReplay = errors.New("the request was sent and is not replayed")

func (s *sending) watch(ctx context.Context) context.Context {
	s.trace.GetConn = func(string) { s.asked.Store(true) }
	// Once set it stays: a RoundTripper that repeats by itself may have lost a request on
	// an earlier connection.
	s.trace.GotConn = func(httptrace.GotConnInfo) { s.got.Store(true) }
	s.trace.WroteHeaders = func() { s.wrote.Store(true) }
	return httptrace.WithClientTrace(ctx, &s.trace)
}

// untouched reports whether it is certain that the service saw nothing of the request.
func (s *sending) untouched(err error) bool {
	if s.got.Load() || s.read.Load() || !s.asked.Load() && !neverConnected(err) {
		return false // at once: a RoundTripper that gave up may still be reading the body
	}
	// One that reports nothing may have sent the body before it failed to dial.
	return int64(s.body.Len()) == s.body.Size()
}
