package identomattest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/identomat-go/identomat"
)

// translation holds the page's texts in one language, by key.
type translation map[string]string

func (t translation) text(key string, args ...any) string {
	text, ok := t[key]
	if !ok {
		text = english()[key]
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

var translations = sync.OnceValue(func() map[string]translation {
	data, err := templates.ReadFile("templates/words.json")
	must(err)
	var out map[string]translation
	must(json.Unmarshal(data, &out))
	return out
})

func english() translation { return translations()["en"] }

// translationFor returns the translation for a language, or else the English one, and the translation's
// language.
func translationFor(language string) (t translation, lang string) {
	if t, ok := translations()[language]; ok {
		return t, language
	}
	return english(), "en"
}

// phrase is a text. Lang is its language, or "" for the page's language.
type phrase struct{ Text, Lang string }

// langAttr returns the HTML lang attribute for a text in this language, or "" for the page's language.
func (p *page) langAttr(language string) string {
	if language == p.Lang {
		return ""
	}
	return htmlLang(language)
}

// localized returns the text of a member that is a string or an object with one string per language. It
// prefers the session's language, then English, then the first language.
func (p *page) localized(o object, name string) phrase {
	v, _ := o.get(name)
	switch v := v.(type) {
	case string:
		return phrase{Text: v}
	case object:
		out := pickText(v, p.language)
		out.Lang = p.langAttr(out.Lang)
		return out
	}
	return phrase{}
}

func pickText(texts object, language string) phrase {
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

// titleOf returns the title of a step or, if it has none, the developer guide's name for the step's
// type.
func (p *page) titleOf(step object) phrase {
	if title := p.localized(step, "title"); title.Text != "" {
		return title
	}
	if text := p.translation["title_"+step.text("type")]; text != "" {
		return phrase{Text: text}
	}
	return phrase{Text: strings.ReplaceAll(step.text("type"), "-", " ")}
}

// languageCodes are the languages in the language step's documentation, in that order.
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

// htmlLang returns the language tag for one of the service's language codes. The service's code for
// Greek is "gr".
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

// oneTimePassword returns the callback for a one-time password. For email, Identomat's API
// documentation shows only the callback's type.
func oneTimePassword(token, stepType, contact, code string) *Callback {
	if stepType == "email" {
		c := PlainCallback("email-one-time-password-request", identomat.Token(token))
		return &c
	}
	c := OneTimePassword(identomat.Token(token), contact, code)
	return &c
}

// icons maps the type of a step to the name of its icon in the template.
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
