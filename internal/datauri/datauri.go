// Package datauri decodes data URIs while a response arrives. The response is a JSON object whose
// member "result" is a data URI or a list, possibly nested, of data URIs. Memory use stays at about
// 128 KiB, however large the data URIs are.
package datauri

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	"github.com/identomat-go/identomat/internal/response"
)

const (
	readSize   = 64 << 10
	chunkSize  = 24 << 10 // bytes of base64 that are decoded at once
	maxPrefix  = 512      // the part of a data URI before its data
	maxValue   = 64 << 10 // name or value of a member other than result
	maxNesting = 16       // levels of lists inside the result
)

// FormatError reports a response that is malformed or has another format. Problem contains no value
// from the response.
type FormatError struct{ Problem string }

func (e *FormatError) Error() string { return e.Problem }

// ServiceError means that the response reports an error, possibly after the result. Response is a
// JSON object with only the member that reports the error.
type ServiceError struct{ Response []byte }

func (e *ServiceError) Error() string { return "the service reported an error" }

// Reader iterates over the data URIs of one response.
type Reader struct {
	src       *bufio.Reader
	separator byte            // token before the next member
	hasResult bool            // the name "result" has been read
	depth     int             // nesting of lists inside the result
	prev      byte            // token before the next value of the result, 0 after a value
	found     bool            // the opening quote of the next item has been read
	open      bool            // the closing quote of the current item has not been read
	raw       []byte          // unread part of the current item, in the buffer of src
	head      [maxPrefix]byte // beginning of the current item
	enc       [chunkSize]byte // base64
	dec       [chunkSize / 4 * 3]byte
	complete  bool  // the end of the object has been read
	err       error // what ended the iteration; io.EOF after a complete response
}

// NewReader returns a Reader for src. Nothing but white space may follow the JSON object.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, readSize), separator: '{'}
}

// Next skips the unread part of the previous item and returns the next item. After the last item,
// it returns io.EOF if the response is complete and well-formed.
func (r *Reader) Next() (*Item, error) {
	if err := r.advance(); err != nil {
		return nil, err
	}
	r.found, r.open = false, true
	n, _ := io.ReadFull(text{r}, r.head[:])
	item, data := &Item{r: r}, r.head[:n]
	// The prefix is "data:image/png;base64,", the same without the comma, or empty. Its case does
	// not matter (RFC 2397).
	if uri, isURI := cutFold(data, "data:"); isURI {
		var isBase64 bool
		for at := range uri {
			var encoded []byte
			if encoded, isBase64 = cutFold(uri[at:], ";base64"); isBase64 {
				item.MediaType, data = string(uri[:at]), bytes.TrimPrefix(encoded, []byte(","))
				break
			}
		}
		if !isBase64 {
			r.malformed("a data URI is not base64")
		}
	}
	item.src = io.MultiReader(bytes.NewReader(data), text{r})
	return item, r.err
}

// cutFold cuts a prefix from s like bytes.CutPrefix, but ignores case.
func cutFold(s []byte, prefix string) (rest []byte, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(string(s[:len(prefix)]), prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// advance skips the rest of the current item and reads up to the opening quote of the next item. At
// the end of the response, it returns io.EOF.
func (r *Reader) advance() error {
	_, _ = io.Copy(io.Discard, text{r})
	for !r.found && r.err == nil {
		if r.depth > 0 || r.prev != 0 {
			r.result()
		} else {
			r.member()
		}
	}
	return r.err
}

// member reads the next member, or the end of the response. Of the member "result", it reads only
// the name.
func (r *Reader) member() {
	if r.separator == '{' {
		if bom, _ := r.src.Peek(3); string(bom) == "\xef\xbb\xbf" {
			_, _ = r.src.Discard(3)
		}
	}
	c := r.token()
	if c == '}' && r.separator == ',' {
		r.complete = true
		if !r.hasResult {
			r.malformed("no result")
		}
		if r.token(); r.err == nil { // reading the end of src also verifies a signature
			r.malformed("data after the end of the object")
		}
		return
	}
	if c != r.separator {
		r.malformed("an opening brace or a comma is missing")
	}
	r.separator = ','
	var decoded any
	_ = json.Unmarshal(r.value(), &decoded)
	name, isName := decoded.(string)
	if !isName || r.token() != ':' {
		r.malformed("a member has no name or no value")
	}
	if name == "result" {
		if r.hasResult {
			r.malformed("duplicate result")
		}
		r.hasResult, r.prev = true, ':'
		return
	}
	value := r.value()
	if !json.Valid(value) {
		r.malformed("a member is malformed")
	}
	if object, _ := json.Marshal(map[string]json.RawMessage{name: value}); response.SaysError(object) {
		r.fail(&ServiceError{Response: object})
	}
}

// result reads the next token of the result.
func (r *Reader) result() {
	switch c := r.token(); {
	case c == '"' && r.prev != 0:
		r.found, r.prev = true, 0
	case c == '[' && r.prev != 0:
		if r.depth++; r.depth > maxNesting {
			r.malformed("lists are nested too deeply")
		}
		r.prev = c
	case c == ']' && r.prev != ',' && r.depth > 0:
		r.depth--
		r.prev = 0
	case c == ',' && r.prev == 0:
		r.prev = c
	default:
		r.malformed("the result is neither a string nor lists of strings")
	}
}

// value reads the name or the value of a member, up to the delimiter.
func (r *Reader) value() (value []byte) {
	quoted, escaped, depth := false, false, 0
	for r.err == nil {
		c := r.byte()
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && strings.IndexByte(":,}]", c) >= 0:
			_ = r.src.UnreadByte()
			return value
		case c == '}' || c == ']':
			depth--
		}
		if value = append(value, c); len(value) > maxValue {
			r.malformed("a member is too long")
		}
	}
	return value
}

// token returns the next byte that is not white space.
func (r *Reader) token() byte {
	for {
		if c := r.byte(); c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
}

// byte returns the next byte, or 0 after an error.
func (r *Reader) byte() byte {
	c, err := r.src.ReadByte()
	if err != nil {
		r.fail(err)
	}
	return c
}

// fail keeps the first error.
func (r *Reader) fail(err error) {
	if err == io.EOF && !r.complete {
		err = io.ErrUnexpectedEOF
	}
	if r.err == nil {
		r.err = err
	}
}

func (r *Reader) malformed(problem string) { r.fail(&FormatError{Problem: problem}) }

// fill reads more of the current item if raw is empty. It returns false if there is no more.
func (r *Reader) fill() bool {
	if len(r.raw) == 0 && r.open && r.err == nil {
		// A quote always ends the item, because base64 contains no escaped quote.
		raw, err := r.src.ReadSlice('"')
		if err == nil {
			r.open, raw = false, raw[:len(raw)-1]
		} else if err != bufio.ErrBufferFull {
			r.fail(err)
		}
		// JSON does not allow a line break inside a string, and encoding/base64 would skip it
		// silently.
		if bytes.IndexByte(raw, '\n') >= 0 || bytes.IndexByte(raw, '\r') >= 0 {
			r.malformed("a line break inside a string")
		}
		r.raw = raw
	}
	return len(r.raw) > 0 && r.err == nil
}

// text reads the current item and decodes escape sequences.
type text struct{ r *Reader }

func (t text) Read(p []byte) (n int, err error) {
	r := t.r
	for n < len(p) {
		if !r.fill() {
			return n, cmp.Or(r.err, io.EOF)
		}
		plain := r.raw[:min(len(r.raw), len(p)-n)]
		for _, c := range []byte(`\%`) { // much faster than bytes.IndexAny
			if i := bytes.IndexByte(plain, c); i >= 0 {
				plain = plain[:i]
			}
		}
		if len(plain) == 0 {
			if c := r.unescape(); c != 0 {
				p[n] = c
				n++
			}
			continue
		}
		n += copy(p[n:], plain)
		r.raw = r.raw[len(plain):]
	}
	return n, nil
}

// unescape returns the character of an escape sequence in JSON (\u002b) or in a URI (%2B). It
// returns 0 for white space, which the caller skips, because some encoders break base64 into lines.
func (r *Reader) unescape() byte {
	next := func() (c byte) {
		if r.fill() {
			c, r.raw = r.raw[0], r.raw[1:]
		}
		return c
	}
	// strconv.ParseUint would allocate for each sequence, and a file can have millions.
	hexByte := func() byte {
		var decoded [1]byte
		if _, err := hex.Decode(decoded[:], []byte{next(), next()}); err != nil {
			return 0
		}
		return decoded[0]
	}
	c := next()
	if c == '\\' {
		switch c = next(); {
		case c == 'n' || c == 'r' || c == 't':
			return 0
		case c == 'u' && next() == '0' && next() == '0':
			c = hexByte()
		case c != '/':
			c = 0
		}
	} else {
		c = hexByte()
	}
	if c < ' ' || c > '~' {
		r.malformed("an escape sequence is not base64")
	}
	return c
}

// Item is one data URI. It can be read until the next call to Next.
type Item struct {
	// MediaType is the media type in the URI, or "".
	MediaType string

	r      *Reader
	src    io.Reader // base64
	data   []byte    // decoded data that has not been read
	padded bool      // padding has been decoded, so no data may follow
}

// Read reads decoded data. At the end of the last item, it returns io.EOF only if the response is
// complete and well-formed.
func (i *Item) Read(p []byte) (int, error) {
	for len(i.data) == 0 && len(p) > 0 {
		if err := i.decode(); err != nil {
			return 0, err
		}
	}
	n := copy(p, i.data)
	i.data = i.data[n:]
	return n, nil
}

func (i *Item) decode() error {
	r := i.r
	n, err := io.ReadFull(i.src, r.enc[:])
	if err == io.EOF {
		return cmp.Or(r.advance(), io.EOF)
	}
	encodings := [...]*base64.Encoding{base64.StdEncoding, base64.URLEncoding}
	if n%4 != 0 { // the end of base64 without padding
		encodings = [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding}
	}
	size, err := encodings[0].Decode(r.dec[:], r.enc[:n])
	if err != nil {
		size, err = encodings[1].Decode(r.dec[:], r.enc[:n])
	}
	if n == 0 || err != nil || i.padded {
		r.malformed("base64 is malformed")
		return r.err
	}
	i.data, i.padded = r.dec[:size], r.enc[n-1] == '='
	return nil
}
