package engine

import (
	"math"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FuzzRetryAfter compares retryAfter with a literal implementation of RFC 9110, section 10.2.3.
// Digits are seconds, a date is the end of the wait, and any other value is ignored. A wait is never
// negative, and at most the longest time.Duration.
func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{
		"0", "7", " 7 ", "-5", "+5", "1e3", "0x10", "1_000", "9223372036", "9223372037", "18446744073709551615", "99999999999999999999999", "99999999999119999999\x92",
		"soon", "", "Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 21 Nov 2026 00:00:30 GMT", "Saturday, 21-Nov-26 00:00:30 GMT", "Sat Nov 21 00:00:30 2026",
		"Sat, 21 Nov 9999 00:00:30 GMT", "Sat, 21 Nov 2026 00:00:30 +0400", "٧",
	} {
		f.Add(text)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got := retryAfter(http.Header{"Retry-After": {text}}, now)
		require.GreaterOrEqual(t, got, time.Duration(0))
		trimmed := strings.TrimSpace(text)
		if trimmed != "" && strings.Trim(trimmed, "0123456789") == "" {
			seconds, ok := new(big.Int).SetString(trimmed, 10)
			require.True(t, ok)
			want := seconds.Mul(seconds, big.NewInt(int64(time.Second)))
			if !want.IsInt64() {
				want.SetInt64(math.MaxInt64)
			}
			require.Equal(t, want.Int64(), int64(got))
			return
		}
		at, err := http.ParseTime(trimmed)
		if err != nil || at.Before(now) {
			require.Zero(t, got, "%q", text)
			return
		}
		require.Equal(t, at.Sub(now), got)
	})
}
