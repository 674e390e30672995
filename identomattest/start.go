package identomattest

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

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

// snippets makes the programs that the start page shows.
type snippets struct {
	widget  string
	company Company
}

// program returns the program in a file. Lines that end in "signed" are only for companies that require
// signatures, and lines that end in "unsigned" are for the others.
func (s snippets) program(name string) string {
	data, err := templates.ReadFile("templates/" + name)
	must(err)
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		code, signed, marked := strings.Cut(line, " #! ")
		if marked && (signed == "signed\n") != s.company.RequireHMAC {
			continue
		}
		b.WriteString(strings.TrimSuffix(code, "\n") + "\n")
	}
	// The literals of Python and TypeScript are as in JSON.
	inner := func(value string) string { quoted := jsonText(value); return quoted[1 : len(quoted)-1] }
	return strings.NewReplacer("{WIDGET}", inner(s.widget), "{COMPANY_KEY}", inner(s.company.CompanyKey), "{SECRET_KEY}", inner(s.company.SecretKey)).
		Replace(strings.TrimSpace(b.String()))
}

// curl returns a command that calls an operation. The parameters are pairs of names and values.
func (s snippets) curl(operation string, parameters ...string) string {
	parameters = append([]string{"company_key", s.company.CompanyKey}, parameters...)
	command := "curl " + fake.ShellWord(s.widget+"/external-api/"+operation)
	body := object{}
	for i := 0; i < len(parameters); i += 2 {
		body = append(body, member{parameters[i], parameters[i+1]})
		if !s.company.RequireHMAC {
			command += " " + formField(parameters[i], parameters[i+1])
		}
	}
	if !s.company.RequireHMAC {
		return command
	}
	return "body=" + fake.ShellWord(string(appendPlain(nil, body))) + "\n" + command + ` -H "Content-Type: application/json" -d "$body" \
  -H "Authorization: signature=\"$(printf %s "$body" | openssl dgst -sha256 -hmac ` + fake.ShellWord(s.company.SecretKey) + ` -binary | base64)\""`
}

var plainValue = regexp.MustCompile(`^[\w.-]+$`)

// formField returns the arguments of curl for a field of a form. -F gives "@", "<" and ";" a meaning.
func formField(name, value string) string {
	if plainValue.MatchString(value) {
		return "-F " + name + "=" + value
	}
	return "--form-string " + fake.ShellWord(name+"="+value)
}

func (s *Server) showStart(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("company")
	s.mu.Lock()
	i := slices.IndexFunc(s.companies, func(c *company) bool { return c.Name == name })
	p := s.startPage(s.companies[max(i, 0)], s.baseURL(operation.Widget, operation.Widget, r), s.baseURL(operation.API, operation.Widget, r))
	s.mu.Unlock()
	p.Nonce = rand.Text()
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	writePage(w, http.StatusOK, p, "en", toolPolicy(p.Nonce))
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
	p := &startPage{}
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
	programs := snippets{widgetURL, current.Company}
	p.Snippets = []copyable{
		{"curl", "curl", programs.curl("begin/"), "The response is the session's token. The session then appears below."},
		{"python", "Python", programs.program("begin.py"), "Python 3.8 or later, without packages. It waits until you have decided the session."},
		{"typescript", "TypeScript", programs.program("begin.mts"), "Save it as begin.mts and run npx tsx begin.mts, deno or bun. Node runs it too, from version 22.18, or as begin.mjs from version 18. It waits until you have decided the session."},
	}
	for _, ses := range slices.Backward(s.order) {
		if p.Decide == nil && ses.company == current && !ses.decided() {
			p.Decide = &copyable{"decide", "the command that approves", "curl -X POST " + fake.ShellWord(widgetURL+controlPath+"sessions/"+ses.token+"/approve"), ""}
		}
		if p.Result == nil && ses.company == current {
			p.Result = &copyable{"result", "the command for the result", programs.curl("result/", "session_token", ses.token), ""}
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

func (p *startPage) write(m *markup) {
	m.head("en", "ltr", "Identomat sandbox", p.Nonce, "widget.css", "start.css")
	m.add(`<p class="fake" role="note"><strong>This is a fake.</strong> <span>No identity is verified here. You decide the outcome.</span></p>
<div class="board">
<header class="top">
  <h1>Identomat sandbox</h1>
  <p class="lead">A fake Identomat for development and tests in any language. It runs both hosts of the API and the page that customers see. It keeps everything in memory until it stops.</p>
  <ul class="links">
    <li><a href="/_sandbox/docs">API reference</a></li>
    <li><a href="/_sandbox/openapi.json">openapi.json</a></li>
    <li><a href="/_sandbox/">Control API</a></li>
  </ul>
</header>
`)
	if len(p.Companies) > 0 {
		m.add("<p class=\"tabs\" id=\"company\">Company:\n")
		for _, c := range p.Companies {
			m.add(`  <a href="/?company={}"`, url.QueryEscape(c.Name))
			m.when(c.Current, ` aria-current="true"`)
			m.add(">{}</a>\n", c.Name)
		}
		m.add("</p>\n")
	}
	m.add(`<div class="pair even">
<section class="panel">
  <h2>1. Connect</h2>
  <dl class="values">
`)
	for _, c := range p.Values {
		m.add("<div><dt>{}", c.Label)
		m.when(c.Note != "", ` <span class="soft">{}</span>`, c.Note)
		m.add(`</dt><dd><code id="{}">{}</code></dd><button class="copy" type="button" data-copy="{}">Copy<span class="visually-hidden"> {}</span></button></div>
`, c.ID, c.Text, c.ID, c.Label)
	}
	m.add(`  </dl>
</section>
<section class="panel try">
  <h2>2. Begin a session</h2>
  <fieldset class="tabs">
    <legend class="visually-hidden">Language</legend>
`)
	for i, c := range p.Snippets {
		m.add(`<label><input type="radio" name="tab" id="tab-{}"`, c.ID)
		m.when(i == 0, " checked")
		m.add(">{}</label>\n", c.Label)
	}
	m.add("  </fieldset>\n")
	for _, c := range p.Snippets {
		m.add("<div class=\"tab tab-{}\">\n", c.ID)
		c.write(m)
		m.add("<p class=\"soft\">{}</p>\n</div>\n", c.Note)
	}
	m.add(`</section>
</div>
<div class="pair">
<div>
<section class="panel" aria-labelledby="sessions">
  <h2 id="sessions">3. Open the session and decide it</h2>
  <div id="live-sessions" data-live>
`)
	p.writeSessions(m)
	if p.Decide != nil {
		m.add("<p>Or approve the latest undecided session with a command. <code>reject</code> and <code>manual-check</code> work in the same way.</p>\n")
		p.Decide.write(m)
	}
	m.add(`  </div>
</section>
<section class="panel" aria-labelledby="outcome">
  <h2 id="outcome">4. Read the result</h2>
  <div id="live-result" data-live>
`)
	switch {
	case p.Result != nil:
		m.add("<p>This reads the result of the latest session:</p>\n")
		p.Result.write(m)
	case len(p.Companies) > 0:
		m.add("<p class=\"none\">Once this company has a session, the command is here.</p>\n")
	default:
		m.add("<p class=\"none\">Once there is a session, the command is here.</p>\n")
	}
	m.add(`  </div>
</section>
</div>
<section class="panel" aria-labelledby="requests">
  <h2 id="requests">Requests of the last {} minutes</h2>
  <div id="live-requests" data-live>
`, int(recentTime/time.Minute))
	p.writeRequests(m)
	m.add("  </div>\n</section>\n</div>\n</div>\n")
	m.foot(p.Nonce, "start.js")
}

// write writes the text and its button.
func (c copyable) write(m *markup) {
	m.add(`<div class="code"><button class="copy" type="button" data-copy="{}">Copy<span class="visually-hidden"> {}</span></button><pre id="{}" tabindex="0">{}</pre></div>
`, c.ID, c.Label, c.ID, c.Text)
}

func (p *startPage) writeSessions(m *markup) {
	if len(p.Sessions) == 0 {
		m.add("<p class=\"none\">There are no sessions yet. A session appears here as soon as it has begun.</p>\n")
		return
	}
	m.add("<ul class=\"rows\">\n")
	for _, ses := range p.Sessions {
		m.add(`<li>
  <div class="row">
    <a href="{}">`, ses.Path)
		m.when(ses.State == "open", "Open ")
		m.add("<code>{}</code></a>\n", ses.Short)
		writeTags(m, ses.State, ses.Tone, ses.Company)
		m.add(`    <span class="soft end">{} UTC</span>
  </div>
  <p class="soft">`, ses.Began)
		m.when(ses.Name != "", "<bdi>{}</bdi> · ", ses.Name)
		m.add("{}</p>\n</li>\n", strings.Join(ses.Steps, ", "))
	}
	m.add("</ul>\n")
	m.when(p.MoreSessions > 0, "<p class=\"soft\">And {} earlier: <a href=\"/_sandbox/sessions\">all sessions</a>.</p>\n", p.MoreSessions)
}

// writeTags writes the state of a session or a request, and the name of its company, if there are several.
func writeTags(m *markup, state, tone, company string) {
	m.add(`    <span class="tag`)
	m.when(tone != "", " {}", tone)
	m.add(`">{}</span>`, state)
	m.when(company != "", ` <span class="tag plain">{}</span>`, company)
	m.add("\n")
}

func (p *startPage) writeRequests(m *markup) {
	if len(p.Requests) == 0 {
		m.add("<p class=\"none\">There were none. A refused request shows its reason here, and in the header <code>X-Sandbox-Refusal</code>.</p>\n")
		return
	}
	m.add("<ul class=\"rows\">\n")
	for _, r := range p.Requests {
		m.add(`<li>
  <div class="row">
    <strong>{}</strong>
`, r.Name)
		writeTags(m, r.Outcome, r.Tone, r.Company)
		host, status := r.Host, "no response"
		if host == "api" {
			host = "API"
		}
		if r.Status != 0 {
			status = "HTTP " + strconv.Itoa(r.Status)
		}
		m.add(`    <span class="soft end">{} UTC</span>
  </div>
  <p class="soft">{} · {} host · {}</p>
`, r.Time, r.Method, host, status)
		m.when(r.Refusal != "", "<p class=\"why\">{}</p>\n", r.Refusal)
		m.when(r.Fault != "", "<p class=\"why warn\">Fault: {}</p>\n", r.Fault)
		m.when(r.Warning != "", "<p class=\"why warn\">Warning: {}</p>\n", r.Warning)
		m.add("</li>\n")
	}
	m.add("</ul>\n")
	m.when(p.MoreRequests > 0, "<p class=\"soft\">And {} earlier: <a href=\"/_sandbox/requests\">all requests</a>.</p>\n", p.MoreRequests)
}
