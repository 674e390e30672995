package wire

import (
	"strconv"
	"strings"
)

// The functions in this file are for builders, which hold an object as JSON text: order and unknown
// members survive, goroutines can share a value, and sending a value copies its text.

// Markers replace a value that JSON cannot encode, a nil step or question, and a string that is not
// valid UTF-8. They contain control characters, which JSON text never does.
const (
	Unencodable = "\x00"
	Nil         = "\x01"
	NotUTF8     = `"` + Unencodable + `"`
)

// IsSendable reports whether a builder's text contains no marker.
func IsSendable(text string) bool {
	return strings.IndexByte(text, Unencodable[0]) < 0 && strings.IndexByte(text, Nil[0]) < 0
}

// Unsendable returns a problem for every marker in a text.
func Unsendable(path, text string) (problems []Problem) {
	switch {
	case IsSendable(text):
		return nil
	case text == Unencodable:
		return []Problem{{path, "cannot be encoded as JSON"}}
	case text == Nil:
		return []Problem{{path, "must not be nil"}}
	case text == NotUTF8:
		return []Problem{{path, notUTF8}}
	}
	for m := Members(text); m.Next(); {
		if m.Name == NotUTF8 {
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

// Set returns the object with the named member set to a value, which is JSON text. Anything but
// an object counts as an empty one.
func Set[T text](object, name string, value T) string {
	var buf [1024]byte
	return string(AppendSet(buf[:0], object, name, value))
}

// AppendSet appends what [Set] returns. An empty value removes the member. A member that the object
// already has keeps its position. White space between members is dropped.
func AppendSet[T text](dst []byte, object, name string, value T) []byte {
	dst = append(dst, '{')
	found := false
	for m := Members(object); m.Next(); {
		switch {
		case !isName(m.Name, name):
			dst = appendMember(dst, m.Name, m.Value)
		case !found && len(value) > 0: // otherwise drop the member: it is a duplicate, or removed
			dst = appendMember(dst, m.Name, value)
			found = true
		}
	}
	if !found && len(value) > 0 {
		dst = appendMember(dst, Quote(name), value)
	}
	return append(dst, '}')
}

// Normalize strips the white space between the members of an object. If a name is duplicated, it
// keeps the last value in the position of the first.
func Normalize(object string) string {
	last := map[string]string{}
	for m := Members(object); m.Next(); {
		last[Unquote(m.Name)] = m.Value
	}
	dst := append(make([]byte, 0, len(object)), '{')
	for m := Members(object); m.Next(); {
		name := Unquote(m.Name)
		if value, first := last[name]; first {
			dst = appendMember(dst, m.Name, value)
			delete(last, name)
		}
	}
	return string(append(dst, '}'))
}

// appendMember appends a member, after a comma if the object has members already.
func appendMember[T text](dst []byte, quoted string, value T) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, quoted...), ':'), value...)
}
