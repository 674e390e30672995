package identomattest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

func TestSendCallbackBodies(t *testing.T) {
	srv := NewServer(t)
	var body, contentType, method string
	company := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body, contentType, method = string(data), r.Header.Get("Content-Type"), r.Method
		w.WriteHeader(http.StatusAccepted)
	}))
	defer company.Close()
	for _, test := range []struct {
		callback Callback
		want     string
	}{
		{
			OneTimePassword(identomat.Token("wwb83rh1se22wd81z0tx8bqlerljq5kgf6rxem1q"), "+995512345678", "6867"),
			strings.ReplaceAll(sample(t, "one-time-password-request"), "callback-api-key-123", srv.CallbackKey),
		},
		{
			SessionLinkSMS(identomat.Token("t"), "+995512345678", "https://bank.example/s"),
			`{"callbackApiKey":"` + srv.CallbackKey + `","type":"share-session-link-via-sms","sessionId":"t",
				"text":"Hello, please complete your verification using the link below.","phoneNumber":"+995512345678",
				"sessionLink":"https://bank.example/s"}`,
		},
		{
			PlainCallback("share-session-link-via-email", "t"),
			`{"callbackApiKey":"` + srv.CallbackKey + `","type":"share-session-link-via-email","sessionId":"t"}`,
		},
		{PlainCallback("x", "t").WithKey("stolen"), `{"callbackApiKey":"stolen","type":"x","sessionId":"t"}`},
		{RawCallback(`[]`), `[]`},
	} {
		status, err := srv.SendCallback(t.Context(), company.URL, test.callback)
		require.NoError(t, err)
		assert.Equal(t, http.StatusAccepted, status)
		assert.JSONEq(t, test.want, body)
		assert.Equal(t, asJSON, contentType)
		assert.Equal(t, http.MethodPost, method)
	}
	sms := SessionLinkSMS(identomat.Token("t"), "p", "l")
	assert.Equal(t, shape(t, sample(t, "share-session-link-via-sms")), shape(t, string(sms.body("k"))))
}

func TestSendCallbackRedirectsAndErrors(t *testing.T) {
	srv := NewServer(t)
	company := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/", http.StatusTemporaryRedirect))
	status, err := srv.SendCallback(t.Context(), company.URL, PlainCallback("x", "t"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusTemporaryRedirect, status)
	company.Close()
	_, err = srv.SendCallback(t.Context(), "http://127.0.0.1:1", PlainCallback("x", "t"))
	require.ErrorContains(t, err, "identomattest: callback: ")
	_, err = srv.SendCallback(t.Context(), "://", PlainCallback("x", "t"))
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = srv.SendCallback(ctx, company.URL, PlainCallback("x", "t"))
	require.ErrorIs(t, err, context.Canceled)
}

// callbackReceiver is a company's server. For each callback, it fetches the result and records the type
// and the outcome. Then it responds.
type callbackReceiver struct {
	srv *Server

	mu       sync.Mutex
	received []string
}

func newCallbackReceiver(t *testing.T, opts ...Option) *callbackReceiver {
	t.Helper()
	r := &callbackReceiver{}
	company := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var callback struct{ CallbackAPIKey, Type, SessionID string }
		if !assert.NoError(t, json.NewDecoder(req.Body).Decode(&callback)) {
			return
		}
		assert.Equal(t, r.srv.CallbackKey, callback.CallbackAPIKey)
		result, err := r.srv.Client().Sessions.Result(req.Context(), identomat.Token(callback.SessionID))
		if assert.NoError(t, err) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.received = append(r.received, callback.Type+" "+string(result.Outcome))
		}
	}))
	t.Cleanup(company.Close)
	r.srv = NewServer(t, append([]Option{WithStatusCallback("test-status")}, opts...)...)
	require.NoError(t, r.srv.SetCallbackURL(company.URL))
	return r
}

func (r *callbackReceiver) callbacks() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received
}

// The result is available when the callback arrives, no matter how the session was decided.
func TestStatusCallbackAfterEveryDecision(t *testing.T) {
	r := newCallbackReceiver(t)
	token := func() identomat.Token { return identomat.Token(begin(t, r.srv, ``)) }
	require.NoError(t, r.srv.Approve(token()))
	require.NoError(t, r.srv.Reject(token(), "face_mismatch"))
	require.NoError(t, r.srv.ManualCheck(token()))
	require.NoError(t, r.srv.SetResult(token(), `{"result":"approved"}`))
	submitDecision(t, r.srv, string(token()), "reject")
	resp := post(t, r.srv.WidgetURL+"/_sandbox/sessions/"+string(token())+"/approve", asJSON, ``)
	assert.Equal(t, 200, resp.status, resp.body)
	assert.Equal(t, []string{
		"test-status approved", "test-status rejected", "test-status manual_check",
		"test-status approved", "test-status rejected", "test-status approved",
	}, r.callbacks())
}

func TestNoStatusCallbackByDefault(t *testing.T) {
	r := newCallbackReceiver(t, WithStatusCallback(""))
	require.NoError(t, r.srv.Approve(identomat.Token(begin(t, r.srv, ``))))
	assert.Empty(t, r.callbacks())
}

func TestStatusCallbackRequiresCallbackURL(t *testing.T) {
	var log []string
	srv, err := Start(WithStatusCallback("test-status"), WithLogf(func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }))
	require.NoError(t, err)
	defer srv.Close()
	token := begin(t, srv, ``)
	const missing = "there is no URL for the status callback; call SetCallbackURL first"
	require.EqualError(t, srv.Approve(identomat.Token(token)), "identomattest: Approve: "+missing)
	resp := post(t, srv.WidgetURL+"/_sandbox/sessions/"+token+"/approve", asJSON, ``)
	assert.JSONEq(t, `{"error":"`+missing+`"}`, resp.body)
	assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"result":"in_progress"`)
	submitDecision(t, srv, token, "approve")
	assert.Equal(t, []string{missing}, log, "the page decides, because a person cannot set the URL")
	require.EqualError(t, srv.SetCallbackURL("bank.example/callbacks"), `identomattest: SetCallbackURL: "bank.example/callbacks" is not an http URL`)
}

func TestCloseEndsPendingStatusCallback(t *testing.T) {
	received, respond := make(chan struct{}), make(chan struct{})
	company := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(received)
		<-respond
	}))
	defer company.Close()
	defer close(respond)
	srv, err := Start(WithStatusCallback("test-status"))
	require.NoError(t, err)
	require.NoError(t, srv.SetCallbackURL(company.URL))
	token := identomat.Token(begin(t, srv, ``))
	decided := make(chan error)
	go func() { decided <- srv.Approve(token) }()
	<-received
	ses, _ := srv.Session(token)
	assert.Equal(t, "approved", ses.Outcome, "the server must not be locked during the callback")
	srv.Close()
	assert.NoError(t, <-decided, "Close must end the wait for the callback")
}

func TestFailedStatusCallbacksAreLogged(t *testing.T) {
	company := httptest.NewServer(http.NotFoundHandler())
	var lines []string
	srv := NewServer(t, WithStatusCallback("test-status"),
		WithLogf(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }))
	require.NoError(t, srv.SetCallbackURL(company.URL))
	require.NoError(t, srv.Approve(identomat.Token(begin(t, srv, ``))))
	company.Close()
	require.NoError(t, srv.Approve(identomat.Token(begin(t, srv, ``))))
	require.Len(t, lines, 2)
	assert.Equal(t, "the callback failed with HTTP status 404", lines[0])
	assert.Contains(t, lines[1], "identomattest: callback: ")
}
