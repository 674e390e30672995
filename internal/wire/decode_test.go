package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newCodec(hooks ...hook) *Codec {
	find := func(of reflect.Type) func(any, json.RawMessage) error {
		for _, h := range hooks {
			if h.of == of {
				return h.run
			}
		}
		return nil
	}
	return NewCodec(func(t reflect.Type) bool { return find(t) != nil }, func(v any, raw json.RawMessage, _ bool) error {
		return find(reflect.TypeOf(v).Elem())(v, raw)
	})
}

// hook is a function that completes the values of one type.
type hook struct {
	of  reflect.Type
	run func(v any, raw json.RawMessage) error
}

func after[T any](run func(v *T, raw json.RawMessage) error) hook {
	return hook{reflect.TypeFor[T](), func(v any, raw json.RawMessage) error { return run(v.(*T), raw) }}
}

// field is a test case: the JSON of a member, and the value of the field after decoding.
type field[T any] struct {
	json string
	want T
	// misfit says that the JSON does not fit the field's type, so Extra returns it.
	misfit bool
}

func testFields[T any](t *testing.T, codec *Codec, fields ...field[T]) {
	t.Helper()
	for _, f := range fields {
		for _, space := range []string{"", " \n\t\r"} {
			text := []byte(space + "{" + space + `"before":1,"field"` + space + ":" + space + f.json + space + `,"after":2` + space + "}" + space)
			require.True(t, json.Valid(text), f.json)
			var got struct {
				Before int `json:"before"`
				Field  T   `json:"field"`
				After  int `json:"after"`
			}
			require.NoError(t, codec.Decode(text, &got), f.json)
			assert.Equal(t, f.want, got.Field, f.json)
			assert.Equal(t, []int{1, 2}, []int{got.Before, got.After}, f.json)
			want := map[string]string{}
			if f.misfit {
				want["field"] = f.json
			}
			assert.Equal(t, want, asText(codec.Extra(text, &got)), f.json)
		}
	}
}

// asText converts the members to strings.
func asText(extra map[string]json.RawMessage) map[string]string {
	texts := map[string]string{}
	for path, value := range extra {
		texts[path] = string(value)
	}
	return texts
}

type person struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

// upper has its own UnmarshalJSON.
type upper struct{ text string }

func (u *upper) UnmarshalJSON(data []byte) error {
	u.text = strings.ToUpper(string(data))
	if strings.Contains(u.text, "BAD") {
		return errors.New("bad")
	}
	return nil
}

func pointer[T any](v T) *T { return &v }

func TestDecodeCoercions(t *testing.T) {
	codec := newCodec()
	t.Run("string", func(t *testing.T) {
		testFields(t, codec,
			field[string]{`"text"`, "text", false}, field[string]{`""`, "", false}, field[string]{`"\u10d0\/\n\ud83d\ude00"`, "ა/\n😀", false},
			field[string]{`17`, "17", false}, field[string]{`-1.50e+3`, "-1.50e+3", false}, field[string]{`true`, "true", false},
			field[string]{`false`, "false", false}, field[string]{`null`, "", false},
			field[string]{`[]`, "", true}, field[string]{`["a"]`, "", true}, field[string]{`{}`, "", true}, field[string]{`{"a":"}"}`, "", true},
		)
	})
	t.Run("bool", func(t *testing.T) {
		testFields(t, codec,
			field[bool]{`true`, true, false}, field[bool]{`false`, false, false}, field[bool]{`"true"`, true, false},
			field[bool]{`"false"`, false, false}, field[bool]{`null`, false, false},
			field[bool]{`1`, false, true}, field[bool]{`0`, false, true}, field[bool]{`"yes"`, false, true}, field[bool]{`"True"`, false, true},
			field[bool]{`""`, false, true}, field[bool]{`[]`, false, true}, field[bool]{`[true]`, false, true}, field[bool]{`{}`, false, true},
		)
	})
	t.Run("int", func(t *testing.T) {
		testFields(t, codec,
			field[int]{`17`, 17, false}, field[int]{`-0`, 0, false}, field[int]{`17.0`, 17, false}, field[int]{`1.7e1`, 17, false},
			field[int]{`"17"`, 17, false}, field[int]{`"-17.00"`, -17, false}, field[int]{`null`, 0, false},
			field[int]{`17.5`, 0, true}, field[int]{`"17 "`, 0, true}, field[int]{`"0x11"`, 0, true}, field[int]{`"017"`, 0, true},
			field[int]{`"1_7"`, 0, true}, field[int]{`"+17"`, 0, true}, field[int]{`"\u0031"`, 0, true}, field[int]{`""`, 0, true}, field[int]{`"-"`, 0, true},
			field[int]{`"NaN"`, 0, true}, field[int]{`"Inf"`, 0, true}, field[int]{`1e999`, 0, true}, field[int]{`true`, 0, true},
			field[int]{`[]`, 0, true}, field[int]{`[1]`, 0, true}, field[int]{`{}`, 0, true}, field[int]{`"null"`, 0, true},
		)
		testFields(t, codec,
			field[int64]{`9223372036854775807`, math.MaxInt64, false}, field[int64]{`"-9223372036854775808"`, math.MinInt64, false},
			field[int64]{`9223372036854775808`, 0, true}, field[int64]{`9007199254740991.0`, 1<<53 - 1, false},
			field[int64]{`9007199254740993`, 1<<53 + 1, false},
			// A float64 cannot hold this number, so it could be confused with its neighbor.
			field[int64]{`9007199254740993.0`, 0, true}, field[int64]{`-9007199254740993.0`, 0, true}, field[int64]{`1e300`, 0, true},
		)
	})
	t.Run("float", func(t *testing.T) {
		testFields(t, codec,
			field[float64]{`0.93`, 0.93, false}, field[float64]{`"0.93"`, 0.93, false}, field[float64]{`1`, 1, false}, field[float64]{`"-1e-3"`, -0.001, false},
			field[float64]{`null`, 0, false},
			field[float64]{`"high"`, 0, true}, field[float64]{`"NaN"`, 0, true}, field[float64]{`"Infinity"`, 0, true}, field[float64]{`"0x1p-2"`, 0, true},
			field[float64]{`".5"`, 0, true}, field[float64]{`"1,5"`, 0, true}, field[float64]{`1e999`, 0, true}, field[float64]{`true`, 0, true},
			field[float64]{`[]`, 0, true}, field[float64]{`{"a":1}`, 0, true},
		)
	})
	t.Run("pointer", func(t *testing.T) {
		testFields(t, codec,
			field[*float64]{`0`, pointer(0.0), false}, field[*float64]{`"0.5"`, pointer(0.5), false}, field[*float64]{`null`, nil, false},
			field[*float64]{`"high"`, nil, true}, field[*float64]{`[]`, nil, true},
		)
		testFields(t, codec,
			field[*bool]{`false`, pointer(false), false}, field[*bool]{`"true"`, pointer(true), false}, field[*bool]{`null`, nil, false}, field[*bool]{`"no"`, nil, true},
		)
		testFields(t, codec,
			field[*person]{`{"name":"N"}`, &person{Name: "N"}, false}, field[*person]{`[]`, &person{}, false}, field[*person]{`{}`, &person{}, false},
			field[*person]{`null`, nil, false}, field[*person]{`"N"`, nil, true}, field[*person]{`[1]`, nil, true},
		)
	})
	t.Run("list of strings", func(t *testing.T) {
		testFields(t, codec,
			field[[]string]{`["a","b"]`, []string{"a", "b"}, false}, field[[]string]{`[ "a" , "b" ]`, []string{"a", "b"}, false},
			field[[]string]{`[]`, []string{}, false}, field[[]string]{`[ ]`, []string{}, false}, field[[]string]{`null`, nil, false},
			field[[]string]{`"a"`, []string{"a"}, false}, field[[]string]{`17`, []string{"17"}, false}, field[[]string]{`true`, []string{"true"}, false},
			field[[]string]{`{"0":"a","1":"b"}`, []string{"a", "b"}, false}, field[[]string]{`{"7":"b","3":"a"}`, []string{"b", "a"}, false},
			field[[]string]{`{}`, []string{}, false}, field[[]string]{`{ }`, []string{}, false},
			// A non-string element is stored as its JSON text. null is dropped.
			field[[]string]{`[1.50,true,null,{"a":"]"},["x"]]`, []string{"1.50", "true", `{"a":"]"}`, `["x"]`}, false},
			field[[]string]{`{"0":{"a":1},"1":null}`, []string{`{"a":1}`}, false}, field[[]string]{`[null]`, []string{}, false},
			field[[]string]{`{"a":"b"}`, nil, true}, field[[]string]{`{"0":"a","x":"b"}`, nil, true}, field[[]string]{`{"":"a"}`, nil, true}, field[[]string]{`{"-1":"a"}`, nil, true},
		)
	})
	t.Run("list of numbers", func(t *testing.T) {
		testFields(t, codec,
			field[[]int]{`[1,"2",3.0]`, []int{1, 2, 3}, false}, field[[]int]{`7`, []int{7}, false}, field[[]int]{`"7"`, []int{7}, false},
			field[[]int]{`{"0":1}`, []int{1}, false}, field[[]int]{`[]`, []int{}, false}, field[[]int]{`{}`, []int{}, false}, field[[]int]{`null`, nil, false},
			field[[]int]{`[1,null,2]`, []int{1, 0, 2}, false}, field[[]int]{`"x"`, nil, true}, field[[]int]{`{"a":1}`, nil, true},
		)
	})
	t.Run("list of objects", func(t *testing.T) {
		testFields(t, codec,
			field[[]person]{`[{"name":"A"},{"age":"2"}]`, []person{{Name: "A"}, {Age: 2}}, false},
			field[[]person]{`{"name":"A"}`, []person{{Name: "A"}}, false}, field[[]person]{`{"0":{"name":"A"},"1":[]}`, []person{{Name: "A"}, {}}, false},
			field[[]person]{`[[],{},null]`, []person{{}, {}, {}}, false}, field[[]person]{`[]`, []person{}, false}, field[[]person]{`{}`, []person{}, false},
			field[[]person]{`null`, nil, false}, field[[]person]{`"A"`, nil, true}, field[[]person]{`1`, nil, true},
		)
	})
	t.Run("list of lists", func(t *testing.T) {
		testFields(t, codec,
			field[[][]string]{`[["a"],[],null]`, [][]string{{"a"}, {}, nil}, false}, field[[][]string]{`["a","b"]`, [][]string{{"a"}, {"b"}}, false},
			field[[][]string]{`"a"`, [][]string{{"a"}}, false}, field[[][]string]{`[{"0":"a"}]`, [][]string{{"a"}}, false},
		)
	})
	t.Run("object", func(t *testing.T) {
		testFields(t, codec,
			field[person]{`{"name":"N","age":4}`, person{"N", 4}, false}, field[person]{`{"name":17,"age":"4"}`, person{"17", 4}, false},
			field[person]{`{}`, person{}, false}, field[person]{`[]`, person{}, false}, field[person]{`[ ]`, person{}, false}, field[person]{`null`, person{}, false},
			field[person]{`"N"`, person{}, true}, field[person]{`17`, person{}, true}, field[person]{`true`, person{}, true}, field[person]{`[{"name":"N"}]`, person{}, true},
		)
	})
	t.Run("map", func(t *testing.T) {
		testFields(t, codec,
			field[map[string]any]{`{"a":[1,null]}`, map[string]any{"a": []any{json.Number("1"), nil}}, false}, field[map[string]any]{`{}`, map[string]any{}, false},
			field[map[string]any]{`[]`, map[string]any{}, false}, field[map[string]any]{`[ ]`, map[string]any{}, false}, field[map[string]any]{`null`, nil, false},
			field[map[string]any]{`[1]`, nil, true}, field[map[string]any]{`"a"`, nil, true}, field[map[string]any]{`1`, nil, true},
		)
		testFields(t, codec,
			field[map[string]string]{`{"en":"Yes"}`, map[string]string{"en": "Yes"}, false}, field[map[string]string]{`{"en":"Yes","ka":1}`, nil, true},
		)
	})
	t.Run("any", func(t *testing.T) {
		testFields(t, codec,
			field[any]{`{"a":1.5}`, map[string]any{"a": json.Number("1.5")}, false}, field[any]{`[]`, []any{}, false}, field[any]{`"x"`, "x", false},
			field[any]{`true`, true, false}, field[any]{`null`, nil, false},
			field[any]{`1e999`, json.Number("1e999"), false}, field[any]{`12345678901234567890`, json.Number("12345678901234567890"), false},
		)
		testFields(t, codec, field[[]any]{`["a",{"b":1},null]`, []any{"a", map[string]any{"b": json.Number("1")}, nil}, false}, field[[]any]{`"a"`, []any{"a"}, false})
	})
	t.Run("raw", func(t *testing.T) {
		raw := func(text string) json.RawMessage { return json.RawMessage(text) }
		testFields(t, codec,
			field[json.RawMessage]{`{"a" : [1.50]}`, raw(`{"a" : [1.50]}`), false}, field[json.RawMessage]{`1.50`, raw(`1.50`), false},
			field[json.RawMessage]{`"\u0061"`, raw(`"\u0061"`), false}, field[json.RawMessage]{`null`, nil, false},
		)
		testFields(t, codec, field[[]json.RawMessage]{`[1,null]`, []json.RawMessage{raw("1"), nil}, false})
	})
	t.Run("UnmarshalJSON", func(t *testing.T) {
		testFields(t, codec,
			field[upper]{`{"a":1}`, upper{`{"A":1}`}, false}, field[upper]{`null`, upper{"NULL"}, false}, field[upper]{`"bad"`, upper{}, true},
		)
		testFields(t, codec, field[*upper]{`"a"`, &upper{`"A"`}, false}, field[*upper]{`null`, nil, false}, field[*upper]{`"bad"`, nil, true})
		testFields(t, codec, field[[]upper]{`["a",null]`, []upper{{`"A"`}, {"NULL"}}, false}, field[[]upper]{`"a"`, []upper{{`"A"`}}, false})
	})
	t.Run("other kinds", func(t *testing.T) {
		testFields(t, codec, field[uint8]{`7`, 7, false}, field[uint8]{`300`, 0, true}, field[uint8]{`"7"`, 0, true})
		testFields(t, codec, field[float32]{`0.5`, 0.5, false}, field[float32]{`"0.5"`, 0, true})
		testFields(t, codec, field[[2]int]{`[1,2]`, [2]int{1, 2}, false}, field[[2]int]{`"x"`, [2]int{}, true})
	})
}

// TestDecodeAnyShapeIntoAnyKind decodes each shape of JSON into each kind of field. There must be no
// panic and no error, and the neighboring fields must be decoded.
func TestDecodeAnyShapeIntoAnyKind(t *testing.T) {
	shapes := []string{
		`null`, `true`, `false`, `0`, `-0.0`, `1e999`, `123456789012345678901234567890`, `""`, `"x"`, `"\\\""`, `"]}"`, `"\ud83d"`, `[]`, `[[]]`, `[{}]`, `[null]`, `[""]`,
		`["a",1,{"b":[]}]`, `{}`, `{"":0}`, `{"0":null}`, `{"0":1,"1":"x"}`, `{"name":{"name":[]}}`, `{"a":"}"}`, `{"a\"}":"]"}`,
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000), strings.Repeat(`{"0":`, 5000) + "1" + strings.Repeat("}", 5000),
	}
	codec := newCodec(after(func(v *person, _ json.RawMessage) error { return nil }))
	for _, shape := range shapes {
		text := []byte(`{"before":1,"field":` + shape + `,"after":2}`)
		require.True(t, json.Valid(text), "%.50s", shape)
		for _, kind := range []reflect.Type{
			reflect.TypeFor[string](), reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[float64](), reflect.TypeFor[uint16](),
			reflect.TypeFor[*string](), reflect.TypeFor[**int](), reflect.TypeFor[*[]string](), reflect.TypeFor[[]string](), reflect.TypeFor[[]int](), reflect.TypeFor[[][]bool](),
			reflect.TypeFor[person](), reflect.TypeFor[*person](), reflect.TypeFor[[]person](), reflect.TypeFor[[]*person](), reflect.TypeFor[map[string]any](),
			reflect.TypeFor[map[string][]string](), reflect.TypeFor[any](), reflect.TypeFor[[]any](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[upper](), reflect.TypeFor[[3]string](),
		} {
			v := reflect.New(reflect.StructOf([]reflect.StructField{
				{Name: "Before", Type: reflect.TypeFor[int](), Tag: `json:"before"`}, {Name: "Field", Type: kind, Tag: `json:"field"`},
				{Name: "After", Type: reflect.TypeFor[int](), Tag: `json:"after"`},
			}))
			err := codec.Decode(text, v.Interface())
			if kind == reflect.TypeFor[[]person]() && err != nil {
				continue // one bad record fails the whole response
			}
			require.NoError(t, err, "%.50s into %s", shape, kind)
			assert.Equal(t, []int64{1, 2}, []int64{v.Elem().Field(0).Int(), v.Elem().Field(2).Int()}, "%.50s into %s", shape, kind)
			for path, value := range codec.Extra(text, v.Interface()) {
				assert.True(t, strings.HasPrefix(path, "field"), path)
				assert.True(t, json.Valid(value), "%.50s", value)
			}
		}
	}
}

func TestDecodeRequiredAndStrict(t *testing.T) {
	type entry struct {
		ID     string   `json:"id" wire:"required"`
		Score  float64  `json:"score" wire:"required,alias=points"`
		Topics []string `json:"topics" wire:"strict"`
		Weight *float64 `json:"weight" wire:"strict"`
		Items  []int    `json:"items" wire:"required"`
	}
	for text, ok := range map[string]bool{
		`{"id":"1","score":0,"items":[]}`:                              true,
		`{"items":{},"score":"0","id":1}`:                              true,
		`{"id":"1","points":0,"items":[1]}`:                            true, // an alias satisfies required
		`{"id":"1","score":1,"items":[],"topics":null,"weight":null}`:  true,
		`{"id":"1","score":1,"items":[],"topics":"a","weight":"1"}`:    true,
		`{"i\u0064":"1","score":1,"items":[]}`:                         true,
		`{"score":1,"items":[]}`:                                       false, // absent
		`{"id":"","score":1,"items":[]}`:                               false, // an empty string
		`{"id":null,"score":1,"items":[]}`:                             false,
		`{"id":{},"score":1,"items":[]}`:                               false,
		`{"ID":"1","score":1,"items":[]}`:                              false, // names are case-sensitive
		`{"id":"1","items":[]}`:                                        false,
		`{"id":"1","score":null,"items":[]}`:                           false,
		`{"id":"1","score":"high","items":[]}`:                         false,
		`{"id":"1","points":"high","items":[]}`:                        false,
		`{"id":"1","score":1}`:                                         false,
		`{"id":"1","score":1,"items":null}`:                            false,
		`{"id":"1","score":1,"items":"x"}`:                             false,
		`{"id":"1","score":1,"items":[],"topics":{"a":1}}`:             false,
		`{"id":"1","score":1,"items":[],"weight":"heavy"}`:             false,
		`{"id":"1","score":1,"items":[],"Topics":["a"]}`:               false, // different case
		`{"id":"1","score":1,"items":[],"topics":["a"],"topics":[]}`:   false, // present twice
		`{"id":"1","id":"","score":1,"items":[]}`:                      false, // required applies to each duplicate
		`{"id":"","id":"1","score":1,"items":[]}`:                      false,
		`{"id":"1","score":1,"score":null,"items":[]}`:                 false,
		`{"id":"1","score":1,"items":[],"topics":null,"topics":["a"]}`: false, `{"id":"1","score":1,"items":[],"weight":0,"weight":1}`: false,
		`{"id":"1","score":1,"items":[],"topics":{"a":1},"topics":["a"]}`: false, // strict applies to each duplicate
		`[]`:    false, // [] counts as an empty object, without the required members
		`{}`:    false,
		`null`:  false,
		`"x"`:   false,
		`[{}]`:  false,
		`17`:    false,
		`false`: false,
	} {
		codec := newCodec()
		var e entry
		err := codec.Decode([]byte(text), &e)
		assert.Equal(t, ok, err == nil, "%s: %v", text, err)
		// The rules apply at any depth. A violation fails the whole response.
		for _, format := range []string{`{"records":[{"id":"1","score":1,"items":[]},@]}`, `{"records":{"0":@}}`, `{"records":@}`} {
			var outer struct {
				Records []entry `json:"records"`
			}
			nested := strings.Replace(format, "@", text, 1)
			refused := codec.Decode([]byte(nested), &outer) != nil
			if strings.HasPrefix(text, "{") && text != "{}" {
				assert.Equal(t, !ok, refused, nested)
			}
		}
		if err != nil {
			assert.NotContains(t, err.Error(), "heavy", "the error must not contain values")
		}
	}
}

func TestDecodePresent(t *testing.T) {
	type entry struct {
		Start string   `json:"start" wire:"present"`
		Score *float64 `json:"score" wire:"present,strict"`
	}
	for text, ok := range map[string]bool{
		`{"start":"a","score":1}`:      true,
		`{"start":null,"score":null}`:  true,
		`{"start":"","sc\u006fre":0}`:  true,
		`{"start":{},"score":1}`:       true, // the value is in Extra
		`{"score":1}`:                  false,
		`{"start":"a"}`:                false,
		`{"Start":"a","score":1}`:      false,
		`{"start":"a","score":"high"}`: false,
		`{}`:                           false,
		`[]`:                           false,
	} {
		var e entry
		assert.Equal(t, ok, newCodec().Decode([]byte(text), &e) == nil, text)
	}
}

func TestDecodeAlias(t *testing.T) {
	type contact struct {
		Phone string   `json:"phoneNumber" wire:"alias=phone"`
		Pages []string `json:"pages" wire:"alias=page"`
		Count int      `json:"count" wire:"alias=n"`
	}
	codec := newCodec()
	for text, c := range map[string]struct {
		want  contact
		extra map[string]string
	}{
		`{"phone":"1","page":["a"],"n":2}`:                                       {contact{"1", []string{"a"}, 2}, nil},
		`{"phone":"1","phoneNumber":"2","n":1,"count":2}`:                        {contact{Phone: "2", Count: 2}, map[string]string{"phone": `"1"`, "n": "1"}},
		`{"phoneNumber":"2","phone":"1","count":2,"n":1}`:                        {contact{Phone: "2", Count: 2}, map[string]string{"phone": `"1"`, "n": "1"}},
		`{"phoneNumber":"","phone":"1","pages":[],"page":["a"],"count":0,"n":3}`: {contact{"1", []string{"a"}, 3}, nil},
		`{"phoneNumber":null,"phone":"1"}`:                                       {contact{Phone: "1"}, nil},
		`{"phoneNumber":{"a":1},"phone":"1"}`:                                    {contact{Phone: "1"}, map[string]string{"phoneNumber": `{"a":1}`}},
		`{"phone":{"a":1}}`:                                                      {contact{}, map[string]string{"phone": `{"a":1}`}},
		`{"p\u0068one":17}`:                                                      {contact{Phone: "17"}, nil},
		`{"phone":"1","phone":"2"}`:                                              {contact{Phone: "2"}, map[string]string{"phone": `"1"`}},
		`{"Phone":"1"}`:                                                          {contact{}, map[string]string{"Phone": `"1"`}},
	} {
		var got contact
		require.NoError(t, codec.Decode([]byte(text), &got), text)
		assert.Equal(t, c.want, got, text)
		if c.extra == nil {
			c.extra = map[string]string{}
		}
		assert.Equal(t, c.extra, asText(codec.Extra([]byte(text), &got)), text)
	}
}

func TestDecodeLastDuplicateWins(t *testing.T) {
	type object struct {
		Text   string            `json:"text"`
		Bool   bool              `json:"bool"`
		Int    int               `json:"int"`
		Float  float64           `json:"float"`
		Ref    *int              `json:"ref"`
		List   []string          `json:"list"`
		Person person            `json:"person"`
		Map    map[string]string `json:"map"`
		Any    any               `json:"any"`
		Raw    json.RawMessage   `json:"raw"`
		Upper  upper             `json:"upper"`
	}
	codec := newCodec()
	for text, want := range map[string]object{
		`{"text":"a","text":"b"}`:                        {Text: "b"},
		`{"text":"a","text":null}`:                       {},
		`{"text":"a","te\u0078t":"b"}`:                   {Text: "b"},
		`{"text":"a","text":{}}`:                         {}, // the value does not fit the type
		`{"text":{},"text":"a"}`:                         {Text: "a"},
		`{"bool":true,"bool":false}`:                     {},
		`{"bool":true,"bool":null}`:                      {},
		`{"int":1,"int":null}`:                           {},
		`{"float":1,"float":null}`:                       {},
		`{"ref":1,"ref":null}`:                           {},
		`{"list":["a","b"],"list":["c"]}`:                {List: []string{"c"}},
		`{"list":["a"],"list":"c"}`:                      {List: []string{"c"}},
		`{"list":["a"],"list":[]}`:                       {List: []string{}},
		`{"list":["a"],"list":null}`:                     {},
		`{"person":{"name":"A"},"person":{"age":1}}`:     {Person: person{Age: 1}},
		`{"person":{"name":"A"},"person":[]}`:            {},
		`{"person":{"name":"A"},"person":null}`:          {},
		`{"map":{"a":"1"},"map":{"b":"2"}}`:              {Map: map[string]string{"b": "2"}},
		`{"map":{"a":"1"},"map":null}`:                   {},
		`{"any":{"a":1},"any":{"b":2}}`:                  {Any: map[string]any{"b": json.Number("2")}},
		`{"raw":1,"raw":null}`:                           {},
		`{"upper":"a","upper":"bad"}`:                    {},
		`{"person":{"name":"A","name":"B"},"Text":"c"}`:  {Person: person{Name: "B"}},
		`{"text":"a","TEXT":"b","Text":"c","text ":"d"}`: {Text: "a"},
	} {
		var got object
		require.NoError(t, codec.Decode([]byte(text), &got), text)
		assert.Equal(t, want, got, text)
	}
	assert.Equal(t, map[string]string{"x": "2", "text": "{}"},
		asText(codec.Extra([]byte(`{"x":1,"text":[],"x":2,"text":{}}`), &object{})))
}

func TestDecodeHooks(t *testing.T) {
	type item struct {
		N   int `json:"n"`
		raw json.RawMessage
	}
	type list struct {
		Name  string `json:"name"`
		Items []item `json:"items"`
		One   *item  `json:"one"`
		raw   json.RawMessage
	}
	var calls []string
	codec := newCodec(
		after(func(i *item, raw json.RawMessage) error {
			i.raw = raw
			calls = append(calls, string(raw))
			if i.N < 0 {
				return errors.New("negative")
			}
			return nil
		}),
		after(func(l *list, raw json.RawMessage) error {
			l.raw = raw
			calls = append(calls, "list")
			return nil
		}),
	)
	text := []byte(" {\"items\" : [ {\"n\":1} , {\"n\" : \"2\" } ], \"one\":{\"n\":3}, \"name\":\"x\" }\n")
	var l list
	require.NoError(t, codec.Decode(text, &l))
	assert.Equal(t, []string{`{"n":1}`, `{"n" : "2" }`, `{"n":3}`, "list"}, calls, "inner values come first")
	assert.Equal(t, string(text), string(l.raw), "the JSON of the whole response keeps its white space, which a signature covers")
	assert.Equal(t, []int{1, 2, 3}, []int{l.Items[0].N, l.Items[1].N, l.One.N})
	assert.Equal(t, `{"n" : "2" }`, string(l.Items[1].raw))
	assert.Equal(t, len(l.Items[0].raw), cap(l.Items[0].raw), "an append to the JSON of a value must not write into the response")

	calls = nil
	assert.Empty(t, codec.Extra(text, &l))
	assert.Empty(t, calls, "Extra must call no hook")

	for text, ok := range map[string]bool{
		`{"items":[{"n":1},{"n":-1}]}`: false, `{"one":{"n":-1}}`: false, `{"items":{"0":{"n":-1}}}`: false,
		// One bad record fails the whole response.
		`{"items":[1]}`: false, `{"items":[null]}`: false, `{"items":["x"]}`: false, `{"items":[[1]]}`: false,
		`{"items":[[]]}`: true, `{"items":[]}`: true, `{"items":{"0":{"n":1}}}`: true, `{"items":[{}]}`: true, `[]`: true, `{}`: true,
		`null`: false, `"x"`: false, `[1]`: false,
	} {
		assert.Equal(t, ok, codec.Decode([]byte(text), &list{}) == nil, text)
	}
	// A value that is not a list of records stays in Extra.
	for _, value := range []string{`null`, `{}`, `{"n":1}`, `"x"`, `7`, `{"0":{},"x":{}}`} {
		var l list
		text := []byte(`{"name":"x","items":` + value + `}`)
		require.NoError(t, codec.Decode(text, &l), value)
		assert.Equal(t, list{Name: "x", raw: text}, l)
		assert.Equal(t, map[string]string{"items": value}, asText(codec.Extra(text, &l)))
	}
}

func TestExtraPaths(t *testing.T) {
	type page struct {
		Number int      `json:"number"`
		Final  *person  `json:"final"`
		Notes  []string `json:"notes"`
	}
	type document struct {
		Person person            `json:"person"`
		Pages  []page            `json:"pages"`
		Grid   [][]page          `json:"grid"`
		Scores []int             `json:"scores"`
		Labels map[string]string `json:"labels"`
		hidden string
		Tagged string `json:"-"`
		NoTag  string
	}
	codec := newCodec()
	text := []byte(` { "new" : {"a" : 1} , "person":{"name":{"x":1},"eye_color":"green","age":[]},
		"pages":[{"number":1},{"number":"two","final":{"name":"N","Name":"M"}},17,{"0":1},{"notes":[{"kept":1}],"final":"F"}],
		"grid":[[{"x":1}],{"0":{"y":2}},[{"number":{}}]],"scores":[1,"x",{"a":1},[]],"labels":{"en":1},
		"hidden":"h","Tagged":"t","-":"u","NoTag":"n","":"empty","a.b":[1],"\u006eew2":null,"ა\"":"q" }`)
	var d document
	require.NoError(t, codec.Decode(text, &d))
	assert.Equal(t, map[string]string{
		"new": `{"a" : 1}`, "person.name": `{"x":1}`, "person.eye_color": `"green"`, "person.age": `[]`,
		"pages[1].number": `"two"`, "pages[1].final.Name": `"M"`, "pages[2]": `17`, "pages[3].0": `1`, "pages[4].final": `"F"`,
		"grid[0][0].x": `1`, "grid[1][0].y": `2`, "grid[2][0].number": `{}`,
		"scores[1]": `"x"`, "scores[2]": `{"a":1}`, "scores[3]": `[]`, "labels": `{"en":1}`,
		"hidden": `"h"`, "Tagged": `"t"`, "-": `"u"`, "NoTag": `"n"`, "": `"empty"`, "a.b": `[1]`, "new2": `null`, `ა"`: `"q"`,
	}, asText(codec.Extra(text, &d)))
	assert.Equal(t, []int{1, 0, 0, 0}, d.Scores, "an element that does not fit keeps its position")
	assert.Equal(t, []string{`{"kept":1}`}, d.Pages[4].Notes)
	assert.Empty(t, d.hidden+d.Tagged+d.NoTag)

	assert.Equal(t, map[string]string{"number": `"x"`, "final.eye": "1"},
		asText(codec.Extra([]byte(`{"number":"x","final":{"eye":1}}`), &page{})))
	assert.Equal(t, map[string]string{"[0].x": "1"}, asText(codec.Extra([]byte(`[{"x":1}]`), &[]page{})))
	type single struct {
		One []page `json:"one"`
	}
	assert.Equal(t, map[string]string{"one.x": "1"}, asText(codec.Extra([]byte(`{"one":{"number":2,"x":1}}`), &single{})),
		"the path of a single element has no index")
	assert.Equal(t, `{"x":1}`, asText(codec.Extra([]byte(`{"one":{"x":1}}`), &single{}))["one"],
		"an object without a known member is not an element")
	for _, text := range []string{``, `{}`, `[]`, `null`} {
		extra := codec.Extra([]byte(text), &d)
		assert.NotNil(t, extra)
		assert.Empty(t, extra)
	}
	for _, value := range codec.Extra(text, &d) {
		assert.Equal(t, len(value), cap(value), "an append to a value must not write into the response")
	}
}

func TestDecodeEmbeddedFields(t *testing.T) {
	type base struct {
		ID string `json:"id"`
	}
	type note struct {
		base
		person
		Note string `json:"note"`
	}
	var n note
	require.NoError(t, newCodec().Decode([]byte(`{"id":7,"name":"N","note":"x","base":1}`), &n))
	assert.Equal(t, note{base{"7"}, person{Name: "N"}, "x"}, n)
	assert.Equal(t, map[string]string{"base": "1"}, asText(newCodec().Extra([]byte(`{"id":7,"base":1}`), &n)))
}

// result has a hook and an UnmarshalJSON that calls the codec.
type result struct {
	Name string `json:"name" wire:"required"`
	raw  json.RawMessage
}

var resultCodec = newCodec(after(func(r *result, raw json.RawMessage) error { r.raw = raw; return nil }))

func (r *result) UnmarshalJSON(data []byte) error { return resultCodec.Unmarshal(data, r) }

func TestUnmarshal(t *testing.T) {
	data := []byte(`{"name":"first","x":1}`)
	var r result
	require.NoError(t, json.Unmarshal(data, &r))
	copy(data, bytes.Repeat([]byte("x"), len(data)))
	assert.Equal(t, `{"name":"first","x":1}`, string(r.raw), "the value must keep a copy of the JSON")
	before := r
	for _, text := range []string{`{"name":null}`, `{}`, `17`, `null`, `[]`} {
		err := json.Unmarshal([]byte(text), &r)
		require.ErrorContains(t, err, "the JSON does not fit the type", text)
		assert.Equal(t, before, r, "an error must leave the value unchanged")
	}
	require.NoError(t, json.Unmarshal([]byte(`{"name":"second"}`), &r))
	assert.Equal(t, "second", r.Name)

	// A codec with a hook for a type does not call the type's UnmarshalJSON.
	var list []result
	require.NoError(t, resultCodec.Decode([]byte(`[{"name":"a"},{"name":"b"}]`), &list))
	assert.Equal(t, []result{{"a", json.RawMessage(`{"name":"a"}`)}, {"b", json.RawMessage(`{"name":"b"}`)}}, list)
}

func TestDecodeIsSafeForConcurrentUse(t *testing.T) {
	codec := newCodec()
	errs := make(chan error)
	for range 8 {
		go func() {
			var v struct {
				People []person `json:"people"`
			}
			errs <- codec.Decode([]byte(`{"people":[{"name":"A"}]}`), &v)
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
}

// anything has a field of every kind that Decode supports. The JSON names are in lower case.
type anything struct {
	Text     string            `json:"text"`
	Bool     bool              `json:"bool"`
	Int      int               `json:"int"`
	Int64    int64             `json:"int64"`
	Float    float64           `json:"float"`
	PText    *string           `json:"ptext"`
	PBool    *bool             `json:"pbool"`
	PInt     *int              `json:"pint"`
	PFloat   *float64          `json:"pfloat"`
	Texts    []string          `json:"texts"`
	Ints     []int             `json:"ints"`
	Bools    []bool            `json:"bools"`
	Floats   []float64         `json:"floats"`
	Lists    [][]string        `json:"lists"`
	Nested   nested            `json:"nested"`
	PNested  *nested           `json:"pnested"`
	Nesteds  []nested          `json:"nesteds"`
	PNesteds []*nested         `json:"pnesteds"`
	Record   record            `json:"record"`
	Records  []record          `json:"records"`
	Map      map[string]any    `json:"map"`
	Texts2   map[string]string `json:"texts2"`
	Any      any               `json:"any"`
	Anys     []any             `json:"anys"`
	Raw      json.RawMessage   `json:"raw"`
	Upper    upper             `json:"upper"`
	PUpper   *upper            `json:"pupper"`
	Uppers   []upper           `json:"uppers"`
	Uint     uint8             `json:"uint"`
	Alias    string            `json:"alias" wire:"alias=other"`
}

type nested struct {
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Count *int     `json:"count"`
}

// record has a hook.
type record struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

var decodeSeeds = []string{
	`{"text":"a","bool":true,"int":1,"int64":2,"float":0.5,"ptext":null,"pbool":false,"pint":0,"pfloat":1e3}`,
	`{"texts":["a",null],"ints":[1],"bools":[true],"floats":[0.1],"lists":[["a"],null]}`,
	`{"nested":{"name":"n","tags":["t"],"count":1},"pnested":{},"nesteds":[{},null],"pnesteds":[null,{}],"record":{"id":"1"},"records":[{"id":"2","n":3}]}`,
	`{"map":{"a":[1]},"texts2":{"a":"b"},"any":{"x":null},"anys":[1,null,"x"],"raw":{"a" : 1},"upper":"x","pupper":null,"uppers":[1,null],"uint":7,"alias":"","other":"o"}`,
	`{"text":17,"bool":"true","int":"5","float":"0.93","texts":{"0":"a"},"nested":[],"map":[],"records":[null],"pint":"x"}`,
	`{"int":9007199254740993.0,"int64":1e999,"text":"\ud83d\ude00\u0000","any":1e999}`,
	`{"text":"a","text":null,"Text":"b","te\u0078t":"c","nested":{"name":"a"},"nested":{"tags":"b"}}`,
	` [ {"text":"a"} ] `, `null`, `17`, `"x"`, `{"":{"":[]},"nesteds":{"7":{"name":[[]]},"3":1}}`,
	"{\"text\":\"\xff\",\"\xff\":1}", `{"upper":"bad","uppers":["bad"],"records":{"0":{"id":1}},"record":null}`,
	strings.Repeat(`{"any":[`, 20) + strings.Repeat(`]}`, 20),
}

// FuzzDecode compares Decode with encoding/json. It skips text that encoding/json rejects, and text
// that isAmbiguous reports. These differences are intended:
//   - null in a list of strings is dropped,
//   - null leaves a json.RawMessage nil,
//   - null in a list of records fails the whole response,
//   - an alias fills an empty field.
func FuzzDecode(f *testing.F) {
	for _, text := range decodeSeeds {
		f.Add([]byte(text))
	}
	codec := newCodec(after(func(*record, json.RawMessage) error { return nil }))
	top := jsonNames(reflect.TypeFor[anything]())
	names := slices.Concat(top, jsonNames(reflect.TypeFor[nested]()), jsonNames(reflect.TypeFor[record]()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		before := bytes.Clone(data)
		var got, want anything
		err := codec.Decode(data, &got)
		extra := codec.Extra(data, &got)
		require.Equal(t, before, data, "the input must not change")
		for path, value := range extra {
			require.True(t, json.Valid(value) && bytes.Contains(data, value), "%s: %q", path, value)
		}
		dec, plain := json.NewDecoder(bytes.NewReader(data)), json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		plain.UseNumber()
		if plain.Decode(&want) != nil || isAmbiguous(t, dec, names) {
			return
		}
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &members)) // an object or null
		var records []json.RawMessage
		if json.Unmarshal(members["records"], &records) == nil && slices.ContainsFunc(records, isNull) {
			require.Error(t, err, "%q", data)
			return
		}
		require.NoError(t, err, "%q", data)
		dropNulls(t, reflect.ValueOf(&want).Elem(), data)
		if want.Alias == "" {
			want.Alias = got.Alias
		}
		require.Equal(t, want, got, "%q", data)

		// Extra holds what encoding/json ignores.
		for name, value := range members {
			switch {
			case strings.ContainsAny(name, ".["), name == "other":
			case slices.Contains(top, name):
				require.True(t, extra[name] == nil || strings.HasPrefix(name, "record") && isNull(value), "%q", data)
			default:
				require.Equal(t, string(value), string(extra[name]), "%q", data)
			}
		}
	})
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// jsonNames returns the names in a struct's json tags.
func jsonNames(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		names = append(names, f.Tag.Get("json"))
	}
	return names
}

// isAmbiguous reports whether an object at any depth has a duplicate name, or a name that matches
// one of names only if letter case is ignored.
func isAmbiguous(t *testing.T, dec *json.Decoder, names []string) (ambiguous bool) {
	t.Helper()
	token, err := dec.Token()
	require.NoError(t, err)
	seen := map[string]bool{}
	for token == json.Delim('{') && dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		ambiguous = ambiguous || seen[name.(string)] || slices.ContainsFunc(names, func(known string) bool {
			return known != name && strings.EqualFold(known, name.(string))
		})
		seen[name.(string)] = true
		ambiguous = isAmbiguous(t, dec, names) || ambiguous
	}
	for token == json.Delim('[') && dec.More() {
		ambiguous = isAmbiguous(t, dec, names) || ambiguous
	}
	if _, nested := token.(json.Delim); nested {
		_, err = dec.Token() // the closing bracket
		require.NoError(t, err)
	}
	return ambiguous
}

// dropNulls removes null from the lists of strings and the json.RawMessages in v. v is what encoding/json
// has decoded from raw.
func dropNulls(t *testing.T, v reflect.Value, raw json.RawMessage) {
	t.Helper()
	switch {
	case v.Type() == rawType:
		if isNull(raw) {
			v.SetZero()
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		dropNulls(t, v.Elem(), raw)
	case v.Kind() == reflect.Slice:
		var elements []json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &elements))
		if v.Type().Elem().Kind() == reflect.String {
			kept := v.Slice(0, 0)
			for i, element := range elements {
				if !isNull(element) {
					kept = reflect.Append(kept, v.Index(i))
				}
			}
			v.Set(kept)
			return
		}
		for i, element := range elements {
			dropNulls(t, v.Index(i), element)
		}
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[upper]():
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &members))
		for i := range v.NumField() {
			if value, found := members[v.Type().Field(i).Tag.Get("json")]; found {
				dropNulls(t, v.Field(i), value)
			}
		}
	}
}
