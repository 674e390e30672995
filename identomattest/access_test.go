package identomattest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// A website in the developer's browser can send requests to the fake. After DNS rebinding, it can also
// read the responses. Backends in a container network use host names that the fake does not know.
func TestWebPagesOfOtherSites(t *testing.T) {
	srv := NewServer(t, WithHosts("SandBox"), WithLogf(func(string, ...any) {}))
	token := begin(t, srv, "")
	form := url.Values{"company_key": {srv.CompanyKey}, "session_token": {token}}.Encode()
	addr := strings.TrimPrefix(srv.WidgetURL, "http://")
	port := addr[strings.LastIndexByte(addr, ':'):]

	type headers map[string]string
	for name, test := range map[string]struct {
		host    string
		headers headers
		// These are the statuses of a POST to the control API, a POST and a GET to the API, and a GET of
		// the page.
		control, post, get, page int
	}{
		"a tool":                   {addr, nil, 200, 200, 200, 200},
		"localhost":                {"localhost" + port, nil, 200, 200, 200, 200},
		"a name below .localhost":  {"Identomat.localhost" + port, nil, 200, 200, 200, 200},
		"IPv6":                     {"[::1]" + port, nil, 200, 200, 200, 200},
		"an added name":            {"Sandbox" + port, nil, 200, 200, 200, 200},
		"the fake's own page":      {addr, headers{"Origin": srv.WidgetURL, "Sec-Fetch-Site": "same-origin"}, 200, 200, 200, 200},
		"the address bar":          {addr, headers{"Sec-Fetch-Site": "none"}, 200, 200, 200, 200},
		"an added name's page":     {"sandbox" + port, headers{"Origin": "http://sandbox" + port}, 200, 200, 200, 200},
		"a backend in a container": {"identomat" + port, nil, 403, 200, 403, 403},
		// Other sites may embed the page and link to it.
		"another site":             {addr, headers{"Origin": "https://evil.example"}, 403, 403, 403, 200},
		"another port":             {addr, headers{"Origin": "http://127.0.0.1:1"}, 403, 403, 403, 200},
		"another scheme":           {addr, headers{"Origin": "https://" + addr}, 403, 403, 403, 200},
		"a sandboxed frame":        {addr, headers{"Origin": "null"}, 403, 403, 403, 200},
		"an image on another site": {addr, headers{"Sec-Fetch-Site": "cross-site"}, 403, 403, 403, 200},
		"another site's subdomain": {addr, headers{"Sec-Fetch-Site": "same-site"}, 403, 403, 403, 200},
		// After DNS rebinding, the page's host name points to the fake, so the requests are same-origin. The
		// browser sends no Origin with GET, and no Sec-Fetch-Site without TLS.
		"a rebound name":             {"evil.example" + port, headers{"Origin": "http://evil.example" + port}, 403, 403, 403, 403},
		"a rebound name with a hint": {"evil.example" + port, headers{"Sec-Fetch-Site": "same-origin"}, 403, 403, 403, 403},
	} {
		for _, r := range []struct {
			method, path, body string
			status             int
		}{
			{"POST", "/_sandbox/release", "", test.control},
			{"POST", "/external-api/result/", form, test.post},
			{"GET", "/external-api/result/?" + form, "", test.get},
			{"GET", "/?session_token=" + token, "", test.page},
		} {
			req := request(t, srv.WidgetURL+r.path, asForm, r.body)
			req.Method, req.Host = r.method, test.host
			for header, value := range test.headers {
				req.Header.Set(header, value)
			}
			resp := send(t, req)
			assert.Equal(t, r.status, resp.status, "%s: %s %s", name, r.method, r.path)
			assert.Empty(t, resp.header.Get("Access-Control-Allow-Origin"), name)
		}
	}
	assert.Equal(t, 404, openPage(t, srv.APIURL+"/_sandbox/").status, "the API host has no control API")
}

func TestRefusedHostSaysWhatToDo(t *testing.T) {
	var log []string
	srv := NewServer(t, WithLogf(func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }))
	const reason = `the host name "sandbox" is not allowed; add it with WithHosts, or with --host of the sandbox`
	for _, path := range []string{"/?session_token=x", "/external-api/result/?company_key=x"} {
		req := request(t, srv.WidgetURL+path, "", "")
		req.Method, req.Host = "GET", "sandbox"
		assert.Equal(t, reason+"\n", send(t, req).body)
	}
	assert.Equal(t, []string{"the page: " + reason, "result/ refused: " + reason}, log)
	require.Len(t, srv.Requests(), 1)
	assert.Equal(t, 403, srv.Requests()[0].Status)
	assert.Equal(t, reason, srv.Requests()[0].Refusal)
}

func TestPageOfRefusedHostDecidesNothing(t *testing.T) {
	srv := NewServer(t)
	token := begin(t, srv, "")
	req := request(t, srv.WidgetURL+"/", asForm, "decision=approve&session_token="+token)
	req.Host = "evil.example"
	assert.Equal(t, 403, send(t, req).status)
	ses, _ := srv.Session(identomat.Token(token))
	assert.Equal(t, "in_progress", ses.Outcome)
}
