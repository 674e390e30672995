package identomat

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTextIsAnObjectOfLanguages(t *testing.T) {
	for _, c := range []struct {
		text Text
		want string
	}{
		{Text{"en": "Employment", "ka": "დასაქმება"}, `{"en":"Employment","ka":"დასაქმება"}`},
		{Text{"uk": "У", "en": "E", "ar": "ع", "hy": "Հ", "de": "D", "fr": "F", "it": "I", "pl": "P", "es": "S", "gr": "Ε"},
			`{"ar":"ع","de":"D","en":"E","es":"S","fr":"F","gr":"Ε","hy":"Հ","it":"I","pl":"P","uk":"У"}`},
		{Text{"en": "say \"hi\""}, `{"en":"say \"hi\""}`},
		{Text{"": "plain"}, `"plain"`},
		{Text{"": "plain", "en": "English"}, `{"":"plain","en":"English"}`},
		{Text{}, `{}`},
		{nil, `{}`},
	} {
		data, err := json.Marshal(c.text)
		require.NoError(t, err)
		assert.Equal(t, c.want, string(data))
	}
}

func TestTextReadsBothForms(t *testing.T) {
	for data, want := range map[string]Text{
		`{"en":"Name","ka":"სახელი"}`: {"en": "Name", "ka": "სახელი"},
		` "Name" `:   {"": "Name"},
		`"\u10e1\/"`: {"": "ს/"},
		`[]`:         {},
		`{}`:         {},
		`null`:       nil,
	} {
		var text Text
		require.NoError(t, json.Unmarshal([]byte(data), &text), data)
		assert.Equal(t, want, text, data)
	}
	for _, data := range []string{`1`, `true`, `["en"]`, `{"en":1}`} {
		var text Text
		assert.Error(t, json.Unmarshal([]byte(data), &text), data)
	}
}
