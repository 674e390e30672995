package identomattest

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

//go:embed templates/widget.html
var templates embed.FS

var widgetPage = template.Must(template.ParseFS(templates, "templates/widget.html"))

// page is what the template shows.
type page struct {
	Nonce string
	// State is open, unknown, expired, early, finished or done.
	State   string
	Token   string
	Name    string
	Outcome string
	Opens   string
	Steps   []pageStep
}

type pageStep struct{ Title, Type, Key string }

// servePage is the widget: GET shows a session, POST decides it.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		http.NotFound(w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.showPage(w, r.URL.Query().Get("session_token"), true)
	case r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form cannot be read", http.StatusBadRequest)
			return
		}
		s.decideOnPage(w, r, r.PostForm.Get("session_token"), r.PostForm.Get("decision"))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	}
}

// state tells what the widget makes of a session, and the HTTP status that goes with it.
func (s *Server) state(token string) (ses *session, state string, status int) {
	ses, ok := s.sessions[token]
	switch now := s.now(); {
	case !ok:
		return nil, "unknown", http.StatusNotFound
	case ses.decided():
		return ses, "finished", http.StatusOK
	case !now.Before(ses.end()):
		return ses, "expired", http.StatusGone
	case now.Before(ses.opens):
		return ses, "early", http.StatusForbidden
	}
	return ses, "open", http.StatusOK
}

func (s *Server) showPage(w http.ResponseWriter, token string, visit bool) {
	s.mu.Lock()
	ses, state, status := s.state(token)
	p := page{State: state, Token: token}
	var returnURL string
	if ses != nil {
		if visit {
			ses.activities = append(ses.activities, activity{newID(), pageLoaded, s.now()})
		}
		p.Name, p.Outcome = ses.name, ses.decision.outcome
		p.Opens = wireTime(ses.opens)
		for _, step := range ses.flow() {
			p.Steps = append(p.Steps, pageStep{titleOf(step), step.text("type"), step.text("key")})
		}
		returnURL = ses.flags.text("return_url")
	}
	s.mu.Unlock()
	render(w, status, p, returnURL)
}

func (s *Server) decideOnPage(w http.ResponseWriter, r *http.Request, token, choice string) {
	var d decision
	switch choice {
	case "approve":
		d = approval()
	case "reject":
		d = rejection("low_similarity")
	case "manual_check":
		d = doubt()
	default:
		http.Error(w, "the decision is approve, reject or manual_check", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	ses, state, _ := s.state(token)
	if state != "open" {
		s.mu.Unlock()
		s.showPage(w, token, false)
		return
	}
	s.settle(ses, d)
	returnURL := ses.flags.text("return_url")
	s.mu.Unlock()
	if returnURL == "" {
		render(w, http.StatusOK, page{State: "done", Token: token, Outcome: d.outcome}, "")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", withToken(returnURL, token))
	w.WriteHeader(http.StatusSeeOther)
}

// withToken appends the token to the query of a return_url, which may have one already.
func withToken(returnURL, token string) string {
	u, err := url.Parse(returnURL)
	if err != nil {
		return returnURL // begin/ has refused such a URL
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "session_token=" + url.QueryEscape(token)
	return u.String()
}

func render(w http.ResponseWriter, status int, p page, returnURL string) {
	p.Nonce = rand.Text()
	var body bytes.Buffer
	if err := widgetPage.Execute(&body, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy(p.Nonce, returnURL))
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}

// contentPolicy forbids everything but the page's own style, script and form. Browsers
// apply form-action to the redirect that follows the form as well, so the origin of the
// return_url belongs in it. Any site may embed the page, as it may the true widget.
func contentPolicy(nonce, returnURL string) string {
	action := "'self'"
	if u, err := url.Parse(returnURL); err == nil && u.Scheme != "" {
		if u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			action += " " + u.Scheme + "://" + u.Host
		} else {
			action += " " + u.Scheme + ":"
		}
	}
	return strings.Join([]string{
		"default-src 'none'",
		"style-src 'nonce-" + nonce + "'",
		"script-src 'nonce-" + nonce + "'",
		"form-action " + action,
		"base-uri 'none'",
		"frame-ancestors *",
	}, "; ")
}

// titleOf is the English title of a step, any other, or its type.
func titleOf(step object) string {
	title := step.text("title")
	if title == "" {
		title = step.child("title").text("en")
	}
	if title == "" {
		for _, m := range step.child("title") {
			title, _ = m.value.(string)
			break
		}
	}
	if title == "" {
		title = strings.ReplaceAll(step.text("type"), "-", " ")
	}
	return title
}
