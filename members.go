package identomat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// members is a JSON object whose members keep their order. It never changes: with
// returns an object that shares everything older with its receiver, so that a base
// can be extended from many goroutines at once. The zero value is the empty object.
//
// It is linked, and members known together share one allocation, because building a session
// is most of what beginning it costs beside net/http.
//
// last is the newest member's pointer to itself. A pointer to the member would do, but
// fmt prints what that points to when the object is in an unexported field and the verb
// does not suit it; of a pointer to a pointer it prints the address.
type members struct{ last **member }

// member is one name and value of an object.
type member struct {
	self  *member
	older members
	name  string
	value jsonValue
}

// and returns m with one member more.
func (m members) and(name string, value jsonValue) members {
	at := &member{older: m, name: name, value: value}
	at.self = at
	return members{&at.self}
}

// newest is the member that was added last, nil when there is none.
func (m members) newest() *member {
	if m.last == nil {
		return nil
	}
	return *m.last
}

// chain makes an object of a list that nobody else holds, in one allocation for all.
// The names differ.
func chain(list ...member) members { return members{}.andAll(list) }

// andAll is chain for members that m does not have.
func (m members) andAll(list []member) members {
	for i := range list {
		at := &list[i]
		at.self, at.older = at, m
		m.last = &at.self
	}
	return m
}

// jsonValue is the value of a member, or an item of an array. It is the JSON text
// itself, or a part that is still to be written: unquoted for a string whose text has no
// quotes yet, members, values, or the error that explains why the value has no JSON
// form. That error is kept and not returned at once, so that builders chain and
// validation reports it with its path. The zero jsonValue stands for no value.
//
// Text is made when a value is set. So nothing that a caller can still write to is ever
// held, what was built and what was decoded are checked by the same code, and encoding
// is copying.
type jsonValue struct {
	text string
	part any
}

type unquoted struct{}

// values is a JSON array. It is never written to once it is held by a member.
type values []jsonValue

// errNil is why a nil step or question has no JSON form.
var errNil = errors.New("nil")

// with is set for any value of a caller's.
func (m members) with(name string, value any) members { return m.set(name, freeze(value)) }

// set returns m with the named member set. A name that m already has keeps its place.
func (m members) set(name string, value jsonValue) members {
	if m.find(name) != nil {
		return m.newest().replace(name, value)
	}
	return m.and(name, value)
}

// replace copies the members from m back to the named one, which gets the value.
func (m *member) replace(name string, value jsonValue) members {
	if m.name == name {
		return m.older.and(name, value)
	}
	return m.older.newest().replace(name, value).and(m.name, m.value)
}

func (m members) find(name string) *member {
	at := m.newest()
	for at != nil && at.name != name {
		at = at.older.newest()
	}
	return at
}

// get is the value of the named member, zero when there is none.
func (m members) get(name string) jsonValue {
	if at := m.find(name); at != nil {
		return at.value
	}
	return jsonValue{}
}

// str is the named member when it is a string, else empty.
func (m members) str(name string) string {
	s, _ := m.get(name).str()
	return s
}

// json is the named member as it is sent.
func (m members) json(name string) (json.RawMessage, bool) {
	at := m.find(name)
	if at == nil {
		return nil, false
	}
	data, err := at.value.appendJSON(nil)
	if err != nil {
		return nil, false
	}
	return data, true
}

// fewMembers is how many members an object has in practice: so many are put into
// order without an allocation.
const fewMembers = 16

// inOrder appends the members to buf, oldest first.
func (m members) inOrder(buf []*member) []*member {
	for at := m.newest(); at != nil; at = at.older.newest() {
		buf = append(buf, at)
	}
	slices.Reverse(buf)
	return buf
}

// appendJSON appends the object. The error names the member that has no JSON form,
// counted from this object.
func (m members) appendJSON(dst []byte) ([]byte, error) {
	var buf [fewMembers]*member
	dst = append(dst, '{')
	for i, at := range m.inOrder(buf[:0]) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, at.name), ':')
		var err error
		if dst, err = at.value.appendJSON(dst); err != nil {
			return dst, errorIn(at.name, err)
		}
	}
	return append(dst, '}'), nil
}

func (v values) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i, item := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = item.appendJSON(dst); err != nil {
			return dst, errorIn("["+strconv.Itoa(i)+"]", err)
		}
	}
	return append(dst, ']'), nil
}

func (v jsonValue) appendJSON(dst []byte) ([]byte, error) {
	switch part := v.part.(type) {
	case unquoted:
		return appendString(dst, v.text), nil
	case members:
		return part.appendJSON(dst)
	case values:
		return part.appendJSON(dst)
	case error:
		return dst, &encodeError{}
	}
	return append(dst, v.text...), nil
}

// appendString appends s as a JSON string. Only what needs escaping goes through
// encoding/json; Georgian or Arabic text does not.
func appendString(dst []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] != '"' && s[i] != '\\'
	}
	if plain && utf8.ValidString(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// encodeError says which member of a request has no JSON form. It leaves out the cause,
// which may repeat the value.
type encodeError struct{ path string }

func (e *encodeError) Error() string {
	if e.path == "" {
		return "identomat: the value cannot be encoded as JSON"
	}
	return "identomat: " + e.path + " cannot be encoded as JSON"
}

// errorIn puts the name of the surrounding member, or the index of the surrounding
// item in brackets, in front of the path of an encoding error.
func errorIn(name string, err error) error {
	var bad *encodeError
	if !errors.As(err, &bad) {
		return err
	}
	path := name
	if bad.path != "" && bad.path[0] != '[' {
		path += "."
	}
	return &encodeError{path: path + bad.path}
}

func jsonString(s string) jsonValue { return jsonValue{text: s, part: unquoted{}} }

func jsonBool(b bool) jsonValue { return jsonValue{text: strconv.FormatBool(b)} }

func jsonInt(n int) jsonValue { return jsonValue{text: strconv.Itoa(n)} }

func jsonStrings[T ~string](list []T) jsonValue {
	var buf [256]byte
	dst := append(buf[:0], '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, string(s))
	}
	return jsonValue{text: string(append(dst, ']'))}
}

func jsonObject(m members) jsonValue { return jsonValue{part: m} }

func jsonList(list values) jsonValue { return jsonValue{part: list} }

// jsonPart is a step, question, option or role.
func jsonPart(part interface{ fields() members }) jsonValue {
	if m, ok := fieldsOf(part); ok {
		return jsonObject(m)
	}
	return jsonValue{part: errNil}
}

// freeze is any value of a caller's. Later writes to a slice or map change nothing.
func freeze(value any) jsonValue {
	switch v := value.(type) {
	case jsonValue:
		return v
	case members:
		return jsonObject(v)
	case values:
		return jsonList(v)
	case string:
		return jsonString(v)
	case bool:
		return jsonBool(v)
	case int:
		return jsonInt(v)
	case Text:
		return v.json()
	case Steps:
		return jsonList(v.values())
	case interface{ fields() members }:
		return jsonPart(v)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return jsonValue{part: err}
	}
	return jsonValue{text: string(data)}
}

// fieldsOf is the object behind a step, question, option or role; false for nil and
// for a nil pointer to one.
func fieldsOf(part interface{ fields() members }) (members, bool) {
	v := reflect.ValueOf(part)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return members{}, false
	}
	return part.fields(), true
}

// decodeMembers reads one JSON object. Names keep their order, values their exact
// text; of members with one name the last wins, in the place of the first.
func decodeMembers(data []byte) (members, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil {
		return members{}, err
	}
	if open != json.Delim('{') {
		return members{}, errNotObject
	}
	var list []member
	place := map[string]int{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return members{}, err
		}
		name, _ := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return members{}, err
		}
		value := decodedValue(raw)
		if i, again := place[name]; again {
			list[i].value = value
			continue
		}
		place[name] = len(list)
		list = append(list, member{name: name, value: value})
	}
	if _, err := dec.Token(); err != nil {
		return members{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return members{}, errors.New("identomat: text after the end of a JSON object")
	}
	return chain(list...), nil
}

var (
	errNotObject = errors.New("identomat: not a JSON object")
	errNotArray  = errors.New("identomat: not a JSON array")
)

// decodeValues reads one JSON array, each item in its exact text.
func decodeValues(data []byte) (values, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errNotArray
	}
	list := make(values, len(raw))
	for i := range raw {
		list[i] = decodedValue(raw[i])
	}
	return list, nil
}

func decodedValue(raw json.RawMessage) jsonValue {
	return jsonValue{text: string(bytes.TrimSpace(raw))}
}

// absent reports whether there is no value, or null.
func (v jsonValue) absent() bool { return v.part == nil && (v.text == "" || v.text == "null") }

// bad reports whether the value has no JSON form.
func (v jsonValue) bad() bool {
	_, bad := v.part.(error)
	return bad
}

func (v jsonValue) str() (string, bool) {
	if v.part == (unquoted{}) {
		return v.text, true
	}
	if len(v.text) < 2 || v.text[0] != '"' {
		return "", false
	}
	if plain := v.text[1 : len(v.text)-1]; strings.IndexByte(plain, '\\') < 0 && utf8.ValidString(plain) {
		return plain, true
	}
	var s string
	err := json.Unmarshal([]byte(v.text), &s)
	return s, err == nil
}

func (v jsonValue) isTrue() bool { return v.part == nil && v.text == "true" }

func (v jsonValue) number() (float64, bool) {
	if v.part != nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.text, 64)
	return n, err == nil
}

// object reads an object; the service may write an empty one as [].
func (v jsonValue) object() (members, bool) {
	if m, ok := v.part.(members); ok {
		return m, true
	}
	if v.part == nil && v.text != "" && v.text[0] == '{' {
		m, err := decodeMembers([]byte(v.text))
		return m, err == nil
	}
	list, ok := v.list()
	return members{}, ok && len(list) == 0
}

func (v jsonValue) list() (values, bool) {
	if list, ok := v.part.(values); ok {
		return list, true
	}
	if v.part != nil || v.text == "" || v.text[0] != '[' {
		return nil, false
	}
	list, err := decodeValues([]byte(v.text))
	return list, err == nil
}

// wireObject is what steps, questions, options and roles are made of. Printing and
// logging one shows its type and key alone: the rest may hold a person's answers.
type wireObject struct{ m members }

func (o wireObject) fields() members { return o.m }

// Param is any member as it is sent, by its wire name; false when it is absent or has
// no JSON form.
func (o wireObject) Param(name string) (json.RawMessage, bool) { return o.m.json(name) }

// MarshalJSON writes every member, those with personal data too: it is the wire form.
func (o wireObject) MarshalJSON() ([]byte, error) { return o.m.appendJSON(nil) }

// Format writes the type and the key under every verb, and nothing else.
func (o wireObject) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.m.describe()) }

// LogValue is the type and the key, and nothing else.
func (o wireObject) LogValue() slog.Value { return slog.StringValue(o.m.describe()) }

// describe is the type and the quoted key, such as liveness "liveness".
func (m members) describe() string {
	text := m.str("type")
	if key, ok := m.get("key").str(); ok {
		if text != "" {
			text += " "
		}
		text += strconv.Quote(key)
	}
	if text == "" {
		return "{}"
	}
	return text
}

// place is the path of a value in a request, such as steps[2].questions[0].options. A
// walk over a request writes all of its paths into one buffer: a place is good until the
// next one is made from the same parent, and checking a sound request allocates nothing
// for it.
type place []byte

func newPlace(path string) place { return append(make(place, 0, 128), path...) }

func (at place) member(name string) place {
	if len(at) > 0 {
		at = append(at, '.')
	}
	return append(at, name...)
}

func (at place) item(i int) place {
	return append(strconv.AppendInt(append(at, '['), int64(i), 10), ']')
}

// addAt is add for a place.
func (p *problems) addAt(at place, message string) { p.add(string(at), message) }

// checkValue adds a problem for every value that has no JSON form.
func checkValue(p *problems, at place, value jsonValue) {
	switch part := value.part.(type) {
	case members:
		var buf [fewMembers]*member
		for _, m := range part.inOrder(buf[:0]) {
			checkValue(p, at.member(m.name), m.value)
		}
	case values:
		for i, item := range part {
			checkValue(p, at.item(i), item)
		}
	case error:
		if part == errNil {
			p.addAt(at, "must not be nil")
			return
		}
		p.addAt(at, "cannot be encoded as JSON")
	}
}
