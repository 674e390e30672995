package identomat_test

import (
	"context"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// The widget as a piece of a page with a strict policy. When the customer has finished, the
// browser posts the token and the CSRF token to /kyc/done.
func ExampleSession_Embed() {
	page := template.Must(template.New("").Parse(`<main><h1>Verify yourself</h1>{{.}}</main>`))
	show := func(w http.ResponseWriter, session *identomat.Session, csrf, nonce string) error {
		widget, err := session.Embed(identomat.EmbedOptions{
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
		return page.Execute(w, widget)
	}

	session := &identomat.Session{
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
	// <div class="identomat-widget" data-origin="https://widget.identomat.com">
	// <iframe src="https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc" title="Identity verification" allow="camera; microphone" width="100%" height="720"></iframe>
	// <form method="post" action="/kyc/done" hidden>
	// <input type="hidden" name="session_token" value="47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc">
	// <input type="hidden" name="csrf" value="csrf-token">
	// </form>
	// <script nonce="nonce">
}

// The page to which the widget returns. The token in the address says which session it
// could be; the server's own records say whose that is, and the service how it ended.
func ExampleSessionTokenFromReturn() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	owners := map[identomat.Token]string{} // in your database

	returned := func(w http.ResponseWriter, r *http.Request, user string) {
		token, err := identomat.SessionTokenFromReturn(r)
		if err != nil {
			http.Error(w, "This link is not complete.", http.StatusBadRequest)
			return
		}
		if owners[token] != user {
			http.Error(w, "This is not your verification.", http.StatusForbidden)
			return
		}
		result, err := client.Sessions.Result(r.Context(), token)
		if err != nil {
			http.Error(w, "Please try again in a moment.", http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, "approved:", result.Approved())
	}

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{ClientUserID: "nino"})
	if err != nil {
		log.Fatal(err)
	}
	owners[session.Token] = "nino"
	if err := server.Approve(session.Token); err != nil { // the customer's part
		log.Fatal(err)
	}
	for _, user := range []string{"nino", "somebody else"} {
		w := httptest.NewRecorder()
		returned(w, httptest.NewRequest("GET", "/kyc/return?session_token="+url.QueryEscape(string(session.Token)), nil), user)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 approved: true
	// 403 This is not your verification.
}

// The Callback URL of the company. What arrives is written down; a worker asks for the
// result.
func ExampleCallbackHandler() {
	news := make(chan identomat.Token, 1) // in your database, so that a restart loses nothing
	callbacks, err := identomat.CallbackHandler([]string{"callback-api-key-123"},
		func(ctx context.Context, c identomat.Callback) error {
			if sms, ok := c.SMS(); ok {
				fmt.Println("send a message:", sms) // your SMS provider; the message prints as a mask
				return nil
			}
			if c.SessionID != "" { // what is not documented may be about something else
				news <- c.SessionID
			}
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	company := httptest.NewServer(callbacks) // http.Handle("/callbacks/identomat", callbacks)
	defer company.Close()

	server, err := identomattest.Start(identomattest.WithCallbackKey("callback-api-key-123"))
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	session, err := server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	for _, callback := range []identomattest.Callback{
		identomattest.OneTimePassword(session.Token, "+995512345678", "6867"),
		identomattest.PlainCallback("status-changed", session.Token),
		identomattest.PlainCallback("status-changed", session.Token).WithKey("a guess"),
	} {
		status, err := server.SendCallback(context.Background(), company.URL, callback)
		fmt.Println(status, err)
	}
	fmt.Println("ask for the result:", <-news == session.Token)
	// Output:
	// send a message: [redacted]
	// 200 <nil>
	// 200 <nil>
	// 403 <nil>
	// ask for the result: true
}
