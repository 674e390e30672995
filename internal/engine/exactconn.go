package engine

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// exactConn is an HTTP/1.1 connection that returns io.EOF instead of extra bytes after a response.
// If a Content-Length is too small, the extra bytes are personal data, and net/http would log them.
// Bytes of other protocols pass unchanged.
type exactConn struct {
	net.Conn
	due    atomic.Int32 // whether a response is due: unasked, asked or answered
	opaque atomic.Bool  // the end of a response is unknown

	// Only Read uses the fields below.
	next    part
	line    []byte // the part of the current line that was read
	left    int64  // bytes of the body or chunk still to come
	status  int
	length  int64 // of the body, or -1
	isOld   bool  // before HTTP/1.1, where net/http ignores Transfer-Encoding
	chunked bool
}

const (
	unasked int32 = iota
	asked
	answered
)

// part is a kind of line in a response.
type part int

const (
	statusLine part = iota
	headerLine
	chunkLine
	trailerLine
)

func (c *exactConn) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("CONNECT ")) {
		c.opaque.Store(true) // what follows is a proxy's tunnel
	}
	// After a response, only a new request asks for another one. The rest of an upload that was
	// refused early does not.
	if !c.due.CompareAndSwap(unasked, asked) && bytes.HasPrefix(p, []byte("POST ")) {
		c.due.Store(asked)
	}
	return c.Conn.Write(p)
}

func (c *exactConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if extra := c.scan(p[:n]); extra > 0 {
		return n - extra, io.EOF // the connection is not reused
	}
	return n, err
}

// scan returns the number of extra bytes at the end of b.
func (c *exactConn) scan(b []byte) (extra int) {
	for len(b) > 0 && !c.opaque.Load() {
		if c.left > 0 {
			n := min(c.left, int64(len(b)))
			b = b[n:]
			if c.left -= n; c.left == 0 && c.next == statusLine {
				c.due.Store(answered)
			}
			continue
		}
		if c.next == statusLine && c.due.Load() != asked {
			return len(b)
		}
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		c.line = append(c.line, line...)
		if b = rest; whole {
			c.scanLine(bytes.TrimSuffix(c.line, []byte("\r")))
			c.line = c.line[:0]
		} else if len(c.line) > maxHeader {
			c.line = nil
			c.opaque.Store(true) // net/http refuses such a long header, unless the transport allows longer ones
		} else if c.next == statusLine && len(c.line) >= len("HTTP/") {
			c.opaque.Store(!bytes.HasPrefix(c.line, []byte("HTTP/")))
		}
	}
	return 0
}

func (c *exactConn) scanLine(line []byte) {
	var err error
	switch c.next {
	case statusLine:
		version, status, _ := bytes.Cut(line, []byte(" "))
		c.isOld = string(version) < "HTTP/1.1"
		status, _, _ = bytes.Cut(bytes.TrimLeft(status, " "), []byte(" "))
		c.status, err = strconv.Atoi(string(status))
		c.next, c.length, c.chunked = headerLine, -1, false
	case headerLine:
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) == 0:
			c.endHeader()
		case bytes.EqualFold(name, []byte("Content-Length")):
			c.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			c.chunked = !c.isOld
		}
	case chunkLine:
		size, _, _ := bytes.Cut(line, []byte(";"))
		if c.left, err = strconv.ParseInt(string(bytes.TrimSpace(size)), 16, 32); c.left != 0 {
			c.left += int64(len("\r\n"))
		} else {
			c.next = trailerLine
		}
	case trailerLine:
		if len(line) == 0 {
			c.next = statusLine
			c.due.Store(answered)
		}
	}
	if err != nil {
		c.opaque.Store(true) // net/http refuses the response, too
	}
}

func (c *exactConn) endHeader() {
	switch {
	case c.status < http.StatusOK && c.status != http.StatusSwitchingProtocols:
		c.next = statusLine // the final response follows
	case c.status == http.StatusNoContent, c.status == http.StatusNotModified, !c.chunked && c.length == 0:
		c.next = statusLine
		c.due.Store(answered)
	case c.chunked:
		c.next = chunkLine
	case c.length > 0:
		c.next, c.left = statusLine, c.length
	default:
		c.opaque.Store(true)
	}
}
