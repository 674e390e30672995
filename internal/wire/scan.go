// Package wire encodes parameters as JSON or as a form, and decodes JSON tolerantly. It knows
// neither endpoints nor HTTP.
package wire

import (
	"bytes"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions in this file navigate valid JSON text without copying. On other text, they return
// meaningless results, but do not panic.

// text is JSON text.
type text interface{ ~string | ~[]byte }

// skip returns the index after the value that begins at i.
func skip[T text](s T, i int) int {
	if i >= len(s) {
		return i
	}
	switch s[i] {
	case '"':
		return SkipString(s, i)
	case '{', '[':
		depth := 0
		for ; i < len(s); i++ {
			switch s[i] {
			case '"':
				i = SkipString(s, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return i
	}
	for i < len(s) && !isDelimiter(s[i]) {
		i++
	}
	return i
}

// SkipString returns the index after the closing quote of the string that begins at i.
func SkipString[T text](s T, i int) int {
	for i = skipPlain(s, i+1); i < len(s); i = skipPlain(s, i+1) {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// skipPlain returns the index of the first byte at or after i that is a quote, a backslash, a control
// character or not ASCII.
func skipPlain[T text](s T, i int) int {
	const high = 0x80 * ones
	for ; i+8 <= len(s); i += 8 {
		w := eight(s, i)
		quote, slash := w^'"'*ones, w^'\\'*ones // a matching byte becomes 0
		// A subtraction sets the high bit of the first byte that it makes negative.
		if found := (w | (w - ' '*ones) | (quote - ones) | (slash - ones)) & high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// ones multiplied by a byte is eight copies of the byte.
const ones = 0x0101010101010101

// eight returns the eight bytes at i.
func eight[T text](s T, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func skipSpace[T text](s T, i int) int {
	if i < len(s) && s[i] <= ' ' {
		return skipSpaces(s, i)
	}
	return i
}

func skipSpaces[T text](s T, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
		for n := 8; n == 8 && i+8 <= len(s) && s[i] == ' '; i += n { // indentation
			n = bits.TrailingZeros64(eight(s, i)^' '*ones) / 8
		}
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isDelimiter(c byte) bool { return c == ',' || c == '}' || c == ']' || c == ':' || isSpace(c) }

// Trim removes the JSON white space around s.
func Trim[T text](s T) T {
	s = s[skipSpace(s, 0):]
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// TrimBOM returns s without the byte order mark that some servers and proxies put before JSON.
// encoding/json refuses it.
func TrimBOM[T text](s T) T {
	const mark = "\xef\xbb\xbf"
	if len(s) >= len(mark) && string(s[:len(mark)]) == mark {
		return s[len(mark):]
	}
	return s
}

// next returns the value that begins at or after i, and the index after the comma that follows. ok
// is false at the end of the surrounding object or array.
func next[T text](s T, i int) (value T, after int, ok bool) {
	i = skipSpace(s, i)
	if i >= len(s) || s[i] == '}' || s[i] == ']' {
		return value, i, false
	}
	end := max(skip(s, i), i+1) // advance even at a stray delimiter
	value = s[i:end]
	if i = skipSpace(s, end); i < len(s) && (s[i] == ',' || s[i] == ':') {
		i++
	}
	return value, i, true
}

// Walk visits the members of an object, or the elements of an array:
//
//	for m := wire.Members(object); m.Next(); {
//		… m.Name, m.Value …
//	}
type Walk[T text] struct {
	Name  T // of a member, with its quotes
	Value T

	text  T
	at    int
	named bool
}

// Members returns a walk over the members of an object in order. For other values, it is empty.
func Members[T text](object T) Walk[T] { return walk(object, '{') }

// Elements returns a walk over the elements of an array in order. For other values, it is empty.
func Elements[T text](array T) Walk[T] { return walk(array, '[') }

func walk[T text](s T, open byte) Walk[T] {
	w := Walk[T]{text: Trim(s), named: open == '{'}
	if w.at = len(w.text); w.at > 0 && w.text[0] == open {
		w.at = 1
	}
	return w
}

// Next moves to the next member or element. It returns false at the end.
func (w *Walk[T]) Next() (ok bool) {
	if w.named {
		if w.Name, w.at, ok = next(w.text, w.at); !ok {
			return false
		}
	}
	w.Value, w.at, ok = next(w.text, w.at)
	return ok
}

// Get returns the value of the named member of an object. If the name is duplicated, it returns the
// last, as encoding/json does.
func Get[T text](object T, name string) (value T, found bool) {
	for m := Members(object); m.Next(); {
		if isName(m.Name, name) {
			value, found = m.Value, true
		}
	}
	return value, found
}

// HasMember reports whether an object has a non-null member of this name in any case.
func HasMember(object []byte, name string) bool {
	var buf [64]byte
	quoted := AppendString(buf[:0], name)
	for m := Members(object); m.Next(); {
		isNamed := bytes.EqualFold(m.Name, quoted) || bytes.IndexByte(m.Name, '\\') >= 0 && strings.EqualFold(Unquote(m.Name), name)
		if isNamed && string(m.Value) != "null" {
			return true
		}
	}
	return false
}

// Ambiguous reports whether an object has two different values for one of the names, which two
// parsers could read differently.
func Ambiguous(object []byte, names ...string) bool {
	for _, name := range names {
		last, found := Get(object, name)
		for m := Members(object); m.Next(); {
			if found && isName(m.Name, name) && string(m.Value) != string(last) {
				return true
			}
		}
	}
	return false
}

// AppendTexts appends the strings in a value, and the numbers of six or more characters, which may
// identify a person.
func AppendTexts(texts []string, value []byte) []string {
	for i := skipSpace(value, 0); i < len(value); i = skipSpace(value, i) {
		start := i
		if c := value[i]; c == '{' || c == '[' || isDelimiter(c) {
			i++
			continue
		}
		i = skip(value, i)
		end := skipSpace(value, i)
		isMemberName := end < len(value) && value[end] == ':'
		switch text := value[start:i]; {
		case isMemberName:
		case text[0] == '"':
			texts = append(texts, Unquote(text))
		case len(text) > len("false"):
			texts = append(texts, string(text))
		}
	}
	return texts
}

// isName reports whether quoted is name in quotes, possibly with escapes.
func isName[T text](quoted T, name string) bool {
	if len(quoted) == len(name)+2 && string(quoted[1:len(quoted)-1]) == name {
		return true
	}
	// With escapes, quoted is longer than the name in quotes.
	return len(quoted) > len(name)+2 && Unquote(quoted) == name
}

// Unquote returns the text of a JSON string, or "" for anything else. Invalid UTF-8 and lone
// surrogates become U+FFFD, as in encoding/json.
func Unquote[T text](quoted T) string {
	if len(quoted) < 2 || quoted[0] != '"' {
		return ""
	}
	s := string(quoted[1 : len(quoted)-1])
	if strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		return s
	}
	var buf [128]byte
	return string(appendUnescaped(buf[:0], []byte(s)))
}

func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			c = s[i+1]
			i += 2
			if c == 'u' {
				r := hexRune(s, i)
				i += 4
				if utf16.IsSurrogate(r) {
					// Only a pair of surrogates is a rune.
					low := rune(-1)
					if i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
						low = hexRune(s, i+2)
					}
					if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
						i += 6
					}
				}
				dst = utf8.AppendRune(dst, r)
				continue
			}
			if at := strings.IndexByte("bfnrt", c); at >= 0 {
				c = "\b\f\n\r\t"[at]
			}
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRune(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return dst
}

// hexRune returns the rune for the four hexadecimal digits at i.
func hexRune(s []byte, i int) rune {
	if i+4 <= len(s) {
		if r, err := strconv.ParseUint(string(s[i:i+4]), 16, 32); err == nil {
			return rune(r)
		}
	}
	return utf8.RuneError
}
