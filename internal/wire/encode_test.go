package wire

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// masked returns an error from its encoder, like a type that holds personal data.
type masked struct{}

func (masked) MarshalText() ([]byte, error) { return nil, errors.New("masked") }

// level has its own MarshalJSON.
type level int

func (l level) MarshalJSON() ([]byte, error) {
	if l < 0 {
		return nil, errors.New("negative")
	}
	return []byte(`{"level":` + string(rune('0'+l)) + `}`), nil
}

type (
	named  string
	search struct {
		masked // request types embed such a type, so that encoding/json refuses them

		Name  string         `json:"name"`
		Limit int            `json:"limit,omitzero"`
		Extra map[string]any `json:",inline"`
	}
	paging struct {
		Offset int `json:"offset"`
	}
	request struct {
		masked
		paging

		Text     string           `json:"text,omitzero"`
		Named    named            `json:"named,omitzero"`
		Bool     bool             `json:"bool,omitzero"`
		Int      int              `json:"int,omitzero"`
		Float    float64          `json:"float,omitzero"`
		Pointer  *bool            `json:"pointer,omitzero"`
		Time     time.Time        `json:"time,omitzero"`
		List     []string         `json:"list,omitzero"`
		Object   map[string]any   `json:"object,omitzero"`
		JSON     Appender         `json:"json,omitzero"`
		Level    level            `json:"level,omitzero"`
		Any      any              `json:"any,omitzero"`
		Raw      json.RawMessage  `json:"raw,omitzero"`
		Query    search           `json:"query,omitzero"`
		PQuery   *search          `json:"pquery,omitzero"`
		Duration map[string]level `json:"levels,omitzero"`
		Ignored  string           `json:"-"`
		hidden   string
		Extra    map[string]any `json:",inline"`
	}
)

func TestJSON(t *testing.T) {
	tbilisi := time.FixedZone("+04", 4*60*60)
	for want, params := range map[string]any{
		``:                         nil,
		`,"a":1,"b":[null],"c":""`: json.RawMessage(`{"a":1,"b":[null],"c":""}`),
		`,"company_key":"x"`:       json.RawMessage(`{"company_key":"x"}`),
		`,"offset":0`:              request{Ignored: "x", hidden: "y"},
		`,"offset":5`:              &request{paging: paging{Offset: 5}},

		`,"offset":0,"text":"a\"\\\u0000ა","named":"n","bool":true,"int":-7,"float":1.5`: request{
			Text: "a\"\\\x00ა", Named: "n", Bool: true, Int: -7, Float: 1.5,
		},
		`,"offset":0,"text":"<b>&'</b>"`: request{Text: "<b>&'</b>"},
		`,"offset":0,"pointer":true`:     request{Pointer: pointer(true)},
		`,"offset":0,"pointer":false`:    request{Pointer: pointer(false)}, // false is sent, unlike nil

		// Times are sent in UTC, truncated to milliseconds.
		`,"offset":0,"time":"2024-06-20T07:33:00.790Z"`: request{Time: time.Date(2024, 6, 20, 11, 33, 0, 790_999_999, tbilisi)},
		`,"offset":0,"time":"0001-01-01T00:00:00.001Z"`: request{Time: time.Time{}.Add(time.Millisecond)},
		`,"offset":0,"time":"2024-12-31T20:00:00.000Z"`: request{Time: time.Date(2025, 1, 1, 0, 0, 0, 0, tbilisi)},

		// An empty list that is not nil is sent.
		`,"offset":0,"list":[]`:         request{List: []string{}},
		`,"offset":0,"list":["a","ბ"]`:  request{List: []string{"a", "ბ"}},
		`,"offset":0,"object":{}`:       request{Object: map[string]any{}},
		`,"offset":0,"object":{"a":{}}`: request{Object: map[string]any{"a": struct{}{}}},

		`,"offset":0,"json":[{"b":1,"a":2.50}]`:     request{JSON: builtText(`[{"b":1,"a":2.50}]`)},
		`,"offset":0,"level":{"level":3}`:           request{Level: 3},
		`,"offset":0,"any":"x"`:                     request{Any: "x"},
		`,"offset":0,"any":[{"level":1}]`:           request{Any: []level{1}},
		`,"offset":0,"raw":{"a":1}`:                 request{Raw: json.RawMessage(`{"a":1}`)},
		`,"offset":0,"levels":{"x":{"level":2}}`:    request{Duration: map[string]level{"x": 2}},
		`,"offset":0,"query":{"name":"N"}`:          request{Query: search{Name: "N"}},
		`,"offset":0,"query":{"name":"","limit":2}`: request{Query: search{Limit: 2}},
		`,"offset":0,"pquery":{"name":""}`:          request{PQuery: &search{}},

		// The members from Extra come last, sorted by name. A nested struct can have an Extra, too.
		`,"offset":0,"query":{"name":"N","a":[1],"offset":3,"text":null},"B":true,"a":"x"`: request{
			Query: search{Name: "N", Extra: map[string]any{"text": nil, "a": []int{1}, "offset": 3}}, Extra: map[string]any{"a": "x", "B": true},
		},
		`,"offset":0,"\"":1,"a.b":{"level":1},"ა":2`: request{Extra: map[string]any{"a.b": level(1), `"`: 1, "ა": 2}},
	} {
		body, problems := JSON("companyKey", `k"1`, params)
		assert.Empty(t, problems, want)
		assert.Equal(t, `{"companyKey":"k\"1"`+want+`}`, string(body))
		assert.True(t, json.Valid(body), string(body))
	}
}

func TestJSONProblems(t *testing.T) {
	const own, unencodable, unnamed = "has a field of its own", "cannot be encoded as JSON", "has a parameter without a name"
	for name, c := range map[string]struct {
		params any
		want   []Problem
	}{
		"key in a text":           {json.RawMessage(`{"companyKey":"x"}`), []Problem{{"params.companyKey", "is the company key, which the client adds"}}},
		"text of no object":       {json.RawMessage(`[]`), []Problem{{"params", "must be a JSON object"}}},
		"key in inline":           {request{Extra: map[string]any{"companyKey": "x"}}, []Problem{{"Extra.companyKey", own}}},
		"key in nested inline":    {request{Query: search{Extra: map[string]any{"companyKey": 1}}}, []Problem{{"Extra.companyKey", own}}},
		"field in inline":         {request{Extra: map[string]any{"text": 1, "offset": 2, "query": 3}}, []Problem{{"Extra.offset", own}, {"Extra.query", own}, {"Extra.text", own}}},
		"omitted field in inline": {&request{Query: search{Name: "N", Extra: map[string]any{"limit": 1}}}, []Problem{{"Extra.limit", own}}},
		"no name":                 {request{Extra: map[string]any{"": 1}}, []Problem{{"Extra", unnamed}}},
		"no JSON form":            {request{Extra: map[string]any{"f": func() {}, "c": make(chan int), "n": math.NaN(), "ok": 1}}, []Problem{{"Extra.c", unencodable}, {"Extra.f", unencodable}, {"Extra.n", unencodable}}},
		"nested without JSON":     {request{Extra: map[string]any{"m": map[string]any{"f": func() {}}}}, []Problem{{"Extra.m", unencodable}}},
		"masked":                  {request{Extra: map[string]any{"m": masked{}, "q": search{}}}, []Problem{{"Extra.m", unencodable}, {"Extra.q", unencodable}}},
		"MarshalJSON fails":       {request{Level: -1}, []Problem{{"level", unencodable}}},
		"field without JSON":      {request{Any: make(chan int), Float: math.Inf(1)}, []Problem{{"float", unencodable}, {"any", unencodable}}},
		"malformed raw":           {request{Raw: json.RawMessage(`{`)}, []Problem{{"raw", unencodable}}},
		"text of a builder":       {request{JSON: builtText(Unencodable)}, []Problem{{"json", unencodable}}},
		"in a nested struct":      {request{PQuery: &search{Extra: map[string]any{"f": func() {}, "name": 1}}}, []Problem{{"Extra.f", unencodable}, {"Extra.name", own}}},
		"all of them":             {request{Any: func() {}, Extra: map[string]any{"": 0, "text": 0, "x": func() {}}}, []Problem{{"any", unencodable}, {"Extra", unnamed}, {"Extra.text", own}, {"Extra.x", unencodable}}},
	} {
		_, problems := JSON("companyKey", "k", c.params)
		assert.Equal(t, c.want, problems, name)
	}
}

// TestJSONReadsParamsOnly encodes the same parameters twice. Encoding must not change them.
func TestJSONReadsParamsOnly(t *testing.T) {
	params := request{List: []string{"b", "a"}, Extra: map[string]any{"z": 1, "y": map[string]any{}}, Query: search{Extra: map[string]any{"k": 1}}}
	first, problems := JSON("companyKey", "k", &params)
	require.Empty(t, problems)
	second, problems := JSON("company_key", "k", &params)
	require.Empty(t, problems)
	assert.Equal(t, `{"companyKey":"k","offset":0,"list":["b","a"],"query":{"name":"","k":1},"y":{},"z":1}`, string(first))
	assert.Equal(t, `{"company_key":"k","offset":0,"list":["b","a"],"query":{"name":"","k":1},"y":{},"z":1}`, string(second))
}
