package signature_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat/internal/signature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hello is the signature of "hello" with the key "key".
const hello = `signature="kwezuRXvtRcf8U2MtV+8x5jGwO8UVtZt7RpqpyOli3s="`

func TestSum(t *testing.T) {
	key := signature.NewKey("key")
	for range 2 { // the second call reuses the pooled hash
		digest, err := key.Sum(iotest.OneByteReader(strings.NewReader("hello")))
		require.NoError(t, err)
		assert.Equal(t, hello, signature.Format(digest))
	}
	broken := errors.New("disk on fire")
	_, err := key.Sum(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func TestSumPartsWithoutParts(t *testing.T) {
	digest, err := signature.NewKey("key").SumParts(func() (io.Reader, error) { return nil, io.EOF })
	require.ErrorContains(t, err, "without parts")
	assert.Nil(t, digest)
}

func TestParse(t *testing.T) {
	digest, ok := signature.Parse([]string{" " + hello + "\t"})
	require.True(t, ok)
	assert.Equal(t, hello, signature.Format(digest))
	for name, values := range map[string][]string{
		"no value": nil, "two values": {hello, hello}, "empty": {""}, "no prefix": {hello[11:]}, "no quote": {strings.TrimSuffix(hello, `"`)},
		"another scheme": {"Bearer x"}, "not base64": {`signature="%%%"`}, "no padding": {strings.Replace(hello, "=\"", "\"", 1)[:11] + hello[11:54] + `"`},
		"line break": {hello[:20] + "\n" + hello[20:]}, "trailing bits": {strings.Replace(hello, "3s=", "3t=", 1)}, "more after the digest": {strings.Replace(hello, "3s=", "3s=x", 1)},
	} {
		digest, ok := signature.Parse(values)
		assert.False(t, ok, name)
		assert.Nil(t, digest, name)
	}
}

// FuzzParse checks that Parse accepts only what Format can produce.
func FuzzParse(f *testing.F) {
	f.Add(hello)
	f.Add(`signature=""`)
	f.Add(`signature="YQ=="`)
	f.Add("signature=\"YQ\n==\"")
	f.Fuzz(func(t *testing.T, value string) {
		if digest, ok := signature.Parse([]string{value}); ok {
			require.Equal(t, strings.TrimSpace(value), signature.Format(digest))
		}
	})
}

func TestVerify(t *testing.T) {
	key := signature.NewKey("key")
	for name, c := range map[string]struct {
		authorization []string
		want          error
	}{
		"right":     {[]string{hello}, nil},
		"wrong":     {[]string{strings.Replace(hello, "kwez", "kweZ", 1)}, &signature.Error{}},
		"malformed": {[]string{"x"}, &signature.Error{}},
		"extended":  {[]string{strings.Replace(hello, "3s=", "3s=x", 1)}, &signature.Error{}},
		"missing":   {nil, &signature.Error{Missing: true}},
	} {
		for _, src := range []io.Reader{strings.NewReader("hello"), iotest.DataErrReader(bytes.NewBufferString("hello"))} {
			body := key.Verify(io.NopCloser(src), c.authorization)
			data, err := io.ReadAll(body)
			assert.Equal(t, "hello", string(data))
			assert.Equal(t, c.want, err, name)
			n, err := body.Read(make([]byte, 1))
			assert.Zero(t, n)
			if c.want == nil {
				assert.Equal(t, io.EOF, err)
			} else {
				assert.Equal(t, c.want, err, "the error must persist")
				assert.ErrorIs(t, err, signature.ErrMismatch)
			}
		}
	}
}

func TestVerifyKeepsReadError(t *testing.T) {
	broken := errors.New("connection reset")
	body := signature.NewKey("key").Verify(io.NopCloser(io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(broken))), []string{hello})
	_, err := io.ReadAll(body)
	require.ErrorIs(t, err, broken)
}
