package identomat_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// uploaded uploads a file and returns the part that the server receives.
func uploaded(t *testing.T, image identomat.File, opts ...identomat.Option) (got part, err error) {
	t.Helper()
	_, err = stubbed(t, func(r *http.Request) (*http.Response, error) {
		parts := partsOf(t, r)
		require.Len(t, parts, 2)
		got = parts[1]
		return newResponse(200, documentResponse), nil
	}, opts...).Documents.Passport(t.Context(), image)
	return got, err
}

// onlyReader hides all methods but Read.
type onlyReader struct{ io.Reader }

func TestFileSources(t *testing.T) {
	data := picture(100_000)
	dir := t.TempDir()
	path := filepath.Join(dir, "Wilhelmina Featherstone.jpg")
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	half, err := os.Open(path)
	require.NoError(t, err)
	defer half.Close()
	_, err = half.Seek(50_000, io.SeekStart)
	require.NoError(t, err)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	go func() { _, _ = io.WriteString(write, data); _ = write.Close() }()
	for name, c := range map[string]struct {
		file identomat.File
		want string
	}{
		"path": {identomat.FileFromPath(path), data}, "bytes": {identomat.FileFromBytes([]byte(data)), data},
		"reader":              {identomat.FileFromReader(onlyReader{strings.NewReader(data)}, int64(len(data))), data},
		"seeker":              {identomat.FileFromReader(strings.NewReader(data), int64(len(data))), data},
		"file with an offset": {identomat.FileFromReader(half, 50_000), data[50_000:]},
		"section":             {identomat.FileFromReader(io.NewSectionReader(strings.NewReader(data), 10, 1000), 1000), data[10:1010]},
		"pipe":                {identomat.FileFromReader(read, int64(len(data))), data},
		"one byte":            {identomat.FileFromBytes([]byte("x")), "x"},
	} {
		got, err := uploaded(t, c.file)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, got.content, name)
		assert.Equal(t, "image", got.name)
		assert.True(t, strings.HasPrefix(got.fileName, "image"))
		assert.Equal(t, "[redacted]", fmt.Sprintf("%+v", c.file))
	}
	at, err := half.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	assert.EqualValues(t, 50_000, at, "the offset must not change")
}

func TestFileContentType(t *testing.T) {
	for content, want := range map[string]part{
		picture(600): {contentType: "image/jpeg", fileName: "image.jpg"}, jpeg: {contentType: "image/jpeg", fileName: "image.jpg"},
		png: {contentType: "image/png", fileName: "image.png"}, pdf: {contentType: "application/pdf", fileName: "image.pdf"},
		"RIFF\x04\x00\x00\x00WEBPVP8 ":             {contentType: "image/webp", fileName: "image.webp"},
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00": {contentType: "image/heic", fileName: "image.heic"},
		"II*\x00\x08\x00\x00\x00":                  {contentType: "image/tiff", fileName: "image.tiff"},
		"text":                                     {contentType: "application/octet-stream", fileName: "image"},
		"%!PS-Adobe-":                              {contentType: "application/octet-stream", fileName: "image"},
	} {
		for _, image := range []identomat.File{identomat.FileFromBytes([]byte(content)), identomat.FileFromReader(onlyReader{iotest.OneByteReader(strings.NewReader(content))}, int64(len(content)))} {
			got, err := uploaded(t, image)
			require.NoError(t, err)
			want.name, want.content = "image", content
			assert.Equal(t, want, got)
		}
	}
}

func TestFileRejectedBeforeSending(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "Wilhelmina.jpg")
	broken := errors.New("disk on fire")
	never := stubbed(t, func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF }, identomat.WithoutValidation())
	for name, image := range map[string]identomat.File{
		"zero": {}, "empty": identomat.FileFromBytes(nil), "no reader": identomat.FileFromReader(nil, 5),
		"negative size": identomat.FileFromReader(strings.NewReader("x"), -1), "size 0": identomat.FileFromReader(strings.NewReader("x"), 0),
	} {
		_, err := never.Documents.CompareFaces(t.Context(), identomat.FileFromBytes([]byte(jpeg)), image)
		var invalid *identomat.ValidationError
		require.ErrorAs(t, err, &invalid, name)
		assert.Equal(t, "compare-faces", invalid.Operation)
		require.Len(t, invalid.Problems, 1)
		assert.Equal(t, "face2", invalid.Problems[0].Path)
	}
	for name, c := range map[string]struct {
		file identomat.File
		want error
	}{
		"missing": {identomat.FileFromPath(path), fs.ErrNotExist},
		"folder":  {identomat.FileFromPath(dir), nil}, "broken": {identomat.FileFromReader(iotest.ErrReader(broken), 10), broken},
		"shorter": {identomat.FileFromReader(onlyReader{strings.NewReader("abc")}, 4), nil}, "shorter, seekable": {identomat.FileFromReader(strings.NewReader("abc"), 4), nil},
		"nothing": {identomat.FileFromReader(onlyReader{strings.NewReader("")}, 1000), nil},
	} {
		_, err := never.Documents.Passport(t.Context(), c.file)
		var failed *identomat.TransportError
		require.ErrorAs(t, err, &failed, name)
		assert.Equal(t, []any{"passport/", 0, false}, []any{failed.Operation, failed.Attempts, failed.MaybeProcessed})
		if c.want != nil {
			require.ErrorIs(t, err, c.want)
		}
		if name == "folder" {
			require.ErrorContains(t, err, "not a regular file")
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "Wilhelmina", name)
			assert.NotContains(t, e.Error(), dir)
		}
	}
}

func TestOneShotReaderCannotBeSigned(t *testing.T) {
	never := stubbed(t, func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF }, identomat.WithHMAC(secretKey), identomat.WithoutValidation())
	source := strings.NewReader(picture(1000))
	_, err := never.Documents.Passport(t.Context(), identomat.FileFromReader(onlyReader{source}, 1000))
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	assert.Contains(t, err.Error(), "can be read only once")
	assert.Equal(t, 1000, source.Len(), "the reader must not be read")
}

// failingReaderAt fails after 5,000 bytes. The error contains a path.
type failingReaderAt struct{ *strings.Reader }

func (f failingReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset > 5000 {
		return 0, &fs.PathError{Op: "read", Path: "/home/Wilhelmina.jpg", Err: errFull}
	}
	return f.Reader.ReadAt(p[:min(len(p), 4000)], offset)
}

func TestFileReadErrorOmitsPath(t *testing.T) {
	image := identomat.FileFromReader(failingReaderAt{strings.NewReader(picture(50_000))}, 50_000)
	for _, opts := range [][]identomat.Option{nil, {identomat.WithHMAC(secretKey)}} {
		_, err := stubbed(t, func(r *http.Request) (*http.Response, error) {
			_, err := io.Copy(io.Discard, r.Body)
			return nil, err
		}, opts...).Documents.Passport(t.Context(), image)
		var failed *identomat.TransportError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, errFull)
		assert.False(t, failed.MaybeProcessed)
		assert.Equal(t, 1, failed.Attempts)
		for e := err; e != nil; e = errors.Unwrap(e) {
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "Wilhelmina")
		}
	}
}
