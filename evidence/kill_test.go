package evidence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// These tests collect in a process of their own, which is the test binary again.

const childEnv = "IDENTOMAT_EVIDENCE_CHILD"

// childRequest tells the child what to do.
type childRequest struct {
	WidgetURL, APIURL, Key, Token, Dir string
	// Added is the name of a file to add.
	Added string
	// KillAt is the number of the change to the folder before which the process kills itself. 0 means never.
	KillAt int64
	// Tokens, if there are any, are collected into folders in Dir, several at a time.
	Tokens []identomat.Token
}

// childResponse is what the child prints.
type childResponse struct {
	Steps                int64 // changes to the folder
	IdleBytes, PeakBytes uint64
	Error                string
	// Resident is the peak of the resident memory. Descriptors counts open files and connections before and
	// after.
	Resident    uint64
	Descriptors [2]int
	Leaked      string // goroutines
}

// child runs in the child process.
func child() (response childResponse) {
	var r childRequest
	must(json.NewDecoder(os.Stdin).Decode(&r))
	client, err := identomat.NewClient(r.Key, identomat.WithWidgetURL(r.WidgetURL), identomat.WithAPIURL(r.APIURL))
	must(err)
	if len(r.Tokens) > 0 {
		return collectMany(client, r)
	}
	var steps atomic.Int64
	step := func(string, string) error {
		if steps.Add(1) == r.KillAt {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill() // SIGKILL
			select {}
		}
		return nil
	}
	runtime.GC()
	response.IdleBytes = heap()
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for {
			response.PeakBytes = max(response.PeakBytes, heap())
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	_, err = evidence.Collect(context.Background(), client, identomat.Token(r.Token), evidence.Dir(r.Dir),
		evidence.With(r.Added, []byte(decision)), evidence.OnStep(step))
	close(done)
	<-sampled
	if err != nil {
		response.Error = err.Error()
	}
	response.Steps = steps.Load()
	return response
}

// heap returns the bytes of the objects on the heap, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// run collects in a child process. It reports whether the process ended by itself.
func run(t *testing.T, server *identomattest.Server, token identomat.Token, dir, added string, killAt int64) (response childResponse, ended bool) {
	t.Helper()
	return start(t, server, childRequest{Token: string(token), Dir: dir, Added: added, KillAt: killAt})
}

func start(t *testing.T, server *identomattest.Server, r childRequest) (response childResponse, ended bool) {
	t.Helper()
	r.WidgetURL, r.APIURL, r.Key = server.WidgetURL, server.APIURL, server.CompanyKey
	request, err := json.Marshal(r)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdin = bytes.NewReader(request)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		require.Positive(t, r.KillAt, "the process failed: %v", err)
		assert.Equal(t, "signal: killed", err.Error())
		return response, false
	}
	require.NoError(t, json.Unmarshal(output, &response))
	return response, true
}

// fetches counts the requests to the fake by source: the operation and its parameters.
func fetches(server *identomattest.Server) map[string]int {
	counts := map[string]int{}
	for _, r := range server.Requests() {
		counts[fmt.Sprint(r.Operation, r.Parameters["typeId"], r.Parameters["questionKey"], r.Parameters["fileIndex"])]++
	}
	return counts
}

// recorded returns the sources in a journal, as fetches names them.
func recorded(t *testing.T, dir string) (sources []string) {
	t.Helper()
	journal, err := os.ReadFile(filepath.Join(dir, "collection.journal"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(journal)) {
		var s evidence.Source
		if json.Unmarshal([]byte(line), &s) == nil && s.Operation != "" {
			var typeID, question, index any
			if s.Parameters["typeId"] != "" {
				typeID = s.Parameters["typeId"]
			}
			if s.Parameters["questionKey"] != "" {
				question, index = s.Parameters["questionKey"], json.Number(s.Parameters["fileIndex"])
			}
			sources = append(sources, fmt.Sprint(s.Operation, typeID, question, index))
		}
	}
	return sources
}

// A process is killed with SIGKILL before one change to the folder after another: a write, a sync, a
// rename, a line in the journal. The next run fetches nothing that was recorded, and the manifests are those
// of a collection that was not killed.
func TestKilledCollectionGoesOn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the exit status of a killed process differs")
	}
	points := map[bool]int64{false: 5, true: 20}[longTests]
	server := identomattest.NewServer(t, identomattest.WithLogf(t.Logf))
	token := decided(t, server)
	whole := filepath.Join(t.TempDir(), "whole")
	first, ended := run(t, server, token, whole, "decision.json", 0)
	require.True(t, ended)
	require.Empty(t, first.Error)
	manifests := func(dir string) string {
		files := contents(t, os.DirFS(dir))
		return files["manifest-sha256.txt"] + files["manifest-sha512.txt"]
	}
	kept := 0
	for i := range points {
		at := 1 + i*(first.Steps-1)/(points-1)
		dir := filepath.Join(t.TempDir(), strconv.FormatInt(at, 10))
		_, ended := run(t, server, token, dir, "decision.json", at)
		require.False(t, ended, "killed at %d of %d", at, first.Steps)
		records := recorded(t, dir)
		kept += len(records)
		before := fetches(server)
		second, ended := run(t, server, token, dir, "decision.json", 0)
		require.True(t, ended)
		require.Empty(t, second.Error, "killed at %d of %d", at, first.Steps)
		after := fetches(server)
		for _, source := range records {
			require.Positive(t, before[source], source)
			assert.Equal(t, before[source], after[source], "killed at %d: %s was fetched twice", at, source)
		}
		assert.Equal(t, manifests(whole), manifests(dir))
		_, err := evidence.Verify(os.DirFS(dir))
		require.NoError(t, err, "killed at %d of %d", at, first.Steps)
	}
	t.Logf("killed at %d of %d changes; %d whole files were not fetched again", points, first.Steps, kept)
}

// A complete package is killed while a file is added, before one change after another.
func TestKilledAdditionGoesOn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the exit status of a killed process differs")
	}
	server := quiet(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	requests := len(server.Requests())
	stride := map[bool]int64{false: 7, true: 1}[longTests]
	kills := 0
	next := func(at int64) int64 {
		if at < 6 { // the first changes create the journal
			return at + 1
		}
		return at + stride
	}
	for at := int64(1); ; at = next(at) {
		// Each round adds another file. A round that is not killed ends the test.
		name := fmt.Sprintf("added-%d.json", at)
		_, ended := run(t, server, token, dir, name, at)
		if ended {
			break
		}
		kills++
		response, ended := run(t, server, token, dir, name, 0)
		require.True(t, ended)
		require.Empty(t, response.Error, "killed at %d", at)
		check, err := evidence.Verify(os.DirFS(dir))
		require.NoError(t, err, "killed at %d", at)
		assert.True(t, check.Complete)
		assert.Equal(t, evidence.Added, sourceNamed(check.Report, name).State)
	}
	assert.Len(t, server.Requests(), requests)
	t.Logf("killed %d times", kills)
}

// Collecting a large video takes little memory.
func TestCollectMemory(t *testing.T) {
	size := map[bool]int{false: 64 << 20, true: 512 << 20}[longTests]
	server := identomattest.NewServer(t)
	token := decided(t, server)
	video := make([]byte, size)
	copy(video, "\x00\x00\x00\x18ftypisom")
	require.NoError(t, server.SetMedia(token, "result/face-video/", "video/mp4", video))
	dir := filepath.Join(t.TempDir(), "package")
	response, ended := run(t, server, token, dir, "decision.json", 0)
	require.True(t, ended)
	require.Empty(t, response.Error)
	info, err := os.Stat(filepath.Join(dir, "data/media/face-video.mp4"))
	require.NoError(t, err)
	require.Equal(t, int64(size), info.Size())
	t.Logf("a video of %d MiB: %.1f MiB of heap over idle", size>>20, float64(response.PeakBytes-response.IdleBytes)/(1<<20))
	assert.LessOrEqual(t, response.PeakBytes-response.IdleBytes, uint64(8<<20))
}
