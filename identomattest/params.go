package identomattest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/operation"
)

// call is one request while it is served.
type call struct {
	op     *operation.Operation
	log    *Request
	params object
	files  map[string]upload
	// code is the signature that the Authorization header must carry.
	code string
}

type upload struct {
	Upload
	head []byte // the first bytes, enough to tell the size of a picture
}

const (
	maxBody     = 16 << 20 // of a JSON or urlencoded body, and of a text part
	maxFileHead = 1 << 20
)

type kind uint8

const (
	text      kind = iota // a JSON string
	boolean               // true or false
	integer               // a JSON number without a fraction
	texts                 // an array of strings
	nested                // an object with the listed fields
	anyObject             // an object whose content is examined later
	anyList               // an array whose content is examined later
	jpeg                  // a file part
	unchecked             // any JSON value, examined later
)

// field is one documented parameter.
type field struct {
	name     string
	kind     kind
	required bool
	// nullable: null is the documented default and means absent.
	nullable bool
	fields   []field
}

// read takes the body apart by its content type. What the endpoint does not accept is an error.
func (s *Server) read(c *call, r *http.Request) (err error) {
	body := &counter{r: r.Body}
	defer func() {
		_, _ = io.Copy(io.Discard, body)
		c.log.Size = body.n
	}()
	switch {
	case r.Method != http.MethodPost:
		return fmt.Errorf("the method is %s, not POST", r.Method)
	case r.URL.RawQuery != "":
		return errors.New("parameters stand in the query string")
	case r.Header.Get("Content-Encoding") != "":
		return errors.New("the body is compressed")
	}
	media, attributes, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return errors.New("no Content-Type that can be read")
	}
	uploads := c.op.Encoding == operation.Multipart
	switch {
	case media == "multipart/form-data" && (uploads || c.op.Host == operation.Widget):
		return s.readMultipart(c, body, attributes["boundary"])
	case uploads:
		return fmt.Errorf("%s takes multipart/form-data, not %s", c.op.Name, media)
	case media == "application/json":
		return s.readJSON(c, body)
	case media == "application/x-www-form-urlencoded" && c.op.Host == operation.Widget:
		return s.readForm(c, body)
	case media == "application/x-www-form-urlencoded":
		// The documents' curl examples post JSON below curl's default type.
		return s.readJSON(c, body)
	}
	return fmt.Errorf("%s does not take %s", c.op.Name, media)
}

func (s *Server) readAll(c *call, body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("the body broke off: %w", err)
	}
	if len(data) > maxBody {
		return nil, errors.New("the body is larger than this server reads")
	}
	c.code = signBody(s.secretKey, data)
	return data, nil
}

func (s *Server) readJSON(c *call, body io.Reader) error {
	data, err := s.readAll(c, body)
	if err != nil {
		return err
	}
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	o, ok := v.(object)
	if !ok {
		return errors.New("the body is not a JSON object")
	}
	c.params = o
	return nil
}

func (s *Server) readForm(c *call, body io.Reader) error {
	data, err := s.readAll(c, body)
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return errors.New("the body is not an urlencoded form")
	}
	c.params = object{}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if len(values[name]) != 1 {
			return fmt.Errorf("the parameter %q comes twice", name)
		}
		if err := c.addText(name, values[name][0]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) readMultipart(c *call, body *counter, boundary string) error {
	if boundary == "" {
		return errors.New("multipart without a boundary")
	}
	c.params, c.files = object{}, map[string]upload{}
	sig := newSignature(s.secretKey)
	parts := multipart.NewReader(body, boundary)
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			// The reader reports some bodies that break off as ended ones.
			if !body.endsWith("--" + boundary + "--") {
				return errors.New("the multipart body breaks off")
			}
			c.code = sig.code()
			return nil
		}
		if err != nil {
			return fmt.Errorf("the multipart body is broken: %w", err)
		}
		name := p.FormName()
		if _, twice := c.files[name]; twice {
			return fmt.Errorf("the part %q comes twice", name)
		}
		sig.part()
		if p.FileName() == "" {
			if len(c.files) > 0 {
				return fmt.Errorf("the text part %q comes after a file part", name)
			}
			data, err := io.ReadAll(io.LimitReader(io.TeeReader(p, sig), maxBody+1))
			if err != nil {
				return fmt.Errorf("the multipart body is broken: %w", err)
			}
			if len(data) > maxBody {
				return fmt.Errorf("the part %q is larger than this server reads", name)
			}
			if err := c.addText(name, string(data)); err != nil {
				return err
			}
			continue
		}
		if _, twice := c.params.get(name); twice {
			return fmt.Errorf("the part %q comes twice", name)
		}
		f, err := readFile(p, sig)
		if err != nil {
			return err
		}
		c.files[name] = f
	}
}

// readFile keeps the head of a file part and the sum of all of it: an upload of any
// size passes through constant memory.
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
		return upload{}, fmt.Errorf("the multipart body is broken: %w", err)
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

// addText adds a parameter of a form encoding, where objects and arrays are JSON text.
func (c *call) addText(name, value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("the parameter %q is not UTF-8", name)
	}
	if _, twice := c.params.get(name); twice {
		return fmt.Errorf("the parameter %q comes twice", name)
	}
	if len(c.params) == maxNames {
		return errors.New("too many parameters")
	}
	for _, f := range routes[c.op].fields {
		if f.name == name && f.kind != text {
			v, err := decodeJSON([]byte(value))
			if err != nil {
				return fmt.Errorf("the parameter %q is not JSON text", name)
			}
			c.params = append(c.params, member{name, v})
			return nil
		}
	}
	c.params = append(c.params, member{name, value})
	return nil
}

// check compares the parameters with the documented ones.
func (s *Server) check(c *call, fields []field) error {
	if err := s.checkObject("", c.params, fields); err != nil {
		return err
	}
	for name, f := range c.files {
		if !slices.ContainsFunc(fields, func(d field) bool { return d.name == name && d.kind == jpeg }) {
			return fmt.Errorf("no parameter %q is documented as a file", name)
		}
		if !bytes.HasPrefix(f.head, []byte{0xff, 0xd8, 0xff}) {
			return fmt.Errorf("the file %q is not a JPEG image", name)
		}
	}
	for _, f := range fields {
		if f.kind != jpeg || !f.required {
			continue
		}
		if _, ok := c.files[f.name]; !ok {
			return fmt.Errorf("the file %q is missing", f.name)
		}
	}
	return nil
}

func (s *Server) checkObject(path string, o object, fields []field) error {
	for _, m := range o {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.name })
		if i < 0 {
			if s.allowed(m.name) {
				continue
			}
			return fmt.Errorf("no parameter %q is documented", path+m.name)
		}
		if err := s.checkValue(path+m.name, m.value, fields[i]); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if !f.required || f.kind == jpeg {
			continue
		}
		if v, ok := o.get(f.name); !ok || v == "" {
			return fmt.Errorf("the parameter %q is missing or empty", path+f.name)
		}
	}
	return nil
}

func (s *Server) checkValue(path string, v any, f field) error {
	if v == nil && f.nullable {
		return nil
	}
	ok := false
	switch f.kind {
	case text:
		_, ok = v.(string)
	case boolean:
		_, ok = v.(bool)
	case integer:
		n, isNumber := v.(json.Number)
		if isNumber {
			_, err := n.Int64()
			ok = err == nil
		}
	case texts:
		var l []any
		l, ok = v.([]any)
		for _, item := range l {
			if _, isText := item.(string); !isText {
				ok = false
			}
		}
	case nested:
		o, isObject := v.(object)
		if !isObject {
			break
		}
		return s.checkObject(path+".", o, f.fields)
	case anyObject:
		_, ok = v.(object)
		if l, isList := v.([]any); isList && len(l) == 0 {
			ok = true // the service takes [] for {}, as it writes it
		}
	case anyList:
		_, ok = v.([]any)
	case unchecked:
		ok = true
	}
	if !ok {
		return fmt.Errorf("the parameter %q has the wrong type", path)
	}
	return nil
}

// allowed says that AllowUnknown lets a name pass.
func (s *Server) allowed(name string) bool {
	return s.allowAll || slices.Contains(s.allowNames, name)
}

// counter counts the bytes of a body and keeps the last of them.
type counter struct {
	r    io.Reader
	n    int64
	tail []byte
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	const kept = 128 // a boundary has at most 70 characters
	c.tail = append(c.tail, p[max(0, n-kept):n]...)
	c.tail = c.tail[max(0, len(c.tail)-kept):]
	return n, err
}

func (c *counter) endsWith(text string) bool {
	return bytes.HasSuffix(bytes.TrimRight(c.tail, "\r\n"), []byte(text))
}
