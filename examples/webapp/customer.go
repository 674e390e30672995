package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/identomat-go/identomat"
	identomatriver "github.com/identomat-go/identomat/river"
	"github.com/identomat-go/identomat/widget"
)

// returnPath is where customers return to: the widget redirects to it, and the page with the
// embedded widget posts a form to it.
const returnPath = "/verification/return"

// erasedPath is the path of the page that shows the progress of an erasure. The page needs no record
// of the erasure: if the store has no data about the customer, the erasure is complete.
const erasedPath = "/erased"

// showVerification shows the customer the status of the verification and what to do next.
func (s *server) showVerification(w http.ResponseWriter, r *http.Request) error {
	u := visitorOf(r).user
	v, found, err := s.store.latest(r.Context(), u.ID)
	if err != nil {
		return err
	}
	now := s.store.now()
	at := stage(v, found, now)
	switch erased := r.URL.Path == erasedPath; {
	case erased && !found:
		at = "erased"
	case erased && !v.Erasing:
		http.Redirect(w, r, "/verification", http.StatusSeeOther)
		return nil
	case !erased && v.Erasing:
		http.Redirect(w, r, erasedPath, http.StatusSeeOther)
		return nil
	}
	tries, err := s.store.triesLeft(r.Context(), u.ID)
	if err != nil {
		return err
	}
	data := struct {
		verification
		Started  bool
		Stage    string
		Text     stageText
		MayStart bool // no verification is open
		Tries    int  // remaining attempts
		CanErase bool
		Reason   string
	}{
		verification: v, Started: found, Stage: at, Text: stages[at],
		MayStart: at == "none" || at == string(rejected) || at == string(expired),
		Tries:    tries,
		CanErase: found && v.Begun() && !v.Erasing,
	}
	if at == string(rejected) {
		data.Reason = friendlyReason(v.Reason)
	}
	s.render(w, r, http.StatusOK, "verification", data.Text.Title, data)
	return nil
}

// verificationState returns the current stage, which the page's script compares with the stage that
// the page shows.
func (s *server) verificationState(w http.ResponseWriter, r *http.Request) error {
	v, found, err := s.store.latest(r.Context(), visitorOf(r).user.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err = fmt.Fprint(w, stage(v, found, s.store.now()))
	return err
}

// stage returns the state that the customer sees, which is a key of stages.
func stage(v verification, found bool, now time.Time) string {
	switch {
	case !found:
		return "none"
	case v.Erasing:
		return "erasing"
	case v.State == inProgress && v.Returned:
		return "checking"
	case v.State == inProgress && !now.Before(v.Expires):
		return "late"
	}
	return string(v.State)
}

// stageText holds the texts of a stage and its position among the three steps.
type stageText struct {
	Title, Lead string
	Step        int
	Waits       bool // the page polls for a new stage
}

var stages = map[string]stageText{
	"none": {"Verify your identity",
		"Before we open your account, we need to verify who you are. It takes about three minutes.", 1, false},
	"beginning": {"We are preparing your verification", "This takes a moment.", 1, true},
	"unclear": {"We could not start your verification",
		"Our partner did not respond in time, but may have started a verification. Please wait before you try again, so that you do not start a second one.", 1, true},
	"in_progress": {"Your verification is not finished", "Continue where you left off.", 2, true},
	"late": {"Your verification has expired",
		"You can start a new one in a few minutes.", 2, true},
	"checking": {"We are checking your details",
		"Thank you. This usually takes less than a minute. You can safely leave this page.", 3, true},
	"manual_check": {"We are reviewing your details",
		"A member of our staff will decide, usually within one working day. You do not need to do anything.", 3, true},
	"approved": {"Your account is open", "Your identity has been verified. Welcome.", 4, false},
	"rejected": {"We could not verify your identity", "", 3, false},
	"expired":  {"Your verification has expired", "It was not finished in time, so no decision was made.", 2, false},
	"erasing":  {"Your data is being erased", "We are erasing it here and at our partner Identomat.", 0, true},
	"erased": {"Your data has been erased",
		"Your photos, your document data and the outcome have been erased, both here and at our partner Identomat.", 0, false},
}

// friendlyReason explains to the customer why a verification was rejected. Identomat may add codes,
// so an unknown code gets a general text.
func friendlyReason(code string) string {
	switch code {
	case "low_similarity", "face_mismatch":
		return "Your face could not be matched with the photo on your document. Please use good light from the front, and take off glasses and hats."
	case "reviewer":
		return "A member of our staff reviewed your details and could not confirm your identity."
	}
	return "Your details could not be confirmed. Please use a valid document, in good light and without reflections."
}

// startVerification redirects to the customer's open session and begins one first if necessary. A
// session costs money, so the store reserves a row before the session is begun: if the customer
// presses the button twice, in one tab or in two, only one request gets the reservation. The engine begins the
// session, even if the customer leaves the page.
func (s *server) startVerification(w http.ResponseWriter, r *http.Request) error {
	way := r.PostForm.Get("way")
	if way != "redirect" && way != "iframe" {
		return refusal{http.StatusBadRequest, "The form is invalid."}
	}
	u := visitorOf(r).user
	id, reserved, err := s.store.reserve(r.Context(), u.ID, way)
	switch {
	case errors.Is(err, errTooManyTries):
		return refusal{http.StatusTooManyRequests, "You have used all your attempts for today. Please try again tomorrow or visit a branch."}
	case errors.Is(err, errErasing):
		return refusal{http.StatusConflict, "Your data is still being erased. Please try again in a minute."}
	case err != nil:
		return err
	}
	if !reserved {
		v, found, err := s.store.latest(r.Context(), u.ID)
		if err != nil {
			return err
		}
		if !found || v.State != beginning && !v.Open(s.store.now()) {
			http.Redirect(w, r, "/verification", http.StatusSeeOther)
			return nil
		}
		id, way = v.ID, v.Way
	}
	ctx, cancel := context.WithTimeout(r.Context(), beginTimeout)
	defer cancel()
	session, err := s.store.engine.Session(ctx, recordID(id))
	switch {
	case errors.Is(err, identomatriver.ErrFailed):
		return refusal{http.StatusBadGateway, "Our verification partner is not responding. Nothing was started. Please try again in a few minutes."}
	case errors.Is(err, identomatriver.ErrUnclear), ctx.Err() != nil: // the page shows the state
		http.Redirect(w, r, "/verification", http.StatusSeeOther)
	case err != nil:
		return err
	case way == "iframe":
		http.Redirect(w, r, "/verification/embed", http.StatusSeeOther)
	default:
		http.Redirect(w, r, session.URL, http.StatusSeeOther)
	}
	return nil
}

// embed shows the widget in an iframe.
func (s *server) embed(w http.ResponseWriter, r *http.Request) error {
	visitor := visitorOf(r)
	v, found, err := s.store.latest(r.Context(), visitor.user.ID)
	if err != nil {
		return err
	}
	if !found || !v.Open(s.store.now()) || v.Way != "iframe" {
		http.Redirect(w, r, "/verification", http.StatusSeeOther)
		return nil
	}
	session, err := s.store.engine.Session(r.Context(), recordID(v.ID))
	if err != nil {
		return err
	}
	snippet, err := widget.Embed(session, widget.Options{
		PostTo: returnPath,
		Fields: map[string]string{"csrf": visitor.csrf()},
		Nonce:  visitor.nonce,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", s.policy(visitor.nonce, s.client.WidgetURL()))
	w.Header().Set("Permissions-Policy", fmt.Sprintf(`camera=(self %q), microphone=(), geolocation=()`, s.client.WidgetURL()))
	s.render(w, r, http.StatusOK, "embed", "Show your document and your face", struct{ Widget template.HTML }{snippet})
	return nil
}

// finishVerification handles the customer's return from the widget. The token in the request must
// belong to the customer who is signed in; another customer's token gets the same 404 as an unknown
// token. The return proves nothing about the outcome. It only makes the engine read the outcome
// sooner, once. The redirect removes the token from the address.
func (s *server) finishVerification(w http.ResponseWriter, r *http.Request) error {
	token, err := identomat.SessionTokenFromReturn(r)
	if err != nil {
		return refusal{http.StatusBadRequest, "The address is incomplete."}
	}
	bound, err := s.store.markReturned(r.Context(), visitorOf(r).user.ID, token)
	if err != nil {
		return err
	}
	if !bound {
		return errNotFound
	}
	http.Redirect(w, r, "/verification", http.StatusSeeOther)
	return nil
}

func (s *server) confirmErasure(w http.ResponseWriter, r *http.Request) error {
	s.render(w, r, http.StatusOK, "erase", "Erase my data", nil)
	return nil
}

func (s *server) erase(w http.ResponseWriter, r *http.Request) error {
	err := s.store.requestErasure(r.Context(), visitorOf(r).user.ID)
	if errors.Is(err, errBeginning) {
		return refusal{http.StatusConflict, "A verification is being started for you. Please try again later."}
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, erasedPath, http.StatusSeeOther)
	return nil
}
