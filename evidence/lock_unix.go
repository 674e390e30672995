//go:build unix && !aix && !solaris && !illumos

package evidence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// lock locks the folder of root until the lock is closed. The system releases the lock of a process that
// ended. lock returns neither a lock nor an error if the previous holder removed the file at the same time.
func lock(root *os.Root, _ string) (io.Closer, error) {
	file, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("evidence: cannot lock the folder: %w", withoutPath(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("evidence: cannot lock the folder: %w", err)
	}
	locked, err := file.Stat()
	if err == nil {
		if named, err := root.Stat(lockFile); err == nil && os.SameFile(locked, named) {
			return &fileLock{root, file}, nil
		}
	}
	_ = file.Close()
	return nil, nil
}

type fileLock struct {
	root *os.Root
	file *os.File
}

// Close removes the file before it releases the lock, so that it removes nobody else's file.
func (l *fileLock) Close() error {
	return errors.Join(l.root.Remove(lockFile), l.file.Close())
}
