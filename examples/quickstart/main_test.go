package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeApproves(t *testing.T) {
	t.Setenv(identomat.EnvCompanyKey, "")
	var out, errOut bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out, &errOut))
	assert.Regexp(t, `(?m)^Outcome    approved$`, out.String())
	assert.Regexp(t, `(?m)^The session and its data have been erased\.$`, out.String())
	assert.Empty(t, errOut.String())
}

// With a company key, nothing is sent without -billed, and stderr says what would be.
func TestBilledSessionNeedsFlag(t *testing.T) {
	server := identomattest.NewServer(t)
	t.Setenv(identomat.EnvCompanyKey, server.CompanyKey)
	t.Setenv(identomat.EnvWidgetURL, server.WidgetURL)
	t.Setenv(identomat.EnvAPIURL, server.APIURL)
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second) // for a program that waits for a customer
	defer cancel()
	for _, args := range [][]string{nil, {"-hold"}} {
		var out, errOut bytes.Buffer
		require.EqualError(t, run(short, args, &out, &errOut), "nothing was sent; to begin the session, add -billed")
		assert.Equal(t, "IDENTOMAT_COMPANY_KEY is set: this begins a session at "+server.WidgetURL+", which may be billed.\n", errOut.String())
		assert.Empty(t, server.Requests())
	}

	// With -billed it begins the session and waits for the customer, until Ctrl-C.
	ctx, interrupt := context.WithCancel(t.Context())
	reader, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-billed"}, out, io.Discard)
		out.Close()
	}()
	var text []byte
	buf := make([]byte, 4096)
	for !regexp.MustCompile(`(?m)^This program waits`).Match(text) {
		n, err := reader.Read(buf)
		require.NoError(t, err)
		text = append(text, buf[:n]...)
	}
	assert.Equal(t, 1, server.Count("begin/"))
	interrupt()
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Contains(t, string(rest), "Stopped before the customer had finished.")
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the program did not end")
	}
}
