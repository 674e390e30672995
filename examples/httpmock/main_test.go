package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheProgramTellsFourDecisions(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, `A customer who is still busy: wait.
A customer who is approved: open the account.
A customer who is rejected: ask the customer for another try.
A customer who is hard to tell: leave it to an operator.
`, out.String())
}
