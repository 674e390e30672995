package identomat

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// object is the JSON object behind steps, questions, options, roles and flags, as text that never
// changes. A decoded object keeps unknown members. The text is behind a pointer, because fmt prints a
// string even in an unexported field of a caller's struct, but follows no pointer there.
type object struct{ json *string }

func newObject(text string) object { return object{&text} }

func (o object) text() string {
	if o.json == nil {
		return "{}"
	}
	return *o.json
}

// set returns the object with the named member set to v.
func (o object) set(name string, v any) object {
	var buf [512]byte
	return newObject(wire.Set(o.text(), name, appendValue(buf[:0], v)))
}

// setText is set for a Text, which stays on the caller's stack.
func setText(o object, name string, t Text) object {
	var buf [256]byte
	return newObject(wire.Set(o.text(), name, t.appendJSON(buf[:0])))
}

// setStrings is set for a list, which it copies only once. An empty list is sent.
func setStrings[S ~string](o object, name string, list []S) object {
	var buf [256]byte
	return newObject(wire.Set(o.text(), name, wire.AppendStrings(buf[:0], list)))
}

// A texter has a JSON text, with [wire.Unencodable] and [wire.Nil] for values that cannot be sent.
type texter interface{ text() string }

// appendValue appends any value as JSON text.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return wire.AppendString(dst, v)
	case texter:
		return append(dst, jsonText(v)...)
	}
	return append(dst, wire.Value(v)...)
}

// jsonText returns the text of t, or [wire.Nil] for nil and for a nil pointer, whose method panics.
func jsonText(t texter) (text string) {
	defer func() {
		if recover() != nil {
			text = wire.Nil
		}
	}()
	return t.text()
}

// appendList appends a JSON array with the elements of array and the texts of list.
func appendList[T texter](dst []byte, array string, list []T) []byte {
	dst = append(dst, '[')
	for e := wire.Elements(array); e.Next(); {
		dst = append(append(dst, e.Value...), ',')
	}
	for _, t := range list {
		dst = append(append(dst, jsonText(t)...), ',')
	}
	if last := len(dst) - 1; dst[last] == ',' {
		dst = dst[:last]
	}
	return append(dst, ']')
}

// get returns the named member of an object as JSON text, or "".
func get(object, name string) string {
	value, _ := wire.Get(object, name)
	return value
}

// getString returns the named member of an object if it is a string, or "".
func getString(object, name string) string { return wire.Unquote(get(object, name)) }

// asObject returns value if it is an object, and an empty object otherwise. The service may write an
// empty object as [], so [] counts as an object.
func asObject(value string) (object string, ok bool) {
	if strings.HasPrefix(value, "{") {
		return value, true
	}
	return "{}", strings.HasPrefix(value, "[") && wire.Trim(value[1:]) == "]"
}

// objects returns the objects in the named array.
func objects(o object, name string) (list []object) {
	for e := wire.Elements(get(o.text(), name)); e.Next(); {
		if text, ok := asObject(e.Value); ok {
			list = append(list, newObject(text))
		}
	}
	return list
}

func decodeText(data []byte) (object, error) {
	text := wire.Trim(string(data))
	if !strings.HasPrefix(text, "{") || !json.Valid(data) {
		return object{}, errors.New("identomat: not a JSON object")
	}
	return newObject(wire.Normalize(text)), nil
}

// marshalText returns the text, or an error that names the first value that cannot be sent. The error
// leaves out the cause, which may repeat the value.
func marshalText(text string) ([]byte, error) {
	if problems := wire.Unsendable("", text); problems != nil {
		return nil, fmt.Errorf("identomat: %s %s", problems[0].Path, problems[0].Message)
	}
	return []byte(text), nil
}

// Get returns the named member as it is sent, or false if it is absent or cannot be encoded.
func (o object) Get(name string) (json.RawMessage, bool) {
	value, found := wire.Get(o.text(), name)
	return json.RawMessage(value), found && wire.IsSendable(value)
}

// MarshalJSON returns what is sent, personal data included.
func (o object) MarshalJSON() ([]byte, error) { return marshalText(o.text()) }

// Format writes only the type and key, for every verb.
func (o object) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, describe(o.text())) }

// LogValue returns only the type and key.
func (o object) LogValue() slog.Value { return slog.StringValue(describe(o.text())) }

// printable quotes a name that could break or forge a log line.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// describe returns the type and the quoted key, such as liveness "liveness".
func describe(object string) string {
	text := printable(getString(object, "type"))
	if key := get(object, "key"); strings.HasPrefix(key, `"`) {
		text = strings.TrimPrefix(text+" "+strconv.Quote(wire.Unquote(key)), " ")
	}
	if text == "" {
		return "{}"
	}
	return text
}
