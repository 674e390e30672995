package main

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
)

const (
	// smsOnce is how long a repeated message counts as a duplicate callback.
	smsOnce = 15 * time.Minute
	// smsPerNumber limits the messages to one phone number within smsWindow. Customers decide how
	// often to request a message, and each one costs money.
	smsPerNumber = 5
	// smsPerSession limits the messages of one session within smsWindow, because a customer can enter
	// many numbers.
	smsPerSession = 10
	smsWindow     = time.Hour
)

// sms is a stub for the bank's SMS gateway: it enforces the limits but sends nothing. It keeps its
// records only in memory and hashed, because one-time passwords do not belong in a database.
type sms struct {
	log     *slog.Logger
	gateway func(context.Context, identomat.SMS) error

	mu    sync.Mutex
	sent  map[digest]time.Time
	times map[digest][]time.Time // when messages were sent; a key is the digest of a phone number or of a session
}

type digest [sha256.Size]byte

func digestOf(kind, text string) digest { return sha256.Sum256([]byte(kind + "\x00" + text)) }

func newSMS(log *slog.Logger) *sms {
	return &sms{
		log: log, sent: map[digest]time.Time{}, times: map[digest][]time.Time{},
		// Replace this with a call to your gateway. Never log the number or the text.
		gateway: func(context.Context, identomat.SMS) error {
			log.Info("message passed to the SMS gateway stub")
			return nil
		},
	}
}

// send passes a message to the gateway, once. If the gateway fails, send forgets the message, so
// that a retry of the callback can send it. A message above a limit is dropped without an error,
// because a retry would not help.
func (s *sms) send(ctx context.Context, session identomat.Token, message identomat.SMS) error {
	key := digestOf("message", message.PhoneNumber+"\x00"+message.Text)
	limits := map[digest]int{
		digestOf("number", message.PhoneNumber): smsPerNumber,
		digestOf("session", string(session)):    smsPerSession,
	}
	if !s.reserve(key, limits) {
		return nil
	}
	err := s.gateway(ctx, message)
	if err != nil {
		s.release(key, limits)
	}
	return err
}

// reserve records a message before it is sent, so that only one of two concurrent callbacks sends
// it.
func (s *sms) reserve(key digest, limits map[digest]int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.removeExpired(now)
	if _, duplicate := s.sent[key]; duplicate {
		return false
	}
	for group, limit := range limits {
		if len(s.times[group]) >= limit {
			s.log.Warn("message dropped: too many for one number or one session")
			return false
		}
	}
	s.sent[key] = now
	for group := range limits {
		s.times[group] = append(s.times[group], now)
	}
	return true
}

// release undoes reserve.
func (s *sms) release(key digest, limits map[digest]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sent, key)
	for group := range limits {
		if times := s.times[group]; len(times) > 0 {
			s.times[group] = times[:len(times)-1]
		}
	}
}

// removeExpired removes records that no longer matter.
func (s *sms) removeExpired(now time.Time) {
	for key, at := range s.sent {
		if now.Sub(at) >= smsOnce {
			delete(s.sent, key)
		}
	}
	for group, times := range s.times {
		for len(times) > 0 && now.Sub(times[0]) >= smsWindow {
			times = times[1:]
		}
		if s.times[group] = times; len(times) == 0 {
			delete(s.times, group)
		}
	}
}
