package identomat_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

type mediaCall struct {
	name string
	call func(context.Context, *identomat.Client) (*identomat.Media, error)
}

// binaries lists the calls whose response body is the media itself.
var binaries = []mediaCall{
	{"card-front", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.CardFront(ctx, token)
	}},
	{"card-back", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.CardBack(ctx, token)
	}},
	{"passport", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.Passport(ctx, token)
	}},
	{"face", face},
	{"face-video", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.FaceVideo(ctx, token)
	}},
	{"face-document", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.FaceDocument(ctx, token)
	}},
	{"general-document", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.GeneralDocument(ctx, token, identomat.UtilityBillMedia)
	}},
	{"pdf", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Sessions.ExportPDF(ctx, token, identomat.PDFParts{Session: true})
	}},
	{"videos", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.VideoCalls.Videos(ctx, token)
	}},
}

// inJSON lists the calls whose response body is JSON with data URIs.
var inJSON = []mediaCall{
	{"face photo", facePhoto},
	{"question file", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return c.Media.QuestionFile(ctx, token, "step", "question", 0)
	}},
	{"visual markers", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return first(c.Media.VisualMarkers(ctx, token))
	}},
	{"shots", func(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
		return first(c.VideoCalls.Shots(ctx, token))
	}},
}

func TestMediaRequests(t *testing.T) {
	form := func(more string) string {
		return "company_key=" + companyKey + "&session_token=" + string(token) + more
	}
	object := func(more string) string {
		return `{"companyKey":"` + companyKey + `","sessionId":"` + string(token) + `"` + more + `}`
	}
	const widget, api = "https://widget.identomat.com/external-api/", "https://external-api.identomat.com/"
	want := map[string][2]string{
		"card-front": {widget + "result/card-front/", form("")}, "card-back": {widget + "result/card-back/", form("")},
		"passport": {widget + "result/passport/", form("")}, "face": {widget + "result/face/", form("")},
		"face-video": {widget + "result/face-video/", form("")}, "face-document": {widget + "result/face-document/", form("")},
		"general-document": {widget + "result/general-document/", form("&typeId=utility-bill")},
		"pdf":              {api + "export-session-as-pdf", object(`,"exportSession":true,"exportScreening":false,"exportProofOfAddress":false`)},
		"videos":           {api + "get-video-call-videos", object("")}, "shots": {api + "get-video-call-shots", object("")},
		"face photo":     {api + "get-session-main-document-face-photo", object("")},
		"visual markers": {api + "get-visual-markers", object("")},
		"question file":  {api + "get-question-file", object(`,"stepKey":"step","questionKey":"question","fileIndex":0`)},
	}
	for i, c := range append(binaries, inJSON...) {
		client := stubbed(t, func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			assert.Equal(t, http.MethodPost, r.Method)
			assert.Equal(t, want[c.name], [2]string{r.URL.String(), string(body)}, c.name)
			if i < len(binaries) && c.name != "pdf" && c.name != "videos" {
				assert.Equal(t, "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
				return newResponse(200, picture(100)), nil
			}
			assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
			if i < len(binaries) {
				return newResponse(200, picture(100)), nil
			}
			return newResponse(200, dataURIs(picture(100))), nil
		})
		media, err := c.call(t.Context(), client)
		require.NoError(t, err, c.name)
		assert.Equal(t, "image/jpeg", media.ContentType)
		require.NoError(t, media.Close())
	}
}

func TestGeneralDocumentTypeID(t *testing.T) {
	var body string
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		data, err := io.ReadAll(r.Body)
		body = string(data)
		return newResponse(200, pdf), err
	})
	for document, want := range map[identomat.GeneralDocumentMedia]string{
		identomat.BankStatementMedia: "bank-statement", identomat.UtilityBillMedia: "utility-bill", identomat.DriversLicenseMedia: "drivers-license",
		identomat.VehicleRegistrationCertificateFrontMedia: "vehicle-registration-certificate-front",
		identomat.VehicleRegistrationCertificateBackMedia:  "vehicle-registration-certificate-back", "rental-contract": "rental-contract",
	} {
		media, err := client.Media.GeneralDocument(t.Context(), token, document)
		require.NoError(t, err)
		require.NoError(t, media.Close())
		assert.Contains(t, body, "&typeId="+want)
	}
}

func TestMediaValidation(t *testing.T) {
	never := func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF }
	client := stubbed(t, never)
	last := func(items iter.Seq2[*identomat.Media, error]) (err error) {
		for _, err = range items { // keep the last error
		}
		return err
	}
	_, noType := client.Media.GeneralDocument(t.Context(), token, "")
	_, noPart := client.Sessions.ExportPDF(t.Context(), token, identomat.PDFParts{})
	_, noToken := client.Media.Face(t.Context(), "")
	_, noPhoto := client.Media.DocumentFacePhoto(t.Context(), "")
	_, noKeys := client.Media.QuestionFile(t.Context(), token, "", "", -1)
	_, noPDF := client.Sessions.ExportPDF(t.Context(), "", identomat.PDFParts{ProofOfAddress: true})
	_, noVideos := client.VideoCalls.Videos(t.Context(), "")
	for want, err := range map[string]error{
		"result/general-document/ typeId": noType, "export-session-as-pdf exportSession": noPart, "result/face/ session_token": noToken,
		"get-session-main-document-face-photo sessionId": noPhoto, "get-question-file stepKey questionKey fileIndex": noKeys,
		"export-session-as-pdf sessionId": noPDF, "get-video-call-videos sessionId": noVideos,
		"get-video-call-shots sessionId": last(client.VideoCalls.Shots(t.Context(), "")),
		"get-visual-markers sessionId":   last(client.Media.VisualMarkers(t.Context(), "")),
	} {
		var invalid *identomat.ValidationError
		require.ErrorAs(t, err, &invalid, want)
		got := invalid.Operation
		for _, p := range invalid.Problems {
			got += " " + p.Path
		}
		assert.Equal(t, want, got)
	}
	sent := 0
	client = stubbed(t, func(*http.Request) (*http.Response, error) { sent++; return newResponse(200, pdf), nil }, identomat.WithoutValidation())
	media, err := client.Sessions.ExportPDF(t.Context(), token, identomat.PDFParts{})
	require.NoError(t, err)
	require.NoError(t, media.Close())
	assert.Equal(t, 1, sent)
}

// refusals maps response bodies that are not media to their errors. nil stands for an APIError with a
// code that the SDK does not know.
func refusals() map[string]error {
	utf16 := "\xff\xfe"
	for _, c := range []byte(`{"argumentError":"session-not-found"}`) {
		utf16 += string([]byte{c, 0})
	}
	all := map[string]error{
		`{"argumentError":"session-not-found"}`:                                 identomat.ErrSessionNotFound,
		"\xef\xbb\xbf" + `{"argumentError":"session-not-found"}`:                identomat.ErrSessionNotFound,
		" \r\n\t" + `{"argumentError":"session-not-found"}` + "\n":              identomat.ErrSessionNotFound,
		"\xef\xbb\xbf\r\n" + `"SESSION_NOT_FOUND"`:                              identomat.ErrSessionNotFound,
		`"SESSION_NOT_FOUND"`:                                                   identomat.ErrSessionNotFound,
		`"SESSION_INVALID"`:                                                     identomat.ErrSessionInvalid,
		`"session-not-found"`:                                                   identomat.ErrSessionNotFound,
		`{"result":"SESSION_NOT_FOUND"}`:                                        identomat.ErrSessionNotFound,
		`{"argumentError":"face-photo-not-found"}`:                              identomat.ErrFacePhotoNotFound,
		`{"argumentError":"not-found"}`:                                         identomat.ErrNotFound,
		`{"argumentError":"company-missing","errorSourceGroup":"server"}`:       identomat.ErrInvalidKey,
		`{"argumentError":"wrong-parameters"}`:                                  identomat.ErrWrongParameters,
		`{"internalError":"Illegal arguments"}`:                                 identomat.ErrInternal,
		`{"argumentError":"something-new"}`:                                     nil,
		`"SOMETHING_NEW"`:                                                       nil,
		strings.Repeat(" ", 3000) + `{"argumentError":"not-found"}`:             identomat.ErrNotFound,
		strings.Repeat(" ", 10_000) + `{"argumentError":"not-found"}`:           identomat.ErrNotFound,
		`{"argumentError":"not-found","x":"` + strings.Repeat("x", 9000) + `"}`: identomat.ErrNotFound,
		utf16:                               identomat.ErrUnexpectedResponse,
		`<html><body>Sign in</body></html>`: identomat.ErrUnexpectedResponse,
		"\n<!DOCTYPE html>" + strings.Repeat("<p>", 5000): identomat.ErrUnexpectedResponse,
		`<?xml version="1.0"?><Error/>`:                   identomat.ErrUnexpectedResponse,
		"\xef\xbb\xbf<html>":                              identomat.ErrUnexpectedResponse,
	}
	for _, body := range []string{
		"", " ", "\r\n", "\xef\xbb\xbf", "{}", "[]", "null", "true", "false", "0", "not found", "SESSION_NOT_FOUND", "Too many requests", "BMI not known",
		"GIF89a is no picture", "ID3", "[" + strings.Repeat(`{"a":1},`, 2000) + "{}]", "{" + jpeg, `{"a":"%PDF-1.4"}`, "%!PS-Adobe- no, a text", "Помилка", "შეცდომა",
		strings.Repeat("შეცდომა ", 1000), `")]}'`, "[1]", `{"person":{"first_name":"John"}}`,
	} {
		all[body] = identomat.ErrUnexpectedResponse
	}
	return all
}

func TestNonMediaIsErrorWithAnyContentType(t *testing.T) {
	dir := t.TempDir()
	for body, want := range refusals() {
		for _, label := range []string{"", "image/jpeg", "application/octet-stream", "application/pdf", "video/mp4", "application/x-tar", "application/json", "text/html; charset=utf-8", "text/plain", "nonsense"} {
			for _, chunked := range []bool{false, true} {
				client := responding(t, 200, body, chunked, "Content-Type", label)
				for _, c := range append(binaries[3:4:4], binaries[7:]...) {
					media, err := c.call(t.Context(), client)
					var api *identomat.APIError
					if !assert.ErrorAs(t, err, &api, "%s: %.60q as %q", c.name, body, label) {
						_, _ = media.SaveFile(filepath.Join(dir, "x"))
						continue
					}
					assert.Nil(t, media)
					if want != nil {
						assert.ErrorIs(t, err, want, "%s: %.60q as %q", c.name, body, label)
					} else {
						assert.NotEmpty(t, api.Code)
					}
				}
			}
		}
	}
	assert.Empty(t, filesIn(t, dir))
}

func TestNonDataURIIsErrorWithAnyContentType(t *testing.T) {
	bodies := refusals()
	for _, body := range []string{
		picture(50), picture(9000), pdf, `{"result":null}`, `{"result":{}}`, `{"result":1}`, `{"result":[1]}`, `{"result":""}`, `{"result":[[""]]}`, `{"result":"data:image/png;base64,"}`,
		`{"result":"FAILED"}`, `{"result":"data:image/png,hello"}`, `{"result":"Y==="}`, `{"result":["YWJj` + "\n" + `YWJj"]}`, `{"result":"` + encoded("not found") + `"}`,
	} {
		bodies[body] = identomat.ErrUnexpectedResponse
	}
	for body, want := range bodies {
		for _, label := range []string{"", "image/jpeg", "application/json", "text/html"} {
			for _, chunked := range []bool{false, true} {
				client := responding(t, 200, body, chunked, "Content-Type", label)
				for _, c := range inJSON {
					media, err := c.call(t.Context(), client)
					var api *identomat.APIError
					if !assert.ErrorAs(t, err, &api, "%s: %.60q as %q", c.name, body, label) {
						continue
					}
					assert.Nil(t, media)
					if want != nil {
						assert.ErrorIs(t, err, want, "%s: %.60q as %q", c.name, body, label)
					} else {
						assert.NotEmpty(t, api.Code)
					}
				}
			}
		}
	}
}

func TestCompressedOrPartialMediaIsRefused(t *testing.T) {
	for name, client := range map[string]*identomat.Client{
		"gzip":            responding(t, 200, "\x1f\x8b\x08"+picture(100), false, "Content-Encoding", "gzip"),
		"brotli":          responding(t, 200, picture(100), false, "Content-Encoding", "br"),
		"partial content": responding(t, 206, picture(100), false, "Content-Range", "bytes 0-99/1000"),
		"no content":      responding(t, 204, "", false),
	} {
		for _, c := range []mediaCall{binaries[3], inJSON[0]} {
			_, err := c.call(t.Context(), client)
			require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, name)
		}
	}
	for _, coding := range []string{"Identity", "none", "UTF-8", ""} {
		media, err := face(t.Context(), responding(t, 200, picture(100), false, "Content-Encoding", coding))
		require.NoError(t, err, coding)
		require.NoError(t, media.Close())
	}
	var apiErr *identomat.APIError
	for coding, want := range map[string]string{"br": "Content-Encoding: br", "utf-8, GZIP": "Content-Encoding: gzip"} {
		_, err := face(t.Context(), responding(t, 200, picture(100), false, "Content-Encoding", coding))
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, want, apiErr.Sample)
		_, err = responding(t, 200, "\x0b\x02\x80", false, "Content-Encoding", coding).Sessions.Result(t.Context(), token)
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, want, apiErr.Sample)
	}
}

func TestMissingMedia(t *testing.T) {
	for _, body := range []string{"", "<html>404</html>", "Not Found", `{"argumentError":"not-found"}`, picture(5000), strings.Repeat("x", 100_000)} {
		for _, c := range append(binaries, inJSON...) {
			_, err := c.call(t.Context(), responding(t, 404, body, false))
			require.ErrorIs(t, err, identomat.ErrNotFound, c.name)
			assert.NotErrorIs(t, err, identomat.ErrSessionNotFound)
		}
	}
	_, err := face(t.Context(), responding(t, 404, `{"argumentError":"session-not-found"}`, false))
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	for _, empty := range []string{`{"result":[]}`, `{"result":[[]]}`, `{"result":[[],[]],"x":1}`} {
		for _, c := range inJSON[:2] {
			_, err := c.call(t.Context(), responding(t, 200, empty, false))
			require.ErrorIs(t, err, identomat.ErrNotFound, c.name)
		}
		for _, c := range inJSON[2:] {
			media, err := c.call(t.Context(), responding(t, 200, empty, false))
			require.NoError(t, err)
			assert.Nil(t, media, "the list must be empty")
		}
	}
}

func TestContentTypeFromBytes(t *testing.T) {
	video := "\x00\x00\x00\x18ftyp"
	for _, c := range []struct{ data, label, want string }{
		{picture(100), "", "image/jpeg"}, {picture(100), "image/png", "image/jpeg"}, {picture(100), "application/json", "image/jpeg"},
		{picture(100), "text/plain; charset=utf-8", "image/jpeg"}, {png, "application/x-tar", "image/png"}, {pdf, "image/jpeg", "application/pdf"},
		{archived(t, "a", "b"), "image/jpeg", "application/x-tar"}, {archived(t, "[a", "b"), "text/plain", "application/x-tar"},
		{video + "heic\x00\x00\x00\x00mif1heic", "application/x-tar", "image/heic"}, {video + "avif\x00\x00\x00\x00", "", "image/avif"},
		{video + "qt  \x00\x00\x00\x00", "", "video/quicktime"}, {video + "isom\x00\x00\x02\x00", "", "video/mp4"},
		{"\x1aE\xdf\xa3\x00\x00", "", "video/webm"}, {"II*\x00\x08\x00", "", "image/tiff"}, {"MM\x00*\x00\x00", "image/jpeg", "image/tiff"},
		{"\x00\x01\x02\x03", "video/x-new", "video/x-new"}, {"\x00\x01\x02\x03", "", "application/octet-stream"},
		{"\x00\x01\x02\x03", "Application/X-Tar; x=y", "application/x-tar"}, {"\x00\x01\x02\x03", "chemical/x-pdb", "application/octet-stream"},
		{"\x00\x01\x02\x03", "a customer's name", "application/octet-stream"}, {"\x00\x01OTTO", "", "application/octet-stream"},
		{"junk before\n" + pdf, "application/pdf", "application/pdf"}, {"\r\n" + pdf, "application/pdf", "application/pdf"},
	} {
		media, err := face(t.Context(), responding(t, 200, c.data, false, "Content-Type", c.label))
		require.NoError(t, err, "%.20q as %q", c.data, c.label)
		assert.Equal(t, c.want, media.ContentType, "%.20q as %q", c.data, c.label)
		assert.Equal(t, int64(len(c.data)), media.Size)
		data, err := media.Bytes()
		require.NoError(t, err)
		assert.Equal(t, c.data, string(data))

		label, _, _ := strings.Cut(c.label, ";")
		if c.label == "" && len(c.data) < 64 && c.want == "application/octet-stream" {
			continue // too short to be recognized as a file
		}
		media, err = facePhoto(t.Context(), responding(t, 200, `{"result":"data:`+label+`;base64,`+encoded(c.data)+`"}`, false))
		require.NoError(t, err)
		assert.Equal(t, c.want, media.ContentType)
		data, err = media.Bytes()
		require.NoError(t, err)
		assert.Equal(t, c.data, string(data))
	}
	for _, label := range []string{"text/plain", "text/html", "application/json", "application/xml"} {
		_, err := face(t.Context(), responding(t, 200, "\x00\x01\x02\x03", false, "Content-Type", label))
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, "nothing shows that the response is not text")
	}
}

func TestDataURISamples(t *testing.T) {
	photo, err := facePhoto(t.Context(), responding(t, 200, sample(t, "get-session-main-document-face-photo-default.json"), false))
	require.NoError(t, err)
	data, err := photo.Bytes()
	require.NoError(t, err)
	want, _ := base64.RawStdEncoding.DecodeString("String")
	assert.Equal(t, want, data)
	want, _ = base64.StdEncoding.DecodeString("base64String")
	client := responding(t, 200, sample(t, "get-visual-markers-default.json"), false)
	assert.Equal(t, sample(t, "get-visual-markers-default.json"), sample(t, "get-video-call-shots-default.json"))
	for _, items := range []iter.Seq2[*identomat.Media, error]{client.Media.VisualMarkers(t.Context(), token), client.VideoCalls.Shots(t.Context(), token)} {
		for item, err := range items {
			require.NoError(t, err)
			assert.Equal(t, "application/x-tar", item.ContentType)
			data, err := item.Bytes()
			require.NoError(t, err)
			assert.Equal(t, want, data)
		}
	}
	for name, want := range map[string]error{
		"get-session-main-document-face-photo-notfound": identomat.ErrFacePhotoNotFound, "get-session-main-document-face-photo-invalidaccess": identomat.ErrInvalidKey,
		"get-session-main-document-face-photo-sessionnotfound": identomat.ErrSessionNotFound, "get-question-file-wrongparameters": identomat.ErrWrongParameters,
		"get-video-call-videos-notfound": identomat.ErrNotFound, "export-session-as-pdf-invalidaccess": identomat.ErrInvalidKey, "result-face-sessionnotfound": identomat.ErrSessionNotFound,
	} {
		for _, c := range append(binaries, inJSON...) {
			_, err := c.call(t.Context(), responding(t, 200, sample(t, name+".json"), false))
			require.ErrorIs(t, err, want, "%s %s", c.name, name)
		}
	}
}

func TestDataURISpellings(t *testing.T) {
	for _, size := range []int{1, 2, 3, 100, 4095, 4096, 4097, 70_000} {
		data := picture(max(size, 20))
		code := encoded(data)
		for name, text := range map[string]string{
			"with a comma": "data:image/jpeg;base64," + code, "without": "data:text/plain;base64" + code, "bare": code,
			"escaped slashes": "data:image\\/jpeg;base64," + strings.ReplaceAll(code, "/", `\/`),
			"escaped as code": strings.NewReplacer("/", `\u002f`, "+", `\u002B`).Replace(code),
			"without padding": strings.TrimRight(code, "="), "in lines": strings.ReplaceAll(code, "M", `M\r\n`),
		} {
			for _, shape := range []string{`{"result":"%s"}`, "\xef\xbb\xbf {\"result\" : [ [ \"%s\" ] ] }\n", `{"x":{"y":[1]},"result":["%s"],"argumentError":null}`} {
				for _, chunked := range []bool{false, true} {
					media, err := facePhoto(t.Context(), responding(t, 200, fmt.Sprintf(shape, text), chunked))
					require.NoError(t, err, name)
					assert.Equal(t, "image/jpeg", media.ContentType)
					var got bytes.Buffer
					n, err := media.WriteTo(&got)
					require.NoError(t, err)
					assert.EqualValues(t, len(data), n)
					assert.Equal(t, data, got.String(), name)
					if len(data) < 4096 {
						assert.EqualValues(t, len(data), media.Size)
					} else {
						assert.EqualValues(t, -1, media.Size)
					}
				}
			}
		}
	}
}

func TestQuestionFileContentType(t *testing.T) {
	for data, want := range map[string]string{pdf: "application/pdf", picture(5000): "image/jpeg", archived(t, "file-0.pdf", pdf): "application/x-tar"} {
		media, err := responding(t, 200, dataURIs(data), false).Media.QuestionFile(t.Context(), token, "s", "q", 2)
		require.NoError(t, err)
		assert.Equal(t, want, media.ContentType)
		got, err := media.Bytes()
		require.NoError(t, err)
		assert.Equal(t, data, string(got))
	}
	media, err := responding(t, 200, dataURIs(pdf, picture(100_000), png), false).Media.QuestionFile(t.Context(), token, "s", "q", 0)
	require.NoError(t, err, "the first of several files is returned")
	got, err := media.Bytes()
	require.NoError(t, err)
	assert.Equal(t, pdf, string(got))
}

func TestMediaRead(t *testing.T) {
	data := picture(200_000)
	for _, chunked := range []bool{false, true} {
		open := func() *identomat.Media {
			media, err := face(t.Context(), responding(t, 200, data, chunked))
			require.NoError(t, err)
			if chunked {
				assert.EqualValues(t, -1, media.Size)
			} else {
				assert.EqualValues(t, len(data), media.Size)
			}
			return media
		}
		media := open()
		require.NoError(t, iotest.TestReader(media, []byte(data)))
		require.NoError(t, media.Close())

		var out bytes.Buffer
		var steps []int64
		n, err := io.Copy(&out, open().Progress(func(done, total int64) {
			steps = append(steps, done)
			if !chunked {
				assert.EqualValues(t, len(data), total)
			}
		}))
		require.NoError(t, err)
		assert.EqualValues(t, len(data), n)
		assert.Equal(t, data, out.String())
		assert.IsIncreasing(t, steps)
		assert.EqualValues(t, len(data), steps[len(steps)-1])

		media = open()
		_, err = io.CopyN(io.Discard, media, 1000)
		require.NoError(t, err)
		rest, err := media.Bytes()
		require.NoError(t, err)
		assert.Equal(t, data[1000:], string(rest))

		media = open()
		require.NoError(t, media.Close())
		require.NoError(t, media.Close())
		_, err = media.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrClosed)
		_, err = media.Bytes()
		require.ErrorIs(t, err, os.ErrClosed)

		var full shortWriter = 70_000
		n, err = open().WriteTo(&full)
		require.ErrorIs(t, err, errFull)
		assert.EqualValues(t, 70_000, n)
		n, err = open().WriteTo(onceWriter{})
		require.ErrorIs(t, err, io.ErrShortWrite)
		assert.EqualValues(t, 1, n)
	}
}

// shortWriter is a writer that accepts this many bytes and then fails like a full disk.
type shortWriter int

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), int(*w))
	if *w -= shortWriter(n); n < len(p) {
		return n, errFull
	}
	return n, nil
}

// onceWriter reports one byte written per call and no error.
type onceWriter struct{}

func (onceWriter) Write([]byte) (int, error) { return 1, nil }

func TestInterleavedDownloadsAreIndependent(t *testing.T) {
	content := func(token string) string { return jpeg + strings.Repeat(token, 9000) }
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		return newResponse(200, content(r.PostForm.Get("session_token"))), nil
	})
	var open []*identomat.Media
	for i := range 100 {
		media, err := client.Media.FaceVideo(t.Context(), identomat.Token(rune('a'+i%26)))
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, media, []int64{0, 1, 4095, 4096, 4097}[i%5]) // the SDK peeks at 4 KiB
		require.NoError(t, err)
		if i%7 == 0 {
			require.NoError(t, media.Close())
			continue
		}
		open = append(open, media)
	}
	for _, media := range open {
		rest, err := media.Bytes()
		require.NoError(t, err)
		token := string(rest[len(rest)-1])
		require.Equal(t, content(token)[len(content(token))-len(rest):], string(rest))
	}
}

func TestMediaSizeLimits(t *testing.T) {
	data := picture(10_000)
	for _, chunked := range []bool{false, true} {
		limited := func(opts ...identomat.Option) *identomat.Client {
			return stubbed(t, func(r *http.Request) (*http.Response, error) {
				body := data
				if strings.Contains(r.URL.Path, "photo") {
					body = `{"result":"` + encoded(data) + `"}`
				}
				resp := newResponse(200, body)
				if chunked {
					resp.ContentLength = -1
				}
				return resp, nil
			}, opts...)
		}
		// WithMaxMediaSize limits the bytes that are streamed.
		for limit, ok := range map[int64]bool{1: false, 4095: false, 4096: false, 4097: false, 9999: false, 10_000: true, 10_001: true} {
			dir := t.TempDir()
			media, err := face(t.Context(), limited(identomat.WithMaxMediaSize(limit)))
			if err == nil {
				_, err = media.SaveFile(filepath.Join(dir, "face.jpg"))
			}
			if ok {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, identomat.ErrTooLarge, "%d, chunked %t", limit, chunked)
			assert.Empty(t, filesIn(t, dir))
		}
		media, err := facePhoto(t.Context(), limited(identomat.WithMaxMediaSize(int64(len(encoded(data))))))
		if err == nil {
			_, err = media.Bytes()
		}
		require.ErrorIs(t, err, identomat.ErrTooLarge, "the limit applies to the encoded size")

		// WithMaxResponseSize limits the bytes that Bytes holds in memory.
		for limit, ok := range map[int64]bool{9999: false, 10_000: true} {
			for _, call := range []func(context.Context, *identomat.Client) (*identomat.Media, error){face, facePhoto} {
				media, err := call(t.Context(), limited(identomat.WithMaxResponseSize(limit)))
				require.NoError(t, err, "WithMaxResponseSize must not limit streams")
				media.Progress(func(int64, int64) {
					assert.False(t, !ok && media.Size > 0, "media that is known to be too large must not be read")
				})
				got, err := media.Bytes()
				if ok {
					require.NoError(t, err)
					assert.Equal(t, data, string(got))
					continue
				}
				require.ErrorIs(t, err, identomat.ErrTooLarge)
				assert.Nil(t, got)
			}
		}
	}
}

func TestSaveFileReplacesFileAtomically(t *testing.T) {
	for _, size := range []int{20, 4096, 300_000} {
		for _, call := range []mediaCall{binaries[3], inJSON[0]} {
			data := picture(size)
			dir := t.TempDir()
			name := filepath.Join(dir, "face.jpg")
			require.NoError(t, os.WriteFile(name, []byte("older"), 0o644))
			client := stubbed(t, func(r *http.Request) (*http.Response, error) {
				if strings.Contains(r.URL.Path, "photo") {
					return newResponse(200, dataURIs(data)), nil
				}
				return newResponse(200, data), nil
			})
			media, err := call.call(t.Context(), client)
			require.NoError(t, err)
			var during []string
			media.Progress(func(int64, int64) { during = filesIn(t, dir) })
			n, err := media.SaveFile(name)
			require.NoError(t, err)
			assert.EqualValues(t, size, n)
			require.Len(t, during, 2, "a temporary file in the same folder")
			assert.Equal(t, []string{"face.jpg"}, filesIn(t, dir))
			got, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Equal(t, data, string(got))
			info, err := os.Stat(name)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode())
		}
	}
}

func TestSaveFileFailureLeavesFolderUnchanged(t *testing.T) {
	data := picture(50_000)
	for name, c := range map[string]struct {
		resp func() *http.Response
		opts []identomat.Option
		save func(media *identomat.Media, name string) error
		want error
	}{
		"truncated": {resp: func() *http.Response {
			resp := newResponse(200, data)
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(data[:40_000]), iotest.ErrReader(io.ErrUnexpectedEOF)))
			return resp
		}, want: io.ErrUnexpectedEOF},
		"shorter than Content-Length": {resp: func() *http.Response {
			resp := newResponse(200, data)
			resp.ContentLength++
			return resp
		}, want: io.ErrUnexpectedEOF},
		"longer than Content-Length": {resp: func() *http.Response {
			resp := newResponse(200, data)
			resp.ContentLength--
			return resp
		}},
		"wrong signature":   {resp: func() *http.Response { return newResponse(200, data, "Authorization", sign("x", data)) }, opts: []identomat.Option{identomat.WithHMAC(secretKey)}, want: identomat.ErrSignatureMismatch},
		"missing signature": {resp: func() *http.Response { return newResponse(200, data) }, opts: []identomat.Option{identomat.WithHMAC(secretKey, identomat.RequireSignedResponses())}, want: identomat.ErrSignatureMismatch},
		"too large": {resp: func() *http.Response {
			resp := newResponse(200, data)
			resp.ContentLength = -1
			return resp
		}, opts: []identomat.Option{identomat.WithMaxMediaSize(49_999)}, want: identomat.ErrTooLarge},
		"target is the folder": {save: func(media *identomat.Media, name string) error {
			_, err := media.SaveFile(filepath.Dir(name))
			return err
		}},
		"folder does not exist": {save: func(media *identomat.Media, name string) error {
			_, err := media.SaveFile(filepath.Join(filepath.Dir(name), "missing", "face.jpg"))
			return err
		}, want: os.ErrNotExist},
		"target is a subfolder": {save: func(media *identomat.Media, name string) error {
			_, err := media.SaveFile(filepath.Join(filepath.Dir(name), "sub"))
			return err
		}},
		"after Read": {save: func(media *identomat.Media, name string) error {
			_, err := media.Read(make([]byte, 10))
			require.NoError(t, err)
			_, err = media.SaveFile(name)
			return err
		}},
		"after Close": {save: func(media *identomat.Media, name string) error {
			require.NoError(t, media.Close())
			_, err := media.SaveFile(name)
			return err
		}, want: os.ErrClosed},
		"panic in Progress": {save: func(media *identomat.Media, name string) (err error) {
			defer func() { err = recover().(error) }()
			_, err = media.Progress(func(int64, int64) { panic(errFull) }).SaveFile(name)
			return err
		}, want: errFull},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			dir := filepath.Join(folder, "dir")
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub", "sub"), 0o700))
			target := filepath.Join(dir, "face.jpg")
			require.NoError(t, os.WriteFile(target, []byte("older"), 0o600))
			before := filesIn(t, folder)
			if c.resp == nil {
				c.resp = func() *http.Response { return newResponse(200, data) }
			}
			if c.save == nil {
				c.save = func(media *identomat.Media, name string) error { _, err := media.SaveFile(name); return err }
			}
			closed := false
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				resp := c.resp()
				resp.Body = closing{resp.Body, func() { closed = true }}
				return resp, nil
			}, c.opts...)
			media, err := face(t.Context(), client)
			if err == nil { // a missing signature is an error before the first byte
				err = c.save(media, target)
			}
			require.Error(t, err)
			assert.NotErrorIs(t, err, io.EOF)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			assert.Equal(t, before, filesIn(t, folder))
			older, err := os.ReadFile(target)
			require.NoError(t, err)
			assert.Equal(t, "older", string(older))
			assert.True(t, closed, "the response body must be closed")
		})
	}
}

// closing is a response body that calls closed in Close.
type closing struct {
	io.ReadCloser
	closed func()
}

func (c closing) Close() error { c.closed(); return c.ReadCloser.Close() }

// scripted is a connection that responds to the first request and then fails with end.
type scripted struct {
	net.Conn
	requested chan struct{}
	response  *strings.Reader
	end       error
}

func (c *scripted) Write(p []byte) (int, error) {
	select {
	case c.requested <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (c *scripted) Read(p []byte) (int, error) {
	if c.response.Size() == int64(c.response.Len()) {
		if _, open := <-c.requested; !open {
			return 0, net.ErrClosed
		}
	}
	n, err := c.response.Read(p)
	if err == io.EOF {
		err = c.end
	}
	return n, err
}

func (c *scripted) Close() error                     { defer func() { _ = recover() }(); close(c.requested); return nil }
func (c *scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// onTheWire returns a complete HTTP/1.1 response. If there is a secret, the response is signed.
func onTheWire(body, contentType string, chunked bool, secret string) string {
	var out strings.Builder
	out.WriteString("HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\n")
	if secret != "" {
		out.WriteString("Authorization: " + sign(secret, body) + "\r\n")
	}
	if !chunked {
		fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return out.String()
	}
	out.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := min(len(body), 1500)
		fmt.Fprintf(&out, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	out.WriteString("0\r\n\r\n")
	return out.String()
}

// TestTruncatedDownloadLeavesNothing truncates a download at every position near the beginning, the end
// and the buffer boundaries, and at some positions in between.
func TestTruncatedDownloadLeavesNothing(t *testing.T) {
	data := picture(9000)
	dir := t.TempDir()
	name := filepath.Join(dir, "face.jpg")
	for _, c := range []struct {
		media       mediaCall
		body        string
		contentType string
	}{
		{binaries[3], data, "image/jpeg"}, {binaries[3], picture(300), "image/jpeg"},
		{inJSON[0], dataURIs(data), "application/json"}, {inJSON[0], `{"result":"` + encoded(picture(200)) + `"}`, "application/json"},
	} {
		for _, chunked := range []bool{false, true} {
			for _, secret := range []string{"", secretKey} {
				whole := onTheWire(c.body, c.contentType, chunked, secret)
				for _, end := range []error{io.EOF, syscall.ECONNRESET} {
					var conn *scripted
					transport := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
					opts := []identomat.Option{
						identomat.WithHTTPClient(&http.Client{Transport: transport}), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}),
						identomat.WithWidgetURL("http://localhost"), identomat.WithAPIURL("http://localhost"),
					}
					if secret != "" {
						opts = append(opts, identomat.WithHMAC(secret, identomat.RequireSignedResponses()))
					}
					client, err := identomat.NewClient(companyKey, opts...)
					require.NoError(t, err)
					download := func(length int) error {
						conn = &scripted{requested: make(chan struct{}, 1), response: strings.NewReader(whole[:length]), end: end}
						media, err := c.media.call(t.Context(), client)
						if err != nil {
							return err
						}
						_, err = media.SaveFile(name)
						return err
					}
					for length := 1; length < len(whole); length++ {
						if near := length % 4096; length > 600 && len(whole)-length > 300 && near > 12 && near < 4084 {
							length += 50
						}
						err := download(length)
						var broken *identomat.TransportError
						require.ErrorAs(t, err, &broken, "%s truncated at %d of %d, chunked %t", c.media.name, length, len(whole), chunked)
						require.NotErrorIs(t, err, io.EOF)
						require.Empty(t, filesIn(t, dir))
					}
					require.NoError(t, download(len(whole)))
					require.NoError(t, os.Remove(name))
				}
			}
		}
	}
}

// TestTruncatedDownloadOverTCP truncates downloads over TCP, at fewer positions.
func TestTruncatedDownloadOverTCP(t *testing.T) {
	whole := map[string]string{
		"result/face/":                         onTheWire(picture(300_000), "image/jpeg", false, ""),
		"get-session-main-document-face-photo": onTheWire(dataURIs(picture(300_000)), "application/json", true, ""),
	}
	dir := t.TempDir()
	for i, call := range []mediaCall{binaries[3], inJSON[0]} {
		wire := whole[[]string{"result/face/", "get-session-main-document-face-photo"}[i]]
		for _, reset := range []bool{false, true} {
			var length atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, wire[:length.Load()])
				if reset {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
				_ = conn.Close()
			}))
			client := clientFor(t, server.URL, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
			for n := int64(7); n < int64(len(wire)); n += int64(len(wire)) / 40 {
				length.Store(n)
				media, err := call.call(t.Context(), client)
				if err == nil {
					_, err = media.SaveFile(filepath.Join(dir, "face.jpg"))
				}
				require.Error(t, err)
				require.NotErrorIs(t, err, io.EOF)
				require.Empty(t, filesIn(t, dir))
			}
			server.Close()
		}
	}
}

func TestDownloadRetriedOnlyBeforeFirstBytes(t *testing.T) {
	data := picture(200_000)
	truncated := func(at int) *http.Response {
		resp := newResponse(200, data)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(data[:at]), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return resp
	}
	for at, retried := range map[int]bool{0: true, 1: true, 4095: true, 4096: false, 100_000: false} {
		sent := 0
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			if sent++; sent < 3 {
				return truncated(at), nil
			}
			return newResponse(200, data), nil
		}, quick)
		media, err := face(t.Context(), client)
		require.NoError(t, err)
		got, err := media.Bytes()
		if retried {
			require.NoError(t, err, at)
			assert.Equal(t, data, string(got))
			assert.Equal(t, 3, sent)
			continue
		}
		var broken *identomat.TransportError
		require.ErrorAs(t, err, &broken)
		assert.Equal(t, 1, sent)
		assert.Equal(t, 1, broken.Attempts)
	}
	// An error in mid-stream counts the earlier attempts, too.
	sent := 0
	photo, err := facePhoto(t.Context(), stubbed(t, func(*http.Request) (*http.Response, error) {
		if sent++; sent < 3 {
			return newResponse(503, ""), nil
		}
		return newResponse(200, `{"result":["`+encoded(data)+`"],"argumentError":"not-found"}`), nil
	}, quick))
	require.NoError(t, err)
	_, err = photo.Bytes()
	require.ErrorIs(t, err, identomat.ErrNotFound)
	var api *identomat.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, 3, api.Attempts)

	sent = 0
	media, err := face(t.Context(), stubbed(t, func(*http.Request) (*http.Response, error) {
		if sent++; sent < 3 {
			return newResponse(503, ""), nil
		}
		return truncated(5000), nil
	}, quick))
	require.NoError(t, err)
	_, err = media.Bytes()
	var broken *identomat.TransportError
	require.ErrorAs(t, err, &broken)
	assert.Equal(t, 3, broken.Attempts)
}

func TestShotsIteration(t *testing.T) {
	archives := []string{archived(t, "a", "1"), archived(t, "b", picture(300_000)), archived(t, "c", "3"), archived(t, "d", "4")}
	client := responding(t, 200, dataURIs(archives...), true)
	var shots []*identomat.Media
	for shot, err := range client.VideoCalls.Shots(t.Context(), token) {
		require.NoError(t, err)
		n := len(shots)
		shots = append(shots, shot)
		switch n {
		case 0: // the archive is not read
		case 1:
			_, err := io.CopyN(io.Discard, shot, 100_000)
			require.NoError(t, err)
		case 2:
			require.NoError(t, shot.Close(), "closing an archive must not end the iteration")
			_, err := shot.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrClosed)
		case 3:
			data, err := shot.Bytes()
			require.NoError(t, err)
			assert.Equal(t, archives[3], string(data))
		}
		if n > 0 { // the iteration has closed the previous archive
			previous := shots[n-1]
			_, err := previous.Read(make([]byte, 10))
			require.ErrorIs(t, err, os.ErrClosed)
			dir := t.TempDir()
			_, err = previous.SaveFile(filepath.Join(dir, "x"))
			require.Error(t, err)
			assert.Empty(t, filesIn(t, dir))
		}
	}
	assert.Len(t, shots, 4)
	for _, shot := range shots {
		_, err := shot.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)
	}
}

func TestMalformedArchiveDoesNotEndIteration(t *testing.T) {
	client := responding(t, 200, dataURIs(picture(5000), archived(t, "a", "1")), false)
	var seen []string
	for shot, err := range client.VideoCalls.Shots(t.Context(), token) {
		require.NoError(t, err)
		for file, err := range shot.Files() {
			if err != nil {
				require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
				seen = append(seen, "malformed")
				break
			}
			seen = append(seen, file.Name)
		}
	}
	assert.Equal(t, []string{"malformed", "a"}, seen)
}

// The body is as long as Content-Length says, so the service truncated the JSON.
func TestTruncatedJSONOfMedia(t *testing.T) {
	client := responding(t, 200, `{"result":[["data:application/x-tar;base64,`, false)
	for _, err := range client.Media.VisualMarkers(t.Context(), token) {
		require.EqualError(t, err, "identomat: get-visual-markers: unexpected response (HTTP 200): truncated JSON")
	}
}

func TestErrorsAfterTheDataAreReported(t *testing.T) {
	one, two := archived(t, "a", picture(100_000)), archived(t, "b", picture(100_000))
	good := dataURIs(one, two)
	for name, c := range map[string]struct {
		body string
		opts []identomat.Option
		want error
	}{
		"argumentError after the result": {body: good[:len(good)-1] + `,"argumentError":"session-not-found"}`, want: identomat.ErrSessionNotFound},
		"internalError after the result": {body: good[:len(good)-1] + `,"internalError":"x"}`, want: identomat.ErrInternal},
		"duplicate result":               {body: good[:len(good)-1] + `,"result":[]}`, want: identomat.ErrUnexpectedResponse},
		"trailing data":                  {body: good + "x", want: identomat.ErrUnexpectedResponse},
		"malformed base64":               {body: strings.Replace(good, `","`, `!","`, 1), want: identomat.ErrUnexpectedResponse},
		"truncated after the data":       {body: good[:len(good)-1], want: io.ErrUnexpectedEOF},
		"truncated in the data":          {body: good[:len(good)-1000], want: io.ErrUnexpectedEOF},
		"wrong signature":                {body: good, opts: []identomat.Option{identomat.WithHMAC(secretKey)}, want: identomat.ErrSignatureMismatch},
		"over the limit":                 {body: good + strings.Repeat(" ", 1000), opts: []identomat.Option{identomat.WithMaxMediaSize(int64(len(good)) + 500)}, want: identomat.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var events []identomat.Event
			opts := append([]identomat.Option{identomat.WithObserver(func(e identomat.Event) { events = append(events, e) })}, c.opts...)
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				resp := newResponse(200, c.body, "Authorization", sign("x", c.body))
				resp.ProtoMajor, resp.ContentLength = 1, -1 // delimited by connection close
				return resp, nil
			}, opts...)
			iterate := func(use func(*identomat.Media) error) (n int, failed error) {
				for item, err := range client.Media.VisualMarkers(t.Context(), token) {
					if err != nil {
						return n, err
					}
					if err := use(item); err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			}
			saved := 0
			n, err := iterate(func(m *identomat.Media) error {
				_, err := m.SaveFile(filepath.Join(dir, fmt.Sprint(saved)))
				saved++
				return err
			})
			check := func(n int, err error) {
				t.Helper()
				require.Error(t, err)
				require.ErrorIs(t, err, c.want)
				assert.LessOrEqual(t, n, 2)
				require.Len(t, events, 1)
				assert.Equal(t, err.Error(), events[0].Err.Error())
				events = nil
			}
			check(n, err)
			assert.LessOrEqual(t, n, 1)
			assert.LessOrEqual(t, len(filesIn(t, dir)), 1, "the last file must not exist")

			if name != "malformed base64" { // skipped data is not decoded
				n, err = iterate(func(*identomat.Media) error { return nil })
				check(n, err)
			}
			n, err = iterate(func(m *identomat.Media) error { _, _ = m.Bytes(); return nil }) // the iteration must return the error even if the caller ignores the error of Bytes
			check(n, err)

			media, err := facePhoto(t.Context(), client) // reads only the first data URI
			if err == nil {
				_, err = media.SaveFile(filepath.Join(dir, "photo"))
			}
			check(0, err)
			assert.NotContains(t, filesIn(t, dir), "photo")
		})
	}
}

func TestEchoedCompanyKeyIsNotShownAsCode(t *testing.T) {
	const key = "company-key-of-the-bank"
	for _, body := range []string{`{"argumentError":"` + key + `"}`, `{"result":["` + encoded(picture(9000)) + `"],"argumentError":"` + key + `"}`} {
		client, err := identomat.NewClient(key, identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return newResponse(200, body), nil })}))
		require.NoError(t, err)
		media, err := facePhoto(t.Context(), client)
		if err == nil {
			_, err = media.Bytes()
		}
		var api *identomat.APIError
		require.ErrorAs(t, err, &api)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", err, err, err, api.Code), key)
	}
}

func TestConnectionReusedOnlyAfterReadingToEnd(t *testing.T) {
	big := dataURIs(picture(3_000_000), picture(3_000_000))
	var opened, closedConns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.URL.Path, "/external-api/") {
			_, _ = io.WriteString(w, picture(3_000_000))
			return
		}
		_, _ = io.WriteString(w, big)
	}))
	gone := make(chan struct{}, 10)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closedConns.Add(1)
			gone <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	client := clientFor(t, server.URL)
	dir := t.TempDir()
	for range 5 {
		media, err := face(t.Context(), client)
		require.NoError(t, err)
		_, err = media.SaveFile(filepath.Join(dir, "x"))
		require.NoError(t, err)
		media, err = facePhoto(t.Context(), client)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, media)
		require.NoError(t, err)
		for shot, err := range client.VideoCalls.Shots(t.Context(), token) {
			require.NoError(t, err)
			_ = shot
		}
	}
	// Usually there is one connection. On a busy machine there may be more, because net/http closes a
	// connection if its writing goroutine does not finish within 50 ms.
	closedBefore := opened.Load() - 1
	assert.Less(t, closedBefore, int32(4), "a connection must be reused after its body was read to the end")
	for range closedBefore {
		<-gone
	}

	for i, stop := range []func(){
		func() {
			for range client.VideoCalls.Shots(t.Context(), token) {
				break
			}
		},
		func() {
			media, err := facePhoto(t.Context(), client)
			require.NoError(t, err)
			require.NoError(t, media.Close())
		},
		func() {
			media, err := face(t.Context(), client)
			require.NoError(t, err)
			for _, err := range media.Files() {
				require.Error(t, err)
			}
		},
		func() {
			defer func() { assert.Equal(t, errFull, recover()) }()
			for range client.Media.VisualMarkers(t.Context(), token) {
				panic(errFull)
			}
		},
	} {
		stop()
		<-gone // the test hangs if the connection stays open
		assert.EqualValues(t, int(closedBefore)+i+1, closedConns.Load())
	}
}

func TestEndOfStreamCancelsAttemptContext(t *testing.T) {
	read := func(m *identomat.Media) error { _, err := m.Bytes(); return err }
	for name, c := range map[string]struct {
		length int64
		end    func(*identomat.Media) error
		fails  bool
	}{
		"read to the end": {30_000, read, false},
		"truncated":       {40_000, read, true},
		"closed":          {30_000, (*identomat.Media).Close, false},
	} {
		var attempt context.Context
		media, err := face(t.Context(), stubbed(t, func(r *http.Request) (*http.Response, error) {
			attempt = r.Context()
			resp := newResponse(200, picture(30_000))
			resp.ContentLength = c.length
			return resp, nil
		}))
		require.NoError(t, err)
		require.NoError(t, attempt.Err(), name)
		assert.Equal(t, c.fails, c.end(media) != nil, name)
		assert.ErrorIs(t, attempt.Err(), context.Canceled, name)
	}
}

// paced is a body that returns one piece after each delay, and then stalls.
type paced struct {
	ctx    context.Context
	every  time.Duration
	size   int
	pieces int
	rest   string
}

func (b *paced) Read(p []byte) (int, error) {
	if b.rest == "" {
		wait := b.every
		if b.pieces--; b.pieces < 0 {
			wait = 24 * time.Hour
		}
		select {
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		case <-time.After(wait):
		}
		b.rest = picture(b.size)
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *paced) Close() error { return nil }

func TestStreamTimesOutOnlyWhenStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 10 * time.Second
		open := func(ctx context.Context, size, pieces int) (*identomat.Media, error) {
			return face(ctx, stubbed(t, func(r *http.Request) (*http.Response, error) {
				body := &paced{ctx: r.Context(), every: 9 * time.Second, size: size, pieces: pieces}
				return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: body}, nil
			}, identomat.WithAttemptTimeout(timeout), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})))
		}
		var stalled *identomat.TransportError

		start := time.Now()
		media, err := open(t.Context(), 5000, 20)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, media)
		require.ErrorAs(t, err, &stalled)
		assert.True(t, stalled.Timeout())
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualValues(t, 100_000, n, "everything received before the stall")
		assert.Equal(t, 20*9*time.Second+timeout, time.Since(start))

		start = time.Now()
		_, err = open(t.Context(), 100, 20) // peeking takes longer than the timeout
		require.ErrorAs(t, err, &stalled)
		assert.True(t, stalled.Timeout())
		assert.Equal(t, 20*9*time.Second+timeout, time.Since(start))

		media, err = open(t.Context(), 5000, 5)
		require.NoError(t, err)
		for range 5 {
			time.Sleep(10 * timeout) // a slow caller must not trigger the stall timer
			_, err := media.Read(make([]byte, 5000))
			require.NoError(t, err)
		}
		require.NoError(t, media.Close())

		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start = time.Now()
		media, err = open(ctx, 5000, 20)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, media)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))
		require.ErrorAs(t, err, &stalled)
	})
}

func TestStreamStalledWhilePeekedIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		media, err := face(t.Context(), stubbed(t, func(r *http.Request) (*http.Response, error) {
			if sent++; sent < 3 {
				return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: &paced{ctx: r.Context(), size: 100, pieces: 3}}, nil
			}
			return newResponse(200, picture(100)), nil
		}, quick))
		require.NoError(t, err)
		require.NoError(t, media.Close())
		assert.Equal(t, 3, sent)
	})
}

func TestStreamEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := picture(100_000)
		var events []identomat.Event
		sent := 0
		body := data
		client := stubbed(t, func(r *http.Request) (*http.Response, error) {
			if sent++; sent == 1 {
				return newResponse(503, "busy"), nil
			}
			if r.URL.Host == "external-api.identomat.com" {
				return newResponse(200, dataURIs(data)), nil
			}
			return newResponse(200, body), nil
		}, quick, identomat.WithObserver(func(e identomat.Event) { events = append(events, e) }))

		media, err := face(t.Context(), client)
		require.NoError(t, err)
		require.Len(t, events, 1, "the failed attempt")
		assert.Equal(t, 503, events[0].StatusCode)
		require.ErrorIs(t, events[0].Err, identomat.ErrUnexpectedResponse)
		time.Sleep(time.Minute)
		_, err = media.Bytes()
		require.NoError(t, err)
		require.Len(t, events, 2)
		require.NoError(t, media.Close())
		require.Len(t, events, 2, "Close must not report a second event")
		e := events[1]
		assert.Equal(t, []any{"result/face/", 2, 200, nil, int64(len(data)), int64(len("company_key=&session_token=") + len(companyKey) + len(token)), false},
			[]any{e.Operation, e.Attempt, e.StatusCode, e.Err, e.BytesReceived, e.BytesSent, e.WillRetry})
		assert.GreaterOrEqual(t, e.Duration, time.Minute)

		events = nil
		media, err = face(t.Context(), client)
		require.NoError(t, err)
		_, err = io.ReadAll(media)
		require.NoError(t, err)
		require.Len(t, events, 1, "the event must not wait for Close")

		events = nil
		media, err = face(t.Context(), client)
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, media, 10_000)
		require.NoError(t, err)
		assert.Empty(t, events)
		require.NoError(t, media.Close())
		require.Len(t, events, 1)
		require.NoError(t, events[0].Err, "Close before the end is not an error")
		assert.EqualValues(t, 10_000, events[0].BytesReceived)

		events, body = nil, "{}"
		_, err = face(t.Context(), client)
		require.Error(t, err)
		require.Len(t, events, 1)
		assert.Equal(t, err.Error(), events[0].Err.Error())

		events = nil
		media, err = facePhoto(t.Context(), client)
		require.NoError(t, err)
		assert.Empty(t, events)
		_, err = io.Copy(io.Discard, media)
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.NoError(t, events[0].Err)
		assert.EqualValues(t, len(dataURIs(data)), events[0].BytesReceived)

		events = nil
		for range client.VideoCalls.Shots(t.Context(), token) {
			assert.Empty(t, events)
		}
		require.Len(t, events, 1)
		require.NoError(t, events[0].Err)

		events = nil
		for range client.VideoCalls.Shots(t.Context(), token) {
			break
		}
		require.Len(t, events, 1)
		require.NoError(t, events[0].Err)

		// A malformed archive must be reported as an error of the attempt.
		events, body = nil, picture(100_000)
		media, err = face(t.Context(), client)
		require.NoError(t, err)
		for _, err := range media.Files() {
			require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
		}
		require.Len(t, events, 1)
		require.ErrorIs(t, events[0].Err, identomat.ErrUnexpectedResponse)
	})
}

func TestStreamNetworkErrorShowsNoSecret(t *testing.T) {
	var events []identomat.Event
	leak := &dumpError{"key", companyKey}
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		resp := newResponse(200, picture(5000))
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(picture(4500)), iotest.ErrReader(leak)))
		return resp, nil
	}, identomat.WithObserver(func(e identomat.Event) { events = append(events, e) }))
	media, err := face(t.Context(), client)
	require.NoError(t, err)
	_, err = media.Bytes()
	require.ErrorIs(t, err, leak)
	assertSecret(t, fmt.Sprintf("%v %+v %#v %v", err, err, err, events), "the error of a stream")
	var dump *dumpError
	require.NotErrorAs(t, err, &dump)
	assert.Contains(t, fmt.Sprintf("%v %+v %#v", media, *media, media), "image/jpeg of 5000 bytes")
}

func TestErrorThatWrapsEOFIsNotEOF(t *testing.T) {
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		resp := newResponse(200, picture(5000))
		resp.ContentLength = -1
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(picture(4500)), iotest.ErrReader(fmt.Errorf("proxy: %w", io.EOF))))
		return resp, nil
	})
	media, err := face(t.Context(), client)
	require.NoError(t, err)
	_, err = media.Bytes()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, io.EOF)
}

func TestSignatureIsVerifiedBeforeEOF(t *testing.T) {
	for _, size := range []int{100, 4096, 50_000} {
		data := picture(size)
		for body, call := range map[string]mediaCall{data: binaries[3], dataURIs(data): inJSON[0]} {
			for signature, want := range map[string]error{
				sign(secretKey, body): nil, sign(secretKey, body+" "): identomat.ErrSignatureMismatch, "": identomat.ErrSignatureMismatch,
			} {
				client := stubbed(t, func(*http.Request) (*http.Response, error) {
					resp := newResponse(200, body)
					if signature != "" {
						resp.Header.Set("Authorization", signature)
					}
					return resp, nil
				}, identomat.WithHMAC(secretKey, identomat.RequireSignedResponses()))
				media, err := call.call(t.Context(), client)
				if err == nil {
					var out bytes.Buffer
					_, err = media.WriteTo(&out)
					if want == nil {
						assert.Equal(t, data, out.String())
					}
					_, err := media.Read(make([]byte, 1))
					assert.Error(t, err, "Read must return an error after the end")
				}
				require.ErrorIs(t, err, want)
			}
		}
	}
}

// A missing face photo must match ErrNotFound, like other missing media.
func TestMissingMediaIsNotFound(t *testing.T) {
	for _, refusal := range []struct {
		status int
		body   string
	}{
		{200, `{"argumentError":"face-photo-not-found"}`},
		{200, `"FACE_PHOTO_NOT_FOUND"`},
		{404, `{"argumentError":"face-photo-not-found"}`},
		{200, `{"result":[[]]}`},
		{404, `{"argumentError":"not-found"}`},
		{200, `{"argumentError":"not-found"}`},
	} {
		_, err := responding(t, refusal.status, refusal.body, false).Media.DocumentFacePhoto(t.Context(), token)
		require.ErrorIs(t, err, identomat.ErrNotFound, refusal.body)
		assert.Equal(t, strings.Contains(strings.ToLower(refusal.body), "face"), errors.Is(err, identomat.ErrFacePhotoNotFound), refusal.body)
		assert.NotErrorIs(t, err, identomat.ErrSessionNotFound, refusal.body)
	}
	built := &identomat.APIError{Operation: "get-session-main-document-face-photo", StatusCode: 200, Code: "face-photo-not-found"}
	require.ErrorIs(t, built, identomat.ErrNotFound, "errors built by a caller must match, too")
	assert.NotErrorIs(t, identomat.ErrNotFound, identomat.ErrFacePhotoNotFound)
}

func TestQuestionFiles(t *testing.T) {
	const missing, internal = `{"argumentError":"wrong-parameters"}`, `{"internalError":"x"}`
	for name, test := range map[string]struct {
		responses []string
		files     int
		err       error
	}{
		"two files":                {[]string{dataURIs("%PDF-0"), dataURIs("%PDF-1"), missing}, 2, nil},
		"an empty list at the end": {[]string{dataURIs("%PDF-0"), `{"result":[]}`}, 1, nil},
		"no file":                  {[]string{missing}, 0, identomat.ErrWrongParameters},
		"an error in between":      {[]string{dataURIs("%PDF-0"), internal}, 1, identomat.ErrInternal},
		"more than ten": {[]string{dataURIs("%PDF-0"), dataURIs("%PDF-1"), dataURIs("%PDF-2"), dataURIs("%PDF-3"), dataURIs("%PDF-4"), dataURIs("%PDF-5"),
			dataURIs("%PDF-6"), dataURIs("%PDF-7"), dataURIs("%PDF-8"), dataURIs("%PDF-9")}, 10, nil},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			client := stubbed(t, func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				require.NoError(t, err)
				assert.JSONEq(t, fmt.Sprintf(`{"companyKey":%q,"sessionId":%q,"stepKey":"q","questionKey":"contract","fileIndex":%d}`, companyKey, string(token), requests), string(body))
				requests++
				return newResponse(200, test.responses[requests-1]), nil
			})
			var last error
			files := 0
			for file, err := range client.Media.QuestionFiles(t.Context(), token, "q", "contract") {
				if last = err; err != nil {
					continue
				}
				data, err := file.Bytes()
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprintf("%%PDF-%d", files), string(data))
				files++
			}
			assert.Equal(t, test.files, files)
			require.ErrorIs(t, last, test.err)
			assert.Len(t, test.responses, requests)
		})
	}
}

func TestQuestionFilesClosesUnreadFiles(t *testing.T) {
	opened, closed := 0, 0
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		opened++
		resp := newResponse(200, dataURIs(picture(100_000)))
		resp.Body = closing{resp.Body, func() { closed++ }}
		return resp, nil
	})
	for _, err := range client.Media.QuestionFiles(t.Context(), token, "q", "contract") {
		require.NoError(t, err)
		assert.Equal(t, opened-1, closed)
		if opened == 3 {
			break
		}
	}
	assert.Equal(t, 3, opened)
	assert.Equal(t, 3, closed)
}
