package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

const unknownToken = "8x0q1zp5v7m3c9k2j4h6g8f1d3s5a7w9e2r4t6y8"

func TestConcurrentStartsBeginOneSession(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	form := url.Values{"csrf": {customer.csrf("/verification")}, "way": {"redirect"}}
	var wait sync.WaitGroup
	var mu sync.Mutex
	locations := map[string]int{}
	for range 20 {
		wait.Go(func() {
			got := customer.send(customer.request(http.MethodPost, "/verification", form))
			mu.Lock()
			defer mu.Unlock()
			locations[got.header.Get("Location")]++
		})
	}
	wait.Wait()
	assert.Equal(t, 1, countRequests(b.fake, "begin/"))
	assert.Equal(t, 1, b.count("verifications"))
	token := string(b.fake.Sessions()[0].Token)
	toWidget := locations[b.fake.WidgetURL+"/?session_token="+token]
	assert.Positive(t, toWidget)
	assert.Equal(t, 20, toWidget+locations["/verification"], "every request redirects to the session or to the status page: %v", locations)
}

func TestForgedReturnChangesNothing(t *testing.T) {
	b := newBank(t)
	customer, other := b.signedIn("customer-1"), b.signedIn("customer-2")
	customer.begin()
	otherToken := string(other.begin())
	for name, test := range map[string]struct {
		query  url.Values
		status int
	}{
		"unknown token":            {url.Values{"session_token": {unknownToken}}, http.StatusNotFound},
		"another customer's token": {url.Values{"session_token": {otherToken}}, http.StatusNotFound},
		"missing token":            {url.Values{}, http.StatusBadRequest},
		"empty token":              {url.Values{"session_token": {""}}, http.StatusBadRequest},
		"error code":               {url.Values{"session_token": {"SESSION_NOT_FOUND"}}, http.StatusBadRequest},
		"SQL injection":            {url.Values{"session_token": {"' OR 1=1 --"}}, http.StatusBadRequest},
		"script":                   {url.Values{"session_token": {"<script>alert(1)</script>"}}, http.StatusBadRequest},
		"two tokens":               {url.Values{"session_token": {otherToken, otherToken}}, http.StatusBadRequest},
		"oversized token":          {url.Values{"session_token": {strings.Repeat("a1", 4000)}}, http.StatusBadRequest},
		"SQL wildcard":             {url.Values{"session_token": {"%"}}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			got := customer.get("/verification/return?" + test.query.Encode())
			assert.Equal(t, test.status, got.status)
			assert.NotContains(t, got.body, otherToken)
			assert.NotContains(t, got.body, "<script>alert")
			form := url.Values{"csrf": {customer.csrf("/verification")}}
			for name, values := range test.query {
				form[name] = values
			}
			got = customer.send(customer.request(http.MethodPost, "/verification/return", form))
			assert.Equal(t, test.status, got.status)
		})
	}
	assert.Zero(t, b.count("verifications WHERE returned"))
	assert.Zero(t, b.count("identomat_records WHERE wakes > 0"), "no outcome is read because of it")
}

func TestReturnWithoutSignInRedirects(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	got := b.visitor().get("/verification/return?session_token=" + string(token))
	assert.Equal(t, http.StatusSeeOther, got.status)
	assert.Equal(t, "/", got.header.Get("Location"), "the redirect drops the token")
	assert.Zero(t, b.count("verifications WHERE returned"))
	got = b.signedIn("reviewer-1").get("/verification/return?session_token=" + string(token))
	assert.Equal(t, http.StatusForbidden, got.status)
}

// reviewPaths maps each path of the review desk to its method. {id} stands for a verification.
var reviewPaths = map[string]string{
	"/review":                         http.MethodGet,
	"/review/{id}":                    http.MethodGet,
	"/review/{id}/pdf":                http.MethodGet,
	"/review/{id}/image/face":         http.MethodGet,
	"/review/{id}/image/passport":     http.MethodGet,
	"/review/{id}/image/card-front":   http.MethodGet,
	"/review/{id}/comparison":         http.MethodPost,
	"/review/{id}/screening":          http.MethodPost,
	"/review/{id}/person":             http.MethodPost,
	"/review/{id}/decision":           http.MethodPost,
	"/review/{id}/erasure":            http.MethodPost,
	"/review/{id}/settlement":         http.MethodPost,
	"/review/{id}/evidence":           http.MethodGet,
	"/review/{id}/image/../../{id}":   http.MethodGet,
	"/review/{id}/image/..%2f..%2f..": http.MethodGet,
}

func TestReviewDeskRequiresReviewer(t *testing.T) {
	b := newBank(t)
	customer, other, visitor := b.signedIn("customer-1"), b.signedIn("customer-2"), b.visitor()
	token := other.begin()
	require.NoError(t, b.fake.ManualCheck(token))
	b.work()
	before := len(b.fake.Requests())
	forms := map[*person]string{customer: "/verification", other: "/verification", visitor: "/"}
	for path, method := range reviewPaths {
		for _, id := range []string{"1", string(token)} {
			for who, page := range forms {
				form := url.Values(nil)
				if method == http.MethodPost {
					form = url.Values{"csrf": {who.csrf(page)}, "outcome": {"approved"}}
				}
				got := who.send(who.request(method, strings.ReplaceAll(path, "{id}", id), form))
				switch {
				case got.status == http.StatusTemporaryRedirect: // the mux cleans the path
					assert.Equal(t, "/review/"+id, got.header.Get("Location"))
				case who == visitor && method == http.MethodGet:
					assert.Equal(t, http.StatusSeeOther, got.status, path)
					assert.Equal(t, "/", got.header.Get("Location"))
				default:
					assert.Equal(t, http.StatusForbidden, got.status, path)
				}
				assert.NotContains(t, got.body, "Smith")
			}
		}
	}
	assert.Len(t, b.fake.Requests(), before, "nothing is fetched from the service")
	assert.Equal(t, manualCheck, b.latest("customer-2").State)
	assert.Zero(t, b.count("audit"))
}

func TestReviewPathsRejectTokens(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	reviewer := b.signedIn("reviewer-1")
	require.NoError(t, b.store.engine.Stop(t.Context())) // it would poll for the outcome
	before := len(b.fake.Requests())
	for path, method := range reviewPaths {
		if path == "/review" || strings.Contains(path, "..") {
			continue
		}
		for _, id := range []string{string(token), unknownToken, "0", "-1", "1e0", "01x", "99999999999999999999"} {
			form := url.Values(nil)
			if method == http.MethodPost {
				form = url.Values{"csrf": {reviewer.csrf("/review")}, "outcome": {"approved"}}
			}
			got := reviewer.send(reviewer.request(method, strings.ReplaceAll(path, "{id}", id), form))
			assert.Equal(t, http.StatusNotFound, got.status, "%s with %s", path, id)
		}
	}
	assert.Len(t, b.fake.Requests(), before)
}

func TestInvalidCallbacksRejected(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	valid := `{"callbackApiKey":"` + b.fake.CallbackKey + `","type":"x","sessionId":"` + string(token) + `"`
	for name, test := range map[string]struct {
		method, contentType, body string
		status                    int
	}{
		"wrong key":    {"POST", "application/json", `{"callbackApiKey":"guessed","type":"x","sessionId":"` + string(token) + `"}`, 403},
		"no key":       {"POST", "application/json", `{"type":"x","sessionId":"` + string(token) + `"}`, 403},
		"empty key":    {"POST", "application/json", `{"callbackApiKey":"","sessionId":"` + string(token) + `"}`, 403},
		"list of keys": {"POST", "application/json", `{"callbackApiKey":["` + b.fake.CallbackKey + `"]}`, 403},
		"10 MiB":       {"POST", "application/json", valid + `,"x":"` + strings.Repeat("x", 10<<20) + `"}`, 413},
		"form":         {"POST", "application/x-www-form-urlencoded", valid + "}", 415},
		"plain text":   {"POST", "text/plain", valid + "}", 415},
		"invalid JSON": {"POST", "application/json", valid, 400},
		"list":         {"POST", "application/json", "[" + valid + "}]", 400},
		"GET":          {"GET", "application/json", "", 405},
		"PUT":          {"PUT", "application/json", valid + "}", 405},
		"valid":        {"POST", "application/json", valid + "}", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, b.url+callbackPath, strings.NewReader(test.body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", test.contentType)
			assert.Equal(t, test.status, b.visitor().send(r).status)
		})
	}
	assert.EqualValues(t, 1, b.record(1).Wakes)
	b.work()
	assert.Zero(t, b.count("accounts"))
}

func TestRepeatedCallbackOpensOneAccount(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.SetResult(token, `{"result":"approved"}`))
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.PlainCallback("x", token))
			assert.NoError(t, err)
			assert.Equal(t, 200, status)
		})
	}
	wait.Wait()
	require.Eventually(t, func() bool { return b.count("accounts") == 1 }, testTimeout, 5*time.Millisecond)
	status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.PlainCallback("x", token))
	require.NoError(t, err)
	assert.Equal(t, 200, status, "callbacks after the outcome are accepted")
	assert.Equal(t, 1, b.count("outcomes"))
	assert.Equal(t, 1, b.count("accounts"))
	b.work()
	assert.Equal(t, 1, strings.Count(b.logged.String(), "verification settled"))
}

func TestCallbackForUnknownSession(t *testing.T) {
	b := newBank(t)
	b.signedIn("customer-1").begin()
	for _, token := range []identomat.Token{unknownToken, "", "%", "'; DROP TABLE verifications; --"} {
		status, err := b.fake.SendCallback(t.Context(), b.url+callbackPath, identomattest.PlainCallback("x", token))
		require.NoError(t, err)
		assert.Equal(t, 200, status)
	}
	assert.Zero(t, b.record(1).Wakes)
}

func TestRepeatedReturnFetchesOnce(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	for range 20 {
		assert.Equal(t, http.StatusSeeOther, customer.get("/verification/return?session_token="+string(token)).status)
		b.work()
	}
	assert.EqualValues(t, 1, b.record(1).Wakes, "further returns do not make the engine read the outcome")
}

func TestRepeatedErasureHonorsRetryAfter(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	b.fake.Fault("delete/", identomattest.TooManyRequests(10*time.Minute), 0)
	customer.press("/erase", "/erase")
	b.work()
	before := countRequests(b.fake, "delete/")
	require.Positive(t, before)
	for range 20 {
		assert.Equal(t, "/erased", customer.press("/erase", "/erase").header.Get("Location"))
		b.work()
	}
	assert.Equal(t, before, countRequests(b.fake, "delete/"), "the Retry-After is respected")
	b.fake.ClearFaults()
	b.advance(10 * time.Minute)
	b.work()
	assert.Contains(t, customer.get("/erased").body, "Your data has been erased")
}

func TestFormRequiresCSRFToken(t *testing.T) {
	b := newBank(t)
	customer, other, reviewer := b.signedIn("customer-1"), b.signedIn("customer-2"), b.signedIn("reviewer-1")
	token := other.begin()
	require.NoError(t, b.fake.ManualCheck(token))
	b.work()
	otherCSRF := other.csrf("/verification")
	for _, test := range []struct {
		who        *person
		page, path string
		fields     url.Values
	}{
		{b.visitor(), "/", "/sign-in", url.Values{"user": {"reviewer-1"}}},
		{customer, "/verification", "/sign-out", url.Values{}},
		{customer, "/verification", "/verification", url.Values{"way": {"redirect"}}},
		{other, "/verification", "/verification/return", url.Values{"session_token": {string(token)}}},
		{customer, "/verification", "/erase", url.Values{}},
		{reviewer, "/review", "/review/1/decision", url.Values{"outcome": {"approved"}}},
		{reviewer, "/review", "/review/1/erasure", url.Values{}},
		{reviewer, "/review", "/review/1/settlement", url.Values{"to": {"give-up"}}},
		{reviewer, "/review", "/review/1/screening", url.Values{}},
		{reviewer, "/review", "/review/1/comparison", url.Values{}},
		{reviewer, "/review", "/review/1/person", url.Values{"person": {"67137933a2176f0797f1e601"}}},
	} {
		for name, csrf := range map[string][]string{
			"missing": nil, "empty": {""}, "wrong": {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
			"another visitor's": {otherCSRF}, "second value": {"", otherCSRF},
		} {
			if test.who == other && strings.Contains(name, "another") {
				continue
			}
			fields := url.Values{"csrf": csrf}
			for k, v := range test.fields {
				fields[k] = v
			}
			got := test.who.send(test.who.request(http.MethodPost, test.path, fields))
			assert.Equal(t, http.StatusForbidden, got.status, "%s, CSRF token: %s", test.path, name)
		}
		// Even a valid token is rejected in the query string, which appears in logs and browser histories.
		got := test.who.send(test.who.request(http.MethodPost, test.path+"?csrf="+test.who.csrf(test.page), test.fields))
		assert.Equal(t, http.StatusForbidden, got.status, test.path)
	}
	assert.Equal(t, 1, b.count("verifications"))
	assert.Zero(t, b.count("verifications WHERE erasing OR returned"))
	assert.Equal(t, manualCheck, b.latest("customer-2").State)
	assert.Equal(t, "Verify your identity", customer.heading(), "the customer is still signed in")
}

func TestFormWithoutCookieRejected(t *testing.T) {
	b := newBank(t)
	csrf := visitor{}.csrf() // anyone can compute the CSRF token for an empty cookie
	for path, fields := range map[string]url.Values{"/sign-in": {"user": {"customer-1"}}, "/sign-out": {}, "/verification": {"way": {"redirect"}}} {
		fields.Set("csrf", csrf)
		victim := b.visitor() // like a cross-site request, which has no cookie because of SameSite
		got := victim.send(victim.request(http.MethodPost, path, fields))
		assert.Equal(t, http.StatusForbidden, got.status, path)
		assert.Contains(t, got.body, "The page was out of date, so your request was not processed.")
	}
	assert.Zero(t, b.count("sign_ins"), "nobody is signed in as the attacker")
}

func TestCrossSiteFormRejected(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	form := url.Values{"csrf": {customer.csrf("/verification")}, "way": {"redirect"}}
	for name, value := range map[string]string{
		"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Sec-Fetch-Site ": "same-site", "Origin ": "null",
	} {
		r := customer.request(http.MethodPost, "/verification", form)
		r.Header.Set(strings.TrimSpace(name), value)
		assert.Equal(t, http.StatusForbidden, customer.send(r).status, "%s: %s", name, value)
	}
	assert.Zero(t, b.count("verifications"))
}

func TestOnlySignInPageSetsCookie(t *testing.T) {
	b := newBank(t)
	// A cross-site request has no cookie because of SameSite.
	crossSite := b.visitor()
	for path, method := range map[string]string{
		"/verification": http.MethodPost, "/sign-out": http.MethodPost, "/verification/return": http.MethodPost, "/nowhere": http.MethodGet, "/": http.MethodPut,
	} {
		r := crossSite.request(method, path, url.Values{})
		assert.Empty(t, crossSite.send(r).header.Values("Set-Cookie"), "%s %s would replace the visitor's cookie", method, path)
	}
	assert.Len(t, crossSite.get("/").header.Values("Set-Cookie"), 1)
}

func TestFormSizeLimited(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	form := url.Values{"csrf": {customer.csrf("/verification")}, "way": {strings.Repeat("x", 10<<20)}}
	r := customer.request(http.MethodPost, "/verification", form)
	assert.Equal(t, http.StatusRequestEntityTooLarge, customer.send(r).status)
}

func TestMethodNotAllowed(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	customer.begin()
	for path, allowed := range map[string]string{
		"/": "GET, HEAD", "/sign-in": "POST", "/sign-out": "POST", "/verification": "GET, HEAD, POST", "/verification/state": "GET, HEAD",
		"/verification/embed": "GET, HEAD", "/verification/return": "GET, HEAD, POST", "/erase": "GET, HEAD, POST", "/static/style.css": "GET, HEAD",
		"/review": "GET, HEAD", "/review/1": "GET, HEAD", "/review/1/decision": "POST", "/review/1/screening": "POST", "/review/1/person": "POST", "/erased": "GET, HEAD",
		"/review/1/comparison": "POST", "/review/1/erasure": "POST", "/review/1/settlement": "POST", "/review/1/evidence": "GET, HEAD", "/review/1/pdf": "GET, HEAD", "/review/1/image/face": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "INVENTED"} {
			if strings.Contains(", "+allowed+",", ", "+method+",") {
				continue
			}
			for _, who := range []*person{customer, reviewer} {
				r := who.request(method, path, nil)
				r.Header.Set("X-HTTP-Method-Override", "POST")
				got := who.send(r)
				assert.Equal(t, http.StatusMethodNotAllowed, got.status, "%s %s", method, path)
				assert.Equal(t, allowed, got.header.Get("Allow"))
			}
		}
	}
	assert.Equal(t, 1, b.count("verifications WHERE NOT erasing AND NOT returned"))
	assert.Equal(t, "Your verification is not finished", customer.heading(), "the customer is still signed in")
}

func TestNoOpenRedirect(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	for _, path := range []string{"//evil.example/", "//evil.example/%2e%2e", `/\evil.example`, "/%5cevil.example", "/?next=https://evil.example",
		"/verification/embed?return=https://evil.example", "/verification//evil.example/..", "/%2f%2fevil.example"} {
		r := customer.request(http.MethodGet, path, nil)
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Original-URL", "https://evil.example/")
		got := customer.send(r)
		if location := got.header.Get("Location"); location != "" {
			at, err := url.Parse(location)
			require.NoError(t, err)
			assert.Empty(t, at.Host, path)
			assert.False(t, strings.HasPrefix(location, "//") || strings.HasPrefix(location, `/\`), location)
		}
	}
	for _, host := range []string{"evil.example", "localhost", "127.0.0.1", "127.0.0.1:1"} {
		r := customer.request(http.MethodGet, "/", nil)
		r.Host = host
		got := customer.send(r)
		assert.Equal(t, http.StatusMisdirectedRequest, got.status, host)
		assert.Empty(t, got.header.Get("Location"))
	}
	r := customer.request(http.MethodPost, "/verification", url.Values{"csrf": {customer.csrf("/verification")}, "way": {"redirect"}})
	r.Header.Set("X-Forwarded-Host", "evil.example")
	customer.send(r)
	assert.Equal(t, b.url+"/verification/return", b.fake.Sessions()[0].ReturnURL)
}

func TestSignInPreventsSessionFixation(t *testing.T) {
	b := newBank(t)
	at, err := url.Parse(b.url)
	require.NoError(t, err)
	customer, attacker := b.visitor(), b.visitor()
	planted := &http.Cookie{Name: "session", Value: "planted-by-an-attacker", Path: "/"}
	customer.browser.Jar.SetCookies(at, []*http.Cookie{planted})
	attacker.browser.Jar.SetCookies(at, []*http.Cookie{planted})
	customer.signIn("customer-1")
	assert.Equal(t, "Verify your identity", customer.heading())
	assert.Equal(t, http.StatusSeeOther, attacker.get("/verification").status, "the attacker is not signed in")
}

func TestSignOutAndSignInExpiry(t *testing.T) {
	b := newBank(t)
	at, err := url.Parse(b.url)
	require.NoError(t, err)
	customer, thief := b.signedIn("customer-1"), b.visitor()
	thief.browser.Jar.SetCookies(at, customer.browser.Jar.Cookies(at))
	require.Equal(t, http.StatusOK, thief.get("/verification").status)
	assert.Equal(t, http.StatusSeeOther, customer.press("/verification", "/sign-out").status)
	assert.Equal(t, http.StatusSeeOther, thief.get("/verification").status)
	expired := b.signedIn("customer-1")
	form := url.Values{"csrf": {expired.csrf("/verification")}, "way": {"redirect"}}
	b.advance(signInLifetime)
	got := expired.send(expired.request(http.MethodPost, "/verification", form))
	assert.Equal(t, http.StatusForbidden, got.status)
	assert.Contains(t, got.body, "You are no longer signed in, so your request was not processed. Please sign in again.")
	assert.Contains(t, got.body, `href="/">Go to the start page`)
	assert.Equal(t, http.StatusSeeOther, expired.get("/verification").status, "a sign-in expires after eight hours")
}

func TestSignInReplacesPrevious(t *testing.T) {
	b := newBank(t)
	at, err := url.Parse(b.url)
	require.NoError(t, err)
	customer, thief := b.signedIn("customer-1"), b.visitor()
	thief.browser.Jar.SetCookies(at, customer.browser.Jar.Cookies(at))
	form := url.Values{"csrf": {customer.csrf("/verification")}, "user": {"customer-2"}}
	require.Equal(t, http.StatusSeeOther, customer.send(customer.request(http.MethodPost, "/sign-in", form)).status)
	assert.Equal(t, http.StatusSeeOther, thief.get("/verification").status)
	assert.Equal(t, 1, b.count("sign_ins"))
}

func TestDatabaseHoldsNoCookie(t *testing.T) {
	b := newBank(t)
	at, err := url.Parse(b.url)
	require.NoError(t, err)
	cookie := b.signedIn("customer-1").browser.Jar.Cookies(at)[0].Value
	assert.Zero(t, b.count("sign_ins WHERE id = $1", []byte(cookie)))
	assert.Equal(t, 1, b.count("sign_ins WHERE id = $1", hashed(cookie)))
}

func TestDatabaseErrorNotShown(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	b.exec("DROP TABLE begins")
	got := customer.get("/verification")
	assert.Equal(t, http.StatusInternalServerError, got.status)
	assert.Contains(t, got.body, "Something went wrong on our side.")
	assert.NotContains(t, got.body, "begins")
	assert.Regexp(t, `no such table: begins|relation .*begins.* does not exist`, b.logged.String())
}

func TestHTTPSCookiesAndHeaders(t *testing.T) {
	b := newBank(t)
	c := b.server.config
	c.publicURL, c.service, c.password = "https://bank.example", true, "a-password-of-a-test" // behind a proxy
	client, err := identomat.NewClient("company-key-of-a-test")
	require.NoError(t, err)
	s, err := newServer(c, b.store, client, b.server.log)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://bank.example/", nil))
	require.Equal(t, http.StatusOK, w.Code)
	cookie := w.Result().Cookies()[0]
	assert.Equal(t, "__Host-session", cookie.Name)
	assert.True(t, cookie.Secure && cookie.HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	assert.Equal(t, "/", cookie.Path)
	assert.Empty(t, cookie.Domain)
	h := w.Result().Header
	nonce, _, _ := strings.Cut(strings.TrimPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'nonce-"), "'")
	assert.Len(t, nonce, 26)
	assert.Equal(t, "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'none'; "+
		"form-action 'self' https://widget.identomat.com; base-uri 'none'; frame-ancestors 'none'", h.Get("Content-Security-Policy"))
	for name, want := range map[string]string{
		"Strict-Transport-Security": "max-age=63072000; includeSubDomains", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Referrer-Policy": "same-origin", "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		assert.Equal(t, want, h.Get(name), name)
	}

	csrf := csrfField.FindStringSubmatch(w.Body.String())[1]
	for password, status := range map[string]int{"": 403, "wrong": 403, "a-password-of-a-test": 303} {
		r := httptest.NewRequest(http.MethodPost, "https://bank.example/sign-in",
			strings.NewReader(url.Values{"csrf": {csrf}, "user": {"reviewer-1"}, "password": {password}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, "password %q", password)
	}
}

// The review desk.

// newReview returns a bank with an approved verification, a signed-in reviewer, and the session's
// token.
func newReview(t *testing.T) (*bank, *person, identomat.Token) {
	t.Helper()
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	require.NoError(t, b.fake.Approve(token))
	b.work()
	return b, b.signedIn("reviewer-1"), token
}

func TestReviewShowsEvidenceAndAudits(t *testing.T) {
	b, reviewer, _ := newReview(t)
	assert.Contains(t, reviewer.get("/review").body, `<span class="state state-approved">Approved</span>`)
	page := reviewer.get("/review/1")
	for _, text := range []string{"<dd>John</dd>", "<dd>Smith</dd>", "<dd>AB0002261</dd>", "<strong>90%</strong>", "<dd>confirmed</dd>", "<dd>fields match</dd>", "<dd>identity card</dd>", `src="/review/1/image/card-front"`, `<a href="/review/1/image/card-front" target="_blank">`,
		"<dt>Born</dt><dd>1980-01-08</dd>", "<dt>Document expires</dt><dd>2031-06-28</dd>"} {
		assert.Contains(t, page.body, text)
	}
	assert.NotContains(t, page.body, "Waiting for a decision")
	for _, name := range []string{"face", "document-face", "card-front", "card-back"} {
		got := reviewer.get("/review/1/image/" + name)
		require.Equal(t, 200, got.status, name)
		assert.True(t, strings.HasPrefix(got.body, "\xff\xd8\xff"), name)
		assert.Equal(t, "image/jpeg", got.header.Get("Content-Type"))
		assert.Equal(t, strconv.Itoa(len(got.body)), got.header.Get("Content-Length"))
		assert.Equal(t, `inline; filename="verification-1-`+name+`.jpg"`, got.header.Get("Content-Disposition"))
		assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		assert.Equal(t, "default-src 'none'; sandbox; frame-ancestors 'none'; style-src 'unsafe-inline'", got.header.Get("Content-Security-Policy"))
	}
	pdf := reviewer.get("/review/1/pdf")
	assert.Equal(t, "application/pdf", pdf.header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="verification-1.pdf"`, pdf.header.Get("Content-Disposition"))
	assert.True(t, strings.HasPrefix(pdf.body, "%PDF-"))

	assert.Equal(t, 1, b.count("audit WHERE who = 'reviewer-1' AND verification = 1 AND action = 'opened the image: face'"))
	assert.Equal(t, 1, b.count("audit WHERE action = 'downloaded the PDF'"))
	assert.Equal(t, "default-src 'none'; sandbox; frame-ancestors 'none'", pdf.header.Get("Content-Security-Policy"))
	assert.Equal(t, 6, b.count("audit"))

	assert.NotContains(t, page.body, "There are older entries")
	b.exec(`INSERT INTO audit (at, who, action, verification) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT 0, 'reviewer-2', 'visited', 1 FROM n`, maxAuditEntries)
	assert.Contains(t, reviewer.get("/review/1").body, "There are older entries", "a truncated list must not look complete")
}

func TestAuditTellsOpeningFromLoading(t *testing.T) {
	b, reviewer, _ := newReview(t)
	reviewer.get("/review/1")
	for _, destination := range []string{"image", "document", ""} {
		r := reviewer.request(http.MethodGet, "/review/1/image/face", nil)
		r.Header.Set("Sec-Fetch-Dest", destination)
		require.Equal(t, http.StatusOK, reviewer.send(r).status)
	}
	assert.Equal(t, 1, b.count("audit WHERE action = 'loaded with the page: face'"))
	assert.Equal(t, 2, b.count("audit WHERE action = 'opened the image: face'"), "a request that does not say counts as opened")
	page := reviewer.get("/review/1").body
	assert.Contains(t, page, ` opened the image: face (2 times)</li>`)
	assert.Contains(t, page, `<p class="small">Loaded with the page: face.</p>`)
}

func TestAuditGroupedByVisit(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 9, minute, 0, 0, time.UTC) }
	assert.Equal(t, []visit{
		{"reviewer-2", at(41), []action{{at(41), "opened", 2}}, nil},
		{"reviewer-1", at(40), []action{{at(40), "opened", 2}, {at(42), "decided", 1}}, []string{"face", "passport"}},
		{"reviewer-1", at(5), []action{{at(5), "opened", 1}}, nil},
	}, visits([]auditEntry{
		{at(44), "reviewer-2", "opened"}, {at(43), "reviewer-1", "opened"}, {at(42), "reviewer-1", "decided"}, {at(41), "reviewer-2", "opened"},
		{at(40), "reviewer-1", loadedImage + "passport"}, {at(40), "reviewer-1", loadedImage + "face"}, {at(40), "reviewer-1", "opened"},
		{at(5), "reviewer-1", "opened"},
	}))
}

func TestEachSimilarityShownOnceWithSourceAndTime(t *testing.T) {
	b, reviewer, _ := newReview(t)
	reviewer.press("/review", "/review/1/comparison")
	page := reviewer.get("/review/1").body
	assert.Equal(t, 2, strings.Count(page, "%</strong>"))
	const made = ` on \d+ \w+ \d{4}, \d\d:\d\d UTC\.</span>`
	assert.Regexp(t, `<dt>In Identomat's result</dt><dd><strong>90%</strong> <span class="small">Read`+made, page)
	assert.Regexp(t, `<dt>Compared again for the bank</dt><dd><strong>100%</strong> <span class="small">Requested by reviewer-1`+made, page)
	assert.Contains(t, page, "Neither of them decides the verification.")
	b.fake.Fault("result/", identomattest.HTTPStatus(503), 0)
	assert.NotContains(t, reviewer.get("/review/1").body, "90%", "Identomat's figure is not stored")
}

func TestNonImageNotServed(t *testing.T) {
	b, reviewer, token := newReview(t)
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	for name, test := range map[string]struct {
		contentType, data string
	}{
		"HTML":                  {"text/html", "<!DOCTYPE html><script>alert(1)</script>"},
		"HTML declared as JPEG": {"image/jpeg", "<!DOCTYPE html><script>alert(1)</script>"},
		"SVG":                   {"image/svg+xml", svg},
		"SVG with XML header":   {"image/svg+xml", `<?xml version="1.0"?>` + svg},
		"error with status 200": {"image/jpeg", `"SESSION_NOT_FOUND"`},
		"PDF":                   {"image/jpeg", "%PDF-1.4\n1 0 obj\n"},
		"script":                {"application/javascript", "alert(1)"},
		"GIF":                   {"image/gif", "GIF89a\x01\x00\x01\x00\x00\x00\x00;"},
		"empty":                 {"image/jpeg", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, b.fake.SetMedia(token, "result/face/", test.contentType, []byte(test.data)))
			got := reviewer.get("/review/1/image/face")
			assert.Contains(t, []int{404, 502}, got.status)
			assert.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
			assert.Regexp(t, "Identomat (did not send the|has no such) image", got.body)
			assert.NotContains(t, got.body, "alert")
			assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		})
	}
}

func TestBrokenImageAndPDF(t *testing.T) {
	b, reviewer, token := newReview(t)
	for name, fault := range map[string]identomattest.Fault{
		"truncated": identomattest.Truncated(700), "reset": identomattest.ResetAfterRead(),
		"error page": identomattest.HTMLPage(502), "no such media": identomattest.Response(404, "application/json", `{"argumentError":"not-found"}`),
	} {
		b.fake.Fault("result/face/", fault, 0)
		got := reviewer.get("/review/1/image/face")
		assert.Contains(t, []int{404, 502}, got.status, name)
		assert.NotContains(t, got.body, "JFIF", name)
		b.fake.ClearFaults()
	}
	b.fake.Fault("export-session-as-pdf", identomattest.HTMLPage(200), 0)
	got := reviewer.get("/review/1/pdf")
	assert.Equal(t, http.StatusBadGateway, got.status)
	assert.Contains(t, got.body, "Identomat did not send the PDF.")
	b.fake.ClearFaults()
	require.NoError(t, b.fake.SetMedia(token, "export-session-as-pdf", "application/pdf", []byte("%PDF-1.4\n"+strings.Repeat("x", 1<<20))))
	b.fake.Fault("export-session-as-pdf", identomattest.Truncated(600<<10), 0)
	resp, err := reviewer.browser.Do(reviewer.request(http.MethodGet, "/review/1/pdf", nil))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	assert.Error(t, err, "a truncated PDF must not look complete")
}

func TestTruncatedOrUnsignedImageNotServed(t *testing.T) {
	b, reviewer, token := newReview(t)
	b.server.client = b.fake.Client(fastRetry, identomat.WithHMAC(b.fake.SecretKey, identomat.RequireSignedResponses()))
	image := "\xff\xd8\xff\xe0\x00\x10JFIF\x00" + strings.Repeat("x", 100<<10)
	require.NoError(t, b.fake.SetMedia(token, "result/face/", "image/jpeg", []byte(image)))
	require.Equal(t, image, reviewer.get("/review/1/image/face").body)
	for name, fault := range map[string]identomattest.Fault{"truncated": identomattest.Truncated(50 << 10), "wrong signature": identomattest.WrongSignature()} {
		b.fake.Fault("result/face/", fault, 0)
		got := reviewer.get("/review/1/image/face")
		assert.Equal(t, http.StatusBadGateway, got.status, name)
		assert.NotContains(t, got.body, "JFIF", name)
		b.fake.ClearFaults()
	}
}

func TestNonPDFNotServed(t *testing.T) {
	b, reviewer, token := newReview(t)
	for _, data := range []string{"<!DOCTYPE html><script>alert(1)</script>", "\xff\xd8\xff\xe0\x00\x10JFIF\x00", "alert(1)", "PK\x03\x04"} {
		require.NoError(t, b.fake.SetMedia(token, "export-session-as-pdf", "application/pdf", []byte(data)))
		got := reviewer.get("/review/1/pdf")
		assert.Equal(t, http.StatusBadGateway, got.status, "%q", data)
		assert.NotContains(t, got.body, data)
	}
}

func TestErasingVerificationNotAccessible(t *testing.T) {
	b, reviewer, _ := newReview(t)
	b.fake.Fault("delete/", identomattest.TooManyRequests(time.Hour), 0)
	require.NoError(t, b.store.requestErasure(t.Context(), "customer-1"))
	b.work()
	before := len(b.fake.Requests())
	for _, path := range []string{"/review/1/image/face", "/review/1/pdf", "/review/1/evidence"} {
		assert.Equal(t, http.StatusConflict, reviewer.get(path).status, path)
	}
	for _, action := range []string{"screening", "comparison", "person", "erasure"} {
		assert.Equal(t, http.StatusConflict, reviewer.press("/review", "/review/1/"+action, "person", "67137933a2176f0797f1e601").status, action)
	}
	assert.NotContains(t, reviewer.get("/review/1").body, "Smith")
	assert.Len(t, b.fake.Requests(), before)
	assert.Zero(t, b.count("audit"))
}

func TestTruncatedChunkedPDF(t *testing.T) {
	b, reviewer, _ := newReview(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/export-session-as-pdf", r.URL.Path)
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = io.WriteString(w, "%PDF-1.4\n"+strings.Repeat("x", 1<<20)) // chunked, without a Content-Length
		panic(http.ErrAbortHandler)
	}))
	defer service.Close()
	b.server.client = b.fake.Client(fastRetry, identomat.WithAPIURL(service.URL))
	resp, err := reviewer.browser.Do(reviewer.request(http.MethodGet, "/review/1/pdf", nil))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestPDFWithWrongSignature(t *testing.T) {
	b, reviewer, token := newReview(t)
	b.server.client = b.fake.Client(fastRetry, identomat.WithHMAC(b.fake.SecretKey, identomat.RequireSignedResponses()))
	for _, size := range []int{1, 100, 3000, 5000, 100 << 10} {
		want := "%PDF-1.4\n" + strings.Repeat("x", size)
		require.NoError(t, b.fake.SetMedia(token, "export-session-as-pdf", "application/pdf", []byte(want)))
		assert.Equal(t, want, reviewer.get("/review/1/pdf").body)
		b.fake.Fault("export-session-as-pdf", identomattest.WrongSignature(), 1)
		resp, err := reviewer.browser.Do(reviewer.request(http.MethodGet, "/review/1/pdf", nil))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		assert.True(t, err != nil || resp.StatusCode == http.StatusBadGateway, "%d bytes with a wrong signature", size)
	}
}

func TestReviewReportsServiceErrors(t *testing.T) {
	b, reviewer, _ := newReview(t)
	b.fake.Fault("search-screening-person", identomattest.HTTPStatus(503), 0)
	b.fake.Fault("compare-faces", identomattest.HTTPStatus(503), 0)
	for _, action := range []string{"screening", "comparison"} {
		got := reviewer.press("/review", "/review/1/"+action)
		assert.Equal(t, http.StatusBadGateway, got.status, action)
		assert.Contains(t, got.body, "Identomat did not respond.", action)
		assert.NotContains(t, reviewer.get("/review/1").body, "No hits.", "an error must not look like an empty list")
	}
	assert.Zero(t, b.count("checks"))
	b.fake.ClearFaults()
	b.fake.Fault("result/face/", identomattest.ErrorCode("FACE_PHOTO_NOT_FOUND"), 0)
	got := reviewer.press("/review", "/review/1/comparison")
	assert.Equal(t, http.StatusConflict, got.status)
	assert.Contains(t, got.body, "is missing there", "a retry would not help")
	reviewer.press("/review", "/review/1/screening")
	b.fake.Fault("result/", identomattest.HTTPStatus(503), 0)
	page := reviewer.get("/review/1").body
	assert.Contains(t, page, "Identomat is not responding at the moment.")
	assert.Contains(t, page, "approved", "the bank's own records are shown")
	assert.Contains(t, page, `form="of-hit"`)
	assert.Contains(t, page, `id="of-hit"`, "the buttons have their form")
	b.fake.Reset()
	assert.Contains(t, reviewer.get("/review/1").body, "Identomat no longer has this session")
	assert.Equal(t, http.StatusNotFound, reviewer.get("/review/1/image/face").status)
	assert.Equal(t, http.StatusNotFound, reviewer.get("/review/1/pdf").status)
	assert.Equal(t, 1, b.count("accounts"))
}

// hitID is the ID of one of the fake's hits. Another hit has the same name.
const hitID = "67137933a2176f0797f1e601"

func TestChecksShownTogetherAndBilledOnce(t *testing.T) {
	b, reviewer, _ := newReview(t)
	page := reviewer.get("/review/1").body
	assert.NotContains(t, page, "Compared again")
	assert.Equal(t, http.StatusNotFound, reviewer.press("/review", "/review/01/comparison").status, "another spelling would run beside the first")
	assert.NotContains(t, page, "No hits.")
	assert.Equal(t, "/review/1#face", reviewer.press("/review", "/review/1/comparison").header.Get("Location"))
	b.advance(time.Hour)
	other := b.signedIn("reviewer-1")
	assert.Equal(t, "/review/1#lists", other.press("/review", "/review/1/screening").header.Get("Location"))
	b.exec("UPDATE checks SET who = 'reviewer-2' WHERE kind = 'screening'")
	billed := countRequests(b.fake, "search-screening-person")
	for range 3 { // reloads
		page = reviewer.get("/review/1").body
		assert.Contains(t, page, "<dt>Compared again for the bank</dt><dd><strong>100%</strong>")
		assert.Equal(t, 2, strings.Count(page, "<strong>John SMITH</strong>, score 100"))
	}
	checks, err := b.store.checks(t.Context(), 1)
	require.NoError(t, err)
	for kind, who := range map[string]string{"comparison": "reviewer-1", "screening": "reviewer-2"} {
		assert.Contains(t, page, "Requested by "+who+" on "+checks[kind].At.UTC().Format("2 January 2006, 15:04 MST")+".")
	}
	assert.Equal(t, time.Hour, checks["screening"].At.Sub(checks["comparison"].At).Round(time.Minute))
	assert.Equal(t, 1, countRequests(b.fake, "compare-faces"))
	assert.Equal(t, billed, countRequests(b.fake, "search-screening-person"))
	assert.Contains(t, page, "searched the sanctions lists")

	b.fake.Fault("result/", identomattest.HTTPStatus(503), 0)
	assert.Contains(t, reviewer.get("/review/1").body, "Compared again", "the check is stored")
}

func TestHitDetails(t *testing.T) {
	b, reviewer, _ := newReview(t)
	assert.Equal(t, http.StatusNotFound, reviewer.press("/review", "/review/1/person", "person", hitID).status, "the hit has not been found yet")
	reviewer.press("/review", "/review/1/screening")
	for _, id := range []string{"", "67137933a2176f0797f1e604", "%"} {
		assert.Equal(t, http.StatusNotFound, reviewer.press("/review", "/review/1/person", "person", id).status, id)
	}
	assert.Zero(t, countRequests(b.fake, "get-screening-person-details"))
	page := reviewer.follow(reviewer.press("/review", "/review/1/person", "person", hitID)).body
	for _, text := range []string{"<dd>John Doe Smith</dd>", "<dt>Born</dt><dd>1952-10-07</dd>", "<dt>Nationality</dt><dd>US</dd>",
		`<span class="small">Alias:</span> John Smith`, "(2012-); chairperson", `<span class="small">Source Url:</span> https://sanctions.example/list/1`, "<dd>Office of Invented Sanctions<br>"} {
		assert.Contains(t, page, text)
	}
	assert.NotContains(t, page, "Program:", "an empty property is not shown")
	assert.Equal(t, 1, strings.Count(page, `name="person"`), "the details of the other hit can be requested")
	page = reviewer.follow(reviewer.press("/review", "/review/1/person", "person", "67137933a2176f0797f1e602")).body
	assert.Contains(t, page, "<dt>Born</dt><dd>1952-10-07</dd>")
	assert.Contains(t, page, "<dt>Born</dt><dd>1983-04-21</dd>")
	assert.Equal(t, 2, countRequests(b.fake, "get-screening-person-details"))
	assert.Equal(t, 2, b.count("audit WHERE action = 'viewed the details of a hit'")-4, "besides the four refused requests")
}

func TestResultHitDetails(t *testing.T) {
	b, reviewer, token := newReview(t)
	require.NoError(t, b.fake.SetResult(token, `{"result":"approved","screeningMatches":[{"score":93,"name":"John SMITH","personId":"`+hitID+`","reviewStatus":"unreviewed"}]}`))
	assert.Contains(t, reviewer.get("/review/1").body, `<strong>John SMITH</strong>, score 93 <span class="state">unreviewed</span>`)
	assert.Contains(t, reviewer.follow(reviewer.press("/review", "/review/1/person", "person", hitID)).body, "<dt>Born</dt><dd>1952-10-07</dd>")
}

func TestScreeningShowsExclusions(t *testing.T) {
	b, reviewer, token := newReview(t)
	query := func() string {
		all := b.fake.Requests()
		for i := range all {
			if r := all[len(all)-1-i]; r.Operation == "search-screening-person" {
				return fmt.Sprint(r.Parameters["query"])
			}
		}
		return ""
	}
	page := reviewer.follow(reviewer.press("/review", "/review/1/screening")).body
	assert.NotContains(t, query(), "birthdayTimeFrom")
	assert.Contains(t, page, "<h3>Search for John Smith</h3>")
	assert.Contains(t, page, "Hits with a score below 80 of 100 were excluded.")
	assert.Equal(t, 2, strings.Count(page, "<strong>John SMITH</strong>"))
	page = reviewer.follow(reviewer.press("/review", "/review/1/screening", "bounded", "1")).body
	assert.Contains(t, query(), "1980-01-01", "for many people, the lists have only the year")
	assert.Contains(t, page, "<h3>Search for John Smith, born in 1980 or later</h3>")
	assert.Contains(t, page, "People born before 1980 were excluded.")
	assert.Equal(t, 1, strings.Count(page, "<strong>John SMITH</strong>"))

	require.NoError(t, b.fake.SetResult(token, `{"result":"approved","person":{"first_name":"John","last_name":"Smith","birthday":"about 1980","birthday_time":"?"}}`))
	page = reviewer.get("/review/1").body
	assert.Contains(t, page, "<dt>Born</dt><dd>about 1980</dd>", "the printed text")
	assert.NotContains(t, page, `name="bounded"`)
	assert.Equal(t, http.StatusConflict, reviewer.press("/review", "/review/1/screening", "bounded", "1").status)
}

func TestCheckNotSavedDuringErasure(t *testing.T) {
	b, _, _ := newReview(t)
	require.NoError(t, b.store.requestErasure(t.Context(), "customer-1"))
	require.NoError(t, b.store.saveCheck(t.Context(), 1, "screening", "reviewer-1", []byte(`{"Name":"Somebody Searched"}`)))
	assert.Zero(t, b.count("checks"))
	b.work()
	require.NoError(t, b.store.saveCheck(t.Context(), 1, "screening", "reviewer-1", []byte(`{"Name":"Somebody Searched"}`)))
	assert.Zero(t, b.count("checks"))
}

func TestCheckSavedWhenReviewerLeaves(t *testing.T) {
	b, reviewer, _ := newReview(t)
	form := url.Values{"csrf": {reviewer.csrf("/review")}}
	b.fake.Fault("search-screening-person", identomattest.SlowHeaders(0), 1)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		resp, err := reviewer.browser.Do(reviewer.request(http.MethodPost, "/review/1/screening", form).WithContext(ctx))
		if err == nil {
			_ = resp.Body.Close()
		}
		left <- err
	}()
	require.Eventually(t, func() bool { return hasResponse(b.fake, "search-screening-person") }, testTimeout, time.Millisecond)
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	second := reviewer.press("/review", "/review/1/screening")
	assert.Equal(t, http.StatusConflict, second.status, "pressing the button twice is billed once")
	assert.Contains(t, second.body, `<a class="button" href="/review/1">Back to the verification</a>`)
	assert.Equal(t, 1, countRequests(b.fake, "search-screening-person"))
	b.fake.Release()
	require.Eventually(t, func() bool { return b.count("checks") == 1 }, testTimeout, time.Millisecond, "a billed response is stored")
	require.Eventually(t, func() bool {
		return reviewer.press("/review", "/review/1/screening").status == http.StatusSeeOther
	}, testTimeout, time.Millisecond, "the check can be repeated")
}

func TestScreeningHitsLimited(t *testing.T) {
	b, reviewer, _ := newReview(t)
	var searches atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := searches.Add(1)
		w.Header().Set("Content-Type", "application/json")
		hits := make([]string, 100)
		for i := range hits {
			hits[i] = fmt.Sprintf(`{"score":90,"name":"NAMESAKE","personId":"%d-%d","entityType":"person","topics":["Politician"]}`, page, i)
		}
		_, _ = fmt.Fprintf(w, `{"result":[%s]}`, strings.Join(hits, ","))
	}))
	defer service.Close()
	b.server.client = b.fake.Client(fastRetry, identomat.WithAPIURL(service.URL))
	page := reviewer.follow(reviewer.press("/review", "/review/1/screening")).body
	assert.Equal(t, maxHits, strings.Count(page, "<strong>NAMESAKE</strong>"))
	assert.Contains(t, page, "There are more hits.")
	assert.EqualValues(t, 1, searches.Load())
}

func TestReviewerDecidesOnce(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	token := customer.begin()
	early := reviewer.press("/review", "/review/1/decision", "outcome", "approved")
	assert.Equal(t, http.StatusConflict, early.status, "a reviewer cannot approve before Identomat leaves the decision to the bank")
	require.NoError(t, b.fake.ManualCheck(token))
	b.work()
	assert.Equal(t, "We are reviewing your details", customer.heading())
	for _, outcome := range []string{"", "expired", "in_progress", "Approved"} {
		assert.Equal(t, http.StatusBadRequest, reviewer.press("/review", "/review/1/decision", "outcome", outcome).status)
	}
	assert.Equal(t, http.StatusSeeOther, reviewer.press("/review", "/review/1/decision", "outcome", "rejected").status)
	assert.Equal(t, http.StatusConflict, reviewer.press("/review", "/review/1/decision", "outcome", "approved").status)
	require.NoError(t, b.fake.Approve(token)) // after the reviewer's decision
	b.work()
	assert.Contains(t, customer.get("/verification").body, "A member of our staff reviewed your details")
	assert.Zero(t, b.count("accounts"))
	assert.Equal(t, 1, b.count("outcomes WHERE decided_by = 'reviewer-1' AND outcome = 'rejected'"))
}

func TestDecisionAndAuditEntryAtomic(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	require.NoError(t, b.fake.ManualCheck(customer.begin()))
	b.work()
	b.exec(`CREATE UNIQUE INDEX disk_full ON audit (verification)`) // makes a second entry fail
	require.NoError(t, b.store.audit(t.Context(), "reviewer-1", "opened", 1))
	assert.Equal(t, http.StatusInternalServerError, reviewer.press("/review", "/review/1/decision", "outcome", "approved").status)
	assert.Equal(t, manualCheck, b.latest("customer-1").State)
	assert.Zero(t, b.count("accounts"))
	b.exec("DROP INDEX disk_full")
	for range 2 { // the reviewer presses the button twice
		got := reviewer.press("/review", "/review/1/decision", "outcome", "approved")
		assert.Equal(t, "/review/1", got.header.Get("Location"))
	}
	assert.Equal(t, 1, b.count("audit WHERE who = 'reviewer-1' AND action = 'decided: approved'"))
	assert.Equal(t, 1, b.count("accounts"))
}

func TestErasingVerificationNotDecided(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	require.NoError(t, b.fake.ManualCheck(customer.begin()))
	b.work()
	b.fake.Fault("delete/", identomattest.TooManyRequests(time.Hour), 0)
	customer.press("/erase", "/erase")
	got := reviewer.press("/review", "/review/1/decision", "outcome", "approved")
	assert.Equal(t, http.StatusConflict, got.status)
	assert.Contains(t, got.body, "is being erased")
	assert.Zero(t, b.count("accounts"))
}

func TestListShowsManualChecksFirst(t *testing.T) {
	b := newBank(t)
	reviewer := b.signedIn("reviewer-1")
	for i, decide := range []func(identomat.Token, ...identomattest.DecisionOption) error{b.fake.ManualCheck, b.fake.ManualCheck, b.fake.Approve} {
		require.NoError(t, decide(b.signedIn(users[i].ID).begin()))
	}
	b.work()
	page := reviewer.get("/review").body
	var order []int
	for id := range 3 {
		order = append(order, strings.Index(page, fmt.Sprintf(`href="/review/%d"`, id+1)))
	}
	assert.IsIncreasing(t, order, "manual checks come first, oldest first, and then the decided verification")
	list, err := b.store.list(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, int64(1), list[0].ID, "the limit keeps the oldest manual check")
}

func TestIdentomatSettlesManualCheck(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	token := customer.begin()
	require.NoError(t, b.fake.ManualCheck(token))
	b.work()
	b.advance(24 * time.Hour)
	b.work()
	assert.Equal(t, manualCheck, b.latest("customer-1").State, "a manual check does not expire")
	reviewer := b.signedIn("reviewer-1")
	assert.Contains(t, reviewer.get("/review/1").body, `value="approved">Approve`)
	require.NoError(t, b.fake.SetCallbackURL(b.url+"/lost")) // callbacks are lost
	require.NoError(t, b.fake.Approve(token))
	page := reviewer.get("/review/1").body
	assert.Contains(t, page, "Identomat has decided this verification in the meantime.")
	assert.NotContains(t, page, `value="approved">Approve`, "there is nothing left to decide")
	b.work()
	assert.Equal(t, approved, b.latest("customer-1").State)
	assert.Equal(t, 1, b.count("accounts"))
}
