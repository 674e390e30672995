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

// customer fills in a session's page.
type customer struct {
	t     *testing.T
	srv   *Server
	token string
}

func (c customer) open() httpResponse {
	c.t.Helper()
	return openPage(c.t, c.srv.WidgetURL+"/?session_token="+c.token)
}

// submit submits a form and returns the next page.
func (c customer) submit(fields ...string) httpResponse {
	c.t.Helper()
	form := url.Values{"session_token": {c.token}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	resp := post(c.t, c.srv.WidgetURL+"/", asForm, form.Encode())
	if resp.status != http.StatusSeeOther {
		return resp
	}
	require.Equal(c.t, "/?session_token="+c.token, resp.header.Get("Location"), "the URL contains only the token")
	return c.open()
}

func (c customer) result() string {
	c.t.Helper()
	return widget(c.t, c.srv, "result/", "session_token", c.token).body
}

func TestPageShowsEveryStep(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, beginWith(t, srv, `
		{"type":"identity-document","flags":{"document_types":["id","passport"],"document_countries":["DEU","GEO"],"allow_document_upload":true}},
		{"type":"liveness","flags":{"liveness":true,"allow_face_upload":true}},
		{"type":"general-document","flags":{"general_document_types":["utility_bill","bank_statement"]}},
		{"type":"face-document"},
		{"type":"video-call","nameRequired":true,"multiple_participants":true,"steps":[{"type":"liveness","key":"again"}]},
		{"type":"geolocation","flags":{"require_geolocation":false}},
		{"type":"email"}`)}
	page := c.open()
	assertShows(t, page, "ID verification", "Identity card", "Passport", "Germany", "Georgia", "captured or uploaded", "takes no picture")
	assertHides(t, page, "Driver", ">Back<")
	page = c.submit("step", "identity-document", "document_type", "driver_license", "country", "DEU")
	assert.Equal(t, 422, page.status, "a document type that is not offered")
	assertShows(t, page, `role="alert"`, "Please choose an answer.", `aria-invalid="true"`, `<option value="DEU" selected>`)

	assertShows(t, c.submit("step", "identity-document", "document_type", "passport", "country", "GEO"), "<h1>Liveness</h1>", "Active check", "Step 2 of 8")
	assertHides(t, c.open(), "captured or uploaded")
	assertShows(t, c.submit("step", "liveness"), "<h1>Proof of address</h1>", "Bank statement", "Utility bill")
	assertShows(t, c.submit("step", "liveness", "action", "back"), "<h1>ID verification</h1>", `value="passport" checked`)
	assertShows(t, c.submit("step", "liveness"), "<h1>Proof of address</h1>")
	assertShows(t, c.submit("step", "select_general_document", "general_document_type", "bank_statement"), "<h1>Selfie with ID</h1>")
	assertShows(t, c.submit("step", "capture_face_document"), "<h1>Video call</h1>", "Several people", "Your name")
	assert.Equal(t, 422, c.submit("step", "video-call").status, "the name is required")
	assertShows(t, c.submit("step", "video-call", "participant", "Nino"), "In the call", "<h1>Liveness</h1>")
	assertShows(t, c.submit("step", "again"), "<h1>Geolocation</h1>", `name="share"`)
	assertShows(t, c.submit("step", "require_geolocation", "share", "no"), "<h1>Email</h1>", `value="john.smith@example.com"`)
	assertShows(t, c.submit("step", "require_email", "contact", "nobody"), "This is not an email address.")
	page = c.submit("step", "require_email", "contact", "nino@example.com")
	assertShows(t, page, "How does this verification end?", `<option value="nino-beridze" selected>`,
		`name="decision" value="approve"`, `name="decision" value="reject"`, `name="decision" value="manual_check"`)
	assertShows(t, c.submit("action", "back"), "<h1>Email</h1>", `value="nino@example.com"`)

	c.submit("decision", "approve", "person", "nino-beridze")
	result := c.result()
	for _, text := range []string{
		`{"result":"approved"`, `"document_type":"passport"`, `"email":"nino@example.com"`, `"first_name":"Nino"`, `"typeId":"bank_statement"`,
	} {
		assert.Contains(t, result, text)
	}
	assert.NotContains(t, result, `"geolocation"`)
	assert.Equal(t, "application/pdf", widget(t, srv, "result/general-document/", "session_token", c.token, "typeId", "bank-statement").header.Get("Content-Type"))
	assert.Equal(t, "image/jpeg", widget(t, srv, "result/passport/", "session_token", c.token).header.Get("Content-Type"))
}

func TestPageSkipAndRestart(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, beginWith(t, srv, `{"type":"liveness"},{"type":"email"}`)}
	assertShows(t, c.submit("action", "finish"), "How does this verification end?")
	assertShows(t, c.submit("action", "restart"), "Step 1 of 2")
	c.submit("step", "liveness")
	assertShows(t, c.submit("step", "no such step", "contact", "a@example.com"), "How does this verification end?")
	assertShows(t, c.submit("action", "next"), "How does this verification end?")
	c.submit("decision", "reject", "reason", "face_mismatch", "comment", "a mask")
	assert.Contains(t, c.result(), `"reject_reason":{"value":"face_mismatch","description":"Face mismatch"},"result_comment":"a mask"`)
	assertShows(t, c.submit("step", "liveness"), "This session is finished", "<code dir=\"ltr\">rejected</code>")
}

func TestPageShowsUnknownStepType(t *testing.T) {
	srv := NewServer(t, AllowUnknown("iris-scan"))
	c := customer{t, srv, beginWith(t, srv, `{"type":"iris-scan","key":"iris"}`)}
	assertShows(t, c.open(), "<h1>iris scan</h1>", "does not know this type of step")
	assertShows(t, c.submit("step", "iris"), "How does this verification end?")
}

func TestPageLanguage(t *testing.T) {
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
		assertShows(t, customer{t, srv, begin(t, srv, test.members)}.open(), test.want...)
	}
}

func TestLanguageStep(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, begin(t, srv, `"flags":{"language":"en","skip_face":true,"skip_document":true},
		"steps":[{"type":"language","languages":["en","ar","sv"]},{"type":"liveness","title":{"en":"Face","ar":"الوجه"}}]`)}
	page := c.open()
	assertShows(t, page, `value="en" checked`, `<span lang="ar" dir="auto">العربية</span>`, "Svenska")
	assertHides(t, page, "Deutsch")
	assertShows(t, c.submit("step", "language", "language", "ar"), `<html lang="ar" dir="rtl">`, "<h1>الوجه</h1>")
	assertShows(t, customer{t, srv, beginWith(t, srv, `{"type":"language"}`)}.open(), "Deutsch", "Հայերեն", "日本語")
}

func TestTranslationsAreComplete(t *testing.T) {
	languages := slices.Sorted(maps.Keys(translations()))
	assert.Equal(t, []string{"ar", "de", "en", "es", "ka"}, languages)
	for _, language := range languages {
		for key, text := range english() {
			translated := translations()[language][key]
			assert.NotEmpty(t, translated, "%s: %s", language, key)
			for _, verb := range []string{"%d", "%s"} {
				assert.Equal(t, strings.Count(text, verb), strings.Count(translated, verb), "%s: %s", language, key)
			}
		}
		assert.Len(t, translations()[language], len(english()), language)
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

func TestPageAnswersInResult(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, beginWith(t, srv, everyQuestion)}
	page := c.open()
	assertShows(t, page, "<h1>About you</h1>", "A few questions", "Send it", `value="John Doe"`, `value="as it is"`, "readonly", `value="preset"`,
		"Yes, I am", `value="salary" checked`, `data-when="q4" data-is="yes" hidden`, `value="on" checked disabled`)

	page = c.submit("step", "q", "q0", " ", "q4", "yes")
	assert.Equal(t, 422, page.status)
	assertShows(t, page, `<a href="#f0">Name</a>: Please fill in this field.`, `<a href="#f5">By whom?</a>`)

	answers := []string{"step", "q", "q0", "Nino", "q1", "changed", "q2", "preset", "q4", "yes", "q6", "salary", "q6", "rent",
		"q8", "large", "q9", "red", "q9", "blue", "q10", "true", "q11", "off", "q5", "a bank", "q7", "Giorgi"}
	page = c.submit(answers...)
	assert.Equal(t, 422, page.status, "without JavaScript, the page did not show the two questions")
	assertShows(t, page, "Your answers lead to more questions.", `value="a bank"`)
	assertHides(t, page, "Please check your answers")
	assertShows(t, c.submit(append(answers, "shown", "q5", "shown", "q7")...), "How does this verification end?")
	assertShows(t, c.submit("action", "back"), `value="Nino"`, `value="rent" checked`, `<option value="large" selected>`, `value="a bank"`)

	require.NoError(t, srv.Approve(identomat.Token(c.token), WithAnswer("q", "sure", false)))
	assert.Contains(t, c.result(), `"questionnaires":[{"key":"q","questions":[`+
		`{"key":"name","answer":"Nino"},{"key":"fixed","answer":{"en":"as it is","de":"wie es ist"}},`+
		`{"key":"kept","answer":{"en":"preset","de":"vorgegeben"}},{"key":"blank","answer":null},`+
		`{"key":"employed","answer":"yes"},{"key":"employer","answer":"a bank"},{"key":"income","answer":["salary","rent"]},`+
		`{"key":"landlord","answer":"Giorgi"},{"key":"size","answer":"large"},{"key":"colours","answer":["red","blue"]},`+
		`{"key":"sure","answer":false},{"key":"locked","answer":"on"}]}]`)
}

func TestHiddenQuestionHasNoAnswer(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, beginWith(t, srv, everyQuestion)}
	assertShows(t, c.submit("step", "q", "q0", "Nino", "q4", "no", "q5", "smuggled", "q7", "smuggled"), "How does this verification end?")
	c.submit("decision", "approve")
	assert.Contains(t, c.result(), `{"key":"employer","answer":null}`)
	assert.NotContains(t, c.result(), "smuggled")
}

func TestUploadedFilesAreReturned(t *testing.T) {
	srv := NewServer(t, WithBareQuestionFiles())
	c := customer{t, srv, beginWith(t, srv, `{"type":"user-questionnaire","key":"q","questions":[
		{"type":"file","key":"contract","mandatory":true,"fileTypes":["pdf"],"filesMaxCount":2,"title":{"en":"Contract"}}]}`)}
	assertShows(t, c.open(), `accept=".pdf,application/pdf"`, "multiple", "File types: pdf. Maximum number: 2.")
	upload := func(files ...string) httpResponse {
		parts := []part{{name: "session_token", content: c.token}, {name: "step", content: "q"}}
		for _, f := range files {
			parts = append(parts, part{"q0", "contract.pdf", f})
		}
		contentType, body := multipartBody(t, parts...)
		return post(t, srv.WidgetURL+"/", contentType, body)
	}
	document := string(pdf("Contract", "with Nino"))
	assertShows(t, upload(), "Please choose a file.")
	assertShows(t, upload(string(FaceJPEG(90, 90))), "Only these file types are accepted: pdf.")
	assertShows(t, upload("plain text"), "Only these file types are accepted: pdf.")
	assertShows(t, upload(document, document, document), "Please upload at most 2 files.")
	assertShows(t, upload(document+strings.Repeat(" ", maxUpload)), "A file may have at most 10 MB.")
	assert.Equal(t, http.StatusSeeOther, upload(document).status)
	assertShows(t, c.submit("action", "back"), "Files received: 1")
	assertShows(t, c.submit("step", "q"), "How does this verification end?")
	c.submit("decision", "approve")
	assert.Contains(t, c.result(), `{"key":"contract","answer":1}`)
	body := api(t, srv, "get-question-file", `"sessionId":"`+c.token+`","stepKey":"q","questionKey":"contract","fileIndex":0`).body
	assert.Equal(t, wrapJSON(archiveURI([]byte(document))), body)
}

func wrapJSON(uri string) string {
	return string(encodeJSON(object{{"result", []any{[]any{uri}}}}))
}

func TestCompanyDataAndBeneficiaries(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, beginWith(t, srv, `
		{"type":"company","fields":[{"type":"companyName","mandatory":true},{"type":"registrationCountry","mandatory":true},
			{"type":"companyEntityType"},{"type":"dateOfIncorporation"},{"type":"contactNumber"},{"type":"website"},{"type":"email"}]},
		{"type":"beneficiaries","kycConfigId":"679c74e4d9725987e3879265","roles":{
			"shareholder":{"fields":[{"type":"companyName","mandatory":true},{"type":"firstName","mandatory":true},{"type":"ownershipPercentage"}],"verification":true},
			"other":{}}},
		{"type":"kyb-review"}`)}
	assertShows(t, c.open(), "Company name", `<option value="GEO">Georgia</option>`, "Sole proprietor", `type="date"`, `type="url"`)
	page := c.submit("step", "company", "dateOfIncorporation", "1/2/2020", "contactNumber", "call me")
	assertShows(t, page, `#f0">Company name</a>: Please fill in`, `Registration country</a>: Please choose`, "This is not a date.", "This is not a phone number.")
	assertShows(t, c.submit("step", "company", "companyName", "Bank of Somewhere", "registrationCountry", "GEO", "contactNumber", "+995 (32) 2-12-34-56"),
		"<h1>Beneficiaries</h1>", "No one has been added yet.", "Add: Shareholder", "Add: Shareholder (company)", "Add: Other")

	assertShows(t, c.submit("step", "beneficiaries", "action", "add:shareholder"), "First name", "Ownership percentage", "in a separate session")
	assertHides(t, c.open(), ">Company name<", "Add: Director")
	page = c.submit("step", "beneficiaries", "action", "add:shareholder-company", "b0.firstName", "Nino")
	assertShows(t, page, `value="Nino"`, "Company name")
	page = c.submit("step", "beneficiaries", "action", "add:other")
	assertShows(t, page, "Position", "Date of birth")
	assert.NotContains(t, mainOf(page.body), "add:king")
	c.submit("step", "beneficiaries", "action", "add:king")
	c.submit("step", "beneficiaries", "action", "remove:9")
	c.submit("step", "beneficiaries", "action", "remove:2", "b0.firstName", "Nino")
	assertHides(t, c.open(), "Position")
	assertShows(t, c.submit("step", "beneficiaries", "b0.firstName", "Nino"), "Company name</a>: Please fill in this field.")
	page = c.submit("step", "beneficiaries", "b0.firstName", "Nino", "b1.companyName", "Holding")
	assertShows(t, page, "<h1>Checking the data</h1>", "Bank of Somewhere", "Shareholder (company) 2: Company name", "Holding")
	assertShows(t, c.submit("step", "kyb-review"), "How does this verification end?")

	// Identomat has not published how the result represents this data, so the fake leaves it out.
	c.submit("decision", "approve")
	assert.Contains(t, c.result(), `{"result":"approved"`)
	assert.NotContains(t, c.result(), "Bank of Somewhere")
	assert.NotContains(t, c.result(), "Holding")

	empty := customer{t, srv, beginWith(t, srv, `{"type":"company"},{"type":"beneficiaries"},{"type":"kyb-review"}`)}
	assertShows(t, empty.open(), "VAT / tax ID")
	empty.submit("step", "company", "companyName", "A", "registrationNumber", "1", "registrationCountry", "DEU")
	assertShows(t, empty.open(), "Add: Director", "Add: Beneficial owner")
	for range 60 {
		post(t, srv.WidgetURL+"/", asForm, url.Values{"session_token": {empty.token}, "step": {"beneficiaries"}, "action": {"add:ubo"}}.Encode())
	}
	assert.Equal(t, 50, strings.Count(empty.open().body, `<fieldset class="card">`), "the number of beneficiaries is limited")
}

func TestContactVerification(t *testing.T) {
	var bodies []string
	company := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(data))
	}))
	defer company.Close()
	srv := NewServer(t)
	require.NoError(t, srv.SetCallbackURL(company.URL))
	c := customer{t, srv, beginWith(t, srv, `{"type":"phone-number","flags":{"require_phone_number_check":true}},{"type":"email","flags":{"require_email_check":true}}`)}
	assertShows(t, c.open(), `type="tel"`, `value="+12025550143"`)
	assertShows(t, c.submit("step", "phone_number", "contact", "12"), "This is not a phone number.")
	page := c.submit("step", "phone_number", "contact", "+995555010203")
	code := srv.sessions[c.token].visit.codes["phone_number"]
	assertShows(t, page, "A code was sent to +995555010203.", "the code is "+code, `autocomplete="one-time-code"`)
	require.Len(t, bodies, 1)
	assert.JSONEq(t, `{"callbackApiKey":"`+srv.CallbackKey+`","type":"one-time-password-request","sessionId":"`+c.token+`",
		"text":"Your code is `+code+`","phoneNumber":"+995555010203"}`, bodies[0])

	assertShows(t, c.submit("step", "phone_number", "action", "back"), `value="+995555010203"`)
	c.submit("step", "phone_number", "contact", "+995555010204")
	code = srv.sessions[c.token].visit.codes["phone_number"]
	assertShows(t, c.submit("step", "phone_number", "code", code+"0"), "This code is wrong.")
	assertShows(t, c.submit("step", "phone_number", "code", code), "<h1>Email</h1>")

	c.submit("step", "require_email", "contact", "nino@example.com")
	require.Len(t, bodies, 3)
	assert.Contains(t, bodies[2], `"type":"email-one-time-password-request"`)
	company.Close() // a failing callback does not block the page
	c.submit("step", "require_email", "action", "back")
	c.submit("step", "require_email", "contact", "nino@example.com")
	c.submit("step", "require_email", "code", srv.sessions[c.token].visit.codes["require_email"])
	c.submit("decision", "manual_check")
	assert.Contains(t, c.result(), `"person":{"email":"nino@example.com","phoneNumber":"+995555010204"}`)
}

func TestOperatorQuestionnaireIsMarked(t *testing.T) {
	srv := NewServer(t)
	c := customer{t, srv, begin(t, srv, `"name":"user-1","flags":{"skip_face":true,"skip_document":true,"skip_desktop":true},
		"steps":[{"type":"operator-questionnaire","key":"op","title":"Call","questions":[{"type":"string","key":"a"}]}]`)}
	assertShows(t, c.open(), "Filled in by an operator", "user-1", "QR code")
	c.submit("step", "op", "q0", "went well")
	c.submit("decision", "approve")
	assert.Contains(t, c.result(), `{"key":"a","answer":"went well"}`)
}
