package identomattest

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shape maps each path in a JSON value to the type found there. All items in an array have the same
// path.
func shape(t *testing.T, text string) map[string]string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case nil:
			out[path] = "null"
		case bool:
			out[path] = "boolean"
		case float64:
			out[path] = "number"
		case string:
			out[path] = "string"
		case []any:
			out[path] = "array"
			for _, item := range v {
				walk(path+"[]", item)
			}
		case map[string]any:
			out[path] = "object"
			for name, item := range v {
				walk(path+"."+name, item)
			}
		}
	}
	walk("$", v)
	return out
}

// sample returns a sample response from the API reference.
func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	return string(data)
}

func TestEncodeJSONEscapes(t *testing.T) {
	assert.Equal(t, `{"a\/b":"\u10dc\u10d8\u10dc\u10dd \ud83d\ude00 \"\\\n\r\t\u0001\u007f","n":[null,true,1,2.5,{},[]]}`,
		string(encodeJSON(object{
			{"a/b", "ნინო 😀 \"\\\n\r\t\x01\x7f"},
			{"n", []any{nil, true, 1, 2.5, object{}, []any{}}},
		})))
}

func TestDecodeJSON(t *testing.T) {
	for _, text := range []string{``, `{`, `{"a"}`, `{"a":1,}`, `{"a":1,"a":1}`, `[1,]`, `1 2`, `{} x`, "\"\xff\"", `nul`, `]`} {
		_, err := decodeJSON([]byte(text))
		require.Error(t, err, text)
	}
	_, err := decodeJSON([]byte("\ufeff{}"))
	require.NoError(t, err, "a byte order mark is skipped")
	v, err := decodeJSON([]byte(` {"b":[1,"x",null,true,{"c":{}}],"a":2} `))
	require.NoError(t, err)
	assert.Equal(t, `{"b":[1,"x",null,true,{"c":{}}],"a":2}`, string(encodeJSON(v)), "the order of members is kept")
}
