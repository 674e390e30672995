package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/identomat-go/identomat"
)

// Decision is what the bank does next for a customer.
type Decision string

// The decisions. Only an approval opens the account.
const (
	OpenAccount Decision = "open the account"
	Retry       Decision = "ask the customer to try again"
	AskOperator Decision = "ask an operator"
	Wait        Decision = "wait"
)

// Onboarding makes the decisions. It is the code under test.
type Onboarding struct {
	Client *identomat.Client
}

// Decide turns the result of a session into a decision. On an error it returns no decision.
func (o Onboarding) Decide(ctx context.Context, token identomat.Token) (Decision, error) {
	result, err := o.Client.Sessions.Result(ctx, token)
	if errors.Is(err, identomat.ErrSessionNotFound) {
		return Retry, nil // erased, or expired long ago
	}
	if err != nil {
		return "", fmt.Errorf("no decision: %w", err)
	}
	switch {
	case result.Approved():
		return OpenAccount, nil
	case result.Outcome == identomat.OutcomeRejected:
		return Retry, nil
	case result.Outcome == identomat.OutcomeInProgress:
		return Wait, nil
	default: // manual_check, and outcomes that this code does not know
		return AskOperator, nil
	}
}
