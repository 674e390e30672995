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
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
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
	const missing = "no Chromium is installed: no page was looked at"
	if os.Getenv("CI") != "" || os.Getenv("IDENTOMAT_REQUIRE_BROWSER") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Tab is a page of a browser with an empty profile. What cannot be done on it ends the test.
type Tab struct {
	*testing.T
	ctx      context.Context
	pictures string
}

// patience is for a browser that hangs; no test waits for it otherwise.
const patience = 8 * time.Minute

// Open starts a browser, which ends with the test. The test fails if the console of the
// browser has complained.
func Open(t *testing.T) Tab {
	t.Helper()
	opts := append([]chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium(t))},
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		// The frame of another site stays in the process of the page, where a test reaches it.
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
	ctx, cancel = context.WithTimeout(ctx, patience)
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
			// Chromium counts every reply of 4xx as an error of the page, and that a page refuses
			// to be framed, which a test wants.
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
	b := Tab{t, ctx, pictures}
	call(b, log.Enable, cdp.Empty{})
	return b
}

// Do does what has no answer.
func (b Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.ctx, actions...))
}

// call sends a command of the DevTools protocol.
func call[P, R any](b Tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b, err)
	return out
}

// ask runs an action that has an answer and changes nothing, so that it can be run again when
// a page that looks for news loads itself anew under it.
func ask[T any](b Tab, action chromedp.Action[T]) T {
	b.Helper()
	out, err := chromedp.Run(b.ctx, action)
	for err != nil && goneAway.MatchString(err.Error()) && b.ctx.Err() == nil {
		out, err = chromedp.Run(b.ctx, action)
	}
	require.NoError(b, err)
	return out
}

// goneAway is what Chromium says of a page that another one has replaced in the meantime.
var goneAway = regexp.MustCompile("Cannot find context with specified id|Execution context was destroyed|" +
	"Inspected target navigated or closed|[Nn]o node (with|for|found for) given id|Could not find node with given id")

// Visit opens an address and returns the status.
func (b Tab) Visit(address string) int64 {
	b.Helper()
	return b.Follow(chromedp.Navigate(address))
}

// Follow does what leads to another page, waits until that one is there and returns its status.
func (b Tab) Follow(action chromedp.Action[chromedp.Void]) int64 {
	b.Helper()
	resp, err := chromedp.RunResponse(b.ctx, action)
	require.NoError(b, err)
	require.NotNil(b, resp)
	return resp.Status
}

// Press presses the button of the fake's page with this name and value.
func (b Tab) Press(name, value string) {
	b.Helper()
	b.Follow(chromedp.Click(chromedp.CSS(fmt.Sprintf(`button[name=%q][value=%q]:not(.enter)`, name, value))))
}

// Text is what a person reads in the element.
func (b Tab) Text(selector string) string {
	b.Helper()
	return strings.TrimSpace(ask(b, chromedp.Text(chromedp.CSS(selector))))
}

// Eval returns the value of an expression as String writes it.
func (b Tab) Eval(script string) string {
	b.Helper()
	return ask(b, chromedp.Evaluate[string]("String("+script+")"))
}

// Poll waits until a condition of the page is true.
func (b Tab) Poll(condition string) {
	b.Helper()
	ask(b, chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(patience)))
}

// Look takes pictures of a phone and of a desktop, light and dark, and checks that the page is
// not wider than they are.
func (b Tab) Look(name string) {
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
		// A window as high as the page shows all of it. Chromium's own pictures of more than
		// the window shift a right-to-left page.
		b.resize(screen.width, ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollHeight`)), screen.mobile)
		picture := ask(b, chromedp.CaptureScreenshot())
		file := filepath.Join(b.pictures, fmt.Sprintf("%s-%d-%s.png", name, screen.width, screen.scheme))
		require.NoError(b, os.WriteFile(file, picture, 0o644))
		// A phone would zoom out, and innerWidth grow with the page.
		assert.LessOrEqual(b, ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)), screen.width, "%s is too wide", name)
	}
}

func (b Tab) resize(width, height int64, mobile bool) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: mobile,
	})
}

// Named checks that everything to press, to fill in or to look at has a name that a screen
// reader can say.
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
				b.Errorf("a %s on %q has no name", role, b.Text("h1"))
			}
		}
	}
	assert.Positive(b, controls)
}

// InFrame evaluates an expression in the child frame of an origin, as Eval does.
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

// WaitInFrame asks again while the frame is on its way to another page.
func (b Tab) WaitInFrame(origin, condition string) {
	b.Helper()
	for {
		out, err := b.InFrame(origin, condition)
		if out == "true" {
			return
		}
		if b.ctx.Err() != nil {
			b.Fatalf("the frame never got there: %v", err)
		}
	}
}
