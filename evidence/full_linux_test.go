package evidence_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
)

// A real disk is full: a file system of 64 KiB, which a package does not fit into. With more room, Collect
// goes on.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	defer func() { require.NoError(t, syscall.Unmount(disk, 0)) }()
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(disk, "package")
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.Nil(t, report)
	_, err = evidence.Verify(os.DirFS(dir))
	require.ErrorIs(t, err, evidence.ErrIncomplete)

	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=1m"))
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.Equal(t, 1, server.Count("result/"))
}
