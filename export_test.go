package identomat

import "io"

// FileFromOpen returns a file that gets its content and size from open.
func FileFromOpen(open func() (io.ReadCloser, int64, error)) File { return File{open: open} }
