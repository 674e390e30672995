// Package callback serves callbacks from Identomat and iDenfy. It limits the body, calls a handler,
// and keeps the body's values out of errors.
package callback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/sniff"
	"github.com/identomat-go/identomat/internal/wire"
)

// Settings is filled in by options.
type Settings struct {
	// Service is the name of the package: identomat or idenfy.
	Service string
	Keys    []string
	MaxSize int64 // of a body, in bytes
	Observe func(context.Context, error)
}

// NewSettings requires at least one key, checks every key, and applies the options.
func NewSettings[O ~func(*Settings) error](service, keyName string, keys []string, maxSize int64, opts ...O) (*Settings, error) {
	s := &Settings{Service: service, Keys: slices.Clone(keys), MaxSize: maxSize, Observe: func(ctx context.Context, err error) {
		slog.WarnContext(ctx, service+" callback failed", "error", err)
	}}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: callback: no %s: without one, anyone can send callbacks", service, keyName)
	}
	for _, key := range keys {
		if err := option.CheckKey(keyName, key); err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New(service + ": callback: an option is nil")
		}
		if err := opt(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ReadBody returns the body of a request, or the status and the reason for rejecting it. w may be
// nil.
func (s *Settings) ReadBody(w http.ResponseWriter, r *http.Request) (body []byte, status int, reason string) {
	if coding := sniff.Coding(strings.Join(r.Header.Values("Content-Encoding"), ",")); coding != "" {
		return nil, http.StatusUnsupportedMediaType, "the body is compressed with " + coding
	}
	if r.Body == nil { // only if the request was built for a test: a server always sets Body
		return nil, http.StatusOK, ""
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.MaxSize))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge, "the body is too large"
	}
	if err != nil {
		return nil, http.StatusBadRequest, "the body could not be read"
	}
	return body, http.StatusOK, ""
}

// Handler returns a handler that responds with 200 if handle succeeds, with 500 if handle returns
// an error or panics, or with parse's status if parse returns an error. Errors from handle show no
// key, and no text or number from the private values.
func Handler[T any](
	s *Settings, parse func(*Settings, http.ResponseWriter, *http.Request) (value T, status int, err error),
	private func(T) []json.RawMessage, handle func(context.Context, T) error,
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, status, err := parse(s, w, r)
		if err == nil {
			secrets := func() []string { return s.secrets(private(value)) }
			err = s.callRecovering(func() error { return handle(r.Context(), value) }, secrets)
			if err == nil {
				w.WriteHeader(http.StatusOK)
				return
			}
			status = http.StatusInternalServerError
		}
		s.Observe(r.Context(), err)
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		http.Error(w, http.StatusText(status), status)
	})
}

// minSecret is the length of a short one-time password. A text with fewer bytes does not count as a
// secret, because it would match parts of ordinary words.
const minSecret = 4

// secrets returns the configured keys, the strings in the JSON values, and every run of digits,
// because a one-time password can be a number or part of a sentence.
func (s *Settings) secrets(values []json.RawMessage) (secrets []string) {
	for _, value := range values {
		texts := wire.AppendTexts(nil, value)
		secrets = append(secrets, texts...)
		for _, text := range append(texts, string(value)) {
			secrets = append(secrets, strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })...)
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < minSecret })
	return append(secrets, s.Keys...)
}

// callRecovering calls handle and returns its error, or an error for its panic. A panic value can
// be anything, including the body, so the text shows only runtime errors.
func (s *Settings) callRecovering(handle func() error, secrets func() []string) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
			if err != nil {
				err = s.redact(err, secrets())
			}
		case runtime.Error:
			err = fmt.Errorf("%s: the callback handler panicked: %w%s", s.Service, redact.Error(p, secrets()...), stack())
		default:
			err = fmt.Errorf("%s: the callback handler panicked with a %T%s", s.Service, p, stack())
		}
	}()
	return handle()
}

// redact keeps secrets out of the error of a handler. The methods of the error may panic, for
// example because the error is a nil pointer.
func (s *Settings) redact(err error, secrets []string) (redacted error) {
	defer func() {
		if p := recover(); p != nil {
			redacted = fmt.Errorf("%s: the callback handler returned a %T whose text panics with a %T", s.Service, err, p)
		}
	}()
	return redact.Error(err, secrets...)
}

// stack returns the functions and lines of the current stack. debug.Stack would also print
// arguments, which may contain a one-time password, and addresses, which may look like one.
func stack() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var text strings.Builder
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		fmt.Fprintf(&text, "\n%s\n\t%s:%d", frame.Function, frame.File, frame.Line)
	}
	return text.String()
}
