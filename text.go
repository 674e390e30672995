package identomat

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Language is the code of a user interface language. The list is open: that of the System
// manual ends in "etc.". (Developer guide 2025, Flags and Language.)
type Language string

// The languages of all the documents' lists. The codes are the service's own: Greek
// is "gr". Armenian appears in the list of the language step alone.
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

// Text is a title, description or answer in several languages, by language code:
// Text{"en": "Employment", "ka": "დასაქმება"}. Older documents write a plain string in
// its place; it is read into the key "", and a Text of that key alone is written as
// a plain string. (Developer guide 2025, Questions.)
type Text map[string]string

// MarshalJSON writes an object of languages, or a plain string for Text{"": "…"}.
func (t Text) MarshalJSON() ([]byte, error) { return t.appendJSON(nil) }

// UnmarshalJSON reads an object of languages or a plain string. An empty array is an
// empty object.
func (t *Text) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '"' {
		var plain string
		if err := json.Unmarshal(data, &plain); err != nil {
			return err
		}
		*t = Text{"": plain}
		return nil
	}
	if list, err := decodeValues(data); err == nil && len(list) == 0 {
		*t = Text{}
		return nil
	}
	var languages map[string]string
	if err := json.Unmarshal(data, &languages); err != nil {
		return err
	}
	*t = languages
	return nil
}

func (t Text) appendJSON(dst []byte) ([]byte, error) {
	if plain, ok := t[""]; ok && len(t) == 1 {
		return appendString(dst, plain), nil
	}
	var buf [8]string
	languages := buf[:0]
	for language := range t {
		languages = append(languages, language)
	}
	slices.Sort(languages)
	dst = append(dst, '{')
	for i, language := range languages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, language), ':')
		dst = appendString(dst, t[language])
	}
	return append(dst, '}'), nil
}

// json is the text as members hold it, out of reach of later writes to the map.
func (t Text) json() jsonValue {
	var buf [256]byte
	data, _ := t.appendJSON(buf[:0]) // strings always have a JSON form
	return jsonValue{text: string(data)}
}

// readText reads a title of either form; nil when it is neither.
func readText(data json.RawMessage) Text {
	var t Text
	if len(data) == 0 || json.Unmarshal(data, &t) != nil {
		return nil
	}
	return t
}
