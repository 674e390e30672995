package engine

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// maxTrusted bounds what a Content-Length alone makes the engine allocate.
const maxTrusted = 1 << 20

// readBody reads a body of at most limit bytes to its end, so that the connection is reused and a
// signature is verified. With an error, it also returns the bytes read before it.
func readBody(r io.Reader, length, limit int64) ([]byte, error) {
	if length > limit {
		head := make([]byte, min(limit, maxErrorBody))
		n, _ := io.ReadFull(r, head)
		return head[:n], ErrTooLarge
	}
	if length < 0 || length > maxTrusted {
		body, err := readUnknown(r, limit)
		if err == nil && int64(len(body)) < length {
			err = io.ErrUnexpectedEOF
		}
		return body, err
	}
	body := make([]byte, length+1) // the extra byte detects a longer body
	n, err := fill(r, body)
	switch {
	case int64(n) > length:
		return body[:length], ErrTooLarge
	case int64(n) < length && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return body[:n], io.ErrUnexpectedEOF
	case !errors.Is(err, io.EOF):
		return body[:n], err
	}
	return body[:n:n], nil
}

// fill reads until p is full or an error ends the reading.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// A segment is a pooled buffer. The segments of a body are joined at its end, so that a body of unknown
// length allocates only its own size.
type segment [32 << 10]byte

var segments = sync.Pool{New: func() any { return new(segment) }}

func readUnknown(r io.Reader, limit int64) (body []byte, err error) {
	var read [][]byte
	size := int64(0)
	for err == nil && size <= limit {
		p := segments.Get().(*segment)
		defer segments.Put(p)
		var n int
		n, err = fill(r, p[:min(int64(len(p)), limit+1-size)])
		read = append(read, p[:n])
		size += int64(n)
	}
	body = slices.Concat(read...)
	switch {
	case size > limit:
		return body[:limit], ErrTooLarge
	case err == io.EOF:
		err = nil
	}
	return body, err
}
