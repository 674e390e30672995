package main

import (
	"context"

	"github.com/identomat-go/identomat"
)

// callback handles one callback. A status callback only makes the engine read the outcome of the session from
// the service. Duplicate callbacks and callbacks about unknown sessions are therefore harmless. If callback
// returns an error, the response is HTTP 500.
// Identomat does not document whether it then retries the callback.
func (s *server) callback(ctx context.Context, c identomat.Callback) error {
	if message, ok := c.SMS(); ok {
		known, err := s.store.hasSession(ctx, c.SessionID)
		if err != nil || !known {
			return err
		}
		return s.sms.send(ctx, c.SessionID, message)
	}
	return s.store.wake(ctx, c.SessionID)
}
