package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A package that calls methods by a name that it computes, such as text/template, adds 3 MB: the linker then keeps
// every exported method of every type.
func TestProgramIsSmallAndStartsFast(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the limit is for linux/amd64")
	}
	program := filepath.Join(t.TempDir(), "identomat")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	info, err := os.Stat(program)
	require.NoError(t, err)
	t.Logf("%d bytes", info.Size())
	assert.LessOrEqual(t, info.Size(), int64(14_000_000))

	cmd := exec.CommandContext(t.Context(), program, "version")
	require.NoError(t, cmd.Run())
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	t.Logf("%s of CPU", cpu)
	assert.Less(t, cpu, 50*time.Millisecond)
}
