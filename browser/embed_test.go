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

// speaker is a page that posts messages to its parent. The fragment of its address is a JSON list
// of JavaScript expressions, one per message. After the last message, the page posts "spoken".
const speaker = `<!DOCTYPE html><title>Widget</title><script>
for (const text of JSON.parse(decodeURIComponent(location.hash.slice(1)) || "[]")) parent.postMessage(eval("(" + text + ")"), "*");
parent.postMessage("spoken", "*");
</script>`

// bank serves a page that embeds the widget and has the Content-Security-Policy that Embed
// documents. Two other frames on the page also send messages to it.
type bank struct {
	opts widget.Options
	// widgetSays lists the messages from the embedded widget. othersSay lists the messages from
	// each of the other frames: one from another site, and one from the widget's site. Empty means
	// no messages.
	widgetSays, othersSay string
	// cancel makes the page cancel the event, which prevents the submission of the form.
	cancel bool
	// leave makes the widget's frame redirect to the other site.
	leave bool
}

// open serves the page and returns its address and the forms that are posted to it.
func (b bank) open(t *testing.T) (home string, posts chan url.Values) {
	t.Helper()
	speak := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, speaker)
	}
	stranger := company(t, speak)
	widgetURL := company(t, func(w http.ResponseWriter, r *http.Request) {
		if b.leave && r.URL.Query().Has("session_token") {
			http.Redirect(w, r, stranger, http.StatusSeeOther) // the browser keeps the fragment
			return
		}
		speak(w, r)
	})
	posts = make(chan url.Values, 10)
	opts := b.opts
	opts.Nonce = "a-nonce-of-this-response"
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
			// Both frames send the same messages, one from another origin and one from the widget's
			// origin.
			"Stranger": stranger + "/#" + url.PathEscape(b.othersSay),
			"Second":   widgetURL + "/#" + url.PathEscape(b.othersSay),
		}))
	})
	return home, posts
}

func TestEmbedSubmitsOnce(t *testing.T) {
	for name, words := range map[string]string{
		"string":               `["'DONE'"]`,
		"object":               `["{type: 'done', sessionId: '47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc'}"]`,
		"both, repeated":       `["'DONE'", "{type: 'done'}", "'DONE'", "'DONE'"]`,
		"after other messages": `["{type: 'progress'}", "null", "7", "'done'", "['DONE']", "'DONE'"]`,
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

func TestEmbedWithoutSubmit(t *testing.T) {
	for name, opts := range map[string]widget.Options{
		"no form":        {},
		"canceled event": {PostTo: "/kyc/done"},
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

func TestEmbedIgnoresForgedMessages(t *testing.T) {
	b := open(t)
	home, posts := bank{
		opts:       widget.Options{PostTo: "/kyc/done"},
		widgetSays: `["'done'", "{type: 'DONE'}", "null", "undefined", "{}", "['DONE']"]`,
		othersSay:  `["'DONE'", "{type: 'done'}", "'DONE'"]`,
	}.open(t)
	b.Visit(home)
	b.Poll(`heard === 3`)
	// A message from the page itself, such as an advertisement's script could send.
	b.Eval(`(postMessage("DONE", "*"), postMessage("spoken", "*"))`)
	b.Poll(`heard === 4`)
	assert.Equal(t, "0", b.Eval(`done`))
	assert.Equal(t, "Verify yourself", b.Text("h1"))
	require.Empty(t, posts)
}

func TestEmbedIgnoresFrameThatLeftWidget(t *testing.T) {
	b := open(t)
	home, posts := bank{opts: widget.Options{PostTo: "/kyc/done"}, widgetSays: `["'DONE'"]`, leave: true}.open(t)
	b.Visit(home)
	b.Poll(`heard === 3`)
	assert.Equal(t, "0", b.Eval(`done`))
	require.Empty(t, posts)
}
