package identomattest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// walker is somebody who fills in the page of a session.
type walker struct {
	t     *testing.T
	srv   *Server
	token string
}

func (w walker) see() httpResponse {
	w.t.Helper()
	return openPage(w.t, w.srv.WidgetURL+"/?session_token="+w.token)
}

// press sends a form and returns the page that follows it.
func (w walker) press(fields ...string) httpResponse {
	w.t.Helper()
	form := url.Values{"session_token": {w.token}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	resp := post(w.t, w.srv.WidgetURL+"/", asForm, form.Encode())
	if resp.status != http.StatusSeeOther {
		return resp
	}
	require.Equal(w.t, "/?session_token="+w.token, resp.header.Get("Location"), "nothing else stands in the URL")
	return w.see()
}

func (w walker) result() string {
	w.t.Helper()
	return widget(w.t, w.srv, "result/", "session_token", w.token).body
}

func TestTheWalkGoesThroughTheStepsOfTheSession(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, only(t, srv, `
		{"type":"identity-document","flags":{"document_types":["id","passport"],"document_countries":["DEU","GEO"],"allow_document_upload":true}},
		{"type":"liveness","flags":{"liveness":true,"allow_face_upload":true}},
		{"type":"general-document","flags":{"general_document_types":["utility_bill","bank_statement"]}},
		{"type":"face-document"},
		{"type":"video-call","nameRequired":true,"multiple_participants":true,"steps":[{"type":"liveness","key":"again"}]},
		{"type":"geolocation","flags":{"require_geolocation":false}},
		{"type":"email"}`)}
	page := w.see()
	shows(t, page, "ID verification", "Identity card", "Passport", "Germany", "Georgia", "captured or uploaded", "takes no picture")
	hides(t, page, "Driver", ">Back<")
	page = w.press("step", "identity-document", "document_type", "driver_license", "country", "DEU")
	assert.Equal(t, 422, page.status, "a document that is no choice")
	shows(t, page, `role="alert"`, "Please choose an answer.", `aria-invalid="true"`, `<option value="DEU" selected>`)

	shows(t, w.press("step", "identity-document", "document_type", "passport", "country", "GEO"), "<h1>Liveness</h1>", "Active check", "Step 2 of 8")
	hides(t, w.see(), "captured or uploaded")
	shows(t, w.press("step", "liveness"), "<h1>Proof of address</h1>", "Bank statement", "Utility bill")
	shows(t, w.press("step", "liveness", "action", "back"), "<h1>ID verification</h1>", `value="passport" checked`)
	shows(t, w.press("step", "liveness"), "<h1>Proof of address</h1>")
	shows(t, w.press("step", "select_general_document", "general_document_type", "bank_statement"), "<h1>Selfie with ID</h1>")
	shows(t, w.press("step", "capture_face_document"), "<h1>Video call</h1>", "Several people", "Your name")
	assert.Equal(t, 422, w.press("step", "video-call").status, "the name is required")
	shows(t, w.press("step", "video-call", "participant", "Nino"), "In the call", "<h1>Liveness</h1>")
	shows(t, w.press("step", "again"), "<h1>Geolocation</h1>", `name="share"`)
	shows(t, w.press("step", "require_geolocation", "share", "no"), "<h1>Email</h1>", `value="john.smith@example.com"`)
	shows(t, w.press("step", "require_email", "contact", "nobody"), "This is no email address.")
	page = w.press("step", "require_email", "contact", "nino@example.com")
	shows(t, page, "How does this verification end?", `<option value="nino-beridze" selected>`,
		`name="decision" value="approve"`, `name="decision" value="reject"`, `name="decision" value="manual_check"`)
	shows(t, w.press("action", "back"), "<h1>Email</h1>", `value="nino@example.com"`)

	w.press("decision", "approve", "person", "nino-beridze")
	result := w.result()
	for _, text := range []string{
		`{"result":"approved"`, `"document_type":"passport"`, `"email":"nino@example.com"`, `"first_name":"Nino"`, `"typeId":"bank_statement"`,
	} {
		assert.Contains(t, result, text)
	}
	assert.NotContains(t, result, `"geolocation"`)
	assert.Equal(t, "application/pdf", widget(t, srv, "result/general-document/", "session_token", w.token, "typeId", "bank-statement").header.Get("Content-Type"))
	assert.Equal(t, "image/jpeg", widget(t, srv, "result/passport/", "session_token", w.token).header.Get("Content-Type"))
}

func TestAWalkCanBeCutShortAndBegunAgain(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, only(t, srv, `{"type":"liveness"},{"type":"email"}`)}
	shows(t, w.press("action", "finish"), "How does this verification end?")
	shows(t, w.press("action", "restart"), "Step 1 of 2")
	w.press("step", "liveness")
	shows(t, w.press("step", "no such step", "contact", "a@example.com"), "How does this verification end?")
	shows(t, w.press("action", "next"), "How does this verification end?")
	w.press("decision", "reject", "reason", "face_mismatch", "comment", "a mask")
	assert.Contains(t, w.result(), `"reject_reason":{"value":"face_mismatch","description":"Face mismatch"},"result_comment":"a mask"`)
	shows(t, w.press("step", "liveness"), "This session is finished", "<code dir=\"ltr\">rejected</code>")
}

func TestAnUnknownTypeOfStepIsShownAllTheSame(t *testing.T) {
	srv := NewServer(t, AllowUnknown("iris-scan"))
	w := walker{t, srv, only(t, srv, `{"type":"iris-scan","key":"iris"}`)}
	shows(t, w.see(), "<h1>iris scan</h1>", "knows nothing about steps of this type")
	shows(t, w.press("step", "iris"), "How does this verification end?")
}

func TestTheWidgetSpeaksTheLanguageOfTheSession(t *testing.T) {
	srv := NewServer(t, WithConfiguration(`{"id":"german","general":{"language":"de"},"steps":[{"type":"liveness","key":"liveness"}]}`))
	for _, test := range []struct {
		members string
		want    []string
	}{
		{`"flags":{"language":"ka"}`, []string{`<html lang="ka" dir="ltr">`, "ეს იმიტაციაა.", "გაგრძელება"}},
		{`"flags":{"language":"es"}`, []string{`<html lang="es" dir="ltr">`, "Continuar"}},
		{`"flags":{"language":"ar"}`, []string{`<html lang="ar" dir="rtl">`, "متابعة"}},
		{`"config_id":"german"`, []string{`<html lang="de" dir="ltr">`, "Weiter", "Lebenderkennung"}},
		{`"config_id":"german","flags":{"language":"en"}`, []string{`<html lang="en" dir="ltr">`, "Continue"}},
		{`"flags":{"language":"gr","skip_document":true,"skip_face":true},"steps":[{"type":"liveness","title":{"en":"Face","gr":"Πρόσωπο"}}]`,
			[]string{`<html lang="en" dir="ltr">`, `<h1><span lang="el" dir="auto">Πρόσωπο</span></h1>`, "Continue"}},
		{`"flags":{"language":"fr","skip_document":true,"skip_face":true},"steps":[{"type":"liveness","title":{"de":"Gesicht","en":"Face"}}]`,
			[]string{`<h1>Face</h1>`}},
	} {
		shows(t, walker{t, srv, begin(t, srv, test.members)}.see(), test.want...)
	}
}

func TestTheLanguageStepChangesTheLanguage(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, begin(t, srv, `"flags":{"language":"en","skip_face":true,"skip_document":true},
		"steps":[{"type":"language","languages":["en","ar","sv"]},{"type":"liveness","title":{"en":"Face","ar":"الوجه"}}]`)}
	page := w.see()
	shows(t, page, `value="en" checked`, `<span lang="ar" dir="auto">العربية</span>`, "Svenska")
	hides(t, page, "Deutsch")
	shows(t, w.press("step", "language", "language", "ar"), `<html lang="ar" dir="rtl">`, "<h1>الوجه</h1>")
	shows(t, walker{t, srv, only(t, srv, `{"type":"language"}`)}.see(), "Deutsch", "Հայերեն", "日本語")
}

func TestEveryLanguageHasEveryWord(t *testing.T) {
	languages := slices.Sorted(maps.Keys(dictionary()))
	assert.Equal(t, []string{"ar", "de", "en", "es", "ka"}, languages)
	for _, language := range languages {
		for key, text := range english() {
			translated := dictionary()[language][key]
			assert.NotEmpty(t, translated, "%s: %s", language, key)
			for _, verb := range []string{"%d", "%s"} {
				assert.Equal(t, strings.Count(text, verb), strings.Count(translated, verb), "%s: %s", language, key)
			}
		}
		assert.Len(t, dictionary()[language], len(english()), language)
	}
	assert.Equal(t, "Georgia", countryName("GEO"))
	assert.Equal(t, "XXX", countryName("XXX"))
}

const everyQuestion = `{"type":"user-questionnaire","key":"q","title":{"en":"About you"},"description":{"en":"A few questions"},"successButtonTitle":{"en":"Send it"},"questions":[
	{"type":"string","key":"name","title":{"en":"Name","de":"Name (de)"},"mandatory":true,"answer":"John Doe"},
	{"type":"string","key":"fixed","answer":{"en":"as it is","de":"wie es ist"},"readOnly":true},
	{"type":"string","key":"kept","answer":{"en":"preset","de":"vorgegeben"}},
	{"type":"string","key":"blank"},
	{"type":"options","key":"employed","mandatory":true,"title":{"en":"Employed?"},"options":[{"key":"yes","title":{"en":"Yes, I am"}},{"key":"no"}]},
	{"type":"string","key":"employer","mandatory":true,"title":{"en":"By whom?"},"showConditions":{"questionKey":"employed","answer":"yes"}},
	{"type":"multiple-choice","key":"income","answer":["salary"],"options":[{"key":"salary"},{"key":"rent"}]},
	{"type":"string","key":"landlord","showConditions":{"questionKey":"income","answer":"rent"}},
	{"type":"dropdown","key":"size","options":[{"key":"small"},{"key":"large"}]},
	{"type":"dropdown","key":"colours","multiple":true,"options":[{"key":"red"},{"key":"blue"}]},
	{"type":"boolean","key":"sure","title":{"en":"Sure?"}},
	{"type":"options","key":"locked","readOnly":true,"answer":"on","options":[{"key":"on"},{"key":"off"}]}]}`

func TestAnswersOfThePageStandInTheResult(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, only(t, srv, everyQuestion)}
	page := w.see()
	shows(t, page, "<h1>About you</h1>", "A few questions", "Send it", `value="John Doe"`, `value="as it is"`, "readonly", `value="preset"`,
		"Yes, I am", `value="salary" checked`, `data-when="q4" data-is="yes" hidden`, `value="on" checked disabled`)

	page = w.press("step", "q", "q0", " ", "q4", "yes")
	assert.Equal(t, 422, page.status)
	shows(t, page, `<a href="#f0">Name</a>: Please fill in this field.`, `<a href="#f5">By whom?</a>`)

	answers := []string{"step", "q", "q0", "Nino", "q1", "changed", "q2", "preset", "q4", "yes", "q6", "salary", "q6", "rent",
		"q8", "large", "q9", "red", "q9", "blue", "q10", "true", "q11", "off", "q5", "a bank", "q7", "Giorgi"}
	page = w.press(answers...)
	assert.Equal(t, 422, page.status, "the page without a script had not shown the two questions")
	shows(t, page, "There are more questions", `value="a bank"`)
	hides(t, page, "Please check your answers")
	shows(t, w.press(append(answers, "shown", "q5", "shown", "q7")...), "How does this verification end?")
	shows(t, w.press("action", "back"), `value="Nino"`, `value="rent" checked`, `<option value="large" selected>`, `value="a bank"`)

	require.NoError(t, srv.Approve(identomat.Token(w.token), WithAnswer("q", "sure", false)))
	assert.Contains(t, w.result(), `"questionnaires":[{"key":"q","questions":[`+
		`{"key":"name","answer":"Nino"},{"key":"fixed","answer":{"en":"as it is","de":"wie es ist"}},`+
		`{"key":"kept","answer":{"en":"preset","de":"vorgegeben"}},{"key":"blank","answer":null},`+
		`{"key":"employed","answer":"yes"},{"key":"employer","answer":"a bank"},{"key":"income","answer":["salary","rent"]},`+
		`{"key":"landlord","answer":"Giorgi"},{"key":"size","answer":"large"},{"key":"colours","answer":["red","blue"]},`+
		`{"key":"sure","answer":false},{"key":"locked","answer":"on"}]}]`)
}

func TestAHiddenQuestionHasNoAnswer(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, only(t, srv, everyQuestion)}
	shows(t, w.press("step", "q", "q0", "Nino", "q4", "no", "q5", "smuggled", "q7", "smuggled"), "How does this verification end?")
	w.press("decision", "approve")
	assert.Contains(t, w.result(), `{"key":"employer","answer":null}`)
	assert.NotContains(t, w.result(), "smuggled")
}

func TestFilesOfThePageAreServedToTheCompany(t *testing.T) {
	srv := NewServer(t, WithBareQuestionFiles())
	w := walker{t, srv, only(t, srv, `{"type":"user-questionnaire","key":"q","questions":[
		{"type":"file","key":"contract","mandatory":true,"fileTypes":["pdf"],"filesMaxCount":2,"title":{"en":"Contract"}}]}`)}
	shows(t, w.see(), `accept=".pdf,application/pdf"`, "multiple", "Types: pdf. At most 2.")
	upload := func(files ...string) httpResponse {
		parts := []part{{name: "session_token", content: w.token}, {name: "step", content: "q"}}
		for _, f := range files {
			parts = append(parts, part{"q0", "contract.pdf", f})
		}
		contentType, body := multipartBody(t, parts...)
		return post(t, srv.WidgetURL+"/", contentType, body)
	}
	document := string(pdf("Contract", "with Nino"))
	shows(t, upload(), "Please choose a file.")
	shows(t, upload(string(FaceJPEG(90, 90))), "Only these types are taken: pdf.")
	shows(t, upload("plain text"), "Only these types are taken: pdf.")
	shows(t, upload(document, document, document), "At most 2 files, please.")
	shows(t, upload(document+strings.Repeat(" ", maxUpload)), "A file may have 10 MB.")
	assert.Equal(t, http.StatusSeeOther, upload(document).status)
	shows(t, w.press("action", "back"), "Files received: 1")
	shows(t, w.press("step", "q"), "How does this verification end?")
	w.press("decision", "approve")
	assert.Contains(t, w.result(), `{"key":"contract","answer":1}`)
	body := api(t, srv, "get-question-file", `"sessionId":"`+w.token+`","stepKey":"q","questionKey":"contract","fileIndex":0`).body
	assert.Equal(t, wrapJSON(archiveURI([]byte(document))), body)
}

func wrapJSON(uri string) string {
	return string(encodeJSON(object{{"result", []any{[]any{uri}}}}))
}

func TestCompanyDataAndBeneficiaries(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, only(t, srv, `
		{"type":"company","fields":[{"type":"companyName","mandatory":true},{"type":"registrationCountry","mandatory":true},
			{"type":"companyEntityType"},{"type":"dateOfIncorporation"},{"type":"contactNumber"},{"type":"website"},{"type":"email"}]},
		{"type":"beneficiaries","kycConfigId":"679c74e4d9725987e3879265","roles":{
			"shareholder":{"fields":[{"type":"companyName","mandatory":true},{"type":"firstName","mandatory":true},{"type":"ownershipPercentage"}],"verification":true},
			"other":{}}},
		{"type":"kyb-review"}`)}
	shows(t, w.see(), "Company name", `<option value="GEO">Georgia</option>`, "Sole proprietor", `type="date"`, `type="url"`)
	page := w.press("step", "company", "dateOfIncorporation", "1/2/2020", "contactNumber", "call me")
	shows(t, page, `#f0">Company name</a>: Please fill in`, `Registration country</a>: Please choose`, "This is no date.", "This is no phone number.")
	shows(t, w.press("step", "company", "companyName", "Bank of Somewhere", "registrationCountry", "GEO", "contactNumber", "+995 (32) 2-12-34-56"),
		"<h1>Beneficiaries</h1>", "Nobody has been added yet.", "Add: Shareholder", "Add: Company as shareholder", "Add: Other")

	shows(t, w.press("step", "beneficiaries", "action", "add:shareholder"), "First name", "Ownership in percent", "a session of their own")
	hides(t, w.see(), ">Company name<", "Add: Director")
	page = w.press("step", "beneficiaries", "action", "add:shareholder-company", "b0.firstName", "Nino")
	shows(t, page, `value="Nino"`, "Company name")
	page = w.press("step", "beneficiaries", "action", "add:other")
	shows(t, page, "Position", "Date of birth")
	assert.NotContains(t, mainOf(page.body), "add:king")
	w.press("step", "beneficiaries", "action", "add:king")
	w.press("step", "beneficiaries", "action", "remove:9")
	w.press("step", "beneficiaries", "action", "remove:2", "b0.firstName", "Nino")
	hides(t, w.see(), "Position")
	shows(t, w.press("step", "beneficiaries", "b0.firstName", "Nino"), "Company name</a>: Please fill in this field.")
	page = w.press("step", "beneficiaries", "b0.firstName", "Nino", "b1.companyName", "Holding")
	shows(t, page, "<h1>Checking the data</h1>", "Bank of Somewhere", "2. shareholder: Company name", "Holding")
	shows(t, w.press("step", "kyb-review"), "How does this verification end?")

	empty := walker{t, srv, only(t, srv, `{"type":"company"},{"type":"beneficiaries"},{"type":"kyb-review"}`)}
	shows(t, empty.see(), "VAT / tax ID")
	empty.press("step", "company", "companyName", "A", "registrationNumber", "1", "registrationCountry", "DEU")
	shows(t, empty.see(), "Add: Director", "Add: Beneficial owner")
	for range 60 {
		post(t, srv.WidgetURL+"/", asForm, url.Values{"session_token": {empty.token}, "step": {"beneficiaries"}, "action": {"add:ubo"}}.Encode())
	}
	assert.Equal(t, 50, strings.Count(empty.see().body, `<fieldset class="card">`), "there is an end to everything")
}

func TestAContactIsVerifiedByACodeThatTheCompanySends(t *testing.T) {
	var bodies []string
	company := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(data))
	}))
	defer company.Close()
	srv := NewServer(t, WithCallbackURL(company.URL))
	w := walker{t, srv, only(t, srv, `{"type":"phone-number","flags":{"require_phone_number_check":true}},{"type":"email","flags":{"require_email_check":true}}`)}
	shows(t, w.see(), `type="tel"`, `value="&#43;12025550143"`)
	shows(t, w.press("step", "phone_number", "contact", "12"), "This is no phone number.")
	page := w.press("step", "phone_number", "contact", "+995555010203")
	code := srv.sessions[w.token].visit.codes["phone_number"]
	shows(t, page, "A code is on its way to &#43;995555010203.", "the code is "+code, `autocomplete="one-time-code"`)
	require.Len(t, bodies, 1)
	assert.JSONEq(t, `{"callbackApiKey":"`+srv.CallbackKey+`","type":"one-time-password-request","sessionId":"`+w.token+`",
		"text":"Your code is `+code+`","phoneNumber":"+995555010203"}`, bodies[0])

	shows(t, w.press("step", "phone_number", "action", "back"), `value="&#43;995555010203"`)
	w.press("step", "phone_number", "contact", "+995555010204")
	code = srv.sessions[w.token].visit.codes["phone_number"]
	shows(t, w.press("step", "phone_number", "code", code+"0"), "This is not the code.")
	shows(t, w.press("step", "phone_number", "code", code), "<h1>Email</h1>")

	w.press("step", "require_email", "contact", "nino@example.com")
	require.Len(t, bodies, 3)
	assert.Contains(t, bodies[2], `"type":"email-one-time-password-request"`)
	company.Close() // a company that does not answer keeps nobody from going on
	w.press("step", "require_email", "action", "back")
	w.press("step", "require_email", "contact", "nino@example.com")
	w.press("step", "require_email", "code", srv.sessions[w.token].visit.codes["require_email"])
	w.press("decision", "manual_check")
	assert.Contains(t, w.result(), `"person":{"email":"nino@example.com","phoneNumber":"+995555010204"}`)
}

func TestAnOperatorsQuestionnaireIsMarked(t *testing.T) {
	srv := NewServer(t)
	w := walker{t, srv, begin(t, srv, `"name":"user-1","flags":{"skip_face":true,"skip_document":true,"skip_desktop":true},
		"steps":[{"type":"operator-questionnaire","key":"op","title":"Call","questions":[{"type":"string","key":"a"}]}]`)}
	shows(t, w.see(), "Filled in by an operator", "user-1", "QR code")
	w.press("step", "op", "q0", "went well")
	w.press("decision", "approve")
	assert.Contains(t, w.result(), `{"key":"a","answer":"went well"}`)
}
