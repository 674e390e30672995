package identomattest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/identomat-go/identomat"
)

// words are the texts of the page in one language.
type words map[string]string

func (w words) text(key string, args ...any) string {
	text, ok := w[key]
	if !ok {
		text = english()[key]
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

var dictionary = sync.OnceValue(func() map[string]words {
	data, err := templates.ReadFile("templates/words.json")
	must(err)
	var out map[string]words
	must(json.Unmarshal(data, &out))
	return out
})

func english() words { return dictionary()["en"] }

// wordsFor falls back to English. The titles of a session may know the language all the same.
func wordsFor(language string) (w words, lang string) {
	if w, ok := dictionary()[language]; ok {
		return w, language
	}
	return english(), "en"
}

// phrase is a text and its language, when that is not the language of the page.
type phrase struct{ Text, Lang string }

// foreign is the lang attribute of a text in a language, or "" for the page's own.
func (p *page) foreign(language string) string {
	if language == p.Lang {
		return ""
	}
	return htmlLang(language)
}

// translated reads a text or an object of languages: the session's language, English, any.
func (p *page) translated(o object, name string) phrase {
	v, _ := o.get(name)
	switch v := v.(type) {
	case string:
		return phrase{Text: v}
	case object:
		out := pick(v, p.language)
		out.Lang = p.foreign(out.Lang)
		return out
	}
	return phrase{}
}

func pick(texts object, language string) phrase {
	for _, code := range []string{language, "en"} {
		if text := texts.text(code); text != "" {
			return phrase{text, code}
		}
	}
	for _, m := range texts {
		if text, _ := m.value.(string); text != "" {
			return phrase{text, m.name}
		}
	}
	return phrase{}
}

// titleOf is the title of a step, or what the guide calls its type.
func (p *page) titleOf(step object) phrase {
	if title := p.translated(step, "title"); title.Text != "" {
		return title
	}
	if text := p.words["title_"+step.text("type")]; text != "" {
		return phrase{Text: text}
	}
	return phrase{Text: strings.ReplaceAll(step.text("type"), "-", " ")}
}

// languageCodes are those of the language step's documentation, in its order.
var languageCodes = []string{
	"en", "ka", "es", "uk", "gr", "it", "de", "ru", "uz", "ro", "tr", "ar", "pl", "bn", "hi", "hy", "az", "ja", "pt", "fr", "kk", "sv",
}

var languageNames = map[string]string{
	"en": "English", "ka": "ქართული", "es": "Español", "uk": "Українська", "gr": "Ελληνικά", "it": "Italiano", "de": "Deutsch",
	"ru": "Русский", "uz": "Oʻzbekcha", "ro": "Română", "tr": "Türkçe", "ar": "العربية", "pl": "Polski", "bn": "বাংলা",
	"hi": "हिन्दी", "hy": "Հայերեն", "az": "Azərbaycanca", "ja": "日本語", "pt": "Português", "fr": "Français", "kk": "Қазақша", "sv": "Svenska",
}

func languageName(code string) string {
	if name := languageNames[code]; name != "" {
		return name
	}
	return code
}

var languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// htmlLang is the language tag of a code of the service, which calls Greek "gr".
func htmlLang(code string) string {
	switch {
	case code == "gr":
		return "el"
	case !languageTag.MatchString(code):
		return ""
	}
	return code
}

type country struct{ code, name string }

var countries = sync.OnceValue(func() []country {
	data, err := templates.ReadFile("templates/countries.txt")
	must(err)
	var out []country
	for line := range strings.Lines(string(data)) {
		code, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, country{code, name})
	}
	return out
})

func countryName(code string) string {
	i := slices.IndexFunc(countries(), func(c country) bool { return c.code == code })
	if i < 0 {
		return code
	}
	return countries()[i].name
}

var phoneFormat = regexp.MustCompile(`^\+?[0-9]{5,15}$`)

// newCode is a one-time password of four digits, as the documented callback has.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(10000))
	must(err)
	return fmt.Sprintf("%04d", n)
}

// oneTimePassword is the callback that goes with a code. No document shows the one about email
// beyond its type.
func oneTimePassword(token, stepType, contact, code string) *Callback {
	if stepType == "email" {
		c := PlainCallback("email-one-time-password-request", identomat.Token(token))
		return &c
	}
	c := OneTimePassword(identomat.Token(token), contact, code)
	return &c
}

// icons names a drawing of the template per type of step.
var icons = map[string]string{
	"language": "globe", "identity-document": "card", "liveness": "face", "general-document": "home", "face-document": "selfie",
	"company": "company", "beneficiaries": "people", "kyb-review": "check", "video-call": "video", "phone-number": "phone",
	"email": "mail", "geolocation": "pin", "user-questionnaire": "list", "operator-questionnaire": "list",
}

func iconOf(stepType string) string {
	if icon := icons[stepType]; icon != "" {
		return icon
	}
	return "list"
}
