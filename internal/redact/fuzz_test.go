package redact_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat/internal/redact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fields is an error with a text that only %+v and %#v print.
type fields struct {
	Text  string
	cause error
}

func (fields) Error() string   { return "fields" }
func (f fields) Unwrap() error { return f.cause }

// typedError is an error whose text is the value itself.
type typedError string

func (e typedError) Error() string { return string(e) }

// tree wraps io.EOF in one error per byte of layers. The byte selects the kind of error.
func tree(layers []byte, text string) error {
	err := io.EOF
	for _, layer := range layers {
		switch layer % 10 {
		case 0:
			err = fmt.Errorf("%s: %w", text, err)
		case 1:
			err = &url.Error{Op: "Post", URL: "https://x.example/?q=" + url.QueryEscape(text), Err: err}
		case 2:
			err = errors.Join(typedError(text), err)
		case 3:
			err = fields{text, err}
		case 4:
			err = &fields{text, err}
		case 5:
			err = quiet{err}
		case 6:
			err = &net.OpError{Op: "dial", Net: text, Err: err}
		case 7:
			err = fmt.Errorf("%w and %w (%q)", err, context.DeadlineExceeded, text)
		case 8:
			err = fmt.Errorf("malformed HTTP response %q: %w", text, err)
		case 9:
			err = errors.Join(err, textproto.ProtocolError(text))
		}
	}
	return err
}

// ownWords is the text that the errors in a tree always contain. A secret that is part of this text
// may be printed.
var ownWords = func() string {
	all := `text withheld because it may contain a secret (*redact.withheld) ... &redact.withheld{text:"", cause:(func() error)(0x0123456789abcdef)} {text: cause:} \" `
	for layer := range byte(10) {
		one := tree([]byte{layer}, "")
		all += fmt.Sprintf("%v %+v %#v %T ", one, one, one, one) + printed("%#v", one)
	}
	return all
}()

// FuzzArbitraryErrors builds errors of every kind from a text that may contain a secret. It
// checks that nothing reachable from the redacted error prints the secret, that redacting is
// idempotent, and that errors.Is still works.
func FuzzArbitraryErrors(f *testing.F) {
	for layer := range byte(10) {
		f.Add([]byte{layer}, "key=hunter2&x", "hunter2")
		f.Add([]byte{layer, 5, layer + 1, 0}, `John "Ünal" Šmith`, `"Ünal"`)
	}
	f.Add([]byte{9}, "\xa5\x0100", "0100")
	f.Add([]byte{0, 8}, `a"b"c`, "a...c")
	f.Add([]byte{2, 9, 7}, "nothing", "")
	f.Add([]byte{}, "", "OF\nE")
	f.Add([]byte{4}, "", "d)()")
	f.Add([]byte{9}, "", "G)()")
	f.Add([]byte{4}, "x)(0xbeef)", "beef")
	f.Fuzz(func(t *testing.T, layers []byte, text, secret string) {
		layers = layers[:min(len(layers), 12)]
		err := tree(layers, text)
		once := redact.Error(err, secret)
		require.ErrorIs(t, once, io.EOF)
		require.Equal(t, errors.Is(err, context.DeadlineExceeded), errors.Is(once, context.DeadlineExceeded))
		require.True(t, once == redact.Error(once, secret), "%v", once)
		for _, e := range flatten(once) {
			require.NotContains(t, e.Error(), `"`, "quoted text must be removed")
		}
		if len(strings.ReplaceAll(secret, "\x00", "")) < 4 || redact.Contains(ownWords, secret) {
			return // the engine passes no shorter secrets, and the search drops zero bytes
		}
		for _, e := range flatten(once) {
			for _, verb := range []string{"%v", "%+v", "%#v"} {
				if verb == "%#v" && strings.Contains(secret, `"`) {
					continue // the quotation mark may be from Go syntax
				}
				require.False(t, redact.Contains(printed(verb, e), secret), "%s %T %v", verb, e, e)
			}
		}
	})
}

var quoteOrAddress = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\)\(0x[0-9a-f]+`)

// printed formats an error. It undoes the escapes in quotes, and drops pointer addresses elsewhere: both
// may contain the secret by chance.
func printed(verb string, err error) string {
	return quoteOrAddress.ReplaceAllStringFunc(fmt.Sprintf(verb, err), func(match string) string {
		if match[0] == '"' {
			text, err := strconv.Unquote(match)
			if err != nil {
				return match
			}
			return `"` + text + `"`
		}
		return ")("
	})
}

// flatten returns err and every error that errors.As could reach.
func flatten(err error) []error {
	all := []error{err}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		if wrapped := wrapper.Unwrap(); wrapped != nil {
			all = append(all, flatten(wrapped)...)
		}
	case interface{ Unwrap() []error }:
		for _, wrapped := range wrapper.Unwrap() {
			all = append(all, flatten(wrapped)...)
		}
	}
	return all
}
