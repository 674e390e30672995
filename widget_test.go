package identomat_test

import (
	"bytes"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

var widgetSession = identomat.Session{Token: token, URL: "https://widget.identomat.com/?session_token=" + string(token)}

// script cuts the script, which is the same in every piece, out of a piece.
func script(t *testing.T, piece string) (rest, script string) {
	t.Helper()
	before, after, found := strings.Cut(piece, ">\n(() => {")
	require.True(t, found)
	script, after, found = strings.Cut(after, "</script>")
	require.True(t, found)
	return before + after, script
}

func TestEmbedIsAnIframeAFormAndAScript(t *testing.T) {
	piece, err := widgetSession.Embed(identomat.EmbedOptions{
		PostTo: "/kyc/done", Fields: map[string]string{"csrf": "a-csrf-token", "back": "/home"}, Nonce: "r4nd0m",
		Title: "Identity check", Geolocation: true,
	})
	require.NoError(t, err)
	rest, _ := script(t, string(piece))
	assert.Equal(t, `<div class="identomat-widget" data-origin="https://widget.identomat.com">
<iframe src="https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc" title="Identity check" allow="camera; microphone; geolocation" width="100%" height="720"></iframe>
<form method="post" action="/kyc/done" hidden>
<input type="hidden" name="session_token" value="47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc">
<input type="hidden" name="back" value="/home">
<input type="hidden" name="csrf" value="a-csrf-token">
</form>
<script nonce="r4nd0m"
</div>`, rest)

	piece, err = widgetSession.Embed(identomat.EmbedOptions{})
	require.NoError(t, err)
	rest, _ = script(t, string(piece))
	assert.Equal(t, `<div class="identomat-widget" data-origin="https://widget.identomat.com">
<iframe src="https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc" title="Identity verification" allow="camera; microphone" width="100%" height="720"></iframe>
<script
</div>`, rest)
}

func TestEmbedEscapesWhatItIsGiven(t *testing.T) {
	const bad = `"'><script>alert(1)</script>&`
	clean, err := widgetSession.Embed(identomat.EmbedOptions{PostTo: "/x", Fields: map[string]string{"a": "b"}, Nonce: "n", Title: "t"})
	require.NoError(t, err)
	session := widgetSession
	session.URL += "&x=" + bad
	session.Token += bad
	piece, err := session.Embed(identomat.EmbedOptions{PostTo: `/x"'><script>alert(1)</script>&`, Fields: map[string]string{bad: bad}, Nonce: bad, Title: bad})
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(piece), "<script"))
	for _, c := range []string{`<`, `>`, `"`} { // as many as a piece of plain values has
		assert.Equal(t, strings.Count(string(clean), c), strings.Count(string(piece), c), c)
	}
	_, before := script(t, string(clean))
	_, after := script(t, string(piece))
	assert.Equal(t, before, after, "nothing is written into the script")
}

func TestTheOriginIsWrittenAsBrowsersWriteIt(t *testing.T) {
	for url, origin := range map[string]string{
		"https://widget.identomat.com/?session_token=x":     "https://widget.identomat.com",
		"https://Widget.Identomat.COM:443/?session_token=x": "https://widget.identomat.com",
		"https://widget.identomat.com:8443/":                "https://widget.identomat.com:8443",
		"https://widget.identomat.com:80/":                  "https://widget.identomat.com:80",
		"http://127.0.0.1:80/":                              "http://127.0.0.1",
		"http://localhost:8080/":                            "http://localhost:8080",
		"http://[::1]:8080/":                                "http://[::1]:8080",
		"HTTPS://widget.identomat.com:/":                    "https://widget.identomat.com",
	} {
		piece, err := identomat.Session{Token: token, URL: url}.Embed(identomat.EmbedOptions{})
		require.NoError(t, err, url)
		assert.Contains(t, string(piece), `data-origin="`+origin+`"`, url)
	}
}

func TestEmbedRefusesWhatCannotBeRight(t *testing.T) {
	for _, url := range []string{
		"", "javascript:alert(1)", "data:text/html,x", "//widget.identomat.com/", "http://widget.identomat.com/", "https://", "/x",
		"https://user:pass@widget.identomat.com/", "https://wid get/", "ftp://localhost/", "http://127.0.0.1.evil.example/", "https://bücher.example/",
	} {
		piece, err := identomat.Session{Token: token, URL: url}.Embed(identomat.EmbedOptions{})
		assert.ErrorContains(t, err, "the session has no URL", url)
		assert.Empty(t, piece)
		if url != "" {
			assert.NotContains(t, err.Error(), url)
		}
	}
	for _, path := range []string{
		"https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "\n//evil.example", "kyc/done", " /x", "/a b",
		"javascript:alert(1)", "?x", "\\\\evil.example", "/\x00", "/\x7f",
	} {
		piece, err := widgetSession.Embed(identomat.EmbedOptions{PostTo: path})
		assert.ErrorContains(t, err, "PostTo must be a path", "%q", path)
		assert.Empty(t, piece)
	}
	for _, opts := range []identomat.EmbedOptions{
		{Fields: map[string]string{"csrf": "x"}},
		{PostTo: "/x", Fields: map[string]string{"session_token": "x"}},
	} {
		piece, err := widgetSession.Embed(opts)
		assert.ErrorContains(t, err, "Fields go with PostTo")
		assert.Empty(t, piece)
	}
}

func TestNoKeyReachesHTML(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.RequireHMAC())
	session, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	piece, err := session.Embed(identomat.EmbedOptions{PostTo: "/done", Nonce: "n"})
	require.NoError(t, err)
	page := template.Must(template.New("").Parse(`<main>{{.Session.Embed .Options}}</main>`))
	var out bytes.Buffer
	require.NoError(t, page.Execute(&out, map[string]any{"Session": session, "Options": identomat.EmbedOptions{PostTo: "/done", Nonce: "n"}}))
	assert.Equal(t, "<main>"+string(piece)+"</main>", out.String(), "a template takes the piece as it is")
	assert.Contains(t, out.String(), server.WidgetURL)
	for _, secret := range []string{server.CompanyKey, server.SecretKey, server.CallbackKey} {
		assert.NotContains(t, out.String(), secret)
	}
}

func returned(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func TestTheTokenOfAReturnIsReadFromQueryOrForm(t *testing.T) {
	want := string(token)
	for name, r := range map[string]*http.Request{
		"the redirect":                    returned("GET", "/kyc/return?session_token="+want, ""),
		"a return_url with a query":       returned("GET", "/kyc/return?user=1&session_token="+want, ""),
		"the form of the embedded widget": returned("POST", "/kyc/done", "session_token="+want+"&csrf=x"),
		"a form beside another query":     returned("POST", "/kyc/done?session_token=other", "session_token="+want),
		"an escaped token":                returned("GET", "/kyc/return?session_token=%34"+want[1:], ""),
	} {
		got, err := identomat.SessionTokenFromReturn(r)
		require.NoError(t, err, name)
		assert.Equal(t, want, string(got), name)
	}
}

func TestAReturnThatIsForgedOrBrokenNamesItsFault(t *testing.T) {
	good := string(token)
	for want, requests := range map[string][]*http.Request{
		"is missing": {
			returned("GET", "/kyc/return", ""), returned("GET", "/kyc/return?token="+good, ""), returned("POST", "/kyc/done", "csrf=x"),
			returned("POST", "/kyc/done?session_token="+good, ""), returned("GET", "/kyc/return?Session_Token="+good, ""),
		},
		"more than once": {returned("GET", "/kyc/return?session_token="+good+"&session_token="+good, "")},
		"is not a token": {
			returned("GET", "/kyc/return?session_token=", ""), returned("GET", "/kyc/return?session_token=SESSION_NOT_FOUND", ""),
			returned("GET", "/kyc/return?session_token=%3Cscript%3Ealert(1)%3C/script%3E", ""),
			returned("GET", "/kyc/return?session_token=..%2F..%2Fetc%2Fpasswd0000", ""),
			returned("GET", "/kyc/return?session_token="+good+"%0d%0aSet-Cookie:x", ""),
			returned("GET", "/kyc/return?session_token="+strings.Repeat("a1", 200), ""),
		},
		"cannot be read": {
			returned("GET", "/kyc/return?session_token=%zz", ""), returned("GET", "/kyc/return?x=1;session_token="+good, ""),
			returned("POST", "/kyc/done", "session_token=%zz"), returned("POST", "/kyc/done", strings.Repeat("a=b&", 4<<20)),
		},
		"neither GET nor POST": {returned("PUT", "/kyc/return?session_token="+good, ""), returned("DELETE", "/?session_token="+good, "")},
	} {
		for _, r := range requests {
			got, err := identomat.SessionTokenFromReturn(r)
			if assert.Error(t, err, want) {
				assert.Contains(t, err.Error(), want)
				assert.NotContains(t, err.Error(), good)
				assert.NotContains(t, err.Error(), "script")
			}
			assert.Empty(t, string(got))
		}
	}
}
