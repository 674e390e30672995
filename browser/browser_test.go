package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// chromium is the browser to drive, or the end of the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "no Chromium is installed: the page was not looked at"
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

// patience is for a browser that hangs; no test waits for it otherwise.
const patience = 2 * time.Minute

func open(t *testing.T) tab {
	t.Helper()
	opts := append([]chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium(t))},
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
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
			// Chromium counts every reply of 4xx as an error of the page.
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
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

// visit opens an address and returns the status.
func (b tab) visit(address string) int64 {
	b.Helper()
	return b.follow(chromedp.Navigate(address))
}

// follow does what leads to another page, and waits until that one is there.
func (b tab) follow(action chromedp.Action[chromedp.Void]) int64 {
	b.Helper()
	resp, err := chromedp.RunResponse(b.ctx, action)
	require.NoError(b, err)
	require.NotNil(b, resp)
	return resp.Status
}

// press presses the button with this name and value.
func (b tab) press(name, value string) {
	b.Helper()
	b.follow(chromedp.Click(chromedp.CSS(fmt.Sprintf(`button[name=%q][value=%q]:not(.enter)`, name, value))))
}

func (b tab) next() { b.Helper(); b.press("action", "next") }

func (b tab) text(selector string) string {
	b.Helper()
	return strings.TrimSpace(ask(b, chromedp.Text(chromedp.CSS(selector))))
}

func (b tab) eval(script string) string {
	b.Helper()
	return ask(b, chromedp.Evaluate[string]("String("+script+")"))
}

// fill types into the field with this label.
func (b tab) fill(label, value string) {
	b.Helper()
	path := chromedp.Search(fmt.Sprintf(`//label[contains(., %q)]/following-sibling::input[1]`, label))
	b.do(chromedp.Clear(path), chromedp.SendKeys(path, value))
}

func (b tab) choose(label string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.Search(fmt.Sprintf(`//label[contains(@class, "option") and contains(., %q)]`, label))))
}

// heading checks on which page the walk is, looks at it in both widths, and checks that
// everything to press or to fill in has a name that a screen reader can say.
func (b tab) heading(want, picture string) {
	b.Helper()
	require.Equal(b, want, b.text("h1"))
	b.look(picture)
	b.named()
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

func (b tab) resize(width, height int64, mobile bool) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: mobile,
	})
}

// named goes through the accessibility tree.
func (b tab) named() {
	b.Helper()
	nodes := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	controls := 0
	for _, node := range nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		switch role := strings.Trim(string(node.Role.Value), `"`); role {
		case "button", "textbox", "radio", "checkbox", "combobox", "listbox", "radiogroup", "link", "heading", "progressbar", "Date", "navigation":
			controls++
			if node.Name == nil || len(strings.Trim(string(node.Name.Value), `"`)) == 0 {
				b.Errorf("a %s on %q has no name", role, b.text("h1"))
			}
		}
	}
	assert.Positive(b, controls)
}

func begin(t *testing.T, srv *identomattest.Server, request identomat.BeginRequest) *identomat.Session {
	t.Helper()
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	session, err := client.Sessions.Begin(t.Context(), request)
	require.NoError(t, err)
	return session
}

func english(s string) identomat.Text { return identomat.Text{"en": s} }

// company is a web server beside the fake: another origin.
func company(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(handle))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAPersonWalksThroughEverythingAndReturns(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	returned := make(chan url.Values, 1)
	home := company(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/kyc/return" {
			returned <- r.URL.Query()
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!DOCTYPE html><link rel="icon" href="data:,"><title>Bank</title><h1>Welcome back</h1>`)
	})
	session := begin(t, srv, identomat.BeginRequest{
		Name:  "user-12345",
		Flags: identomat.NewFlags().ReturnURL(home + "/kyc/return?from=identomat").SkipDesktop(true),
		Steps: identomat.Steps{
			identomat.LanguageStep(identomat.English, identomat.Georgian, identomat.German, identomat.Arabic),
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).Countries("GEO", "DEU").AllowUpload(true),
			identomat.Liveness().Active(true),
			identomat.ProofOfAddress(identomat.UtilityBill, identomat.BankStatement),
			identomat.SelfieWithID(),
			identomat.Company().Mandatory(identomat.FieldCompanyName, identomat.FieldRegistrationNumber, identomat.FieldRegistrationCountry).
				Optional(identomat.FieldCompanyEntityType, identomat.FieldDateOfIncorporation, identomat.FieldEmail),
			identomat.Beneficiaries().Roles(identomat.Shareholder().Mandatory(identomat.FieldFirstName, identomat.FieldLastName, identomat.FieldDateOfBirth).
				Optional(identomat.FieldOwnershipPercentage), identomat.Director()),
			identomat.KYBReview(),
			identomat.VideoCall().NameRequired(true).Steps(identomat.Geolocation()),
			identomat.PhoneNumber().Verify(true),
			identomat.Email(),
			identomat.UserQuestionnaire("employment").Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}).Ask(
				identomat.TextQuestion("name", english("Your full name")).Answer("John Doe").Mandatory(true),
				identomat.RadioQuestion("employed", english("Are you employed?"),
					identomat.Choice("yes", english("Yes")), identomat.Choice("no", english("No"))).Mandatory(true),
				identomat.TextQuestion("employer", english("Who is your employer?")).Mandatory(true).ShowIf("employed", "yes"),
				identomat.CheckboxQuestion("income", english("Where does your income come from?"),
					identomat.Choice("salary", english("Salary")), identomat.Choice("rent", english("Rent"))),
				identomat.DropdownQuestion("branch", english("Branch"),
					identomat.Choice("bank", english("Banking")), identomat.Choice("farm", english("Agriculture"))),
				identomat.FileQuestion("contract", english("Contract")).FileTypes("pdf", "image").MaxFiles(2),
			),
		},
	})

	require.EqualValues(t, 200, b.visit(session.URL))
	b.heading("Language", "01-language")
	b.next()
	b.heading("ID verification", "02-document")
	b.choose("Identity card")
	b.next()
	b.heading("Liveness", "03-liveness")
	b.next()
	b.heading("Proof of address", "04-address")
	b.next()
	b.heading("Selfie with ID", "05-selfie")
	b.next()
	b.heading("Company data", "06-company")
	b.next()
	b.heading("Company data", "07-company-incomplete")
	assert.Equal(t, "problems", b.eval(`document.activeElement.className`), "the list of mistakes has the focus")
	b.fill("Company name", "Bank of Somewhere")
	b.fill("Registration number", "405123456")
	b.do(chromedp.SetValue(chromedp.CSS(`select[name=registrationCountry]`), "GEO"))
	b.next()
	b.heading("Beneficiaries", "08-beneficiaries-none")
	b.press("action", "add:shareholder")
	b.fill("First name", "Nino")
	b.fill("Last name", "Beridze")
	b.do(chromedp.SetValue(chromedp.CSS(`input[type=date]`), "1992-11-03"))
	b.press("action", "add:director")
	b.heading("Beneficiaries", "09-beneficiaries")
	b.press("action", "remove:1")
	b.next()
	b.heading("Checking the data", "10-review")
	assert.Contains(t, b.text("dl"), "Beridze")
	b.next()
	b.heading("Video call", "11-call")
	b.fill("Your name", "Nino")
	b.next()
	b.heading("Geolocation", "12-location-in-call")
	b.next()
	b.heading("Phone number", "13-phone")
	b.next()
	b.heading("Phone number", "14-code")
	code := strings.TrimSuffix(b.eval(`[...document.querySelectorAll(".note")].at(-1).textContent.match(/\d{4}/)[0]`), ".")
	b.fill("Code", code)
	b.next()
	b.heading("Email", "15-email")
	b.next()
	b.heading("Employment", "16-questions")
	assert.Equal(t, "false", b.eval(`document.body.innerText.includes("Who is your employer?")`), "nobody is employed yet")
	b.fill("Your full name", "Nino Beridze")
	b.choose("Yes")
	assert.Equal(t, "true", b.eval(`document.body.innerText.includes("Who is your employer?")`), "the script shows the question")
	b.next()
	b.heading("Employment", "17-questions-incomplete")
	b.fill("Who is your employer?", "A bank")
	b.choose("Rent")
	document := filepath.Join(t.TempDir(), "contract.jpg")
	require.NoError(t, os.WriteFile(document, identomattest.FaceJPEG(80, 80), 0o600))
	b.do(chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{document}))
	b.next()
	b.heading("How does this verification end?", "18-decision")
	assert.Equal(t, session.URL, b.eval(`location.href`), "nothing but the token stands in the address")
	b.press("decision", "approve")
	assert.Equal(t, "Welcome back", b.text("h1"))
	assert.Equal(t, url.Values{"from": {"identomat"}, "session_token": {string(session.Token)}}, <-returned)

	result, err := srv.Client().Sessions.Result(t.Context(), session.Token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	assert.Equal(t, "Nino", result.Person.FirstName, "the person of the country that was chosen")
	assert.Equal(t, "Nino Beridze", result.Answer("employment", "name").Text())
	assert.Equal(t, "A bank", result.Answer("employment", "employer").Text())
	assert.Equal(t, []string{"rent"}, result.Answer("employment", "income").Choices())
	files, _ := result.Answer("employment", "contract").Number()
	assert.EqualValues(t, 1, files)
}

func TestAnEmbeddedPageTellsItsParent(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	session := begin(t, srv, identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}})
	// The listener of the guide, with its check of the origin.
	home := company(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1">
			<link rel="icon" href="data:,"><title>Bank</title><h1>Open an account</h1>
			<iframe src="%s" allow="camera" style="width:100%%;height:620px;border:1px solid #888"></iframe><p id="heard">nothing yet</p>
			<script>
				addEventListener("message", function (e) {
					if (e.origin !== %q) return;
					if (e.data !== "DONE") return;
					document.getElementById("heard").textContent = "DONE from " + e.origin;
				});
			</script>`, session.URL, srv.WidgetURL)
	})
	require.NotEqual(t, home, srv.WidgetURL)
	b.visit(home)
	b.look("30-iframe")
	frame := func(script string) {
		t.Helper()
		// The frame is of the same site but of another origin: its document is reached
		// through an execution context of its own.
		require.NoError(t, inFrame(b, srv.WidgetURL, script))
	}
	frame(`document.querySelector("button.first").click()`)
	b.waitInFrame(srv.WidgetURL, `document.querySelector("button[value=approve]") !== null`)
	assert.Equal(t, "nothing yet", b.text("#heard"))
	frame(`document.querySelector("button[value=approve]").click()`)
	ask(b, chromedp.Poll[bool](`document.getElementById("heard").textContent !== "nothing yet"`))
	assert.Equal(t, "DONE from "+srv.WidgetURL, b.text("#heard"))
	b.waitInFrame(srv.WidgetURL, `!document.getElementById("told").hidden && document.getElementById("untold").hidden`)
	b.look("31-iframe-done")
	ses, _ := srv.Session(session.Token)
	assert.Equal(t, "approved", ses.Outcome)
}

// inFrame evaluates a script in the child frame of an origin.
func inFrame(b tab, origin, script string) error {
	_, err := evalInFrame(b, origin, script)
	return err
}

func evalInFrame(b tab, origin, script string) (string, error) {
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

// waitInFrame asks again while the frame is on its way to another page.
func (b tab) waitInFrame(origin, condition string) {
	b.Helper()
	for {
		out, err := evalInFrame(b, origin, condition)
		if out == "true" {
			return
		}
		if b.ctx.Err() != nil {
			b.Fatalf("the frame never got there: %v", err)
		}
	}
}

func TestSessionsThatAreNotOpen(t *testing.T) {
	b := open(t)
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	srv := identomattest.NewServer(t, identomattest.WithClock(func() time.Time { return now }))
	finished, expired := begin(t, srv, identomat.BeginRequest{}), begin(t, srv, identomat.BeginRequest{})
	require.NoError(t, srv.Reject(finished.Token, "face_mismatch"))
	require.NoError(t, srv.Expire(expired.Token))
	early := begin(t, srv, identomat.BeginRequest{ScheduleStart: now.Add(time.Hour)})
	for _, test := range []struct {
		address, heading, picture string
		status                    int64
	}{
		{finished.URL, "This session is finished", "20-finished", 200},
		{expired.URL, "This session has expired", "21-expired", 410},
		{early.URL, "This session is not open yet", "22-early", 403},
		{srv.WidgetURL + "/?session_token=unknown", "There is no such session", "23-unknown", 404},
	} {
		assert.Equal(t, test.status, b.visit(test.address))
		b.heading(test.heading, test.picture)
	}
	alone := begin(t, srv, identomat.BeginRequest{})
	b.visit(alone.URL)
	b.press("action", "finish")
	b.press("decision", "manual_check")
	b.heading("Done", "24-done")
	assert.Contains(t, b.text("main"), "nobody was told")
}

func TestThePageSpeaksOtherLanguages(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	for _, test := range []struct {
		language       identomat.Language
		heading, name  string
		direction, end string
	}{
		{identomat.Georgian, "დოკუმენტის შემოწმება", "40-georgian", "ltr", "როგორ დასრულდება შემოწმება?"},
		{identomat.Arabic, "التحقق من الوثيقة", "41-arabic", "rtl", "كيف تنتهي عملية التحقق؟"},
		{identomat.German, "Ausweisprüfung", "42-german", "ltr", "Wie endet diese Prüfung?"},
	} {
		session := begin(t, srv, identomat.BeginRequest{Flags: identomat.NewFlags().Language(test.language)})
		b.visit(session.URL)
		b.heading(test.heading, test.name)
		assert.Equal(t, test.direction, b.eval(`getComputedStyle(document.body).direction`))
		b.press("action", "finish")
		b.heading(test.end, test.name+"-decision")
	}
}

func TestTheKeyboardIsEnough(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	session := begin(t, srv, identomat.BeginRequest{Steps: identomat.Steps{
		identomat.UserQuestionnaire("q").Title(english("Question")).Ask(
			identomat.RadioQuestion("a", english("Well?"), identomat.Choice("yes", english("Yes")), identomat.Choice("no", english("No"))),
			identomat.TextQuestion("b", english("Why?"))),
	}})
	b.visit(session.URL)
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("because"))
	assert.Equal(t, "3px", b.eval(`getComputedStyle(document.activeElement).outlineWidth`), "the focus is seen")
	b.follow(chromedp.KeyEvent(kb.Enter))
	assert.Equal(t, "How does this verification end?", b.text("h1"))
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	b.follow(chromedp.KeyEvent(kb.Enter))
	assert.Equal(t, "Done", b.text("h1"))
	result, err := srv.Client().Sessions.Result(t.Context(), session.Token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	assert.Equal(t, "no", result.Answer("q", "a").Text())
	assert.Equal(t, "because", result.Answer("q", "b").Text())
}
