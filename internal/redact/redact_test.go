package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/redact"
)

const key = `k-9/ü"& z`

var key0 = key

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

// TestErrorFindsEncodedSecret prints a key in many encodings that programs use for bytes.
func TestErrorFindsEncodedSecret(t *testing.T) {
	asJSON, err := json.Marshal(key)
	require.NoError(t, err)
	dumps := map[string]string{
		"plain": key, "upper case": strings.ToUpper(key), "query": url.QueryEscape(key), "path": url.PathEscape(key),
		"lower case of an escape": strings.ToLower(url.QueryEscape(key)), "every byte percent-encoded": strings.ReplaceAll(fmt.Sprintf("% x", " "+key), " ", "%")[2:],
		"escaped twice": url.QueryEscape(url.QueryEscape(key)), "JSON": string(asJSON), "JSON of PHP": `k-9\/\u00fc\u0022\u0026 z`,
		"JSON in JSON": fmt.Sprintf("%q", asJSON), "Go": fmt.Sprintf("%q", key), "ASCII of Go": fmt.Sprintf("%+q", key),
		"JSON in base64": base64.StdEncoding.EncodeToString(asJSON), "bytes": fmt.Sprint([]byte(key)), "bytes in Go": fmt.Sprintf("%#v", []byte(key)),
		"hexadecimal": hex.EncodeToString([]byte(key)), "upper-case hexadecimal": fmt.Sprintf("%X", key), "0x": fmt.Sprintf("%#x", key),
		"hexadecimal with spaces": fmt.Sprintf("% x", key), "hexadecimal with 0x and spaces": fmt.Sprintf("%# x", key),
		"dump": "\n" + hex.Dump([]byte("companyKey="+key+"&x=y")), "escaped dump": fmt.Sprintf("%q", "\n"+hex.Dump([]byte("companyKey="+key))),
		"UTF-16": strings.Join(strings.Split(key, ""), "\x00"), "escaped UTF-16": fmt.Sprintf("%q", strings.Join(strings.Split(key, ""), "\x00")),
		"hexadecimal after a digit": "a" + hex.EncodeToString([]byte(key)),
	}
	for before := range 4 {
		body := strings.Repeat("?", before) + key + `\u00ff>>???`
		for name, encoding := range map[string]*base64.Encoding{
			"base64": base64.StdEncoding, "url-safe base64": base64.URLEncoding, "unpadded base64": base64.RawStdEncoding,
		} {
			text := encoding.EncodeToString([]byte(body))
			dumps[fmt.Sprint(name, " ", before)], dumps[fmt.Sprint(name, " in lines ", before)] = text, text[:10]+"\r\n"+text[10:]
			dumps[fmt.Sprint(name, " in a URL ", before)] = "https://x.example/" + text
			dumps[fmt.Sprint(name, " after letters ", before)] = "abc"[:before] + encoding.EncodeToString([]byte(key))
			dumps[fmt.Sprint(name, " in JSON ", before)] = strings.ReplaceAll(text, "/", `\/`)
		}
	}
	for name, dump := range dumps {
		got := redact.Error(fmt.Errorf("proxy: sent %s: %w", dump, io.EOF), "other", key)
		assert.Equal(t, "text withheld because it may contain a secret (*fmt.wrapError)", got.Error(), name)
		assert.True(t, redact.Contains("before "+dump+" after", "other", key), name)
	}
	assert.False(t, redact.Contains("nothing here", key, ""))
	for _, dump := range []string{"QW5uYQ", "416e6e61", "[65 110 110 97]", "0x41, 0x6e, 0x6e, 0x61"} {
		assert.True(t, redact.Contains("sent "+dump, "Anna"), dump)
	}
	assert.True(t, redact.Contains("ΣΟΦΟΣ", "Σοφος"), "the case of letters is ignored")
	assert.True(t, redact.Contains("sent 12\xc3\xa9", "12\xc3\x00\xa9"), "zero bytes are ignored, even within a character")
}

// silent is an error with methods that print nothing but its name.
type silent struct{ hidden any }

func (silent) Error() string              { return "silent" }
func (silent) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "silent") }

// TestErrorFindsSecretInFields checks fields that fmt prints without calling the error's methods, as in
// struct{ err error }{err}.
func TestErrorFindsSecretInFields(t *testing.T) {
	type text string
	for _, hidden := range []any{
		key, text(key), []byte(key), [10]byte([]byte(key)), []any{key}, map[string]int{key: 1}, map[int]any{1: []string{key}}, struct{ inner any }{key},
		&http.Request{}, &http.Response{},
	} {
		for _, err := range []error{silent{hidden}, &silent{hidden}} {
			got := redact.Error(err, key)
			assert.Equal(t, fmt.Sprintf("text withheld because it may contain a secret (%T)", err), got.Error(), "%T", hidden)
		}
	}
	for _, hidden := range []any{int64(7719305526), uint64(7719305526)} {
		assert.NotEqual(t, silent{hidden}, redact.Error(silent{hidden}, "7719305526"))
	}
	endless := []any{nil}
	endless[0] = endless
	for _, hidden := range []any{nil, "harmless", []byte("harmless"), 7, (*http.Request)(nil), &key0} {
		assert.Equal(t, silent{hidden}, redact.Error(silent{hidden}, key))
	}
	assert.NotEqual(t, "silent", redact.Error(silent{endless}, key).Error(), "a search that takes too long")
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
	many := make([]string, 40_000)
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
		if redact.Contains("text withheld because it may contain a secret (*fmt.wrapError)...: EOF", secret) {
			return // every redacted error contains this text
		}
		assert.False(t, redact.Contains(once.Error(), secret))
		assert.Same(t, once, redact.Error(once, secret))
	})
}
