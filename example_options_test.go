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

// started is a fake; the real client is identomat.NewClient(companyKey, options...).
func started(opts ...identomattest.Option) *identomattest.Server {
	server, err := identomattest.Start(opts...)
	if err != nil {
		log.Fatal(err)
	}
	return server
}

// Reads are sent again after failures that may pass, here with shorter waits than by default.
// What may have begun a session is not, whatever the policy says.
func ExampleWithRetry() {
	server := started()
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

// The observer hears of every attempt, also of one that is repeated.
func ExampleWithObserver() {
	server := started()
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

// The reply to begin/ is lost. Nobody knows whether there is a session, so none is begun
// until somebody has looked.
func ExampleMaybeProcessed() {
	server := started()
	defer server.Close()
	client := server.Client()
	server.Fault("begin/", identomattest.ResetAfterRead(), 1)

	_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{ClientUserID: "user-12345"})
	fmt.Println("look before you repeat:", identomat.MaybeProcessed(err))
	fmt.Println("sessions:", len(server.Sessions()), "requests:", server.Count("begin/"))
	// Output:
	// look before you repeat: true
	// sessions: 1 requests: 1
}

func ExampleAPIError() {
	server := started()
	defer server.Close()
	client := server.Client()
	server.Fault("begin/", identomattest.TooManyRequests(40*time.Second), 1)

	_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	var refused *identomat.APIError
	if errors.As(err, &refused) {
		fmt.Println(refused.Operation, refused.StatusCode, refused.RetryAfter, refused.MaybeProcessed)
	}
	fmt.Println(errors.Is(err, identomat.ErrRateLimited))

	_, err = client.Sessions.Result(context.Background(), "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")
	if errors.As(err, &refused) {
		fmt.Println(refused.Operation, refused.StatusCode, refused.Code)
	}
	// Output:
	// begin/ 429 40s false
	// true
	// result/ 200 session-not-found
}

// Every problem is reported at once, each with its path.
func ExampleValidationError() {
	server := started()
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

// Without a Client: requests of your own are signed, and their replies are checked.
func ExampleNewHMACTransport() {
	server := started(identomattest.RequireHMAC())
	defer server.Close()
	signing := &http.Client{Transport: identomat.NewHMACTransport(server.SecretKey, nil)}

	form := url.Values{"company_key": {server.CompanyKey}}
	reply, err := signing.PostForm(server.WidgetURL+"/external-api/begin/", form)
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	token, err := io.ReadAll(reply.Body) // identomat.ErrSignatureMismatch if the reply is forged
	fmt.Println(reply.StatusCode, len(token), err)
	fmt.Println(server.Requests()[0].SignatureValid)
	// Output:
	// 200 42 <nil>
	// true
}

// An image that a customer uploads goes on to Identomat while it arrives.
func ExampleFileFromReader() {
	server := started()
	defer server.Close()
	client := server.Client()
	upload := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= 0 || r.ContentLength > 10<<20 {
			http.Error(w, "an image of up to 10 MB is wanted", http.StatusRequestEntityTooLarge)
			return
		}
		document, err := client.Documents.Passport(r.Context(), identomat.FileFromReader(r.Body, r.ContentLength))
		if err != nil {
			http.Error(w, "the image could not be read", http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, "issued by ", document.Person.IssuingState)
	}))
	defer upload.Close()

	reply, err := http.Post(upload.URL, "image/jpeg", bytes.NewReader(identomattest.FaceJPEG(320, 400)))
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	fmt.Println(string(text), err)
	// Output: issued by USA <nil>
}

// ParseCallback is for servers that do not use CallbackHandler.
func ExampleParseCallback() {
	serve := func(w http.ResponseWriter, r *http.Request) {
		callback, err := identomat.ParseCallback(r, []string{"callback-api-key-123"})
		var refused *identomat.CallbackError
		switch {
		case errors.As(err, &refused):
			http.Error(w, http.StatusText(refused.StatusCode), refused.StatusCode)
		case err != nil:
			http.Error(w, "the callback key is not set", http.StatusInternalServerError)
		default:
			fmt.Println("news of the session", string(callback.SessionID))
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
	// news of the session 47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc
	// 200
	// 403
}
