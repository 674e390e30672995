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

// callbackPath goes into the company's settings at Identomat, behind PUBLIC_URL.
const callbackPath = "/callbacks/identomat"

// maxForm is far above any form of these pages.
const maxForm = 64 << 10

// server holds what handlers need.
type server struct {
	config config
	store  *store
	worker *worker
	client *identomat.Client
	sms    *sms
	log    *slog.Logger
	https  bool
	host   string // of PUBLIC_URL
	mux    *http.ServeMux
	forged *http.CrossOriginProtection
	asking sync.Map // the checks that Identomat is being asked for
}

func newServer(c config, st *store, w *worker, client *identomat.Client, log *slog.Logger) (*server, error) {
	public, err := c.public()
	if err != nil {
		return nil, err
	}
	s := &server{
		config: c, store: st, worker: w, client: client, sms: newSMS(log), log: log,
		https: public.Scheme == "https", host: public.Host,
		mux: http.NewServeMux(), forged: http.NewCrossOriginProtection(),
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
		"GET /verification/return":  s.customer(s.comeBack),
		"POST /verification/return": s.form(s.customer(s.comeBack)),
		"GET /erase":                s.customer(s.confirmErasure),
		"POST /erase":               s.form(s.customer(s.erase)),
		"GET " + erasedPath:         s.customer(s.showVerification),

		"GET /review":                   s.reviewer(s.list),
		"GET /review/{id}":              s.reviewer(s.review),
		"POST /review/{id}/comparison":  s.form(s.reviewer(s.compareFaces)),
		"POST /review/{id}/screening":   s.form(s.reviewer(s.screen)),
		"POST /review/{id}/person":      s.form(s.reviewer(s.person)),
		"POST /review/{id}/decision":    s.form(s.reviewer(s.decide)),
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
				log.WarnContext(ctx, "a callback was refused or failed", "error", err)
			}))
		if err != nil {
			return nil, err
		}
		s.mux.Handle(callbackPath, callbacks) // it answers other methods than POST itself
	}
	return s, nil
}

// handler answers, or returns the error to answer with.
type handler func(http.ResponseWriter, *http.Request) error

// refusal is an error that is the caller's, and what the caller is told.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

var errNotFound = refusal{http.StatusNotFound, "There is no such page, or it is not yours."}

// visitor is who sent a request.
type visitor struct {
	cookie string
	user   user // the zero user is nobody
	nonce  string
}

// csrf is the token of the visitor's forms. It follows from the cookie, which other sites can
// make a browser send but cannot read.
func (v visitor) csrf() string {
	mac := hmac.New(sha256.New, []byte(v.cookie))
	mac.Write([]byte("csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type visitorKey struct{}

// as is the request, sent by v.
func as(r *http.Request, v visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	v := visitor{nonce: rand.Text()}
	r = as(r, v)
	answer := &recorder{ResponseWriter: w, status: http.StatusOK}
	// The pattern and not the address: a return_url comes with a token.
	defer func() {
		s.log.Info("request", "method", r.Method, "route", r.Pattern, "status", answer.status, "took", time.Since(begun).Round(time.Millisecond))
	}()
	s.setHeaders(answer.Header(), v.nonce)
	if r.Host != s.host {
		// A page whose name was bound to this address would be this site for a browser.
		http.Error(answer, "this is "+s.host, http.StatusMisdirectedRequest)
		return
	}
	if err := s.forged.Check(r); err != nil {
		s.fail(answer, r, refusal{http.StatusForbidden, "The form was sent by another site."})
		return
	}
	if cookie, err := r.Cookie(s.cookieName()); err == nil && cookie.Value != "" {
		id, err := s.store.signedInAs(r.Context(), cookie.Value)
		if err != nil {
			s.fail(answer, r, err)
			return
		}
		v.cookie, v.user = cookie.Value, userNamed(id)
		r = as(r, v)
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		// No route: the mux knows the status and the methods that it would take.
		mute := &recorder{ResponseWriter: muted{answer.Header()}, status: http.StatusOK}
		s.mux.ServeHTTP(mute, r)
		s.fail(answer, r, refusal{mute.status, "There is no such page."})
		return
	}
	s.mux.ServeHTTP(answer, r)
}

// recorder remembers the status for the log.
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

type muted struct{ header http.Header }

func (m muted) Header() http.Header       { return m.header }
func (muted) Write(p []byte) (int, error) { return len(p), nil }
func (muted) WriteHeader(int)             {}

// setHeaders allows a page what all pages need. Those with the widget ask for more.
func (s *server) setHeaders(h http.Header, nonce string) {
	h.Set("Content-Security-Policy", s.policy(nonce, "'none'"))
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would blank the Origin of forms, too
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if s.https {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
}

// policy is the Content-Security-Policy. Browsers apply form-action to the redirect that follows
// a form as well, and one form leads to the widget.
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

// form lets a POST pass that one of the visitor's own forms has sent.
func (s *server) form(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err := r.ParseForm()
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return refusal{http.StatusRequestEntityTooLarge, "The form is too large."}
		}
		if err != nil {
			return refusal{http.StatusBadRequest, "The form cannot be read."}
		}
		v := visitorOf(r)
		if v.cookie == "" || !hmac.Equal([]byte(r.PostForm.Get("csrf")), []byte(v.csrf())) {
			return refusal{http.StatusForbidden, "The page was out of date, so what you sent was not used. Please go on from the start page."}
		}
		return next(w, r)
	}
}

// customer lets customers pass, and sends nobody to the sign-in page.
func (s *server) customer(next handler) handler { return s.only(next, false) }

func (s *server) reviewer(next handler) handler { return s.only(next, true) }

func (s *server) only(next handler, reviewer bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch u := visitorOf(r).user; {
		case u.ID == "" && r.Method == http.MethodGet:
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		case u.ID == "":
			return refusal{http.StatusForbidden, "Your sign-in has ended, so what you sent was not used. Please sign in again."}
		case u.Reviewer != reviewer:
			return refusal{http.StatusForbidden, "This page is for somebody else."}
		}
		return next(w, r)
	}
}

// fail answers with a page that says what went wrong and where to go on, and logs what is not the caller's doing.
// Errors of the SDK name no key, token or person.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refused refusal
	if !errors.As(err, &refused) {
		s.log.Error("a page failed", "route", r.Pattern, "error", err)
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

// words is a code of the service as a person reads it. The lists of codes are open.
func words(code any) string {
	text := fmt.Sprint(code)
	if text == string(identomat.IDCard) {
		return "identity card"
	}
	return strings.ToLower(strings.ReplaceAll(text, "_", " "))
}

// date is a date in ISO 8601, or as it is printed on the document if that is all there is.
func date(read, printed identomat.Date) string {
	t, err := read.Time()
	if err != nil {
		return string(printed)
	}
	return t.Format(time.DateOnly)
}

// page is what every template gets.
type page struct {
	Title       string
	User        user
	CSRF, Nonce string
	Fake        bool
	Data        any
}

// render writes a page, or nothing of it if it cannot be made.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	v := visitorOf(r)
	var b bytes.Buffer
	p := page{Title: title, User: v.user, CSRF: v.csrf(), Nonce: v.nonce, Fake: !s.config.service, Data: data}
	if err := pages.ExecuteTemplate(&b, name+".html", p); err != nil {
		s.log.Error("a page cannot be rendered", "page", name, "error", err)
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
