// Package form writes multipart/form-data. The length of a form is known before the first byte
// is sent, and files are streamed. If a file cannot be read to its end, the form is never
// terminated, so a server cannot mistake it for a complete one.
package form

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Field is a text part.
type Field struct{ Name, Value string }

// File is a file part.
type File struct {
	Name        string
	FileName    string
	ContentType string
	Size        int64
	// Open opens the file at its beginning. Unless Once is set, it is called once more for a
	// signature and for every retry.
	Open func() (io.ReadCloser, error)
	// Once says that Open may be called only once.
	Once bool
}

// Form is a complete form. Text parts precede files, as Identomat requires.
type Form struct {
	once     bool
	boundary string
	parts    []part
	tail     string
	length   int64
}

type part struct {
	head string // delimiter and header, from the end of the previous content
	text string // content, unless it is a file
	file *File
}

// escape escapes what would end the quotes around a name or the line of the header, and all
// other control characters.
var escape = func() *strings.Replacer {
	pairs := []string{"\\", "\\\\", `"`, "%22", "\x7f", "%7F"}
	for control := range byte(' ') {
		pairs = append(pairs, string(rune(control)), fmt.Sprintf("%%%02X", control))
	}
	return strings.NewReplacer(pairs...)
}()

// New returns a form with the given parts.
func New(fields []Field, files []File) *Form {
	f := &Form{boundary: rand.Text(), parts: make([]part, 0, len(fields)+len(files))}
	delimiter := "\r\n--" + f.boundary + "\r\nContent-Disposition: form-data; name=\""
	for _, field := range fields {
		f.parts = append(f.parts, part{head: delimiter + escape.Replace(field.Name) + "\"\r\n\r\n", text: field.Value})
		f.length += int64(len(field.Value))
	}
	for i := range files {
		file := &files[i]
		f.parts = append(f.parts, part{
			head: delimiter + escape.Replace(file.Name) + "\"; filename=\"" + escape.Replace(file.FileName) +
				"\"\r\nContent-Type: " + file.ContentType + "\r\n\r\n",
			file: file,
		})
		f.length += file.Size
		f.once = f.once || file.Once
	}
	for i := range f.parts {
		if i == 0 {
			f.parts[i].head = strings.TrimPrefix(f.parts[i].head, "\r\n")
		}
		f.length += int64(len(f.parts[i].head))
	}
	f.tail = "\r\n--" + f.boundary + "--\r\n"
	f.length += int64(len(f.tail))
	return f
}

// ContentType returns the value of the Content-Type header.
func (f *Form) ContentType() string { return "multipart/form-data; boundary=" + f.boundary }

// Len returns the length in bytes.
func (f *Form) Len() int64 { return f.length }

// Once reports whether a file can be opened only once, so that the form can be neither signed
// nor retried.
func (f *Form) Once() bool { return f.once }

// Open returns the form as a request body. Every file is opened when its part is reached.
func (f *Form) Open() io.ReadCloser {
	b := &body{form: f, rest: make([]source, 0, 2*len(f.parts)+1)}
	for _, p := range f.parts {
		b.rest = append(b.rest, source{text: p.head}, source{text: p.text, file: p.file})
	}
	b.rest = append(b.rest, source{text: f.tail})
	return b
}

// EachPart calls visit with the content of every part, in order. Signing uses it.
func (f *Form) EachPart(visit func(content io.Reader) error) error {
	for _, p := range f.parts {
		if p.file == nil {
			if err := visit(strings.NewReader(p.text)); err != nil {
				return err
			}
			continue
		}
		b := &body{form: f, rest: []source{{file: p.file}}}
		err := visit(b)
		_ = b.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// SourceError reports a file that could not be read or has another length than announced. The
// part of the form that was sent is not a valid form.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return "reading the file to upload: " + e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// ErrSize reports a file whose length differs from its Size.
var ErrSize = errors.New("the file has a different size than announced")

// source is a piece of a body: a text or a file.
type source struct {
	text string
	file *File
}

// body reads its sources one after the other.
type body struct {
	form *Form
	rest []source

	text strings.Reader // rest of the current text
	left int64          // unread bytes of the current file
	err  error

	// mu is needed because net/http may call Close concurrently with Read.
	mu     sync.Mutex
	file   io.ReadCloser
	closed bool
}

// EachPart allows signing without parsing the form.
func (b *body) EachPart(visit func(io.Reader) error) error { return b.form.EachPart(visit) }

func (b *body) Read(p []byte) (int, error) {
	for {
		switch {
		case b.err != nil:
			return 0, b.err
		case len(p) == 0:
			return 0, nil
		case b.text.Len() > 0:
			return b.text.Read(p)
		case b.file != nil:
			if n, done := b.readFile(p); n > 0 || !done {
				return n, b.err
			}
		case len(b.rest) == 0:
			return 0, io.EOF
		default:
			next := b.rest[0]
			b.rest = b.rest[1:]
			if next.file == nil {
				b.text.Reset(next.text)
			} else if err := b.open(next.file); err != nil {
				b.err = &SourceError{Err: err}
			}
		}
	}
}

// readFile reads from the current file and reports whether the file has ended as announced.
func (b *body) readFile(p []byte) (n int, done bool) {
	if b.left == 0 {
		var extra [1]byte
		n, err := io.ReadFull(b.file, extra[:])
		if n > 0 {
			b.err = &SourceError{Err: ErrSize}
		} else if !errors.Is(err, io.EOF) {
			b.err = &SourceError{Err: err}
		}
		b.closeFile()
		return 0, b.err == nil
	}
	n, err := readRecovering(b.file, p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !(errors.Is(err, io.EOF) && b.left == 0) {
		if errors.Is(err, io.EOF) {
			err = ErrSize
		}
		b.err = &SourceError{Err: err}
	}
	return n, false
}

// readRecovering returns a panic of r as an error. net/http reads a body in a goroutine of its
// own, where the caller could not recover from the panic of its own reader.
func readRecovering(r io.Reader, p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("the reader panicked with a %T", v)
		}
	}()
	return r.Read(p)
}

func (b *body) open(file *File) error {
	r, err := file.Open()
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = r.Close()
		return errors.New("the request body is closed")
	}
	b.file, b.left = r, file.Size
	return nil
}

func (b *body) closeFile() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		_ = b.file.Close()
		b.file = nil
	}
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.file != nil {
		_ = b.file.Close()
	}
	return nil
}

// String keeps fmt from printing the fields, which contain personal data.
func (f *Form) String() string { return fmt.Sprintf("form of %d bytes", f.length) }
