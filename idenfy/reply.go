package idenfy

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/sample"
)

// call judges the replies to one call.
type call struct {
	client  *Client
	texts   []string
	session *Session
}

// Secrets are the texts that were sent.
func (c *call) Secrets() []string { return c.texts }

// maxMembers bounds what a reply can become in memory. The page's examples have some 40.
const maxMembers = 10_000

// Judge fails closed: what is neither a session nor an error of iDenfy's is
// ErrUnexpectedResponse.
func (c *call) Judge(r *engine.Reply, readErr error) engine.Verdict {
	success := engine.IsSuccess(r.StatusCode)
	if success && errors.Is(readErr, engine.ErrTooLarge) || bytes.Count(r.Body, []byte(",")) > maxMembers {
		return engine.Verdict{Err: c.failure(r, ErrTooLarge)}
	}
	if success && readErr != nil {
		return engine.Verdict{} // the network's error stands
	}
	if success {
		session := new(Session)
		if session.UnmarshalJSON(r.Body) == nil && !c.echoes(session) {
			c.session = session
			return engine.Verdict{}
		}
	}
	// The status of a refusal tells enough even where the rest was cut off.
	e := c.apiError(r)
	return engine.Verdict{Err: e, Refused: isRefusal(e), Final: e.outOfCredits()}
}

// echoes reports a key that came back in the place of a token.
func (c *call) echoes(s *Session) bool {
	for _, key := range c.client.config.Secrets {
		if string(s.AuthToken) == key.Reveal() || s.ScanRef == key.Reveal() {
			return true
		}
	}
	return false
}

func (c *call) failure(r *engine.Reply, kind error) *APIError {
	return &APIError{
		Operation: operation, StatusCode: r.StatusCode, kind: kind,
		ContentType: sample.Label(r.Header.Get("Content-Type")), Sample: sample.Of(r.Body),
	}
}

// apiError reads {"identifier": …, "message": …}. Errors before the processing have no
// identifier.
func (c *call) apiError(r *engine.Reply) *APIError {
	o, err := readObject(r.Body)
	identifier, message := read[string](o, "identifier"), read[string](o, "message")
	if err != nil || identifier == "" && message == "" || identifier == "" && engine.IsSuccess(r.StatusCode) {
		return c.failure(r, ErrUnexpectedResponse)
	}
	if identifiers[identifier] == nil && (!isIdentifier(identifier) || repeats(identifier, c.client.engine.Secrets(c))) {
		identifier = "" // the place of a constant is not safe from sentences and names
	}
	return &APIError{Operation: operation, StatusCode: r.StatusCode, Identifier: identifier, Message: message}
}

func isIdentifier(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool { return c != '_' && (c < 'A' || c > 'Z') })
}

// repeats reports whether an identifier has a word of what was sent in it: iDenfy returns
// names in capitals. The words of a URL are not a person's, and error is often one of them.
func repeats(identifier string, secrets []string) bool {
	for _, secret := range secrets {
		secret = strings.ToUpper(secret)
		if strings.Contains(identifier, secret) {
			return true
		}
		if strings.Contains(secret, "://") {
			continue
		}
		for word := range strings.FieldsFuncSeq(secret, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			if len(word) >= engine.MinSecret && strings.Contains(identifier, word) {
				return true
			}
		}
	}
	return false
}

// isRefusal reports whether it is certain that no session was made: iDenfy says so in its
// own form, with a reason that it finds before it does anything.
func isRefusal(e *APIError) bool {
	if e.kind != nil || e.StatusCode < 400 || e.StatusCode >= 500 || e.StatusCode == http.StatusRequestTimeout {
		return false
	}
	cause := e.cause()
	return cause != nil && cause != ErrInternal
}

// callError gives a failure of the engine its public type; nil stays nil.
func callError(f *engine.Failure) error {
	if f == nil {
		return nil
	}
	var api *APIError
	if f.FromReply && errors.As(f.Err, &api) {
		e := *api // the observers hold the original
		e.Attempts, e.MaybeProcessed, e.RetryAfter = f.Attempts, f.MaybeProcessed, f.RetryAfter
		return &e
	}
	return &identomat.TransportError{Operation: operation, Attempts: f.Attempts, MaybeProcessed: f.MaybeProcessed, Err: f.Err}
}
