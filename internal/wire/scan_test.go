package wire

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FuzzUnquote compares Unquote with encoding/json.
func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`"a"`, `"\u10d0\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83d\u0041"`, "\"\xff\"", `"\\\"\b\f\n\r\t"`, `""`, `"\u00e9é"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want string
		if !json.Valid([]byte(s)) || json.Unmarshal([]byte(s), &want) != nil {
			return
		}
		if s = Trim(s); s[0] != '"' {
			return
		}
		require.Equal(t, want, Unquote(s))
		require.Equal(t, want, Unquote([]byte(s)))
	})
}

func TestAmbiguousFindsTwoValues(t *testing.T) {
	for object, want := range map[string]bool{
		`{}`: false, `[]`: false, ``: false, `{"a":1}`: false, `{"a":1,"b":2}`: false, `{"a":1,"a":1}`: false, `{"c":1,"c":2}`: false,
		`{"A":1,"a":2}`: false, `{"x":{"a":1,"a":2}}`: false,
		`{"a":1,"a":2}`: true, `{"a":1,"a":2,"a":1}`: true, `{"b":[],"b":{}}`: true, `{"a":1,"\u0061":2}`: true, `{"a":null,"a":"null"}`: true,
	} {
		assert.Equal(t, want, Ambiguous([]byte(object), "a", "b"), object)
		assert.Equal(t, want, Ambiguous([]byte(object), "b", "a"), object)
	}
}

func TestAppendTextsFindsStringsAndLongNumbers(t *testing.T) {
	assert.Equal(t, []string{"0", "x", "é", "y", "-12345", "1234567"},
		AppendTexts([]string{"0"}, []byte(` {"a":"x","b":["\u00e9",{"c":"y"},-12345,12345,true,false,null],"d":1234567} `)))
	assert.Empty(t, AppendTexts(nil, nil))
}
