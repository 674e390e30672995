package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"reflect"
	"strings"

	"github.com/digitalocean/godo"
	"github.com/google/go-github/v89/github"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v85"
	"resty.dev/v3"
)

// The peers are other HTTP and API clients, with their default settings but without logging. A peer
// with support for file uploads builds the form itself; the others send a formReader. If the
// response body is kept, the peer reads it into memory, and the benchmark decodes that copy.

// A caller adapts the generic request functions of a peer.
type caller interface {
	// json and form send a body and decode the response. If keep is set, they also return the
	// response body.
	json(path string, body, into any, keep bool) ([]byte, error)
	form(path string, form url.Values, into any, keep bool) ([]byte, error)
	// stream sends a form and copies the response to w.
	stream(path string, form url.Values, w io.Writer) (int64, error)
	// file uploads the file. An empty signature is not sent.
	file(path, signature string, into any) ([]byte, error)
}

// peer turns a caller into a client.
type peer struct {
	caller
	signed bool
}

func (p peer) begin(b beginning) (answer, error) {
	if b.refused {
		var raw json.RawMessage
		if _, err := p.json(beginPath, newBegin(b), &raw, false); err != nil {
			return answer{}, err
		}
		return refusal(raw)
	}
	var token string
	_, err := p.json(beginPath, newBegin(b), &token, false)
	return answer{text: token}, err
}

func (p peer) result() (answer, error)  { return p.fetch(true) }
func (p peer) outcome() (answer, error) { return p.fetch(false) }

func (p peer) fetch(keep bool) (answer, error) {
	v := reflect.New(resultType)
	raw, err := p.form(resultPath, sessionForm(), v.Interface(), keep)
	if err != nil {
		return answer{}, err
	}
	if !keep {
		raw = nil
	}
	return resultAnswer(v, raw), nil
}

func (p peer) download() (answer, error) {
	n, err := p.stream(downloadPath, sessionForm(), discard{})
	return answer{n: n}, err
}

func (p peer) upload() (answer, error) {
	signature := ""
	if p.signed {
		var err error
		if signature, err = signUpload(); err != nil {
			return answer{}, err
		}
	}
	v := reflect.New(documentType)
	raw, err := p.file(passportPath, signature, v.Interface())
	return documentAnswer(v, raw), err
}

func (p peer) list(l *list) (answer, error) {
	return l.read(func(path string, body, into any) ([]byte, error) { return p.json(path, body, into, true) })
}

// httpClient returns the HTTP client of a peer. If signed is set, its transport signs requests and
// verifies responses.
func httpClient(signed bool) *http.Client {
	if signed {
		return &http.Client{Transport: signing{newTransport()}}
	}
	return &http.Client{Transport: newTransport()}
}

// signing is a simple transport that signs requests for clients that cannot sign.
type signing struct{ base http.RoundTripper }

func (t signing) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.Header.Get("Content-Type"), "multipart/") { // the caller has signed it
		return t.verify(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	signed := req.Clone(req.Context())
	signed.Body = io.NopCloser(bytes.NewReader(body))
	signed.Header.Set("Authorization", authorization(pooledDigest(body)))
	return t.verify(signed)
}

func (t signing) verify(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		mac := macs.Get().(hash.Hash)
		mac.Reset()
		resp.Body = &verifying{resp.Body, mac, resp}
	}
	return resp, err
}

// verifying verifies the signature of a response while the body is read.
type verifying struct {
	io.ReadCloser
	mac  hash.Hash
	resp *http.Response
}

func (v *verifying) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	if v.mac == nil {
		return n, err
	}
	v.mac.Write(p[:n])
	if err == io.EOF {
		if !verifySignature(v.resp, v.mac.Sum(nil)) {
			err = errSignature
		}
		macs.Put(v.mac)
		v.mac = nil
	}
	return n, err
}

func decode(raw []byte, into any) ([]byte, error) { return raw, json.Unmarshal(raw, into) }

// readAll decodes a response that the peer returns unread.
func readAll(body io.ReadCloser, into any, keep bool) ([]byte, error) {
	defer body.Close()
	if !keep {
		return nil, json.NewDecoder(body).Decode(into)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return decode(raw, into)
}

// counting counts bytes, for peers that write to an io.Writer without returning how many bytes they
// wrote.
type counting struct {
	io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// buffered returns the upload form in memory, for peers that require a buffer.
func buffered() (body *bytes.Buffer, boundary string, err error) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	file, err := os.Open(uploadFile)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	if err := w.WriteField("company_key", companyKey); err != nil {
		return nil, "", err
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="image"; filename="image.jpg"`}, "Content-Type": {"image/jpeg"},
	})
	if err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(part, file); err != nil {
		return nil, "", err
	}
	return body, w.Boundary(), w.Close()
}

type restyCaller struct {
	client *resty.Client
	base   string
}

func newResty(base string, signed bool) (client, error) {
	return peer{restyCaller{resty.NewWithClient(httpClient(signed)), base}, signed}, nil
}

func (c restyCaller) send(req *resty.Request, path string, into any, keep bool) ([]byte, error) {
	if !keep {
		req.SetResult(into)
	}
	resp, err := req.Post(c.base + path)
	if err != nil {
		return nil, err
	}
	if resp.IsStatusFailure() {
		return nil, errors.New(resp.Status())
	}
	if !keep {
		return nil, nil
	}
	return decode(resp.Bytes(), into)
}

func (c restyCaller) json(path string, body, into any, keep bool) ([]byte, error) {
	return c.send(c.client.R().SetContentType(asJSON).SetBody(body), path, into, keep)
}

func (c restyCaller) form(path string, form url.Values, into any, keep bool) ([]byte, error) {
	return c.send(c.client.R().SetFormDataFromValues(form), path, into, keep)
}

func (c restyCaller) stream(path string, form url.Values, w io.Writer) (int64, error) {
	resp, err := c.client.R().SetFormDataFromValues(form).SetResponseDoNotParse(true).Post(c.base + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return copyPooled(w, resp.Body)
}

func (c restyCaller) file(path, signature string, into any) ([]byte, error) {
	file, err := os.Open(uploadFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	req := c.client.R().SetMultipartFields(
		&resty.MultipartField{Name: "company_key", Values: []string{companyKey}},
		&resty.MultipartField{Name: "image", FileName: "image.jpg", ContentType: "image/jpeg", Reader: file, FileSize: uploadSize},
	)
	if signature != "" {
		req.SetHeader("Authorization", signature)
	}
	return c.send(req, path, into, true)
}

type retryableCaller struct {
	client *retryablehttp.Client
	base   string
}

func newRetryable(base string, signed bool) (client, error) {
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.HTTPClient = httpClient(signed)
	return peer{retryableCaller{c, base}, signed}, nil
}

func (c retryableCaller) send(path, contentType string, body any) (*http.Response, error) {
	req, err := retryablehttp.NewRequest(http.MethodPost, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return c.do(req)
}

func (c retryableCaller) do(req *retryablehttp.Request) (*http.Response, error) {
	resp, err := c.client.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		err = errors.New(resp.Status)
	}
	return resp, err
}

func (c retryableCaller) json(path string, body, into any, keep bool) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(path, asJSON, data)
	if err != nil {
		return nil, err
	}
	return readAll(resp.Body, into, keep)
}

func (c retryableCaller) form(path string, form url.Values, into any, keep bool) ([]byte, error) {
	resp, err := c.send(path, asForm, []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	return readAll(resp.Body, into, keep)
}

func (c retryableCaller) stream(path string, form url.Values, w io.Writer) (int64, error) {
	resp, err := c.send(path, asForm, []byte(form.Encode()))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return copyPooled(w, resp.Body)
}

func (c retryableCaller) file(path, signature string, into any) ([]byte, error) {
	form, err := openForm()
	if err != nil {
		return nil, err
	}
	defer form.file.Close()
	req, err := retryablehttp.NewRequest(http.MethodPost, c.base+path, retryablehttp.ReaderFunc(func() (io.Reader, error) { return form, nil }))
	if err != nil {
		return nil, err
	}
	req.ContentLength = form.length // a ReaderFunc has no length, and retryablehttp buffers all other readers
	req.Header.Set("Content-Type", form.contentType())
	if signature != "" {
		req.Header.Set("Authorization", signature)
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	return readAll(resp.Body, into, true)
}

type gitHubCaller struct{ client *github.Client }

func newGitHub(base string, signed bool) (client, error) {
	base += "/"
	c, err := github.NewClient(github.WithHTTPClient(httpClient(signed)), github.WithURLs(&base, &base))
	return peer{gitHubCaller{c}, signed}, err
}

func (c gitHubCaller) do(req *http.Request, into any, keep bool) ([]byte, error) {
	if !keep {
		_, err := c.client.Do(req, into)
		return nil, err
	}
	var raw bytes.Buffer
	if _, err := c.client.Do(req, &raw); err != nil {
		return nil, err
	}
	return decode(raw.Bytes(), into)
}

func (c gitHubCaller) json(path string, body, into any, keep bool) ([]byte, error) {
	req, err := c.client.NewRequest(ctx, http.MethodPost, path[1:], body)
	if err != nil {
		return nil, err
	}
	return c.do(req, into, keep)
}

func (c gitHubCaller) form(path string, form url.Values, into any, keep bool) ([]byte, error) {
	req, err := c.client.NewFormRequest(ctx, path[1:], strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	return c.do(req, into, keep)
}

func (c gitHubCaller) stream(path string, form url.Values, w io.Writer) (int64, error) {
	req, err := c.client.NewFormRequest(ctx, path[1:], strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	count := counting{Writer: w}
	_, err = c.client.Do(req, &count)
	return count.n, err
}

func (c gitHubCaller) file(path, signature string, into any) ([]byte, error) {
	form, err := openForm()
	if err != nil {
		return nil, err
	}
	defer form.file.Close()
	req, err := c.client.NewUploadRequest(ctx, path[1:], form, form.length, form.contentType())
	if err != nil {
		return nil, err
	}
	if signature != "" {
		req.Header.Set("Authorization", signature)
	}
	return c.do(req, into, true)
}

type godoCaller struct{ client *godo.Client }

func newGodo(base string, signed bool) (client, error) {
	c, err := godo.New(httpClient(signed), godo.SetBaseURL(base+"/"))
	return peer{godoCaller{c}, signed}, err
}

func (c godoCaller) do(req *http.Request, into any, keep bool) ([]byte, error) {
	if !keep {
		_, err := c.client.Do(ctx, req, into)
		return nil, err
	}
	var raw bytes.Buffer
	if _, err := c.client.Do(ctx, req, &raw); err != nil {
		return nil, err
	}
	return decode(raw.Bytes(), into)
}

func (c godoCaller) json(path string, body, into any, keep bool) ([]byte, error) {
	req, err := c.client.NewRequest(ctx, http.MethodPost, path[1:], body)
	if err != nil {
		return nil, err
	}
	return c.do(req, into, keep)
}

// request returns a request whose body is not JSON.
func (c godoCaller) request(path, contentType string, body io.Reader, length int64) (*http.Request, error) {
	req, err := c.client.NewRequest(ctx, http.MethodPost, path[1:], nil)
	if err != nil {
		return nil, err
	}
	req.Body, req.GetBody, req.ContentLength = io.NopCloser(body), nil, length
	req.Header.Set("Content-Type", contentType)
	return req, nil
}

func (c godoCaller) formRequest(path string, form url.Values) (*http.Request, error) {
	body := form.Encode()
	return c.request(path, asForm, strings.NewReader(body), int64(len(body)))
}

func (c godoCaller) form(path string, form url.Values, into any, keep bool) ([]byte, error) {
	req, err := c.formRequest(path, form)
	if err != nil {
		return nil, err
	}
	return c.do(req, into, keep)
}

func (c godoCaller) stream(path string, form url.Values, w io.Writer) (int64, error) {
	req, err := c.formRequest(path, form)
	if err != nil {
		return 0, err
	}
	count := counting{Writer: w}
	_, err = c.client.Do(ctx, req, &count)
	return count.n, err
}

func (c godoCaller) file(path, signature string, into any) ([]byte, error) {
	form, err := openForm()
	if err != nil {
		return nil, err
	}
	defer form.file.Close()
	req, err := c.request(path, form.contentType(), form, form.length)
	if err != nil {
		return nil, err
	}
	if signature != "" {
		req.Header.Set("Authorization", signature)
	}
	return c.do(req, into, true)
}

// stripeCaller sends forms to /v1 and JSON to /v2, because stripe-go derives the encoding from the
// path.
type stripeCaller struct {
	backend stripe.Backend
	raw     stripe.RawRequestBackend
}

func newStripe(base string, signed bool) (client, error) {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		HTTPClient: httpClient(signed), URL: &base, LeveledLogger: &stripe.LeveledLogger{}, EnableTelemetry: stripe.Bool(false),
	})
	raw, ok := backend.(stripe.RawRequestBackend)
	if !ok {
		return nil, errors.New("stripe-go: the backend does not support raw requests")
	}
	return peer{stripeCaller{backend, raw}, signed}, nil
}

func (c stripeCaller) send(path, body string, into any) ([]byte, error) {
	resp, err := c.raw.RawRequest(http.MethodPost, path, companyKey, body, nil)
	if err != nil {
		return nil, err
	}
	return decode(resp.RawJSON, into)
}

func (c stripeCaller) json(path string, body, into any, _ bool) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.send("/v2"+path, string(data), into)
}

func (c stripeCaller) form(path string, form url.Values, into any, _ bool) ([]byte, error) {
	return c.send("/v1"+path, form.Encode(), into)
}

func (c stripeCaller) stream(path string, form url.Values, w io.Writer) (int64, error) {
	params := &stripe.Params{}
	for name := range form {
		params.AddExtra(name, form.Get(name))
	}
	var stream stripe.APIStream
	if err := c.backend.CallStreaming(http.MethodPost, "/v1"+path, companyKey, params, &stream); err != nil {
		return 0, err
	}
	defer stream.LastResponse.Body.Close()
	return copyPooled(w, stream.LastResponse.Body)
}

// stripeResponse lets stripe-go decode into any value. APIResource keeps the raw response.
type stripeResponse struct {
	stripe.APIResource
	into any
}

func (r *stripeResponse) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, r.into) }

func (c stripeCaller) file(path, signature string, into any) ([]byte, error) {
	body, boundary, err := buffered()
	if err != nil {
		return nil, err
	}
	params := &stripe.Params{Headers: http.Header{}}
	if signature != "" {
		params.Headers.Set("Authorization", signature)
	}
	resp := stripeResponse{into: into}
	if err := c.backend.CallMultipart(http.MethodPost, "/v1"+path, companyKey, boundary, body, params, &resp); err != nil {
		return nil, err
	}
	return resp.LastResponse.RawJSON, nil
}

type openAICaller struct{ client openai.Client }

func newOpenAI(base string, signed bool) (client, error) {
	c := openai.NewClient(option.WithBaseURL(base), option.WithAPIKey(companyKey), option.WithHTTPClient(httpClient(signed)))
	return peer{openAICaller{c}, signed}, nil
}

func (c openAICaller) send(path string, params, into any, keep bool, opts ...option.RequestOption) ([]byte, error) {
	if !keep {
		return nil, c.client.Post(ctx, path[1:], params, into, opts...)
	}
	var raw []byte
	if err := c.client.Post(ctx, path[1:], params, &raw, opts...); err != nil {
		return nil, err
	}
	return decode(raw, into)
}

func (c openAICaller) json(path string, body, into any, keep bool) ([]byte, error) {
	return c.send(path, body, into, keep)
}

func (c openAICaller) form(path string, form url.Values, into any, keep bool) ([]byte, error) {
	return c.send(path, nil, into, keep, option.WithRequestBody(asForm, []byte(form.Encode())))
}

func (c openAICaller) stream(path string, form url.Values, w io.Writer) (int64, error) {
	var resp *http.Response
	if err := c.client.Post(ctx, path[1:], nil, &resp, option.WithRequestBody(asForm, []byte(form.Encode()))); err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return copyPooled(w, resp.Body)
}

// openAIForm is the upload form as a multipart body for openai-go.
type openAIForm struct{}

func (openAIForm) MarshalMultipart() ([]byte, string, error) {
	body, boundary, err := buffered()
	if err != nil {
		return nil, "", err
	}
	return body.Bytes(), "multipart/form-data; boundary=" + boundary, nil
}

func (c openAICaller) file(path, signature string, into any) ([]byte, error) {
	var opts []option.RequestOption
	if signature != "" {
		opts = append(opts, option.WithHeader("Authorization", signature))
	}
	return c.send(path, openAIForm{}, into, true, opts...)
}
