// Package response classifies responses from Identomat: each has the shape in the operation table,
// is a known refusal, or is unexpected. It fails closed, never trusts the status alone, and does
// no I/O.
package response

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/wire"
)

// Causes of refusals. The root package exports and documents them.
var (
	ErrUnexpected         = errors.New("identomat: unexpected response")
	ErrTooLarge           = errors.New("identomat: response too large")
	ErrRateLimited        = errors.New("identomat: rate limited")
	ErrInternal           = errors.New("identomat: internal service error")
	ErrSessionNotFound    = errors.New("identomat: session not found")
	ErrSessionInvalid     = errors.New("identomat: session invalid")
	ErrWrongParameters    = errors.New("identomat: wrong parameters")
	ErrInvalidKey         = errors.New("identomat: invalid company key")
	ErrNotFound           = errors.New("identomat: not found")
	ErrFacePhotoNotFound  = fmt.Errorf("%w: no face photo", ErrNotFound)
	ErrAlreadyExists      = errors.New("identomat: already exists")
	ErrInvalidEmailFormat = errors.New("identomat: invalid e-mail format")
	ErrPasswordTooShort   = errors.New("identomat: password too short")
	ErrInvalidRights      = errors.New("identomat: invalid rights")
	ErrUserAlreadyExists  = errors.New("identomat: user already exists")
	ErrImageRefused       = errors.New("identomat: image refused")
)

var codes = map[string]error{
	"sessionnotfound":    ErrSessionNotFound,
	"sessioninvalid":     ErrSessionInvalid,
	"wrongparameters":    ErrWrongParameters,
	"invalidaccess":      ErrInvalidKey,
	"invalidcompanykey":  ErrInvalidKey,
	"companymissing":     ErrInvalidKey,
	"accessdenied":       ErrInvalidKey,
	"companykeyinvalid":  ErrInvalidKey,
	"facephotonotfound":  ErrFacePhotoNotFound,
	"notfound":           ErrNotFound,
	"alreadyexists":      ErrAlreadyExists,
	"invalidemailformat": ErrInvalidEmailFormat,
	"passwordtooshort":   ErrPasswordTooShort,
	"invalidrights":      ErrInvalidRights,
	"useralreadyexists":  ErrUserAlreadyExists,
}

var separators = strings.NewReplacer("-", "", "_", "")

// Cause returns the cause that an error code names, or nil. Case, hyphens and underscores do not
// matter: the service spells each code in two ways.
func Cause(code string) error {
	if len(code) > maxCode {
		return nil
	}
	return codes[fold(code)]
}

// IsSameCode reports whether two codes differ only in case, hyphens and underscores.
func IsSameCode(a, b string) bool { return fold(a) == fold(b) }

func fold(code string) string { return strings.ToLower(separators.Replace(code)) }

// maxCode is the maximum length of an error code, an id or a token.
const maxCode = 256

// A Refusal is an error response, or an unexpected one.
type Refusal struct {
	// Cause is nil if the code is not known.
	Cause error
	// Code is the error code in the service's spelling, or "".
	Code string
	// Group is the errorSourceGroup, or "".
	Group string
	// Message is free text from the service. It can repeat the request.
	Message string
}

// NotProcessed reports whether the service certainly did not carry out the call: it reported an
// error that it checks for before it does anything.
func (r *Refusal) NotProcessed(status int) bool {
	return Cause(r.Code) != nil && r.Cause != ErrInternal && status < http.StatusInternalServerError
}

// maxValues bounds the memory of a decoded response: {} takes two bytes on the wire, but several
// hundred in memory. The largest response in Identomat's API documentation has about 150 values.
const maxValues = 250_000

// Classify returns the payload of a response that has the operation's shape, or a refusal. The
// payload is JSON: the result in {"result": …}, or else the whole body.
func Classify(op *operation.Operation, status int, whole []byte) (payload []byte, refusal *Refusal) {
	whole = wire.TrimBOM(whole)
	body := wire.Trim(whole)
	var members envelope
	size, valid := wire.Scan(body, members.read)
	if !valid || members.ambiguous {
		return nil, unexpected(op, status)
	}
	switch body[0] {
	case '"':
		whole = body
		members.isToken = op.Encoding != operation.Multipart && IsToken(body[1:len(body)-1])
		if !members.isToken {
			refusal = bareString(op, status, wire.Unquote(body))
		}
	case '{':
		refusal = members.refusal()
	}
	switch {
	case refusal != nil && op.Shape == operation.Token:
		return nil, refusal.withoutUnknownCode()
	case refusal != nil:
		return nil, refusal
	case status < 200 || status > 299 || status == http.StatusPartialContent || !hasShape(op, body, &members):
		return nil, unexpected(op, status)
	case size > maxValues:
		return nil, &Refusal{Cause: ErrTooLarge}
	case op.Shape == operation.Result || op.Shape == operation.True:
		return members.result, nil
	}
	return whole, nil
}

// bareString returns the refusal that a JSON string stands for, or nil.
func bareString(op *operation.Operation, status int, text string) *Refusal {
	switch cause := Cause(text); {
	case cause == nil && op.Encoding == operation.Multipart && isImageStatus(status):
		// Image endpoints respond with an object, or with a string that says what is wrong with the
		// image. These codes have no common form.
		r := &Refusal{Cause: ErrImageRefused, Code: text}
		if !isImageCode(text) {
			r.Code, r.Message = "", text
		}
		return r
	case cause != nil, IsCode(text):
		return &Refusal{Cause: cause, Code: text}
	}
	return nil
}

// isImageStatus reports whether a status can mean that an image was refused. Other statuses, such as
// 403, mean that it was not examined.
func isImageStatus(status int) bool {
	return status >= 200 && status < 300 || status == http.StatusBadRequest || status == http.StatusUnprocessableEntity
}

// withoutUnknownCode moves an unknown code to Message: in a response from begin/, it may be a
// session token.
func (r *Refusal) withoutUnknownCode() *Refusal {
	if Cause(r.Code) == nil {
		r.Message = cmp.Or(r.Message, r.Code)
		r.Code, r.Group = "", ""
	}
	return r
}

// unexpected returns the refusal for a body that is not understood.
func unexpected(op *operation.Operation, status int) *Refusal {
	switch {
	case status == http.StatusTooManyRequests:
		return &Refusal{Cause: ErrRateLimited}
	case status == http.StatusNotFound && op.Shape.IsMedia():
		return &Refusal{Cause: ErrNotFound} // how production reports media that a session lacks
	}
	return &Refusal{Cause: ErrUnexpected}
}

// hasShape checks the top level of a successful response. The decoder checks the levels below.
func hasShape(op *operation.Operation, body []byte, members *envelope) bool {
	isObject := body[0] == '{'
	// An empty object may arrive as an empty array.
	isEmpty := (isObject || body[0] == '[') && len(wire.Trim(body[1:])) == 1
	switch op.Shape {
	case operation.Token:
		return members.isToken
	case operation.Any:
		// On the API host, the caller sees only the result and would not see an error next to it.
		return op.Host == operation.Widget || present(members.result) == nil || !members.saysError
	case operation.Outcome:
		// A documented rejection has a member named errors, but an approval must report no error.
		outcome := wire.Content(members.result)
		return len(outcome) > 0 && !((members.saysError || members.saysFailed) && bytes.EqualFold(outcome, []byte("approved")))
	case operation.Done:
		return string(body) == "true" || isEmpty || isObject && !saysNotDone(members)
	}
	if members.saysError || members.saysFailed {
		return false
	}
	switch op.Shape {
	case operation.Object:
		return isObject && !isEmpty
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
	return false // media is streamed
}

// saysNotDone reports whether an object says that nothing was deleted. Any other object counts as
// data about the deleted session: a deletion cannot be undone, so reporting a successful one as an
// error is worse than accepting an unknown object.
func saysNotDone(members *envelope) bool {
	outcome := wire.Unquote(members.result)
	if members.saysFailed || outcome == "" && members.saysError || isFalse(members.result) || isFailure(outcome) {
		return true
	}
	inner := open(members.result)
	return inner.ambiguous || inner.refusal() != nil || inner.saysFailed || inner.saysError && present(inner.result) == nil
}

// IsRefusal reports whether a response that should hold data URIs is an error or ambiguous. The
// body may be malformed JSON.
func IsRefusal(body []byte) bool {
	members := open(body)
	return members.ambiguous || members.refusal() != nil
}

// SaysError reports whether a part of a response with data URIs reports an error or is ambiguous.
func SaysError(object []byte) bool {
	members := open(object)
	return members.saysError || members.ambiguous || members.refusal() != nil
}

// envelope holds the top-level members that decide what a response is.
type envelope struct {
	result, argumentError, internalError, errorSourceGroup []byte
	// ambiguous reports a duplicate or differently cased key. encoding/json keeps the last
	// value, so such a response could mean two things to two parsers.
	ambiguous bool
	// saysError reports a non-empty member whose name says that it is an error, such as error,
	// Error_Code or errors. It contradicts a success.
	saysError bool
	// saysFailed reports a member such as "success": false, or a status member with an error.
	saysFailed bool
	// isToken reports that the response is a string, not an object, and holds a session token.
	isToken bool
}

// open reads the members of an object, which may be malformed.
func open(object []byte) (e envelope) {
	for m := wire.Members(object); m.Next(); {
		if len(m.Name) < 2 || m.Name[0] != '"' {
			return envelope{ambiguous: true}
		}
		e.read(m.Name, m.Value)
	}
	return e
}

// read records a member. The name is in quotes.
func (e *envelope) read(quoted, value []byte) {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(wire.Unquote(quoted))
	}
	for i, known := range envelopeNames {
		if bytes.EqualFold(name, known) {
			field := [...]*[]byte{&e.result, &e.argumentError, &e.internalError, &e.errorSourceGroup}[i]
			e.ambiguous = e.ambiguous || *field != nil || !bytes.Equal(name, known)
			*field = value
		}
	}
	e.add(name, value)
}

// add records whether a member reports a failure. The member's name may have any case, hyphens and
// underscores.
func (e *envelope) add(name, value []byte) {
	var buf [len("argumenterror")]byte
	text := buf[:0]
	for _, c := range name {
		if c != '-' && c != '_' && len(text) < len(buf) {
			text = append(text, c|0x20) // lower case
		}
	}
	switch string(text) {
	case "success", "ok":
		e.saysFailed = e.saysFailed || isFalse(value)
	case "status", "statuscode":
		status := string(bytes.Trim(value, `"`))
		isErrorStatus := len(status) == len("500") && (status[0] == '4' || status[0] == '5')
		e.saysFailed = e.saysFailed || isErrorStatus || isFailure(wire.Unquote(value))
	case "argumenterror", "internalerror", "haserrors", "err", "exception", "fault", "failure":
		e.saysError = e.saysError || !isBlank(value)
	default:
		e.saysError = e.saysError || bytes.HasPrefix(text, []byte("error")) && !isBlank(value)
	}
}

// isFalse reports whether a value is false or 0, possibly in quotes.
func isFalse(value []byte) bool {
	text := string(bytes.Trim(value, `"`))
	return strings.EqualFold(text, "false") || text == "0"
}

// isFailure reports whether a text is about a failure, such as error or DELETE_FAILED.
func isFailure(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "error") || strings.Contains(text, "fail")
}

// isBlank reports whether a value counts as empty.
func isBlank(value []byte) bool {
	switch string(value) {
	case "null", "false", "0", `""`:
		return true
	}
	return len(value) < 2 || strings.IndexByte("{[", value[0]) >= 0 && len(wire.Trim(value[1:])) == 1
}

var envelopeNames = [...][]byte{[]byte("result"), []byte("argumentError"), []byte("internalError"), []byte("errorSourceGroup")}

// refusal returns the error that the service reports in the envelope, or nil.
func (e *envelope) refusal() *Refusal {
	argument, internal := present(e.argumentError), present(e.internalError)
	if argument == nil && internal == nil {
		// The service also reports an error code in result, as in {"result":"SESSION_NOT_FOUND"}.
		if Cause(short(e.result)) == nil {
			return nil
		}
		argument = e.result
	}
	r := &Refusal{Code: asCode(wire.Unquote(argument)), Group: asCode(wire.Unquote(e.errorSourceGroup))}
	if r.Cause = Cause(r.Code); internal != nil {
		r.Cause, r.Message = ErrInternal, wire.Unquote(internal)
	}
	if r.Code == "" && r.Message == "" {
		r.Message = wire.Unquote(argument)
	}
	return r
}

// short returns the text of a JSON string, or "" if the string is too long to be a code.
func short(value []byte) string {
	if len(value) > len(`\u0000`)*maxCode {
		return ""
	}
	return wire.Unquote(value)
}

// present returns the value of a member, or nil if it is absent or null.
func present(value []byte) []byte {
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	return value
}

// asCode returns s if it looks like an error code, or else "": the service may send a sentence or a
// name instead of a code.
func asCode(s string) string {
	if !IsCode(s) {
		return ""
	}
	return s
}

// IsToken reports whether s looks like a session token. All tokens seen have 40 characters of
// [0-9a-z]. One in 460,000 random tokens has no digit, so 40 lowercase letters are a token, too.
// Identomat's API documentation also shows the token abc123xyz. So any other token must consist of
// letters, digits and hyphens, and at least one part between hyphens must have both letters and
// digits, which rules out error-500. If it is shorter than 32 characters, no part may be a word of
// four or more letters, and it may contain no error word.
func IsToken(s []byte) bool {
	if len(s) < 8 || len(s) > maxCode {
		return false
	}
	isMixed, isLower := false, len(s) == 40 && bytes.IndexByte(s, '-') < 0
	for part := range bytes.SplitSeq(s, []byte("-")) {
		letter, digit := false, false
		for _, c := range part {
			isDigit := c >= '0' && c <= '9'
			if !isDigit && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
			letter, digit = letter || !isDigit, digit || isDigit
			isLower = isLower && c >= 'a'
		}
		isMixed = isMixed || letter && digit
		if letter && !digit && len(part) >= 4 && len(s) < 32 {
			return false // a word, as in config-v2-missing
		}
	}
	return isLower || isMixed && (len(s) >= 32 || !hasErrorWord(string(s)))
}

// hasErrorWord reports whether s contains a word from an error page. It ignores words of fewer than
// five letters, because random tokens can contain them.
func hasErrorWord(s string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc(pageWords, func(word string) bool { return len(word) >= 5 && strings.Contains(s, word) })
}

// IsCode reports whether a bare string is an error code: a known one in any spelling, a name in
// capitals, or digit-free words joined by - or _.
func IsCode(s string) bool {
	return Cause(s) != nil || isName(s) && !IsToken([]byte(s)) &&
		(s == strings.ToUpper(s) || strings.ContainsAny(s, "-_") && !strings.ContainsAny(s, "0123456789"))
}

// isImageCode reports whether a bare string from an image endpoint can be shown, such as
// documentNotReadable, blurry or 1001. It is one word, with too few digits to identify a person.
func isImageCode(s string) bool {
	digits := 0
	for _, c := range s {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return s != "" && len(s) <= maxCode && strings.Trim(s, wordBytes+"-") == "" && digits <= 5
}

// IsID reports whether s looks like the id of a record: one word that is not an error code.
func IsID(s string) bool {
	return s != "" && len(s) <= maxCode && strings.Trim(s, wordBytes+"-.") == "" &&
		Cause(s) == nil && !(isName(s) && s == strings.ToUpper(s))
}

// isName reports whether s looks like an identifier in a program, which is safe to show.
func isName(s string) bool {
	return s != "" && len(s) <= maxCode && (s[0] < '0' || s[0] > '9') && strings.Trim(s, wordBytes+"-") == ""
}
