package main

import (
	"context"

	"github.com/identomat-go/identomat"
)

// callback writes down that there is news of a session, and nothing else: what the news is, the
// worker asks the service. An error is answered with 500, and the service may send the callback
// again; whether it does is not published. It is harmless how often one comes, and which session
// it is about.
func (s *server) callback(ctx context.Context, c identomat.Callback) error {
	if message, ok := c.SMS(); ok {
		known, err := s.store.knows(ctx, c.SessionID)
		if err != nil || !known {
			return err
		}
		return s.sms.send(ctx, c.SessionID, message)
	}
	if err := s.store.wake(ctx, c.SessionID); err != nil {
		return err
	}
	s.worker.poke()
	return nil
}
