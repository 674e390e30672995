package identomattest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/documented"
	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// call is a request that is being served.
type call struct {
	op     *operation.Operation
	record *Request
	params object
	files  map[string]upload
	// company is the company that the key belongs to, or the first one if the key is unknown.
	company *company
	// signatures are the expected signatures of the body in the order of the companies.
	signatures []string
}

type upload struct {
	Upload
	head []byte // the first bytes, enough to read an image's dimensions
}

const (
	maxBody     = 16 << 20 // maximum size of a JSON or URL-encoded body, and of a text part
	maxFileHead = 1 << 20
)

// read decodes the query string and the body into c.params and c.files. Identomat's guides allow GET
// and POST, and parameters in a query string, a URL-encoded form or a JSON object. The curl examples in
// the API reference add multipart forms, and JSON with curl's default content type. Files need a
// multipart form. Query strings and forms hold objects, lists, numbers and booleans as JSON text.
func (s *Server) read(c *call, r *http.Request) (err error) {
	body := &countingReader{r: r.Body}
	defer func() {
		_, _ = io.Copy(io.Discard, body)
		c.record.Size = body.n
	}()
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodGet:
		return fmt.Errorf("the method is %s, not POST or GET", r.Method)
	case r.Header.Get("Content-Encoding") != "" && !strings.EqualFold(r.Header.Get("Content-Encoding"), "identity"):
		return fmt.Errorf("the body has the Content-Encoding %q", r.Header.Get("Content-Encoding"))
	}
	if err := c.addForm(r.URL.RawQuery); err != nil {
		return fmt.Errorf("the query string: %w", err)
	}
	buffered := bufio.NewReader(body)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) && (r.URL.RawQuery != "" || r.Method == http.MethodGet) {
		c.signatures = s.signatures(nil)
		return nil
	}
	if r.Method == http.MethodGet {
		return errors.New("a GET request has a body")
	}
	media, attributes, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return errors.New("the Content-Type is missing or malformed")
	case media == "multipart/form-data":
		return s.readMultipart(c, buffered, body, attributes["boundary"])
	case c.op.Encoding == operation.Multipart:
		return fmt.Errorf("%s accepts multipart/form-data, not %s", c.op.Name, media)
	case media == "application/json":
		return s.readJSON(c, buffered)
	case media == "application/x-www-form-urlencoded":
		return s.readForm(c, buffered)
	}
	return fmt.Errorf("%s does not accept %s", c.op.Name, media)
}

func (s *Server) readAll(c *call, body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the body: %w", err)
	}
	if len(data) > maxBody {
		return nil, fmt.Errorf("the body has more than %d bytes", maxBody)
	}
	c.signatures = s.signatures(data)
	return data, nil
}

func (s *Server) readJSON(c *call, body io.Reader) error {
	data, err := s.readAll(c, body)
	if err != nil {
		return err
	}
	return c.addJSON(data)
}

// readForm reads a URL-encoded form. "curl -d '{…}'" sends JSON with a form's content type.
func (s *Server) readForm(c *call, body io.Reader) error {
	data, err := s.readAll(c, body)
	if err != nil {
		return err
	}
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		return c.addJSON(data)
	}
	return c.addForm(string(data))
}

// addJSON adds the members of a JSON object to the parameters.
func (c *call) addJSON(data []byte) error {
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	o, ok := v.(object)
	if !ok {
		return errors.New("the body is not a JSON object")
	}
	for _, m := range c.params {
		if _, duplicate := o.get(m.name); duplicate {
			return fmt.Errorf("the parameter %q is in the query string and in the body", m.name)
		}
	}
	c.params = append(c.params, o...)
	return nil
}

// addForm adds the values of a URL-encoded form to the parameters.
func (c *call) addForm(form string) error {
	values, err := url.ParseQuery(form)
	if err != nil {
		return errors.New("not a URL-encoded form")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) != 1 {
			return fmt.Errorf("duplicate parameter %q", name)
		}
		if err := c.addText(name, values[name][0]); err != nil {
			return err
		}
	}
	return nil
}

const malformedMultipart = "malformed multipart body"

func (s *Server) readMultipart(c *call, body io.Reader, counted *countingReader, boundary string) error {
	if boundary == "" {
		return errors.New("the multipart Content-Type has no boundary")
	}
	c.files = map[string]upload{}
	sig := s.newSigners()
	parts := multipart.NewReader(body, boundary)
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			// multipart.Reader reports io.EOF even for some truncated bodies.
			if !counted.endsWith("--" + boundary + "--") {
				return errors.New("the multipart body is truncated")
			}
			c.signatures = sig.sums()
			return nil
		}
		if err != nil {
			return fmt.Errorf(malformedMultipart+": %w", err)
		}
		name := p.FormName()
		if _, duplicate := c.files[name]; duplicate {
			return fmt.Errorf("duplicate part %q", name)
		}
		sig.nextPart()
		if p.FileName() == "" {
			if len(c.files) > 0 {
				return fmt.Errorf("the text part %q comes after a file part", name)
			}
			data, err := io.ReadAll(io.LimitReader(io.TeeReader(p, sig), maxBody+1))
			if err != nil {
				return fmt.Errorf(malformedMultipart+": %w", err)
			}
			if len(data) > maxBody {
				return fmt.Errorf("the part %q has more than %d bytes", name, maxBody)
			}
			if err := c.addText(name, string(data)); err != nil {
				return err
			}
			continue
		}
		if _, duplicate := c.params.get(name); duplicate {
			return fmt.Errorf("duplicate part %q", name)
		}
		f, err := readFile(p, sig)
		if err != nil {
			return err
		}
		c.files[name] = f
	}
}

// readFile reads a file part. It keeps the first bytes, the hash and the size, so that large uploads
// need little memory.
func readFile(p *multipart.Part, sig io.Writer) (upload, error) {
	sum := sha256.New()
	var head bytes.Buffer
	all := io.TeeReader(p, io.MultiWriter(sum, sig))
	n, err := io.Copy(&head, io.LimitReader(all, maxFileHead))
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, all)
		n += rest
	}
	if err != nil {
		return upload{}, fmt.Errorf(malformedMultipart+": %w", err)
	}
	return upload{
		Upload: Upload{
			FileName:    p.FileName(),
			ContentType: p.Header.Get("Content-Type"),
			Size:        n,
			SHA256:      hex.EncodeToString(sum.Sum(nil)),
		},
		head: head.Bytes(),
	}, nil
}

// addText adds a parameter from a form or a query string, where all values except strings are JSON
// text.
func (c *call) addText(name, value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("the parameter %q is not valid UTF-8", name)
	}
	if _, duplicate := c.params.get(name); duplicate {
		return fmt.Errorf("duplicate parameter %q", name)
	}
	if len(c.params) == maxNames {
		return errors.New("too many parameters")
	}
	for _, f := range documented.Endpoints[c.op].Parameters {
		// A form can send a password only as a string.
		if f.Name == name && f.Kind != documented.Text && f.Kind != documented.Password {
			v, err := decodeJSON([]byte(value))
			if err != nil {
				return fmt.Errorf("the parameter %q is not valid JSON", name)
			}
			c.params = append(c.params, member{name, v})
			return nil
		}
	}
	c.params = append(c.params, member{name, value})
	return nil
}

// check returns an error unless the API reference documents the parameters and files.
func (s *Server) check(c *call, fields []documented.Field) error {
	if err := s.checkObject("", c.params, fields); err != nil {
		return err
	}
	for name, f := range c.files {
		if !slices.ContainsFunc(fields, func(d documented.Field) bool { return d.Name == name && d.Kind == documented.Picture }) {
			return fmt.Errorf("no file parameter %q is documented", name)
		}
		if !bytes.HasPrefix(f.head, []byte{0xff, 0xd8, 0xff}) && !bytes.HasPrefix(f.head, []byte("\x89PNG\r\n\x1a\n")) {
			return fmt.Errorf("the file %q is neither a JPEG nor a PNG image", name)
		}
	}
	for _, f := range fields {
		if f.Kind != documented.Picture || !f.Required {
			continue
		}
		if _, ok := c.files[f.Name]; !ok {
			return fmt.Errorf("the file %q is missing", f.Name)
		}
	}
	return nil
}

func (s *Server) checkObject(path string, o object, fields []documented.Field) error {
	for _, m := range o {
		i := slices.IndexFunc(fields, func(f documented.Field) bool { return f.Name == m.name })
		if i < 0 {
			if s.allowed(m.name) {
				continue
			}
			if near := nearestField(m.name, fields); near != "" {
				return fmt.Errorf("no parameter %q is documented; did you mean the parameter %q?", path+m.name, path+near)
			}
			return fmt.Errorf("no parameter %q is documented", path+m.name)
		}
		if err := s.checkValue(path+m.name, m.value, fields[i]); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if !f.Required || f.Kind == documented.Picture {
			continue
		}
		if v, ok := o.get(f.Name); !ok || v == "" {
			return fmt.Errorf("the parameter %q is missing or empty", path+f.Name)
		}
	}
	return nil
}

// nearestField returns the name that a misspelled name was probably meant to be, or "".
func nearestField(name string, fields []documented.Field) (nearest string) {
	best := tolerance(name)
	for _, f := range fields {
		if d := fake.EditDistance(plainName(name), plainName(f.Name)); d < best {
			nearest, best = f.Name, d
		}
	}
	return nearest
}

// plainName removes the spelling that differs between the two hosts.
func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func (s *Server) checkValue(path string, v any, f documented.Field) error {
	if v == nil && f.Nullable {
		return nil
	}
	ok := false
	switch f.Kind {
	case documented.Text:
		_, ok = v.(string)
	case documented.Boolean:
		_, ok = v.(bool)
	case documented.Integer:
		n, isNumber := v.(json.Number)
		if isNumber {
			_, err := n.Int64()
			ok = err == nil
		}
	case documented.Texts:
		var l []any
		l, ok = v.([]any)
		for _, item := range l {
			if _, isText := item.(string); !isText {
				ok = false
			}
		}
	case documented.Nested:
		o, isObject := v.(object)
		if !isObject {
			break
		}
		return s.checkObject(path+".", o, f.Fields)
	case documented.FlagSet, documented.RoleSet: // the members are checked later
		_, ok = v.(object)
		if l, isList := v.([]any); isList && len(l) == 0 {
			ok = true // the service accepts and sends [] for an empty object
		}
	case documented.StepList, documented.QuestionList, documented.OptionList, documented.KYBFieldList: // the items are checked later
		_, ok = v.([]any)
	case documented.Password, documented.Title: // checked later
		ok = true
	}
	if !ok {
		return fmt.Errorf("the parameter %q has the wrong type", path)
	}
	return nil
}

// allowed reports whether AllowUnknown permits an undocumented name.
func (s *Server) allowed(name string) bool {
	return s.allowAll || slices.Contains(s.allowNames, name)
}

// countingReader counts the bytes of a body and keeps the last ones.
type countingReader struct {
	r    io.Reader
	n    int64
	tail []byte
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	const kept = 128 // a boundary has at most 70 characters
	c.tail = append(c.tail, p[max(0, n-kept):n]...)
	c.tail = c.tail[max(0, len(c.tail)-kept):]
	return n, err
}

func (c *countingReader) endsWith(text string) bool {
	return bytes.HasSuffix(bytes.TrimRight(c.tail, "\r\n"), []byte(text))
}
