package identomattest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

func openPage(t *testing.T, address string) httpResponse {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	return send(t, req)
}

// submitDecision submits a decision on the session's page.
func submitDecision(t *testing.T, srv *Server, token, decision string) httpResponse {
	t.Helper()
	return post(t, srv.WidgetURL+"/", asForm, url.Values{"session_token": {token}, "decision": {decision}}.Encode())
}

// assertShows requires the page to contain every text. The failure shows only the page's main element.
func assertShows(t *testing.T, page httpResponse, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page.body, text) {
			t.Errorf("the page does not show %q:\n%s", text, mainOf(page.body))
		}
	}
}

func assertHides(t *testing.T, page httpResponse, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page.body, text) {
			t.Errorf("the page shows %q:\n%s", text, mainOf(page.body))
		}
	}
}

func mainOf(page string) string {
	_, rest, _ := strings.Cut(page, "<main>")
	out, _, _ := strings.Cut(rest, "</main>")
	return out
}

func TestPageShowsSession(t *testing.T) {
	srv := NewServer(t)
	token := beginWith(t, srv, `{"type":"liveness","title":{"en":"Show <b>yourself</b>"}},{"type":"email","title":{"ka":"ფოსტა"}},
		{"type":"phone-number","title":"Phone"},{"type":"kyb-review"}`)
	page := openPage(t, srv.WidgetURL+"/?session_token="+token)
	assert.Equal(t, 200, page.status)
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	assertShows(t, page, "This is a fake.", `<html lang="en" dir="ltr">`, "<h1>Show &lt;b&gt;yourself&lt;/b&gt;</h1>", "Step 1 of 4",
		`<span lang="ka" dir="auto">ფოსტა</span>`, "Phone", "Checking the data", `<input type="hidden" name="session_token" value="`+token+`">`)
	assert.Empty(t, srv.Requests()[1:], "opening the page is not an API request")
	assert.Contains(t, api(t, srv, "list-session-activities", `"sessionId":"`+token+`"`).body, "PAGE_LOADED")
}

func TestPageContentSecurityPolicy(t *testing.T) {
	srv := NewServer(t)
	policy := func(members string) (string, string) {
		page := openPage(t, srv.WidgetURL+"/?session_token="+begin(t, srv, members))
		return page.header.Get("Content-Security-Policy"), page.body
	}
	first, body := policy(``)
	nonce := regexp.MustCompile(`'nonce-([A-Z2-7]{26})'`).FindStringSubmatch(first)
	require.NotNil(t, nonce)
	assert.Contains(t, body, `<style nonce="`+nonce[1]+`">`)
	assert.Contains(t, first, "default-src 'none'; ")
	assert.Contains(t, first, "; form-action 'self'; base-uri 'none'; frame-ancestors *")
	second, _ := policy(``)
	assert.NotEqual(t, first, second, "every page has a new nonce")

	withReturn, _ := policy(`"flags":{"return_url":"https://bank.example/back?x=1"}`)
	assert.Contains(t, withReturn, "form-action 'self' https://bank.example; ", "browsers apply form-action to the redirect too")
	app, _ := policy(`"flags":{"return_url":"bank-app://kyc"}`)
	assert.Contains(t, app, "form-action 'self' bank-app:; ")
}

func TestPageDecision(t *testing.T) {
	srv := NewServer(t)
	for decision, outcome := range map[string]string{"approve": "approved", "reject": "rejected", "manual_check": "manual_check"} {
		token := begin(t, srv, "")
		page := submitDecision(t, srv, token, decision)
		assert.Equal(t, 200, page.status)
		assertShows(t, page, `window.parent.postMessage("DONE", "*")`, "<code dir=\"ltr\">"+outcome+"</code>", "so no one was notified")
		assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"result":"`+outcome+`"`)
	}
	token := begin(t, srv, "")
	assert.Equal(t, 400, submitDecision(t, srv, token, "").status)
	assert.Equal(t, 400, post(t, srv.WidgetURL+"/", asForm, "%zz").status)
	ses, _ := srv.Session(identomat.Token(token))
	assert.Equal(t, "in_progress", ses.Outcome)
}

func TestPageReturnURL(t *testing.T) {
	srv := NewServer(t)
	for returnURL, want := range map[string]string{
		"https://bank.example/kyc/return":   "https://bank.example/kyc/return?session_token=",
		"https://bank.example/?a=1&b=2#end": "https://bank.example/?a=1&b=2&session_token=TOKEN#end",
		"bank-app://kyc":                    "bank-app://kyc?session_token=",
	} {
		token := begin(t, srv, `"flags":{"return_url":"`+returnURL+`"}`)
		resp := submitDecision(t, srv, token, "approve")
		assert.Equal(t, http.StatusSeeOther, resp.status)
		if !strings.Contains(want, "TOKEN") {
			want += "TOKEN"
		}
		assert.Equal(t, strings.Replace(want, "TOKEN", token, 1), resp.header.Get("Location"))
	}
}

func TestPageOfClosedSession(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	finished := begin(t, srv, "")
	require.NoError(t, srv.Approve(identomat.Token(finished)))
	expired := begin(t, srv, "")
	require.NoError(t, srv.Expire(identomat.Token(expired)))
	early := begin(t, srv, `"scheduleStartTime":"2026-01-01T12:10:00Z"`)
	deleted := begin(t, srv, "")
	widget(t, srv, "delete/", "session_token", deleted)
	for _, test := range []struct {
		token  string
		status int
		text   string
	}{
		{finished, 200, "This session is finished"},
		{expired, 410, "This session has expired"},
		{early, 403, "This session is not open yet"},
		{deleted, 404, "There is no such session"},
		{"<script>", 404, "&lt;script&gt;"},
		{"", 404, "There is no such session"},
	} {
		page := openPage(t, srv.WidgetURL+"/?session_token="+url.QueryEscape(test.token))
		assert.Equal(t, test.status, page.status, test.text)
		assertShows(t, page, test.text)
		assertHides(t, page, "<form")

		page = submitDecision(t, srv, test.token, "reject")
		assert.Equal(t, test.status, page.status, test.text)
		assertShows(t, page, test.text)
	}
	ses, _ := srv.Session(identomat.Token(finished))
	assert.Equal(t, "approved", ses.Outcome)
	ses, _ = srv.Session(identomat.Token(expired))
	assert.Equal(t, "in_progress", ses.Outcome)
}

func TestSessionLifetime(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		members string
		from    time.Duration
		until   time.Duration
	}{
		"fifteen minutes":          {``, 0, 15 * time.Minute},
		"from the configuration":   {`"config_id":"long"`, 0, 60 * time.Minute},
		"until the schedule ends":  {`"scheduleEndTime":"2026-01-01T12:05:00Z"`, 0, 5 * time.Minute},
		"from the scheduled start": {`"scheduleStartTime":"2026-01-01T13:00:00Z"`, time.Hour, 75 * time.Minute},
		"within the schedule":      {`"scheduleStartTime":"2026-01-01T13:00:00Z","scheduleEndTime":"2026-01-01T14:05:00+01:00"`, time.Hour, 65 * time.Minute},
	} {
		now := start
		srv := NewServer(t, WithClock(func() time.Time { return now }), WithConfiguration(`{"id":"long","general":{"sessionLifetime":60},"steps":[]}`))
		token := begin(t, srv, test.members)
		for at, status := range map[time.Duration]int{
			test.from:                     200,
			test.from - time.Millisecond:  403,
			test.until - time.Millisecond: 200,
			test.until:                    410,
		} {
			if at < 0 {
				continue
			}
			now = start.Add(at)
			assert.Equal(t, status, openPage(t, srv.WidgetURL+"/?session_token="+token).status, "%s: after %s", name, at)
		}
	}
}

func TestNoOtherPages(t *testing.T) {
	srv := NewServer(t)
	assert.Equal(t, 404, openPage(t, srv.WidgetURL+"/favicon.ico").status)
	assert.Equal(t, 404, openPage(t, srv.APIURL+"/").status)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, srv.WidgetURL+"/", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusMethodNotAllowed, send(t, req).status)
}
