package identomattest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// In a test, use identomattest.NewServer(t), which closes the server when the test ends.
func Example() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{
		Steps: identomat.Steps{identomat.IdentityDocument(), identomat.Liveness()},
	})
	if err != nil {
		log.Fatal(err)
	}
	err = server.Approve(session.Token, identomattest.AsPerson(identomattest.GeorgianPerson))
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.Sessions.Result(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.Person.FirstName, result.Person.LocalFirstName)
	for _, request := range server.Requests() {
		fmt.Println(request.Operation, request.Status, request.Processed)
	}
	// Output:
	// approved Nino ნინო
	// begin/ 200 true
	// result/ 200 true
}

// Faults apply in the order in which they were added.
func ExampleServer_Fault() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	server.Fault("begin/", identomattest.ErrorCode("SESSION_INVALID"), 1)
	server.Fault("begin/", identomattest.HTMLPage(http.StatusOK), 1)
	server.Fault("begin/", identomattest.ResetAfterRead(), 1) // the session begins, but the response is lost

	for _, target := range []error{identomat.ErrSessionInvalid, identomat.ErrUnexpectedResponse} {
		_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
		fmt.Println(errors.Is(err, target))
	}
	_, err = client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	fmt.Println(identomat.MaybeProcessed(err), len(server.Sessions()))
	// Output:
	// true
	// true
	// true 1
}

// printer stands in for a test's *testing.T.
type printer struct{}

func (printer) Helper()                           {}
func (printer) Cleanup(func())                    {}
func (printer) Logf(string, ...any)               {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printer) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

// AssertRequest ignores parameters that are not listed.
func ExampleServer_AssertRequest() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	_, err = server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.English).SkipDesktop(true), ClientUserID: "user-12345",
	})
	if err != nil {
		log.Fatal(err)
	}
	t := printer{}
	fmt.Println(server.AssertRequest(t, "begin/", map[string]any{"clientUserId": "user-12345"}))
	fmt.Println(server.AssertRequest(t, "begin/", map[string]any{"flags": map[string]any{"language": "ka"}}))
	// Output:
	// true
	// identomattest: no begin/ request has these parameters:
	//   flags.language: want "ka", got "en"
	//   in begin/ (POST widget host, application/json, 143 bytes) {"clientUserId":"user-12345","company_key":"***","flags":{"language":"en","skip_desktop":true}} -> HTTP 200, processed
	// false
}

// Test your callback handler with a callback from the fake.
func ExampleServer_SendCallback() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	handler, err := identomat.CallbackHandler([]string{server.CallbackKey}, func(_ context.Context, c identomat.Callback) error {
		sms, ok := c.SMS()
		fmt.Println(c.Type, ok, sms.PhoneNumber)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	company := httptest.NewServer(handler)
	defer company.Close()

	session, err := server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	status, err := server.SendCallback(context.Background(), company.URL,
		identomattest.OneTimePassword(session.Token, "+995512345678", "6867"))
	fmt.Println(status, err)
	// Output:
	// one-time-password-request true +995512345678
	// 200 <nil>
}

// Make result/ return a recorded response, or an outcome that the SDK does not know.
func ExampleServer_SetResult() {
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
	if err := server.SetResult(session.Token, `{"result":"an_outcome_of_tomorrow","similarity":0}`); err != nil {
		log.Fatal(err)
	}
	result, err := client.Sessions.Wait(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.Approved())
	// Output: an_outcome_of_tomorrow false
}
