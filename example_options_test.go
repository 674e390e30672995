package identomat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// startFake starts a fake of the service. In production, create the client with
// identomat.NewClientFromEnv(options...) or identomat.NewClient(companyKey, options...).
func startFake(opts ...identomattest.Option) *identomattest.Server {
	server, err := identomattest.Start(opts...)
	if err != nil {
		log.Fatal(err)
	}
	return server
}

// Reads are retried after temporary failures. This policy shortens the delays. Whatever the
// policy, Begin is not retried if it may have begun a session.
func ExampleWithRetry() {
	server := startFake()
	defer server.Close()
	client := server.Client(identomat.WithRetry(identomat.RetryPolicy{
		MaxAttempts: 5, BaseDelay: time.Millisecond, MaxDelay: 10 * time.Second,
	}))
	server.Fault(identomattest.AnyOperation, identomattest.HTTPStatus(http.StatusServiceUnavailable), 0)

	_, err := client.Sessions.Result(context.Background(), "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
	fmt.Println(err)
	_, err = client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	fmt.Println(err)
	// Output:
	// identomat: result/: unexpected response (HTTP 503, text/plain, 5 attempts): 19 bytes: service unavailable
	// identomat: begin/: unexpected response (HTTP 503, text/plain): 19 bytes: service unavailable
}

// The observer is called after every attempt, including one that will be retried.
func ExampleWithObserver() {
	server := startFake()
	defer server.Close()
	client := server.Client(
		identomat.WithRetry(identomat.RetryPolicy{BaseDelay: time.Millisecond}),
		identomat.WithObserver(func(e identomat.Event) {
			fmt.Println(e.Operation, e.Attempt, e.StatusCode, e.WillRetry)
		}))
	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	server.Fault("result/", identomattest.HTTPStatus(http.StatusBadGateway), 1)
	if _, err := client.Sessions.Result(context.Background(), session.Token); err != nil {
		log.Fatal(err)
	}
	// Output:
	// begin/ 1 200 false
	// result/ 1 502 true
	// result/ 2 200 false
}

// The response to begin/ is lost, so the session may or may not exist. Begin is not retried,
// because a second session would cost money.
func ExampleMaybeProcessed() {
	server := startFake()
	defer server.Close()
	client := server.Client()
	server.Fault("begin/", identomattest.ResetAfterRead(), 1)

	_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{ClientUserID: "user-12345"})
	fmt.Println("check before you retry:", identomat.MaybeProcessed(err))
	fmt.Println("sessions:", len(server.Sessions()), "requests:", server.Count("begin/"))
	// Output:
	// check before you retry: true
	// sessions: 1 requests: 1
}

func ExampleAPIError() {
	server := startFake()
	defer server.Close()
	client := server.Client()
	server.Fault("begin/", identomattest.TooManyRequests(40*time.Second), 1)

	_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	var apiErr *identomat.APIError
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.Operation, apiErr.StatusCode, apiErr.RetryAfter, apiErr.MaybeProcessed)
	}
	fmt.Println("rate limited:", errors.Is(err, identomat.ErrRateLimited))

	_, err = client.Sessions.Result(context.Background(), "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.Operation, apiErr.StatusCode, apiErr.Code)
	}
	// Output:
	// begin/ 429 40s false
	// rate limited: true
	// result/ 200 session-not-found
}

// A ValidationError lists every problem, with the path of the parameter.
func ExampleValidationError() {
	server := startFake()
	defer server.Close()
	_, err := server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{
		Steps: identomat.Steps{
			identomat.Liveness(),
			identomat.UserQuestionnaire("employment").Ask(
				identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"}),
				identomat.TextQuestion("employer", identomat.Text{"en": "By whom?"}).ShowIf("job", "yes"),
			),
		},
	})
	if invalid, ok := errors.AsType[*identomat.ValidationError](err); ok {
		for _, problem := range invalid.Problems {
			fmt.Println(problem.Path, problem.Message)
		}
	}
	// Output:
	// steps[1].questions[0].options must hold at least one option
	// steps[1].questions[1].showConditions.questionKey must be the key of an earlier question of the questionnaire
}

// The transport also works without a Client. It signs requests and verifies responses.
func ExampleNewHMACTransport() {
	server := startFake(identomattest.RequireHMAC())
	defer server.Close()
	signing := &http.Client{Transport: identomat.NewHMACTransport(server.SecretKey, nil)}

	form := url.Values{"company_key": {server.CompanyKey}}
	resp, err := signing.PostForm(server.WidgetURL+"/external-api/begin/", form)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		log.Fatal(err) // identomat.ErrSignatureMismatch if the signature of the response is wrong
	}
	fmt.Println(resp.StatusCode, "signed:", server.Requests()[0].SignatureValid)
	// Output: 200 signed: true
}

// A handler streams a customer's upload to Identomat as it arrives.
func ExampleFileFromReader() {
	server := startFake()
	defer server.Close()
	client := server.Client()
	upload := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= 0 || r.ContentLength > 10<<20 {
			http.Error(w, "send an image of at most 10 MB", http.StatusRequestEntityTooLarge)
			return
		}
		document, err := client.Documents.Passport(r.Context(), identomat.FileFromReader(r.Body, r.ContentLength))
		switch {
		case errors.Is(err, identomat.ErrImageRefused):
			http.Error(w, "please take the picture again", http.StatusUnprocessableEntity)
		case err != nil:
			http.Error(w, "the image could not be read", http.StatusBadGateway)
		default:
			fmt.Fprint(w, "issued by ", document.Person.IssuingState)
		}
	}))
	defer upload.Close()

	server.Fault("passport/", identomattest.ErrorCode(string(identomat.ImageDocumentBlurry)), 1)
	for range 2 {
		resp, err := http.Post(upload.URL, "image/jpeg", bytes.NewReader(identomattest.FaceJPEG(320, 400)))
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, strings.TrimSpace(string(text)), err)
	}
	// Output:
	// 422 please take the picture again <nil>
	// 200 issued by USA <nil>
}

// ParseCallback is for servers that do not use CallbackHandler.
func ExampleParseCallback() {
	serve := func(w http.ResponseWriter, r *http.Request) {
		callback, err := identomat.ParseCallback(r, []string{"callback-api-key-123"})
		var callbackErr *identomat.CallbackError
		switch {
		case errors.As(err, &callbackErr):
			http.Error(w, http.StatusText(callbackErr.StatusCode), callbackErr.StatusCode)
		case err != nil:
			http.Error(w, "the callback key is not set", http.StatusInternalServerError)
		default:
			fmt.Println("fetch the result of", string(callback.SessionID))
		}
	}
	for _, body := range []string{
		`{"callbackApiKey":"callback-api-key-123","type":"status-changed","sessionId":"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"}`,
		`{"callbackApiKey":"a guess","type":"status-changed","sessionId":"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/callbacks/identomat", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		serve(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// fetch the result of 47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc
	// 200
	// 403
}
