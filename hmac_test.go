package identomat_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// signedBy sends req through a signing transport. It returns the request and the body that the base
// transport receives.
func signedBy(t *testing.T, secret string, req *http.Request, opts ...identomat.HMACOption) (*http.Request, []byte) {
	t.Helper()
	var got *http.Request
	var body []byte
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		got = r
		if r.Body != nil {
			var err error
			body, err = io.ReadAll(r.Body)
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
		}
		return newResponse(200, ""), nil
	})
	resp, err := identomat.NewHMACTransport(secret, base, opts...).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return got, body
}

func post(t *testing.T, contentType string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://widget.identomat.com/external-api/begin/", body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	return req
}

func TestHMACBody(t *testing.T) {
	req := post(t, "application/json", strings.NewReader(`{"company_key":"k"}`))
	got, body := signedBy(t, "unit-test-secret", req)
	assert.Equal(t, []string{`signature="IoeWASOLF5T0iE4HGWieg9mh5VHlSYYaeCHo1joy5VQ="`}, got.Header["Authorization"])
	assert.Equal(t, "identity", got.Header.Get("Accept-Encoding"))
	assert.Equal(t, `{"company_key":"k"}`, string(body))
	assert.Empty(t, req.Header.Get("Authorization"), "the caller's request must not change")
}

func TestHMACMultipart(t *testing.T) {
	body := "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\npart-1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: image/png\r\n\r\npart-2\r\n--b--\r\n"
	got, sent := signedBy(t, "unit-test-secret", post(t, `multipart/form-data; boundary=b`, strings.NewReader(body)))
	assert.Equal(t, `signature="jXb79C0zHeP4LddX3O3N6eAH2vYk7Sd7DW3mmpOf2Y8="`, got.Header.Get("Authorization"))
	assert.Equal(t, body, string(sent))
}

func TestWithMultipartDigest(t *testing.T) {
	got, _ := signedBy(t, "s", post(t, `multipart/form-data; boundary=b`, strings.NewReader("--b\r\n\r\nx\r\n--b--\r\n")),
		identomat.WithMultipartDigest(func(secret []byte, parts *multipart.Reader) ([]byte, error) {
			part, err := parts.NextPart()
			require.NoError(t, err)
			content, err := io.ReadAll(part)
			digest := sha256.Sum256(append(secret, content...))
			return digest[:], err
		}))
	want := sha256.Sum256([]byte("sx"))
	assert.Equal(t, `signature="`+base64.StdEncoding.EncodeToString(want[:])+`"`, got.Header.Get("Authorization"))
}

func TestHMACNeverSendsSecretAsSignature(t *testing.T) {
	key32 := strings.Repeat("k", 32)
	transport := func(secret string, opts ...identomat.HMACOption) http.RoundTripper {
		return identomat.NewHMACTransport(secret, roundTrip(func(r *http.Request) (*http.Response, error) {
			t.Errorf("sent with %s", r.Header.Get("Authorization"))
			return nil, io.EOF
		}), opts...)
	}
	const form = "multipart/form-data; boundary=B"
	for _, body := range []string{
		"--B--\r\n", "", "--C\r\n\r\nx\r\n--C--\r\n",
		"--B\r\n\r\nx", "--B\r\n\r\nx\r\n--B\r\n\r\ny", "--B\r\n\r\nx\r\n--B", "--B\r\n\r\nx\r\n--B\r\nContent-Di", // truncated
	} {
		for _, secret := range []string{key32, secretKey} {
			_, err := transport(secret).RoundTrip(post(t, form, strings.NewReader(body)))
			require.Error(t, err, body)
			assert.NotContains(t, err.Error(), secret)
		}
	}
	for _, digest := range []string{key32, "", strings.Repeat("x", 31), strings.Repeat("x", 33)} {
		fixed := identomat.WithMultipartDigest(func([]byte, *multipart.Reader) ([]byte, error) { return []byte(digest), nil })
		_, err := transport(key32, fixed).RoundTrip(post(t, form, strings.NewReader("--B\r\n\r\nx\r\n--B--\r\n")))
		require.ErrorContains(t, err, "not an HMAC-SHA-256", digest)
	}
	_, err := transport("").RoundTrip(post(t, "application/json", strings.NewReader("{}")))
	require.ErrorContains(t, err, "secret key is empty")
}

func TestHMACReplacesAuthorization(t *testing.T) {
	req := post(t, "application/json", strings.NewReader("{}"))
	req.Header["authorization"] = []string{"Bearer x"}
	got, _ := signedBy(t, "s", req)
	assert.Equal(t, []string{sign("s", "{}")}, got.Header["Authorization"])
	assert.NotContains(t, got.Header, "authorization")
}

func TestHMACBodyWithoutGetBody(t *testing.T) {
	transport := identomat.NewHMACTransport("s", roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return nil, io.EOF
	}))
	for _, contentType := range []string{"application/json", "multipart/form-data; boundary=b"} {
		_, err := transport.RoundTrip(post(t, contentType, io.MultiReader(strings.NewReader("{}"))))
		require.ErrorContains(t, err, "GetBody")
	}
}

func TestHMACNilBody(t *testing.T) {
	got, _ := signedBy(t, "s", post(t, "application/json", nil))
	assert.Equal(t, sign("s", ""), got.Header.Get("Authorization"))
}

func TestHMACRedirectToOtherOrigin(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request followed the redirect") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	client := &http.Client{Transport: identomat.NewHMACTransport("s", nil)}
	defer client.CloseIdleConnections()
	resp, err := client.Post(server.URL, "application/json", strings.NewReader("{}"))
	if err == nil {
		resp.Body.Close()
	}
	require.ErrorContains(t, err, "another origin")
}

func TestHMACOriginIncludesScheme(t *testing.T) {
	transport := identomat.NewHMACTransport("s", roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return nil, io.EOF
	}))
	req := post(t, "application/json", strings.NewReader("{}"))
	before := *req.URL
	before.Scheme = map[string]string{"http": "https", "https": "http"}[before.Scheme]
	req.Response = &http.Response{Request: &http.Request{URL: &before}}
	_, err := transport.RoundTrip(req)
	require.ErrorContains(t, err, "another origin")
}

func TestSignedResponses(t *testing.T) {
	const body = `{"result":"approved"}`
	errorBody := `{"argumentError":"session-not-found"}`
	for name, c := range map[string]struct {
		status    int
		body      string
		signature string
		required  bool
		want      error
	}{
		"signed":                     {200, body, sign(secretKey, body), false, nil},
		"signed and required":        {200, body, sign(secretKey, body), true, nil},
		"byte order mark is signed":  {200, "\ufeff" + body, sign(secretKey, "\ufeff"+body), true, nil},
		"byte order mark not signed": {200, "\ufeff" + body, sign(secretKey, body), true, identomat.ErrSignatureMismatch},
		"unsigned":                   {200, body, "", false, nil},
		"unsigned but required":      {200, body, "", true, identomat.ErrSignatureMismatch},
		"wrong secret":               {200, body, sign("x", body), false, identomat.ErrSignatureMismatch},
		"wrong body":                 {200, body, sign(secretKey, body+" "), true, identomat.ErrSignatureMismatch},
		"not base64":                 {200, body, `signature="%%%"`, false, identomat.ErrSignatureMismatch},
		"no quotes":                  {200, body, sign(secretKey, body)[10:], false, identomat.ErrSignatureMismatch},
		"no prefix":                  {200, body, sign(secretKey, body)[11:], false, identomat.ErrSignatureMismatch},
		"empty signature":            {200, body, `signature=""`, false, identomat.ErrSignatureMismatch},
		"error unsigned":             {200, errorBody, "", true, identomat.ErrSessionNotFound},
		"error with wrong signature": {200, errorBody, sign("x", errorBody), false, identomat.ErrSignatureMismatch},
		"error with right signature": {200, errorBody, sign(secretKey, errorBody), true, identomat.ErrSessionNotFound},
		"status 404 unsigned":        {404, errorBody, "", true, identomat.ErrSessionNotFound},
		"page unsigned but required": {200, "<html>", "", true, identomat.ErrSignatureMismatch},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/chunked=%t", name, chunked), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					sent, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					assert.Equal(t, sign(secretKey, string(sent)), r.Header.Get("Authorization"))
					if c.signature != "" {
						w.Header().Set("Authorization", c.signature)
					}
					w.WriteHeader(c.status)
					if chunked {
						_ = http.NewResponseController(w).Flush()
					}
					_, _ = io.WriteString(w, c.body)
				}))
				defer server.Close()
				var signing []identomat.HMACOption
				if c.required {
					signing = append(signing, identomat.RequireSignedResponses())
				}
				result, err := clientFor(t, server.URL, identomat.WithHMAC(secretKey, signing...)).Sessions.Result(t.Context(), token)
				if c.want == nil {
					require.NoError(t, err)
					assert.True(t, result.Approved())
					return
				}
				require.ErrorIs(t, err, c.want)
				assert.Nil(t, result)
				assert.False(t, c.want != identomat.ErrSignatureMismatch && errors.Is(err, identomat.ErrSignatureMismatch))
				var api *identomat.APIError
				require.ErrorAs(t, err, &api)
				assert.Empty(t, api.Sample, "nothing of a response that cannot be trusted is shown")
			})
		}
	}
}

func TestHMACTransportMismatchPersists(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Authorization", sign("x", "forged"))
		_, _ = io.WriteString(w, "forged")
	}))
	defer server.Close()
	client := &http.Client{Transport: identomat.NewHMACTransport(secretKey, nil)}
	defer client.CloseIdleConnections()
	resp, err := client.Post(server.URL, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	assert.Equal(t, "forged", string(data))
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	_, err = resp.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
}

func TestDuplicateSignature(t *testing.T) {
	const body = `{"result":"approved"}`
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		resp := newResponse(200, body)
		resp.Header["Authorization"] = []string{sign(secretKey, body), sign("x", body)}
		return resp, nil
	}, identomat.WithHMAC(secretKey))
	require.ErrorIs(t, getResult(client, t.Context()), identomat.ErrSignatureMismatch)
}

func TestSignatureComparesEveryByte(t *testing.T) {
	const body = `{"result":"approved"}`
	right := hmac.New(sha256.New, []byte(secretKey))
	right.Write([]byte(body))
	for i := range sha256.Size {
		wrong := right.Sum(nil)
		wrong[i] ^= 1
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return newResponse(200, body, "Authorization", `signature="`+base64.StdEncoding.EncodeToString(wrong)+`"`), nil
		}, identomat.WithHMAC(secretKey))
		require.ErrorIs(t, getResult(client, t.Context()), identomat.ErrSignatureMismatch)
	}
}

func TestUnsignedErrorResponseIsNotMismatch(t *testing.T) {
	client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(502, "<html>"), nil },
		identomat.WithHMAC(secretKey, identomat.RequireSignedResponses()), quick)
	err := begin(client, t.Context())
	require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	require.NotErrorIs(t, err, identomat.ErrSignatureMismatch)
}

func TestEveryAttemptIsSigned(t *testing.T) {
	var signatures []string
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Equal(t, sign(secretKey, string(body)), r.Header.Get("Authorization"))
		signatures = append(signatures, r.Header.Get("Authorization"))
		return newResponse(500, ""), nil
	}, identomat.WithHMAC(secretKey), quick)
	require.Error(t, getResult(client, t.Context()))
	assert.Len(t, signatures, 3)
}

func TestHMACTransportMasksSecret(t *testing.T) {
	client := &http.Client{Transport: identomat.NewHMACTransport(secretKey, nil)}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %#v", client, client.Transport, client, client.Transport), secretKey)
}

func TestHMACNilResponseOrBody(t *testing.T) {
	for name, rt := range map[string]roundTrip{
		"no response": func(*http.Request) (*http.Response, error) { return nil, nil },
		"no body":     func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil },
		"signature without body": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Authorization": {`signature="` + strings.Repeat("A", 43) + `="`}}}, nil
		},
	} {
		client := stubbed(t, rt, quick, identomat.WithHMAC(secretKey, identomat.RequireSignedResponses()))
		assert.NotPanics(t, func() { assert.Error(t, begin(client, t.Context()), name) }, name)
		assert.NotPanics(t, func() { _, err := client.Media.FaceVideo(t.Context(), token); assert.Error(t, err, name) }, name)
	}
}

// FuzzMultipartSignature checks the signature of a multipart body. The transport parses the body unless
// it is an upload by the SDK.
func FuzzMultipartSignature(f *testing.F) {
	f.Add("part-1", "part-2")
	f.Add("", "\r\n--b")
	f.Add("\r\n", "\xff\xd8\xff\xe0 JPEG")
	f.Fuzz(func(t *testing.T, one, two string) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		require.NoError(t, w.WriteField("company_key", one))
		file, err := w.CreateFormFile("image", "image.jpg")
		require.NoError(t, err)
		_, _ = io.WriteString(file, two)
		require.NoError(t, w.Close())
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://x.example", bytes.NewReader(body.Bytes()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", w.FormDataContentType())
		got, sent := signedBy(t, secretKey, req)
		assert.Equal(t, sign(secretKey, one, two), got.Header.Get("Authorization"))
		assert.Equal(t, body.Bytes(), sent)

		if two == "" {
			return // an empty image is rejected
		}
		client := stubbed(t, func(r *http.Request) (*http.Response, error) {
			parts := partsOf(t, r)
			require.Len(t, parts, 2)
			require.Equal(t, []string{companyKey, two}, []string{parts[0].content, parts[1].content})
			require.Equal(t, sign(secretKey, companyKey, two), r.Header.Get("Authorization"))
			return newResponse(200, documentResponse, "Authorization", sign(secretKey, one)), nil
		}, identomat.WithHMAC(secretKey))
		_, err = client.Documents.Passport(context.Background(), identomat.FileFromBytes([]byte(two)))
		if one == documentResponse {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
		}
	})
}

func TestHMACRefusesNilOption(t *testing.T) {
	_, err := identomat.NewClient(companyKey, identomat.WithHMAC(secretKey, nil))
	assert.EqualError(t, err, "identomat: WithHMAC: an option is nil")
}
