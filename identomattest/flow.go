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
)

// visit is what a person has done with a session in the widget.
type visit struct {
	language string // chosen in a language step, or ""
	position int    // index of the step in stops; beyond the last: the decision
	done     map[string]bool
	fields   map[string]map[string]string // of steps with a form, by step key
	people   map[string][]beneficiary     // of beneficiaries steps
	answers  map[[2]string]any            // of questionnaires, by step and question
	files    map[[2]string][]questionFile
	codes    map[string]string // one-time passwords on their way, by step key
}

type beneficiary struct {
	role    string
	company bool // a shareholder may be one
	values  map[string]string
}

func newVisit() visit {
	return visit{
		done: map[string]bool{}, fields: map[string]map[string]string{}, people: map[string][]beneficiary{},
		answers: map[[2]string]any{}, files: map[[2]string][]questionFile{}, codes: map[string]string{},
	}
}

// stop is one step of the walk.
type stop struct {
	step   object
	inCall bool
}

func (ses *session) stops() []stop {
	var out []stop
	for _, step := range ses.steps {
		out = append(out, stop{step, false})
		for _, inner := range step.list("steps") {
			if o, ok := inner.(object); ok {
				out = append(out, stop{o, true})
			}
		}
	}
	return out
}

// page is what the template shows.
type page struct {
	Nonce string
	// State is open, unknown, expired, early, finished or done.
	State     string
	Token     string
	Lang, Dir string // of the texts of the page itself
	Name      string
	Outcome   string
	Opens     string
	ReturnURL string
	Desktop   bool // skip_desktop is set
	Stops     []stopView
	Number    int
	Total     int
	Step      *stepView // nil on the page of the decision
	People    []choice
	Reasons   []string

	words    words
	language string
}

type stopView struct {
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
	Waiting         bool // for a one-time password
	Problems        []*input
	// Checked says that the form was looked at and sent back.
	Checked bool
}

type entry struct{ Label, Value string }

// section is a set of fields below a heading of its own.
type section struct {
	Legend string
	Note   string
	Remove string
	Inputs []*input
}

// input is one field of a form: text, email, tel, date, url, radio, checkbox, select, file
// or boolean.
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
	// When names the field on whose value Is this one depends; Hidden is the answer so far.
	When, Is string
	Hidden   bool
	Error    string
	Uploaded int

	key    string // of the question or KYB field
	preset any
	limit  int
	types  []string
}

// choice is an option of a field, or a button.
type choice struct {
	Value   string
	Label   phrase
	Checked bool
}

// T is a text of the page in its language.
func (p *page) T(key string, args ...any) string { return p.words.text(key, args...) }

// OutcomeText is the outcome in words. SetResult may have set one that has none.
func (p *page) OutcomeText() string { return p.words["outcome_"+p.Outcome] }

func newPage(ses *session, state, token string) *page {
	p := &page{State: state, Token: token, language: "en"}
	if ses != nil {
		p.language = ses.language()
		p.Name, p.Outcome = ses.name, ses.decision.outcome
		p.Opens = wireTime(ses.opens)
		p.ReturnURL = ses.flags.text("return_url")
		p.Desktop = ses.flags.flag("skip_desktop")
	}
	p.words, p.Lang = wordsFor(p.language)
	p.Dir = "ltr"
	if p.Lang == "ar" {
		p.Dir = "rtl"
	}
	return p
}

// language is the one chosen on the page, that of the flags, or that of the configuration.
func (ses *session) language() string {
	return cmp.Or(ses.visit.language, ses.flags.text("language"), ses.configLanguage, "en")
}

// fill describes where the walk stands. A form that was sent back keeps what was entered.
func (p *page) fill(ses *session, sentBack *stepView) {
	stops := ses.stops()
	at := min(ses.visit.position, len(stops))
	for i, stop := range stops {
		key := stop.step.text("key")
		p.Stops = append(p.Stops, stopView{p.titleOf(stop.step), ses.visit.done[key], i == at, stop.inCall})
	}
	p.Number, p.Total = at+1, len(stops)
	if at < len(stops) {
		if p.Step = sentBack; sentBack == nil {
			p.Step = p.view(ses, stops[at])
		}
		p.Step.First = at == 0
		return
	}
	wanted := "USA"
	for _, stop := range stops {
		if country := ses.visit.fields[stop.step.text("key")]["country"]; country != "" {
			wanted = country
		}
	}
	for _, known := range people {
		p.People = append(p.People, choice{known.key, phrase{Text: known.person.fullName() + ", " + known.person.IssuingState}, known.person.IssuingState == wanted})
	}
	p.Reasons = []string{"low_similarity", "face_mismatch"}
}

// people are those whom a session can find.
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

// view builds the form of a step from what the session has so far.
func (p *page) view(ses *session, at stop) *stepView {
	step, key := at.step, at.step.text("key")
	v := &stepView{
		Key: key, Type: step.text("type"), Icon: iconOf(step.text("type")), InCall: at.inCall,
		Title: p.titleOf(step), Description: p.translated(step, "description"), Submit: phrase{Text: p.T("continue")},
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
		single(p.named("document_type", p.T("document_type"), "doc_", types, saved["document_type"]))
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
		single(p.named("general_document_type", p.T("document_type"), "general_", types, saved["general_document_type"]))
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
		v.Summary = ses.kybSummary()
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
		if title := p.translated(step, "successButtonTitle"); title.Text != "" {
			v.Submit = title
		}
	default:
		v.Notes = append(v.Notes, p.T("unknown_step"))
	}
	number(v)
	return v
}

// number gives every field an id.
func number(v *stepView) {
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

// named is a choice among codes for which the page has words.
func (p *page) named(name, label, prefix string, codes []string, chosen string) *input {
	in := &input{Kind: "radio", Name: name, Label: phrase{Text: label}, Required: true}
	for i, code := range codes {
		text := p.words[prefix+code]
		if text == "" {
			text = code
		}
		in.Options = append(in.Options, choice{code, phrase{Text: text}, code == chosen || chosen == "" && i == 0})
	}
	return in
}

// contact is a phone number or an address, and the code that was sent to it.
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

// needsCode says that a contact is verified by a one-time password.
func needsCode(step object) bool {
	flags := step.child("flags")
	return flags.flag("require_phone_number_check") || flags.flag("require_email_check")
}

// kyb makes fields of company data. Those that only filter is for are kept when there is one.
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
			Label: phrase{kybLabels[key], p.foreign("en")},
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
				in.Options = append(in.Options, choice{c.code, phrase{c.name, p.foreign("en")}, c.code == in.Value})
			}
		case "companyEntityType":
			in.Kind = "select"
			in.Options = []choice{{"", phrase{Text: p.T("choose")}, in.Value == ""}}
			for _, name := range entityTypes {
				in.Options = append(in.Options, choice{name, phrase{name, p.foreign("en")}, name == in.Value})
			}
		}
		out = append(out, in)
	}
	return out
}

var kybLabels = map[string]string{
	"companyName": "Company name", "registrationNumber": "Registration number", "registrationCountry": "Registration country",
	"companyEntityType": "Type of entity", "legalAddress": "Legal address", "taxId": "VAT / tax ID",
	"dateOfIncorporation": "Date of incorporation", "contactNumber": "Contact number", "email": "Contact email address",
	"website": "Website", "ownershipPercentage": "Ownership in percent", "firstName": "First name", "lastName": "Last name",
	"dateOfBirth": "Date of birth", "positionName": "Position",
}

var entityTypes = []string{
	"Limited liability company", "Publicly listed company", "Sole proprietor", "Partnership", "Corporation", "Trust",
	"Private foundation", "Charity", "Nonprofit organization", "Other",
}

// companyFields are asked for by a company step that lists none, personFields by such a role.
var (
	companyFields = kybList("companyName!", "registrationNumber!", "registrationCountry!", "companyEntityType", "legalAddress",
		"taxId", "dateOfIncorporation", "contactNumber", "email")
	personFields = kybList("firstName!", "lastName!", "dateOfBirth!", "companyName!", "registrationNumber!", "registrationCountry!",
		"positionName!", "ownershipPercentage", "contactNumber", "email")
)

func kybList(names ...string) []any {
	var out []any
	for _, name := range names {
		name, mandatory := strings.CutSuffix(name, "!")
		out = append(out, object{{"type", name}, {"mandatory", mandatory}})
	}
	return out
}

var (
	ofCompanies = []string{"companyName", "registrationNumber", "registrationCountry", "companyEntityType", "legalAddress", "taxId", "dateOfIncorporation", "website"}
	ofPeople    = []string{"firstName", "lastName", "dateOfBirth"}
)

// suits says that a field is for such a beneficiary. Only the other role has a position and
// only owners own a part.
func (b beneficiary) suits(key string) bool {
	switch {
	case b.company && slices.Contains(ofPeople, key), !b.company && slices.Contains(ofCompanies, key):
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
		for _, role := range kybRoles {
			roles = append(roles, member{role, object{}})
		}
	}
	for i, b := range ses.visit.people[v.Key] {
		role := roles.child(b.role)
		fields := role.list("fields")
		if len(fields) == 0 {
			fields = personFields
		}
		g := section{Legend: p.roleName(b), Remove: "remove:" + strconv.Itoa(i), Inputs: p.kyb(fmt.Sprintf("b%d.", i), fields, b.values, b.suits)}
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

// kybSummary is what was entered in the company and beneficiaries steps.
func (ses *session) kybSummary() []entry {
	var out []entry
	list := func(title string, values map[string]string) {
		for _, key := range kybFields {
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
			for i, b := range ses.visit.people[key] {
				list(fmt.Sprintf("%d. %s: ", i+1, b.role), b.values)
			}
		}
	}
	return out
}

// questions makes a field of every question. A field whose condition does not hold is hidden.
func (p *page) questions(ses *session, step object) []*input {
	key := step.text("key")
	given := map[string]any{}
	var out []*input
	for i, item := range step.list("questions") {
		q, _ := item.(object)
		at := [2]string{key, q.text("key")}
		in := &input{
			Name: "q" + strconv.Itoa(i), key: q.text("key"), Label: p.translated(q, "title"), Hint: p.translated(q, "description"),
			Required: q.flag("mandatory"), ReadOnly: q.flag("readOnly"), types: q.texts("fileTypes"),
		}
		if in.Label.Text == "" {
			in.Label = phrase{Text: in.key}
		}
		in.preset, _ = q.get("answer")
		value := in.preset
		if ses.visit.done[key] && !in.ReadOnly {
			value = ses.visit.answers[at]
		}
		condition := q.child("showConditions")
		if len(condition) > 0 {
			target := condition.text("questionKey")
			in.When, in.Is = nameOf(out, target), condition.text("answer")
			in.Hidden = !matches(given[target], in.Is)
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
			in.Kind, in.limit, in.Uploaded = "file", q.integer("filesMaxCount", 10), len(ses.visit.files[at])
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
			label := p.translated(option, "title")
			if label.Text == "" {
				label = phrase{Text: option.text("key")}
			}
			in.Options = append(in.Options, choice{option.text("key"), label, matches(value, option.text("key"))})
		}
		if !in.Hidden {
			given[in.key] = value
		}
		out = append(out, in)
	}
	return out
}

func nameOf(inputs []*input, key string) string {
	for _, in := range inputs {
		if in.key == key {
			return in.Name
		}
	}
	return ""
}

// presetText is a text answer, which may be an object of languages.
func presetText(v any, language string) string {
	switch v := v.(type) {
	case string:
		return v
	case object:
		return pick(v, language).Text
	}
	return ""
}

// advance takes a form. It returns the step again when the form is incomplete, and a
// callback when a one-time password goes out.
func (s *Server) advance(ses *session, form url.Values, upload *multipart.Form) (*stepView, *Callback) {
	stops := ses.stops()
	v := &ses.visit
	at := slices.IndexFunc(stops, func(st stop) bool { return st.step.text("key") == form.Get("step") })
	if at < 0 {
		at = min(v.position, len(stops))
	}
	action := form.Get("action")
	switch {
	case action == "restart":
		*v = newVisit()
		return nil, nil
	case action == "finish":
		v.position = len(stops)
		return nil, nil
	case action == "back":
		if at < len(stops) && v.codes[stops[at].step.text("key")] != "" {
			delete(v.codes, stops[at].step.text("key")) // back to the number
			return nil, nil
		}
		v.position = max(0, at-1)
		return nil, nil
	case at == len(stops):
		return nil, nil
	}
	v.position = at
	step := stops[at].step
	key := step.text("key")
	p := newPage(ses, "open", ses.token)
	view := p.view(ses, stops[at])
	if edit, ok := strings.CutPrefix(action, "add:"); ok && view.Type == "beneficiaries" {
		ses.keepPeople(key, view, form)
		role, isCompany := strings.CutSuffix(edit, "-company")
		if slices.Contains(kybRoles, role) && len(v.people[key]) < 50 {
			v.people[key] = append(v.people[key], beneficiary{role, isCompany, map[string]string{}})
		}
		return nil, nil
	}
	if edit, ok := strings.CutPrefix(action, "remove:"); ok && view.Type == "beneficiaries" {
		ses.keepPeople(key, view, form)
		if i, err := strconv.Atoi(edit); err == nil && i >= 0 && i < len(v.people[key]) {
			v.people[key] = slices.Delete(v.people[key], i, i+1)
		}
		return nil, nil
	}
	if again := p.take(ses, key, view, form, upload); again {
		return view, nil
	}
	if code, ask := p.challenge(ses, step, view); ask {
		return nil, oneTimePassword(ses.token, view.Type, v.fields[key]["contact"], code)
	}
	switch view.Type {
	case "language":
		v.language = v.fields[key]["language"]
	case "beneficiaries":
		ses.keepPeople(key, view, form)
	}
	v.done[key] = true
	v.position = at + 1
	return nil, nil
}

// challenge begins the check of a contact by a code, once.
func (p *page) challenge(ses *session, step object, view *stepView) (code string, ask bool) {
	if view.Waiting {
		delete(ses.visit.codes, view.Key)
		return "", false
	}
	if (view.Type != "phone-number" && view.Type != "email") || !needsCode(step) {
		return "", false
	}
	code = newCode()
	ses.visit.codes[view.Key] = code
	return code, true
}

func (ses *session) keepPeople(key string, view *stepView, form url.Values) {
	for i, g := range view.Groups {
		for _, in := range g.Inputs {
			ses.visit.people[key][i].values[in.key] = strings.TrimSpace(form.Get(in.Name))
		}
	}
}

// take reads the fields of a form and keeps them. It returns true when something is
// missing or wrong, or when an answer has brought up a question that nobody has seen.
func (p *page) take(ses *session, stepKey string, view *stepView, form url.Values, upload *multipart.Form) (again bool) {
	given := map[string]any{}
	answers, files := map[[2]string]any{}, map[[2]string][]questionFile{}
	fields := map[string]string{}
	byName := map[string]*input{}
	questionnaire := isQuestionnaire(object{{"type", view.Type}})
	for _, in := range view.inputs() {
		byName[in.Name] = in
		at := [2]string{stepKey, in.key}
		if in.When != "" {
			controller := byName[in.When]
			shown := !controller.Hidden && matches(given[in.When], in.Is)
			in.Hidden = !shown
			if !shown {
				answers[at] = nil
				continue
			}
			if !slices.Contains(form["shown"], in.Name) {
				again = true // the page without a script could not show it before
			}
		} else if in.Hidden {
			answers[at] = nil // its condition names a later question, or one without a field
			continue
		}
		value := p.read(in, form, upload, ses.visit.files[at])
		given[in.Name] = value
		answers[at] = value
		if list, ok := value.([]questionFile); ok {
			files[at], answers[at] = list, len(list)
			if len(list) == 0 {
				answers[at] = nil
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
	if len(view.Problems) > 0 || again {
		view.Checked = true
		return true
	}
	switch {
	case questionnaire:
		for at, value := range answers {
			ses.visit.answers[at] = value
		}
		for at, list := range files {
			ses.visit.files[at] = list
		}
	case !view.Waiting:
		ses.visit.fields[stepKey] = fields
	}
	return false
}

// read gives the value of a field, and fills the field with it.
func (p *page) read(in *input, form url.Values, upload *multipart.Form, before []questionFile) any {
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
		return p.readFiles(in, upload, before)
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
		return o // an object of languages that was left as it was
	}
	return in.Value
}

const maxUpload = 10 << 20

// readFiles takes new files in place of those before, or keeps those when there are none.
func (p *page) readFiles(in *input, upload *multipart.Form, before []questionFile) any {
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
			return before
		}
		f, err := h.Open()
		if err != nil {
			in.Error = p.T("err_required")
			return before
		}
		data, err := io.ReadAll(f)
		_ = f.Close()
		extension, known := fileType(data)
		if err != nil || !known || !slices.Contains(in.types, map[bool]string{true: "pdf", false: "image"}[extension == "pdf"]) {
			in.Error = p.T("err_file_type", strings.Join(in.types, ", "))
			return before
		}
		out = append(out, questionFile{extension, data})
	}
	if len(out) > in.limit {
		in.Error = p.T("err_file_count", in.limit)
		return before
	}
	if len(out) == 0 {
		out = append(out, before...)
	}
	in.Uploaded = len(out)
	if len(out) == 0 && in.Required {
		in.Error = p.T("err_file")
	}
	return out
}

// fileType looks at the bytes, not at the name.
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
