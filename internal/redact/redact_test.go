package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/redact"
)

const key = `k-9/ü"& z`

type holder struct {
	hidden redact.Secret
	Shown  redact.Secret
}

func TestSecretIsMasked(t *testing.T) {
	h := holder{hidden: redact.NewSecret(key), Shown: redact.NewSecret(key)}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "h", h, "s", h.Shown)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "h", h, "s", h.Shown)
	asJSON, err := json.Marshal(h)
	require.NoError(t, err)
	for _, text := range []string{
		fmt.Sprint(h), fmt.Sprintf("%+v", h), fmt.Sprintf("%#v", h), fmt.Sprintf("%s %q %x %d", h, h, h, h),
		fmt.Sprintf("%#v", &h), log.String(), string(asJSON),
	} {
		assert.NotContains(t, text, "k-9")
	}
	assert.Equal(t, key, h.hidden.Reveal())
	assert.Empty(t, redact.Secret{}.Reveal())
}

func TestContainsFindsEscapedSecret(t *testing.T) {
	asJSON, err := json.Marshal(key)
	require.NoError(t, err)
	for _, spelling := range []string{key, url.QueryEscape(key), url.PathEscape(key), string(asJSON), fmt.Sprintf("%q", key)} {
		assert.True(t, redact.Contains("before "+spelling+" after", "other", key), spelling)
	}
	assert.False(t, redact.Contains("nothing here", key, ""))
}

func TestErrorReturnsCleanErrorUnchanged(t *testing.T) {
	err := fmt.Errorf("read: %w", io.ErrUnexpectedEOF)
	assert.Same(t, err, redact.Error(err, key))
	assert.NoError(t, redact.Error(nil, key))
}

func TestErrorFindsSecretInWrappedError(t *testing.T) {
	inner := &url.Error{Op: "Post", URL: "https://a.example/?x=" + url.QueryEscape(key), Err: io.ErrUnexpectedEOF}
	for _, err := range []error{inner, fmt.Errorf("call: %w", inner), errors.Join(io.EOF, inner), quiet{inner}} {
		got := redact.Error(err, key)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), "k-9")
		require.ErrorIs(t, got, io.ErrUnexpectedEOF)
		var urlErr *url.Error
		assert.NotErrorAs(t, got, &urlErr)
	}
}

func TestErrorIgnoresPointerAddresses(t *testing.T) {
	inner := errors.New("connection refused")
	digits := strings.TrimPrefix(fmt.Sprintf("%p", inner), "0x")
	for _, err := range []error{&net.OpError{Op: "dial", Err: inner}, fmt.Errorf("call: %w", inner), fields{"text", inner}} {
		require.Contains(t, fmt.Sprintf("%#v", err), ")(0x"+digits+")")
		assert.Equal(t, err, redact.Error(err, digits, digits[len(digits)-4:]))
	}
	for _, text := range []string{"deadbeef", "0xdeadbeef", `a)(0xdeadbeef)`, `a\")(0xdeadbeef)`} {
		for _, err := range []error{fields{text, inner}, &fields{text, inner}} {
			got := redact.Error(err, "deadbeef")
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), "deadbeef")
		}
	}
}

func TestErrorFindsQuoteInWrappedError(t *testing.T) {
	quoting := fmt.Errorf("malformed HTTP status code %q: %w", "John", io.EOF)
	for _, err := range []error{errors.Join(quiet{quoting}, io.EOF), quiet{errors.Join(quiet{quoting})}} {
		got := redact.Error(err, key)
		require.ErrorIs(t, got, io.EOF)
		assert.Nil(t, errors.Unwrap(got))
		_, isList := got.(interface{ Unwrap() []error })
		assert.False(t, isList, "the quoting error must not be reachable")
	}
}

func TestErrorRemainingTextIsNotSecret(t *testing.T) {
	assert.NotContains(t, redact.Error(errors.New(`key a"b"c`), "a...c").Error(), "a...c")
}

func TestErrorRemovesQuotedText(t *testing.T) {
	for text, want := range map[string]string{
		`got "John", want "Jane" here`: "got ..., want ... here",
		`got "Jo\"hn\\" here`:          "got ... here",
		"got \"Jo\\\nhn\" here":        "got ... here",
		`got "\ü\\\"ü" here`:           "got ... here",
		`got "John`:                    "got ...",
		`got "John\`:                   "got ...",
		`got ""`:                       "got ...",
		`"John"`:                       "...",
	} {
		assert.Equal(t, want, redact.Error(errors.New(text), key).Error(), text)
	}
}

func TestErrorTooLargeToSearchIsWithheld(t *testing.T) {
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("secret-%d", i)
	}
	long := strings.Repeat("a clean text ", 10_000)
	for _, c := range []struct {
		text     string
		secrets  []string
		withheld bool
	}{
		{"a clean text", many, true}, {long, many[:100], true}, {"a clean text", many[:1000], false}, {long, many[:5], false},
	} {
		err := fmt.Errorf("%s: %w", c.text, io.EOF)
		got := redact.Error(err, c.secrets...)
		require.ErrorIs(t, got, io.EOF)
		assert.Equal(t, c.withheld, got != err, "%d secrets, %d bytes", len(c.secrets), len(c.text))
		assert.Equal(t, c.withheld, strings.HasPrefix(got.Error(), "text withheld"))
	}
}

// quiet is an error that wraps a cause without printing it.
type quiet struct{ cause error }

func (quiet) Error() string              { return "quiet" }
func (quiet) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "quiet") }
func (q quiet) Unwrap() error            { return q.cause }

func FuzzErrorShowsNoSecretAndStaysTheSame(f *testing.F) {
	f.Add("Post \"https://x/?k=abc\": EOF", "abc")
	f.Add("%2F\\u00e9", "/é")
	f.Fuzz(func(t *testing.T, text, secret string) {
		once := redact.Error(fmt.Errorf("%s: %w", text, io.EOF), secret)
		require.ErrorIs(t, once, io.EOF)
		if strings.Contains("text withheld because it may contain a secret (*fmt.wrapError)...: EOF", secret) {
			return // part of the text of every redacted error
		}
		assert.False(t, redact.Contains(once.Error(), secret))
		assert.Same(t, once, redact.Error(once, secret))
	})
}
