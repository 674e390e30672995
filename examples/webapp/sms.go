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
	smsWithin    = time.Hour
)

// sms is a stub in the place of the bank's gateway: it counts, and sends nothing. What it
// remembers is in memory alone, because one-time passwords belong in no database.
type sms struct {
	log     *slog.Logger
	gateway func(context.Context, identomat.SMS) error

	mu      sync.Mutex
	sent    map[[sha256.Size]byte]time.Time
	numbers map[string][]time.Time
}

func newSMS(log *slog.Logger) *sms {
	return &sms{
		log: log, sent: map[[sha256.Size]byte]time.Time{}, numbers: map[string][]time.Time{},
		// The call of the gateway goes here. Neither the number nor the text belongs in a log.
		gateway: func(context.Context, identomat.SMS) error {
			log.Info("a message was handed to the stub of the SMS gateway")
			return nil
		},
	}
}

// send hands a message to the gateway, once. One that the gateway did not take may be sent
// again. One above the limit is dropped without an error: to be asked again for it helps nobody.
func (s *sms) send(ctx context.Context, message identomat.SMS) error {
	key := sha256.Sum256([]byte(message.PhoneNumber + "\x00" + message.Text))
	if !s.reserve(key, message.PhoneNumber) {
		return nil
	}
	err := s.gateway(ctx, message)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sent, key)
		if times := s.numbers[message.PhoneNumber]; len(times) > 0 {
			s.numbers[message.PhoneNumber] = times[:len(times)-1]
		}
	}
	return err
}

// reserve notes a message before it is sent, so that of two callbacks at once one sends it.
func (s *sms) reserve(key [sha256.Size]byte, number string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.forget(now)
	if _, twice := s.sent[key]; twice {
		return false
	}
	if len(s.numbers[number]) >= smsPerNumber {
		s.log.Warn("a message was dropped: too many for one number")
		return false
	}
	s.sent[key] = now
	s.numbers[number] = append(s.numbers[number], now)
	return true
}

func (s *sms) forget(now time.Time) {
	for key, at := range s.sent {
		if now.Sub(at) >= smsOnce {
			delete(s.sent, key)
		}
	}
	for number, times := range s.numbers {
		for len(times) > 0 && now.Sub(times[0]) >= smsWithin {
			times = times[1:]
		}
		if s.numbers[number] = times; len(times) == 0 {
			delete(s.numbers, number)
		}
	}
}
