package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	frames "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chromium is the browser to drive, or the end of the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "no Chromium is installed: the pages were not looked at"
	if os.Getenv("CI") != "" || os.Getenv("IDENTOMAT_REQUIRE_BROWSER") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// tab is a page of a browser with an empty profile.
type tab struct {
	*testing.T
	ctx      context.Context
	pictures string
}

func openTab(t *testing.T) tab {
	t.Helper()
	opts := append([]chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium(t))},
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		// The widget is of another site than the bank. Its frame stays in the process of the page,
		// where a test reaches it.
		chromedp.Flag("disable-site-isolation-trials", true),
		chromedp.Flag("disable-features", "IsolateOrigins,site-per-process"),
		chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("lang", "en-US"),
		chromedp.UserDataDir(t.TempDir()),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute) // for a browser that hangs
	t.Cleanup(cancel)

	pictures := os.Getenv("IDENTOMAT_PICTURES")
	if pictures == "" {
		pictures = t.ArtifactDir()
	}
	require.NoError(t, os.MkdirAll(pictures, 0o755))

	// A page that breaks its own policy, or whose script fails, says so in the console.
	var mu sync.Mutex
	var complaints []string
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			// Chromium counts every reply of 4xx as an error of the page.
			// A test lets another site try to frame the bank.
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork && !strings.Contains(e.Entry.Text, "frame-ancestors 'none'") {
				complaints = append(complaints, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		}
	}))
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		assert.Empty(t, complaints, "the console of the browser")
	})
	b := tab{t, ctx, pictures}
	call(b, log.Enable, cdp.Empty{})
	return b
}

func (b tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.ctx, actions...))
}

// call sends a command of the DevTools protocol.
func call[P, R any](b tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b, err)
	return out
}

// ask runs an action that has an answer.
func ask[T any](b tab, action chromedp.Action[T]) T {
	b.Helper()
	out, err := chromedp.Run(b.ctx, action)
	require.NoError(b, err)
	return out
}

// follow does what leads to another page, waits until that one is there and returns its status.
func (b tab) follow(action chromedp.Action[chromedp.Void]) int64 {
	b.Helper()
	resp, err := chromedp.RunResponse(b.ctx, action)
	require.NoError(b, err)
	require.NotNil(b, resp)
	return resp.Status
}

func (b tab) visit(address string) int64 { b.Helper(); return b.follow(chromedp.Navigate(address)) }

// press presses what a person reads on a button or a link.
func (b tab) press(text string) {
	b.Helper()
	b.follow(chromedp.Click(chromedp.Search(fmt.Sprintf(`//button[normalize-space()=%q] | //a[normalize-space()=%[1]q]`, text))))
}

// pressFake presses a button of the fake's page.
func (b tab) pressFake(name, value string) {
	b.Helper()
	b.follow(chromedp.Click(chromedp.CSS(fmt.Sprintf(`button[name=%q][value=%q]:not(.enter)`, name, value))))
}

func (b tab) text(selector string) string {
	b.Helper()
	return strings.TrimSpace(ask(b, chromedp.Text(chromedp.CSS(selector))))
}

func (b tab) eval(script string) string {
	b.Helper()
	return ask(b, chromedp.Evaluate[string]("String("+script+")"))
}

// sees waits for a heading: the page looks for news by itself.
func (b tab) sees(want, picture string) {
	b.Helper()
	b.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//h1[normalize-space()=%q]`, want))))
	b.check(picture)
}

// check looks at the page, and checks what somebody needs who does not see it.
func (b tab) check(picture string) {
	b.Helper()
	b.look(picture)
	b.named()
	assert.Equal(b, "1", b.eval(`document.querySelectorAll("h1").length`), picture)
	assert.Equal(b, "en", b.eval(`document.documentElement.lang`))
	assert.Equal(b, "1 1 1", b.eval(`["main", "body > header", "footer"].map((s) => document.querySelectorAll(s).length).join(" ")`), "landmarks")
	assert.Equal(b, "true", b.eval(`document.title.endsWith(" · Example Bank")`))
	assert.Equal(b, "true", b.eval(`[...document.querySelectorAll("button, .button, select, input:not([type=hidden])")].every((e) => e.getBoundingClientRect().height >= 44)`),
		"everything to press is large enough for a finger")
}

// look takes pictures of a phone and of a desktop, light and dark.
func (b tab) look(name string) {
	b.Helper()
	for _, screen := range []struct {
		width, height int64
		mobile        bool
		scheme        string
	}{{390, 844, true, "light"}, {390, 844, true, "dark"}, {1280, 800, false, "light"}, {1280, 800, false, "dark"}} {
		b.resize(screen.width, screen.height, screen.mobile)
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}},
		})
		b.resize(screen.width, ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollHeight`)), screen.mobile)
		picture := ask(b, chromedp.CaptureScreenshot())
		file := filepath.Join(b.pictures, fmt.Sprintf("%s-%d-%s.png", name, screen.width, screen.scheme))
		require.NoError(b, os.WriteFile(file, picture, 0o644))
		assert.LessOrEqual(b, ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)), screen.width, "%s is too wide", name)
	}
}

func (b tab) resize(width, height int64, mobile bool) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: mobile,
	})
}

// named checks that everything to press, to fill in or to look at has a name that a screen
// reader can say.
func (b tab) named() {
	b.Helper()
	controls := 0
	for _, node := range call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		switch role := strings.Trim(string(node.Role.Value), `"`); role {
		case "button", "textbox", "combobox", "link", "heading", "region", "image", "Iframe", "table":
			controls++
			if node.Name == nil || len(strings.Trim(string(node.Name.Value), `"`)) == 0 {
				b.Errorf("a %s on %q has no name", role, b.text("h1"))
			}
		}
	}
	assert.Positive(b, controls)
}

// inFrame evaluates a script in the child frame of an origin.
func (b tab) inFrame(origin, script string) (string, error) {
	tree, err := chromedp.Call(b.ctx, frames.GetFrameTree, cdp.Empty{})
	if err != nil {
		return "", err
	}
	for _, child := range tree.FrameTree.ChildFrames {
		if !strings.HasPrefix(child.Frame.URL, origin) {
			continue
		}
		world, err := chromedp.Call(b.ctx, frames.CreateIsolatedWorld, frames.CreateIsolatedWorldParams{FrameID: child.Frame.ID})
		if err != nil {
			return "", err
		}
		reply, err := chromedp.Call(b.ctx, runtime.Evaluate, runtime.EvaluateParams{
			Expression: "String(" + script + ")", ContextID: world.ExecutionContextID,
		})
		switch {
		case err != nil:
			return "", err
		case reply.ExceptionDetails != nil:
			return "", errors.New(reply.ExceptionDetails.Text)
		}
		return strings.Trim(string(reply.Result.Value), `"`), nil
	}
	return "", errors.New("no such frame")
}

// waitInFrame asks again while the frame is on its way to another page.
func (b tab) waitInFrame(origin, condition string) {
	b.Helper()
	require.Eventually(b, func() bool {
		out, _ := b.inFrame(origin, condition)
		return out == "true"
	}, patience, 10*time.Millisecond, condition)
}

// browsing is a bank whose site is another one than the widget's, as it will be, and a tab.
func browsing(t *testing.T) (*bank, tab) {
	t.Helper()
	b := openTab(t) // skips before anything is started
	return openBank(t, "localhost").working(), b
}

func (b tab) signIn(at, name string) {
	b.Helper()
	b.visit(at)
	b.do(chromedp.SetValue(chromedp.CSS(`#user`), name))
	b.press("Sign in")
}

func TestAPersonIsVerifiedByRedirectAndErasesEverything(t *testing.T) {
	bank, b := browsing(t)
	b.visit(bank.url)
	b.sees("Open an account with Example Bank", "01-sign-in")
	b.signIn(bank.url, "customer-1")
	b.sees("Verify your identity", "02-start")
	b.press("Start on the page of our partner")
	require.Contains(t, b.eval("location.href"), bank.fake.WidgetURL, "the browser is at the partner's")
	b.pressFake("action", "finish")
	b.visit(bank.url)
	b.sees("Your verification is not finished", "03-not-finished")
	b.press("Go on")
	b.pressFake("decision", "reject")
	b.sees("We could not verify your identity", "04-rejected")
	assert.Equal(t, bank.url+"/verification", b.eval("location.href"), "no token stays in the address")
	assert.Contains(t, b.text("main"), "Your face could not be matched with the photo on your document.")
	b.press("Try again on the page of our partner")
	b.pressFake("action", "finish")
	b.pressFake("decision", "approve")
	b.sees("Your account is open", "05-approved")
	assert.Equal(t, 1, bank.count("accounts"))
	assert.Equal(t, 2, asked(bank.fake, "begin/"))
	b.press("Erase my data")
	b.sees("Erase my data", "06-erase")
	b.press("Erase everything")
	b.sees("Verify your identity", "07-erased")
	assert.Empty(t, bank.fake.Sessions())
	assert.Zero(t, bank.count("verifications"))
	b.press("Sign out")
	assert.Equal(t, "Open an account with Example Bank", b.text("h1"))
}

func TestAPersonIsVerifiedInAnIframe(t *testing.T) {
	bank, b := browsing(t)
	b.signIn(bank.url, "customer-2")
	b.press("Start right here")
	b.waitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]") !== null`)
	b.check("10-iframe")
	for _, feature := range []string{"camera", "microphone"} {
		out, err := b.inFrame(bank.fake.WidgetURL, `document.featurePolicy.allowsFeature("`+feature+`")`)
		require.NoError(t, err)
		assert.Equal(t, "true", out, "the widget may use the %s", feature)
	}
	out, err := b.inFrame(bank.fake.WidgetURL, `document.featurePolicy.allowsFeature("geolocation")`)
	require.NoError(t, err)
	assert.Equal(t, "false", out)
	_, err = b.inFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]").click()`)
	require.NoError(t, err)
	b.waitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=manual_check]") !== null`)
	_, err = b.inFrame(bank.fake.WidgetURL, `document.querySelector("button[value=manual_check]").click()`)
	require.NoError(t, err)
	b.sees("Somebody is looking at your details", "11-manual-check")
	assert.Equal(t, bank.url+"/verification", b.eval("location.href"))

	b.press("Sign out")
	b.signIn(bank.url, "reviewer-1")
	b.sees("Verifications", "12-list")
	b.follow(chromedp.Click(chromedp.CSS(`tbody th a`)))
	assert.Contains(t, b.text("#decide"), "Identomat leaves this one to people.")
	b.check("13-to-decide")
	b.press("Approve")
	assert.Equal(t, "approved", b.text(".state"))
	b.press("Sign out")
	b.signIn(bank.url, "customer-2")
	assert.Equal(t, "Your account is open", b.text("h1"))
}

func TestAReviewerLooksAtTheEvidence(t *testing.T) {
	bank, b := browsing(t)
	customer := bank.signedIn("customer-1")
	token := customer.begin()
	require.NoError(t, bank.fake.Approve(token))
	require.Eventually(t, func() bool { return bank.count("accounts") == 1 }, patience, 5*time.Millisecond)
	lost := bank.signedIn("customer-2")
	lost.begin()
	b.signIn(bank.url, "reviewer-1")
	b.sees("Verifications", "20-list")
	b.follow(chromedp.Click(chromedp.Search(`//tr[contains(., "customer-1")]//a`)))
	b.press("Search the sanctions lists")
	assert.Contains(t, b.text("main"), "John SMITH, score 100")
	b.press("Compare the faces again")
	assert.Contains(t, b.text("main"), "Compared again: 100 % alike.")
	const complete = `[...document.querySelectorAll("figure img")].every((i) => { i.loading = "eager"; return i.complete && i.naturalWidth > 0; })`
	ask(b, chromedp.Poll[bool](complete))
	assert.Equal(t, "4", b.eval(`document.querySelectorAll("figure img").length`))
	b.check("21-review")
	b.do(chromedp.Evaluate[chromedp.Void](`void fetch(document.querySelector("a[href$=pdf]").href).then(async (r) => { document.title = r.headers.get("content-type") + " " + (await r.text()).slice(0, 5); })`))
	ask(b, chromedp.Poll[bool](`document.title.startsWith("application/pdf")`))
	assert.Equal(t, "application/pdf %PDF-", b.eval(`document.title`))

	require.NoError(t, bank.fake.SetMedia(token, "result/face/", "text/html", []byte("<script>alert(1)</script>")))
	require.NoError(t, bank.fake.SetMedia(token, "result/card-back/", "image/jpeg", []byte(`"SESSION_NOT_FOUND"`)))
	b.press("Search the sanctions lists")
	ask(b, chromedp.Poll[bool](complete))
	assert.Equal(t, "4", b.eval(`document.querySelectorAll("figure img").length`), "placeholders are images, too")
	b.check("22-review-placeholders")
	b.visit(bank.url + "/review/99")
	b.check("23-not-found")
}

func TestTheKeyboardIsEnough(t *testing.T) {
	bank, b := browsing(t)
	b.visit(bank.url)
	tab, enter := chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)
	b.do(tab)
	assert.Equal(t, "Skip to the content", b.eval(`document.activeElement.textContent`))
	assert.Equal(t, "true", b.eval(`document.activeElement.getBoundingClientRect().left >= 0`), "the link is seen when it has the focus")
	b.do(tab, tab)
	assert.Equal(t, "user", b.eval(`document.activeElement.id`))
	b.do(tab)
	assert.Equal(t, "3px", b.eval(`getComputedStyle(document.activeElement).outlineWidth`), "the focus is seen")
	b.follow(enter)
	require.Equal(t, "Verify your identity", b.text("h1"))
	// skip link, brand, sign out, start at the partner's
	b.do(tab, tab, tab, tab)
	assert.Equal(t, "Start on the page of our partner", b.eval(`document.activeElement.textContent`))
	b.follow(enter)
	require.Contains(t, b.eval("location.href"), bank.fake.WidgetURL)
}

func TestAForgedEndOfTheWidgetPostsNothingAndProvesNothing(t *testing.T) {
	bank, b := browsing(t)
	b.signIn(bank.url, "customer-3")
	b.press("Start right here")
	b.waitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]") !== null`)
	token := string(bank.latest("customer-3").Session.Token)

	// A page of another origin opens the bank's page and shouts into it.
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>Stranger</title><h1>Stranger</h1>`)
	}))
	defer stranger.Close()
	// The page itself is a sender of another origin than the widget's, in the right window.
	b.eval(`(postMessage("DONE", "*"), postMessage({type: "done", sessionId: "` + token + `"}, "*"), dispatchEvent(new MessageEvent("message", {data: "DONE", origin: "` + stranger.URL + `"})))`)
	b.eval(`(window.heard = 0, addEventListener("message", () => heard++), postMessage("after", "*"))`)
	ask(b, chromedp.Poll[bool](`heard > 0`))
	assert.Equal(t, bank.url+"/verification/embed", b.eval(`location.href`))
	assert.Zero(t, bank.count("verifications WHERE returned"))

	// Another origin cannot put the page into a frame, and its own form does not count.
	b.visit(stranger.URL)
	b.eval(`(() => { const f = document.createElement("iframe"); f.src = "` + bank.url + `/verification/embed"; f.onload = () => { f.contentWindow.postMessage("DONE", "*"); document.title = "loaded"; }; document.body.append(f); })()`)
	ask(b, chromedp.Poll[bool](`document.title === "loaded"`))
	_, err := b.inFrame(bank.url, `document.querySelector("form").method`)
	assert.Error(t, err, "the bank's page is in no frame")
	b.eval(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = "` + bank.url + `/verification/return"; f.innerHTML = '<input name="session_token" value="` + token + `">'; document.body.append(f); f.requestSubmit(); })()`)
	b.do(chromedp.WaitVisible(chromedp.Search(`//h1[normalize-space()="Forbidden"]`)))
	assert.Zero(t, bank.count("verifications WHERE returned"))
	b.visit(bank.url)
	require.Equal(t, "Your verification is not finished", b.text("h1"), "nor does it sign the customer out")

	// And even the true end, with nobody having been looked at, approves nobody.
	b.visit(bank.url + "/verification/embed")
	b.waitInFrame(bank.fake.WidgetURL, `document.querySelector("button[value=finish]") !== null`)
	_, err = b.inFrame(bank.fake.WidgetURL, `(parent.postMessage("DONE", "*"), 1)`)
	require.NoError(t, err)
	b.sees("We are checking your details", "30-checking")
	assert.Equal(t, 1, bank.count("verifications WHERE returned AND state = 'in_progress'"))
	assert.Zero(t, bank.count("accounts"))
}

func TestALostBeginIsExplained(t *testing.T) {
	bank, b := browsing(t)
	id, _, err := bank.store.reserve(t.Context(), "customer-1", "redirect", 15*time.Minute)
	require.NoError(t, err)
	require.NoError(t, bank.store.beganUnclearly(t.Context(), id))
	b.signIn(bank.url, "customer-1")
	b.sees("We could not start your verification", "40-unclear")
	b.press("Sign out")
	b.signIn(bank.url, "reviewer-1")
	b.follow(chromedp.Click(chromedp.CSS(`tbody th a`)))
	b.check("41-review-unclear")
}
