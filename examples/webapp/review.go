package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	identomatriver "github.com/identomat-go/identomat/river"
)

// The review desk fetches results and images from the service whenever a reviewer opens a page, and
// records who looked at what. It stores only the responses of billed calls. The evidence that a reviewer
// downloads is what the engine collected when the verification was decided.

const (
	maxListed       = 100 // verifications in the list
	maxHits         = 50  // hits of a screening
	maxAuditEntries = 500
	// visitPause separates two visits of the same person in the audit log.
	visitPause = 30 * time.Minute
	// minScore is the minimum score of a hit, out of 100.
	minScore = 80
	// reviewTimeout limits how long a reviewer waits for the service.
	reviewTimeout = 30 * time.Second
	// evidenceTimeout limits a download of evidence.
	evidenceTimeout = time.Hour
	// erasureTimeout limits how long a reviewer waits for an erasure, which continues afterwards.
	// erasurePause is the interval between two looks at the bank's records.
	erasureTimeout, erasurePause = 5 * time.Second, 50 * time.Millisecond
)

func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	list, err := s.store.list(r.Context(), maxListed)
	if err != nil {
		return err
	}
	p := listPage{Full: len(list) == maxListed, Any: len(list) > 0}
	for _, v := range list {
		switch {
		case v.State == manualCheck && !v.Erasing:
			p.Waiting = append(p.Waiting, v)
		case v.State == unclear:
			p.Unclear = append(p.Unclear, v)
		default:
			p.Others = append(p.Others, v)
		}
	}
	s.render(w, r, http.StatusOK, "list", "Verifications", p)
	return nil
}

type listPage struct {
	Any, Full                bool
	Waiting, Unclear, Others []verification
}

// verification returns the verification that the path names.
func (s *server) verification(r *http.Request) (verification, error) {
	// One spelling, because the ID in the path also says which check runs.
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || strconv.FormatInt(id, 10) != r.PathValue("id") {
		return verification{}, errNotFound
	}
	v, found, err := s.store.verification(r.Context(), id)
	if err == nil && !found {
		err = errNotFound
	}
	return v, err
}

// verificationForAccess returns the verification that the path names and records the access in the
// audit log. It fails if the verification has no session to look at, or if the access cannot be
// recorded.
func (s *server) verificationForAccess(r *http.Request, action string) (verification, error) {
	v, err := s.verification(r)
	if err != nil {
		return v, err
	}
	if v.Token == "" || v.Erasing {
		return v, refusal{http.StatusConflict, "There is nothing to show: the session has not been started, or it is being erased."}
	}
	return v, s.store.audit(r.Context(), visitorOf(r).user.ID, action, v.ID)
}

// shot is an image of a session.
type shot struct {
	Name, Title string
	fetch       func(*identomat.MediaService, context.Context, identomat.Token) (*identomat.Media, error)
}

var shots = []shot{
	{"face", "Face", (*identomat.MediaService).Face},
	{"document-face", "Photo on the document", (*identomat.MediaService).DocumentFacePhoto},
	{"passport", "Passport", (*identomat.MediaService).Passport},
	{"card-front", "Front of the document", (*identomat.MediaService).CardFront},
	{"card-back", "Back of the document", (*identomat.MediaService).CardBack},
}

// shotsOf returns the images that a session with this type of document should have.
func shotsOf(document identomat.DocumentType) []shot {
	switch document {
	case "":
		return shots[:1]
	case identomat.Passport:
		return shots[:3]
	}
	return slices.Delete(slices.Clone(shots), 2, 3)
}

type reviewPage struct {
	verification
	Result  *identomat.Result
	Read    time.Time // when the result was read
	Problem string    // why there is no result
	Shots   []shot
	Hits    []hit // the hits in the result
	// Overtaken reports whether Identomat has since decided a verification that it had left to a
	// reviewer.
	Overtaken bool
	Visits    []visit
	MoreAudit bool // Visits are incomplete

	Comparison *comparison
	Screening  *screening
}

// comparison is a check of two faces.
type comparison struct {
	check
	Faces identomat.FaceComparison
}

// screening is a check of the sanctions lists.
type screening struct {
	check
	search
	Hits []hit
}

// search is a screening in its stored form.
type search struct {
	Name string
	// BornFrom is the earliest year of birth that was searched for, or 0 without a limit.
	BornFrom int
	// LeastScore is the minimum score of a hit, out of 100.
	LeastScore int
	Found      []json.RawMessage // the hits as JSON, because encoders refuse the SDK's type
	More       bool
}

// hit is one entry on a sanctions list.
type hit struct {
	ID, Name string
	Score    float64
	Remarks  []string
	Details  *details // nil until a reviewer requests them
}

// details is a check of one hit.
type details struct {
	check
	Person identomat.ScreeningPerson
}

func personKind(id string) string { return "person " + id }

// review shows one verification.
func (s *server) review(w http.ResponseWriter, r *http.Request) error {
	v, err := s.verification(r)
	if err != nil {
		return err
	}
	p := reviewPage{verification: v}
	if v.Begun() && !v.Erasing {
		if err := s.store.audit(r.Context(), visitorOf(r).user.ID, "opened the verification", v.ID); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), reviewTimeout)
		defer cancel()
		if p, err = s.loadReview(ctx, v); err != nil {
			return err
		}
		if p.Overtaken {
			// Without a callback the engine would notice this only at its next poll, up to six hours
			// later.
			if err := s.store.wake(r.Context(), v.Token); err != nil {
				return err
			}
		}
	}
	entries, err := s.store.auditEntries(r.Context(), v.ID, maxAuditEntries+1)
	if err != nil {
		return err
	}
	if p.MoreAudit = len(entries) > maxAuditEntries; p.MoreAudit {
		entries = entries[:maxAuditEntries]
	}
	p.Visits = visits(entries)
	s.render(w, r, http.StatusOK, "review", fmt.Sprintf("Verification %d", v.ID), p)
	return nil
}

// visit groups what one person did with a verification, without a pause longer than visitPause.
type visit struct {
	Who     string
	Start   time.Time
	Actions []action // the oldest first
	// Loaded names the images that the pages contained. To open an image is an action.
	Loaded []string
}

// action is what a person did once or several times, the first time at At.
type action struct {
	At    time.Time
	Text  string
	Times int
}

// loadedImage begins the audit entry of an image that a page contained.
const loadedImage = "loaded with the page: "

// visits groups entries, which are in the order from the newest to the oldest.
func visits(entries []auditEntry) (visits []visit) {
	latest := map[string]int{} // the index of each person's earliest visit so far
	for _, e := range entries {
		i, known := latest[e.Who]
		if !known || visits[i].Start.Sub(e.At) > visitPause {
			i = len(visits)
			latest[e.Who] = i
			visits = append(visits, visit{Who: e.Who})
		}
		v := &visits[i]
		v.Start = e.At
		if image, loaded := strings.CutPrefix(e.Action, loadedImage); loaded {
			if !slices.Contains(v.Loaded, image) {
				v.Loaded = slices.Insert(v.Loaded, 0, image)
			}
			continue
		}
		a := action{At: e.At, Text: e.Action, Times: 1}
		if j := slices.IndexFunc(v.Actions, func(a action) bool { return a.Text == e.Action }); j >= 0 {
			a.Times += v.Actions[j].Times
			v.Actions = slices.Delete(v.Actions, j, j+1)
		}
		v.Actions = slices.Insert(v.Actions, 0, a)
	}
	return visits
}

// loadReview fetches the result from the service and loads the stored checks.
func (s *server) loadReview(ctx context.Context, v verification) (reviewPage, error) {
	p := reviewPage{verification: v}
	var result *identomat.Result
	err := identomat.ErrSessionNotFound
	if v.Token != "" {
		result, err = s.client.Sessions.Result(ctx, v.Token)
	}
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		p.Problem = "Identomat no longer has this session, because it has been erased there."
	case err != nil:
		s.log.Warn("cannot fetch the result", "verification", v.ID, "error", err)
		p.Problem = "Identomat is not responding at the moment. The data below comes from the bank's own records."
	default:
		p.Result, p.Read = result, s.store.now()
		p.Overtaken = v.State == manualCheck && (result.Approved() || result.Outcome == identomat.OutcomeRejected)
		if result.Outcome != identomat.OutcomeInProgress {
			p.Shots = shotsOf(result.DocumentType)
		}
		for _, m := range result.ScreeningMatches {
			h := hit{ID: m.PersonID, Name: m.Name, Score: m.Score}
			if m.ReviewStatus != "" {
				h.Remarks = []string{m.ReviewStatus}
			}
			p.Hits = append(p.Hits, h)
		}
	}
	checks, err := s.store.checks(ctx, v.ID)
	if err != nil {
		return p, err
	}
	return p, p.addChecks(checks)
}

// addChecks adds the stored checks, which are keyed by kind.
func (p *reviewPage) addChecks(checks map[string]check) error {
	if c, ok := checks["comparison"]; ok {
		p.Comparison = &comparison{check: c}
		if err := json.Unmarshal(c.answer, &p.Comparison.Faces); err != nil {
			return err
		}
	}
	var found []hit
	if c, ok := checks["screening"]; ok {
		p.Screening = &screening{check: c}
		if err := json.Unmarshal(c.answer, &p.Screening.search); err != nil {
			return err
		}
		for _, raw := range p.Screening.Found {
			var h identomat.ScreeningHit
			if err := json.Unmarshal(raw, &h); err != nil {
				return err
			}
			shown := hit{ID: h.PersonID, Name: h.Name, Score: h.Score}
			for _, topic := range h.Topics {
				shown.Remarks = append(shown.Remarks, string(topic))
			}
			found = append(found, shown)
		}
		p.Screening.Hits = found
	}
	for _, hits := range [][]hit{p.Hits, found} {
		for i, h := range hits {
			if c, ok := checks[personKind(h.ID)]; ok {
				hits[i].Details = &details{check: c}
				if err := json.Unmarshal(c.answer, &hits[i].Details.Person); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// runCheck makes a check, stores its response and redirects to the review page, which shows it.
// Reloading that page, going back to it or pressing the button twice makes no second call. Checks
// are POST requests because they are billed and send names to Identomat.
func (s *server) runCheck(w http.ResponseWriter, r *http.Request, kind, action, fragment string, call func(context.Context, *reviewPage) ([]byte, error)) error {
	key := r.PathValue("id") + " " + kind
	if _, running := s.runningChecks.LoadOrStore(key, true); running {
		return refusal{http.StatusConflict, "This check is already running. The result will be on the page in a moment."}
	}
	defer s.runningChecks.Delete(key)
	v, err := s.verificationForAccess(r, action)
	if err != nil {
		return err
	}
	// The call is billed, so store its response even if the reviewer leaves the page.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reviewTimeout)
	defer cancel()
	p, err := s.loadReview(ctx, v)
	switch {
	case err != nil:
		return err
	case p.Result == nil:
		return refusal{http.StatusBadGateway, "Identomat did not send the result. Please try again later."}
	}
	data, err := call(ctx, &p)
	if refused := (refusal{}); errors.As(err, &refused) {
		return refused
	}
	if isGone(err) {
		return refusal{http.StatusConflict, "Identomat does not have the data for this check: the image or the list entry is missing there."}
	}
	if err != nil {
		s.log.Warn("check failed", "verification", v.ID, "error", err)
		return refusal{http.StatusBadGateway, "Identomat did not respond. Please try again later."}
	}
	if err := s.store.saveCheck(ctx, v.ID, kind, visitorOf(r).user.ID, data); err != nil {
		return err
	}
	http.Redirect(w, r, fmt.Sprintf("/review/%d#%s", v.ID, fragment), http.StatusSeeOther)
	return nil
}

// compareFaces compares the face with the photo on the document again, in addition to the
// similarity in the result.
func (s *server) compareFaces(w http.ResponseWriter, r *http.Request) error {
	return s.runCheck(w, r, "comparison", "compared the faces", "face", func(ctx context.Context, p *reviewPage) ([]byte, error) {
		face, err := faceBytes(s.client.Media.Face(ctx, p.Token))
		if err != nil {
			return nil, err
		}
		photo, err := faceBytes(s.client.Media.DocumentFacePhoto(ctx, p.Token))
		if err != nil {
			return nil, err
		}
		faces, err := s.client.Documents.CompareFaces(ctx, identomat.FileFromBytes(photo), identomat.FileFromBytes(face))
		if err != nil {
			return nil, err
		}
		return faces.Raw(), nil
	})
}

func faceBytes(m *identomat.Media, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return m.Bytes()
}

// screen searches the sanctions lists for the person's name. If the reviewer chooses so, the search
// excludes people born before the year of birth on the document. The limit is the start of that
// year because lists give only the year for many people.
func (s *server) screen(w http.ResponseWriter, r *http.Request) error {
	return s.runCheck(w, r, "screening", "searched the sanctions lists", "lists", func(ctx context.Context, p *reviewPage) ([]byte, error) {
		found := search{Name: strings.TrimSpace(p.Result.Person.FirstName + " " + p.Result.Person.LastName), LeastScore: minScore}
		if found.Name == "" {
			return nil, refusal{http.StatusConflict, "The result has no name to search for."}
		}
		query := identomat.ScreeningQuery{FullName: found.Name, ScoreThreshold: minScore}
		if r.PostForm.Has("bounded") {
			if found.BornFrom = p.BirthYear(); found.BornFrom == 0 {
				return nil, refusal{http.StatusConflict, "The result has no date of birth to limit the search."}
			}
			query.BirthdayTimeFrom = identomat.Date(fmt.Sprintf("%04d-01-01", found.BornFrom))
		}
		for hit, err := range s.client.Screening.Search(ctx, query) {
			if err != nil {
				return nil, err // an incomplete list must not look complete
			}
			if found.More = len(found.Found) == maxHits; found.More {
				break
			}
			found.Found = append(found.Found, hit.Raw())
		}
		return json.Marshal(found)
	})
}

// BirthYear returns the year of birth on the document, or 0 if it is unknown.
func (p reviewPage) BirthYear() int {
	born, err := p.Result.Person.BirthdayTime.Time()
	if err != nil {
		return 0
	}
	return born.Year()
}

// person fetches a hit's details, which distinguish the person from others with the same name.
func (s *server) person(w http.ResponseWriter, r *http.Request) error {
	id := r.PostForm.Get("person")
	return s.runCheck(w, r, personKind(id), "viewed the details of a hit", "lists", func(ctx context.Context, p *reviewPage) ([]byte, error) {
		hits := p.Hits
		if p.Screening != nil {
			hits = append(hits, p.Screening.Hits...)
		}
		if id == "" || !slices.ContainsFunc(hits, func(h hit) bool { return h.ID == id }) {
			return nil, errNotFound
		}
		person, err := s.client.Screening.Person(ctx, id)
		if err != nil {
			return nil, err
		}
		return person.Raw(), nil
	})
}

// decide records a reviewer's decision about a verification that Identomat left to a reviewer. The
// decision is not sent to Identomat, whose API documentation describes no call for that.
func (s *server) decide(w http.ResponseWriter, r *http.Request) error {
	v, err := s.verification(r)
	if err != nil {
		return err
	}
	outcome := state(r.PostForm.Get("outcome"))
	if outcome != approved && outcome != rejected {
		return refusal{http.StatusBadRequest, "The form is invalid."}
	}
	reason := ""
	if outcome == rejected {
		reason = "reviewer"
	}
	who := visitorOf(r).user.ID
	if v.State == manualCheck {
		decided, err := s.store.decide(r.Context(), v.ID, outcome, reason, who)
		if err != nil {
			return err
		}
		if decided {
			s.log.Info("verification settled", "verification", v.ID, "outcome", outcome)
		}
		if v, err = s.verification(r); err != nil {
			return err
		}
	}
	// If the reviewer pressed the button twice, the second request succeeds too.
	if v.State != outcome || v.DecidedBy != who {
		return refusal{http.StatusConflict, "There is nothing to decide: this verification is not finished, has already been decided, or is being erased."}
	}
	http.Redirect(w, r, "/review/"+recordID(v.ID), http.StatusSeeOther)
	return nil
}

// settle ends the uncertainty about a session whose begin/ is unclear. The reviewer cannot enter a token: no
// response says whose session it is, so a wrong token would give the customer another person's outcome.
func (s *server) settle(w http.ResponseWriter, r *http.Request) error {
	v, err := s.verification(r)
	if err != nil {
		return err
	}
	to, next := r.PostForm.Get("to"), "/review"
	switch {
	case to != "give-up" && to != "continue":
		return refusal{http.StatusBadRequest, "The form is invalid."}
	case to == "continue":
		next = "/review/" + recordID(v.ID)
	}
	switch err := s.store.settleUnclear(r.Context(), v.ID, to == "continue", visitorOf(r).user.ID); {
	case errors.Is(err, identomatriver.ErrNotUnclear):
		return refusal{http.StatusConflict, "There is nothing to settle: it is no longer unclear whether this verification was started."}
	case errors.Is(err, errNoToken):
		return refusal{http.StatusConflict, "The bank does not have this session, so the customer cannot continue it."}
	case err != nil:
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// Evidence.

// collected returns the verification that the path names, and the folder with its evidence. It fails while
// the engine collects the evidence. Afterwards, the evidence does not change.
func (s *server) collected(r *http.Request) (verification, fs.FS, error) {
	v, err := s.verification(r)
	switch {
	case err != nil:
		return v, nil, err
	case v.Erasing:
		return v, nil, refusal{http.StatusConflict, "The session and the evidence are being erased, as the customer requested."}
	case !v.HasOutcome():
		return v, nil, refusal{http.StatusConflict, "There is no evidence yet. The bank collects it when the verification has been decided."}
	case v.Collecting:
		return v, nil, refusal{http.StatusConflict, "The evidence is incomplete, because Identomat has not sent everything yet. The bank keeps asking for what is missing. Nothing was downloaded or erased."}
	}
	return v, os.DirFS(s.store.evidenceOf(recordID(v.ID))), nil
}

// evidence serves the evidence as a zip. Every download of a package has the same bytes.
func (s *server) evidence(w http.ResponseWriter, r *http.Request) error {
	v, folder, err := s.collected(r)
	if err != nil {
		return err
	}
	if err := verify(folder); err != nil {
		return s.evidenceError(v, err)
	}
	if err := s.store.audit(r.Context(), visitorOf(r).user.ID, "downloaded the evidence", v.ID); err != nil {
		return err
	}
	setMediaHeaders(w.Header(), "application/zip", "attachment", fmt.Sprintf("verification-%d-evidence.zip", v.ID))
	// Evidence can include videos, so it needs more time than other pages.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(evidenceTimeout))
	if err := evidence.Pack(w, folder); err != nil {
		s.log.Warn("download of the evidence aborted", "verification", v.ID, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// verify returns an error unless a package of evidence is complete and unchanged.
func verify(folder fs.FS) error {
	check, err := evidence.Verify(folder)
	if err == nil && !check.Complete {
		err = evidence.ErrIncomplete
	}
	return err
}

// eraseSession makes the engine erase a session at the service, and waits for it. The engine verifies the
// evidence first, and the bank keeps the evidence.
func (s *server) eraseSession(w http.ResponseWriter, r *http.Request) error {
	v, folder, err := s.collected(r)
	if err != nil {
		return err
	}
	if v.Receipt == nil {
		if err := verify(folder); err != nil { // the engine would try again and again
			return s.evidenceError(v, err)
		}
		if err := s.store.eraseSession(r.Context(), v.ID, visitorOf(r).user.ID); err != nil {
			return err
		}
	}
	for waited := time.Duration(0); v.Receipt == nil; waited += erasurePause {
		if waited >= erasureTimeout {
			return s.evidenceError(v, context.DeadlineExceeded)
		}
		time.Sleep(erasurePause)
		if v, err = s.verification(r); err != nil {
			return err
		}
	}
	http.Redirect(w, r, fmt.Sprintf("/review/%d#evidence", v.ID), http.StatusSeeOther)
	return nil
}

// evidenceError returns the error to respond with if evidence cannot be downloaded, or if a session cannot
// be erased.
func (s *server) evidenceError(v verification, err error) error {
	_, damaged := errors.AsType[*evidence.VerifyError](err)
	switch {
	case errors.Is(err, evidence.ErrIncomplete), errors.Is(err, fs.ErrNotExist):
		return refusal{http.StatusConflict, "The evidence is incomplete, because Identomat no longer had the session when the bank collected it. Nothing was downloaded or erased."}
	case damaged:
		s.log.Error("the evidence does not verify", "verification", v.ID, "error", err)
		return refusal{http.StatusInternalServerError, "The evidence was changed after the bank had collected it. Nothing was downloaded or erased. Please tell the security team."}
	}
	s.log.Warn("cannot erase the session", "verification", v.ID, "error", err)
	return refusal{http.StatusBadGateway, "Identomat did not confirm that the session was erased. Please try again later."}
}

// Media.

// image serves an image of a session. It reads the whole image before it sends the first byte,
// because a truncated image still looks like a face, and a wrong signature is reported only at the
// end.
func (s *server) image(w http.ResponseWriter, r *http.Request) error {
	i := slices.IndexFunc(shots, func(shot shot) bool { return shot.Name == r.PathValue("name") })
	if i < 0 {
		return errNotFound
	}
	// Browsers say that a page loads an image. Every other request counts as opened by the reviewer.
	access := "opened the image: "
	if r.Header.Get("Sec-Fetch-Dest") == "image" {
		access = loadedImage
	}
	v, err := s.verificationForAccess(r, access+strings.ToLower(shots[i].Title))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), reviewTimeout)
	defer cancel()
	media, err := shots[i].fetch(s.client.Media, ctx, v.Token)
	if err != nil {
		return s.imageError(v, err)
	}
	extension, allowed := map[string]string{"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[media.ContentType]
	if !allowed {
		_ = media.Close()
		return s.imageError(v, errors.New("unsupported image type"))
	}
	data, err := media.Bytes() // fails above identomat.DefaultMaxResponseSize
	if err != nil {
		return s.imageError(v, err)
	}
	setMediaHeaders(w.Header(), media.ContentType, "inline", fmt.Sprintf("verification-%d-%s.%s", v.ID, shots[i].Name, extension))
	// Browsers show an image in a generated page with inline styles. Allowing inline styles is safe
	// because the image itself is never parsed as a style, and the sandbox remains.
	w.Header().Set("Content-Security-Policy", mediaPolicy+"; style-src 'unsafe-inline'")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
	return nil
}

// pdf streams the session's PDF to the browser. If the transfer fails, or if the signature turns
// out to be wrong at the end, pdf aborts the connection, which browsers report as a failed
// download.
func (s *server) pdf(w http.ResponseWriter, r *http.Request) error {
	v, err := s.verificationForAccess(r, "downloaded the PDF")
	if err != nil {
		return err
	}
	media, err := s.client.Sessions.ExportPDF(r.Context(), v.Token, identomat.PDFParts{Session: true, Screening: true})
	if err == nil && media.ContentType != "application/pdf" {
		_ = media.Close()
		err = errors.New("not a PDF")
	}
	if err != nil {
		s.log.Warn("cannot fetch the PDF", "verification", v.ID, "error", err)
		if isGone(err) {
			return refusal{http.StatusNotFound, "Identomat has no PDF for this session."}
		}
		return refusal{http.StatusBadGateway, "Identomat did not send the PDF. Please try again later."}
	}
	setMediaHeaders(w.Header(), media.ContentType, "attachment", fmt.Sprintf("verification-%d.pdf", v.ID))
	if media.Size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(media.Size, 10))
	}
	tail := &lastByteHolder{w: w}
	if _, err := media.WriteTo(tail); err != nil {
		s.log.Warn("PDF download aborted", "verification", v.ID, "error", err)
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(tail.last)
	return nil
}

// lastByteHolder holds back the last byte that was written. A wrong signature is detected only
// after the last byte, and a browser that knows the length would by then have a complete file.
type lastByteHolder struct {
	w    io.Writer
	last []byte
}

func (h *lastByteHolder) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if _, err := h.w.Write(h.last); err != nil {
		return 0, err
	}
	h.last = append(h.last[:0], p[len(p)-1])
	n, err := h.w.Write(p[:len(p)-1])
	if err != nil {
		return n, err
	}
	return len(p), nil
}

// isGone reports whether the service no longer has the session or the file.
func isGone(err error) bool {
	return errors.Is(err, identomat.ErrNotFound) || errors.Is(err, identomat.ErrSessionNotFound)
}

// imageError returns the error to respond with if an image cannot be shown. The page's script
// replaces the image with text.
func (s *server) imageError(v verification, err error) error {
	if isGone(err) {
		return refusal{http.StatusNotFound, "Identomat has no such image for this session."}
	}
	s.log.Warn("cannot fetch the image", "verification", v.ID, "error", err)
	return refusal{http.StatusBadGateway, "Identomat did not send the image. Please try again later."}
}

const mediaPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// setMediaHeaders sets the headers of a file. Together with the nosniff header, which every
// response has, they make the browser treat the file only as contentType. The SDK has checked
// contentType against the file's first bytes.
func setMediaHeaders(h http.Header, contentType, disposition, name string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", fmt.Sprintf("%s; filename=%q", disposition, name))
	h.Set("Content-Security-Policy", mediaPolicy)
}
