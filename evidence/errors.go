package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Errors of this package, for [errors.Is].
var (
	// ErrIncomplete: a source could not be fetched, or the session is still in progress, or the
	// collection was interrupted. Call Collect again later.
	ErrIncomplete = errors.New("evidence: the package is incomplete")
	// ErrInUse: another Collect, or a Stamp of package seal, is using the folder.
	ErrInUse = errors.New("evidence: the folder is in use")
	// ErrOtherSession: the package belongs to a session other than the token's.
	ErrOtherSession = errors.New("evidence: the package belongs to another session")
	// ErrAddedBefore: the package already has a file of this name from [With] with other data, or a folder
	// of this name.
	ErrAddedBefore = errors.New("evidence: the package already uses this name for something else")
	// ErrSealed: the package has a time stamp, so Collect does not change it.
	ErrSealed = errors.New("evidence: the package has a time stamp and cannot be changed")

	// ErrChanged: a file differs from its manifest.
	ErrChanged = errors.New("evidence: the file was changed")
	// ErrMissing: a file is missing.
	ErrMissing = errors.New("evidence: the file is missing")
	// ErrUnexpectedFile: a file or folder does not belong to the package.
	ErrUnexpectedFile = errors.New("evidence: the file does not belong to the package")
	// ErrMalformed: a file of the package is not in its format.
	ErrMalformed = errors.New("evidence: the file is malformed")
	// ErrBadName: a path is absolute, leaves the folder, or has characters that packages do not use.
	ErrBadName = errors.New("evidence: the name is not allowed")
	// ErrTooLarge: a file is larger than 1 GiB, or the package is larger than 32 GiB, has more than 10,000
	// files, or has too many folders, long names or time stamps.
	ErrTooLarge = errors.New("evidence: too large")

	errNoFileSystem = errors.New("evidence: the file system is nil")
)

// Problem is something that is wrong with a file of a package.
type Problem struct {
	// File is the path of the file. It can be any text if the package is not one that Collect made.
	File string
	// Err is one of the errors of this package, or an error from reading the file.
	Err error
}

// Error names the file, in quotes, and the problem.
func (p *Problem) Error() string {
	return fmt.Sprintf("%.1024q: %s", p.File, strings.TrimPrefix(p.Err.Error(), "evidence: "))
}

// Unwrap returns Err.
func (p *Problem) Unwrap() error { return p.Err }

// VerifyError holds everything that [Verify] found. errors.Is and errors.As match each problem.
type VerifyError struct {
	// Problems is not empty.
	Problems []*Problem
}

// maxShown is the number of problems that Error lists.
const maxShown = 10

// Error lists the first ten problems.
func (e *VerifyError) Error() string {
	var b strings.Builder
	b.WriteString("evidence: the package does not verify: ")
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "; and %d more", len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.Error())
	}
	return b.String()
}

// Unwrap returns the problems.
func (e *VerifyError) Unwrap() []error {
	all := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p
	}
	return all
}

// withoutPath returns the cause of a file error without the path, which may name a customer.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
