package wire

import "bytes"

// maxDepth is encoding/json's limit for nested objects and arrays.
const maxDepth = 10_000

// Scan reports whether s is valid JSON. It agrees with json.Valid, but in the same pass it also reports
// the members and the size. If s is an object, Scan calls visit for each member, even if a later member
// turns out to be malformed. The returned size is the number of objects, arrays, and commas between
// members and elements. The memory of the decoded value grows with this number.
func Scan(s []byte, visit func(name, value []byte)) (size int, ok bool) {
	v := validation{s: s}
	end := v.value(skipSpace(s, 0), visit)
	return v.size, end > 0 && skipSpace(s, end) == len(s)
}

type validation struct {
	s           []byte
	size, depth int
}

// value returns the index after the value that begins at i. Like the other methods, it returns -1 for
// malformed JSON.
func (v *validation) value(i int, visit func(name, value []byte)) int {
	switch v.at(i) {
	case '{', '[':
		v.size++
		if v.depth++; v.depth > maxDepth {
			return -1
		}
		i = v.members(i, visit)
		v.depth--
		return i
	case '"':
		return v.text(i)
	case 't':
		return v.literal(i, "true")
	case 'f':
		return v.literal(i, "false")
	case 'n':
		return v.literal(i, "null")
	}
	return number(v.s, i)
}

// at returns the byte at i, or 0 at the end.
func (v *validation) at(i int) byte {
	if i < len(v.s) {
		return v.s[i]
	}
	return 0
}

// members returns the index after the object or array that begins at i.
func (v *validation) members(i int, visit func(name, value []byte)) int {
	isObject, closing := v.s[i] == '{', v.s[i]+2
	var name []byte
	if i = skipSpace(v.s, i+1); v.at(i) == closing {
		return i + 1
	}
	for {
		if isObject {
			from := i
			if v.at(i) != '"' {
				return -1
			}
			if i = v.text(i); i < 0 {
				return -1
			}
			name = v.s[from:i]
			if i = skipSpace(v.s, i); v.at(i) != ':' {
				return -1
			}
			i = skipSpace(v.s, i+1)
		}
		from := i
		if i = v.value(i, nil); i < 0 {
			return -1
		}
		if isObject && visit != nil {
			visit(name, v.s[from:i])
		}
		switch i = skipSpace(v.s, i); v.at(i) {
		case ',':
			v.size++
			i = skipSpace(v.s, i+1)
		case closing:
			return i + 1
		default:
			return -1
		}
	}
}

func (v *validation) literal(i int, text string) int {
	if !bytes.HasPrefix(v.s[i:], []byte(text)) {
		return -1
	}
	return i + len(text)
}

// text returns the index after the string that begins at i.
func (v *validation) text(i int) int {
	for i = skipPlain(v.s, i+1); i < len(v.s); i = skipPlain(v.s, i+1) {
		switch c := v.s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			switch c := v.at(i); c {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					i++
					if c := v.at(i); (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
						return -1
					}
				}
			default:
				return -1
			}
		case c < ' ':
			return -1
		}
	}
	return -1
}

// number returns the index after the number that begins at i, or -1.
func number(s []byte, i int) int {
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	zero := i < len(s) && s[i] == '0'
	if from := i; !digits() || zero && i > from+1 {
		return -1
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}
