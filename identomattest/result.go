package identomattest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/documented"
)

// Outcomes on the wire.
const (
	inProgress  = "in_progress"
	approved    = "approved"
	rejected    = "rejected"
	manualCheck = "manual_check"
)

// decision is a session's outcome and the data for its result.
type decision struct {
	outcome      string
	time         time.Time
	person       Person
	reason       string
	comment      string
	similarity   float64
	documentType string
	answers      map[[2]string]any // by step key and question key
	raw          []byte            // the whole result, set by SetResult

	similarityIsSet bool // WithSimilarity was used
}

// DecisionOption changes the result of a session.
type DecisionOption func(*decision)

// AsPerson makes the session identify this person instead of [JohnSmith].
func AsPerson(p Person) DecisionOption { return func(d *decision) { d.person = p } }

// WithDocumentType sets the type of the identity document: "id", "passport", "driver_license" or
// "residence_license". The default is the type chosen on the page, else "id" if the session allows it,
// else the first type that the session allows.
func WithDocumentType(documentType string) DecisionOption {
	return func(d *decision) { d.documentType = documentType }
}

// WithComment sets the operator's comment.
func WithComment(comment string) DecisionOption { return func(d *decision) { d.comment = comment } }

// WithSimilarity sets the similarity between the face and the photo on the document, a number from 0 to
// 1.
func WithSimilarity(similarity float64) DecisionOption {
	return func(d *decision) { d.similarity, d.similarityIsSet = similarity, true }
}

// WithAnswer sets the answer to a question of a questionnaire. The answer is a string, a bool, an
// int, a float64, a []string or nil.
func WithAnswer(stepKey, questionKey string, answer any) DecisionOption {
	return func(d *decision) { d.answers[[2]string{stepKey, questionKey}] = answer }
}

// Approve approves a session. It is an error if the token is unknown, if the session is already
// approved or rejected, or if an option does not fit the session, such as an answer to a question that
// the session does not have. An error also fails the test given to [NewServer]. [Server.Reject] and
// [Server.ManualCheck] return the same errors. To change a decision, use [Server.SetResult].
func (s *Server) Approve(token identomat.Token, opts ...DecisionOption) error {
	return s.decide("Approve", string(token), approval(), opts)
}

// Reject rejects a session, with a reason such as "low_similarity".
func (s *Server) Reject(token identomat.Token, reason string, opts ...DecisionOption) error {
	return s.decide("Reject", string(token), rejection(reason), opts)
}

// ManualCheck sends a session to manual check by an operator.
func (s *Server) ManualCheck(token identomat.Token, opts ...DecisionOption) error {
	return s.decide("ManualCheck", string(token), manualReview(), opts)
}

func approval() decision {
	return decision{outcome: approved, person: JohnSmith, similarity: 0.9027283530404249}
}

func rejection(reason string) decision {
	d := decision{outcome: rejected, person: JohnSmith, reason: reason, similarity: 0.9027283530404249}
	if reason == "low_similarity" || reason == "face_mismatch" {
		d.similarity = 0.59931052549619
	}
	return d
}

func manualReview() decision {
	return decision{outcome: manualCheck, person: JohnSmith, similarity: 0.7415069341659546}
}

// SetResult makes result/ respond with exactly this JSON, even if the session is already decided. The
// session counts as decided unless the member "result" is in_progress. An unknown token and malformed
// JSON are errors, which also fail the test given to [NewServer].
func (s *Server) SetResult(token identomat.Token, rawJSON string) error {
	v, err := decodeJSON([]byte(rawJSON))
	if err != nil {
		return s.misuse("SetResult: %v", err)
	}
	o, _ := v.(object)
	return s.decide("SetResult", string(token), decision{outcome: o.text("result"), raw: []byte(rawJSON)}, nil)
}

func (s *Server) decide(method, token string, d decision, opts []DecisionOption) error {
	d.answers = map[[2]string]any{}
	for _, opt := range opts {
		opt(&d)
	}
	for id, value := range d.answers {
		wire, ok := answerValue(value)
		if !ok {
			return s.misuse("%s: an answer cannot have type %T", method, value)
		}
		d.answers[id] = wire
	}
	s.mu.Lock()
	ses, ok := s.sessions[token]
	var err error
	if ok {
		if err = s.checkDecision(ses, d); err == nil {
			s.setDecision(ses, d)
		}
	}
	s.mu.Unlock()
	switch {
	case !ok:
		return s.misuse("%s: no session has the token %q", method, token)
	case err != nil:
		return s.misuse("%s: %w", method, err)
	}
	s.postStatusCallback(ses)
	return nil
}

// checkDecision returns an error unless the session allows the decision. The caller holds s.mu.
func (s *Server) checkDecision(ses *session, d decision) error {
	if s.statusCallback != "" && ses.company.CallbackURL == "" {
		return badRequest(noCallbackURL)
	}
	if d.raw != nil {
		return nil
	}
	current := ses.decision.outcome
	if current != inProgress && (current != manualCheck || d.outcome == manualCheck) {
		return controlError{http.StatusConflict, fmt.Errorf("the session is already decided: %s", current)}
	}
	if d.documentType != "" {
		step, ok := ses.step("identity-document")
		if !ok {
			return badRequest("a document type, but the session has no identity-document step")
		}
		if allowed := documentTypes(step); !slices.Contains(allowed, d.documentType) {
			return badRequest("the document type %q is not one of %s", d.documentType, strings.Join(allowed, ", "))
		}
	}
	if d.similarityIsSet && (d.similarity < 0 || d.similarity > 1) {
		return badRequest("the similarity is not between 0 and 1")
	}
	if d.similarityIsSet && !(ses.has("identity-document") && ses.has("liveness")) {
		return badRequest("a similarity, but the session has no identity-document and liveness steps to compare")
	}
	for id, answer := range d.answers {
		if err := ses.checkAnswer(id[0], id[1], answer); err != nil {
			return err
		}
	}
	return nil
}

// documentTypes returns the types that an identity-document step allows.
func documentTypes(step object) []string {
	types := append(step.child("flags").texts("document_types"), step.child("flags").texts("documentTypes")...)
	if len(types) == 0 {
		types = documented.DocumentTypes
	}
	return types
}

// checkAnswer returns an error unless the session has the question and the question's type allows the
// answer. Every question can be left unanswered. Identomat's documentation does not say which types the
// answer to a text question can have, so all types are allowed.
func (ses *session) checkAnswer(stepKey, questionKey string, answer any) error {
	_, q, err := ses.question(stepKey, questionKey)
	if err != nil {
		return badRequest("%v", err)
	}
	if answer == nil {
		return nil
	}
	wrong := badRequest("the answer to the question %q cannot be %v", questionKey, answer)
	switch q.text("type") {
	case "options", "multiple-choice", "dropdown":
		chosen, several := answer.([]string)
		if one, ok := answer.(string); ok {
			chosen = []string{one}
		}
		if several != (q.text("type") == "multiple-choice" || q.flag("multiple")) {
			return wrong
		}
		for _, key := range chosen {
			if !slices.ContainsFunc(q.list("options"), func(v any) bool { o, _ := v.(object); return o.text("key") == key }) {
				return badRequest("the question %q has no option %q", questionKey, key)
			}
		}
	case "file": // the answer is the number of files
		if n, ok := answer.(int); !ok || n < 0 || n > q.integer("filesMaxCount", 10) {
			return wrong
		}
	case "boolean":
		if _, ok := answer.(bool); !ok {
			return wrong
		}
	}
	return nil
}

// question returns one of the session's questionnaires and one of its questions.
func (ses *session) question(stepKey, questionKey string) (step, question object, err error) {
	for _, step := range ses.flow() {
		if step.text("key") != stepKey || !isQuestionnaire(step) {
			continue
		}
		for _, v := range step.list("questions") {
			if q, _ := v.(object); q.text("key") == questionKey {
				return step, q, nil
			}
		}
		return nil, nil, fmt.Errorf("the step %q has no question %q", stepKey, questionKey)
	}
	return nil, nil, fmt.Errorf("the session has no questionnaire %q", stepKey)
}

// setDecision records a decision. The caller holds s.mu, and calls [Server.postStatusCallback] after
// unlocking it.
func (s *Server) setDecision(ses *session, d decision) {
	d.time = s.now()
	if d.documentType == "" {
		d.documentType = ses.documentType()
	}
	ses.decision = d
	if len(ses.activities) == 0 {
		ses.activities = append(ses.activities, activity{s.newID(), pageLoaded, ses.created})
	}
}

// answerValue returns a copy of an answer, and whether an answer can have this type.
func answerValue(v any) (any, bool) {
	switch v := v.(type) {
	case nil, string, bool, int, float64:
		return v, true
	case []string:
		return slices.Clone(v), true
	}
	return nil, false
}

// documentType returns the type chosen on the page or the default type.
func (ses *session) documentType() string {
	step, _ := ses.step("identity-document")
	if chosen := ses.visit.fields[step.text("key")]["document_type"]; chosen != "" {
		return chosen
	}
	types := documentTypes(step)
	if slices.Contains(types, "id") {
		return "id"
	}
	return types[0]
}

func (s *Server) result(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	if ses.decision.raw != nil {
		return response{contentType: "application/json", body: ses.decision.raw}
	}
	return jsonResponse(ses.result(s.now()))
}

// result returns the result, with members in the order of the API reference's samples.
func (ses *session) result(now time.Time) object {
	d := ses.decision
	document := ses.decided() && ses.has("identity-document")
	face := ses.decided() && ses.has("liveness")

	var similarity any = 0
	if face && document {
		similarity = d.similarity
	}
	documentType, name := "", ses.name
	if document {
		documentType, name = d.documentType, d.person.fullName()
	}
	liveness, _ := ses.step("liveness")
	out := object{
		{"result", d.outcome},
		{"similarity", similarity},
		// In the API reference's approved sample, live is false. The fake assumes that only the active
		// check sets it.
		{"live", face && liveness.child("flags").flag("liveness")},
		{"document_type", documentType},
		{"generalDocuments", ses.generalDocuments()},
		{"reject_reason", object{{"value", d.reason}, {"description", reasonDescription(d.reason)}}},
		{"result_comment", d.comment},
		{"name", name},
	}
	if d.outcome == rejected && d.reason != "" {
		out = append(out, member{"errors", []string{strings.ToUpper(d.reason)}})
	}
	faces := 0
	if face {
		faces = 1
	}
	out = append(out, member{"face_images", faces})
	if document && d.documentType == "id" {
		out = append(out, member{"id_card_front", d.person.cardFront()}, member{"id_card_back", d.person.cardBack()})
	}
	out = append(out, member{"suggested", object{}}, member{"person", ses.person(now)})
	if q := ses.questionnaires(); len(q) > 0 {
		out = append(out, member{"questionnaires", q})
	}
	if g := ses.geolocation(); len(g) > 0 {
		out = append(out, member{"geolocation", g})
	}
	if ses.configID != "" {
		out = append(out, member{"configId", ses.configID})
	}
	return append(out, member{"technicalDetails", object{
		{"remoteAddress", "192.0.2.17"},
		{"userAgent", "Mozilla/5.0 (identomattest)"},
		{"countryCode", "US"},
	}})
}

func (ses *session) person(now time.Time) object {
	out := object{}
	if !ses.decided() {
		return out
	}
	p := ses.decision.person
	if step, ok := ses.step("email"); ok {
		out = append(out, member{"email", cmp.Or(ses.visit.fields[step.text("key")]["contact"], p.Email)})
	}
	if step, ok := ses.step("phone-number"); ok {
		out = append(out, member{"phoneNumber", cmp.Or(ses.visit.fields[step.text("key")]["contact"], p.PhoneNumber)})
	}
	if ses.has("identity-document") {
		out = append(out, p.record(now, ses.decision.documentType)...)
	}
	return out
}

func (ses *session) generalDocuments() []any {
	out := []any{}
	step, ok := ses.step("general-document")
	if !ok || !ses.decided() {
		return out
	}
	typeID := ses.generalDocumentType(step)
	p := ses.decision.person
	final := mustObject(`{
		"street": "Main Street",
		"state": "California",
		"city": "Los Angeles",
		"country": "United States",
		"postalCode": "90001",
		"streetNumber": "123",
		"county": "Los Angeles County",
		"countryCode": "USA",
		"documentIssued": "1/15/2025",
		"documentIssuedTime": "2025-01-15T00:00:00",
		"authority": "Bank of America, NA",
		"address": "123 Main St, Los Angeles, CA 90001",
		"formattedAddress": "123 Main St, Los Angeles, CA 90001, USA",
		"latitude": 34.052235,
		"longitude": -118.243683
	}`)
	final = append(final, object{
		{"fullName", p.fullName()},
		{"firstName", p.FirstName},
		{"lastName", p.LastName},
		{"permanent", nil},
	}...)
	return append(out, object{
		{"pages", []any{object{
			{"typeId", strings.ReplaceAll(typeID, "_", "-")},
			{"final", final},
			{"documentPages", []any{object{{"pageNumber", 1}}}},
			{"pageNumber", 1},
			{"statuses", []any{}},
		}}},
		{"documentType", strings.ToUpper(typeID)},
		{"permanent", nil},
		{"typeId", typeID},
	})
}

// generalDocumentType returns the type chosen on the page, or the first type that the step allows.
func (ses *session) generalDocumentType(step object) string {
	if chosen := ses.visit.fields[step.text("key")]["general_document_type"]; chosen != "" {
		return chosen
	}
	if types := step.child("flags").texts("general_document_types"); len(types) > 0 {
		return types[0]
	}
	return "utility_bill"
}

func (ses *session) geolocation() []any {
	out := []any{}
	if !ses.decided() {
		return out
	}
	for _, step := range ses.flow() {
		if step.text("type") == "geolocation" && ses.visit.fields[step.text("key")]["share"] != "no" {
			out = append(out, object{
				{"key", step.text("key")},
				{"latitude", 34.05221168293059},
				{"longitude", -118.24393094417908},
				{"address", "123 Main St, Los Angeles, CA 90001, USA"},
			})
		}
	}
	return out
}

func isQuestionnaire(step object) bool {
	return step.text("type") == "user-questionnaire" || step.text("type") == "operator-questionnaire"
}

func (ses *session) questionnaires() []any {
	out := []any{}
	if !ses.decided() {
		return out
	}
	for _, step := range ses.flow() {
		if isQuestionnaire(step) {
			out = append(out, object{{"key", step.text("key")}, {"questions", ses.answers(step)}})
		}
	}
	return out
}

// answers returns the questions of a questionnaire with their answers. If a question's condition does
// not hold, its answer is null.
func (ses *session) answers(step object) []any {
	values := map[string]any{}
	out := []any{}
	for _, v := range step.list("questions") {
		q, _ := v.(object)
		key := q.text("key")
		id := [2]string{step.text("key"), key}
		value, set := ses.decision.answers[id]
		switch condition := q.child("showConditions"); {
		case set:
		case ses.visit.done[step.text("key")]: // answered on the page
			value = ses.visit.answers[id]
		case len(condition) > 0 && !answerMatches(values[condition.text("questionKey")], condition.text("answer")):
			value = nil
		default:
			value = defaultAnswer(q)
		}
		values[key] = value
		out = append(out, object{{"key", key}, {"answer", value}})
	}
	return out
}

// answerMatches reports whether an answer is, or contains, the value that a condition requires.
func answerMatches(answer any, want string) bool {
	switch answer := answer.(type) {
	case string:
		return answer == want
	case []string:
		return slices.Contains(answer, want)
	case []any:
		return slices.Contains(answer, any(want))
	}
	return false
}

// defaultAnswer returns the preset answer, or a plausible one.
func defaultAnswer(q object) any {
	if preset, ok := q.get("answer"); ok && preset != nil {
		return preset
	}
	var first string
	if options := q.list("options"); len(options) > 0 {
		o, _ := options[0].(object)
		first = o.text("key")
	}
	switch q.text("type") {
	case "options":
		return first
	case "multiple-choice":
		return []string{first}
	case "dropdown":
		if q.flag("multiple") {
			return []string{first}
		}
		return first
	case "file":
		return defaultFileCount(q) // the answer to a file question is the number of files
	case "boolean":
		return true
	}
	return "Sample answer"
}

// defaultFileCount returns how many files a file question has: two, or fewer if the question sets a
// lower limit.
func defaultFileCount(q object) int { return min(2, q.integer("filesMaxCount", 10)) }

// reasonDescription returns the description of a reject reason: "Low similarity" for low_similarity.
func reasonDescription(code string) string {
	text := strings.ReplaceAll(code, "_", " ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
