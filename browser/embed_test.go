package browser_test

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/widget"
)

const embeddedToken = "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"

// speaker is a page that posts to its parent what the fragment of its address lists, as
// expressions of JavaScript, and then says that it has spoken.
const speaker = `<!DOCTYPE html><title>Widget</title><script>
for (const text of JSON.parse(decodeURIComponent(location.hash.slice(1)) || "[]")) parent.postMessage(eval("(" + text + ")"), "*");
parent.postMessage("spoken", "*");
</script>`

// bank is a page with the widget inside, under the policy that Embed promises to work
// with, and beside it what else may send messages to the page.
type bank struct {
	opts widget.Options
	// What the widget says, and what is said by another site and by the widget's in a frame
	// of its own; none if empty.
	widgetSays, othersSay string
	// cancel keeps the event from submitting the form.
	cancel bool
	// leave redirects the widget's frame to the other site.
	leave bool
}

// open serves the page, and hands out the forms that are posted to it.
func (b bank) open(t *testing.T) (home string, posts chan url.Values) {
	t.Helper()
	speak := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, speaker)
	}
	stranger := company(t, speak)
	widgetURL := company(t, func(w http.ResponseWriter, r *http.Request) {
		if b.leave && r.URL.Query().Has("session_token") {
			http.Redirect(w, r, stranger, http.StatusSeeOther) // the fragment goes with it
			return
		}
		speak(w, r)
	})
	posts = make(chan url.Values, 10)
	opts := b.opts
	opts.Nonce = "a-nonce-of-this-reply"
	session := identomat.Session{
		Token: embeddedToken,
		URL:   widgetURL + "/?session_token=" + embeddedToken + "#" + url.PathEscape(b.widgetSays),
	}
	page := template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>Bank</title>
<script nonce="{{.Nonce}}">
let heard = 0, done = 0;
addEventListener("message", (e) => { if (e.data === "spoken") heard++; });
addEventListener("identomat:done", (e) => { done++; if ({{.Cancel}}) e.preventDefault(); });
</script>
<h1>Verify yourself</h1>
{{.Widget}}
<iframe src="{{.Stranger}}"></iframe>
<iframe src="{{.Second}}"></iframe>
</html>`))
	home = company(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.Method == http.MethodPost {
			_ = r.ParseForm()
			posts <- r.PostForm
			_, _ = fmt.Fprint(w, `<!DOCTYPE html><link rel="icon" href="data:,"><title>Bank</title><h1>Thank you</h1>`)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; frame-src "+widgetURL+" "+stranger+
			"; script-src 'nonce-"+opts.Nonce+"'; style-src 'self'; form-action 'self'")
		snippet, err := widget.Embed(&session, opts)
		assert.NoError(t, err)
		assert.NoError(t, page.Execute(w, map[string]any{
			"Nonce": opts.Nonce, "Cancel": b.cancel, "Widget": snippet,
			// The same words from another origin, and from the widget's origin in another frame.
			"Stranger": stranger + "/#" + url.PathEscape(b.othersSay),
			"Second":   widgetURL + "/#" + url.PathEscape(b.othersSay),
		}))
	})
	return home, posts
}

func TestTheEndOfAnEmbeddedSessionIsHeardOnce(t *testing.T) {
	for name, words := range map[string]string{
		"the word":             `["'DONE'"]`,
		"the object":           `["{type: 'done', sessionId: '47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc'}"]`,
		"both, again":          `["'DONE'", "{type: 'done'}", "'DONE'", "'DONE'"]`,
		"after something else": `["{type: 'progress'}", "null", "7", "'done'", "['DONE']", "'DONE'"]`,
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			opts := widget.Options{PostTo: "/kyc/done", Fields: map[string]string{"csrf": "c<\">"}}
			home, posts := bank{opts: opts, widgetSays: words}.open(t)
			b.Visit(home)
			b.Do(chromedp.WaitVisible(chromedp.Search(`//h1[text()="Thank you"]`)))
			assert.Equal(t, url.Values{"session_token": {embeddedToken}, "csrf": {"c<\">"}}, <-posts)
			assert.Empty(t, posts)
		})
	}
}

func TestAnEmbeddingPageCanKeepTheEndToItself(t *testing.T) {
	for name, opts := range map[string]widget.Options{
		"without a form":         {},
		"with a cancelled event": {PostTo: "/kyc/done"},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			home, posts := bank{opts: opts, widgetSays: `["'DONE'", "'DONE'", "{type: 'done'}"]`, cancel: true}.open(t)
			b.Visit(home)
			b.Poll(`heard === 3`)
			assert.Equal(t, "1", b.Eval(`done`))
			assert.Equal(t, "Verify yourself", b.Text("h1"))
			assert.Empty(t, posts)
			assert.Equal(t, "camera; microphone", b.Eval(`document.querySelector(".identomat-widget iframe").allow`))
		})
	}
}

func TestAForgedEndOfAnEmbeddedSessionIsNotHeard(t *testing.T) {
	b := open(t)
	home, posts := bank{
		opts:       widget.Options{PostTo: "/kyc/done"},
		widgetSays: `["'done'", "{type: 'DONE'}", "null", "undefined", "{}", "['DONE']"]`,
		othersSay:  `["'DONE'", "{type: 'done'}", "'DONE'"]`,
	}.open(t)
	b.Visit(home)
	b.Poll(`heard === 3`)
	// The page itself, which a script of an advertisement may have.
	b.Eval(`(postMessage("DONE", "*"), postMessage("spoken", "*"))`)
	b.Poll(`heard === 4`)
	assert.Equal(t, "0", b.Eval(`done`))
	assert.Equal(t, "Verify yourself", b.Text("h1"))
	require.Empty(t, posts)
}

func TestAFrameThatLeftTheWidgetIsNotHeard(t *testing.T) {
	b := open(t)
	home, posts := bank{opts: widget.Options{PostTo: "/kyc/done"}, widgetSays: `["'DONE'"]`, leave: true}.open(t)
	b.Visit(home)
	b.Poll(`heard === 3`)
	assert.Equal(t, "0", b.Eval(`done`))
	require.Empty(t, posts)
}
