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
	_, err := copyCounted(dst, src)
	return err
}

// copyCounted is copyTo that tells how many bytes were written.
func copyCounted(dst io.Writer, src io.Reader) (written int64, err error) {
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			m, err := dst.Write(buf[:n])
			written += int64(m)
			if err == nil && m < n {
				err = io.ErrShortWrite
			}
			if err != nil {
				return written, err
			}
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}
