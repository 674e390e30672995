package form_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/form"
)

func file(name, content string, size int64) form.File {
	return form.File{Name: name, FileName: "image.jpg", ContentType: "image/jpeg", Size: size,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

// nextParts reads the parts of a form as signing does.
func nextParts(f *form.Form) (contents []string, err error) {
	body := f.Open()
	defer body.Close()
	for {
		part, err := body.(interface{ NextPart() (io.Reader, error) }).NextPart()
		if err == io.EOF {
			return contents, nil
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return contents, err
		}
		contents = append(contents, string(content))
	}
}

func TestFormIsReadByMultipartReader(t *testing.T) {
	f := form.New(`odd"name`, "k\r\nü", []form.File{file("face1", "one", 3), file("face2", "", 0)})
	for range 2 { // a form can be opened more than once
		body := f.Open()
		data, err := io.ReadAll(iotest.OneByteReader(body))
		require.NoError(t, err)
		require.NoError(t, body.Close())
		assert.Len(t, data, int(f.Len()))

		_, params, err := mime.ParseMediaType(f.ContentType())
		require.NoError(t, err)
		r := multipart.NewReader(bytes.NewReader(data), params["boundary"])
		for _, want := range [][4]string{
			{"odd%22name", "", "", "k\r\nü"},
			{"face1", "image.jpg", "image/jpeg", "one"}, {"face2", "image.jpg", "image/jpeg", ""},
		} {
			part, err := r.NextRawPart()
			require.NoError(t, err)
			content, err := io.ReadAll(part)
			require.NoError(t, err)
			assert.Equal(t, want, [4]string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), string(content)})
		}
		_, err = r.NextRawPart()
		require.ErrorIs(t, err, io.EOF)
	}
	parts, err := nextParts(f)
	require.NoError(t, err)
	assert.Equal(t, []string{"k\r\nü", "one", ""}, parts)
}

func TestFormWithFailingFileIsNotTerminated(t *testing.T) {
	broken := errors.New("disk on fire")
	failing := file("image", "", 100)
	failing.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken))), nil
	}
	unopened := file("image", "", 100)
	unopened.Open = func() (io.ReadCloser, error) { return nil, broken }
	for name, c := range map[string]struct {
		file form.File
		want error
	}{
		"fails": {failing, broken}, "cannot be opened": {unopened, broken},
		"too short": {file("image", "abc", 4), nil}, "too long": {file("image", "abc", 2), nil}, "not empty": {file("image", "abc", 0), nil},
	} {
		f := form.New("company_key", "k", []form.File{c.file})
		data, err := io.ReadAll(f.Open())
		var source *form.SourceError
		require.ErrorAs(t, err, &source, name)
		if c.want != nil {
			require.ErrorIs(t, err, c.want)
		}
		assert.Less(t, int64(len(data)), f.Len())
		assert.False(t, bytes.HasSuffix(data, []byte("--\r\n")), name)
		_, err = nextParts(f)
		assert.ErrorAs(t, err, &source)
	}
}

type closing struct {
	io.Reader
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

func TestFormClosesFiles(t *testing.T) {
	closed := 0
	f := form.New("company_key", "k", []form.File{{Name: "a", Size: 3, Open: func() (io.ReadCloser, error) { return closing{strings.NewReader("abc"), &closed}, nil }}})
	body := f.Open()
	_, err := io.CopyN(io.Discard, body, f.Len()-30)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Equal(t, 1, closed)
	_, err = io.ReadAll(f.Open())
	require.NoError(t, err)
	assert.Equal(t, 2, closed)
}
