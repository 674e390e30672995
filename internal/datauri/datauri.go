// Package datauri decodes the data URIs in a reply {"result": …} while the reply arrives.
// However large they are, no more than about 128 KiB is held.
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
	chunkSize  = 32 << 10 // of base64, before decoding
	maxPrefix  = 512      // of a data URI, before its data
	maxValue   = 64 << 10 // of a member that is not the result
	maxNesting = 16
)

// FormatError says in what way a reply is not what this package reads.
type FormatError struct{ Problem string }

func (e *FormatError) Error() string { return e.Problem }

func malformed(problem string) error { return &FormatError{Problem: problem} }

// RefusedError is a reply that reports an error of the service, however late in it. Reply
// is a JSON object with the member that tells it.
type RefusedError struct{ Reply []byte }

func (e *RefusedError) Error() string { return "the service reported an error" }

// Reader walks over the data URIs of one reply.
type Reader struct {
	src    *bufio.Reader
	item   *Item
	depth  int  // of lists inside the result
	result bool // a result was found
	begun  bool
	err    error // what ended the walk; io.EOF if it was the end
	next   bool  // the opening quote of the next item has been read
	enc    []byte
	dec    []byte
}

// NewReader reads from src, which must end right after the JSON document.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, readSize)}
}

// Next returns the next data URI, in the order of the document, or io.EOF after the last
// one, when the document was read to its end and found to be whole. What was not read of
// the item before is skipped.
func (r *Reader) Next() (*Item, error) {
	if r.item != nil {
		if err := r.item.skip(); err != nil {
			return nil, err
		}
	} else if !r.begun {
		r.begun = true
		r.advance(r.open)
	}
	if !r.next {
		return nil, r.err
	}
	r.next = false
	r.item = &Item{r: r}
	if err := r.item.open(); err != nil {
		return nil, err
	}
	return r.item, nil
}

// advance moves to the opening quote of the next item or to the end.
func (r *Reader) advance(move func() error) {
	if err := move(); err != nil {
		r.err = unexpectedEOF(err)
	}
}

// unexpectedEOF is for ends inside of a document; the end after it is reported by finish.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	if err == errEnd {
		return io.EOF
	}
	return err
}

// errEnd stands for the proper end of a document.
var errEnd = errors.New("end")

// open reads from the start of the document to the first item.
func (r *Reader) open() error {
	if mark, _ := r.src.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = r.src.Discard(3)
	}
	if c, err := r.token(); err != nil {
		return err
	} else if c != '{' {
		return malformed("not a JSON object")
	}
	return r.members('{')
}

// members reads members until the result. before is the byte before: { or a comma, or 0
// after a value.
func (r *Reader) members(before byte) error {
	for {
		c, err := r.token()
		if err != nil {
			return err
		}
		switch {
		case c == '}' && before != ',':
			return r.finish()
		case before == 0:
			if c != ',' {
				return malformed("a comma is missing between members")
			}
			before = ','
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
			if r.result {
				return malformed("two results")
			}
			r.result = true
			return r.values('[')
		}
		value, err := r.value()
		if err != nil {
			return err
		}
		if isError(name) && string(value) != "null" {
			reply, err := json.Marshal(map[string]json.RawMessage{name: value})
			if err != nil {
				return malformed("an error of the service is malformed")
			}
			return &RefusedError{Reply: reply}
		}
		before = 0
	}
}

func isError(name string) bool {
	return strings.EqualFold(name, "argumentError") || strings.EqualFold(name, "internalError")
}

// values reads to the next string inside the result. before is [ where a value may come, a
// comma where one must, and 0 after a value.
func (r *Reader) values(before byte) error {
	for {
		if r.depth == 0 && before == 0 {
			return r.members(0)
		}
		c, err := r.token()
		if err != nil {
			return err
		}
		switch {
		case c == '"' && before != 0:
			r.next = true
			return nil
		case c == '[' && before != 0:
			if r.depth++; r.depth > maxNesting {
				return malformed("lists are nested too deeply")
			}
			before = '['
		case c == ']' && before != ',' && r.depth > 0:
			r.depth--
			before = 0
		case c == ',' && before == 0:
			before = ','
		default:
			return malformed("the result holds something other than strings and lists of them")
		}
	}
}

// finish demands that nothing follows, which also makes a signature at the end be checked.
func (r *Reader) finish() error {
	if !r.result {
		return malformed("no result")
	}
	_, err := r.token()
	if err == nil {
		return malformed("text after the end of the document")
	}
	if err == io.EOF {
		return errEnd
	}
	return err
}

// token is the next byte that is not white space.
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
	if err := r.rest(&raw); err != nil {
		return "", err
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", malformed("a name is malformed")
	}
	return s, nil
}

// rest appends the rest of a string to raw, its closing quote included.
func (r *Reader) rest(raw *[]byte) error {
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

// value reads one value of a member that is not the result.
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
			if err := r.rest(&raw); err != nil {
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
		return nil, malformed("a value is malformed")
	}
	return raw, nil
}

// Item is one data URI. It can be read until Next is called.
type Item struct {
	// MediaType is what the URI says of itself, or "".
	MediaType string

	r      *Reader
	out    []byte // decoded and not yet read
	closed bool   // the closing quote was read
	padded bool   // padding was decoded: nothing may follow
	err    error  // what follows the data that is left in out
}

// open reads the prefix: "data:image/png;base64,", the same without the comma, or nothing.
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
	skip := len(r.enc) - len(rest) + len(before) + len(";base64")
	if len(after) > 0 && after[0] == ',' {
		skip++
	}
	r.enc = r.enc[:copy(r.enc, r.enc[skip:])]
	return nil
}

// Read decodes. After the last byte of the last item it returns io.EOF only if the document
// was whole.
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

// decode decodes what is there and then reads more, so that out is not empty or err is set.
func (i *Item) decode() {
	r := i.r
	for !i.closed && len(r.enc) < chunkSize/2 {
		if err := i.fill(); err != nil {
			i.err = unexpectedEOF(err)
			return
		}
	}
	whole := len(r.enc)
	if !i.closed {
		whole -= whole % 4
	}
	if err := i.decodeChunk(r.enc[:whole]); err != nil {
		i.err = err
		return
	}
	r.enc = r.enc[:copy(r.enc, r.enc[whole:])]
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
		return malformed("base64 goes on after its padding")
	}
	if i.padded = chunk[len(chunk)-1] == '='; !i.padded && len(chunk)%4 != 0 {
		encoding = base64.RawStdEncoding // the padding was left out
	}
	n, err := encoding.Decode(i.r.dec, chunk)
	want := len(chunk) * 6 / 8
	if i.padded {
		want -= len(chunk) - len(bytes.TrimRight(chunk, "="))
	}
	if err != nil || n != want || len(chunk)%4 == 1 { // the decoder skips line breaks, which JSON does not allow
		return malformed("base64 is malformed")
	}
	i.out = i.r.dec[:n]
	return nil
}

// end finds out what follows the string. The item ends well only if that is another item
// or the proper end of the document.
func (i *Item) end() {
	i.r.advance(func() error { return i.r.values(0) })
	if i.err = io.EOF; !i.r.next && i.r.err != io.EOF {
		i.err = i.r.err
	}
}

// fill appends some of the string to enc, without its escapes. There is room for it.
func (i *Item) fill() error {
	r := i.r
	if _, err := r.src.Peek(1); err != nil {
		return err
	}
	text, _ := r.src.Peek(min(r.src.Buffered(), cap(r.enc)-len(r.enc)))
	n := 0 // of the text is done
	for n < len(text) {
		plain := text[n:]
		// The quote is looked for in what stands before an escape, and not the other way
		// round: there is an escaped slash in every few dozen bytes, and one quote.
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

// unescape decodes an escape after its backslash.
func (i *Item) unescape() error {
	r := i.r
	c, err := r.src.ReadByte()
	if err != nil {
		return err
	}
	switch c {
	case '/':
		r.enc = append(r.enc, '/')
	case 'n', 'r', 't': // base64 may be broken into lines
	case 'u':
		var hex [4]byte
		if _, err := io.ReadFull(r.src, hex[:]); err != nil {
			return err
		}
		code, err := strconv.ParseUint(string(hex[:]), 16, 16)
		if err != nil || code < ' ' || code > '~' {
			return malformed("an escape that is not base64")
		}
		r.enc = append(r.enc, byte(code))
	default:
		return malformed("an escape that is not base64")
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
