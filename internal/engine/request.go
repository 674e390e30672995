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

// sending holds everything about one attempt in one allocation: the request, what net/http
// reports about it, and the response.
type sending struct {
	call     *Call
	response Response
	url      url.URL
	header   [2]string
	body     bytes.Reader
	trace    httptrace.ClientTrace
	// What happened so far: a connection was requested, a connection was obtained, the header
	// was written, the source was read.
	requestedConn, gotConn, wroteHeader, readSource atomic.Bool
}

// prototype is copied by WithContext, the only way to set a request's context.
var prototype = &http.Request{Method: http.MethodPost}

// request returns a new request for every attempt, because a body is read once, and a
// RoundTripper may keep the last request or rewrite its URL.
func (s *sending) request(ctx context.Context, userAgent string, stall *stallTimer) *http.Request {
	s.url = s.call.URL
	s.header = [...]string{s.call.ContentType, userAgent}
	req := prototype.WithContext(s.withTrace(ctx))
	req.URL, req.Host = &s.url, s.url.Host
	req.Header = http.Header{"Content-Type": s.header[0:1:1], "User-Agent": s.header[1:2:2]}
	req.ContentLength = s.call.length()
	if source := s.call.Source; source == nil {
		s.body.Reset(s.call.Body)
		// net/http writes header and body in one packet if it sees that the body is in memory.
		req.Body = io.NopCloser(&s.body)
		req.GetBody = s.getBody
	} else {
		req.Body = &watchedBody{ReadCloser: source.Open(), stall: stall, read: &s.readSource}
		if !source.Once() {
			req.GetBody = s.getBody
		}
	}
	return req
}

// getBody returns another body for a signature, and for net/http as long as nothing was
// written. Afterwards, net/http must not retry by itself: over HTTP/2, it would retry without
// end as long as it can get the body again.
func (s *sending) getBody() (io.ReadCloser, error) {
	if s.wroteHeader.Load() {
		return nil, errReplay
	}
	if s.call.Source != nil {
		return s.call.Source.Open(), nil
	}
	return io.NopCloser(bytes.NewReader(s.call.Body)), nil
}

var errReplay = errors.New("the request was sent and is not replayed")

func (s *sending) withTrace(ctx context.Context) context.Context {
	s.trace.GetConn = func(string) { s.requestedConn.Store(true) }
	// gotConn is never reset: a RoundTripper that retries by itself may have lost a request on
	// an earlier connection.
	s.trace.GotConn = func(httptrace.GotConnInfo) { s.gotConn.Store(true) }
	s.trace.WroteHeaders = func() { s.wroteHeader.Store(true) }
	return httptrace.WithClientTrace(ctx, &s.trace)
}

// notSent reports whether the service certainly saw nothing of the request.
func (s *sending) notSent(err error) bool {
	if s.gotConn.Load() || s.readSource.Load() || !s.requestedConn.Load() && !neverConnected(err) {
		return false // without looking at the body, which a RoundTripper may still be reading
	}
	// A RoundTripper without a trace may have sent the body before it failed to dial.
	return int64(s.body.Len()) == s.body.Size()
}
