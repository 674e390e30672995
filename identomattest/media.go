package identomattest

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	jpegimage "image/jpeg"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
)

// DataURI is the format of the data URI in the response from get-session-main-document-face-photo.
type DataURI int

const (
	// WithoutComma is the format in Identomat's API reference: data:text/plain;base64/9j/4AAQ…
	WithoutComma DataURI = iota
	// WithComma is the format in RFC 2397: data:text/plain;base64,/9j/4AAQ…
	WithComma
	// BareBase64 is the data without a prefix.
	BareBase64
)

// WithDataURI sets the format of the face photo's data URI. The default is [WithoutComma].
func WithDataURI(form DataURI) Option { return func(s *Server) { s.dataURI = form } }

// WithBareQuestionFiles makes get-question-file return the uploaded file itself, a PDF or an image,
// with the media type of a tar archive. Without this option, get-question-file returns real archives.
func WithBareQuestionFiles() Option { return func(s *Server) { s.bareFiles = true } }

// WithDeletedDocuments makes delete/ return the result of the deleted session, as Identomat's System
// manual says. Without this option, delete/ returns true.
func WithDeletedDocuments() Option { return func(s *Server) { s.deletedDocuments = true } }

type customMedia struct {
	contentType string
	data        []byte
}

// SetMedia sets what a media operation, such as "result/face/", returns for a session, even before the
// session is decided. The server keeps data; the caller must not modify it. An unknown token or
// operation is an error, which also fails the test given to [NewServer].
func (s *Server) SetMedia(token identomat.Token, operationName, contentType string, data []byte) error {
	op := operationByName(operationName)
	if op == nil || op.Shape != operation.Binary {
		return s.misuse("SetMedia: no operation %q returns media", operationName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[string(token)]
	if !ok {
		return s.misuse("SetMedia: no session has the token %q", string(token))
	}
	ses.media[op.Name] = customMedia{contentType, data}
	return nil
}

// mediaNotFound is the only refusal with a status other than 200: the real service has been seen to
// respond with 404 for media that does not exist.
func mediaNotFound(format string, args ...any) response {
	resp := refuse(notFound, format, args...)
	resp.status = http.StatusNotFound
	return resp
}

// media returns a handler that sends data() if exists reports that the session has the media.
func media(exists func(*session) bool, contentType string, data func() []byte) func(*Server, *call) response {
	return func(s *Server, c *call) response {
		ses, ok := s.lookup(c)
		if !ok {
			return noSession()
		}
		if custom, ok := ses.media[c.op.Name]; ok {
			return bytesResponse(custom.contentType, custom.data)
		}
		if !ses.decided() || !exists(ses) {
			return mediaNotFound("the session has no such media")
		}
		return bytesResponse(contentType, data())
	}
}

func hasCard(ses *session) bool {
	return ses.has("identity-document") && ses.decision.documentType != "passport"
}

func hasPassport(ses *session) bool {
	return ses.has("identity-document") && ses.decision.documentType == "passport"
}

func hasFace(ses *session) bool         { return ses.has("liveness") }
func hasFaceDocument(ses *session) bool { return ses.has("face-document") }

var generalDocumentIDs = []string{
	"bank-statement", "utility-bill", "vehicle-registration-certificate-front",
	"vehicle-registration-certificate-back", "drivers-license",
}

// generalDocument returns a PDF for a bank statement and an image for other documents.
func (s *Server) generalDocument(c *call) response {
	typeID := c.params.text("typeId")
	if !slices.Contains(generalDocumentIDs, typeID) {
		return refuse(wrongParameters, "unknown typeId %q", typeID)
	}
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if custom, ok := ses.media[c.op.Name]; ok {
		return bytesResponse(custom.contentType, custom.data)
	}
	step, ok := ses.step("general-document")
	wanted := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(typeID, "-front"), "-back"), "-", "_")
	if !ok || !ses.decided() || ses.generalDocumentType(step) != wanted {
		return mediaNotFound("the session has no %s", typeID)
	}
	if typeID == "bank-statement" {
		return bytesResponse("application/pdf", pdf("Bank statement", ses.decision.person.fullName()))
	}
	return bytesResponse("image/jpeg", utilityBill())
}

func (s *Server) facePhoto(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if !ses.decided() || !ses.has("identity-document") {
		return refuse(facePhotoNotFound, "the session has no identity document")
	}
	data := base64.StdEncoding.EncodeToString(facePicture())
	switch s.dataURI {
	case WithComma:
		data = "data:text/plain;base64," + data
	case WithoutComma:
		data = "data:text/plain;base64" + data
	}
	return resultResponse(data)
}

func (s *Server) visualMarkers(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if !ses.decided() || !ses.has("identity-document") {
		return resultResponse([]any{})
	}
	return resultResponse([]any{[]any{archiveURI(archive("marker-%d.png", markers()...))}})
}

// questionFile returns the file at the index, or all files if the request has no index.
func (s *Server) questionFile(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	files, err := ses.questionFiles(c.params.text("stepKey"), c.params.text("questionKey"))
	if err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	if _, ok := c.params.get("fileIndex"); ok {
		i := c.params.integer("fileIndex", -1)
		if i < 0 || i >= len(files) {
			return refuse(wrongParameters, "the question has %d files, so there is no fileIndex %d", len(files), i)
		}
		files = files[i : i+1]
	}
	uris := []any{}
	for i, f := range files {
		data := f.data
		if !s.bareFiles {
			data = archive(fmt.Sprintf("file-%d.%s", i, f.extension), data)
		}
		uris = append(uris, archiveURI(data))
	}
	return resultResponse([]any{uris})
}

type questionFile struct {
	extension string
	data      []byte
}

func (ses *session) questionFiles(stepKey, questionKey string) ([]questionFile, error) {
	step, q, err := ses.question(stepKey, questionKey)
	if err != nil {
		return nil, err
	}
	if q.text("type") != "file" {
		return nil, fmt.Errorf("the question %q is not a file question", questionKey)
	}
	count := 0
	for _, v := range ses.answers(step) {
		if a, _ := v.(object); a.text("key") == questionKey {
			n, _ := a.get("answer")
			count, _ = n.(int)
		}
	}
	if !ses.decided() || count == 0 {
		return nil, fmt.Errorf("no file was uploaded for the question %q", questionKey)
	}
	if uploaded := ses.visit.files[[2]string{stepKey, questionKey}]; len(uploaded) == count {
		return uploaded, nil
	}
	return defaultFiles(q, count), nil
}

// defaultFiles returns files that alternate between the types that the question allows.
func defaultFiles(q object, count int) []questionFile {
	types := q.texts("fileTypes")
	if len(types) == 0 {
		types = []string{"pdf", "image"}
	}
	var out []questionFile
	for i := range count {
		if types[i%len(types)] == "pdf" {
			out = append(out, questionFile{"pdf", pdf("Uploaded file", q.text("key"))})
		} else {
			out = append(out, questionFile{"jpg", utilityBill()})
		}
	}
	return out
}

// exportPDF exports the parts that the request selects. It requires at least one.
func (s *Server) exportPDF(c *call) response {
	lines := []string{}
	for _, part := range []struct{ name, title string }{
		{"exportSession", "Session"}, {"exportScreening", "Screening"}, {"exportProofOfAddress", "Proof of address"},
	} {
		if c.params.flag(part.name) {
			lines = append(lines, part.title)
		}
	}
	if len(lines) == 0 {
		return refuse(wrongParameters, "none of exportSession, exportScreening and exportProofOfAddress is true")
	}
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if custom, ok := ses.media[c.op.Name]; ok {
		return bytesResponse(custom.contentType, custom.data)
	}
	lines = append(lines, "Token: "+ses.token, "Result: "+ses.decision.outcome)
	return bytesResponse("application/pdf", pdf("Identomat session (fake)", lines...))
}

// called reports whether the session had a video call that has ended.
func (ses *session) called() bool {
	return ses.has("video-call") && (ses.decided() || ses.callEnded)
}

// participants returns 2 if the video call allows several participants, else 1.
func (ses *session) participants() int {
	call, _ := ses.step("video-call")
	if call.flag("multiple_participants") || call.flag("multiple_participans") || ses.flags.flag("multiple_participants") {
		return 2
	}
	return 1
}

// videoCallShots returns one list of archives per participant.
func (s *Server) videoCallShots(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	out := []any{}
	if ses.called() {
		for range ses.participants() {
			out = append(out, []any{archiveURI(archive("shot-%d.jpg", facePicture(), cardFrontPicture()))})
		}
	}
	return resultResponse(out)
}

func (s *Server) videoCallVideos(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if custom, ok := ses.media[c.op.Name]; ok {
		return bytesResponse(custom.contentType, custom.data)
	}
	if !ses.called() {
		return refuse(notFound, "the session has no finished video call")
	}
	videos := make([][]byte, ses.participants())
	for i := range videos {
		videos[i] = video()
	}
	return bytesResponse("application/x-tar", archive("video-%d.mp4", videos...))
}

// endVideoCall ends the video call. The API reference documents no error for a session without a
// video call.
func (s *Server) endVideoCall(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if !ses.has("video-call") {
		return refuse(wrongParameters, "the session has no video call")
	}
	ses.callEnded = true
	return jsonResponse(object{})
}

func archiveURI(data []byte) string {
	return "data:application/x-tar;base64," + base64.StdEncoding.EncodeToString(data)
}

// archive returns a tar archive of the files. A %d in the name pattern is replaced by the file's
// number, starting from 1.
func archive(pattern string, files ...[]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, data := range files {
		name := pattern
		if strings.Contains(pattern, "%d") {
			name = fmt.Sprintf(pattern, i+1)
		}
		must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// must panics if err is not nil. It is for operations that cannot fail, such as writes to memory.
func must(err error) {
	if err != nil {
		panic("identomattest: " + err.Error())
	}
}

// The images are drawn on first use.
var (
	cardFrontPicture = sync.OnceValue(func() []byte { return encodeJPEG(drawCard(color.RGBA{0xc8, 0xdd, 0xf0, 0xff}, true)) })
	cardBackPicture  = sync.OnceValue(func() []byte { return encodeJPEG(drawCard(color.RGBA{0xd8, 0xe8, 0xd0, 0xff}, false)) })
	passportPicture  = sync.OnceValue(func() []byte { return encodeJPEG(drawCard(color.RGBA{0xe8, 0xd8, 0xd8, 0xff}, true)) })
	facePicture      = sync.OnceValue(func() []byte { return encodeJPEG(drawFace(480, 600)) })
	selfieWithID     = sync.OnceValue(func() []byte { return encodeJPEG(drawFace(640, 480)) })
	utilityBill      = sync.OnceValue(func() []byte { return encodeJPEG(drawCard(color.RGBA{0xff, 0xff, 0xf4, 0xff}, false)) })
	video            = sync.OnceValue(encodeMP4)
	markers          = sync.OnceValue(func() [][]byte {
		return [][]byte{
			encodePNG(drawCard(color.RGBA{0xff, 0xe0, 0x90, 0xff}, false)),
			encodePNG(drawCard(color.RGBA{0x90, 0xe0, 0xff, 0xff}, false)),
		}
	})
)

// FaceJPEG returns an image of a face, width by height pixels, to send to the document readers and to
// compare-faces. The fake's compare-faces reports FACE_FAR_AWAY if the width or the height is less
// than 80, and returns no similarity if it is less than 65.
func FaceJPEG(width, height int) []byte { return encodeJPEG(drawFace(width, height)) }

func fillRect(m *image.RGBA, r image.Rectangle, c color.Color) {
	draw.Draw(m, r, image.NewUniform(c), image.Point{}, draw.Src)
}

func drawCard(background color.Color, photo bool) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 640, 404))
	fillRect(m, m.Bounds(), background)
	left := 40
	if photo {
		left = 240
		draw.Draw(m, image.Rect(30, 80, 210, 320), drawFace(180, 240), image.Point{}, draw.Src)
	}
	for i := range 6 {
		fillRect(m, image.Rect(left, 80+i*40, 600-i%3*80, 92+i*40), color.RGBA{0x40, 0x48, 0x58, 0xff})
	}
	return m
}

func drawFace(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	fillRect(m, m.Bounds(), color.RGBA{0xdf, 0xe6, 0xee, 0xff})
	ellipse := func(cx, cy, rx, ry float64, c color.Color) {
		for y := range height {
			for x := range width {
				dx, dy := (float64(x)/float64(width)-cx)/rx, (float64(y)/float64(height)-cy)/ry
				if dx*dx+dy*dy <= 1 {
					m.Set(x, y, c)
				}
			}
		}
	}
	ellipse(0.5, 0.5, 0.3, 0.36, color.RGBA{0xe4, 0xb8, 0x98, 0xff})
	ellipse(0.38, 0.43, 0.04, 0.03, color.RGBA{0x30, 0x30, 0x30, 0xff})
	ellipse(0.62, 0.43, 0.04, 0.03, color.RGBA{0x30, 0x30, 0x30, 0xff})
	ellipse(0.5, 0.66, 0.1, 0.03, color.RGBA{0xa0, 0x50, 0x50, 0xff})
	return m
}

func encodeJPEG(m image.Image) []byte {
	var b bytes.Buffer
	must(jpegimage.Encode(&b, m, &jpegimage.Options{Quality: 80}))
	return b.Bytes()
}

func encodePNG(m image.Image) []byte {
	var b bytes.Buffer
	must(png.Encode(&b, m))
	return b.Bytes()
}

// encodeMP4 returns an MP4 file with a movie header and no tracks, enough for code that detects file
// types.
func encodeMP4() []byte {
	box := func(name string, content []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+len(content)))
		return append(append(b, name...), content...)
	}
	header := make([]byte, 100)                         // mvhd, version 0
	binary.BigEndian.PutUint32(header[12:], 1000)       // units per second
	binary.BigEndian.PutUint32(header[16:], 2000)       // two seconds
	binary.BigEndian.PutUint32(header[20:], 0x00010000) // rate 1
	binary.BigEndian.PutUint16(header[24:], 0x0100)     // volume 1
	for i, offset := range []int{36, 52, 68} {          // the unity matrix
		binary.BigEndian.PutUint32(header[offset:], []uint32{0x00010000, 0x00010000, 0x40000000}[i])
	}
	binary.BigEndian.PutUint32(header[96:], 1) // next track ID
	out := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2mp41"))
	out = append(out, box("moov", box("mvhd", header))...)
	return append(out, box("mdat", bytes.Repeat([]byte("fake video "), 800))...)
}

// pdf returns a one-page document with a title and lines of text. Characters outside ASCII become
// question marks.
func pdf(title string, lines ...string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`)
	var content strings.Builder
	fmt.Fprintf(&content, "BT /F1 18 Tf 72 770 Td (%s) Tj /F1 11 Tf", escape.Replace(ascii(title)))
	for _, line := range lines {
		fmt.Fprintf(&content, " 0 -24 Td (%s) Tj", escape.Replace(ascii(line)))
	}
	content.WriteString(" ET")

	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	var offsets []int
	for i, body := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", content.Len(), content.String()),
	} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, body)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
	return b.Bytes()
}

func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
