package main

import (
	"context"
	"crypto/sha256"
	"errors"
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

var errTooManyMessages = errors.New("too many messages for one number")

// sms is a stub in the place of the bank's gateway: it counts, and sends nothing. What it
// remembers is in memory alone, because one-time passwords belong in no database.
type sms struct {
	log *slog.Logger

	mu      sync.Mutex
	sent    map[[sha256.Size]byte]time.Time
	numbers map[string][]time.Time
}

func newSMS(log *slog.Logger) *sms {
	return &sms{log: log, sent: map[[sha256.Size]byte]time.Time{}, numbers: map[string][]time.Time{}}
}

// send hands a message to the gateway, once.
func (s *sms) send(_ context.Context, message identomat.SMS) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.forget(now)
	key := sha256.Sum256([]byte(message.PhoneNumber + "\x00" + message.Text))
	if _, twice := s.sent[key]; twice {
		return nil
	}
	if len(s.numbers[message.PhoneNumber]) >= smsPerNumber {
		return errTooManyMessages
	}
	s.sent[key] = now
	s.numbers[message.PhoneNumber] = append(s.numbers[message.PhoneNumber], now)
	// Here goes the call of the gateway. Neither the number nor the text belongs in a log.
	s.log.Info("a message was handed to the stub of the SMS gateway")
	return nil
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
