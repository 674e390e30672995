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

func TestCallbacksHaveTheDocumentedBodies(t *testing.T) {
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

func TestACallbackFollowsNoRedirectAndTellsItsFailure(t *testing.T) {
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

// listening is a company that writes down its callbacks, with the outcome that result/ told
// it before it answered.
type listening struct {
	url string
	srv *Server

	mu    sync.Mutex
	heard []string
}

func newListening(t *testing.T, opts ...Option) *listening {
	t.Helper()
	l := &listening{}
	company := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var callback struct{ CallbackAPIKey, Type, SessionID string }
		if !assert.NoError(t, json.NewDecoder(r.Body).Decode(&callback)) {
			return
		}
		assert.Equal(t, l.srv.CallbackKey, callback.CallbackAPIKey)
		result, err := l.srv.Client().Sessions.Result(r.Context(), identomat.Token(callback.SessionID))
		if assert.NoError(t, err) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.heard = append(l.heard, callback.Type+" "+string(result.Outcome))
		}
	}))
	t.Cleanup(company.Close)
	l.url = company.URL
	l.srv = NewServer(t, append([]Option{WithCallbackURL(l.url), WithStatusCallback("status-of-a-test")}, opts...)...)
	return l
}

func (l *listening) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

func TestWhoeverSettlesASessionTheCompanyHearsOfItAndCanReadTheResult(t *testing.T) {
	l := newListening(t)
	token := func() identomat.Token { return identomat.Token(begin(t, l.srv, ``)) }
	require.NoError(t, l.srv.Approve(token()))
	require.NoError(t, l.srv.Reject(token(), "face_mismatch"))
	require.NoError(t, l.srv.ManualCheck(token()))
	require.NoError(t, l.srv.SetResult(token(), `{"result":"approved"}`))
	decideAs(t, l.srv, string(token()), "reject")
	page := post(t, l.srv.WidgetURL+"/_sandbox/sessions/"+string(token())+"/approve", asJSON, ``)
	assert.Equal(t, 200, page.status, page.body)
	assert.Equal(t, []string{
		"status-of-a-test approved", "status-of-a-test rejected", "status-of-a-test manual_check",
		"status-of-a-test approved", "status-of-a-test rejected", "status-of-a-test approved",
	}, l.all())
}

func TestNoStatusCallbackIsSentUnlessOneIsNamed(t *testing.T) {
	l := newListening(t, WithStatusCallback(""))
	require.NoError(t, l.srv.Approve(identomat.Token(begin(t, l.srv, ``))))
	assert.Empty(t, l.all())
}

func TestAStatusCallbackNeedsAnAddress(t *testing.T) {
	_, err := Start(WithStatusCallback("status-of-a-test"))
	assert.EqualError(t, err, "identomattest: WithStatusCallback needs an address: add WithCallbackURL")
}

func TestACompanyThatDoesNotAnswerHoldsNobodyUpForEver(t *testing.T) {
	asked, leave := make(chan struct{}), make(chan struct{})
	company := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-leave
	}))
	defer company.Close()
	defer close(leave)
	srv, err := Start(WithCallbackURL(company.URL), WithStatusCallback("status-of-a-test"))
	require.NoError(t, err)
	token := identomat.Token(begin(t, srv, ``))
	settled := make(chan error)
	go func() { settled <- srv.Approve(token) }()
	<-asked
	ses, _ := srv.Session(token)
	assert.Equal(t, "approved", ses.Outcome, "nothing is locked while the company thinks")
	srv.Close()
	assert.NoError(t, <-settled, "closing the server ends the wait")
}

func TestTheLogTellsWhichCallbacksTheCompanyRefused(t *testing.T) {
	company := httptest.NewServer(http.NotFoundHandler())
	var lines []string
	srv := NewServer(t, WithCallbackURL(company.URL), WithStatusCallback("status-of-a-test"),
		WithLogf(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }))
	require.NoError(t, srv.Approve(identomat.Token(begin(t, srv, ``))))
	company.Close()
	require.NoError(t, srv.Approve(identomat.Token(begin(t, srv, ``))))
	require.Len(t, lines, 2)
	assert.Equal(t, "the company answered a callback with HTTP 404", lines[0])
	assert.Contains(t, lines[1], "identomattest: callback: ")
}
