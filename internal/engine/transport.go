package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"
)

const (
	// idleTimeout is below the 60 s or more of common servers and load balancers, because a
	// request may be lost on a connection that the other side is closing.
	idleTimeout = 30 * time.Second
	// Pings detect a dead HTTP/2 connection within one attempt.
	pingAfter, pingTimeout = 15 * time.Second, 10 * time.Second
	// maxHeader far exceeds the header of any response.
	maxHeader = 64 << 10
)

// DefaultTransport returns [http.DefaultTransport] with its own connection pool. It detects dead
// connections and extra bytes after a response. If a program has replaced http.DefaultTransport
// with another type, DefaultTransport returns the replacement.
func DefaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	// On its first use, a transport without settings enables HTTP/2. A clone made after that offers
	// HTTP/2 to servers, but does not speak it.
	if t.TLSNextProto == nil && t.TLSClientConfig != nil && slices.Contains(t.TLSClientConfig.NextProtos, "h2") {
		t.ForceAttemptHTTP2 = true
	}
	// A client calls only one or two hosts. With the default of two idle connections per host, a busy
	// service would dial for most calls.
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	if t.IdleConnTimeout == 0 || t.IdleConnTimeout > idleTimeout {
		t.IdleConnTimeout = idleTimeout
	}
	if t.MaxResponseHeaderBytes == 0 {
		t.MaxResponseHeaderBytes = maxHeader
	}
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	if t.HTTP2.SendPingTimeout == 0 {
		t.HTTP2.SendPingTimeout, t.HTTP2.PingTimeout = pingAfter, pingTimeout
	}
	//lint:ignore SA1019 a program may have set them in http.DefaultTransport
	if t.Dial == nil && t.DialTLS == nil && t.DialTLSContext == nil {
		dialExact(t)
	}
	return t
}

// dialExact makes t dial an exactConn for HTTP/1.1.
func dialExact(t *http.Transport) {
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &exactConn{Conn: conn}, nil
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		config := t.TLSClientConfig.Clone()
		if config == nil {
			config = &tls.Config{}
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(addr)
		}
		secure := tls.Client(conn, config)
		if t.TLSHandshakeTimeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, t.TLSHandshakeTimeout, errHandshakeTimeout)
			defer cancel()
		}
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			if context.Cause(ctx) == errHandshakeTimeout {
				return nil, errHandshakeTimeout
			}
			return nil, err
		}
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return secure, nil
		}
		return &exactConn{Conn: secure}, nil
	}
}

var errHandshakeTimeout = errors.New("TLS handshake timeout")
