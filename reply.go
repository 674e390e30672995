package identomat

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/sample"
	"github.com/identomat-go/identomat/internal/signature"
)

// The one classifier for all replies. It fails closed: what is neither of the
// operation's shape nor a known error is ErrUnexpectedResponse, never a zero value.

// judge turns a reply into an error, or decodes it.
func judge(op *operation.Operation, r *engine.Reply, readErr error, into decoder) engine.Verdict {
	var reply envelope
	if op.Shape != operation.Outcome || !engine.IsSuccess(r.StatusCode) || bytes.Contains(r.Body, []byte(`rror"`)) {
		// A result looks for errors itself while it is decoded, which costs less.
		reply = openEnvelope(r.Body)
	}
	if readErr != nil {
		return judgeBroken(op, r, readErr, &reply)
	}
	if refused := refusal(op, r, &reply); refused != nil {
		return engine.Verdict{Err: refused, Refused: isRefusal(refused)}
	}
	if !engine.IsSuccess(r.StatusCode) || !hasShape(op.Shape, r.Body, &reply) {
		return engine.Verdict{Err: unexpected(op, r)}
	}
	if countValues(r.Body) > maxValues {
		return engine.Verdict{Err: replyError(op, r, ErrTooLarge)}
	}
	if into.decode(r.Body) != nil {
		return engine.Verdict{Err: unexpected(op, r)}
	}
	return engine.Verdict{}
}

// judgeBroken judges a reply whose reading ended with an error.
func judgeBroken(op *operation.Operation, r *engine.Reply, readErr error, reply *envelope) engine.Verdict {
	if errors.Is(readErr, engine.ErrTooLarge) {
		return engine.Verdict{Err: replyError(op, r, ErrTooLarge)}
	}
	var bad *signature.Error
	if !errors.As(readErr, &bad) {
		return engine.Verdict{} // the network's error stands
	}
	// The replies to refused calls are documented to be unsigned.
	if refused := refusal(op, r, reply); bad.Missing && refused != nil {
		return engine.Verdict{Err: refused, Refused: isRefusal(refused)}
	}
	e := replyError(op, r, ErrSignatureMismatch)
	e.Sample = ""
	return engine.Verdict{Err: e}
}

// isRefusal reports whether it is certain that a call was not carried out: the service
// named the reason, and it is one that it finds before it does anything.
func isRefusal(e *APIError) bool {
	return codes[foldCode(e.Code)] != nil && e.kind != ErrInternal && e.StatusCode < http.StatusInternalServerError
}

// maxValues bounds what a reply can become in memory: {} takes two bytes on the wire, a few
// hundred as a value of ours. The largest reply in the documents has some 150 values.
const maxValues = 250_000

func countValues(body []byte) int {
	return bytes.Count(body, []byte(",")) + bytes.Count(body, []byte("{")) + bytes.Count(body, []byte("["))
}

func unexpected(op *operation.Operation, r *engine.Reply) *APIError {
	return replyError(op, r, ErrUnexpectedResponse)
}

func replyError(op *operation.Operation, r *engine.Reply, kind error) *APIError {
	if kind == ErrUnexpectedResponse {
		switch {
		case r.StatusCode == http.StatusTooManyRequests:
			kind = ErrRateLimited
		case r.StatusCode == http.StatusNotFound && isMedia(op):
			kind = ErrNotFound // how production says that there is no such image
		}
	}
	return &APIError{
		Operation: op.Name, StatusCode: r.StatusCode, kind: kind,
		ContentType: sample.Label(r.Header.Get("Content-Type")), Sample: sample.Of(r.Body),
	}
}

func isMedia(op *operation.Operation) bool {
	return op.Shape == operation.Binary || op.Shape == operation.DataURI
}

// refusal returns the error that the service reports in the reply, if it does.
func refusal(op *operation.Operation, r *engine.Reply, reply *envelope) *APIError {
	body := trimJSON(r.Body)
	if len(body) == 0 {
		return nil
	}
	var e *APIError
	switch body[0] {
	case '"':
		if len(body) > 2 && isToken(body[1:len(body)-1]) {
			return nil // what begin/ answers with, almost always
		}
		code, ok := plainString(body)
		if !ok || !isErrorCode(code) {
			return nil
		}
		e = &APIError{Code: code}
	case '{':
		if reply.odd {
			return unexpected(op, r)
		}
		argument, internal := present(reply.argumentError), present(reply.internalError)
		if argument == nil && internal == nil && codes[foldCode(textOf(reply.result))] != nil {
			argument = reply.result // {"result":"SESSION_NOT_FOUND"} is no outcome
		}
		if argument == nil && internal == nil {
			return nil
		}
		if !json.Valid(body) {
			return unexpected(op, r)
		}
		e = &APIError{Group: asCode(textOf(reply.errorSourceGroup))}
		if internal != nil {
			e.kind, e.Message = ErrInternal, textOf(internal)
		}
		if e.Code = asCode(textOf(argument)); e.Code == "" && e.Message == "" {
			e.Message = textOf(argument)
		}
	default:
		return nil
	}
	e.Operation, e.StatusCode = op.Name, r.StatusCode
	if e.kind == nil {
		e.kind = codes[foldCode(e.Code)]
	}
	return e
}

// present is the value of a member, or nil for none and for null.
func present(value []byte) []byte {
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	return value
}

// textOf is a JSON string's text, or "".
func textOf(value []byte) string {
	if len(value) == 0 || value[0] != '"' {
		return ""
	}
	text, _ := plainString(value)
	return text
}

// asCode is s if it has the form of an error code, or "": the place of a code is not safe
// from sentences and names.
func asCode(s string) string {
	if !isErrorCode(s) {
		return ""
	}
	return s
}

// plainString decodes a JSON string.
func plainString(body []byte) (string, bool) {
	if n := len(body); n >= 2 && body[0] == '"' && body[n-1] == '"' && isToken(body[1:n-1]) {
		return string(body[1 : n-1]), true // without a decoder
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
	if s == "" || len(s) > 256 || s[0] >= '0' && s[0] <= '9' {
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
func hasShape(shape operation.Shape, body []byte, reply *envelope) bool {
	body = trimJSON(body)
	if len(body) == 0 {
		return false
	}
	object := body[0] == '{'
	// An empty object may come as an empty array.
	empty := body[0] == '[' && len(trimJSON(body[1:])) == 1 || object && len(trimJSON(body[1:])) == 1
	switch shape {
	case operation.Token:
		return body[0] == '"'
	case operation.Done:
		// The manual promises a document about the session, which has an outcome.
		return json.Valid(body) && (string(body) == "true" || empty ||
			bytes.HasPrefix(reply.result, []byte(`"`)) || string(reply.result) == "true")
	case operation.Wrapped:
		return present(reply.result) != nil
	case operation.Binary, operation.DataURI:
		return false // what has the shape is streamed, and never comes here
	case operation.Empty:
		switch string(reply.result) {
		case "true", "null", "{}", "[]":
			return object && json.Valid(body)
		}
		return empty && json.Valid(body)
	default:
		return object && !empty
	}
}

func trimJSON(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }
