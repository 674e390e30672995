package identomat

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/wire"
)

// guideOptions are the options in the guide's "List of parameters with examples".
var guideOptions = []ChoiceOption{
	Choice("identity-document", Text{"en": "Identity Document", "es": "Documento de identidad"}),
	Choice("proof-of-address", Text{"en": "Proof of Address", "es": "Comprobante de domicilio"}),
}

const guideOptionsJSON = `[{"title":{"en":"Identity Document","es":"Documento de identidad"},"key":"identity-document"},` +
	`{"title":{"en":"Proof of Address","es":"Comprobante de domicilio"},"key":"proof-of-address"}]`

var guideTitle = Text{"es": "Tu título", "en": "Your title"}

const guideTitleJSON = `{"es":"Tu título","en":"Your title"}`

// questionMethods has a call to every question constructor and method, and the JSON that must be sent.
var questionMethods = []struct {
	question AnyQuestion
	want     string
}{
	{TextQuestion("your-address", guideTitle), `{"type":"string","key":"your-address","title":` + guideTitleJSON + `}`},
	{TextQuestion("q", guideTitle).Mandatory(true), `{"type":"string","key":"q","title":` + guideTitleJSON + `,"mandatory":true}`},
	{TextQuestion("q", guideTitle).Mandatory(false).ReadOnly(true), `{"type":"string","key":"q","title":` + guideTitleJSON + `,"mandatory":false,"readOnly":true}`},
	{TextQuestion("q", guideTitle).Answer("John Doe"), `{"type":"string","key":"q","title":` + guideTitleJSON + `,"answer":"John Doe"}`},
	{TextQuestion("q", guideTitle).Set("answer", Text{"en": "This is a prefilled answer", "es": "Esta es una respuesta prellenada."}),
		`{"type":"string","key":"q","title":` + guideTitleJSON + `,"answer":{"en":"This is a prefilled answer","es":"Esta es una respuesta prellenada."}}`},
	{TextQuestion("q", guideTitle).ShowIf("employment-status", "self-employed"),
		`{"type":"string","key":"q","title":` + guideTitleJSON + `,"showConditions":{"questionKey":"employment-status","answer":"self-employed"}}`},
	{TextQuestion("q", nil).Title(guideTitle), `{"type":"string","key":"q","title":` + guideTitleJSON + `}`},
	{CheckboxQuestion("check-two-answers", guideTitle, guideOptions...),
		`{"type":"multiple-choice","key":"check-two-answers","title":` + guideTitleJSON + `,"options":` + guideOptionsJSON + `}`},
	{CheckboxQuestion("q", guideTitle, guideOptions...).Answer("identity-document", "proof-of-address").ReadOnly(true).Mandatory(true).ShowIf("a", "b"),
		`{"type":"multiple-choice","key":"q","title":` + guideTitleJSON + `,"options":` + guideOptionsJSON +
			`,"answer":["identity-document","proof-of-address"],"readOnly":true,"mandatory":true,"showConditions":{"questionKey":"a","answer":"b"}}`},
	{RadioQuestion("choose-one-answer", guideTitle, guideOptions...),
		`{"type":"options","key":"choose-one-answer","title":` + guideTitleJSON + `,"options":` + guideOptionsJSON + `}`},
	{RadioQuestion("q", guideTitle, guideOptions...).Answer("proof-of-address").ReadOnly(false).Mandatory(true).ShowIf("a", "b"),
		`{"type":"options","key":"q","title":` + guideTitleJSON + `,"options":` + guideOptionsJSON +
			`,"answer":"proof-of-address","readOnly":false,"mandatory":true,"showConditions":{"questionKey":"a","answer":"b"}}`},
	{DropdownQuestion("choose-from-list", guideTitle, guideOptions...),
		`{"type":"dropdown","key":"choose-from-list","title":` + guideTitleJSON + `,"options":` + guideOptionsJSON + `}`},
	{DropdownQuestion("q", guideTitle, guideOptions...).Multiple(true).Mandatory(true).ShowIf("a", "b"),
		`{"type":"dropdown","key":"q","title":` + guideTitleJSON + `,"options":` + guideOptionsJSON +
			`,"multiple":true,"mandatory":true,"showConditions":{"questionKey":"a","answer":"b"}}`},
	{FileQuestion("choose-from-list", guideTitle), `{"type":"file","key":"choose-from-list","title":` + guideTitleJSON + `}`},
	{FileQuestion("q", guideTitle).Description(Text{"es": "Tu descripción", "en": "Your description"}).FileTypes("pdf", "image").MaxFiles(5).Mandatory(true).ShowIf("a", "b"),
		`{"type":"file","key":"q","title":` + guideTitleJSON + `,"description":{"es":"Tu descripción","en":"Your description"},` +
			`"fileTypes":["pdf","image"],"filesMaxCount":5,"mandatory":true,"showConditions":{"questionKey":"a","answer":"b"}}`},
	{CustomQuestion("boolean", "are-you-employed").Mandatory(true).Title(Text{"en": "Are you currently employed?"}),
		`{"type":"boolean","key":"are-you-employed","mandatory":true,"title":{"en":"Are you currently employed?"}}`},
}

func TestQuestionMethods(t *testing.T) {
	for _, c := range questionMethods {
		t.Run(c.want, func(t *testing.T) {
			data, err := json.Marshal(c.question)
			require.NoError(t, err)
			assert.JSONEq(t, c.want, string(data))
			assert.Equal(t, memberOrder(t, c.want), memberOrder(t, string(data)))
		})
	}
}

// memberOrder returns the names of an object's members, in order.
func memberOrder(t *testing.T, text string) []string {
	t.Helper()
	require.True(t, json.Valid([]byte(text)), text)
	var names []string
	for m := wire.Members(text); m.Next(); {
		names = append(names, wire.Unquote(m.Name))
	}
	return names
}

func TestEveryQuestionHasSetAndGetters(t *testing.T) {
	title := Text{"en": "T"}
	for name, q := range map[string]AnyQuestion{
		"string":          TextQuestion("k", title).Set("x", 1),
		"multiple-choice": CheckboxQuestion("k", title).Set("x", 1),
		"options":         RadioQuestion("k", title).Set("x", 1),
		"dropdown":        DropdownQuestion("k", title).Set("x", 1),
		"file":            FileQuestion("k", title).Set("x", 1),
		"other":           CustomQuestion("other", "k").Title(title).Set("x", 1),
	} {
		decoded := UserQuestionnaire("q").Ask(q).Questions()
		require.Len(t, decoded, 1)
		for _, q := range []AnyQuestion{q, decoded[0]} {
			assert.Equal(t, name, q.QuestionType())
			assert.Equal(t, "k", q.QuestionKey())
			got, ok := q.Get("title")
			assert.True(t, ok)
			assert.Equal(t, `{"en":"T"}`, string(got))
			x, ok := q.Get("x")
			assert.True(t, ok)
			assert.Equal(t, `1`, string(x))
		}
	}
	assert.Equal(t, `{"key":"a","title":{"en":"T"},"icon":"x"}`, sent(t, Choice("a", title).Set("icon", "x")))
}

func TestDecodedQuestionsHaveTheirOwnType(t *testing.T) {
	title := Text{"en": "T"}
	questions := []AnyQuestion{
		TextQuestion("a", title), CheckboxQuestion("b", title), RadioQuestion("c", title), DropdownQuestion("d", title), FileQuestion("e", title),
		CustomQuestion("boolean", "f"),
	}
	assert.Equal(t, questions, UserQuestionnaire("u").Ask(questions...).Questions())
	assert.Equal(t, questions, OperatorQuestionnaire("o").Ask(questions...).Questions())
}

func TestQuestionnaireMethods(t *testing.T) {
	title := Text{"en": "T"}
	for _, c := range []stepCase{
		{UserQuestionnaire("terms-and-conditions"), `{"type":"user-questionnaire","key":"terms-and-conditions"}`},
		{UserQuestionnaire("q").SuccessButton(Text{"en": "Go"}).Description(Text{"en": "D"}).Title(title),
			`{"type":"user-questionnaire","key":"q","successButtonTitle":{"en":"Go"},"description":{"en":"D"},"title":{"en":"T"}}`},
		{UserQuestionnaire("q").Ask(CustomQuestion("a", "1"), CustomQuestion("b", "2")).Ask(CustomQuestion("c", "3")),
			`{"type":"user-questionnaire","key":"q","questions":[{"type":"a","key":"1"},{"type":"b","key":"2"},{"type":"c","key":"3"}]}`},
		{OperatorQuestionnaire("document-collection").Ask(TextQuestion("1", title)).Description(Text{"en": "D"}).Title(title),
			`{"type":"operator-questionnaire","key":"document-collection","questions":[{"type":"string","key":"1","title":{"en":"T"}}],"description":{"en":"D"},"title":{"en":"T"}}`},
		// API reference, begin/: "override specific steps".
		{UserQuestionnaire("agreement").
			Ask(CustomQuestion("string", "agreement-1").Title(Text{"en": "Your full name"}).Set("answer", "John Doe")).
			SuccessButton(Text{"en": "Continue"}).Title(Text{"en": "Personal information"}),
			`{"type":"user-questionnaire","key":"agreement","questions":[{"type":"string","key":"agreement-1","title":{"en":"Your full name"},"answer":"John Doe"}],"successButtonTitle":{"en":"Continue"},"title":{"en":"Personal information"}}`},
	} {
		assert.Equal(t, "["+c.want+"]", sent(t, Steps{c.step}))
	}
}

func TestQuestionnairesDoNotChange(t *testing.T) {
	base := UserQuestionnaire("q").Ask(CustomQuestion("a", "1"))
	left, right := base.Ask(CustomQuestion("l", "2")), base.Ask(CustomQuestion("r", "2"))
	assert.Equal(t, `{"type":"user-questionnaire","key":"q","questions":[{"type":"a","key":"1"}]}`, sent(t, base))
	assert.Equal(t, `{"type":"user-questionnaire","key":"q","questions":[{"type":"a","key":"1"},{"type":"l","key":"2"}]}`, sent(t, left))
	assert.Equal(t, `{"type":"user-questionnaire","key":"q","questions":[{"type":"a","key":"1"},{"type":"r","key":"2"}]}`, sent(t, right))

	q := TextQuestion("name", Text{"en": "Name"})
	_ = q.Answer("John Doe").Mandatory(true)
	assert.Equal(t, `{"type":"string","key":"name","title":{"en":"Name"}}`, sent(t, q))
}

func TestDecodedQuestionsCanBeEditedAndAdded(t *testing.T) {
	const text = `[{"type":"user-questionnaire","key":"q","title":"Plain","questions":[` +
		`{"title":"Your title","type":"string","key":"question1","odd":1.0},` +
		`{"type":"boolean","key":"b"}],"x":null}]`
	step := decodeSteps(text)[0].(QuestionnaireStep)
	questions := step.Questions()
	require.Len(t, questions, 2)
	assert.IsType(t, Question{}, questions[1])
	questions[0] = questions[0].(TextInput).Answer("A")
	assert.Equal(t, `{"type":"user-questionnaire","key":"q","title":"Plain","questions":[`+
		`{"title":"Your title","type":"string","key":"question1","odd":1.0,"answer":"A"},{"type":"boolean","key":"b"}],"x":null}`,
		sent(t, step.Set("questions", questions)))
	assert.Equal(t, `{"type":"user-questionnaire","key":"q","title":"Plain","questions":[`+
		`{"title":"Your title","type":"string","key":"question1","odd":1.0},{"type":"boolean","key":"b"},{"type":"c","key":"c"}],"x":null}`,
		sent(t, step.Ask(CustomQuestion("c", "c"))))
	assert.Empty(t, UserQuestionnaire("q").Questions())
	assert.Empty(t, OperatorQuestionnaire("q").Questions())
	assert.Len(t, OperatorQuestionnaire("q").Ask(questions...).Questions(), 2)
}

func TestQuestionnairesAreValidated(t *testing.T) {
	title := Text{"en": "T"}
	yes, no := Choice("yes", title), Choice("no", title)
	ask := func(questions ...AnyQuestion) Steps { return Steps{UserQuestionnaire("u").Ask(questions...)} }
	const (
		at        = "steps[0].questions"
		empty     = "must not be empty"
		unique    = "must be unique in the questionnaire"
		oneOption = "must hold at least one option"
		ownKey    = "must be the key of one of the question's options"
		ownKeys   = "must be a list of keys of the question's options"
		thatKey   = "must be the key of one of that question's options"
		earlier   = "must be the key of an earlier question of the questionnaire"
		count     = "must be a number from 1 to 10"
	)
	cases := []problemCase{
		{"no questions", Steps{UserQuestionnaire("u")}, nil},
		{"the guide's questions", ask(
			TextQuestion("name", title).Answer("John Doe").Mandatory(true),
			RadioQuestion("employed", title, yes, no).Answer("no"),
			CheckboxQuestion("how", title, Choice("a", title), Choice("b", title)).Answer("b", "a").ShowIf("employed", "yes"),
			DropdownQuestion("where", title, Choice("c", title)).ShowIf("how", "a"),
			FileQuestion("contract", title).MaxFiles(2).ShowIf("where", "c"),
			TextQuestion("why", title).ShowIf("name", "any text at all"),
			CustomQuestion("boolean", "sure").ShowIf("contract", "x"),
		), nil},
		{"nil question", ask(TextQuestion("a", title), nil), problems{{at + "[1]", "must not be nil"}}},
		{"nil pointer", ask((*TextInput)(nil)), problems{{at + "[0]", "must not be nil"}}},
		{"zero value", ask(RadioInput{}), problems{{at + "[0].type", empty}, {at + "[0].key", empty}}},
		{"empty type", ask(CustomQuestion("", "k")), problems{{at + "[0].type", empty}}},
		{"empty keys", ask(TextQuestion("", title), TextQuestion("", title)), problems{{at + "[0].key", empty}, {at + "[1].key", empty}}},
		{"question key twice", ask(TextQuestion("a", title), FileQuestion("a", title)), problems{{at + "[1].key", unique}}},
		{"question key again in another questionnaire",
			Steps{UserQuestionnaire("u").Ask(TextQuestion("a", title)), OperatorQuestionnaire("o").Ask(TextQuestion("a", title))}, nil},
		{"no options", ask(CheckboxQuestion("c", title), RadioQuestion("r", title), DropdownQuestion("d", title), TextQuestion("t", title), FileQuestion("f", title)),
			problems{{at + "[0].options", oneOption}, {at + "[1].options", oneOption}, {at + "[2].options", oneOption}}},
		{"options that are no list", ask(CustomQuestion("options", "r").Set("options", "x")), problems{{at + "[0].options", oneOption}}},
		{"option without key", ask(RadioQuestion("r", title, yes, Choice("", title))), problems{{at + "[0].options[1].key", empty}}},
		{"zero option", ask(RadioQuestion("r", title, ChoiceOption{})), problems{{at + "[0].options[0].key", empty}}},
		{"option key twice in a question", ask(RadioQuestion("r", title, yes, no, yes)), problems{{at + "[0].options[2].key", unique}}},
		{"option key twice in the questionnaire", ask(RadioQuestion("r", title, yes, no), DropdownQuestion("s", title, Choice("maybe", title), no)),
			problems{{at + "[1].options[1].key", unique}}},
		{"option key again in another questionnaire",
			Steps{UserQuestionnaire("u").Ask(RadioQuestion("r", title, yes)), UserQuestionnaire("v").Ask(RadioQuestion("r", title, yes))}, nil},
		{"radio preset that is no option", ask(RadioQuestion("r", title, yes, no).Answer("maybe")), problems{{at + "[0].answer", ownKey}}},
		{"radio preset that is no string", ask(RadioQuestion("r", title, yes, no).Set("answer", []string{"yes"})), problems{{at + "[0].answer", ownKey}}},
		{"radio preset of another question", ask(RadioQuestion("r", title, yes), RadioQuestion("s", title, no).Answer("yes")),
			problems{{at + "[1].answer", ownKey}}},
		{"checkbox presets that are no options", ask(CheckboxQuestion("c", title, yes, no).Answer("yes", "maybe", "")),
			problems{{at + "[0].answer[1]", ownKey}, {at + "[0].answer[2]", ownKey}}},
		{"checkbox preset that is no list", ask(CheckboxQuestion("c", title, yes).Set("answer", "yes")), problems{{at + "[0].answer", ownKeys}}},
		{"presets without anything chosen", ask(CheckboxQuestion("c", title, yes).Answer(), RadioQuestion("r", title, no).Set("answer", nil)), nil},
		{"text presets are free", ask(TextQuestion("a", title).Answer(""), TextQuestion("b", title).Set("answer", title)), nil},
		{"condition on no question", ask(TextQuestion("a", title), TextQuestion("b", title).ShowIf("none", "x")),
			problems{{at + "[1].showConditions.questionKey", earlier}}},
		{"condition on itself", ask(RadioQuestion("r", title, yes).ShowIf("r", "yes")), problems{{at + "[0].showConditions.questionKey", earlier}}},
		{"condition on a later question", ask(TextQuestion("a", title).ShowIf("r", "yes"), RadioQuestion("r", title, yes)),
			problems{{at + "[0].showConditions.questionKey", earlier}}},
		{"condition on a question of another questionnaire",
			Steps{UserQuestionnaire("u").Ask(TextQuestion("a", title)), UserQuestionnaire("v").Ask(TextQuestion("b", title).ShowIf("a", "x"))},
			problems{{"steps[1].questions[0].showConditions.questionKey", earlier}}},
		{"condition with an answer that is no option", ask(
			RadioQuestion("r", title, yes), CheckboxQuestion("c", title, no), DropdownQuestion("d", title, Choice("x", title)),
			TextQuestion("1", title).ShowIf("r", "no"), TextQuestion("2", title).ShowIf("c", "yes"), TextQuestion("3", title).ShowIf("d", ""),
			TextQuestion("4", title).ShowIf("r", "yes")),
			problems{{at + "[3].showConditions.answer", thatKey}, {at + "[4].showConditions.answer", thatKey}}},
		{"condition that is no object", ask(TextQuestion("a", title).Set("showConditions", "x")), problems{{at + "[0].showConditions", "must be an object"}}},
		{"conditions that are empty", ask(TextQuestion("a", title).Set("showConditions", []string{}), TextQuestion("b", title).Set("showConditions", nil)), nil},
		{"no files", ask(FileQuestion("f", title).MaxFiles(0)), problems{{at + "[0].filesMaxCount", count}}},
		{"too many files", ask(FileQuestion("f", title).MaxFiles(11), FileQuestion("g", title).MaxFiles(-1)),
			problems{{at + "[0].filesMaxCount", count}, {at + "[1].filesMaxCount", count}}},
		{"a count that is no number", ask(FileQuestion("f", title).Set("filesMaxCount", "5")), problems{{at + "[0].filesMaxCount", count}}},
		{"counts at the limits", ask(FileQuestion("f", title).MaxFiles(1), FileQuestion("g", title).MaxFiles(10), TextQuestion("t", title).Set("filesMaxCount", 11)), nil},
		{"answer without JSON form", ask(TextQuestion("a", title).Set("answer", math.NaN())), problems{{at + "[0].answer", "cannot be encoded as JSON"}}},
		{"questions that are no objects", decodeSteps(`[{"type":"user-questionnaire","key":"u","questions":["x",{"type":"string","key":"a"}]}]`),
			problems{{at + "[0]", "must be an object"}}},
		{"operator's questions", Steps{OperatorQuestionnaire("o").Ask(RadioQuestion("r", title))}, problems{{at + "[0].options", oneOption}}},
		{"questions in a call", Steps{VideoCall().Steps(UserQuestionnaire("u").Ask(RadioQuestion("r", title)))},
			problems{{"steps[0].steps[0].questions[0].options", oneOption}}},
		{"questions of an unknown step are not judged", Steps{CustomStep("face", "f").Set("questions", []AnyQuestion{RadioQuestion("", nil)})}, nil},
	}
	checkProblems(t, cases)
}

func TestAllProblemsOfAQuestionnaireAreReported(t *testing.T) {
	var questions []AnyQuestion
	for i := range 5 {
		questions = append(questions, RadioQuestion(fmt.Sprint(i), nil))
	}
	var p problems
	addStepProblems(&p, Steps{UserQuestionnaire("q").Ask(questions...)})
	assert.Len(t, p, 5)
}
