// Package redact keeps secrets out of logs and error texts. Secret and Private mask values that
// are known to be secret. Error searches errors for the values themselves, because a secret
// may occur anywhere in an error of another package.
package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// Contains reports whether text contains one of the secrets, either literally or in the
// escaped form of a URL, of JSON or of Go.
func Contains(text string, secrets ...string) bool {
	return slices.ContainsFunc(spellings(secrets), func(s string) bool { return strings.Contains(text, s) })
}

// plain holds the characters that no form escapes.
const plain = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~"

// spellings returns the secrets in all forms.
func spellings(secrets []string) (all []string) {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		all = append(all, secret)
		if strings.Trim(secret, plain) != "" {
			inGo := strconv.Quote(secret)
			inJSON, _ := json.Marshal(secret) // a string has a JSON form
			all = append(all, url.QueryEscape(secret), url.PathEscape(secret), inGo[1:len(inGo)-1], string(inJSON[1:len(inJSON)-1]))
		}
	}
	return all
}

// maxSearch bounds the search of one error, in bytes of text times spellings of secrets. It is
// far above the texts of a request and of an error of the network.
const maxSearch = 1 << 22

// Error returns an error that prints none of the secrets.
//
// If neither err nor an error that it wraps contains a secret or a quotation mark, the result
// is err itself. If one of them contains a secret, the whole text is withheld, because an
// error that echoes one secret has probably echoed the whole request. It is also withheld if the
// search would take too long. Otherwise, everything in quotes is removed from the text, because
// net/http quotes malformed responses, which may contain personal data.
//
// In the last three cases, errors.Is still finds the errors that err wraps, but errors.As and
// errors.Unwrap do not.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	// Spelling a secret takes about as long as searching 512 bytes.
	hasSecret, hasQuote, searched := false, false, len(secrets)*512
	var all []string
	if searched <= maxSearch {
		all = spellings(secrets)
	}
	search := func(text string) {
		searched += len(text) * len(all)
		hasSecret = hasSecret || searched > maxSearch || slices.ContainsFunc(all, func(s string) bool { return strings.Contains(text, s) })
	}
	visit(err, func(err error) {
		text := err.Error()
		hasQuote = hasQuote || strings.Contains(text, `"`)
		search(text)
		search(fmt.Sprintf("%+v", err))
		search(removeAddresses(fmt.Sprintf("%#v", err)))
	})
	if !hasSecret && !hasQuote {
		return err
	}
	text := removeQuoted(err.Error())
	search(text) // removing quotes may join the text around them into a secret
	if hasSecret {
		text = fmt.Sprintf("text withheld because it may contain a secret (%T)", err)
	}
	return &withheld{text: text, cause: func() error { return err }}
}

// visit calls f with err and every error that it wraps, except for errors that have been
// redacted already.
func visit(err error, f func(error)) {
	if _, redacted := err.(*withheld); err == nil || redacted {
		return
	}
	f(err)
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		visit(wrapper.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, wrapped := range wrapper.Unwrap() {
			visit(wrapped, f)
		}
	}
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
