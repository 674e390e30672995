package identomattest

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
)

// AnyOperation makes [Server.Fault] apply to every operation.
const AnyOperation = "*"

// Fault is a way in which a call fails. Functions of this package return faults to pass to
// [Server.Fault].
type Fault struct {
	name string

	resetBeforeRead bool
	resetAfterRead  bool

	// replaces is set if the fault replaces the response. The operation then runs only if processes is
	// set.
	replaces    bool
	processes   bool
	status      int
	header      http.Header
	contentType string
	body        string

	waitHeaders, waitBody bool
	delay                 time.Duration

	truncates bool
	keepBytes int

	dropSignature, wrongSignature bool
}

// String returns the name of the fault.
func (f Fault) String() string { return f.name }

// AfterProcessing returns a copy of the fault that runs the operation before it replaces the response,
// as if a proxy had lost the response.
func (f Fault) AfterProcessing() Fault {
	f.processes = true
	f.name += " after processing"
	return f
}

// Response responds with this status, content type and body. An empty contentType sends no
// Content-Type header.
func Response(status int, contentType, body string) Fault {
	return Fault{name: "response", replaces: true, status: status, contentType: contentType, body: body}
}

// HTTPStatus responds with a status and its text as plain text, as proxies do.
func HTTPStatus(status int) Fault {
	f := Response(status, "text/plain; charset=utf-8", http.StatusText(status))
	f.name = "HTTP " + strconv.Itoa(status)
	return f
}

// ErrorCode responds with status 200 and the code as a JSON string, such as "SESSION_NOT_FOUND".
// This is Identomat's older error format. Endpoints that read images also use it to refuse an image:
// "DOCUMENT_BLURRY".
func ErrorCode(code string) Fault {
	f := Response(http.StatusOK, "application/json", string(encodeJSON(code)))
	f.name = "error code " + code
	return f
}

// ArgumentError responds with status 200 and {"argumentError": code}.
func ArgumentError(code string) Fault {
	f := Response(http.StatusOK, "application/json", string(encodeJSON(object{{"argumentError", code}})))
	f.name = "argumentError " + code
	return f
}

// InternalError responds with status 200 and {"internalError": message}.
func InternalError(message string) Fault {
	f := Response(http.StatusOK, "application/json", string(encodeJSON(object{{"internalError", message}})))
	f.name = "internalError"
	return f
}

// HTMLPage responds with a web page, such as a login form with status 200 or a gateway's error page
// with status 502.
func HTMLPage(status int) Fault {
	title := html.EscapeString(strconv.Itoa(status) + " " + http.StatusText(status))
	f := Response(status, "text/html; charset=utf-8",
		"<!DOCTYPE html>\n<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
	f.name = "HTML page " + strconv.Itoa(status)
	return f
}

// EmptyBody responds with status 200 and an empty body.
func EmptyBody() Fault {
	f := Response(http.StatusOK, "application/json", "")
	f.name = "empty body"
	return f
}

// EmptyObject responds with status 200 and {}.
func EmptyObject() Fault {
	f := Response(http.StatusOK, "application/json", "{}")
	f.name = "empty object"
	return f
}

// Null responds with status 200 and null.
func Null() Fault {
	f := Response(http.StatusOK, "application/json", "null")
	f.name = "null"
	return f
}

// TooManyRequests responds with status 429. A positive wait is sent as Retry-After in whole seconds,
// rounded up.
func TooManyRequests(wait time.Duration) Fault {
	f := HTTPStatus(http.StatusTooManyRequests)
	if wait > 0 {
		f.header = http.Header{"Retry-After": {retryAfter(wait)}}
	}
	return f
}

// retryAfter returns a wait in whole seconds, rounded up.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// Redirect responds with a 3xx status and a Location header.
func Redirect(status int, location string) Fault {
	f := HTTPStatus(status)
	f.name = "redirect " + strconv.Itoa(status)
	f.header = http.Header{"Location": {location}}
	return f
}

// ResetBeforeRead resets the connection after reading the request's headers and before reading its
// body. The operation does not run.
func ResetBeforeRead() Fault {
	return Fault{name: "reset before the request was read", resetBeforeRead: true}
}

// ResetAfterRead runs the operation and then resets the connection without a response.
func ResetAfterRead() Fault {
	return Fault{name: "reset after the request was read", resetAfterRead: true}
}

// SlowHeaders runs the operation and delays the whole response by d, or until [Server.Release] if d is
// zero. If the caller disconnects or the server closes first, the connection is aborted.
func SlowHeaders(d time.Duration) Fault {
	return Fault{name: "slow headers", waitHeaders: true, delay: d}
}

// SlowBody sends the headers and the first half of the body, and delays the rest as [SlowHeaders] does.
func SlowBody(d time.Duration) Fault { return Fault{name: "slow body", waitBody: true, delay: d} }

// Truncated sends the Content-Length of the whole body, sends its first n bytes, and closes the
// connection.
func Truncated(n int) Fault { return Fault{name: "truncated", truncates: true, keepBytes: n} }

// WrongContentType sends the regular response with another content type.
func WrongContentType(contentType string) Fault {
	return Fault{name: "wrong content type", contentType: contentType}
}

// WrongSignature sends the regular response with a wrong signature.
func WrongSignature() Fault { return Fault{name: "wrong signature", wrongSignature: true} }

// MissingSignature sends the regular response without a signature.
func MissingSignature() Fault { return Fault{name: "missing signature", dropSignature: true} }

type scheduledFault struct {
	operation string
	fault     Fault
	left      int // number of calls left to affect; negative means unlimited
}

// Fault makes the next calls to an operation fail. times is the number of these calls. The operation is
// a name from Identomat's API reference, such as "result/", or [AnyOperation]. If times is less than
// one, the fault stays until [Server.ClearFaults]. Faults apply in the order in which they were added.
// An unknown operation or an impossible fault, such as status 42, fails the test.
func (s *Server) Fault(operation string, f Fault, times int) {
	if err := checkFault(operation, f); err != nil {
		_ = s.misuse("Fault: %w", err)
		return
	}
	if times < 1 {
		times = -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scheduledFault{operation, f, times})
}

func checkFault(operation string, f Fault) error {
	switch {
	case operation != AnyOperation && operationByName(operation) == nil:
		return fmt.Errorf("unknown operation %q", operation)
	case f.replaces && (f.status < 200 || f.status > 599):
		return fmt.Errorf("%d is not a status between 200 and 599", f.status)
	case f.resetBeforeRead && f.processes:
		return errors.New("a request that is not read cannot be processed")
	}
	return nil
}

// ClearFaults removes all faults. It does not release responses that a fault is holding back.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Release sends all responses that [SlowHeaders] and [SlowBody] are holding back.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

func (s *Server) nextFault(operation string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.operation != operation && f.operation != AnyOperation {
			continue
		}
		if f.left--; f.left == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f.fault, true
	}
	return Fault{}, false
}

// write sends the response with the fault applied.
func (s *Server) write(w http.ResponseWriter, r *http.Request, c *call, entry *Request, f Fault, resp response) {
	if f.replaces {
		resp = response{status: f.status, contentType: f.contentType, body: []byte(f.body), failed: true}
	} else if f.contentType != "" {
		resp.contentType = f.contentType
	}
	if resp.status == 0 {
		resp.status = http.StatusOK
	}
	if !f.resetAfterRead {
		c.record.Status = resp.status
	}
	release := s.finish(entry, c.record)

	if f.resetAfterRead {
		fake.Reset(w)
		return
	}
	if s.latency > 0 && !fake.Hold(r.Context(), s.latency, nil, s.closing) {
		panic(http.ErrAbortHandler)
	}
	if f.waitHeaders && !fake.Hold(r.Context(), f.delay, release, s.closing) {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for name, values := range f.header {
		h[name] = values
	}
	// A nil value stops net/http from detecting a content type.
	h["Content-Type"] = nil
	if resp.contentType != "" {
		h.Set("Content-Type", resp.contentType)
	}
	if resp.retryAfter > 0 {
		h.Set("Retry-After", retryAfter(resp.retryAfter))
	}
	if resp.reason != "" {
		h.Set(refusalHeader, headerText(s.mask(resp.reason)))
	}
	switch {
	case f.wrongSignature:
		h.Set("Authorization", authorization(signBody("not "+c.company.SecretKey, resp.body)))
	case c.record.SignatureValid && !resp.failed && !f.dropSignature:
		h.Set("Authorization", authorization(signBody(c.company.SecretKey, resp.body)))
	}
	contentLength := len(resp.body)
	if f.truncates && contentLength <= f.keepBytes {
		contentLength = f.keepBytes + 1
	}
	h.Set("Content-Length", strconv.Itoa(contentLength))
	w.WriteHeader(resp.status)

	// Ignore write errors: they mean that the caller has disconnected.
	switch {
	case f.truncates:
		_, _ = w.Write(resp.body[:min(max(f.keepBytes, 0), len(resp.body))])
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
