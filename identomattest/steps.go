package identomattest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/documented"
)

var countryCode = regexp.MustCompile(`^[A-Z]{3}$`)

func (s *Server) checkFlags(flags object) error {
	if err := s.checkObject("flags.", flags, documented.Flags); err != nil {
		return err
	}
	if err := s.checkLists("flags.", flags, documented.Flags); err != nil {
		return err
	}
	for _, name := range []string{"return_url", "switch_device_url"} {
		address := flags.text(name)
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme == "" || slices.Contains(scriptSchemes, strings.ToLower(u.Scheme)) || strings.ContainsAny(u.Host, ";, ") {
			return fmt.Errorf("flags.%s is not an absolute URL", name)
		}
	}
	return nil
}

// scriptSchemes are the URL schemes that run code or read local data when a browser opens them. Other
// schemes can belong to apps.
var scriptSchemes = []string{"javascript", "vbscript", "data", "file", "blob", "filesystem", "view-source", "about", "intent"}

// checkLists checks the items of arrays whose values are documented.
func (s *Server) checkLists(path string, o object, fields []documented.Field) error {
	for _, f := range fields {
		for _, item := range o.texts(f.Name) {
			if len(f.Values) > 0 && !slices.Contains(f.Values, item) && !s.allowed(item) {
				return fmt.Errorf("%s%s: unknown value %q", path, f.Name, item)
			}
			if f.Name == "document_countries" && !countryCode.MatchString(item) {
				return fmt.Errorf("%s%s: %q is not a country code of three capital letters", path, f.Name, item)
			}
		}
	}
	return nil
}

// checkSteps checks the steps and returns them with missing keys set to the default.
func (s *Server) checkSteps(list []any) ([]object, error) {
	var out []object
	for i, v := range list {
		step, err := s.checkStep(fmt.Sprintf("steps[%d]", i), v)
		if err != nil {
			return nil, err
		}
		out = append(out, step)
	}
	return out, nil
}

func (s *Server) checkStep(path string, v any) (object, error) {
	step, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s is not an object", path)
	}
	name := step.text("type")
	known, ok := documented.StepOf(name)
	if !ok {
		if name == "" || !s.allowed(name) {
			return nil, fmt.Errorf("%s: unknown step type %q", path, name)
		}
		return step, nil
	}
	fields := slices.Concat(documented.StepMembers, known.Parameters)
	if err := s.checkObject(path+".", step, fields); err != nil {
		return nil, err
	}
	if err := s.checkObject(path+".flags.", step.child("flags"), known.Flags); err != nil {
		return nil, err
	}
	if err := s.checkLists(path+".flags.", step.child("flags"), known.Flags); err != nil {
		return nil, err
	}
	if step.text("key") == "" {
		if known.Key == "" {
			return nil, fmt.Errorf("%s: a %s requires a key", path, name)
		}
		step = append(slices.DeleteFunc(slices.Clone(step), func(m member) bool { return m.name == "key" }),
			member{"key", known.Key})
	}
	for _, name := range []string{"title", "description", "successButtonTitle"} {
		if err := checkTitle(path+"."+name, step, name); err != nil {
			return nil, err
		}
	}
	var err error
	switch name {
	case "video-call":
		step, err = s.checkCall(path, step)
	case "company":
		err = checkKYBFields(path+".fields", step.list("fields"))
	case "beneficiaries":
		err = checkRoles(path, step)
	case "user-questionnaire", "operator-questionnaire":
		err = s.checkQuestions(path, step)
	}
	return step, err
}

// checkTitle checks that a member is a string or an object with one string per language.
func checkTitle(path string, o object, name string) error {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case string:
		return nil
	case object:
		for _, m := range v {
			if _, isText := m.value.(string); !isText {
				return fmt.Errorf("%s.%s is not a string", path, m.name)
			}
		}
		return nil
	}
	return fmt.Errorf("%s is neither a string nor an object with one string per language", path)
}

// checkCall checks the steps of a video call.
func (s *Server) checkCall(path string, step object) (object, error) {
	inner := []any{}
	for i, v := range step.list("steps") {
		innerPath := fmt.Sprintf("%s.steps[%d]", path, i)
		checked, err := s.checkStep(innerPath, v)
		if err != nil {
			return nil, err
		}
		switch name := checked.text("type"); name {
		case "language", "operator-questionnaire", "video-call":
			return nil, fmt.Errorf("%s: a video call cannot have a %s step", innerPath, name)
		}
		inner = append(inner, checked)
	}
	out := slices.DeleteFunc(slices.Clone(step), func(m member) bool { return m.name == "steps" })
	return append(out, member{"steps", inner}), nil
}

func checkKYBFields(path string, list []any) error {
	for i, v := range list {
		f, _ := v.(object)
		if !slices.Contains(documented.KYBFields, f.text("type")) {
			return fmt.Errorf("%s[%d]: unknown type %q", path, i, f.text("type"))
		}
		for _, m := range f {
			if _, isBool := m.value.(bool); m.name != "type" && !(m.name == "mandatory" && isBool) {
				return fmt.Errorf("%s[%d].%s is unknown or has the wrong type", path, i, m.name)
			}
		}
	}
	return nil
}

func checkRoles(path string, step object) error {
	for _, m := range step.child("roles") {
		rolePath := path + ".roles." + m.name
		role, isObject := m.value.(object)
		if !slices.Contains(documented.Roles, m.name) || !isObject {
			return fmt.Errorf("%s is unknown or not an object", rolePath)
		}
		for _, rm := range role {
			_, isList := rm.value.([]any)
			_, isBool := rm.value.(bool)
			if !(rm.name == "fields" && isList) && !(rm.name == "verification" && isBool) {
				return fmt.Errorf("%s.%s is unknown or has the wrong type", rolePath, rm.name)
			}
		}
		if err := checkKYBFields(rolePath+".fields", role.list("fields")); err != nil {
			return err
		}
		// A shareholder can be a company, which is verified with kybConfigId.
		kyc, kyb := step.text("kycConfigId") != "", step.text("kybConfigId") != ""
		if role.flag("verification") && !kyc && !(m.name == "shareholder" && kyb) {
			return fmt.Errorf("%s: verification requires kycConfigId, or kybConfigId for shareholders", rolePath)
		}
	}
	return nil
}

func (s *Server) checkQuestions(path string, step object) error {
	keys, optionKeys := map[string]bool{}, map[string]bool{}
	questions := step.list("questions")
	for i, v := range questions {
		questionPath := fmt.Sprintf("%s.questions[%d]", path, i)
		q, ok := v.(object)
		if !ok {
			return fmt.Errorf("%s is not an object", questionPath)
		}
		if err := s.checkQuestion(questionPath, q, optionKeys); err != nil {
			return err
		}
		if keys[q.text("key")] {
			return fmt.Errorf("%s: two questions have the key %q", questionPath, q.text("key"))
		}
		keys[q.text("key")] = true
	}
	for i, v := range questions {
		q, _ := v.(object)
		target := q.child("showConditions").text("questionKey")
		if target != "" && (!keys[target] || target == q.text("key")) {
			return fmt.Errorf("%s.questions[%d].showConditions: no other question has the key %q", path, i, target)
		}
	}
	return nil
}

// checkQuestion checks a question. It adds the keys of the options to optionKeys: they must be unique
// in the questionnaire.
func (s *Server) checkQuestion(path string, q object, optionKeys map[string]bool) error {
	known, ok := documented.QuestionOf(q.text("type"))
	if !ok {
		if q.text("type") != "" && s.allowed(q.text("type")) {
			return nil
		}
		return fmt.Errorf("%s: unknown question type %q", path, q.text("type"))
	}
	fields := slices.Concat(documented.QuestionMembers, known.Parameters)
	if err := s.checkObject(path+".", q, fields); err != nil {
		return err
	}
	if err := s.checkLists(path+".", q, fields); err != nil {
		return err
	}
	for _, name := range []string{"title", "description"} {
		if err := checkTitle(path+"."+name, q, name); err != nil {
			return err
		}
	}
	if q.text("type") == "string" {
		return checkTitle(path+".answer", q, "answer")
	}
	if _, limited := q.get("filesMaxCount"); limited {
		if n := q.integer("filesMaxCount", 0); n < 1 || n > 10 {
			return fmt.Errorf("%s.filesMaxCount is not between 1 and 10", path)
		}
	}
	if _, ok := q.get("options"); !ok {
		return nil
	}
	options := map[string]bool{}
	for i, v := range q.list("options") {
		o, _ := v.(object)
		optionPath := fmt.Sprintf("%s.options[%d]", path, i)
		if err := s.checkObject(optionPath+".", o, documented.OptionMembers); err != nil {
			return err
		}
		if err := checkTitle(optionPath+".title", o, "title"); err != nil {
			return err
		}
		if optionKeys[o.text("key")] {
			return fmt.Errorf("%s: another option in the questionnaire has the key %q", optionPath, o.text("key"))
		}
		optionKeys[o.text("key")], options[o.text("key")] = true, true
	}
	if len(options) == 0 {
		return fmt.Errorf("%s has no options", path)
	}
	preset := q.texts("answer")
	if answer := q.text("answer"); answer != "" {
		preset = append(preset, answer)
	}
	for _, key := range preset {
		if !options[key] {
			return fmt.Errorf("%s.answer: no option has the key %q", path, key)
		}
	}
	return nil
}
