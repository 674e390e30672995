package identomat_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"sync"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// A handler for the company's Callback URL. It sends text messages, and records which session has news. A
// worker looks up the session, reads the result, and acts only once, however often a callback arrives.
func ExampleCallbackHandler() {
	server, err := identomattest.Start(identomattest.WithCallbackKey("callback-api-key-123"))
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()              // in production: identomat.NewClientFromEnv()
	var owners sync.Map                    // in production: a table of tokens and the users who began the sessions
	approved := map[identomat.Token]bool{} // in production: a column of this table
	news := make(chan identomat.Token, 16) // in production: a table, so that a restart loses nothing

	callbacks, err := identomat.CallbackHandler([]string{"callback-api-key-123"},
		func(_ context.Context, c identomat.Callback) error {
			if sms, ok := c.SMS(); ok {
				fmt.Println("send an SMS:", sms) // in production: through your SMS provider
				return nil
			}
			if _, found := owners.Load(c.SessionID); found {
				news <- c.SessionID
			}
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	work := func(token identomat.Token) error {
		result, err := client.Sessions.Result(context.Background(), token)
		if err != nil {
			return err // in production: try again later
		}
		if user, _ := owners.Load(token); result.Approved() && !approved[token] {
			approved[token] = true // in production: in the transaction that opens the account
			fmt.Println("open the account of", user)
		}
		return nil
	}

	company := httptest.NewServer(callbacks) // in production: http.Handle("/callbacks/identomat", callbacks)
	defer company.Close()
	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{ClientUserID: "nino"})
	if err != nil {
		log.Fatal(err)
	}
	owners.Store(session.Token, "nino")
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}
	for _, callback := range []identomattest.Callback{
		identomattest.OneTimePassword(session.Token, "+995512345678", "6867"),
		identomattest.PlainCallback("status-changed", session.Token),
		identomattest.PlainCallback("status-changed", session.Token), // a second time
		identomattest.PlainCallback("status-changed", session.Token).WithKey("a guess"),
	} {
		status, err := server.SendCallback(context.Background(), company.URL, callback)
		fmt.Println("callback:", status, err)
	}
	for range len(news) {
		if err := work(<-news); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// send an SMS: [redacted]
	// callback: 200 <nil>
	// callback: 200 <nil>
	// callback: 200 <nil>
	// callback: 403 <nil>
	// open the account of nino
}
