package identomat

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// Language is the code of a user-interface language. Codes other than the constants can be sent, too: the
// list in the System manual ends in "etc.". (Developer guide 2025, Flags and Language.)
type Language string

// The languages that Identomat's API documentation lists. The codes are the service's own: Greek is "gr".
// Armenian is only in the language step's list.
const (
	English     Language = "en" // the default
	Georgian    Language = "ka"
	Spanish     Language = "es"
	Ukrainian   Language = "uk"
	Russian     Language = "ru"
	Uzbek       Language = "uz"
	Italian     Language = "it"
	Greek       Language = "gr"
	Turkish     Language = "tr"
	Romanian    Language = "ro"
	Arabic      Language = "ar"
	German      Language = "de"
	Polish      Language = "pl"
	Hindi       Language = "hi"
	Bengali     Language = "bn"
	Azerbaijani Language = "az"
	Japanese    Language = "ja"
	Portuguese  Language = "pt"
	French      Language = "fr"
	Kazakh      Language = "kk"
	Swedish     Language = "sv"
	Armenian    Language = "hy"
)

// Text is a title, description or answer in several languages, keyed by language code: Text{"en":
// "Employment", "ka": "დასაქმება"}. Older documentation has a plain string instead, which is decoded as
// the value of the key "". A Text with only that key is encoded as a plain string. (Developer guide 2025,
// Questions.)
type Text map[string]string

// MarshalJSON returns an object keyed by language, or a plain string for Text{"": "…"}.
func (t Text) MarshalJSON() ([]byte, error) { return t.appendJSON(nil), nil }

// UnmarshalJSON decodes an object keyed by language or a plain string. [] counts as an empty object.
func (t *Text) UnmarshalJSON(data []byte) error {
	text := wire.Trim(string(data))
	if object, ok := asObject(text); ok {
		text = object
	}
	if strings.HasPrefix(text, `"`) {
		text = `{"":` + text + `}`
	}
	var languages map[string]string
	if err := json.Unmarshal([]byte(text), &languages); err != nil {
		return err
	}
	*t = languages
	return nil
}

func (t Text) appendJSON(dst []byte) []byte {
	type translation struct{ language, text string }
	var buf [4]translation
	all := buf[:0]
	for language, text := range t {
		all = append(all, translation{language, text})
	}
	if len(all) == 1 && all[0].language == "" {
		return wire.AppendString(dst, all[0].text)
	}
	slices.SortFunc(all, func(a, b translation) int { return strings.Compare(a.language, b.language) })
	dst = append(dst, '{')
	for i, translated := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendString(dst, translated.language), ':')
		dst = wire.AppendString(dst, translated.text)
	}
	return append(dst, '}')
}

// readText decodes an object keyed by language or a plain string. It returns nil for anything else.
func readText(data json.RawMessage) Text {
	var t Text
	if len(data) == 0 || json.Unmarshal(data, &t) != nil {
		return nil
	}
	return t
}
