package engine

import (
	"net"
	"net/http/httptrace"
	"reflect"
	"sync"
	"time"
)

// connections records how many attempts use each connection, so that an attempt that timed out or
// was canceled can close a connection that seems dead. Otherwise, net/http would send every later
// request over a dead HTTP/2 connection.
type connections struct {
	mu    sync.Mutex
	inUse map[net.Conn]activity
}

// activity describes a connection that attempts are using.
type activity struct {
	attempts int
	heard    time.Time // last sign of life, or start of the first attempt
}

// silence is how long a connection may be silent while several attempts use it.
const silence = 10 * time.Second

// use is an attempt's use of a connection.
type use struct {
	of   *connections
	conn net.Conn
	over bool
	had  bool // net/http has reported a connection
}

// watch makes trace report the connection to u.
func (u *use) watch(of *connections, trace *httptrace.ClientTrace) {
	u.of = of
	trace.GotConn = func(info httptrace.GotConnInfo) { u.begin(info.Conn) }
}

func (u *use) begin(conn net.Conn) {
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	u.leave()
	u.had = true
	if conn == nil || u.over || !reflect.ValueOf(conn).Comparable() {
		return
	}
	a, used := u.of.inUse[conn]
	if !used {
		a.heard = time.Now()
	}
	a.attempts++
	u.conn, u.of.inUse[conn] = conn, a
}

func (u *use) hadConn() bool {
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	return u.had
}

// leave ends the use and returns the connection's activity.
func (u *use) leave() (a activity) {
	if u.conn == nil {
		return a
	}
	a = u.of.inUse[u.conn]
	if a.attempts--; a.attempts == 0 {
		delete(u.of.inUse, u.conn)
	} else {
		u.of.inUse[u.conn] = a
	}
	u.conn = nil
	return a
}

func (u *use) heard() {
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	if a, used := u.of.inUse[u.conn]; used {
		a.heard = time.Now()
		u.of.inUse[u.conn] = a
	}
}

// end ends the use for good. If the attempt timed out or was canceled, end closes the connection,
// as net/http does with HTTP/1.1, unless another attempt uses the connection and the service was heard
// from recently.
func (u *use) end(canceled bool) {
	u.of.mu.Lock()
	defer u.of.mu.Unlock() // a new attempt waits for mu before it uses the connection
	conn := u.conn
	a := u.leave()
	u.over = true
	if conn == nil || !canceled || a.attempts > 0 && time.Since(a.heard) < silence {
		return
	}
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn() // closing TLS would write, which may block
	}
	_ = conn.Close()
}
