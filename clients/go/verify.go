// Verify verifies a person with Identomat, with a client that oapi-codegen generates from Identomat's
// OpenAPI description. Go programs have a better choice: the SDK in the root of this repository.
//
//	go generate
//	IDENTOMAT_COMPANY_KEY=… IDENTOMAT_WIDGET_URL=… IDENTOMAT_API_URL=… go run .
//
// It runs against "identomat sandbox", because it approves the session itself.
package main

//go:generate mkdir -p identomat
//go:generate go tool oapi-codegen -config codegen.yaml ../../identomattest/openapi.json

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"regexp"
	"strings"

	"example.com/verify/identomat"
)

func main() {
	log.SetFlags(0)
	if err := verify(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func verify(ctx context.Context) error {
	key := os.Getenv("IDENTOMAT_COMPANY_KEY")
	widgetURL := cmp.Or(os.Getenv("IDENTOMAT_WIDGET_URL"), "https://widget.identomat.com")
	apiURL := cmp.Or(os.Getenv("IDENTOMAT_API_URL"), "https://external-api.identomat.com")
	// Each operation belongs to one of two hosts.
	widget, err := identomat.NewClientWithResponses(widgetURL)
	if err != nil {
		return err
	}
	api, err := identomat.NewClientWithResponses(apiURL)
	if err != nil {
		return err
	}

	var document, liveness identomat.Step
	err = errors.Join(
		document.FromIdentityDocumentStep(identomat.IdentityDocumentStep{
			Type:  "identity-document",
			Flags: &identomat.IdentityDocumentStepFlags{DocumentTypes: &[]string{"id", "passport"}},
		}),
		liveness.FromLivenessStep(identomat.LivenessStep{Type: "liveness", Flags: &identomat.LivenessStepFlags{Liveness: new(true)}}),
	)
	if err != nil {
		return err
	}
	begun, err := checked(widget.BeginWithResponse(ctx, identomat.BeginRequest{
		CompanyKey: key,
		Flags:      &identomat.Flags{SkipFace: new(true), SkipDocument: new(true)},
		Steps:      &[]identomat.Step{document, liveness},
	}))
	if err != nil {
		return err
	}
	token, err := begun.JSON200.AsSessionToken()
	if err != nil {
		return err
	}
	fmt.Printf("send the browser to %s/?session_token=%s\n", widgetURL, token)
	if err := approve(ctx, widgetURL, token); err != nil {
		return err
	}

	fetched, err := checked(widget.ResultWithResponse(ctx, identomat.ResultRequest{CompanyKey: key, SessionToken: token}))
	if err != nil {
		return err
	}
	result, err := fetched.JSON200.AsResult()
	if err != nil {
		return err
	}
	fmt.Println(result.Result, *result.Person.FirstName, *result.Person.LastName)

	face, err := checked(widget.ResultFaceWithResponse(ctx, identomat.ResultFaceRequest{CompanyKey: key, SessionToken: token}))
	if err != nil {
		return err
	}
	fmt.Println("the face has", len(face.Body), "bytes")

	search := identomat.SearchScreeningPersonRequest{CompanyKey: key}
	search.Query.FullName, search.Query.ScoreThreshold = "John Smith", 80
	found, err := checked(api.SearchScreeningPersonWithResponse(ctx, search))
	if err != nil {
		return err
	}
	hits, err := found.JSON200.AsSearchScreeningPersonResult()
	if err != nil {
		return err
	}
	for _, hit := range hits.Result {
		fmt.Println("hit:", hit.Score, *hit.Name, strings.Join(*hit.Topics, ", "))
	}

	entry := identomat.AddBlacklistRecordRequest{CompanyKey: key}
	entry.Query.DocumentNumber, entry.Query.Reason = result.Person.DocumentNumber, "forged"
	added, err := checked(api.AddBlacklistRecordWithResponse(ctx, entry))
	if err != nil {
		return err
	}
	record, err := added.JSON200.AsAddBlacklistRecordResult()
	if err != nil {
		return err
	}
	if _, err := checked(api.RemoveBlacklistRecordWithResponse(ctx, identomat.RemoveBlacklistRecordRequest{CompanyKey: key, Id: record.Result})); err != nil {
		return err
	}
	fmt.Println("blacklisted and removed")

	if _, err := checked(widget.DeleteWithResponse(ctx, identomat.DeleteRequest{CompanyKey: key, SessionToken: token})); err != nil {
		return err
	}
	_, err = checked(widget.ResultWithResponse(ctx, identomat.ResultRequest{CompanyKey: key, SessionToken: token}))
	fmt.Println("deleted:", err)
	return nil
}

// checked returns an error for a response that is a refusal. Refusals have status 200, too.
func checked[R interface{ GetBody() []byte }](response R, err error) (R, error) {
	if err != nil {
		return response, err
	}
	var code string
	if json.Unmarshal(response.GetBody(), &code) == nil && errorCode.MatchString(code) {
		return response, errors.New(code)
	}
	var refusal struct{ ArgumentError, InternalError string }
	if json.Unmarshal(response.GetBody(), &refusal) == nil && refusal.ArgumentError+refusal.InternalError != "" {
		return response, errors.New(refusal.ArgumentError + refusal.InternalError)
	}
	return response, nil
}

var errorCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// approve approves a session of the sandbox. A person does this on the page.
func approve(ctx context.Context, widgetURL, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, widgetURL+"/_sandbox/sessions/"+token+"/approve", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
