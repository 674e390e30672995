package identomattest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

const (
	errWrong     = `{"argumentError":"wrong-parameters"}`
	errNoSession = `{"argumentError":"session-not-found"}`
)

// beginRaw calls begin/ with the company key and members, and returns the response body.
func beginRaw(t *testing.T, srv *Server, members string) string {
	t.Helper()
	return post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`",`+members+`}`).body
}

func TestBeginEncodings(t *testing.T) {
	srv := NewServer(t)
	flags := `{"skip_document":true,"skip_face":true,"return_url":"https://bank.example/?a=1"}`
	steps := `[{"type":"liveness","flags":{"liveness":true}}]`
	form := url.Values{"company_key": {srv.CompanyKey}, "flags": {flags}, "steps": {steps}, "clientUserId": {"7"}}
	contentType, body := multipartBody(t,
		part{name: "company_key", content: srv.CompanyKey}, part{name: "flags", content: flags},
		part{name: "steps", content: steps}, part{name: "clientUserId", content: "7"})
	document := `{"company_key":"` + srv.CompanyKey + `","flags":` + flags + `,"steps":` + steps + `,"clientUserId":"7"}`
	const path, olderPath = "/external-api/begin/", "/begin/"
	half := url.Values{"flags": {flags}, "clientUserId": {"7"}}
	for name, r := range map[string]struct{ method, path, contentType, body string }{
		"JSON":                    {"POST", path, asJSON, document},
		"JSON with a charset":     {"POST", path, asJSON + "; charset=utf-8", document},
		"JSON at the older path":  {"POST", olderPath, asJSON, document},
		"curl -d '{…}'":           {"POST", olderPath, asForm, "\n" + document},
		"a form":                  {"POST", path, asForm, form.Encode()},
		"a multipart form":        {"POST", path, contentType, body},
		"GET":                     {"GET", path + "?" + form.Encode(), "", ""},
		"GET at the older path":   {"GET", olderPath + "?" + form.Encode(), "", ""},
		"a query string in POST":  {"POST", path + "?" + form.Encode(), "", ""},
		"a query string and JSON": {"POST", path + "?" + half.Encode(), asJSON, `{"company_key":"` + srv.CompanyKey + `","steps":` + steps + `}`},
	} {
		req := request(t, srv.WidgetURL+r.path, r.contentType, r.body)
		req.Method = r.method
		resp := send(t, req)
		require.Regexp(t, `^"[0-9a-z]{40}"$`, resp.body, name)
		assert.Equal(t, asJSON, resp.header.Get("Content-Type"), name)
		ses, ok := srv.Session(identomat.Token(strings.Trim(resp.body, `"`)))
		require.True(t, ok, name)
		assert.Equal(t, "https://bank.example/?a=1", ses.ReturnURL, name)
		assert.Equal(t, "7", ses.ClientUserID, name)
		assert.Equal(t, []Step{{"liveness", "liveness"}}, ses.Steps, name)
	}
	for name, body := range map[string]string{
		"flags that are not JSON": "company_key=" + srv.CompanyKey + "&flags=language",
		"flags in PHP's form":     "company_key=" + srv.CompanyKey + "&flags[language]=ka",
		"a duplicate parameter":   form.Encode() + "&name=a&name=b",
		"a malformed escape":      "company_key=" + srv.CompanyKey + "&name=%zz",
	} {
		assert.Equal(t, errWrong, post(t, srv.WidgetURL+path, asForm, body).body, name)
		assert.Equal(t, errWrong, post(t, srv.WidgetURL+path+"?"+body, "", "").body, name+" in the URL")
	}
}

func TestKeyInURLWarns(t *testing.T) {
	var log []string
	srv := NewServer(t, WithLogf(func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }))
	assert.Equal(t, `{"result":[]}`, post(t, srv.APIURL+"/list-groups?companyKey="+srv.CompanyKey, "", "").body)
	assert.Equal(t, []string{"list-groups: warning: the company key is in the URL, which proxies and servers write to their logs"}, log)
	assert.Equal(t, "the company key is in the URL, which proxies and servers write to their logs", srv.Requests()[0].Warning)
	assert.Contains(t, srv.Requests()[0].String(), ", processed, warning: the company key")
}

// Questionnaires and steps such as email and phone-number do not verify a person. With skip_face and
// skip_document, a session with only such steps verifies nobody.
func TestSessionThatChecksNobodyWarns(t *testing.T) {
	srv := NewServer(t)
	warning := func(members string) string {
		begin(t, srv, members)
		requests := srv.Requests()
		return requests[len(requests)-1].Warning
	}
	const skip, questionnaire = `"flags":{"skip_face":true,"skip_document":true}`, `{"type":"user-questionnaire","key":"q","questions":[]}`
	const nobody = "the steps check no document, no face and no company, so the result does not say who the person is"
	for members, want := range map[string]string{
		skip: nobody,
		skip + `,"steps":[` + questionnaire + `]`: nobody,
		skip + `,"steps":[{"type":"language"},{"type":"email"},{"type":"phone-number"},{"type":"geolocation"}]`: nobody,
		`"steps":[` + questionnaire + `]`:                                        "", // the service adds its own steps
		`"flags":{"skip_face":true},"steps":[` + questionnaire + `]`:             "",
		skip + `,"steps":[` + questionnaire + `,{"type":"liveness"}]`:            "",
		skip + `,"steps":[{"type":"general-document"}]`:                          "",
		skip + `,"steps":[{"type":"video-call"}]`:                                "",
		skip + `,"steps":[{"type":"company"}]`:                                   "",
		`"config_id":"679c74e4d9725987e3879265","steps":[` + questionnaire + `]`: "",
	} {
		assert.Equal(t, want, warning(members), members)
	}
}

func TestBeginDefaultSteps(t *testing.T) {
	srv := NewServer(t)
	steps := func(members string) (types []string) {
		ses, _ := srv.Session(identomat.Token(begin(t, srv, members)))
		for _, step := range ses.Steps {
			types = append(types, step.Type)
		}
		return types
	}
	assert.Equal(t, []string{"identity-document", "liveness"}, steps(``))
	assert.Equal(t, []string{"identity-document", "liveness", "liveness"}, steps(`"steps":[{"type":"liveness"}]`))
	assert.Equal(t, []string{"identity-document"}, steps(`"flags":{"skip_face":true}`))
	assert.Equal(t, []string{"general-document", "face-document", "phone-number", "email"},
		steps(`"flags":{"skip_face":true,"skip_document":true,"allow_general_document_upload":true,
			"require_face_document":true,"require_phone_number":true,"require_email_check":true}`))
	assert.Equal(t, []string{"identity-document", "liveness"}, steps(`"config_id":"679c74e4d9725987e3879265"`))
	assert.Equal(t, []string{"identity-document", "liveness"}, steps(`"flags":[],"steps":[]`), "[] means an empty object")
}

func TestBeginOverridesConfigurationSteps(t *testing.T) {
	srv := NewServer(t, WithConfiguration(`{"id":"abc","steps":[
		{"type":"liveness","key":"face"},
		{"type":"user-questionnaire","key":"agreement","questions":[{"type":"string","key":"name"}]}
	],"general":{"sessionLifetime":90}}`))
	token := begin(t, srv, `"config_id":"abc","steps":[
		{"type":"user-questionnaire","key":"agreement","questions":[{"type":"string","key":"name","answer":"John Doe"}]},
		{"type":"email"}]`)
	ses, _ := srv.Session(identomat.Token(token))
	assert.Equal(t, []Step{{"liveness", "face"}, {"user-questionnaire", "agreement"}, {"email", "require_email"}}, ses.Steps)
	assert.Equal(t, 90*time.Minute, ses.Expires.Sub(ses.Created))
	require.NoError(t, srv.Approve(identomat.Token(token)))
	assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"key":"name","answer":"John Doe"}`)
}

func TestBeginAcceptsAllDocumentedParameters(t *testing.T) {
	srv := NewServer(t)
	begin(t, srv, `
		"name": "KYC for John Smith", "clientUserId": "user-12345", "groupId": "682c60525a91a1e5b473858d",
		"scheduleStartTime": "2024-06-20T07:33:00.000Z", "scheduleEndTime": "2024-06-20T09:00:00.000Z",
		"flags": {
			"skip_face": true, "skip_document": true, "return_url": null, "language": "ka", "skip_desktop": true,
			"switch_device_url": "bank://kyc", "restrict_url_sharing": false, "optional_continue_on_another_device": true,
			"multiple_participants": true, "requireHdMedia": true, "skip_agreement": true, "server": "human",
			"document_types": ["id"], "document_countries": ["USA"], "general_document_types": ["yellow_slip"]
		},
		"steps": [
			{"type": "language", "languages": ["en", "ka"]},
			{"type": "identity-document", "title": {"en": "ID"}, "flags": {"disable_document_capture": false,
				"allow_document_upload": true, "document_types": ["passport", "residence_license"], "document_countries": ["GEO", "DEU"]}},
			{"type": "liveness", "flags": {"liveness": true, "allow_face_upload": false}},
			{"type": "general-document", "flags": {"general_document_types": ["bank_statement"]}},
			{"type": "face-document", "flags": {"allow_face_doc_upload": true, "require_face_document": true}},
			{"type": "company", "description": {"en": "d"}, "fields": [{"type": "companyName", "mandatory": true}]},
			{"type": "beneficiaries", "kycConfigId": "687e0ba12cf633bd323cb0db", "kybConfigId": "687e0ba12cf633bd323cb0d2",
				"roles": {"shareholder": {"verification": true}, "ubo": {"fields": [{"type": "firstName", "mandatory": true}], "verification": true}}},
			{"type": "kyb-review", "title": "Checking the data"},
			{"type": "video-call", "resetSteps": true, "hideCameraOption": true, "nameRequired": true, "multiple_participants": true,
				"steps": [{"type": "identity-document", "key": "in-the-call"}]},
			{"type": "phone-number", "flags": {"require_phone_number_check": true, "require_phone_number": false}},
			{"type": "email", "flags": {"require_email_check": true, "require_email": false}},
			{"type": "geolocation", "flags": {"require_geolocation": false}},
			{"type": "user-questionnaire", "key": "employment", "title": {"en": "Employment"}, "description": "About you",
				"successButtonTitle": {"en": "Go"}, "questions": [
				{"type": "string", "key": "name", "title": {"en": "Name"}, "mandatory": true, "answer": {"en": "John"}, "readOnly": true},
				{"type": "options", "key": "employed", "answer": "yes", "options": [{"key": "yes", "title": {"en": "Yes"}}, {"key": "no"}]},
				{"type": "multiple-choice", "key": "income", "answer": ["rent"], "options": [{"key": "rent"}, {"key": "wage"}]},
				{"type": "dropdown", "key": "city", "multiple": true, "options": [{"key": "tbilisi"}]},
				{"type": "file", "key": "contract", "description": {"en": "d"}, "fileTypes": ["pdf", "image"], "filesMaxCount": 10,
					"showConditions": {"questionKey": "employed", "answer": "yes"}},
				{"type": "boolean", "key": "sure"}
			]},
			{"type": "operator-questionnaire", "key": "operator", "questions": [{"type": "string", "key": "note"}]}
		]`)
}

func TestBeginRefuses(t *testing.T) {
	srv := NewServer(t)
	questionnaire := func(questions string) string {
		return `"steps":[{"type":"user-questionnaire","key":"q","questions":[` + questions + `]}]`
	}
	for name, members := range map[string]string{
		"a camelCase parameter":                     `"configId":"679c74e4d9725987e3879265"`,
		"an unknown configuration":                  `"config_id":"62412c096c4b39ba845d4bf2"`,
		"flags that are a string":                   `"flags":"{}"`,
		"steps that are an object":                  `"steps":{}`,
		"a name that is a number":                   `"name":7`,
		"a misspelled flag":                         `"flags":{"returnUrl":"https://a.example"}`,
		"a flag of the wrong type":                  `"flags":{"skip_face":"true"}`,
		"a null flag":                               `"flags":{"skip_face":null}`,
		"a relative return_url":                     `"flags":{"return_url":"/back"}`,
		"a return_url with a script":                `"flags":{"return_url":"javascript:alert(1)"}`,
		"an unknown document type":                  `"flags":{"document_types":["drivers_license"]}`,
		"a country of two letters":                  `"flags":{"document_countries":["GE"]}`,
		"a malformed schedule":                      `"scheduleStartTime":"tomorrow"`,
		"a schedule that ends before it starts":     `"scheduleStartTime":"2024-06-20T09:00:00.000Z","scheduleEndTime":"2024-06-20T07:33:00.000Z"`,
		"a step that is a string":                   `"steps":["liveness"]`,
		"a step without a type":                     `"steps":[{"key":"a"}]`,
		"an unknown step type":                      `"steps":[{"type":"client-questionnaire","key":"a"}]`,
		"an unknown step parameter":                 `"steps":[{"type":"liveness","active":true}]`,
		"an unknown step flag":                      `"steps":[{"type":"liveness","flags":{"active":true}}]`,
		"a step flag of the wrong type":             `"steps":[{"type":"liveness","flags":{"liveness":1}}]`,
		"an unknown value in a step flag":           `"steps":[{"type":"general-document","flags":{"general_document_types":["bank-statement"]}}]`,
		"two steps with the same key":               `"steps":[{"type":"liveness","key":"a"},{"type":"email","key":"a"}]`,
		"two steps with the same default key":       `"steps":[{"type":"email"},{"type":"email"}]`,
		"a key used outside and inside a call":      `"steps":[{"type":"email"},{"type":"video-call","steps":[{"type":"email"}]}]`,
		"a language step inside a call":             `"steps":[{"type":"video-call","steps":[{"type":"language"}]}]`,
		"an operator questionnaire inside a call":   `"steps":[{"type":"video-call","steps":[{"type":"operator-questionnaire","key":"a"}]}]`,
		"an unknown step inside a call":             `"steps":[{"type":"video-call","steps":[{"type":"nonsense"}]}]`,
		"a title that is a number":                  `"steps":[{"type":"liveness","title":1}]`,
		"a title that is a number in one language":  `"steps":[{"type":"liveness","title":{"en":1}}]`,
		"an unknown company field":                  `"steps":[{"type":"company","fields":[{"type":"company_name"}]}]`,
		"an unknown member of a company field":      `"steps":[{"type":"company","fields":[{"type":"taxId","required":true}]}]`,
		"an unknown role":                           `"steps":[{"type":"beneficiaries","roles":{"owner":{}}}]`,
		"an unknown member of a role":               `"steps":[{"type":"beneficiaries","roles":{"ubo":{"verify":true}}}]`,
		"an unknown field of a role":                `"steps":[{"type":"beneficiaries","roles":{"ubo":{"fields":[{"type":"name"}]}}}]`,
		"verification without a configuration":      `"steps":[{"type":"beneficiaries","roles":{"ubo":{"verification":true}}}]`,
		"verification of a person with kybConfigId": `"steps":[{"type":"beneficiaries","kybConfigId":"x","roles":{"ubo":{"verification":true}}}]`,
		"a questionnaire without a key":             `"steps":[{"type":"user-questionnaire","questions":[]}]`,
		"a question that is a string":               questionnaire(`"a"`),
		"an unknown question type":                  questionnaire(`{"type":"text","key":"a"}`),
		"a question without a key":                  questionnaire(`{"type":"string"}`),
		"two questions with the same key":           questionnaire(`{"type":"string","key":"a"},{"type":"string","key":"a"}`),
		"an unknown question parameter":             questionnaire(`{"type":"string","key":"a","required":true}`),
		"a text answer that is a number":            questionnaire(`{"type":"string","key":"a","answer":1}`),
		"a choice without options":                  questionnaire(`{"type":"options","key":"a"}`),
		"a choice with empty options":               questionnaire(`{"type":"options","key":"a","options":[]}`),
		"an option without a key":                   questionnaire(`{"type":"options","key":"a","options":[{"title":{"en":"x"}}]}`),
		"an option key used before":                 questionnaire(`{"type":"options","key":"a","options":[{"key":"x"}]},{"type":"dropdown","key":"b","options":[{"key":"x"}]}`),
		"a preset that is not an option":            questionnaire(`{"type":"options","key":"a","options":[{"key":"x"}],"answer":"y"}`),
		"a preset list with an unknown option":      questionnaire(`{"type":"multiple-choice","key":"a","options":[{"key":"x"}],"answer":["x","y"]}`),
		"a preset of the wrong type":                questionnaire(`{"type":"multiple-choice","key":"a","options":[{"key":"x"}],"answer":"x"}`),
		"a preset for a dropdown":                   questionnaire(`{"type":"dropdown","key":"a","options":[{"key":"x"}],"answer":"x"}`),
		"a preset for a file":                       questionnaire(`{"type":"file","key":"a","answer":"x"}`),
		"a file type with a dot":                    questionnaire(`{"type":"file","key":"a","fileTypes":[".pdf"]}`),
		"eleven files":                              questionnaire(`{"type":"file","key":"a","filesMaxCount":11}`),
		"no files":                                  questionnaire(`{"type":"file","key":"a","filesMaxCount":0}`),
		"a condition on an unknown question":        questionnaire(`{"type":"string","key":"a","showConditions":{"questionKey":"b","answer":"x"}}`),
		"a condition on itself":                     questionnaire(`{"type":"string","key":"a","showConditions":{"questionKey":"a","answer":"x"}}`),
		"a condition without an answer":             questionnaire(`{"type":"string","key":"a"},{"type":"string","key":"b","showConditions":{"questionKey":"a"}}`),
		"an unknown parameter in a condition":       questionnaire(`{"type":"string","key":"a"},{"type":"string","key":"b","showConditions":{"questionKey":"a","answer":"x","not":true}}`),
	} {
		assert.Equal(t, errWrong, beginRaw(t, srv, members), name)
	}
	assert.Equal(t, errNoSession, beginRaw(t, srv, `"parent_session_id":"98aryxvvzwpi4zuasth332ozfucli3l0qx13hisc"`))
	assert.Empty(t, srv.Sessions())
}

func TestAllowUnknown(t *testing.T) {
	members := `"flags":{"newFlag":1},"newParameter":2,"steps":[{"type":"new-step","key":"n"},{"type":"liveness","flags":{"newStepFlag":3}},
		{"type":"user-questionnaire","key":"q","questions":[{"type":"new-question","key":"n"}]}]`
	begin(t, NewServer(t, AllowUnknown()), members)
	begin(t, NewServer(t, AllowUnknown("newFlag", "newParameter", "new-step", "newStepFlag", "new-question")), members)
	assert.Equal(t, errWrong, beginRaw(t, NewServer(t, AllowUnknown("newFlag")), members))
}

func TestChildSession(t *testing.T) {
	srv := NewServer(t)
	parent := begin(t, srv, "")
	child, _ := srv.Session(identomat.Token(begin(t, srv, `"parent_session_id":"`+parent+`"`)))
	assert.Equal(t, parent, string(child.Parent))
}

func TestResultInProgress(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, `"name":"KYC for John"`)
	body := widget(t, srv, "result/", "session_token", token).body
	assert.JSONEq(t, `{"result":"in_progress","similarity":0,"live":false,"document_type":"","generalDocuments":[],
		"reject_reason":{"value":"","description":""},"result_comment":"","name":"KYC for John","face_images":0,"suggested":{},"person":{},
		"technicalDetails":{"remoteAddress":"192.0.2.17","userAgent":"Mozilla\/5.0 (identomattest)","countryCode":"US"}}`, body)
	assert.Contains(t, body, `Mozilla\/5.0`)
}

func TestResultEncodings(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	address := srv.WidgetURL + "/external-api/result/"
	contentType, body := multipartBody(t, part{name: "company_key", content: srv.CompanyKey}, part{name: "session_token", content: token})
	assert.Contains(t, post(t, address, contentType, body).body, `{"result":"in_progress"`)
	assert.Contains(t, post(t, address, asJSON, `{"company_key":"`+srv.CompanyKey+`","session_token":"`+token+`"}`).body, `{"result":"in_progress"`)
	assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"result":"in_progress"`)
}

func TestResultAndDeleteRefuse(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	for _, name := range []string{"result/", "delete/"} {
		assert.Equal(t, errNoSession, widget(t, srv, name, "session_token", "unknown").body)
		assert.Equal(t, errWrong, widget(t, srv, name).body, "no token")
		assert.Equal(t, errWrong, widget(t, srv, name, "sessionId", token).body, "the token's name on the other host")
		assert.Equal(t, errWrong, post(t, srv.WidgetURL+"/external-api/"+name, asJSON,
			`{"company_key":"`+srv.CompanyKey+`","session_token":7}`).body, "a number")
	}
}

func TestDelete(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	assert.Equal(t, "true", widget(t, srv, "delete/", "session_token", token).body)
	assert.Equal(t, errNoSession, widget(t, srv, "delete/", "session_token", token).body)
	assert.Equal(t, errNoSession, widget(t, srv, "result/", "session_token", token).body)
	_, ok := srv.Session(identomat.Token(token))
	assert.False(t, ok)
}

func TestResultOfExpiredSession(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	require.NoError(t, srv.Expire(identomat.Token(token)))
	assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"result":"in_progress"`)
}

const everyStep = `
	{"type":"identity-document"},{"type":"liveness","flags":{"liveness":true}},{"type":"general-document"},{"type":"phone-number"},{"type":"email"},
	{"type":"geolocation"},
	{"type":"user-questionnaire","key":"agreement","questions":[
		{"type":"string","key":"question1","answer":"John Doe"},
		{"type":"options","key":"question2","options":[{"key":"option4"}]},
		{"type":"multiple-choice","key":"question3","options":[{"key":"option1"},{"key":"option2"}],"answer":["option1","option2"]},
		{"type":"file","key":"question5","filesMaxCount":1},
		{"type":"string","key":"question6","answer":"readOnly answer","readOnly":true}]}`

func TestResultShape(t *testing.T) {
	srv := NewServer(t)
	known := shape(t, sample(t, "result-sessionapproved"))
	for path, kind := range shape(t, sample(t, "result-sessionrejected")) {
		known[path] = kind
	}
	// Responses from production have these members, but the two samples do not.
	for _, path := range []string{
		"$.id_card_front.Given_Names_ka_GE", "$.id_card_front.Surname_ka_GE", "$.id_card_front.localMiddleName",
		"$.person.local_first_name", "$.person.local_last_name", "$.person.local_middle_name",
	} {
		known[path] = "string"
	}
	for outcome, decide := range map[string]func(string) error{
		"approved": func(token string) error { return srv.Approve(identomat.Token(token)) },
		"rejected": func(token string) error {
			return srv.Reject(identomat.Token(token), "low_similarity", AsPerson(GeorgianPerson))
		},
	} {
		token := beginWith(t, srv, everyStep)
		require.NoError(t, decide(token))
		body := widget(t, srv, "result/", "session_token", token).body
		require.True(t, strings.HasPrefix(body, `{"result":"`+outcome+`"`), body)
		for path, kind := range shape(t, body) {
			assert.Equal(t, known[path], kind, "%s: %s", outcome, path)
		}
		wantShape := shape(t, sample(t, "result-session"+outcome))
		for path := range wantShape {
			if strings.Count(path, ".") == 1 {
				assert.Contains(t, shape(t, body), path, outcome)
			}
		}
	}
}

func TestResultApproved(t *testing.T) {
	now := time.Date(2026, 1, 7, 12, 0, 0, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	token := beginWith(t, srv, everyStep)
	require.NoError(t, srv.Approve(identomat.Token(token), WithComment("fine"), WithSimilarity(0.5)))
	var result struct {
		Similarity   float64
		Live         bool
		DocumentType string            `json:"document_type"`
		Comment      string            `json:"result_comment"`
		Name         string            `json:"name"`
		Front        map[string]string `json:"id_card_front"`
		Person       map[string]any
		Answers      []struct {
			Key       string
			Questions []struct {
				Key    string
				Answer any
			}
		} `json:"questionnaires"`
	}
	body := widget(t, srv, "result/", "session_token", token).body
	require.NoError(t, json.Unmarshal([]byte(body), &result))
	assert.InDelta(t, 0.5, result.Similarity, 0)
	assert.True(t, result.Live)
	assert.Equal(t, "id", result.DocumentType)
	assert.Equal(t, "fine", result.Comment)
	assert.Equal(t, "John Smith", result.Name)
	assert.Equal(t, "1/8/1980", result.Front["Date_of_Birth_en_US"])
	assert.Equal(t, "1980-01-08T00:00:00.000Z", result.Front["Date_of_Birth_ISO"])
	assert.InDelta(t, 45, result.Person["age"], 0, "the birthday is tomorrow")
	assert.Equal(t, "+12025550143", result.Person["phoneNumber"])
	assert.Equal(t, "john.smith@example.com", result.Person["email"])
	answers := map[string]any{}
	for _, q := range result.Answers[0].Questions {
		answers[q.Key] = q.Answer
	}
	assert.Equal(t, map[string]any{
		"question1": "John Doe", "question2": "option4", "question3": []any{"option1", "option2"},
		"question5": 1.0, "question6": "readOnly answer",
	}, answers)
}

func TestAsPerson(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	require.NoError(t, srv.Approve(identomat.Token(token), AsPerson(GeorgianPerson)))
	body := widget(t, srv, "result/", "session_token", token).body
	assert.Contains(t, body, `"Given_Names_ka_GE":"\u10dc\u10d8\u10dc\u10dd"`)
	assert.Contains(t, body, `"local_first_name":"\u10dc\u10d8\u10dc\u10dd"`)

	token = begin(t, srv, "")
	require.NoError(t, srv.Approve(identomat.Token(token), AsPerson(GermanPerson)))
	body = widget(t, srv, "result/", "session_token", token).body
	assert.Contains(t, body, `"first_name":"J\u00fcrgen"`)
	assert.NotContains(t, body, "personal_number")
	assert.NotContains(t, body, "ka_GE")
}

func TestRejectAndManualCheck(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	require.NoError(t, srv.Reject(identomat.Token(token), "face_mismatch"))
	body := widget(t, srv, "result/", "session_token", token).body
	assert.Contains(t, body, `"reject_reason":{"value":"face_mismatch","description":"Face mismatch"}`)
	assert.Contains(t, body, `"errors":["FACE_MISMATCH"]`)

	token = begin(t, srv, "")
	require.NoError(t, srv.ManualCheck(identomat.Token(token)))
	assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"result":"manual_check"`)
	require.NoError(t, srv.Reject(identomat.Token(token), ""), "an operator decides after manual check")
	assert.NotContains(t, widget(t, srv, "result/", "session_token", token).body, `"errors"`)
}

func TestSetResultIsSentVerbatim(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	require.NoError(t, srv.SetResult(identomat.Token(token), ` {"result":"APPROVED", "new":[ ]}`))
	assert.Equal(t, ` {"result":"APPROVED", "new":[ ]}`, widget(t, srv, "result/", "session_token", token).body)
	ses, _ := srv.Session(identomat.Token(token))
	assert.Equal(t, "APPROVED", ses.Outcome)
}

func TestResultDocumentType(t *testing.T) {
	srv := NewServer(t)
	passport := beginWith(t, srv, `{"type":"identity-document","flags":{"document_types":["passport"]}}`)
	require.NoError(t, srv.Approve(identomat.Token(passport)))
	body := widget(t, srv, "result/", "session_token", passport).body
	assert.Contains(t, body, `"document_type":"passport"`)
	assert.NotContains(t, body, "id_card_front")
	assert.Contains(t, body, `"mrz":"P<USASMITH<<JOHN<<<`)

	licence := begin(t, srv, "")
	require.NoError(t, srv.Approve(identomat.Token(licence), WithDocumentType("driver_license")))
	assert.Contains(t, widget(t, srv, "result/", "session_token", licence).body, `"document_type":"driver_license"`)

	faceOnly := beginWith(t, srv, `{"type":"liveness"}`)
	require.NoError(t, srv.Approve(identomat.Token(faceOnly)))
	assert.Contains(t, widget(t, srv, "result/", "session_token", faceOnly).body,
		`{"result":"approved","similarity":0,"live":false,"document_type":"",`, "there is no photo to compare the face with")

	companies := begin(t, srv, `"steps":[{"type":"beneficiaries","kybConfigId":"x","roles":{"shareholder":{"verification":true}}}]`)
	assert.NotEmpty(t, companies, "a shareholder can be a company")

	none := beginWith(t, srv, `{"type":"email"}`)
	require.NoError(t, srv.Approve(identomat.Token(none)))
	assert.Contains(t, widget(t, srv, "result/", "session_token", none).body, `"person":{"email":"john.smith@example.com"}`)
}

func TestMRZ(t *testing.T) {
	// The specimens are from ICAO 9303.
	specimen := Person{
		FirstName: "Anna Maria", LastName: "Eriksson", Birthday: day(1974, 8, 12), Sex: "F", Nationality: "UTO",
		IssuingState: "UTO", DocumentNumber: "L898902C3", DocumentExpires: day(2012, 4, 15), PersonalNumber: "ZE184226B",
	}
	assert.Equal(t, "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", specimen.mrz("passport"))
	card := Person{
		FirstName: "Anna Maria", LastName: "Eriksson", Birthday: day(1974, 8, 12), Sex: "F", Nationality: "UTO",
		IssuingState: "UTO", DocumentNumber: "D23145890", DocumentExpires: day(2012, 4, 15),
	}
	assert.Equal(t, "IDUTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<", card.mrz("id"))
	assert.Contains(t, GermanPerson.mrz("id"), "GROESSMANN<<JUERGEN<")
}

func TestDefaultAnswers(t *testing.T) {
	srv := NewServer(t)
	token := beginWith(t, srv, `{"type":"user-questionnaire","key":"q","questions":[
		{"type":"string","key":"text"},
		{"type":"string","key":"languages","answer":{"en":"yes","ka":"კი"}},
		{"type":"options","key":"radio","options":[{"key":"r1"},{"key":"r2"}]},
		{"type":"multiple-choice","key":"boxes","options":[{"key":"b1"},{"key":"b2"}]},
		{"type":"dropdown","key":"one","options":[{"key":"d1"}]},
		{"type":"dropdown","key":"many","multiple":true,"options":[{"key":"m1"}]},
		{"type":"boolean","key":"sure"},
		{"type":"file","key":"file"},
		{"type":"string","key":"shown","showConditions":{"questionKey":"radio","answer":"r1"}},
		{"type":"string","key":"shown-by-box","showConditions":{"questionKey":"boxes","answer":"b1"}},
		{"type":"string","key":"hidden","showConditions":{"questionKey":"radio","answer":"r2"}},
		{"type":"string","key":"chosen"},{"type":"string","key":"list"},{"type":"string","key":"null"}]}`)
	require.NoError(t, srv.Approve(identomat.Token(token), WithAnswer("q", "chosen", 7), WithAnswer("q", "list", []string{"a"}), WithAnswer("q", "null", nil)))
	assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `"questionnaires":[{"key":"q","questions":[`+
		`{"key":"text","answer":"Sample answer"},{"key":"languages","answer":{"en":"yes","ka":"\u10d9\u10d8"}},`+
		`{"key":"radio","answer":"r1"},{"key":"boxes","answer":["b1"]},{"key":"one","answer":"d1"},{"key":"many","answer":["m1"]},`+
		`{"key":"sure","answer":true},{"key":"file","answer":2},{"key":"shown","answer":"Sample answer"},`+
		`{"key":"shown-by-box","answer":"Sample answer"},{"key":"hidden","answer":null},`+
		`{"key":"chosen","answer":7},{"key":"list","answer":["a"]},{"key":"null","answer":null}]}]`)
}

func TestSessionConfig(t *testing.T) {
	srv := NewServer(t)
	assert.JSONEq(t, sample(t, "get-session-config-default.repaired"),
		api(t, srv, "get-session-config", `"sessionConfigId":"679c74e4d9725987e3879265"`).body)
	assert.Equal(t, errWrong, api(t, srv, "get-session-config", `"sessionConfigId":"unknown"`).body)
	assert.Equal(t, errWrong, api(t, srv, "get-session-config", ``).body)
}

func TestAPIHostEncodings(t *testing.T) {
	srv := NewServer(t)
	contentType, parts := multipartBody(t, part{name: "companyKey", content: srv.CompanyKey}, part{name: "query", content: `{"limit":5}`})
	query := url.Values{"companyKey": {srv.CompanyKey}, "query": {`{"limit":5}`}}.Encode()
	document := `{"companyKey":"` + srv.CompanyKey + `","query":{"limit":5}}`
	for name, r := range map[string]struct{ method, path, contentType, body string }{
		"JSON":             {"POST", "/list-blacklist-records", asJSON, document},
		"curl -d '{…}'":    {"POST", "/list-blacklist-records", asForm, document},
		"a form":           {"POST", "/list-blacklist-records", asForm, query},
		"a multipart form": {"POST", "/list-blacklist-records", contentType, parts},
		"GET":              {"GET", "/list-blacklist-records?" + query, "", ""},
	} {
		req := request(t, srv.APIURL+r.path, r.contentType, r.body)
		req.Method = r.method
		assert.Equal(t, `{"result":{"offset":0,"limit":5,"total":0,"data":[]}}`, send(t, req).body, name)
	}
	assert.Equal(t, errWrong, post(t, srv.APIURL+"/list-blacklist-records", "text/plain", document).body)
}

func TestPasswordInForm(t *testing.T) {
	srv := NewServer(t)
	form := url.Values{"companyKey": {srv.CompanyKey}, "email": {"a@example.com"}, "password": {"12345678"}}
	assert.Regexp(t, `^{"result":"[0-9a-f]{24}"}$`, post(t, srv.APIURL+"/create-user", asForm, form.Encode()).body)
}

func TestActivities(t *testing.T) {
	now := time.Date(2021, 12, 29, 11, 30, 39, 86e6, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	token := begin(t, srv, "")
	assert.Equal(t, `{"result":[]}`, api(t, srv, "list-session-activities", `"sessionId":"`+token+`"`).body)

	require.NoError(t, srv.Approve(identomat.Token(token)))
	body := api(t, srv, "list-session-activities", `"sessionId":"`+token+`"`).body
	assert.Equal(t, shape(t, sample(t, "list-session-activities-default")), shape(t, body))
	assert.Contains(t, body, `"type":"PAGE_LOADED","time":"2021-12-29T11:30:39.086Z","data":[]}`)
	assert.Equal(t, errNoSession, api(t, srv, "list-session-activities", `"sessionId":"unknown"`).body)
}

func TestStatistics(t *testing.T) {
	now := time.Date(2021, 12, 29, 11, 30, 40, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	token := begin(t, srv, "")
	assert.Contains(t, api(t, srv, "get-session-statistical-summary", `"sessionId":"`+token+`"`).body, `"sessionTimeSpan":null`)
	now = now.Add(8 * time.Second)
	require.NoError(t, srv.Approve(identomat.Token(token)))
	assert.JSONEq(t, sample(t, "get-session-statistical-summary-default"),
		api(t, srv, "get-session-statistical-summary", `"sessionId":"`+token+`"`).body)
	assert.Equal(t, errNoSession, api(t, srv, "get-session-statistical-summary", `"sessionId":"unknown"`).body)
}

func TestDeleteReturnsResult(t *testing.T) {
	srv := NewServer(t, WithDeletedDocuments())
	session, err := srv.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	require.NoError(t, srv.Approve(session.Token))
	deleted, err := srv.Client().Sessions.Delete(t.Context(), session.Token)
	require.NoError(t, err)
	assert.True(t, deleted.Result.Approved())
	_, err = srv.Client().Sessions.Delete(t.Context(), session.Token)
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
}
