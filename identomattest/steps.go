package identomattest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// globalFlags are the flags of begin/. The first group is from Identomat's developer guides. The
// second group is undocumented, but integrations use it.
var globalFlags = []field{
	{name: "skip_face", kind: boolean},
	{name: "skip_document", kind: boolean},
	{name: "return_url", nullable: true},
	{name: "language"},
	{name: "skip_desktop", kind: boolean},
	{name: "switch_device_url", nullable: true},
	{name: "restrict_url_sharing", kind: boolean},
	{name: "optional_continue_on_another_device", kind: boolean},
	{name: "multiple_participants", kind: boolean},
	{name: "requireHdMedia", kind: boolean},
	{name: "liveness", kind: boolean},
	{name: "document_types", kind: texts},
	{name: "document_countries", kind: texts},
	{name: "general_document_types", kind: texts},
	{name: "allow_general_document_capture", kind: boolean},
	{name: "allow_general_document_upload", kind: boolean},
	{name: "allow_document_upload", kind: boolean},
	{name: "allow_face_upload", kind: boolean},
	{name: "allow_face_doc_upload", kind: boolean},
	{name: "require_face_document", kind: boolean},
	{name: "disable_document_capture", kind: boolean},
	{name: "capture_double_page_passport", kind: boolean},
	{name: "require_email_check", kind: boolean},
	{name: "require_email", kind: boolean},
	{name: "require_phone_number_check", kind: boolean},
	{name: "require_phone_number", kind: boolean},
	{name: "cascading_identity_verification", kind: boolean},

	{name: "skip_agreement", kind: boolean},
	{name: "server"},
	{name: "platform"},
	{name: "allow_nfc_capture", kind: boolean},
	{name: "document_type_id", kind: boolean},
	{name: "document_type_passport", kind: boolean},
	{name: "document_type_driver_license", kind: boolean},
	{name: "document_type_residence_license", kind: boolean},
	{name: "document_type_non_bio_passport", kind: boolean},
	{name: "document_type_driver_license_vis", kind: boolean},
	{name: "inn", kind: boolean},
}

// stepType is what Identomat's developer guides document about a type of step.
type stepType struct {
	// key is the default key. If it is "", the request must set a key.
	key   string
	flags []field
	// params are the parameters other than type, key, title and flags.
	params []field
}

var stepTypes = map[string]stepType{
	"language": {key: "language", params: []field{{name: "languages", kind: texts}}},
	"identity-document": {key: "identity-document", flags: []field{
		{name: "disable_document_capture", kind: boolean},
		{name: "allow_document_upload", kind: boolean},
		{name: "document_types", kind: texts},
		{name: "documentTypes", kind: texts}, // the spelling of get-session-config
		{name: "document_countries", kind: texts},
	}},
	"liveness": {key: "liveness", flags: []field{
		{name: "liveness", kind: boolean},
		{name: "allow_face_upload", kind: boolean},
		{name: "maxLivenessAttempts", kind: integer},
	}},
	"general-document": {key: "select_general_document", flags: []field{
		{name: "general_document_types", kind: texts},
	}},
	"face-document": {key: "capture_face_document", flags: []field{
		{name: "allow_face_doc_upload", kind: boolean},
		{name: "require_face_document", kind: boolean},
	}},
	"company": {key: "company", params: []field{
		{name: "description", kind: unchecked},
		{name: "fields", kind: anyList},
	}},
	"beneficiaries": {key: "beneficiaries", params: []field{
		{name: "description", kind: unchecked},
		{name: "roles", kind: anyObject},
		{name: "kycConfigId"},
		{name: "kybConfigId"},
	}},
	"kyb-review": {key: "kyb-review", params: []field{{name: "description", kind: unchecked}}},
	"video-call": {key: "video-call", params: []field{
		{name: "steps", kind: anyList},
		{name: "resetSteps", kind: boolean},
		{name: "hideCameraOption", kind: boolean},
		{name: "nameRequired", kind: boolean},
		{name: "multiple_participants", kind: boolean},
		{name: "multiple_participans", kind: boolean}, // misspelled in one list of the developer guide
	}},
	"phone-number": {key: "phone_number", flags: []field{
		{name: "require_phone_number_check", kind: boolean},
		{name: "require_phone_number", kind: boolean},
	}},
	"email": {key: "require_email", flags: []field{
		{name: "require_email_check", kind: boolean},
		{name: "require_email", kind: boolean},
	}},
	"geolocation": {key: "require_geolocation", flags: []field{
		{name: "require_geolocation", kind: boolean},
	}},
	"user-questionnaire": {params: []field{
		{name: "description", kind: unchecked},
		{name: "questions", kind: anyList},
		{name: "successButtonTitle", kind: unchecked},
	}},
	"operator-questionnaire": {params: []field{
		{name: "description", kind: unchecked},
		{name: "questions", kind: anyList},
	}},
}

var questionTypes = map[string][]field{
	"string":          {{name: "answer", kind: unchecked}},
	"multiple-choice": {{name: "answer", kind: texts}, {name: "options", kind: anyList, required: true}},
	"options":         {{name: "answer"}, {name: "options", kind: anyList, required: true}},
	"dropdown":        {{name: "options", kind: anyList, required: true}, {name: "multiple", kind: boolean}},
	"file": {
		{name: "description", kind: unchecked},
		{name: "fileTypes", kind: texts},
		{name: "filesMaxCount", kind: integer},
	},
	"boolean": {{name: "answer", kind: boolean}}, // only in Identomat's oldest manual
}

// values lists the documented items of flags and parameters that are arrays.
var values = map[string][]string{
	"document_types":         {"id", "passport", "driver_license", "residence_license", "residence_permit", "non_bio_passport"},
	"documentTypes":          {"id", "passport", "driver_license", "residence_license", "residence_permit", "non_bio_passport"},
	"general_document_types": {"bank_statement", "utility_bill", "yellow_slip", "drivers_license", "vehicle_registration_certificate"},
	"fileTypes":              {"pdf", "image"},
}

var kybFields = []string{
	"companyName", "registrationNumber", "registrationCountry", "companyEntityType", "legalAddress", "taxId",
	"dateOfIncorporation", "contactNumber", "email", "website", "ownershipPercentage", "firstName", "lastName",
	"dateOfBirth", "positionName",
}

var kybRoles = []string{"shareholder", "ubo", "director", "representative", "other"}

var countryCode = regexp.MustCompile(`^[A-Z]{3}$`)

func (s *Server) checkFlags(flags object) error {
	if err := s.checkObject("flags.", flags, globalFlags); err != nil {
		return err
	}
	if err := s.checkLists("flags.", flags); err != nil {
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
func (s *Server) checkLists(path string, o object) error {
	for _, m := range o {
		for _, item := range o.texts(m.name) {
			if known, ok := values[m.name]; ok && !slices.Contains(known, item) && !s.allowed(item) {
				return fmt.Errorf("%s%s: unknown value %q", path, m.name, item)
			}
			if m.name == "document_countries" && !countryCode.MatchString(item) {
				return fmt.Errorf("%s%s: %q is not a country code of three capital letters", path, m.name, item)
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
	known, ok := stepTypes[name]
	if !ok {
		if name == "" || !s.allowed(name) {
			return nil, fmt.Errorf("%s: unknown step type %q", path, name)
		}
		return step, nil
	}
	fields := append([]field{
		{name: "type", required: true},
		{name: "key"},
		{name: "title", kind: unchecked},
		{name: "flags", kind: anyObject},
	}, known.params...)
	if err := s.checkObject(path+".", step, fields); err != nil {
		return nil, err
	}
	if err := s.checkObject(path+".flags.", step.child("flags"), known.flags); err != nil {
		return nil, err
	}
	if err := s.checkLists(path+".flags.", step.child("flags")); err != nil {
		return nil, err
	}
	if step.text("key") == "" {
		if known.key == "" {
			return nil, fmt.Errorf("%s: a %s requires a key", path, name)
		}
		step = append(slices.DeleteFunc(slices.Clone(step), func(m member) bool { return m.name == "key" }),
			member{"key", known.key})
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
		if !slices.Contains(kybFields, f.text("type")) {
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
		if !slices.Contains(kybRoles, m.name) || !isObject {
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
	typeFields, ok := questionTypes[q.text("type")]
	if !ok {
		if q.text("type") != "" && s.allowed(q.text("type")) {
			return nil
		}
		return fmt.Errorf("%s: unknown question type %q", path, q.text("type"))
	}
	fields := append([]field{
		{name: "type", required: true},
		{name: "key", required: true},
		{name: "title", kind: unchecked},
		{name: "mandatory", kind: boolean},
		{name: "readOnly", kind: boolean},
		{name: "showConditions", kind: nested, fields: []field{
			{name: "questionKey", required: true},
			{name: "answer", required: true},
		}},
	}, typeFields...)
	if err := s.checkObject(path+".", q, fields); err != nil {
		return err
	}
	if err := s.checkLists(path+".", q); err != nil {
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
		if err := s.checkObject(optionPath+".", o, []field{{name: "key", required: true}, {name: "title", kind: unchecked}}); err != nil {
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
