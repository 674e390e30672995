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

// recorded is a reply as the service sent it, stored beside the test.
func recorded(t *testing.T, file string) httpmock.Responder {
	t.Helper()
	body, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	return httpmock.NewBytesResponder(http.StatusOK, body).HeaderSet(http.Header{"Content-Type": {"application/json"}})
}

// onboarding asks a service that answers result/ with reply, and nothing else.
func onboarding(t *testing.T, reply httpmock.Responder) (Onboarding, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, resultURL, reply)
	client, err := identomat.NewClient("test-company-key", identomat.WithHTTPClient(&http.Client{Transport: mock}))
	require.NoError(t, err)
	return Onboarding{Client: client}, mock
}

func TestRecordedRepliesBecomeDecisions(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply httpmock.Responder
		want  Decision
	}{
		{"approved", recorded(t, "approved.json"), OpenAccount},
		{"rejected", recorded(t, "rejected.json"), AskAgain},
		{"erased", recorded(t, "session-not-found.json"), AskAgain},
		{"in progress", httpmock.NewStringResponder(200, `{"result":"in_progress"}`), WaitForIt},
		{"for an operator", httpmock.NewStringResponder(200, `{"result":"manual_check"}`), AskOperator},
		{"an outcome of tomorrow", httpmock.NewStringResponder(200, `{"result":"approved_with_conditions"}`), AskOperator},
	} {
		t.Run(test.name, func(t *testing.T) {
			onboarding, _ := onboarding(t, test.reply)
			got, err := onboarding.Decide(t.Context(), token)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestTheSessionOfTheCustomerIsAskedFor(t *testing.T) {
	approved := recorded(t, "approved.json")
	onboarding, mock := onboarding(t, func(r *http.Request) (*http.Response, error) {
		require.NoError(t, r.ParseForm())
		assert.Equal(t, token, r.PostForm.Get("session_token"))
		assert.Empty(t, r.URL.RawQuery)
		return approved(r)
	})
	_, err := onboarding.Decide(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, 1, mock.GetTotalCallCount())
}

func TestAPageInPlaceOfAReplyDecidesNothing(t *testing.T) {
	onboarding, _ := onboarding(t, httpmock.NewStringResponder(200, `<html>approved</html>`))
	got, err := onboarding.Decide(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	assert.Empty(t, got)
}

// Inside of synctest the wait before the second attempt takes no time.
func TestAServiceThatStumblesIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onboarding, mock := onboarding(t, httpmock.NewStringResponder(503, "overloaded").Then(recorded(t, "approved.json")))
		got, err := onboarding.Decide(t.Context(), token)
		require.NoError(t, err)
		assert.Equal(t, OpenAccount, got)
		assert.Equal(t, 2, mock.GetTotalCallCount())
	})
}
