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
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/datauri"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/sample"
	"github.com/identomat-go/identomat/internal/signature"
)

// MediaService fetches what a session recorded. (API reference, Accessing Data and More.)
//
// A reply that is not media is an error, whatever it is labelled. Media that the session
// does not have is [ErrNotFound]; the documents show no reply for it, production answers
// with HTTP 404. An empty token or key is a [ValidationError], and nothing is sent. A call
// is sent again until the first bytes are there, and no later.
type MediaService struct{ client *Client }

// Media is an image, a video, a document or an archive that arrives while it is read. It
// must be closed; [Media.SaveFile], [Media.Bytes], [Media.WriteTo], [Media.Files] and
// [Media.ExtractTo] close it themselves. It is not safe for concurrent use.
//
// Reading ends with [io.EOF] only if everything arrived and no signature was wrong. It
// ends with a [TransportError] if the connection broke, or if nothing but its end tells where
// the media ends, and with an [APIError] that is [ErrSignatureMismatch], [ErrTooLarge] or
// [ErrUnexpectedResponse] otherwise. A read fails when nothing arrives for the time of
// [WithAttemptTimeout]; the whole may take as long as the context and the Timeout of
// [WithHTTPClient] allow. The observer hears of the attempt when the media is at its end, has
// failed or is closed.
type Media struct {
	// ContentType is the media type of the content, without parameters: what the first
	// bytes show, or else what the service said, or else application/octet-stream.
	ContentType string
	// Size is the length in bytes, or -1 if the service did not tell it.
	Size int64

	from     *streamed
	src      io.Reader
	shared   bool // the rest of the reply holds more media
	closed   bool
	done     int64
	progress func(done, total int64)
}

// Format writes the type and the size under every verb.
func (m Media) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s of %d bytes", m.ContentType, m.Size)
}

// LogValue is a group of the type and the size.
func (m Media) LogValue() slog.Value {
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

// refuse is for media that arrives well and is not what was asked for. It does not end the
// transfer of other media in the reply.
func (m *Media) refuse(err error) error {
	if m.shared {
		return m.from.public(err)
	}
	return m.from.fail(err)
}

// Close ends the transfer. The connection of media that was not read to its end is closed;
// that of one of several in a reply goes on with the next.
func (m *Media) Close() error {
	m.closed = true
	if !m.shared {
		m.from.end(nil)
	}
	return nil
}

// WriteTo writes the rest of the media to w in constant memory, and closes it.
func (m *Media) WriteTo(w io.Writer) (int64, error) {
	defer m.Close()
	return copyCounted(w, m)
}

// Bytes reads the rest of the media into memory, and closes it. Media larger than
// [WithMaxResponseSize] allows is [ErrTooLarge].
func (m *Media) Bytes() ([]byte, error) {
	defer m.Close()
	limit := m.from.client.maxReply
	if m.Size > limit {
		return nil, m.refuse(engine.ErrTooLarge)
	}
	var buf bytes.Buffer
	if m.Size > 0 {
		buf.Grow(int(m.Size) + bytes.MinRead) // ReadFrom wants room beyond the end
	}
	if _, err := buf.ReadFrom(&io.LimitedReader{R: m, N: limit + 1}); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, m.refuse(engine.ErrTooLarge)
	}
	return buf.Bytes(), nil
}

// SaveFile writes the media to the file name, readable by its owner alone, and closes it. It
// returns the number of bytes. The file appears, or replaces an older one, only when all
// of the media has arrived, its signature was right, and it is safe on disk; on any failure
// nothing is left behind. Media of which something was read already is refused, because the
// file would lack its beginning.
func (m *Media) SaveFile(name string) (n int64, err error) {
	defer m.Close()
	if m.done > 0 {
		return 0, errors.New("identomat: SaveFile after a read")
	}
	if at, err := os.Stat(name); err == nil && !at.Mode().IsRegular() {
		return 0, errors.New("identomat: SaveFile would replace what is not a regular file")
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".identomat-*")
	if err != nil {
		return 0, err
	}
	saved := false
	defer func() { // after a panic, too
		if !saved {
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
	if err = os.Rename(file.Name(), name); err != nil {
		return n, err
	}
	saved = true
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync() // so that the name survives a crash, where the system can do that
		_ = dir.Close()
	}
	return n, nil
}

// streamed is a call whose reply is a stream.
type streamed struct {
	call
	reply    *engine.Stream
	unsigned bool // and must not be
}

// Judge classifies a reply that is not taken as a stream.
func (s *streamed) Judge(r *engine.Reply, readErr error) engine.Verdict {
	r.Body = bytes.TrimPrefix(r.Body, []byte(byteOrderMark))
	verdict := s.call.Judge(r, readErr)
	if e, ok := verdict.Err.(*APIError); ok && e.kind == ErrUnexpectedResponse && s.unsigned {
		e.kind, e.Sample = ErrSignatureMismatch, ""
	}
	return verdict
}

// Takes accepts the head of a reply as media, or as the start of a document of data URIs.
func (s *streamed) Takes(r *engine.Reply, whole bool) bool {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return false // compressed, which nobody asked for
	}
	if r.StatusCode == http.StatusPartialContent {
		return false // nor for a part
	}
	if s.client.signedOnly {
		// Of several files in one reply, the first would be handed out before the end.
		if _, signed := signature.Parse(r.Header["Authorization"]); !signed {
			s.unsigned = true
			return false
		}
	}
	if s.op.Shape == operation.DataURI {
		head := trimJSON(bytes.TrimPrefix(r.Body, []byte(byteOrderMark)))
		return bytes.HasPrefix(head, []byte("{")) && !(whole && s.refuses(head))
	}
	return isMediaContent(r.Body, sample.MediaType(r.Header.Get("Content-Type")))
}

func (s *streamed) refuses(body []byte) bool {
	reply := openEnvelope(body)
	return refusal(s.op, &engine.Reply{StatusCode: http.StatusOK, Body: body}, &reply) != nil
}

// public gives an error of reading the stream its public type.
func (s *streamed) public(err error) error {
	api := &APIError{Operation: s.op.Name, StatusCode: http.StatusOK, Attempts: s.reply.Attempts, MaybeProcessed: true}
	var (
		known   *APIError
		broken  *TransportError
		forged  *signature.Error
		format  *datauri.FormatError
		refused *datauri.ServiceError
	)
	switch {
	case errors.As(err, &known), errors.As(err, &broken):
		return err
	case errors.As(err, &forged):
		api.kind = ErrSignatureMismatch
	case errors.Is(err, engine.ErrTooLarge):
		api.kind = ErrTooLarge
	case errors.As(err, &format):
		api.kind, api.Sample = ErrUnexpectedResponse, format.Problem
	case errors.Is(err, io.ErrUnexpectedEOF) && s.reply.Complete():
		api.kind, api.Sample = ErrUnexpectedResponse, "a document without its end"
	case errors.As(err, &refused):
		verdict := s.Judge(&engine.Reply{StatusCode: http.StatusOK, Header: http.Header{}, Body: refused.Response}, nil)
		if !errors.As(verdict.Err, &api) {
			api.kind = ErrUnexpectedResponse
		}
		api.Attempts = s.reply.Attempts
	default:
		return &TransportError{Operation: s.op.Name, Attempts: s.reply.Attempts, MaybeProcessed: true, Err: err}
	}
	return api
}

// fail ends the call with an error, which it returns as a public one.
func (s *streamed) fail(err error) error {
	err = s.public(err)
	s.end(err)
	return err
}

// end closes the reply, and reports a public error, if any, to the observers.
func (s *streamed) end(err error) {
	if err == nil {
		s.reply.End(nil)
		return
	}
	failure := &engine.Failure{Err: err, FromReply: true, Attempts: s.reply.Attempts, MaybeProcessed: true}
	if broken, ok := errors.AsType[*TransportError](err); ok {
		failure.Err, failure.FromReply = broken.Err, false
	}
	s.reply.End(failure)
}

// neverDecoded is for replies that are either streamed or an error.
type neverDecoded struct{}

func (neverDecoded) decode([]byte) error { return errors.New("identomat: not media") }

// stream calls an endpoint and returns the call with its reply unread, and the head of it.
func (c *Client) stream(ctx context.Context, op *operation.Operation, contentType string, body []byte) (*streamed, *engine.Reply, error) {
	s := &streamed{call: c.call(op, contentType, body, neverDecoded{})}
	s.Call.Judge, s.Stream, s.Limit, s.EndsItself = s, s, c.maxMedia, op.Shape == operation.DataURI
	reply, failure := c.engine.Do(ctx, &s.Call)
	if failure != nil {
		return nil, nil, callError(op.Name, failure)
	}
	s.reply = reply.Stream
	return s, reply, nil
}

// media calls an endpoint that answers with bytes.
func (c *Client) media(ctx context.Context, op *operation.Operation, contentType string, body []byte) (*Media, error) {
	s, reply, err := c.stream(ctx, op, contentType, body)
	if err != nil {
		return nil, err
	}
	return &Media{
		ContentType: contentTypeOf(reply.Body, sample.MediaType(reply.Header.Get("Content-Type"))),
		Size:        s.reply.Length, from: s, src: s.reply,
	}, nil
}

// sessionMedia calls a widget endpoint that takes a session as a form.
func (c *Client) sessionMedia(ctx context.Context, op *operation.Operation, token Token) (*Media, error) {
	form, err := c.sessionForm(op, token)
	if err != nil {
		return nil, err
	}
	return c.formMedia(ctx, op, form)
}

func (c *Client) formMedia(ctx context.Context, op *operation.Operation, form any) (*Media, error) {
	body, err := encodeForm(form)
	if err != nil {
		return nil, err
	}
	return c.media(ctx, op, formType, body)
}

// items walks over the data URIs of a reply. Stopping early closes its connection.
func (c *Client) items(ctx context.Context, op *operation.Operation, body []byte) iter.Seq2[*Media, error] {
	return func(yield func(*Media, error) bool) {
		from, _, err := c.stream(ctx, op, "application/json", body)
		if err != nil {
			yield(nil, err)
			return
		}
		defer from.end(nil)
		uris := datauri.NewReader(from.reply)
		for {
			item, err := uris.Next()
			if err == io.EOF {
				return
			}
			var media *Media
			if err == nil {
				media, err = from.item(item, item.MediaType)
			}
			if err != nil {
				yield(nil, from.fail(err))
				return
			}
			media.shared = true
			more := yield(media, nil)
			media.closed = true // the next item is read from the same reply
			if !more {
				return
			}
		}
	}
}

// firstItem is the first data URI of a reply that should hold one.
func (c *Client) firstItem(ctx context.Context, op *operation.Operation, body []byte) (*Media, error) {
	from, _, err := c.stream(ctx, op, "application/json", body)
	if err != nil {
		return nil, err
	}
	uris := datauri.NewReader(from.reply)
	item, err := uris.Next()
	if err == io.EOF {
		err = &APIError{Operation: op.Name, StatusCode: http.StatusOK, Attempts: from.reply.Attempts, kind: ErrNotFound, Sample: "an empty list"}
	}
	var media *Media
	if err == nil {
		media, err = from.item(onlyItem{item, uris}, item.MediaType)
	}
	if err != nil {
		return nil, from.fail(err)
	}
	return media, nil
}

// onlyItem ends when the whole reply has been read and was found to be good.
type onlyItem struct {
	item *datauri.Item
	uris *datauri.Reader
}

func (o onlyItem) Read(p []byte) (int, error) {
	n, err := o.item.Read(p)
	if err == io.EOF {
		for err = nil; err == nil; {
			_, err = o.uris.Next()
		}
	}
	return n, err
}

// noFile is a few bytes that neither their label nor they themselves make a file.
const noFile = 64

// item is a data URI as media.
func (s *streamed) item(item io.Reader, label string) (*Media, error) {
	head := make([]byte, 0, engine.PeekSize)
	var err error
	for err == nil && len(head) < cap(head) {
		var n int
		n, err = item.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
	}
	m := &Media{ContentType: contentTypeOf(head, sample.MediaType(label)), Size: -1, from: s}
	switch {
	case err == nil:
		m.src = io.MultiReader(bytes.NewReader(head), item)
	case err != io.EOF:
		return nil, err
	case len(head) == 0:
		return nil, &datauri.FormatError{Problem: "an empty file"}
	case label == "" && len(head) < noFile && isVague(m.ContentType), isErrorText(head):
		return nil, &datauri.FormatError{Problem: "a text in the place of a file"}
	default:
		m.src, m.Size = bytes.NewReader(head), int64(len(head))
	}
	return m, nil
}

const byteOrderMark = "\xef\xbb\xbf"

// isMediaContent reports whether a reply to an endpoint that sends media is some. An error
// can come with status 200 and the label of an image, so the bytes count first: what is
// known to be binary is media, and what may be JSON, a page or any other text is not.
func isMediaContent(head []byte, declared string) bool {
	text := bytes.TrimLeft(head, " \t\r\n")
	if len(text) == 0 || isErrorText(head) {
		return false
	}
	sniffed := sniff(head)
	switch {
	case sniffed == "application/x-gzip":
		return false // no endpoint is documented to compress, and an error may be inside
	case sniffed == "application/pdf":
		return true
	case sniffed == "text/html", sniffed == "text/xml":
		return false
	case !isVague(sniffed) && !isText(head):
		return true
	case strings.IndexByte("{[\"<", text[0]) >= 0:
		return false
	case declared == "application/pdf" && bytes.Contains(head, []byte("\n%PDF-")):
		return true // some have a line before their beginning
	}
	return sniffed != "text/plain" && !isText(head) &&
		!strings.HasPrefix(declared, "text/") && !strings.Contains(declared, "json") && !strings.Contains(declared, "xml")
}

// isErrorText reports whether the first bytes are a reply in words behind the disguises of a
// wide encoding or of control characters: JSON, a page, or a bare code.
func isErrorText(head []byte) bool {
	if !isVague(sniff(head)) && !strings.HasPrefix(sniff(head), "text/") {
		return false
	}
	text := bytes.ReplaceAll(head, []byte{0}, nil)
	text = bytes.TrimFunc(text, func(r rune) bool { return r <= ' ' || r == '\ufeff' })
	return len(text) > 0 && strings.IndexByte("{[\"<", text[0]) >= 0 || len(text) > 4 && isErrorCode(string(text))
}

// isText reports whether the first bytes are text that a person could read.
func isText(head []byte) bool {
	for head = head[:min(len(head), 512)]; len(head) > 0; {
		r, size := utf8.DecodeRune(head)
		switch {
		case r == utf8.RuneError && size == 1:
			return !utf8.FullRune(head) // the last one is cut
		case r < ' ' && !strings.ContainsRune("\t\r\n\f\x1b", r):
			return false
		}
		head = head[size:]
	}
	return true
}

// contentTypeOf prefers what the bytes show to what was declared, which production and the
// documents get wrong.
func contentTypeOf(head []byte, declared string) string {
	for _, t := range [...]string{sniff(head), declared} {
		if !isVague(t) {
			return t
		}
	}
	return "application/octet-stream"
}

// sniff knows what net/http knows, and what telephones and scanners make.
func sniff(head []byte) string {
	switch {
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "application/x-tar"
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return "image/tiff"
	case len(head) >= 12 && head[0] == 0 && string(head[4:8]) == "ftyp":
		switch string(head[8:12]) {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			return "image/heic"
		case "avif", "avis":
			return "image/avif"
		case "qt  ":
			return "video/quicktime"
		}
		return "video/mp4"
	}
	return sample.MediaType(http.DetectContentType(head))
}

func isVague(contentType string) bool {
	switch contentType {
	case "", "text/plain", "application/octet-stream", "binary/octet-stream", sample.Malformed, sample.Unknown:
		return true
	}
	return false
}

// CardFront fetches the image of the front of an identity card with POST
// result/card-front/. (API reference, Card front side image.) Whether a driving licence and
// a residence permit are cards here is not documented; in package identomattest they are.
//
// Errors of this and the other methods: [ValidationError] for an empty token;
// [ErrSessionNotFound], [ErrNotFound], [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *MediaService) CardFront(ctx context.Context, token Token) (*Media, error) {
	return s.client.sessionMedia(ctx, operation.ResultCardFront, token)
}

// CardBack fetches the image of the back of an identity card with POST
// result/card-back/. (API reference, Card back side image.) Errors: as for
// [MediaService.CardFront].
func (s *MediaService) CardBack(ctx context.Context, token Token) (*Media, error) {
	return s.client.sessionMedia(ctx, operation.ResultCardBack, token)
}

// Passport fetches the image of a passport's photo page with POST result/passport/. (API
// reference, Passport photo page image.) Errors: as for [MediaService.CardFront].
func (s *MediaService) Passport(ctx context.Context, token Token) (*Media, error) {
	return s.client.sessionMedia(ctx, operation.ResultPassport, token)
}

// Face fetches the image of the person's face with POST result/face/. (API reference, Face
// image.) Errors: as for [MediaService.CardFront].
func (s *MediaService) Face(ctx context.Context, token Token) (*Media, error) {
	return s.client.sessionMedia(ctx, operation.ResultFace, token)
}

// FaceVideo fetches the video of the liveness check with POST result/face-video/. Its
// format is not documented. (API reference, Face motion video.) Errors: as for
// [MediaService.CardFront].
func (s *MediaService) FaceVideo(ctx context.Context, token Token) (*Media, error) {
	return s.client.sessionMedia(ctx, operation.ResultFaceVideo, token)
}

// FaceDocument fetches the selfie with the document in hand with POST
// result/face-document/. (API reference, Selfie with ID.) Errors: as for
// [MediaService.CardFront].
func (s *MediaService) FaceDocument(ctx context.Context, token Token) (*Media, error) {
	return s.client.sessionMedia(ctx, operation.ResultFaceDocument, token)
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
// PDF, with POST result/general-document/. (API reference, Proof of Address image or PDF.)
// Errors: as for [MediaService.CardFront].
func (s *MediaService) GeneralDocument(ctx context.Context, token Token, document GeneralDocumentMedia) (*Media, error) {
	op := operation.ResultGeneralDocument
	if s.client.validate {
		var p problems
		p.checkToken("session_token", token)
		p.checkText("typeId", string(document))
		if err := p.err(op.Name); err != nil {
			return nil, err
		}
	}
	form, err := s.client.sessionForm(op, token)
	if err != nil {
		return nil, err
	}
	return s.client.formMedia(ctx, op, struct {
		sessionForm
		TypeID string `url:"typeId"`
	}{form, string(document)})
}

// DocumentFacePhoto fetches the photo of the face on the session's main document with POST
// get-session-main-document-face-photo. It is decoded while it arrives. (API reference, Get
// face photo from main document.) Errors: as for [MediaService.CardFront], and
// [ErrFacePhotoNotFound].
func (s *MediaService) DocumentFacePhoto(ctx context.Context, token Token) (*Media, error) {
	body, err := s.client.sessionBody(operation.DocumentFacePhoto, token)
	if err != nil {
		return nil, err
	}
	return s.client.firstItem(ctx, operation.DocumentFacePhoto, body)
}

// VisualMarkers fetches images of the document's visual markers with POST
// get-visual-markers, as tar archives (see [Media.Files]). They are decoded while they
// arrive, one after the other: the next one is reached by going on, which skips what was
// not read, and going no further closes the connection. An error ends the walk; only a
// walk that ends without one has shown the whole reply to be authentic. (API reference, Get
// document visual markers.) Errors: as for [MediaService.CardFront], and
// [ErrWrongParameters].
func (s *MediaService) VisualMarkers(ctx context.Context, token Token) iter.Seq2[*Media, error] {
	return s.client.sessionItems(ctx, operation.VisualMarkers, token)
}

// QuestionFile fetches a file that was uploaded as the answer to a question, by the keys of
// the step and of the question and its place among the files, from 0, with POST
// get-question-file. The file may be an archive, a PDF or an image, whatever its label; see
// [Media.ContentType]. Of several files in a reply, which the documents do not rule out, it is
// the first. (API reference, Get file from the question.) Errors: as for
// [MediaService.CardFront], with [ErrNotFound] if the reply holds no file, and
// [ErrWrongParameters].
func (s *MediaService) QuestionFile(ctx context.Context, token Token, stepKey, questionKey string, index int) (*Media, error) {
	op := operation.QuestionFile
	if s.client.validate {
		var p problems
		p.checkToken("sessionId", token)
		p.checkText("stepKey", stepKey)
		p.checkText("questionKey", questionKey)
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
	return s.client.firstItem(ctx, op, body)
}

// sessionItems calls an endpoint that answers with data URIs of a session.
func (c *Client) sessionItems(ctx context.Context, op *operation.Operation, token Token) iter.Seq2[*Media, error] {
	return func(yield func(*Media, error) bool) {
		body, err := c.sessionBody(op, token)
		if err != nil {
			yield(nil, err)
			return
		}
		c.items(ctx, op, body)(yield)
	}
}

// sessionBody is the body of an endpoint of the newer host that takes a session.
func (c *Client) sessionBody(op *operation.Operation, token Token, more ...member) ([]byte, error) {
	if err := c.require(op, "sessionId", string(token)); err != nil {
		return nil, err
	}
	params := c.params().and("sessionId", jsonString(string(token)))
	for _, param := range more {
		params = params.and(param.name, param.value)
	}
	return params.appendJSON(nil)
}
