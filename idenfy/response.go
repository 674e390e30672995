package idenfy

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/sniff"
	"github.com/identomat-go/identomat/internal/wire"
)

// codec decodes a session or a webhook, and then calls its method decoded, which checks the value and
// keeps the JSON.
var codec = wire.NewCodec(wire.Implementing[record](), func(v any, raw json.RawMessage, _ bool) error { return v.(record).decoded(raw) })

type record interface {
	decoded(raw json.RawMessage) error
}

// protocol is the [engine.Protocol] of one call.
type protocol struct {
	client  *Client
	sent    []byte
	session Session // after a success
}

// maxValues bounds the memory of a decoded response. Documented responses have about 40 values.
const maxValues = 10_000

// Classify decodes a session, or returns an error. It fails closed: a response that is neither a
// session nor an error from iDenfy is [identomat.ErrUnexpectedResponse].
func (p *protocol) Classify(r *engine.Response, readErr error) engine.Disposition {
	success := engine.IsSuccess(r.StatusCode)
	switch {
	case success && errors.Is(readErr, engine.ErrTooLarge), bytes.Count(r.Body, []byte(",")) > maxValues:
		return engine.Disposition{Err: unexpected(r, identomat.ErrTooLarge)}
	case success && readErr != nil:
		return engine.Disposition{} // the attempt fails with readErr
	case success && p.session.UnmarshalJSON(r.Body) == nil && !p.isEcho():
		return engine.Disposition{}
	}
	// A status other than 2xx is an error even if the body is truncated.
	e := p.apiError(r)
	return engine.Disposition{Err: e, NotProcessed: isRefusal(e), Final: e.outOfCredits()}
}

// isEcho reports whether a key came back as a token.
func (p *protocol) isEcho() bool {
	return slices.ContainsFunc(p.client.keys, func(key redact.Secret) bool {
		return string(p.session.AuthToken) == key.Reveal() || p.session.ScanRef == key.Reveal()
	})
}

// Secrets returns the texts in the request.
func (p *protocol) Secrets() []string { return wire.AppendTexts(nil, p.sent) }

// Public returns an [APIError] for a response, or else an [identomat.TransportError].
func (p *protocol) Public(f *engine.Failure) error {
	var api *APIError
	if f.FromResponse && errors.As(f.Err, &api) {
		e := *api // observers hold the original
		e.Attempts, e.MaybeProcessed, e.RetryAfter = f.Attempts, f.MaybeProcessed, f.RetryAfter
		return &e
	}
	return &identomat.TransportError{Operation: operation, Attempts: f.Attempts, MaybeProcessed: f.MaybeProcessed, Err: f.Err}
}

// unexpected returns an error that describes the response without its values.
func unexpected(r *engine.Response, kind error) *APIError {
	return &APIError{kind: kind, APIError: identomat.APIError{
		Operation: operation, StatusCode: r.StatusCode,
		ContentType: sniff.Label(r.Header.Get("Content-Type")), Sample: response.Sample(r.Body),
	}}
}

// apiError decodes {"identifier": …, "message": …}. An error that iDenfy reports before it
// processes the request has no identifier. The message may be an object that maps parameters to
// lists of texts.
func (p *protocol) apiError(r *engine.Response) *APIError {
	r.Body = wire.TrimBOM(r.Body)
	var identifier, message string
	if json.Valid(r.Body) {
		value, _ := wire.Get(r.Body, "identifier")
		identifier = wire.Unquote(value)
		value, _ = wire.Get(r.Body, "message")
		if message = wire.Unquote(value); message == "" && bytes.HasPrefix(value, []byte("{")) {
			message = string(value)
		}
	}
	if identifier == "" && (message == "" || engine.IsSuccess(r.StatusCode)) {
		return unexpected(r, identomat.ErrUnexpectedResponse)
	}
	if identifiers[identifier] == nil && (!isIdentifier(identifier) || repeats(identifier, p.client.engine.Secrets(p))) {
		identifier = "" // iDenfy may send a sentence or a name instead of a constant
	}
	return &APIError{
		APIError: identomat.APIError{Operation: operation, StatusCode: r.StatusCode, Code: identifier},
		message:  redact.NewSecret(message),
	}
}

func isIdentifier(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool { return c != '_' && (c < 'A' || c > 'Z') })
}

// repeats reports whether an identifier contains a word from the request. iDenfy returns names in
// capitals, so a name can look like an identifier. Words in a URL do not count: they are not a
// person's name, and "error" is common.
func repeats(identifier string, sent []string) bool {
	for _, text := range sent {
		text = strings.ToUpper(text)
		if strings.Contains(identifier, text) {
			return true
		}
		if strings.Contains(text, "://") {
			continue
		}
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			if len(word) >= engine.MinSecret && strings.Contains(identifier, word) {
				return true
			}
		}
	}
	return false
}

// isRefusal reports whether iDenfy certainly created no session: it refused the request in its own
// error format. INTERNAL_ERROR does not count, although it is also documented with status 400.
func isRefusal(e *APIError) bool {
	return e.kind == nil && e.StatusCode >= 400 && e.StatusCode < 500 && e.StatusCode != http.StatusRequestTimeout &&
		identifiers[e.Code] != identomat.ErrInternal
}
