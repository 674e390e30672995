// Package redact keeps secrets out of texts: a holder that cannot be printed, and a
// look at errors by known value, because a secret can turn up under any name.
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

// Secret holds a string behind a function: no formatter, logger, encoder or
// reflective dumper can reach it, even inside an unexported field.
type Secret struct{ reveal func() string }

// NewSecret holds s.
func NewSecret(s string) Secret { return Secret{reveal: func() string { return s }} }

// Reveal returns the secret, or "" for the zero Secret.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format writes the mask under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// LogValue is the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalJSON writes the mask.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// Contains reports whether text shows one of the secrets, plain or in the spelling of a
// URL, of JSON or of Go.
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

// Error returns err itself when nothing that it can print holds a secret. Otherwise it
// returns an error that withholds the whole text, because what repeats a secret has
// repeated a request, and with it the rest of what was sent. A text that quotes something
// loses what it quotes: net/http quotes replies that are not HTTP. Such errors still answer
// [errors.Is], but no longer hand out what they wrap.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	if !shows(err, secrets) {
		if !quotes(err) {
			return err
		}
		// What is left of a text can meet and be a secret.
		if text := withoutQuoted(err.Error()); !Contains(text, secrets...) {
			return &withheld{text: text, cause: func() error { return err }}
		}
	}
	return &withheld{text: fmt.Sprintf("text withheld, it shows a secret (%T)", err), cause: func() error { return err }}
}

// withoutQuoted has dots in the place of what text quotes. A quote that is never closed
// reaches to the end.
func withoutQuoted(text string) string {
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

// afterQuote is what follows the first quote that is not escaped.
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

func quotes(err error) bool {
	return reaches(err, func(err error) bool { return strings.Contains(err.Error(), `"`) })
}

func shows(err error, secrets []string) bool {
	return reaches(err, func(err error) bool {
		return Contains(err.Error(), secrets...) || Contains(fmt.Sprintf("%+v", err), secrets...) ||
			Contains(withoutAddresses(fmt.Sprintf("%#v", err)), secrets...)
	})
}

// withoutAddresses leaves out where the pointers of a text in Go's spelling point to, as in
// (*net.TCPAddr)(0xc000012345): four digits are there by chance.
func withoutAddresses(text string) string {
	var kept strings.Builder
	for text != "" {
		if digits, found := strings.CutPrefix(text, ")(0x"); found {
			kept.WriteString(")(")
			text = strings.TrimLeft(digits, "0123456789abcdef")
			continue
		}
		rest := text[1:]
		if text[0] == '"' {
			rest = afterQuote(rest)
		}
		kept.WriteString(text[:len(text)-len(rest)])
		text = rest
	}
	return kept.String()
}

// reaches asks of an error and of everything that it wraps, as far as that can be reached.
func reaches(err error, is func(error) bool) bool {
	if _, done := err.(*withheld); err == nil || done {
		return false
	}
	if is(err) {
		return true
	}
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		return reaches(wrapped.Unwrap(), is)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapped.Unwrap(), func(next error) bool { return reaches(next, is) })
	}
	return false
}

// withheld holds its cause behind a function for the reason that Secret does.
type withheld struct {
	text  string
	cause func() error
}

func (e *withheld) Error() string { return e.text }

// Format writes Error under every verb: what Go's spelling makes of a text can be a secret.
func (e *withheld) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }

// Is answers for the cause.
func (e *withheld) Is(target error) bool { return errors.Is(e.cause(), target) }

// Timeout keeps the question of net.Error answered.
func (e *withheld) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.cause(), &t) && t.Timeout()
}
