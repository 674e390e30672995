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

// mountDisk mounts a small file system, which needs the permission to do so.
func mountDisk(t *testing.T) (disk string) {
	t.Helper()
	disk = t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	return disk
}

// The disk is smaller than the package. With more room, Collect goes on.
func TestFullDisk(t *testing.T) {
	disk := mountDisk(t)
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

func TestReadOnlyDisk(t *testing.T) {
	disk := mountDisk(t)
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(disk, "package")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for _, dir := range []string{dir, filepath.Join(disk, "another")} {
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
		require.ErrorIs(t, err, syscall.EROFS)
		assert.NotContains(t, err.Error(), disk)
	}
	assert.Zero(t, server.Count("result/"))
}

// remounted is a writer that makes a disk read-only.
type remounted string

func (disk remounted) Write(p []byte) (int, error) {
	return len(p), syscall.Mount("tmpfs", string(disk), "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

// Zip must not leave a customer's files in the temporary folder without saying so.
func TestZipReportsFilesThatItCannotRemove(t *testing.T) {
	disk := mountDisk(t)
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=1m"))
	t.Setenv("TMPDIR", disk)
	server := quiet(t)
	report, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Zip(remounted(disk)))
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorContains(t, err, "evidence: cannot remove the temporary folder: ")
	assert.NotContains(t, err.Error(), disk)
	assert.Nil(t, report)
}

// A time stamp that does not fit on the disk leaves the package as it was.
func TestFullDiskWhileSealing(t *testing.T) {
	disk := mountDisk(t)
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=1m"))
	server := quiet(t)
	dir := filepath.Join(disk, "package")
	_, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Dir(dir))
	require.NoError(t, err)
	fill := func() {
		require.ErrorIs(t, os.WriteFile(filepath.Join(disk, "filler"), make([]byte, 1<<20), 0o600), syscall.ENOSPC)
	}
	before := contents(t, os.DirFS(dir))
	err = evidence.AddSeal(dir, func(*evidence.Check) ([]byte, error) { fill(); return []byte("time"), nil })
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.Equal(t, before, contents(t, os.DirFS(dir)))
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)

	// The same time stamp again needs no room, and stays.
	require.NoError(t, os.Remove(filepath.Join(disk, "filler")))
	require.NoError(t, evidence.AddSeal(dir, func(*evidence.Check) ([]byte, error) { return []byte("time"), nil }))
	sealed := contents(t, os.DirFS(dir))
	require.NoError(t, evidence.AddSeal(dir, func(*evidence.Check) ([]byte, error) { fill(); return []byte("time"), nil }))
	assert.Equal(t, sealed, contents(t, os.DirFS(dir)))
}
