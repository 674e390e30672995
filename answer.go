package identomat

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// QuestionAnswer is a question in a questionnaire and its answer.
type QuestionAnswer struct {
	private
	// Key is the question's key. Answer is zero if the question was not answered.
	Key    string `json:"key"`
	Answer Answer `json:"answer"`
}

// Answer is an answer of any JSON type. The zero value means that there is no answer.
type Answer struct {
	private
	raw json.RawMessage
}

// Raw returns the answer as JSON, or nil. The caller must not modify it.
func (a Answer) Raw() json.RawMessage { return a.raw }

// Exists reports whether there is an answer other than null.
func (a Answer) Exists() bool { return len(a.raw) > 0 && string(a.raw) != "null" }

// Text returns the answer to a text question, the key of the option chosen in a radio question, or the
// JSON text of a number or boolean. For an object keyed by language it returns the English text, or else
// the text whose language code is alphabetically first. For a list it returns "".
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

// Choices returns the keys of the options chosen in a checkbox, dropdown or radio question.
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

// Bool returns the answer if it is a boolean.
func (a Answer) Bool() (value, ok bool) {
	ok = a.Exists() && json.Unmarshal(a.raw, &value) == nil
	return value, ok
}

// Number returns the answer if it is a number, such as the number of files that answer a file question;
// see [MediaService.QuestionFiles].
func (a Answer) Number() (value float64, ok bool) {
	ok = a.Exists() && json.Unmarshal(a.raw, &value) == nil
	return value, ok
}

// Languages returns the answer if it is keyed by language, and nil otherwise.
func (a Answer) Languages() Text {
	if len(a.raw) == 0 || a.raw[0] != '{' {
		return nil
	}
	return readText(a.raw)
}

// UnmarshalJSON keeps the JSON of the answer.
func (a *Answer) UnmarshalJSON(data []byte) error {
	a.raw = bytes.Clone(data)
	return nil
}
