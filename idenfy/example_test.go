package idenfy_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/idenfy/idenfytest"
)

// A complete verification against the fake.
func Example() {
	server, err := idenfytest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client() // in production: idenfy.NewClientFromEnv()

	outcome := make(chan bool, 1)
	handler, err := idenfy.WebhookHandler([]string{server.SigningKey}, func(_ context.Context, webhook *idenfy.Webhook) error {
		if webhook.Ended() {
			outcome <- webhook.Approved() // in production: store webhook.EventType and webhook.Raw(), and process them later
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	webhooks := httptest.NewServer(handler)
	defer webhooks.Close()

	ctx := context.Background()
	session, err := client.CreateSession(ctx, idenfy.SessionRequest{ClientID: "user-12345"})
	if err != nil {
		log.Fatal(err)
	}
	// In production: http.Redirect(w, r, session.RedirectURL(), http.StatusSeeOther)
	if _, err := server.SendWebhook(ctx, webhooks.URL, idenfytest.Approved(session.ScanRef)); err != nil { // stands in for the customer and iDenfy
		log.Fatal(err)
	}
	fmt.Println(session)
	fmt.Println("approved:", <-outcome)
	// Output:
	// [redacted]
	// approved: true
}

func ExampleNewClient() {
	client, err := idenfy.NewClient("your-api-key", "your-api-secret",
		identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 4, MaxDelay: 10 * time.Second}),
		identomat.WithObserver(func(e identomat.Event) { log.Println(e.Operation, e.StatusCode, e.Duration) }),
	)
	fmt.Println(client, err)
	_, err = idenfy.NewClient("your-api-key", "your-api-secret", idenfy.WithBaseURL("http://unencrypted.example"))
	fmt.Println(err)
	// Output:
	// [redacted] <nil>
	// idenfy: the base URL must be https, except for a loopback host
}

func ExampleClient_CreateSession() {
	server, err := idenfytest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.CreateSession(context.Background(), idenfy.SessionRequest{
		ClientID:      "user-12345",
		Locale:        idenfy.Lithuanian,
		Country:       "lt",
		Documents:     []idenfy.DocumentType{idenfy.Passport, idenfy.IDCard},
		ExpiryTime:    new(3600),
		SuccessURL:    "https://bank.example/kyc/done",
		CheckLiveness: new(true),
		ReviewFailed:  new(false), // even if the environment turns it on
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.ClientID, session.Documents, *session.ExpiryTime, "seconds")

	_, err = client.CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12345", Country: "LTU", SessionLength: new(30)})
	fmt.Println(err)
	// Output:
	// user-12345 [PASSPORT ID_CARD] 3600 seconds
	// identomat: idenfy/token: invalid request: sessionLength: must be 60 to 3600 seconds; country: must be a country code of two letters
}

// How to handle the errors of CreateSession.
func ExampleClient_CreateSession_errors() {
	server, err := idenfytest.Start(idenfytest.WithCredits(1))
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	server.Fault(idenfytest.HTMLPage(http.StatusBadGateway).AfterProcessing(), 1)

	for range 2 {
		_, err = client.CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12345"})
		switch {
		case identomat.MaybeProcessed(err):
			fmt.Println("a session may exist: wait before you create another one")
		case errors.Is(err, idenfy.ErrOutOfCredits):
			fmt.Println("buy credits")
		case errors.Is(err, idenfy.ErrUnauthorized):
			fmt.Println("check the keys")
		}
		fmt.Println(err)
	}
	// Output:
	// a session may exist: wait before you create another one
	// identomat: idenfy/token: unexpected response (HTTP 502, text/html): 109 bytes: html bad gateway bad gateway html
	// buy credits
	// identomat: idenfy/token: out of credits (HTTP 400, PERMISSIONS_ERROR)
}

func ExampleSession_RedirectURL() {
	server, err := idenfytest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	session, err := server.Client().CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12345"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.HasPrefix(session.RedirectURL(), server.URL+"/api/v2/redirect?authToken="))
	// Output: true
}

func ExampleSession_IframeURL() {
	server, err := idenfytest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12345"})
	if err != nil {
		log.Fatal(err)
	}
	src, err := session.IframeURL(idenfy.Lithuanian)
	fmt.Println(strings.HasSuffix(src, "&lang=lt"), err)

	session, err = client.CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12346", SuccessURL: "https://bank.example/done"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = session.IframeURL(idenfy.Lithuanian)
	fmt.Println(err)
	// Output:
	// true <nil>
	// idenfy: a session with a success, error or unverified URL cannot be shown in an iframe
}

func ExampleParseWebhook() {
	const signingKey = "unit-test-signing-key" // from the notification's settings in iDenfy's dashboard
	body := `{"final":true,"scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac"}`
	r := httptest.NewRequest(http.MethodPost, "/webhooks/idenfy", strings.NewReader(body))
	r.Header.Set(idenfy.SignatureHeader, "2123d5e25e9344cf0cd6c65c068366bb3367dea73d76880eb76fa7549948903b")

	webhook, err := idenfy.ParseWebhook(r, []string{"the-next-key", signingKey})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(webhook.ScanRef, webhook.Final, webhook.Approved())

	r = httptest.NewRequest(http.MethodPost, "/webhooks/idenfy", strings.NewReader(body))
	_, err = idenfy.ParseWebhook(r, []string{signingKey})
	fmt.Println(err)
	// Output:
	// ec6a7108-8c26-11e9-9758-309c231b1bac true false
	// identomat: callback rejected: Idenfy-Signature is missing or malformed
}

// Store the event type with the body, and decode both later.
func ExampleDecodeWebhook() {
	// These values were stored by the function that WebhookHandler calls: w.EventType and w.Raw().
	eventType, raw := "IDENTIFICATION_CANCELLED", `{"scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac","status":{"overall":"ACTIVE"}}`

	webhook, err := idenfy.DecodeWebhook(eventType, []byte(raw)) // verifies no signature
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(webhook.ScanRef, webhook.Ended(), webhook.Approved())
	// Output: ec6a7108-8c26-11e9-9758-309c231b1bac true false
}

// A guard that refuses a second session while one is open.
func ExampleWithGuard() {
	server, err := idenfytest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	// In production, use a database. Delete the ID after the final webhook, and after an error that
	// is not MaybeProcessed.
	var open sync.Map
	client := server.Client(idenfy.WithGuard(func(_ context.Context, clientID string) error {
		if _, already := open.LoadOrStore(clientID, true); already {
			return errors.New("a session is open")
		}
		return nil
	}))
	for range 2 {
		_, err := client.CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12345"})
		fmt.Println(err)
	}
	fmt.Println(len(server.Requests()))
	// Output:
	// <nil>
	// identomat: idenfy/token: a session is open
	// 1
}
