package evidence_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

// Many sessions are collected at the same time. Memory is that of the process, with the fake in it.
func TestScaleManySessions(t *testing.T) {
	const atATime = 50
	sessions := map[bool]int{false: 100, true: 1000}[longTests]
	server := quiet(t)
	client := server.Client()
	tokens := make([]identomat.Token, sessions)
	for i := range tokens {
		tokens[i] = decidedWith(t, server, client)
	}
	client.CloseIdleConnections()
	descriptors, goroutines := openDescriptors(t), goleak.IgnoreCurrent()
	before := peakMemory(t)
	work := make(chan int)
	var workers sync.WaitGroup
	base := t.TempDir()
	errs := make([]error, sessions)
	for range atATime {
		workers.Go(func() {
			for i := range work {
				dir := filepath.Join(base, fmt.Sprint(i))
				if _, errs[i] = evidence.Collect(t.Context(), client, tokens[i], evidence.Dir(dir)); errs[i] == nil {
					_, errs[i] = evidence.Verify(os.DirFS(dir))
				}
				_ = os.RemoveAll(dir)
			}
		})
	}
	for i := range tokens {
		work <- i
	}
	close(work)
	workers.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	resident := peakMemory(t)
	client.CloseIdleConnections()
	server.Close()
	goleak.VerifyNone(t, goroutines)
	t.Logf("%d sessions, %d at a time: peak resident memory %d MiB, %d MiB before; %d descriptors, %d before; no goroutine left",
		sessions, atATime, resident>>20, before>>20, openDescriptors(t), descriptors)
	if !raceEnabled {
		assert.LessOrEqual(t, resident, uint64(200<<20))
	}
	assert.LessOrEqual(t, openDescriptors(t), descriptors)
}

// openDescriptors returns the number of open file descriptors, or 0 if the system does not list them.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	return len(entries)
}

// peakMemory returns the peak of the resident memory of this process, or 0 if the system does not say.
func peakMemory(t *testing.T) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	var kib uint64
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(t, found)
	_, err = fmt.Sscan(rest, &kib)
	require.NoError(t, err)
	return kib << 10
}
