package redact

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxSearch bounds a search: bytes of text times number of secrets. Ordinary network errors need
// far less.
const maxSearch = 1 << 24

// search looks for secrets in the texts of one error.
type search struct {
	secrets []string        // folded
	left    int             // remaining budget
	clean   map[string]bool // texts without a secret, because the fields repeat most texts
}

func newSearch(secrets []string) *search {
	s := &search{left: maxSearch - len(secrets)*512, clean: map[string]bool{}} // folding secrets takes time, too
	if s.left < 0 {
		return s
	}
	for _, secret := range secrets {
		if secret = fold(secret); secret != "" {
			s.secrets = append(s.secrets, secret)
		}
	}
	return s
}

// fold normalizes text for case-insensitive search. Lowercasing alone is not enough: Σ has
// two lower-case forms.
func fold(text string) string {
	return strings.ToLower(strings.ToUpper(strings.ReplaceAll(text, "\x00", ""))) // without the zero bytes of UTF-16
}

// finds reports whether text contains a secret in any form or would take too long to search.
func (s *search) finds(text string) bool {
	for range 4 { // JSON inside a JSON string is escaped twice
		if s.left -= 16 * len(text); s.left < 0 { // decoding takes time, too
			return true
		}
		plain, decoded := unescape(text), decodings(text)
		if s.findsFolded(text) || s.findsFolded(decoded) || s.findsFolded(unescape(decoded)) ||
			strings.Contains(text, "+") && s.findsFolded(unescape(strings.ReplaceAll(text, "+", " "))) {
			return true
		}
		if plain == text {
			return false
		}
		text = plain
	}
	return false
}

func (s *search) findsFolded(text string) bool {
	if s.clean[text] {
		return false
	}
	s.left -= len(text) * len(s.secrets)
	if s.left < 0 {
		return true
	}
	folded := fold(text)
	if slices.ContainsFunc(s.secrets, func(secret string) bool { return strings.Contains(folded, secret) }) {
		return true
	}
	s.clean[text] = true
	return false
}

// findsInFields searches an error's fields instead of its text. fmt prints the fields instead of
// calling Error if the error is in an unexported field of another value.
func (s *search) findsInFields(err error) bool {
	return s.findsInValue(reflect.Indirect(reflect.ValueOf(err)))
}

func (s *search) findsInValue(v reflect.Value) bool {
	if s.left -= 64; s.left < 0 {
		return true
	}
	switch v.Kind() {
	case reflect.String:
		return s.finds(v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return s.findsFolded(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return s.findsFolded(strconv.FormatUint(v.Uint(), 10))
	case reflect.Pointer:
		t := v.Type()
		return !v.IsNil() && (t == reflect.TypeFor[*http.Request]() || t == reflect.TypeFor[*http.Response]())
	case reflect.Interface:
		return s.findsInValue(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			if s.findsInValue(field) {
				return true
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if s.findsInValue(i.Key()) || s.findsInValue(i.Value()) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			text := make([]byte, v.Len())
			for i := range text {
				text[i] = byte(v.Index(i).Uint())
			}
			return s.finds(string(text))
		}
		for i := range v.Len() {
			if s.findsInValue(v.Index(i)) {
				return true
			}
		}
	}
	return false
}

// unescape decodes %2F from URLs, and \/, \", \n, \x2f, \u002f and \U0000002f from JSON and Go.
func unescape(text string) string {
	var out strings.Builder
	for {
		i := strings.IndexAny(text, `\%`)
		if i < 0 {
			return out.String() + text
		}
		out.WriteString(text[:i])
		text = text[i:]
		if char, err := hex.DecodeString(text[1:min(len(text), 3)]); text[0] == '%' && len(char) == 1 && err == nil {
			out.WriteByte(char[0])
			text = text[3:]
		} else if char, isRune, rest, err := strconv.UnquoteChar(text, '"'); text[0] == '\\' && err == nil {
			if isRune {
				out.WriteRune(char)
			} else {
				out.WriteByte(byte(char))
			}
			text = rest
		} else {
			if text[0] == '%' || !strings.HasPrefix(text, `\/`) {
				out.WriteByte(text[0])
			}
			text = text[1:]
		}
	}
}

const (
	hexDigits    = "0123456789abcdefABCDEF"
	base64Digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"
)

var (
	toStdBase64 = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "") // accepts both alphabets, and ignores line breaks
	joinHex     = strings.NewReplacer("0x", "", " ", "", ",", "", ":", "", "-", "", "\r", "", "\n", "")
)

// decodings decodes everything in text that may be base64, hexadecimal or a list of bytes, from
// every offset at which it may begin.
func decodings(text string) string {
	var out []byte
	for run := range strings.FieldsFuncSeq(toStdBase64.Replace(text), not(base64Digits)) {
		for start := 0; start < 4 && len(run)-start >= 6; start++ { // four bytes or more
			out, _ = base64.RawStdEncoding.AppendDecode(append(out, '\n'), []byte(run[start:]))
		}
	}
	for run := range strings.FieldsFuncSeq(joinHex.Replace(undump(text)), not(hexDigits)) {
		for start := 0; start < 2 && len(run)-start >= 8; start++ {
			out, _ = hex.AppendDecode(append(out, '\n'), []byte(run[start:]))
		}
	}
	for word := range strings.FieldsFuncSeq(text, not(base64Digits)) {
		c := byte('\n')
		if word[0] >= '0' && word[0] <= '9' { // [107 101 121] or 0x6b, 0x65, 0x79
			if number, err := strconv.ParseUint(word, 0, 8); err == nil {
				c = byte(number)
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// undump removes the offset and the text column from each line of a hex.Dump, so that the digits of
// all lines become one run.
func undump(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if len(line) > 10 && line[8:10] == "  " {
			line, _, _ = strings.Cut(line[10:], "  |")
		}
		out.WriteString(line)
	}
	return out.String()
}

func not(chars string) func(rune) bool {
	return func(r rune) bool { return !strings.ContainsRune(chars, r) }
}
