package identomat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

type documentCall struct {
	path, sample string
	call         func(*identomat.Client, context.Context, identomat.File) (*identomat.Document, error)
}

var documentCalls = []documentCall{
	{"card/front/", "card-front-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.CardFront(ctx, f)
	}},
	{"card/back/", "card-back-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.CardBack(ctx, f)
	}},
	{"license/front/", "license-front-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.LicenseFront(ctx, f)
	}},
	{"license/back/", "license-back-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.LicenseBack(ctx, f)
	}},
	{"residence/front/", "residence-front-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.ResidenceFront(ctx, f)
	}},
	{"residence/back/", "residence-back-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.ResidenceBack(ctx, f)
	}},
	{"passport/", "passport-default.json", func(c *identomat.Client, ctx context.Context, f identomat.File) (*identomat.Document, error) {
		return c.Documents.Passport(ctx, f)
	}},
}

func TestDocumentRequestsAndSamples(t *testing.T) {
	for _, c := range documentCalls {
		text := sample(t, c.sample)
		document, err := c.call(stubbed(t, func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, "POST https://widget.identomat.com/external-api/"+c.path, r.Method+" "+r.URL.String())
			assert.Equal(t, []part{{"company_key", "", "", companyKey}, {"image", "image.jpg", "image/jpeg", picture(3000)}}, partsOf(t, r))
			return newResponse(200, text), nil
		}), t.Context(), image())
		require.NoError(t, err, c.path)
		assert.Equal(t, text, string(document.Raw()))
		assert.Empty(t, document.Extra())
		assert.NotEmpty(t, document.RequestID)
		assert.NotContains(t, document.Fields, "person")

		// Every value in the sample must reach a field.
		original := typedDocument(document)
		var whole any
		require.NoError(t, json.Unmarshal([]byte(text), &whole))
		leaves := 0
		eachLeaf(whole, "$", func(path string, set func(any), old any) {
			leaves++
			set(other(old))
			changed, err := json.Marshal(whole)
			require.NoError(t, err)
			set(old)
			assert.NotEqual(t, original, typedDocument(read[*identomat.Document](t, string(changed))), "%s: %s is dropped", c.sample, path)
		})
		assert.Greater(t, leaves, 2)
	}
}

// typedDocument returns everything in the exported fields of a document, as text.
func typedDocument(d *identomat.Document) string {
	return typed(&identomat.Result{Person: d.Person, IDCardFront: d.Fields, IDCardBack: d.MRZData}) +
		typed(&identomat.Result{IDCardFront: d.VisualData}) + d.RequestID
}

func TestDocumentFields(t *testing.T) {
	passport := read[identomat.Document](t, sample(t, "passport-default.json"))
	assert.Empty(t, passport.Fields)
	assert.Equal(t, "DOE", passport.MRZData.Text(identomat.DocFieldSurname))
	assert.Equal(t, "NEW YORK", passport.VisualData.Text(identomat.DocFieldPlaceOfBirth))
	assert.Equal(t, "FIELDS_MISMATCH", passport.Person.Status)
	assert.Equal(t, "1234567890abcdef1234567890abcdef", passport.RequestID)
	license := read[identomat.Document](t, sample(t, "license-front-default.json"))
	assert.Equal(t, "დო", license.Fields.TextIn(identomat.DocFieldSurname, "ka_GE"))
	assert.Nil(t, license.MRZData)

	coerced := read[identomat.Document](t, `{"Surname_en_US":"DOE","age":4,"person":{"phone":"+1","eye_color":"green","age":"4"},"mrzData":[],"requestId":7}`)
	assert.Equal(t, "DOE", coerced.Fields.Text(identomat.DocFieldSurname))
	assert.Equal(t, "+1", coerced.Person.PhoneNumber)
	assert.Equal(t, "7", coerced.RequestID)
	assert.Equal(t, map[string]json.RawMessage{"person.eye_color": json.RawMessage(`"green"`)}, coerced.Extra())
	assert.Empty(t, read[identomat.Document](t, `{"requestId":"1"}`).Fields)
	for _, text := range []string{`{"person":{"first_name":"JOHN"}}`, ` {"p\u0065rson" : {"first_name":"JOHN"}}`, `{"person":{"first_name":"JOHN"},"requestId":null}`} {
		document := read[identomat.Document](t, text)
		assert.Equal(t, "JOHN", document.Person.FirstName, "a document with nothing but a person must be accepted")
		assert.Empty(t, document.Fields)
	}
	escaped := read[identomat.Document](t, `{"requestId":"1","\u0053urname_en_US":"DOE","mrzData":{"a":[{"b":"}"}]}}`)
	assert.Equal(t, identomat.DocumentFields{"Surname_en_US": escaped.Fields["Surname_en_US"]}, escaped.Fields)
	assert.Equal(t, "DOE", escaped.Fields.Text(identomat.DocFieldSurname))
}

func TestCompareFacesRequestAndSamples(t *testing.T) {
	compareWith := func(text string) (*identomat.FaceComparison, error) {
		return stubbed(t, func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, "POST https://external-api.identomat.com/compare-faces", r.Method+" "+r.URL.String())
			assert.Equal(t, []part{{"companyKey", "", "", companyKey}, {"face1", "face1.jpg", "image/jpeg", picture(3000)}, {"face2", "face2.png", "image/png", png}}, partsOf(t, r))
			return newResponse(200, text), nil
		}).Documents.CompareFaces(t.Context(), image(), identomat.FileFromBytes([]byte(png)))
	}
	same, err := compareWith(sample(t, "compare-faces-default.json"))
	require.NoError(t, err)
	assert.InDelta(t, 0.9399788229619535, *same.Similarity, 0)
	assert.Empty(t, same.Face1Statuses)

	far, err := compareWith(sample(t, "compare-faces-error.json"))
	require.NoError(t, err, "a comparison without a similarity must not be an error")
	assert.Nil(t, far.Similarity)
	assert.Equal(t, []identomat.ImageCode{identomat.ImageFaceFarAway}, far.Face1Statuses)
	assert.Empty(t, far.Face2Statuses)
	assert.JSONEq(t, `{"similarity":null,"face1Statuses":["FACE_FAR_AWAY"],"face2Statuses":[]}`, string(far.Raw()))

	for text, want := range map[string]float64{`0`: 0, `0.0`: 0, `1`: 1, `1e-3`: 0.001} {
		got, err := compareWith(`{"result":{"similarity":` + text + `}}`)
		require.NoError(t, err)
		require.NotNil(t, got.Similarity, "a similarity of 0 must not become nil")
		assert.InDelta(t, want, *got.Similarity, 0)
	}
	for _, name := range []string{"compare-faces-default.json", "compare-faces-error.json"} {
		show := func(text string) string {
			c, err := compareWith(text)
			if err != nil {
				return err.Error()
			}
			shown, err := json.Marshal([]any{c.Similarity, c.Face1Statuses, c.Face2Statuses})
			require.NoError(t, err)
			return string(shown)
		}
		var whole any
		require.NoError(t, json.Unmarshal([]byte(sample(t, name)), &whole))
		original := show(sample(t, name))
		eachLeaf(whole, "$", func(path string, set func(any), old any) {
			set(other(old))
			changed, err := json.Marshal(whole)
			require.NoError(t, err)
			set(old)
			assert.NotEqual(t, original, show(string(changed)), path)
		})
	}
	for _, text := range []string{
		`{"result":{}}`, `{"result":[]}`, `{"result":{"face1Statuses":[]}}`, `{"result":{"similarity":true}}`,
		`{"result":{"similarity":[]}}`, `{"result":"x"}`, `{"result":0.9}`, `{"result":null}`, `{"similarity":0.9}`, `{}`, `0.9`, `[]`,
	} {
		_, err := compareWith(text)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, text)
	}
}

func TestDocumentErrors(t *testing.T) {
	for text, want := range map[string]error{
		`"SESSION_NOT_FOUND"`: identomat.ErrSessionNotFound, `{"argumentError":"invalid-access"}`: identomat.ErrInvalidKey, `"COMPANY_KEY_INVALID"`: identomat.ErrInvalidKey,
		`{"internalError":"x"}`: identomat.ErrInternal, `{}`: identomat.ErrUnexpectedResponse, `[]`: identomat.ErrUnexpectedResponse, `null`: identomat.ErrUnexpectedResponse,
		`true`: identomat.ErrUnexpectedResponse, ``: identomat.ErrUnexpectedResponse, `<html>`: identomat.ErrUnexpectedResponse, `{"status":"ok"}`: identomat.ErrUnexpectedResponse,
		`"` + string(token) + `"`: identomat.ErrImageRefused, jpeg: identomat.ErrUnexpectedResponse, `{"requestId":"1"`: identomat.ErrUnexpectedResponse,
	} {
		for _, c := range documentCalls {
			document, err := c.call(responding(t, 200, text, false), t.Context(), image())
			require.ErrorIs(t, err, want, "%s %s", c.path, text)
			assert.Nil(t, document)
		}
		_, err := responding(t, 200, text, false).Documents.CompareFaces(t.Context(), image(), image())
		require.ErrorIs(t, err, want, text)
	}
}

// The API reference says that document endpoints respond with "either a string with an error code or an
// object", but lists no codes.
func TestImageRefused(t *testing.T) {
	for text, code := range map[string]string{
		`"DOCUMENT_BLURRY"`: "DOCUMENT_BLURRY", `"documentNotReadable"`: "documentNotReadable", `"blurry"`: "blurry", `"1001"`: "1001", `"NO_DOCUMENT_ON_IMAGE"`: "NO_DOCUMENT_ON_IMAGE",
		`"The image of John Smith is blurry"`: "",
	} {
		for _, c := range documentCalls {
			_, err := c.call(responding(t, 200, text, false), t.Context(), image())
			require.ErrorIs(t, err, identomat.ErrImageRefused, "%s %s", c.path, text)
			var api *identomat.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, code, api.Code)
			assert.True(t, api.MaybeProcessed, "a refused image may be billed")
			assert.NotContains(t, err.Error(), "John")
		}
		_, err := responding(t, 200, text, false).Documents.CompareFaces(t.Context(), image(), image())
		require.ErrorIs(t, err, identomat.ErrImageRefused, text)
	}
}

// TestImageCodeSpellings responds with every code in four spellings.
func TestImageCodeSpellings(t *testing.T) {
	source, err := os.ReadFile("documents.go")
	require.NoError(t, err)
	constants := regexp.MustCompile(`ImageCode = "(\w+)"`).FindAllSubmatch(source, -1)
	require.Len(t, constants, 31)
	for _, match := range constants {
		code := string(match[1])
		lower := strings.ToLower(code)
		for _, spelling := range []string{code, lower, strings.ReplaceAll(lower, "_", "-"), strings.ReplaceAll(code, "_", "")} {
			_, err := responding(t, 200, `"`+spelling+`"`, false).Documents.Passport(t.Context(), image())
			var api *identomat.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, identomat.ImageCode(code), api.ImageCode(), spelling)
			assert.Equal(t, spelling, api.Code)
		}
	}
}

func TestImageCodeOfOtherErrors(t *testing.T) {
	for text, want := range map[string]identomat.ImageCode{
		`"documentNotReadable"`: identomat.ImageDocumentNotReadable, `"blurry"`: "blurry", `"1001"`: "1001",
		`"The image of John Smith is blurry"`: "", `"wrong-parameters"`: "", `{"argumentError":"DOCUMENT_BLURRY"}`: "", `<html>`: "",
	} {
		_, err := responding(t, 200, text, false).Documents.Passport(t.Context(), image())
		var api *identomat.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, want, api.ImageCode(), text)
	}
}

// arrival is the part of an upload that the server received.
type arrival struct {
	contentLength int64
	body          []byte
	err           error
}

// TestUploadAbortedWhenFileFails checks what the server receives: fewer bytes than
// Content-Length announces and no closing boundary, so that the server cannot take a truncated
// upload for a complete one.
func TestUploadAbortedWhenFileFails(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		arrivals := make(chan arrival, 10)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			arrivals <- arrival{r.ContentLength, body, err}
			_, _ = io.WriteString(w, documentResponse)
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		client := clientFor(t, server.URL, identomat.WithHTTPClient(server.Client()))
		broken := errors.New("disk on fire")
		data := picture(300_000)
		for name, c := range map[string]struct {
			file identomat.File
			want error
		}{
			"read fails":          {identomat.FileFromReader(onlyReader{io.MultiReader(strings.NewReader(data), iotest.ErrReader(broken))}, 400_000), broken},
			"last read fails":     {identomat.FileFromReader(onlyReader{io.MultiReader(strings.NewReader(data), iotest.ErrReader(broken))}, 300_000), broken},
			"too short":           {identomat.FileFromReader(onlyReader{strings.NewReader(data)}, 300_001), nil},
			"too long":            {identomat.FileFromReader(onlyReader{strings.NewReader(data)}, 299_999), nil},
			"too short, seekable": {identomat.FileFromReader(strings.NewReader(data), 300_001), nil},
			"too long, seekable":  {identomat.FileFromReader(strings.NewReader(data), 299_999), nil},
			"grows":               {changing(data, data+"x"), nil},
			"shrinks":             {changing(data, data[1:]), nil},
		} {
			_, err := client.Documents.Passport(t.Context(), c.file)
			var failed *identomat.TransportError
			require.ErrorAs(t, err, &failed, name)
			assert.Equal(t, 1, failed.Attempts, "the upload must not be retried")
			assert.False(t, failed.MaybeProcessed, name)
			assert.Contains(t, err.Error(), "reading the file to upload")
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			got := <-arrivals
			require.Error(t, got.err, name)
			assert.Less(t, int64(len(got.body)), got.contentLength, name)
			assert.NotContains(t, string(got.body), "--\r\n", name)
		}
		server.Close()
	}
}

// changing returns a file whose content changes after it is opened once.
func changing(before, after string) identomat.File {
	content := before
	return identomat.FileFromOpen(func() (io.ReadCloser, int64, error) {
		now := content
		content = after
		return io.NopCloser(strings.NewReader(now)), int64(len(now)), nil
	})
}

func TestBillableCallLostResponseSentOnce(t *testing.T) {
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		hangUp(w, r)
	}))
	defer server.Close()
	client := clientFor(t, server.URL)
	for _, c := range documentCalls {
		sent.Store(0)
		_, err := c.call(client, t.Context(), image())
		var lost *identomat.TransportError
		require.ErrorAs(t, err, &lost)
		assert.True(t, lost.MaybeProcessed)
		assert.EqualValues(t, 1, sent.Load(), c.path)
	}
	sent.Store(0)
	_, err := client.Documents.CompareFaces(t.Context(), image(), image())
	require.Error(t, err)
	assert.EqualValues(t, 1, sent.Load())
}

func TestUploadRetriedIfNotProcessed(t *testing.T) {
	for _, secret := range []string{"", secretKey} {
		var opts []identomat.Option
		if secret != "" {
			opts = append(opts, identomat.WithHMAC(secret))
		}
		dials := 0
		refuse := func(r *http.Request) (*http.Response, error) {
			if dials++; dials < 3 {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
			}
			parts := partsOf(t, r)
			if secret != "" {
				assert.Equal(t, sign(secret, parts[0].content, parts[1].content), r.Header.Get("Authorization"))
			}
			return newResponse(200, documentResponse), nil
		}
		_, err := stubbed(t, refuse, append(opts, quick)...).Documents.Passport(t.Context(), image())
		require.NoError(t, err)
		assert.Equal(t, 3, dials)

		limited := 0
		_, err = stubbed(t, func(r *http.Request) (*http.Response, error) {
			partsOf(t, r)
			if limited++; limited == 1 {
				return newResponse(429, ""), nil
			}
			return newResponse(200, documentResponse), nil
		}, append(opts, quick)...).Documents.Passport(t.Context(), image())
		require.NoError(t, err)
		assert.Equal(t, 2, limited)
	}
	// A file that can be read only once must not be sent twice.
	for name, fail := range map[string]roundTrip{
		"refused": func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		},
		"limited": func(*http.Request) (*http.Response, error) { return newResponse(429, ""), nil },
	} {
		sent := 0
		_, err := stubbed(t, func(r *http.Request) (*http.Response, error) { sent++; return fail(r) }, quick).
			Documents.Passport(t.Context(), identomat.FileFromReader(onlyReader{strings.NewReader(picture(3000))}, 3000))
		require.Error(t, err)
		assert.Equal(t, 1, sent, name)
	}
}

// counted returns a file that counts how often it is opened and closed.
func counted(data string, opened, closed *int) identomat.File {
	return identomat.FileFromOpen(func() (io.ReadCloser, int64, error) {
		*opened++
		return &countedFile{strings.NewReader(data), closed}, int64(len(data)), nil
	})
}

type countedFile struct {
	io.Reader
	closed *int
}

func (f *countedFile) Close() error { *f.closed++; return nil }

func TestSignedUploadOpensAndClosesFile(t *testing.T) {
	data := picture(100_000)
	opened, closed := 0, 0
	var signature string
	var parts []part
	_, err := stubbed(t, func(r *http.Request) (*http.Response, error) {
		signature = r.Header.Get("Authorization")
		parts = partsOf(t, r)
		return newResponse(200, documentResponse), nil
	}, identomat.WithHMAC(secretKey)).Documents.Passport(t.Context(), counted(data, &opened, &closed))
	require.NoError(t, err)
	assert.Equal(t, sign(secretKey, companyKey, data), signature, "the company key is signed before the image")
	assert.Equal(t, data, parts[1].content)
	assert.Equal(t, 3, opened, "the file is opened to inspect, to sign and to send it")
	assert.Equal(t, opened, closed)

	_, err = stubbed(t, func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, sign(secretKey, companyKey, data, png), r.Header.Get("Authorization"))
		partsOf(t, r)
		return newResponse(200, sample(t, "compare-faces-default.json")), nil
	}, identomat.WithHMAC(secretKey)).Documents.CompareFaces(t.Context(), identomat.FileFromBytes([]byte(data)), identomat.FileFromReader(strings.NewReader(png), int64(len(png))))
	require.NoError(t, err)

	opened, closed = 0, 0
	_, err = stubbed(t, func(r *http.Request) (*http.Response, error) {
		_, _ = io.CopyN(io.Discard, r.Body, 5000)
		_ = r.Body.Close()
		return nil, errors.New("reset")
	}).Documents.Passport(t.Context(), counted(data, &opened, &closed))
	require.Error(t, err)
	assert.Equal(t, 2, opened)
	assert.Equal(t, opened, closed)
}

func TestFileFailureWhileSigningSendsNothing(t *testing.T) {
	_, err := stubbed(t, func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF }, identomat.WithHMAC(secretKey)).
		Documents.Passport(t.Context(), identomat.FileFromReader(strings.NewReader(picture(3000)), 3001))
	var failed *identomat.TransportError
	require.ErrorAs(t, err, &failed)
	assert.False(t, failed.MaybeProcessed)
}

func TestUploadTimesOutOnlyWhenStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(pause time.Duration) roundTrip {
			return func(r *http.Request) (*http.Response, error) {
				for buf := make([]byte, 1000); ; {
					if _, err := r.Body.Read(buf); err == io.EOF {
						return newResponse(200, documentResponse), nil
					} else if err != nil {
						return nil, err
					}
					select {
					case <-r.Context().Done():
						return nil, r.Context().Err()
					case <-time.After(pause):
					}
				}
			}
		}
		long := identomat.FileFromBytes([]byte(picture(48_000)))
		start := time.Now()
		_, err := stubbed(t, slow(9*time.Second), identomat.WithAttemptTimeout(10*time.Second)).Documents.Passport(t.Context(), long)
		require.NoError(t, err)
		assert.Greater(t, time.Since(start), 400*time.Second)

		start = time.Now()
		_, err = stubbed(t, slow(time.Hour), identomat.WithAttemptTimeout(10*time.Second)).Documents.Passport(t.Context(), image())
		var stalled *identomat.TransportError
		require.ErrorAs(t, err, &stalled)
		assert.True(t, stalled.Timeout())
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.True(t, stalled.MaybeProcessed)

		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err = stubbed(t, slow(9*time.Second), identomat.WithAttemptTimeout(10*time.Second)).Documents.Passport(ctx, image())
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestUploadEvent(t *testing.T) {
	var events []identomat.Event
	var length int64
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		length = r.ContentLength
		partsOf(t, r)
		return newResponse(200, documentResponse), nil
	}, identomat.WithObserver(func(e identomat.Event) { events = append(events, e) }))
	_, err := client.Documents.Passport(t.Context(), image())
	require.NoError(t, err)
	require.Len(t, events, 1)
	assert.Equal(t, []any{"passport/", 1, 200, length, int64(len(documentResponse))}, []any{events[0].Operation, events[0].Attempt, events[0].StatusCode, events[0].BytesSent, events[0].BytesReceived})
}

// TestUploadBytes checks one complete request byte by byte.
func TestUploadBytes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var raw bytes.Buffer
		r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		got <- raw.String()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "+fmt.Sprint(len(documentResponse))+"\r\n\r\n"+documentResponse)
	}()
	_, err = clientFor(t, "http://"+listener.Addr().String()).Documents.CardFront(t.Context(), identomat.FileFromBytes([]byte(png)))
	require.NoError(t, err)
	raw := <-got
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	_, boundary, _ := strings.Cut(head, "multipart/form-data; boundary=")
	boundary, _, _ = strings.Cut(boundary, "\r\n")
	assert.Equal(t, "--"+boundary+"\r\nContent-Disposition: form-data; name=\"company_key\"\r\n\r\n"+companyKey+
		"\r\n--"+boundary+"\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image.png\"\r\nContent-Type: image/png\r\n\r\n"+png+
		"\r\n--"+boundary+"--\r\n", body)
	assert.Contains(t, head, fmt.Sprintf("Content-Length: %d", len(body)))
	assert.NotContains(t, head, "Transfer-Encoding")
}
