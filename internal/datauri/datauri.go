// Package datauri decodes the data URIs in a response while it arrives. The response is a JSON
// object whose member "result" is a data URI or a list, possibly nested, of data URIs. The
// package holds about 128 KiB in memory, however large the data URIs are.
package datauri

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	readSize   = 64 << 10
	chunkSize  = 32 << 10 // base64 that is decoded at once
	maxPrefix  = 512      // part of a data URI before its data
	maxValue   = 64 << 10 // member other than the result
	maxNesting = 16       // lists inside the result
)

// FormatError reports a malformed response, or one of another format. Problem contains no
// value of the response.
type FormatError struct{ Problem string }

func (e *FormatError) Error() string { return e.Problem }

func malformed(problem string) error { return &FormatError{Problem: problem} }

// ServiceError reports that the response contains an error of the service, possibly after the
// result. Response is a JSON object with only the member that reports the error.
type ServiceError struct{ Response []byte }

func (e *ServiceError) Error() string { return "the service reported an error" }

// Reader iterates over the data URIs of one response.
type Reader struct {
	src       *bufio.Reader
	item      *Item  // current item, nil before the first one
	started   bool   // Next has been called
	hasNext   bool   // the opening quote of the next item has been read
	hasResult bool   // the member "result" has been read
	depth     int    // nesting of lists inside the result
	enc       []byte // base64 of the current item, shared by all items
	dec       []byte // decoded data of the current item, shared by all items
	err       error  // what ended the iteration; io.EOF at the end of a complete document
}

// NewReader returns a Reader of src, which must end after the JSON document.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, readSize)}
}

// Next returns the next data URI, in the order of the document. It skips the unread part of
// the previous item. After the last item, it returns io.EOF if the document is complete and
// well-formed.
func (r *Reader) Next() (*Item, error) {
	if r.item != nil {
		if err := r.item.skip(); err != nil {
			return nil, err
		}
	} else if !r.started {
		r.started = true
		r.advance(r.open)
	}
	if !r.hasNext {
		return nil, r.err
	}
	r.hasNext = false
	r.item = &Item{r: r}
	if err := r.item.open(); err != nil {
		return nil, err
	}
	return r.item, nil
}

// advance calls parse, which reads up to the opening quote of the next item or to the end of
// the document.
func (r *Reader) advance(parse func() error) {
	if err := parse(); err != nil {
		r.err = unexpectedEOF(err)
	}
}

// unexpectedEOF converts io.EOF, which is unexpected inside the document, and errEnd.
func unexpectedEOF(err error) error {
	switch err {
	case io.EOF:
		return io.ErrUnexpectedEOF
	case errEnd:
		return io.EOF
	}
	return err
}

// errEnd is returned at the end of a complete document.
var errEnd = errors.New("end of document")

// open reads from the start of the document to the first item.
func (r *Reader) open() error {
	if bom, _ := r.src.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = r.src.Discard(3)
	}
	if c, err := r.token(); err != nil {
		return err
	} else if c != '{' {
		return malformed("not a JSON object")
	}
	return r.members('{')
}

// members reads members up to the first item of the result, or to the end of the document.
// prev is the previous token: '{' or ',', or 0 after a value.
func (r *Reader) members(prev byte) error {
	for {
		c, err := r.token()
		if err != nil {
			return err
		}
		switch {
		case c == '}' && prev != ',':
			return r.finish()
		case prev == 0:
			if c != ',' {
				return malformed("a comma is missing between members")
			}
			prev = ','
			continue
		case c != '"':
			return malformed("a member has no name")
		}
		name, err := r.string()
		if err != nil {
			return err
		}
		if c, err = r.token(); err != nil {
			return err
		} else if c != ':' {
			return malformed("a member has no value")
		}
		if name == "result" {
			if r.hasResult {
				return malformed("duplicate result")
			}
			r.hasResult = true
			return r.values('[')
		}
		value, err := r.value()
		if err != nil {
			return err
		}
		if isError(name) && string(value) != "null" {
			response, err := json.Marshal(map[string]json.RawMessage{name: value})
			if err != nil {
				return malformed("the error of the service is malformed")
			}
			return &ServiceError{Response: response}
		}
		prev = 0
	}
}

func isError(name string) bool {
	return strings.EqualFold(name, "argumentError") || strings.EqualFold(name, "internalError")
}

// values reads up to the next string inside the result, or to the end of the document. prev
// is the previous token: '[' if a value may follow, ',' if a value must follow, or 0 after a
// value.
func (r *Reader) values(prev byte) error {
	for {
		if r.depth == 0 && prev == 0 {
			return r.members(0)
		}
		c, err := r.token()
		if err != nil {
			return err
		}
		switch {
		case c == '"' && prev != 0:
			r.hasNext = true
			return nil
		case c == '[' && prev != 0:
			if r.depth++; r.depth > maxNesting {
				return malformed("lists are nested too deeply")
			}
			prev = '['
		case c == ']' && prev != ',' && r.depth > 0:
			r.depth--
			prev = 0
		case c == ',' && prev == 0:
			prev = ','
		default:
			return malformed("the result is neither a string nor lists of strings")
		}
	}
}

// finish checks that the document ends. Reading the end of src also verifies a signature.
func (r *Reader) finish() error {
	if !r.hasResult {
		return malformed("no result")
	}
	_, err := r.token()
	if err == nil {
		return malformed("data after the end of the document")
	}
	if err == io.EOF {
		return errEnd
	}
	return err
}

// token returns the next byte that is not white space.
func (r *Reader) token() (byte, error) {
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

// string reads the rest of a short string after its opening quote.
func (r *Reader) string() (string, error) {
	raw := []byte{'"'}
	if err := r.appendString(&raw); err != nil {
		return "", err
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", malformed("a name is malformed")
	}
	return s, nil
}

// appendString appends the rest of a string to raw, including the closing quote.
func (r *Reader) appendString(raw *[]byte) error {
	for escaped := false; ; {
		c, err := r.src.ReadByte()
		if err != nil {
			return err
		}
		if *raw = append(*raw, c); len(*raw) > maxValue {
			return malformed("a member is too long")
		}
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return nil
		}
	}
}

// value reads the value of a member other than the result.
func (r *Reader) value() (json.RawMessage, error) {
	var raw []byte
	for depth := 0; ; {
		c, err := r.token()
		if err != nil {
			return nil, err
		}
		if depth == 0 && len(raw) > 0 && (c == ',' || c == '}') {
			_ = r.src.UnreadByte()
			break
		}
		if raw = append(raw, c); len(raw) > maxValue {
			return nil, malformed("a member is too long")
		}
		switch c {
		case '"':
			if err := r.appendString(&raw); err != nil {
				return nil, err
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return nil, malformed("a member has no value")
			}
		}
	}
	if !json.Valid(raw) {
		return nil, malformed("a member is malformed")
	}
	return raw, nil
}

// Item is one data URI. It can be read until the next call of Next.
type Item struct {
	// MediaType is the media type in the URI, or "".
	MediaType string

	r      *Reader
	out    []byte // decoded data that has not been read
	closed bool   // the closing quote has been read
	padded bool   // padding has been decoded, so no data may follow
	err    error  // what Read returns after out
}

// open reads the prefix of the URI. The prefix is "data:image/png;base64,", the same without
// the comma, or empty.
func (i *Item) open() error {
	r := i.r
	if r.enc == nil {
		r.enc, r.dec = make([]byte, 0, chunkSize), make([]byte, base64.StdEncoding.DecodedLen(chunkSize))
	}
	r.enc = r.enc[:0]
	for len(r.enc) < maxPrefix && !i.closed {
		if err := i.fill(); err != nil {
			i.err = unexpectedEOF(err)
			return i.err
		}
	}
	rest, isURI := bytes.CutPrefix(r.enc, []byte("data:"))
	if !isURI {
		return nil
	}
	before, after, found := bytes.Cut(rest[:min(len(rest), maxPrefix)], []byte(";base64"))
	if !found {
		i.err = malformed("a data URI is not base64")
		return i.err
	}
	i.MediaType = string(before)
	prefix := len("data:") + len(before) + len(";base64")
	if len(after) > 0 && after[0] == ',' {
		prefix++
	}
	r.enc = r.enc[:copy(r.enc, r.enc[prefix:])]
	return nil
}

// Read reads decoded data. At the end of the last item, it returns io.EOF only if the
// document is complete and well-formed.
func (i *Item) Read(p []byte) (int, error) {
	for len(i.out) == 0 {
		if i.err != nil {
			return 0, i.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		i.decode()
	}
	n := copy(p, i.out)
	i.out = i.out[n:]
	return n, nil
}

// decode reads and decodes a chunk. Afterwards, out is not empty or err is set.
func (i *Item) decode() {
	r := i.r
	for !i.closed && len(r.enc) < chunkSize/2 {
		if err := i.fill(); err != nil {
			i.err = unexpectedEOF(err)
			return
		}
	}
	n := len(r.enc)
	if !i.closed {
		n -= n % 4 // whole groups only
	}
	if err := i.decodeChunk(r.enc[:n]); err != nil {
		i.err = err
		return
	}
	r.enc = r.enc[:copy(r.enc, r.enc[n:])]
	if i.closed {
		i.end()
	}
}

func (i *Item) decodeChunk(chunk []byte) error {
	if len(chunk) == 0 {
		return nil
	}
	encoding := base64.StdEncoding
	if i.padded {
		return malformed("base64 continues after its padding")
	}
	if i.padded = chunk[len(chunk)-1] == '='; !i.padded && len(chunk)%4 != 0 {
		encoding = base64.RawStdEncoding // without padding
	}
	n, err := encoding.Decode(i.r.dec, chunk)
	want := len(chunk) * 6 / 8
	if i.padded {
		want -= len(chunk) - len(bytes.TrimRight(chunk, "="))
	}
	// The decoder skips literal line breaks, which JSON does not allow inside a string. A
	// wrong length reveals them.
	if err != nil || n != want || len(chunk)%4 == 1 {
		return malformed("base64 is malformed")
	}
	i.out = i.r.dec[:n]
	return nil
}

// end reads what follows the string. The item ends with io.EOF only if another item or the
// end of the document follows.
func (i *Item) end() {
	i.r.advance(func() error { return i.r.values(0) })
	i.err = io.EOF
	if !i.r.hasNext {
		i.err = i.r.err
	}
}

// fill appends some of the string to enc, unescaped. enc must not be full.
func (i *Item) fill() error {
	r := i.r
	if _, err := r.src.Peek(1); err != nil {
		return err
	}
	text, _ := r.src.Peek(min(r.src.Buffered(), cap(r.enc)-len(r.enc)))
	n := 0 // bytes of text that have been processed
	for n < len(text) {
		plain := text[n:]
		// Search for the backslash first and for the quote only before it. An escaped slash
		// occurs every few dozen bytes, the quote once, so the opposite order would search
		// the whole text for the quote again after every slash.
		if escape := bytes.IndexByte(plain, '\\'); escape >= 0 {
			plain = plain[:escape]
		}
		if quote := bytes.IndexByte(plain, '"'); quote >= 0 {
			r.enc = append(r.enc, plain[:quote]...)
			i.closed = true
			_, err := r.src.Discard(n + quote + 1)
			return err
		}
		r.enc = append(r.enc, plain...)
		n += len(plain)
		if len(text) < n+2 || text[n+1] != '/' {
			break
		}
		r.enc = append(r.enc, '/')
		n += 2
	}
	if _, err := r.src.Discard(n); err != nil || n == len(text) {
		return err
	}
	_, _ = r.src.ReadByte() // the backslash
	return i.unescape()
}

// unescape decodes an escape sequence after its backslash.
func (i *Item) unescape() error {
	r := i.r
	c, err := r.src.ReadByte()
	if err != nil {
		return err
	}
	switch c {
	case '/':
		r.enc = append(r.enc, '/')
	case 'n', 'r', 't': // an encoder may wrap base64
	case 'u':
		var hex [4]byte
		if _, err := io.ReadFull(r.src, hex[:]); err != nil {
			return err
		}
		code, err := strconv.ParseUint(string(hex[:]), 16, 16)
		if err != nil || code < ' ' || code > '~' {
			return malformed("an escape sequence is not base64")
		}
		r.enc = append(r.enc, byte(code))
	default:
		return malformed("an escape sequence is not base64")
	}
	return nil
}

// skip reads to the end of the item without decoding it.
func (i *Item) skip() error {
	for i.err == nil && !i.closed {
		i.r.enc = i.r.enc[:0]
		if err := i.fill(); err != nil {
			i.err = unexpectedEOF(err)
		}
	}
	if i.err == nil {
		i.end()
	}
	i.out = nil
	if i.err == io.EOF {
		return nil
	}
	return i.err
}
