package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// stub returns preset values and records its arguments.
type stub struct {
	session *identomat.Session
	result  *identomat.Result
	err     error

	requests []identomat.BeginRequest
	tokens   []identomat.Token
}

func (s *stub) Begin(_ context.Context, req identomat.BeginRequest) (*identomat.Session, error) {
	s.requests = append(s.requests, req)
	return s.session, s.err
}

func (s *stub) Result(_ context.Context, token identomat.Token) (*identomat.Result, error) {
	s.tokens = append(s.tokens, token)
	return s.result, s.err
}

const token = identomat.Token("47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc")

func TestBeginSetsClientUserID(t *testing.T) {
	service := &stub{session: &identomat.Session{Token: token, URL: "https://widget.identomat.com/?session_token=47f"}}
	session, err := Gate{service}.Begin(t.Context(), "user-12345")
	require.NoError(t, err)
	assert.Equal(t, service.session, session)
	require.Len(t, service.requests, 1)
	assert.Equal(t, "user-12345", service.requests[0].ClientUserID)
}

func TestBeginReportsSessionThatMayExist(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"response lost", &identomat.TransportError{Operation: "begin/", MaybeProcessed: true, Err: errors.New("connection reset")}, true},
		{"gateway error", &identomat.APIError{Operation: "begin/", StatusCode: 502, MaybeProcessed: true}, true},
		{"connection refused", &identomat.TransportError{Operation: "begin/", Err: errors.New("connection refused")}, false},
		{"wrong key", &identomat.APIError{Operation: "begin/", StatusCode: 200, Code: "invalid-company-key"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			service := &stub{err: test.err}
			session, err := Gate{service}.Begin(t.Context(), "user-12345")
			assert.Nil(t, session)
			require.ErrorIs(t, err, test.err)
			assert.Equal(t, test.want, errors.Is(err, ErrAskSupport))
			assert.Len(t, service.requests, 1)
		})
	}
}

func TestMayEnterOnlyApproved(t *testing.T) {
	for outcome, want := range map[identomat.Outcome]bool{
		identomat.OutcomeApproved:    true,
		identomat.OutcomeRejected:    false,
		identomat.OutcomeManualCheck: false,
		identomat.OutcomeInProgress:  false,
		"":                           false,
	} {
		service := &stub{result: &identomat.Result{Outcome: outcome}}
		may, err := Gate{service}.MayEnter(t.Context(), token)
		require.NoError(t, err)
		assert.Equal(t, want, may, "%q", outcome)
		assert.Equal(t, []identomat.Token{token}, service.tokens)
	}
}

func TestMayEnterErrors(t *testing.T) {
	erased := &stub{err: &identomat.APIError{Operation: "result/", StatusCode: 200, Code: "session-not-found"}}
	may, err := Gate{erased}.MayEnter(t.Context(), token)
	require.NoError(t, err)
	assert.False(t, may)

	down := &stub{result: &identomat.Result{Outcome: identomat.OutcomeApproved}, err: identomat.ErrUnexpectedResponse}
	may, err = Gate{down}.MayEnter(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	assert.False(t, may)
}
