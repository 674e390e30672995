package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/widget"
)

// returnPath is where customers come back, by the widget's redirect or by the form of the
// embedded widget.
const returnPath = "/verification/return"

// erasedPath is where an erasure leads, and ends. That nothing is left of the customer is all that
// the page has to know to say so.
const erasedPath = "/erased"

// showVerification is the customer's page: where the verification stands and what to do next.
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
		MayStart bool // none is open
		Tries    int  // that are left
		CanErase bool
		Reason   string
	}{
		verification: v, Started: found, Stage: at, Text: stages[at],
		MayStart: at == "none" || at == string(rejected) || at == string(expired),
		Tries:    tries,
		CanErase: v.Session.Token != "" && !v.Erasing,
	}
	if at == string(rejected) {
		data.Reason = friendlyReason(v.Reason)
	}
	s.render(w, r, http.StatusOK, "verification", data.Text.Title, data)
	return nil
}

// verificationState is what the page's script compares with what it shows.
func (s *server) verificationState(w http.ResponseWriter, r *http.Request) error {
	v, found, err := s.store.latest(r.Context(), visitorOf(r).user.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err = fmt.Fprint(w, stage(v, found, s.store.now()))
	return err
}

// stage is the state as the customer sees it.
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

// stageText is what the page says in a stage, and how far along the three steps it is.
type stageText struct {
	Title, Lead string
	Step        int
	Waits       bool // the page looks for news
}

var stages = map[string]stageText{
	"none": {"Verify your identity",
		"Before we open your account we must know who you are. Have your passport or identity card at hand; it takes about three minutes.", 1, false},
	"beginning": {"Your verification is being prepared", "This takes a moment.", 1, true},
	"unclear": {"We could not start your verification",
		"Our partner did not answer in time, but a verification may have been started. Please wait before you start again, so that there is only one.", 1, true},
	"in_progress": {"Your verification is not finished", "Continue where you stopped.", 2, true},
	"late": {"The time for your verification is over",
		"You can start a new one in a few minutes.", 2, true},
	"checking": {"We are checking your details",
		"Thank you. This usually takes less than a minute. You can leave this page; nothing is lost.", 3, true},
	"manual_check": {"We are reviewing your details",
		"One of our staff decides, usually within one working day. There is nothing you need to do.", 3, true},
	"approved": {"Your account is open", "Your identity has been verified. Welcome.", 4, false},
	"rejected": {"We could not verify your identity", "", 3, false},
	"expired":  {"The time for your verification is over", "It was not finished in time, so nothing was decided.", 2, false},
	"erasing":  {"Your data is being erased", "We are erasing it here and at our partner for verification.", 0, true},
	"erased": {"Your data has been erased",
		"Your photos, what was read from your document, and the outcome are gone, here and at our partner Identomat.", 0, false},
}

// friendlyReason is why a verification was rejected, in words for the customer. The list of
// codes is open, and a code that is not known here is not shown.
func friendlyReason(code string) string {
	switch code {
	case "low_similarity", "face_mismatch":
		return "Your face could not be matched with the photo on your document. It helps to have light from the front, and to take off glasses and hats."
	case "reviewer":
		return "One of our staff looked at your details and could not confirm your identity."
	}
	return "Your details could not be confirmed. It often helps to use a valid document, in good light and without reflections."
}

// startVerification leads to the customer's one open session, and begins it first if there is
// none. A session costs money, so the row that stands for it is made before: of two presses of
// the button, in one tab or in two, one makes it.
func (s *server) startVerification(w http.ResponseWriter, r *http.Request) error {
	way := r.PostForm.Get("way")
	if way != "redirect" && way != "iframe" {
		return refusal{http.StatusBadRequest, "The form cannot be read."}
	}
	u := visitorOf(r).user
	id, mine, err := s.store.reserve(r.Context(), u.ID, way, s.config.lifetime)
	switch {
	case errors.Is(err, errTooManyTries):
		return refusal{http.StatusTooManyRequests, "You have tried several times today. Please come back tomorrow, or visit a branch."}
	case errors.Is(err, errErasing):
		return refusal{http.StatusConflict, "Your data is still being erased. Please try again in a minute."}
	case err != nil:
		return err
	}
	if mine {
		// The customer may go away while it runs; the session must not be lost for that.
		if err := s.begin(context.WithoutCancel(r.Context()), u, id, way); err != nil {
			return err
		}
	}
	v, found, err := s.store.latest(r.Context(), u.ID)
	switch {
	case err != nil:
		return err
	case !found || !v.Open(s.store.now()):
		http.Redirect(w, r, "/verification", http.StatusSeeOther)
	case v.Way == "iframe":
		http.Redirect(w, r, "/verification/embed", http.StatusSeeOther)
	default:
		http.Redirect(w, r, v.Session.URL, http.StatusSeeOther)
	}
	return nil
}

// begin begins the session of a reserved verification.
func (s *server) begin(ctx context.Context, u user, id int64, way string) error {
	asking, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	request := identomat.BeginRequest{
		Flags:        identomat.NewFlags().Language(identomat.English),
		ConfigID:     s.config.configID,
		ClientUserID: u.ID, // says whose a session is whose token was lost
	}
	if s.config.configID == "" {
		request.Steps = identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard),
			identomat.Liveness().Active(true),
		}
	}
	if way == "redirect" {
		request.Flags = request.Flags.ReturnURL(s.config.publicURL + returnPath)
	}
	session, err := s.client.Sessions.Begin(asking, request)
	now := s.store.now()
	switch {
	case err == nil:
		if err := s.store.begun(ctx, id, session, now.Add(s.config.lifetime), now.Add(firstCheck)); err != nil {
			return err
		}
		s.worker.poke()
		return nil
	case identomat.MaybeProcessed(err):
		s.log.Error("a session may have been begun without a token", "verification", id, "error", err)
		return s.store.beganUnclearly(ctx, id)
	}
	s.log.Error("no session could be begun", "verification", id, "error", err)
	if err := s.store.notBegun(ctx, id); err != nil {
		return err
	}
	return refusal{http.StatusBadGateway, "Our partner for verification does not answer. Nothing was started; please try again in a few minutes."}
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
	snippet, err := widget.Embed(&v.Session, widget.Options{
		PostTo: returnPath,
		Fields: map[string]string{"csrf": visitor.csrf()},
		Nonce:  visitor.nonce,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", s.policy(visitor.nonce, s.client.WidgetURL()))
	w.Header().Set("Permissions-Policy", fmt.Sprintf(`camera=(self %q), microphone=(self %[1]q), geolocation=()`, s.client.WidgetURL()))
	s.render(w, r, http.StatusOK, "embed", "Show your document and your face", struct{ Widget template.HTML }{snippet})
	return nil
}

// comeBack takes the token with which the customer comes back. It must be bound to whoever is
// signed in; a token of somebody else's is as good as none. Coming back proves nothing: it only
// lets the worker ask sooner, once. The redirect leaves no token in the address.
func (s *server) comeBack(w http.ResponseWriter, r *http.Request) error {
	token, err := identomat.SessionTokenFromReturn(r)
	if err != nil {
		return refusal{http.StatusBadRequest, "The address is not complete."}
	}
	bound, err := s.store.returned(r.Context(), visitorOf(r).user.ID, token)
	if err != nil {
		return err
	}
	if !bound {
		return errNotFound
	}
	s.worker.poke()
	http.Redirect(w, r, "/verification", http.StatusSeeOther)
	return nil
}

func (s *server) confirmErasure(w http.ResponseWriter, r *http.Request) error {
	s.render(w, r, http.StatusOK, "erase", "Erase my data", nil)
	return nil
}

func (s *server) erase(w http.ResponseWriter, r *http.Request) error {
	err := s.store.eraseAll(r.Context(), visitorOf(r).user.ID)
	if errors.Is(err, errUnsettled) {
		return refusal{http.StatusConflict, "A verification is being started for you. Please wait until that is over, and try again."}
	}
	if err != nil {
		return err
	}
	s.worker.poke()
	http.Redirect(w, r, erasedPath, http.StatusSeeOther)
	return nil
}
