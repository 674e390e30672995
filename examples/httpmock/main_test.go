package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRunPrintsFourDecisions(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, `A customer who has not finished: wait.
A customer who is approved: open the account.
A customer who is rejected: ask the customer to try again.
A customer who needs a manual check: ask an operator.
`, out.String())
}
