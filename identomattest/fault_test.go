package identomattest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

func TestFaultsReplacingResponse(t *testing.T) {
	tests := []struct {
		fault       Fault
		status      int
		contentType string
		body        string
	}{
		{HTTPStatus(503), 503, "text/plain; charset=utf-8", "Service Unavailable"},
		{ErrorCode("SESSION_NOT_FOUND"), 200, "application/json", `"SESSION_NOT_FOUND"`},
		{ArgumentError("session-not-found"), 200, "application/json", `{"argumentError":"session-not-found"}`},
		{InternalError("Illegal arguments: number, string"), 200, "application/json", `{"internalError":"Illegal arguments: number, string"}`},
		{HTMLPage(502), 502, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"},
		{EmptyBody(), 200, "application/json", ``},
		{EmptyObject(), 200, "application/json", `{}`},
		{Null(), 200, "application/json", `null`},
		{Response(418, "", "short and stout"), 418, "", "short and stout"},
		{TooManyRequests(0), 429, "text/plain; charset=utf-8", "Too Many Requests"},
	}
	for _, test := range tests {
		t.Run(test.fault.String(), func(t *testing.T) {
			srv := NewServer(t)
			srv.Fault("begin/", test.fault, 1)
			resp := post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`)
			assert.Equal(t, test.status, resp.status)
			assert.Equal(t, test.contentType, resp.header.Get("Content-Type"))
			assert.Equal(t, test.body, resp.body)
			assert.Empty(t, srv.Sessions(), "the operation did not run")

			recorded := srv.Requests()[0]
			assert.Equal(t, test.fault.String(), recorded.Fault)
			assert.Equal(t, test.status, recorded.Status)
			assert.False(t, recorded.Processed)
			assert.Equal(t, "***", recorded.Parameters["company_key"])

			begin(t, srv, "")
			assert.Empty(t, srv.Requests()[1].Fault, "the fault applies to one call")
		})
	}
}

func TestFaultAfterProcessing(t *testing.T) {
	srv := NewServer(t)
	srv.Fault("begin/", HTTPStatus(504).AfterProcessing(), 1)
	resp := post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`)
	assert.Equal(t, 504, resp.status)
	assert.Len(t, srv.Sessions(), 1)
	assert.True(t, srv.Requests()[0].Processed)
}

func TestTooManyRequestsRoundsRetryAfterUp(t *testing.T) {
	srv := NewServer(t)
	srv.Fault("result/", TooManyRequests(1500*time.Millisecond), 1)
	assert.Equal(t, "2", widget(t, srv, "result/").header.Get("Retry-After"))
}

func TestRedirect(t *testing.T) {
	srv := NewServer(t)
	srv.Fault("result/", Redirect(307, "https://elsewhere.example/"), 1)
	resp := widget(t, srv, "result/")
	assert.Equal(t, 307, resp.status)
	assert.Equal(t, "https://elsewhere.example/", resp.header.Get("Location"))
}

func TestResets(t *testing.T) {
	for _, test := range []struct {
		fault     Fault
		sessions  int
		processed bool
	}{{ResetBeforeRead(), 0, false}, {ResetAfterRead(), 1, true}} {
		t.Run(test.fault.String(), func(t *testing.T) {
			srv := NewServer(t)
			srv.Fault("begin/", test.fault, 1)
			_, err := client(t).Do(request(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`))
			require.Error(t, err)
			assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
			assert.Len(t, srv.Sessions(), test.sessions)
			recorded := srv.Requests()[0]
			assert.Zero(t, recorded.Status)
			assert.Equal(t, test.processed, recorded.Processed)
		})
	}
}

func TestTruncated(t *testing.T) {
	for name, keep := range map[string]int{"in the middle": 10, "at once": 0, "beyond the end": 100} {
		t.Run(name, func(t *testing.T) {
			srv := NewServer(t)
			srv.Fault("begin/", Truncated(keep), 1)
			resp, err := client(t).Do(request(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`))
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Len(t, body, min(keep, 42))
			assert.Equal(t, http.StatusOK, resp.StatusCode)
		})
	}
}

func TestSlowResponses(t *testing.T) {
	for _, fault := range []Fault{SlowHeaders(0), SlowBody(0)} {
		t.Run(fault.String()+", canceled", func(t *testing.T) {
			srv := NewServer(t)
			token := begin(t, srv, "")
			srv.Fault("result/", fault, 1)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- readResult(ctx, t, srv, token) }()
			for srv.Count("result/") == 0 {
				runtime.Gosched()
			}
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
			for srv.activeRequests() > 0 { // the handler must return
				runtime.Gosched()
			}
		})
		t.Run(fault.String()+", released", func(t *testing.T) {
			srv := NewServer(t)
			token := begin(t, srv, "")
			srv.Fault("result/", fault, 1)
			done := make(chan error)
			go func() { done <- readResult(t.Context(), t, srv, token) }()
			for srv.Count("result/") == 0 || srv.Requests()[1].Status == 0 {
				runtime.Gosched()
			}
			srv.Release()
			require.NoError(t, <-done)
		})
	}
	for _, fault := range []Fault{SlowHeaders(time.Microsecond), SlowBody(time.Microsecond)} {
		t.Run(fault.String()+", timed", func(t *testing.T) {
			srv := NewServer(t)
			token := begin(t, srv, "")
			srv.Fault("result/", fault, 1)
			require.NoError(t, readResult(t.Context(), t, srv, token))
		})
	}
}

func (s *Server) activeRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

func readResult(ctx context.Context, t *testing.T, srv *Server, token string) error {
	form := url.Values{"company_key": {srv.CompanyKey}, "session_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.WidgetURL+"/external-api/result/", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", asForm)
	resp, err := client(t).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

func TestFaultsKeepingBody(t *testing.T) {
	srv := NewServer(t, RequireHMAC())
	body := `{"company_key":"` + srv.CompanyKey + `"}`
	call := func() httpResponse {
		req := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, body)
		req.Header.Set("Authorization", authorization(signBody(srv.SecretKey, []byte(body))))
		return send(t, req)
	}
	srv.Fault("begin/", WrongContentType("text/html"), 1)
	srv.Fault("begin/", WrongSignature(), 1)
	srv.Fault("begin/", MissingSignature(), 1)

	resp := call()
	assert.Equal(t, "text/html", resp.header.Get("Content-Type"))
	assert.Regexp(t, `^"[0-9a-z]{40}"$`, resp.body)

	resp = call()
	assert.Regexp(t, `^signature=".{44}"$`, resp.header.Get("Authorization"))
	assert.False(t, signatureMatches(resp.header.Get("Authorization"), signBody(srv.SecretKey, []byte(resp.body))))

	assert.Empty(t, call().header.Get("Authorization"))
	assert.NotEmpty(t, call().header.Get("Authorization"))
}

func TestFaultOrderAndCount(t *testing.T) {
	srv := NewServer(t)
	srv.Fault("result/", HTTPStatus(500), 2)
	srv.Fault("result/", HTTPStatus(502), 1)
	var statuses []int
	for range 4 {
		statuses = append(statuses, widget(t, srv, "result/", "session_token", "x").status)
	}
	assert.Equal(t, []int{500, 500, 502, 200}, statuses)

	srv.Fault(AnyOperation, HTTPStatus(500), 0)
	assert.Equal(t, 500, widget(t, srv, "delete/").status)
	assert.Equal(t, 500, api(t, srv, "list-users", "").status)
	srv.ClearFaults()
	assert.Equal(t, 200, api(t, srv, "list-users", "").status)
}

func TestMisuseFailsTest(t *testing.T) {
	tb := &recorder{TB: t}
	srv := NewServer(tb)
	srv.Fault("resutl/", HTTPStatus(500), 1)
	require.Error(t, srv.Approve(identomat.Token("no such token")))
	require.Error(t, srv.Reject(identomat.Token("no such token"), ""))
	require.Error(t, srv.ManualCheck(identomat.Token("no such token")))
	require.Error(t, srv.Expire(identomat.Token("no such token")))
	require.Error(t, srv.SetResult(identomat.Token("no such token"), `{}`))
	require.Error(t, srv.SetResult(identomat.Token("no such token"), `{`))
	require.Error(t, srv.SetMedia(identomat.Token("no such token"), "result/face/", "", nil))
	require.Error(t, srv.SetMedia(identomat.Token("no such token"), "begin/", "", nil))
	require.Error(t, srv.UpdateMonitored("no such id"))
	token := begin(t, srv, "")
	require.Error(t, srv.Approve(identomat.Token(token), WithAnswer("a", "b", struct{}{})))
	assert.Equal(t, 11, tb.errors)
	srv.Fault("result/", HTTPStatus(42), 1)
	assert.Zero(t, srv.Count("begin"), "the operation's name is begin/")
	require.Error(t, srv.SetCallbackURL("/callbacks"))
	srv.Fault("result/", ResetBeforeRead().AfterProcessing(), 1)
	assert.Equal(t, 15, tb.errors)

	for i, option := range []Option{
		WithConfiguration(`{}`), WithConfiguration(`{`), WithHosts("sandbox:8080"), WithHosts("http://sandbox"),
		WithKeys("", "secret-key"), WithKeys("company-key", ""), WithKeys("company-key", "secret1"), WithCallbackKey(""),
	} {
		NewServer(tb, option)
		assert.Equal(t, i+1, tb.fatals)
	}
}

// A decision that the session does not allow fails the test and changes nothing.
func TestUnfittingDecisionFailsTest(t *testing.T) {
	tb := &recorder{TB: t}
	srv := NewServer(tb)
	token := identomat.Token(beginWith(t, srv, `{"type":"liveness"},{"type":"user-questionnaire","key":"q","questions":[
		{"type":"string","key":"name"},{"type":"options","key":"job","options":[{"key":"yes"},{"key":"no"}]},
		{"type":"multiple-choice","key":"income","options":[{"key":"salary"},{"key":"rent"}]},
		{"type":"dropdown","key":"size","options":[{"key":"small"}]},{"type":"dropdown","key":"colours","multiple":true,"options":[{"key":"red"}]},
		{"type":"boolean","key":"sure"},{"type":"file","key":"contract","filesMaxCount":2}]}`))
	passport := identomat.Token(beginWith(t, srv, `{"type":"identity-document","flags":{"document_types":["passport"]}},{"type":"liveness"}`))
	for _, test := range []struct {
		token  identomat.Token
		option DecisionOption
		want   string
	}{
		{token, WithAnswer("Q", "name", "x"), `the session has no questionnaire "Q"`},
		{token, WithAnswer("liveness", "name", "x"), `the session has no questionnaire "liveness"`},
		{token, WithAnswer("q", "Name", "x"), `the step "q" has no question "Name"`},
		{token, WithAnswer("q", "job", "maybe"), `the question "job" has no option "maybe"`},
		{token, WithAnswer("q", "job", []string{"yes"}), `the answer to the question "job" cannot be [yes]`},
		{token, WithAnswer("q", "income", "salary"), `the answer to the question "income" cannot be salary`},
		{token, WithAnswer("q", "income", []string{"salary", "gifts"}), `the question "income" has no option "gifts"`},
		{token, WithAnswer("q", "size", []string{"small"}), `the answer to the question "size" cannot be [small]`},
		{token, WithAnswer("q", "colours", []string{"blue"}), `the question "colours" has no option "blue"`},
		{token, WithAnswer("q", "sure", "true"), `the answer to the question "sure" cannot be true`},
		{token, WithAnswer("q", "contract", "contract.pdf"), `the answer to the question "contract" cannot be contract.pdf`},
		{token, WithAnswer("q", "contract", 3), `the answer to the question "contract" cannot be 3`},
		{token, WithDocumentType("id"), `a document type, but the session has no identity-document step`},
		{token, WithSimilarity(0.5), `a similarity, but the session has no identity-document and liveness steps to compare`},
		{passport, WithDocumentType("id"), `the document type "id" is not one of passport`},
		{passport, WithSimilarity(90), `the similarity is not between 0 and 1`},
	} {
		require.EqualError(t, srv.Approve(test.token, test.option), "identomattest: Approve: "+test.want)
		assert.Contains(t, widget(t, srv, "result/", "session_token", string(test.token)).body, `{"result":"in_progress"`, test.want)
	}
	assert.Equal(t, 16, tb.errors)
	require.NoError(t, srv.Approve(token, WithAnswer("q", "job", nil), WithAnswer("q", "income", []string{"rent"}), WithAnswer("q", "colours", []string{"red"}),
		WithAnswer("q", "size", "small"), WithAnswer("q", "contract", 2)))
	require.NoError(t, srv.Approve(passport, WithDocumentType("passport"), WithSimilarity(0.9)))
	assert.Equal(t, 16, tb.errors)
}

func TestSecondDecisionFailsTest(t *testing.T) {
	tb := &recorder{TB: t}
	srv := NewServer(tb)
	decide := map[string]func(identomat.Token) error{
		"Approve":     func(t identomat.Token) error { return srv.Approve(t) },
		"Reject":      func(t identomat.Token) error { return srv.Reject(t, "face_mismatch") },
		"ManualCheck": func(t identomat.Token) error { return srv.ManualCheck(t) },
	}
	outcomes := map[string]string{"Approve": "approved", "Reject": "rejected", "ManualCheck": "manual_check"}
	for first, outcome := range outcomes {
		for second := range outcomes {
			token := identomat.Token(begin(t, srv, ""))
			require.NoError(t, decide[first](token))
			if first == "ManualCheck" && second != "ManualCheck" { // an operator decides after manual check
				require.NoError(t, decide[second](token))
				continue
			}
			require.EqualError(t, decide[second](token), "identomattest: "+second+": the session is already decided: "+outcome)
			ses, _ := srv.Session(token)
			assert.Equal(t, outcome, ses.Outcome)
			require.NoError(t, srv.SetResult(token, `{"result":"in_progress"}`))
			require.NoError(t, decide[second](token))
		}
	}
	assert.Equal(t, 7, tb.errors)
}

// A callback handler needs a client of the fake, and the fake needs the handler's address.
func TestSetCallbackURLAfterStart(t *testing.T) {
	srv := NewServer(t, WithStatusCallback("test-status"))
	client := srv.Client()
	var outcomes []identomat.Outcome
	handler, err := identomat.CallbackHandler([]string{srv.CallbackKey}, func(ctx context.Context, c identomat.Callback) error {
		result, err := client.Sessions.Result(ctx, c.SessionID)
		if err == nil {
			outcomes = append(outcomes, result.Outcome)
		}
		return err
	})
	require.NoError(t, err)
	company := httptest.NewServer(handler)
	defer company.Close()
	require.NoError(t, srv.SetCallbackURL(company.URL))
	require.NoError(t, srv.Approve(identomat.Token(begin(t, srv, ""))))
	assert.Equal(t, []identomat.Outcome{identomat.OutcomeApproved}, outcomes)
}

// recorder is a testing.TB that counts failures.
type recorder struct {
	testing.TB
	errors, fatals int
}

func (r *recorder) Errorf(string, ...any) { r.errors++ }
func (r *recorder) Fatalf(string, ...any) { r.fatals++ }
