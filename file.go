package identomat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/form"
	"github.com/identomat-go/identomat/internal/sniff"
)

// File is an image to upload. It is streamed, not held in memory, and neither its name nor its path is
// sent. Validation rejects the zero File.
type File struct {
	private
	open func() (io.ReadCloser, int64, error) // returns the content and its size
	once bool                                 // open may be called only once
}

// FileFromPath returns the file at path. A call may open it repeatedly. Errors do not contain the path.
func FileFromPath(path string) File {
	return File{open: func() (io.ReadCloser, int64, error) {
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() { // opening a named pipe could block
			err = errors.New("not a regular file")
		}
		if err != nil {
			return nil, 0, withoutPath(err)
		}
		f, err := os.Open(path)
		return pathless{f}, info.Size(), withoutPath(err)
	}}
}

// FileFromBytes returns a file whose content is data. Do not modify data during the call.
func FileFromBytes(data []byte) File {
	return File{open: func() (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
	}}
}

// FileFromReader returns a file whose content is the rest of r, exactly size bytes. It does not close r.
//
// If r is an [io.ReaderAt], such as an [os.File], the file can be read more than once. If r is also an
// [io.Seeker], the content starts at the current offset of r, otherwise at offset 0. Any other reader can
// be read only once, so the call can be neither signed nor retried.
func FileFromReader(r io.Reader, size int64) File {
	if r == nil {
		return File{}
	}
	at, rereadable := r.(io.ReaderAt)
	var offset int64
	if seeker, ok := r.(io.Seeker); ok {
		var err error
		offset, err = seeker.Seek(0, io.SeekCurrent)
		rereadable = rereadable && err == nil // an os.File may be a pipe
	}
	return File{once: !rereadable, open: func() (io.ReadCloser, int64, error) {
		src := r
		if rereadable {
			// Read one byte more than size, to detect a reader that is longer than announced.
			src = io.NewSectionReader(at, offset, size+1)
		}
		return pathless{io.NopCloser(src)}, size, nil
	}}
}

// pathless removes the path of a file from read errors.
type pathless struct{ io.ReadCloser }

func (f pathless) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	return n, withoutPath(err)
}

func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}

// maxUpload limits the size of a file, so that the sum of sizes cannot overflow.
const maxUpload = 1 << 40

// sniffSize is how many bytes of a file are read to detect its type.
const sniffSize = 512

// part opens the file to learn its size and type, and returns it as part of a form. It detects as many
// problems as possible before anything is sent.
func (f File) part(ctx context.Context, name string) (form.File, error) {
	var part form.File
	var err error
	done := make(chan struct{})
	go func() { // in a goroutine, because the caller's reader may block
		part, err = f.inspect(name)
		close(done)
	}()
	select {
	case <-done:
		return part, err
	case <-ctx.Done():
		return form.File{}, &form.SourceError{Err: engine.Ended(ctx)}
	}
}

func (f File) inspect(name string) (form.File, error) {
	r, size, err := f.open()
	if err != nil {
		return form.File{}, &form.SourceError{Err: err}
	}
	defer r.Close() // does not close the caller's reader
	if size < 1 || size > maxUpload {
		return form.File{}, errors.New("must not be empty or larger than 1 TiB")
	}
	head := make([]byte, min(size, sniffSize))
	if _, err := io.ReadFull(r, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = form.ErrSize
		}
		return form.File{}, &form.SourceError{Err: err}
	}
	contentType := sniff.ContentType(head, "")
	open := func() (io.ReadCloser, error) {
		if f.once {
			return io.NopCloser(io.MultiReader(bytes.NewReader(head), r)), nil
		}
		r, _, err := f.open()
		return r, err
	}
	return form.File{
		Name: name, FileName: name + sniff.Extension(contentType), ContentType: contentType, Size: size, Open: open, Once: f.once,
	}, nil
}
