package identomat

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// UserQuestionnaireStep asks the customer questions; see [UserQuestionnaire].
type UserQuestionnaireStep struct{ Step }

// UserQuestionnaire asks the customer questions. The caller chooses the key, under which the result has the
// answers. (Developer guide 2025, User questionnaire.)
func UserQuestionnaire(key string) UserQuestionnaireStep {
	return UserQuestionnaireStep{CustomStep("user-questionnaire", key)}
}

// Description is the text below the title; the System manual allows Markdown. Default none.
func (s UserQuestionnaireStep) Description(description Text) UserQuestionnaireStep {
	return UserQuestionnaireStep{Step{s.setText("description", description)}}
}

// Ask adds questions after those that the questionnaire has.
func (s UserQuestionnaireStep) Ask(questions ...AnyQuestion) UserQuestionnaireStep {
	return UserQuestionnaireStep{s.ask(questions)}
}

// Questions are the questions of the questionnaire. Set("questions", questions) replaces them.
func (s UserQuestionnaireStep) Questions() []AnyQuestion { return s.questions() }

// SuccessButton is the text of the button that ends the questionnaire. Default "Confirm". (On the wire it
// is successButtonTitle.)
func (s UserQuestionnaireStep) SuccessButton(title Text) UserQuestionnaireStep {
	return UserQuestionnaireStep{Step{s.setText("successButtonTitle", title)}}
}

// OperatorQuestionnaireStep asks the operator questions; see [OperatorQuestionnaire].
type OperatorQuestionnaireStep struct{ Step }

// OperatorQuestionnaire asks the operator questions, during a video call or after it. The caller chooses the
// key. The step belongs beside the video call, not inside it. (Developer guide 2025, Operator questionnaire.)
func OperatorQuestionnaire(key string) OperatorQuestionnaireStep {
	return OperatorQuestionnaireStep{CustomStep("operator-questionnaire", key)}
}

// Description is the text below the title. Default none.
func (s OperatorQuestionnaireStep) Description(description Text) OperatorQuestionnaireStep {
	return OperatorQuestionnaireStep{Step{s.setText("description", description)}}
}

// Ask adds questions after those that the questionnaire has.
func (s OperatorQuestionnaireStep) Ask(questions ...AnyQuestion) OperatorQuestionnaireStep {
	return OperatorQuestionnaireStep{s.ask(questions)}
}

// Questions are the questions of the questionnaire. Set("questions", questions) replaces them.
func (s OperatorQuestionnaireStep) Questions() []AnyQuestion { return s.questions() }

func (s Step) ask(questions []AnyQuestion) Step {
	var buf [1024]byte
	return Step{s.set("questions", appendList(buf[:0], get(s.text(), "questions"), questions))}
}

func (s Step) questions() (questions []AnyQuestion) {
	for o := range s.objects("questions") {
		questions = append(questions, Question{o}.known())
	}
	return questions
}

// AnyQuestion is a [Question] or a type that embeds one, such as [TextInput]. The methods are those of
// Question.
type AnyQuestion interface {
	Title(title Text) Question
	Mandatory(mandatory bool) Question
	ReadOnly(readOnly bool) Question
	ShowIf(questionKey, answer string) Question
	Set(name string, value any) Question
	Get(name string) (json.RawMessage, bool)
	QuestionType() string
	QuestionKey() string

	texter
}

// Question is one question of a questionnaire, made by a constructor such as [TextQuestion] or
// [CustomQuestion], or decoded from a step. A question never changes: its methods return a new one. They
// return a Question, so they come last in a chain. Printing or logging a question shows its type and key
// only, because a preset answer may be personal. (Developer guide 2025, User questionnaire.)
type Question struct{ object }

// Title replaces the text of the question.
func (q Question) Title(title Text) Question { return Question{q.setText("title", title)} }

// Mandatory requires an answer. Default false.
func (q Question) Mandatory(mandatory bool) Question {
	return Question{q.setBool("mandatory", mandatory)}
}

// ReadOnly prevents changes of the preset answer. Default false.
func (q Question) ReadOnly(readOnly bool) Question { return Question{q.setBool("readOnly", readOnly)} }

// ShowIf shows the question only if an earlier question of the questionnaire has this answer: the key of an
// option, or the text of a text question. Default always shown. (On the wire it is showConditions.)
func (q Question) ShowIf(questionKey, answer string) Question {
	condition := object{}.setString("questionKey", questionKey).setString("answer", answer)
	return Question{q.setAny("showConditions", condition)}
}

// Set sets any parameter of the question by its wire name, also one that this SDK has no method for. A value
// without a JSON form is reported when the request is validated.
func (q Question) Set(name string, value any) Question { return Question{q.setAny(name, value)} }

// QuestionType is the type on the wire, such as multiple-choice.
func (q Question) QuestionType() string { return getString(q.text(), "type") }

// QuestionKey is the key, unique in the questionnaire.
func (q Question) QuestionKey() string { return getString(q.text(), "key") }

// known returns a decoded question as its own type if this SDK has one.
func (q Question) known() AnyQuestion {
	switch q.QuestionType() {
	case "string":
		return TextInput{q}
	case "multiple-choice":
		return CheckboxInput{q}
	case "options":
		return RadioInput{q}
	case "dropdown":
		return DropdownInput{q}
	case "file":
		return FileInput{q}
	}
	return q
}

// CustomQuestion is a question of any type, for types that this SDK does not know, such as boolean in the
// System manual. Its parameters are given with Title and Set.
func CustomQuestion(typ, key string) Question { return Question{CustomStep(typ, key).object} }

func newQuestion(typ, key string, title Text) Question {
	var buf [512]byte
	return Question{newObject(string(append(appendQuestion(buf[:0], typ, key, title), '}')))}
}

func newChoiceQuestion(typ, key string, title Text, options []ChoiceOption) Question {
	var buf [1024]byte
	dst := append(appendQuestion(buf[:0], typ, key, title), `,"options":`...)
	return Question{newObject(string(append(appendList(dst, "", options), '}')))}
}

func appendQuestion(dst []byte, typ, key string, title Text) []byte {
	return title.appendJSON(append(appendTyped(dst, typ, key), `,"title":`...))
}

// ChoiceOption is one answer to choose from; see [Choice].
type ChoiceOption struct{ object }

// Choice is an option of a checkbox, radio or dropdown question. Its key must be unique in the questionnaire,
// not only in the question. (Developer guide 2025, User questionnaire.)
func Choice(key string, title Text) ChoiceOption {
	var buf [256]byte
	dst := wire.AppendString(append(buf[:0], `{"key":`...), key)
	return ChoiceOption{newObject(string(append(title.appendJSON(append(dst, `,"title":`...)), '}')))}
}

// Set sets any parameter of the option by its wire name.
func (o ChoiceOption) Set(name string, value any) ChoiceOption {
	return ChoiceOption{o.setAny(name, value)}
}

// TextInput asks for a short text; see [TextQuestion].
type TextInput struct{ Question }

// TextQuestion asks for a short text. (Developer guide 2025, Question type: Text input; the type is string.)
func TextQuestion(key string, title Text) TextInput {
	return TextInput{newQuestion("string", key, title)}
}

// Answer presets the answer, which the customer can change unless the question is ReadOnly. Default none.
func (q TextInput) Answer(text string) TextInput {
	return TextInput{Question{q.setString("answer", text)}}
}

// AnswerText presets the answer in several languages. Default none.
func (q TextInput) AnswerText(text Text) TextInput {
	return TextInput{Question{q.setText("answer", text)}}
}

// CheckboxInput asks for any number of options; see [CheckboxQuestion].
type CheckboxInput struct{ Question }

// CheckboxQuestion asks for any number of options. (Developer guide 2025, Question type: Checkbox; the type
// is multiple-choice.)
func CheckboxQuestion(key string, title Text, options ...ChoiceOption) CheckboxInput {
	return CheckboxInput{newChoiceQuestion("multiple-choice", key, title, options)}
}

// Answer presets the chosen options by their keys. Default none.
func (q CheckboxInput) Answer(optionKeys ...string) CheckboxInput {
	return CheckboxInput{Question{setStrings(q.object, "answer", optionKeys)}}
}

// RadioInput asks for one option; see [RadioQuestion].
type RadioInput struct{ Question }

// RadioQuestion asks for one option. (Developer guide 2025, Question type: Radio; the type is options.)
func RadioQuestion(key string, title Text, options ...ChoiceOption) RadioInput {
	return RadioInput{newChoiceQuestion("options", key, title, options)}
}

// Answer presets the chosen option by its key. Default none.
func (q RadioInput) Answer(optionKey string) RadioInput {
	return RadioInput{Question{q.setString("answer", optionKey)}}
}

// DropdownInput asks for options of a list; see [DropdownQuestion].
type DropdownInput struct{ Question }

// DropdownQuestion asks for one option of a list, or several with Multiple. It takes no preset answer.
// (Developer guide 2025, Question type: Dropdown.)
func DropdownQuestion(key string, title Text, options ...ChoiceOption) DropdownInput {
	return DropdownInput{newChoiceQuestion("dropdown", key, title, options)}
}

// Multiple lets several options be chosen. Default false.
func (q DropdownInput) Multiple(multiple bool) DropdownInput {
	return DropdownInput{Question{q.setBool("multiple", multiple)}}
}

// FileInput asks for files; see [FileQuestion].
type FileInput struct{ Question }

// FileQuestion asks for files. It takes no preset answer. (Developer guide 2025, Question type: File upload.)
func FileQuestion(key string, title Text) FileInput {
	return FileInput{newQuestion("file", key, title)}
}

// Description is the text below the title. Default none.
func (q FileInput) Description(description Text) FileInput {
	return FileInput{Question{q.setText("description", description)}}
}

// FileTypes are the accepted kinds of files: "pdf", "image". Default both.
func (q FileInput) FileTypes(types ...string) FileInput {
	return FileInput{Question{setStrings(q.object, "fileTypes", types)}}
}

// MaxFiles is how many files can be uploaded, 1 to 10. Default 10. (On the wire it is filesMaxCount.)
func (q FileInput) MaxFiles(count int) FileInput { return FileInput{q.Set("filesMaxCount", count)} }

// checkQuestions adds the problems of a questionnaire.
func (p *problems) checkQuestions(at fieldPath, questions string) {
	check := questionCheck{p, map[string][]string{}, map[string]bool{}}
	for at, question := range at.items(questions) {
		if q, ok := p.requireObject(at, question); ok {
			check.question(at, q)
		}
	}
}

// questionCheck is a walk over the questions of a questionnaire.
type questionCheck struct {
	*problems
	// asked has the questions so far with the keys of their options. The keys are nil for a question whose
	// answers are free, and for a dropdown: the guide does not say what a condition on a dropdown names.
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
	for at, option := range at.items(options) {
		key := getString(option, "key")
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
		for at, key := range at.items(answer) {
			c.require(isKey(key, options), at, "must be the key of one of the question's options")
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
