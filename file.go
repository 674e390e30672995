package identomat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/form"
)

// File is an image to upload. It is read while it is sent, never held in memory, and its
// name and path are not sent. The zero File is refused by validation.
type File struct {
	open func() (io.ReadCloser, int64, error)
	once bool
}

// Format writes a mask under every verb: a file name may be a customer's.
func (File) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is a mask.
func (File) LogValue() slog.Value { return slog.StringValue(redacted) }

// FileFromPath is the file at path. It is opened when the call is made, and again for a
// signature. No error repeats the path.
func FileFromPath(path string) File {
	return File{open: func() (io.ReadCloser, int64, error) {
		// Opening a pipe would wait for its other end.
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil, 0, errNotRegular
		}
		return sized(os.Open(path))
	}}
}

var errNotRegular = errors.New("not a regular file")

// FileFromFS is the file name of a file system such as [embed.FS] or [os.Root.FS].
func FileFromFS(fsys fs.FS, name string) File {
	if fsys == nil {
		return File{}
	}
	return File{open: func() (io.ReadCloser, int64, error) {
		if stat, ok := fsys.(fs.StatFS); ok {
			if info, err := stat.Stat(name); err == nil && !info.Mode().IsRegular() {
				return nil, 0, errNotRegular
			}
		}
		return sized(fsys.Open(name))
	}}
}

// FileFromBytes is data in memory, which must not change during the call.
func FileFromBytes(data []byte) File {
	return File{open: func() (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
	}}
}

// FileFromReader is the next size bytes of r, which must be all that it has left. An
// [io.ReaderAt], such as an [os.File], is read from where an [io.Seeker] stands and can be
// read again. Any other reader is read once: such a file cannot be signed, and the call is
// not repeated. It is not closed.
func FileFromReader(r io.Reader, size int64) File {
	if r == nil {
		return File{}
	}
	at, again := r.(io.ReaderAt)
	seeker, seekable := r.(io.Seeker)
	if seekable {
		_, err := seeker.Seek(0, io.SeekCurrent)
		again = again && err == nil // a pipe is an os.File, too
	}
	if !again {
		return File{once: true, open: func() (io.ReadCloser, int64, error) {
			return nameless{io.NopCloser(r)}, size, nil
		}}
	}
	return File{open: func() (io.ReadCloser, int64, error) {
		var offset int64
		if seekable {
			var err error
			if offset, err = seeker.Seek(0, io.SeekCurrent); err != nil {
				return nil, 0, withoutPath(err)
			}
		}
		return nameless{io.NopCloser(io.NewSectionReader(at, offset, size+1))}, size, nil
	}}
}

func sized(f fs.File, err error) (io.ReadCloser, int64, error) {
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, withoutPath(err)
	}
	return nameless{f}, info.Size(), nil
}

// nameless keeps a file's path out of the errors of reading it.
type nameless struct{ io.ReadCloser }

func (f nameless) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = withoutPath(err)
	}
	return n, err
}

func withoutPath(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", at.Op, at.Err)
	}
	return err
}

// maxUpload keeps the sum of sizes from overflowing.
const maxUpload = 1 << 40

// sniffed is how much of a file is looked at to tell its type.
const sniffed = 512

// part opens the file to learn its size and its type, and lays it out as a part of a form.
// Everything that can be found out to be wrong is found out before anything is sent.
func (f File) part(ctx context.Context, name string) (form.File, error) {
	type laidOut struct {
		part form.File
		err  error
	}
	done := make(chan laidOut, 1)
	go func() { // a reader of the caller's may block
		part, err := f.layOut(name)
		done <- laidOut{part, err}
	}()
	select {
	case out := <-done:
		return out.part, out.err
	case <-ctx.Done():
		return form.File{}, &form.SourceError{Err: engine.Ended(ctx)}
	}
}

func (f File) layOut(name string) (form.File, error) {
	r, size, err := f.open()
	if err != nil {
		return form.File{}, &form.SourceError{Err: err}
	}
	switch {
	case size < 0:
		err = errors.New("has a negative size")
	case size == 0:
		err = errors.New("is empty")
	case size > maxUpload:
		err = errors.New("is larger than 1 TiB")
	}
	if err != nil {
		_ = r.Close()
		return form.File{}, err
	}
	head := make([]byte, min(size, sniffed))
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		_ = r.Close()
		return form.File{}, &form.SourceError{Err: err}
	}
	if n < len(head) {
		_ = r.Close()
		return form.File{}, &form.SourceError{Err: form.ErrSize}
	}
	contentType := contentTypeOf(head, "")
	part := form.File{Name: name, FileName: name + extension(contentType), ContentType: contentType, Size: size, Once: f.once}
	if f.once {
		rest := struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), r), r}
		part.Open = func() (io.ReadCloser, error) { return rest, nil }
		return part, nil
	}
	_ = r.Close()
	part.Open = func() (io.ReadCloser, error) {
		r, _, err := f.open()
		return r, err
	}
	return part, nil
}

// extension is for services that go by the name of a file.
func extension(contentType string) string {
	switch contentType {
	case "image/jpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "image/webp":
		return ".webp"
	case "image/heic":
		return ".heic"
	case "image/tiff":
		return ".tiff"
	case "application/pdf":
		return ".pdf"
	}
	return ""
}
