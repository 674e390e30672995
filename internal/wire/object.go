package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A builder of requests keeps its object as JSON text. A text never changes: Set returns
// another one. So order and unknown members survive, a value can be shared between
// goroutines, and sending it is copying it.

// Unencodable stands in such a text for a value that has no JSON form, and Nil for a nil
// step or question. JSON contains neither byte. [IsSendable] finds them before anything is
// sent.
const (
	Unencodable = "\x00"
	Nil         = "\x01"
)

// IsSendable reports whether a text of builders is JSON.
func IsSendable[T text](s T) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= Nil[0] {
			return false
		}
	}
	return true
}

// Set returns the object with the named member set to a value, which is JSON text. A member
// that the object already has keeps its position.
func Set(object, name, value string) string {
	if start, end, found := find(object, name); found {
		return object[:start] + value + object[end:]
	}
	open := strings.TrimSuffix(object, "}")
	var b strings.Builder
	b.Grow(len(object) + len(name) + len(value) + len(`,"":}`))
	b.WriteString(open)
	if _, _, more := next(open, 1); more {
		b.WriteByte(',')
	}
	var buf [64]byte
	b.Write(AppendString(buf[:0], name))
	b.WriteByte(':')
	b.WriteString(value)
	b.WriteByte('}')
	return b.String()
}

// find returns where the value of the named member begins and ends; of several with the
// same name, the last.
func find(object, name string) (start, end int, found bool) {
	for i := 1; i < len(object); {
		quoted, at, ok := next(object, i)
		if !ok {
			break
		}
		from := skipSpace(object, at)
		value, after, ok := next(object, at)
		if !ok {
			break
		}
		if isName(quoted, name) {
			start, end, found = from, from+len(value), true
		}
		i = after
	}
	return start, end, found
}

// AppendString appends s as a JSON string. Georgian or Arabic text is not escaped, and
// neither is HTML.
func AppendString(dst []byte, s string) []byte {
	if isPlain(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// isPlain reports whether s needs no escape in JSON.
func isPlain(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s)
}

// String returns s as a JSON string.
func String[S ~string](s S) string {
	var buf [128]byte
	return string(AppendString(buf[:0], string(s)))
}

// Strings returns the list as a JSON array.
func Strings[S ~string](list []S) string {
	var buf [256]byte
	dst := append(buf[:0], '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, string(s))
	}
	return string(append(dst, ']'))
}

// Value returns any value as JSON text, [Unencodable] if it has none.
func Value(v any) string {
	switch v := v.(type) {
	case string:
		return String(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return Unencodable
	}
	return string(data)
}
