package identomat_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// A handler for the return URL. Anyone can put a token into the URL, so the handler looks up
// the owner of the session in its own database and fetches the result from Identomat.
func ExampleSessionTokenFromReturn() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	owners := map[identomat.Token]string{} // in production: your database

	handleReturn := func(w http.ResponseWriter, r *http.Request, user string) {
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
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}
	for _, user := range []string{"nino", "someone else"} {
		w := httptest.NewRecorder()
		handleReturn(w, httptest.NewRequest("GET", "/kyc/return?session_token="+url.QueryEscape(string(session.Token)), nil), user)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 approved: true
	// 403 This is not your verification.
}

// A handler for the company's Callback URL. It only records which session has changed; a worker
// then fetches the result.
func ExampleCallbackHandler() {
	changed := make(chan identomat.Token, 1) // in production: your database, so that a restart loses nothing
	callbacks, err := identomat.CallbackHandler([]string{"callback-api-key-123"},
		func(ctx context.Context, c identomat.Callback) error {
			if sms, ok := c.SMS(); ok {
				fmt.Println("send an SMS:", sms) // in production: through your SMS provider
				return nil
			}
			if c.SessionID != "" { // a callback of an undocumented type may have no session
				changed <- c.SessionID
			}
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	company := httptest.NewServer(callbacks) // in production: http.Handle("/callbacks/identomat", callbacks)
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
	fmt.Println("fetch the result:", <-changed == session.Token)
	// Output:
	// send an SMS: [redacted]
	// 200 <nil>
	// 200 <nil>
	// 403 <nil>
	// fetch the result: true
}
