// Package redact keeps secrets out of logs and error texts. Secret and Private mask values that
// are known to be secret. Error searches errors for the values themselves, because a secret
// may occur anywhere in an error of another package.
package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Secret holds a string in a closure, where formatters, loggers, encoders and reflection
// cannot reach it, even if the Secret is in an unexported field.
type Secret struct{ reveal func() string }

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret { return Secret{reveal: func() string { return s }} }

// Reveal returns the secret, or "" for the zero Secret.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format writes a mask under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// LogValue returns a mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalJSON returns a mask.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// Contains reports whether text contains one of the secrets, either literally or as it is
// escaped in a URL, in JSON or in Go.
func Contains(text string, secrets ...string) bool {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) ||
			strings.Contains(text, url.PathEscape(secret)) {
			return true
		}
		quoted := strconv.Quote(secret)
		if strings.Contains(text, quoted[1:len(quoted)-1]) {
			return true
		}
		if asJSON, err := json.Marshal(secret); err == nil && strings.Contains(text, string(asJSON[1:len(asJSON)-1])) {
			return true
		}
	}
	return false
}

// Error returns an error that prints none of the secrets.
//
// If neither err nor an error that it wraps contains a secret or a quotation mark, the result
// is err itself. If one of them contains a secret, the whole text is withheld, because an
// error that echoes one secret has probably echoed the whole request. Otherwise, everything
// in quotes is removed from the text, because net/http quotes malformed responses, which may
// contain personal data.
//
// In the last two cases, errors.Is still finds the errors that err wraps, but errors.As and
// errors.Unwrap do not.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	if !containsSecret(err, secrets) {
		if !containsQuote(err) {
			return err
		}
		// Removing quotes may join the text around them into a secret.
		if text := removeQuoted(err.Error()); !Contains(text, secrets...) {
			return &withheld{text: text, cause: func() error { return err }}
		}
	}
	return &withheld{text: fmt.Sprintf("text withheld because it contains a secret (%T)", err), cause: func() error { return err }}
}

// removeQuoted replaces everything in quotes, and the quotes, by "...". An unterminated quote
// extends to the end of the text.
func removeQuoted(text string) string {
	var kept strings.Builder
	for {
		before, quoted, found := strings.Cut(text, `"`)
		kept.WriteString(before)
		if !found {
			return kept.String()
		}
		kept.WriteString("...")
		text = afterQuote(quoted)
	}
}

// afterQuote returns the text after the first quotation mark that is not escaped.
func afterQuote(text string) string {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[i+1:]
		}
	}
	return ""
}

func containsQuote(err error) bool {
	return anyInTree(err, func(err error) bool { return strings.Contains(err.Error(), `"`) })
}

func containsSecret(err error, secrets []string) bool {
	return anyInTree(err, func(err error) bool {
		return Contains(err.Error(), secrets...) || Contains(fmt.Sprintf("%+v", err), secrets...) ||
			Contains(removeAddresses(fmt.Sprintf("%#v", err)), secrets...)
	})
}

// removeAddresses removes pointer addresses from the output of %#v, as in
// (*net.TCPAddr)(0xc000012345): an address may contain a short secret by chance.
func removeAddresses(text string) string {
	var kept strings.Builder
	for text != "" {
		if digits, found := strings.CutPrefix(text, ")(0x"); found {
			kept.WriteString(")(")
			text = strings.TrimLeft(digits, "0123456789abcdef")
			continue
		}
		rest := text[1:]
		if text[0] == '"' { // keep a quoted string as it is
			rest = afterQuote(rest)
		}
		kept.WriteString(text[:len(text)-len(rest)])
		text = rest
	}
	return kept.String()
}

// anyInTree reports whether match is true for err or for an error that it wraps. An error that
// has been redacted already matches nothing.
func anyInTree(err error, match func(error) bool) bool {
	if _, redacted := err.(*withheld); err == nil || redacted {
		return false
	}
	if match(err) {
		return true
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return anyInTree(wrapper.Unwrap(), match)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), func(wrapped error) bool { return anyInTree(wrapped, match) })
	}
	return false
}

// withheld is a redacted error. It holds its cause in a closure for the same reason as Secret.
type withheld struct {
	text  string
	cause func() error
}

func (e *withheld) Error() string { return e.text }

// Format writes the text under every verb. Escaping, as by %q, could turn it into a secret.
func (e *withheld) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }

// Is reports whether the cause is target.
func (e *withheld) Is(target error) bool { return errors.Is(e.cause(), target) }

// Timeout reports whether the cause is a timeout, as for a net.Error.
func (e *withheld) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.cause(), &t) && t.Timeout()
}
