package identomat_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// memoryNetwork connects a real http.Transport to a service that writes literal HTTP. It uses net.Pipe,
// because sockets would stop the virtual time in a synctest bubble.
type memoryNetwork struct {
	fault   fault
	classes map[string]callClass // by path
	// respond, if set, returns the response to every request. fault and classes are then unused.
	respond func(form url.Values) string

	mu        sync.Mutex
	healthy   bool  // the fault is over
	sends     []int // the number of each request's connection; 0 for a failed dial
	malformed []string
	conns     []*serverConn
}

// endFault ends the fault. It returns the number of requests so far, and the number of the last
// request's connection.
func (n *memoryNetwork) endFault() (sends, last int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.healthy = true
	if sends = len(n.sends); sends > 0 {
		last = n.sends[sends-1]
	}
	return sends, last
}

// dial implements http.Transport.DialContext.
func (n *memoryNetwork) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clientSide, serverSide := net.Pipe()
	client := &clientConn{Conn: clientSide}
	conn := &serverConn{Conn: serverSide, client: client, number: len(n.conns) + 1, signed: n.fault.signs}
	if n.fault.dial != nil && !n.healthy {
		n.sends = append(n.sends, 0)
		n.mu.Unlock()
		err := n.fault.dial(ctx)
		n.mu.Lock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	n.conns = append(n.conns, conn)
	switch {
	case n.healthy:
		go n.serve(conn)
	case n.fault.accept != nil:
		n.sends = append(n.sends, 0)
		go func() {
			n.fault.accept(serverSide)
			conn.reset()
		}()
	case n.fault.unread:
		n.sends = append(n.sends, conn.number)
		time.AfterFunc(time.Second, conn.reset)
	default:
		go n.serve(conn)
	}
	return client, nil
}

func (n *memoryNetwork) serve(conn *serverConn) {
	defer conn.Close()
	for requests := bufio.NewReader(conn); ; {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if n.respond != nil {
			if form, err := url.ParseQuery(string(body)); err != nil || !conn.send(n.respond(form)) {
				return
			}
			continue
		}
		class, known := n.classes[req.URL.Path]
		n.mu.Lock()
		n.sends = append(n.sends, conn.number)
		healthy := n.healthy
		if err != nil || !known || req.Method != http.MethodPost || !bytes.Contains(body, []byte(companyKey)) {
			n.malformed = append(n.malformed, fmt.Sprintf("malformed request %s %s: %v", req.Method, req.URL.Path, err))
		}
		n.mu.Unlock()
		respond := n.fault.respond
		if healthy || respond == nil {
			respond = correctly
		}
		if !respond(conn, class) {
			return
		}
	}
}

func (n *memoryNetwork) closeAll() {
	for _, conn := range n.conns {
		_ = conn.Close()
	}
}

// serverConn is the server side of a connection.
type serverConn struct {
	net.Conn
	client *clientConn
	signed bool
	number int
}

func (s *serverConn) send(text string) bool {
	_, err := io.WriteString(s, text)
	return err == nil
}

// correct returns the correct response to a call, with a signature if the service signs.
func (s *serverConn) correct(c callClass) string {
	header := contentType(c)
	if s.signed {
		header += "Authorization: " + sign(secretKey, c.body) + "\r\n"
	}
	return literal("200 OK", header, c.body)
}

// reset closes the connection so that the client sees ECONNRESET.
func (s *serverConn) reset() {
	s.client.mu.Lock()
	s.client.wasReset = true
	s.client.mu.Unlock()
	_ = s.Close()
}

// clientConn is the client side of a connection. It returns ECONNRESET after a reset and EPIPE after a
// close, as a socket does. A pipe would return the same error in both cases.
type clientConn struct {
	net.Conn
	mu       sync.Mutex
	wasReset bool
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.socketError("read", err)
}

func (c *clientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.socketError("write", err)
}

func (c *clientConn) socketError(op string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.wasReset && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)):
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
	case errors.Is(err, io.ErrClosedPipe) && op == "write":
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.EPIPE)}
	}
	return err
}

// literal returns a complete HTTP response. header is empty or ends with a newline.
func literal(status, header, body string) string {
	return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// literalChunked returns a complete HTTP response in chunks, without a Content-Length.
func literalChunked(header, body string) string {
	const n = 4000
	out := "HTTP/1.1 200 OK\r\n" + header + "Transfer-Encoding: chunked\r\n\r\n"
	for ; body != ""; body = body[min(n, len(body)):] {
		out += fmt.Sprintf("%x\r\n%s\r\n", min(n, len(body)), body[:min(n, len(body))])
	}
	return out + "0\r\n\r\n"
}
