// Interfaces shows how to call the SDK through your own interface and how to test your code with
// a hand-written stub. Copy gate.go, which declares the interface next to the code that uses it,
// and gate_test.go, which has the stub.
//
//	go test ./examples/interfaces
//
// The program uses the SDK's implementation, with a client that calls a fake Identomat:
//
//	go run ./examples/interfaces
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "interfaces:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	server, err := identomattest.Start()
	if err != nil {
		return err
	}
	defer server.Close()

	gate := Gate{server.Client().Sessions}
	session, err := gate.Begin(ctx, "user-12345")
	if err != nil {
		return err
	}
	for _, customer := range []func() error{
		func() error { return nil },
		func() error { return server.Approve(session.Token) },
	} {
		if err := customer(); err != nil {
			return err
		}
		may, err := gate.MayEnter(ctx, session.Token)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "The customer may enter:", may)
	}
	return nil
}
