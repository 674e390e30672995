package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
)

// callbackPath is the path of the Callback URL, which the bank enters in Identomat's dashboard.
const callbackPath = "/callbacks/identomat"

// maxForm limits the size of a form. The forms of these pages are far smaller.
const maxForm = 64 << 10

// server holds the dependencies of the handlers.
type server struct {
	config config
	store  *store
	client *identomat.Client
	sms    *sms
	log    *slog.Logger
	https  bool
	host   string // the host in PUBLIC_URL
	mux    *http.ServeMux
	// crossOrigin rejects forms that other sites send.
	crossOrigin *http.CrossOriginProtection
	// runningChecks holds the checks that are waiting for a response from the service.
	runningChecks sync.Map
}

func newServer(c config, st *store, client *identomat.Client, log *slog.Logger) (*server, error) {
	public, err := c.public()
	if err != nil {
		return nil, err
	}
	s := &server{
		config: c, store: st, client: client, sms: newSMS(log), log: log,
		https: public.Scheme == "https", host: public.Host,
		mux: http.NewServeMux(), crossOrigin: http.NewCrossOriginProtection(),
	}
	for pattern, handle := range map[string]handler{
		"GET /{$}":                  s.home,
		"POST /sign-in":             s.form(s.signIn),
		"POST /sign-out":            s.form(s.signOut),
		"GET /static/{file}":        s.static,
		"GET /verification":         s.customer(s.showVerification),
		"POST /verification":        s.form(s.customer(s.startVerification)),
		"GET /verification/state":   s.customer(s.verificationState),
		"GET /verification/embed":   s.customer(s.embed),
		"GET /verification/return":  s.customer(s.finishVerification),
		"POST /verification/return": s.form(s.customer(s.finishVerification)),
		"GET /erase":                s.customer(s.confirmErasure),
		"POST /erase":               s.form(s.customer(s.erase)),
		"GET " + erasedPath:         s.customer(s.showVerification),

		"GET /review":                   s.reviewer(s.list),
		"GET /review/{id}":              s.reviewer(s.review),
		"POST /review/{id}/comparison":  s.form(s.reviewer(s.compareFaces)),
		"POST /review/{id}/screening":   s.form(s.reviewer(s.screen)),
		"POST /review/{id}/person":      s.form(s.reviewer(s.person)),
		"POST /review/{id}/decision":    s.form(s.reviewer(s.decide)),
		"POST /review/{id}/settlement":  s.form(s.reviewer(s.settle)),
		"POST /review/{id}/erasure":     s.form(s.reviewer(s.eraseSession)),
		"GET /review/{id}/evidence":     s.reviewer(s.evidence),
		"GET /review/{id}/pdf":          s.reviewer(s.pdf),
		"GET /review/{id}/image/{name}": s.reviewer(s.image),
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	if len(c.callbackKeys) > 0 {
		callbacks, err := identomat.CallbackHandler(c.callbackKeys, s.callback, identomat.WithMaxCallbackSize(64<<10), identomat.WithCallbackErrors(
			func(ctx context.Context, err error) {
				log.WarnContext(ctx, "callback rejected or failed", "error", err)
			}))
		if err != nil {
			return nil, err
		}
		s.mux.Handle(callbackPath, callbacks) // the handler itself rejects methods other than POST
	}
	return s, nil
}

// handler responds to a request, or returns the error to respond with.
type handler func(http.ResponseWriter, *http.Request) error

// refusal is an error that the visitor caused or has to know about. Its text is shown to the
// visitor.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

var errNotFound = refusal{http.StatusNotFound, "This page does not exist, or you do not have access to it."}

// visitor is the sender of a request.
type visitor struct {
	cookie string
	user   user // zero if not signed in
	nonce  string
}

// csrf returns the CSRF token of the visitor's forms. It is derived from the cookie, which other
// sites can make the browser send but cannot read.
func (v visitor) csrf() string {
	mac := hmac.New(sha256.New, []byte(v.cookie))
	mac.Write([]byte("csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type visitorKey struct{}

// withVisitor returns a copy of the request with its visitor in the context.
func withVisitor(r *http.Request, v visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	v := visitor{nonce: rand.Text()}
	r = withVisitor(r, v)
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	// Log the pattern, not the URL, because a return URL contains a token.
	defer func() {
		s.log.Info("request", "method", r.Method, "route", r.Pattern, "status", rec.status, "took", time.Since(start).Round(time.Millisecond))
	}()
	s.setHeaders(rec.Header(), v.nonce)
	if r.Host != s.host {
		// Prevents DNS rebinding: another site whose name resolves to this address must get no
		// pages.
		http.Error(rec, "wrong host; use "+s.host, http.StatusMisdirectedRequest)
		return
	}
	if err := s.crossOrigin.Check(r); err != nil {
		s.fail(rec, r, refusal{http.StatusForbidden, "The form was sent by another site."})
		return
	}
	if cookie, err := r.Cookie(s.cookieName()); err == nil && cookie.Value != "" {
		id, err := s.store.signedInAs(r.Context(), cookie.Value)
		if err != nil {
			s.fail(rec, r, err)
			return
		}
		v.cookie, v.user = cookie.Value, userNamed(id)
		r = withVisitor(r, v)
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		// No route matches. Let the mux set the status and the Allow header, but replace its body.
		discarded := &recorder{ResponseWriter: headerWriter{rec.Header()}, status: http.StatusOK}
		s.mux.ServeHTTP(discarded, r)
		s.fail(rec, r, refusal{discarded.status, "This page does not exist."})
		return
	}
	s.mux.ServeHTTP(rec, r)
}

// recorder records the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// headerWriter keeps the headers and discards the rest of a response.
type headerWriter struct{ header http.Header }

func (w headerWriter) Header() http.Header       { return w.header }
func (headerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (headerWriter) WriteHeader(int)             {}

// setHeaders sets the security headers that suit most pages. The page with the widget relaxes them.
func (s *server) setHeaders(h http.Header, nonce string) {
	h.Set("Content-Security-Policy", s.policy(nonce, "'none'"))
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would also make browsers send a null Origin with forms
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if s.https {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
}

// policy returns the Content-Security-Policy. form-action includes the widget because one form
// redirects there, and browsers apply form-action to redirects too.
func (s *server) policy(nonce, frame string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'nonce-" + nonce + "'",
		"style-src 'self'",
		"img-src 'self'",
		"connect-src 'self'",
		"frame-src " + frame,
		"form-action 'self' " + s.client.WidgetURL(),
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

// form wraps the handler of a form. It parses the form and checks that it has the visitor's CSRF
// token.
func (s *server) form(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err := r.ParseForm()
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return refusal{http.StatusRequestEntityTooLarge, "The form is too large."}
		}
		if err != nil {
			return refusal{http.StatusBadRequest, "The form is invalid."}
		}
		v := visitorOf(r)
		if v.cookie == "" || !hmac.Equal([]byte(r.PostForm.Get("csrf")), []byte(v.csrf())) {
			return refusal{http.StatusForbidden, "The page was out of date, so your request was not processed. Please continue from the start page."}
		}
		return next(w, r)
	}
}

// customer wraps a handler for customers. Visitors who are not signed in are redirected to the
// sign-in page.
func (s *server) customer(next handler) handler { return s.requireRole(next, false) }

// reviewer wraps a handler for reviewers.
func (s *server) reviewer(next handler) handler { return s.requireRole(next, true) }

func (s *server) requireRole(next handler, reviewer bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch u := visitorOf(r).user; {
		case u.ID == "" && r.Method == http.MethodGet:
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		case u.ID == "":
			return refusal{http.StatusForbidden, "You are no longer signed in, so your request was not processed. Please sign in again."}
		case u.Reviewer != reviewer:
			return refusal{http.StatusForbidden, "You do not have access to this page."}
		}
		return next(w, r)
	}
}

// fail responds with a page that says what went wrong and where to continue. It logs errors that
// are not a refusal. The SDK's errors contain no keys, tokens or personal data.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refused refusal
	if !errors.As(err, &refused) {
		s.log.Error("request failed", "route", r.Pattern, "error", err)
		refused = refusal{http.StatusInternalServerError, "Something went wrong on our side. Please try again in a moment."}
	}
	title, back := "That did not work", "/"
	if refused.status == http.StatusNotFound {
		title = "Page not found"
	} else if id := r.PathValue("id"); id != "" && visitorOf(r).user.Reviewer {
		back = "/review/" + id
	}
	s.render(w, r, refused.status, "problem", title, struct{ Text, Back string }{refused.text, back})
}

//go:embed templates/*.html
var templateFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"when":    func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 MST") },
	"percent": func(f float64) string { return strconv.FormatFloat(f*100, 'f', 0, 64) + "%" },
	"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"date":    date,
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04") },
	"join": func(values []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }), "; ")
	},
	"words": words,
	"liveness": func(live bool) string {
		if live {
			return "confirmed"
		}
		return "not confirmed"
	},
}).ParseFS(templateFiles, "templates/*.html"))

// words turns a code from the service into readable text. Identomat may add codes, so no table of
// them would be complete.
func words(code any) string {
	text := fmt.Sprint(code)
	if text == string(identomat.IDCard) {
		return "identity card"
	}
	return strings.ToLower(strings.ReplaceAll(text, "_", " "))
}

// date formats a date as YYYY-MM-DD. If the service could not parse the date, date returns the text
// that is printed on the document.
func date(parsed, printed identomat.Date) string {
	t, err := parsed.Time()
	if err != nil {
		return string(printed)
	}
	return t.Format(time.DateOnly)
}

// page holds the data of every template.
type page struct {
	Title       string
	User        user
	CSRF, Nonce string
	Fake        bool
	Data        any
}

// render writes a page. It executes the template first, so that it never writes a partial page.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	v := visitorOf(r)
	var b bytes.Buffer
	p := page{Title: title, User: v.user, CSRF: v.csrf(), Nonce: v.nonce, Fake: !s.config.service, Data: data}
	if err := pages.ExecuteTemplate(&b, name+".html", p); err != nil {
		s.log.Error("cannot render page", "page", name, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

//go:embed static
var staticFiles embed.FS

func (s *server) static(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=300")
	http.ServeFileFS(w, r, staticFiles, "static/"+r.PathValue("file"))
	return nil
}
