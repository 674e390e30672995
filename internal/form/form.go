// Package form writes multipart/form-data whose length is known before the first byte is
// sent, without holding a file in memory, and without ending the form properly when a
// file cannot be read to its end.
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
	// Open opens the file at its beginning. It is called again for a signature and for a
	// repeat, unless Once is set.
	Open func() (io.ReadCloser, error)
	Once bool
}

// Form is a whole form: text parts first, then files, as Identomat demands it.
type Form struct {
	once     bool
	boundary string
	parts    []part
	tail     string
	length   int64
}

// part is the text from the end of the last content on, and then the content.
type part struct {
	head string
	text string
	file *File
}

// escape keeps a name inside of its quotes, and out of it what ends or spoils a header.
var escape = func() *strings.Replacer {
	pairs := []string{"\\", "\\\\", `"`, "%22", "\x7f", "%7F"}
	for control := range byte(' ') {
		pairs = append(pairs, string(rune(control)), fmt.Sprintf("%%%02X", control))
	}
	return strings.NewReplacer(pairs...)
}()

// New lays out a form.
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

// ContentType is the value of the header.
func (f *Form) ContentType() string { return "multipart/form-data; boundary=" + f.boundary }

// Len is the length in bytes.
func (f *Form) Len() int64 { return f.length }

// Once says that a file can be opened only once, so that the form can be neither signed
// nor sent again.
func (f *Form) Once() bool { return f.once }

// Open returns the form as the body of a request. A file is opened when it is reached.
func (f *Form) Open() io.ReadCloser {
	b := &body{form: f, rest: make([]source, 0, 2*len(f.parts)+1)}
	for _, p := range f.parts {
		b.rest = append(b.rest, source{text: p.head}, source{text: p.text, file: p.file})
	}
	b.rest = append(b.rest, source{text: f.tail})
	return b
}

// EachPart visits the content of every part in order, for a signature.
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

// SourceError is a file that could not be read, or not as far as its size says. What was
// sent of the form is incomplete and cannot be taken for a form.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return "reading the file to upload: " + e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// ErrSize is why a file of another length is refused.
var ErrSize = errors.New("the file is not as long as its size says")

// source is a text or a file.
type source struct {
	text string
	file *File
}

// body reads one source after the other.
type body struct {
	form *Form
	rest []source

	text strings.Reader
	left int64 // of the open file
	err  error

	// net/http may close a body in another goroutine than the one that reads it.
	mu     sync.Mutex
	file   io.ReadCloser
	closed bool
}

// EachPart lets a signature skip the parsing of what this package has written.
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

// readFile reads from the open file, and reports whether it is done with it.
func (b *body) readFile(p []byte) (n int, done bool) {
	if b.left == 0 {
		var beyond [1]byte
		n, err := io.ReadFull(b.file, beyond[:])
		if n > 0 {
			b.err = &SourceError{Err: ErrSize}
		} else if !errors.Is(err, io.EOF) {
			b.err = &SourceError{Err: err}
		}
		b.closeFile()
		return 0, b.err == nil
	}
	n, err := readSafely(b.file, p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !(errors.Is(err, io.EOF) && b.left == 0) {
		if errors.Is(err, io.EOF) {
			err = ErrSize
		}
		b.err = &SourceError{Err: err}
	}
	return n, false
}

// readSafely turns a panic of a caller's reader into an error: it would end the process in a
// goroutine of net/http, where the caller cannot catch it.
func readSafely(r io.Reader, p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("the reader panicked: %T", v)
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
		return errors.New("the request is over")
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

// String keeps fmt from walking into the fields, which are personal data.
func (f *Form) String() string { return fmt.Sprintf("form of %d bytes", f.length) }
