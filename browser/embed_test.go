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
	// insert is JavaScript that copies the snippet from the element template to the element host. Empty
	// means that the snippet is part of the page.
	insert string
	// loadScript makes the page load widget.Script, before or after the snippet is inserted.
	loadScript string
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
{{if .Before}}<script nonce="{{.Nonce}}" src="/identomat-widget.js"></script>{{end}}
{{if .Insert}}<div id="host"></div>
<template id="snippet">{{.Widget}}</template>
<script nonce="{{.Nonce}}">{
const host = document.getElementById("host"), template = document.getElementById("snippet");
{{.Insert}}
}</script>
{{else}}{{.Widget}}{{end}}
{{if .After}}<script nonce="{{.Nonce}}" src="/identomat-widget.js"></script>{{end}}
<iframe src="{{.Stranger}}"></iframe>
<iframe src="{{.Second}}"></iframe>
</html>`))
	home = company(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/identomat-widget.js" {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			_, _ = fmt.Fprint(w, widget.Script)
			return
		}
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
			"Nonce": opts.Nonce, "Cancel": b.cancel, "Widget": snippet, "Insert": template.JS(b.insert),
			"Before": b.loadScript == "before", "After": b.loadScript == "after",
			// Both frames send the same messages. Stranger has its own origin, Second the widget's.
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
		"JSON text":            `["'{\"type\":\"done\",\"sessionId\":\"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc\"}'"]`,
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

// Browsers do not run scripts that are inserted with innerHTML, and document.currentScript is null in
// a shadow root. The page's listener receives the event even from a shadow root.
func TestEmbedInsertedByScript(t *testing.T) {
	for name, b := range map[string]bank{
		"innerHTML, script before": {insert: `host.innerHTML = template.innerHTML`, loadScript: "before"},
		"innerHTML, script after":  {insert: `host.innerHTML = template.innerHTML`, loadScript: "after"},
		"insertAdjacentHTML":       {insert: `host.insertAdjacentHTML("beforeend", template.innerHTML)`, loadScript: "before"},
		"template":                 {insert: `host.append(template.content.cloneNode(true))`},
		"template, script before":  {insert: `host.append(template.content.cloneNode(true))`, loadScript: "before"},
		"shadow root":              {insert: `host.attachShadow({mode: "open"}).append(template.content.cloneNode(true))`},
		"closed shadow root":       {insert: `host.attachShadow({mode: "closed"}).innerHTML = template.innerHTML`, loadScript: "after"},
		"moved":                    {insert: `host.innerHTML = template.innerHTML; document.body.prepend(host.firstChild)`, loadScript: "before"},
		"twice in a page":          {insert: `host.innerHTML = template.innerHTML; host.append(template.content.cloneNode(true)); host.firstChild.remove()`, loadScript: "before"},
		"script twice":             {loadScript: "before"},
	} {
		t.Run(name, func(t *testing.T) {
			tab := open(t)
			b.opts = widget.Options{PostTo: "/kyc/done"}
			b.widgetSays = `["'DONE'"]`
			home, posts := b.open(t)
			tab.Visit(home)
			tab.Do(chromedp.WaitVisible(chromedp.Search(`//h1[text()="Thank you"]`)))
			assert.Equal(t, url.Values{"session_token": {embeddedToken}}, <-posts)

			b.opts, b.cancel, b.widgetSays = widget.Options{}, true, `["'DONE'", "'DONE'"]`
			home, _ = b.open(t)
			tab.Visit(home)
			tab.Poll(`heard === 3`)
			assert.Equal(t, "1", tab.Eval(`done`), "the page hears the event")
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
			assert.Equal(t, "camera", b.Eval(`document.querySelector(".identomat-widget iframe").allow`))
		})
	}
}

func TestEmbedIgnoresForgedMessages(t *testing.T) {
	b := open(t)
	home, posts := bank{
		opts:       widget.Options{PostTo: "/kyc/done"},
		widgetSays: `["'done'", "{type: 'DONE'}", "null", "undefined", "{}", "['DONE']", "'{type: done}'", "'null'", "'[]'", "'\"DONE\"'", "'{\"type\":\"DONE\"}'"]`,
		othersSay:  `["'DONE'", "{type: 'done'}", "'DONE'"]`,
	}.open(t)
	b.Visit(home)
	b.Poll(`heard === 3`)
	// A message from the page itself, for example from an advertisement's script.
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
