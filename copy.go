package identomat

import (
	"io"
	"sync"
)

// copier hides the methods ReadFrom and WriteTo of what it embeds, so that a copy uses buf. The
// buffer is large enough that the cost of system calls does not matter.
type copier struct {
	io.Reader
	io.Writer
	buf [64 << 10]byte
}

var copiers = sync.Pool{New: func() any { return new(copier) }}

// copyCounted is io.Copy with a pooled buffer instead of a new one.
func copyCounted(dst io.Writer, src io.Reader) (int64, error) {
	c := copiers.Get().(*copier)
	defer copiers.Put(c)
	c.Reader, c.Writer = src, dst
	n, err := io.CopyBuffer(c, c, c.buf[:])
	c.Reader, c.Writer = nil, nil // do not keep them alive in the pool
	return n, err
}
