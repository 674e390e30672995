package identomattest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

var startPageTemplate = template.Must(template.New("start.html").ParseFS(templates, "templates/widget.css", "templates/start.*"))

// snippets are the programs that the start page shows.
var snippets = texttemplate.Must(texttemplate.New("snippets").Funcs(texttemplate.FuncMap{
	"shell": fake.ShellWord,
	// literal returns a string literal of Python and TypeScript.
	"literal": jsonText,
	"field":   formField,
}).ParseFS(templates, "templates/begin.*", "templates/result.sh"))

// The start page shows the requests of the last recentTime, and at most this many requests and sessions.
const (
	recentTime    = 15 * time.Minute
	shownRequests = 50
	shownSessions = 10
)

// startPage is the page for developers.
type startPage struct {
	Nonce        string
	Companies    []startCompany // empty if there is only one
	Values       []copyable
	Snippets     []copyable
	Decide       *copyable // nil if every session is decided
	Result       *copyable
	Sessions     []startSession
	MoreSessions int
	Requests     []startRequest
	MoreRequests int
	Minutes      int
}

type startCompany struct {
	Name    string
	Current bool
}

// copyable is a text with a button that copies it.
type copyable struct{ ID, Label, Text, Note string }

type startSession struct {
	Path, Short, State, Tone, Company, Name, Began string
	Steps                                          []string
}

type startRequest struct {
	Request
	Name, Outcome, Tone, Time string
}

// snippet is the data of the programs.
type snippet struct {
	Widget  string
	Company Company
	Token   string
}

// Body returns the JSON body of the curl command.
func (s snippet) Body() (string, error) {
	body := struct {
		Key   string `json:"company_key"`
		Token string `json:"session_token,omitempty"`
	}{s.Company.CompanyKey, s.Token}
	data, err := json.Marshal(body)
	return string(data), err
}

var plainValue = regexp.MustCompile(`^[\w.-]+$`)

// formField returns the arguments of curl for a field of a form. -F gives "@", "<" and ";" a meaning.
func formField(name, value string) string {
	if plainValue.MatchString(value) {
		return "-F " + name + "=" + value
	}
	return "--form-string " + fake.ShellWord(name+"="+value)
}

func (s snippet) render(name string) string {
	var out bytes.Buffer
	must(snippets.ExecuteTemplate(&out, name, s))
	return strings.TrimSpace(out.String())
}

func (s *Server) showStart(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("company")
	s.mu.Lock()
	i := slices.IndexFunc(s.companies, func(c *company) bool { return c.Name == name })
	p := s.startPage(s.companies[max(i, 0)], s.baseURL(operation.Widget, operation.Widget, r), s.baseURL(operation.API, operation.Widget, r))
	s.mu.Unlock()
	p.Nonce = rand.Text()
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	writePage(w, http.StatusOK, startPageTemplate, p, "en", toolPolicy(p.Nonce))
}

// toolPolicy returns the Content-Security-Policy of the pages for developers. They can read this origin,
// and no site can embed them.
func toolPolicy(nonce string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"style-src 'nonce-" + nonce + "'",
		"script-src 'nonce-" + nonce + "'",
		"connect-src 'self'",
		"form-action 'none'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

// startPage fills the page for a company. The caller holds s.mu.
func (s *Server) startPage(current *company, widgetURL, apiURL string) *startPage {
	p := &startPage{Minutes: int(recentTime / time.Minute)}
	if len(s.companies) > 1 {
		for _, c := range s.companies {
			p.Companies = append(p.Companies, startCompany{c.Name, c == current})
		}
	}
	p.Values = []copyable{
		{"widget-url", "Widget host", widgetURL, "replaces https://widget.identomat.com"},
		{"api-url", "API host", apiURL, "replaces https://external-api.identomat.com"},
		{"company-key", "Company key", current.CompanyKey, ""},
		{"secret-key", "Secret key", current.SecretKey, "signs requests"},
		{"callback-key", "Callback key", current.CallbackKey, "callbackApiKey in callbacks"},
	}
	if current.RequireHMAC {
		p.Values[3].Note = "signs requests; unsigned ones are refused"
	}
	data := snippet{Widget: widgetURL, Company: current.Company}
	p.Snippets = []copyable{
		{"curl", "curl", data.render("begin.sh"), "The response is the session's token. The session then appears below."},
		{"python", "Python", data.render("begin.py"), "Python 3.8 or later, without packages. It waits until you have decided the session."},
		{"typescript", "TypeScript", data.render("begin.mts"), "Save it as begin.mts and run npx tsx begin.mts, deno or bun. Node runs it too, from version 22.18, or as begin.mjs from version 18. It waits until you have decided the session."},
	}
	for _, ses := range slices.Backward(s.order) {
		if p.Decide == nil && ses.company == current && !ses.decided() {
			p.Decide = &copyable{"decide", "the command that approves", "curl -X POST " + fake.ShellWord(widgetURL+controlPath+"sessions/"+ses.token+"/approve"), ""}
		}
		if data.Token == "" && ses.company == current {
			data.Token = ses.token
			p.Result = &copyable{"result", "the command for the result", data.render("result.sh"), ""}
		}
		if len(p.Sessions) == shownSessions {
			p.MoreSessions++
			continue
		}
		p.Sessions = append(p.Sessions, s.startSession(ses))
	}
	oldest := s.now().Add(-recentTime)
	for _, r := range slices.Backward(s.requests) {
		if r.Time.Before(oldest) {
			break
		}
		if len(p.Requests) == shownRequests {
			p.MoreRequests++
			continue
		}
		p.Requests = append(p.Requests, newStartRequest(*r))
	}
	return p
}

func (s *Server) startSession(ses *session) startSession {
	c := s.describe(ses)
	out := startSession{
		Path: "/?session_token=" + c.Token, Short: c.Token[:8] + "…", State: c.State, Company: c.Company,
		Name: cmp.Or(c.Name, c.ClientUserID), Began: clockTime(c.Created),
	}
	if ses.decided() {
		out.State = strings.ReplaceAll(c.Outcome, "_", " ")
		out.Tone = map[string]string{"approved": "good", "rejected": "bad"}[c.Outcome]
	} else if c.State != "open" {
		out.Tone = "plain"
	}
	for _, step := range c.Steps {
		out.Steps = append(out.Steps, strings.ReplaceAll(step.Type, "-", " "))
	}
	return out
}

func newStartRequest(r Request) startRequest {
	out := startRequest{Request: r, Name: cmp.Or(r.Operation, r.Path), Time: clockTime(r.Time)}
	switch {
	case r.Refusal != "":
		out.Outcome, out.Tone = "refused", "bad"
	case r.Fault != "":
		out.Outcome, out.Tone = "fault", "plain"
	case r.Processed:
		out.Outcome, out.Tone = "processed", "good"
	default:
		out.Outcome, out.Tone = "not processed", "plain"
	}
	return out
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05") }
