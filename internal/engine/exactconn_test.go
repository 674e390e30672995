package engine

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzExactConn requires the end of a response to be where net/http finds it. The bytes arrive in
// pieces of any size.
func FuzzExactConn(f *testing.F) {
	for _, response := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}extra", "HTTP/1.1 204 No Content\r\n\r\nextra", "HTTP/1.1 200 OK\r\n\r\nto the end",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\nextra", "HTTP/1.0 200 OK\nContent-Length: 0\n\nextra",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\ntrueextra",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "\x00\x00\x12\x04\x00", "SSH-2.0\n",
	} {
		f.Add([]byte(response), uint8(0))
		f.Add([]byte(response), uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		r := bufio.NewReader(bytes.NewReader(data))
		resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodPost})
		if err != nil || resp.StatusCode < 200 {
			return // net/http closes the connection, or reads on after a 1xx response
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err != nil || resp.Close {
			return
		}
		rest, _ := io.ReadAll(r)

		var c exactConn
		c.due.Store(asked)
		extra, pieces := 0, data
		for len(pieces) > 0 {
			n := len(pieces)
			if size > 0 {
				n = min(n, int(size))
			}
			extra += c.scan(pieces[:n])
			pieces = pieces[n:]
		}
		require.Equal(t, len(rest), extra, "%q", data)
	})
}

// readConn reads prepared data and discards what is written.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func (readConn) Write(p []byte) (int, error) { return len(p), nil }

// The service refuses an upload early, and more bytes arrive while the rest of the upload is written.
func TestExactConnAfterEarlyResponse(t *testing.T) {
	const response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	var received bytes.Buffer
	c := exactConn{Conn: readConn{Reader: &received}}
	exchange := func(request, response string) (string, error) {
		_, err := c.Write([]byte(request))
		require.NoError(t, err)
		received.WriteString(response)
		b := make([]byte, 100)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	for range 2 {
		got, err := exchange("POST /upload HTTP/1.1\r\nContent-Length: 2000\r\n\r\nthe beginning", response)
		require.NoError(t, err)
		assert.Equal(t, response, got)
	}
	got, err := exchange("the rest", `"personal_number":"01001012345"}`)
	assert.Equal(t, io.EOF, err)
	assert.Empty(t, got)
}

// A program may allow longer headers than the default transport.
func TestExactConnLineBounded(t *testing.T) {
	var c exactConn
	c.due.Store(asked)
	c.scan([]byte("HTTP/1.1 200 OK\r\nX: "))
	for range 1000 {
		c.scan(bytes.Repeat([]byte("x"), 1000))
	}
	assert.Less(t, cap(c.line), 2*maxHeader)
}
