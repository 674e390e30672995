package identomattest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/fake"
)

// object is a JSON object that keeps the order of its members, so that responses follow the order in
// the API reference. Decoding refuses duplicate names.
type object []member

type member struct {
	name  string
	value any
}

func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// text returns the string member with this name, or "".
func (o object) text(name string) string {
	v, _ := o.get(name)
	s, _ := v.(string)
	return s
}

// flag returns the boolean member with this name, or false.
func (o object) flag(name string) bool {
	v, _ := o.get(name)
	b, _ := v.(bool)
	return b
}

// child returns the object member with this name, or an empty object.
func (o object) child(name string) object {
	v, _ := o.get(name)
	c, _ := v.(object)
	return c
}

// list returns the array member with this name, or nil.
func (o object) list(name string) []any {
	v, _ := o.get(name)
	l, _ := v.([]any)
	return l
}

// texts returns the strings in the array member with this name.
func (o object) texts(name string) []string {
	var out []string
	for _, v := range o.list(name) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// integer returns the integer member with this name, or the fallback.
func (o object) integer(name string, fallback int) int {
	v, _ := o.get(name)
	n, ok := v.(json.Number)
	if !ok {
		return fallback
	}
	i, err := strconv.Atoi(n.String())
	if err != nil {
		return fallback
	}
	return i
}

var errNotJSON = errors.New("the body is not a single valid JSON value")

// decodeJSON decodes exactly one JSON value into object, []any, string, json.Number, bool or nil.
// A duplicate name in an object is an error.
func decodeJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte(fake.ByteOrderMark))))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return v, nil
}

// Limits for a request, far above what the API needs. Deeper nesting could exhaust the stack, and
// finding duplicates among more names would take too long.
const (
	maxDepth = 100
	maxNames = 1000
)

// readClosing reads the delimiter that closes an object or an array.
func readClosing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errNotJSON
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, errNotJSON
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	switch delim {
	case '{':
		o := object{}
		for dec.More() {
			tok, err := dec.Token()
			if err != nil {
				return nil, errNotJSON
			}
			name, ok := tok.(string)
			if !ok {
				return nil, errNotJSON
			}
			if _, duplicate := o.get(name); duplicate {
				return nil, fmt.Errorf("duplicate name %q", name)
			}
			if len(o) == maxNames {
				return nil, errNotJSON
			}
			v, err := decodeValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			o = append(o, member{name, v})
		}
		return o, readClosing(dec)
	case '[':
		l := []any{}
		for dec.More() {
			v, err := decodeValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		return l, readClosing(dec)
	}
	return nil, errNotJSON
}

// encodeJSON encodes v as the service does: it escapes "/" and everything outside ASCII.
func encodeJSON(v any) []byte { return appendJSON(nil, v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case json.Number:
		return append(b, v...)
	case string:
		return appendString(b, v)
	case []string:
		l := make([]any, len(v))
		for i, s := range v {
			l[i] = s
		}
		return appendJSON(b, l)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.name), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	}
	panic(fmt.Sprintf("identomattest: %T in a response", v))
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r >= 0x20 && r < 0x7f:
			b = append(b, byte(r))
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

// mustObject decodes a JSON object that is built into this package.
func mustObject(text string) object {
	v, err := decodeJSON([]byte(text))
	o, ok := v.(object)
	if err != nil || !ok {
		panic(fmt.Sprintf("identomattest: built-in JSON is not an object: %v", err))
	}
	return o
}
