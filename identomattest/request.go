package identomattest

import (
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// Request is one request that reached the server, as it arrived. The company key, the
// secret key and passwords are masked: a Request may be printed.
type Request struct {
	// Operation is the name in the API reference, as "begin/" or "list-users";
	// empty when the path belongs to no operation.
	Operation string
	// Host is "widget" or "api": the listener that was called.
	Host   string
	Method string
	Path   string
	// ContentType is the header without its parameters.
	ContentType string
	UserAgent   string
	// Parameters are the parameters by name, in the form encoding/json gives them.
	// A file part is an Upload. It is nil when the body could not be read.
	Parameters map[string]any
	// Size counts the bytes of the body.
	Size int64
	// Signed says that the request carried an Authorization header, SignatureValid
	// that the header fitted the body.
	Signed         bool
	SignatureValid bool
	Time           time.Time
	// Status is the HTTP status of the reply; 0 when the connection was cut.
	Status int
	// Processed says that the operation ran. It did not when the request was refused
	// or when a fault stood in its place.
	Processed bool
	// Refusal says in plain words why the request was refused, Fault which fault hit it.
	Refusal string
	Fault   string
}

// Upload is a file part of a multipart request.
type Upload struct {
	FileName    string
	ContentType string
	Size        int64
	SHA256      string // hex
}

const masked = "***"

// Requests returns every request to the two hosts in the order of arrival. Visits of
// the widget page are not among them. The copy belongs to the caller.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, len(s.requests))
	for i, r := range s.requests {
		out[i] = *r
		out[i].Parameters, _ = cloneValue(r.Parameters).(map[string]any)
	}
	return out
}

// Count returns how many requests for the operation arrived, refused ones included.
func (s *Server) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// ClearRequests forgets the requests so far.
func (s *Server) ClearRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// record lists a request; finish fills its entry in. Between the two the entry shows
// the headers alone.
func (s *Server) record(log *Request) *Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := *log
	s.requests = append(s.requests, &entry)
	return &entry
}

// finish returns the channel that lets a reply go which is held back from now on.
func (s *Server) finish(entry, log *Request) (release <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*entry = *log
	return s.release
}

// parameters turns what was decoded into plain maps and slices without secrets.
func (s *Server) parameters(c *call) map[string]any {
	if c.params == nil && c.files == nil {
		return nil
	}
	out, _ := s.plain(c.params).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	for name, f := range c.files {
		out[name] = f.Upload
	}
	return out
}

func (s *Server) plain(v any) any {
	switch v := v.(type) {
	case object:
		m := make(map[string]any, len(v))
		for _, member := range v {
			switch member.name {
			case "company_key", "companyKey", "secret_key", "secretKey", "password":
				m[member.name] = masked
			default:
				m[member.name] = s.plain(member.value)
			}
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, item := range v {
			l[i] = s.plain(item)
		}
		return l
	case json.Number:
		f, _ := v.Float64()
		return f
	case string:
		return s.mask(v)
	}
	return v
}

// mask removes the two keys from a text wherever they stand.
func (s *Server) mask(text string) string {
	return strings.NewReplacer(s.companyKey, masked, s.secretKey, masked).Replace(text)
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		for k, item := range m {
			m[k] = cloneValue(item)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, item := range v {
			l[i] = cloneValue(item)
		}
		return l
	}
	return v
}
