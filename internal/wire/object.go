package wire

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
)

// An Object is an immutable JSON object, stored as text: order and unknown members survive, goroutines
// can share it, and sending it only copies its text. The text lacks its last brackets, so that appending
// to it adds a member. A method that changes an Object returns a new one, which shares the array of the
// old one unless another Object already uses the rest of that array. Building a long object therefore
// takes linear time. A nil Object is empty.
type Object struct {
	text []byte
	// open is the index at which the last member's value begins if the value's closing bracket is left
	// out, too. Otherwise it is 0.
	open int
}

// growing has the names of the members to which builders add, in quotes.
var growing = [...]string{`"flags"`, `"questions"`, `"fields"`}

// room guards the unused parts of all arrays. Unused bytes are zero, and no text has a zero byte.
var room sync.Mutex

// extend returns the text with more appended. It copies the text unless the rest of the text's array is
// unused and large enough.
func extend(text, more []byte) []byte {
	if n := len(text); n+len(more) <= cap(text) && len(more) > 0 {
		room.Lock()
		if text[:n+1][n] == 0 { // no other object uses the rest
			text = append(text, more...)
			room.Unlock()
			return text
		}
		room.Unlock()
	}
	grown := make([]byte, 0, 2*(len(text)+len(more)))
	return append(append(grown, text...), more...)
}

// NewObject returns the object with this text, which must have neither white space between its members
// nor duplicate names.
func NewObject[T text](text T) *Object {
	return &Object{text: append([]byte(nil), text[:len(text)-1]...)}
}

var empty = NewObject("{}")

// ParseObject returns an object without the white space between its members. If a name is
// duplicated, it keeps the last value in the position of the first. Anything but an object counts as an
// empty one.
func ParseObject[T text](object T) *Object {
	last := map[string]T{}
	for m := Members(object); m.Next(); {
		last[Unquote(m.Name)] = m.Value
	}
	o := &Object{text: append(make([]byte, 0, len(object)), '{')}
	for m := Members(object); m.Next(); {
		name := Unquote(m.Name)
		if value, first := last[name]; first {
			o = with(o, m.Name, value)
			delete(last, name)
		}
	}
	return o
}

// AppendJSON appends the text of the object.
func (o *Object) AppendJSON(dst []byte) []byte {
	if o == nil {
		return append(dst, "{}"...)
	}
	return append(append(dst, o.text...), o.end()...)
}

// end returns the brackets that the text leaves out.
func (o *Object) end() string {
	switch {
	case o.open == 0:
		return "}"
	case o.text[o.open] == '[':
		return "]}"
	}
	return "}}"
}

// with returns the object with a new member.
func with[N, V text](o *Object, quoted N, value V) *Object {
	var buf [512]byte
	end := o.end()
	more := append(buf[:0], end[:len(end)-1]...)
	if last := o.text[len(o.text)-1]; last != '{' || o.open > 0 {
		more = append(more, ',')
	}
	more = append(append(more, quoted...), ':')
	next := &Object{}
	if len(value) > 1 && (value[0] == '{' || value[0] == '[') {
		for _, name := range growing {
			if string(quoted) == name {
				next.open = len(o.text) + len(more)
				value = Trim(value[:len(value)-1])
			}
		}
	}
	next.text = extend(o.text, append(more, value...))
	return next
}

// Has reports whether the object has the named member.
func (o *Object) Has(name string) bool {
	var buf [64]byte
	return o != nil && has(o.outer(), AppendString(buf[:0], name))
}

// outer returns the text up to the opening bracket of the open value, if there is one.
func (o *Object) outer() []byte {
	if o.open > 0 {
		return o.text[:o.open+1]
	}
	return o.text
}

// has reports whether an object, perhaps without its last bracket, has the named member. A search for the
// name comes first, because it is fast and almost always shows that the member is absent. It leaves out the
// opening quote, because bytes.Index stops at every byte that equals the first one.
func has(object, quoted []byte) bool {
	if !bytes.Contains(object, quoted[1:]) && bytes.IndexByte(object, '\\') < 0 {
		return false
	}
	_, found := Get(object, Unquote(quoted))
	return found
}

// Get returns a copy of the named member's value, or nil.
func (o *Object) Get(name string) []byte {
	if !o.Has(name) {
		return nil
	}
	value, _ := Get(o.text, name)
	if value = bytes.Clone(value); o.isOpen(name, value[0]) {
		value = append(value, o.end()[0])
	}
	return value
}

// Set returns the object with the named member set to a value, which is JSON text. An empty value
// removes the member. A member that the object already has keeps its position.
func (o *Object) Set(name string, value []byte) *Object {
	if o == nil {
		o = empty
	}
	var buf [64]byte
	switch quoted := AppendString(buf[:0], name); {
	case has(o.outer(), quoted):
	case len(value) == 0:
		return o
	default:
		return with(o, quoted, value)
	}
	set := &Object{text: []byte("{")}
	for m := Members(o.AppendJSON(nil)); m.Next(); {
		switch {
		case !isName(m.Name, name):
			set = with(set, m.Name, m.Value)
		case len(value) > 0:
			set = with(set, m.Name, value)
		}
	}
	return set
}

// SetIn sets a member, as Set does, in the object that is the value of the member outer. If that value is
// absent or not an object, SetIn creates it.
func (o *Object) SetIn(outer, name string, value []byte) *Object {
	var buf [512]byte
	member := AppendString(buf[:0], name)
	quoted := member[:len(member):len(member)]
	member = append(append(member, ':'), value...)
	if o.isOpen(outer, '{') && !has(o.text[o.open:], quoted) || !o.Has(outer) {
		return o.Add(outer, '{', member)
	}
	return o.Set(outer, ParseObject(o.Get(outer)).Set(name, value).AppendJSON(nil))
}

// Add appends more, which is members or elements separated by commas, to the value of the member outer.
// That value begins with the bracket: '{' for an object or '[' for a list. If there is no such value, Add
// creates it.
func (o *Object) Add(outer string, bracket byte, more []byte) *Object {
	var buf [1024]byte
	text := buf[:0]
	if o.isOpen(outer, bracket) && len(more) > 0 {
		if len(o.text) > o.open+1 {
			text = append(text, ',')
		}
		return &Object{text: extend(o.text, append(text, more...)), open: o.open}
	}
	text = append(text, bracket)
	if old := o.Get(outer); len(old) > 0 && old[0] == bracket {
		text = append(text, Trim(old[1:len(old)-1])...)
	}
	if len(text) > 1 && len(more) > 0 {
		text = append(text, ',')
	}
	return o.Set(outer, append(append(text, more...), bracket+2)) // ']' is '[' + 2, and '}' is '{' + 2
}

// isOpen reports whether the value of the named member lacks its closing bracket and begins with the
// given bracket.
func (o *Object) isOpen(name string, bracket byte) bool {
	if o == nil || o.open < len(name)+len(`"":`) || o.text[o.open] != bracket {
		return false
	}
	return string(o.text[o.open-len(name)-2:o.open-2]) == name && o.text[o.open-len(name)-3] == '"'
}

// Markers replace a value that JSON cannot encode, a nil step or question, and a string that is not
// valid UTF-8. They contain control characters, which JSON text never does, but no zero byte: see
// [extend].
const (
	Unencodable = "\x02"
	Nil         = "\x01"
	NotUTF8     = `"` + Unencodable + `"`
)

// IsSendable reports whether a builder's text contains no marker.
func IsSendable(text []byte) bool {
	return bytes.IndexByte(text, Unencodable[0]) < 0 && bytes.IndexByte(text, Nil[0]) < 0
}

// Unsendable returns a problem for every marker in a text.
func Unsendable(path string, text []byte) (problems []Problem) {
	switch {
	case IsSendable(text):
		return nil
	case string(text) == Unencodable:
		return []Problem{{path, "cannot be encoded as JSON"}}
	case string(text) == Nil:
		return []Problem{{path, "must not be nil"}}
	case string(text) == NotUTF8:
		return []Problem{{path, notUTF8}}
	}
	for m := Members(text); m.Next(); {
		if string(m.Name) == NotUTF8 {
			problems = append(problems, Problem{path, nameNotUTF8})
			continue
		}
		problems = append(problems, Unsendable(strings.TrimPrefix(path+"."+Unquote(m.Name), "."), m.Value)...)
	}
	for i, e := 0, Elements(text); e.Next(); i++ {
		problems = append(problems, Unsendable(path+"["+strconv.Itoa(i)+"]", e.Value)...)
	}
	return problems
}
