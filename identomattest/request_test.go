package identomattest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recordingTB is a testing.TB that records errors and logs.
type recordingTB struct {
	testing.TB
	errors, logs []string
}

func (n *recordingTB) Errorf(format string, args ...any) {
	n.errors = append(n.errors, fmt.Sprintf(format, args...))
}
func (n *recordingTB) Logf(format string, args ...any) {
	n.logs = append(n.logs, fmt.Sprintf(format, args...))
}

func TestKeysAreMaskedEverywhere(t *testing.T) {
	tb := &recordingTB{TB: t}
	const companyKey, secretKey, callbackKey = `company "key" \ 1`, "secret/key+2", "callback key 3"
	srv := NewServer(tb, WithKeys(companyKey, secretKey), WithCallbackKey(callbackKey))
	for _, key := range []string{companyKey, secretKey, callbackKey} {
		quoted := string(encodeJSON(key))
		post(t, srv.WidgetURL+"/external-api/"+strings.NewReplacer(" ", "%20", `"`, "%22", `\`, "%5C").Replace(key), asJSON, `{}`)
		post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":`+string(encodeJSON(companyKey))+`,`+quoted+`:1}`)
		post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":`+string(encodeJSON(companyKey))+`,"config_id":`+quoted+`}`)
		post(t, srv.WidgetURL+"/external-api/begin/", "text/"+strings.Trim(strings.ReplaceAll(key, " ", "-"), `"`), `{}`)
		contentType, body := multipartBody(t, part{name: "company_key", content: companyKey}, part{"image", key + ".jpg", "x"})
		req := request(t, srv.WidgetURL+"/external-api/passport/", contentType, body)
		req.Header.Set("User-Agent", key)
		send(t, req)
	}
	srv.logf("a callback to https://bank.example/%s failed", companyKey)
	requests := srv.Requests()
	require.Len(t, requests, 15)
	text := fmt.Sprintf("%v %+v %#v %s", requests, requests, requests, jsonText(requests)) + strings.Join(tb.logs, "\n")
	for _, key := range []string{companyKey, secretKey, callbackKey} {
		assert.NotContains(t, text, key)
		assert.NotContains(t, text, strings.Trim(fmt.Sprintf("%q", key), `"`))
		assert.NotContains(t, text, strings.ReplaceAll(key, " ", "%20"))
	}
	assert.Equal(t, "/external-api/***", requests[0].Path)
	assert.Contains(t, requests[1].Refusal, `no parameter "***" is documented`)
	assert.Contains(t, tb.logs[0], "POST /external-api/*** on the widget host")
}

func TestRequestString(t *testing.T) {
	srv := NewServer(t)
	begin(t, srv, `"flags":{"language":"ka"},"name":"<Nino>"`)
	post(t, srv.APIURL+"/list-user", asJSON, `{}`)
	widget(t, srv, "result/")
	srv.Fault("list-users", ResetAfterRead(), 1)
	_, err := client(t).Do(request(t, srv.APIURL+"/list-users", asJSON, `{"companyKey":"`+srv.CompanyKey+`"}`))
	require.Error(t, err)
	requests := srv.Requests()
	assert.Equal(t, fmt.Sprintf(`begin/ (POST widget host, application/json, %d bytes) `+
		`{"company_key":"***","flags":{"language":"ka"},"name":"<Nino>"} -> HTTP 200, processed`, requests[0].Size), fmt.Sprintf("%v", requests[0]))
	assert.Equal(t, `unknown path /list-user (POST api host, application/json, 0 bytes) -> HTTP 404, `+
		`refused: unknown path; the URL is probably `+srv.APIURL+`/list-users`, fmt.Sprintf("%+v", requests[1]))
	assert.Contains(t, requests[2].String(), `, refused: the parameter "session_token" is missing or empty`)
	assert.Contains(t, requests[3].String(), `-> no response, fault: reset after the request was read, processed`)
	assert.Contains(t, Request{Signed: true}.String(), "no content type, 0 bytes, wrong signature)")
	assert.Contains(t, Request{Signed: true, SignatureValid: true}.String(), "0 bytes, signed)")
}

func TestAssertRequestFailureMessages(t *testing.T) {
	srv := NewServer(t)
	tb := &recordingTB{TB: t}
	assert.False(t, srv.AssertRequest(tb, "begin/", nil))
	assert.Equal(t, "identomattest: got no begin/ request and no other requests", tb.errors[0])

	begin(t, srv, `"flags":{"language":"en","skip_face":true},"name":"Nino"`)
	assert.True(t, srv.AssertRequest(tb, "begin/", map[string]any{"flags": map[string]any{"language": "en"}, "config_id": nil}))
	assert.True(t, srv.AssertRequest(tb, "begin/", nil))
	assert.Len(t, tb.errors, 1)

	assert.False(t, srv.AssertRequest(tb, "result/", nil))
	assert.Contains(t, tb.errors[1], "got no result/ request, only:\n  begin/ (POST")
	assert.False(t, srv.AssertRequest(tb, "begin/", map[string]any{
		"flags": map[string]any{"language": "ka", "liveness": true}, "name": map[string]string{"first": "Nino"}, "steps": []string{"liveness"},
	}))
	for _, line := range []string{`flags.language: want "ka", got "en"`, `flags.liveness: want true, got nothing`,
		`name: want an object, got "Nino"`, `steps: want ["liveness"], got nothing`, "in begin/ (POST"} {
		assert.Contains(t, tb.errors[2], "\n  "+line)
	}
	assert.Contains(t, srv.Requests()[0].Diff(map[string]any{"x": func() {}}), "cannot encode as JSON")
}
