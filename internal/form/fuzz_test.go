package form_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat/internal/form"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FuzzForm checks with mime/multipart that a form has the given parts and the announced length. It
// also checks that NextPart returns the same contents in the same order, and that a form has no
// closing boundary if the length of a file differs from the announced one.
func FuzzForm(f *testing.F) {
	f.Add("company_key", "k", "image", "JPEG bytes", 0)
	f.Add(`a"b`, "\r\n--", "image\r\nX: y", "\r\n--boundary--\r\n", 1)
	f.Add("pa\x00", "\x88", "im\x7fa\tge", "JPEG bytes", 0)
	f.Add("", "", "", "", -1)
	f.Add(`back\slash`, "ü", "\xff", strings.Repeat("z", 5000), -4999)
	f.Fuzz(func(t *testing.T, name, value, fileName, content string, wrong int) {
		whole := form.New(name, value,
			[]form.File{file(fileName, content, int64(len(content))), file("last", value, int64(len(value)))})
		sent, err := io.ReadAll(whole.Open())
		require.NoError(t, err)
		require.EqualValues(t, len(sent), whole.Len())
		second, err := io.ReadAll(iotest.OneByteReader(whole.Open()))
		require.NoError(t, err)
		require.Equal(t, sent, second)

		wants := []string{value, content, value}
		require.Equal(t, wants, contents(t, whole, sent))
		signed, err := nextParts(whole)
		require.NoError(t, err)
		require.Equal(t, wants, signed)
		_, params, err := mime.ParseMediaType(whole.ContentType())
		require.NoError(t, err)
		first, err := multipart.NewReader(bytes.NewReader(sent), params["boundary"]).NextRawPart()
		require.NoError(t, err)
		require.Len(t, first.Header, 1, "a name must not add a header: %q", name)

		size := int64(len(content)) + int64(wrong)
		if wrong == 0 || size < 0 || size > 1<<20 {
			return
		}
		broken := form.New(name, value, []form.File{file(fileName, content, size)})
		body := broken.Open()
		sent, err = io.ReadAll(body)
		var source *form.SourceError
		require.ErrorAs(t, err, &source)
		_, err = body.Read(make([]byte, 1))
		require.Error(t, err, "the error must persist")
		require.Less(t, int64(len(sent)), broken.Len())
		_, params, err = mime.ParseMediaType(broken.ContentType())
		require.NoError(t, err)
		require.NotContains(t, string(sent), "--"+params["boundary"]+"--")
		_, err = nextParts(broken)
		require.Error(t, err)
	})
}

func contents(t *testing.T, f *form.Form, sent []byte) (all []string) {
	_, params, err := mime.ParseMediaType(f.ContentType())
	require.NoError(t, err)
	reader := multipart.NewReader(bytes.NewReader(sent), params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
		data, err := io.ReadAll(part)
		require.NoError(t, err)
		all = append(all, string(data))
	}
}
