package seal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collect collects an approved session into a new folder.
func collect(t testing.TB, opts ...evidence.Option) (dir string) {
	t.Helper()
	server := identomattest.NewServer(t)
	dir = filepath.Join(t.TempDir(), "package")
	_, err := evidence.Collect(t.Context(), server.Client(), approved(t, server), evidence.Dir(dir), opts...)
	require.NoError(t, err)
	return dir
}

// approved begins a session and approves it.
func approved(t testing.TB, server *identomattest.Server) identomat.Token {
	t.Helper()
	session, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	require.NoError(t, server.Approve(session.Token))
	return session.Token
}

// contents returns the files of a package by path, and its folders.
func contents(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	fsys := os.DirFS(dir)
	files := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		file := &fstest.MapFile{Mode: entry.Type() | 0o600}
		if !entry.IsDir() {
			file.Data, err = fs.ReadFile(fsys, name)
		}
		files[name] = file
		return err
	}))
	return files
}
