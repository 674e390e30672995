package main

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/identomat-go/identomat"
)

func TestSMSLimitsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sent := newSMS(slog.New(slog.DiscardHandler)), 0
		s.gateway = func(context.Context, identomat.SMS) error { sent++; return nil }
		send := func(text string) int {
			before := sent
			assert.NoError(t, s.send(t.Context(), "session-token-0001", identomat.SMS{PhoneNumber: "+12025550143", Text: text}))
			return sent - before
		}
		for i := range smsPerNumber {
			assert.Equal(t, 1, send(strconv.Itoa(i)))
		}
		assert.Equal(t, 0, send("0"), "a duplicate callback")
		assert.Equal(t, 0, send("another"), "above the limit")
		time.Sleep(smsOnce)
		assert.Equal(t, 0, send("0"), "no longer a duplicate, but above the limit")
		time.Sleep(smsWindow - smsOnce)
		assert.Equal(t, 1, send("0"))
		assert.Len(t, s.sent, 1)
		assert.Len(t, s.times, 2)
		time.Sleep(smsWindow)
		s.removeExpired(time.Now())
		assert.Empty(t, s.sent)
		assert.Empty(t, s.times)
	})
}
