package identomat

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flagMethods has a call to every method that sets a flag, and the JSON that must be sent.
var flagMethods = []struct {
	flags Flags
	want  string
}{
	{NewFlags().SkipFace(true), `{"skip_face":true}`},
	{NewFlags().SkipDocument(true), `{"skip_document":true}`},
	{NewFlags().ReturnURL("https://bank.example/kyc?a=1&b=2"), `{"return_url":"https://bank.example/kyc?a=1&b=2"}`},
	{NewFlags().Language(Greek), `{"language":"gr"}`},
	{NewFlags().SkipDesktop(true), `{"skip_desktop":true}`},
	{NewFlags().SwitchDeviceURL("https://bank.example/m"), `{"switch_device_url":"https://bank.example/m"}`},
	{NewFlags().RestrictURLSharing(true), `{"restrict_url_sharing":true}`},
	{NewFlags().OptionalContinueOnAnotherDevice(true), `{"optional_continue_on_another_device":true}`},
	{NewFlags().MultipleParticipants(true), `{"multiple_participants":true}`},
	{NewFlags().RequireHDMedia(true), `{"requireHdMedia":true}`},
	{NewFlags().Liveness(true), `{"liveness":true}`},
	{NewFlags().DocumentTypes(IDCard, Passport, DriverLicense, ResidenceLicense), `{"document_types":["id","passport","driver_license","residence_license"]}`},
	{NewFlags().DocumentTypes(), `{"document_types":[]}`},
	{NewFlags().DocumentCountries("USA", "DEU"), `{"document_countries":["USA","DEU"]}`},
	{NewFlags().GeneralDocumentTypes(BankStatement, UtilityBill, YellowSlip, DriversLicense, VehicleRegistrationCertificate),
		`{"general_document_types":["bank_statement","utility_bill","yellow_slip","drivers_license","vehicle_registration_certificate"]}`},
	{NewFlags().AllowGeneralDocumentCapture(true), `{"allow_general_document_capture":true}`},
	{NewFlags().AllowGeneralDocumentUpload(true), `{"allow_general_document_upload":true}`},
	{NewFlags().AllowDocumentUpload(true), `{"allow_document_upload":true}`},
	{NewFlags().AllowFaceUpload(true), `{"allow_face_upload":true}`},
	{NewFlags().AllowFaceDocUpload(true), `{"allow_face_doc_upload":true}`},
	{NewFlags().RequireFaceDocument(true), `{"require_face_document":true}`},
	{NewFlags().DisableDocumentCapture(true), `{"disable_document_capture":true}`},
	{NewFlags().CaptureDoublePagePassport(true), `{"capture_double_page_passport":true}`},
	{NewFlags().RequireEmailCheck(true), `{"require_email_check":true}`},
	{NewFlags().RequireEmail(true), `{"require_email":true}`},
	{NewFlags().RequirePhoneNumberCheck(true), `{"require_phone_number_check":true}`},
	{NewFlags().RequirePhoneNumber(true), `{"require_phone_number":true}`},
	{NewFlags().CascadingIdentityVerification(true), `{"cascading_identity_verification":true}`},
	{NewFlags().Set("skip_agreement", true), `{"skip_agreement":true}`},
	{NewFlags().Set("server", "human"), `{"server":"human"}`},
}

func TestFlagMethods(t *testing.T) {
	for _, c := range flagMethods {
		t.Run(c.want, func(t *testing.T) { assert.Equal(t, c.want, sent(t, c.flags)) })
	}
}

func TestEveryBooleanFlagCanBeFalse(t *testing.T) {
	for want, set := range map[string]func(Flags, bool) Flags{
		"skip_face": Flags.SkipFace, "skip_document": Flags.SkipDocument, "skip_desktop": Flags.SkipDesktop,
		"restrict_url_sharing":                Flags.RestrictURLSharing,
		"optional_continue_on_another_device": Flags.OptionalContinueOnAnotherDevice,
		"multiple_participants":               Flags.MultipleParticipants, "requireHdMedia": Flags.RequireHDMedia,
		"liveness": Flags.Liveness, "allow_general_document_capture": Flags.AllowGeneralDocumentCapture,
		"allow_general_document_upload": Flags.AllowGeneralDocumentUpload,
		"allow_document_upload":         Flags.AllowDocumentUpload, "allow_face_upload": Flags.AllowFaceUpload,
		"allow_face_doc_upload": Flags.AllowFaceDocUpload, "require_face_document": Flags.RequireFaceDocument,
		"disable_document_capture":     Flags.DisableDocumentCapture,
		"capture_double_page_passport": Flags.CaptureDoublePagePassport,
		"require_email_check":          Flags.RequireEmailCheck, "require_email": Flags.RequireEmail,
		"require_phone_number_check": Flags.RequirePhoneNumberCheck, "require_phone_number": Flags.RequirePhoneNumber,
		"cascading_identity_verification": Flags.CascadingIdentityVerification,
	} {
		assert.Equal(t, `{"`+want+`":false}`, sent(t, set(NewFlags(), false)))
		assert.Equal(t, `{"`+want+`":true}`, sent(t, set(NewFlags(), true)))
	}
}

func TestFlagsKeepOrderAndLastValue(t *testing.T) {
	f := NewFlags().SkipFace(true).Language(Georgian).SkipFace(false)
	assert.Equal(t, `{"skip_face":false,"language":"ka"}`, sent(t, f))
}

func TestZeroFlagsAreUsableAndLeftOut(t *testing.T) {
	var f Flags
	assert.True(t, f.IsZero())
	assert.True(t, NewFlags().IsZero())
	assert.Equal(t, `{}`, sent(t, f))
	assert.Equal(t, `{"skip_face":false}`, sent(t, f.SkipFace(false)))
	assert.False(t, f.SkipFace(false).IsZero())
	data, err := json.Marshal(struct {
		Flags Flags `json:"flags,omitzero"`
	}{})
	require.NoError(t, err)
	assert.Equal(t, `{}`, string(data))
}

func TestFlagsGet(t *testing.T) {
	f := NewFlags().SkipFace(false).Language(Georgian).Set("nothing", nil)
	for name, want := range map[string]string{"skip_face": `false`, "language": `"ka"`, "nothing": `null`} {
		got, ok := f.Get(name)
		assert.True(t, ok)
		assert.Equal(t, want, string(got))
	}
	_, ok := f.Get("skip_document")
	assert.False(t, ok)
}

func TestFlagsRoundTripKeepsUnknownOnes(t *testing.T) {
	const text = `{"zeta":{"deep":[1.0,12345678901234567890]},"skip_face":false,"documentTypes":["id"],"note":"\u10d0\/","none":null}`
	var f Flags
	require.NoError(t, json.Unmarshal([]byte(text), &f))
	assert.Equal(t, text, sent(t, f))
	assert.Equal(t, `{"zeta":{"deep":[1.0,12345678901234567890]},"skip_face":true,"documentTypes":["id"],"note":"\u10d0\/","none":null,"language":"en"}`,
		sent(t, f.SkipFace(true).Language(English)))
	got, ok := f.Get("documentTypes")
	assert.True(t, ok)
	assert.Equal(t, `["id"]`, string(got))
}

func TestFlagsReadAnEmptyArrayAsNone(t *testing.T) {
	for _, text := range []string{`[]`, `{}`, `null`, ` [ ] `} {
		var f Flags
		require.NoError(t, json.Unmarshal([]byte(text), &f), text)
		assert.True(t, f.IsZero(), text)
	}
	for _, text := range []string{`"x"`, `[1]`, `1`, `true`} {
		var f Flags
		assert.Error(t, json.Unmarshal([]byte(text), &f), text)
	}
}

func TestFlagsSharedByGoroutines(t *testing.T) {
	base := NewFlags().SkipFace(true)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				f := base.Set("n", i).SkipFace(false)
				data, err := f.MarshalJSON()
				assert.NoError(t, err)
				assert.Equal(t, fmt.Sprintf(`{"skip_face":false,"n":%d}`, i), string(data))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, `{"skip_face":true}`, sent(t, base))
}

func TestFlagsWithoutJSONFormAreProblems(t *testing.T) {
	var p problems
	addFlagProblems(&p, NewFlags().SkipFace(true).Set("pipe", make(chan int)).Set("fine", 1).Set("rate", math.NaN()))
	assert.Equal(t, problems{
		{"flags.pipe", "cannot be encoded as JSON"},
		{"flags.rate", "cannot be encoded as JSON"},
	}, p)
	p = nil
	addFlagProblems(&p, NewFlags().DocumentCountries("GEO", "DE"))
	assert.Equal(t, problems{{"flags.document_countries[1]", "must be three capital letters, such as DEU"}}, p)
	p = nil
	addFlagProblems(&p, NewFlags().SkipFace(true).Set("fine", map[string]any{"a": 1}))
	addFlagProblems(&p, Flags{})
	assert.Empty(t, p)
}

func FuzzFlags(f *testing.F) {
	f.Add(`{"skip_face":true,"language":"ka"}`, "skip_agreement", "yes")
	f.Add(`{"documentTypes":["id","passport","driver_license","residence_permit"],"maxLivenessAttempts":3}`, "return_url", "https://bank.example/")
	f.Add(`{"a":1,"a":2,"":[]}`, "a", "\xff")
	f.Add(`[]`, "", "")
	f.Add(`{"document_countries":["GEO","xx",7]}`, "document_countrie", "yes")
	f.Add(`{"n":1e400,"s":"\ud800\u2028<"}`, "s", "\u2028\"")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		var flags Flags
		if flags.UnmarshalJSON([]byte(text)) != nil || !utf8.ValidString(name) {
			return
		}
		before, err := flags.MarshalJSON()
		require.NoError(t, err)
		set := flags.Set(name, value)
		data, err := set.MarshalJSON()
		if !utf8.ValidString(value) {
			require.ErrorContains(t, err, "is not UTF-8")
			return
		}
		require.NoError(t, err)
		require.True(t, json.Valid(data), "%q", data)
		after, err := flags.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "the base has changed")
		got, ok := set.Get(name)
		require.True(t, ok)
		var s string
		require.NoError(t, json.Unmarshal(got, &s))
		wantJSON, _ := json.Marshal(value)
		var want string
		_ = json.Unmarshal(wantJSON, &want)
		require.Equal(t, want, s)
		var p problems
		addFlagProblems(&p, set)
		for _, problem := range p {
			require.True(t, strings.HasPrefix(problem.Path, "flags.document_countries["), "%+v", problem)
		}
	})
}
