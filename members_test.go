package identomat

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wire is what v sends, its exact text.
func wire(t testing.TB, v interface {
	MarshalJSON() ([]byte, error)
}) string {
	t.Helper()
	data, err := v.MarshalJSON()
	require.NoError(t, err)
	require.True(t, json.Valid(data), "%s", data)
	return string(data)
}

func encoded(t testing.TB, m members) string {
	t.Helper()
	data, err := m.appendJSON(nil)
	require.NoError(t, err)
	return string(data)
}

func TestMembersKeepTheirOrder(t *testing.T) {
	m := members{}.with("b", true).with("a", "x").with("c", 3)
	assert.Equal(t, `{"b":true,"a":"x","c":3}`, encoded(t, m))
	assert.Equal(t, `{"b":true,"a":"y","c":3}`, encoded(t, m.with("a", "y")), "a name keeps its place")
	assert.Equal(t, `{"b":false,"a":"x","c":3}`, encoded(t, m.with("b", false)))
	assert.Equal(t, `{"b":true,"a":"x","c":4}`, encoded(t, m.with("c", 4)))
	assert.Equal(t, `{"b":true,"a":"x","c":3}`, encoded(t, m), "the base has not changed")
	assert.Equal(t, `{}`, encoded(t, members{}))
}

func TestMembersBeyondTheStackBuffer(t *testing.T) {
	var m members
	want := "{"
	for i := range 3 * fewMembers {
		m = m.with(fmt.Sprintf("m%02d", i), i)
		if i > 0 {
			want += ","
		}
		want += fmt.Sprintf(`"m%02d":%d`, i, i)
	}
	assert.Equal(t, want+"}", encoded(t, m))
}

func TestMembersSharedByGoroutines(t *testing.T) {
	base := members{}.with("type", "liveness").with("key", "liveness")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				m := base.with("n", i).with("key", "other")
				data, err := m.appendJSON(nil)
				assert.NoError(t, err)
				assert.Equal(t, fmt.Sprintf(`{"type":"liveness","key":"other","n":%d}`, i), string(data))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, `{"type":"liveness","key":"liveness"}`, encoded(t, base))
}

func TestStringsAreEncodedAsJSON(t *testing.T) {
	for value, want := range map[string]string{
		"":                       `""`,
		"plain <a> & b":          `"plain <a> & b"`,
		"დასაქმება ქ":            `"დასაქმება ქ"`,
		`a"b`:                    `"a\"b"`,
		`a\b`:                    `"a\\b"`,
		"line\nbreak":            `"line\nbreak"`,
		"\x00":                   `"\u0000"`,
		"bad \xff byte":          `"bad \ufffd byte"`,
		"\u2028":                 "\"\u2028\"",
		"\"\u10d0 and an escape": "\"\\\"\u10d0 and an escape\"",
	} {
		got := string(appendString(nil, value))
		if utf8.ValidString(value) {
			assert.Equal(t, want, got, "%q", value)
		} else { // Go 1.26 and 1.27 escape the replacement character differently
			assert.JSONEq(t, want, got, "%q", value)
		}
	}
}

func TestFreezeKeepsWhatWasGiven(t *testing.T) {
	list := []string{"a", "b"}
	nested := map[string]any{"list": []int{1}}
	text := Text{"en": "Name"}
	raw := json.RawMessage(`{"z":1,"a":12345678901234567890}`)
	m := members{}.with("list", freeze(list)).with("nested", freeze(nested)).
		with("text", freeze(text)).with("raw", freeze(raw))
	list[0], nested["list"], text["en"], raw[2] = "changed", "changed", "changed", 'y'
	assert.Equal(t, `{"list":["a","b"],"nested":{"list":[1]},"text":{"en":"Name"},"raw":{"z":1,"a":12345678901234567890}}`, encoded(t, m))
}

func TestFreezeTakesEveryKindOfValue(t *testing.T) {
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
		{Text{"ka": "კი", "en": "Yes"}, `{"en":"Yes","ka":"კი"}`},
		{Text{"": "plain"}, `"plain"`},
		{NewFlags().SkipFace(false), `{"skip_face":false}`},
		{Email(), `{"type":"email","key":"require_email"}`},
		{Steps{Email()}, `[{"type":"email","key":"require_email"}]`},
		{[]Step{Email()}, `[{"type":"email","key":"require_email"}]`},
		{[]Question{CustomQuestion("boolean", "q")}, `[{"type":"boolean","key":"q"}]`},
		{Choice("a", Text{"en": "A"}), `{"key":"a","title":{"en":"A"}}`},
		{UBO().Verify(true), `{"verification":true}`},
	} {
		assert.Equal(t, `{"v":`+c.want+`}`, encoded(t, members{}.with("v", freeze(c.value))), "%T", c.value)
	}
}

type failing struct{}

var errFailing = errors.New("the value is 4111-1111")

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

func TestValuesWithoutJSONFormGiveAnErrorWithTheirPath(t *testing.T) {
	for name, bad := range map[string]any{
		"channel": make(chan int), "function": func() {}, "NaN": math.NaN(), "infinity": math.Inf(1),
		"complex": 1i, "invalid raw text": json.RawMessage(`{`), "failing": failing{},
		"map of functions": map[string]any{"f": func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			steps := Steps{
				Email(),
				VideoCall().Steps(Liveness(), Liveness().Flag("odd", bad)),
			}
			_, err := steps.appendJSON(nil)
			require.EqualError(t, errorIn("steps", err), "identomat: steps[1].steps[1].flags.odd cannot be encoded as JSON")
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
	assert.NoError(t, errors.Unwrap(err), "the cause may repeat the value")
}

func TestNilStepsGiveAnErrorWithTheirPath(t *testing.T) {
	for name, none := range map[string]Step{"nil": nil, "nil pointer": (*LivenessStep)(nil)} {
		t.Run(name, func(t *testing.T) {
			_, err := Steps{Email(), none}.appendJSON(nil)
			assert.EqualError(t, err, "identomat: [1] cannot be encoded as JSON")
			_, err = Steps{VideoCall().Steps(none)}.appendJSON(nil)
			assert.EqualError(t, err, "identomat: [0].steps[0] cannot be encoded as JSON")
			_, err = Steps{UserQuestionnaire("q").Ask(nil)}.appendJSON(nil)
			assert.EqualError(t, err, "identomat: [0].questions[0] cannot be encoded as JSON")
		})
	}
}

func TestDecodedMembersAreKeptExactly(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                     `{}`,
		` { } `:                                  `{}`,
		`{"a":1}`:                                `{"a":1}`,
		`{"b":12345678901234567890.10,"a":1E+2}`: `{"b":12345678901234567890.10,"a":1E+2}`,
		`{"u":"\u10d0\/","n":null}`:              `{"u":"\u10d0\/","n":null}`,
		`{ "x" : { "deep" : [ 1 , {} ] } , "y":2 }`: `{"x":{ "deep" : [ 1 , {} ] },"y":2}`,
		`{"a":1,"b":2,"a":3}`:                       `{"a":3,"b":2}`,
		`{"":0}`:                                    `{"":0}`,
		`{"\u0061\n":0}`:                            `{"a\n":0}`,
	} {
		m, err := decodeMembers([]byte(text))
		require.NoError(t, err, text)
		assert.Equal(t, want, encoded(t, m), text)
	}
}

func TestDecodingRefusesWhatIsNoObject(t *testing.T) {
	for _, text := range []string{``, `null`, `[]`, `"x"`, `1`, `{`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1}}`, `{"a":1} {}`, `{"a":1,}`} {
		_, err := decodeMembers([]byte(text))
		assert.Error(t, err, text)
	}
}

func TestPathsAreWrittenInTheWireSpelling(t *testing.T) {
	at := newPlace("steps").item(2).member("questions").item(10).member("options")
	assert.Equal(t, "steps[2].questions[10].options", string(at))
	assert.Equal(t, "liveness", string(newPlace("").member("liveness")))
	assert.Equal(t, "[3]", string(newPlace("").item(3)))
	long := newPlace("steps")
	for range 100 {
		long = long.member("steps").item(0)
	}
	assert.Equal(t, "steps"+strings.Repeat(".steps[0]", 100), string(long))
}

// The two types below are what one would write by hand for a request.
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
			UserQuestionnaire("employment").Title(Text{"en": "Employment", "ka": "დასაქმება"}).Ask(
				TextQuestion("name", Text{"en": "Your full name"}).Answer("John Doe").Mandatory(true),
				RadioQuestion("employed", Text{"en": "Are you employed?"},
					Choice("yes", Text{"en": "Yes"}), Choice("no", Text{"en": "No"}))),
		}
}

func appendBuilt(dst []byte, flags Flags, steps Steps) []byte {
	dst, _ = flags.appendJSON(append(dst, `{"flags":`...))
	dst, _ = steps.appendJSON(append(dst, `,"steps":`...))
	return append(dst, '}')
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
	assert.Zero(t, ours, "into a buffer that is large enough")

	var p problems
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		flags.validate(&p, newPlace("flags"))
		steps.validate(&p, newPlace("steps"))
	}), 6.0, "checking a sound request")
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
			flags.validate(&p, newPlace("flags"))
			steps.validate(&p, newPlace("steps"))
		}
	})
}
