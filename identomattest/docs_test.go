package identomattest

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/operation"
)

func TestOpenAPIOfSandbox(t *testing.T) {
	srv := NewServer(t)
	resp := openPage(t, srv.WidgetURL+"/_sandbox/openapi.json")
	assert.Equal(t, 200, resp.status)
	assert.Equal(t, "application/json", resp.header.Get("Content-Type"))
	var description struct {
		Servers []struct{ URL string }
		Paths   map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(resp.body), &description))
	require.Len(t, description.Servers, 2)
	assert.Equal(t, srv.WidgetURL, description.Servers[0].URL)
	assert.Equal(t, srv.APIURL, description.Servers[1].URL)
	assert.Len(t, description.Paths, 42)
	assert.NotContains(t, resp.body, `"https://widget.identomat.com`)
	assert.NotContains(t, resp.body, `"https://external-api.identomat.com`)
}

func TestDocsShowEveryOperation(t *testing.T) {
	srv := NewServer(t)
	list := openPage(t, srv.WidgetURL+"/_sandbox/docs")
	assert.Equal(t, 200, list.status)
	links := regexp.MustCompile(`href="(/_sandbox/docs/\w+)"`).FindAllStringSubmatch(list.body, -1)
	assert.Len(t, links, len(operation.All()))
	shown := ""
	for _, link := range links {
		page := openPage(t, srv.WidgetURL+link[1])
		assert.Equal(t, 200, page.status, link[1])
		assertShows(t, page, "Request", "Status 200", "required")
		shown += page.body
		for _, target := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
			assert.Contains(t, page.body, `id="`+target[1]+`"`, link[1])
		}
		for _, address := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
			assert.True(t, strings.HasPrefix(address[1], "/") || strings.HasPrefix(address[1], "#"), address[0])
		}
	}
	for _, op := range operation.All() {
		assert.Contains(t, shown, "<strong>POST</strong> <code>"+address(srv, op)+"</code>")
	}
	assert.Contains(t, list.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	assert.Equal(t, 404, openPage(t, srv.WidgetURL+"/_sandbox/docs/nothing").status)
	rebound := request(t, srv.WidgetURL+"/_sandbox/docs", "", "")
	rebound.Method, rebound.Host = "GET", "evil.example"
	assert.Equal(t, 403, send(t, rebound).status)
}

func TestDocsOfBegin(t *testing.T) {
	page := openPage(t, NewServer(t).WidgetURL+"/_sandbox/docs/begin")
	assertShows(t, page, "may be billed", "not retryable", `<a href="#schema-Flags">Flags</a>`, `list of <a href="#schema-Step">Step</a>`,
		`<h3 id="schema-LivenessStep">`, "multipart/form-data", "<code>company_key</code>", "<code>argumentError</code>")
	// An error has one of two members. Every step has a type.
	required := regexp.MustCompile(`<dt><code>(\w+)</code> [^\n]*required`).FindAllStringSubmatch(page.body, -1)
	names := []string{}
	for _, m := range required {
		names = append(names, m[1])
	}
	assert.Contains(t, names, "company_key")
	assert.NotContains(t, names, "argumentError")
	assert.NotContains(t, names, "internalError")
}
