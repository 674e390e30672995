package identomat_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// This file holds the helpers that more than one test file uses. A helper for a single file is in that
// file. Examples use none of these helpers, because pkg.go.dev shows an example only with helpers from
// the example's own file.

// longTests selects the long version of tests that also have a short version: every cell of the fault
// table, the soak test with 50,000 calls, and 10,000 waiting sessions. Set IDENTOMAT_LONG_TESTS=1, or run
// the steps faults, soak and scale of .ci/run, which set the variable.
var longTests = os.Getenv("IDENTOMAT_LONG_TESTS") != ""

// Credentials and endpoints

const (
	companyKey = "company-key-0123456789-unprintable"
	secretKey  = "secret-key-0123456789-unprintable"
	token      = identomat.Token("47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")

	beginURL  = "https://widget.identomat.com/external-api/begin/"
	resultURL = "https://widget.identomat.com/external-api/result/"
	deleteURL = "https://widget.identomat.com/external-api/delete/"
	apiURL    = "https://external-api.identomat.com/"
)

// Response bodies

const (
	tokenResponse    = `"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"`
	documentResponse = `{"requestId":"1","person":{"first_name":"JOHN"}}`
)

// sample returns a response body from Identomat's API documentation.
func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/samples/" + name)
	require.NoError(t, err)
	return string(data)
}

// Clients

// quick is an option that retries without a noticeable delay.
var quick = identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 3, BaseDelay: 1})

// clientFor returns a client for the server at url.
func clientFor(t *testing.T, url string, opts ...identomat.Option) *identomat.Client {
	t.Helper()
	client, err := identomat.NewClient(companyKey, append([]identomat.Option{
		identomat.WithWidgetURL(url), identomat.WithAPIURL(url), quick,
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// roundTrip is a RoundTripper without a network. It works in a synctest bubble, where real
// connections do not.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// stubbed returns a client whose requests go to f.
func stubbed(t *testing.T, f roundTrip, opts ...identomat.Option) *identomat.Client {
	t.Helper()
	client, err := identomat.NewClient(companyKey, append([]identomat.Option{identomat.WithHTTPClient(&http.Client{Transport: f})}, opts...)...)
	require.NoError(t, err)
	return client
}

// lostResponse is a RoundTripper that reads the request and fails, as if the response were lost.
func lostResponse(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return nil, io.ErrUnexpectedEOF
}

// noResponse is a RoundTripper that reads the request and waits until the call gives up.
func noResponse(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// newResponse returns a response. header is a list of alternating names and values.
func newResponse(status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader([]byte(body)))}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// responding returns a client that receives the same response to every request.
func responding(t *testing.T, status int, body string, chunked bool, header ...string) *identomat.Client {
	t.Helper()
	return stubbed(t, func(*http.Request) (*http.Response, error) {
		resp := newResponse(status, body, header...)
		if chunked {
			resp.ContentLength = -1
			resp.Body = io.NopCloser(iotest.HalfReader(strings.NewReader(body)))
		}
		return resp, nil
	}, quick)
}

// mocked returns a client without retries and the mock that receives its requests.
func mocked(t *testing.T, opts ...identomat.Option) (*identomat.Client, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	opts = append([]identomat.Option{
		identomat.WithHTTPClient(&http.Client{Transport: mock}),
		identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}),
	}, opts...)
	client, err := identomat.NewClient(companyKey, opts...)
	require.NoError(t, err)
	return client, mock
}

// answers makes the mock respond at url with a status and a literal body.
func answers(mock *httpmock.MockTransport, url string, status int, contentType, body string) {
	mock.RegisterResponder(http.MethodPost, url, func(req *http.Request) (*http.Response, error) {
		resp := httpmock.NewStringResponse(status, body)
		resp.Header.Set("Content-Type", contentType)
		resp.Request = req
		return resp, nil
	})
}

// expects makes the mock respond to op with answer, and require the request to be exactly this JSON.
func expects(t *testing.T, mock *httpmock.MockTransport, op, request, answer string) {
	t.Helper()
	mock.RegisterResponder(http.MethodPost, apiURL+op, func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		assert.JSONEq(t, request, string(body))
		assert.Equal(t, "application/json", req.Header.Get("Content-Type"))
		assert.Empty(t, req.URL.RawQuery)
		return httpmock.NewStringResponse(200, answer), nil
	})
}

// body returns a literal request body with the company key and these members.
func body(members string) string {
	return strings.TrimSuffix(`{"companyKey":"`+companyKey+`",`+members, ",") + "}"
}

// capture returns a responder that stores the request body and responds with answer.
func capture(to *string, answer string) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		data, err := io.ReadAll(req.Body)
		*to = string(data)
		return httpmock.NewStringResponse(200, answer), err
	}
}

// hangUp is a handler that reads the whole request and then resets the connection.
func hangUp(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// limiter is a RateLimiter that counts calls to Wait and returns err.
type limiter struct {
	waits int
	err   error
}

func (l *limiter) Wait(context.Context) error { l.waits++; return l.err }

// sign computes a signature as Identomat's API documentation describes it, without the SDK.
func sign(secret string, parts ...string) string {
	key := []byte(secret)
	for _, part := range parts {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return `signature="` + base64.StdEncoding.EncodeToString(key) + `"`
}

// signing returns options for a client that signs requests and requires signed responses.
func signing() []identomat.Option {
	return []identomat.Option{identomat.WithHMAC(secretKey, identomat.RequireSignedResponses())}
}

// part is one part of a multipart form.
type part struct{ name, fileName, contentType, content string }

// partsOf reads a multipart form and requires its size to match Content-Length.
func partsOf(t *testing.T, r *http.Request) (parts []part) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.EqualValues(t, len(body), r.ContentLength)
	typ, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	require.NoError(t, err)
	assert.Equal(t, "multipart/form-data", typ)
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := form.NextRawPart()
		if err == io.EOF {
			return parts
		}
		require.NoError(t, err)
		content, err := io.ReadAll(p)
		require.NoError(t, err)
		parts = append(parts, part{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(content)})
	}
}

// Calls

func begin(c *identomat.Client, ctx context.Context) error {
	_, err := c.Sessions.Begin(ctx, identomat.BeginRequest{})
	return err
}

func getResult(c *identomat.Client, ctx context.Context) error {
	_, err := c.Sessions.Result(ctx, token)
	return err
}

func remove(c *identomat.Client, ctx context.Context) error {
	_, err := c.Sessions.Delete(ctx, token)
	return err
}

func face(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
	return c.Media.Face(ctx, token)
}

func facePhoto(ctx context.Context, c *identomat.Client) (*identomat.Media, error) {
	return c.Media.DocumentFacePhoto(ctx, token)
}

// first returns the first item and stops the iteration. It reads the item to the end.
func first(items iter.Seq2[*identomat.Media, error]) (*identomat.Media, error) {
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		_, err := item.Bytes()
		return item, err
	}
	return nil, nil
}

// collect returns the items and the errors of an iteration.
func collect[T any](seq iter.Seq2[T, error]) (list []T, errs []error) {
	for item, err := range seq {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, item)
	}
	return list, errs
}

// Files

const (
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	pdf  = "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
)

var errFull = errors.New("disk full")

// picture returns n bytes that begin like a JPEG image.
func picture(n int) string {
	var out strings.Builder
	out.WriteString(jpeg)
	for i := 0; out.Len() < n; i++ {
		fmt.Fprintf(&out, "%d;", i*i)
	}
	return out.String()[:n]
}

func image() identomat.File { return identomat.FileFromBytes([]byte(picture(3000))) }

// archived returns a tar archive. files is a list of alternating names and contents.
func archived(t testing.TB, files ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}))
		_, err := io.WriteString(w, files[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.String()
}

// entries returns a tar archive with these headers. A regular file contains its own name.
func entries(t testing.TB, headers ...tar.Header) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		h.Mode = 0o777
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		require.NoError(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(w, h.Name)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return out.String()
}

func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }

func encoded(data string) string { return base64.StdEncoding.EncodeToString([]byte(data)) }

// dataURIs returns a response body that lists archives as data URIs. Slashes are escaped, as in the
// service's responses.
func dataURIs(data ...string) string {
	uris := make([]string, len(data))
	for i, d := range data {
		uris[i] = `"data:application\/x-tar;base64,` + strings.ReplaceAll(encoded(d), "/", `\/`) + `"`
	}
	return `{"result":[[` + strings.Join(uris, ",") + `]]}`
}

// compressed returns body as gzip.
func compressed(body string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, body)
	_ = w.Close()
	return out.String()
}

// filesIn returns the names of the files and folders below dir.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	}))
	return names
}

// Assertions

// assertProblems requires a ValidationError with problems at exactly these paths.
func assertProblems(t *testing.T, err error, op string, paths ...string) {
	t.Helper()
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, op, invalid.Operation)
	var got []string
	for _, p := range invalid.Problems {
		got = append(got, p.Path)
	}
	assert.Equal(t, paths, got)
	assertSecret(t, err.Error(), op)
}

// assertNothingIsDropped changes each leaf of a sample response in turn. Each change must change the
// value that call returns.
func assertNothingIsDropped[T any](t *testing.T, op, name string, leaves int, call func(context.Context, *identomat.Client) (T, error)) {
	t.Helper()
	result := func(text string) string {
		client, mock := mocked(t)
		answers(mock, apiURL+op, 200, "application/json", text)
		got, err := call(t.Context(), client)
		require.NoError(t, err, text)
		return visible(got)
	}
	assert.Equal(t, leaves, changeEachLeaf(t, name, result))
}

// changeEachLeaf changes each leaf of a sample in turn, and returns the number of leaves. Each change
// must change the text that decoded returns.
func changeEachLeaf(t *testing.T, name string, decoded func(text string) string) (leaves int) {
	t.Helper()
	text := sample(t, name)
	original := decoded(text)
	var document any
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	eachLeaf(document, "$", func(path string, set func(any), old any) {
		leaves++
		set(other(old))
		changed, err := json.Marshal(document)
		require.NoError(t, err)
		set(old)
		assert.NotEqual(t, original, decoded(string(changed)), "%s: %s is dropped", name, path)
	})
	return leaves
}

// visible returns everything in the exported fields of v, as text.
func visible(v any) string {
	var out strings.Builder
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch held := v.Interface().(type) {
		case json.RawMessage:
			out.Write(held)
			return
		case identomat.Steps:
			data, err := json.Marshal(held)
			fmt.Fprintf(&out, "%s %v;", data, err)
			return
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				out.WriteString("nil;")
				return
			}
			walk(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					fmt.Fprintf(&out, "%s=", f.Name)
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			fmt.Fprintf(&out, "%d:", v.Len())
			for i := range v.Len() {
				walk(v.Index(i))
			}
		default:
			fmt.Fprintf(&out, "%v;", v.Interface())
		}
	}
	walk(reflect.ValueOf(v))
	return out.String()
}

// eachLeaf calls visit for every scalar, empty object and empty list in decoded JSON.
func eachLeaf(v any, path string, visit func(path string, set func(any), old any)) {
	each := func(path string, child any, set func(any)) {
		switch c := child.(type) {
		case map[string]any:
			if len(c) > 0 {
				eachLeaf(c, path, visit)
				return
			}
		case []any:
			if len(c) > 0 {
				eachLeaf(c, path, visit)
				return
			}
		}
		visit(path, set, child)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			each(path+"."+name, v[name], func(n any) { v[name] = n })
		}
	case []any:
		for i := range v {
			each(fmt.Sprintf("%s[%d]", path, i), v[i], func(n any) { v[i] = n })
		}
	}
}

// other returns a different value of the same JSON type. For null it returns a string.
func other(v any) any {
	switch v := v.(type) {
	case string:
		return v + "1"
	case float64:
		return v + 1
	case bool:
		return !v
	case []any:
		return []any{"x"}
	case map[string]any:
		return map[string]any{"x": "y"}
	}
	return "x"
}
