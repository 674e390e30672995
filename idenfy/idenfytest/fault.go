package idenfytest

import (
	"html"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
)

// Fault is a way in which a request fails. Functions of this package return faults to pass to
// [Server.Fault].
type Fault struct {
	name                            string
	resetBeforeRead, resetAfterRead bool
	// replaces, if not nil, is sent instead of the regular response. The session is then created
	// only if processes is set.
	replaces  *response
	processes bool
	waits     bool
	delay     time.Duration
	truncates bool
	keepBytes int
}

// String returns the name of the fault.
func (f Fault) String() string { return f.name }

// AfterProcessing returns a copy of the fault that creates the session before it replaces the
// response, as if a proxy had lost the response.
func (f Fault) AfterProcessing() Fault {
	f.processes = true
	f.name += " after processing"
	return f
}

// Response responds with this status, content type and body. An empty contentType sends no
// Content-Type header.
func Response(status int, contentType, body string) Fault {
	resp := &response{status: status, header: http.Header{}, body: body}
	if contentType != "" {
		resp.header.Set("Content-Type", contentType)
	}
	return Fault{name: "response", replaces: resp}
}

// HTTPStatus responds with a status and its text as plain text, as proxies do.
func HTTPStatus(status int) Fault {
	f := Response(status, "text/plain; charset=utf-8", http.StatusText(status))
	f.name = "HTTP " + strconv.Itoa(status)
	return f
}

// HTMLPage responds with a web page, such as a login form with status 200 or a gateway's error page
// with status 502.
func HTMLPage(status int) Fault {
	title := html.EscapeString(strconv.Itoa(status) + " " + http.StatusText(status))
	f := Response(status, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
	f.name = "HTML page " + strconv.Itoa(status)
	return f
}

// APIError responds with an error in iDenfy's format. An empty identifier is left out, as in the
// errors that iDenfy reports before it processes a request.
func APIError(status int, identifier, message string) Fault {
	return Fault{name: "API error " + identifier, replaces: refuse(status, identifier, "%s", message)}
}

// OutOfCredits responds with the error that iDenfy returns when the credits are used up.
func OutOfCredits() Fault {
	f := APIError(http.StatusBadRequest, "PERMISSIONS_ERROR", "Partner reached token limit.")
	f.name = "out of credits"
	return f
}

// TooManyRequests responds with status 429. A positive wait is sent as Retry-After in whole
// seconds, rounded up.
func TooManyRequests(wait time.Duration) Fault {
	f := APIError(http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "Too many requests.")
	f.name = "too many requests"
	if wait > 0 {
		f.replaces.header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return f
}

// Redirect responds with a 3xx status and a Location header.
func Redirect(status int, location string) Fault {
	f := HTTPStatus(status)
	f.name = "redirect " + strconv.Itoa(status)
	f.replaces.header.Set("Location", location)
	return f
}

// ResetBeforeRead resets the connection after reading the request's headers and before reading its
// body. No session is created.
func ResetBeforeRead() Fault {
	return Fault{name: "reset before the request was read", resetBeforeRead: true}
}

// ResetAfterRead creates the session and then resets the connection without a response.
func ResetAfterRead() Fault {
	return Fault{name: "reset after the request was read", resetAfterRead: true}
}

// SlowHeaders creates the session and delays the response by d, or until [Server.Release] if d is
// zero. If the caller disconnects or the server closes first, the connection is aborted.
func SlowHeaders(d time.Duration) Fault { return Fault{name: "slow headers", waits: true, delay: d} }

// Truncated sends the Content-Length of the whole response, sends its first n bytes, and closes the
// connection.
func Truncated(n int) Fault { return Fault{name: "truncated", truncates: true, keepBytes: n} }

type scheduled struct {
	fault Fault
	left  int // number of requests left to affect; below one means unlimited
}

// Fault makes the next requests fail. times is the number of these requests. If times is less than
// one, the fault stays until [Server.ClearFaults]. Faults apply in the order in which they were
// added.
func (s *Server) Fault(f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scheduled{f, times})
}

// ClearFaults removes all faults. It does not release responses that a fault is holding back.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Release sends all responses that [SlowHeaders] is holding back.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

// nextFault returns the fault for the next request. The zero Fault has no effect.
func (s *Server) nextFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return Fault{}
	}
	next := s.faults[0]
	if next.left--; next.left == 0 {
		s.faults = s.faults[1:]
	}
	return next.fault
}

// write sends the response with the fault applied.
func (s *Server) write(w http.ResponseWriter, r *http.Request, f Fault, resp *response, release <-chan struct{}) {
	if f.resetAfterRead {
		fake.Reset(w)
		return
	}
	if f.waits && !fake.Hold(r.Context(), f.delay, release, s.closing) {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h["Content-Type"] = nil // stops net/http from detecting a content type
	for name, values := range resp.header {
		h[name] = values
	}
	body := resp.body
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.truncates {
		h.Set("Content-Length", strconv.Itoa(max(len(body), f.keepBytes+1)))
		body = body[:min(max(f.keepBytes, 0), len(body))]
	}
	w.WriteHeader(resp.status)
	_, _ = io.WriteString(w, body) // fails only if the caller has disconnected
	if f.truncates {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
