package identomattest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// control calls the control API.
func control(t *testing.T, srv *Server, method, path, body string) httpResponse {
	t.Helper()
	req := request(t, srv.WidgetURL+"/_sandbox/"+path, "", body)
	req.Method = method
	resp := send(t, req)
	assert.Equal(t, asJSON, resp.header.Get("Content-Type"), path)
	assert.True(t, json.Valid([]byte(resp.body)), resp.body)
	return resp
}

func TestControlDecidesSessions(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	questions := `{"type":"identity-document"},{"type":"liveness"},{"type":"user-questionnaire","key":"q","questions":[
		{"type":"string","key":"a"},{"type":"string","key":"b"},{"type":"string","key":"c"},{"type":"string","key":"d"}]}`
	result := func(token string) string { return widget(t, srv, "result/", "session_token", token).body }

	token := beginWith(t, srv, questions)
	assert.JSONEq(t, `{"sessions":[{"token":"`+token+`","url":"`+srv.WidgetURL+`/?session_token=`+token+`","outcome":"in_progress","state":"open",
		"steps":[{"type":"identity-document","key":"identity-document"},{"type":"liveness","key":"liveness"},{"type":"user-questionnaire","key":"q"}],
		"created":"2026-05-06T07:08:09Z","expires":"2026-05-06T07:23:09Z"}]}`, control(t, srv, "GET", "sessions", "").body)
	resp := control(t, srv, "POST", "sessions/"+token+"/approve", `{"person":"nino-beridze","documentType":"passport","comment":"seen",
		"similarity":0.75,"answers":{"q":{"a":"text","b":["x","y"],"c":7,"d":null}}}`)
	assert.Equal(t, 200, resp.status)
	assert.Contains(t, resp.body, `"outcome": "approved"`)
	for _, text := range []string{`{"result":"approved","similarity":0.75,`, `"document_type":"passport"`, `"result_comment":"seen"`, `"first_name":"Nino"`,
		`{"key":"a","answer":"text"},{"key":"b","answer":["x","y"]},{"key":"c","answer":7},{"key":"d","answer":null}`} {
		assert.Contains(t, result(token), text)
	}

	token = begin(t, srv, "")
	control(t, srv, "POST", "sessions/"+token+"/reject", ``)
	assert.Contains(t, result(token), `"reject_reason":{"value":"low_similarity"`)
	token = begin(t, srv, "")
	control(t, srv, "POST", "sessions/"+token+"/manual-check", `{}`)
	assert.Contains(t, result(token), `{"result":"manual_check"`)
	control(t, srv, "POST", "sessions/"+token+"/reject", `{"reason":"face_mismatch"}`)
	assert.Contains(t, result(token), `"errors":["FACE_MISMATCH"]`)
	control(t, srv, "POST", "sessions/"+token+"/result", `{"result":"disagreed","of":"my own"}`)
	assert.Equal(t, `{"result":"disagreed","of":"my own"}`, result(token))
	assert.Contains(t, control(t, srv, "GET", "sessions/"+token, "").body, `"outcome": "disagreed"`)

	token = begin(t, srv, "")
	assert.Contains(t, control(t, srv, "POST", "sessions/"+token+"/expire", "").body, `"state": "expired"`)
	assert.Equal(t, 410, openPage(t, srv.WidgetURL+"/?session_token="+token).status)
}

func TestControlAddsFaults(t *testing.T) {
	srv := NewServer(t)
	resp := control(t, srv, "POST", "faults", `{"operation":"result/","fault":"http-status","status":503,"count":2}`)
	assert.JSONEq(t, `{"faults":[{"operation":"result/","fault":"HTTP 503","left":2}]}`, resp.body)
	assert.Equal(t, 503, widget(t, srv, "result/").status)
	resp = control(t, srv, "POST", "faults", `{"fault":"argument-error","code":"access-denied","afterProcessing":true}`)
	assert.JSONEq(t, `{"faults":[{"operation":"result/","fault":"HTTP 503","left":1},
		{"operation":"*","fault":"argumentError access-denied after processing"}]}`, resp.body)
	assert.Equal(t, `{"argumentError":"access-denied"}`, api(t, srv, "list-users", "").body)
	control(t, srv, "DELETE", "faults", "")
	assert.JSONEq(t, `{"faults":[]}`, control(t, srv, "GET", "faults", "").body)
	assert.Equal(t, 200, widget(t, srv, "result/", "session_token", "x").status)

	// Every Fault constructor must have a name in the control API.
	params := faultRequest{Status: 502, Code: "c", Message: "m", ContentType: "t/t", Body: "b", Location: "/l", RetryAfterSeconds: 1.5, DelaySeconds: 1, Bytes: 3}
	for name, want := range map[string]Fault{
		"response": Response(502, "t/t", "b"), "http-status": HTTPStatus(502), "error-code": ErrorCode("c"), "argument-error": ArgumentError("c"),
		"internal-error": InternalError("m"), "html-page": HTMLPage(502), "empty-body": EmptyBody(), "empty-object": EmptyObject(), "null": Null(),
		"too-many-requests": TooManyRequests(1500 * time.Millisecond), "redirect": Redirect(502, "/l"), "reset-before-read": ResetBeforeRead(),
		"reset-after-read": ResetAfterRead(), "slow-headers": SlowHeaders(time.Second), "slow-body": SlowBody(time.Second), "truncated": Truncated(3),
		"wrong-content-type": WrongContentType("t/t"), "wrong-signature": WrongSignature(), "missing-signature": MissingSignature(),
	} {
		require.Contains(t, namedFaults, name)
		assert.Equal(t, want, namedFaults[name].create(params), name)
	}
	assert.Len(t, namedFaults, 19)
	assert.Equal(t, HTTPStatus(500), namedFaults["http-status"].create(faultRequest{}))

	srv.Fault("list-users", SlowHeaders(0), 1)
	held := make(chan string)
	go func() { held <- api(t, srv, "list-users", "").body }()
	for {
		if requests := srv.Requests(); requests[len(requests)-1].Fault != "" && requests[len(requests)-1].Status != 0 {
			break
		}
	}
	control(t, srv, "POST", "release", "")
	assert.Contains(t, <-held, `{"result":[`)
}

func TestControlListsAndClearsRequests(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, `"name":"Nino"`)
	api(t, srv, "create-user", `"email":"a@example.com","password":"12345678"`)
	resp := control(t, srv, "GET", "requests", "")
	for _, secret := range []string{srv.CompanyKey, srv.SecretKey, "12345678"} {
		assert.NotContains(t, resp.body, secret)
	}
	var listed struct{ Requests []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(resp.body), &listed))
	require.Len(t, listed.Requests, 2)
	assert.Equal(t, "begin/", listed.Requests[0]["operation"])
	assert.Equal(t, map[string]any{"company_key": "***", "name": "Nino"}, listed.Requests[0]["parameters"])
	control(t, srv, "DELETE", "requests", "")
	assert.JSONEq(t, `{"requests":[]}`, control(t, srv, "GET", "requests", "").body)

	api(t, srv, "make-group", `"name":"a"`)
	api(t, srv, "add-blacklist-record", `"query":{"firstName":"A","reason":"b"}`)
	api(t, srv, "monitor-screening-query", `"query":{"fullName":"A"}`)
	control(t, srv, "POST", "faults", `{"fault":"null"}`)
	control(t, srv, "POST", "reset", "")
	assert.Equal(t, errNoSession, widget(t, srv, "result/", "session_token", token).body)
	assert.Equal(t, `{"result":[]}`, api(t, srv, "list-groups", "").body)
	assert.Contains(t, api(t, srv, "list-blacklist-records", "").body, `"total":0`)
	assert.Contains(t, api(t, srv, "list-screening-monitoring-records", "").body, `"total":0`)
	assert.NotContains(t, api(t, srv, "list-users", "").body, "a@example.com")
	assert.Len(t, srv.Requests(), 5)
	assert.NotEqual(t, errWrong, api(t, srv, "get-session-config", `"sessionConfigId":"679c74e4d9725987e3879265"`).body)
}

func TestControlSendsCallbacks(t *testing.T) {
	var body string
	company := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body = string(data)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer company.Close()
	srv := NewServer(t)
	require.NoError(t, srv.SetCallbackURL(company.URL))
	for requestBody, want := range map[string]string{
		`{"type":"one-time-password-request","sessionId":"t","phoneNumber":"+1","code":"1234"}`: `{"callbackApiKey":"KEY","type":"one-time-password-request","sessionId":"t","text":"Your code is 1234","phoneNumber":"+1"}`,
		`{"type":"share-session-link-via-sms","sessionId":"t","phoneNumber":"+1","sessionLink":"https://a.example"}`: `{"callbackApiKey":"KEY","type":"share-session-link-via-sms","sessionId":"t",
			"text":"Hello, please complete your verification using the link below.","phoneNumber":"+1","sessionLink":"https://a.example"}`,
		`{"type":"status","sessionId":"t","callbackApiKey":"stolen"}`: `{"callbackApiKey":"stolen","type":"status","sessionId":"t"}`,
		`{"raw":"[]","url":"` + company.URL + `"}`:                    `[]`,
	} {
		resp := control(t, srv, "POST", "callbacks", requestBody)
		assert.JSONEq(t, `{"status":202}`, resp.body)
		assert.JSONEq(t, strings.ReplaceAll(want, "KEY", srv.CallbackKey), body)
	}
	company.Close()
	assert.Equal(t, 502, control(t, srv, "POST", "callbacks", `{"type":"x"}`).status)
}

func TestControlErrors(t *testing.T) {
	srv := NewServer(t)
	token := beginWith(t, srv, `{"type":"user-questionnaire","key":"a","questions":[{"type":"string","key":"b"}]}`)
	decided := begin(t, srv, "")
	control(t, srv, "POST", "sessions/"+decided+"/approve", "")
	for _, test := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "nothing", "", 404, "no such path"},
		{"GET", "sessions/none", "", 404, "no session"},
		{"POST", "sessions/none/approve", "", 404, "no session"},
		{"POST", "sessions/none/expire", "", 404, "no session"},
		{"POST", "sessions/none/result", "{}", 404, "no session"},
		{"GET", "sessions/" + token + "/approve", "", 405, "allows only POST"},
		{"PUT", "faults", "", 405, "allows only"},
		{"POST", "sessions/" + token + "/approve", `{"reason":"x"}`, 400, "only reject takes a reason"},
		{"POST", "sessions/" + token + "/approve", `{"persona":"x"}`, 400, "persona"},
		{"POST", "sessions/" + token + "/approve", `{"person":"x"}`, 400, "unknown person"},
		{"POST", "sessions/" + token + "/approve", `{"answers":{"a":{"b":{}}}}`, 400, "answers.a.b"},
		{"POST", "sessions/" + token + "/approve", `{"answers":{"a":{"b":[1]}}}`, 400, "answers.a.b"},
		{"POST", "sessions/" + token + "/approve", `{"answers":{"a":{"c":"x"}}}`, 400, `the step "a" has no question "c"`},
		{"POST", "sessions/" + token + "/approve", `{"documentType":"id"}`, 400, "no identity-document step"},
		{"POST", "sessions/" + token + "/approve", `{"similarity":0.5}`, 400, "no identity-document and liveness steps"},
		{"POST", "sessions/" + decided + "/approve", "", 409, "the session is already decided: approved"},
		{"POST", "sessions/" + decided + "/reject", "", 409, "the session is already decided: approved"},
		{"POST", "sessions/" + decided + "/manual-check", "", 409, "the session is already decided: approved"},
		{"POST", "sessions/" + token + "/approve", `{} {}`, 400, "more than one JSON value"},
		{"POST", "sessions/" + token + "/approve", `[]`, 400, "not a valid JSON object"},
		{"POST", "sessions/" + token + "/result", `{`, 400, "JSON"},
		{"POST", "faults", `{"fault":"earthquake"}`, 400, "the faults are argument-error, "},
		{"POST", "faults", `{"fault":"null","operation":"resutl/"}`, 400, "resutl/"},
		{"POST", "faults", `{"fault":"http-status","status":42}`, 400, "between 200 and 599"},
		{"POST", "faults", `{"fault":"truncated","bytes":-1}`, 400, "must not be negative"},
		{"POST", "faults", `{"fault":"http-status","code":"x"}`, 400, `http-status takes no member "code"`},
		{"POST", "faults", `{"fault":"reset-before-read","afterProcessing":true}`, 400, "a request that is not read cannot be processed"},
		{"POST", "callbacks", `{"type":"x"}`, 400, "url"},
		{"POST", "callbacks", `{"url":"http://127.0.0.1:1","type":"x","phoneNumber":"+1"}`, 400, `x takes no member "phoneNumber"`},
		{"POST", "callbacks", `{"url":"http://127.0.0.1:1","type":"one-time-password-request","sessionLink":"x"}`, 400, `takes no member "sessionLink"`},
		{"POST", "callbacks", `{"url":"http://127.0.0.1:1","raw":"x","callbackApiKey":"x"}`, 400, `raw takes no member "callbackApiKey"`},
		{"POST", "callbacks", `{"type":"x","url":"file:///etc/passwd"}`, 400, "url"},
		{"POST", "callbacks", `{"url":"http://127.0.0.1:1"}`, 400, "type"},
	} {
		resp := control(t, srv, test.method, test.path, test.body)
		assert.Equal(t, test.status, resp.status, "%s %s %s", test.method, test.path, test.body)
		var problem struct{ Error string }
		require.NoError(t, json.Unmarshal([]byte(resp.body), &problem))
		assert.Contains(t, problem.Error, test.text)
	}
	ses, _ := srv.Session(identomat.Token(token))
	assert.Equal(t, "in_progress", ses.Outcome)
	assert.Contains(t, control(t, srv, "GET", "", "").body, `"list-users"`)
}

func TestSandboxREADMEDocumentsControlAPI(t *testing.T) {
	text, err := os.ReadFile("../docs/sandbox.md")
	require.NoError(t, err)
	var overview struct{ Control, Faults, People []string }
	require.NoError(t, json.Unmarshal([]byte(control(t, NewServer(t), "GET", "", "").body), &overview))
	assert.Len(t, overview.Control, 18)
	assert.Subset(t, overview.Control, []string{"GET /_sandbox/", "DELETE /_sandbox/faults", "POST /_sandbox/sessions/{token}/manual-check"})
	words := slices.Concat(overview.Control, overview.Faults, overview.People)
	for _, body := range []any{decisionRequest{}, faultRequest{}, callbackRequest{}, clockRequest{}, Company{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(body)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			words = append(words, name)
		}
	}
	for _, word := range words {
		assert.Contains(t, string(text), "`"+word+"`", "docs/sandbox.md does not document it")
	}
}
