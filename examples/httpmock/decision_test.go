package main

import (
	"net/http"
	"os"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

const (
	resultURL = identomat.DefaultWidgetURL + "/external-api/result/"
	token     = "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"
)

// recorded returns a responder with a recorded response from testdata.
func recorded(t *testing.T, file string) httpmock.Responder {
	t.Helper()
	body, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	return httpmock.NewBytesResponder(http.StatusOK, body).HeaderSet(http.Header{"Content-Type": {"application/json"}})
}

// newOnboarding returns an Onboarding whose client gets response from result/ and an error from
// every other endpoint.
func newOnboarding(t *testing.T, response httpmock.Responder) (Onboarding, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, resultURL, response)
	client, err := identomat.NewClient("test-company-key", identomat.WithHTTPClient(&http.Client{Transport: mock}))
	require.NoError(t, err)
	return Onboarding{Client: client}, mock
}

func TestDecideOutcomes(t *testing.T) {
	for _, test := range []struct {
		name     string
		response httpmock.Responder
		want     Decision
	}{
		{"approved", recorded(t, "approved.json"), OpenAccount},
		{"rejected", recorded(t, "rejected.json"), Retry},
		{"erased", recorded(t, "session-not-found.json"), Retry},
		{"in progress", httpmock.NewStringResponder(200, `{"result":"in_progress"}`), Wait},
		{"manual check", httpmock.NewStringResponder(200, `{"result":"manual_check"}`), AskOperator},
		{"unknown outcome", httpmock.NewStringResponder(200, `{"result":"approved_with_conditions"}`), AskOperator},
	} {
		t.Run(test.name, func(t *testing.T) {
			onboarding, _ := newOnboarding(t, test.response)
			got, err := onboarding.Decide(t.Context(), token)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestDecideRequestsSessionResult(t *testing.T) {
	approved := recorded(t, "approved.json")
	onboarding, mock := newOnboarding(t, func(r *http.Request) (*http.Response, error) {
		require.NoError(t, r.ParseForm())
		assert.Equal(t, token, r.PostForm.Get("session_token"))
		assert.Empty(t, r.URL.RawQuery)
		return approved(r)
	})
	_, err := onboarding.Decide(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, 1, mock.GetTotalCallCount())
}

func TestDecideRejectsHTMLPage(t *testing.T) {
	onboarding, _ := newOnboarding(t, httpmock.NewStringResponder(200, `<html>approved</html>`))
	got, err := onboarding.Decide(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	assert.Empty(t, got)
}

// Inside synctest, the delay before the retry takes no real time.
func TestDecideRetriesTemporaryError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onboarding, mock := newOnboarding(t, httpmock.NewStringResponder(503, "overloaded").Then(recorded(t, "approved.json")))
		got, err := onboarding.Decide(t.Context(), token)
		require.NoError(t, err)
		assert.Equal(t, OpenAccount, got)
		assert.Equal(t, 2, mock.GetTotalCallCount())
	})
}
