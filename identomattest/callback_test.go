package identomattest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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
	_, err = srv.SendCallback(t.Context(), company.URL, PlainCallback("x", "t"))
	require.ErrorContains(t, err, "identomattest: callback: ")
	_, err = srv.SendCallback(t.Context(), "://", PlainCallback("x", "t"))
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = srv.SendCallback(ctx, company.URL, PlainCallback("x", "t"))
	require.ErrorIs(t, err, context.Canceled)
}
