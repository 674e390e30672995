package redact

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSearch bounds a search: bytes of text times number of secrets. Ordinary network errors need
// far less.
const maxSearch = 1 << 24

// search looks for secrets in the texts of one error.
type search struct {
	secrets []string
	left    int             // what is left of maxSearch
	texts   map[string]bool // the texts to search; a set, because the fields of an error repeat most texts
}

func newSearch(secrets []string) *search {
	return &search{secrets: secrets, left: maxSearch - len(secrets)*512, texts: map[string]bool{}} // folding secrets takes time, too
}

// found reports whether a text that was added contains a secret, or the search would take too long.
func (s *search) found() bool {
	if s.left < 0 {
		return true
	}
	var starts [1 << 10]uint64 // a bit for every sequence of four bytes in the texts; few secrets begin with such a sequence
	var texts []string
	for text := range s.texts {
		text = fold(text)
		texts = append(texts, text)
		for i := range len(text) - 3 {
			bit := hashOf(text[i:])
			starts[bit/64] |= 1 << (bit % 64)
		}
	}
	for _, secret := range s.secrets {
		if bit, ok := start(secret); ok && starts[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		secret = fold(secret)
		if secret != "" && slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, secret) }) {
			return true
		}
	}
	return false
}

// fold normalizes text for case-insensitive search. Lowercasing alone is not enough: Σ has
// two lower-case forms.
func fold(text string) string {
	return strings.ToLower(strings.ToUpper(removeZeros(text)))
}

// removeZeros removes the zero bytes of UTF-16.
func removeZeros(text string) string { return strings.ReplaceAll(text, "\x00", "") }

// start hashes the first four bytes of the folded text to 16 bits. It returns false if there are fewer
// than four.
func start(text string) (hash uint32, ok bool) {
	var buf [3 + utf8.UTFMax]byte
	n := 0
	for _, r := range removeZeros(text) {
		n += utf8.EncodeRune(buf[n:], unicode.ToLower(unicode.ToUpper(r)))
		if n >= 4 {
			return hashOf(string(buf[:4])), true
		}
	}
	return 0, false
}

func hashOf(four string) uint32 {
	return (uint32(four[0]) | uint32(four[1])<<8 | uint32(four[2])<<16 | uint32(four[3])<<24) * 0x9e3779b1 >> 16
}

// add adds a text, undecoded and decoded in every way that could reveal a secret.
func (s *search) add(text string) {
	for range 4 { // undoes up to three levels of escaping; JSON inside a JSON string has two
		if s.left -= 16 * len(text); s.left < 0 { // decoding takes time, too
			return
		}
		plain, decoded := unescape(text), decodings(text)
		s.addForm(text)
		s.addForm(decoded)
		s.addForm(unescape(decoded))
		if strings.Contains(text, "+") {
			s.addForm(unescape(strings.ReplaceAll(text, "+", " ")))
		}
		if plain == text {
			return
		}
		text = plain
	}
}

func (s *search) addForm(text string) {
	if !s.texts[text] {
		s.left -= len(text) * len(s.secrets)
		s.texts[text] = true
	}
}

// addFields adds the fields of an error. If the error is in an unexported field of another value, fmt
// prints these fields instead of calling Error.
func (s *search) addFields(err error) { s.addValue(reflect.Indirect(reflect.ValueOf(err))) }

func (s *search) addValue(v reflect.Value) {
	if s.left -= 64; s.left < 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		s.add(v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.addForm(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.addForm(strconv.FormatUint(v.Uint(), 10))
	case reflect.Pointer:
		if t := v.Type(); !v.IsNil() && (t == reflect.TypeFor[*http.Request]() || t == reflect.TypeFor[*http.Response]()) {
			s.left = -1 // requests and responses hold secrets
		}
	case reflect.Interface:
		s.addValue(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			s.addValue(field)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			s.addValue(i.Key())
			s.addValue(i.Value())
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			text := make([]byte, v.Len())
			for i := range text {
				text[i] = byte(v.Index(i).Uint())
			}
			s.add(string(text))
			return
		}
		for i := range v.Len() {
			s.addValue(v.Index(i))
		}
	}
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
		for start := 0; start < 4 && len(run)-start >= 6; start++ { // six digits are the four bytes of the shortest secret
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
