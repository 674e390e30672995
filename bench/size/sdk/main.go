// Command sdk begins a session and reads its result with the SDK, as the command hand does
// without. It is built by .ci/cost and not run.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/identomat-go/identomat"
)

func main() {
	client, err := identomat.NewClient(os.Args[1])
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}})
	if err != nil {
		panic(err)
	}
	result, err := client.Sessions.Result(ctx, session.Token)
	fmt.Println(result.Approved(), err)
}
