package identomat

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
)

// The one classifier for all replies. It fails closed: what is neither of the
// operation's shape nor a known error is ErrUnexpectedReply, never a zero value.

// judge turns a reply into an error, or decodes it.
func judge(op *operation.Operation, r *engine.Reply, readErr error, into decoder) engine.Verdict {
	var bad *signatureError
	switch {
	case errors.Is(readErr, engine.ErrTooLarge):
		return engine.Verdict{Err: replyError(op, r, ErrTooLarge)}
	case errors.As(readErr, &bad):
		// The replies to refused calls are documented to be unsigned.
		if refused := refusal(op, r); bad.missing && refused != nil {
			return engine.Verdict{Err: refused, Refused: true}
		}
		e := replyError(op, r, ErrSignatureMismatch)
		e.Sample = ""
		return engine.Verdict{Err: e}
	case readErr != nil:
		return engine.Verdict{}
	}
	if refused := refusal(op, r); refused != nil {
		return engine.Verdict{Err: refused, Refused: true}
	}
	if !isSuccess(r.StatusCode) || !hasShape(op.Shape, r.Body) || into.decode(r.Body) != nil {
		return engine.Verdict{Err: unexpected(op, r)}
	}
	return engine.Verdict{}
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

func unexpected(op *operation.Operation, r *engine.Reply) *APIError {
	return replyError(op, r, ErrUnexpectedReply)
}

func replyError(op *operation.Operation, r *engine.Reply, kind error) *APIError {
	if r.StatusCode == http.StatusTooManyRequests && kind == ErrUnexpectedReply {
		kind = ErrRateLimited
	}
	return &APIError{
		Op: op.Name, StatusCode: r.StatusCode, kind: kind,
		ContentType: mediaType(r.Header.Get("Content-Type")), Sample: sample(r.Body),
	}
}

// refusal returns the error that the service reports in the reply, if it does.
func refusal(op *operation.Operation, r *engine.Reply) *APIError {
	body := trimJSON(r.Body)
	if len(body) == 0 {
		return nil
	}
	var e *APIError
	switch body[0] {
	case '"':
		code, ok := plainString(body)
		if !ok || !isErrorCode(code) {
			return nil
		}
		e = &APIError{Code: code}
	case '{':
		// Almost every reply is a success, and this is the whole cost of checking it.
		if !bytes.Contains(body, []byte("rror")) {
			return nil
		}
		var reply struct{ ArgumentError, InternalError, ErrorSourceGroup any }
		if json.Unmarshal(body, &reply) != nil || reply.ArgumentError == nil && reply.InternalError == nil {
			return nil
		}
		e = new(APIError)
		if reply.InternalError != nil {
			e.kind = ErrInternal
			e.Message, _ = reply.InternalError.(string)
		}
		if code, _ := reply.ArgumentError.(string); isName(code) {
			e.Code = code
		} else if e.Message == "" {
			e.Message = code
		}
		if group, _ := reply.ErrorSourceGroup.(string); isName(group) {
			e.Group = group
		}
	default:
		return nil
	}
	e.Op, e.StatusCode = op.Name, r.StatusCode
	if kind := codes[foldCode(e.Code)]; kind != nil {
		e.kind = kind
	}
	return e
}

// plainString decodes a JSON string.
func plainString(body []byte) (string, bool) {
	if n := len(body); n >= 2 && body[0] == '"' && body[n-1] == '"' && isToken(string(body[1:n-1])) {
		return string(body[1 : n-1]), true // almost always, and without a decoder
	}
	var s string
	err := json.Unmarshal(body, &s)
	return s, err == nil
}

// isErrorCode tells a bare string that is an error code from one that is a token: a
// known code in any spelling, or words of one case joined by - or _ without a digit.
// Tokens seen are 40 characters of [0-9a-z].
func isErrorCode(s string) bool {
	if codes[foldCode(s)] != nil {
		return true
	}
	if !isName(s) {
		return false
	}
	if s == strings.ToUpper(s) {
		return true
	}
	return strings.ContainsAny(s, "-_") && !strings.ContainsAny(s, "0123456789")
}

// isName reports whether s has the form of an error code, so that it can be shown.
func isName(s string) bool {
	if s == "" || len(s) > 64 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for _, c := range []byte(s) {
		if !isWordByte(c) && c != '-' {
			return false
		}
	}
	return true
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// hasShape looks at the outermost level only; what is inside is the decoder's to judge.
func hasShape(shape operation.Shape, body []byte) bool {
	body = trimJSON(body)
	if len(body) == 0 {
		return false
	}
	object := body[0] == '{'
	// PHP writes an empty object as an empty array.
	empty := body[0] == '[' && len(trimJSON(body[1:])) == 1 || object && len(trimJSON(body[1:])) == 1
	switch shape {
	case operation.Token:
		return body[0] == '"'
	case operation.Done:
		return (object || empty || string(body) == "true") && json.Valid(body)
	case operation.Empty:
		return (object || empty) && json.Valid(body)
	default:
		return object && !empty
	}
}

func trimJSON(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if len(t) > 64 || strings.IndexFunc(t, func(c rune) bool {
		return c > 127 || !isWordByte(byte(c)) && !strings.ContainsRune("/+.-", c)
	}) >= 0 {
		return "malformed content type"
	}
	return t
}
