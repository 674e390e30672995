package idenfytest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRequestsKeepsLatest(t *testing.T) {
	s := NewServer(t)
	for i := range maxRequests + 3 {
		s.record(Request{Body: []byte(strconv.Itoa(i))})
	}
	requests := s.Requests()
	assert.Len(t, requests, 10_000)
	assert.Equal(t, "3", string(requests[0].Body))
	assert.Equal(t, "10002", string(requests[9_999].Body))
}
