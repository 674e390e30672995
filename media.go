package identomat

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
)

// MediaService fetches a session's images, videos and files, each method one kind. (API reference,
// Accessing Data and More; the methods name their sections.) To fetch everything that a session left
// behind, use Collect of package github.com/identomat-go/identomat/evidence.
//
// No method is known to be billed, and all are retried, but only until the first bytes have arrived. A
// response that is not media is an error, whatever its Content-Type.
//
// Errors of all methods: [ErrSessionNotFound]; [ErrNotFound] for media that the session lacks. The API
// documentation shows no response for such media; production returns HTTP 404.
type MediaService struct{ client *Client }

// Media is an image, a video, a document or an archive that is transferred while it is read. It must be
// closed; [Media.SaveFile], [Media.Bytes], [Media.WriteTo], [Media.Files] and [Media.ExtractTo] close it
// themselves. It is not safe for concurrent use.
//
// Reading ends with [io.EOF] only if the content is complete and its signature, if any, is right. It ends
// with a [TransportError] if the connection broke, or if only the close of the connection marks the end
// of the content, because truncation could then not be detected. Otherwise it ends with an [APIError]
// that is [ErrSignatureMismatch], [ErrTooLarge] or [ErrUnexpectedResponse].
//
// A read fails if nothing arrives within the timeout of [WithAttemptTimeout]. The whole transfer is
// bounded only by the context and by the Timeout of [WithHTTPClient]. Observers are called when the media
// has ended, has failed or is closed.
type Media struct {
	// ContentType is the media type of the content without parameters: the type that the first bytes
	// show, or else the declared type, or else application/octet-stream.
	ContentType string
	// Size is the length in bytes, or -1 if the service did not announce it.
	Size int64

	from     *transfer
	src      io.Reader
	shared   bool // the rest of the response may hold more media
	closed   bool
	done     int64
	progress func(done, total int64)
}

// Format writes the type and the size for every verb.
func (m Media) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s of %d bytes", m.ContentType, m.Size)
}

// LogValue returns a group of the type and the size.
func (m Media) LogValue() slog.Value {
	return slog.GroupValue(slog.String("content_type", m.ContentType), slog.Int64("size", m.Size))
}

// Progress sets a function that is called after every read, in the reading goroutine, with the number of
// bytes read so far and Size. It returns m.
func (m *Media) Progress(report func(done, total int64)) *Media {
	m.progress = report
	return m
}

// Read reads the next bytes.
func (m *Media) Read(p []byte) (int, error) {
	if m.closed {
		return 0, os.ErrClosed
	}
	n, err := m.src.Read(p)
	m.done += int64(n)
	if n > 0 && m.progress != nil {
		m.progress(m.done, m.Size)
	}
	switch {
	case err == io.EOF && !m.shared:
		m.from.end(nil)
	case err != nil && err != io.EOF:
		err = m.from.fail(err)
	}
	return n, err
}

// refuse returns the error for media that arrived intact but is unusable. Other media in the response
// stays readable.
func (m *Media) refuse(err error) error {
	if m.shared {
		return m.from.public(err)
	}
	return m.from.fail(err)
}

// Close ends the transfer. If the rest of the response is unread, Close closes the connection, unless the
// response holds more media.
func (m *Media) Close() error {
	m.closed = true
	if !m.shared {
		m.from.end(nil)
	}
	return nil
}

// WriteTo writes the rest of the media to w in constant memory, and closes the media.
func (m *Media) WriteTo(w io.Writer) (int64, error) {
	defer m.Close()
	return copyCounted(w, m)
}

// copier hides the methods ReadFrom and WriteTo of its reader and writer, so that a copy uses buf. The
// buffer is large enough that the cost of system calls does not matter.
type copier struct {
	io.Reader
	io.Writer
	buf [64 << 10]byte
}

var copiers = sync.Pool{New: func() any { return new(copier) }}

// copyCounted is io.Copy with a pooled buffer instead of a new one.
func copyCounted(dst io.Writer, src io.Reader) (int64, error) {
	c := copiers.Get().(*copier)
	defer copiers.Put(c)
	c.Reader, c.Writer = src, dst
	n, err := io.CopyBuffer(c, c, c.buf[:])
	c.Reader, c.Writer = nil, nil // do not keep them alive in the pool
	return n, err
}

// Bytes reads the rest of the media into memory, and closes the media. Media that exceeds
// [WithMaxResponseSize] causes [ErrTooLarge].
func (m *Media) Bytes() ([]byte, error) {
	defer m.Close()
	limit := m.from.client.maxResponse
	if m.Size > limit {
		return nil, m.refuse(engine.ErrTooLarge)
	}
	var buf bytes.Buffer
	if m.Size > 0 {
		buf.Grow(int(m.Size) + bytes.MinRead) // ReadFrom needs room beyond the end
	}
	if _, err := buf.ReadFrom(&io.LimitedReader{R: m, N: limit + 1}); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, m.refuse(engine.ErrTooLarge)
	}
	return buf.Bytes(), nil
}

// SaveFile writes the media to the named file, readable by its owner alone, and closes the media. It
// returns the number of bytes. The file appears, or replaces an older one, only when all of the media is
// safely on disk and its signature, if any, is right. After a failure nothing is left behind. SaveFile
// refuses media that was partly read before, because the file would lack its beginning.
func (m *Media) SaveFile(name string) (n int64, err error) {
	defer m.Close()
	if m.done > 0 {
		return 0, errors.New("identomat: SaveFile after a read")
	}
	if at, err := os.Stat(name); err == nil && !at.Mode().IsRegular() {
		return 0, errors.New("identomat: SaveFile would replace something other than a regular file")
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".identomat-*")
	if err != nil {
		return 0, err
	}
	saved := false
	defer func() { // deferred so that it also runs after a panic
		if !saved {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if n, err = m.WriteTo(file); err == nil {
		err = file.Sync()
	}
	if err = cmp.Or(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return n, err
	}
	saved = true
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync() // so that the name survives a crash, where the system supports it
		_ = dir.Close()
	}
	return n, nil
}

// CardFront fetches the image of an identity card's front with result/card-front/. (API reference, Card
// front side image.) It is not documented whether a driver's license and a residence permit count as
// cards; in package identomattest they do.
func (s *MediaService) CardFront(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.ResultCardFront, ofSession(token))
}

// CardBack fetches the image of an identity card's back with result/card-back/. (API reference, Card back
// side image.)
func (s *MediaService) CardBack(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.ResultCardBack, ofSession(token))
}

// Passport fetches a passport's photo page with result/passport/. (API reference, Passport photo page
// image.)
func (s *MediaService) Passport(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.ResultPassport, ofSession(token))
}

// Face fetches the image of the person's face with result/face/. (API reference, Face image.)
func (s *MediaService) Face(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.ResultFace, ofSession(token))
}

// FaceVideo fetches the video of the liveness check, in an undocumented format, with result/face-video/.
// (API reference, Face motion video.)
func (s *MediaService) FaceVideo(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.ResultFaceVideo, ofSession(token))
}

// FaceDocument fetches the selfie with the document, with result/face-document/. (API reference, Selfie
// with ID.)
func (s *MediaService) FaceDocument(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.ResultFaceDocument, ofSession(token))
}

// GeneralDocumentMedia names a general document to fetch (typeId). [GeneralDocumentType] spells the
// names differently.
type GeneralDocumentMedia string

// The documented values of [MediaService.GeneralDocument].
const (
	BankStatementMedia                       GeneralDocumentMedia = "bank-statement"
	UtilityBillMedia                         GeneralDocumentMedia = "utility-bill"
	VehicleRegistrationCertificateFrontMedia GeneralDocumentMedia = "vehicle-registration-certificate-front"
	VehicleRegistrationCertificateBackMedia  GeneralDocumentMedia = "vehicle-registration-certificate-back"
	DriversLicenseMedia                      GeneralDocumentMedia = "drivers-license"
)

// GeneralDocument fetches a proof of address or another general document (typeId), as an image or a PDF,
// with result/general-document/. (API reference, Proof of Address image or PDF.)
func (s *MediaService) GeneralDocument(ctx context.Context, token Token, document GeneralDocumentMedia) (*Media, error) {
	return media(ctx, s.client, operation.ResultGeneralDocument, generalDocumentParams{string(token), string(document)})
}

type generalDocumentParams struct {
	Token  string `url:"session_token"`
	TypeID string `url:"typeId"`
}

func (g generalDocumentParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("session_token", g.Token)
	p.requireText("typeId", g.TypeID)
}

// DocumentFacePhoto fetches the photo of the face on the session's main document with
// get-session-main-document-face-photo. (API reference, Get face photo from main document.) The photo
// is decoded while it arrives. Errors: those of all methods of [MediaService], and
// [ErrFacePhotoNotFound].
func (s *MediaService) DocumentFacePhoto(ctx context.Context, token Token) (*Media, error) {
	return firstItem(ctx, s.client, operation.DocumentFacePhoto, ofSession(token))
}

// VisualMarkers fetches images of the document's visual markers with get-visual-markers, as tar archives
// (see [Media.Files]). (API reference, Get document visual markers.) The archives are decoded while they
// arrive, one after another. Moving on to the next archive skips the rest of the current one; stopping
// early closes the connection. An error ends the iteration. The response's signature has been verified
// only if the iteration ends without an error. A response without markers yields neither an archive nor
// an error. Errors: those of all methods of [MediaService], and [ErrWrongParameters].
func (s *MediaService) VisualMarkers(ctx context.Context, token Token) iter.Seq2[*Media, error] {
	return items(ctx, s.client, operation.VisualMarkers, ofSession(token))
}

// QuestionFile fetches a file that answers a question, with get-question-file. (API reference, Get file
// from the question.) The parameters stepKey, questionKey and index (fileIndex), which counts from 0,
// select the file. [MediaService.QuestionFiles] fetches all files of a question.
//
// The file may be an archive, a PDF or an image, whatever type is declared; see [Media.ContentType]. If
// the response holds several files, which the API documentation does not rule out, QuestionFile returns
// the first. Errors: those of all methods of [MediaService], and [ErrWrongParameters], even if only the
// file is missing.
func (s *MediaService) QuestionFile(ctx context.Context, token Token, stepKey, questionKey string, index int) (*Media, error) {
	return firstItem(ctx, s.client, operation.QuestionFile, questionFileParams{string(token), stepKey, questionKey, index})
}

// maxQuestionFiles is the documented maximum of filesMaxCount.
const maxQuestionFiles = 10

// QuestionFiles fetches all files that answer a question, up to the documented maximum of ten. Each file
// takes a call to [MediaService.QuestionFile], and is closed when the iteration moves on. To ask for
// files, use [FileQuestion].
//
// A result does not say which answers are files. In package identomattest the answer to a file question
// is the number of files (see [Answer.Number]); Identomat documents no number. QuestionFiles does not
// need it, and calls until there are no more files.
//
// An error ends the iteration. The iteration ends without an error when there are no more files. For a
// question without any file the API reference documents only [ErrWrongParameters], as for a question
// that does not exist.
func (s *MediaService) QuestionFiles(ctx context.Context, token Token, stepKey, questionKey string) iter.Seq2[*Media, error] {
	return func(yield func(*Media, error) bool) {
		for i := range maxQuestionFiles {
			file, err := s.QuestionFile(ctx, token, stepKey, questionKey, i)
			if i > 0 && (errors.Is(err, ErrWrongParameters) || errors.Is(err, ErrNotFound)) {
				return
			}
			more := yield(file, err)
			if err != nil {
				return
			}
			_ = file.Close()
			if !more {
				return
			}
		}
	}
}

type questionFileParams struct {
	Token       string `json:"sessionId"`
	StepKey     string `json:"stepKey"`
	QuestionKey string `json:"questionKey"`
	Index       int    `json:"fileIndex"`
}

func (q questionFileParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("sessionId", q.Token)
	p.requireText("stepKey", q.StepKey)
	p.requireText("questionKey", q.QuestionKey)
	p.require(q.Index >= 0, "fileIndex", "must not be negative")
}
