package idenfytest

import (
	"html"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
)

// Fault is one way to break. Make one with the functions of this package and hand it to
// Server.Fault.
type Fault struct {
	name                   string
	resetFirst, resetAfter bool
	// replaces keeps the session from being created unless processes is set.
	replaces  *response
	processes bool
	waits     bool
	delay     time.Duration
	truncates bool
	keep      int
}

// String names the fault.
func (f Fault) String() string { return f.name }

// AfterProcessing lets the session be created before its reply is replaced, as when a proxy
// loses the answer of a service that did the work.
func (f Fault) AfterProcessing() Fault {
	f.processes = true
	f.name += " after processing"
	return f
}

// Reply answers with exactly this status, content type and body. An empty content type
// sends no such header.
func Response(status int, contentType, body string) Fault {
	resp := &response{status: status, header: http.Header{}, body: body}
	if contentType != "" {
		resp.header.Set("Content-Type", contentType)
	}
	return Fault{name: "response", replaces: resp}
}

// HTTPStatus answers with a status and its text, as a proxy does.
func HTTPStatus(status int) Fault {
	f := Response(status, "text/plain; charset=utf-8", http.StatusText(status))
	f.name = "HTTP " + strconv.Itoa(status)
	return f
}

// HTMLPage answers with a web page: a login form behind a 200, a gateway's page behind a 502.
func HTMLPage(status int) Fault {
	title := html.EscapeString(strconv.Itoa(status) + " " + http.StatusText(status))
	f := Response(status, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
	f.name = "HTML page " + strconv.Itoa(status)
	return f
}

// APIError answers in iDenfy's form. An empty identifier is left out, as in errors before
// the processing.
func APIError(status int, identifier, message string) Fault {
	return Fault{name: "API error " + identifier, replaces: refuse(status, identifier, "%s", message)}
}

// OutOfCredits answers as iDenfy does when the credits are used up.
func OutOfCredits() Fault {
	f := APIError(http.StatusBadRequest, "PERMISSIONS_ERROR", "Partner reached token limit.")
	f.name = "out of credits"
	return f
}

// TooManyRequests answers 429. A positive wait becomes Retry-After in whole seconds,
// rounded up.
func TooManyRequests(wait time.Duration) Fault {
	f := APIError(http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "Too many requests.")
	f.name = "too many requests"
	if wait > 0 {
		f.replaces.header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return f
}

// Redirect answers with a 3xx status and a Location.
func Redirect(status int, location string) Fault {
	f := HTTPStatus(status)
	f.name = "redirect " + strconv.Itoa(status)
	f.replaces.header.Set("Location", location)
	return f
}

// ResetBeforeRead resets the connection as soon as the headers are in. No session is
// created.
func ResetBeforeRead() Fault {
	return Fault{name: "reset before the request was read", resetFirst: true}
}

// ResetAfterRead resets the connection in place of the reply. The session was created.
func ResetAfterRead() Fault { return Fault{name: "reset after the request was read", resetAfter: true} }

// SlowHeaders creates the session and holds the reply back: for the duration, or when it is zero
// until the caller goes away, Server.Release or Server.Close.
func SlowHeaders(d time.Duration) Fault { return Fault{name: "slow headers", waits: true, delay: d} }

// Truncated announces the whole reply, sends its first n bytes and closes the connection.
func Truncated(n int) Fault { return Fault{name: "truncated", truncates: true, keep: n} }

type scheduled struct {
	fault Fault
	left  int // below one: for ever
}

// Fault breaks the next requests. A count below one holds until ClearFaults. Faults take
// their turns in the order in which they were set.
func (s *Server) Fault(f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scheduled{f, times})
}

// ClearFaults ends all faults that have not struck yet. Replies that a fault is holding
// back stay held.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Release lets every reply go that SlowHeaders is holding back now.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

// takeFault is the fault of the next request; the zero Fault breaks nothing.
func (s *Server) takeFault() Fault {
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

// write sends the reply through the fault.
func (s *Server) write(w http.ResponseWriter, r *http.Request, f Fault, resp *response, release <-chan struct{}) {
	if f.resetAfter {
		fake.Reset(w)
		return
	}
	if f.waits && !fake.Hold(r.Context(), f.delay, release, s.closing) {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h["Content-Type"] = nil // keeps net/http from guessing
	for name, values := range resp.header {
		h[name] = values
	}
	body := resp.body
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.truncates {
		h.Set("Content-Length", strconv.Itoa(max(len(body), f.keep+1)))
		body = body[:min(max(f.keep, 0), len(body))]
	}
	w.WriteHeader(resp.status)
	_, _ = io.WriteString(w, body) // an error means that the caller has gone
	if f.truncates {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
