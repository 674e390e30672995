package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/identomattest"
)

func TestRunPrintsSpansAndMetrics(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	for _, line := range []string{
		"identomat begin/ ", "identomat result/ ", "identomat delete/ ", "onboard ",
		"http.request.resend_count = 1", "event retry identomat.retry.delay=",
		"error.type = session_not_found", "identomat.client.attempt.duration (s)", "identomat.client.calls ({call})",
		"  1  identomat.operation=result/", "  1  identomat.operation=begin/,identomat.processed=yes", "server.address = 127.0.0.1",
	} {
		assert.Contains(t, out.String(), line)
	}
	assert.NotContains(t, out.String(), identomattest.DefaultCompanyKey)
}
