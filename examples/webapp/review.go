package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
)

// The review desk reads everything from the service while a reviewer looks at it, keeps none
// of it, and writes down who looked at what.

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
	Audit   []auditEntry
	// MoreAudit: there are older entries.
	MoreAudit bool

	Comparison *identomat.FaceComparison
	Screening  *screening
	Failed     string // what was asked for and did not come
}

type screening struct {
	Hits []identomat.ScreeningHit
	More bool
}

// review shows a verification.
func (s *server) review(w http.ResponseWriter, r *http.Request) error {
	return s.showReview(w, r, "opened", nil)
}

// showReview shows a verification, with what add has found out.
func (s *server) showReview(w http.ResponseWriter, r *http.Request, action string, add func(context.Context, *reviewPage) error) error {
	v, err := s.reviewed(r)
	if err != nil {
		return err
	}
	p := reviewPage{verification: v}
	if v.Session.Token != "" && !v.Erasing {
		if err := s.store.note(r.Context(), visitorOf(r).user.ID, action, v.ID); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), reviewPatience)
		defer cancel()
		result, err := s.client.Sessions.Result(ctx, v.Session.Token)
		switch {
		case errors.Is(err, identomat.ErrSessionNotFound):
			p.Problem = "Identomat has no session any more: it was erased there."
		case err != nil:
			s.log.Warn("a result could not be shown", "verification", v.ID, "error", err)
			p.Problem = "Identomat does not answer at the moment. What is below is from the bank's own books."
		default:
			p.Result = result
			if result.Outcome != identomat.OutcomeInProgress {
				p.Shots = shots(result.DocumentType)
			}
			if add != nil {
				if err := add(ctx, &p); err != nil {
					s.log.Warn("a reviewer did not get an answer", "verification", v.ID, "error", err)
					p.Failed = "Identomat did not answer. Please try again later."
				}
			}
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

// compareFaces has the face compared with the photo on the document once more, beside the
// similarity of the result. It is a POST because it is billed.
func (s *server) compareFaces(w http.ResponseWriter, r *http.Request) error {
	return s.showReview(w, r, "compared the faces", func(ctx context.Context, p *reviewPage) error {
		face, err := faceBytes(s.client.Media.Face(ctx, p.Session.Token))
		if err != nil {
			return err
		}
		photo, err := faceBytes(s.client.Media.DocumentFacePhoto(ctx, p.Session.Token))
		if err != nil {
			return err
		}
		p.Comparison, err = s.client.Documents.CompareFaces(ctx, identomat.FileFromBytes(photo), identomat.FileFromBytes(face))
		return err
	})
}

func faceBytes(m *identomat.Media, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return m.Bytes()
}

// screen searches the sanctions lists for the person's name. It is a POST because the name
// leaves the bank.
func (s *server) screen(w http.ResponseWriter, r *http.Request) error {
	return s.showReview(w, r, "searched the sanctions lists", func(ctx context.Context, p *reviewPage) error {
		name := strings.TrimSpace(p.Result.Person.FirstName + " " + p.Result.Person.LastName)
		if name == "" {
			p.Failed = "The result holds no name to search for."
			return nil
		}
		var found screening
		query := identomat.ScreeningQuery{FullName: name, ScoreThreshold: screeningScore}
		for hit, err := range s.client.Screening.Search(ctx, query) {
			if err != nil {
				return err // a list that broke off must not look like a complete one
			}
			if found.More = len(found.Hits) == hitsShown; found.More {
				break
			}
			found.Hits = append(found.Hits, hit)
		}
		p.Screening = &found
		return nil
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
	if v.State != manualCheck {
		return refusal{http.StatusConflict, "There is nothing to decide: this verification is not waiting for a decision."}
	}
	reason := ""
	if outcome == rejected {
		reason = "reviewer"
	}
	who := visitorOf(r).user.ID
	settled, err := s.store.settle(r.Context(), v.ID, outcome, reason, who)
	switch {
	case err != nil:
		return err
	case !settled:
		return refusal{http.StatusConflict, "Somebody else was faster: this verification has been decided."}
	}
	s.log.Info("a verification has ended", "verification", v.ID, "outcome", outcome)
	if err := s.store.note(r.Context(), who, "decided: "+string(outcome), v.ID); err != nil {
		return err
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
		return s.placeholder(w, v, err)
	}
	extension, allowed := map[string]string{"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[media.ContentType]
	if !allowed {
		_ = media.Close()
		return s.placeholder(w, v, errors.New("not an image that is shown"))
	}
	data, err := media.Bytes() // up to identomat.DefaultMaxReplySize
	if err != nil {
		return s.placeholder(w, v, err)
	}
	setMediaHeaders(w.Header(), media.ContentType, "inline", fmt.Sprintf("verification-%d-%s.%s", v.ID, name, extension))
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

// setMediaHeaders lets a file be nothing but what its first bytes showed it to be.
func setMediaHeaders(h http.Header, contentType, disposition, name string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", fmt.Sprintf("%s; filename=%q", disposition, name))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
}

// placeholder is an image that says why there is none. The status says it too; browsers show
// the image of an error.
func (s *server) placeholder(w http.ResponseWriter, v verification, err error) error {
	status, text := http.StatusBadGateway, "Could not be fetched"
	if isGone(err) {
		status, text = http.StatusNotFound, "Not available"
	} else {
		s.log.Warn("an image could not be fetched", "verification", v.ID, "error", err)
	}
	setMediaHeaders(w.Header(), "image/svg+xml", "inline", "placeholder.svg")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200" viewBox="0 0 320 200" role="img" aria-label="%[1]s">
<rect width="320" height="200" fill="#e7e4dc"/><path d="M136 70h48v36h-48zm8 28l10-12 8 8 8-10 10 14" fill="none" stroke="#6b675e" stroke-width="3"/>
<text x="160" y="140" font-family="sans-serif" font-size="17" text-anchor="middle" fill="#3f3c36">%[1]s</text></svg>`, text)
	return nil
}
