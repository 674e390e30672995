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

// calls has one call of each class: one that creates, one that reads, one that deletes, one
// that downloads and one that uploads.
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
		return c.Sessions.Delete(ctx, token)
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

// kindOf names an error the way a caller would find out: errors.Is first, errors.As last.
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
		return "broken"
	case errors.As(err, &apiErr):
		return fmt.Sprintf("HTTP-%d", apiErr.StatusCode)
	}
	return "unknown: " + err.Error()
}

// outcome is the number of sends that the server saw, the kind of the error, and whether the
// error says that the service may have done the work.
func outcome(srv *identomattest.Server, operation string, err error) string {
	out := fmt.Sprintf("%d %s", srv.Count(operation), kindOf(err))
	var transportErr *identomat.TransportError
	var apiErr *identomat.APIError
	if errors.As(err, &transportErr) && transportErr.MaybeProcessed || errors.As(err, &apiErr) && apiErr.MaybeProcessed {
		out += " maybe"
	}
	return out
}

// TestEveryFaultThroughTheSDK holds the fault table of the design. Reads, deletes and downloads
// are sent up to three times where a repeat can help; what creates or costs something is sent
// again only when it is certain that nothing was done. Nothing that is no clear reply is ever a
// success.
func TestEveryFaultThroughTheSDK(t *testing.T) {
	same := func(want string) [5]string { return [5]string{want, want, want, want, want} }
	classes := func(once, repeatable string) [5]string {
		return [5]string{once, repeatable, repeatable, repeatable, once}
	}
	temporary := classes("1 unexpected maybe", "3 unexpected maybe")
	broken := classes("1 broken maybe", "3 broken maybe")
	unexpected := same("1 unexpected maybe")
	for _, test := range []struct {
		name  string
		fault identomattest.Fault
		// want is what begin/, result/, delete/, result/face/ and passport/ come to: sends,
		// kind of error, and whether it says that the work may have been done.
		want [5]string
	}{
		{"HTTP 500", identomattest.HTTPStatus(500), temporary},
		{"HTTP 503", identomattest.HTTPStatus(503), temporary},
		{"HTTP 408", identomattest.HTTPStatus(408), temporary},
		{"HTTP 504 in place of a reply", identomattest.HTTPStatus(504).AfterProcessing(), temporary},
		{"HTTP 501 will not change", identomattest.HTTPStatus(501), unexpected},
		{"HTTP 403", identomattest.HTTPStatus(403), unexpected},
		{"HTTP 404 means missing media", identomattest.HTTPStatus(404), [5]string{
			"1 unexpected maybe", "1 unexpected maybe", "1 unexpected maybe", "1 not-found maybe", "1 unexpected maybe",
		}},
		{"a bare code in 200", identomattest.ErrorCode("SESSION_NOT_FOUND"), same("1 session-not-found")},
		{"an argumentError in 200", identomattest.ArgumentError("access-denied"), same("1 invalid-key")},
		{"an internalError in 200", identomattest.InternalError("Illegal arguments"), same("1 internal maybe")},
		{"a login page in 200", identomattest.HTMLPage(200), unexpected},
		{"a proxy's page", identomattest.HTMLPage(502), temporary},
		{"an empty body", identomattest.EmptyBody(), unexpected},
		{"{} is a success of delete/ alone", identomattest.EmptyObject(), [5]string{
			"1 unexpected maybe", "1 unexpected maybe", "1 ok", "1 unexpected maybe", "1 unexpected maybe",
		}},
		{"null", identomattest.Null(), unexpected},
		{"plain text without a type", identomattest.Response(200, "", "all is well"), unexpected},
		{"a reset before the request was read", identomattest.ResetBeforeRead(), broken},
		{"a reset after the request was read", identomattest.ResetAfterRead(), broken},
		{"slow headers, the caller gives up", identomattest.SlowHeaders(0), same("1 canceled maybe")},
		{"a slow body, the caller gives up", identomattest.SlowBody(0), same("1 canceled maybe")},
		{"a body that breaks off at once", identomattest.Truncated(12), broken},
		{"a body that breaks off late: a download is on its way", identomattest.Truncated(9000), [5]string{
			"1 broken maybe", "3 broken maybe", "3 broken maybe", "1 broken maybe", "1 broken maybe",
		}},
		{"a true reply below a wrong type", identomattest.WrongContentType("text/html"), same("1 ok")},
		{"a wrong signature", identomattest.WrongSignature(), same("1 signature maybe")},
		{"a missing signature", identomattest.MissingSignature(), same("1 signature maybe")},
		{"429 is not processed", identomattest.TooManyRequests(0), same("3 rate-limited")},
		{"429 for longer than anybody waits", identomattest.TooManyRequests(time.Hour), same("1 rate-limited")},
		{"a redirect on the host", identomattest.Redirect(302, "/external-api/result/"), unexpected},
		{"a redirect that keeps the body, elsewhere", identomattest.Redirect(307, "https://elsewhere.example/"), unexpected},
	} {
		for i, call := range calls {
			t.Run(test.name+"/"+strings.Trim(strings.ReplaceAll(call.operation, "/", "-"), "-"), func(t *testing.T) {
				t.Parallel()
				assert.Equal(t, test.want[i], callBroken(t, test.fault, call.operation, call.do))
			})
		}
	}
}

// callBroken makes one call to a server that breaks every call of the operation in this way.
func callBroken(t *testing.T, fault identomattest.Fault, operation string, do func(context.Context, *identomat.Client, identomat.Token) error) string {
	t.Helper()
	opts := []identomat.Option{identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 3, BaseDelay: 1, MaxDelay: time.Minute})}
	server := []identomattest.Option{identomattest.WithLogf(func(string, ...any) {})}
	if strings.Contains(fault.String(), "signature") {
		server = append(server, identomattest.RequireHMAC())
	}
	srv := identomattest.NewServer(t, server...)
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
		go func() { // somebody loses patience when the reply is on its way
			for ctx.Err() == nil {
				if log := srv.Requests(); len(log) > 0 && log[0].Status == http.StatusOK {
					cancel()
				}
				runtime.Gosched()
			}
		}()
	}
	return outcome(srv, operation, do(ctx, client, session.Token))
}

func TestAFaultThatPassesIsOvercome(t *testing.T) {
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

// An attempt that hangs is given up for another one, without anybody sleeping: the reply is
// held back until the caller goes away.
func TestAReadThatHangsIsSentAgain(t *testing.T) {
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

// 500 customers at once, each with a name, a language, an outcome and an answer of their own.
func TestFiveHundredSessionsFromBeginToDelete(t *testing.T) {
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
			assert.NoError(t, client.Sessions.Delete(t.Context(), session.Token))
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
	// What is closing is on its way out; what leaks stays for ever.
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
