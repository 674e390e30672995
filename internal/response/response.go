// Package response classifies the responses of Identomat: each is what the operation table
// says, a known refusal, or unexpected. It fails closed, never trusts the status alone, and
// depends on nothing but its arguments.
package response

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/wire"
)

// Kind is the meaning of a refusal. The root package has an error variable for each.
type Kind uint8

// The kinds. Other is a refusal whose code is not known.
const (
	Other Kind = iota
	Unexpected
	TooLarge
	SignatureMismatch
	RateLimited
	Internal
	SessionNotFound
	SessionInvalid
	WrongParameters
	InvalidKey
	FacePhotoNotFound
	NotFound
	AlreadyExists
	InvalidEmailFormat
	PasswordTooShort
	InvalidRights
	UserAlreadyExists
)

var codes = map[string]Kind{
	"sessionnotfound":    SessionNotFound,
	"sessioninvalid":     SessionInvalid,
	"wrongparameters":    WrongParameters,
	"invalidaccess":      InvalidKey,
	"invalidcompanykey":  InvalidKey,
	"companymissing":     InvalidKey,
	"accessdenied":       InvalidKey,
	"companykeyinvalid":  InvalidKey,
	"facephotonotfound":  FacePhotoNotFound,
	"notfound":           NotFound,
	"alreadyexists":      AlreadyExists,
	"invalidemailformat": InvalidEmailFormat,
	"passwordtooshort":   PasswordTooShort,
	"invalidrights":      InvalidRights,
	"useralreadyexists":  UserAlreadyExists,
}

var separators = strings.NewReplacer("-", "", "_", "")

// KindOf returns the meaning of an error code, or Other. Case, hyphens and underscores do not
// matter: the service spells each code in two ways.
func KindOf(code string) Kind {
	if len(code) > maxCode {
		return Other
	}
	return codes[strings.ToLower(separators.Replace(code))]
}

// maxCode is the length of the longest error code, id or token, and of what may be shown.
const maxCode = 256

// A Refusal is a response other than the one that was asked for.
type Refusal struct {
	Kind Kind
	// Code is the error code in the service's spelling, or "".
	Code string
	// Group is the errorSourceGroup, or "".
	Group string
	// Message is free text of the service. It can repeat the request.
	Message string
}

// NotProcessed reports whether the service certainly did not carry out the call: true if it
// named a reason that it checks before it does anything.
func (r *Refusal) NotProcessed(status int) bool {
	return KindOf(r.Code) != Other && r.Kind != Internal && status < http.StatusInternalServerError
}

// maxValues bounds the memory of a decoded response: {} is two bytes on the wire and some
// hundred in memory. The largest response in Identomat's API documentation has about 150
// values.
const maxValues = 250_000

// Classify returns the payload of a response of the operation's shape, or the refusal. The
// payload is JSON: the result in {"result": …}, or else the whole body.
func Classify(op *operation.Operation, status int, whole []byte) (payload []byte, refusal *Refusal) {
	body := wire.Trim(whole)
	unexpected := func() *Refusal { return &Refusal{Kind: unexpectedKind(op, status)} }
	if len(body) == 0 || !json.Valid(body) {
		return nil, unexpected()
	}
	var members envelope
	switch body[0] {
	case '"':
		isToken := IsToken(body[1 : len(body)-1])
		if !isToken {
			if code := wire.Unquote(body); IsCode(code) {
				return nil, &Refusal{Kind: KindOf(code), Code: code}
			}
		}
		if isSuccess(status) && (isToken && op.Shape == operation.Token || op.Shape == operation.Any) {
			return body, nil
		}
		return nil, unexpected()
	case '{':
		if members = open(body); members.ambiguous {
			return nil, unexpected()
		}
		if refusal = members.refusal(); refusal != nil {
			return nil, refusal
		}
	}
	if !isSuccess(status) {
		return nil, unexpected()
	}
	switch {
	case !hasShape(op.Shape, body, &members):
		return nil, unexpected()
	case bytes.Count(body, []byte(","))+bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) > maxValues:
		return nil, &Refusal{Kind: TooLarge}
	case op.Shape == operation.Result || op.Shape == operation.True:
		return members.result, nil
	}
	return whole, nil
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

func unexpectedKind(op *operation.Operation, status int) Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status == http.StatusNotFound && op.Shape.IsMedia():
		return NotFound // production answers so for media that the session lacks
	}
	return Unexpected
}

// hasShape looks at the outermost level of a successful response. Below that level, the decoder
// refuses what does not fit.
func hasShape(shape operation.Shape, body []byte, members *envelope) bool {
	isObject := body[0] == '{'
	// An empty object may arrive as an empty array.
	isEmpty := (isObject || body[0] == '[') && len(wire.Trim(body[1:])) == 1
	switch shape {
	case operation.Any:
		return true
	case operation.Outcome:
		return len(members.result) > len(`""`) && members.result[0] == '"'
	case operation.Object:
		return isObject && !isEmpty
	case operation.Done:
		// The system manual promises a document about the session, which has an outcome.
		return string(body) == "true" || isEmpty || bytes.HasPrefix(members.result, []byte(`"`)) || string(members.result) == "true"
	case operation.Result:
		return present(members.result) != nil
	case operation.True:
		return string(members.result) == "true"
	case operation.Empty:
		switch string(members.result) {
		case "true", "null", "{}", "[]":
			return true
		}
		return isEmpty
	}
	return false // a token was classified before, and media is streamed
}

// IsRefusal reports whether the body of a response that should hold data URIs is an error
// instead, or ambiguous.
func IsRefusal(body []byte) bool {
	members := open(body)
	return members.ambiguous || members.refusal() != nil
}

// envelope holds the members at the top level that decide what a response is.
type envelope struct {
	result, argumentError, internalError, errorSourceGroup []byte
	// ambiguous reports a duplicate or differently cased key. encoding/json keeps the last
	// value, so such a response could mean two things to two parsers.
	ambiguous bool
}

// open reads the members of an object. If the object is the body of media, it may be malformed.
func open(object []byte) (e envelope) {
	for m := wire.Members(object); m.Next(); {
		if len(m.Name) < 2 || m.Name[0] != '"' {
			return envelope{ambiguous: true}
		}
		name := m.Name[1 : len(m.Name)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(wire.Unquote(m.Name))
		}
		e.add(name, m.Value)
	}
	return e
}

func (e *envelope) add(name, value []byte) {
	for i, known := range envelopeNames {
		if !bytes.EqualFold(name, known) {
			continue
		}
		member := [...]*[]byte{&e.result, &e.argumentError, &e.internalError, &e.errorSourceGroup}[i]
		if *member != nil || !bytes.Equal(name, known) {
			e.ambiguous = true
			return
		}
		*member = value
	}
}

var envelopeNames = [...][]byte{[]byte("result"), []byte("argumentError"), []byte("internalError"), []byte("errorSourceGroup")}

// refusal returns the error that the service reports in the envelope, or nil.
func (e *envelope) refusal() *Refusal {
	argument, internal := present(e.argumentError), present(e.internalError)
	if argument == nil && internal == nil {
		// {"result":"SESSION_NOT_FOUND"} is not an outcome.
		if KindOf(wire.Unquote(e.result)) == Other {
			return nil
		}
		argument = e.result
	}
	r := &Refusal{Code: asCode(wire.Unquote(argument)), Group: asCode(wire.Unquote(e.errorSourceGroup))}
	if r.Kind = KindOf(r.Code); internal != nil {
		r.Kind, r.Message = Internal, wire.Unquote(internal)
	}
	if r.Code == "" && r.Message == "" {
		r.Message = wire.Unquote(argument)
	}
	return r
}

// present returns the value of a member, or nil if it is absent or null.
func present(value []byte) []byte {
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	return value
}

// asCode returns s if it has the form of an error code, or "": a sentence or a name may stand
// where a code is expected.
func asCode(s string) string {
	if !IsCode(s) {
		return ""
	}
	return s
}

// IsToken reports whether s looks like a session token. All tokens seen have 40 characters of
// [0-9a-z]; this allows more, but no word and no error code. These are short or joined by
// hyphens, and have few digits.
func IsToken[T ~string | ~[]byte](s T) bool {
	digits, lower, alphanumeric := 0, false, true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' || c == '_' || c == '.' || c == '~':
			alphanumeric = false
		case c >= 'a' && c <= 'z':
			lower = true
		case !isWordByte(c):
			return false
		}
	}
	if len(s) < 16 || len(s) > maxCode || !lower {
		return false
	}
	return digits >= 3 || alphanumeric && len(s) >= 32
}

// IsCode reports whether a bare string is an error code: a known one in any spelling, or
// words of one case joined by - or _ without a digit.
func IsCode(s string) bool {
	if KindOf(s) != Other {
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

// IsID reports whether s looks like the id of a record: one word that is not an error code.
func IsID(s string) bool {
	if s == "" || len(s) > maxCode || KindOf(s) != Other || isName(s) && s == strings.ToUpper(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c > 127 || !isWordByte(byte(c)) && c != '-' && c != '.' })
}

// isName reports whether s has the form of a name in a program, which is safe to show.
func isName(s string) bool {
	if s == "" || len(s) > maxCode || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for _, c := range []byte(s) {
		if !isWordByte(c) && c != '-' {
			return false
		}
	}
	return true
}
