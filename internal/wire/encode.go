package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/go-querystring/query"
)

// A Problem keeps a parameter from being sent. It contains no value.
type Problem struct{ Path, Message string }

// Messages for invalid UTF-8, which encoders would replace silently.
const (
	notUTF8     = "is not UTF-8"
	nameNotUTF8 = "has a name that is not UTF-8"
)

// Form encodes the company key and a struct with url tags as a urlencoded form. The body must not
// be sent if there are problems.
func Form(keyName, key string, params any) (body []byte, problems []Problem, err error) {
	values, err := query.Values(params)
	if err != nil {
		return nil, nil, err
	}
	values.Set(keyName, key)
	var names []string
	for name, texts := range values {
		if slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		problems = append(problems, Problem{name, notUTF8})
	}
	return []byte(values.Encode()), problems, nil
}

// JSON encodes a struct with json tags as an object. The company key comes first, unless keyName is
// empty. Unlike encoding/json, JSON encodes request types, which hold personal data and refuse to be
// marshaled; uses the service's time format; and reports invalid UTF-8. A field tagged json:",inline"
// holds further members, keyed by name. params may also be JSON text or nil. The body must not be sent
// if there are problems.
func JSON(keyName, key string, params any) (body []byte, problems []Problem) {
	e := encoding{dst: make([]byte, 0, 1024), keyName: keyName}
	e.dst = append(e.dst, '{')
	if keyName != "" {
		e.name(keyName)
		e.string(key, keyName)
	}
	switch params := params.(type) {
	case nil:
	case json.RawMessage:
		e.object(params)
	default:
		e.members(reflect.Indirect(reflect.ValueOf(params)), "")
	}
	return append(e.dst, '}'), e.problems
}

type encoding struct {
	dst      []byte
	keyName  string
	problems []Problem
}

func (e *encoding) add(path, message string) {
	e.problems = append(e.problems, Problem{Path: path, Message: message})
}

// name begins a member.
func (e *encoding) name(name string) {
	if last := e.dst[len(e.dst)-1]; last != '{' {
		e.dst = append(e.dst, ',')
	}
	e.dst = append(AppendString(e.dst, name), ':')
}

func (e *encoding) members(v reflect.Value, prefix string) {
	fields := requestPlans.get(v.Type(), requestFields)
	for _, f := range fields {
		value := v.FieldByIndex(f.index)
		switch {
		case f.inline:
			e.extra(value.Interface().(map[string]any), fields)
		case f.omit && (value.IsZero() || value.Type() == rawType && value.Len() == 0):
			// An empty list that is not nil is sent.
		default:
			e.name(f.name)
			e.value(value, prefix+f.name)
		}
	}
}

// object adds the members of an object in JSON text.
func (e *encoding) object(text []byte) {
	switch problems := Unsendable("params", text); {
	case bytes.HasPrefix(text, []byte("{")):
	case problems != nil:
		e.problems = append(e.problems, problems...)
		return
	default:
		e.add("params", "must be a JSON object")
		return
	}
	for m := Members(ParseObject(text).AppendJSON(nil)); m.Next(); {
		name := Unquote(m.Name)
		if name == e.keyName {
			e.add("params."+name, "is the company key, which the client adds")
		}
		e.name(name)
		e.text(m.Value, "params."+name)
	}
}

// extra adds members sorted by name. It reports a member named like a field, because a duplicate key
// could mean two things to two parsers.
func (e *encoding) extra(members map[string]any, fields []requestField) {
	if len(members) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		isOwn := name == e.keyName || slices.ContainsFunc(fields, func(f requestField) bool { return f.name == name })
		switch {
		case name == "":
			e.add("Extra", "has a parameter without a name")
		case !utf8.ValidString(name):
			e.add("Extra", nameNotUTF8)
		case isOwn:
			e.add("Extra."+name, "has a field of its own")
		default:
			e.name(name)
			e.text(AppendValue(nil, members[name]), "Extra."+name)
		}
	}
}

// An Appender is a parameter that appends its own JSON text, such as steps from a builder. The text
// may contain markers.
type Appender interface{ AppendJSON(dst []byte) []byte }

var (
	appenderType = reflect.TypeFor[Appender]()
	timeType     = reflect.TypeFor[time.Time]()
	marshaler    = reflect.TypeFor[json.Marshaler]()
)

func (e *encoding) value(v reflect.Value, path string) {
	switch {
	case v.Type() == appenderType:
		from := len(e.dst)
		e.dst = v.Interface().(Appender).AppendJSON(e.dst)
		e.check(e.dst[from:], path)
	case v.Type() == timeType:
		e.dst = AppendString(e.dst, Time(v.Interface().(time.Time)))
	case v.Type().Implements(marshaler):
		e.text(AppendValue(nil, v.Interface()), path)
	case v.Kind() == reflect.Struct:
		e.dst = append(e.dst, '{')
		e.members(v, path+".")
		e.dst = append(e.dst, '}')
	case v.Kind() == reflect.Pointer:
		e.value(v.Elem(), path)
	case v.Kind() == reflect.Slice && !v.IsNil() && v.Type().Elem().Kind() == reflect.String:
		e.dst = append(e.dst, '[')
		for i := range v.Len() {
			if i > 0 {
				e.dst = append(e.dst, ',')
			}
			e.string(v.Index(i).String(), path+"["+strconv.Itoa(i)+"]")
		}
		e.dst = append(e.dst, ']')
	case v.Kind() == reflect.String:
		e.string(v.String(), path)
	case v.Kind() == reflect.Bool:
		e.dst = strconv.AppendBool(e.dst, v.Bool())
	case v.Kind() == reflect.Int:
		e.dst = strconv.AppendInt(e.dst, v.Int(), 10)
	default:
		e.text(AppendValue(nil, v.Interface()), path)
	}
}

func (e *encoding) string(s, path string) {
	if !utf8.ValidString(s) {
		e.add(path, notUTF8)
	}
	e.dst = AppendString(e.dst, s)
}

func (e *encoding) text(json []byte, path string) {
	e.check(json, path)
	e.dst = append(e.dst, json...)
}

func (e *encoding) check(json []byte, path string) {
	if problems := Unsendable(path, json); problems != nil {
		e.problems = append(e.problems, problems...)
	} else if !utf8.Valid(json) {
		e.add(path, notUTF8)
	}
}

// Time formats a time as in the examples of Identomat's API documentation, in UTC with
// milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// requestField is a field of a parameter struct.
type requestField struct {
	name         string
	index        []int
	omit, inline bool
}

var requestPlans cache[[]requestField]

func requestFields(t reflect.Type) (fields []requestField) {
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		fields = append(fields, requestField{
			name: name, index: f.Index, inline: options == "inline", omit: options == "omitzero",
		})
	}
	return fields
}

// AppendString appends s as a JSON string, or [NotUTF8] if s is not valid UTF-8. Georgian or Arabic
// text is not escaped.
func AppendString(dst []byte, s string) []byte {
	at := skipPlain(s, 0)
	for at < len(s) && s[at] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s[at:])
		if r == utf8.RuneError && size == 1 {
			return append(dst, NotUTF8...)
		}
		at = skipPlain(s, at+size)
	}
	if at < len(s) {
		if !utf8.ValidString(s[at:]) {
			return append(dst, NotUTF8...)
		}
		quoted, _ := json.Marshal(s) // encoding a string cannot fail
		return append(dst, quoted...)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// AppendStrings appends the list as a JSON array.
func AppendStrings[S ~string](dst []byte, list []S) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, string(s))
	}
	return append(dst, ']')
}

// AppendValue appends any value as JSON text. It appends [Unencodable] for a value that JSON cannot
// encode, and [NotUTF8] for a value with a string that is not valid UTF-8.
func AppendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return AppendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	}
	data, err := json.Marshal(v)
	switch {
	case err != nil:
		return append(dst, Unencodable...)
	case !utf8.Valid(data), !isUTF8(reflect.ValueOf(v)):
		return append(dst, NotUTF8...)
	}
	return append(dst, data...)
}

// isUTF8 reports whether the strings in a value are valid UTF-8. The value has been encoded, so it
// has no cycles. A MarshalJSON method encodes its strings itself.
func isUTF8(v reflect.Value) bool {
	if text, isEncoded := marshaled(v); isEncoded {
		return utf8.Valid(text)
	}
	switch kind := v.Kind(); kind {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Interface, reflect.Pointer:
		return isUTF8(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !isUTF8(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for m := v.MapRange(); m.Next(); { // reflect.Value.Seq2 would link reflect.MakeFunc into every program
			// encoding/json does not call MarshalText on string keys.
			isString := m.Key().Kind() == reflect.String
			if isString && !utf8.ValidString(m.Key().String()) || !isString && !isUTF8(m.Key()) || !isUTF8(m.Value()) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && !isUTF8(v.Field(i)) {
				return false
			}
		}
	}
	return true
}

// marshaled returns the text from v's MarshalText method. If v has a MarshalJSON method, text is empty
// and ok is true.
func marshaled(v reflect.Value) (text []byte, ok bool) {
	if !v.IsValid() || !v.CanInterface() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		return nil, false
	}
	value := v.Interface()
	if v.CanAddr() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		value = v.Addr().Interface() // encoding/json also calls methods with a pointer receiver
	}
	switch value := value.(type) {
	case json.Marshaler:
		return nil, true
	case interface{ MarshalText() ([]byte, error) }:
		text, _ = value.MarshalText() // encoding/json has called it without an error
		return text, true
	}
	return nil, false
}
