// Package form writes multipart/form-data. The length of a form is known before the first byte
// is sent, and files are streamed. If a file cannot be read to its end, the form is never
// terminated, so a server cannot mistake it for a complete one.
package form

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// File is a file part.
type File struct {
	Name        string
	FileName    string
	ContentType string
	Size        int64
	// Open opens the file at its beginning. Unless Once is set, it is called again for a signature
	// and for every retry.
	Open func() (io.ReadCloser, error)
	// Once says that Open may be called only once.
	Once bool
}

// Form is a complete form. The text part precedes the files, as Identomat requires.
type Form struct {
	value    string // text part's value
	files    []File
	texts    []string // what precedes each file, and what follows the last one
	boundary string
	length   int64
}

// escape escapes the characters that would end a quoted name or the header line, and all
// other control characters.
var escape = func() *strings.Replacer {
	pairs := []string{"\\", "\\\\", `"`, "%22", "\x7f", "%7F"}
	for control := range byte(' ') {
		pairs = append(pairs, string(rune(control)), fmt.Sprintf("%%%02X", control))
	}
	return strings.NewReplacer(pairs...)
}()

// New returns a form with a text part and files.
func New(name, value string, files []File) *Form {
	f := &Form{value: value, files: files, boundary: rand.Text(), texts: make([]string, 0, len(files)+1)}
	const disposition = "\r\nContent-Disposition: form-data; name=\""
	text := "--" + f.boundary + disposition + escape.Replace(name) + "\"\r\n\r\n" + value + "\r\n"
	for _, file := range files {
		text += "--" + f.boundary + disposition + escape.Replace(file.Name) + "\"; filename=\"" + escape.Replace(file.FileName) +
			"\"\r\nContent-Type: " + file.ContentType + "\r\n\r\n"
		f.texts = append(f.texts, text)
		f.length += int64(len(text)) + file.Size
		text = "\r\n"
	}
	text += "--" + f.boundary + "--\r\n"
	f.texts = append(f.texts, text)
	f.length += int64(len(text))
	return f
}

// ContentType returns the value of the Content-Type header.
func (f *Form) ContentType() string { return "multipart/form-data; boundary=" + f.boundary }

// Len returns the length in bytes.
func (f *Form) Len() int64 { return f.length }

// Once reports whether a file can be opened only once. If so, the form can be neither signed nor
// retried.
func (f *Form) Once() bool {
	return slices.ContainsFunc(f.files, func(file File) bool { return file.Once })
}

// Open returns the form as a request body. Every file is opened when its part is reached.
func (f *Form) Open() io.ReadCloser {
	b := &body{form: f, parts: make([]part, len(f.texts))}
	for i, text := range f.texts {
		b.parts[i].text.Reset(text)
		if i < len(f.files) {
			b.parts[i].file = &f.files[i]
		}
	}
	return b
}

// String keeps fmt from printing the fields, which contain personal data.
func (f *Form) String() string { return fmt.Sprintf("form of %d bytes", f.length) }

// SourceError reports a file that could not be read, or whose length differs from its Size. The form
// was then sent incompletely.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return "reading the file to upload: " + e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// ErrSize reports a file whose length differs from its Size.
var ErrSize = errors.New("the file has a different size than announced")

type body struct {
	form  *Form
	parts []part
	next  int
}

func (b *body) Read(p []byte) (int, error) {
	for ; b.next < len(b.parts); b.next++ {
		if n, err := b.parts[b.next].Read(p); err != io.EOF {
			return n, err
		}
	}
	return 0, io.EOF
}

// NextPart returns the content of the next part, or io.EOF after the last one. Signing calls it
// instead of Read to avoid parsing the form.
func (b *body) NextPart() (io.Reader, error) {
	i := b.next
	b.next++
	switch {
	case i == 0:
		return strings.NewReader(b.form.value), nil
	case i > len(b.form.files):
		return nil, io.EOF
	}
	b.parts[i-1].text.Reset("")
	return &b.parts[i-1], nil
}

func (b *body) Close() error {
	for i := range b.parts {
		b.parts[i].close()
	}
	return nil
}

// part reads a text and then a file, if any, which must have the announced size.
type part struct {
	text strings.Reader
	file *File
	read int64 // bytes read from the file
	err  error // what ended the reading

	// mu is needed because net/http may call Close concurrently with Read.
	mu     sync.Mutex
	src    io.ReadCloser // the opened file
	closed bool
}

func (p *part) Read(buf []byte) (int, error) {
	if p.text.Len() > 0 || p.file == nil {
		return p.text.Read(buf)
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.readFile(buf)
	p.read += int64(n)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	if p.read > p.file.Size || p.read < p.file.Size && err == io.EOF {
		n, err = 0, ErrSize
	}
	if err != nil {
		p.close()
		if err != io.EOF {
			err = &SourceError{Err: err}
		}
		p.err = err
	}
	if n > 0 {
		return n, nil
	}
	return 0, p.err
}

// readFile opens the file if necessary and reads from it. It returns a panic of the caller's reader
// as an error: net/http reads the body in another goroutine, where the caller cannot recover.
func (p *part) readFile(buf []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("the reader panicked with a %T", v)
		}
	}()
	if p.src == nil {
		src, err := p.file.Open()
		if err != nil {
			return 0, err
		}
		p.mu.Lock()
		p.src = src
		closed := p.closed
		p.mu.Unlock()
		if closed {
			_ = src.Close()
			return 0, errors.New("the request body is closed")
		}
	}
	return p.src.Read(buf)
}

func (p *part) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.src != nil && !p.closed {
		_ = p.src.Close()
	}
	p.closed = true
}
