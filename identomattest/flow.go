package identomattest

import (
	"cmp"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/documented"
)

// visit is what a person has entered on a session's page.
type visit struct {
	language      string                       // chosen in a language step, or ""
	position      int                          // index in flowSteps of the current step; one past the last is the decision
	done          map[string]bool              // completed steps, by step key
	fields        map[string]map[string]string // values of form fields, by step key and field name
	beneficiaries map[string][]beneficiary     // by step key
	answers       map[[2]string]any            // by step key and question key
	files         map[[2]string][]questionFile // by step key and question key
	codes         map[string]string            // one-time passwords sent and not yet entered, by step key
}

type beneficiary struct {
	role    string
	company bool              // only a shareholder can be a company
	values  map[string]string // by KYB field
}

func newVisit() visit {
	return visit{
		done: map[string]bool{}, fields: map[string]map[string]string{}, beneficiaries: map[string][]beneficiary{},
		answers: map[[2]string]any{}, files: map[[2]string][]questionFile{}, codes: map[string]string{},
	}
}

// flowStep is one step in the order in which the page shows them.
type flowStep struct {
	step   object
	inCall bool // the step is part of a video call
}

// flowSteps returns the session's steps. A video call's steps follow the call.
func (ses *session) flowSteps() []flowStep {
	var out []flowStep
	for _, step := range ses.steps {
		out = append(out, flowStep{step, false})
		for _, inner := range step.list("steps") {
			if o, ok := inner.(object); ok {
				out = append(out, flowStep{o, true})
			}
		}
	}
	return out
}

// page is the template's data.
type page struct {
	Nonce string
	// State is open, unknown, expired, early, finished or done.
	State     string
	Token     string
	Lang, Dir string // language and direction of the page's own texts
	Name      string
	Outcome   string
	Opens     string
	ReturnURL string
	Desktop   bool // whether the flag skip_desktop is set
	Steps     []stepSummary
	Number    int
	Total     int
	Step      *stepView // nil when the page asks for the decision
	People    []choice
	Reasons   []string

	translation translation
	language    string
}

type stepSummary struct {
	Title         phrase
	Done, Current bool
	InCall        bool
}

// stepView is the form of one step.
type stepView struct {
	Key, Type, Icon string
	Title           phrase
	Description     phrase
	Notes           []string
	Summary         []entry
	Groups          []section
	Adds            []choice
	Submit          phrase
	First           bool
	InCall          bool
	Operator        bool
	Waiting         bool // whether the step waits for a one-time password
	Problems        []*input
	// Checked reports whether this is a submitted form that is shown again.
	Checked bool
}

type entry struct{ Label, Value string }

// section is a group of fields. Legend is its heading, or "".
type section struct {
	Legend string
	Note   string
	Remove string
	Inputs []*input
}

// input is one field of a form. Kind is text, email, tel, date, url, code, radio, checkbox,
// select, file or boolean.
type input struct {
	Kind, Name, ID string
	Label          phrase
	Hint           phrase
	Value          string
	Options        []choice
	Required       bool
	ReadOnly       bool
	Multiple       bool
	Accept         string
	Autocomplete   string
	// The field is shown only while the field named When has the value Is. Hidden reports
	// whether it is hidden now.
	When, Is string
	Hidden   bool
	Error    string
	Uploaded int

	key    string // key of the question or KYB field
	preset any
	limit  int
	types  []string
}

// choice is an option of a field or a button.
type choice struct {
	Value   string
	Label   phrase
	Checked bool
}

// T returns a text in the page's language.
func (p *page) T(key string, args ...any) string { return p.translation.text(key, args...) }

// OutcomeText describes the outcome. It returns "" for an outcome that only SetResult can set.
func (p *page) OutcomeText() string { return p.translation["outcome_"+p.Outcome] }

func newPage(ses *session, state, token string) *page {
	p := &page{State: state, Token: token, language: "en"}
	if ses != nil {
		p.language = ses.language()
		p.Name, p.Outcome = ses.name, ses.decision.outcome
		p.Opens = wireTime(ses.opens)
		p.ReturnURL = ses.flags.text("return_url")
		p.Desktop = ses.flags.flag("skip_desktop")
	}
	p.translation, p.Lang = translationFor(p.language)
	p.Dir = "ltr"
	if p.Lang == "ar" {
		p.Dir = "rtl"
	}
	return p
}

// language returns the first language that is set on the page, in the flags or in the configuration, or
// else English.
func (ses *session) language() string {
	return cmp.Or(ses.visit.language, ses.flags.text("language"), ses.configLanguage, "en")
}

// fill describes the session's progress. The parameter rejected, if not nil, is a submitted form with
// errors. The page then shows this form instead of a new one, to keep what was entered.
func (p *page) fill(ses *session, rejected *stepView) {
	steps := ses.flowSteps()
	current := min(ses.visit.position, len(steps))
	for i, s := range steps {
		key := s.step.text("key")
		p.Steps = append(p.Steps, stepSummary{p.titleOf(s.step), ses.visit.done[key], i == current, s.inCall})
	}
	p.Number, p.Total = current+1, len(steps)
	if current < len(steps) {
		if p.Step = rejected; rejected == nil {
			p.Step = p.view(ses, steps[current])
		}
		p.Step.First = current == 0
		return
	}
	issuingState := "USA"
	for _, s := range steps {
		if country := ses.visit.fields[s.step.text("key")]["country"]; country != "" {
			issuingState = country
		}
	}
	for _, known := range people {
		p.People = append(p.People, choice{known.key, phrase{Text: known.person.fullName() + ", " + known.person.IssuingState}, known.person.IssuingState == issuingState})
	}
	p.Reasons = []string{"low_similarity", "face_mismatch"}
}

// people are the people that the page and the control API offer.
var people = []struct {
	key    string
	person Person
}{{"john-smith", JohnSmith}, {"nino-beridze", GeorgianPerson}, {"juergen-groessmann", GermanPerson}}

func personNamed(key string) (Person, bool) {
	for _, p := range people {
		if p.key == key {
			return p.person, true
		}
	}
	return Person{}, false
}

// view builds the form of a step, with the values entered so far.
func (p *page) view(ses *session, current flowStep) *stepView {
	step, key := current.step, current.step.text("key")
	v := &stepView{
		Key: key, Type: step.text("type"), Icon: iconOf(step.text("type")), InCall: current.inCall,
		Title: p.titleOf(step), Description: p.localized(step, "description"), Submit: phrase{Text: p.T("continue")},
	}
	saved, flags := ses.visit.fields[key], step.child("flags")
	single := func(inputs ...*input) { v.Groups = append(v.Groups, section{Inputs: inputs}) }
	switch v.Type {
	case "language":
		single(p.languages(step))
	case "identity-document":
		types := append(flags.texts("document_types"), flags.texts("documentTypes")...)
		if len(types) == 0 {
			types = []string{"id", "passport", "driver_license", "residence_license"}
		}
		single(p.codeChoice("document_type", p.T("document_type"), "doc_", types, saved["document_type"]))
		if codes := flags.texts("document_countries"); len(codes) > 0 {
			country := &input{Kind: "select", Name: "country", Label: phrase{Text: p.T("country")}, Required: true}
			for i, code := range codes {
				country.Options = append(country.Options, choice{code, phrase{Text: countryName(code)}, code == saved["country"] || saved["country"] == "" && i == 0})
			}
			single(country)
		}
		switch {
		case flags.flag("disable_document_capture"):
			v.Notes = append(v.Notes, p.T("upload_only"))
		case flags.flag("allow_document_upload"):
			v.Notes = append(v.Notes, p.T("scan_or_upload"))
		}
		v.Notes = append(v.Notes, p.T("no_photo"))
	case "liveness":
		if flags.flag("liveness") {
			v.Notes = append(v.Notes, p.T("active"))
		} else {
			v.Notes = append(v.Notes, p.T("passive"))
			if flags.flag("allow_face_upload") {
				v.Notes = append(v.Notes, p.T("scan_or_upload"))
			}
		}
		v.Notes = append(v.Notes, p.T("no_photo"))
	case "general-document":
		types := flags.texts("general_document_types")
		if len(types) == 0 {
			types = []string{"utility_bill", "bank_statement", "drivers_license", "vehicle_registration_certificate", "yellow_slip"}
		}
		single(p.codeChoice("general_document_type", p.T("document_type"), "general_", types, saved["general_document_type"]))
		v.Notes = append(v.Notes, p.T("no_photo"))
	case "face-document":
		v.Notes = append(v.Notes, p.T("hold_document"))
		if flags.flag("allow_face_doc_upload") {
			v.Notes = append(v.Notes, p.T("scan_or_upload"))
		}
		v.Notes = append(v.Notes, p.T("no_photo"))
	case "company":
		fields := step.list("fields")
		if len(fields) == 0 {
			fields = companyFields
		}
		single(p.kyb("", fields, saved, nil)...)
	case "beneficiaries":
		p.beneficiaries(v, ses, step)
	case "kyb-review":
		v.Summary = p.kybSummary(ses)
		if len(v.Summary) == 0 {
			v.Notes = append(v.Notes, p.T("nothing_entered"))
		}
	case "video-call":
		v.Notes = append(v.Notes, p.T("call"))
		if ses.participants() > 1 {
			v.Notes = append(v.Notes, p.T("call_several"))
		}
		if step.flag("nameRequired") {
			single(&input{Kind: "text", Name: "participant", Label: phrase{Text: p.T("your_name")}, Required: true, Autocomplete: "name", Value: saved["participant"]})
		}
	case "phone-number":
		p.contact(v, ses, &input{Kind: "tel", Name: "contact", Label: phrase{Text: p.T("phone")}, Autocomplete: "tel",
			Hint: phrase{Text: p.T("phone_hint")}, Value: cmp.Or(saved["contact"], JohnSmith.PhoneNumber)})
	case "email":
		p.contact(v, ses, &input{Kind: "email", Name: "contact", Label: phrase{Text: p.T("email")}, Autocomplete: "email",
			Value: cmp.Or(saved["contact"], JohnSmith.Email)})
	case "geolocation":
		v.Notes = append(v.Notes, p.T("location"))
		if required, set := flags.get("require_geolocation"); set && required == false {
			single(&input{Kind: "radio", Name: "share", Label: phrase{Text: p.T("share")}, Required: true, Options: []choice{
				{"yes", phrase{Text: p.T("yes")}, saved["share"] != "no"}, {"no", phrase{Text: p.T("no")}, saved["share"] == "no"},
			}})
		}
	case "user-questionnaire", "operator-questionnaire":
		single(p.questions(ses, step)...)
		v.Operator = v.Type == "operator-questionnaire"
		if title := p.localized(step, "successButtonTitle"); title.Text != "" {
			v.Submit = title
		}
	default:
		v.Notes = append(v.Notes, p.T("unknown_step"))
	}
	numberInputs(v)
	return v
}

// numberInputs gives every field an id.
func numberInputs(v *stepView) {
	i := 0
	for _, g := range v.Groups {
		for _, in := range g.Inputs {
			in.ID = "f" + strconv.Itoa(i)
			i++
		}
	}
}

func (v *stepView) inputs() []*input {
	var out []*input
	for _, g := range v.Groups {
		out = append(out, g.Inputs...)
	}
	return out
}

func (p *page) languages(step object) *input {
	codes := step.texts("languages")
	if len(codes) == 0 {
		codes = languageCodes
	}
	in := &input{Kind: "radio", Name: "language", Label: phrase{Text: p.T("language")}, Required: true}
	for _, code := range codes {
		in.Options = append(in.Options, choice{code, phrase{Text: languageName(code), Lang: htmlLang(code)}, code == p.language})
	}
	return in
}

// codeChoice returns radio buttons for codes, with the translation of prefix+code as the label.
func (p *page) codeChoice(name, label, prefix string, codes []string, chosen string) *input {
	in := &input{Kind: "radio", Name: name, Label: phrase{Text: label}, Required: true}
	for i, code := range codes {
		text := p.translation[prefix+code]
		if text == "" {
			text = code
		}
		in.Options = append(in.Options, choice{code, phrase{Text: text}, code == chosen || chosen == "" && i == 0})
	}
	return in
}

// contact asks for a phone number or an email address or, after sending a one-time password, for that
// password.
func (p *page) contact(v *stepView, ses *session, in *input) {
	code := ses.visit.codes[v.Key]
	if code == "" {
		in.Required = true
		v.Groups = []section{{Inputs: []*input{in}}}
		return
	}
	v.Waiting = true
	v.Notes = append(v.Notes, p.T("code_sent", ses.visit.fields[v.Key]["contact"]), p.T("code_is", code))
	v.Groups = []section{{Inputs: []*input{{Kind: "code", Name: "code", Label: phrase{Text: p.T("code")}, Required: true, Autocomplete: "one-time-code"}}}}
}

// needsCode reports whether the contact is verified by a one-time password.
func needsCode(step object) bool {
	flags := step.child("flags")
	return flags.flag("require_phone_number_check") || flags.flag("require_email_check")
}

// kyb returns the inputs for KYB fields. A filter that is not nil reports which fields to keep.
func (p *page) kyb(prefix string, fields []any, values map[string]string, filter func(string) bool) []*input {
	var out []*input
	for _, f := range fields {
		field, _ := f.(object)
		key := field.text("type")
		if filter != nil && !filter(key) {
			continue
		}
		in := &input{
			Kind: "text", Name: prefix + key, key: key, Value: values[key], Required: field.flag("mandatory"),
			Label: phrase{kybLabels[key], p.langAttr("en")},
		}
		switch key {
		case "email":
			in.Kind = "email"
		case "website":
			in.Kind = "url"
		case "contactNumber":
			in.Kind = "tel"
		case "dateOfIncorporation", "dateOfBirth":
			in.Kind = "date"
		case "registrationCountry":
			in.Kind = "select"
			in.Options = []choice{{"", phrase{Text: p.T("choose")}, in.Value == ""}}
			for _, c := range countries() {
				in.Options = append(in.Options, choice{c.code, phrase{c.name, p.langAttr("en")}, c.code == in.Value})
			}
		case "companyEntityType":
			in.Kind = "select"
			in.Options = []choice{{"", phrase{Text: p.T("choose")}, in.Value == ""}}
			for _, name := range entityTypes {
				in.Options = append(in.Options, choice{name, phrase{name, p.langAttr("en")}, name == in.Value})
			}
		}
		out = append(out, in)
	}
	return out
}

var kybLabels = map[string]string{
	"companyName": "Company name", "registrationNumber": "Registration number", "registrationCountry": "Registration country",
	"companyEntityType": "Entity type", "legalAddress": "Legal address", "taxId": "VAT / tax ID",
	"dateOfIncorporation": "Date of incorporation", "contactNumber": "Contact number", "email": "Contact email address",
	"website": "Website", "ownershipPercentage": "Ownership percentage", "firstName": "First name", "lastName": "Last name",
	"dateOfBirth": "Date of birth", "positionName": "Position",
}

var entityTypes = []string{
	"Limited liability company", "Publicly listed company", "Sole proprietor", "Partnership", "Corporation", "Trust",
	"Private foundation", "Charity", "Nonprofit organization", "Other",
}

// companyFields are the default fields of a company step, and personFields are those of a role.
var (
	companyFields = kybList("companyName!", "registrationNumber!", "registrationCountry!", "companyEntityType", "legalAddress",
		"taxId", "dateOfIncorporation", "contactNumber", "email")
	personFields = kybList("firstName!", "lastName!", "dateOfBirth!", "companyName!", "registrationNumber!", "registrationCountry!",
		"positionName!", "ownershipPercentage", "contactNumber", "email")
)

// kybList returns KYB fields in wire form. An exclamation mark makes a field mandatory.
func kybList(names ...string) []any {
	var out []any
	for _, name := range names {
		name, mandatory := strings.CutSuffix(name, "!")
		out = append(out, object{{"type", name}, {"mandatory", mandatory}})
	}
	return out
}

var (
	companyOnlyFields = []string{"companyName", "registrationNumber", "registrationCountry", "companyEntityType", "legalAddress", "taxId", "dateOfIncorporation", "website"}
	personOnlyFields  = []string{"firstName", "lastName", "dateOfBirth"}
)

// hasField reports whether a KYB field applies to the beneficiary. Only the role "other" has a
// position, and only shareholders and UBOs have an ownership percentage.
func (b beneficiary) hasField(key string) bool {
	switch {
	case b.company && slices.Contains(personOnlyFields, key), !b.company && slices.Contains(companyOnlyFields, key):
		return false
	case key == "positionName":
		return b.role == "other"
	case key == "ownershipPercentage":
		return b.role == "shareholder" || b.role == "ubo"
	}
	return true
}

func (p *page) beneficiaries(v *stepView, ses *session, step object) {
	roles := step.child("roles")
	if len(roles) == 0 {
		for _, role := range documented.Roles {
			roles = append(roles, member{role, object{}})
		}
	}
	for i, b := range ses.visit.beneficiaries[v.Key] {
		role := roles.child(b.role)
		fields := role.list("fields")
		if len(fields) == 0 {
			fields = personFields
		}
		g := section{Legend: p.roleName(b), Remove: "remove:" + strconv.Itoa(i), Inputs: p.kyb(fmt.Sprintf("b%d.", i), fields, b.values, b.hasField)}
		if role.flag("verification") {
			g.Note = p.T("will_be_verified")
		}
		v.Groups = append(v.Groups, g)
	}
	if len(v.Groups) == 0 {
		v.Notes = append(v.Notes, p.T("nobody"))
	}
	for _, m := range roles {
		v.Adds = append(v.Adds, choice{Value: "add:" + m.name, Label: phrase{Text: p.T("add", p.T("role_"+m.name))}})
		if m.name == "shareholder" {
			v.Adds = append(v.Adds, choice{Value: "add:shareholder-company", Label: phrase{Text: p.T("add", p.T("role_company"))}})
		}
	}
}

func (p *page) roleName(b beneficiary) string {
	if b.company {
		return p.T("role_company")
	}
	return p.T("role_" + b.role)
}

// kybSummary lists what was entered in the company and beneficiaries steps.
func (p *page) kybSummary(ses *session) []entry {
	var out []entry
	list := func(title string, values map[string]string) {
		for _, key := range documented.KYBFields {
			if values[key] != "" {
				out = append(out, entry{title + kybLabels[key], values[key]})
			}
		}
	}
	for _, step := range ses.flow() {
		key := step.text("key")
		switch step.text("type") {
		case "company":
			list("", ses.visit.fields[key])
		case "beneficiaries":
			for i, b := range ses.visit.beneficiaries[key] {
				list(fmt.Sprintf("%s %d: ", p.roleName(b), i+1), b.values)
			}
		}
	}
	return out
}

// questions returns one input per question. An input whose condition does not hold is hidden.
func (p *page) questions(ses *session, step object) []*input {
	key := step.text("key")
	values := map[string]any{}
	var out []*input
	for i, item := range step.list("questions") {
		q, _ := item.(object)
		id := [2]string{key, q.text("key")}
		in := &input{
			Name: "q" + strconv.Itoa(i), key: q.text("key"), Label: p.localized(q, "title"), Hint: p.localized(q, "description"),
			Required: q.flag("mandatory"), ReadOnly: q.flag("readOnly"), types: q.texts("fileTypes"),
		}
		if in.Label.Text == "" {
			in.Label = phrase{Text: in.key}
		}
		in.preset, _ = q.get("answer")
		value := in.preset
		if ses.visit.done[key] && !in.ReadOnly {
			value = ses.visit.answers[id]
		}
		condition := q.child("showConditions")
		if len(condition) > 0 {
			target := condition.text("questionKey")
			in.When, in.Is = inputName(out, target), condition.text("answer")
			in.Hidden = !answerMatches(values[target], in.Is)
		}
		switch q.text("type") {
		case "options":
			in.Kind = "radio"
		case "multiple-choice":
			in.Kind, in.Multiple = "checkbox", true
		case "dropdown":
			in.Kind, in.Multiple = "select", q.flag("multiple")
			if !in.Multiple {
				in.Options = []choice{{"", phrase{Text: p.T("choose")}, value == nil}}
			}
		case "boolean":
			in.Kind = "boolean"
			in.Value = map[bool]string{true: "true"}[value == true]
		case "file":
			in.Kind, in.limit, in.Uploaded = "file", q.integer("filesMaxCount", 10), len(ses.visit.files[id])
			in.Multiple = in.limit > 1
			if len(in.types) == 0 {
				in.types = []string{"pdf", "image"}
			}
			in.Accept = strings.NewReplacer("pdf", ".pdf,application/pdf", "image", "image/*").Replace(strings.Join(in.types, ","))
			if in.Hint.Text == "" {
				in.Hint = phrase{Text: p.T("files_hint", strings.Join(in.types, ", "), in.limit)}
			}
		default:
			in.Kind = "text"
			in.Value = presetText(value, p.language)
		}
		for _, o := range q.list("options") {
			option, _ := o.(object)
			label := p.localized(option, "title")
			if label.Text == "" {
				label = phrase{Text: option.text("key")}
			}
			in.Options = append(in.Options, choice{option.text("key"), label, answerMatches(value, option.text("key"))})
		}
		if !in.Hidden {
			values[in.key] = value
		}
		out = append(out, in)
	}
	return out
}

func inputName(inputs []*input, key string) string {
	for _, in := range inputs {
		if in.key == key {
			return in.Name
		}
	}
	return ""
}

// presetText returns a text answer, which may be an object with one text per language.
func presetText(v any, language string) string {
	switch v := v.(type) {
	case string:
		return v
	case object:
		return pickText(v, language).Text
	}
	return ""
}

// advance processes a submitted form. It returns the step's view if the form has errors, and the
// callback to send if the step needs a one-time password.
func (s *Server) advance(ses *session, form url.Values, upload *multipart.Form) (*stepView, *Callback) {
	steps := ses.flowSteps()
	v := &ses.visit
	current := slices.IndexFunc(steps, func(st flowStep) bool { return st.step.text("key") == form.Get("step") })
	if current < 0 {
		current = min(v.position, len(steps))
	}
	action := form.Get("action")
	switch {
	case action == "restart":
		*v = newVisit()
		return nil, nil
	case action == "finish":
		v.position = len(steps)
		return nil, nil
	case action == "back":
		if current < len(steps) && v.codes[steps[current].step.text("key")] != "" {
			delete(v.codes, steps[current].step.text("key")) // ask for the contact again
			return nil, nil
		}
		v.position = max(0, current-1)
		return nil, nil
	case current == len(steps):
		return nil, nil
	}
	v.position = current
	step := steps[current].step
	key := step.text("key")
	p := newPage(ses, "open", ses.token)
	view := p.view(ses, steps[current])
	if edit, ok := strings.CutPrefix(action, "add:"); ok && view.Type == "beneficiaries" {
		ses.saveBeneficiaries(key, view, form)
		role, isCompany := strings.CutSuffix(edit, "-company")
		if slices.Contains(documented.Roles, role) && len(v.beneficiaries[key]) < 50 {
			v.beneficiaries[key] = append(v.beneficiaries[key], beneficiary{role, isCompany, map[string]string{}})
		}
		return nil, nil
	}
	if edit, ok := strings.CutPrefix(action, "remove:"); ok && view.Type == "beneficiaries" {
		ses.saveBeneficiaries(key, view, form)
		if i, err := strconv.Atoi(edit); err == nil && i >= 0 && i < len(v.beneficiaries[key]) {
			v.beneficiaries[key] = slices.Delete(v.beneficiaries[key], i, i+1)
		}
		return nil, nil
	}
	if incomplete := p.submit(ses, key, view, form, upload); incomplete {
		return view, nil
	}
	if p.challenge(ses, step, view) {
		code := s.newCode()
		ses.visit.codes[view.Key] = code
		return nil, oneTimePassword(ses.token, view.Type, v.fields[key]["contact"], code)
	}
	switch view.Type {
	case "language":
		v.language = v.fields[key]["language"]
	case "beneficiaries":
		ses.saveBeneficiaries(key, view, form)
	}
	v.done[key] = true
	v.position = current + 1
	return nil, nil
}

// challenge reports whether a contact step needs a one-time password. It deletes a password that has been
// entered.
func (p *page) challenge(ses *session, step object, view *stepView) bool {
	if view.Waiting {
		delete(ses.visit.codes, view.Key)
		return false
	}
	return (view.Type == "phone-number" || view.Type == "email") && needsCode(step)
}

func (ses *session) saveBeneficiaries(key string, view *stepView, form url.Values) {
	for i, g := range view.Groups {
		for _, in := range g.Inputs {
			ses.visit.beneficiaries[key][i].values[in.key] = strings.TrimSpace(form.Get(in.Name))
		}
	}
}

// submit validates a form and stores its values. It reports whether the form is incomplete: a value is
// missing or wrong, or an answer reveals a question that was not on the form.
func (p *page) submit(ses *session, stepKey string, view *stepView, form url.Values, upload *multipart.Form) (incomplete bool) {
	values := map[string]any{}
	answers, files := map[[2]string]any{}, map[[2]string][]questionFile{}
	fields := map[string]string{}
	byName := map[string]*input{}
	questionnaire := isQuestionnaire(object{{"type", view.Type}})
	for _, in := range view.inputs() {
		byName[in.Name] = in
		id := [2]string{stepKey, in.key}
		if in.When != "" {
			controller := byName[in.When]
			shown := !controller.Hidden && answerMatches(values[in.When], in.Is)
			in.Hidden = !shown
			if !shown {
				answers[id] = nil
				continue
			}
			if !slices.Contains(form["shown"], in.Name) {
				incomplete = true // without JavaScript, the page could not show this question, so show it now
			}
		} else if in.Hidden {
			answers[id] = nil // the condition refers to a later question, or to a question without an input
			continue
		}
		value := p.readInput(in, form, upload, ses.visit.files[id])
		values[in.Name] = value
		answers[id] = value
		if list, ok := value.([]questionFile); ok {
			files[id], answers[id] = list, len(list)
			if len(list) == 0 {
				answers[id] = nil
			}
		}
		if text, ok := value.(string); ok {
			fields[in.Name] = text
		}
		if view.Waiting && in.Error == "" && fields["code"] != ses.visit.codes[stepKey] {
			in.Error = p.T("err_code")
		}
		if in.Error != "" {
			view.Problems = append(view.Problems, in)
		}
	}
	if len(view.Problems) > 0 || incomplete {
		view.Checked = true
		return true
	}
	switch {
	case questionnaire:
		for id, value := range answers {
			ses.visit.answers[id] = value
		}
		for id, list := range files {
			ses.visit.files[id] = list
		}
	case !view.Waiting:
		ses.visit.fields[stepKey] = fields
	}
	return false
}

// readInput returns the submitted value of a field and stores it in the field.
func (p *page) readInput(in *input, form url.Values, upload *multipart.Form, previous []questionFile) any {
	if in.ReadOnly {
		return in.preset
	}
	values := slices.DeleteFunc(slices.Clone(form[in.Name]), func(s string) bool { return strings.TrimSpace(s) == "" })
	if len(in.Options) > 0 {
		var chosen []string
		for i, o := range in.Options {
			in.Options[i].Checked = slices.Contains(values, o.Value)
			if in.Options[i].Checked {
				chosen = append(chosen, o.Value)
			}
		}
		switch {
		case len(chosen) == 0:
			if in.Required {
				in.Error = p.T("err_choose")
			}
			return nil
		case in.Multiple:
			return chosen
		}
		return chosen[0]
	}
	switch in.Kind {
	case "boolean":
		yes := len(values) > 0
		in.Value = map[bool]string{true: "true"}[yes]
		if !yes && in.Required {
			in.Error = p.T("err_required")
		}
		return yes
	case "file":
		return p.readFiles(in, upload, previous)
	}
	in.Value = strings.TrimSpace(form.Get(in.Name))
	if in.Value == "" {
		if in.Required {
			in.Error = p.T("err_required")
		}
		return nil
	}
	switch in.Kind {
	case "email":
		if _, err := mail.ParseAddress(in.Value); err != nil || !emailFormat.MatchString(in.Value) {
			in.Error = p.T("err_email")
		}
	case "tel":
		digits := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" ()-./", r) {
				return -1
			}
			return r
		}, in.Value)
		if !phoneFormat.MatchString(digits) {
			in.Error = p.T("err_phone")
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, in.Value); err != nil {
			in.Error = p.T("err_date")
		}
	}
	if o, ok := in.preset.(object); ok && in.Value == presetText(o, p.language) {
		return o // the preset in all languages, left unchanged
	}
	return in.Value
}

const maxUpload = 10 << 20

// readFiles returns the uploaded files, or the previous ones if none were uploaded.
func (p *page) readFiles(in *input, upload *multipart.Form, previous []questionFile) any {
	var headers []*multipart.FileHeader
	if upload != nil {
		headers = upload.File[in.Name]
	}
	out := []questionFile{}
	for _, h := range headers {
		if h.Filename == "" {
			continue
		}
		if h.Size > maxUpload {
			in.Error = p.T("err_file_size", maxUpload>>20)
			return previous
		}
		f, err := h.Open()
		if err != nil {
			in.Error = p.T("err_required")
			return previous
		}
		data, err := io.ReadAll(f)
		_ = f.Close()
		extension, known := fileType(data)
		if err != nil || !known || !slices.Contains(in.types, map[bool]string{true: "pdf", false: "image"}[extension == "pdf"]) {
			in.Error = p.T("err_file_type", strings.Join(in.types, ", "))
			return previous
		}
		out = append(out, questionFile{extension, data})
	}
	if len(out) > in.limit {
		in.Error = p.T("err_file_count", in.limit)
		return previous
	}
	if len(out) == 0 {
		out = append(out, previous...)
	}
	in.Uploaded = len(out)
	if len(out) == 0 && in.Required {
		in.Error = p.T("err_file")
	}
	return out
}

// fileType detects the type from the content, not from the file name.
func fileType(data []byte) (extension string, ok bool) {
	switch kind := http.DetectContentType(data); kind {
	case "application/pdf":
		return "pdf", true
	case "image/jpeg":
		return "jpg", true
	case "image/png", "image/gif", "image/webp":
		return strings.TrimPrefix(kind, "image/"), true
	}
	return "", false
}
