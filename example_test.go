package identomat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// A complete verification. The fake stands in for the service.
func Example() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client() // in production: identomat.NewClientFromEnv()

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.Georgian).ReturnURL("https://bank.example/kyc/return"),
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).Countries("GEO"),
			identomat.Liveness().Active(true),
		},
		ClientUserID: "user-12345",
	})
	if err != nil {
		log.Fatal(err)
	}
	// In production: http.Redirect(w, r, session.URL, http.StatusSeeOther)
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}
	result, err := client.Sessions.Wait(ctx, session.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.Approved())
	fmt.Println(result.Person) // fmt masks personal data
	fmt.Println(result.Person.FirstName, result.Person.LastName)
	// Output:
	// approved true
	// [redacted]
	// John Smith
}

func ExampleNewClient() {
	client, err := identomat.NewClient("your-company-key",
		identomat.WithHMAC("your-secret-key", identomat.RequireSignedResponses()),
		identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 4, MaxDelay: 10 * time.Second}),
		identomat.WithObserver(func(e identomat.Event) { log.Println(e.Operation, e.StatusCode, e.Duration) }),
	)
	fmt.Println(client, err)
	_, err = identomat.NewClient("your-company-key", identomat.WithAPIURL("http://unencrypted.example"))
	fmt.Println(err)
	// Output:
	// [redacted] <nil>
	// identomat: the API URL must be https, except for a loopback host
}

func ExampleSessionsService_Begin() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{
		Steps: identomat.Steps{
			identomat.Liveness(),
			identomat.UserQuestionnaire("employment").Ask(
				identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"},
					identomat.Choice("yes", identomat.Text{"en": "Yes"}),
					identomat.Choice("no", identomat.Text{"en": "No"})),
			),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("send the customer to Identomat:", strings.HasPrefix(session.URL, client.WidgetURL()))

	_, err = client.Sessions.Begin(context.Background(), identomat.BeginRequest{
		Steps: identomat.Steps{identomat.Liveness(), identomat.Liveness()},
	})
	fmt.Println(err)
	// Output:
	// send the customer to Identomat: true
	// identomat: begin/: invalid request: steps[1].key: must be unique in the session
}

// A customer who clicks twice must not begin two sessions. Reserve a row for the customer before Begin, and
// release it only if the service certainly began no session.
func ExampleSessionsService_Begin_once() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client() // in production: identomat.NewClientFromEnv()

	var mu sync.Mutex
	rows := map[string]*identomat.Session{} // in production: a table; nil means reserved or unclear
	begin := func(user string) (*identomat.Session, error) {
		mu.Lock()
		session, reserved := rows[user]
		if !reserved {
			rows[user] = nil // in production: INSERT … ON CONFLICT DO NOTHING, committed before Begin
		}
		mu.Unlock()
		if session != nil {
			return session, nil // in production: unless its lifetime is over
		}
		if reserved {
			return nil, errors.New("the session is being begun, or it is unclear whether it was begun")
		}
		session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{ClientUserID: user})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			rows[user] = session
		case !identomat.MaybeProcessed(err):
			delete(rows, user)
		}
		return session, err
	}

	first, err := begin("nino")
	if err != nil {
		log.Fatal(err)
	}
	second, err := begin("nino")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same session:", first.Token == second.Token)

	server.Fault("begin/", identomattest.ResetAfterRead(), 1) // begins a session, and loses the response
	_, err = begin("luka")
	fmt.Println("the service may have begun a session:", identomat.MaybeProcessed(err))
	_, err = begin("luka")
	fmt.Println(err) // a person looks for the session in the dashboard
	fmt.Println("requests:", server.Count("begin/"))
	// Output:
	// the same session: true
	// the service may have begun a session: true
	// the session is being begun, or it is unclear whether it was begun
	// requests: 2
}

func ExampleSessionsService_Result() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Reject(session.Token, "low_similarity"); err != nil {
		log.Fatal(err)
	}
	result, err := client.Sessions.Result(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.RejectReason.Value)

	_, err = client.Sessions.Result(context.Background(), "unknown")
	fmt.Println("no such session:", errors.Is(err, identomat.ErrSessionNotFound))
	// Output:
	// rejected low_similarity
	// no such session: true
}

func ExampleSessionsService_Wait() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.ManualCheck(session.Token); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	result, err := client.Sessions.Wait(ctx, session.Token)
	if err != nil {
		log.Fatal(err) // errors.Is(err, context.DeadlineExceeded): the customer did not finish
	}
	fmt.Println(result.Outcome, result.Approved())
	// Output: manual_check false
}

func ExampleSessionsService_Delete() {
	server, err := identomattest.Start(identomattest.WithDeletedDocuments())
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	deleted, err := client.Sessions.Delete(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	if deleted.Result != nil { // the service may also return only true
		fmt.Println("the last outcome was", deleted.Result.Outcome)
	}

	session, err = client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	// The response is lost, so the SDK retries, and the retry finds no session.
	server.Fault("delete/", identomattest.HTTPStatus(503).AfterProcessing(), 1)
	_, err = client.Sessions.Delete(context.Background(), session.Token)
	if err != nil && !errors.Is(err, identomat.ErrSessionNotFound) {
		log.Fatal(err)
	}
	fmt.Println("the session is gone")
	// Output:
	// the last outcome was in_progress
	// the session is gone
}
