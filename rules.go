package identomat

import (
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// The rules for flags and steps in Identomat's API documentation. They read JSON text, so they apply to
// built and decoded steps alike. Paths are relative to the checked value. A value that JSON cannot
// encode breaks no rule; the encoder reports it. A configuration may supply what the request's steps
// lack.
func (s Steps) validate(hasConfig bool) (p problems) {
	check := stepCheck{make(map[string]bool, len(s)), hasConfig}
	for i, step := range s {
		p.in(element("steps", i), check.step(jsonText(step), false))
	}
	return p
}

// stepCheck checks a request's steps, in order.
type stepCheck struct {
	keys      map[string]bool // of all steps so far
	hasConfig bool
}

func (c *stepCheck) step(step string, inCall bool) (p problems) {
	if !p.requireObject(step) {
		return p
	}
	var typ, key, flags, steps, questions string
	read(step, member{"type", &typ}, member{"key", &key}, member{"flags", &flags}, member{"steps", &steps},
		member{"questions", &questions})
	typ = wire.Unquote(typ)
	p.require(typ != "", "type", "must not be empty")
	p.require(!inCall || typ != "language", "type", "must not be a language step inside a video call")
	p.require(!inCall || typ != "operator-questionnaire", "type",
		"must not be an operator questionnaire inside a video call")
	if !isAbsent(key) {
		key = wire.Unquote(key)
		p.requireKey(key, c.keys[key], "must be unique in the session")
		c.keys[key] = true
	}
	switch typ {
	case "identity-document":
		p.in("flags", checkCountries(flags))
	case "video-call":
		for i, e := 0, wire.Elements(steps); e.Next(); i++ {
			p.in(element("steps", i), c.step(e.Value, true))
		}
	case "beneficiaries":
		p.checkBeneficiaries(step, c.hasConfig)
	case "user-questionnaire", "operator-questionnaire":
		check := questionCheck{map[string]string{}, map[string]bool{}}
		for i, e := 0, wire.Elements(questions); e.Next(); i++ {
			p.in(element("questions", i), check.question(e.Value))
		}
	}
	return p
}

// checkCountries requires three capital letters: the API documentation does not say how other
// codes are treated. The session and its identity-document steps have this flag.
func checkCountries(flags string) (p problems) {
	const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i, e := 0, wire.Elements(get(flags, "document_countries")); e.Next(); i++ {
		if country := wire.Unquote(e.Value); len(country) != 3 || strings.Trim(country, capitals) != "" {
			p.add(element("document_countries", i), "must be three capital letters, such as DEU")
		}
	}
	return p
}

// questionCheck checks the questions of a questionnaire, in order.
type questionCheck struct {
	asked      map[string]string // the questions so far, by their keys
	optionKeys map[string]bool   // of all questions so far
}

func (c *questionCheck) question(question string) (p problems) {
	if !p.requireObject(question) {
		return p
	}
	var typ, key, options, answer, maxFiles, condition string
	read(question, member{"type", &typ}, member{"key", &key}, member{"options", &options},
		member{"answer", &answer}, member{"filesMaxCount", &maxFiles}, member{"showConditions", &condition})
	typ, key = wire.Unquote(typ), wire.Unquote(key)
	_, duplicate := c.asked[key]
	p.require(typ != "", "type", "must not be empty")
	p.requireKey(key, duplicate, "must be unique in the questionnaire")
	if typ == "multiple-choice" || typ == "options" || typ == "dropdown" {
		n := 0
		for e := wire.Elements(options); e.Next(); n++ {
			var inner problems
			option := getString(e.Value, "key")
			inner.requireKey(option, c.optionKeys[option], "must be unique in the questionnaire")
			p.in(element("options", n), inner)
			c.optionKeys[option] = true
		}
		p.require(n > 0, "options", "must hold at least one option")
	}
	switch {
	case isAbsent(answer):
	case typ == "options":
		p.require(isKey(answer, options), "answer", "must be the key of one of the question's options")
	case typ == "multiple-choice":
		p.require(strings.HasPrefix(answer, "["), "answer", "must be a list of keys of the question's options")
		for i, e := 0, wire.Elements(answer); e.Next(); i++ {
			p.require(isKey(e.Value, options), element("answer", i), "must be the key of one of the question's options")
		}
	}
	if typ == "file" && !isAbsent(maxFiles) {
		n, err := strconv.ParseFloat(maxFiles, 64)
		p.require(err == nil && n >= 1 && n <= 10, "filesMaxCount", "must be a number from 1 to 10")
	}
	_, ok := asObject(condition)
	p.require(ok || isAbsent(condition), "showConditions", "must be an object")
	if m := wire.Members(condition); m.Next() {
		earlier, asked := c.asked[getString(condition, "questionKey")]
		p.require(asked, "showConditions.questionKey", "must be the key of an earlier question of the questionnaire")
		// The guide does not define a dropdown condition's answer.
		if typ := getString(earlier, "type"); typ == "multiple-choice" || typ == "options" {
			p.require(isKey(get(condition, "answer"), get(earlier, "options")), "showConditions.answer",
				"must be the key of one of that question's options")
		}
	}
	if !duplicate {
		c.asked[key] = question
	}
	return p
}

func isAbsent(value string) bool { return value == "" || value == "null" }

// isKey reports whether a JSON value is the key of one of the options.
func isKey(value, options string) bool {
	for e := wire.Elements(options); e.Next(); {
		if strings.HasPrefix(value, `"`) && getString(e.Value, "key") == wire.Unquote(value) {
			return true
		}
	}
	return false
}

// checkBeneficiaries requires a kycConfigId if a role is to be verified. For shareholders, a
// kybConfigId also suffices.
func (p *problems) checkBeneficiaries(step string, hasConfig bool) {
	kyc, kyb := getString(step, "kycConfigId") != "", getString(step, "kybConfigId") != ""
	missing := ""
	for m := wire.Members(get(step, "roles")); m.Next(); {
		name := wire.Unquote(m.Name)
		p.require(name != "", "roles", "must not hold a role without a name")
		switch {
		case hasConfig || kyc || get(m.Value, "verification") != "true":
		case name != "shareholder":
			missing = "must be set, a role is to be verified"
		case !kyb && missing == "":
			missing = "must be set, or kybConfigId, because shareholders are to be verified"
		}
	}
	p.require(missing == "", "kycConfigId", missing)
}

// requireKey adds a problem if a key is empty or a duplicate.
func (p *problems) requireKey(key string, duplicate bool, message string) {
	p.require(key != "", "key", "must not be empty")
	p.require(key == "" || !duplicate, "key", message)
}

// requireObject reports whether a value is an object. If not, it adds a problem, unless the encoder
// reports one.
func (p *problems) requireObject(value string) bool {
	_, ok := asObject(value)
	p.require(ok || value == wire.Unencodable || value == wire.Nil, "", "must be an object")
	return ok
}

type member struct {
	name  string
	value *string
}

// read stores the named members of an object, in one pass over its text.
func read(object string, members ...member) {
	for m := wire.Members(object); m.Next(); {
		name := wire.Unquote(m.Name)
		for _, member := range members {
			if name == member.name {
				*member.value = m.Value
			}
		}
	}
}

func element(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
