package evidence_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
)

// zipOf writes a zip of the files, with names as they are, and then lets more write to it.
func zipOf(t testing.TB, base string, files fstest.MapFS, more func(w *zip.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out, err := w.Create(base + name)
		require.NoError(t, err)
		_, err = out.Write(files[name].Data)
		require.NoError(t, err)
	}
	if more != nil {
		more(w)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func verifyZip(t testing.TB, data []byte) error {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	_, err = evidence.Verify(archive)
	return err
}

func entry(t testing.TB, w *zip.Writer, name, data string) {
	t.Helper()
	out, err := w.Create(name)
	require.NoError(t, err)
	_, err = io.WriteString(out, data)
	require.NoError(t, err)
}

// A package that another tool has zipped verifies, with or without a folder, compressed, and with entries
// for folders.
func TestVerifyZipsOfOtherTools(t *testing.T) {
	files := small(t)
	for _, base := range []string{"", "Customer 7/"} {
		data := zipOf(t, base, files, func(w *zip.Writer) { entry(t, w, base+"data/", "") })
		require.NoError(t, verifyZip(t, data), base)
	}
}

// attacks are zips that do not verify, by the name of the entry that does not belong there.
func attacks(t testing.TB) map[string][]byte {
	t.Helper()
	files := small(t)
	all := map[string][]byte{}
	for _, name := range []string{
		"../evil", "/etc/evil", `C:\evil`, `data\evil`, "data/../evil", "data/./evil", "data//evil", "data/evil\r\n", "data/e\x00vil", "data/évil", "data/Evil",
		"data/result.json", "bagit.txt", "data/aux", "extra", strings.Repeat("x/", 2000) + "x",
	} {
		all[name] = zipOf(t, "", files, func(w *zip.Writer) { entry(t, w, name, "evil") })
	}
	return all
}

func TestVerifyNamesTheBadEntryOfAZip(t *testing.T) {
	for name, data := range attacks(t) {
		err := verifyZip(t, data)
		require.Error(t, err, "%q", name)
		assert.Contains(t, named(t, err), name)
		if name == "bagit.txt" || name == "data/result.json" { // a second entry with the name
			assert.ErrorIs(t, err, evidence.ErrUnexpectedFile)
		}
	}
	data := zipOf(t, "base/", small(t), func(w *zip.Writer) { entry(t, w, "other", "evil") })
	require.Error(t, verifyZip(t, data))
}

// In a folder, the lock of a running Collect is not a part of the package. Nobody collects into a zip.
func TestVerifyRefusesALockInAZip(t *testing.T) {
	files := small(t)
	files["collection.lock"] = &fstest.MapFile{}
	_, err := evidence.Verify(files)
	require.NoError(t, err)
	err = verifyZip(t, zipOf(t, "", files, nil))
	require.ErrorIs(t, err, evidence.ErrUnexpectedFile)
	assert.Equal(t, []string{"collection.lock"}, named(t, err))
}

// A zip bomb is refused by its declared size, or where it exceeds that size.
func TestVerifyRefusesZipBombs(t *testing.T) {
	files := small(t)
	var zeros bytes.Buffer
	deflate, err := flate.NewWriter(&zeros, flate.BestCompression)
	require.NoError(t, err)
	for range 64 {
		_, err := deflate.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, deflate.Close())
	real := uint64(len(files["data/result.json"].Data))
	for _, c := range []struct {
		name     string
		declared uint64
		want     error
	}{
		{"data/result.json", 1<<30 + 1, evidence.ErrTooLarge},
		{"data/result.json", 1 << 63, evidence.ErrTooLarge},
		{"data/result.json", 1 << 30, evidence.ErrChanged}, // differs from collection.json
		{"data/result.json", real, evidence.ErrChanged},
		{"manifest-sha256.txt", 64 << 20, evidence.ErrTooLarge},
		{"seal/1.tsr", 64 << 20, evidence.ErrTooLarge},
	} {
		changed := maps.Clone(files)
		delete(changed, c.name)
		data := zipOf(t, "", changed, func(w *zip.Writer) {
			out, err := w.CreateRaw(&zip.FileHeader{Name: c.name, Method: zip.Deflate, CompressedSize64: uint64(zeros.Len()), UncompressedSize64: c.declared})
			require.NoError(t, err)
			_, err = out.Write(zeros.Bytes())
			require.NoError(t, err)
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := verifyZip(t, data)
		runtime.ReadMemStats(&after)
		assert.Equal(t, []string{c.name}, named(t, err), "%d", c.declared)
		require.ErrorIs(t, err, c.want, "%d", c.declared)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "%s %d", c.name, c.declared)
	}
	many := zipOf(t, "", files, func(w *zip.Writer) {
		for i := range 20_001 {
			_, err := w.CreateRaw(&zip.FileHeader{Name: "data/" + strings.Repeat("x", i%100+1)})
			require.NoError(t, err)
		}
	})
	require.ErrorIs(t, verifyZip(t, many), evidence.ErrTooLarge)
}

// archive/zip does not show the content of a folder's entry.
func TestVerifyRefusesAZipFolderWithContent(t *testing.T) {
	for _, name := range []string{"/", "data/", "data/media/"} {
		data := zipOf(t, "", small(t), func(w *zip.Writer) { entry(t, w, name, "") })
		at := bytes.LastIndex(data, []byte(name+"PK\x05\x06")) - 46 // the last entry in the directory
		copy(data[at+20:], "\x04\x00\x00\x00\x04\x00\x00\x00")      // its sizes
		assert.Equal(t, []string{name}, named(t, verifyZip(t, data)))
	}
}

// archive/zip makes an entry for each folder in a name, so the names must be counted before it does.
func TestVerifyRefusesAZipWithTooManyFolders(t *testing.T) {
	data := zipOf(t, "", fstest.MapFS{}, func(w *zip.Writer) {
		for i := range 300 {
			_, err := w.CreateRaw(&zip.FileHeader{Name: "data/" + strconv.Itoa(i) + strings.Repeat("/x", 98)})
			require.NoError(t, err)
		}
	})
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	_, err = evidence.Verify(archive)
	require.EqualError(t, err, `evidence: the package does not verify: ".": too large`)
	assert.Less(t, testing.AllocsPerRun(1, func() { _, _ = evidence.Verify(archive) }), 1000.0, "the files are not listed")
}

// The central directory declares a size that the content does not have.
func TestVerifyNoticesALieAboutTheSize(t *testing.T) {
	files := small(t)
	const name = "data/result.json"
	size := uint64(len(files[name].Data))
	changed := maps.Clone(files)
	delete(changed, name)
	for _, declared := range []uint64{0, size - 1, size + 1, 1 << 29} {
		data := zipOf(t, "", changed, func(w *zip.Writer) {
			out, err := w.CreateRaw(&zip.FileHeader{Name: name, CompressedSize64: size, UncompressedSize64: declared})
			require.NoError(t, err)
			_, err = out.Write(files[name].Data)
			require.NoError(t, err)
		})
		assert.Contains(t, named(t, verifyZip(t, data)), name, "%d", declared)
	}
}

func TestBytesOfAPackedZip(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, evidence.Pack(&b, small(t)))
	archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	for _, file := range archive.File {
		assert.Equal(t, zip.Store, file.Method)
		assert.Zero(t, file.Flags, "no data descriptor")
		assert.Equal(t, "1980-01-01", file.Modified.Format("2006-01-02"))
		assert.Equal(t, "-rw-------", file.Mode().String())
	}
}

// A flipped byte in a zip is found if it belongs to a name or to the content of a file. The rest of a zip
// describes the container. Nothing that a reader of the package sees depends on it.
func TestVerifyOfAZipWithAFlippedByte(t *testing.T) {
	files := small(t)
	var packed bytes.Buffer
	require.NoError(t, evidence.Pack(&packed, files))
	for form, data := range map[string][]byte{"packed": packed.Bytes(), "compressed": zipOf(t, "", files, nil)} {
		found, harmless := 0, 0
		for i := 0; i < len(data); i += map[bool]int{false: 7, true: 1}[longTests] {
			data[i] ^= 1
			archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
			if err == nil {
				var check *evidence.Check
				if check, err = evidence.Verify(archive); err == nil {
					require.True(t, check.Complete)
					harmless++
				}
			}
			if err != nil {
				found++
			}
			data[i] ^= 1
		}
		t.Logf("%s: %d flips found, %d in the container", form, found, harmless)
		assert.Greater(t, found, 3*harmless)
	}
}
