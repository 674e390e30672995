package wire

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type language string

type parameters struct {
	Name      string          `json:"name,omitzero" url:"name,omitempty"`
	Languages []language      `json:"languages,omitzero" url:"languages,omitempty"`
	Inner     *inner          `json:"inner,omitzero" url:"-"`
	Raw       json.RawMessage `json:"raw,omitzero" url:"-"`
	Ratio     float64         `json:"ratio,omitzero" url:"-"`
	Builder   Appender        `json:"builder,omitzero" url:"-"`
	Time      time.Time       `json:"time,omitzero" url:"-"`
	Extra     map[string]any  `json:",inline" url:"-"`
}

type inner struct {
	City string `json:"city"`
}

func TestJSONEncodesKeyAndParameters(t *testing.T) {
	for _, c := range []struct {
		keyName string
		params  any
		want    string
	}{
		{"company_key", nil, `{"company_key":"k"}`},
		{"", nil, `{}`},
		{"", &parameters{Extra: map[string]any{"b": 1, "a": "é\ufffd<"}}, `{"a":"é` + "\ufffd" + `<","b":1}`},
		{"", &parameters{Name: "n", Extra: map[string]any{"x": nil}}, `{"name":"n","x":null}`},
		{"companyKey", &parameters{Languages: []language{"en", "ka"}}, `{"companyKey":"k","languages":["en","ka"]}`},
		{"", &parameters{Languages: []language{}, Raw: json.RawMessage{}}, `{"languages":[]}`},
		{"", &parameters{Raw: json.RawMessage("null")}, `{"raw":null}`},
		{"", &parameters{Raw: json.RawMessage(`{"a":"\ufffd"}`), Inner: &inner{}}, `{"inner":{"city":""},"raw":{"a":"\ufffd"}}`},
		{"", &parameters{Time: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))}, `{"time":"2026-01-02T02:04:05.006Z"}`},
	} {
		body, problems := JSON(c.keyName, "k", c.params)
		assert.Empty(t, problems)
		assert.Equal(t, c.want, string(body))
	}
}

// Types that encode themselves.
type (
	textOf  []byte
	jsonOf  string
	latin1  string
	pointed []byte
	key     struct{ name string }
)

func (t textOf) MarshalText() ([]byte, error) { return t, nil }
func (j jsonOf) MarshalJSON() ([]byte, error) { return json.Marshal(string(j)) }
func (l latin1) MarshalText() ([]byte, error) {
	return []byte(strings.ToValidUTF8(string(l), "ü")), nil
}
func (p *pointed) MarshalText() ([]byte, error) { return *p, nil }
func (k key) MarshalText() ([]byte, error)      { return []byte(k.name), nil }

func TestJSONReportsWhatCannotBeEncoded(t *testing.T) {
	const bad = "a\xff"
	loop := map[string]any{}
	loop["loop"] = loop
	for _, c := range []struct {
		params parameters
		want   Problem
	}{
		{parameters{Name: bad}, Problem{"name", "is not UTF-8"}},
		{parameters{Languages: []language{"en", bad}}, Problem{"languages[1]", "is not UTF-8"}},
		{parameters{Inner: &inner{City: bad}}, Problem{"inner.city", "is not UTF-8"}},
		{parameters{Raw: json.RawMessage(`"` + bad + `"`)}, Problem{"raw", "is not UTF-8"}},
		{parameters{Raw: json.RawMessage("{")}, Problem{"raw", "cannot be encoded as JSON"}},
		{parameters{Ratio: math.NaN()}, Problem{"ratio", "cannot be encoded as JSON"}},
		{parameters{Builder: builtText(`{"a":"` + bad + `"}`)}, Problem{"builder", "is not UTF-8"}},
		{parameters{Builder: ParseObject(`{"a":[]}`).Set("b", AppendStrings(nil, []string{"x", bad}))}, Problem{"builder.b[1]", "is not UTF-8"}},
		{parameters{Builder: (*Object)(nil).Set(bad, []byte("1"))}, Problem{"builder", "has a name that is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": bad}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": []any{1, []string{bad}}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": map[string]any{"y": []any{map[string]any{"z": bad}}}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": map[string]any{bad: 1}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": inner{City: bad}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": [1]*inner{{City: bad}}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": []any{json.RawMessage(`"` + bad + `"`)}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": json.RawMessage(`"` + bad + `"`)}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": textOf(bad)}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": []any{textOf(bad)}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": map[key]int{{bad}: 1}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": new(pointed(bad))}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": &struct{ A pointed }{pointed(bad)}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": `\\` + "\\" + bad}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": []string{`\`, `\` + bad}}}, Problem{"Extra.x", "is not UTF-8"}},
		{parameters{Extra: map[string]any{"x": loop}}, Problem{"Extra.x", "cannot be encoded as JSON"}},
		{parameters{Extra: map[string]any{"x": func() {}}}, Problem{"Extra.x", "cannot be encoded as JSON"}},
		{parameters{Extra: map[string]any{bad: 1}}, Problem{"Extra", "has a name that is not UTF-8"}},
		{parameters{Extra: map[string]any{"": 1}}, Problem{"Extra", "has a parameter without a name"}},
		{parameters{Extra: map[string]any{"name": 1}}, Problem{"Extra.name", "has a field of its own"}},
		{parameters{Extra: map[string]any{"company_key": 1}}, Problem{"Extra.company_key", "has a field of its own"}},
	} {
		_, problems := JSON("company_key", "k", &c.params)
		assert.Equal(t, []Problem{c.want}, problems)
	}
	_, problems := JSON("company_key", bad, nil)
	assert.Equal(t, []Problem{{"company_key", "is not UTF-8"}}, problems)
}

func TestJSONSendsEveryValidString(t *testing.T) {
	for _, s := range []string{"", "\ufffd", "é日", `\`, `\ufffd`, `a\\ufffd`, "\x00\n\x7f", "\u2028<>&"} {
		hidden := &struct {
			City   string
			Hidden string `json:"-"`
			secret string
		}{s, "\xff", "\xff"}
		for _, value := range []any{s, []string{s}, map[string]any{s + "x": []any{s}}, hidden, []byte("\xff"), nil, []any{nil}, textOf(s), jsonOf(s), map[key]int{{s}: 1}, latin1("\xfc")} {
			body, problems := JSON("", "", &parameters{Extra: map[string]any{"x": value}})
			require.Empty(t, problems, "%q", s)
			want, err := json.Marshal(map[string]any{"x": value})
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(body))
		}
	}
}

func TestFormReportsInvalidUTF8(t *testing.T) {
	body, problems, err := Form("company_key", "k&", &parameters{Name: "é", Languages: []language{"en"}})
	require.NoError(t, err)
	assert.Empty(t, problems)
	assert.Equal(t, "company_key=k%26&languages=en&name=%C3%A9", string(body))
	_, problems, err = Form("company_key", "k", &parameters{Name: "\xc3", Languages: []language{"en", "\xff"}})
	require.NoError(t, err)
	assert.Equal(t, []Problem{{"languages", "is not UTF-8"}, {"name", "is not UTF-8"}}, problems)
}
