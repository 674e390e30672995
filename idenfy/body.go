package idenfy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat"
)

// body collects the members of a request and what is wrong with them.
type body struct {
	names    []string // of all fields, whether they are sent or not
	json     []byte   // without the braces
	texts    []string // what was sent, for the search through errors
	findings []finding
}

// finding is a problem and when it counts.
type finding struct {
	identomat.Problem
	class class
}

type class uint8

const (
	documented class = iota // a rule of the page
	unlisted                // a value that is not in a list of the page
	unsendable              // what JSON cannot say
)

// err is what is wrong with the request for a client with these settings.
func (b *body) err(validate, unknown bool) error {
	var problems []identomat.Problem
	for _, f := range b.findings {
		if f.class == unsendable || validate && (f.class == documented || !unknown) {
			problems = append(problems, f.Problem)
		}
	}
	if problems == nil {
		return nil
	}
	return &identomat.ValidationError{Operation: operation, Problems: problems}
}

func (b *body) find(class class, path, format string, args ...any) {
	b.findings = append(b.findings, finding{identomat.Problem{Path: path, Message: fmt.Sprintf(format, args...)}, class})
}

func (b *body) refuse(path, format string, args ...any) { b.find(documented, path, format, args...) }

// bytes is the request.
func (b *body) bytes() []byte { return slices.Concat([]byte{'{'}, b.json, []byte{'}'}) }

// add appends a member with a value that is sent.
func (b *body) add(path, name string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		b.find(unsendable, path, "has no JSON form") // the error might quote it
		return
	}
	if !utf8.Valid(data) || !allUTF8(value) {
		b.find(unsendable, path, "is not UTF-8")
		return
	}
	if len(b.json) > 0 {
		b.json = append(b.json, ',')
	}
	quoted, _ := json.Marshal(name)
	b.json = append(append(append(b.json, quoted...), ':'), data...)
	b.texts = appendTexts(b.texts, data)
}

// allUTF8 looks into what JSON is usually made of: encoding/json would quietly replace what
// is wrong in it. The value has a JSON form, so it has an end.
func allUTF8(value any) bool {
	switch v := value.(type) {
	case string:
		return utf8.ValidString(v)
	case []string:
		return !slices.ContainsFunc(v, func(s string) bool { return !utf8.ValidString(s) })
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !allUTF8(element) })
	case map[string]any:
		for name, element := range v {
			if !utf8.ValidString(name) || !allUTF8(element) {
				return false
			}
		}
	}
	return true
}

// appendTexts appends the strings inside of a JSON value, names too, and numbers that are
// long enough to be somebody's.
func appendTexts(texts []string, data []byte) []string {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return texts
		}
		switch v := token.(type) {
		case string:
			texts = append(texts, v)
		case json.Number:
			if len(v) > 5 {
				texts = append(texts, v.String())
			}
		}
	}
}

// A rule returns what a text must be, or "" if it is that.
type rule func(string) string

// text adds a string that is not empty.
func (b *body) text(name, value string, rules ...rule) {
	b.names = append(b.names, name)
	if value == "" {
		return
	}
	if b.isUTF8(name, value) {
		for _, rule := range rules {
			if message := rule(value); message != "" {
				b.refuse(name, "%s", message)
			}
		}
		b.add(name, name, value)
	}
}

// isUTF8 refuses what encoding/json would quietly replace.
func (b *body) isUTF8(path, value string) bool {
	if !utf8.ValidString(value) {
		b.find(unsendable, path, "is not UTF-8")
		return false
	}
	return true
}

// choice adds a value of a list of the page.
func choice[T ~string](b *body, name string, value T, known []T) {
	b.text(name, string(value))
	if value != "" && !slices.Contains(known, value) {
		b.find(unlisted, name, "must be one of %s", join(known))
	}
}

// list adds values of a list of the page.
func list[T ~string](b *body, name string, values, known []T) {
	b.names = append(b.names, name)
	if values == nil {
		return
	}
	for i, value := range values {
		path := name + "[" + strconv.Itoa(i) + "]"
		if b.isUTF8(path, string(value)) && !slices.Contains(known, value) {
			b.find(unlisted, path, "must be one of %s", join(known))
		}
	}
	b.add(name, name, values)
}

func join[T ~string](known []T) string {
	var words []string
	for _, value := range known {
		words = append(words, string(value))
	}
	return strings.Join(words, ", ")
}

// optional adds a value that is there, whatever it is.
func optional[T bool | float64](b *body, name string, value *T) {
	b.names = append(b.names, name)
	if value != nil {
		b.add(name, name, *value)
	}
}

// seconds adds a length of time that is there.
func (b *body) seconds(name string, value *int, least, most int) {
	b.names = append(b.names, name)
	if value == nil {
		return
	}
	if *value < least || *value > most {
		b.refuse(name, "must be %d to %d seconds", least, most)
	}
	b.add(name, name, *value)
}

// object adds a JSON object. null is sent, too, as in the page's example.
func (b *body) object(name string, value json.RawMessage) {
	b.names = append(b.names, name)
	if len(value) == 0 {
		return
	}
	if first := bytes.TrimSpace(value); json.Valid(value) && first[0] != '{' && string(first) != "null" {
		b.refuse(name, "must be a JSON object")
	}
	b.add(name, name, value)
}

// isGiven reports whether an object is there and not null.
func isGiven(object json.RawMessage) bool {
	return len(object) > 0 && string(bytes.TrimSpace(object)) != "null"
}

// extra adds what the SDK does not know. Nothing may stand there twice: a reader takes the
// one or the other, and some readers take any letter case, or client_id for clientId.
func (b *body) extra(extra map[string]any) {
	own, spelled := map[string]bool{}, map[string]bool{}
	for _, name := range b.names {
		own[bare(name)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		path, letters := "Extra."+name, bare(name)
		switch {
		case name == "":
			b.find(unsendable, "Extra", "has a parameter without a name")
		case !utf8.ValidString(name):
			b.find(unsendable, "Extra", "has a name that is not UTF-8")
		case own[letters]:
			b.find(unsendable, path, "has a field of its own")
		case spelled[letters]:
			b.find(unsendable, path, "stands there in another spelling, too")
		default:
			b.add(path, name, extra[name])
		}
		spelled[letters] = true
	}
}

// bare is a name without its letter case and without all that is no letter or digit.
func bare(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

func atMost(n int) rule {
	return func(s string) string {
		if utf8.RuneCountInString(s) > n {
			return fmt.Sprintf("must have at most %d characters", n)
		}
		return ""
	}
}

func atLeast(n int) rule {
	return func(s string) string {
		if utf8.RuneCountInString(s) < n {
			return fmt.Sprintf("must have at least %d characters", n)
		}
		return ""
	}
}

func isASCII(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "must be ASCII"
	}
	return ""
}

// notInNames are the characters that a name must not have.
const notInNames = `~!@#$%^*()_+={}[]|:;",<>/?`

func isPersonName(s string) string {
	if strings.ContainsAny(s, notInNames) || strings.ContainsFunc(s, unicode.IsDigit) {
		return "must have no digit and none of " + notInNames
	}
	return ""
}

func isCountry(s string) string {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	if len(s) != 2 || !letter(s[0]) || !letter(s[1]) {
		return "must be a country code of two letters"
	}
	return ""
}

func isDate(s string) string {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "must be a date such as 1990-12-20"
	}
	return ""
}

func isHTTPS(s string) string {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "must be an https URL"
	}
	return ""
}
