package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSet(t *testing.T) {
	for _, c := range []struct{ object, name, value, want string }{
		{`{}`, "a", `1`, `{"a":1}`},
		{`{ }`, "a", `1`, `{"a":1}`},
		{`{"b":true,"a":"x","c":3}`, "a", `"y"`, `{"b":true,"a":"y","c":3}`},
		{`{"b":true,"a":"x","c":3}`, "b", `{}`, `{"b":{},"a":"x","c":3}`},
		{`{"b":true,"a":"x","c":3}`, "c", `[]`, `{"b":true,"a":"x","c":[]}`},
		{`{"b":true}`, "d", `null`, `{"b":true,"d":null}`},
		{` { "a" : { "b" : [ 1 ] } , "c":2 } `, "c", `3`, `{"a":{ "b" : [ 1 ] },"c":3}`},
		{`{"a":{"c":1}}`, "c", `2`, `{"a":{"c":1},"c":2}`},
		{`{"a":1,"b":2,"a":3}`, "a", `4`, `{"a":4,"b":2}`},
		{`{"\u0061":1}`, "a", `2`, `{"\u0061":2}`},
		{`{"x":"}\",\"a\":0"}`, "a", `1`, `{"x":"}\",\"a\":0","a":1}`},
		{`{}`, "a\"\n", `1`, `{"a\"\n":1}`},
		{`{"":0}`, "", `1`, `{"":1}`},
		{`{"a":` + Unencodable + `,"b":` + Nil + `}`, "a", `1`, `{"a":1,"b":` + Nil + `}`},
	} {
		set := ParseObject(c.object).Set(c.name, []byte(c.value))
		assert.Equal(t, "x"+c.want, string(set.AppendJSON([]byte("x"))), "%s %s", c.object, c.name)
	}
	assert.Equal(t, `{"a":1}`, string((*Object)(nil).Set("a", []byte("1")).AppendJSON(nil)))
	assert.Equal(t, `{"b":2}`, string(ParseObject(`{"a":1,"b":2}`).Set("a", nil).AppendJSON(nil)))
}

func TestSetIn(t *testing.T) {
	for _, c := range []struct{ object, name, value, want string }{
		{`{}`, "a", `1`, `{"flags":{"a":1}}`},
		{`{"flags":{}}`, "a", `1`, `{"flags":{"a":1}}`},
		{`{"flags":{ }}`, "a", `1`, `{"flags":{"a":1}}`},
		{`{"flags":{"a":1}}`, "b", `2`, `{"flags":{"a":1,"b":2}}`},
		{`{"flags":{"a":1}}`, "a", `2`, `{"flags":{"a":2}}`},
		{`{"flags":{"\u0061":1}}`, "a", `2`, `{"flags":{"\u0061":2}}`},
		{`{"flags":{"a":1},"b":2}`, "b", `3`, `{"flags":{"a":1,"b":3},"b":2}`},
		{`{"b":2,"flags":{"a":1}}`, "b", `3`, `{"b":2,"flags":{"a":1,"b":3}}`},
		{`{"flags":[]}`, "a", `1`, `{"flags":{"a":1}}`},
		{`{"flags":7,"b":2}`, "a", `1`, `{"flags":{"a":1},"b":2}`},
		{`{"x":"\",\"flags\":{"}`, "a", `1`, `{"x":"\",\"flags\":{","flags":{"a":1}}`},
		{`{"x,\"flags":{"a":1}}`, "a", `2`, `{"x,\"flags":{"a":1},"flags":{"a":2}}`},
		{`{"questions":{"flags":{"a":1}}}`, "a", `2`, `{"questions":{"flags":{"a":1}},"flags":{"a":2}}`},
	} {
		set := ParseObject(c.object).SetIn("flags", c.name, []byte(c.value))
		assert.Equal(t, c.want, string(set.AppendJSON(nil)), "%s %s", c.object, c.name)
		assert.Equal(t, ParseObject(c.want), set, "equal objects must be deeply equal")
	}
}

func TestAdd(t *testing.T) {
	for _, c := range []struct{ object, more, want string }{
		{`{}`, `1`, `{"questions":[1]}`},
		{`{}`, ``, `{"questions":[]}`},
		{`{"questions":[]}`, `1`, `{"questions":[1]}`},
		{`{"questions":[ 1 ]}`, `2,3`, `{"questions":[ 1,2,3]}`},
		{`{"questions":[1]}`, ``, `{"questions":[1]}`},
		{`{"questions":[1],"a":2}`, `3`, `{"questions":[1,3],"a":2}`},
		{`{"questions":{"a":1}}`, `2`, `{"questions":[2]}`},
		{`{"questions":null}`, `2`, `{"questions":[2]}`},
	} {
		added := ParseObject(c.object).Add("questions", '[', []byte(c.more))
		assert.Equal(t, c.want, string(added.AppendJSON(nil)), "%s %s", c.object, c.more)
		assert.Equal(t, ParseObject(c.want).Get("questions"), added.Get("questions"))
	}
}

// TestObjectsShareTheirTexts changes one object in two ways, in either order.
func TestObjectsShareTheirTexts(t *testing.T) {
	base := ParseObject(`{"a":"a long value"}`).Set("b", []byte("1"))
	left, right := base.Set("c", []byte("2")), base.Set("d", []byte("3"))
	assert.Equal(t, `{"a":"a long value","b":1}`, string(base.AppendJSON(nil)))
	assert.Equal(t, `{"a":"a long value","b":1,"c":2}`, string(left.AppendJSON(nil)))
	assert.Equal(t, `{"a":"a long value","b":1,"d":3}`, string(right.AppendJSON(nil)))
	assert.Equal(t, `{"a":"a long value","b":1,"c":2,"e":4}`, string(left.Set("e", []byte("4")).AppendJSON(nil)))
	assert.Equal(t, `{"a":"a long value","b":1,"c":2}`, string(left.AppendJSON(nil)))
}

// TestObjectsGrowLinearly adds members and elements one by one.
func TestObjectsGrowLinearly(t *testing.T) {
	for name, add := range map[string]func(o *Object, i int) *Object{
		"members":  func(o *Object, i int) *Object { return o.Set(fmt.Sprint("name-", i), []byte("true")) },
		"flags":    func(o *Object, i int) *Object { return o.SetIn("flags", fmt.Sprint("name-", i), []byte("true")) },
		"elements": func(o *Object, _ int) *Object { return o.Add("questions", '[', []byte(`{"key":"a"}`)) },
	} {
		grow := func(n int) (bytes uint64) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var o *Object
			for i := range n {
				o = add(o, i)
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		small, large := grow(1000), grow(4000)
		assert.Less(t, large, 6*small, name)
		t.Logf("%s: 1000 take %d bytes, 4000 take %d", name, small, large)
	}
}

func TestParseObject(t *testing.T) {
	for object, want := range map[string]string{
		`{}`:                                     `{}`,
		` { } `:                                  `{}`,
		`{"a":1}`:                                `{"a":1}`,
		`{"b":12345678901234567890.10,"a":1E+2}`: `{"b":12345678901234567890.10,"a":1E+2}`,
		`{"u":"\u10d0\/","n":null}`:              `{"u":"\u10d0\/","n":null}`,
		`{ "x" : { "deep" : [ 1 , {} ] } , "y":2 }`: `{"x":{ "deep" : [ 1 , {} ] },"y":2}`,
		`{"a":1,"b":2,"a":3}`:                       `{"a":3,"b":2}`,
		`{"a":1,"b":2,"\u0061":3}`:                  `{"a":3,"b":2}`,
		`{"":0}`:                                    `{"":0}`,
		`{"\u0061\n":0}`:                            `{"\u0061\n":0}`,
	} {
		assert.Equal(t, want, string(ParseObject(object).AppendJSON(nil)), object)
	}
}

func TestIsSendable(t *testing.T) {
	for text, want := range map[string]bool{
		``: true, `{"a":"\u0000\u0001"}`: true, `{"a":` + Unencodable + `}`: false, `[` + Nil + `]`: false,
	} {
		assert.Equal(t, want, IsSendable([]byte(text)), "%q", text)
	}
}

func TestAppendString(t *testing.T) {
	for value, want := range map[string]string{
		"":                       `""`,
		"plain <a> & b":          `"plain <a> & b"`,
		"დასაქმება ქ":            `"დასაქმება ქ"`,
		`a"b`:                    `"a\"b"`,
		`a\b`:                    `"a\\b"`,
		"line\nbreak":            `"line\nbreak"`,
		Unencodable + Nil:        `"\u0002\u0001"`,
		"bad \xff byte":          NotUTF8,
		"\u2028":                 "\"\u2028\"",
		"\"\u10d0 and an escape": "\"\\\"\u10d0 and an escape\"",
	} {
		assert.Equal(t, want, string(AppendString(nil, value)), "%q", value)
	}
	assert.Equal(t, `[]`, string(AppendStrings[string](nil, nil)))
	assert.Equal(t, `x["a","\""]`, string(AppendStrings([]byte("x"), []string{"a", `"`})))
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, `null`}, {true, `true`}, {-7, `-7`}, {"a<b", `"a<b"`}, {0.5, `0.5`}, {[]any{1, "a"}, `[1,"a"]`},
		{json.RawMessage(`{"z":1,"a":12345678901234567890}`), `{"z":1,"a":12345678901234567890}`},
		{make(chan int), Unencodable}, {math.NaN(), Unencodable}, {json.RawMessage(`{`), Unencodable},
	} {
		assert.Equal(t, c.want, string(AppendValue(nil, c.value)), "%T", c.value)
	}
}

func TestGet(t *testing.T) {
	const object = ` {"a":1, "b" : {"a":[2]} ,"c\n":"x","a": 3 } `
	for name, want := range map[string]string{"a": `3`, "b": `{"a":[2]}`, "c\n": `"x"`} {
		value, found := Get(object, name)
		assert.True(t, found)
		assert.Equal(t, want, value)
	}
	for _, text := range []string{object, `[]`, `["d",1]`, `"d"`, `null`, ``} {
		_, found := Get(text, "d")
		assert.False(t, found, text)
	}
}

func TestMembersAndElements(t *testing.T) {
	var found []string
	for m := Members(` {"a" : "}" ,"b":[1,{"c":2}],"":null} `); m.Next(); {
		found = append(found, m.Name+m.Value)
	}
	assert.Equal(t, []string{`"a""}"`, `"b"[1,{"c":2}]`, `""null`}, found)
	found = nil
	for e := Elements(` [1 , "]" ,{"a":[2]},[ ] ]`); e.Next(); {
		found = append(found, e.Value)
	}
	assert.Equal(t, []string{`1`, `"]"`, `{"a":[2]}`, `[ ]`}, found)
	for _, text := range []string{``, ` `, `{}`, `[]`, `1`, `"[1]"`, `null`} {
		if m := Members(text); m.Next() {
			t.Errorf("%q has a member", text)
		}
		if e := Elements(text); e.Next() {
			t.Errorf("%q has an element", text)
		}
	}
}

// FuzzObject compares the JSON object functions with encoding/json.
func FuzzObject(f *testing.F) {
	f.Add(`{"type":"liveness","key":"l","flags":{"liveness":true}}`, "key", "x")
	f.Add(` { "a" : [ 1 , {"b":"}"} ] , "\u0061":2, "":null } `, "a", "\xff")
	f.Add(`{"a":1e400,"s":"\ud800\u2028<"}`, "s", "\u2028\"")
	f.Add(`{"a\n":[],"a\n":{}}`, "a\n", "\x00\x01")
	f.Add(`{"\ufffd":1}`, "\xff", "")
	f.Add("{0 [0", "0", "0")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return // invalid UTF-8 is refused before these functions are called
		}
		var want map[string]any
		if decode(text, &want) != nil || want == nil {
			// Even text that is not an object must not cause a panic or an endless loop.
			_ = ParseObject(text).Set(name, []byte(value)).SetIn("flags", name, []byte(value)).Add("questions", '[', []byte(value))
			return
		}
		normal := string(ParseObject(text).AppendJSON(nil))
		var got map[string]any
		require.NoError(t, decode(normal, &got), normal)
		require.Equal(t, want, got)
		require.Equal(t, ParseObject(text), ParseObject(normal))

		set := string(ParseObject(text).Set(name, AppendString(nil, value)).AppendJSON(nil))
		require.NoError(t, decode(set, &got), set)
		s := decoded(t, value)
		want[decoded(t, name)] = s
		require.Equal(t, want, got)
		require.True(t, IsSendable([]byte(set)))
		found, ok := Get(set, name)
		require.True(t, ok)
		require.Equal(t, s, Unquote(found))
		n := 0
		for m := Members(set); m.Next(); {
			var v any
			require.NoError(t, decode(m.Value, &v))
			require.Equal(t, fmt.Sprint(want[Unquote(m.Name)]), fmt.Sprint(v))
			n++
		}
		require.Len(t, want, n)
	})
}

// builtText is JSON text from a builder.
type builtText string

func (t builtText) AppendJSON(dst []byte) []byte { return append(dst, t...) }

// decode decodes JSON text. It keeps the digits of numbers.
func decode[T any](text string, into *T) error {
	*into = *new(T)
	if !json.Valid([]byte(text)) { // a json.Decoder ignores trailing data
		return errors.New("not JSON")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}

// decoded returns s with invalid UTF-8 replaced by U+FFFD.
func decoded(t *testing.T, s string) (out string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(AppendString(nil, s), &out))
	return out
}
