package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/browser"
	"github.com/identomat-go/identomat/identomattest"
)

// tab is a browser tab with helpers for the fake's page.
type tab struct{ browser.Tab }

func open(t *testing.T) tab {
	t.Helper()
	return tab{browser.Open(t)}
}

func (b tab) next() { b.Helper(); b.Press("action", "next") }

// fill sets the value of the field with this label.
func (b tab) fill(label, value string) {
	b.Helper()
	path := chromedp.Search(fmt.Sprintf(`//label[contains(., %q)]/following-sibling::input[1]`, label))
	b.Do(chromedp.Clear(path), chromedp.SendKeys(path, value))
}

// choose selects the option with this label.
func (b tab) choose(label string) {
	b.Helper()
	b.Do(chromedp.Click(chromedp.Search(fmt.Sprintf(`//label[contains(@class, "option") and contains(., %q)]`, label))))
}

// heading checks the page's heading, takes screenshots and checks the accessibility.
func (b tab) heading(want, picture string) {
	b.Helper()
	require.Equal(b, want, b.Text("h1"))
	b.Look(picture)
	b.Named()
	b.Readable()
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

// company starts a web server. Its origin differs from the fake's.
func company(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(handle))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWidgetAllSteps(t *testing.T) {
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
			identomat.LanguageSelection(identomat.English, identomat.Georgian, identomat.German, identomat.Arabic),
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
			identomat.UserQuestionnaire("employment").Ask(
				identomat.TextQuestion("name", english("Your full name")).Answer("John Doe").Mandatory(true),
				identomat.RadioQuestion("employed", english("Are you employed?"),
					identomat.Choice("yes", english("Yes")), identomat.Choice("no", english("No"))).Mandatory(true),
				identomat.TextQuestion("employer", english("Who is your employer?")).Mandatory(true).ShowIf("employed", "yes"),
				identomat.CheckboxQuestion("income", english("Where does your income come from?"),
					identomat.Choice("salary", english("Salary")), identomat.Choice("rent", english("Rent"))),
				identomat.DropdownQuestion("branch", english("Branch"),
					identomat.Choice("bank", english("Banking")), identomat.Choice("farm", english("Agriculture"))),
				identomat.FileQuestion("contract", english("Contract")).FileTypes("pdf", "image").MaxFiles(2),
			).Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}),
		},
	})

	require.EqualValues(t, 200, b.Visit(session.URL))
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
	assert.Equal(t, "problems", b.Eval(`document.activeElement.className`), "the list of problems has the focus")
	b.fill("Company name", "Bank of Somewhere")
	b.fill("Registration number", "405123456")
	b.Do(chromedp.SetValue(chromedp.CSS(`select[name=registrationCountry]`), "GEO"))
	b.next()
	b.heading("Beneficiaries", "08-beneficiaries-none")
	b.Press("action", "add:shareholder")
	b.fill("First name", "Nino")
	b.fill("Last name", "Beridze")
	b.Do(chromedp.SetValue(chromedp.CSS(`input[type=date]`), "1992-11-03"))
	b.Press("action", "add:director")
	b.heading("Beneficiaries", "09-beneficiaries")
	b.Press("action", "remove:1")
	b.next()
	b.heading("Checking the data", "10-review")
	assert.Contains(t, b.Text("dl"), "Beridze")
	b.next()
	b.heading("Video call", "11-call")
	b.fill("Your name", "Nino")
	b.next()
	b.heading("Geolocation", "12-location-in-call")
	b.next()
	b.heading("Phone number", "13-phone")
	b.next()
	b.heading("Phone number", "14-code")
	code := strings.TrimSuffix(b.Eval(`[...document.querySelectorAll(".note")].at(-1).textContent.match(/\d{4}/)[0]`), ".")
	b.fill("Code", code)
	b.next()
	b.heading("Email", "15-email")
	b.next()
	b.heading("Employment", "16-questions")
	assert.Equal(t, "false", b.Eval(`document.body.innerText.includes("Who is your employer?")`), "the question depends on an answer that has not been given")
	b.fill("Your full name", "Nino Beridze")
	b.choose("Yes")
	assert.Equal(t, "true", b.Eval(`document.body.innerText.includes("Who is your employer?")`), "the script shows the question")
	b.next()
	b.heading("Employment", "17-questions-incomplete")
	b.fill("Who is your employer?", "A bank")
	b.choose("Rent")
	document := filepath.Join(t.TempDir(), "contract.jpg")
	require.NoError(t, os.WriteFile(document, identomattest.FaceJPEG(80, 80), 0o600))
	b.Do(chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{document}))
	b.next()
	b.heading("How does this verification end?", "18-decision")
	assert.Equal(t, session.URL, b.Eval(`location.href`), "the address contains nothing but the token")
	b.Press("decision", "approve")
	assert.Equal(t, "Welcome back", b.Text("h1"))
	assert.Equal(t, url.Values{"from": {"identomat"}, "session_token": {string(session.Token)}}, <-returned)

	result, err := srv.Client().Sessions.Result(t.Context(), session.Token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	assert.Equal(t, "Nino", result.Person.FirstName, "the sample person from the chosen country")
	assert.Equal(t, "Nino Beridze", result.Answer("employment", "name").Text())
	assert.Equal(t, "A bank", result.Answer("employment", "employer").Text())
	assert.Equal(t, []string{"rent"}, result.Answer("employment", "income").Choices())
	files, _ := result.Answer("employment", "contract").Number()
	assert.EqualValues(t, 1, files)
}

func TestEmbeddedWidgetNotifiesParent(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	session := begin(t, srv, identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}})
	// The listener from Identomat's API documentation, with its check of the origin.
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
	b.Visit(home)
	b.Look("30-iframe")
	frame := func(script string) {
		t.Helper()
		// The frame has another origin, so scripts reach the frame's content only in the frame's own
		// execution context.
		_, err := b.InFrame(srv.WidgetURL, script)
		require.NoError(t, err)
	}
	frame(`document.querySelector("button.first").click()`)
	b.WaitInFrame(srv.WidgetURL, `document.querySelector("button[value=approve]") !== null`)
	assert.Equal(t, "nothing yet", b.Text("#heard"))
	frame(`document.querySelector("button[value=approve]").click()`)
	b.Poll(`document.getElementById("heard").textContent !== "nothing yet"`)
	assert.Equal(t, "DONE from "+srv.WidgetURL, b.Text("#heard"))
	b.WaitInFrame(srv.WidgetURL, `!document.getElementById("parent-notified").hidden && document.getElementById("not-notified").hidden`)
	b.Look("31-iframe-done")
	ses, _ := srv.Session(session.Token)
	assert.Equal(t, "approved", ses.Outcome)
}

func TestClosedSessions(t *testing.T) {
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
		assert.Equal(t, test.status, b.Visit(test.address))
		b.heading(test.heading, test.picture)
	}
	standalone := begin(t, srv, identomat.BeginRequest{})
	b.Visit(standalone.URL)
	b.Press("action", "finish")
	b.Press("decision", "manual_check")
	b.heading("Done", "24-done")
	assert.Contains(t, b.Text("main"), "no one was notified")
}

func TestWidgetLanguages(t *testing.T) {
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
		b.Visit(session.URL)
		b.heading(test.heading, test.name)
		assert.Equal(t, test.direction, b.Eval(`getComputedStyle(document.body).direction`))
		b.Press("action", "finish")
		b.heading(test.end, test.name+"-decision")
	}
}

func TestWidgetByKeyboard(t *testing.T) {
	b := open(t)
	srv := identomattest.NewServer(t)
	session := begin(t, srv, identomat.BeginRequest{Steps: identomat.Steps{
		identomat.UserQuestionnaire("q").Ask(
			identomat.RadioQuestion("a", english("Well?"), identomat.Choice("yes", english("Yes")), identomat.Choice("no", english("No"))),
			identomat.TextQuestion("b", english("Why?"))).Title(english("Question")),
	}})
	b.Visit(session.URL)
	b.Do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("because"))
	assert.Equal(t, "3px", b.Eval(`getComputedStyle(document.activeElement).outlineWidth`), "the focus is visible")
	b.Follow(chromedp.KeyEvent(kb.Enter))
	assert.Equal(t, "How does this verification end?", b.Text("h1"))
	b.Do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	b.Follow(chromedp.KeyEvent(kb.Enter))
	assert.Equal(t, "Done", b.Text("h1"))
	result, err := srv.Client().Sessions.Result(t.Context(), session.Token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	assert.Equal(t, "no", result.Answer("q", "a").Text())
	assert.Equal(t, "because", result.Answer("q", "b").Text())
}

// After DNS rebinding, a page has the same origin as the fake, and could read all responses.
func TestReboundPageIsRefused(t *testing.T) {
	srv := identomattest.NewServer(t, identomattest.WithLogf(func(string, ...any) {}))
	session, err := srv.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	widgetKey, apiKey := "company_key="+srv.CompanyKey, "companyKey="+srv.CompanyKey
	b := open(t)
	for host, requests := range map[string][]string{
		srv.WidgetURL: {
			`"/external-api/begin/", {method: "POST", body: new URLSearchParams("` + widgetKey + `")}`,
			`"/external-api/begin/?` + widgetKey + `", {method: "POST"}`,
			`"/begin/?` + widgetKey + `"`,
			`"/?session_token=` + string(session.Token) + `"`,
			`"/", {method: "POST", body: new URLSearchParams("decision=approve&session_token=` + string(session.Token) + `")}`,
			`"/_sandbox/sessions"`,
		},
		srv.APIURL: {
			`"/list-users", {method: "POST", body: JSON.stringify({companyKey: "` + srv.CompanyKey + `"})}`,
			`"/list-users?` + apiKey + `"`,
		},
	} {
		b.Visit(strings.Replace(host, "127.0.0.1", "rebound.example", 1))
		for _, request := range requests {
			b.Eval(`fetch(` + request + `).then((r) => { globalThis.answered = r.status; }), globalThis.answered = 0`)
			b.Poll(`answered !== 0`)
			assert.Equal(t, "403", b.Eval(`answered`), request)
		}
	}
	assert.Len(t, srv.Sessions(), 1)
	ses, _ := srv.Session(session.Token)
	assert.Equal(t, "in_progress", ses.Outcome)
}
