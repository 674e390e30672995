package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/pb33f/libopenapi"
	validation "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	problems "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/identomat-go/identomat/internal/operation"
)

// validator compares requests and responses with a description.
type validator struct {
	library validation.Validator
	model   *v3.Document
	paths   map[string]bool // "POST /list-users"
}

func newValidator(description []byte) (*validator, error) {
	document, err := libopenapi.NewDocument(description)
	if err != nil {
		return nil, err
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, err
	}
	v := &validator{model: &model.Model, paths: map[string]bool{}}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			v.paths[strings.ToUpper(method)+" "+path] = true
		}
	}
	var errs []error
	v.library, errs = validation.NewValidator(document, config.WithoutSecurityValidation(),
		config.WithBodyDecoder("application/json", content.DecoderFunc(decodeBody)),
		config.WithBodyDecoder("application/x-www-form-urlencoded", content.DecoderFunc(decodeForm)),
		config.WithBodyDecoder("multipart/form-data", content.DecoderFunc(decodeMultipart)))
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if ok, errs := v.library.ValidateDocument(); !ok {
		return nil, join(errs)
	}
	return v, nil
}

// join makes one error of the problems that the library found.
func join(list []*problems.ValidationError) error {
	var errs []error
	for _, p := range list {
		errs = append(errs, fmt.Errorf("%s: %s", p.Message, p.Reason))
		for _, s := range p.SchemaValidationErrors {
			errs = append(errs, fmt.Errorf("\t%s: %s", s.FieldPath, s.Reason))
		}
	}
	return errors.Join(errs...)
}

// described returns the request as the description has it, or nil if the description has no such
// operation. A request with parameters in the query string becomes a GET, whatever its method, and the
// older path of begin/ becomes the newer one.
func (v *validator) described(req *http.Request, body []byte) *http.Request {
	out := req.Clone(req.Context())
	out.Body = io.NopCloser(bytes.NewReader(body))
	if out.URL.Path == "/begin/" {
		out.URL.Path = operation.SessionBegin.Path()
	}
	if out.URL.RawQuery != "" && len(body) == 0 {
		out.Method = http.MethodGet
	}
	if !v.paths[out.Method+" "+out.URL.Path] {
		return nil
	}
	return out
}

func (v *validator) request(req *http.Request, body []byte) error {
	described := v.described(req, body)
	if described == nil {
		return errors.New("no such operation")
	}
	if ok, errs := v.library.ValidateHttpRequest(described); !ok {
		return join(errs)
	}
	return nil
}

func (v *validator) response(req *http.Request, sent []byte, resp *http.Response, received []byte) error {
	described := v.described(req, sent)
	if described == nil {
		return nil // a method or a path that the service does not have
	}
	resp.Body = io.NopCloser(bytes.NewReader(received))
	if ok, errs := v.library.ValidateHttpResponse(described, resp); !ok {
		return join(errs)
	}
	return nil
}

// decodeBody decodes JSON. In a request, the service accepts [] for an empty object.
func decodeBody(in *content.DecodeInput) (any, error) {
	data, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	v, err := decodeJSON(data)
	if o, ok := v.(map[string]any); ok && in.Direction == content.Request {
		for name, value := range o {
			property := in.Schema.Properties.GetOrZero(name)
			if list, isList := value.([]any); isList && len(list) == 0 && property != nil && !slices.Contains(property.Schema().Type, "array") {
				o[name] = map[string]any{}
			}
		}
	}
	return v, err
}

// decodeForm decodes a URL-encoded form. The service also reads JSON with this content type.
func decodeForm(in *content.DecodeInput) (any, error) {
	data, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '{' {
		return decodeJSON(data)
	}
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name := range values {
		if out[name], err = decodeText(in, name, values.Get(name)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decodeMultipart decodes a multipart form. Text parts come before files.
func decodeMultipart(in *content.DecodeInput) (any, error) {
	out, files := map[string]any{}, 0
	for parts := multipart.NewReader(in.Body, in.Parameters["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		name := part.FormName()
		switch {
		case part.FileName() != "":
			files++
			out[name] = "(file)"
		case files > 0:
			return nil, fmt.Errorf("the text part %q comes after a file", name)
		default:
			if out[name], err = decodeText(in, name, string(data)); err != nil {
				return nil, err
			}
		}
	}
}

// decodeText decodes a value in a form: JSON text, unless the parameter is a string.
func decodeText(in *content.DecodeInput, name, text string) (any, error) {
	if e := in.Encoding.GetOrZero(name); e == nil || e.ContentType != "application/json" {
		property := in.Schema.Properties.GetOrZero(name)
		if property == nil || slices.Contains(property.Schema().Type, "string") {
			return text, nil
		}
	}
	return decodeJSON([]byte(text))
}

func decodeJSON(data []byte) (v any, err error) {
	err = json.Unmarshal(data, &v)
	return v, err
}

// validateExamples validates the examples of JSON requests and of responses with status 200.
func (v *validator) validateExamples() (n int, err error) {
	for path, item := range v.model.Paths.PathItems.FromOldest() {
		if item.Post == nil {
			continue
		}
		req, err := http.NewRequest(http.MethodPost, "https://example.com"+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/json")
		if media := item.Post.RequestBody.Content.GetOrZero("application/json"); media != nil {
			for label, data := range examplesOf(media) {
				n++
				if err := v.request(req, data); err != nil {
					return 0, fmt.Errorf("%s: the example %s: %w", path, label, err)
				}
			}
		}
		for label, data := range examplesOf(item.Post.Responses.Codes.GetOrZero("200").Content.GetOrZero("application/json")) {
			n++
			resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}}
			if err := v.response(req, nil, resp, data); err != nil {
				return 0, fmt.Errorf("%s: the example %s: %w", path, label, err)
			}
		}
	}
	return n, nil
}

// examplesOf returns the examples as JSON.
func examplesOf(media *v3.MediaType) map[string][]byte {
	out := map[string][]byte{}
	for label, example := range media.Examples.FromOldest() {
		var value any
		if err := example.Value.Decode(&value); err != nil {
			panic(err) // the document was JSON
		}
		data, err := encode(value)
		if err != nil {
			panic(err)
		}
		out[label] = data
	}
	return out
}

// tally counts exchanges.
type tally struct {
	exchanges, requests, responses, faults int
	// refused are requests that the fake refused. The description refuses those that agreed counts, too.
	refused, agreed int
	// wrong describes the requests and responses that do not match the description.
	wrong []string
}

// validateExchanges reads the exchanges that the tests of identomattest recorded. Every request that the
// fake processed must match the description, and so must every response that no fault changed.
func (v *validator) validateExchanges(name string) (*tally, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	t := &tally{}
	for {
		req, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("exchange %d: %w", t.exchanges+1, err)
		}
		sent, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			return nil, fmt.Errorf("exchange %d: %w", t.exchanges+1, err)
		}
		received, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return nil, err
		}
		t.exchanges++
		v.count(t, req, sent, resp, received)
	}
}

func (v *validator) count(t *tally, req *http.Request, sent []byte, resp *http.Response, received []byte) {
	fail := func(what string, err error) {
		t.wrong = append(t.wrong, fmt.Sprintf("%s %s: the %s: %v\nrequest: %s\nresponse: %s", req.Method, req.URL.Path, what, err, shorten(sent), shorten(received)))
	}
	problem := v.request(req, sent)
	switch {
	case resp.Header.Get("X-Refusal") != "":
		t.refused++
		if problem != nil {
			t.agreed++
		}
	case resp.Header.Get("X-Processed") == "true":
		if t.requests++; problem != nil {
			fail("request", problem)
		}
	}
	if resp.Header.Get("X-Fault") != "" {
		t.faults++
		return
	}
	t.responses++
	if err := v.response(req, sent, resp, received); err != nil {
		fail("response", err)
	}
}

func shorten(data []byte) string {
	const limit = 600
	text := strings.ToValidUTF8(string(data[:min(len(data), limit)]), "?")
	if len(data) > limit {
		text += "…"
	}
	return text
}
