package identomattest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exchange sends raw bytes to a host and returns the response.
func exchange(t *testing.T, baseURL, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(baseURL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n"))
	require.NoError(t, err)
	response, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(response)
}

func TestRefusalHeader(t *testing.T) {
	srv := NewServer(t)
	response := exchange(t, srv.WidgetURL, `POST /external-api/result/ HTTP/1.1
Host: localhost
Connection: close
Content-Type: application/json
Content-Length: 20

{"company_key":"no"}`)
	assert.Contains(t, response, "\r\nX-Sandbox-Refusal: the company key is unknown\r\n")
	assert.True(t, strings.HasSuffix(response, "\r\n\r\n\"COMPANY_KEY_INVALID\""), response)

	for _, test := range []struct{ params, reason string }{
		{`"session_tokn":"x"`, `no parameter "session_tokn" is documented; did you mean the parameter "session_token"?`},
		{`"sessionToken":"x"`, `no parameter "sessionToken" is documented; did you mean the parameter "session_token"?`},
		{`"token":"x"`, `no parameter "token" is documented`},
		{`"session_token":7`, `the parameter "session_token" has the wrong type`},
		{`"session_token":"x"`, `no session has this token`},
		{`"Nino Beridze":"x"`, `no parameter "..." is documented`},
		{`"ნინო":"x"`, `no parameter "..." is documented`},
		{`"a\r\nb":"x"`, `no parameter "..." is documented`},
		{`"` + strings.Repeat("a", 65) + `":"x"`, `no parameter "..." is documented`},
		{`"kwichkhnxptdz94eguou0dyu9zc0sdj0e7ri0o57":""`, `no parameter "..." is documented`}, // a token without its name
		{`"AB12345":""`, `no parameter "..." is documented`},
		{`"` + srv.SecretKey + `":"x"`, `no parameter "..." is documented`},
	} {
		resp := post(t, srv.WidgetURL+"/external-api/result/", asJSON, `{"company_key":"`+srv.CompanyKey+`",`+test.params+`}`)
		assert.Equal(t, []string{test.reason}, resp.header["X-Sandbox-Refusal"], test.params)
	}
	// A multipart error quotes the line, and a wrong value may be personal.
	resp := post(t, srv.WidgetURL+"/external-api/begin/", "multipart/form-data; boundary=b", "--b\r\nJohn Smith\r\n\r\n--b--")
	assert.Equal(t, "malformed multipart body", resp.header.Get("X-Sandbox-Refusal"))
	resp = post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`","flags":{"document_countries":["Smith"]}}`)
	assert.Equal(t, `flags.document_countries: "..." is not a country code of three capital letters`, resp.header.Get("X-Sandbox-Refusal"))
	assert.Contains(t, srv.Requests()[len(srv.Requests())-1].Refusal, `"Smith"`)

	resp = post(t, srv.APIURL+"/list-users", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`)
	assert.Equal(t, `the parameter "companyKey" is missing; the parameter "company_key" belongs to the other host`, resp.header.Get("X-Sandbox-Refusal"))
	srv.Fault("list-users", HTTPStatus(503), 1)
	assert.Empty(t, api(t, srv, "list-users", "").header["X-Sandbox-Refusal"])
	assert.Empty(t, api(t, srv, "list-users", "").header["X-Sandbox-Refusal"])
	assert.Len(t, headerText(strings.Repeat("a", 1000)), 300)
}

// TestLogHasOneLinePerRefusal sends characters that would start a line or move the cursor of a terminal.
func TestLogHasOneLinePerRefusal(t *testing.T) {
	var logged []string
	srv := NewServer(t, WithLogf(func(format string, args ...any) { logged = append(logged, fmt.Sprintf(format, args...)) }))
	post(t, srv.WidgetURL+"/external-api/%0A12:00:00%20forged%1B[2J%E2%80%AE", asJSON, `{}`)
	post(t, srv.WidgetURL+"/external-api/begin/", "multipart/form-data; boundary=b", "--b\r\nJohn\x1b[2J\r\n\r\n--b--")
	require.Len(t, logged, 2)
	for _, text := range logged {
		assert.NotRegexp(t, `[\x00-\x1f\x{202e}]`, text)
	}
	for _, r := range srv.Requests() {
		assert.NotRegexp(t, `[\x00-\x1f\x{202e}]`, r.String())
	}
}

func TestNotFoundNamesURL(t *testing.T) {
	srv := NewServer(t)
	widgetURL, apiURL := srv.WidgetURL, srv.APIURL
	for _, test := range []struct{ asked, meant string }{
		{widgetURL + "/external-api/begin", widgetURL + "/external-api/begin/"},
		{widgetURL + "/external-api//begin/", widgetURL + "/external-api/begin/"},
		{widgetURL + "/begin", widgetURL + "/external-api/begin/"},
		{widgetURL + "/", widgetURL + "/external-api/begin/"},
		{widgetURL + "/result/face", widgetURL + "/external-api/result/face/"},
		{widgetURL + "/external-api/card/frnt/", widgetURL + "/external-api/card/front/"},
		{widgetURL + "/external-api/list-users", apiURL + "/list-users"},
		{widgetURL + "/list-users", apiURL + "/list-users"},
		{apiURL + "/list-users/", apiURL + "/list-users"},
		{apiURL + "/List_Users", apiURL + "/list-users"},
		{apiURL + "/lst-users", apiURL + "/list-users"},
		{apiURL + "/external-api/begin/", widgetURL + "/external-api/begin/"},
		{apiURL + "/begin", widgetURL + "/external-api/begin/"},
		{strings.Replace(apiURL, "127.0.0.1", "localhost", 1) + "/begin", strings.Replace(widgetURL, "127.0.0.1", "localhost", 1) + "/external-api/begin/"},
		{apiURL + "/nothing-like-it", ""},
		{widgetURL + "/external-api/x", ""},
	} {
		resp := post(t, test.asked, asJSON, `{}`)
		assert.Equal(t, http.StatusNotFound, resp.status, test.asked)
		if test.meant == "" {
			assert.Contains(t, resp.body, "The start page is http://127.0.0.1", test.asked)
			assert.Equal(t, "unknown path", resp.header.Get("X-Sandbox-Refusal"))
			continue
		}
		assert.True(t, strings.HasSuffix(resp.body, "\nDid you mean POST "+test.meant+"?\n"), "%s: %s", test.asked, resp.body)
		assert.True(t, strings.HasSuffix(resp.header.Get("X-Sandbox-Refusal"), "; the URL is probably "+test.meant), "%s: %s", test.asked, resp.header)
	}
	assert.Equal(t, "unknown path; the URL is probably "+widgetURL+"/external-api/begin/", srv.Requests()[0].Refusal)
	for path, meant := range map[string]string{"/_sandbox": "/_sandbox/", "/docs": "/_sandbox/docs", "/openapi.json": "/_sandbox/openapi.json"} {
		assert.True(t, strings.HasSuffix(openPage(t, widgetURL+path).body, "\nDid you mean "+widgetURL+meant+"?\n"), path)
	}
	before := len(srv.Requests())
	openPage(t, widgetURL+"/favicon.ico")
	assert.Len(t, srv.Requests(), before, "browsers request icons by themselves")
}
