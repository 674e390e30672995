package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
)

// The review desk reads everything from the service while a reviewer looks at it, and writes down
// who looked at what. It keeps nothing but the answers that are billed.

const (
	// listed bounds the list, hitsShown the hits of a screening, notesShown the audit.
	listed     = 100
	hitsShown  = 50
	notesShown = 50
	// screeningScore is the least score of a hit, of 100.
	screeningScore = 80
	// reviewPatience bounds what a reviewer waits for the service.
	reviewPatience = 30 * time.Second
)

func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	list, err := s.store.listed(r.Context(), listed)
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "list", "Verifications", list)
	return nil
}

// reviewed is the verification of a path.
func (s *server) reviewed(r *http.Request) (verification, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return verification{}, errNotFound
	}
	v, found, err := s.store.verification(r.Context(), id)
	if err == nil && !found {
		err = errNotFound
	}
	return v, err
}

// opened is reviewed, with a session and an entry in the audit. Nothing is shown that could
// not be noted.
func (s *server) opened(r *http.Request, action string) (verification, error) {
	v, err := s.reviewed(r)
	if err != nil {
		return v, err
	}
	if v.Session.Token == "" || v.Erasing {
		return v, refusal{http.StatusConflict, "There is nothing to look at: the session was not begun, or is being erased."}
	}
	return v, s.store.note(r.Context(), visitorOf(r).user.ID, action, v.ID)
}

// shot is an image of the review page.
type shot struct{ Name, Title string }

// shots are the images that a session with this document should have.
func shots(document identomat.DocumentType) []shot {
	face := []shot{{"face", "Face"}, {"document-face", "Photo on the document"}}
	switch document {
	case "":
		return face[:1]
	case identomat.Passport:
		return append(face, shot{"passport", "Passport"})
	}
	return append(face, shot{"card-front", "Document, front"}, shot{"card-back", "Document, back"})
}

type reviewPage struct {
	verification
	Result  *identomat.Result
	Problem string // why there is no result
	Shots   []shot
	Hits    []hit // of the result
	// Overtaken: Identomat has decided what it had left to people.
	Overtaken bool
	Audit     []auditEntry
	// MoreAudit: there are older entries.
	MoreAudit bool

	Comparison *comparison
	Screening  *screening
}

// comparison is a check of the kind comparison.
type comparison struct {
	check
	Faces identomat.FaceComparison
}

// screening is a check of the kind screening.
type screening struct {
	check
	search
	Hits []hit
}

// search is how a screening is kept.
type search struct {
	Name string
	// BornFrom is the year before which nobody was searched for, 0 without a bound.
	BornFrom int
	// LeastScore is the score, of 100, below which nothing counts as a hit.
	LeastScore int
	Found      []json.RawMessage // the SDK's own type would be written as a mask
	More       bool
}

// hit is an entry of the lists.
type hit struct {
	ID, Name string
	Score    float64
	Remarks  []string
	Details  *details // that somebody has asked for
}

// details are a check of the kind person.
type details struct {
	check
	Person identomat.ScreeningPerson
}

func personKind(id string) string { return "person " + id }

// review shows a verification.
func (s *server) review(w http.ResponseWriter, r *http.Request) error {
	v, err := s.reviewed(r)
	if err != nil {
		return err
	}
	p := reviewPage{verification: v}
	if v.Session.Token != "" && !v.Erasing {
		if err := s.store.note(r.Context(), visitorOf(r).user.ID, "opened", v.ID); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), reviewPatience)
		defer cancel()
		if p, err = s.look(ctx, v); err != nil {
			return err
		}
		if p.Overtaken {
			// The worker may look only hours later, when nobody calls.
			if err := s.store.wake(r.Context(), v.Session.Token); err != nil {
				return err
			}
			s.worker.poke()
		}
	}
	if p.Audit, err = s.store.notes(r.Context(), v.ID, notesShown+1); err != nil {
		return err
	}
	if p.MoreAudit = len(p.Audit) > notesShown; p.MoreAudit {
		p.Audit = p.Audit[:notesShown]
	}
	s.render(w, r, http.StatusOK, "review", fmt.Sprintf("Verification %d", v.ID), p)
	return nil
}

// look asks for the result and reads the checks that were made.
func (s *server) look(ctx context.Context, v verification) (reviewPage, error) {
	p := reviewPage{verification: v}
	result, err := s.client.Sessions.Result(ctx, v.Session.Token)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		p.Problem = "Identomat has no session any more: it was erased there."
	case err != nil:
		s.log.Warn("a result could not be shown", "verification", v.ID, "error", err)
		p.Problem = "Identomat does not answer at the moment. What is below is from the bank's own books."
	default:
		p.Result = result
		p.Overtaken = v.State == manualCheck && (result.Approved() || result.Outcome == identomat.OutcomeRejected)
		if result.Outcome != identomat.OutcomeInProgress {
			p.Shots = shots(result.DocumentType)
		}
		for _, m := range result.ScreeningMatches {
			h := hit{ID: m.PersonID, Name: m.Name, Score: m.Score}
			if m.ReviewStatus != "" {
				h.Remarks = []string{m.ReviewStatus}
			}
			p.Hits = append(p.Hits, h)
		}
	}
	made, err := s.store.checks(ctx, v.ID)
	if err != nil {
		return p, err
	}
	return p, p.read(made)
}

// read takes in the checks that were made.
func (p *reviewPage) read(made map[string]check) error {
	if c, ok := made["comparison"]; ok {
		p.Comparison = &comparison{check: c}
		if err := json.Unmarshal(c.answer, &p.Comparison.Faces); err != nil {
			return err
		}
	}
	var found []hit
	if c, ok := made["screening"]; ok {
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
			if c, ok := made[personKind(h.ID)]; ok {
				hits[i].Details = &details{check: c}
				if err := json.Unmarshal(c.answer, &hits[i].Details.Person); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ask makes a check and leads back to the page, which shows it: a reload, or the way back, asks
// for nothing again, nor does a button that is pressed twice. It is for forms, because checks are
// billed and names leave the bank.
func (s *server) ask(w http.ResponseWriter, r *http.Request, kind, action, part string, answer func(context.Context, *reviewPage) ([]byte, error)) error {
	check := r.PathValue("id") + " " + kind
	if _, running := s.asking.LoadOrStore(check, true); running {
		return refusal{http.StatusConflict, "Identomat is being asked for this already. The answer will be on the page in a moment."}
	}
	defer s.asking.Delete(check)
	v, err := s.opened(r, action)
	if err != nil {
		return err
	}
	// What is billed is kept, also when the reviewer does not wait for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reviewPatience)
	defer cancel()
	p, err := s.look(ctx, v)
	switch {
	case err != nil:
		return err
	case p.Result == nil:
		return refusal{http.StatusBadGateway, "Identomat did not send the result. Please try again later."}
	}
	data, err := answer(ctx, &p)
	if refused := (refusal{}); errors.As(err, &refused) {
		return refused
	}
	if isGone(err) {
		return refusal{http.StatusConflict, "Identomat has nothing to answer this with: the image, or the entry of the list, is missing there."}
	}
	if err != nil {
		s.log.Warn("a reviewer did not get an answer", "verification", v.ID, "error", err)
		return refusal{http.StatusBadGateway, "Identomat did not answer. Please try again later."}
	}
	if err := s.store.keep(ctx, v.ID, kind, visitorOf(r).user.ID, data); err != nil {
		return err
	}
	http.Redirect(w, r, fmt.Sprintf("/review/%d#%s", v.ID, part), http.StatusSeeOther)
	return nil
}

// compareFaces has the face compared with the photo on the document once more, beside the
// similarity of the result.
func (s *server) compareFaces(w http.ResponseWriter, r *http.Request) error {
	return s.ask(w, r, "comparison", "compared the faces", "face", func(ctx context.Context, p *reviewPage) ([]byte, error) {
		face, err := faceBytes(s.client.Media.Face(ctx, p.Session.Token))
		if err != nil {
			return nil, err
		}
		photo, err := faceBytes(s.client.Media.DocumentFacePhoto(ctx, p.Session.Token))
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

// screen searches the sanctions lists for the person's name. The birthday of the document bounds
// the search only if the reviewer says so, and from the start of its year, because lists know
// many people by the year.
func (s *server) screen(w http.ResponseWriter, r *http.Request) error {
	return s.ask(w, r, "screening", "searched the sanctions lists", "lists", func(ctx context.Context, p *reviewPage) ([]byte, error) {
		found := search{Name: strings.TrimSpace(p.Result.Person.FirstName + " " + p.Result.Person.LastName), LeastScore: screeningScore}
		if found.Name == "" {
			return nil, refusal{http.StatusConflict, "The result holds no name to search for."}
		}
		query := identomat.ScreeningQuery{FullName: found.Name, ScoreThreshold: screeningScore}
		if r.PostForm.Has("bounded") {
			if found.BornFrom = p.BirthYear(); found.BornFrom == 0 {
				return nil, refusal{http.StatusConflict, "The result holds no birthday that bounds the search."}
			}
			query.BirthdayTimeFrom = time.Date(found.BornFrom, time.January, 1, 0, 0, 0, 0, time.UTC)
		}
		for hit, err := range s.client.Screening.Search(ctx, query) {
			if err != nil {
				return nil, err // a list that broke off must not look like a complete one
			}
			if found.More = len(found.Found) == hitsShown; found.More {
				break
			}
			found.Found = append(found.Found, hit.Raw())
		}
		return json.Marshal(found)
	})
}

// BirthYear is the year of birth on the document, 0 if it is not known.
func (p reviewPage) BirthYear() int {
	born, err := p.Result.Person.BirthdayTime.Time()
	if err != nil {
		return 0
	}
	return born.Year()
}

// person asks for everything about a hit, which tells it from others of the same name.
func (s *server) person(w http.ResponseWriter, r *http.Request) error {
	id := r.PostForm.Get("person")
	return s.ask(w, r, personKind(id), "looked at a hit", "lists", func(ctx context.Context, p *reviewPage) ([]byte, error) {
		shown := p.Hits
		if p.Screening != nil {
			shown = append(shown, p.Screening.Hits...)
		}
		if id == "" || !slices.ContainsFunc(shown, func(h hit) bool { return h.ID == id }) {
			return nil, errNotFound
		}
		person, err := s.client.Screening.Person(ctx, id)
		if err != nil {
			return nil, err
		}
		return person.Raw(), nil
	})
}

// decide notes a reviewer's decision in the bank's books, where a person has to make one. It
// is not sent to Identomat, which documents no call for it.
func (s *server) decide(w http.ResponseWriter, r *http.Request) error {
	v, err := s.reviewed(r)
	if err != nil {
		return err
	}
	outcome := state(r.PostForm.Get("outcome"))
	if outcome != approved && outcome != rejected {
		return refusal{http.StatusBadRequest, "The form cannot be read."}
	}
	reason := ""
	if outcome == rejected {
		reason = "reviewer"
	}
	who := visitorOf(r).user.ID
	if v.State == manualCheck {
		settled, err := s.store.settle(r.Context(), v.ID, outcome, reason, who)
		if err != nil {
			return err
		}
		if settled {
			s.log.Info("a verification has ended", "verification", v.ID, "outcome", outcome)
		}
		if v, err = s.reviewed(r); err != nil {
			return err
		}
	}
	// A button that was pressed twice has done what it says.
	if v.State != outcome || v.DecidedBy != who {
		return refusal{http.StatusConflict, "There is nothing to decide: this verification is not finished, has been decided, or is being erased."}
	}
	http.Redirect(w, r, "/review/"+strconv.FormatInt(v.ID, 10), http.StatusSeeOther)
	return nil
}

// Media.

// image hands on an image of a session. It is read to its end before its first byte is sent:
// half a face looks like a face, and a reply whose signature is wrong ends with an error.
func (s *server) image(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	fetch, known := map[string]func(context.Context, identomat.Token) (*identomat.Media, error){
		"face":          s.client.Media.Face,
		"document-face": s.client.Media.DocumentFacePhoto,
		"passport":      s.client.Media.Passport,
		"card-front":    s.client.Media.CardFront,
		"card-back":     s.client.Media.CardBack,
	}[name]
	if !known {
		return errNotFound
	}
	v, err := s.opened(r, "looked at "+name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), reviewPatience)
	defer cancel()
	media, err := fetch(ctx, v.Session.Token)
	if err != nil {
		return s.noImage(v, err)
	}
	extension, allowed := map[string]string{"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[media.ContentType]
	if !allowed {
		_ = media.Close()
		return s.noImage(v, errors.New("not an image that is shown"))
	}
	data, err := media.Bytes() // up to identomat.DefaultMaxResponseSize
	if err != nil {
		return s.noImage(v, err)
	}
	setMediaHeaders(w.Header(), media.ContentType, "inline", fmt.Sprintf("verification-%d-%s.%s", v.ID, name, extension))
	// Browsers style the page that they make of an image inside of it. What an image holds is never
	// read as a style, and the sandbox stays.
	w.Header().Set("Content-Security-Policy", mediaPolicy+"; style-src 'unsafe-inline'")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
	return nil
}

// pdf hands on the session as a PDF while it arrives. A failure in the middle, or a signature
// that is wrong at the end, breaks the connection, which browsers report as a download that
// failed.
func (s *server) pdf(w http.ResponseWriter, r *http.Request) error {
	v, err := s.opened(r, "downloaded the PDF")
	if err != nil {
		return err
	}
	media, err := s.client.Sessions.ExportPDF(r.Context(), v.Session.Token, identomat.PDFParts{Session: true, Screening: true})
	if err == nil && media.ContentType != "application/pdf" {
		_ = media.Close()
		err = errors.New("not a PDF")
	}
	if err != nil {
		s.log.Warn("a PDF could not be fetched", "verification", v.ID, "error", err)
		if isGone(err) {
			return refusal{http.StatusNotFound, "Identomat has no PDF of this session."}
		}
		return refusal{http.StatusBadGateway, "Identomat did not send the PDF. Please try again later."}
	}
	setMediaHeaders(w.Header(), media.ContentType, "attachment", fmt.Sprintf("verification-%d.pdf", v.ID))
	if media.Size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(media.Size, 10))
	}
	tail := &holding{w: w}
	if _, err := media.WriteTo(tail); err != nil {
		s.log.Warn("a PDF broke off", "verification", v.ID, "error", err)
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(tail.last)
	return nil
}

// holding keeps the last byte back. A wrong signature shows after it, and by then a browser that
// was told the length would have a whole file.
type holding struct {
	w    io.Writer
	last []byte
}

func (h *holding) Write(p []byte) (int, error) {
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

func isGone(err error) bool {
	return errors.Is(err, identomat.ErrNotFound) || errors.Is(err, identomat.ErrSessionNotFound) ||
		errors.Is(err, identomat.ErrFacePhotoNotFound)
}

// noImage is what an image that cannot be shown is answered with. The page puts words in its place.
func (s *server) noImage(v verification, err error) error {
	if isGone(err) {
		return refusal{http.StatusNotFound, "Identomat has no such image of this session."}
	}
	s.log.Warn("an image could not be fetched", "verification", v.ID, "error", err)
	return refusal{http.StatusBadGateway, "Identomat did not send the image. Please try again later."}
}

const mediaPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// setMediaHeaders lets a file be nothing but what its first bytes showed it to be.
func setMediaHeaders(h http.Header, contentType, disposition, name string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", fmt.Sprintf("%s; filename=%q", disposition, name))
	h.Set("Content-Security-Policy", mediaPolicy)
}
