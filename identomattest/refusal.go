package identomattest

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// refusalHeader is the header that names the reason of a refusal. The body cannot name it, because it is
// the body that Identomat documents.
const refusalHeader = "X-Sandbox-Refusal"

const maxHeaderText = 300

var (
	quotedText = regexp.MustCompile(`((?:parameter|part|file) )?"((?:[^"\\]|\\.)*)"`)
	// Tokens and the numbers of documents and phones have digits. Someone may send them without a name.
	parameterName = regexp.MustCompile(`^(?:[A-Za-z](?:[A-Za-z_.\-]|\[\d+\]){0,63}|face[12])$`)
)

// headerText returns a refusal's reason for the header, which proxies and tools write to their logs. It
// keeps the names of parameters, unless they look like values, and hides all other quoted text, which may
// be a personal value. The result is a single line of ASCII.
func headerText(reason string) string {
	// The error of a malformed multipart body quotes the line.
	if before, _, found := strings.Cut(reason, malformedMultipart+": "); found {
		reason = before + malformedMultipart
	}
	reason = quotedText.ReplaceAllStringFunc(reason, func(text string) string {
		parts := quotedText.FindStringSubmatch(text)
		if parts[1] != "" && parameterName.MatchString(parts[2]) {
			return text
		}
		return parts[1] + `"..."`
	})
	reason = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, reason)
	if len(reason) > maxHeaderText {
		reason = reason[:maxHeaderText-3] + "..."
	}
	return reason
}

// notFound responds to a request for a path that belongs to no operation of this host. The response has
// the URL that was probably meant.
func (s *Server) notFound(host operation.Host, w http.ResponseWriter, r *http.Request) {
	rec := s.newRecord(host, r)
	rec.Status, rec.Refusal = http.StatusNotFound, "unknown path"
	op := operationByPath(r.URL.Path)
	if op != nil {
		rec.Operation, rec.Refusal = op.Name, "the operation belongs to the other host"
	}
	op = cmp.Or(op, operationNear(r.URL.Path))
	if host == operation.Widget && r.URL.Path == "/" { // a POST request that is not from the page
		op = operation.SessionBegin
	}
	advice := "The start page is " + s.baseURL(operation.Widget, host, r) + "/"
	if path := toolPath(r.URL.Path); path != "" && host == operation.Widget {
		advice = "Did you mean " + s.baseURL(host, host, r) + path + "?"
	}
	if op != nil {
		address := s.baseURL(op.Host, host, r) + op.Path()
		rec.Refusal += "; the URL is probably " + address
		advice = "Did you mean POST " + address + "?"
	}
	// Browsers request icons and other files from the widget host by themselves.
	if host == operation.API || op != nil || strings.HasPrefix(r.URL.Path, "/external-api/") {
		s.record(rec)
		s.logf("%s %s on the %s host: %s", r.Method, rec.Path, rec.Host, rec.Refusal)
	}
	w.Header().Set(refusalHeader, headerText(rec.Refusal))
	http.Error(w, fmt.Sprintf("404 page not found: %s on the %s host\n%s", rec.Path, rec.Host, advice), http.StatusNotFound)
}

// toolPath returns the path of a page or document of the sandbox that the caller probably meant, or "".
func toolPath(path string) string {
	return map[string]string{"_sandbox": controlPath, "docs": docsPath, "openapi.json": openAPIPath}[strings.Trim(path, "/")]
}

// baseURL returns the URL of a host under the name that the caller used for the host at.
func (s *Server) baseURL(host, at operation.Host, r *http.Request) string {
	if r.Host != "" && host == at {
		return "http://" + r.Host
	}
	base := s.APIURL
	if host == operation.Widget {
		base = s.WidgetURL
	}
	u, err := url.Parse(base)
	called, callErr := url.Parse("http://" + r.Host)
	if err != nil || callErr != nil || called.Hostname() == "" {
		return base
	}
	return "http://" + net.JoinHostPort(called.Hostname(), u.Port())
}

// operationNear returns the operation whose path is most like this one, or nil if none is much like it.
func operationNear(path string) *operation.Operation {
	path = plainPath(path)
	var nearest *operation.Operation
	best := tolerance(path)
	for _, op := range operation.All() {
		if d := fake.EditDistance(path, plainPath(op.Path())); d < best {
			nearest, best = op, d
		}
	}
	return nearest
}

// tolerance returns the edit distance at which a name is too unlike another one to be a misspelling.
func tolerance(name string) int { return 1 + min(2, len(name)/4) }

// plainPath removes what callers often get wrong: slashes, the prefix of the widget host, capitals and
// underscores.
func plainPath(path string) string {
	segments := strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(path, "_", "-")), func(r rune) bool { return r == '/' })
	if len(segments) > 0 && segments[0] == "external-api" {
		segments = segments[1:]
	}
	return strings.Join(segments, "/")
}
