package identomattest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignatureVectors(t *testing.T) {
	assert.Equal(t, "IoeWASOLF5T0iE4HGWieg9mh5VHlSYYaeCHo1joy5VQ=", signBody("unit-test-secret", []byte(`{"company_key":"k"}`)))

	chain := newSigner("unit-test-secret")
	for _, part := range []string{"part-1", "part-2"} {
		chain.nextPart()
		_, _ = chain.Write([]byte(part))
	}
	assert.Equal(t, "jXb79C0zHeP4LddX3O3N6eAH2vYk7Sd7DW3mmpOf2Y8=", chain.sum())
}

func TestSignedRequest(t *testing.T) {
	srv := NewServer(t, RequireHMAC())
	body := `{"company_key":"` + srv.CompanyKey + `"}`
	req := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, body)
	req.Header.Set("Authorization", `signature="`+signBody(srv.SecretKey, []byte(body))+`"`)
	resp := send(t, req)
	require.Regexp(t, `^"[0-9a-z]{40}"$`, resp.body)
	assert.Equal(t, `signature="`+signBody(srv.SecretKey, []byte(resp.body))+`"`, resp.header.Get("Authorization"))

	recorded := srv.Requests()[0]
	assert.True(t, recorded.Signed)
	assert.True(t, recorded.SignatureValid)
}

func TestSignedMultipartRequest(t *testing.T) {
	srv := NewServer(t, RequireHMAC())
	image := string(FaceJPEG(100, 100))
	contentType, body := multipartBody(t, part{name: "company_key", content: srv.CompanyKey}, part{"image", "a.jpg", image})
	req := request(t, srv.WidgetURL+"/external-api/card/front/", contentType, body)
	chain := newSigner(srv.SecretKey)
	chain.nextPart()
	_, _ = chain.Write([]byte(srv.CompanyKey))
	chain.nextPart()
	_, _ = chain.Write([]byte(image))
	req.Header.Set("Authorization", `signature="`+chain.sum()+`"`)
	resp := send(t, req)
	assert.Contains(t, resp.body, `"Given_Names_en_US":"JOHN"`)
	assert.NotEmpty(t, resp.header.Get("Authorization"))
}

func TestWrongSignature(t *testing.T) {
	srv := NewServer(t, RequireHMAC())
	body := `{"company_key":"` + srv.CompanyKey + `"}`
	good := `signature="` + signBody(srv.SecretKey, []byte(body)) + `"`
	for name, header := range map[string]string{
		"none":               "",
		"for another body":   `signature="` + signBody(srv.SecretKey, []byte("{}")) + `"`,
		"with another key":   `signature="` + signBody("x", []byte(body)) + `"`,
		"without its quotes": `signature=` + signBody(srv.SecretKey, []byte(body)),
		"in another scheme":  `Bearer ` + good,
		"the digest in hex":  `signature="2287960123"`,
	} {
		req := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, body)
		if header != "" {
			req.Header["Authorization"] = []string{header}
		}
		resp := send(t, req)
		assert.Equal(t, `"COMPANY_KEY_INVALID"`, resp.body, name)
		assert.Empty(t, resp.header.Get("Authorization"), name)
	}

	search := `{"companyKey":"` + srv.CompanyKey + `"}`
	resp := post(t, srv.APIURL+"/search-screening-person", asJSON, search)
	assert.Equal(t, `{"argumentError":"access-denied"}`, resp.body)
}

func TestRefusalIsNotSigned(t *testing.T) {
	srv := NewServer(t)
	body := `{"companyKey":"` + srv.CompanyKey + `","sessionId":"none"}`
	req := request(t, srv.APIURL+"/list-session-activities", asJSON, body)
	req.Header.Set("Authorization", `signature="`+signBody(srv.SecretKey, []byte(body))+`"`)
	resp := send(t, req)
	assert.Equal(t, `{"argumentError":"session-not-found"}`, resp.body)
	assert.Empty(t, resp.header.Get("Authorization"))
}

func TestOptionalSignature(t *testing.T) {
	srv := NewServer(t)
	body := `{"company_key":"` + srv.CompanyKey + `"}`
	resp := post(t, srv.WidgetURL+"/external-api/begin/", asJSON, body)
	assert.Equal(t, http.StatusOK, resp.status)
	assert.Empty(t, resp.header.Get("Authorization"), "an unsigned request gets an unsigned response")

	req := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, body)
	req.Header.Set("Authorization", `signature="wrong"`)
	assert.Equal(t, `"COMPANY_KEY_INVALID"`, send(t, req).body)
}

// The signature covers only the body.
func TestSignatureDoesNotCoverURL(t *testing.T) {
	srv := NewServer(t, RequireHMAC())
	body := `{"company_key":"` + srv.CompanyKey + `"}`
	for query, body := range map[string]string{"?name=x": body, "?company_key=" + srv.CompanyKey: ""} {
		req := request(t, srv.WidgetURL+"/external-api/begin/"+query, asJSON, body)
		req.Header.Set("Authorization", `signature="`+signBody(srv.SecretKey, []byte(body))+`"`)
		assert.Equal(t, `"COMPANY_KEY_INVALID"`, send(t, req).body, query)
	}
}
