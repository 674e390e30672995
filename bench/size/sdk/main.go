// Command sdk does the same work as command hand, but with the SDK. .ci/measure builds it and never
// runs it.
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
