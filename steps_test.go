package identomat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stepCase is a step and the exact JSON that must be sent.
type stepCase struct {
	step AnyStep
	want string
}

// stepMethods has a call to every step constructor and method in steps.go.
var stepMethods = []stepCase{
	{LanguageSelection(), `{"type":"language","key":"language"}`},
	{LanguageSelection(English, Georgian), `{"type":"language","key":"language","languages":["en","ka"]}`},
	{IdentityDocument(), `{"type":"identity-document","key":"identity-document"}`},
	{IdentityDocument().Types(IDCard, Passport, DriverLicense, ResidenceLicense),
		`{"type":"identity-document","key":"identity-document","flags":{"document_types":["id","passport","driver_license","residence_license"]}}`},
	{IdentityDocument().Countries("USA", "DEU", "ITA"),
		`{"type":"identity-document","key":"identity-document","flags":{"document_countries":["USA","DEU","ITA"]}}`},
	{IdentityDocument().AllowUpload(true).DisableCapture(false),
		`{"type":"identity-document","key":"identity-document","flags":{"allow_document_upload":true,"disable_document_capture":false}}`},
	{Liveness(), `{"type":"liveness","key":"liveness"}`},
	{Liveness().Active(true), `{"type":"liveness","key":"liveness","flags":{"liveness":true}}`},
	{Liveness().Active(false).AllowUpload(true), `{"type":"liveness","key":"liveness","flags":{"liveness":false,"allow_face_upload":true}}`},
	{ProofOfAddress(), `{"type":"general-document","key":"select_general_document"}`},
	{ProofOfAddress(UtilityBill, BankStatement),
		`{"type":"general-document","key":"select_general_document","flags":{"general_document_types":["utility_bill","bank_statement"]}}`},
	{ProofOfAddress(DriversLicense, VehicleRegistrationCertificate),
		`{"type":"general-document","key":"select_general_document","flags":{"general_document_types":["drivers_license","vehicle_registration_certificate"]}}`},
	{SelfieWithID(), `{"type":"face-document","key":"capture_face_document"}`},
	{SelfieWithID().AllowUpload(true).Require(true),
		`{"type":"face-document","key":"capture_face_document","flags":{"allow_face_doc_upload":true,"require_face_document":true}}`},
	{VideoCall(), `{"type":"video-call","key":"video-call"}`},
	{VideoCall().Steps(IdentityDocument(), Liveness().Active(true)),
		`{"type":"video-call","key":"video-call","steps":[{"type":"identity-document","key":"identity-document"},{"type":"liveness","key":"liveness","flags":{"liveness":true}}]}`},
	{VideoCall().Steps(), `{"type":"video-call","key":"video-call","steps":[]}`},
	{VideoCall().ResetSteps(true).HideCameraOption(true).NameRequired(true).MultipleParticipants(true),
		`{"type":"video-call","key":"video-call","resetSteps":true,"hideCameraOption":true,"nameRequired":true,"multiple_participants":true}`},
	{PhoneNumber(), `{"type":"phone-number","key":"phone_number"}`},
	{PhoneNumber().Verify(true).Collect(false),
		`{"type":"phone-number","key":"phone_number","flags":{"require_phone_number_check":true,"require_phone_number":false}}`},
	{Email(), `{"type":"email","key":"require_email"}`},
	{Email().Verify(false).Collect(true), `{"type":"email","key":"require_email","flags":{"require_email_check":false,"require_email":true}}`},
	{Geolocation(), `{"type":"geolocation","key":"require_geolocation"}`},
	{Geolocation().Require(false), `{"type":"geolocation","key":"require_geolocation","flags":{"require_geolocation":false}}`},
	{CustomStep("face", "selfie"), `{"type":"face","key":"selfie"}`},
	{CustomStep("face", "selfie").Flag("strict", true).Set("limit", 3).Title(Text{"en": "Selfie"}),
		`{"type":"face","key":"selfie","flags":{"strict":true},"limit":3,"title":{"en":"Selfie"}}`},
	// These methods are common to all steps.
	{Liveness().Key("second").Title(Text{"en": "Look here", "ka": "აქ"}).Flag("maxLivenessAttempts", 3).Set("color", "red"),
		`{"type":"liveness","key":"second","title":{"en":"Look here","ka":"აქ"},"flags":{"maxLivenessAttempts":3},"color":"red"}`},
	{Liveness().Title(Text{"": "Look here"}), `{"type":"liveness","key":"liveness","title":"Look here"}`},
	{Liveness().Active(true).Active(false), `{"type":"liveness","key":"liveness","flags":{"liveness":false}}`},
	{LivenessStep{Liveness().Set("flags", []string{})}.Active(true), `{"type":"liveness","key":"liveness","flags":{"liveness":true}}`},
	{LivenessStep{}, `{}`},
	// Without a key.
	{UserQuestionnaire("").Title(Text{"en": "Q"}), `{"type":"user-questionnaire","title":{"en":"Q"}}`},
	{CustomStep("face", ""), `{"type":"face"}`},
	{Liveness().Active(true).Key(""), `{"type":"liveness","flags":{"liveness":true}}`},
	{Liveness().Key("").Key(""), `{"type":"liveness"}`},
	{Liveness().Key("").Key("l"), `{"type":"liveness","key":"l"}`},
}

func TestStepMethods(t *testing.T) {
	for _, c := range stepMethods {
		t.Run(c.want, func(t *testing.T) {
			assert.Equal(t, c.want, sent(t, Steps{c.step})[1:len(c.want)+1])
			data, err := json.Marshal(c.step)
			require.NoError(t, err)
			assert.Equal(t, c.want, string(data))
		})
	}
}

func TestEveryStepHasTheCommonMethods(t *testing.T) {
	title := Text{"en": "T"}
	for name, step := range map[string]AnyStep{
		"language":               LanguageSelection().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"identity-document":      IdentityDocument().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"liveness":               Liveness().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"general-document":       ProofOfAddress().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"face-document":          SelfieWithID().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"company":                Company().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"beneficiaries":          Beneficiaries().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"kyb-review":             KYBReview().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"video-call":             VideoCall().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"phone-number":           PhoneNumber().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"email":                  Email().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"geolocation":            Geolocation().Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"user-questionnaire":     UserQuestionnaire("q").Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"operator-questionnaire": OperatorQuestionnaire("q").Key("k").Title(title).Flag("f", 1).Set("s", 2),
		"another":                CustomStep("another", "q").Key("k").Title(title).Flag("f", 1).Set("s", 2),
	} {
		text := `{"type":"` + name + `","key":"k","title":{"en":"T"},"flags":{"f":1},"s":2}`
		data, err := json.Marshal(step)
		require.NoError(t, err)
		assert.Equal(t, text, string(data))

		var decoded Steps
		require.NoError(t, json.Unmarshal([]byte("["+text+"]"), &decoded))
		for _, s := range []AnyStep{step, decoded[0]} {
			assert.Equal(t, name, s.StepType())
			assert.Equal(t, "k", s.StepKey())
			got, ok := s.Get("title")
			assert.True(t, ok)
			assert.Equal(t, `{"en":"T"}`, string(got))
			flags, ok := s.Get("flags")
			assert.True(t, ok)
			assert.Equal(t, `{"f":1}`, string(flags))
			param, ok := s.Get("s")
			assert.True(t, ok)
			assert.Equal(t, `2`, string(param))
			_, ok = s.Get("absent")
			assert.False(t, ok)
		}
	}
}

func TestDecodedStepsHaveTheirOwnType(t *testing.T) {
	steps := Steps{
		LanguageSelection(), IdentityDocument(), Liveness(), ProofOfAddress(), SelfieWithID(), Company(), Beneficiaries(), KYBReview(),
		VideoCall(), PhoneNumber(), Email(), Geolocation(), UserQuestionnaire("u"), OperatorQuestionnaire("o"), CustomStep("face", "f"),
	}
	assert.Len(t, steps, len(readInventory(t).Steps)+1)
	assert.Equal(t, steps, decodeSteps(sent(t, steps)))
}

func TestStepsDoNotChange(t *testing.T) {
	base := IdentityDocument().Types(Passport)
	before := sent(t, base)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 100 {
				key := fmt.Sprint("document-", i)
				step := base.Types(IDCard).AllowUpload(true).Key(key).Title(Text{"en": key})
				data, err := step.MarshalJSON()
				assert.NoError(t, err)
				assert.Equal(t, `{"type":"identity-document","key":"`+key+`","flags":{"document_types":["id"],"allow_document_upload":true},"title":{"en":"`+key+`"}}`, string(data))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, before, sent(t, base))

	types := []DocumentType{Passport, IDCard}
	step := IdentityDocument().Types(types...)
	types[0] = "changed"
	nested := []AnyStep{Liveness(), Email()}
	call := VideoCall().Steps(nested...)
	nested[0] = nil
	assert.Equal(t, `{"type":"identity-document","key":"identity-document","flags":{"document_types":["passport","id"]}}`, sent(t, step))
	assert.Equal(t, `{"type":"video-call","key":"video-call","steps":[{"type":"liveness","key":"liveness"},{"type":"email","key":"require_email"}]}`, sent(t, call))
}

func TestDecodedStepsAreSentBackUnchanged(t *testing.T) {
	for _, text := range []string{
		`[]`,
		// API reference, get-session-config: misspelled and unknown flags.
		`[{"title":{"en":"ID Verification"},"type":"identity-document","key":"select_document_id","flags":{"documentTypes":["id","passport","driver_license","residence_permit"]}},` +
			`{"title":{"en":"Liveness Check"},"type":"liveness","key":"liveness","flags":{"liveness":true,"maxLivenessAttempts":3}}]`,
		// System manual: plain titles, and a question type that no other manual has.
		`[{"type":"user-questionnaire","key":"employment","title":"Employment stats","description":"დასაქმება","questions":[` +
			`{"type":"boolean","mandatory":true,"title":{"en":"Are you currently employed?","ka":"ხართ თუ არა ამჟამად დასაქმებული?"},"key":"are-you-employed"}]}]`,
		`[{"type":"face","key":"f","flags":[],"n":1.50e3,"big":12345678901234567890,"s":"\u10d0\/","nothing":null,"deep":{"z":[{"a":{}}],"a":[]}}]`,
		`[{"type":"video-call","key":"v","multiple_participans":true,"steps":[{"key":"x","type":"liveness","odd":"\u003c"},7]}]`,
		`[{"key":"without type"},{"type":7},{}]`,
	} {
		var steps Steps
		require.NoError(t, json.Unmarshal([]byte(text), &steps), text)
		assert.Equal(t, text, sent(t, steps))
	}
}

func TestDecodedStepsCanBeEdited(t *testing.T) {
	var steps Steps
	require.NoError(t, json.Unmarshal([]byte(`[{"title":"ID","type":"identity-document","key":"select_document_id","flags":{"documentTypes":["id"],"allow_document_upload":false},"x":1.0}]`), &steps))
	step, ok := steps[0].(IdentityDocumentStep)
	require.True(t, ok)
	assert.Equal(t, `{"title":"ID","type":"identity-document","key":"select_document_id","flags":{"documentTypes":["id"],"allow_document_upload":true,"document_countries":["GEO"]},"x":1.0}`,
		sent(t, step.AllowUpload(true).Countries("GEO")))
	assert.Equal(t, `{"title":{"en":"Document"},"type":"identity-document","key":"select_document_id","flags":{"documentTypes":["id"],"allow_document_upload":false},"x":1.0}`,
		sent(t, step.Title(Text{"en": "Document"})))
}

func TestNestedStepsAreReadByTheirType(t *testing.T) {
	const text = `[{"type":"video-call","key":"v","steps":[{"type":"liveness","key":"l","odd":1},{"type":"face","key":"f"},{"type":"video-call","key":"w","steps":[]}]}]`
	var steps Steps
	require.NoError(t, json.Unmarshal([]byte(text), &steps))
	for _, call := range []VideoCallStep{
		steps[0].(VideoCallStep),
		VideoCall().Steps(Liveness().Key("l").Set("odd", 1), CustomStep("face", "f"), VideoCall().Key("w")),
	} {
		nested := call.NestedSteps()
		require.Len(t, nested, 3)
		assert.Equal(t, `{"type":"liveness","key":"l","odd":1,"flags":{"liveness":true}}`, sent(t, nested[0].(LivenessStep).Active(true)))
		assert.IsType(t, Step{}, nested[1])
		assert.IsType(t, VideoCallStep{}, nested[2])
	}
	assert.Empty(t, VideoCall().NestedSteps())
}

func TestStepsRefuseWhatIsNoListOfSteps(t *testing.T) {
	for text, want := range map[string]string{
		`[{},null]`: "steps[1]: identomat: not a JSON object",
		`[{},[]]`:   "steps[1]: identomat: not a JSON object",
		`["x"]`:     "steps[0]: identomat: not a JSON object",
	} {
		steps := Steps{Email()}
		assert.EqualError(t, json.Unmarshal([]byte(text), &steps), want)
		assert.Len(t, steps, 1, "unchanged")
	}
	for _, text := range []string{`{}`, `"x"`, `7`} {
		var steps Steps
		assert.Error(t, json.Unmarshal([]byte(text), &steps), text)
	}
	var steps Steps
	require.NoError(t, json.Unmarshal([]byte(`null`), &steps))
	assert.Nil(t, steps)
	assert.Equal(t, `[]`, sent(t, Steps(nil)))
}

// problemCase is a list of steps and the problems that validation must find.
type problemCase struct {
	name  string
	steps Steps
	want  problems
}

// checkProblems validates the steps twice: as built, and after encoding and decoding.
func checkProblems(t *testing.T, cases []problemCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var built problems
			addStepProblems(&built, c.steps)
			assert.Equal(t, c.want, built)
			data, err := c.steps.MarshalJSON()
			if err != nil {
				return // the steps cannot be encoded
			}
			var steps Steps
			require.NoError(t, json.Unmarshal(data, &steps))
			var decoded problems
			addStepProblems(&decoded, steps)
			assert.Equal(t, c.want, decoded, "decoded")
		})
	}
}

func decodeSteps(text string) Steps {
	var steps Steps
	if err := json.Unmarshal([]byte(text), &steps); err != nil {
		panic(err)
	}
	return steps
}

func TestStepsAreValidated(t *testing.T) {
	const empty, unique = "must not be empty", "must be unique in the session"
	const country = "must be three capital letters, such as DEU"
	checkProblems(t, []problemCase{
		{"no steps", nil, nil},
		{"all kinds", Steps{
			LanguageSelection(), IdentityDocument(), Liveness(), ProofOfAddress(), SelfieWithID(), Company(), Beneficiaries(), KYBReview(),
			VideoCall(), PhoneNumber(), Email(), Geolocation(), UserQuestionnaire("user"), OperatorQuestionnaire("operator"), CustomStep("face", "f"),
		}, nil},
		{"nil", Steps{Email(), nil}, problems{{"steps[1]", "must not be nil"}}},
		{"nil pointer", Steps{(*LivenessStep)(nil), Email()}, problems{{"steps[0]", "must not be nil"}}},
		{"nil in a call", Steps{VideoCall().Steps(Email(), nil)}, problems{{"steps[0].steps[1]", "must not be nil"}}},
		{"zero value", Steps{LivenessStep{}}, problems{{"steps[0].type", empty}}},
		{"pointer to a step", Steps{new(Email())}, nil},
		{"empty type", Steps{CustomStep("", "k")}, problems{{"steps[0].type", empty}}},
		{"type that is no string", Steps{CustomStep("x", "k").Set("type", 7)}, problems{{"steps[0].type", empty}}},
		{"without keys", Steps{Email().Key(""), Liveness().Key(""), VideoCall().Steps(UserQuestionnaire(""), CustomStep("face", ""))}, nil},
		{"null key", Steps{Email().Set("key", nil)}, nil},
		{"empty key", Steps{Email(), UserQuestionnaire("q").Set("key", "")}, problems{{"steps[1].key", empty}}},
		{"key that is no string", Steps{Email().Set("key", 7)}, problems{{"steps[0].key", empty}}},
		{"key twice", Steps{Email(), Liveness().Key("require_email")}, problems{{"steps[1].key", unique}}},
		{"key thrice", Steps{Email(), Email(), Email()}, problems{{"steps[1].key", unique}, {"steps[2].key", unique}}},
		{"key again in a call", Steps{Liveness(), VideoCall().Steps(Email(), Liveness())}, problems{{"steps[1].steps[1].key", unique}}},
		{"key of a call's step again after it", Steps{VideoCall().Steps(Liveness()), Liveness()}, problems{{"steps[1].key", unique}}},
		{"key of the call inside it", Steps{VideoCall().Steps(Liveness().Key("video-call"))}, problems{{"steps[0].steps[0].key", unique}}},
		{"same kind, other key", Steps{Liveness(), VideoCall().Steps(Liveness().Key("again"))}, nil},
		{"language in a call", Steps{VideoCall().Steps(LanguageSelection())},
			problems{{"steps[0].steps[0].type", "must not be a language step inside a video call"}}},
		{"operator questionnaire in a call", Steps{VideoCall().Steps(Email(), OperatorQuestionnaire("o"))},
			problems{{"steps[0].steps[1].type", "must not be an operator questionnaire inside a video call"}}},
		{"language in a call in a call", Steps{VideoCall().Steps(VideoCall().Steps(LanguageSelection()).Key("w"))},
			problems{{"steps[0].steps[0].steps[0].type", "must not be a language step inside a video call"}}},
		{"both beside the call", Steps{LanguageSelection(), VideoCall().Steps(UserQuestionnaire("u")), OperatorQuestionnaire("o")}, nil},
		{"call's steps that are no objects", decodeSteps(`[{"type":"video-call","key":"v","steps":[7,{"type":"email","key":"e"}]}]`),
			problems{{"steps[0].steps[0]", "must be an object"}}},
		{"countries", Steps{IdentityDocument().Countries("GEO", "DE", "deu", "Germany", "", "ÄÖÜ", "USA")}, problems{
			{"steps[0].flags.document_countries[1]", country}, {"steps[0].flags.document_countries[2]", country},
			{"steps[0].flags.document_countries[3]", country}, {"steps[0].flags.document_countries[4]", country},
			{"steps[0].flags.document_countries[5]", country},
		}},
		{"countries of a step in a call", Steps{VideoCall().Steps(IdentityDocument().Countries("GE"))},
			problems{{"steps[0].steps[0].flags.document_countries[0]", country}}},
		{"countries that are no texts", decodeSteps(`[{"type":"identity-document","key":"i","flags":{"document_countries":["USA",7]}}]`),
			problems{{"steps[0].flags.document_countries[1]", country}}},
		{"white space, escapes, and the type last", decodeSteps(`[ { "steps" : [ { "k\u0065y" : "l" , "\u0074ype" : "langu\u0061ge" } ] , "key" : "v" , "type" : "video-call" } ]`),
			problems{{"steps[0].steps[0].type", "must not be a language step inside a video call"}}},
		{"white space in a value that is set", Steps{VideoCall().Set("steps", json.RawMessage(`[ { "key" : "l" , "type" : "language" } ]`))},
			problems{{"steps[0].steps[0].type", "must not be a language step inside a video call"}}},
		{"two types", decodeSteps(`[{"type":"video-call","key":"v","steps":[{"type":"liveness","key":"l","type":"language"}]}]`),
			problems{{"steps[0].steps[0].type", "must not have two values"}}},
		{"last of two configurations", decodeSteps(`[{"type":"video-call","key":"v","steps":[{"type":"beneficiaries","key":"b","roles":{"ubo":{"verification":true}},"kycConfigId":"c","kycConfigId":""}]}]`),
			problems{{"steps[0].steps[0].kycConfigId", "must be set, because a role is to be verified"}}},
		{"flag without JSON form", Steps{Email(), Liveness().Active(true).Flag("pipe", make(chan int))},
			problems{{"steps[1].flags.pipe", "cannot be encoded as JSON"}}},
		{"parameter without JSON form", Steps{CustomStep("face", "f").Set("rate", math.NaN())},
			problems{{"steps[0].rate", "cannot be encoded as JSON"}}},
		{"parameter of a step in a call without JSON form", Steps{VideoCall().Steps(Email().Set("f", func() {}))},
			problems{{"steps[0].steps[0].f", "cannot be encoded as JSON"}}},
		{"everything at once", Steps{nil, CustomStep("", ""), VideoCall().Steps(LanguageSelection().Flag("f", math.NaN())), VideoCall()}, problems{
			{"steps[1].type", empty},
			{"steps[2].steps[0].type", "must not be a language step inside a video call"},
			{"steps[3].key", unique},
			{"steps[0]", "must not be nil"},
			{"steps[2].steps[0].flags.f", "cannot be encoded as JSON"},
		}},
	})
}

// secret is a value that must not be printed.
const secret = "Aleksandre-01017012345"

func secretParts() map[string]any {
	title := Text{"en": secret}
	questions := map[string]AnyQuestion{
		`string "name"`:           TextQuestion("name", title).Answer(secret).ShowIf("x", secret),
		`string "long"`:           TextQuestion("long", title).Set("answer", title),
		`multiple-choice "boxes"`: CheckboxQuestion("boxes", title, Choice("a", title)).Answer(secret),
		`options "radio"`:         RadioQuestion("radio", title, Choice("b", title)).Answer(secret),
		`dropdown "drop"`:         DropdownQuestion("drop", title, Choice("c", title)),
		`file "file"`:             FileQuestion("file", title).Description(title),
		`boolean "other"`:         CustomQuestion("boolean", "other").Set("answer", secret),
	}
	user := UserQuestionnaire("employment").SuccessButton(title)
	parts := map[string]any{}
	for want, q := range questions {
		parts[want] = q
		user = user.Ask(q)
	}
	titled := user.Title(title).Set("extra", secret)
	steps := Steps{titled, nil, VideoCall().Steps(Email().Flag("default", secret)).Title(title)}
	data, _ := Steps{titled}.MarshalJSON()
	parts[`user-questionnaire "employment"`] = titled
	parts[`[user-questionnaire "employment" <nil> video-call "video-call"]`] = steps
	parts[`[user-questionnaire "employment"]`] = decodeSteps(string(data))
	parts[`email "require_email"`] = Email().Flag("default", secret)
	parts[`company "company"`] = Company().Description(title).Title(title)
	parts[`{}`] = Shareholder().Verify(true).Set("name", secret)
	parts[`"option"`] = Choice("option", title)
	parts[`flags[return_url default]`] = NewFlags().ReturnURL("https://bank.example/?name="+secret).Set("default", secret)
	return parts
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	for want, part := range secretParts() {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%10v", "%t"} {
			if _, isList := part.(Steps); !isList || verb != "%#v" { // %#v prints the type of a list
				assert.Equal(t, want, fmt.Sprintf(verb, part), verb)
			}
			assert.NotContains(t, fmt.Sprintf(verb, part), secret, verb)
			type holder struct {
				Part   any
				hidden any
				list   []any
			}
			for _, held := range []any{&part, []any{part}, map[string]any{"k": part}, holder{part, part, []any{part}}, &holder{part, part, nil}} {
				assert.NotContains(t, fmt.Sprintf(verb, held), secret, verb)
			}
		}
		assert.NotContains(t, fmt.Sprintf("%p", part), secret)
		assert.NotContains(t, fmt.Sprint(fmt.Errorf("begin: %v", part)), secret)
		assert.Equal(t, want, part.(slog.LogValuer).LogValue().String())

		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(handler).Info("begin", "part", part, slog.Group("g", "part", part))
		}
		assert.NotContains(t, log.String(), secret)
	}
	data, err := json.Marshal(secretParts()[`email "require_email"`])
	require.NoError(t, err)
	assert.Contains(t, string(data), secret, "the JSON that is sent must contain the value")
}

func TestNilPointersToStepsArePrinted(t *testing.T) {
	assert.Equal(t, "[<nil> <nil>]", fmt.Sprint(Steps{nil, (*LivenessStep)(nil)}))
	slog.New(slog.NewTextHandler(io.Discard, nil)).Info("x", "step", (*LivenessStep)(nil))
}

func TestProblemsRepeatNoValueOfTheRequest(t *testing.T) {
	title := Text{"en": secret}
	steps := Steps{
		UserQuestionnaire(secret).Ask(
			TextQuestion(secret, title).Answer(secret).ShowIf(secret, secret),
			RadioQuestion(secret, title, Choice(secret, title), Choice(secret, title)).Answer(secret+"x").ShowIf(secret, secret),
			CheckboxQuestion("c", title, Choice(secret, title)).Answer(secret+"x"),
			DropdownQuestion("d", title).ShowIf("c", secret+"x"),
			FileQuestion("f", title).Set("filesMaxCount", secret),
		),
		UserQuestionnaire(secret).Set("bad", failing{}),
		Beneficiaries().Roles(Shareholder().Verify(true)),
	}
	var p problems
	addStepProblems(&p, steps)
	require.Greater(t, len(p), 8)
	for _, problem := range p {
		assert.NotContains(t, problem.Path+problem.Message, secret)
	}
}

func FuzzStepsRoundTrip(f *testing.F) {
	for _, c := range stepMethods {
		f.Add("[" + c.want + "]")
	}
	config, err := os.ReadFile("testdata/samples/get-session-config-default.repaired.json")
	require.NoError(f, err)
	var body struct {
		Result struct{ Steps json.RawMessage }
	}
	require.NoError(f, json.Unmarshal(config, &body))
	f.Add(string(body.Result.Steps))
	f.Add(`[{"type":"user-questionnaire","key":"q","questions":[{"type":"options","key":"r","options":[{"key":"a","title":"A"}],"answer":"a"},{"type":"file","key":"f","filesMaxCount":1e9,"showConditions":{"questionKey":"r","answer":"a"}}]}]`)
	f.Add(`[{"type":"beneficiaries","key":"b","roles":{"shareholder":{"verification":true,"fields":[{"type":"email"}]}},"kycConfigId":null}]`)
	f.Add(`[{"type":"video-call","key":"\ud800","steps":[[],{},null,{"type":"language","key":""}],"flags":[1]}]`)
	f.Add(`[{"a":1,"a":{"b":[]},"\u0061":3," ":"\u2028<>&"}]`)
	f.Add("null")
	f.Fuzz(func(t *testing.T, text string) {
		var steps Steps
		if json.Unmarshal([]byte(text), &steps) != nil {
			return
		}
		once, err := steps.MarshalJSON()
		require.NoError(t, err)
		want := semantics(t, text)
		if want == nil {
			want = []any{} // nil steps are encoded as an empty list
		}
		require.Equal(t, want, semantics(t, string(once)), "%q → %q", text, once)
		var again Steps
		require.NoError(t, json.Unmarshal(once, &again))
		twice, err := again.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))

		var p, q problems
		addStepProblems(&p, steps)
		addStepProblems(&q, again)
		require.Equal(t, p, q)
		_ = fmt.Sprintf("%v %+v %#v", steps, steps, steps)
		for _, step := range steps {
			_, _ = step.StepType(), step.StepKey()
			switch s := step.(type) {
			case VideoCallStep:
				_ = s.NestedSteps()
			case QuestionnaireStep:
				_ = s.Ask(s.Questions()...)
			case BeneficiariesStep:
				_ = s.Roles(Shareholder().Verify(true))
			case CompanyStep:
				_ = s.Mandatory(FieldEmail)
			}
		}
	})
}

// semantics returns the value of JSON text, with the exact digits of numbers.
func semantics(t *testing.T, text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	require.NoError(t, dec.Decode(&v))
	return v
}
