package widget_test

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/widget"
)

// Two handlers: one shows the widget, and one reads the outcome when the customer has finished. Anyone can
// post any token, so the second compares the owner of the session with the signed-in user, and acts once.
func Example() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()                                                    // in production: identomat.NewClientFromEnv()
	owners, approved := map[identomat.Token]string{}, map[identomat.Token]bool{} // in production: your database

	show := func(w http.ResponseWriter, r *http.Request, signedIn string) {
		// In production, first look for a session of this user: a reload must not begin a second one.
		session, err := client.Sessions.Begin(r.Context(), identomat.BeginRequest{ClientUserID: signedIn})
		if err != nil {
			http.Error(w, "Please try again later.", http.StatusBadGateway)
			return
		}
		owners[session.Token] = signedIn
		snippet, err := widget.Embed(session, widget.Options{PostTo: "/kyc/done", Fields: map[string]string{"csrf": "csrf-token"}})
		if err != nil {
			http.Error(w, "Please try again later.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(w, snippet) // in production: in a page, as in the example of Embed
	}
	done := func(w http.ResponseWriter, r *http.Request, signedIn string) {
		token, err := identomat.SessionTokenFromReturn(r)
		if err != nil || r.PostFormValue("csrf") != "csrf-token" {
			http.Error(w, "Please start again.", http.StatusBadRequest)
			return
		}
		if owner, found := owners[token]; !found || owner != signedIn {
			http.Error(w, "This is not your verification.", http.StatusForbidden)
			return
		}
		result, err := client.Sessions.Result(r.Context(), token)
		switch {
		case err != nil:
			http.Error(w, "Please try again in a moment.", http.StatusBadGateway)
		case !result.Approved():
			fmt.Fprintln(w, "outcome:", result.Outcome) // in_progress and manual_check can still change
		case !approved[token]:
			approved[token] = true
			fmt.Fprintln(w, "approved: the account is open")
		default:
			fmt.Fprintln(w, "approved before")
		}
	}

	page := httptest.NewRecorder()
	show(page, httptest.NewRequest(http.MethodGet, "/kyc", nil), "nino")
	fmt.Println(page.Code, "with the widget:", strings.Contains(page.Body.String(), "<iframe"))

	// In production, the customer finishes in the iframe, and the browser posts the form.
	token := server.Sessions()[0].Token
	if err := server.Approve(token); err != nil {
		log.Fatal(err)
	}
	form := url.Values{"session_token": {string(token)}, "csrf": {"csrf-token"}}.Encode()
	for _, signedIn := range []string{"nino", "nino", "someone else"} {
		r := httptest.NewRequest(http.MethodPost, "/kyc/done", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		done(w, r, signedIn)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 with the widget: true
	// 200 approved: the account is open
	// 200 approved before
	// 403 This is not your verification.
}

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
