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
	"unicode"
)

// Request records a request that the server received, and what happened to it. The server's keys
// and all passwords are masked, so a Request is safe to print. It prints as one line.
type Request struct {
	// Operation is the operation's name in Identomat's API reference, such as "begin/" or "list-users",
	// or "" if the path belongs to no operation.
	Operation string `json:"operation"`
	// Company is the name of the company that the key belongs to. It is empty if the key is unknown or if
	// the server was started without [WithCompanies].
	Company string `json:"company,omitempty"`
	// Host is the host that received the request: "widget" or "api". Method and Path are from the HTTP
	// request.
	Host   string `json:"host"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// ContentType is the Content-Type header without its parameters. UserAgent is the User-Agent
	// header.
	ContentType string `json:"contentType"`
	UserAgent   string `json:"userAgent"`
	// Parameters holds the parameters, keyed by name, in the types that encoding/json decodes into. A
	// file part is an [Upload]. Parameters is nil if none could be decoded.
	Parameters map[string]any `json:"parameters"`
	// Size is the length of the body in bytes.
	Size int64 `json:"size"`
	// Signed reports whether the request had an Authorization header. SignatureValid reports whether
	// the header was the signature of the body.
	Signed         bool `json:"signed"`
	SignatureValid bool `json:"signatureValid"`
	// Time is when the request arrived.
	Time time.Time `json:"time"`
	// Status is the HTTP status of the response, or 0 if a fault reset the connection.
	Status int `json:"status"`
	// Processed reports whether the operation ran. It is false if a wrong key, signature or
	// parameter stopped the request, or if a fault replaced the operation. An operation that runs
	// can still refuse the request, for example with session-not-found.
	Processed bool `json:"processed"`
	// Refusal is the reason why the server refused the request. Fault is the name of the fault that
	// affected the request, or "limit of requests" if its company had reached its limit. Either can be
	// empty.
	Refusal string `json:"refusal,omitempty"`
	Fault   string `json:"fault,omitempty"`
	// Warning says why an accepted request may not do what the caller wants. It can be empty.
	Warning string `json:"warning,omitempty"`
}

func (r *Request) warn(warning string) {
	if r.Warning != "" {
		r.Warning += "; "
	}
	r.Warning += warning
}

// Upload is a file part of a multipart request.
type Upload struct {
	// FileName and ContentType come from the headers of the part.
	FileName    string `json:"fileName"`
	ContentType string `json:"contentType"`
	// Size is the length of the file in bytes. SHA256 is its hash in lowercase hexadecimal.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// String returns one line with the request, the response and the reason for a refusal.
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
		b.WriteString(", wrong signature")
	}
	b.WriteByte(')')
	if r.Parameters != nil {
		b.WriteByte(' ')
		b.WriteString(jsonText(r.Parameters))
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
	if r.Warning != "" {
		b.WriteString(", warning: " + r.Warning)
	}
	return b.String()
}

// jsonText returns v as JSON, with members sorted by name.
func jsonText(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// Diff compares the request's parameters with want and returns one line per difference, or "" if
// they are equal. It ignores parameters and members of objects that want does not name. It compares
// lists as a whole. A nil value in want means absent or null.
//
//	srv.Requests()[0].Diff(map[string]any{"flags": map[string]any{"language": "ka"}})
//	// flags.language: want "ka", got "en"
func (r Request) Diff(want map[string]any) string {
	if len(want) == 0 {
		return ""
	}
	return strings.Join(differences("", jsonValue(want), jsonValue(r.Parameters)), "\n")
}

// jsonValue converts v to the types that encoding/json decodes into.
func jsonValue(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("cannot encode as JSON: %v", err)
	}
	var out any
	_ = json.Unmarshal(data, &out) // data is valid
	return out
}

func differences(path string, want, got any) (out []string) {
	if w, ok := want.(map[string]any); ok {
		g, isObject := got.(map[string]any)
		if !isObject && got != nil {
			return []string{fmt.Sprintf("%s: want an object, got %s", path, jsonText(got))}
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			memberPath := strings.TrimPrefix(path+"."+name, ".")
			value, present := g[name]
			if !present && w[name] != nil {
				out = append(out, fmt.Sprintf("%s: want %s, got nothing", memberPath, jsonText(w[name])))
				continue
			}
			out = append(out, differences(memberPath, w[name], value)...)
		}
		return out
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s: want %s, got %s", path, jsonText(want), jsonText(got))}
	}
	return nil
}

// AssertRequest fails the test unless the server has received a request for the operation with
// parameters that match want as defined by [Request.Diff]. It reports whether there is such a request.
// Use wire names, such as clientUserId in begin/. The failure message shows how each request for the
// operation differs, or, if there was none, lists the other requests.
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
		t.Errorf("identomattest: no %s request has these parameters:\n%s", operation, strings.Join(differing, "\n"))
	case len(others) > 0:
		t.Errorf("identomattest: got no %s request, only:\n%s", operation, strings.Join(others, "\n"))
	default:
		t.Errorf("identomattest: got no %s request and no other requests", operation)
	}
	return false
}

const masked = "***"

// maxRequests is the number of requests that the server remembers.
const maxRequests = 10_000

// Requests returns the API requests that the two hosts have received, in order of arrival. The server
// remembers the latest 10,000. Requests to the page and the control API are not included. The result is
// a copy that the caller can modify.
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

// Count returns the number of requests for the operation since the start or [Server.ClearRequests],
// including refused ones. An unknown operation fails the test.
func (s *Server) Count(operation string) int {
	if operationByName(operation) == nil {
		_ = s.misuse("Count: unknown operation %q", operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[operation]
}

// ClearRequests clears the list of requests and their counts.
func (s *Server) ClearRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.counts = nil, map[string]int{}
}

// record adds a copy of r to the list of requests and returns the copy. Until [Server.finish] completes
// it, the copy has only the header data.
func (s *Server) record(r *Request) *Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := *r
	if len(s.requests) == maxRequests {
		s.requests[0] = nil // for the garbage collector
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, &entry)
	s.counts[r.Operation]++
	return &entry
}

// finish completes an entry in the list of requests and returns the channel that the next Release
// closes.
func (s *Server) finish(entry, r *Request) (release <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*entry = *r
	return s.release
}

// parameters returns the decoded parameters as plain maps and slices, with secrets masked.
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

// namesSecret reports whether the name belongs to a key or a password. It also recognizes misspelled
// names: the fake exists to find them, and their values are secret, too.
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
		return string(v) // out of range of float64
	case string:
		return s.mask(v)
	}
	return v
}

// secretTexts returns the companies' keys: plain, quoted and URL-encoded. The longest come first, because
// a key may contain another one.
func secretTexts(companies []*company) []string {
	var out []string
	for _, c := range companies {
		for _, key := range []string{c.CompanyKey, c.SecretKey, c.CallbackKey} {
			quoted := strconv.Quote(key)
			out = append(out, key, quoted[1:len(quoted)-1], url.QueryEscape(key), url.PathEscape(key))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(out)
}

// mask masks the companies' keys in a text.
func (s *Server) mask(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return text
}

// oneLine replaces the characters that could start a line or control a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
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
