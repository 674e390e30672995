package main

import (
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
		s := newSMS(slog.New(slog.DiscardHandler))
		send := func(text string) error {
			return s.send(t.Context(), identomat.SMS{PhoneNumber: "+12025550143", Text: text})
		}
		for i := range smsPerNumber {
			assert.NoError(t, send(strconv.Itoa(i)))
		}
		assert.NoError(t, send("0"), "a callback that came twice asks for nothing more")
		assert.ErrorIs(t, send("another"), errTooManyMessages)
		time.Sleep(smsOnce)
		assert.ErrorIs(t, send("0"), errTooManyMessages, "the same text is a new message now")
		time.Sleep(smsWithin - smsOnce)
		assert.NoError(t, send("0"))
		assert.Len(t, s.sent, 1)
		assert.Len(t, s.numbers["+12025550143"], 1)
		time.Sleep(smsWithin)
		s.forget(time.Now())
		assert.Empty(t, s.sent)
		assert.Empty(t, s.numbers)
	})
}
