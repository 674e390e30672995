package identomattest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is one request that reached the server, as it arrived. The keys of the server and
// passwords are masked: a Request may be printed, and prints as one line that tells the
// whole story.
type Request struct {
	// Operation is the name in the API reference, such as "begin/" or "list-users";
	// empty when the path belongs to no operation.
	Operation string `json:"operation"`
	// Host is "widget" or "api": the listener that was called, by Method and Path.
	Host   string `json:"host"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// ContentType is the header without its parameters, UserAgent the whole header.
	ContentType string `json:"contentType"`
	UserAgent   string `json:"userAgent"`
	// Parameters are the parameters by name, in the form encoding/json gives them.
	// A file part is an Upload. It is nil when the body could not be read.
	Parameters map[string]any `json:"parameters"`
	// Size counts the bytes of the body.
	Size int64 `json:"size"`
	// Signed says that the request carried an Authorization header, SignatureValid
	// that the header fitted the body.
	Signed         bool `json:"signed"`
	SignatureValid bool `json:"signatureValid"`
	// Time is when the request arrived.
	Time time.Time `json:"time"`
	// Status is the HTTP status of the reply; 0 when the connection was cut.
	Status int `json:"status"`
	// Processed says that the operation ran. It did not when the request was refused
	// or when a fault stood in its place.
	Processed bool `json:"processed"`
	// Refusal says in plain words why the request was refused, Fault which fault hit it.
	Refusal string `json:"refusal,omitempty"`
	Fault   string `json:"fault,omitempty"`
}

// Upload is a file part of a multipart request.
type Upload struct {
	// FileName and ContentType are what the part says about itself.
	FileName    string `json:"fileName"`
	ContentType string `json:"contentType"`
	// Size is in bytes, SHA256 in hexadecimal digits.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// String is one line: what arrived, and what became of it.
func (r Request) String() string {
	var b strings.Builder
	name := r.Operation
	if name == "" {
		name = "unknown path " + r.Path
	}
	fmt.Fprintf(&b, "%s (%s %s host, %s, %d bytes", name, r.Method, r.Host, cmp.Or(r.ContentType, "no content type"), r.Size)
	switch {
	case r.SignatureValid:
		b.WriteString(", signed")
	case r.Signed:
		b.WriteString(", signed wrongly")
	}
	b.WriteByte(')')
	if r.Parameters != nil {
		b.WriteByte(' ')
		b.WriteString(printed(r.Parameters))
	}
	switch {
	case r.Status == 0:
		b.WriteString(" -> no response")
	default:
		fmt.Fprintf(&b, " -> HTTP %d", r.Status)
	}
	if r.Fault != "" {
		b.WriteString(", fault: " + r.Fault)
	}
	switch {
	case r.Refusal != "":
		b.WriteString(", refused: " + r.Refusal)
	case r.Processed:
		b.WriteString(", processed")
	}
	return b.String()
}

// printed is JSON, whose members stand in the order of their names.
func printed(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// Diff tells how the parameters of the request differ from the wanted ones, one line each,
// or returns "". Parameters that are not named in want may have any value, and so may
// members of objects; lists are compared as a whole. A want of nil means absent or null.
//
//	srv.Requests()[0].Diff(map[string]any{"flags": map[string]any{"language": "ka"}})
//	// flags.language: want "ka", got "en"
func (r Request) Diff(want map[string]any) string {
	if len(want) == 0 {
		return ""
	}
	return strings.Join(differences("", plainJSON(want), plainJSON(r.Parameters)), "\n")
}

// plainJSON gives values of any type the form that encoding/json gives them.
func plainJSON(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("no JSON: %v", err)
	}
	var out any
	_ = json.Unmarshal(data, &out) // Marshal wrote it
	return out
}

func differences(path string, want, got any) (out []string) {
	if w, ok := want.(map[string]any); ok {
		g, isObject := got.(map[string]any)
		if !isObject && got != nil {
			return []string{fmt.Sprintf("%s: want an object, got %s", path, printed(got))}
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			at := strings.TrimPrefix(path+"."+name, ".")
			value, present := g[name]
			if !present && w[name] != nil {
				out = append(out, fmt.Sprintf("%s: want %s, got nothing", at, printed(w[name])))
				continue
			}
			out = append(out, differences(at, w[name], value)...)
		}
		return out
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s: want %s, got %s", path, printed(want), printed(got))}
	}
	return nil
}

// AssertRequest fails the test unless a request of the operation arrived whose parameters
// have these values, in the sense of [Request.Diff]. Parameters have their names on the
// wire, such as clientUserId for ClientUserID in begin/. The failure says how each request
// of the operation differs, or which requests there were.
func (s *Server) AssertRequest(t TB, operation string, want map[string]any) bool {
	t.Helper()
	var differing, others []string
	for _, r := range s.Requests() {
		if r.Operation != operation {
			others = append(others, "  "+r.String())
			continue
		}
		diff := r.Diff(want)
		if diff == "" {
			return true
		}
		differing = append(differing, "  "+strings.ReplaceAll(diff, "\n", "\n  ")+"\n  in "+r.String())
	}
	switch {
	case len(differing) > 0:
		t.Errorf("identomattest: no request of %s has the parameters:\n%s", operation, strings.Join(differing, "\n"))
	case len(others) > 0:
		t.Errorf("identomattest: no request of %s arrived, but\n%s", operation, strings.Join(others, "\n"))
	default:
		t.Errorf("identomattest: no request of %s arrived, nor any other", operation)
	}
	return false
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
		file := f.Upload
		file.FileName, file.ContentType = s.mask(file.FileName), s.mask(file.ContentType)
		out[s.mask(name)] = file
	}
	return out
}

// namesSecret reports whether a parameter is a key or a password, or meant to be one: a
// misspelt name is what the fake is there to find, and its value is no less secret.
func namesSecret(name string) bool {
	folded := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	for _, word := range []string{"companyk", "secret", "passw", "pwd"} {
		if strings.Contains(folded, word) {
			return true
		}
	}
	return false
}

func (s *Server) plain(v any) any {
	switch v := v.(type) {
	case object:
		m := make(map[string]any, len(v))
		for _, member := range v {
			if namesSecret(member.name) {
				m[s.mask(member.name)] = masked
			} else {
				m[s.mask(member.name)] = s.plain(member.value)
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
		if f, err := v.Float64(); err == nil {
			return f
		}
		return string(v) // too large for a number of Go
	case string:
		return s.mask(v)
	}
	return v
}

// mask removes the keys of the server from a text wherever they stand, quoted or not.
func (s *Server) mask(text string) string {
	for _, key := range []string{s.companyKey, s.secretKey, s.callbackKey} {
		if key == "" {
			continue
		}
		text = strings.ReplaceAll(text, key, masked)
		quoted := strconv.Quote(key)
		text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], masked)
		text = strings.ReplaceAll(text, url.QueryEscape(key), masked)
		text = strings.ReplaceAll(text, url.PathEscape(key), masked)
	}
	return text
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
