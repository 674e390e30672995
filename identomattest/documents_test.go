package identomattest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var readers = []string{
	"card/front/", "card/back/", "license/front/", "license/back/", "residence/front/", "residence/back/", "passport/",
}

func TestDocumentReadersReturnSamples(t *testing.T) {
	srv := NewServer(t)
	for _, name := range readers {
		contentType, body := multipartBody(t, part{name: "company_key", content: srv.CompanyKey}, part{"image", "scan.jpg", string(FaceJPEG(100, 100))})
		resp := post(t, srv.WidgetURL+"/external-api/"+name, contentType, body)
		sampled, err := samples.ReadFile("samples/" + strings.ReplaceAll(strings.Trim(name, "/"), "/", "-") + ".json")
		require.NoError(t, err)
		assert.Equal(t, shape(t, string(sampled)), shape(t, resp.body), name)
		assert.Regexp(t, `"requestId":"[0-9a-f]{32}"`, resp.body)
	}
	recorded := srv.Requests()[0]
	uploaded, ok := recorded.Parameters["image"].(Upload)
	require.True(t, ok)
	assert.Equal(t, "scan.jpg", uploaded.FileName)
	assert.Equal(t, "application/octet-stream", uploaded.ContentType)
	assert.Equal(t, int64(len(FaceJPEG(100, 100))), uploaded.Size)
	assert.Len(t, uploaded.SHA256, 64)
}

// facePNG is the signature and header of an 8 by 8 PNG, written by hand.
const facePNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x08\x00\x00\x00\x08\x08\x02\x00\x00\x00\x4b\x6d\x29\xdc"

func TestDocumentReadersAcceptPNG(t *testing.T) {
	srv := NewServer(t)
	for _, name := range readers {
		contentType, body := multipartBody(t, part{name: "company_key", content: srv.CompanyKey}, part{"image", "scan.png", facePNG})
		assert.Regexp(t, `"requestId":"[0-9a-f]{32}"`, post(t, srv.WidgetURL+"/external-api/"+name, contentType, body).body, name)
	}
}

func TestCompareFacesAcceptsPNG(t *testing.T) {
	srv := NewServer(t)
	contentType, body := multipartBody(t, part{name: "companyKey", content: srv.CompanyKey},
		part{"face1", "1.png", facePNG}, part{"face2", "2.jpg", string(FaceJPEG(100, 100))})
	assert.JSONEq(t, `{"result":{"similarity":null,"face1Statuses":["FACE_FAR_AWAY"],"face2Statuses":[]}}`,
		post(t, srv.APIURL+"/compare-faces", contentType, body).body)
}

func TestDocumentReadersRefuse(t *testing.T) {
	srv := NewServer(t)
	key := part{name: "company_key", content: srv.CompanyKey}
	image := part{"image", "a.jpg", string(FaceJPEG(100, 100))}
	for _, name := range readers {
		for problem, parts := range map[string][]part{
			"no image":                    {key},
			"a misspelled image":          {key, {"file", "a.jpg", image.content}},
			"two images":                  {key, image, image},
			"an image that is a GIF":      {key, {"image", "a.gif", "GIF89a\x01\x00\x01\x00"}},
			"an image that is a PDF":      {key, {"image", "a.pdf", "%PDF-1.7\n"}},
			"an empty image":              {key, {"image", "a.jpg", ""}},
			"an image sent as text":       {key, {name: "image", content: image.content[:2]}},
			"text and file with one name": {key, {name: "image", content: "x"}, image},
			"the key after the image":     {image, key},
			"an unknown parameter":        {key, {name: "session_token", content: "x"}, image},
			"a duplicate key":             {key, key, image},
		} {
			contentType, body := multipartBody(t, parts...)
			assert.Equal(t, errWrong, post(t, srv.WidgetURL+"/external-api/"+name, contentType, body).body, "%s: %s", name, problem)
		}
		assert.Equal(t, errWrong, post(t, srv.WidgetURL+"/external-api/"+name, asForm, "company_key="+srv.CompanyKey+"&image=x").body)
		contentType, body := multipartBody(t, key, image)
		assert.Equal(t, errWrong, post(t, srv.WidgetURL+"/external-api/"+name, contentType, body[:len(body)-20]).body, "a truncated body")
	}
}

func TestLargeUpload(t *testing.T) {
	srv := NewServer(t)
	const size = 64 << 20
	head, tail := "--x\r\nContent-Disposition: form-data; name=\"company_key\"\r\n\r\n"+srv.CompanyKey+
		"\r\n--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n\xff\xd8\xff", "\r\n--x--\r\n"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.WidgetURL+"/external-api/passport/",
		io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, size), strings.NewReader(tail)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	assert.Contains(t, send(t, req).body, `"mrzData"`)
	recorded := srv.Requests()[0]
	assert.Equal(t, int64(size+3), recorded.Parameters["image"].(Upload).Size)
	assert.Equal(t, int64(len(head)+size+len(tail)), recorded.Size)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestCompareFaces(t *testing.T) {
	srv := NewServer(t)
	compare := func(face1, face2 []byte) string {
		contentType, body := multipartBody(t, part{name: "companyKey", content: srv.CompanyKey},
			part{"face1", "1.jpg", string(face1)}, part{"face2", "2.jpg", string(face2)})
		return post(t, srv.APIURL+"/compare-faces", contentType, body).body
	}
	near, other := FaceJPEG(300, 300), FaceJPEG(200, 240)
	assert.Equal(t, `{"result":{"similarity":0.9399788229619534,"face1Statuses":[],"face2Statuses":[]}}`, compare(near, other))
	assert.Equal(t, `{"result":{"similarity":1,"face1Statuses":[],"face2Statuses":[]}}`, compare(near, near))
	assert.Equal(t, `{"result":{"similarity":null,"face1Statuses":["FACE_FAR_AWAY"],"face2Statuses":[]}}`, compare(FaceJPEG(64, 300), near))
	assert.Equal(t, `{"result":{"similarity":null,"face1Statuses":[],"face2Statuses":["FACE_FAR_AWAY"]}}`, compare(near, FaceJPEG(20, 20)))
	assert.Equal(t, `{"result":{"similarity":0.9399788229619534,"face1Statuses":["FACE_FAR_AWAY"],"face2Statuses":[]}}`,
		compare(FaceJPEG(65, 79), near), "a status along with the similarity")

	contentType, body := multipartBody(t, part{name: "companyKey", content: srv.CompanyKey}, part{"face1", "1.jpg", string(near)})
	assert.Equal(t, errWrong, post(t, srv.APIURL+"/compare-faces", contentType, body).body)
}
