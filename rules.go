package identomat

import (
	"bytes"
	"hash/maphash"
	"strconv"

	"github.com/identomat-go/identomat/internal/wire"
)

// checkSteps checks steps against the rules in Identomat's API documentation. It reads the JSON text that
// is sent, so the rules apply to built and decoded steps alike. In this file, paths are relative to the
// value that a function checks. A value that JSON cannot encode breaks no rule; the encoder reports it. A
// configuration may supply what the request's steps lack, so some rules apply only without a
// configuration.
func checkSteps(steps *wire.Reader, hasConfig bool) (p problems) {
	check := stepCheck{keys: keyed[bool]{}, hasConfig: hasConfig}
	for i, ok := 0, steps.Enter('['); ok && steps.Element(); i++ {
		p.inElement("steps", i, check.step(steps, false))
	}
	return p
}

// keyed is a map from the hash of a key to a value. It does not copy the keys.
type keyed[V any] map[uint64]V

var keySeed = maphash.MakeSeed()

func hash(key []byte) uint64 { return maphash.Bytes(keySeed, key) }

// stepCheck checks a request's steps, in order.
type stepCheck struct {
	keys      keyed[bool] // of all steps so far
	hasConfig bool
}

func (c *stepCheck) step(r *wire.Reader, inCall bool) (p problems) {
	if r = p.object(r); r == nil {
		return p
	}
	typ := string(wire.Content(r.Find("type")))
	p.require(typ != "", "type", "must not be empty")
	p.require(!inCall || typ != "language", "type", "must not be a language step inside a video call")
	p.require(!inCall || typ != "operator-questionnaire", "type", "must not be an operator questionnaire inside a video call")
	isQuestionnaire := typ == "user-questionnaire" || typ == "operator-questionnaire"
	var roles, kyc, kyb []byte
	for ok := r.Enter('{'); ok && r.Member(); {
		switch name := string(r.Name); {
		case name == "type":
			p.require(string(r.Text()) == typ, "type", "must not have two values")
		case name == "key" && !r.IsNull():
			key := r.Text()
			p.requireKey(key, c.keys[hash(key)], "must be unique in the session")
			c.keys[hash(key)] = true
		case name == "flags" && typ == "identity-document":
			p.in("flags", checkCountries(r))
		case name == "steps" && typ == "video-call":
			for i, ok := 0, r.Enter('['); ok && r.Element(); i++ {
				p.inElement("steps", i, c.step(r, true))
			}
		case name == "questions" && isQuestionnaire:
			check := questionCheck{keyed[question]{}, keyed[bool]{}}
			for i, ok := 0, r.Enter('['); ok && r.Element(); i++ {
				p.inElement("questions", i, check.question(r))
			}
		case name == "roles":
			roles = r.Value()
		case name == "kycConfigId":
			kyc = r.Text()
		case name == "kybConfigId":
			kyb = r.Text()
		default:
			r.Value()
		}
	}
	if typ == "beneficiaries" {
		p.checkBeneficiaries(roles, c.hasConfig || len(kyc) > 0, len(kyb) > 0)
	}
	return p
}

// checkCountries requires the codes in the flag document_countries to be three capital letters, because
// the API documentation does not say how other codes are treated. The flag exists for the session and for
// identity-document steps.
func checkCountries(flags *wire.Reader) (p problems) {
	for ok := flags.Enter('{'); ok && flags.Member(); {
		if string(flags.Name) != "document_countries" {
			flags.Value()
			continue
		}
		for i, ok := 0, flags.Enter('['); ok && flags.Element(); i++ {
			if country := flags.Text(); len(country) != 3 || !isCapitals(country) {
				p.add(element("document_countries", i), "must be three capital letters, such as DEU")
			}
		}
	}
	return p
}

func isCapitals(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// questionCheck checks the questions of a questionnaire, in order.
type questionCheck struct {
	asked      keyed[question] // the questions so far
	optionKeys keyed[bool]     // of all questions so far
}

type question struct{ typ, options []byte }

func (c *questionCheck) question(r *wire.Reader) (p problems) {
	if r = p.object(r); r == nil {
		return p
	}
	var typ, key, options, answer, maxFiles, condition []byte
	for ok := r.Enter('{'); ok && r.Member(); {
		switch string(r.Name) {
		case "type":
			typ = r.Text()
		case "key":
			key = r.Text()
		case "options":
			options = r.Value()
		case "answer":
			answer = r.Value()
		case "filesMaxCount":
			maxFiles = r.Value()
		case "showConditions":
			condition = r.Value()
		default:
			r.Value()
		}
	}
	_, duplicate := c.asked[hash(key)]
	p.require(len(typ) > 0, "type", "must not be empty")
	p.requireKey(key, duplicate, "must be unique in the questionnaire")
	if isChoice(typ) || string(typ) == "dropdown" {
		n, list := 0, wire.NewReader(options)
		for ok := list.Enter('['); ok && list.Element(); {
			var inner problems
			option := optionKey(list)
			inner.requireKey(option, c.optionKeys[hash(option)], "must be unique in the questionnaire")
			p.inElement("options", n, inner)
			c.optionKeys[hash(option)] = true
			n++
		}
		p.require(n > 0, "options", "must hold at least one option")
	}
	switch {
	case isAbsent(answer):
	case string(typ) == "options":
		p.require(isKey(answer, options), "answer", "must be the key of one of the question's options")
	case string(typ) == "multiple-choice":
		list := wire.NewReader(answer)
		p.require(list.Peek() == '[', "answer", "must be a list of keys of the question's options")
		for i, ok := 0, list.Enter('['); ok && list.Element(); i++ {
			if !isKey(list.Value(), options) {
				p.add(element("answer", i), "must be the key of one of the question's options")
			}
		}
	}
	if string(typ) == "file" && !isAbsent(maxFiles) {
		n, err := strconv.ParseFloat(string(maxFiles), 64)
		p.require(err == nil && n >= 1 && n <= 10, "filesMaxCount", "must be a number from 1 to 10")
	}
	if !isAbsent(condition) {
		p.checkCondition(condition, c.asked)
	}
	if !duplicate {
		c.asked[hash(key)] = question{typ, options}
	}
	return p
}

// checkCondition checks the condition under which a question is shown.
func (p *problems) checkCondition(condition []byte, asked keyed[question]) {
	object, ok := asObject(string(condition))
	p.require(ok, "showConditions", "must be an object")
	if m := wire.Members(object); m.Next() {
		key, _ := wire.Get(condition, "questionKey")
		answer, _ := wire.Get(condition, "answer")
		earlier, found := asked[hash(wire.Content(key))]
		p.require(found, "showConditions.questionKey", "must be the key of an earlier question of the questionnaire")
		// The developer guide does not say what answer a condition on a dropdown question has.
		if isChoice(earlier.typ) {
			p.require(isKey(answer, earlier.options), "showConditions.answer", "must be the key of one of that question's options")
		}
	}
}

// isChoice reports whether the answer to a question of this type is a key, or a list of keys, of its
// options.
func isChoice(typ []byte) bool { return string(typ) == "multiple-choice" || string(typ) == "options" }

func isAbsent(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// optionKey returns the key of the option that r reads next.
func optionKey(r *wire.Reader) (key []byte) {
	for ok := r.Enter('{'); ok && r.Member(); {
		if value := r.Value(); string(r.Name) == "key" {
			key = wire.Content(value)
		}
	}
	return key
}

// isKey reports whether a JSON value is the key of one of the options.
func isKey(value, options []byte) (found bool) {
	list := wire.NewReader(options)
	for ok := list.Enter('['); ok && list.Element(); {
		found = bytes.Equal(optionKey(list), wire.Content(value)) || found
	}
	return found && bytes.HasPrefix(value, []byte(`"`))
}

// checkBeneficiaries requires a kycConfigId if a role is to be verified. For shareholders, a
// kybConfigId also suffices.
func (p *problems) checkBeneficiaries(roles []byte, hasKYC, hasKYB bool) {
	missing := ""
	for m := wire.Members(roles); m.Next(); {
		p.require(len(wire.Content(m.Name)) > 0, "roles", "must not hold a role without a name")
		switch verification, _ := wire.Get(m.Value, "verification"); {
		case hasKYC || string(verification) != "true":
		case wire.Unquote(m.Name) != "shareholder":
			missing = "must be set, because a role is to be verified"
		case !hasKYB && missing == "":
			missing = "must be set, or kybConfigId, because shareholders are to be verified"
		}
	}
	p.require(missing == "", "kycConfigId", missing)
}

// requireKey adds a problem if a key is empty or a duplicate.
func (p *problems) requireKey(key []byte, duplicate bool, message string) {
	p.require(len(key) > 0, "key", "must not be empty")
	p.require(len(key) == 0 || !duplicate, "key", message)
}

// object returns a reader for the object that r reads next. If the next value is not an object, it
// returns nil, and adds a problem unless the encoder reports one.
func (p *problems) object(r *wire.Reader) *wire.Reader {
	if r.Peek() == '{' {
		return r
	}
	value := string(r.Value())
	object, ok := asObject(value)
	if p.require(ok || value == wire.Unencodable || value == wire.Nil, "", "must be an object"); !ok {
		return nil
	}
	return wire.NewReader([]byte(object))
}

func element(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
