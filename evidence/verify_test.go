package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// small returns the files of a small package in memory.
func small(t testing.TB) fstest.MapFS {
	t.Helper()
	server := identomattest.NewServer(t)
	session, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: identomat.Steps{
		identomat.UserQuestionnaire("q").Ask(identomat.TextQuestion("name", identomat.Text{"en": "Your name"})),
	}})
	require.NoError(t, err)
	require.NoError(t, server.Approve(session.Token))
	dir, _ := collect(t, server, session.Token)
	return inMemory(t, os.DirFS(dir))
}

func inMemory(t testing.TB, fsys fs.FS) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for name, data := range contents(t, fsys) {
		files[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o600}
	}
	return files
}

// named returns the files in the problems of an error.
func named(t testing.TB, err error) (files []string) {
	t.Helper()
	var verifyErr *evidence.VerifyError
	require.ErrorAs(t, err, &verifyErr)
	for _, problem := range verifyErr.Problems {
		files = append(files, problem.File)
	}
	return files
}

// Every byte of a package is flipped, one after another: its lowest bit, and in the long version also the
// bit that changes the case of a letter.
func TestVerifyNamesTheFileWithAFlippedByte(t *testing.T) {
	files := small(t)
	bits := map[bool][]byte{false: {0x01}, true: {0x01, 0x20}}[longTests]
	flipped := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name].Data
		for i := range data {
			for _, bit := range bits {
				data[i] ^= bit
				_, err := evidence.Verify(files)
				if err == nil {
					t.Fatalf("%s: byte %d, bit %#x: not found", name, i, bit)
				}
				if got := named(t, err); len(got) != 1 || got[0] != name {
					t.Fatalf("%s: byte %d, bit %#x: %v", name, i, bit, err)
				}
				data[i] ^= bit
				flipped++
			}
		}
	}
	_, err := evidence.Verify(files)
	require.NoError(t, err)
	t.Logf("%d flips in %d files, each found in the right file", flipped, len(files))
}

func TestVerifyFindsChangesToTheFiles(t *testing.T) {
	original := inMemory(t, func() fs.FS {
		server := identomattest.NewServer(t)
		dir, _ := collect(t, server, decided(t, server))
		return os.DirFS(dir)
	}())
	const face, card = "data/media/face.jpg", "data/media/card-front.jpg"
	file := func(data string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(data), Mode: 0o600} }
	for name, c := range map[string]struct {
		change func(files fstest.MapFS)
		file   string
		want   error
	}{
		"removed":                  {func(f fstest.MapFS) { delete(f, face) }, face, evidence.ErrMissing},
		"removed tag file":         {func(f fstest.MapFS) { delete(f, "bagit.txt") }, "bagit.txt", evidence.ErrMissing},
		"removed manifest":         {func(f fstest.MapFS) { delete(f, "manifest-sha512.txt") }, "manifest-sha512.txt", evidence.ErrMissing},
		"removed tag manifest":     {func(f fstest.MapFS) { delete(f, "tagmanifest-sha256.txt") }, "tagmanifest-sha256.txt", evidence.ErrMissing},
		"added":                    {func(f fstest.MapFS) { f["data/media/other.jpg"] = file("x") }, "data/media/other.jpg", evidence.ErrUnexpectedFile},
		"added in the root":        {func(f fstest.MapFS) { f["readme.txt"] = file("x") }, "readme.txt", evidence.ErrUnexpectedFile},
		"added fetch.txt":          {func(f fstest.MapFS) { f["fetch.txt"] = file("x") }, "fetch.txt", evidence.ErrUnexpectedFile},
		"added lock with content":  {func(f fstest.MapFS) { f["collection.lock"] = file("x") }, "collection.lock", evidence.ErrUnexpectedFile},
		"added seal of other type": {func(f fstest.MapFS) { f["seal/x.txt"] = file("x") }, "seal/x.txt", evidence.ErrUnexpectedFile},
		"added empty folder":       {func(f fstest.MapFS) { f["data/john"] = &fstest.MapFile{Mode: fs.ModeDir | 0o700} }, "data/john/", evidence.ErrUnexpectedFile},
		"renamed":                  {func(f fstest.MapFS) { f["data/media/fase.jpg"] = f[face]; delete(f, face) }, face, evidence.ErrMissing},
		"renamed to":               {func(f fstest.MapFS) { f["data/media/fase.jpg"] = f[face]; delete(f, face) }, "data/media/fase.jpg", evidence.ErrUnexpectedFile},
		"renamed in case":          {func(f fstest.MapFS) { f["data/media/Face.jpg"] = f[face]; delete(f, face) }, face, evidence.ErrMissing},
		"doubled":                  {func(f fstest.MapFS) { f["data/media/face-2.jpg"] = f[face] }, "data/media/face-2.jpg", evidence.ErrUnexpectedFile},
		"doubled in another case":  {func(f fstest.MapFS) { f["data/media/FACE.jpg"] = f[face] }, "data/media/FACE.jpg", evidence.ErrBadName},
		"swapped":                  {func(f fstest.MapFS) { f[face], f[card] = f[card], f[face] }, face, evidence.ErrChanged},
		"swapped with":             {func(f fstest.MapFS) { f[face], f[card] = f[card], f[face] }, card, evidence.ErrChanged},
		"truncated":                {func(f fstest.MapFS) { f[face] = file(string(f[face].Data[:100])) }, face, evidence.ErrChanged},
		"empty":                    {func(f fstest.MapFS) { f[face] = file("") }, face, evidence.ErrChanged},
		"symbolic link":            {func(f fstest.MapFS) { f[face] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink} }, face, evidence.ErrUnexpectedFile},
		"bad name":                 {func(f fstest.MapFS) { f[`data\x`] = file("") }, `data\x`, evidence.ErrBadName},
		"line break in a name":     {func(f fstest.MapFS) { f["data/a\r\nb"] = file("") }, "data/a\r\nb", evidence.ErrBadName},
		"interrupted":              {func(f fstest.MapFS) { f["collection.journal"] = file("{}\n") }, "collection.journal", evidence.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(original)
			c.change(files)
			_, err := evidence.Verify(files)
			assert.Contains(t, named(t, err), c.file)
			assert.ErrorIs(t, err, c.want)
		})
	}
	_, err := evidence.Verify(original)
	require.NoError(t, err)
}

// The manifest is rewritten together with the tag manifests, as an attacker would.
func TestVerifyRefusesManifestsInAnotherForm(t *testing.T) {
	original := small(t)
	for name, change := range map[string]func(string) string{
		"parent folder":    func(s string) string { return strings.Replace(s, "  data/", "  data/../data/", 1) },
		"absolute":         func(s string) string { return strings.Replace(s, "  data/", "  /data/", 1) },
		"Windows":          func(s string) string { return strings.Replace(s, "  data/", `  C:\data\`, 1) },
		"backslash":        func(s string) string { return strings.Replace(s, "  data/", `  data\`, 1) },
		"outside data":     func(s string) string { return strings.Replace(s, "  data/", "  other/", 1) },
		"CR":               func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"encoded LF":       func(s string) string { return strings.Replace(s, "\n", "%0A\n", 1) },
		"one space":        func(s string) string { return strings.Replace(s, "  ", " ", 1) },
		"asterisk":         func(s string) string { return strings.Replace(s, "  ", " *", 1) },
		"upper case":       func(s string) string { return strings.ToUpper(s[:64]) + s[64:] },
		"short hash":       func(s string) string { return s[1:] },
		"doubled line":     func(s string) string { return s[:strings.Index(s, "\n")+1] + s },
		"no line feed":     func(s string) string { return strings.TrimSuffix(s, "\n") },
		"blank line":       func(s string) string { return s + "\n" },
		"byte order mark":  func(s string) string { return "\ufeff" + s },
		"device":           func(s string) string { return strings.Replace(s, "  data/", "  data/con/", 1) },
		"hidden file":      func(s string) string { return strings.Replace(s, "  data/", "  data/.hidden/", 1) },
		"very long a name": func(s string) string { return strings.Replace(s, "  data/", "  data/"+strings.Repeat("x", 2000), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			files := inMemory(t, original)
			const manifest = "manifest-sha256.txt"
			files[manifest].Data = []byte(change(string(files[manifest].Data)))
			forge(files)
			_, err := evidence.Verify(files)
			assert.Equal(t, []string{manifest}, named(t, err))
			assert.ErrorIs(t, err, evidence.ErrMalformed)
		})
	}
}

func TestPackIsDeterministicAndVerifies(t *testing.T) {
	server := identomattest.NewServer(t)
	dir, report := collect(t, server, decided(t, server))
	var first, second bytes.Buffer
	require.NoError(t, evidence.Pack(&first, os.DirFS(dir)))
	require.NoError(t, evidence.Pack(&second, os.DirFS(dir)))
	assert.True(t, bytes.Equal(first.Bytes(), second.Bytes()))
	archive, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	require.NoError(t, err)
	check, err := evidence.Verify(archive)
	require.NoError(t, err)
	assert.Equal(t, report, check.Report)
	var third bytes.Buffer
	require.NoError(t, evidence.Pack(&third, archive))
	assert.True(t, bytes.Equal(first.Bytes(), third.Bytes()))
	for _, file := range archive.File {
		assert.True(t, strings.HasPrefix(file.Name, "evidence-"+check.Session[:16]+"/"))
	}
}

func TestZipWritesTheSameAsPack(t *testing.T) {
	server := identomattest.NewServer(t)
	var b bytes.Buffer
	report, err := evidence.Collect(t.Context(), server.Client(), decided(t, server), evidence.Zip(&b))
	require.NoError(t, err)
	archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	check, err := evidence.Verify(archive)
	require.NoError(t, err)
	assert.Equal(t, report, check.Report)
	var again bytes.Buffer
	require.NoError(t, evidence.Pack(&again, archive))
	assert.True(t, bytes.Equal(b.Bytes(), again.Bytes()))
}

// limited is a writer that fails after some bytes.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// Nothing is written unless the package is complete. If the writer fails, there is no report.
func TestZipErrors(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp) // on Windows
	server := quiet(t)
	token := decided(t, server)
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Zip(&limited{1000}))
	require.ErrorIs(t, err, syscall.EPIPE)
	assert.Nil(t, report)
	server.Fault("result/face/", identomattest.Truncated(100), 0)
	var b bytes.Buffer
	report, err = evidence.Collect(t.Context(), server.Client(once), token, evidence.Zip(&b))
	require.ErrorIs(t, err, evidence.ErrIncomplete)
	assert.Equal(t, evidence.Failed, sourceNamed(report, "media/face").State)
	assert.Zero(t, b.Len())
	entries, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, entries, "the temporary folder is removed")
}

// unreadable fails to read the face from the second time on. Verify reads a file once.
type unreadable struct {
	fs.FS
	opened int
}

func (u *unreadable) Open(name string) (fs.File, error) {
	file, err := u.FS.Open(name)
	if strings.Contains(name, "media/face.") {
		if u.opened++; u.opened > 1 && err == nil {
			return brokenFile{file}, nil
		}
	}
	return file, err
}

type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: "/srv/john-doe/face.jpg", Err: syscall.EIO}
}

func TestPackNamesTheFileThatItCannotRead(t *testing.T) {
	server := quiet(t)
	dir, _ := collect(t, server, decided(t, server))
	err := evidence.Pack(io.Discard, &unreadable{FS: os.DirFS(dir)})
	require.ErrorIs(t, err, syscall.EIO)
	assert.ErrorContains(t, err, "data/media/face.")
	assert.NotContains(t, err.Error(), "john-doe")
}

func TestPackRefusesAPackageThatDoesNotVerify(t *testing.T) {
	files := small(t)
	files["data/result.json"].Data[0] ^= 1
	var b bytes.Buffer
	require.ErrorIs(t, evidence.Pack(&b, files), evidence.ErrChanged)
	assert.Zero(t, b.Len())
}

func TestVerifyOfNothing(t *testing.T) {
	for _, fsys := range []fs.FS{fstest.MapFS{}, os.DirFS(t.TempDir() + "/missing"), &zip.Reader{}} {
		_, err := evidence.Verify(fsys)
		var verifyErr *evidence.VerifyError
		assert.ErrorAs(t, err, &verifyErr)
	}
	for _, fsys := range []fs.FS{nil, (*zip.Reader)(nil), (*zip.ReadCloser)(nil)} {
		_, err := evidence.Verify(fsys)
		assert.EqualError(t, err, `evidence: the package does not verify: ".": the file system is nil`)
	}
}

// edited returns the files with another collection.json, and tag manifests that match.
func edited(t testing.TB, files fstest.MapFS, edit func(report *evidence.Report)) fstest.MapFS {
	t.Helper()
	files = inMemory(t, files)
	var report evidence.Report
	require.NoError(t, json.Unmarshal(files["collection.json"].Data, &report))
	edit(&report)
	data, err := json.Marshal(report)
	require.NoError(t, err)
	files["collection.json"].Data = data
	forge(files)
	return files
}

// All manifests match, but collection.json does not describe the package.
func TestVerifyRefusesAWrongReport(t *testing.T) {
	original := small(t)
	source := func(r *evidence.Report, name string) *evidence.Source {
		return &r.Sources[slices.IndexFunc(r.Sources, func(s evidence.Source) bool { return s.Name == name })]
	}
	for name, edit := range map[string]func(r *evidence.Report){
		"a file described twice, and another not at all": func(r *evidence.Report) { source(r, "activities").Files = source(r, "statistics").Files },
		"complete with a failed source":                  func(r *evidence.Report) { source(r, "media/face").State = evidence.Failed },
		"complete in progress":                           func(r *evidence.Report) { r.Outcome = identomat.OutcomeInProgress },
	} {
		_, err := evidence.Verify(edited(t, original, edit))
		require.ErrorIs(t, err, evidence.ErrMalformed, name)
		assert.Equal(t, []string{"collection.json"}, named(t, err), name)
	}
	_, err := evidence.Verify(edited(t, original, func(*evidence.Report) {}))
	require.NoError(t, err)
}

// A value of two bytes would take 144 bytes of memory, and a zip holds it in a few bits.
func TestVerifyRefusesAReportWithTooManyValues(t *testing.T) {
	files := small(t)
	files["collection.json"].Data = []byte(`{"version":1,"sources":[` + strings.Repeat("0,", 1<<20) + `0]}`)
	forge(files)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := evidence.Verify(files)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, evidence.ErrTooLarge)
	assert.Equal(t, []string{"collection.json"}, named(t, err))
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}

// opened is a file system that records which files are opened.
type opened struct {
	fstest.MapFS
	names map[string]bool
}

func (o opened) Open(name string) (fs.File, error) {
	o.names[name] = true
	return o.MapFS.Open(name)
}

// A file whose size is not that in collection.json is not read. It could be a zip bomb.
func TestVerifyDoesNotReadAFileOfAnotherSize(t *testing.T) {
	files := opened{small(t), map[string]bool{}}
	files.MapFS["data/result.json"].Data = append(files.MapFS["data/result.json"].Data, 0)
	_, err := evidence.Verify(files)
	require.ErrorIs(t, err, evidence.ErrChanged)
	assert.Equal(t, []string{"data/result.json"}, named(t, err))
	assert.True(t, files.names["data/statistics.json"])
	assert.False(t, files.names["data/result.json"])
}
