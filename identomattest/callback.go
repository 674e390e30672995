package identomattest

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/fake"
)

// Callback is a callback that the server can post.
type Callback struct {
	raw    string
	fields object
}

// OneTimePassword returns the callback that asks the company to send a one-time password by SMS.
func OneTimePassword(token identomat.Token, phoneNumber, code string) Callback {
	return Callback{fields: object{
		{"type", "one-time-password-request"},
		{"sessionId", string(token)},
		{"text", "Your code is " + code},
		{"phoneNumber", phoneNumber},
	}}
}

// SessionLinkSMS returns the callback that asks the company to send a link to the session by SMS.
func SessionLinkSMS(token identomat.Token, phoneNumber, link string) Callback {
	return Callback{fields: object{
		{"type", "share-session-link-via-sms"},
		{"sessionId", string(token)},
		{"text", "Hello, please complete your verification using the link below."},
		{"phoneNumber", phoneNumber},
		{"sessionLink", link},
	}}
}

// PlainCallback returns a callback with only the common fields. Identomat's API documentation does not
// show the fields of other callbacks, such as status and email callbacks.
func PlainCallback(callbackType string, token identomat.Token) Callback {
	return Callback{fields: object{{"type", callbackType}, {"sessionId", string(token)}}}
}

// RawCallback returns a callback with this body. The server adds nothing to it, not even the key.
func RawCallback(body string) Callback { return Callback{raw: body} }

// WithKey returns the callback with another callbackApiKey, such as a wrong one.
func (c Callback) WithKey(key string) Callback {
	c.fields = append(object{{"callbackApiKey", key}}, c.fields...)
	return c
}

func (c Callback) body(key string) []byte {
	if c.fields == nil {
		return []byte(c.raw)
	}
	if _, ok := c.fields.get("callbackApiKey"); ok {
		return encodeJSON(c.fields)
	}
	return encodeJSON(append(object{{"callbackApiKey", key}}, c.fields...))
}

// SendCallback posts a callback to url and returns the status of the response. It follows no redirects
// and does not retry.
func (s *Server) SendCallback(ctx context.Context, url string, callback Callback) (status int, err error) {
	return s.sendCallback(ctx, s.companies[0], url, callback)
}

func (s *Server) sendCallback(ctx context.Context, c *company, url string, callback Callback) (status int, err error) {
	status, err = fake.Post(ctx, url, nil, callback.body(c.CallbackKey))
	if err != nil {
		return status, fmt.Errorf("identomattest: callback: %w", err)
	}
	return status, nil
}

// SetCallbackURL sets the URL that the server posts callbacks to from now on. The server posts status
// callbacks (see [WithStatusCallback]) and, when a person has entered a phone number or an email
// address on the page, a one-time password to verify the number or address. The URL cannot be given as
// an option of the server, because the callback handler usually needs [Server.Client]. A malformed URL
// is an error, which also fails the test given to [NewServer].
func (s *Server) SetCallbackURL(callbackURL string) error {
	if !isHTTPURL(callbackURL) {
		return s.misuse("SetCallbackURL: %q is not an http URL", callbackURL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.companies[0].CallbackURL = callbackURL
	return nil
}

func isHTTPURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// callbackTimeout is how long the server waits for the response to a callback. The method or request
// that caused the callback also waits.
const callbackTimeout = 10 * time.Second

const noCallbackURL = "there is no URL for the status callback; call SetCallbackURL first"

// postCallback posts a callback to the company's URL, if any, and logs a failure. The caller
// must not hold s.mu: the callback handler may call the server before it responds.
func (s *Server) postCallback(ctx context.Context, c *company, callback Callback) {
	s.mu.Lock()
	callbackURL := c.CallbackURL
	s.mu.Unlock()
	if callbackURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	status, err := s.sendCallback(ctx, c, callbackURL, callback)
	switch {
	case err != nil:
		s.logf("%v", err)
	case status < 200 || status > 299:
		s.logf("the callback failed with HTTP status %d", status)
	}
}

// postStatusCallback posts the callback that WithStatusCallback configured.
func (s *Server) postStatusCallback(ses *session) {
	if s.statusCallback != "" {
		// Do not use the context of the request that decided the session: the callback must be posted
		// even if the caller disconnects.
		s.postCallback(context.Background(), ses.company, PlainCallback(s.statusCallback, identomat.Token(ses.token)))
	}
}
