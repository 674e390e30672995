package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// quiet starts a fake that does not log.
func quiet(t testing.TB, opts ...identomattest.Option) *identomattest.Server {
	t.Helper()
	return identomattest.NewServer(t, append(opts, identomattest.WithLogf(func(string, ...any) {}))...)
}

// once is a policy without retries.
var once = identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})

func TestSecondCollectOfAFolderIsRefused(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(t.TempDir(), "package")
	var second error
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.OnProgress(func(p evidence.Progress) {
		if p.Source == "media/face" && second == nil {
			_, second = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
			_, err := evidence.Verify(os.DirFS(dir))
			assert.ErrorIs(t, err, evidence.ErrIncomplete)
		}
	}))
	require.NoError(t, err)
	require.ErrorIs(t, second, evidence.ErrInUse)
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err, "the lock is released")
}

// A lock that a crash has left does not count.
func TestLockOfAnEndedProcessIsIgnored(t *testing.T) {
	server := quiet(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "collection.lock"), nil, 0o600))
	_, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Dir(dir))
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(dir, "collection.lock"))
}

func TestNextCollectFetchesOnlyWhatFailed(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(t.TempDir(), "package")
	server.Fault("result/face/", identomattest.HTTPStatus(502), 1)
	server.Fault("list-session-activities", identomattest.ResetAfterRead(), 1)
	first, err := evidence.Collect(t.Context(), server.Client(once), token, evidence.Dir(dir))
	require.ErrorIs(t, err, evidence.ErrIncomplete)
	assert.NotContains(t, err.Error(), "\n")
	assert.False(t, first.Complete)
	server.ClearRequests()
	second, err := evidence.Collect(t.Context(), server.Client(once), token, evidence.Dir(dir))
	require.NoError(t, err)
	assert.True(t, second.Complete)
	assert.Len(t, server.Requests(), 2)
	assert.Equal(t, 1, server.Count("result/face/"))
	assert.Equal(t, 1, server.Count("list-session-activities"))
	for _, s := range first.Sources {
		if s.State != evidence.Failed {
			assert.Equal(t, s, sourceNamed(second, s.Name), "the record is that of the first fetch")
		}
	}
}

// A session in progress still changes, so its package is incomplete, and the next Collect starts again.
func TestSessionInProgressIsCollectedAgain(t *testing.T) {
	server := quiet(t)
	session, err := server.Client().Sessions.Begin(t.Context(), everything)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "package")
	add := evidence.With("decision.json", []byte(decision))
	report, err := evidence.Collect(t.Context(), server.Client(), session.Token, evidence.Dir(dir), add)
	require.ErrorIs(t, err, evidence.ErrIncomplete)
	assert.Equal(t, evidence.Absent, sourceNamed(report, "media/face").State)
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.False(t, check.Complete)

	server.Fault("result/", identomattest.HTTPStatus(503), 1)
	_, err = evidence.Collect(t.Context(), server.Client(once), session.Token, evidence.Dir(dir), add)
	require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	again, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err, "a result that cannot be fetched changes nothing")
	assert.Equal(t, check.Digest, again.Digest)

	require.NoError(t, server.Approve(session.Token))
	for _, change := range []string{"record", "remove", "rename"} {
		interrupted := false
		_, err = evidence.Collect(t.Context(), server.Client(), session.Token, evidence.Dir(dir), add, evidence.OnStep(func(kind, path string) error {
			if kind == change && (kind == "record" || path != "collection.journal") {
				interrupted = true
				return syscall.EIO
			}
			return nil
		}))
		require.ErrorIs(t, err, syscall.EIO)
		require.True(t, interrupted)
	}
	report, err = evidence.Collect(t.Context(), server.Client(), session.Token, evidence.Dir(dir), add)
	require.NoError(t, err)
	assert.Equal(t, evidence.Collected, sourceNamed(report, "media/face").State)
	assert.Equal(t, evidence.Added, sourceNamed(report, "decision.json").State)
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
}

func TestCollectRefusesAFolderThatChanged(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	for name, c := range map[string]struct {
		change func(dir string) error
		file   string
		want   error
	}{
		"changed":    {func(dir string) error { return os.WriteFile(dir+"/data/media/face.jpg", []byte("x"), 0o600) }, "data/media/face.jpg", evidence.ErrChanged},
		"removed":    {func(dir string) error { return os.Remove(dir + "/data/media/face.jpg") }, "data/media/face.jpg", evidence.ErrMissing},
		"added":      {func(dir string) error { return os.WriteFile(dir+"/data/media/other.jpg", nil, 0o600) }, "data/media/other.jpg", evidence.ErrUnexpectedFile},
		"a link":     {func(dir string) error { return os.Symlink("/etc/passwd", dir+"/data/passwd") }, "data/passwd", evidence.ErrUnexpectedFile},
		"collection": {func(dir string) error { return os.Truncate(dir+"/collection.json", 10) }, "collection.json", evidence.ErrChanged},
	} {
		for _, interrupted := range []bool{false, true} {
			if interrupted && name == "collection" {
				continue // the journal counts
			}
			dir := filepath.Join(t.TempDir(), "package")
			opts := []evidence.Option{evidence.OnStep(func(change, path string) error {
				if interrupted && path == "bagit.txt" {
					return syscall.EIO
				}
				return nil
			})}
			_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), opts...)
			require.Equal(t, interrupted, err != nil)
			require.NoError(t, c.change(dir))
			before := contents(t, os.DirFS(dir))
			server.ClearRequests()
			_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
			require.ErrorIs(t, err, c.want, "%s, interrupted: %t", name, interrupted)
			assert.ErrorContains(t, err, `"`+c.file+`"`)
			assert.Empty(t, server.Requests())
			if name != "a link" {
				assert.Equal(t, before, contents(t, os.DirFS(dir)))
			}
		}
	}
}

func TestCollectRefusesAForeignFolder(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	require.NoError(t, os.Chmod(dir, 0o755))
	before, err := os.Stat(dir)
	require.NoError(t, err)
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.ErrorIs(t, err, evidence.ErrUnexpectedFile)
	assert.Equal(t, map[string]string{"notes.txt": "x"}, contents(t, os.DirFS(dir)))
	after, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, before.Mode(), after.Mode())

	for _, interrupted := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "package")
		_, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Dir(dir), evidence.OnStep(func(change, path string) error {
			if interrupted && path == "bagit.txt" {
				return syscall.EIO
			}
			return nil
		}))
		require.Equal(t, interrupted, err != nil)
		_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
		require.ErrorIs(t, err, evidence.ErrOtherSession)
	}
}

// A file that is not a lock is not removed like a lock.
func TestForeignFileWithTheNameOfTheLock(t *testing.T) {
	server := quiet(t)
	dir, _ := collect(t, server, decided(t, server))
	name := filepath.Join(dir, "collection.lock")
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	err := evidence.AddSeal(dir, nil)
	require.ErrorIs(t, err, evidence.ErrUnexpectedFile)
	assert.FileExists(t, name)
}

func TestCollectOfAnUnknownSessionLeavesNothing(t *testing.T) {
	server := quiet(t)
	dir := filepath.Join(t.TempDir(), "package")
	_, err := evidence.Collect(t.Context(), server.Client(), "0123456789abcdefghij0123456789abcdefghij", evidence.Dir(dir))
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestSealedPackageIsNotChanged(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir, report := collect(t, server, token)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "seal"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "seal/1.tsr"), []byte("time"), 0o600))
	again, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
	assert.Equal(t, report, again)
	before := contents(t, os.DirFS(dir))
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("more.json", nil))
	require.ErrorIs(t, err, evidence.ErrSealed)
	assert.Equal(t, before, contents(t, os.DirFS(dir)))
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.Equal(t, []string{"seal/1.tsr"}, check.Seals)
	var b bytes.Buffer
	require.NoError(t, evidence.Pack(&b, os.DirFS(dir)))
	assert.Contains(t, b.String(), "/seal/1.tsr")
}

func TestFilesAreAddedLater(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	server.ClearRequests()
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir),
		evidence.With("decision.json", []byte(decision)), evidence.With("screening/hits.json", []byte("[]")))
	require.NoError(t, err)
	assert.Empty(t, server.Requests())
	assert.Equal(t, evidence.Added, sourceNamed(report, "screening/hits.json").State)
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.True(t, check.Complete)

	report, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("decision.json", []byte("another")))
	require.ErrorIs(t, err, evidence.ErrAddedBefore)
	require.EqualError(t, err, `evidence: With: "data/decision.json": the package already uses this name for something else`)
	assert.Nil(t, report)
	after, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.Equal(t, check.Digest, after.Digest)
}

func TestNamesOfAddedFiles(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	const allowed = "lowercase ASCII letters, digits, dots, hyphens, underscores and slashes"
	for name, want := range map[string]string{
		"": "empty", "../x": "empty or begins", "/x": "empty or begins", "a//b": "empty or begins", ".hidden": "empty or begins", "x.": "ends with a dot", "a/": "empty",
		`a\b`: allowed, "c:x": allowed, "Decision.json": allowed, "a b": allowed, "a\nb": allowed, "é": allowed, "con": "device", "a/nul.txt": "device",
		strings.Repeat("x", 201): "too long", strings.Repeat("x/", 600): "too long", strings.Repeat("x/", 100) + "x": "too long",
		"result.json": "used by Collect", "media/x": "used by Collect", "questions": "used by Collect", "report.pdf": "used by Collect", "documents/x": "used by Collect", "data/x": "used by Collect",
		"x.part": ".part", "by-" + string(token) + ".json": "contains the token",
	} {
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(t.TempDir()), evidence.With("ok.json", nil), evidence.With(name, nil))
		require.ErrorContains(t, err, "With: the name of file 2 ", "%q", name)
		assert.ErrorContains(t, err, want, "%q", name)
		assert.NotContains(t, err.Error(), string(token))
	}
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(t.TempDir()), evidence.With("a", nil), evidence.With("a", nil))
	require.ErrorContains(t, err, "is used twice")
}

// A failed write to any file ends Collect, and the next Collect completes the package.
func TestEveryChangeCanFail(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	reference, _ := collect(t, server, token)
	manifest := contents(t, os.DirFS(reference))["manifest-sha256.txt"]
	var count atomic.Int64
	counting := evidence.OnStep(func(string, string) error { count.Add(1); return nil })
	add := evidence.With("decision.json", []byte(decision))
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(filepath.Join(t.TempDir(), "package")), add, counting)
	require.NoError(t, err)
	stride := map[bool]int64{false: 13, true: 1}[longTests]
	for at := int64(1); at <= count.Load(); at += stride {
		dir := filepath.Join(t.TempDir(), "package")
		var steps atomic.Int64
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), add, evidence.OnStep(func(change, path string) error {
			if steps.Add(1) >= at {
				return syscall.EROFS
			}
			return nil
		}))
		if steps.Load() < at {
			continue // the number of steps varies with the order of the downloads
		}
		require.ErrorIs(t, err, syscall.EROFS, "change %d", at)
		assert.ErrorContains(t, err, "evidence: cannot write ")
		_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), add)
		require.NoError(t, err, "change %d", at)
		_, err = evidence.Verify(os.DirFS(dir))
		require.NoError(t, err, "change %d", at)
		assert.Equal(t, manifest, contents(t, os.DirFS(dir))["manifest-sha256.txt"])
	}
	t.Logf("%d changes", count.Load())
}

func TestReadOnlyFolder(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("permissions do not stop this user")
	}
	server := quiet(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Dir(dir))
	require.ErrorIs(t, err, fs.ErrPermission)
	assert.NotContains(t, err.Error(), dir)
}

// inFlight is a RoundTripper that counts the responses that are not read to their end.
type inFlight struct{ now, most atomic.Int64 }

func (f *inFlight) RoundTrip(req *http.Request) (*http.Response, error) {
	now := f.now.Add(1)
	for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Body = &countedBody{resp.Body, f}
	} else {
		f.now.Add(-1)
	}
	return resp, err
}

type countedBody struct {
	io.ReadCloser
	flight *inFlight
}

func (b *countedBody) Close() error {
	b.flight.now.Add(-1)
	return b.ReadCloser.Close()
}

func TestAtMostThreeDownloadsAtATime(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	server := quiet(t)
	token := decided(t, server)
	flight := &inFlight{}
	client := server.Client(identomat.WithHTTPClient(&http.Client{Transport: flight}))
	var overlapping, running atomic.Int64
	_, err := evidence.Collect(t.Context(), client, token, evidence.Dir(t.TempDir()), evidence.OnProgress(func(p evidence.Progress) {
		if running.Add(1) > 1 {
			overlapping.Add(1)
		}
		assert.LessOrEqual(t, p.Done, p.Total)
		running.Add(-1)
	}))
	require.NoError(t, err)
	assert.LessOrEqual(t, flight.most.Load(), int64(3))
	assert.Greater(t, flight.most.Load(), int64(1))
	assert.Zero(t, overlapping.Load())
}

func TestProgress(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	var last evidence.Progress
	begun, ended := map[string]bool{}, map[string]evidence.State{}
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(t.TempDir()), evidence.OnProgress(func(p evidence.Progress) {
		last = p
		if p.State != "" {
			assert.True(t, begun[p.Source], p.Source)
			ended[p.Source] = p.State
		}
		begun[p.Source] = true
		if p.Source == "media/face" && p.State == evidence.Collected {
			assert.Equal(t, p.Read, p.Size)
			assert.Positive(t, p.Size)
		}
	}))
	require.NoError(t, err)
	assert.Equal(t, last.Total, last.Done)
	assert.Len(t, ended, last.Total)
	assert.Equal(t, evidence.Absent, ended["documents/utility-bill"])
	assert.Equal(t, evidence.Collected, ended["questions/1-2-2"])
}

func TestCanceledBeforeTheResult(t *testing.T) {
	server := quiet(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := evidence.Collect(ctx, server.Client(), decided(t, server), evidence.Dir(t.TempDir()))
	require.ErrorIs(t, err, context.Canceled)
}

// A second failure must not lose what an interrupted Collect has stored.
func TestInterruptedCollectionSurvivesASecondFailure(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(t.TempDir(), "package")
	for _, failing := range []string{"data/report.pdf", ""} {
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.OnStep(func(change, path string) error {
			if change == "write" && path != "collection.journal" && (failing == "" || path == failing) {
				return syscall.ENOSPC
			}
			return nil
		}))
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	server.ClearRequests()
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
	assert.Zero(t, server.Count("result/"), "it is in the folder")
}

// Verify refuses an empty folder, so a download that fails must not leave one.
func TestFailedDownloadLeavesNoEmptyFolder(t *testing.T) {
	server := quiet(t, identomattest.RequireHMAC())
	token := decided(t, server)
	require.NoError(t, server.SetMedia(token, "result/general-document/", "image/jpeg", []byte("\xff\xd8\xff\xe0"+strings.Repeat("\xff", 1<<20))))
	dir := filepath.Join(t.TempDir(), "package")
	server.Fault("result/general-document/", identomattest.WrongSignature(), 0)
	_, err := evidence.Collect(t.Context(), server.Client(once), token, evidence.Dir(dir))
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	assert.NoDirExists(t, filepath.Join(dir, "data/documents"))
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	server.ClearFaults()
	_, err = evidence.Collect(t.Context(), server.Client(once), token, evidence.Dir(dir))
	require.NoError(t, err)
}

// A package that stayed incomplete, and whose files outside data could not be written again, is completed later.
func TestIncompletePackageSurvivesAFullDisk(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(t.TempDir(), "package")
	server.Fault("result/face/", identomattest.HTTPStatus(503), 0)
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.ErrorIs(t, err, evidence.ErrIncomplete)
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.OnStep(func(change, path string) error {
		if change == "write" && path == "collection.json" {
			return syscall.ENOSPC
		}
		return nil
	}))
	require.ErrorIs(t, err, syscall.ENOSPC)
	server.ClearFaults()
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
	assert.True(t, report.Complete)
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
}

// A response can hold many archives. Collect closes each of them before the next.
func TestManyArchivesTakeFewDescriptors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the descriptors cannot be counted")
	}
	server := quiet(t)
	token := decided(t, server)
	archive := `"data:application/x-tar;base64,` + strings.Repeat("/9j/", 100) + `"`
	server.Fault("get-visual-markers", identomattest.Response(200, "application/json", `{"result":[`+strings.Repeat(archive+",", 199)+archive+`]}`), 1)
	before, most := openDescriptors(), 0
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(t.TempDir()), evidence.OnProgress(func(p evidence.Progress) {
		if p.Source == "visual-markers" {
			most = max(most, openDescriptors())
		}
	}))
	require.NoError(t, err)
	assert.Len(t, sourceNamed(report, "visual-markers").Files, 200)
	assert.Less(t, most, before+50)
}

// The SDK returns only the first file of such a response, so the package is not complete.
func TestAnswerWithSeveralFilesIsIncomplete(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	file := `"data:application/x-tar;base64,` + strings.Repeat("/9j/", 100) + `"`
	server.Fault("get-question-file", identomattest.Response(200, "application/json", `{"result":[`+file+`,`+file+`]}`), 0)
	dir := t.TempDir()
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.ErrorIs(t, err, evidence.ErrIncomplete)
	require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	assert.Equal(t, "unexpected response: it holds 2 files", sourceNamed(report, "questions/1-1-1").Reason)
	server.ClearFaults()
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
}

func TestAddedFileIsNoFolder(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir := filepath.Join(t.TempDir(), "package")
	add := func(names ...string) error {
		var with []evidence.Option
		for _, name := range names {
			with = append(with, evidence.With(name, nil))
		}
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), with...)
		return err
	}
	require.ErrorContains(t, add("checks/a.json", "checks"), "the name of file 2 is also a folder")
	require.NoError(t, add("checks/a.json"))
	require.ErrorIs(t, add("checks"), evidence.ErrAddedBefore)
	require.ErrorIs(t, add("checks/a.json/b"), evidence.ErrAddedBefore)
	require.NoError(t, add("checks/b.json"))
}

// A file that cannot be added leaves the package as it was.
func TestFailedAdditionLeavesThePackage(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	hits := evidence.With("screening/hits.json", []byte("[]"))
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), hits, evidence.OnStep(func(change, path string) error {
		if change == "write" && path == "data/screening/hits.json" {
			return syscall.ENOSPC
		}
		return nil
	}))
	require.ErrorIs(t, err, syscall.ENOSPC)
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.True(t, check.Complete)
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), hits)
	require.NoError(t, err)
}

// The folder is locked while the time stamp is made. A failure or a crash leaves a package that can be
// stamped again, and changed.
func TestAddSeal(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	before := contents(t, os.DirFS(dir))
	failure := errors.New("the authority is down")
	for name, c := range map[string]struct {
		data []byte
		err  error
		want error
	}{
		"failure":   {nil, failure, failure},
		"too large": {make([]byte, 64<<10+1), nil, evidence.ErrTooLarge},
	} {
		err := evidence.AddSeal(dir, func(*evidence.Check) ([]byte, error) { return c.data, c.err })
		require.ErrorIs(t, err, c.want, name)
		assert.Equal(t, before, contents(t, os.DirFS(dir)), name)
	}

	require.NoError(t, os.Mkdir(filepath.Join(dir, "seal"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "seal/1.tsr.part"), nil, 0o600))
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("hits.json", nil))
	require.NoError(t, err, "what an interrupted AddSeal has left is removed")
	assert.NoDirExists(t, filepath.Join(dir, "seal"))

	require.NoError(t, evidence.AddSeal(dir, func(check *evidence.Check) ([]byte, error) {
		assert.True(t, check.Complete)
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("late.json", nil))
		assert.ErrorIs(t, err, evidence.ErrInUse)
		assert.ErrorIs(t, evidence.AddSeal(dir, nil), evidence.ErrInUse)
		return []byte("time"), nil
	}))
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.Equal(t, []string{"seal/336074805fc85398.tsr"}, check.Seals)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "data/result.json"), nil, 0o600))
	err = evidence.AddSeal(dir, func(*evidence.Check) ([]byte, error) { panic("called") })
	require.ErrorIs(t, err, evidence.ErrChanged)
	err = evidence.AddSeal(filepath.Join(t.TempDir(), "customer"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotContains(t, err.Error(), "customer")
}

// All added files together may take half of a package's limits. Otherwise, Collect could write a package that
// Verify refuses.
func TestAddedFilesThatAreTooLargeAreRefused(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	many := func(n int, name func(i int) string) (with []evidence.Option) {
		for i := range n {
			with = append(with, evidence.With(name(i), nil))
		}
		return with
	}
	short := strconv.Itoa
	deep := func(i int) string { return strconv.Itoa(i) + strings.Repeat("/x", 98) }
	long := func(i int) string { return strings.Repeat(strings.Repeat("x", 190)+"/", 5) + strconv.Itoa(i) }
	for want, with := range map[string][]evidence.Option{
		`"data/large.bin": too large`:                          {evidence.With("large.bin", make([]byte, 1<<30+1))},
		`"data/": too large: more than 5000 files`:             many(5001, short),
		`"data/": too large: more than 9900 files and folders`: many(100, deep),
		`"collection.json": too large: more than 8 MiB`:        many(4000, long),
	} {
		dir := t.TempDir()
		server.ClearRequests()
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), with...)
		require.ErrorIs(t, err, evidence.ErrTooLarge)
		assert.ErrorContains(t, err, "evidence: With: ")
		assert.ErrorContains(t, err, want)
		assert.Empty(t, server.Requests())
		assert.Empty(t, contents(t, os.DirFS(dir)))
	}
	dir := filepath.Join(t.TempDir(), "package")
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), many(1, deep)...)
	require.NoError(t, err)
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), many(100, deep)[1:]...)
	require.ErrorIs(t, err, evidence.ErrTooLarge, "together with those that were added before")
}

// A session with more documents than a package can hold is refused, as Verify would refuse the package.
func TestSessionThatIsTooLargeIsRefused(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	pages := strings.Repeat(`{"typeId":"#"},`, 9)
	for i := range 9 {
		pages = strings.Replace(pages, "#", strings.Repeat("x", 2<<20)+strconv.Itoa(i), 1)
	}
	require.NoError(t, server.SetResult(token, `{"result":"approved","generalDocuments":[{"pages":[`+strings.TrimSuffix(pages, ",")+`]}]}`))
	server.Fault("result/general-document/", identomattest.HTTPStatus(404), 0)
	client := server.Client(identomat.WithMaxResponseSize(32 << 20))
	_, err := evidence.Collect(t.Context(), client, token, evidence.Dir(t.TempDir()))
	require.ErrorIs(t, err, evidence.ErrTooLarge)
	assert.ErrorContains(t, err, `"collection.json": too large: more than 16 MiB`)
}

// A folder that others could read becomes private before anything is written to it.
func TestExistingFolderBecomesPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permissions")
	}
	server := quiet(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	var first []string
	_, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Dir(dir), evidence.OnStep(func(change, path string) error {
		if len(first) < 2 {
			first = append(first, change+" "+path)
		}
		return nil
	}))
	require.NoError(t, err)
	assert.Equal(t, []string{"chmod .", "create collection.journal"}, first)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
}

// If Collect cannot create its journal, the package stays as it was.
func TestFailedBeginLeavesThePackage(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	before := contents(t, os.DirFS(dir))
	for _, failing := range []string{"create", "write", "sync", "rename", "open"} {
		_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("more.json", nil), evidence.OnStep(func(change, path string) error {
			if change == failing && path == "collection.journal" {
				return syscall.EIO
			}
			return nil
		}))
		require.ErrorIs(t, err, syscall.EIO, failing)
		assert.Equal(t, before, contents(t, os.DirFS(dir)), failing)
	}
}
