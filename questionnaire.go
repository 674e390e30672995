package identomat

import (
	"encoding/json"

	"github.com/identomat-go/identomat/internal/wire"
)

// UserQuestionnaire asks the customer questions. [Result.Answer] returns the answers under the step's
// key. Its type is "user-questionnaire". (Developer guide 2025, User questionnaire.)
func UserQuestionnaire(key string) QuestionnaireStep {
	return QuestionnaireStep{CustomStep("user-questionnaire", key)}
}

// OperatorQuestionnaire asks the operator questions, during or after a video call. The step goes next to
// the video call's step, not into it. Its type is "operator-questionnaire". (Developer guide 2025,
// Operator questionnaire.)
func OperatorQuestionnaire(key string) QuestionnaireStep {
	return QuestionnaireStep{CustomStep("operator-questionnaire", key)}
}

// Ask appends questions (questions).
func (s QuestionnaireStep) Ask(questions ...AnyQuestion) QuestionnaireStep {
	var buf [1024]byte
	return QuestionnaireStep{Step{object{s.json.Add("questions", '[', appendObjects(buf[:0], questions))}}}
}

// Questions returns the questions. Set("questions", questions) replaces them.
func (s QuestionnaireStep) Questions() (questions []AnyQuestion) {
	for _, o := range s.objects("questions") {
		questions = append(questions, asKnownQuestion(Question{o}))
	}
	return questions
}

// SuccessButton labels the last button of a user questionnaire (successButtonTitle). Default: "Confirm".
func (s QuestionnaireStep) SuccessButton(title Text) QuestionnaireStep {
	return QuestionnaireStep{Step{setText(s.object, "successButtonTitle", title)}}
}

// AnyQuestion is a [Question] or a type that embeds one, such as [TextInput]. The methods are those of
// Question.
type AnyQuestion interface {
	QuestionType() string
	QuestionKey() string
	Get(name string) (json.RawMessage, bool)
	Set(name string, value any) Question
	objecter
}

// Question is one question of a questionnaire, made by a constructor such as [TextQuestion] or decoded
// from a step. It is immutable: its methods return a new question. Methods of Question itself return a
// Question, so they come last in a chain. Boolean parameters are false by default. fmt and slog show only
// the type and key, because a preset answer may be personal. (Developer guide 2025, User questionnaire;
// each constructor names its section.)
type Question struct{ object }

type (
	// TextInput is a question that the customer answers with a short text (string). [TextQuestion] makes
	// it.
	TextInput struct{ Question }
	// CheckboxInput is a question with options, of which the customer may choose several
	// (multiple-choice). [CheckboxQuestion] makes it.
	CheckboxInput struct{ Question }
	// RadioInput is a question with options, of which the customer chooses one (options).
	// [RadioQuestion] makes it.
	RadioInput struct{ Question }
	// DropdownInput is a question with a list of options to choose from (dropdown). [DropdownQuestion]
	// makes it.
	DropdownInput struct{ Question }
	// FileInput is a question that the customer answers with files (file). [FileQuestion] makes it.
	FileInput struct{ Question }
)

// Title replaces the text of the question (title).
func (q Question) Title(title Text) Question { return Question{setText(q.object, "title", title)} }

// Mandatory requires an answer (mandatory).
func (q Question) Mandatory(on bool) Question { return q.Set("mandatory", on) }

// ReadOnly prevents changes to the preset answer (readOnly).
func (q Question) ReadOnly(on bool) Question { return q.Set("readOnly", on) }

// ShowIf shows the question only if an earlier question in the questionnaire has this answer: the key of
// an option, or the text of a text question (showConditions, with questionKey and answer). Default:
// always shown.
func (q Question) ShowIf(questionKey, answer string) Question {
	return q.Set("showConditions", object{}.set("questionKey", questionKey).set("answer", answer))
}

// Set sets any parameter of the question by its wire name. If value cannot be encoded as JSON,
// [SessionsService.Begin] returns a [ValidationError].
func (q Question) Set(name string, value any) Question { return Question{q.set(name, value)} }

// QuestionType returns the type on the wire, such as multiple-choice.
func (q Question) QuestionType() string { return q.getString("type") }

// QuestionKey returns the question's unique key.
func (q Question) QuestionKey() string { return q.getString("key") }

// questionTypes maps a type on the wire to the function that gives a decoded question its Go type.
var questionTypes = map[string]func(Question) AnyQuestion{
	"string":          func(q Question) AnyQuestion { return TextInput{q} },
	"multiple-choice": func(q Question) AnyQuestion { return CheckboxInput{q} },
	"options":         func(q Question) AnyQuestion { return RadioInput{q} },
	"dropdown":        func(q Question) AnyQuestion { return DropdownInput{q} },
	"file":            func(q Question) AnyQuestion { return FileInput{q} },
}

func asKnownQuestion(q Question) AnyQuestion {
	if known := questionTypes[q.QuestionType()]; known != nil {
		return known(q)
	}
	return q
}

// CustomQuestion is a question of a type that this SDK does not know, such as boolean in the System
// manual. Give it parameters with [Question.Title] and [Question.Set].
func CustomQuestion(typ, key string) Question { return Question{CustomStep(typ, key).object} }

func newQuestion(typ, key string, title Text, options []ChoiceOption) Question {
	var buf [1024]byte
	dst := title.appendJSON(append(appendTyped(buf[:0], typ, key), `,"title":`...))
	if options != nil {
		dst = append(appendObjects(append(dst, `,"options":[`...), options), ']')
	}
	return Question{object{wire.NewObject(append(dst, '}'))}}
}

// ChoiceOption is one answer to choose from: an element of options. [Choice] makes it.
type ChoiceOption struct{ object }

// Choice is an option of a checkbox, radio or dropdown question, with a key and a title. The key must be
// unique in the questionnaire, not only in the question.
func Choice(key string, title Text) ChoiceOption {
	var buf [256]byte
	dst := wire.AppendString(append(buf[:0], `{"key":`...), key)
	dst = title.appendJSON(append(dst, `,"title":`...))
	return ChoiceOption{object{wire.NewObject(append(dst, '}'))}}
}

// Set sets any parameter of the option by its wire name.
func (o ChoiceOption) Set(name string, value any) ChoiceOption {
	return ChoiceOption{o.set(name, value)}
}

// TextQuestion asks for a short text. Its type is "string". (Developer guide 2025, Question type: Text
// input.)
func TextQuestion(key string, title Text) TextInput {
	return TextInput{newQuestion("string", key, title, nil)}
}

// Answer presets the answer (answer), which the customer can change unless the question is ReadOnly.
// Default: none. Set("answer", Text{…}) presets it in several languages.
func (q TextInput) Answer(text string) TextInput { return TextInput{q.Set("answer", text)} }

// CheckboxQuestion lets the customer choose any number of options. Its type is "multiple-choice".
// (Developer guide 2025, Question type: Checkbox.)
func CheckboxQuestion(key string, title Text, options ...ChoiceOption) CheckboxInput {
	return CheckboxInput{newQuestion("multiple-choice", key, title, options)}
}

// Answer presets the chosen options by their keys (answer). Default: none.
func (q CheckboxInput) Answer(optionKeys ...string) CheckboxInput {
	return CheckboxInput{Question{setStrings(q.object, "answer", optionKeys)}}
}

// RadioQuestion lets the customer choose one option. Its type is "options". (Developer guide 2025,
// Question type: Radio.)
func RadioQuestion(key string, title Text, options ...ChoiceOption) RadioInput {
	return RadioInput{newQuestion("options", key, title, options)}
}

// Answer presets the chosen option by its key (answer). Default: none.
func (q RadioInput) Answer(optionKey string) RadioInput {
	return RadioInput{q.Set("answer", optionKey)}
}

// DropdownQuestion lets the customer choose one option, or several with [DropdownInput.Multiple]. It
// takes no preset answer. Its type is "dropdown". (Developer guide 2025, Question type: Dropdown.)
func DropdownQuestion(key string, title Text, options ...ChoiceOption) DropdownInput {
	return DropdownInput{newQuestion("dropdown", key, title, options)}
}

// Multiple lets the customer choose several options (multiple).
func (q DropdownInput) Multiple(on bool) DropdownInput { return DropdownInput{q.Set("multiple", on)} }

// FileQuestion asks for files. It takes no preset answer. [MediaService.QuestionFiles] fetches the
// files. Its type is "file". (Developer guide 2025, Question type: File upload.)
func FileQuestion(key string, title Text) FileInput {
	return FileInput{newQuestion("file", key, title, nil)}
}

// Description is the text below the title (description). Default: none.
func (q FileInput) Description(description Text) FileInput {
	return FileInput{Question{setText(q.object, "description", description)}}
}

// FileTypes sets the accepted kinds of files (fileTypes): "pdf", "image". Default: both.
func (q FileInput) FileTypes(types ...string) FileInput {
	return FileInput{Question{setStrings(q.object, "fileTypes", types)}}
}

// MaxFiles is how many files can be uploaded (filesMaxCount), 1 to 10. Default: 10.
func (q FileInput) MaxFiles(count int) FileInput { return FileInput{q.Set("filesMaxCount", count)} }
