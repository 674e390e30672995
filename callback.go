package identomat

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime"
	"strings"

	"github.com/identomat-go/identomat/internal/redact"
)

// CallbackType says what a callback is about. The list is open: no document names the types
// of status updates.
type CallbackType string

// The types that the documents name. What those about email carry is not published.
const (
	CallbackOneTimePassword      CallbackType = "one-time-password-request"
	CallbackEmailOneTimePassword CallbackType = "email-one-time-password-request"
	CallbackSessionLinkSMS       CallbackType = "share-session-link-via-sms"
	CallbackSessionLinkEmail     CallbackType = "share-session-link-via-email"
)

// Callback is what Identomat posts to the Callback URL of a company. (Callbacks.) It was
// sent by somebody who knows the callback API key; its key is not part of it.
//
// A status callback is a wake-up and nothing more. Its payload is not published, callbacks
// may come twice, late or never, and none says that somebody is approved: ask
// [SessionsService.Result].
type Callback struct {
	private

	// Type may be one that this SDK does not know, or empty.
	Type CallbackType
	// SessionID is the token of the session. It may be empty in types that are not
	// documented, so look there in Raw.
	SessionID Token

	members map[string]json.RawMessage
}

// SMS is a text message that Identomat asks the company to send.
type SMS struct {
	private

	// PhoneNumber is the recipient, such as +995512345678.
	PhoneNumber string
	// Text is the message, with the one-time password or the link in it.
	Text string
	// SessionLink is the link in the text; empty for a one-time password.
	SessionLink string
}

// SMS returns the message that a callback of the type [CallbackOneTimePassword] or
// [CallbackSessionLinkSMS] asks for. It is false for other types, and for a message without
// a recipient or a text. Send it once per callback body, with a limit per number: the
// customer decides how often it is asked for.
func (c Callback) SMS() (SMS, bool) {
	if c.Type != CallbackOneTimePassword && c.Type != CallbackSessionLinkSMS {
		return SMS{}, false
	}
	m := SMS{PhoneNumber: c.text("phoneNumber"), Text: c.text("text"), SessionLink: c.text("sessionLink")}
	return m, m.PhoneNumber != "" && m.Text != ""
}

// text is a member of the body that is a string, or "".
func (c Callback) text(name string) string {
	var s string
	if json.Unmarshal(c.members[name], &s) != nil {
		return ""
	}
	return s
}

// Raw is the callback as a JSON object, with the members in the order of their names and
// without callbackApiKey. It may hold a one-time password: do not log it.
func (c Callback) Raw() json.RawMessage {
	if c.members == nil {
		return json.RawMessage("{}")
	}
	return marshal(c.members)
}

// CallbackError is a request that is not a callback of Identomat's. No value of the request
// is part of it.
type CallbackError struct {
	// StatusCode is what to answer: 405 for another method than POST, 415 for another type
	// than application/json or a compressed body, 413 for a body that is too large, 400 for
	// one that is not a JSON object or was cut off, 403 without the right callbackApiKey.
	StatusCode int
	reason     string
}

// Error says what is wrong with the request.
func (e *CallbackError) Error() string { return "identomat: callback refused: " + e.reason }

// DefaultMaxCallbackSize is 1 MiB, far above the callbacks in the documents, which have 300 bytes.
// The service documents no limit.
const DefaultMaxCallbackSize = 1 << 20

// A CallbackOption configures [CallbackHandler] and [ParseCallback].
type CallbackOption func(*callbackSettings) error

type callbackSettings struct {
	keys    [][sha256.Size]byte
	secrets []string
	maxSize int64
	observe func(context.Context, error)
}

// WithMaxCallbackSize bounds the body, in bytes. The default is [DefaultMaxCallbackSize].
func WithMaxCallbackSize(bytes int64) CallbackOption {
	return func(s *callbackSettings) error {
		if bytes <= 0 {
			return errors.New("identomat: WithMaxCallbackSize: the size must be positive")
		}
		s.maxSize = bytes
		return nil
	}
}

// WithCallbackErrors hands what went wrong to observe: a [*CallbackError] for what was
// refused, what the handler returned, or that it panicked, with the functions and lines that
// led there. Without this option, the default logger of slog gets it. An error whose text
// repeats a key, or a text or a number of the callback of four characters or more, loses its
// text.
func WithCallbackErrors(observe func(context.Context, error)) CallbackOption {
	return func(s *callbackSettings) error {
		if observe == nil {
			return errors.New("identomat: WithCallbackErrors: the function is nil")
		}
		s.observe = observe
		return nil
	}
}

func newCallbackSettings(apiKeys []string, opts []CallbackOption) (*callbackSettings, error) {
	s := &callbackSettings{
		maxSize: DefaultMaxCallbackSize,
		observe: func(ctx context.Context, err error) {
			slog.WarnContext(ctx, "identomat callback failed", "error", err)
		},
	}
	if len(apiKeys) == 0 {
		return nil, errors.New("identomat: callback: no callback API key is given, and without one anybody can send callbacks")
	}
	for _, key := range apiKeys {
		if err := checkKey("callback API key", key); err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sha256.Sum256([]byte(key)))
		s.secrets = append(s.secrets, key)
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("identomat: callback: an option is nil")
		}
		if err := opt(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// CallbackHandler serves the Callback URL of a company: it accepts what bears one of
// apiKeys (the key of Company settings; two of them while you change it), calls handle, and
// answers 200, or 500 when handle returned an error or panicked, so that the service may
// send the callback again. Whether it does is not published: a callback can come twice or
// never, so handle must be idempotent, and a job should look after sessions that nobody
// called about. What is refused is answered with the status of [CallbackError].
//
// The key stands in the body; no signature and no time protect the rest. Let handle write
// down that there is news of a session, and ask [SessionsService.Result] for it elsewhere:
// a status callback is a wake-up, not an approval. Bound the time in which a request must
// arrive with the ReadTimeout of [http.Server].
//
// Errors: no key, an empty one, a handle of nil, or a wrong option.
func CallbackHandler(apiKeys []string, handle func(context.Context, Callback) error, opts ...CallbackOption) (http.Handler, error) {
	s, err := newCallbackSettings(apiKeys, opts)
	if err != nil {
		return nil, err
	}
	if handle == nil {
		return nil, errors.New("identomat: CallbackHandler: handle is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callback, err := s.parse(w, r)
		if err != nil {
			s.observe(r.Context(), err)
			if err.StatusCode == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodPost)
			}
			http.Error(w, http.StatusText(err.StatusCode), err.StatusCode)
			return
		}
		if err := s.contained(r.Context(), callback, handle); err != nil {
			s.observe(r.Context(), err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusOK)
	}), nil
}

// ParseCallback reads a callback from a request, for servers that do not use
// [CallbackHandler]; read there what a callback is worth. The error is a [*CallbackError]
// with the status to answer, or says that no usable key was given; then answer 500.
func ParseCallback(r *http.Request, apiKeys []string, opts ...CallbackOption) (Callback, error) {
	s, err := newCallbackSettings(apiKeys, opts)
	if err != nil {
		return Callback{}, err
	}
	callback, refused := s.parse(nil, r)
	if refused != nil {
		return Callback{}, refused
	}
	return callback, nil
}

// paramCallbackKey is the member of the body that proves where it comes from.
const paramCallbackKey = "callbackApiKey"

func (s *callbackSettings) parse(w http.ResponseWriter, r *http.Request) (Callback, *CallbackError) {
	refuse := func(status int, reason string) (Callback, *CallbackError) {
		return Callback{}, &CallbackError{StatusCode: status, reason: reason}
	}
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "the method is not POST")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return refuse(http.StatusUnsupportedMediaType, "the body is not plain application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxSize))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "the body is too large")
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body did not arrive")
	}
	callback := Callback{}
	if json.Unmarshal(body, &callback.members) != nil || callback.members == nil {
		return refuse(http.StatusBadRequest, "the body is not a JSON object")
	}
	if !s.knows(callback.text(paramCallbackKey)) {
		return refuse(http.StatusForbidden, paramCallbackKey+" is missing or wrong")
	}
	for name := range callback.members {
		if strings.EqualFold(name, paramCallbackKey) {
			delete(callback.members, name)
		}
	}
	callback.Type = CallbackType(callback.text("type"))
	callback.SessionID = Token(callback.text("sessionId"))
	return callback, nil
}

// knows compares digests, and every one of them, so that the time tells nothing about a key.
func (s *callbackSettings) knows(key string) bool {
	digest, known := sha256.Sum256([]byte(key)), 0
	for _, k := range s.keys {
		known |= subtle.ConstantTimeCompare(k[:], digest[:])
	}
	return known == 1
}

// texts are the values that no error may repeat, at any depth: what the undocumented types
// carry can be nested, and a code can be a number, or stand in a sentence. What is shorter is
// in every sentence.
func (c Callback) texts() (texts []string) {
	var collect func(any)
	collect = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for _, member := range v {
				collect(member)
			}
		case []any:
			for _, element := range v {
				collect(element)
			}
		case string, json.Number:
			text := fmt.Sprint(v)
			digits := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
			for _, part := range append(digits, text) {
				if len(part) >= 4 {
					texts = append(texts, part)
				}
			}
		}
	}
	for name, member := range c.members {
		if name == "type" {
			continue
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(member))
		d.UseNumber()
		_ = d.Decode(&value) // it was read before, as a part of the body
		collect(value)
	}
	return texts
}

// contained calls handle and makes an error of a panic, without anything that the callback
// carried. The value of a panic can be anything, the callback included, so only the errors
// of the runtime are told.
func (s *callbackSettings) contained(ctx context.Context, callback Callback, handle func(context.Context, Callback) error) (err error) {
	withheld := func(err error) error {
		return redact.Error(err, append(callback.texts(), s.secrets...)...)
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
			if err != nil {
				err = withheld(err)
			}
		case runtime.Error:
			err = fmt.Errorf("identomat: the callback's handler panicked: %w%s", withheld(p), trace())
		default:
			err = fmt.Errorf("identomat: the callback's handler panicked with a %T%s", p, trace())
		}
	}()
	return handle(ctx, callback)
}

// trace tells where a panic came from in names and lines alone: the arguments that
// debug.Stack prints can be a code, and its addresses can look like one.
func trace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "\n%s\n\t%s:%d", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}
