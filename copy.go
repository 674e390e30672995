package identomat

import (
	"io"
	"sync"
)

// copyBuffers are large enough for the cost of a system call not to matter, and shared, so
// that streaming allocates nothing that grows with the stream.
var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copyTo copies src to dst through a pooled buffer; io.Copy would make one.
func copyTo(dst io.Writer, src io.Reader) error {
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
