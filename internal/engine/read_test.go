package engine

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReadUnknownLength(t *testing.T) {
	whole := make([]byte, 100<<10)
	for i := range whole {
		whole[i] = byte(i / 7)
	}
	for _, size := range []int{0, 1, len(segment{}) - 1, len(segment{}), len(segment{}) + 1, len(whole)} {
		text := whole[:size]
		for _, reader := range []io.Reader{bytes.NewReader(text), iotest.HalfReader(bytes.NewReader(text)), iotest.DataErrReader(bytes.NewReader(text))} {
			body, err := readBody(reader, -1, int64(size))
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, body), "%d", size)
		}
		if size > 0 {
			body, err := readBody(bytes.NewReader(text), -1, int64(size-1))
			require.ErrorIs(t, err, ErrTooLarge)
			require.True(t, bytes.Equal(text[:size-1], body), "%d", size)
		}
		broken := errors.New("broken")
		body, err := readBody(io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken)), -1, 1<<20)
		require.ErrorIs(t, err, broken)
		require.True(t, bytes.Equal(text, body), "%d", size)
	}
}
