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

func TestAMessageCountsForItsTimeAndIsThenForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sent := newSMS(slog.New(slog.DiscardHandler)), 0
		s.gateway = func(context.Context, identomat.SMS) error { sent++; return nil }
		send := func(text string) (sends int) {
			before := sent
			assert.NoError(t, s.send(t.Context(), "session-token-0001", identomat.SMS{PhoneNumber: "+12025550143", Text: text}))
			return sent - before
		}
		for i := range smsPerNumber {
			assert.Equal(t, 1, send(strconv.Itoa(i)))
		}
		assert.Equal(t, 0, send("0"), "a callback that came twice")
		assert.Equal(t, 0, send("another"), "one too many")
		time.Sleep(smsOnce)
		assert.Equal(t, 0, send("0"), "the same text is a new message now, and one too many")
		time.Sleep(smsWithin - smsOnce)
		assert.Equal(t, 1, send("0"))
		assert.Len(t, s.sent, 1)
		assert.Len(t, s.times, 2)
		time.Sleep(smsWithin)
		s.forget(time.Now())
		assert.Empty(t, s.sent)
		assert.Empty(t, s.times)
	})
}
