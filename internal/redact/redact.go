// Package redact keeps secrets out of logs and error texts. The types [Secret] and [Private] mask
// values that are known to be secret. The function [Error] searches an error from another package for
// secrets, which may occur anywhere in it.
package redact

import (
	"errors"
	"fmt"
	"io"
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

// Contains reports whether text contains one of the secrets in a form that [Error] recognizes.
func Contains(text string, secrets ...string) bool {
	search := newSearch(secrets)
	search.add(text)
	return search.found()
}

// Error returns an error that prints none of the secrets.
//
// If neither err nor an error that it wraps contains a secret or a quotation mark, Error returns
// err. If one of them contains a secret, the whole text is withheld, because an error that echoes
// one secret has probably echoed the whole request. The text is also withheld if the search would
// take too long. Otherwise, quoted parts are removed from the text, because net/http quotes
// malformed responses, which may contain personal data.
//
// A secret is found in any letter case, escaped, in hexadecimal, in base64, in UTF-16, or as a list of bytes,
// in an error's text and fields. A field that points to a request or a response counts as a secret.
// Other pointers in fields are not followed, because another goroutine may be writing to them.
//
// If Error does not return err, errors.Is matches the errors that err wraps, but errors.As and
// errors.Unwrap do not.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	search := newSearch(secrets)
	hasQuote := false
	visit(err, func(err error) {
		text, details := err.Error(), fmt.Sprintf("%+v", err)
		hasQuote = hasQuote || strings.Contains(text, `"`)
		search.add(text)
		search.add(details)
		search.addFields(err)
	})
	hasSecret := search.found()
	if !hasSecret && !hasQuote {
		return err
	}
	text := removeQuoted(err.Error())
	search.add(text)
	if hasSecret || search.found() { // removing quotes may join the text around them into a secret
		text = fmt.Sprintf("text withheld because it may contain a secret (%T)", err)
	}
	return &withheld{text: text, cause: func() error { return err }}
}

// visit calls f with err and every error that it wraps, except errors that are already redacted.
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

// removeQuoted replaces quoted text, including the quotes, with "...". An unterminated quote
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

// withheld is a redacted error. It holds its cause in a closure for the same reason as Secret.
type withheld struct {
	text  string
	cause func() error
}

func (e *withheld) Error() string { return e.text }

// Format writes the text unescaped for every verb: the output of %q could contain a secret.
func (e *withheld) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }

// Is reports whether the cause is target.
func (e *withheld) Is(target error) bool { return errors.Is(e.cause(), target) }

// Timeout reports whether the cause is a timeout, as for a net.Error.
func (e *withheld) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.cause(), &t) && t.Timeout()
}
