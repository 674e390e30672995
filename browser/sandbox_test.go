package browser_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/identomattest"
)

// TestStartPageFirstSession follows the start page: it runs the curl command, opens the session that
// appears, approves it, and finds the outcome on the page.
func TestStartPageFirstSession(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	b := open(t)
	srv := identomattest.NewServer(t, identomattest.WithLogf(func(string, ...any) {}))
	run := func(selector string) string {
		t.Helper()
		command := b.Eval(`document.querySelector("` + selector + `").textContent`)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(command, "curl ", "curl --silent --show-error --noproxy '*' ", 1)).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}

	require.EqualValues(t, 200, b.Visit(srv.WidgetURL+"/"))
	b.heading("Identomat sandbox", "40-start-empty")
	token := run("#curl")
	require.Regexp(t, `^"[0-9a-z]{40}"$`, token)

	b.Poll(`document.querySelector("#live-sessions a") !== null`) // the page refreshes itself
	b.Follow(chromedp.Click(chromedp.CSS("#live-sessions a")))
	assert.Equal(t, "ID verification", b.Text("h1"))
	b.Press("action", "finish")
	b.Press("decision", "approve")
	assert.Equal(t, "Done", b.Text("h1"))

	b.Visit(srv.WidgetURL + "/")
	assert.Equal(t, "approved", b.Text("#live-sessions .tag"))
	assert.Contains(t, run("#result"), `{"result":"approved"`)

	// Refusals, with text of an attacker.
	for _, body := range []string{`{"company_key":"` + srv.CompanyKey + `","<img src=x onerror=document.title='attacked'>":1}`, `{"company_key":"wrong"}`} {
		resp, err := http.Post(srv.WidgetURL+"/external-api/begin/", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	srv.Fault("list-users", identomattest.HTTPStatus(503), 1)
	resp, err := http.Post(srv.APIURL+"/list-users", "application/json", strings.NewReader(`{}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	b.Poll(`document.querySelectorAll("#live-requests li").length === 5`)
	assert.Contains(t, b.Text("#live-requests"), `no parameter "<img src=x onerror=document.title='attacked'>" is documented`)
	assert.Contains(t, b.Text("#live-requests"), "the company key is unknown")
	b.heading("Identomat sandbox", "41-start")
	assert.Equal(t, "Identomat sandbox", b.Eval("document.title"))

	b.Do(chromedp.Click(chromedp.CSS("label:has(#tab-python)")))
	assert.Contains(t, b.Text(".tab-python"), "import json, time, urllib.request")
	b.Look("42-start-python")
	b.Do(chromedp.Click(chromedp.CSS("label:has(#tab-typescript)")))
	b.Look("43-start-typescript")
	b.Do(chromedp.Click(chromedp.CSS(`[data-copy="company-key"]`)))
	b.Poll(`document.querySelector('[data-copy="company-key"]').innerText.startsWith("Copied")`)
}

func TestStartPageSwitchesCompany(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t, identomattest.WithCompanies(
		identomattest.Company{Name: "bank", CompanyKey: "bank-key", SecretKey: "bank-secret", RequireHMAC: true},
		identomattest.Company{Name: "lending & co", CompanyKey: "lending-key"},
	))
	b.Visit(srv.WidgetURL + "/")
	assert.Equal(t, "bank-key", b.Text("#company-key"))
	b.Follow(chromedp.Click(chromedp.CSS("#company a:nth-of-type(2)")))
	assert.Equal(t, "lending-key", b.Text("#company-key"))
	b.heading("Identomat sandbox", "47-start-companies")
}

func TestDocs(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	require.EqualValues(t, 200, b.Visit(srv.WidgetURL+"/_sandbox/docs"))
	b.heading("API reference", "44-docs")
	b.Follow(chromedp.Click(chromedp.CSS(`a[href="/_sandbox/docs/compareFaces"]`)))
	b.heading("Get a similarity score for two faces", "45-docs-compare-faces")
	b.Visit(srv.WidgetURL + "/_sandbox/docs/begin")
	b.heading("Session creation", "46-docs-begin")
}
