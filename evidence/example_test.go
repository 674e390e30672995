package evidence_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// Collect a session's evidence, verify it, and erase the session.
func Example() {
	server, err := identomattest.Start() // in production: identomat.NewClientFromEnv
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	ctx := context.Background()
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Approve(session.Token); err != nil {
		log.Fatal(err)
	}

	base, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(base)
	dir := filepath.Join(base, "user-1")
	report, err := evidence.Collect(ctx, client, session.Token, evidence.Dir(dir),
		evidence.With("decision.json", []byte(`{"decision":"accepted"}`)))
	if err != nil {
		log.Fatal(err) // ErrIncomplete: collect again
	}
	fmt.Println("complete:", report.Complete)

	check, err := evidence.Verify(os.DirFS(dir))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified:", check.Outcome)

	receipt, err := evidence.Erase(ctx, client, session.Token, os.DirFS(dir))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the receipt is of this package:", receipt.Digest == check.Digest)
	// Output:
	// complete: true
	// verified: approved
	// the receipt is of this package: true
}

// Download everything of a session into a folder: the result, images, videos, answers and reports. The
// package's report says for each source what was fetched, and why the rest is absent.
func ExampleCollect() {
	server, err := identomattest.Start() // in production: identomat.NewClientFromEnv
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	ctx := context.Background()
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{
		Steps: identomat.Steps{identomat.IdentityDocument(), identomat.Liveness()},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}

	base, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(base)
	report, err := evidence.Collect(ctx, client, session.Token, evidence.Dir(filepath.Join(base, "user-1")))
	if err != nil {
		log.Fatal(err) // ErrIncomplete: collect again, which fetches only what is missing
	}
	for _, source := range report.Sources {
		for _, file := range source.Files {
			fmt.Println(file.Path, file.ContentType)
		}
	}
	// Output:
	// data/result.json application/json
	// data/report.pdf application/pdf
	// data/media/card-front.jpg image/jpeg
	// data/media/card-back.jpg image/jpeg
	// data/media/face.jpg image/jpeg
	// data/media/face-video.mp4 video/mp4
	// data/media/document-face-photo.jpg image/jpeg
	// data/activities.json application/json
	// data/statistics.json application/json
	// data/visual-markers/1.tar application/x-tar
}
