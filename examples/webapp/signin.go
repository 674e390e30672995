package main

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
)

// This sign-in is a stub for the bank's own: visitors choose a user. The handling of cookies,
// including their rotation, is not a stub.

type user struct {
	ID, Name string
	Reviewer bool
}

var users = []user{
	{ID: "customer-1", Name: "Customer 1"},
	{ID: "customer-2", Name: "Customer 2"},
	{ID: "customer-3", Name: "Customer 3"},
	{ID: "reviewer-1", Name: "Reviewer 1", Reviewer: true},
}

func userNamed(id string) user {
	for _, u := range users {
		if u.ID == id {
			return u
		}
	}
	return user{}
}

// CustomerName returns the name under which the bank knows the customer.
func (v verification) CustomerName() string { return cmp.Or(userNamed(v.Customer).Name, v.Customer) }

// home returns the path of the user's start page.
func (u user) home() string {
	if u.Reviewer {
		return "/review"
	}
	return "/verification"
}

// cookieName returns the name of the sign-in cookie. With the prefix __Host-, browsers accept the
// cookie only from this host and only over https.
func (s *server) cookieName() string {
	if s.https {
		return "__Host-session"
	}
	return "session"
}

func (s *server) setCookie(w http.ResponseWriter, value string) {
	age := int(signInLifetime.Seconds())
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: s.https,
		// Not Strict, because the customer returns through a link on the widget's site.
		SameSite: http.SameSiteLaxMode,
	})
}

func (s *server) home(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r)
	if v.user.ID != "" {
		http.Redirect(w, r, v.user.home(), http.StatusSeeOther)
		return nil
	}
	if v.cookie == "" {
		// The CSRF token of the form needs a cookie. No other page sets a cookie: a form that
		// another site sends arrives without the visitor's cookie, and the response must not
		// replace that cookie.
		v.cookie = rand.Text()
		s.setCookie(w, v.cookie)
		r = withVisitor(r, v)
	}
	s.render(w, r, http.StatusOK, "signin", "Sign in", struct {
		Users    []user
		Password bool
	}{users, s.config.password != ""})
	return nil
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("password")), []byte(s.config.password)) != 1 {
		return refusal{http.StatusForbidden, "The password is wrong."}
	}
	u := userNamed(r.PostForm.Get("user"))
	if u.ID == "" {
		return refusal{http.StatusBadRequest, "This user does not exist."}
	}
	// Set a new cookie, which prevents session fixation.
	cookie := rand.Text()
	if err := s.store.signIn(r.Context(), cookie, u.ID); err != nil {
		return err
	}
	if err := s.store.signOut(r.Context(), visitorOf(r).cookie); err != nil {
		return err
	}
	s.setCookie(w, cookie)
	http.Redirect(w, r, u.home(), http.StatusSeeOther)
	return nil
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.store.signOut(r.Context(), visitorOf(r).cookie); err != nil {
		return err
	}
	s.setCookie(w, "")
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
