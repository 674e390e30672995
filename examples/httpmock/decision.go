package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/identomat-go/identomat"
)

// Decision is what the bank does about a customer.
type Decision string

// The decisions. Everything that is not plainly an approval ends in another one.
const (
	OpenAccount Decision = "open the account"
	AskAgain    Decision = "ask the customer for another try"
	AskOperator Decision = "leave it to an operator"
	WaitForIt   Decision = "wait"
)

// Onboarding decides about customers. It is the code under test.
type Onboarding struct {
	Client *identomat.Client
}

// Decide turns what is known about a session into a decision. With an error nothing is
// decided.
func (o Onboarding) Decide(ctx context.Context, token identomat.Token) (Decision, error) {
	result, err := o.Client.Sessions.Result(ctx, token)
	if errors.Is(err, identomat.ErrSessionNotFound) {
		return AskAgain, nil // erased, or expired long ago
	}
	if err != nil {
		return "", fmt.Errorf("nothing is decided: %w", err)
	}
	switch {
	case result.Approved():
		return OpenAccount, nil
	case result.Outcome == identomat.OutcomeRejected:
		return AskAgain, nil
	case result.Outcome == identomat.OutcomeInProgress:
		return WaitForIt, nil
	default: // manual_check, and outcomes that nobody knows yet
		return AskOperator, nil
	}
}
