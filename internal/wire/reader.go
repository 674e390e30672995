package wire

import "bytes"

// A Reader visits valid JSON text without white space in one pass. Unlike a [Walk], it does not look for the
// end of an object or a list before it visits the contents:
//
//	for ok := r.Enter('{'); ok && r.Member(); {
//		… r.Name … r.Value() …
//	}
//
// After Element and Member, the caller must read the value with Value or Enter.
type Reader struct {
	// Name is the name of the member, without quotes and escapes.
	Name []byte
	text []byte
	at   int
}

// NewReader returns a Reader of one value.
func NewReader(value []byte) *Reader { return &Reader{text: value} }

// Peek returns the first byte of the next value, or 0 at the end of the text.
func (r *Reader) Peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// IsNull reports whether the next value is null.
func (r *Reader) IsNull() bool { return r.Peek() == 'n' }

// Enter enters the object or list that begins with the bracket. It skips any other value and returns
// false.
func (r *Reader) Enter(bracket byte) bool {
	if r.Peek() != bracket {
		r.Value()
		return false
	}
	r.at++
	return true
}

// Element moves to the next element of a list. It returns false after the last one.
func (r *Reader) Element() bool {
	c := r.Peek()
	if c == ',' {
		r.at++
		c = r.Peek()
	}
	if r.at >= len(r.text) || c == ']' || c == '}' {
		r.at = min(r.at+1, len(r.text))
		return false
	}
	return true
}

// Member moves to the next member of an object. It returns false after the last one.
func (r *Reader) Member() bool {
	if !r.Element() {
		return false
	}
	r.Name = r.Text()
	if r.Peek() == ':' {
		r.at++
	}
	return true
}

// Text reads a value and returns its text if it is a string. It copies the text only if the text has
// escapes.
func (r *Reader) Text() []byte {
	if r.Peek() == '"' {
		from := r.at + 1
		if end := skipPlain(r.text, from); end < len(r.text) && r.text[end] == '"' {
			r.at = end + 1
			return r.text[from:end]
		}
	}
	return Content(r.Value())
}

// Find returns the value of the first member with this name in the object that comes next. It does not move
// the reader.
func (r *Reader) Find(name string) []byte {
	ahead := *r
	for ok := ahead.Enter('{'); ok && ahead.Member(); {
		if value := ahead.Value(); string(ahead.Name) == name {
			return value
		}
	}
	return nil
}

// Value reads a value.
func (r *Reader) Value() []byte {
	start := r.at
	r.at = min(max(skip(r.text, start), start+1), len(r.text)) // advance even at a stray delimiter
	return r.text[start:r.at]
}

// Content returns the text of a JSON string, as [Unquote] does, but keeps invalid UTF-8 unless the text has
// escapes. It copies only a text with escapes.
func Content(quoted []byte) []byte {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return []byte(Unquote(quoted))
	}
	return quoted[1 : len(quoted)-1]
}
