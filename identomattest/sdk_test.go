package identomattest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// calls has one call of each kind: create, read, delete, download and upload.
var calls = []struct {
	operation string
	do        func(context.Context, *identomat.Client, identomat.Token) error
}{
	{"begin/", func(ctx context.Context, c *identomat.Client, _ identomat.Token) error {
		_, err := c.Sessions.Begin(ctx, identomat.BeginRequest{})
		return err
	}},
	{"result/", func(ctx context.Context, c *identomat.Client, token identomat.Token) error {
		_, err := c.Sessions.Result(ctx, token)
		return err
	}},
	{"delete/", func(ctx context.Context, c *identomat.Client, token identomat.Token) error {
		_, err := c.Sessions.Delete(ctx, token)
		return err
	}},
	{"result/face/", func(ctx context.Context, c *identomat.Client, token identomat.Token) error {
		face, err := c.Media.Face(ctx, token)
		if err != nil {
			return err
		}
		_, err = face.Bytes()
		return err
	}},
	{"passport/", func(ctx context.Context, c *identomat.Client, _ identomat.Token) error {
		_, err := c.Documents.Passport(ctx, identomat.FileFromBytes(identomattest.FaceJPEG(90, 90)))
		return err
	}},
}

// kindOf classifies an error as a caller would: with errors.Is, then with errors.As.
func kindOf(err error) string {
	for _, known := range []struct {
		target error
		name   string
	}{
		{identomat.ErrRateLimited, "rate-limited"},
		{identomat.ErrSessionNotFound, "session-not-found"},
		{identomat.ErrInvalidKey, "invalid-key"},
		{identomat.ErrInternal, "internal"},
		{identomat.ErrNotFound, "not-found"},
		{identomat.ErrSignatureMismatch, "signature"},
		{identomat.ErrUnexpectedResponse, "unexpected"},
		{context.Canceled, "canceled"},
	} {
		if errors.Is(err, known.target) {
			return known.name
		}
	}
	var transportErr *identomat.TransportError
	var apiErr *identomat.APIError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &transportErr):
		return "transport"
	case errors.As(err, &apiErr):
		return fmt.Sprintf("HTTP-%d", apiErr.StatusCode)
	}
	return "unknown: " + err.Error()
}

// outcome returns the number of requests, the kind of the error, and "maybe" if the error's
// MaybeProcessed is true.
func outcome(srv *identomattest.Server, operation string, err error) string {
	out := fmt.Sprintf("%d %s", srv.Count(operation), kindOf(err))
	var transportErr *identomat.TransportError
	var apiErr *identomat.APIError
	if errors.As(err, &transportErr) && transportErr.MaybeProcessed || errors.As(err, &apiErr) && apiErr.MaybeProcessed {
		out += " maybe"
	}
	return out
}

// TestSDKFaultTable checks how the SDK handles every fault in each kind of call. Reads, deletes and
// downloads are retried if a retry can help. Calls that create something or read an image are retried
// only if the service certainly did not process them. An unexpected response is never a success.
func TestSDKFaultTable(t *testing.T) {
	same := func(want string) [5]string { return [5]string{want, want, want, want, want} }
	byRetry := func(once, retryable string) [5]string {
		return [5]string{once, retryable, retryable, retryable, once}
	}
	temporary := byRetry("1 unexpected maybe", "3 unexpected maybe")
	transport := byRetry("1 transport maybe", "3 transport maybe")
	unexpected := same("1 unexpected maybe")
	for _, test := range []struct {
		name  string
		fault identomattest.Fault
		// want lists the outcomes of begin/, result/, delete/, result/face/ and passport/.
		want [5]string
	}{
		{"HTTP 500", identomattest.HTTPStatus(500), temporary},
		{"HTTP 503", identomattest.HTTPStatus(503), temporary},
		{"HTTP 408", identomattest.HTTPStatus(408), temporary},
		{"HTTP 504 after processing", identomattest.HTTPStatus(504).AfterProcessing(), temporary},
		{"HTTP 501 is permanent", identomattest.HTTPStatus(501), unexpected},
		{"HTTP 403", identomattest.HTTPStatus(403), unexpected},
		{"HTTP 404 means missing media", identomattest.HTTPStatus(404), [5]string{
			"1 unexpected maybe", "1 unexpected maybe", "1 unexpected maybe", "1 not-found maybe", "1 unexpected maybe",
		}},
		{"an error code with status 200", identomattest.ErrorCode("SESSION_NOT_FOUND"), same("1 session-not-found")},
		{"an argumentError with status 200", identomattest.ArgumentError("access-denied"), same("1 invalid-key")},
		{"an internalError with status 200", identomattest.InternalError("Illegal arguments"), same("1 internal maybe")},
		{"a login page with status 200", identomattest.HTMLPage(200), unexpected},
		{"a proxy's error page", identomattest.HTMLPage(502), temporary},
		{"an empty body", identomattest.EmptyBody(), unexpected},
		{"{} is a success only for delete/", identomattest.EmptyObject(), [5]string{
			"1 unexpected maybe", "1 unexpected maybe", "1 ok", "1 unexpected maybe", "1 unexpected maybe",
		}},
		{"null", identomattest.Null(), unexpected},
		{"plain text without a content type", identomattest.Response(200, "", "all is well"), unexpected},
		{"a reset before the request was read", identomattest.ResetBeforeRead(), transport},
		{"a reset after the request was read", identomattest.ResetAfterRead(), transport},
		{"slow headers, canceled", identomattest.SlowHeaders(0), same("1 canceled maybe")},
		{"a slow body, canceled", identomattest.SlowBody(0), same("1 canceled maybe")},
		{"a body truncated early", identomattest.Truncated(12), transport},
		{"a body truncated late: the download has begun", identomattest.Truncated(9000), [5]string{
			"1 transport maybe", "3 transport maybe", "3 transport maybe", "1 transport maybe", "1 transport maybe",
		}},
		{"a wrong content type", identomattest.WrongContentType("text/html"), same("1 ok")},
		{"a wrong signature", identomattest.WrongSignature(), same("1 signature maybe")},
		{"a missing signature", identomattest.MissingSignature(), same("1 signature maybe")},
		{"HTTP 429 is retried for all calls", identomattest.TooManyRequests(0), same("3 rate-limited")},
		{"HTTP 429 with a long Retry-After", identomattest.TooManyRequests(time.Hour), same("1 rate-limited")},
		{"a redirect on the same host", identomattest.Redirect(302, "/external-api/result/"), unexpected},
		{"a redirect to another host that keeps the body", identomattest.Redirect(307, "https://elsewhere.example/"), unexpected},
	} {
		for i, call := range calls {
			t.Run(test.name+"/"+strings.Trim(strings.ReplaceAll(call.operation, "/", "-"), "-"), func(t *testing.T) {
				t.Parallel()
				assert.Equal(t, test.want[i], callWithFault(t, test.fault, call.operation, call.do))
			})
		}
	}
}

// callWithFault makes one call to a server with a fault for the operation. It returns the outcome.
func callWithFault(t *testing.T, fault identomattest.Fault, operation string, do func(context.Context, *identomat.Client, identomat.Token) error) string {
	t.Helper()
	opts := []identomat.Option{identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 3, BaseDelay: 1, MaxDelay: time.Minute})}
	serverOpts := []identomattest.Option{identomattest.WithLogf(func(string, ...any) {})}
	if strings.Contains(fault.String(), "signature") {
		serverOpts = append(serverOpts, identomattest.RequireHMAC())
	}
	srv := identomattest.NewServer(t, serverOpts...)
	if strings.Contains(fault.String(), "signature") {
		opts = append(opts, identomat.WithHMAC(srv.SecretKey, identomat.RequireSignedResponses()))
	}
	client := srv.Client(opts...)
	defer client.CloseIdleConnections()
	session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	require.NoError(t, srv.Approve(session.Token))
	srv.ClearRequests()
	srv.Fault(operation, fault, 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if strings.HasPrefix(fault.String(), "slow") {
		go func() { // cancel once the server has a response to send
			for ctx.Err() == nil {
				if requests := srv.Requests(); len(requests) > 0 && requests[0].Status == http.StatusOK {
					cancel()
				}
				runtime.Gosched()
			}
		}()
	}
	return outcome(srv, operation, do(ctx, client, session.Token))
}

func TestSDKRetriesReads(t *testing.T) {
	for _, fault := range []identomattest.Fault{
		identomattest.HTTPStatus(503), identomattest.ResetAfterRead(), identomattest.ResetBeforeRead(),
		identomattest.Truncated(20), identomattest.TooManyRequests(0),
	} {
		srv := identomattest.NewServer(t)
		client := srv.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 3, BaseDelay: 1}))
		session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.NoError(t, err)
		require.NoError(t, srv.Approve(session.Token))
		srv.Fault("result/", fault, 2)
		result, err := client.Sessions.Result(t.Context(), session.Token)
		require.NoError(t, err, fault)
		assert.True(t, result.Approved())
		assert.Equal(t, 3, srv.Count("result/"), fault)
		client.CloseIdleConnections()
	}
}

// The response is held back until the attempt times out; the next attempt succeeds.
func TestSDKRetriesHangingRead(t *testing.T) {
	srv := identomattest.NewServer(t)
	client := srv.Client(identomat.WithAttemptTimeout(time.Second), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 50, BaseDelay: 1}))
	defer client.CloseIdleConnections()
	session, err := srv.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	srv.Fault("result/", identomattest.SlowHeaders(0), 1)
	_, err = client.Sessions.Result(t.Context(), session.Token)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, srv.Count("result/"), 2)
}

// Each session has its own name, outcome and answer.
func TestFiveHundredConcurrentSessions(t *testing.T) {
	const customers = 500
	before := runtime.NumGoroutine()
	srv, err := identomattest.Start()
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}
	client := srv.Client(identomat.WithHTTPClient(&http.Client{Transport: transport}))

	tokens := make([]identomat.Token, customers)
	var all sync.WaitGroup
	for i := range customers {
		all.Go(func() {
			name := fmt.Sprintf("customer-%d", i)
			session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{
				Name: name, ClientUserID: name,
				Steps: identomat.Steps{
					identomat.IdentityDocument(), identomat.Liveness(),
					identomat.UserQuestionnaire("q").Ask(identomat.TextQuestion("number", identomat.Text{"en": "Number"})),
				},
			})
			if !assert.NoError(t, err) {
				return
			}
			tokens[i] = session.Token
			if waiting, err := client.Sessions.Result(t.Context(), session.Token); assert.NoError(t, err) {
				assert.Equal(t, identomat.OutcomeInProgress, waiting.Outcome)
				assert.Equal(t, name, waiting.Name)
			}
			person := identomattest.JohnSmith
			person.FirstName, person.LastName = "Customer", fmt.Sprint(i)
			wanted := []identomattest.DecisionOption{identomattest.AsPerson(person), identomattest.WithAnswer("q", "number", name)}
			if i%2 == 0 {
				err = srv.Approve(session.Token, wanted...)
			} else {
				err = srv.Reject(session.Token, name, wanted...)
			}
			assert.NoError(t, err)
			result, err := client.Sessions.Result(t.Context(), session.Token)
			if assert.NoError(t, err) {
				assert.Equal(t, i%2 == 0, result.Approved())
				assert.Equal(t, fmt.Sprint(i), result.Person.LastName)
				assert.Equal(t, name, result.Answer("q", "number").Text())
				if i%2 == 1 {
					assert.Equal(t, name, result.RejectReason.Value)
				}
			}
			known, ok := srv.Session(session.Token)
			assert.True(t, ok)
			assert.Equal(t, name, known.ClientUserID)
			_, err = client.Sessions.Delete(t.Context(), session.Token)
			assert.NoError(t, err)
			_, err = client.Sessions.Result(t.Context(), session.Token)
			assert.ErrorIs(t, err, identomat.ErrSessionNotFound)
		})
	}
	all.Wait()
	distinct := map[identomat.Token]bool{}
	for _, token := range tokens {
		distinct[token] = true
	}
	assert.Len(t, distinct, customers)
	assert.Empty(t, srv.Sessions())
	assert.Equal(t, []int{customers, 3 * customers, customers}, []int{srv.Count("begin/"), srv.Count("result/"), srv.Count("delete/")})
	for _, r := range srv.Requests() {
		require.True(t, r.Processed, r)
	}

	transport.CloseIdleConnections()
	srv.Close()
	// Goroutines that are about to end disappear after a while. Leaked goroutines stay.
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
