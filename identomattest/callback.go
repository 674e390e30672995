package identomattest

import (
	"context"
	"fmt"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/fake"
)

// Callback is the body of a callback.
type Callback struct {
	raw    string
	fields object
}

// OneTimePassword is the callback that asks the company to send a code to a phone.
func OneTimePassword(token identomat.Token, phoneNumber, code string) Callback {
	return Callback{fields: object{
		{"type", "one-time-password-request"},
		{"sessionId", string(token)},
		{"text", "Your code is " + code},
		{"phoneNumber", phoneNumber},
	}}
}

// SessionLinkSMS is the callback that asks the company to send a link to a phone.
func SessionLinkSMS(token identomat.Token, phoneNumber, link string) Callback {
	return Callback{fields: object{
		{"type", "share-session-link-via-sms"},
		{"sessionId", string(token)},
		{"text", "Hello, please complete your verification using the link below."},
		{"phoneNumber", phoneNumber},
		{"sessionLink", link},
	}}
}

// PlainCallback has the common fields alone. No document shows what the other types
// carry beside them, the status updates and those about email among them.
func PlainCallback(callbackType string, token identomat.Token) Callback {
	return Callback{fields: object{{"type", callbackType}, {"sessionId", string(token)}}}
}

// RawCallback is a body of any kind. Nothing is added to it, the key neither.
func RawCallback(body string) Callback { return Callback{raw: body} }

// WithKey replaces the key of the company by another, as somebody would send who does
// not know it.
func (c Callback) WithKey(key string) Callback {
	c.fields = append(object{{"callbackApiKey", key}}, c.fields...)
	return c
}

func (c Callback) body(key string) []byte {
	if c.fields == nil {
		return []byte(c.raw)
	}
	if _, own := c.fields.get("callbackApiKey"); own {
		return encodeJSON(c.fields)
	}
	return encodeJSON(append(object{{"callbackApiKey", key}}, c.fields...))
}

// SendCallback posts a callback to the address of the company and returns the status of
// its answer. It follows no redirect.
func (s *Server) SendCallback(ctx context.Context, url string, callback Callback) (status int, err error) {
	status, err = fake.Post(ctx, url, nil, callback.body(s.callbackKey))
	if err != nil {
		return status, fmt.Errorf("identomattest: callback: %w", err)
	}
	return status, nil
}

// callbackPatience is how long a company may take to answer a callback that the server
// sends by itself. Whoever waits for it does not wait for ever.
const callbackPatience = 10 * time.Second

// tell posts a callback to the address of WithCallbackURL, if there is one. The lock must
// not be held: the company may ask for the session before it answers.
func (s *Server) tell(ctx context.Context, callback Callback) {
	if s.callbackURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callbackPatience)
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	status, err := s.SendCallback(ctx, s.callbackURL, callback)
	switch {
	case err != nil:
		s.logf("%v", err)
	case status < 200 || status > 299:
		s.logf("the company answered a callback with HTTP %d", status)
	}
}

// tellSettled sends the callback of WithStatusCallback.
func (s *Server) tellSettled(token string) {
	if s.statusCallback != "" {
		// Whoever decided may go away; the company is to hear of it nevertheless.
		s.tell(context.Background(), PlainCallback(s.statusCallback, identomat.Token(token)))
	}
}
