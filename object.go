package identomat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// object is the JSON object behind steps, questions, options, roles and flags. A decoded object keeps
// unknown members. The text is behind a pointer, because fmt prints the unexported fields of a caller's
// struct, but does not follow pointers in them.
type object struct{ json *wire.Object }

func newObject(text string) object { return object{wire.NewObject(text)} }

// set returns the object with the named member set to v.
func (o object) set(name string, v any) object {
	var buf [512]byte
	return object{o.json.Set(name, appendValue(buf[:0], v))}
}

// setText does what set does, for a Text, and keeps the Text off the heap.
func setText(o object, name string, t Text) object {
	var buf [256]byte
	return object{o.json.Set(name, t.appendJSON(buf[:0]))}
}

// setStrings does what set does, for a list, which it copies only once. An empty list becomes [].
func setStrings[S ~string](o object, name string, list []S) object {
	var buf [256]byte
	return object{o.json.Set(name, wire.AppendStrings(buf[:0], list))}
}

// An objecter is a value of a type that embeds object.
type objecter interface{ members() *wire.Object }

func (o object) members() *wire.Object { return o.json }

// appendValue appends any value as JSON text.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case objecter:
		return appendObject(dst, v)
	case Steps:
		return v.appendJSON(dst)
	case Text:
		return v.appendJSON(dst)
	}
	return wire.AppendValue(dst, v)
}

// appendObject appends the text of o, or [wire.Nil] for nil and for a nil pointer, whose method panics.
func appendObject(dst []byte, o objecter) (text []byte) {
	defer func() {
		if recover() != nil {
			text = append(dst, wire.Nil...)
		}
	}()
	return o.members().AppendJSON(dst)
}

// appendObjects appends the texts of a list, separated by commas.
func appendObjects[O objecter](dst []byte, list []O) []byte {
	for i, o := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendObject(dst, o)
	}
	return dst
}

// getString returns the named member of an object if it is a string, or "".
func (o object) getString(name string) string { return wire.Unquote(o.json.Get(name)) }

// asObject returns value if it is an object, and an empty object otherwise. The result ok says whether
// value is an object. The text [] counts as one, because the service may write an empty object as [].
func asObject(value string) (object string, ok bool) {
	if strings.HasPrefix(value, "{") {
		return value, true
	}
	return "{}", strings.HasPrefix(value, "[") && wire.Trim(value[1:]) == "]"
}

// objects returns the objects in the named array.
func (o object) objects(name string) (list []object) {
	for e := wire.Elements(o.json.Get(name)); e.Next(); {
		if text, ok := asObject(string(e.Value)); ok {
			list = append(list, object{wire.ParseObject(text)})
		}
	}
	return list
}

func decodeObject(data []byte) (object, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil || compact.Bytes()[0] != '{' {
		return object{}, errors.New("identomat: not a JSON object")
	}
	return object{wire.ParseObject(compact.Bytes())}, nil
}

// marshal returns the text, or an error that names the first value that cannot be sent. The error
// leaves out the cause, which may repeat the value.
func marshal(text []byte) ([]byte, error) {
	if problems := wire.Unsendable("", text); problems != nil {
		return nil, fmt.Errorf("identomat: %s %s", problems[0].Path, problems[0].Message)
	}
	return text, nil
}

// Get returns the named member as it is sent, or false if it is absent or cannot be encoded.
func (o object) Get(name string) (json.RawMessage, bool) {
	value := o.json.Get(name)
	return value, value != nil && wire.IsSendable(value)
}

// MarshalJSON returns what is sent, personal data included.
func (o object) MarshalJSON() ([]byte, error) { return marshal(o.json.AppendJSON(nil)) }

// Format writes only the type and key, for every verb.
func (o object) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.describe()) }

// LogValue returns only the type and key.
func (o object) LogValue() slog.Value { return slog.StringValue(o.describe()) }

// printable quotes a name that could break or forge a log line.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// describe returns the type and the quoted key, such as liveness "liveness".
func (o object) describe() string {
	text := printable(o.getString("type"))
	if key := string(o.json.Get("key")); strings.HasPrefix(key, `"`) {
		text = strings.TrimPrefix(text+" "+strconv.Quote(wire.Unquote(key)), " ")
	}
	if text == "" {
		return "{}"
	}
	return text
}
