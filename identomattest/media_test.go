package identomattest

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
)

const errNotFound = `{"argumentError":"not-found"}`

func TestMedia(t *testing.T) {
	srv := NewServer(t)
	card := beginWith(t, srv, `{"type":"identity-document"},{"type":"liveness"},{"type":"face-document"},
		{"type":"general-document","flags":{"general_document_types":["bank_statement"]}}`)
	passport := beginWith(t, srv, `{"type":"identity-document","flags":{"document_types":["passport"]}},
		{"type":"general-document","flags":{"general_document_types":["vehicle_registration_certificate"]}}`)
	plain := beginWith(t, srv, `{"type":"general-document"}`)

	calls := []struct {
		name, token, typeID string
		contentType         string
	}{
		{"result/card-front/", card, "", "image/jpeg"},
		{"result/card-back/", card, "", "image/jpeg"},
		{"result/passport/", passport, "", "image/jpeg"},
		{"result/face/", card, "", "image/jpeg"},
		{"result/face-video/", card, "", "video/mp4"},
		{"result/face-document/", card, "", "image/jpeg"},
		{"result/general-document/", card, "bank-statement", "application/pdf"},
		{"result/general-document/", passport, "vehicle-registration-certificate-front", "image/jpeg"},
		{"result/general-document/", passport, "vehicle-registration-certificate-back", "image/jpeg"},
		{"result/general-document/", plain, "utility-bill", "image/jpeg"},

		{"result/card-front/", passport, "", ""},
		{"result/card-back/", passport, "", ""},
		{"result/passport/", card, "", ""},
		{"result/face/", plain, "", ""},
		{"result/face-video/", plain, "", ""},
		{"result/face-document/", plain, "", ""},
		{"result/general-document/", card, "drivers-license", ""},
	}
	params := func(token, typeID string) []string {
		if typeID == "" {
			return []string{"session_token", token}
		}
		return []string{"session_token", token, "typeId", typeID}
	}
	for _, c := range calls {
		resp := widget(t, srv, c.name, params(c.token, c.typeID)...)
		assert.Equal(t, 404, resp.status, "%s: the session is not decided", c.name)
		assert.Equal(t, errNotFound, resp.body, c.name)
	}
	for _, token := range []string{card, passport, plain} {
		require.NoError(t, srv.Approve(identomat.Token(token)))
	}
	for _, c := range calls {
		resp := widget(t, srv, c.name, params(c.token, c.typeID)...)
		if c.contentType == "" {
			assert.Equal(t, 404, resp.status, "%s: the session has no such media", c.name)
			assert.Equal(t, errNotFound, resp.body, c.name)
			continue
		}
		assert.Equal(t, 200, resp.status, c.name)
		assert.Equal(t, c.contentType, resp.header.Get("Content-Type"), c.name)
		switch c.contentType {
		case "image/jpeg":
			_, format, err := image.Decode(strings.NewReader(resp.body))
			require.NoError(t, err, c.name)
			assert.Equal(t, "jpeg", format)
		case "video/mp4":
			assert.Equal(t, "ftypisom", resp.body[4:12])
			requireBoxes(t, resp.body)
		case "application/pdf":
			requirePDF(t, resp.body)
		}
		assert.Equal(t, errNoSession, widget(t, srv, c.name, params("unknown", c.typeID)...).body, c.name)
	}
	assert.Equal(t, errWrong, widget(t, srv, "result/general-document/", "session_token", card).body)
	assert.Equal(t, errWrong, widget(t, srv, "result/general-document/", "session_token", card, "typeId", "bank_statement").body)
}

// requireBoxes checks that an MP4 file consists of the expected boxes.
func requireBoxes(t *testing.T, data string) {
	t.Helper()
	var names []string
	for rest := data; rest != ""; {
		require.GreaterOrEqual(t, len(rest), 8)
		size := int(rest[0])<<24 | int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
		require.LessOrEqual(t, size, len(rest))
		names = append(names, rest[4:8])
		rest = rest[size:]
	}
	assert.Equal(t, []string{"ftyp", "moov", "mdat"}, names)
}

// requirePDF checks that a PDF's cross-reference table points to every object.
func requirePDF(t *testing.T, data string) {
	t.Helper()
	require.True(t, strings.HasPrefix(data, "%PDF-1.4\n"))
	require.True(t, strings.HasSuffix(data, "%%EOF\n"))
	var start int
	_, err := fmt.Sscanf(data[strings.LastIndex(data, "startxref"):], "startxref\n%d", &start)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(data[start:], "xref\n0 6\n"))
	entries := regexp.MustCompile(`(\d{10}) 00000 n \n`).FindAllStringSubmatch(data[start:], -1)
	require.Len(t, entries, 5)
	for i, entry := range entries {
		var offset int
		_, err := fmt.Sscanf(entry[1], "%d", &offset)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(data[offset:], fmt.Sprintf("%d 0 obj\n", i+1)))
	}
	stream := regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*)\nendstream`).FindStringSubmatch(data)
	require.NotNil(t, stream)
	assert.Equal(t, stream[1], fmt.Sprint(len(stream[2])))
}

func TestExportAsPDF(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	for _, part := range []string{"exportSession", "exportScreening", "exportProofOfAddress"} {
		resp := api(t, srv, "export-session-as-pdf", `"sessionId":"`+token+`","`+part+`":true`)
		assert.Equal(t, "application/pdf", resp.header.Get("Content-Type"))
		requirePDF(t, resp.body)
		assert.Contains(t, resp.body, token)
	}
	assert.Equal(t, errWrong, api(t, srv, "export-session-as-pdf", `"sessionId":"`+token+`"`).body, "no part is selected")
	assert.Equal(t, errWrong, api(t, srv, "export-session-as-pdf", `"sessionId":"`+token+`","exportSession":false`).body)
	assert.Equal(t, errWrong, api(t, srv, "export-session-as-pdf", `"sessionId":"`+token+`","exportSession":"true"`).body)
	assert.Equal(t, errNoSession, api(t, srv, "export-session-as-pdf", `"sessionId":"unknown","exportSession":true`).body)
}

func TestPDFTextIsEscaped(t *testing.T) {
	data := string(pdf(`a (b) \c`, "ünï"))
	requirePDF(t, data)
	assert.Contains(t, data, `(a \(b\) \\c)`)
	assert.Contains(t, data, `(?n?)`)
}

func TestFacePhotoDataURIs(t *testing.T) {
	for prefix, opts := range map[string][]Option{
		`data:text\/plain;base64`:  nil,
		`data:text\/plain;base64,`: {WithDataURI(WithComma)},
		``:                         {WithDataURI(BareBase64)},
	} {
		srv := NewServer(t, opts...)
		token := begin(t, srv, "")
		call := func(token string) string {
			return api(t, srv, "get-session-main-document-face-photo", `"sessionId":"`+token+`"`).body
		}
		assert.Equal(t, `{"argumentError":"face-photo-not-found"}`, call(token))
		assert.Equal(t, errNoSession, call("unknown"))
		require.NoError(t, srv.Approve(identomat.Token(token)))
		body := call(token)
		assert.True(t, strings.HasPrefix(body, `{"result":"`+prefix+`\/9j\/`), body[:50])
		data := strings.NewReplacer(`{"result":"`+prefix, "", `"}`, "", `\/`, "/").Replace(body)
		decoded, err := base64.StdEncoding.DecodeString(data)
		require.NoError(t, err)
		_, _, err = image.Decode(bytes.NewReader(decoded))
		require.NoError(t, err)
	}
}

// archives decodes the archives in each list of a response such as
// {"result":[["data:application/x-tar;base64,…"]]}.
func archives(t *testing.T, body string) [][][]byte {
	t.Helper()
	var resp struct{ Result [][]string }
	require.NoError(t, json.Unmarshal([]byte(body), &resp), body)
	var out [][][]byte
	for _, list := range resp.Result {
		var archives [][]byte
		for _, uri := range list {
			data, ok := strings.CutPrefix(uri, "data:application/x-tar;base64,")
			require.True(t, ok)
			decoded, err := base64.StdEncoding.DecodeString(data)
			require.NoError(t, err)
			archives = append(archives, decoded)
		}
		out = append(out, archives)
	}
	return out
}

// names returns the names of the files in an archive. It checks that images can be decoded.
func names(t *testing.T, data []byte) (out []string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NotEmpty(t, content)
		if !strings.HasSuffix(h.Name, ".pdf") && !strings.HasSuffix(h.Name, ".mp4") {
			_, _, err = image.Decode(bytes.NewReader(content))
			require.NoError(t, err, h.Name)
		}
		out = append(out, h.Name)
	}
}

func TestVisualMarkers(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	call := func(token string) string { return api(t, srv, "get-visual-markers", `"sessionId":"`+token+`"`).body }
	assert.Equal(t, `{"result":[]}`, call(token))
	assert.Equal(t, errNoSession, call("unknown"))
	assert.Equal(t, errWrong, api(t, srv, "get-visual-markers", "").body)
	require.NoError(t, srv.Approve(identomat.Token(token)))
	body := call(token)
	assert.True(t, strings.HasPrefix(body, `{"result":[["data:application\/x-tar;base64,`), body[:60])
	assert.Equal(t, []string{"marker-1.png", "marker-2.png"}, names(t, archives(t, body)[0][0]))
}

func TestQuestionFiles(t *testing.T) {
	const steps = `{"type":"user-questionnaire","key":"papers","questions":[
		{"type":"file","key":"contract"},{"type":"file","key":"photo","fileTypes":["image"],"filesMaxCount":1},{"type":"string","key":"name"}]},
		{"type":"email"}`
	call := func(srv *Server, token, step, question, index string) string {
		return api(t, srv, "get-question-file",
			`"sessionId":"`+token+`","stepKey":"`+step+`","questionKey":"`+question+`"`+index).body
	}
	srv := NewServer(t)
	token := beginWith(t, srv, steps)
	assert.Equal(t, errWrong, call(srv, token, "papers", "contract", ""), "no file has been uploaded")
	require.NoError(t, srv.Approve(identomat.Token(token)))

	all := archives(t, call(srv, token, "papers", "contract", ""))
	require.Len(t, all, 1)
	require.Len(t, all[0], 2)
	assert.Equal(t, []string{"file-0.pdf"}, names(t, all[0][0]))
	assert.Equal(t, []string{"file-1.jpg"}, names(t, all[0][1]))
	second := archives(t, call(srv, token, "papers", "contract", `,"fileIndex":1`))
	require.Len(t, second[0], 1)
	assert.Equal(t, []string{"file-0.jpg"}, names(t, second[0][0]))
	assert.Equal(t, []string{"file-0.jpg"}, names(t, archives(t, call(srv, token, "papers", "photo", ""))[0][0]))

	for _, refused := range []string{
		call(srv, token, "papers", "contract", `,"fileIndex":2`),
		call(srv, token, "papers", "contract", `,"fileIndex":-1`),
		call(srv, token, "papers", "contract", `,"fileIndex":1.5`),
		call(srv, token, "papers", "contract", `,"fileIndex":"1"`),
		call(srv, token, "papers", "name", ""),
		call(srv, token, "papers", "unknown", ""),
		call(srv, token, "require_email", "contract", ""),
		api(t, srv, "get-question-file", `"sessionId":"`+token+`","stepKey":"papers"`).body,
	} {
		assert.Equal(t, errWrong, refused)
	}
	assert.Equal(t, errNoSession, call(srv, "unknown", "papers", "contract", ""))

	bare := NewServer(t, WithBareQuestionFiles())
	token = beginWith(t, bare, steps)
	require.NoError(t, bare.Approve(identomat.Token(token)))
	files := archives(t, call(bare, token, "papers", "contract", ""))
	requirePDF(t, string(files[0][0]))
	_, _, err := image.Decode(bytes.NewReader(files[0][1]))
	require.NoError(t, err)
}

func TestVideoCalls(t *testing.T) {
	srv := NewServer(t)
	call := func(name, token string) httpResponse { return api(t, srv, name, `"sessionId":"`+token+`"`) }
	without := begin(t, srv, "")
	require.NoError(t, srv.Approve(identomat.Token(without)))
	assert.Equal(t, `{"result":[]}`, call("get-video-call-shots", without).body)
	assert.Equal(t, errNotFound, call("get-video-call-videos", without).body)
	assert.Equal(t, 200, call("get-video-call-videos", without).status)
	assert.Equal(t, errWrong, call("end-video-call", without).body)
	for _, name := range []string{"get-video-call-shots", "get-video-call-videos", "end-video-call"} {
		assert.Equal(t, errNoSession, call(name, "unknown").body)
	}

	one := beginWith(t, srv, `{"type":"video-call","steps":[{"type":"identity-document"}]}`)
	assert.Equal(t, `{"result":[]}`, call("get-video-call-shots", one).body)
	assert.Equal(t, errNotFound, call("get-video-call-videos", one).body, "the call has not ended")
	assert.Equal(t, `{}`, call("end-video-call", one).body)
	assert.Equal(t, `{}`, call("end-video-call", one).body)
	shots := archives(t, call("get-video-call-shots", one).body)
	require.Len(t, shots, 1)
	assert.Equal(t, []string{"shot-1.jpg", "shot-2.jpg"}, names(t, shots[0][0]))
	videos := call("get-video-call-videos", one)
	assert.Equal(t, "application/x-tar", videos.header.Get("Content-Type"))
	assert.Equal(t, []string{"video-1.mp4"}, names(t, []byte(videos.body)))

	several := beginWith(t, srv, `{"type":"video-call","multiple_participants":true}`)
	require.NoError(t, srv.Approve(identomat.Token(several)))
	assert.Len(t, archives(t, call("get-video-call-shots", several).body), 2)
	assert.Equal(t, []string{"video-1.mp4", "video-2.mp4"}, names(t, []byte(call("get-video-call-videos", several).body)))
	body := widget(t, srv, "result/", "session_token", one).body
	assert.Contains(t, body, `"result":"in_progress"`)
}

func TestSetMediaReplacesMedia(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	for _, op := range operation.All() {
		if op.Shape != operation.Binary {
			continue
		}
		require.NoError(t, srv.SetMedia(identomat.Token(token), op.Name, "image/webp", []byte("custom "+op.Name)))
		var resp httpResponse
		switch op {
		case operation.ResultGeneralDocument:
			resp = widget(t, srv, op.Name, "session_token", token, "typeId", "bank-statement")
		case operation.ExportSessionPDF:
			resp = api(t, srv, op.Name, `"sessionId":"`+token+`","exportSession":true`)
		case operation.VideoCallVideos:
			resp = api(t, srv, op.Name, `"sessionId":"`+token+`"`)
		default:
			resp = widget(t, srv, op.Name, "session_token", token)
		}
		assert.Equal(t, "custom "+op.Name, resp.body)
		assert.Equal(t, "image/webp", resp.header.Get("Content-Type"))
	}
}
