// Httpmock shows how to unit-test your own code with recorded responses. Copy decision_test.go: it
// gives the client a transport that responds with files from testdata, so no test needs a network
// or an account.
//
//	go test ./examples/httpmock
//
// The program runs the tested code against a fake Identomat:
//
//	go run ./examples/httpmock
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "httpmock:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	server, err := identomattest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	client := server.Client()
	for _, customer := range []struct {
		name   string
		finish func(identomat.Token) error
	}{
		{"has not finished", func(identomat.Token) error { return nil }},
		{"is approved", func(token identomat.Token) error { return server.Approve(token) }},
		{"is rejected", func(token identomat.Token) error { return server.Reject(token, "low_similarity") }},
		{"needs a manual check", func(token identomat.Token) error { return server.ManualCheck(token) }},
	} {
		session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{})
		if err != nil {
			return err
		}
		if err := customer.finish(session.Token); err != nil {
			return err
		}
		decision, err := Onboarding{Client: client}.Decide(ctx, session.Token)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "A customer who %s: %s.\n", customer.name, decision)
	}
	return nil
}
