package identomat

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/identomat-go/identomat/internal/callback"
	"github.com/identomat-go/identomat/internal/sniff"
	"github.com/identomat-go/identomat/internal/wire"
)

// CallbackType is the kind of a callback: [CallbackOneTimePassword], [CallbackEmailOneTimePassword],
// [CallbackSessionLinkSMS], [CallbackSessionLinkEmail] or another type. Identomat's API documentation does
// not name the types of status updates.
type CallbackType string

// The documented types. The payload of the email types is not documented.
const (
	CallbackOneTimePassword      CallbackType = "one-time-password-request"
	CallbackEmailOneTimePassword CallbackType = "email-one-time-password-request"
	CallbackSessionLinkSMS       CallbackType = "share-session-link-via-sms"
	CallbackSessionLinkEmail     CallbackType = "share-session-link-via-email"
)

// Callback is a message that Identomat posts to a company's Callback URL. (Identomat's documentation,
// Callbacks.) Its sender knew the callback API key, which has been removed from the message.
//
// A status callback only says that something may have changed. Its payload is not documented. The
// callback may arrive twice, late or never, and never proves an approval: call [SessionsService.Result].
type Callback struct {
	private

	// Type may be a type that this SDK does not know, or empty.
	Type CallbackType
	// SessionID is the session's token. It may be empty in a callback of an undocumented type; see Raw.
	SessionID Token

	members map[string]json.RawMessage
}

// SMS is a text message that Identomat asks the company to send.
type SMS struct {
	private

	// PhoneNumber is the recipient, such as +995512345678.
	PhoneNumber string
	// Text is the message, including the one-time password or the link.
	Text string
	// SessionLink is the link in the text. It is empty for a one-time password.
	SessionLink string
}

// SMS returns the message that a callback of type [CallbackOneTimePassword] or [CallbackSessionLinkSMS]
// asks you to send, and false for other types. A callback of one of these two types is rejected if it has
// no recipient or no text. If the same body arrives twice, send only one message. Limit the messages per
// phone number: the customer decides how often Identomat asks for a message.
func (c Callback) SMS() (SMS, bool) {
	if !c.isSMS() {
		return SMS{}, false
	}
	m := SMS{PhoneNumber: c.text("phoneNumber"), Text: c.text("text"), SessionLink: c.text("sessionLink")}
	return m, m.PhoneNumber != "" && m.Text != ""
}

func (c Callback) isSMS() bool {
	return c.Type == CallbackOneTimePassword || c.Type == CallbackSessionLinkSMS
}

// text returns the text of a member that is a string or a number. Some encoders write phone numbers and
// one-time passwords as numbers. For a number with an exponent, which may have lost digits, it returns
// "".
func (c Callback) text(name string) string {
	value := c.members[name]
	if strings.Trim(string(value), "-.0123456789") == "" {
		return string(value)
	}
	return wire.Unquote(value)
}

// Raw returns the callback as a JSON object without callbackApiKey, with its members sorted by name. It
// may contain a one-time password, so do not log it.
func (c Callback) Raw() json.RawMessage {
	if c.members == nil {
		return json.RawMessage("{}")
	}
	raw, _ := json.Marshal(c.members) // cannot fail, because the members were decoded from JSON
	return raw
}

// CallbackError reports a request that was rejected: it is not a valid callback from Identomat or webhook
// from iDenfy. The error contains no value from the request.
type CallbackError struct {
	// StatusCode is the status to respond with: 405 for a method other than POST; 415 for a compressed
	// body or a content type other than application/json; 413 for a body that is too large; 400 for a
	// body that is truncated or not a JSON object, or for an SMS without a readable recipient or text;
	// 403 for a missing or wrong callbackApiKey or signature.
	StatusCode int
	// Reason says what is wrong with the request.
	Reason string
}

// Error returns the reason.
func (e *CallbackError) Error() string { return "identomat: callback rejected: " + e.Reason }

// DefaultMaxCallbackSize is 1 MiB. The callbacks in Identomat's API documentation are about 300 bytes.
const DefaultMaxCallbackSize = 1 << 20

// CallbackOption configures [CallbackHandler], [ParseCallback] and package idenfy's handler.
type CallbackOption func(*callback.Settings) error

// WithMaxCallbackSize limits the body's size in bytes. The default is [DefaultMaxCallbackSize].
func WithMaxCallbackSize(bytes int64) CallbackOption {
	return func(s *callback.Settings) error {
		if bytes <= 0 {
			return errors.New("identomat: WithMaxCallbackSize: the size must be positive")
		}
		s.MaxSize = bytes
		return nil
	}
}

// WithCallbackErrors calls observe with every error: a [*CallbackError] for a rejected request, an error
// that the handler returned, or an error that reports the handler's panic with the functions and lines of
// its stack. Without this option, errors go to slog's default logger. The text of an error is withheld if
// it contains a key, or a text or number from the callback that is at least four characters long.
func WithCallbackErrors(observe func(context.Context, error)) CallbackOption {
	return func(s *callback.Settings) error {
		if observe == nil {
			return errors.New("identomat: WithCallbackErrors: the function is nil")
		}
		s.Observe = observe
		return nil
	}
}

func newCallbackSettings(apiKeys []string, opts []CallbackOption) (*callback.Settings, error) {
	return callback.NewSettings("identomat", "callback API key", apiKeys, DefaultMaxCallbackSize, opts...)
}

// CallbackHandler returns a handler for a company's Callback URL. It accepts callbacks with one of
// apiKeys, calls handle, and responds with status 200, or with 500 if handle returns an error or panics.
// It rejects other requests with the status in [CallbackError]. The key (callbackApiKey in the body) is
// in the dashboard under Company settings; pass the old and the new key while you rotate it.
//
// Identomat's API documentation does not say whether a callback is retried after an error. A callback may
// arrive twice or never, so handle must be idempotent, and a periodic job should check the sessions for
// which no callback has arrived.
//
// The key is part of the body, and neither a signature nor a timestamp protects the rest. A status
// callback is therefore not an approval: let handle look up the session, ignore an empty or unknown
// SessionID, only record that the session has news, and call [SessionsService.Result] elsewhere. Set the
// ReadTimeout of [http.Server] to limit how long a request may take to arrive.
//
// CallbackHandler fails if there is no key, a key is unusable, handle is nil or an option is invalid.
func CallbackHandler(apiKeys []string, handle func(context.Context, Callback) error, opts ...CallbackOption) (http.Handler, error) {
	s, err := newCallbackSettings(apiKeys, opts)
	if err != nil {
		return nil, err
	}
	if handle == nil {
		return nil, errors.New("identomat: CallbackHandler: handle is nil")
	}
	return callback.Handler(s, parseCallback, Callback.values, handle), nil
}

// ParseCallback reads a callback from a request, for servers that do not use [CallbackHandler], whose
// comment says how far to trust a callback. A rejected request is a [*CallbackError] with the status to
// respond with. Any other error reports an unusable key or option; respond with 500.
func ParseCallback(r *http.Request, apiKeys []string, opts ...CallbackOption) (Callback, error) {
	s, err := newCallbackSettings(apiKeys, opts)
	if err != nil {
		return Callback{}, err
	}
	c, _, err := parseCallback(s, nil, r)
	return c, err
}

// paramCallbackKey is the member that authenticates the body.
const paramCallbackKey = "callbackApiKey"

// parseCallback returns a callback, or a [*CallbackError] and its status.
func parseCallback(s *callback.Settings, w http.ResponseWriter, r *http.Request) (Callback, int, error) {
	reject := func(status int, reason string) (Callback, int, error) {
		return Callback{}, status, &CallbackError{StatusCode: status, Reason: reason}
	}
	if r.Method != http.MethodPost {
		return reject(http.StatusMethodNotAllowed, "the method is not POST")
	}
	if sniff.MediaType(r.Header.Get("Content-Type")) != "application/json" {
		return reject(http.StatusUnsupportedMediaType, "the body is not application/json")
	}
	body, status, reason := s.ReadBody(w, r)
	if reason != "" {
		return reject(status, reason)
	}
	var c Callback
	body = wire.TrimBOM(body)
	if json.Unmarshal(body, &c.members) != nil || c.members == nil {
		return reject(http.StatusBadRequest, "the body is not a JSON object")
	}
	if wire.Ambiguous(body, paramCallbackKey, "type", "sessionId", "phoneNumber", "text", "sessionLink") {
		return reject(http.StatusBadRequest, "a member has two values")
	}
	if !isOneOf(c.text(paramCallbackKey), s.Keys) {
		return reject(http.StatusForbidden, paramCallbackKey+" is missing or wrong")
	}
	maps.DeleteFunc(c.members, func(name string, _ json.RawMessage) bool {
		return strings.EqualFold(name, paramCallbackKey)
	})
	c.Type = CallbackType(wire.Unquote(c.members["type"]))
	c.SessionID = Token(c.text("sessionId"))
	if _, readable := c.SMS(); c.isSMS() && !readable {
		return reject(http.StatusBadRequest, "the SMS has no readable phoneNumber or text")
	}
	return c, http.StatusOK, nil
}

// isOneOf reports whether key is one of the callback API keys. It compares digests in constant time, so
// its duration reveals nothing about the keys.
func isOneOf(key string, keys []string) bool {
	digest, found := sha256.Sum256([]byte(key)), 0
	for _, accepted := range keys {
		want := sha256.Sum256([]byte(accepted))
		found |= subtle.ConstantTimeCompare(want[:], digest[:])
	}
	return found == 1
}

// values returns the values that no error may contain: those of all members but type.
func (c Callback) values() (values []json.RawMessage) {
	for name, value := range c.members {
		if name != "type" {
			values = append(values, value)
		}
	}
	return values
}
