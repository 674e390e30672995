package identomattest

import (
	"crypto/rand"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/operation"
)

// maxForm is the maximum size of a form in bytes, including uploaded files.
const maxForm = 64 << 20

// servePage serves the page: GET shows the current step of a session, or the start page if the URL has no
// session token. POST submits a form.
//
// Pages on other origins may link to it, embed it and post its form. This is safe, because a request
// needs a session token, which only the company and the customer have. They cannot embed the start page.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	hostError := s.checkHost(r)
	switch {
	case hostError != nil:
		s.logf("the page: %v", hostError)
		http.Error(w, hostError.Error(), http.StatusForbidden)
	case r.URL.Path != "/":
		s.notFound(operation.Widget, w, r)
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && !r.URL.Query().Has("session_token"):
		s.showStart(w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.showPage(w, r.URL.Query().Get("session_token"), r.Method == http.MethodGet)
	case r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		err := r.ParseForm()
		if media == "multipart/form-data" && err == nil {
			err = r.ParseMultipartForm(maxForm)
		}
		if err != nil {
			http.Error(w, "cannot read the form", http.StatusBadRequest)
			return
		}
		if !r.PostForm.Has("session_token") {
			s.notFound(operation.Widget, w, r)
			return
		}
		if r.PostForm.Has("decision") {
			s.submitDecision(w, r.PostForm)
			return
		}
		s.submitStep(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	}
}

// state returns the session with the token, its state on the page, and the page's HTTP status.
func (s *Server) state(token string) (ses *session, state string, status int) {
	ses, ok := s.sessions[token]
	switch now := s.now(); {
	case !ok:
		return nil, "unknown", http.StatusNotFound
	case ses.decided():
		return ses, "finished", http.StatusOK
	case !now.Before(ses.deadline()):
		return ses, "expired", http.StatusGone
	case now.Before(ses.opens):
		return ses, "early", http.StatusForbidden
	}
	return ses, "open", http.StatusOK
}

// showPage shows the current step. If visit is set, it records the activity PAGE_LOADED.
func (s *Server) showPage(w http.ResponseWriter, token string, visit bool) {
	s.mu.Lock()
	ses, state, status := s.state(token)
	if ses != nil && visit {
		ses.activities = append(ses.activities, activity{s.newID(), pageLoaded, s.now()})
	}
	p := newPage(ses, state, token)
	if state == "open" {
		p.fill(ses, nil)
	}
	s.mu.Unlock()
	render(w, status, p)
}

// submitStep handles a step's form, or a request to go back, to skip to the decision or to start over.
func (s *Server) submitStep(w http.ResponseWriter, r *http.Request) {
	token := r.PostForm.Get("session_token")
	s.mu.Lock()
	ses, state, status := s.state(token)
	if state != "open" {
		p := newPage(ses, state, token)
		s.mu.Unlock()
		render(w, status, p)
		return
	}
	view, callback := s.advance(ses, r.PostForm, r.MultipartForm)
	if view == nil {
		s.mu.Unlock()
		if callback != nil {
			s.postCallback(r.Context(), ses.company, *callback)
		}
		// Redirect, so that reloading the next page does not submit this form again.
		redirect(w, "/?session_token="+url.QueryEscape(token))
		return
	}
	p := newPage(ses, state, token)
	p.fill(ses, view)
	s.mu.Unlock()
	render(w, http.StatusUnprocessableEntity, p)
}

// submitDecision decides a session, even if some steps are not done.
func (s *Server) submitDecision(w http.ResponseWriter, form url.Values) {
	var d decision
	switch form.Get("decision") {
	case "approve":
		d = approval()
	case "reject":
		d = rejection("low_similarity")
		if reason := form.Get("reason"); reason != "" {
			d = rejection(reason)
		}
	case "manual_check":
		d = manualReview()
	default:
		http.Error(w, "the decision must be approve, reject or manual_check", http.StatusBadRequest)
		return
	}
	if name := form.Get("person"); name != "" {
		p, ok := personNamed(name)
		if !ok {
			http.Error(w, "the person is unknown", http.StatusBadRequest)
			return
		}
		d.person = p
	}
	d.comment = form.Get("comment")
	token := form.Get("session_token")
	s.mu.Lock()
	ses, state, status := s.state(token)
	if state != "open" {
		p := newPage(ses, state, token)
		s.mu.Unlock()
		render(w, status, p)
		return
	}
	s.setDecision(ses, d)
	lacksURL := s.statusCallback != "" && ses.company.CallbackURL == ""
	returnURL := ses.flags.text("return_url")
	p := newPage(ses, "done", token)
	s.mu.Unlock()
	if lacksURL {
		s.logf(noCallbackURL)
	}
	s.postStatusCallback(ses)
	if returnURL == "" {
		render(w, http.StatusOK, p)
		return
	}
	redirect(w, withToken(returnURL, token))
}

func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// withToken adds the token to the query of a return_url.
func withToken(returnURL, token string) string {
	u, err := url.Parse(returnURL)
	if err != nil {
		return returnURL // cannot happen: begin/ refuses malformed URLs
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "session_token=" + url.QueryEscape(token)
	return u.String()
}

func render(w http.ResponseWriter, status int, p *page) {
	p.Nonce = rand.Text()
	writePage(w, status, p, p.Lang, contentPolicy(p.Nonce, p.ReturnURL))
}

// writePage responds with a page.
func writePage(w http.ResponseWriter, status int, page interface{ write(*markup) }, lang, policy string) {
	var body markup
	page.write(&body)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}

// contentPolicy returns a Content-Security-Policy that allows only the page's own style, script and
// form. Browsers also apply form-action to the redirect after a form, so form-action includes the
// origin of return_url. Any site may embed the page, as with the real widget.
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
