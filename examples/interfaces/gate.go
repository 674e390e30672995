package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/identomat-go/identomat"
)

// sessions lists only the SDK methods that the gate calls. Because the interface is declared next
// to its caller, the SDK can grow without breaking a stub, and a stub needs only these two methods.
type sessions interface {
	Begin(ctx context.Context, req identomat.BeginRequest) (*identomat.Session, error)
	Result(ctx context.Context, token identomat.Token) (*identomat.Result, error)
}

// This assignment fails to compile if the SDK ever changes one of the methods.
var _ sessions = (*identomat.SessionsService)(nil)

// ErrAskSupport means that a session may exist, but its token was lost. Beginning another session
// could mean paying twice.
var ErrAskSupport = errors.New("look for the session in the dashboard before beginning another")

// Gate admits customers who have been verified.
type Gate struct {
	sessions sessions
}

// Begin begins the verification of a customer. Store the token with the customer before you send
// the customer to the URL.
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

// MayEnter reports whether the customer of a session has been verified. On an error it returns
// false, because the outcome is unknown.
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
