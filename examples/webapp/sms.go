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
	// An equal message within smsOnce is a callback that came twice.
	smsOnce = 15 * time.Minute
	// A number gets no more than smsPerNumber messages in smsWithin: the customer decides how
	// often one is asked for, and each one costs money.
	smsPerNumber = 5
	// A session gets no more than smsPerSession: the customer also decides for which numbers.
	smsPerSession = 10
	smsWithin     = time.Hour
)

// sms is a stub in the place of the bank's gateway: it counts, and sends nothing. What it
// remembers is in memory alone, and hashed, because one-time passwords belong in no database.
type sms struct {
	log     *slog.Logger
	gateway func(context.Context, identomat.SMS) error

	mu    sync.Mutex
	sent  map[digest]time.Time
	times map[digest][]time.Time // of a number, and of a session
}

type digest [sha256.Size]byte

func digestOf(kind, text string) digest { return sha256.Sum256([]byte(kind + "\x00" + text)) }

func newSMS(log *slog.Logger) *sms {
	return &sms{
		log: log, sent: map[digest]time.Time{}, times: map[digest][]time.Time{},
		// The call of the gateway goes here. Neither the number nor the text belongs in a log.
		gateway: func(context.Context, identomat.SMS) error {
			log.Info("a message was handed to the stub of the SMS gateway")
			return nil
		},
	}
}

// send hands a message to the gateway, once. One that the gateway did not take may be sent
// again. One above a limit is dropped without an error: to be asked again for it helps nobody.
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

// reserve notes a message before it is sent, so that of two callbacks at once one sends it.
func (s *sms) reserve(key digest, limits map[digest]int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.forget(now)
	if _, twice := s.sent[key]; twice {
		return false
	}
	for of, limit := range limits {
		if len(s.times[of]) >= limit {
			s.log.Warn("a message was dropped: too many for one number or one session")
			return false
		}
	}
	s.sent[key] = now
	for of := range limits {
		s.times[of] = append(s.times[of], now)
	}
	return true
}

func (s *sms) release(key digest, limits map[digest]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sent, key)
	for of := range limits {
		if times := s.times[of]; len(times) > 0 {
			s.times[of] = times[:len(times)-1]
		}
	}
}

func (s *sms) forget(now time.Time) {
	for key, at := range s.sent {
		if now.Sub(at) >= smsOnce {
			delete(s.sent, key)
		}
	}
	for of, times := range s.times {
		for len(times) > 0 && now.Sub(times[0]) >= smsWithin {
			times = times[1:]
		}
		if s.times[of] = times; len(times) == 0 {
			delete(s.times, of)
		}
	}
}
