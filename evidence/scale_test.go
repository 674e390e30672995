package evidence_test

import (
	"context"
	"errors"
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

// atATime is the number of sessions that are collected at the same time.
const atATime = 50

// Many sessions are collected at the same time, in a process of their own.
func TestScaleManySessions(t *testing.T) {
	sessions := map[bool]int{false: 100, true: 1000}[longTests]
	server := quiet(t)
	client := server.Client()
	tokens := make([]identomat.Token, sessions)
	for i := range tokens {
		tokens[i] = decidedWith(t, server, client)
	}
	response, ended := start(t, server, childRequest{Dir: t.TempDir(), Tokens: tokens})
	require.True(t, ended)
	require.Empty(t, response.Error)
	t.Logf("%d sessions, %d at a time: peak resident memory %d MiB; %d descriptors, %d before; leaked goroutines: %q",
		sessions, atATime, response.Resident>>20, response.Descriptors[1], response.Descriptors[0], response.Leaked)
	assert.GreaterOrEqual(t, server.Count("result/face/"), sessions)
	if !raceEnabled {
		assert.LessOrEqual(t, response.Resident, uint64(200<<20))
	}
	assert.LessOrEqual(t, response.Descriptors[1], response.Descriptors[0])
	assert.Empty(t, response.Leaked)
}

// collectMany runs in the child process.
func collectMany(client *identomat.Client, r childRequest) (response childResponse) {
	_, err := client.Sessions.Result(context.Background(), r.Tokens[0]) // opens what the runtime needs for any connection
	must(err)
	client.CloseIdleConnections()
	goroutines := goleak.IgnoreCurrent()
	response.Descriptors[0] = openDescriptors()
	work := make(chan int)
	errs := make([]error, len(r.Tokens))
	var workers sync.WaitGroup
	for range atATime {
		workers.Go(func() {
			for i := range work {
				dir := filepath.Join(r.Dir, fmt.Sprint(i))
				if _, errs[i] = evidence.Collect(context.Background(), client, r.Tokens[i], evidence.Dir(dir)); errs[i] == nil {
					_, errs[i] = evidence.Verify(os.DirFS(dir))
				}
				_ = os.RemoveAll(dir)
			}
		})
	}
	for i := range r.Tokens {
		work <- i
	}
	close(work)
	workers.Wait()
	client.CloseIdleConnections()
	if err := goleak.Find(goroutines); err != nil {
		response.Leaked = err.Error()
	}
	if err := errors.Join(errs...); err != nil {
		response.Error = err.Error()
	}
	response.Descriptors[1], response.Resident = openDescriptors(), peakMemory()
	return response
}

// openDescriptors returns the number of open file descriptors, or 0 if the system does not list them.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// peakMemory returns the peak of the resident memory of this process, or 0 if the system does not say.
func peakMemory() (kib uint64) {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}
