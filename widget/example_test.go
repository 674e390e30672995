package widget_test

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/widget"
)

// A page with a strict Content-Security-Policy embeds the widget. When the customer has finished, the browser
// posts the session token and the CSRF token to /kyc/done.
func ExampleEmbed() {
	page := template.Must(template.New("").Parse(`<main><h1>Verify yourself</h1>{{.}}</main>`))
	show := func(w http.ResponseWriter, session *identomat.Session, csrf, nonce string) error {
		snippet, err := widget.Embed(session, widget.Options{
			PostTo: "/kyc/done",
			Fields: map[string]string{"csrf": csrf},
			Nonce:  nonce,
		})
		if err != nil {
			return err
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; "+
			"frame-src https://widget.identomat.com; script-src 'nonce-"+nonce+"'")
		w.Header().Set("Cache-Control", "no-store")
		return page.Execute(w, snippet)
	}

	session := &identomat.Session{ // from Sessions.Begin
		Token: "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc",
		URL:   "https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc",
	}
	w := httptest.NewRecorder()
	if err := show(w, session, "csrf-token", "nonce"); err != nil {
		log.Fatal(err)
	}
	_, html, _ := strings.Cut(w.Body.String(), "</h1>")
	html, _, _ = strings.Cut(html, "\n(() =>")
	fmt.Println(html)
	// Output:
	// <identomat-widget class="identomat-widget" data-origin="https://widget.identomat.com">
	// <iframe src="https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc" title="Identity verification" allow="camera" width="100%" height="720"></iframe>
	// <form method="post" action="/kyc/done" hidden>
	// <input type="hidden" name="session_token" value="47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc">
	// <input type="hidden" name="csrf" value="csrf-token">
	// </form>
	// <script nonce="nonce">
}
