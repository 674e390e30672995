package evidence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// lock locks the folder until the lock is closed, by opening a file that nobody else may open. The system
// closes the file of a process that ended, and deletes it.
func lock(_ *os.Root, path string) (io.Closer, error) {
	const (
		sharingViolation  = syscall.Errno(32)
		flagDeleteOnClose = 0x04000000
	)
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, errors.New("evidence: the path of the folder is not valid")
	}
	file, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL|flagDeleteOnClose, 0)
	switch {
	case errors.Is(err, sharingViolation):
		return nil, ErrInUse
	case err != nil:
		return nil, fmt.Errorf("evidence: cannot lock the folder: %w", err)
	}
	return os.NewFile(uintptr(file), lockFile), nil
}
