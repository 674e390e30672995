package wire

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FuzzUnquote compares with encoding/json.
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
