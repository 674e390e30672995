package identomat

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/wire"
)

// sent returns the exact JSON text of v.
func sent(t testing.TB, v json.Marshaler) string {
	t.Helper()
	data, err := v.MarshalJSON()
	require.NoError(t, err)
	require.True(t, json.Valid(data), "%s", data)
	return string(data)
}

func TestSetCopiesValues(t *testing.T) {
	list := []string{"a", "b"}
	nested := map[string]any{"list": []int{1}}
	text := Text{"en": "Name"}
	raw := json.RawMessage(`{"z":1,"a":12345678901234567890}`)
	f := NewFlags().Set("list", list).Set("nested", nested).Set("text", text).Set("raw", raw)
	list[0], nested["list"], text["en"], raw[2] = "changed", "changed", "changed", 'y'
	assert.Equal(t, `{"list":["a","b"],"nested":{"list":[1]},"text":{"en":"Name"},"raw":{"z":1,"a":12345678901234567890}}`, sent(t, f))
}

func TestSetAcceptsEveryKindOfValue(t *testing.T) {
	type custom struct {
		Name string `json:"name"`
	}
	var noList []string
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, `null`},
		{true, `true`},
		{-7, `-7`},
		{int64(math.MaxInt64), `9223372036854775807`},
		{uint64(math.MaxUint64), `18446744073709551615`},
		{0.5, `0.5`},
		{json.Number("1e400"), `1e400`},
		{Georgian, `"ka"`},
		{Passport, `"passport"`},
		{[]DocumentType{Passport, IDCard}, `["passport","id"]`},
		{noList, `null`},
		{[]string{}, `[]`},
		{[]any{1, "a", nil}, `[1,"a",null]`},
		{custom{"x"}, `{"name":"x"}`},
		{&custom{"x"}, `{"name":"x"}`},
		{(*custom)(nil), `null`},
		{Text{"ka": "კი", "en": "Yes <b>"}, `{"en":"Yes <b>","ka":"კი"}`},
		{Text{"": "plain"}, `"plain"`},
		{NewFlags().SkipFace(false), `{"skip_face":false}`},
		{Email(), `{"type":"email","key":"require_email"}`},
		{Steps{Email()}, `[{"type":"email","key":"require_email"}]`},
		{[]AnyStep{Email()}, `[{"type":"email","key":"require_email"}]`},
		{[]AnyQuestion{CustomQuestion("boolean", "q")}, `[{"type":"boolean","key":"q"}]`},
		{Choice("a", Text{"en": "A"}), `{"key":"a","title":{"en":"A"}}`},
		{UBO().Verify(true), `{"verification":true}`},
	} {
		assert.Equal(t, `{"v":`+c.want+`}`, sent(t, NewFlags().Set("v", c.value)), "%T", c.value)
	}
}

// The zero values of the builders can be encoded and changed like other values.
func TestZeroValuesWork(t *testing.T) {
	title := Text{"en": "T"}
	for _, v := range []json.Marshaler{
		Step{}, LivenessStep{}, QuestionnaireStep{}, BeneficiariesStep{}, VideoCallStep{}, Question{}, RadioInput{}, ChoiceOption{}, BeneficiaryRole{}, Flags{},
	} {
		assert.Equal(t, `{}`, sent(t, v), "%T", v)
	}
	assert.Equal(t, `{"title":{"en":"T"}}`, sent(t, Step{}.Title(title)))
	assert.Equal(t, `{"flags":{"liveness":true}}`, sent(t, LivenessStep{}.Active(true)))
	assert.Equal(t, `{"questions":[{}]}`, sent(t, QuestionnaireStep{}.Ask(Question{})))
	assert.Equal(t, `{"roles":{"":{}}}`, sent(t, BeneficiariesStep{}.Roles(BeneficiaryRole{})))
	assert.Equal(t, `{"steps":[{}]}`, sent(t, VideoCallStep{}.Steps(Step{})))
	assert.Empty(t, Step{}.StepType()+Step{}.StepKey()+Question{}.QuestionType()+Question{}.QuestionKey())
	assert.Empty(t, QuestionnaireStep{}.Questions())
	assert.Empty(t, VideoCallStep{}.NestedSteps())
	assert.Equal(t, `[]`, sent(t, Steps(nil)))
}

type failing struct{}

var errFailing = errors.New("the value is 4111-1111")

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

func TestErrorsNameValuesWithoutJSONForm(t *testing.T) {
	for name, bad := range map[string]any{
		"channel": make(chan int), "function": func() {}, "NaN": math.NaN(), "infinity": math.Inf(1),
		"complex": 1i, "invalid raw text": json.RawMessage(`{`), "failing": failing{},
		"map of functions": map[string]any{"f": func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			steps := Steps{Email(), VideoCall().Steps(Liveness(), Liveness().Flag("odd", bad))}
			_, err := steps.MarshalJSON()
			require.EqualError(t, err, "identomat: [1].steps[1].flags.odd cannot be encoded as JSON")
			_, err = json.Marshal(steps)
			assert.Error(t, err)
			_, err = NewFlags().Set("odd", bad).MarshalJSON()
			assert.EqualError(t, err, "identomat: odd cannot be encoded as JSON")
			_, ok := NewFlags().Set("odd", bad).Get("odd")
			assert.False(t, ok)
		})
	}
	_, err := NewFlags().Set("odd", failing{}).MarshalJSON()
	assert.NotContains(t, err.Error(), "4111")
	assert.NoError(t, errors.Unwrap(err), "the cause may contain the value")
}

// TestTextIsNoStandIn checks that no caller's string is mistaken for wire.Unencodable or wire.Nil.
func TestTextIsNoStandIn(t *testing.T) {
	f := NewFlags().Set("s", "\x00\x01").Set("\x00", Text{"\x01": "\x00"})
	assert.Equal(t, `{"s":"\u0000\u0001","\u0000":{"\u0001":"\u0000"}}`, sent(t, f))
	assert.Equal(t, `{"type":"\u0000","key":"\u0001"}`, sent(t, CustomStep("\x00", "\x01")))
	var p problems
	addFlagProblems(&p, f)
	assert.Empty(t, p)
}

func TestErrorsNameNilStepsAndQuestions(t *testing.T) {
	for name, none := range map[string]AnyStep{"nil": nil, "nil pointer": (*LivenessStep)(nil)} {
		t.Run(name, func(t *testing.T) {
			_, err := Steps{Email(), none}.MarshalJSON()
			assert.EqualError(t, err, "identomat: [1] must not be nil")
			_, err = Steps{VideoCall().Steps(none)}.MarshalJSON()
			assert.EqualError(t, err, "identomat: [0].steps[0] must not be nil")
			_, err = Steps{UserQuestionnaire("q").Ask(nil)}.MarshalJSON()
			assert.EqualError(t, err, "identomat: [0].questions[0] must not be nil")
		})
	}
}

// The hand* types are what an application could write without the SDK.

type handQuestion struct {
	Type      string       `json:"type"`
	Key       string       `json:"key"`
	Title     Text         `json:"title"`
	Options   []handOption `json:"options,omitempty"`
	Answer    any          `json:"answer,omitempty"`
	Mandatory bool         `json:"mandatory,omitempty"`
}

type handOption struct {
	Key   string            `json:"key"`
	Title map[string]string `json:"title"`
}

type handStep struct {
	Type  string `json:"type"`
	Key   string `json:"key"`
	Flags *struct {
		DocumentTypes       []string `json:"document_types,omitempty"`
		DocumentCountries   []string `json:"document_countries,omitempty"`
		AllowDocumentUpload bool     `json:"allow_document_upload,omitempty"`
		Liveness            bool     `json:"liveness,omitempty"`
	} `json:"flags,omitempty"`
	Title     map[string]string `json:"title,omitempty"`
	Questions []handQuestion    `json:"questions,omitempty"`
}

type handRequest struct {
	Flags struct {
		Language    string `json:"language"`
		ReturnURL   string `json:"return_url"`
		SkipDesktop bool   `json:"skip_desktop"`
	} `json:"flags"`
	Steps []handStep `json:"steps"`
}

func handWritten() handRequest {
	var r handRequest
	r.Flags.Language, r.Flags.ReturnURL, r.Flags.SkipDesktop = "ka", "https://bank.example/kyc/return", true
	document := handStep{Type: "identity-document", Key: "identity-document"}
	document.Flags = &struct {
		DocumentTypes       []string `json:"document_types,omitempty"`
		DocumentCountries   []string `json:"document_countries,omitempty"`
		AllowDocumentUpload bool     `json:"allow_document_upload,omitempty"`
		Liveness            bool     `json:"liveness,omitempty"`
	}{DocumentTypes: []string{"passport", "id"}, DocumentCountries: []string{"GEO"}, AllowDocumentUpload: true}
	r.Steps = []handStep{document, {
		Type: "user-questionnaire", Key: "employment",
		Title: Text{"en": "Employment", "ka": "დასაქმება"},
		Questions: []handQuestion{
			{Type: "string", Key: "name", Title: Text{"en": "Your full name"}, Answer: "John Doe", Mandatory: true},
			{Type: "options", Key: "employed", Title: Text{"en": "Are you employed?"}, Options: []handOption{
				{"yes", Text{"en": "Yes"}}, {"no", Text{"en": "No"}},
			}},
		},
	}}
	return r
}

func built() (Flags, Steps) {
	return NewFlags().Language(Georgian).ReturnURL("https://bank.example/kyc/return").SkipDesktop(true),
		Steps{
			IdentityDocument().Types(Passport, IDCard).Countries("GEO").AllowUpload(true),
			UserQuestionnaire("employment").Ask(
				TextQuestion("name", Text{"en": "Your full name"}).Answer("John Doe").Mandatory(true),
				RadioQuestion("employed", Text{"en": "Are you employed?"},
					Choice("yes", Text{"en": "Yes"}), Choice("no", Text{"en": "No"})),
			).Title(Text{"en": "Employment", "ka": "დასაქმება"}),
		}
}

func appendBuilt(dst []byte, flags Flags, steps Steps) []byte {
	dst = flags.json.AppendJSON(append(dst, `{"flags":`...))
	dst = steps.appendJSON(append(dst, `,"steps":`...))
	return append(dst, '}')
}

// addFlagProblems adds the problems that [SessionsService.Begin] finds in flags.
func addFlagProblems(p *problems, f Flags) {
	text := f.json.AppendJSON(nil)
	p.in("flags", checkCountries(wire.NewReader(text)))
	for _, found := range wire.Unsendable("flags", text) {
		p.add(found.Path, found.Message)
	}
}

// addStepProblems adds the problems that [SessionsService.Begin] finds in steps.
func addStepProblems(p *problems, s Steps) {
	text := s.appendJSON(nil)
	*p = append(*p, checkSteps(wire.NewReader(text), false)...)
	for _, found := range wire.Unsendable("steps", text) {
		p.add(found.Path, found.Message)
	}
}

func TestEncodingAllocatesLessThanHandWrittenStructs(t *testing.T) {
	flags, steps := built()
	request := handWritten()
	want, err := json.Marshal(request)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(appendBuilt(nil, flags, steps)))

	hand := testing.AllocsPerRun(100, func() { _, _ = json.Marshal(request) })
	buf := make([]byte, 0, 2048)
	ours := testing.AllocsPerRun(100, func() { buf = appendBuilt(buf[:0], flags, steps) })
	assert.LessOrEqual(t, ours, 1.25*hand, "encoding")
	assert.LessOrEqual(t, ours, 1.0, "the text of all steps")

	var p problems
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		addFlagProblems(&p, flags)
		addStepProblems(&p, steps)
	}), 7.0, "checking a valid request")
	assert.Empty(t, p)
}

func BenchmarkHandWritten(b *testing.B) {
	request := handWritten()
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(request)
		}
	})
	b.Run("build and encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(handWritten())
		}
	})
}

func BenchmarkBuilders(b *testing.B) {
	flags, steps := built()
	buf := make([]byte, 0, 2048)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = appendBuilt(buf[:0], flags, steps)
		}
	})
	b.Run("build and encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, s := built()
			buf = appendBuilt(buf[:0], f, s)
		}
	})
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var p problems
			addFlagProblems(&p, flags)
			addStepProblems(&p, steps)
		}
	})
}

func TestPrintedNamesCannotForgeALogLine(t *testing.T) {
	assert.Equal(t, `"a\nlevel=ERROR" "k\n"`, fmt.Sprint(CustomStep("a\nlevel=ERROR", "k\n")))
	assert.Equal(t, `flags["a\nb" c]`, fmt.Sprint(NewFlags().Set("a\nb", true).Set("c", true)))
}
