package identomattest

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStartPage(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	page := openPage(t, srv.WidgetURL)
	assert.Equal(t, 200, page.status)
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	assertShows(t, page, srv.WidgetURL, srv.APIURL, srv.CompanyKey, srv.SecretKey, srv.CallbackKey, "There are no sessions yet", "There were none",
		html.EscapeString("curl "+srv.WidgetURL+"/external-api/begin/ -F company_key="+srv.CompanyKey))

	token := begin(t, srv, `"name":"<b>Nino</b>","steps":[{"type":"email"}],"flags":{"skip_face":true,"skip_document":true}`)
	post(t, srv.APIURL+"/list-users", asJSON, `{"companyKey":"<script>alert(1)</script>","<img src=x onerror=alert(2)>":1}`)
	api(t, srv, "list-users", `"<img src=x onerror=alert(2)>":1`)
	post(t, srv.APIURL+"/<i>list-users", asJSON, `{}`)
	srv.Fault("list-users", HTTPStatus(503), 1)
	api(t, srv, "list-users", "")
	page = openPage(t, srv.WidgetURL)
	assertShows(t, page, `<a href="/?session_token=`+token+`">Open <code>`+token[:8], "<bdi>&lt;b&gt;Nino&lt;/b&gt;</bdi>", "email", "12:00:00 UTC",
		"the company key is unknown", "no parameter &#34;&lt;img src=x onerror=alert(2)&gt;&#34; is documented", "Fault: HTTP 503", "Warning: the steps check no document",
		"/external-api/result/ -F company_key="+srv.CompanyKey+" -F session_token="+token)
	assertHides(t, page, "<b>Nino", "<img", "<i>", "<script>alert", "There are no sessions yet")

	decide := "curl -X POST " + srv.WidgetURL + "/_sandbox/sessions/" + token + "/approve"
	assertShows(t, page, decide)

	control(t, srv, "POST", "sessions/"+token+"/approve", "")
	page = openPage(t, srv.WidgetURL)
	assertShows(t, page, `<span class="tag good">approved</span>`)
	assertHides(t, page, "Open <code>", decide)

	now = now.Add(16 * time.Minute)
	assertShows(t, openPage(t, srv.WidgetURL), "There were none")
}

// TestStartPageIsProtected tests that no other site can embed or read the page, and that it loads nothing.
func TestStartPageIsProtected(t *testing.T) {
	srv := NewServer(t)
	page := openPage(t, srv.WidgetURL)
	policy := regexp.MustCompile(`nonce-\w+`).ReplaceAllString(page.header.Get("Content-Security-Policy"), "nonce")
	assert.Equal(t, "default-src 'none'; style-src 'nonce'; script-src 'nonce'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'", policy)
	assert.Equal(t, "same-origin", page.header.Get("Cross-Origin-Resource-Policy"))
	assert.Equal(t, "no-store", page.header.Get("Cache-Control"))
	assert.Equal(t, "nosniff", page.header.Get("X-Content-Type-Options"))
	for _, link := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		assert.True(t, strings.HasPrefix(link[1], "/"), link[0])
	}
	assert.NotContains(t, page.body, "url(")

	rebound := request(t, srv.WidgetURL+"/", "", "")
	rebound.Method, rebound.Host = "GET", "evil.example"
	resp := send(t, rebound)
	assert.Equal(t, 403, resp.status)
	assert.NotContains(t, resp.body, srv.SecretKey)
	named := request(t, srv.WidgetURL+"/", "", "")
	named.Method, named.Host = "GET", "localhost:9000"
	assertShows(t, send(t, named), "curl http://localhost:9000/external-api/begin/")
}

func TestStartPageOfCompanies(t *testing.T) {
	srv := NewServer(t, WithCompanies(
		Company{Name: "bank", CompanyKey: "it's secret", SecretKey: "bank's secret", RequireHMAC: true},
		Company{Name: "lending & co", CompanyKey: "lending-key"},
	))
	page := openPage(t, srv.WidgetURL)
	assertShows(t, page, `<a href="/?company=bank" aria-current="true">bank</a>`, `<a href="/?company=lending+%26+co">lending &amp; co</a>`,
		html.EscapeString(`body='{"company_key":"it'\''s secret"}'`), html.EscapeString(`openssl dgst -sha256 -hmac 'bank'\''s secret' -binary`))
	assertHides(t, page, "lending-key")
	page = openPage(t, srv.WidgetURL+"/?company=lending+%26+co")
	assertShows(t, page, "-F company_key=lending-key")
	assert.Equal(t, `--form-string 'a=@;b'`, formField("a", "@;b"), "-F would read a file")
	assertHides(t, page, "openssl", "bank&#39;s secret")
}

func TestStartPageListsLatest(t *testing.T) {
	srv := NewServer(t)
	var last string
	for range shownRequests + 2 {
		last = begin(t, srv, "")
	}
	page := openPage(t, srv.WidgetURL)
	assertShows(t, page, last[:8], "And 42 earlier: <a href=\"/_sandbox/sessions\">", "And 2 earlier: <a href=\"/_sandbox/requests\">")
	require.Equal(t, shownSessions, strings.Count(page.body, "Open <code>"))
}
