package identomat

import (
	"encoding/json"
	"slices"
)

// The types of questions, as they are written on the wire.
const (
	questionText     = "string"
	questionCheckbox = "multiple-choice"
	questionRadio    = "options"
	questionDropdown = "dropdown"
	questionFile     = "file"
)

// UserQuestionnaireStep asks the customer questions; see [UserQuestionnaire].
type UserQuestionnaireStep struct {
	stepBase[UserQuestionnaireStep]
}

// UserQuestionnaire asks the customer questions. The key is the caller's; the answers
// are found under it in the result. (Developer guide 2025, User questionnaire.)
func UserQuestionnaire(key string) UserQuestionnaireStep {
	return newStep[UserQuestionnaireStep](stepUserQuestionnaire, key)
}

// Description is the text below the title, in several languages; the System manual
// allows Markdown. Default none. (Developer guide 2025, User questionnaire.)
func (s UserQuestionnaireStep) Description(description Text) UserQuestionnaireStep {
	return s.with("description", description.json())
}

// Ask adds questions after those that the questionnaire has. (Developer guide 2025,
// User questionnaire.)
func (s UserQuestionnaireStep) Ask(questions ...Question) UserQuestionnaireStep {
	return s.with("questions", withQuestions(s.m, questions))
}

// Questions are the questions of the questionnaire. Changed ones are put back with
// Set("questions", questions).
func (s UserQuestionnaireStep) Questions() []Question { return decodedQuestions(s.m) }

// SuccessButton is the text of the button that ends the questionnaire, in several
// languages. Default "Confirm". (Developer guide 2025, User questionnaire; on the wire
// it is successButtonTitle.)
func (s UserQuestionnaireStep) SuccessButton(title Text) UserQuestionnaireStep {
	return s.with("successButtonTitle", title.json())
}

// OperatorQuestionnaireStep asks the operator questions; see [OperatorQuestionnaire].
type OperatorQuestionnaireStep struct {
	stepBase[OperatorQuestionnaireStep]
}

// OperatorQuestionnaire asks the operator questions, during a video call or after it.
// The key is the caller's. It stands beside the video call, not inside it. (Developer
// guide 2025, Operator questionnaire.)
func OperatorQuestionnaire(key string) OperatorQuestionnaireStep {
	return newStep[OperatorQuestionnaireStep](stepOperatorQuestionnaire, key)
}

// Description is the text below the title, in several languages. Default none.
// (Developer guide 2025, Operator questionnaire.)
func (s OperatorQuestionnaireStep) Description(description Text) OperatorQuestionnaireStep {
	return s.with("description", description.json())
}

// Ask adds questions after those that the questionnaire has. (Developer guide 2025,
// Operator questionnaire.)
func (s OperatorQuestionnaireStep) Ask(questions ...Question) OperatorQuestionnaireStep {
	return s.with("questions", withQuestions(s.m, questions))
}

// Questions are the questions of the questionnaire. Changed ones are put back with
// Set("questions", questions).
func (s OperatorQuestionnaireStep) Questions() []Question { return decodedQuestions(s.m) }

// withQuestions are the questions of the step m and the new ones after them.
func withQuestions(m members, questions []Question) jsonValue {
	old, _ := m.get("questions").list()
	list := make(values, 0, len(old)+len(questions))
	list = append(list, old...)
	for _, q := range questions {
		list = append(list, jsonPart(q))
	}
	return jsonList(list)
}

// decodedQuestions are the questions of the step m, each of the type that it names.
func decodedQuestions(m members) []Question {
	list, _ := m.get("questions").list()
	var questions []Question
	for _, item := range list {
		q, ok := item.object()
		if !ok {
			continue
		}
		switch q.str("type") {
		case questionText:
			questions = append(questions, asQuestion[TextInput](q))
		case questionCheckbox:
			questions = append(questions, asQuestion[Checkboxes](q))
		case questionRadio:
			questions = append(questions, asQuestion[RadioButtons](q))
		case questionDropdown:
			questions = append(questions, asQuestion[Dropdown](q))
		case questionFile:
			questions = append(questions, asQuestion[FileUpload](q))
		default:
			questions = append(questions, asQuestion[GenericQuestion](q))
		}
	}
	return questions
}

// Question is one question of a questionnaire, made by a constructor such as
// [TextQuestion] or [CustomQuestion], or read from a step. A question never changes:
// its methods return a new one. Printing or logging a question shows its type and key
// alone, for its preset answer may be personal.
type Question interface {
	// QuestionType is the type on the wire, such as multiple-choice.
	QuestionType() string
	// QuestionKey is the key, unique in the questionnaire.
	QuestionKey() string
	// QuestionTitle is the title, nil when there is none.
	QuestionTitle() Text
	// Param is any member of the question as it is sent, by its wire name.
	Param(name string) (json.RawMessage, bool)

	fields() members
}

// questionBase is what all questions have. Self is the question's own type, which its
// methods return.
type questionBase[Self ~struct{ questionBase[Self] }] struct{ wireObject }

// with returns the question with a member set to a JSON value.
func (q questionBase[Self]) with(name string, value jsonValue) Self {
	return asQuestion[Self](q.m.set(name, value))
}

// Title replaces the text of the question, in several languages. (Developer guide 2025,
// User questionnaire.)
func (q questionBase[Self]) Title(title Text) Self { return q.with("title", title.json()) }

// Mandatory makes the customer answer before going on. Default false. (Developer guide
// 2025, User questionnaire.)
func (q questionBase[Self]) Mandatory(mandatory bool) Self {
	return q.with("mandatory", jsonBool(mandatory))
}

// ShowIf shows the question only when an earlier question of the questionnaire has this
// answer: the key of an option, or the text of a text question. Default always shown.
// (Developer guide 2025, User questionnaire; on the wire it is showConditions.)
func (q questionBase[Self]) ShowIf(questionKey, answer string) Self {
	m := members{}.set("questionKey", jsonString(questionKey)).set("answer", jsonString(answer))
	return q.with("showConditions", jsonObject(m))
}

// Set sets any parameter of the question by its wire name, also one that this SDK has
// no method for. A value without a JSON form is reported when the request is validated.
func (q questionBase[Self]) Set(name string, value any) Self { return q.with(name, freeze(value)) }

// QuestionType is the type on the wire, such as multiple-choice.
func (q questionBase[Self]) QuestionType() string { return q.m.str("type") }

// QuestionKey is the key, unique in the questionnaire.
func (q questionBase[Self]) QuestionKey() string { return q.m.str("key") }

// QuestionTitle is the title, nil when there is none. A plain string is under the
// key "".
func (q questionBase[Self]) QuestionTitle() Text {
	title, _ := q.m.json("title")
	return readText(title)
}

func asQuestion[Self ~struct{ questionBase[Self] }](m members) Self {
	return Self{questionBase[Self]{wireObject{m}}}
}

func questionMembers(typ, key string, title Text) members {
	return chain(member{name: "type", value: jsonString(typ)}, member{name: "key", value: jsonString(key)}, member{name: "title", value: title.json()})
}

// newChoiceQuestion is a question with options to choose from.
func newChoiceQuestion[Self ~struct{ questionBase[Self] }](
	typ, key string, title Text, options []QuestionOption,
) Self {
	list := make(values, len(options))
	for i, option := range options {
		list[i] = jsonObject(option.m)
	}
	return asQuestion[Self](questionMembers(typ, key, title).set("options", jsonList(list)))
}

// QuestionOption is one answer to choose from; see [Choice].
type QuestionOption struct{ wireObject }

// Choice is an option of a checkbox, radio or dropdown question. Its key must be unique
// in the questionnaire, not only in the question. (Developer guide 2025, User
// questionnaire.)
func Choice(key string, title Text) QuestionOption {
	return QuestionOption{wireObject{chain(member{name: "key", value: jsonString(key)}, member{name: "title", value: title.json()})}}
}

// Set sets any parameter of the option by its wire name.
func (o QuestionOption) Set(name string, value any) QuestionOption {
	return QuestionOption{wireObject{o.m.set(name, freeze(value))}}
}

// TextInput asks for a short text; see [TextQuestion].
type TextInput struct{ questionBase[TextInput] }

// TextQuestion asks for a short text. (Developer guide 2025, Question type: Text input;
// on the wire it is string.)
func TextQuestion(key string, title Text) TextInput {
	return asQuestion[TextInput](questionMembers(questionText, key, title))
}

// Answer presets the answer. The customer can change it unless ReadOnly is set. Default
// none. (Developer guide 2025, User questionnaire.)
func (q TextInput) Answer(text string) TextInput { return q.with("answer", jsonString(text)) }

// AnswerText presets the answer in several languages. Default none. (Developer guide
// 2025, Question type: Text input.)
func (q TextInput) AnswerText(text Text) TextInput { return q.with("answer", text.json()) }

// ReadOnly shows the question and its preset answer without letting them be changed.
// Default false. (Developer guide 2025, Question type: Text input.)
func (q TextInput) ReadOnly(readOnly bool) TextInput { return q.with("readOnly", jsonBool(readOnly)) }

// Checkboxes asks for any number of options; see [CheckboxQuestion].
type Checkboxes struct{ questionBase[Checkboxes] }

// CheckboxQuestion asks for any number of options. (Developer guide 2025, Question type:
// Checkbox; on the wire it is multiple-choice.)
func CheckboxQuestion(key string, title Text, options ...QuestionOption) Checkboxes {
	return newChoiceQuestion[Checkboxes](questionCheckbox, key, title, options)
}

// Answer presets the chosen options by their keys. Default none. (Developer guide 2025,
// Question type: Checkbox.)
func (q Checkboxes) Answer(optionKeys ...string) Checkboxes {
	return q.with("answer", jsonStrings(optionKeys))
}

// ReadOnly shows the question and its preset answer without letting them be changed.
// Default false. (Developer guide 2025, Question type: Checkbox.)
func (q Checkboxes) ReadOnly(readOnly bool) Checkboxes { return q.with("readOnly", jsonBool(readOnly)) }

// RadioButtons asks for one option; see [RadioQuestion].
type RadioButtons struct{ questionBase[RadioButtons] }

// RadioQuestion asks for one option. (Developer guide 2025, Question type: Radio; on
// the wire it is options.)
func RadioQuestion(key string, title Text, options ...QuestionOption) RadioButtons {
	return newChoiceQuestion[RadioButtons](questionRadio, key, title, options)
}

// Answer presets the chosen option by its key. Default none. (Developer guide 2025,
// Question type: Radio.)
func (q RadioButtons) Answer(optionKey string) RadioButtons {
	return q.with("answer", jsonString(optionKey))
}

// ReadOnly shows the question and its preset answer without letting them be changed.
// Default false. (Developer guide 2025, Question type: Radio.)
func (q RadioButtons) ReadOnly(readOnly bool) RadioButtons {
	return q.with("readOnly", jsonBool(readOnly))
}

// Dropdown asks for options of a list; see [DropdownQuestion].
type Dropdown struct{ questionBase[Dropdown] }

// DropdownQuestion asks for one option of a list, or several with Multiple. It takes no
// preset answer. (Developer guide 2025, Question type: Dropdown.)
func DropdownQuestion(key string, title Text, options ...QuestionOption) Dropdown {
	return newChoiceQuestion[Dropdown](questionDropdown, key, title, options)
}

// Multiple lets several options be chosen. Default false. (Developer guide 2025,
// Question type: Dropdown.)
func (q Dropdown) Multiple(multiple bool) Dropdown { return q.with("multiple", jsonBool(multiple)) }

// FileUpload asks for files; see [FileQuestion].
type FileUpload struct{ questionBase[FileUpload] }

// FileQuestion asks for files. It takes no preset answer. (Developer guide 2025,
// Question type: File upload.)
func FileQuestion(key string, title Text) FileUpload {
	return asQuestion[FileUpload](questionMembers(questionFile, key, title))
}

// Description is the text below the title, in several languages. Default none.
// (Developer guide 2025, Question type: File upload.)
func (q FileUpload) Description(description Text) FileUpload {
	return q.with("description", description.json())
}

// FileTypes are the kinds of files that are accepted: "pdf", "image". Default both.
// (Developer guide 2025, Question type: File upload.)
func (q FileUpload) FileTypes(types ...string) FileUpload {
	return q.with("fileTypes", jsonStrings(types))
}

// MaxFiles is how many files may be uploaded, 1 to 10. Default 10. (Developer guide
// 2025, Question type: File upload; on the wire it is filesMaxCount.)
func (q FileUpload) MaxFiles(count int) FileUpload { return q.with("filesMaxCount", jsonInt(count)) }

// GenericQuestion is a question of a type that this SDK does not know; see
// [CustomQuestion].
type GenericQuestion struct{ questionBase[GenericQuestion] }

// CustomQuestion is a question of any type, for types that this SDK does not know, such
// as the System manual's boolean. Its parameters are given with Title and Set.
func CustomQuestion(typ, key string) GenericQuestion {
	return asQuestion[GenericQuestion](chain(member{name: "type", value: jsonString(typ)}, member{name: "key", value: jsonString(key)}))
}

// seenQuestion is what the conditions of later questions need to know of one.
type seenQuestion struct {
	choice  bool // a condition on it names an option
	options []string
}

// checkQuestions adds the problems of the questionnaire step at the given place.
func checkQuestions(p *problems, at place, m members) {
	list, _ := m.get("questions").list()
	at = at.member("questions")
	seen := make(map[string]seenQuestion, len(list))
	optionKeys := map[string]bool{}
	for i, item := range list {
		if item.bad() {
			continue // reported by checkValue
		}
		q, ok := item.object()
		if !ok {
			p.addAt(at.item(i), "must be an object")
			continue
		}
		checkQuestion(p, at.item(i), q, seen, optionKeys)
	}
}

// checkQuestion adds the problems of one question. It grows the questions and the
// option keys that the questionnaire has so far.
func checkQuestion(p *problems, at place, q members, seen map[string]seenQuestion, optionKeys map[string]bool) {
	typ, key := q.str("type"), q.str("key")
	if typ == "" {
		p.addAt(at.member("type"), "must not be empty")
	}
	_, again := seen[key]
	switch {
	case key == "":
		p.addAt(at.member("key"), "must not be empty")
	case again:
		p.addAt(at.member("key"), "must be unique in the questionnaire")
	}
	// The guide says what a condition on a radio, a checkbox or a text question names, and
	// nothing of one on a dropdown.
	this := seenQuestion{choice: typ == questionCheckbox || typ == questionRadio}
	if this.choice || typ == questionDropdown {
		this.options = checkOptions(p, at, q, optionKeys)
	}
	checkPreset(p, at, typ, q.get("answer"), this.options)
	if count := q.get("filesMaxCount"); typ == questionFile && !count.absent() {
		if n, ok := count.number(); !ok || n < 1 || n > 10 {
			p.addAt(at.member("filesMaxCount"), "must be a number from 1 to 10")
		}
	}
	checkCondition(p, at, q.get("showConditions"), seen)
	if !again {
		seen[key] = this
	}
}

// checkOptions adds the problems of a question's options and returns their keys.
func checkOptions(p *problems, at place, q members, taken map[string]bool) []string {
	list, _ := q.get("options").list()
	at = at.member("options")
	if len(list) == 0 {
		p.addAt(at, "must hold at least one option")
		return nil
	}
	keys := make([]string, 0, len(list))
	for i, item := range list {
		option, _ := item.object()
		key := option.str("key")
		switch {
		case key == "":
			p.addAt(at.item(i).member("key"), "must not be empty")
		case taken[key]:
			p.addAt(at.item(i).member("key"), "must be unique in the questionnaire")
		}
		taken[key] = true
		keys = append(keys, key)
	}
	return keys
}

// checkPreset adds the problems of a preset answer. Answers to text questions are free.
func checkPreset(p *problems, at place, typ string, answer jsonValue, options []string) {
	if answer.absent() {
		return
	}
	at = at.member("answer")
	switch typ {
	case questionRadio:
		if key, ok := answer.str(); !ok || !slices.Contains(options, key) {
			p.addAt(at, "must be the key of one of the question's options")
		}
	case questionCheckbox:
		list, ok := answer.list()
		if !ok {
			p.addAt(at, "must be a list of keys of the question's options")
		}
		for i, item := range list {
			if key, ok := item.str(); !ok || !slices.Contains(options, key) {
				p.addAt(at.item(i), "must be the key of one of the question's options")
			}
		}
	}
}

// checkCondition adds the problems of a question's showConditions, given the questions
// before it.
func checkCondition(p *problems, at place, condition jsonValue, seen map[string]seenQuestion) {
	if condition.absent() {
		return
	}
	at = at.member("showConditions")
	m, ok := condition.object()
	if !ok {
		p.addAt(at, "must be an object")
		return
	}
	if m.last == nil {
		return // an empty object sets no condition
	}
	target, found := seen[m.str("questionKey")]
	if !found {
		p.addAt(at.member("questionKey"), "must be the key of an earlier question of the questionnaire")
		return
	}
	if answer, ok := m.get("answer").str(); target.choice && (!ok || !slices.Contains(target.options, answer)) {
		p.addAt(at.member("answer"), "must be the key of one of that question's options")
	}
}
