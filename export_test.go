package identomat

import "io"

// FileFromOpen returns a file whose content and size open returns.
func FileFromOpen(open func() (io.ReadCloser, int64, error)) File { return File{open: open} }
