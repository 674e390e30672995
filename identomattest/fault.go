package identomattest

import (
	"html"
	"net/http"
	"strconv"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
)

// AnyOperation stands for every operation in Server.Fault.
const AnyOperation = "*"

// Fault is one way to break. Make one with the functions of this package and hand it to
// Server.Fault.
type Fault struct {
	name string

	resetFirst bool
	resetAfter bool

	// A fault that replaces the reply keeps the operation from running unless
	// processes is set.
	replaces    bool
	processes   bool
	status      int
	header      http.Header
	contentType string
	body        string

	waitHeaders, waitBody bool
	delay                 time.Duration

	truncates bool
	keep      int

	dropSignature, wrongSignature bool
}

// String names the fault.
func (f Fault) String() string { return f.name }

// AfterProcessing lets the operation run before its reply is replaced: its effects stay,
// as when a proxy loses the answer of a service that did the work.
func (f Fault) AfterProcessing() Fault {
	f.processes = true
	f.name += " after processing"
	return f
}

// Reply answers with exactly this status, content type and body. An empty content type
// sends no such header.
func Response(status int, contentType, body string) Fault {
	return Fault{name: "response", replaces: true, status: status, contentType: contentType, body: body}
}

// HTTPStatus answers with a status and its text, as a proxy does.
func HTTPStatus(status int) Fault {
	f := Response(status, "text/plain; charset=utf-8", http.StatusText(status))
	f.name = "HTTP " + strconv.Itoa(status)
	return f
}

// ErrorCode answers 200 with a bare JSON string, the older form of an error:
// "SESSION_NOT_FOUND".
func ErrorCode(code string) Fault {
	f := Response(http.StatusOK, "application/json", string(encodeJSON(code)))
	f.name = "error code " + code
	return f
}

// ArgumentError answers 200 with {"argumentError": code}.
func ArgumentError(code string) Fault {
	f := Response(http.StatusOK, "application/json", string(encodeJSON(object{{"argumentError", code}})))
	f.name = "argumentError " + code
	return f
}

// InternalError answers 200 with {"internalError": message}.
func InternalError(message string) Fault {
	f := Response(http.StatusOK, "application/json", string(encodeJSON(object{{"internalError", message}})))
	f.name = "internalError"
	return f
}

// HTMLPage answers with a web page: a login form behind a 200, a gateway's page behind a 502.
func HTMLPage(status int) Fault {
	title := html.EscapeString(strconv.Itoa(status) + " " + http.StatusText(status))
	f := Response(status, "text/html; charset=utf-8",
		"<!DOCTYPE html>\n<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
	f.name = "HTML page " + strconv.Itoa(status)
	return f
}

// EmptyBody answers 200 with nothing.
func EmptyBody() Fault {
	f := Response(http.StatusOK, "application/json", "")
	f.name = "empty body"
	return f
}

// EmptyObject answers 200 with {}.
func EmptyObject() Fault {
	f := Response(http.StatusOK, "application/json", "{}")
	f.name = "empty object"
	return f
}

// Null answers 200 with null.
func Null() Fault {
	f := Response(http.StatusOK, "application/json", "null")
	f.name = "null"
	return f
}

// TooManyRequests answers 429. A positive wait becomes Retry-After in whole seconds,
// rounded up.
func TooManyRequests(wait time.Duration) Fault {
	f := HTTPStatus(http.StatusTooManyRequests)
	if wait > 0 {
		f.header = http.Header{"Retry-After": {strconv.Itoa(int((wait + time.Second - 1) / time.Second))}}
	}
	return f
}

// Redirect answers with a 3xx status and a Location.
func Redirect(status int, location string) Fault {
	f := HTTPStatus(status)
	f.name = "redirect " + strconv.Itoa(status)
	f.header = http.Header{"Location": {location}}
	return f
}

// ResetBeforeRead resets the connection as soon as the request line and the headers are
// in. The operation does not run.
func ResetBeforeRead() Fault {
	return Fault{name: "reset before the request was read", resetFirst: true}
}

// ResetAfterRead resets the connection in place of the reply. The operation has run.
func ResetAfterRead() Fault { return Fault{name: "reset after the request was read", resetAfter: true} }

// SlowHeaders runs the operation and holds the whole reply back: for the duration, or
// when it is zero until the caller goes away, Server.Release or Server.Close.
func SlowHeaders(d time.Duration) Fault {
	return Fault{name: "slow headers", waitHeaders: true, delay: d}
}

// SlowBody sends headers and the first half of the body, and holds the rest back like
// SlowHeaders.
func SlowBody(d time.Duration) Fault { return Fault{name: "slow body", waitBody: true, delay: d} }

// Truncated announces the whole body, sends its first n bytes and closes the connection.
func Truncated(n int) Fault { return Fault{name: "truncated", truncates: true, keep: n} }

// WrongContentType sends the true reply below another content type.
func WrongContentType(contentType string) Fault {
	return Fault{name: "wrong content type", contentType: contentType}
}

// WrongSignature sends the true reply with a signature that does not fit it.
func WrongSignature() Fault { return Fault{name: "wrong signature", wrongSignature: true} }

// MissingSignature sends the true reply without a signature.
func MissingSignature() Fault { return Fault{name: "missing signature", dropSignature: true} }

type scheduledFault struct {
	operation string
	fault     Fault
	left      int // negative: for ever
}

// Fault breaks the next calls of an operation, named as in the API reference ("result/"),
// or of AnyOperation. A count below one holds until ClearFaults. Faults of the same
// operation take their turns in the order in which they were set.
func (s *Server) Fault(operation string, f Fault, times int) {
	if operation != AnyOperation && operationNamed(operation) == nil {
		_ = s.misuse("Fault: no operation is named %q", operation)
		return
	}
	if times < 1 {
		times = -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scheduledFault{operation, f, times})
}

// ClearFaults ends all faults that have not struck yet. Replies that a fault is holding
// back stay held.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Release lets every reply go that SlowHeaders or SlowBody is holding back now.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

func (s *Server) takeFault(operation string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.left == 0 || f.operation != operation && f.operation != AnyOperation {
			continue
		}
		if f.left > 0 {
			f.left--
		}
		return f.fault, true
	}
	return Fault{}, false
}

// write sends the reply through the fault.
func (s *Server) write(w http.ResponseWriter, r *http.Request, c *call, entry *Request, f Fault, resp response) {
	if f.replaces {
		resp = response{status: f.status, contentType: f.contentType, body: []byte(f.body), failed: true}
	} else if f.contentType != "" {
		resp.contentType = f.contentType
	}
	if resp.status == 0 {
		resp.status = http.StatusOK
	}
	if !f.resetAfter {
		c.log.Status = resp.status
	}
	release := s.finish(entry, c.log)

	if f.resetAfter {
		fake.Reset(w)
		return
	}
	if f.waitHeaders && !fake.Hold(r.Context(), f.delay, release, s.closing) {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for name, values := range f.header {
		h[name] = values
	}
	// A nil value keeps net/http from guessing.
	h["Content-Type"] = nil
	if resp.contentType != "" {
		h.Set("Content-Type", resp.contentType)
	}
	switch {
	case f.wrongSignature:
		h.Set("Authorization", authorization(signBody("not "+s.secretKey, resp.body)))
	case c.log.SignatureValid && !resp.failed && !f.dropSignature:
		h.Set("Authorization", authorization(signBody(s.secretKey, resp.body)))
	}
	announced := len(resp.body)
	if f.truncates && announced <= f.keep {
		announced = f.keep + 1
	}
	h.Set("Content-Length", strconv.Itoa(announced))
	w.WriteHeader(resp.status)

	// Write errors mean that the caller has gone: there is nobody to tell.
	switch {
	case f.truncates:
		_, _ = w.Write(resp.body[:min(max(f.keep, 0), len(resp.body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.waitBody:
		half := len(resp.body) / 2
		_, _ = w.Write(resp.body[:half])
		_ = http.NewResponseController(w).Flush()
		if !fake.Hold(r.Context(), f.delay, release, s.closing) {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(resp.body[half:])
	default:
		_, _ = w.Write(resp.body)
	}
}
