package identomat

import (
	"slices"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// The rules of Identomat's API documentation for flags and steps. They read JSON text, so they apply
// to built and to decoded steps alike. A value without a JSON form breaks no rule; the encoder
// reports it.

// validate adds a problem for everything that Identomat's API documentation rules out.
func (s Steps) validate(p *problems, at fieldPath) {
	keys := make(map[string]bool, len(s))
	for i, step := range s {
		p.checkStep(at.item(i), jsonText(step), keys, false)
	}
}

// checkStep adds the problems of one step. It adds the step's key to the keys of the session so far.
func (p *problems) checkStep(at fieldPath, value string, keys map[string]bool, inCall bool) {
	step, ok := p.requireObject(at, value)
	if !ok {
		return
	}
	typ, key := getString(step, "type"), getString(step, "key")
	p.require(typ != "", at.member("type"), "must not be empty")
	p.require(!inCall || typ != "language", at.member("type"), "must not be a language step inside a video call")
	p.require(!inCall || typ != "operator-questionnaire", at.member("type"),
		"must not be an operator questionnaire inside a video call")
	p.require(key != "", at.member("key"), "must not be empty")
	p.require(key == "" || !keys[key], at.member("key"), "must be unique in the session")
	keys[key] = true
	switch typ {
	case "identity-document":
		p.checkCountries(at.member("flags"), get(step, "flags"))
	case "video-call":
		for i, e := 0, wire.Elements(get(step, "steps")); e.Next(); i++ {
			p.checkStep(at.member("steps").item(i), e.Value, keys, true)
		}
	case "beneficiaries":
		p.checkBeneficiaries(at, step)
	case "user-questionnaire", "operator-questionnaire":
		p.checkQuestions(at.member("questions"), get(step, "questions"))
	}
}

// checkCountries adds a problem for every code that is not three capital letters: the API
// documentation does not say whom another code would keep out. The countries are a flag of the
// session and of its identity-document steps.
func (p *problems) checkCountries(at fieldPath, flags string) {
	const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	at = at.member("document_countries")
	for i, e := 0, wire.Elements(get(flags, "document_countries")); e.Next(); i++ {
		country := wire.Unquote(e.Value)
		p.require(len(country) == 3 && strings.Trim(country, capitals) == "", at.item(i), "must be three capital letters, such as DEU")
	}
}

// checkQuestions adds the problems of a questionnaire.
func (p *problems) checkQuestions(at fieldPath, questions string) {
	check := questionCheck{p, map[string][]string{}, map[string]bool{}}
	for i, e := 0, wire.Elements(questions); e.Next(); i++ {
		if q, ok := p.requireObject(at.item(i), e.Value); ok {
			check.question(at.item(i), q)
		}
	}
}

// questionCheck is a walk over the questions of a questionnaire.
type questionCheck struct {
	*problems
	// asked maps the key of each question so far to the keys of its options. The list is nil for a
	// question with free answers, and for a dropdown: the guide does not say what a condition on a
	// dropdown names.
	asked map[string][]string
	// optionKeys has the option keys of all questions so far.
	optionKeys map[string]bool
}

func (c *questionCheck) question(at fieldPath, q string) {
	typ, key := getString(q, "type"), getString(q, "key")
	_, duplicate := c.asked[key]
	c.require(typ != "", at.member("type"), "must not be empty")
	c.require(key != "", at.member("key"), "must not be empty")
	c.require(key == "" || !duplicate, at.member("key"), "must be unique in the questionnaire")
	var options []string
	if typ == "multiple-choice" || typ == "options" || typ == "dropdown" {
		options = c.options(at.member("options"), get(q, "options"))
	}
	c.preset(at.member("answer"), typ, get(q, "answer"), options)
	if count := get(q, "filesMaxCount"); typ == "file" && !isAbsent(count) {
		n, err := strconv.ParseFloat(count, 64)
		c.require(err == nil && n >= 1 && n <= 10, at.member("filesMaxCount"), "must be a number from 1 to 10")
	}
	c.condition(at.member("showConditions"), get(q, "showConditions"))
	if typ == "dropdown" {
		options = nil
	}
	if !duplicate {
		c.asked[key] = options
	}
}

// options returns the keys of a question's options.
func (c *questionCheck) options(at fieldPath, options string) []string {
	keys := []string{}
	for i, e := 0, wire.Elements(options); e.Next(); i++ {
		at, key := at.item(i), getString(e.Value, "key")
		c.require(key != "", at.member("key"), "must not be empty")
		c.require(key == "" || !c.optionKeys[key], at.member("key"), "must be unique in the questionnaire")
		c.optionKeys[key] = true
		keys = append(keys, key)
	}
	c.require(len(keys) > 0, at, "must hold at least one option")
	return keys
}

func (c *questionCheck) preset(at fieldPath, typ, answer string, options []string) {
	switch {
	case isAbsent(answer):
	case typ == "options":
		c.require(isKey(answer, options), at, "must be the key of one of the question's options")
	case typ == "multiple-choice":
		c.require(strings.HasPrefix(answer, "["), at, "must be a list of keys of the question's options")
		for i, e := 0, wire.Elements(answer); e.Next(); i++ {
			c.require(isKey(e.Value, options), at.item(i), "must be the key of one of the question's options")
		}
	}
}

func (c *questionCheck) condition(at fieldPath, value string) {
	condition, ok := asObject(value)
	c.require(ok || isAbsent(value), at, "must be an object")
	if len(wire.Trim(condition[1:])) == 1 {
		return // no condition
	}
	options, asked := c.asked[getString(condition, "questionKey")]
	c.require(asked, at.member("questionKey"), "must be the key of an earlier question of the questionnaire")
	c.require(options == nil || isKey(get(condition, "answer"), options), at.member("answer"),
		"must be the key of one of that question's options")
}

func isAbsent(value string) bool { return value == "" || value == "null" }

// isKey reports whether a JSON value is one of the keys.
func isKey(value string, keys []string) bool {
	return strings.HasPrefix(value, `"`) && slices.Contains(keys, wire.Unquote(value))
}

// checkBeneficiaries adds a problem for every configuration that a role needs but the beneficiaries
// step does not name.
func (p *problems) checkBeneficiaries(at fieldPath, step string) {
	var verified, shareholder bool
	for m := wire.Members(get(step, "roles")); m.Next(); {
		name, role := wire.Unquote(m.Name), m.Value
		p.require(name != "", at.member("roles"), "must not hold a role without a name")
		if get(role, "verification") == "true" {
			verified, shareholder = true, shareholder || name == "shareholder"
		}
	}
	p.require(!verified || getString(step, "kycConfigId") != "", at.member("kycConfigId"), "must be set, a role is to be verified")
	p.require(!shareholder || getString(step, "kybConfigId") != "", at.member("kybConfigId"), "must be set, shareholders are to be verified")
}

// require adds a problem unless a rule is met.
func (p *problems) require(ok bool, at fieldPath, message string) {
	if !ok {
		p.add(string(at), message)
	}
}

// requireObject returns a value as an object, and adds a problem if it is not an object. It adds none
// for a value that the encoder reports.
func (p *problems) requireObject(at fieldPath, value string) (string, bool) {
	object, ok := asObject(value)
	p.require(ok || value == wire.Unencodable || value == wire.Nil, at, "must be an object")
	return object, ok
}

// fieldPath is the path of a value in a request, such as steps[2].questions[0].options. All paths of a
// walk share one buffer: a path is valid until another is made from the same parent. So checking a
// valid request allocates nothing for paths.
type fieldPath []byte

func newPath(name string) fieldPath { return append(make(fieldPath, 0, 128), name...) }

func (at fieldPath) member(name string) fieldPath {
	if len(at) > 0 {
		at = append(at, '.')
	}
	return append(at, name...)
}

func (at fieldPath) item(i int) fieldPath {
	return append(strconv.AppendInt(append(at, '['), int64(i), 10), ']')
}
