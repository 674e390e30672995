package identomat

import (
	"io"
	"sync"
)

// copyBuffers are large enough that the cost of system calls does not matter, and pooled so
// that streams do not allocate.
var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copyCounted copies src to dst through a pooled buffer, where io.Copy would allocate one. It
// returns how many bytes were written.
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
