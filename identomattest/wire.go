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
)

// object is a JSON object that keeps the order of its members: replies list their
// members in the order of the documents, and a duplicate name is an error.
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

// text is the string member of that name, or "".
func (o object) text(name string) string {
	v, _ := o.get(name)
	s, _ := v.(string)
	return s
}

// flag is the boolean member of that name, or false.
func (o object) flag(name string) bool {
	v, _ := o.get(name)
	b, _ := v.(bool)
	return b
}

// child is the object member of that name, or an empty one.
func (o object) child(name string) object {
	v, _ := o.get(name)
	c, _ := v.(object)
	return c
}

// list is the array member of that name, or an empty one.
func (o object) list(name string) []any {
	v, _ := o.get(name)
	l, _ := v.([]any)
	return l
}

// texts are the strings of the array member of that name.
func (o object) texts(name string) []string {
	var out []string
	for _, v := range o.list(name) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// integer is the integer member of that name, or the fallback.
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

var errNotJSON = errors.New("the body is not one JSON document")

// decodeJSON reads exactly one JSON document into object, []any, string,
// json.Number, bool or nil. A name that comes twice in an object is refused.
func decodeJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
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

// Bounds of a request. No document nests or names nearly as much, and what is beyond them
// would cost the server its stack or its time.
const (
	maxDepth = 100
	maxNames = 1000
)

// closing reads the bracket that ends an object or an array.
func closing(dec *json.Decoder) error {
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
			if _, twice := o.get(name); twice {
				return nil, fmt.Errorf("the name %q comes twice", name)
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
		return o, closing(dec)
	case '[':
		l := []any{}
		for dec.More() {
			v, err := decodeValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		return l, closing(dec)
	}
	return nil, errNotJSON
}

// encodeJSON writes JSON the way the service does: "/" is escaped, and so is
// everything outside ASCII.
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

// mustObject reads a JSON object written in this package.
func mustObject(text string) object {
	v, err := decodeJSON([]byte(text))
	o, ok := v.(object)
	if err != nil || !ok {
		panic(fmt.Sprintf("identomattest: a built-in document is not an object: %v", err))
	}
	return o
}
