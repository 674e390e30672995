package identomat_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// videos returns media with an archive. The response is the archive itself, or JSON with a data URI.
func videos(t testing.TB, archive string, inJSON bool, opts ...identomat.Option) *identomat.Media {
	t.Helper()
	client, err := identomat.NewClient(companyKey, append(opts, identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		if inJSON {
			return newResponse(200, dataURIs(archive)), nil
		}
		return newResponse(200, archive, "Content-Type", "application/x-tar"), nil
	})}))...)
	require.NoError(t, err)
	var media *identomat.Media
	if inJSON {
		media, err = client.Media.QuestionFile(t.Context(), token, "step", "question", 0)
	} else {
		media, err = client.VideoCalls.Videos(t.Context(), token)
	}
	require.NoError(t, err)
	return media
}

func TestArchiveFiles(t *testing.T) {
	long := strings.Repeat("very/long/", 30) + "name.mp4"
	archive := entries(t, file("one.jpg"), tar.Header{Typeflag: tar.TypeDir, Name: "folder/"}, file("folder/two.jpg"), file("სამი.jpg"), file(long), tar.Header{Typeflag: tar.TypeReg, Name: "empty"})
	for _, inJSON := range []bool{false, true} {
		var names []string
		var previous *identomat.ArchiveFile
		for f, err := range videos(t, archive, inJSON).Files() {
			require.NoError(t, err)
			names = append(names, f.Name)
			if previous != nil {
				copied := *previous
				for _, f := range []*identomat.ArchiveFile{previous, &copied} {
					_, err := f.Read(make([]byte, 1))
					require.ErrorIs(t, err, os.ErrClosed, "a file must not be readable after the iteration has moved on")
				}
			}
			previous = f
			if len(names)%2 == 1 {
				continue // files that are not read must be skipped
			}
			data, err := io.ReadAll(f)
			require.NoError(t, err)
			assert.Equal(t, f.Name, string(data))
			assert.EqualValues(t, len(data), f.Size)
		}
		assert.Equal(t, []string{"one.jpg", "folder/two.jpg", "სამი.jpg", long, "empty"}, names)
		assert.Equal(t, "[redacted]", fmt.Sprint(previous))
	}
	for range videos(t, archive, false).Files() {
		break
	}
}

func TestArchiveCleansNamesAndSkipsLinks(t *testing.T) {
	archive := entries(t,
		file("/etc/passwd"), file("../../up"), file("a/../../b"), file(`..\..\windows`), file(`C:\x\y`), file("./c"), file("d//e"), file("f\x1b[2Jg"), file("h\u202egpj"), file("i\x7f"),
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc/passwd"}, tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "one"},
		tar.Header{Typeflag: tar.TypeChar, Name: "tty"}, tar.Header{Typeflag: tar.TypeBlock, Name: "sda"}, tar.Header{Typeflag: tar.TypeFifo, Name: "pipe"},
		tar.Header{Typeflag: tar.TypeDir, Name: "../dir/"}, file(".."), file("."), file("a/.."),
	)
	want := []string{"etc/passwd", "up", "b", "windows", "C_/x/y", "c", "d/e", "f_[2Jg", "h_gpj", "i_"}
	var names []string
	for f, err := range videos(t, archive, false).Files() {
		require.NoError(t, err)
		names = append(names, f.Name)
	}
	assert.Equal(t, want, names)

	folder := t.TempDir()
	n, err := videos(t, archive, false).ExtractTo(filepath.Join(folder, "in", "to"))
	require.NoError(t, err)
	assert.Equal(t, len(want), n)
	found := filesIn(t, folder)
	for _, name := range want {
		assert.Contains(t, found, filepath.Join("in", "to", filepath.FromSlash(name)))
	}
	assert.Len(t, found, len(want)+6, "files and folders")
}

func TestArchiveSkipsSparseFiles(t *testing.T) {
	// In GNU sparse format 1.0, the content begins with a map of the holes.
	const holes = "1\n1073741823\n1\n"
	data := holes + strings.Repeat("\x00", 512-len(holes)) + "x"
	var out bytes.Buffer
	record := func(name, value string) string {
		for n := len(name) + len(value) + 3; ; n++ {
			if r := fmt.Sprintf("%d %s=%s\n", n, name, value); len(r) == n {
				return r
			}
		}
	}
	pax := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "huge") + record("GNU.sparse.realsize", "1073741824")
	header := func(name string, kind byte, size int) {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", size))
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		sum := 8 * int(' ')
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		out.Write(h)
	}
	add := func(name string, kind byte, content string) {
		header(name, kind, len(content))
		out.WriteString(content + strings.Repeat("\x00", (512-len(content)%512)%512))
	}
	add("pax", 'x', pax)
	add("GNUSparseFile.0/huge", '0', data)
	add("small", '0', "small")
	out.Write(make([]byte, 1024))
	// archive/tar would expand the file to 1 GiB.
	r := tar.NewReader(bytes.NewReader(out.Bytes()))
	h, err := r.Next()
	require.NoError(t, err)
	require.EqualValues(t, 1<<30, h.Size)

	var names []string
	for f, err := range videos(t, out.String(), false).Files() {
		require.NoError(t, err)
		names = append(names, f.Name)
	}
	assert.Equal(t, []string{"small"}, names)
}

func TestArchiveLimits(t *testing.T) {
	headers := make([]tar.Header, 10_001)
	for i := range headers {
		headers[i] = file(fmt.Sprint(i))
		if i%2 == 0 {
			headers[i] = tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprint(i) + "/"}
		}
	}
	count := func(archive string) (n int, failed error) {
		for _, err := range videos(t, archive, false).Files() {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	n, err := count(entries(t, headers[:10_000]...))
	require.NoError(t, err)
	assert.Equal(t, 5000, n)
	_, err = count(entries(t, headers...))
	require.ErrorIs(t, err, identomat.ErrTooLarge)

	for name, want := range map[string]error{
		strings.Repeat("a/", 100) + "b": nil, strings.Repeat("a/", 101) + "b": identomat.ErrTooLarge,
		strings.Repeat("n", 1024): nil, strings.Repeat("n", 1025): identomat.ErrTooLarge,
	} {
		_, err := count(entries(t, file(name)))
		require.ErrorIs(t, err, want, "%.8s", name)
	}

	for size, want := range map[int64]error{1 << 30: identomat.ErrUnexpectedResponse, 1<<30 + 1: identomat.ErrTooLarge} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "huge", Size: size}))
		out.Write(make([]byte, 1000)) // truncated
		_, err = count(out.String())
		require.ErrorIs(t, err, want)
		dir := filepath.Join(t.TempDir(), "dir")
		_, err = videos(t, out.String(), false).ExtractTo(dir)
		require.ErrorIs(t, err, want)
		assert.NoDirExists(t, dir)
	}
}

func TestArchiveMalformed(t *testing.T) {
	whole := archived(t, "a", picture(2000), "b", "2")
	for name, data := range map[string]string{
		"image": picture(5000), "short image": picture(100), "PDF": pdf, "truncated header": whole[:300], "truncated file": whole[:1500], "wrong checksum": whole[:3000] + "x" + whole[3001:],
	} {
		for _, inJSON := range []bool{false, true} {
			var failed error
			for _, err := range videos(t, data, inJSON).Files() {
				failed = err
			}
			var api *identomat.APIError
			require.ErrorAs(t, failed, &api, name)
			require.ErrorIs(t, failed, identomat.ErrUnexpectedResponse)
			assert.Equal(t, "not a tar archive", api.Sample)
		}
	}
	for range videos(t, whole, false).Files() {
		continue
	}
	for f, err := range videos(t, whole[:1500], false).Files() { // reading the truncated file fails, too
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, f)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
		break
	}
}

func TestArchiveReportsSignatureMismatch(t *testing.T) {
	archive := archived(t, "a", picture(100_000))
	for _, inJSON := range []bool{false, true} {
		body := archive
		if inJSON {
			body = dataURIs(archive)
		}
		for name, cut := range map[string]int{"complete": len(body), "last byte missing": len(body) - 1, "half": len(body) / 2} {
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				resp := newResponse(200, body[:cut], "Authorization", sign("x", body))
				resp.ContentLength = int64(len(body))
				return resp, nil
			}, identomat.WithHMAC(secretKey))
			open := func() *identomat.Media {
				media, err := client.VideoCalls.Videos(t.Context(), token)
				if inJSON {
					media, err = client.Media.QuestionFile(t.Context(), token, "s", "q", 0)
				}
				require.NoError(t, err)
				return media
			}
			var failed error
			for _, err := range open().Files() {
				failed = err
			}
			require.ErrorIs(t, failed, identomat.ErrSignatureMismatch, name)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
			n, err := open().ExtractTo(dir)
			require.ErrorIs(t, err, identomat.ErrSignatureMismatch, name)
			assert.Zero(t, n)
			assert.Equal(t, []string{"mine"}, filesIn(t, dir))
		}
	}
}

func TestExtractToFailureLeavesFolderUnchanged(t *testing.T) {
	for name, c := range map[string]struct {
		archive string
		prepare func(dir string) error
	}{
		"file exists":           {archived(t, "x/y/1", "1", "2", "2", "secret name", "3"), func(dir string) error { return os.WriteFile(filepath.Join(dir, "secret name"), nil, 0o600) }},
		"link to a folder":      {archived(t, "1", "1", "out/secret name", "2"), func(dir string) error { return os.Symlink("..", filepath.Join(dir, "out")) }},
		"link to a file":        {archived(t, "1", "1", "out", "2"), func(dir string) error { return os.Symlink("../outside", filepath.Join(dir, "out")) }},
		"link to the root":      {archived(t, "1", "1", "out/a/b", "2"), func(dir string) error { return os.Symlink("/", filepath.Join(dir, "out")) }},
		"second file truncated": {archived(t, "x/1", "1", "x/2", picture(3000))[:3000], nil},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			dir := filepath.Join(folder, "dir")
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), []byte("mine"), 0o600))
			if c.prepare != nil {
				require.NoError(t, c.prepare(dir))
			}
			before := filesIn(t, folder)
			n, err := videos(t, c.archive, false).ExtractTo(dir)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "secret name")
			assert.Zero(t, n)
			assert.Equal(t, before, filesIn(t, folder))
			mine, err := os.ReadFile(filepath.Join(dir, "mine"))
			require.NoError(t, err)
			assert.Equal(t, "mine", string(mine))

			if c.prepare == nil {
				_, err = videos(t, c.archive, false).ExtractTo(filepath.Join(folder, "new"))
				require.Error(t, err)
				assert.Equal(t, before, filesIn(t, folder), "a new folder must be removed")
			}
		})
	}
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "file"), nil, 0o600))
	_, err := videos(t, archived(t, "1", "1"), false).ExtractTo(filepath.Join(folder, "file"))
	require.Error(t, err)
	assert.FileExists(t, filepath.Join(folder, "file"))
}

func TestExtractToMakesNamesUnique(t *testing.T) {
	long := strings.Repeat("ნ", 100) // 300 bytes
	for _, c := range []struct{ names, want []string }{
		{[]string{"x/1.jpg", "x/1.jpg", "x/1.jpg"}, []string{"x/1.jpg", "x/1-2.jpg", "x/1-3.jpg"}},
		{[]string{"A.jpg", "a.jpg"}, []string{"A.jpg", "a-2.jpg"}},
		{[]string{"x/..w"}, []string{"x/..w"}},
		{[]string{"12:00", "12_00"}, []string{"12_00", "12_00-2"}},
		{[]string{"a", "a/b.jpg", "a/c.jpg"}, []string{"a", "a-2/b.jpg", "a-2/c.jpg"}},
		{[]string{"a/b.jpg", "a"}, []string{"a/b.jpg", "a-2"}},
		{[]string{"a", "a-2", "a"}, []string{"a", "a-2", "a-3"}},
		{[]string{long + ".jpg", long + ".jpg"}, []string{long[:195] + ".jpg", long[:195] + "-2.jpg"}},
		{[]string{long + "/1", long + "/2"}, []string{long[:198] + "/1", long[:198] + "/2"}},
		{[]string{"1." + long}, []string{("1." + long)[:200]}},
	} {
		var entries, want []string
		for i, name := range c.names {
			entries = append(entries, name, fmt.Sprint(i))
		}
		dir := t.TempDir()
		n, err := videos(t, archived(t, entries...), false).ExtractTo(dir)
		require.NoError(t, err, c.names)
		assert.Equal(t, len(c.names), n)
		for i, name := range c.want {
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint(i), string(data), name)
			want = append(want, name)
		}
		files := slices.DeleteFunc(filesIn(t, dir), func(name string) bool {
			info, err := os.Stat(filepath.Join(dir, name))
			return err != nil || info.IsDir()
		})
		assert.ElementsMatch(t, want, files)
	}
}

func TestExtractToPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "videos")
	n, err := videos(t, entries(t, file("a/b/1"), file("a/b/2"), file("3")), true).ExtractTo(dir)
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.Equal(t, []string{"3", "a", "a/b", "a/b/1", "a/b/2"}, filesIn(t, dir))
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "a/b": 0o700 | os.ModeDir, "a/b/1": 0o600, "3": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode())
	}
	data, err := os.ReadFile(filepath.Join(dir, "a", "b", "2"))
	require.NoError(t, err)
	assert.Equal(t, "a/b/2", string(data))
	n, err = videos(t, entries(t, file("4")), true).ExtractTo(dir)
	require.NoError(t, err, "existing files must not matter")
	assert.Equal(t, 1, n)
}

func TestExtractToPanicLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	func() {
		defer func() { assert.Equal(t, errFull, recover()) }()
		media := videos(t, archived(t, "x/1", "1", "x/2", picture(300_000)), false)
		_, _ = media.Progress(func(done, _ int64) {
			if done > 200_000 {
				panic(errFull)
			}
		}).ExtractTo(filepath.Join(folder, "dir"))
	}()
	assert.Empty(t, filesIn(t, folder))
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte(archived(f, "a", "1", "../b/c", "2")))
	f.Add([]byte(entries(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc"}, file("link/x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		archive := archived(t, "first", "1")[:1024] + string(data)
		folder := t.TempDir()
		dir := filepath.Join(folder, "dir")
		n, err := videos(t, archive, false).ExtractTo(dir)
		if err != nil {
			assert.Zero(t, n)
			assert.Empty(t, filesIn(t, folder))
			return
		}
		files := 0
		for _, name := range filesIn(t, folder) {
			assert.True(t, name == "dir" || strings.HasPrefix(name, "dir"+string(filepath.Separator)))
			info, err := os.Lstat(filepath.Join(folder, name))
			require.NoError(t, err)
			assert.True(t, info.IsDir() || info.Mode().IsRegular())
			if !info.IsDir() {
				files++
			}
		}
		assert.Equal(t, n, files)
	})
}
