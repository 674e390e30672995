package identomat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/identomat-go/identomat/internal/datauri"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
)

// MediaService fetches what a session recorded. (API reference, Accessing Data and More.)
//
// A reply that is not media is an error, whatever it is labelled. Media that the session
// does not have is [ErrNotFound]; the documents show no reply for it, production answers
// with HTTP 404.
type MediaService struct{ client *Client }

// Media is an image, a video, a document or an archive that arrives while it is read. It
// must be closed; [Media.SaveFile], [Media.Bytes], [Media.WriteTo], [Media.Files] and
// [Media.ExtractTo] close it themselves. It is not safe for concurrent use.
//
// Reading ends with [io.EOF] only if everything arrived and no signature was wrong. It
// ends with a [TransportError] if the connection broke, and with an [APIError] that is
// [ErrSignatureMismatch], [ErrTooLarge] or [ErrUnexpectedReply] otherwise.
type Media struct {
	// ContentType is the media type of the content, without parameters: what the first
	// bytes show, or else what the service said, or else application/octet-stream.
	ContentType string
	// Size is the length in bytes, or -1 if the service did not tell it.
	Size int64

	op       *operation.Operation
	src      io.Reader
	close    func() error
	attempts int
	limit    int64
	done     int64
	progress func(done, total int64)
}

// Format writes the type and the size under every verb.
func (m *Media) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s of %d bytes", m.ContentType, m.Size)
}

// LogValue is a group of the type and the size.
func (m *Media) LogValue() slog.Value {
	return slog.GroupValue(slog.String("content_type", m.ContentType), slog.Int64("size", m.Size))
}

// Progress makes every read report how many bytes were read and how many there are, or -1,
// and returns m. The function is called in the goroutine that reads.
func (m *Media) Progress(report func(done, total int64)) *Media {
	m.progress = report
	return m
}

// Read reads the next bytes.
func (m *Media) Read(p []byte) (int, error) {
	n, err := m.src.Read(p)
	m.done += int64(n)
	if n > 0 && m.progress != nil {
		m.progress(m.done, m.Size)
	}
	if err != nil && err != io.EOF {
		err = m.readError(err)
	}
	return n, err
}

func (m *Media) readError(err error) error {
	return streamError(m.op, err, m.attempts)
}

// streamError gives an error of reading a stream its public type.
func streamError(op *operation.Operation, err error, attempts int) error {
	api := &APIError{Op: op.Name, StatusCode: http.StatusOK, Attempts: attempts, MaybeProcessed: true}
	var (
		public  *APIError
		broken  *TransportError
		forged  *signatureError
		format  *datauri.FormatError
		refused *datauri.RefusedError
	)
	switch {
	case errors.As(err, &public), errors.As(err, &broken):
		return err
	case errors.As(err, &forged):
		api.kind = ErrSignatureMismatch
	case errors.Is(err, engine.ErrTooLarge):
		api.kind = ErrTooLarge
	case errors.As(err, &format):
		api.kind, api.Sample = ErrUnexpectedReply, format.Problem
	case errors.As(err, &refused):
		reply := openEnvelope(refused.Reply)
		if said := refusal(op, &engine.Reply{StatusCode: http.StatusOK, Body: refused.Reply}, &reply); said != nil {
			said.Attempts = attempts
			return said
		}
		api.kind = ErrUnexpectedReply
	default:
		return &TransportError{Op: op.Name, Attempts: attempts, MaybeProcessed: true, Err: err}
	}
	return api
}

// Close ends the transfer. The connection of media that was not read to its end is closed;
// that of one of several in a reply goes on with the next.
func (m *Media) Close() error {
	m.src = closed{}
	if m.close == nil {
		return nil
	}
	return m.close()
}

// closed takes the place of what can no longer be read.
type closed struct{}

func (closed) Read([]byte) (int, error) { return 0, os.ErrClosed }

// WriteTo writes the rest of the media to w in constant memory, and closes it.
func (m *Media) WriteTo(w io.Writer) (int64, error) {
	defer m.Close()
	before := m.done
	err := copyTo(w, m)
	if err == nil && m.Size >= 0 && m.done != m.Size {
		err = &TransportError{Op: m.op.Name, Attempts: m.attempts, MaybeProcessed: true, Err: io.ErrUnexpectedEOF}
	}
	return m.done - before, err
}

// Bytes reads the rest of the media into memory, and closes it. Media larger than
// [WithMaxReplySize] allows is [ErrTooLarge].
func (m *Media) Bytes() ([]byte, error) {
	defer m.Close()
	if m.Size > m.limit {
		return nil, m.readError(engine.ErrTooLarge)
	}
	var buf bytes.Buffer
	if m.Size > 0 {
		buf.Grow(int(m.Size) + bytes.MinRead) // ReadFrom wants room beyond the end
	}
	if _, err := buf.ReadFrom(io.LimitReader(m, m.limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > m.limit {
		return nil, m.readError(engine.ErrTooLarge)
	}
	return buf.Bytes(), nil
}

// SaveFile writes the media to the file name, readable by its owner alone, and closes it. It
// returns the number of bytes. The file appears, or replaces an older one, only when all
// of the media has arrived, its signature was right, and it is safe on disk; on any failure
// nothing is left behind.
func (m *Media) SaveFile(name string) (n int64, err error) {
	defer m.Close()
	file, err := os.CreateTemp(filepath.Dir(name), ".identomat-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if n, err = m.WriteTo(file); err != nil {
		return n, err
	}
	if err = file.Sync(); err != nil {
		return n, err
	}
	if err = file.Close(); err != nil {
		return n, err
	}
	return n, os.Rename(file.Name(), name)
}

// streamed is a call whose reply may be a stream.
type streamed struct{ call }

// Takes accepts the head of a reply as media, or as the start of a document of data URIs.
func (s *streamed) Takes(r *engine.Reply, whole bool) bool {
	if s.op.Shape == operation.DataURI {
		return bytes.HasPrefix(trimJSON(r.Body), []byte("{")) && !(whole && s.refused(r))
	}
	return isMediaContent(r.Body, mediaType(r.Header.Get("Content-Type")))
}

func (s *streamed) refused(r *engine.Reply) bool {
	reply := openEnvelope(r.Body)
	return refusal(s.op, r, &reply) != nil
}

// neverDecoded is for replies that are either streamed or an error.
type neverDecoded struct{}

func (neverDecoded) decode([]byte) error { return errors.New("identomat: not media") }

// stream calls an endpoint and returns its reply unread.
func (c *Client) stream(ctx context.Context, op *operation.Operation, contentType string, body []byte, private ...string) (*Media, error) {
	this := &streamed{call: *c.call(op, contentType, body, neverDecoded{}, private...)}
	this.Call.Judge, this.Stream, this.Limit = this, this, c.maxMedia
	reply, failure := c.engine.Do(ctx, &this.Call)
	if failure != nil {
		return nil, callError(op.Name, failure)
	}
	return &Media{
		ContentType: contentTypeOf(reply.Body, mediaType(reply.Header.Get("Content-Type"))),
		Size:        reply.Stream.Length, op: op, src: reply.Stream, close: reply.Stream.Close,
		attempts: reply.Stream.Attempts, limit: c.maxReply,
	}, nil
}

// streamSession calls a widget endpoint that takes a session as a form.
func (c *Client) streamSession(ctx context.Context, op *operation.Operation, token Token) (*Media, error) {
	form, err := c.sessionForm(op, token)
	if err != nil {
		return nil, err
	}
	return c.streamForm(ctx, op, form, string(token))
}

func (c *Client) streamForm(ctx context.Context, op *operation.Operation, form any, private ...string) (*Media, error) {
	values, err := query.Values(form)
	if err != nil {
		return nil, err
	}
	return c.stream(ctx, op, "application/x-www-form-urlencoded", []byte(values.Encode()), private...)
}

// items walks over the data URIs of a reply. Stopping early closes its connection.
func (c *Client) items(ctx context.Context, op *operation.Operation, body []byte, private ...string) iter.Seq2[*Media, error] {
	return func(yield func(*Media, error) bool) {
		reply, err := c.stream(ctx, op, "application/json", body, private...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer reply.Close()
		uris := datauri.NewReader(reply)
		for {
			item, err := uris.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, reply.readError(err))
				return
			}
			media, err := c.item(op, item, reply.attempts)
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(media, nil)
			_ = media.Close() // the next item is read from the same reply
			if !more {
				return
			}
		}
	}
}

// item is a data URI as media.
func (c *Client) item(op *operation.Operation, item *datauri.Item, attempts int) (*Media, error) {
	head := make([]byte, 0, engine.PeekSize)
	var err error
	for err == nil && len(head) < cap(head) {
		var n int
		n, err = item.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
	}
	m := &Media{
		ContentType: contentTypeOf(head, mediaType(item.MediaType)), Size: -1,
		op: op, attempts: attempts, limit: c.maxReply,
	}
	switch {
	case err == nil:
		m.src = io.MultiReader(bytes.NewReader(head), item)
	case err == io.EOF:
		m.src, m.Size = bytes.NewReader(head), int64(len(head))
	default:
		return nil, m.readError(err)
	}
	return m, nil
}

// firstItem is the first data URI of a reply that should hold one. It closes the reply.
func (c *Client) firstItem(ctx context.Context, op *operation.Operation, body []byte, private ...string) (*Media, error) {
	reply, err := c.stream(ctx, op, "application/json", body, private...)
	if err != nil {
		return nil, err
	}
	item, err := datauri.NewReader(reply).Next()
	var media *Media
	switch {
	case err == io.EOF:
		err = &APIError{Op: op.Name, StatusCode: http.StatusOK, Attempts: reply.attempts, kind: ErrNotFound, Sample: "an empty list"}
	case err != nil:
		err = reply.readError(err)
	default:
		media, err = c.item(op, item, reply.attempts)
	}
	if err != nil {
		_ = reply.Close()
		return nil, err
	}
	media.close = reply.Close
	return media, nil
}

// isMediaContent reports whether a reply to an endpoint that sends media is some. An error
// can come with status 200 and the label of an image, so the bytes count first: what is
// known to be binary is media, and what may be JSON or a page is not.
func isMediaContent(head []byte, declared string) bool {
	sniffed := sniff(head)
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(text) == 0:
		return false
	case sniffed == "text/html" || sniffed == "text/xml":
		return false
	case !isVague(sniffed):
		return true
	case bytes.IndexByte([]byte(`{["`), text[0]) >= 0:
		return false
	}
	switch word := string(bytes.TrimRight(text, " \t\r\n")); word {
	case "null", "true", "false":
		return false
	}
	if strings.HasPrefix(declared, "text/") || strings.Contains(declared, "json") || strings.Contains(declared, "xml") && declared != "image/svg+xml" {
		return false
	}
	return sniffed != "text/plain" || !isVague(declared)
}

// contentTypeOf prefers what the bytes show to what was declared, which production and the
// documents get wrong.
func contentTypeOf(head []byte, declared string) string {
	sniffed := sniff(head)
	if isVague(sniffed) && !isVague(declared) {
		return declared
	}
	return sniffed
}

func sniff(head []byte) string {
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return "application/x-tar"
	}
	return mediaType(http.DetectContentType(head))
}

func isVague(contentType string) bool {
	switch contentType {
	case "", "text/plain", "application/octet-stream", "binary/octet-stream", malformedType, unknownType:
		return true
	}
	return false
}

// CardFront fetches the image of the front of an identity card with POST
// result/card-front/. Errors: [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey].
func (s *MediaService) CardFront(ctx context.Context, token Token) (*Media, error) {
	return s.client.streamSession(ctx, operation.ResultCardFront, token)
}

// CardBack fetches the image of the back of an identity card with POST
// result/card-back/. Errors: [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey].
func (s *MediaService) CardBack(ctx context.Context, token Token) (*Media, error) {
	return s.client.streamSession(ctx, operation.ResultCardBack, token)
}

// Passport fetches the image of a passport's photo page with POST result/passport/.
// Errors: [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey].
func (s *MediaService) Passport(ctx context.Context, token Token) (*Media, error) {
	return s.client.streamSession(ctx, operation.ResultPassport, token)
}

// Face fetches the image of the person's face with POST result/face/. Errors:
// [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey].
func (s *MediaService) Face(ctx context.Context, token Token) (*Media, error) {
	return s.client.streamSession(ctx, operation.ResultFace, token)
}

// FaceVideo fetches the video of the liveness check with POST result/face-video/. Its
// format is not documented. Errors: [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey].
func (s *MediaService) FaceVideo(ctx context.Context, token Token) (*Media, error) {
	return s.client.streamSession(ctx, operation.ResultFaceVideo, token)
}

// FaceDocument fetches the selfie with the document in hand with POST
// result/face-document/. Errors: [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey].
func (s *MediaService) FaceDocument(ctx context.Context, token Token) (*Media, error) {
	return s.client.streamSession(ctx, operation.ResultFaceDocument, token)
}

// GeneralDocumentMedia names a general document to fetch. The spelling differs from that
// of [GeneralDocumentType].
type GeneralDocumentMedia string

// The documents that [MediaService.GeneralDocument] is documented to know.
const (
	BankStatementMedia                       GeneralDocumentMedia = "bank-statement"
	UtilityBillMedia                         GeneralDocumentMedia = "utility-bill"
	VehicleRegistrationCertificateFrontMedia GeneralDocumentMedia = "vehicle-registration-certificate-front"
	VehicleRegistrationCertificateBackMedia  GeneralDocumentMedia = "vehicle-registration-certificate-back"
	DriversLicenseMedia                      GeneralDocumentMedia = "drivers-license"
)

// GeneralDocument fetches a proof of address or another general document, an image or a
// PDF, with POST result/general-document/. Errors: [ErrSessionNotFound], [ErrNotFound],
// [ErrInvalidKey].
func (s *MediaService) GeneralDocument(ctx context.Context, token Token, document GeneralDocumentMedia) (*Media, error) {
	op := operation.ResultGeneralDocument
	form, err := s.client.sessionForm(op, token)
	if err != nil {
		return nil, err
	}
	if s.client.validate && document == "" {
		return nil, problems{{Path: "typeId", Message: "is empty"}}.err(op.Name)
	}
	return s.client.streamForm(ctx, op, struct {
		sessionForm
		TypeID string `url:"typeId"`
	}{form, string(document)}, string(token))
}

// DocumentFacePhoto fetches the photo of the face on the session's main document with POST
// get-session-main-document-face-photo. It is decoded while it arrives. Errors:
// [ErrSessionNotFound], [ErrFacePhotoNotFound], [ErrInvalidKey].
func (s *MediaService) DocumentFacePhoto(ctx context.Context, token Token) (*Media, error) {
	body, err := s.client.sessionBody(operation.DocumentFacePhoto, token)
	if err != nil {
		return nil, err
	}
	return s.client.firstItem(ctx, operation.DocumentFacePhoto, body, string(token))
}

// VisualMarkers fetches images of the document's visual markers with POST
// get-visual-markers, as tar archives (see [Media.Files]). They are decoded while they
// arrive, one after the other: the next one is reached by going on, which skips what was
// not read, and going no further closes the connection. An error ends the walk; only a
// walk that ends without one has shown the whole reply to be authentic. Errors:
// [ErrSessionNotFound], [ErrInvalidKey], [ErrWrongParameters].
func (s *MediaService) VisualMarkers(ctx context.Context, token Token) iter.Seq2[*Media, error] {
	return s.client.sessionItems(ctx, operation.VisualMarkers, token)
}

// QuestionFile fetches a file that was uploaded as the answer to a question, by the keys of
// the step and of the question and its place among the files, from 0, with POST
// get-question-file. The file may be an archive, a PDF or an image, whatever its label; see
// [Media.ContentType]. Errors: [ErrSessionNotFound], [ErrNotFound] if the reply holds no
// file, [ErrInvalidKey], [ErrWrongParameters].
func (s *MediaService) QuestionFile(ctx context.Context, token Token, stepKey, questionKey string, index int) (*Media, error) {
	op := operation.QuestionFile
	if s.client.validate {
		var p problems
		for _, required := range [...]struct{ path, value string }{{"stepKey", stepKey}, {"questionKey", questionKey}} {
			if required.value == "" {
				p.add(required.path, "is empty")
			}
		}
		if index < 0 {
			p.add("fileIndex", "is negative")
		}
		if err := p.err(op.Name); err != nil {
			return nil, err
		}
	}
	body, err := s.client.sessionBody(op, token,
		member{name: "stepKey", value: jsonString(stepKey)},
		member{name: "questionKey", value: jsonString(questionKey)},
		member{name: "fileIndex", value: jsonInt(index)})
	if err != nil {
		return nil, err
	}
	return s.client.firstItem(ctx, op, body, string(token))
}

// sessionItems calls an endpoint that answers with data URIs of a session.
func (c *Client) sessionItems(ctx context.Context, op *operation.Operation, token Token) iter.Seq2[*Media, error] {
	return func(yield func(*Media, error) bool) {
		body, err := c.sessionBody(op, token)
		if err != nil {
			yield(nil, err)
			return
		}
		c.items(ctx, op, body, string(token))(yield)
	}
}

// sessionBody is the body of an endpoint of the newer host that takes a session.
func (c *Client) sessionBody(op *operation.Operation, token Token, more ...member) ([]byte, error) {
	if c.validate && token == "" {
		return nil, problems{{Path: "sessionId", Message: "is empty"}}.err(op.Name)
	}
	return chain(append([]member{
		{name: "companyKey", value: jsonString(c.key.Reveal())},
		{name: "sessionId", value: jsonString(string(token))},
	}, more...)...).appendJSON(nil)
}
