package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzScan compares Scan with json.Valid, and the members with those that encoding/json finds.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":[{}],"a":null}`, `[1,2.5e+3,-0,-0.10E-7]`, `"\u00e9é\ud83d"`, ` true `, `nul`, `{"a"}`, `{,}`, `[1,]`, `{"a":1,}`, `{"a":1 "b":2}`,
		"\"\xff\"", "\"\x1f\"", `"\x"`, `"\u12\x103"`, `"\u0`, `"`, ``, ` `, `[`, `{"a":`, `truefalse`, `1 2`, `01`, `-`, `1.`, `1e`, `+1`,
		"{\n        \"a\" :\t[\r\n                 1 , 2 ]\n}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var visited []member
		size, ok := Scan(data, func(name, value []byte) { visited = append(visited, member{Unquote(name), value}) })
		require.Equal(t, json.Valid(data), ok, "%q", data)
		if !ok {
			return
		}
		require.LessOrEqual(t, size, bytes.Count(data, []byte(","))+bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")))
		require.Equal(t, membersOf(data), visited, "%q", data)
	})
}

func TestScanDepth(t *testing.T) {
	for depth, want := range map[int]bool{10_000: true, 10_001: false} {
		text := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		_, ok := Scan(text, nil)
		require.Equal(t, want, ok)
		require.Equal(t, want, json.Valid(text))
	}
}

type member struct {
	name  string
	value json.RawMessage
}

// membersOf returns the members of an object, including duplicates, as encoding/json finds them.
func membersOf(object []byte) (members []member) {
	if object = bytes.TrimSpace(object); object[0] != '{' {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	_, _ = dec.Token()
	for dec.More() {
		name, _ := dec.Token()
		m := member{name: name.(string)}
		_ = dec.Decode(&m.value)
		members = append(members, m)
	}
	return members
}

// reference decodes as the documentation of [Codec] says, slowly and with encoding/json.
type reference struct {
	refused bool
	extra   map[string]string
}

func (r *reference) keep(path string, raw json.RawMessage) {
	r.extra[strings.TrimPrefix(path, ".")] = string(raw)
}

// decode reports whether raw fits. Otherwise, v is zero.
func (r *reference) decode(raw json.RawMessage, v reflect.Value, path string) (fits bool) {
	isNull, isObject, isArray := string(raw) == "null", raw[0] == '{', raw[0] == '['
	isString := raw[0] == '"'
	var elements []json.RawMessage
	if isArray {
		_ = json.Unmarshal(raw, &elements)
	}
	switch to := v.Addr().Interface().(type) {
	case *json.RawMessage:
		if !isNull {
			*to = raw
		}
		return true
	case json.Unmarshaler:
		return r.fits(v, to.UnmarshalJSON(raw) == nil)
	case *map[string]any, *any:
		if object, ok := to.(*map[string]any); ok && isArray && len(elements) == 0 {
			*object = map[string]any{}
			return true
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		return r.fits(v, dec.Decode(to) == nil)
	}
	switch v.Kind() {
	case reflect.String:
		if !isString && !isNull {
			v.SetString(string(raw))
			return r.fits(v, !isObject && !isArray)
		}
		return json.Unmarshal(raw, v.Addr().Interface()) == nil
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		if isNull {
			return true
		}
		if isString {
			raw = raw[1 : len(raw)-1]
		}
		if !json.Valid(raw) || string(raw) == "null" || string(bytes.TrimSpace(raw)) != string(raw) {
			return false
		}
		var number float64
		if json.Unmarshal(raw, v.Addr().Interface()) == nil {
			return true
		}
		v.SetZero()
		if v.Kind() == reflect.Bool || v.Kind() == reflect.Float64 || json.Unmarshal(raw, &number) != nil || number != math.Trunc(number) || math.Abs(number) >= 1<<53 {
			return false
		}
		v.SetInt(int64(number))
		return true
	case reflect.Pointer:
		if isNull {
			return true
		}
		v.Set(reflect.New(v.Type().Elem()))
		return r.fits(v, r.decode(raw, v.Elem(), path))
	case reflect.Slice:
		return r.fits(v, r.list(raw, elements, v, path))
	case reflect.Struct:
		return r.fits(v, r.object(raw, len(elements), v, path))
	}
	if isArray && len(elements) == 0 && v.Kind() == reflect.Map {
		v.Set(reflect.MakeMap(v.Type()))
		return true
	}
	return r.fits(v, json.Unmarshal(raw, v.Addr().Interface()) == nil)
}

func (r *reference) fits(v reflect.Value, fits bool) bool {
	if !fits {
		v.SetZero()
	}
	return fits
}

func (r *reference) list(raw json.RawMessage, elements []json.RawMessage, v reflect.Value, path string) bool {
	isRecord, isText := v.Type().Elem() == reflect.TypeFor[record](), v.Type().Elem().Kind() == reflect.String
	isList := raw[0] == '['
	if raw[0] == '{' {
		members := membersOf(raw)
		isList = len(members) > 0 || !isRecord
		for _, m := range members {
			isList = isList && m.name != "" && strings.Trim(m.name, "0123456789") == ""
			elements = append(elements, m.value)
		}
	}
	switch {
	case string(raw) == "null":
		return !isRecord
	case isList:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		for _, element := range elements {
			to, at := reflect.New(v.Type().Elem()).Elem(), path+"["+strconv.Itoa(v.Len())+"]"
			if !r.decode(element, to, at) {
				switch {
				case isText:
					to.SetString(string(element))
				case isRecord:
					r.refused = true
				default:
					r.keep(at, element)
				}
			}
			if !isText || string(element) != "null" {
				v.Set(reflect.Append(v, to))
			}
		}
		return true
	case isRecord:
		return false
	}
	single := reflect.New(v.Type().Elem()).Elem()
	fits := r.decode(raw, single, path)
	if fits = fits && (raw[0] != '{' || !single.IsZero()); fits {
		v.Set(reflect.Append(v, single))
	}
	return fits
}

func (r *reference) object(raw json.RawMessage, elements int, v reflect.Value, path string) bool {
	if raw[0] != '{' {
		return raw[0] == '[' && elements == 0 || string(raw) == "null" && v.Type() != reflect.TypeFor[record]()
	}
	var aliased []member
	for _, m := range membersOf(raw) {
		switch i := fieldNamed(v.Type(), m.name); {
		case i >= 0:
			v.Field(i).SetZero()
			if !r.decode(m.value, v.Field(i), path+"."+m.name) {
				r.keep(path+"."+m.name, m.value)
			}
		case m.name == "other" && fieldNamed(v.Type(), "alias") >= 0:
			aliased = append(aliased, m)
		default:
			r.keep(path+"."+m.name, m.value)
		}
	}
	for i := len(aliased) - 1; i >= 0; i-- {
		m, to := aliased[i], v.Field(fieldNamed(v.Type(), "alias"))
		if !to.IsZero() || !r.decode(m.value, to, path+"."+m.name) {
			r.keep(path+"."+m.name, m.value)
		}
	}
	return true
}

func fieldNamed(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("json") == name {
			return i
		}
	}
	return -1
}

// FuzzReference compares Decode and Extra with the reference, on any JSON. If Decode says that a record holds
// all values of its JSON, the reference must find no other values and no duplicate names in it.
func FuzzReference(f *testing.F) {
	for _, text := range decodeSeeds {
		f.Add([]byte(text))
	}
	samples, err := filepath.Glob("../../testdata/samples/*.json")
	require.NoError(f, err)
	for _, name := range samples {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
		f.Add([]byte(`{"any":` + string(data) + `,"map":` + string(data) + `,"texts":` + string(data) + `}`))
	}
	var complete []json.RawMessage
	isRecord := func(t reflect.Type) bool { return t == reflect.TypeFor[record]() }
	codec := NewCodec(isRecord, func(_ any, raw json.RawMessage, held bool) error {
		if held {
			complete = append(complete, raw)
		}
		return nil
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		complete = nil
		var got, want anything
		r := reference{extra: map[string]string{}}
		fits := r.decode(bytes.TrimSpace(data), reflect.ValueOf(&want).Elem(), "")
		err := codec.Decode(data, &got)
		require.Equal(t, fits && !r.refused, err == nil, "%q", data)
		if err == nil {
			require.Equal(t, want, got, "%q", data)
			require.Equal(t, r.extra, asText(codec.Extra(data, &got)), "%q", data)
		}
		for _, raw := range complete[:min(10, len(complete))] { // all of them would take quadratic time
			r := reference{extra: map[string]string{}}
			r.decode(bytes.TrimSpace(raw), reflect.ValueOf(new(record)).Elem(), "")
			require.Empty(t, r.extra, "%q", raw)
			names := map[string]bool{}
			for _, m := range membersOf(raw) {
				require.False(t, names[m.name], "%q is duplicated in %q", m.name, raw)
				names[m.name] = true
			}
		}
	})
}
