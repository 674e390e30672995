package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/identomat-go/identomat"
)

// sessions is what the gate uses of the SDK, and no more. The interface stands beside the
// code that calls it: the SDK can grow without breaking a stub, and the test needs to
// answer for two methods and not for the whole API.
type sessions interface {
	Begin(ctx context.Context, req identomat.BeginRequest) (*identomat.Session, error)
	Result(ctx context.Context, token identomat.Token) (*identomat.Result, error)
}

// The compiler says so if the SDK ever changes one of them.
var _ sessions = (*identomat.SessionsService)(nil)

// ErrAskSupport means that a session may have been begun that nobody has the token of. To
// begin another could pay twice.
var ErrAskSupport = errors.New("look for the session in the dashboard before beginning another")

// Gate lets customers in who were verified.
type Gate struct {
	sessions sessions
}

// Begin begins the verification of a customer. Store the token with the customer before
// the customer is sent to the URL.
func (g Gate) Begin(ctx context.Context, customerID string) (*identomat.Session, error) {
	session, err := g.sessions.Begin(ctx, identomat.BeginRequest{
		Steps:        identomat.Steps{identomat.IdentityDocument(), identomat.Liveness().Active(true)},
		ClientUserID: customerID,
	})
	if identomat.MaybeProcessed(err) {
		return nil, fmt.Errorf("%w: %w", ErrAskSupport, err)
	}
	return session, err
}

// MayEnter reports whether the customer of a session was verified. With an error nobody
// knows, and nobody may enter.
func (g Gate) MayEnter(ctx context.Context, token identomat.Token) (bool, error) {
	result, err := g.sessions.Result(ctx, token)
	if errors.Is(err, identomat.ErrSessionNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return result.Approved(), nil
}
