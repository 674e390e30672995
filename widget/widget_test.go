package widget_test

import (
	"bytes"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/widget"
)

const token = identomat.Token("47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")

func session() *identomat.Session {
	return &identomat.Session{Token: token, URL: "https://widget.identomat.com/?session_token=" + string(token)}
}

// cutScript separates the script, which is the same in every snippet, from the rest.
func cutScript(t *testing.T, snippet template.HTML) (rest, script string) {
	t.Helper()
	before, after, found := strings.Cut(string(snippet), ">\n(() => {")
	require.True(t, found)
	script, after, found = strings.Cut(after, "</script>")
	require.True(t, found)
	return before + after, script
}

func TestEmbedHTML(t *testing.T) {
	snippet, err := widget.Embed(session(), widget.Options{
		PostTo: "/kyc/done", Fields: map[string]string{"csrf": "a-csrf-token", "back": "/home"}, Nonce: "r4nd0m",
		Title: "Identity check", Microphone: true, Geolocation: true,
	})
	require.NoError(t, err)
	rest, _ := cutScript(t, snippet)
	assert.Equal(t, `<identomat-widget class="identomat-widget" data-origin="https://widget.identomat.com">
<iframe src="https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc" title="Identity check" allow="camera; microphone; geolocation" width="100%" height="720"></iframe>
<form method="post" action="/kyc/done" hidden>
<input type="hidden" name="session_token" value="47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc">
<input type="hidden" name="back" value="/home">
<input type="hidden" name="csrf" value="a-csrf-token">
</form>
<script nonce="r4nd0m"
</identomat-widget>`, rest)
}

func TestEmbedZeroOptions(t *testing.T) {
	snippet, err := widget.Embed(session(), widget.Options{})
	require.NoError(t, err)
	rest, _ := cutScript(t, snippet)
	assert.Equal(t, `<identomat-widget class="identomat-widget" data-origin="https://widget.identomat.com">
<iframe src="https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc" title="Identity verification" allow="camera" width="100%" height="720"></iframe>
<script
</identomat-widget>`, rest)
}

func TestEmbedEscapesValues(t *testing.T) {
	const hostile = `"'><script>alert(1)</script>&`
	clean, err := widget.Embed(session(), widget.Options{PostTo: "/x", Fields: map[string]string{"a": "b"}, Nonce: "n", Title: "t"})
	require.NoError(t, err)
	s := session()
	s.URL += "&x=" + hostile
	s.Token += hostile
	snippet, err := widget.Embed(s, widget.Options{PostTo: "/x" + hostile, Fields: map[string]string{hostile: hostile}, Nonce: hostile, Title: hostile})
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(snippet), "<script"))
	for _, c := range []string{`<`, `>`, `"`} {
		assert.Equal(t, strings.Count(string(clean), c), strings.Count(string(snippet), c), "number of %s", c)
	}
	_, want := cutScript(t, clean)
	_, got := cutScript(t, snippet)
	assert.Equal(t, want, got, "values must not reach the script")
}

func TestEmbedOrigin(t *testing.T) {
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
		snippet, err := widget.Embed(&identomat.Session{Token: token, URL: url}, widget.Options{})
		require.NoError(t, err, url)
		assert.Contains(t, string(snippet), `data-origin="`+origin+`"`, url)
	}
}

func TestEmbedRejectsSessionURL(t *testing.T) {
	for _, url := range []string{
		"", "javascript:alert(1)", "data:text/html,x", "//widget.identomat.com/", "http://widget.identomat.com/", "https://", "/x",
		"https://user:pass@widget.identomat.com/", "https://wid get/", "ftp://localhost/", "http://127.0.0.1.evil.example/", "https://bücher.example/",
	} {
		snippet, err := widget.Embed(&identomat.Session{Token: token, URL: url}, widget.Options{})
		assert.ErrorContains(t, err, "the session URL must be", url)
		assert.Empty(t, snippet)
		if url != "" {
			assert.NotContains(t, err.Error(), url)
		}
	}
	snippet, err := widget.Embed(nil, widget.Options{})
	assert.ErrorContains(t, err, "the session URL must be")
	assert.Empty(t, snippet)
}

func TestEmbedInsecureTestHost(t *testing.T) {
	for url, origin := range map[string]string{"http://sandbox:8080/?session_token=x": "http://sandbox:8080", "https://widget.identomat.com/": "https://widget.identomat.com"} {
		snippet, err := widget.Embed(&identomat.Session{Token: token, URL: url}, widget.Options{InsecureTestHost: true})
		require.NoError(t, err)
		assert.Contains(t, string(snippet), `data-origin="`+origin+`"`)
	}
	for _, url := range []string{"ftp://sandbox/", "javascript:alert(1)", "http://user:pass@sandbox/"} {
		_, err := widget.Embed(&identomat.Session{Token: token, URL: url}, widget.Options{InsecureTestHost: true})
		assert.ErrorContains(t, err, "the session URL must be", url)
	}
}

func TestEmbedRejectsPostTo(t *testing.T) {
	for _, path := range []string{
		"https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "\n//evil.example", "kyc/done", " /x", "/a b",
		"javascript:alert(1)", "?x", "\\\\evil.example", "/\x00", "/\x7f",
	} {
		snippet, err := widget.Embed(session(), widget.Options{PostTo: path})
		assert.ErrorContains(t, err, "PostTo must be a path", "%q", path)
		assert.Empty(t, snippet)
	}
}

func TestEmbedRejectsFields(t *testing.T) {
	for want, opts := range map[string]widget.Options{
		"Fields requires PostTo":                {Fields: map[string]string{"csrf": "x"}},
		"Fields must not contain session_token": {PostTo: "/x", Fields: map[string]string{"session_token": "x"}},
	} {
		snippet, err := widget.Embed(session(), opts)
		assert.ErrorContains(t, err, want)
		assert.Empty(t, snippet)
	}
}

func TestEmbedContainsNoKey(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.RequireHMAC())
	session, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	snippet, err := widget.Embed(session, widget.Options{PostTo: "/done", Nonce: "n"})
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, template.Must(template.New("").Parse(`<main>{{.}}</main>`)).Execute(&page, snippet))
	assert.Equal(t, "<main>"+string(snippet)+"</main>", page.String(), "html/template must not escape the snippet")
	assert.Contains(t, page.String(), server.WidgetURL)
	for _, key := range []string{server.CompanyKey, server.SecretKey, server.CallbackKey} {
		assert.NotContains(t, page.String(), key)
	}
}

func TestOptionsAreMasked(t *testing.T) {
	const secret = "a-csrf-token"
	opts := widget.Options{PostTo: "/done", Fields: map[string]string{"csrf": secret}}
	var out bytes.Buffer
	for _, v := range []any{opts, &opts, []widget.Options{opts}, struct{ Options any }{opts}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x", v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	assert.NotContains(t, out.String(), secret)
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", secret))
}
