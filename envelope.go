package identomat

import (
	"bytes"
	"encoding/json"
	"iter"

	"github.com/identomat-go/identomat/internal/sample"
)

// envelope are the members at the top of a reply that decide what it is.
type envelope struct {
	result, argumentError, internalError, errorSourceGroup []byte
	// odd says that one of them stands there twice or in another spelling. encoding/json
	// takes any letter case for a name and the last of several values; nobody shall be
	// approved by a second opinion.
	odd bool
}

// openEnvelope looks at the outermost level of an object; of anything else it is empty.
func openEnvelope(object []byte) (e envelope) {
	for name, value := range membersOf(object) {
		if known := e.member(name); known != nil {
			*known = value
		}
	}
	return e
}

// membersOf are the quoted names and the values at the outermost level of an object; of
// anything else there are none. It does not check that the rest is JSON, and a value that
// does not end is none.
func membersOf(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if object = trimJSON(object); len(object) == 0 || object[0] != '{' {
			return
		}
		depth, start := 0, 0
		var name []byte // of the member that is being scanned
		for i := 0; i < len(object); i++ {
			switch object[i] {
			case '{', '[':
				depth++
			case '}', ']', ',':
				if object[i] != ',' {
					depth--
				}
				if name != nil && (depth == 0 || depth == 1 && object[i] == ',') {
					if !yield(name, trimJSON(object[start:i])) {
						return
					}
					name = nil
				}
			case '"':
				end := sample.StringEnd(object, i)
				if depth == 1 {
					if colon := colonAfter(object, end); colon >= 0 {
						name, start = object[i:end], colon+1
						end = start
					}
				}
				i = end - 1
			}
		}
	}
}

// memberName is a name without its quotes, or nil if that has no meaning.
func memberName(quoted []byte) []byte {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil
	}
	return []byte(s)
}

// resultElements are the elements of the array that is the result of an object, about n, in
// the memory of the object. A name in another spelling is not found.
func resultElements(object []byte, n int) []json.RawMessage {
	list := make([]json.RawMessage, 0, n)
	depth, start := 0, 0
	inResult := false
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			if depth++; depth == 2 {
				start = i + 1
			}
		case '}', ']', ',':
			if inResult && depth == 2 {
				if element := trimJSON(object[start:i]); len(element) > 0 {
					list = append(list, element[:len(element):len(element)])
				}
				start = i + 1
			}
			if object[i] != ',' {
				depth--
			}
		case '"':
			end := sample.StringEnd(object, i)
			if depth == 1 && colonAfter(object, end) >= 0 {
				inResult = string(object[i:end]) == `"result"`
			}
			i = end - 1
		}
	}
	return list
}

// member is where the value of a member goes, or nil if it does not matter.
func (e *envelope) member(quoted []byte) *[]byte {
	name := memberName(quoted)
	for i, known := range envelopeNames {
		if !bytes.EqualFold(name, known) {
			continue
		}
		value := e.value(i)
		if !bytes.Equal(name, known) || *value != nil {
			e.odd = true
			return nil
		}
		*value = []byte{} // seen
		return value
	}
	return nil
}

var envelopeNames = [...][]byte{[]byte("result"), []byte("argumentError"), []byte("internalError"), []byte("errorSourceGroup")}

func (e *envelope) value(i int) *[]byte {
	return [...]*[]byte{&e.result, &e.argumentError, &e.internalError, &e.errorSourceGroup}[i]
}

// colonAfter is the index of the colon that makes the string before it a name, or -1.
func colonAfter(object []byte, i int) int {
	for ; i < len(object); i++ {
		switch object[i] {
		case ' ', '\t', '\r', '\n':
		case ':':
			return i
		default:
			return -1
		}
	}
	return -1
}
