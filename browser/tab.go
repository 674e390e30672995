package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	devtools "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chromium returns the path of Chromium. If Chromium is missing, it skips or fails the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "Chromium is not installed"
	if os.Getenv("CI") != "" || os.Getenv("IDENTOMAT_REQUIRE_BROWSER") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Tab is a browser tab with an empty profile. A method that fails ends the test.
type Tab struct {
	*testing.T
	ctx      context.Context
	pictures string // the directory for screenshots
}

// timeout ends a test whose browser hangs.
const timeout = 8 * time.Minute

// Open starts a browser, which stops at the end of the test. The test fails if the browser's
// console has reported an error.
func Open(t *testing.T) Tab {
	t.Helper()
	opts := append([]chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium(t))},
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		// A site whose name resolves to this machine.
		chromedp.Flag("host-resolver-rules", "MAP rebound.example 127.0.0.1"),
		chromedp.Flag("disable-dev-shm-usage", true),
		// Keep cross-site frames in the page's process, where a test can reach them.
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
	ctx, cancel = context.WithTimeout(ctx, timeout)
	t.Cleanup(cancel)

	pictures := os.Getenv("IDENTOMAT_PICTURES")
	if pictures != "" {
		require.NoError(t, os.MkdirAll(pictures, 0o755))
	}

	// The console reports violations of the Content-Security-Policy and script errors.
	var mu sync.Mutex
	var consoleErrors []string
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			// Some tests expect 4xx responses and a page that refuses to be framed, which Chromium
			// also reports as errors.
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork && !strings.Contains(e.Entry.Text, "frame-ancestors 'none'") {
				consoleErrors = append(consoleErrors, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			consoleErrors = append(consoleErrors, e.ExceptionDetails.Text)
		}
	}))
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		assert.Empty(t, consoleErrors, "browser console")
	})
	b := Tab{t, ctx, pictures}
	call(b, log.Enable, cdp.Empty{})
	return b
}

// Do runs actions that return no value.
func (b Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.ctx, actions...))
}

// call sends a DevTools protocol command.
func call[P, R any](b Tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b, err)
	return out
}

// query runs a read-only action and returns its value. It retries the action if the page reloads
// itself in the meantime.
func query[T any](b Tab, action chromedp.Action[T]) T {
	b.Helper()
	out, err := chromedp.Run(b.ctx, action)
	for err != nil && pageReplaced.MatchString(err.Error()) && b.ctx.Err() == nil {
		out, err = chromedp.Run(b.ctx, action)
	}
	require.NoError(b, err)
	return out
}

// pageReplaced matches Chromium's errors about a page that has been replaced in the meantime.
var pageReplaced = regexp.MustCompile("Cannot find context with specified id|Execution context was destroyed|" +
	"Inspected target navigated or closed|" + nodeReplaced.String())

// nodeReplaced matches the errors in pageReplaced that Chromium returns before it clicks a node.
var nodeReplaced = regexp.MustCompile("[Nn]o node (with|for|found for) given id|Could not find node with given id")

// Visit opens an address and returns the HTTP status.
func (b Tab) Visit(address string) int64 {
	b.Helper()
	return b.Follow(chromedp.Navigate(address))
}

// Follow runs an action that leads to another page, waits for that page and returns its HTTP
// status. It retries a click whose target disappears because the page reloads itself.
func (b Tab) Follow(action chromedp.Action[chromedp.Void]) int64 {
	b.Helper()
	resp, err := chromedp.RunResponse(b.ctx, action)
	for err != nil && nodeReplaced.MatchString(err.Error()) && b.ctx.Err() == nil {
		resp, err = chromedp.RunResponse(b.ctx, action)
	}
	require.NoError(b, err)
	require.NotNil(b, resp)
	return resp.Status
}

// Press presses the button with this name and value on the fake's page.
func (b Tab) Press(name, value string) {
	b.Helper()
	b.Follow(chromedp.Click(chromedp.CSS(fmt.Sprintf(`button[name=%q][value=%q]:not(.enter)`, name, value))))
}

// Download runs an action that downloads a file, and returns the path of the complete file.
func (b Tab) Download(action chromedp.Action[chromedp.Void]) string {
	b.Helper()
	dir, name, ended := b.TempDir(), make(chan string, 1), make(chan devtools.DownloadProgressState, 1)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	require.NoError(b, chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *devtools.EventDownloadWillBegin:
			name <- e.SuggestedFilename
		case *devtools.EventDownloadProgress:
			if e.State != devtools.DownloadProgressStateInProgress {
				ended <- e.State
			}
		}
	}))
	call(b, devtools.SetDownloadBehavior, devtools.SetDownloadBehaviorParams{
		Behavior: devtools.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: new(true),
	})
	b.Do(action)
	select {
	case state := <-ended:
		require.Equal(b, devtools.DownloadProgressStateCompleted, state)
	case <-ctx.Done():
		b.Fatal("the download did not end")
	}
	return filepath.Join(dir, <-name)
}

// Text returns the visible text of the element.
func (b Tab) Text(selector string) string {
	b.Helper()
	return strings.TrimSpace(query(b, chromedp.Text(chromedp.CSS(selector))))
}

// Eval evaluates a JavaScript expression and returns its value as a string.
func (b Tab) Eval(script string) string {
	b.Helper()
	return query(b, chromedp.Evaluate[string]("String("+script+")"))
}

// Poll waits until a JavaScript condition is true.
func (b Tab) Poll(condition string) {
	b.Helper()
	query(b, chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(timeout)))
}

// Look checks that the page is not wider than a phone's or a desktop's screen. If
// IDENTOMAT_PICTURES is set, it also takes screenshots at both widths, in the light and the dark
// scheme.
func (b Tab) Look(name string) {
	b.Helper()
	for _, screen := range Screens {
		b.Resize(screen)
		// Compare with the width of the screen, not with innerWidth: a phone zooms out to fit a
		// wide page, which increases innerWidth.
		assert.LessOrEqual(b, query(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)), screen.Width, "%s is wider than the screen", name)
		if b.pictures == "" {
			continue
		}
		// Make the window as high as the page. Chromium's own full-page screenshots shift
		// right-to-left pages.
		page := screen
		page.Height = query(b, chromedp.Evaluate[int64](`document.documentElement.scrollHeight`))
		b.Resize(page)
		b.Capture(name, screen)
		b.Resize(screen)
	}
}

// Screen is the size of a screen.
type Screen struct {
	Width, Height int64
	Mobile        bool
}

// Screens are a phone and a desktop.
var Screens = []Screen{{390, 844, true}, {1280, 800, false}}

// Capture takes screenshots of what the window shows, in the light and the dark scheme, if IDENTOMAT_PICTURES is
// set.
func (b Tab) Capture(name string, screen Screen) {
	b.Helper()
	if b.pictures == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(scheme)
		screenshot := query(b, chromedp.CaptureScreenshot())
		file := filepath.Join(b.pictures, fmt.Sprintf("%s-%d-%s.png", name, screen.Width, scheme))
		require.NoError(b, os.WriteFile(file, screenshot, 0o644))
	}
}

func (b Tab) prefer(scheme string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// Resize changes the size of the window.
func (b Tab) Resize(screen Screen) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: screen.Width, Height: screen.Height, DeviceScaleFactor: 1, Mobile: screen.Mobile,
	})
}

// Named checks that all controls, headings, landmarks and images have an accessible name, which a
// screen reader announces.
func (b Tab) Named() {
	b.Helper()
	controls := 0
	for _, node := range call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		switch role := strings.Trim(string(node.Role.Value), `"`); role {
		case "button", "textbox", "radio", "checkbox", "combobox", "listbox", "radiogroup", "link", "heading", "progressbar", "Date", "navigation",
			"region", "image", "Iframe", "table":
			controls++
			if node.Name == nil || len(strings.Trim(string(node.Name.Value), `"`)) == 0 {
				b.Errorf("%s on %q has no accessible name", role, b.Text("h1"))
			}
		}
	}
	assert.Positive(b, controls)
}

// Readable checks that the page has a light and a dark scheme, and that the contrast of all texts is at least what
// WCAG 2.2 requires at level AA.
func (b Tab) Readable() {
	b.Helper()
	var luminances []float64
	for _, scheme := range []string{"dark", "light"} {
		b.prefer(scheme)
		assert.Empty(b, b.Eval(lowContrast), "texts with a low contrast in the %s scheme", scheme)
		luminances = append(luminances, query(b, chromedp.Evaluate[float64](luminance+`(luminance(getComputedStyle(document.body).backgroundColor))`)))
	}
	assert.Greater(b, luminances[1], luminances[0]+.5, "the page has a light and a dark scheme")
}

const (
	// luminance is a JavaScript function that returns the relative luminance of a CSS color.
	luminance = `globalThis.luminance = (color) => {
		const [r, g, b] = color.match(/[\d.]+/g).map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
		return .2126 * r + .7152 * g + .0722 * b;
	};`
	// lowContrast lists the visible texts whose contrast is too low.
	lowContrast = `(() => { ` + luminance + `
		const background = (e) => !e ? "rgb(255, 255, 255)" : /, 0\)$/.test(getComputedStyle(e).backgroundColor) ? background(e.parentElement) : getComputedStyle(e).backgroundColor;
		return [...document.body.querySelectorAll("*")].filter((e) => {
			if (![...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()) || !e.checkVisibility() || e.closest("script")) return false;
			const style = getComputedStyle(e), size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
			const [light, dark] = [luminance(style.color), luminance(background(e))].sort((a, b) => b - a);
			return (light + .05) / (dark + .05) < (large ? 3 : 4.5);
		}).map((e) => e.textContent.trim().slice(0, 40)).join("|");
	})()`
)

// InFrame is like Eval, but in the child frame whose address begins with origin.
func (b Tab) InFrame(origin, script string) (string, error) {
	tree, err := chromedp.Call(b.ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return "", err
	}
	for _, child := range tree.FrameTree.ChildFrames {
		if !strings.HasPrefix(child.Frame.URL, origin) {
			continue
		}
		world, err := chromedp.Call(b.ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: child.Frame.ID})
		if err != nil {
			return "", err
		}
		result, err := chromedp.Call(b.ctx, runtime.Evaluate, runtime.EvaluateParams{
			Expression: "String(" + script + ")", ContextID: world.ExecutionContextID,
		})
		switch {
		case err != nil:
			return "", err
		case result.ExceptionDetails != nil:
			return "", errors.New(result.ExceptionDetails.Text)
		}
		return strings.Trim(string(result.Result.Value), `"`), nil
	}
	return "", errors.New("no such frame")
}

// WaitInFrame waits until a JavaScript condition is true in the child frame whose address begins
// with origin.
func (b Tab) WaitInFrame(origin, condition string) {
	b.Helper()
	for {
		out, err := b.InFrame(origin, condition)
		if out == "true" {
			return
		}
		if b.ctx.Err() != nil {
			b.Fatalf("%s never became true in the frame of %s: %v", condition, origin, err)
		}
	}
}
