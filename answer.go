package identomat

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// QuestionAnswer is one answered question of a questionnaire.
type QuestionAnswer struct {
	private
	// Key is the question's.
	Key string `json:"key"`
	// Answer is empty, see [Answer.Exists], if there is none.
	Answer Answer `json:"answer"`
}

// Answer is an answer of any JSON type. The zero Answer stands for none.
type Answer struct {
	private
	raw json.RawMessage
}

// Raw is the answer as it came, or nil. The caller must not write to it.
func (a Answer) Raw() json.RawMessage { return a.raw }

// Exists reports whether there is an answer other than null.
func (a Answer) Exists() bool { return len(a.raw) > 0 && string(a.raw) != "null" }

// Text is the text of an answer to a text question, the option's key for a radio
// question, a number or boolean in its JSON spelling, the English or else the first text
// (by language code) of an object of languages, and "" for a list and for none.
func (a Answer) Text() string {
	if !a.Exists() {
		return ""
	}
	switch a.raw[0] {
	case '[':
		return ""
	case '"', '{':
		texts := readText(a.raw)
		for _, language := range append([]string{"", string(English)}, slices.Sorted(maps.Keys(texts))...) {
			if text, ok := texts[language]; ok {
				return text
			}
		}
		return ""
	}
	return string(a.raw)
}

// Choices are the option keys of an answer to a checkbox or dropdown question, or the one
// of a radio question.
func (a Answer) Choices() []string {
	var list []string
	if json.Unmarshal(a.raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(a.raw, &one) == nil {
		return []string{one}
	}
	return nil
}

// Bool is the answer if it is a boolean.
func (a Answer) Bool() (value, ok bool) {
	ok = a.Exists() && json.Unmarshal(a.raw, &value) == nil
	return value, ok
}

// Number is the answer if it is a number.
func (a Answer) Number() (value float64, ok bool) {
	ok = a.Exists() && json.Unmarshal(a.raw, &value) == nil
	return value, ok
}

// Languages is the answer if it is an object of languages; nil otherwise.
func (a Answer) Languages() Text {
	if len(a.raw) == 0 || a.raw[0] != '{' {
		return nil
	}
	return readText(a.raw)
}

// UnmarshalJSON keeps the answer as it is.
func (a *Answer) UnmarshalJSON(data []byte) error {
	a.raw = bytes.Clone(data)
	return nil
}
