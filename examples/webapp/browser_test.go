package main

import (
	"archive/zip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/browser"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// tab is a browser tab with helpers for the bank's pages.
type tab struct{ browser.Tab }

// click clicks the button or link with this text.
func (b tab) click(text string) {
	b.Helper()
	b.Follow(chromedp.Click(chromedp.Search(fmt.Sprintf(`//button[normalize-space()=%q] | //a[normalize-space()=%[1]q]`, text))))
}

// expect waits for a heading, because pages update themselves, and then checks the page.
func (b tab) expect(want, picture string) {
	b.Helper()
	b.Do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//h1[normalize-space()=%q]`, want))))
	b.check(picture)
}

// check takes screenshots and checks the accessibility of the page.
func (b tab) check(picture string) {
	b.Helper()
	b.Look(picture)
	b.Named()
	b.Readable()
	assert.Equal(b, "1", b.Eval(`document.querySelectorAll("h1").length`), picture)
	assert.Equal(b, "en", b.Eval(`document.documentElement.lang`))
	assert.Equal(b, "1 1 1", b.Eval(`["main", "body > header", "footer"].map((s) => document.querySelectorAll(s).length).join(" ")`), "landmarks")
	assert.Equal(b, "true", b.Eval(`document.title.endsWith(" · Example Bank")`))
	assert.Equal(b, "true", b.Eval(`[...document.querySelectorAll("button, .button, select, input:not([type=hidden])")].every((e) => (e.closest("label") ?? e).getBoundingClientRect().height >= 44)`),
		"controls are large enough for touch")
}

// openBrowser starts a bank and opens a tab. The bank and the widget are on different sites, as in
// production.
func openBrowser(t *testing.T) (*bank, tab) {
	t.Helper()
	b := tab{browser.Open(t)} // first: skips the test if Chromium is missing
	return openBank(t, "localhost"), b
}

func (b tab) signIn(at, name string) {
	b.Helper()
	b.Visit(at)
	b.Do(chromedp.SetValue(chromedp.CSS(`#user`), name))
	b.click("Sign in")
}

func TestBrowserRedirectAndErasure(t *testing.T) {
	bank, b := openBrowser(t)
	b.Visit(bank.url)
	b.expect("Open an account with Example Bank", "01-sign-in")
	b.signIn(bank.url, "customer-1")
	b.expect("Verify your identity", "02-start")
	b.click("Start on Identomat's page")
	require.Contains(t, b.Eval("location.href"), bank.fake.WidgetURL, "the browser is on the partner's page")
	b.Press("action", "finish")
	b.Visit(bank.url)
	b.expect("Your verification is not finished", "03-not-finished")
	assert.Equal(t, "Done: Start", b.Eval(`document.querySelector(".steps .done").textContent`), "the state has a text for screen readers")
	assert.Regexp(t, `You have until [A-Z][a-z]{2} \d+, \d{4}, \d+:\d\d\s[AP]M\.`, b.Text("main"), "in the browser's time zone and format")
	b.click("Continue")
	b.Press("decision", "reject")
	b.expect("We could not verify your identity", "04-rejected")
	assert.Equal(t, bank.url+"/verification", b.Eval("location.href"), "the address has no token")
	assert.Contains(t, b.Text("main"), "Your face could not be matched with the photo on your document.")
	b.click("Try again on Identomat's page")
	b.Press("action", "finish")
	b.Press("decision", "approve")
	b.expect("Your account is open", "05-approved")
	assert.Equal(t, 1, bank.count("accounts"))
	assert.Equal(t, 2, countRequests(bank.fake, "begin/"))
	b.click("Erase my data")
	b.expect("Erase my data", "06-erase")
	b.click("Erase everything")
	b.expect("Your data has been erased", "07-erased")
	assert.Empty(t, bank.fake.Sessions())
	assert.Zero(t, bank.count("verifications"))
	b.click("Go to the start page")
	assert.Equal(t, "Verify your identity", b.Text("h1"))
	b.click("Sign out")
	assert.Equal(t, "Open an account with Example Bank", b.Text("h1"))
}

func TestBrowserIframeAndManualCheck(t *testing.T) {
	bank, b := openBrowser(t)
	b.signIn(bank.url, "customer-2")
	b.click("Start on this page")
	b.WaitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]") !== null`)
	b.check("10-iframe")
	for feature, want := range map[string]string{"camera": "true", "microphone": "false", "geolocation": "false"} {
		out, err := b.InFrame(bank.fake.WidgetURL, `document.featurePolicy.allowsFeature("`+feature+`")`)
		require.NoError(t, err)
		assert.Equal(t, want, out, "whether the widget may use %s", feature)
	}
	_, err := b.InFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]").click()`)
	require.NoError(t, err)
	b.WaitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=manual_check]") !== null`)
	_, err = b.InFrame(bank.fake.WidgetURL, `document.querySelector("button[value=manual_check]").click()`)
	require.NoError(t, err)
	b.expect("We are reviewing your details", "11-manual-check")
	assert.Equal(t, bank.url+"/verification", b.Eval("location.href"))

	b.click("Sign out")
	b.signIn(bank.url, "reviewer-1")
	b.expect("Verifications", "12-list")
	b.Follow(chromedp.Click(chromedp.CSS(`.rows a`)))
	assert.Contains(t, b.Text("#decide"), "Identomat leaves this decision to you.")
	assert.Equal(t, "Images", b.Text("section h2"), "the images come first")
	b.check("13-to-decide")
	b.decisionInSight()
	b.click("Approve")
	assert.Equal(t, "Approved", b.Text(".state"))
	b.click("Sign out")
	b.signIn(bank.url, "customer-2")
	assert.Equal(t, "Your account is open", b.Text("h1"))
}

// decisionInSight checks that the buttons of the decision are visible wherever the page is scrolled, and cover nothing:
// neither the end of the page nor what has the focus.
func (b tab) decisionInSight() {
	b.Helper()
	const top = `document.querySelector(".decision").getBoundingClientRect().top`
	for _, screen := range browser.Screens {
		b.Resize(screen)
		for _, position := range []string{"0", "(document.documentElement.scrollHeight - innerHeight) / 2", "document.documentElement.scrollHeight"} {
			b.Eval(`scrollTo(0, ` + position + `)`)
			assert.Equal(b, "true", b.Eval(`[...document.querySelectorAll(".decision button")].every((e) => { const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; })`),
				"%d wide, scrolled to %s", screen.Width, position)
			if strings.Contains(position, "/") {
				b.Capture("14-decision-in-sight", screen)
			}
		}
		assert.Equal(b, "true", b.Eval(`document.querySelector("[aria-labelledby=audit]").getBoundingClientRect().bottom <= `+top))
		assert.Equal(b, "true", b.Eval(top+` > innerHeight / 2`), "the decision leaves space for the evidence")
		assert.Empty(b, b.Eval(`[...document.querySelectorAll("main a, main input:not([type=hidden]), main section:not(.decision) button")].filter((e) => {
			scrollTo(0, 0); e.focus(); return e.getBoundingClientRect().bottom > `+top+`; }).map((e) => e.textContent)`), "what has the focus is not covered")
	}
}

func TestBrowserReview(t *testing.T) {
	bank, b := openBrowser(t)
	customer := bank.signedIn("customer-1")
	token := customer.begin()
	require.NoError(t, bank.fake.Approve(token))
	require.Eventually(t, func() bool { return bank.count("accounts") == 1 }, testTimeout, 5*time.Millisecond)
	bank.signedIn("customer-2").begin()
	b.signIn(bank.url, "reviewer-1")
	b.expect("Verifications", "20-list")
	assert.Equal(t, "2 of 2", b.Eval(`[...document.querySelectorAll(".rows li")].filter((row) => {
		const link = row.querySelector("a").getBoundingClientRect(), whole = row.getBoundingClientRect();
		return Math.abs(link.width - whole.width) < 1 && Math.abs(link.height - whole.height) <= 1; }).length + " of " + document.querySelectorAll(".rows li").length`),
		"the whole row is a link")
	assert.Regexp(t, `^Customer 2 In progress customer-2, verification 2 started on .* UTC\|Customer 1 Approved customer-1, verification 1 started on .* UTC$`,
		b.Eval(`[...document.querySelectorAll(".rows a")].map((a) => a.textContent.trim()).join("|")`), "the names of the links")
	b.Follow(chromedp.Click(chromedp.Search(`//li/a[contains(., "customer-1")]`)))
	b.click("Search the sanctions lists")
	assert.Equal(t, "#lists", b.Eval(`location.hash`), "the page scrolls to the result")
	b.click("Details of John SMITH")
	b.click("Compare the faces again")
	assert.Equal(t, bank.url+"/review/1#face", b.Eval(`location.href`))
	billed := func() (n int) {
		for _, operation := range []string{"search-screening-person", "get-screening-person-details", "compare-faces"} {
			n += countRequests(bank.fake, operation)
		}
		return n
	}
	before := billed()
	b.Follow(chromedp.Reload())
	for _, text := range []string{"John SMITH, score 100", "1952-10-07", "Compared again for the bank"} {
		assert.Contains(t, b.Text("main"), text, "all results are shown together, even after a reload")
	}
	assert.Equal(t, before, billed())
	const complete = `[...document.querySelectorAll("figure img")].every((i) => i.complete && i.naturalWidth > 0)`
	b.Poll(complete)
	assert.Equal(t, "4", b.Eval(`document.querySelectorAll("figure img").length`))
	b.check("21-review")
	b.Do(chromedp.Evaluate[chromedp.Void](`void fetch(document.querySelector("a[href$=pdf]").href).then(async (r) => { document.title = r.headers.get("content-type") + " " + (await r.text()).slice(0, 5); })`))
	b.Poll(`document.title.startsWith("application/pdf")`)
	assert.Equal(t, "application/pdf %PDF-", b.Eval(`document.title`))

	require.NoError(t, bank.fake.SetMedia(token, "result/face/", "text/html", []byte("<script>alert(1)</script>")))
	require.NoError(t, bank.fake.SetMedia(token, "result/card-back/", "image/jpeg", []byte(`"SESSION_NOT_FOUND"`)))
	b.Visit(bank.url + "/review/1")
	b.Poll(`document.querySelectorAll(".missing").length === 2`)
	b.Poll(complete)
	assert.Equal(t, "Face: not available|Back of the document: not available", b.Eval(`[...document.querySelectorAll(".missing")].map((e) => e.innerText).join("|")`))
	b.check("22-review-missing")
	b.Visit(bank.url + "/review/1/image/face")
	assert.Equal(t, "That did not work", b.Text("h1"), "opening the image shows the reason")
	b.Visit(bank.url + "/review/1/image/card-front") // the console would report a violation of the policy
	const long = "Hubertwolfeschlegelsteinhausenbergerdorff"
	require.NoError(t, bank.fake.SetResult(token, `{"result":"approved","person":{"first_name":"`+long+long+`"},"screeningMatches":[{"score":93,"name":"`+long+long+`","personId":"1"}]}`))
	b.Visit(bank.url + "/review/1")
	b.click("Search the sanctions lists")
	b.check("24-review-long-names") // long names must not make the page wider than a phone
	b.Visit(bank.url + "/review/99")
	b.check("23-not-found")
}

func TestBrowserEvidence(t *testing.T) {
	bank, b := openBrowser(t)
	token := bank.signedIn("customer-1").begin()
	require.NoError(t, bank.fake.ManualCheck(token))
	require.Eventually(t, func() bool { return bank.latest("customer-1").State == manualCheck }, testTimeout, 5*time.Millisecond)

	b.signIn(bank.url, "reviewer-1")
	b.Visit(bank.url + "/review/1")
	b.click("Search the sanctions lists")
	b.click("Approve")
	bank.work()
	b.Visit(bank.url + "/review/1")
	b.check("50-evidence")
	file := b.Download(chromedp.Click(chromedp.Search(`//a[normalize-space()="Download the evidence"]`)))
	assert.Equal(t, "verification-1-evidence.zip", filepath.Base(file))
	archive, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer func() { assert.NoError(t, archive.Close()) }()
	check, err := evidence.Verify(archive)
	require.NoError(t, err)
	assert.True(t, check.Complete)
	t.Logf("%s: %d files, %d bytes, complete: %t, digest %s", filepath.Base(file), check.Files, check.Bytes, check.Complete, check.Digest)

	b.click("Erase the session at Identomat")
	assert.Equal(t, bank.url+"/review/1#evidence", b.Eval(`location.href`))
	assert.Empty(t, bank.fake.Sessions())
	assert.Contains(t, b.Text("#receipt"), check.Digest)
	receipt := bank.receipt(1)
	assert.Equal(t, check.Digest, receipt.Digest)
	assert.True(t, receipt.Verified && receipt.Complete && !receipt.Gone)
	b.check("51-erased")
	for _, action := range []string{"downloaded the evidence", "erased the session at Identomat"} {
		assert.Contains(t, b.Text(".visits"), action)
	}
	again, err := zip.OpenReader(b.Download(chromedp.Click(chromedp.Search(`//a[normalize-space()="Download the evidence"]`))))
	require.NoError(t, err, "the bank keeps the evidence")
	defer func() { assert.NoError(t, again.Close()) }()
	kept, err := evidence.Verify(again)
	require.NoError(t, err)
	assert.Equal(t, check.Digest, kept.Digest)
}

func TestBrowserKeyboard(t *testing.T) {
	bank, b := openBrowser(t)
	b.Visit(bank.url)
	tab, enter := chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)
	b.Do(tab)
	assert.Equal(t, "Skip to content", b.Eval(`document.activeElement.textContent`))
	assert.Equal(t, "true", b.Eval(`document.activeElement.getBoundingClientRect().left >= 0`), "the link is visible when it has the focus")
	b.Do(tab, tab)
	assert.Equal(t, "user", b.Eval(`document.activeElement.id`))
	b.Do(tab)
	assert.Equal(t, "3px", b.Eval(`getComputedStyle(document.activeElement).outlineWidth`), "the focus is visible")
	b.Follow(enter)
	require.Equal(t, "Verify your identity", b.Text("h1"))
	// The tab order is: skip link, brand, sign out, start on the partner's page.
	b.Do(tab, tab, tab, tab)
	assert.Equal(t, "Start on Identomat's page", b.Eval(`document.activeElement.textContent`))
	b.Follow(enter)
	require.Contains(t, b.Eval("location.href"), bank.fake.WidgetURL)
}

func TestBrowserForgedDoneMessage(t *testing.T) {
	bank, b := openBrowser(t)
	b.signIn(bank.url, "customer-3")
	b.click("Start on this page")
	b.WaitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]") !== null`)
	token := string(bank.latest("customer-3").Token)

	// A page from another origin sends messages to the bank's page.
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>Stranger</title><h1>Stranger</h1>`)
	}))
	defer stranger.Close()
	// Messages from the page itself have neither the widget's window nor its origin.
	b.Eval(`(postMessage("DONE", "*"), postMessage({type: "done", sessionId: "` + token + `"}, "*"), dispatchEvent(new MessageEvent("message", {data: "DONE", origin: "` + stranger.URL + `"})))`)
	b.Eval(`(window.heard = 0, addEventListener("message", () => heard++), postMessage("after", "*"))`)
	b.Poll(`heard > 0`)
	assert.Equal(t, bank.url+"/verification/embed", b.Eval(`location.href`))
	assert.Zero(t, bank.count("verifications WHERE returned"))

	// Another origin cannot frame the bank's page, and a form from another origin is rejected.
	b.Visit(stranger.URL)
	b.Eval(`(() => { const f = document.createElement("iframe"); f.src = "` + bank.url + `/verification/embed"; f.onload = () => { f.contentWindow.postMessage("DONE", "*"); document.title = "loaded"; }; document.body.append(f); })()`)
	b.Poll(`document.title === "loaded"`)
	_, err := b.InFrame(bank.url, `document.querySelector("form").method`)
	assert.Error(t, err, "the bank's page cannot be framed")
	b.Eval(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = "` + bank.url + `/verification/return"; f.innerHTML = '<input name="session_token" value="` + token + `">'; document.body.append(f); f.requestSubmit(); })()`)
	b.Do(chromedp.WaitVisible(chromedp.Search(`//p[normalize-space()="The form was sent by another site."]`)))
	assert.Zero(t, bank.count("verifications WHERE returned"))
	b.Visit(bank.url)
	require.Equal(t, "Your verification is not finished", b.Text("h1"), "the customer is still signed in")

	// Even a genuine message approves nobody while the service has no outcome.
	b.Visit(bank.url + "/verification/embed")
	b.WaitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]") !== null`)
	_, err = b.InFrame(bank.fake.WidgetURL, `(parent.postMessage("DONE", "*"), 1)`)
	require.NoError(t, err)
	b.expect("We are checking your details", "30-checking")
	assert.Equal(t, 1, bank.count("verifications WHERE returned AND state = 'in_progress'"))
	assert.Zero(t, bank.count("accounts"))
}

func TestBrowserSignInExpires(t *testing.T) {
	bank, b := openBrowser(t)
	bank.signedIn("customer-1").begin()
	b.signIn(bank.url, "customer-1")
	require.Equal(t, "Your verification is not finished", b.Text("h1"))
	bank.advance(signInLifetime)
	b.expect("Open an account with Example Bank", "32-sign-in-has-ended")
}

func TestBrowserLostBegin(t *testing.T) {
	bank, b := openBrowser(t)
	bank.fake.Fault("begin/", identomattest.ResetAfterRead(), 1)
	bank.signedIn("customer-1").press("/verification", "/verification", "way", "redirect")
	b.signIn(bank.url, "customer-1")
	b.expect("We could not start your verification", "40-unclear")
	b.click("Sign out")
	b.signIn(bank.url, "reviewer-1")
	b.Follow(chromedp.Click(chromedp.CSS(`.rows a`)))
	b.check("41-review-unclear")
	b.click("Give the session up")
	b.expect("Verifications", "12-list-empty")
	assert.Contains(t, b.Text("main"), "Nobody has started a verification yet.")
}

// TestBrowserOtherStates shows the states of the pages that no other test in this file shows.
func TestBrowserOtherStates(t *testing.T) {
	bank, b := openBrowser(t)
	reviewer := tab{browser.Open(t)}
	reviewer.signIn(bank.url, "reviewer-1")
	review := func(id int, picture string) {
		t.Helper()
		reviewer.Visit(fmt.Sprintf("%s/review/%d", bank.url, id))
		reviewer.check(picture)
	}
	status := func(want, picture string) {
		t.Helper()
		b.Visit(bank.url)
		b.expect(want, picture)
	}

	b.signIn(bank.url, "customer-1")
	token := bank.signedIn("customer-1").begin()
	review(1, "60-review-in-progress")
	bank.fake.Fault("result/face/", identomattest.HTTPStatus(503), 0)
	require.NoError(t, bank.fake.Reject(token, "low_similarity"))
	bank.work()
	review(1, "61-review-collecting")
	bank.fake.Fault("result/", identomattest.HTTPStatus(503), 0)
	review(1, "62-review-without-result")
	reviewer.Visit(bank.url + "/review/1/evidence")
	reviewer.check("63-no-evidence")
	bank.fake.Fault("delete/", identomattest.TooManyRequests(time.Hour), 0)
	require.NoError(t, bank.store.requestErasure(t.Context(), "customer-1"))
	bank.work()
	review(1, "64-review-erasing")
	status("Your data is being erased", "65-erasing")
	bank.fake.ClearFaults()
	b.click("Sign out")

	token = bank.signedIn("customer-2").begin()
	require.NoError(t, bank.fake.ManualCheck(token))
	bank.work()
	require.Equal(t, http.StatusSeeOther, bank.signedIn("reviewer-1").press("/review", "/review/2/decision", "outcome", "rejected").status)
	bank.work()
	review(2, "66-review-rejected")
	b.signIn(bank.url, "customer-2")
	b.expect("We could not verify your identity", "67-rejected-by-reviewer")
	bank.exec(`INSERT INTO begins (verification, customer, at) VALUES (98, 'customer-2', $1), (99, 'customer-2', $1)`, time.Now().UnixMilli())
	status("We could not verify your identity", "68-no-attempts-left")
	b.click("Sign out")

	b.signIn(bank.url, "customer-3")
	bank.exec(`INSERT INTO verifications (customer, way, state, reserved_at, expires_at) VALUES ('customer-3', 'redirect', 'beginning', $1, $1)`, time.Now().UnixMilli())
	status("We are preparing your verification", "69-being-started")
	bank.exec(`DELETE FROM verifications WHERE customer = 'customer-3'`)
	bank.signedIn("customer-3").begin()
	bank.advance(15 * time.Minute)
	bank.work()
	status("Your verification has expired", "70-late")
	bank.advance(5 * time.Minute)
	bank.work()
	status("Your verification has expired", "71-expired")
	review(4, "72-review-expired")
	b.Visit(bank.url + "/review")
	b.expect("That did not work", "73-no-access")
	b.click("Go to the start page")

	for i := range maxListed {
		state := []state{manualCheck, unclear, inProgress, rejected, approved, expired, beginning}[i%7]
		bank.exec(`INSERT INTO verifications (customer, way, state, reserved_at, expires_at) VALUES ($1, 'redirect', $2, $3, $3)`,
			fmt.Sprintf("customer-%d", 1000+i), string(state), time.Now().UnixMilli())
	}
	reviewer.Visit(bank.url + "/review")
	reviewer.check("74-list-full")
	assert.Contains(t, reviewer.Text("main"), "This page shows at most 100 verifications")

	bank.exec(`DROP TABLE begins`)
	b.Visit(bank.url + "/verification")
	b.expect("That did not work", "75-error")
	b.click("Sign out")
	bank.server.config.password = "the-password-of-a-test"
	b.Visit(bank.url)
	b.expect("Open an account with Example Bank", "76-sign-in-with-password")
	b.Do(chromedp.SendKeys(chromedp.CSS(`#password`), "wrong"))
	b.click("Sign in")
	b.expect("That did not work", "77-wrong-password")
}
