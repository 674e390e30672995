//go:build !windows && (!unix || aix || solaris || illumos)

package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// lock locks the folder of root until the lock is closed. After a crash, the file must be removed by hand,
// because the system offers no lock that ends with the process.
func lock(root *os.Root, _ string) (io.Closer, error) {
	file, err := root.OpenFile(lockFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w; if it has ended, remove "+lockFile, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("evidence: cannot lock the folder: %w", withoutPath(err))
	}
	return &fileLock{root, file}, nil
}

type fileLock struct {
	root *os.Root
	file *os.File
}

func (l *fileLock) Close() error {
	return errors.Join(l.file.Close(), l.root.Remove(lockFile))
}
