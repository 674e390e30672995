package identomat_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// These tests check when connections are kept, closed and replaced. The services write literal HTTP/1.1
// or HTTP/2 frames.

// http2Conn is the server side of an HTTP/2 connection.
type http2Conn struct {
	net.Conn
	r      *bufio.Reader
	number int // from 1
	silent atomic.Bool
}

// These are HTTP/2 frame types, flags and error codes (RFC 9113, sections 6 and 7).
const (
	dataFrame, headersFrame, resetFrame, settingsFrame, pingFrame, goAwayFrame = 0, 1, 3, 4, 6, 7

	endStream, endHeaders, ack = 1, 4, 1

	noError, protocolError, internalError, refusedStream = 0, 1, 2, 7
)

func (c *http2Conn) frame(kind, flags byte, stream uint32, payload ...byte) {
	frame := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	frame = append(binary.BigEndian.AppendUint32(frame, stream), payload...)
	if !c.silent.Load() {
		_, _ = c.Write(frame)
	}
}

// next reads the next request to the end and returns its stream. It acknowledges settings and pings.
func (c *http2Conn) next() (stream uint32, ok bool) {
	for header := make([]byte, 9); ; {
		if _, err := io.ReadFull(c.r, header); err != nil {
			return 0, false
		}
		payload := make([]byte, int(header[0])<<16|int(header[1])<<8|int(header[2]))
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return 0, false
		}
		switch kind, flags := header[3], header[4]; {
		case (kind == settingsFrame || kind == pingFrame) && flags&ack == 0:
			if kind == settingsFrame {
				payload = nil
			}
			c.frame(kind, ack, 0, payload...)
		case (kind == dataFrame || kind == headersFrame) && flags&endStream != 0:
			return binary.BigEndian.Uint32(header[5:]), true
		}
	}
}

func (c *http2Conn) respond(stream uint32, body string) {
	c.frame(headersFrame, endHeaders, stream, 0x88) // :status 200
	c.frame(dataFrame, endStream, stream, []byte(body)...)
}

func (c *http2Conn) reset(stream uint32, code uint32) {
	c.frame(resetFrame, 0, stream, binary.BigEndian.AppendUint32(nil, code)...)
}

func (c *http2Conn) goAway(last, code uint32) {
	c.frame(goAwayFrame, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)...)
}

// secureService is a service with TLS. It counts its connections.
type secureService struct {
	serve  func(net.Conn, int)
	config *tls.Config
	roots  *x509.CertPool

	conns atomic.Int32
}

// newSecureService returns a service for localhost that speaks one protocol: h2 or http/1.1.
func newSecureService(t *testing.T, protocol string, serve func(conn net.Conn, number int)) *secureService {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s := &secureService{serve: serve, roots: x509.NewCertPool(), config: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{protocol},
	}}
	s.roots.AddCert(certificate)
	return s
}

// http2Service returns a service that speaks HTTP/2.
func http2Service(t *testing.T, serve func(*http2Conn)) *secureService {
	return newSecureService(t, "h2", func(conn net.Conn, number int) {
		c := &http2Conn{Conn: conn, r: bufio.NewReader(conn), number: number}
		if _, err := io.ReadFull(c.r, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err == nil {
			c.frame(settingsFrame, 0, 0)
			serve(c)
		}
	})
}

func (s *secureService) accept(conn net.Conn) {
	secure := tls.Server(conn, s.config)
	defer secure.Close()
	if secure.Handshake() == nil {
		s.serve(secure, int(s.conns.Add(1)))
	}
}

// listen returns the port of a TCP listener, which calls accept for each connection.
func listen(t *testing.T, accept func(net.Conn)) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go accept(conn)
		}
	}()
	_, port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// listen starts a TCP listener for the service and returns the URL.
func (s *secureService) listen(t *testing.T) string {
	t.Helper()
	return "https://localhost:" + listen(t, s.accept)
}

// dial connects a pipe to the service. In a synctest bubble, it is the DialContext of an http.Transport.
func (s *secureService) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	buffered := &bufferedConn{Conn: server, received: make(chan []byte, 1<<10)}
	go buffered.receive()
	go s.accept(buffered)
	return client, nil
}

// bufferedConn buffers received data, as a socket does. Without a buffer, both sides of a pipe could
// write at the same time and block forever.
type bufferedConn struct {
	net.Conn
	received chan []byte
	rest     []byte
}

func (c *bufferedConn) receive() {
	defer close(c.received)
	for {
		buf := make([]byte, 16<<10)
		n, err := c.Conn.Read(buf)
		if err != nil {
			return
		}
		c.received <- buf[:n]
	}
}

func (c *bufferedConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		data, ok := <-c.received
		if !ok {
			return 0, io.EOF
		}
		c.rest = data
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// transport returns a transport that trusts the service.
func (s *secureService) transport() *http.Transport {
	return &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: s.roots}}
}

// clientWithDefaults returns a client that derives its transport from base instead of
// http.DefaultTransport.
func clientWithDefaults(t *testing.T, base *http.Transport, url string, opts ...identomat.Option) *identomat.Client {
	t.Helper()
	before := http.DefaultTransport
	http.DefaultTransport = base
	defer func() { http.DefaultTransport = before }()
	return clientFor(t, url, opts...)
}

// ownAndDefault runs a test with four clients: with the default transport, with signing, with the
// caller's transport, and with a wrapper around the caller's transport.
func (s *secureService) ownAndDefault(t *testing.T, url string, test func(t *testing.T, client *identomat.Client)) {
	own := func(rt http.RoundTripper) identomat.Option {
		return identomat.WithHTTPClient(&http.Client{Transport: rt})
	}
	for name, client := range map[string]func(t *testing.T) *identomat.Client{
		"default": func(t *testing.T) *identomat.Client { return clientWithDefaults(t, s.transport(), url) },
		"signed": func(t *testing.T) *identomat.Client {
			return clientWithDefaults(t, s.transport(), url, identomat.WithHMAC(secretKey))
		},
		"own": func(t *testing.T) *identomat.Client { return clientFor(t, url, own(s.transport())) },
		"wrapped": func(t *testing.T) *identomat.Client {
			transport := s.transport()
			t.Cleanup(transport.CloseIdleConnections)
			return clientFor(t, url, own(roundTrip(transport.RoundTrip)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t)
			test(t, c)
			c.CloseIdleConnections()
		})
	}
}

// Refused streams, and streams above the last stream ID in a GOAWAY, were not processed (RFC 9113,
// section 8.7).
func TestHTTP2UnprocessedStreamRetried(t *testing.T) {
	for name, refuse := range map[string]func(c *http2Conn, stream uint32){
		"refused":                  func(c *http2Conn, stream uint32) { c.reset(stream, refusedStream) },
		"GOAWAY":                   func(c *http2Conn, stream uint32) { c.goAway(stream-2, noError) },
		"GOAWAY with an error":     func(c *http2Conn, stream uint32) { c.goAway(stream-2, internalError) },
		"GOAWAY, then disconnects": func(c *http2Conn, stream uint32) { c.goAway(stream-2, noError); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var refusals, sent atomic.Int32 // refusals is the number of streams to refuse
			service := http2Service(t, func(c *http2Conn) {
				for first := true; ; first = false {
					stream, ok := c.next()
					if !ok {
						return
					}
					if sent.Add(1); !first && refusals.Add(-1) >= 0 {
						refuse(c, stream)
						continue
					}
					c.respond(stream, tokenResponse)
				}
			})
			service.ownAndDefault(t, service.listen(t), func(t *testing.T, client *identomat.Client) {
				refusals.Store(0)
				require.NoError(t, begin(client, t.Context()))
				refusals.Store(1)
				sent.Store(0)
				require.NoError(t, begin(client, t.Context()))
				assert.EqualValues(t, 2, sent.Load())
			})
		})
	}
}

func TestHTTP2RefusedStreamUnderOwnPolicy(t *testing.T) {
	var sent atomic.Int32
	service := http2Service(t, func(c *http2Conn) {
		for stream, ok := c.next(); ok; stream, ok = c.next() {
			sent.Add(1)
			c.reset(stream, refusedStream)
		}
	})
	service.ownAndDefault(t, service.listen(t), func(t *testing.T, client *identomat.Client) {
		sent.Store(0)
		err := begin(client, t.Context())
		var refused *identomat.TransportError
		require.ErrorAs(t, err, &refused)
		assert.Contains(t, err.Error(), "the service refused the HTTP/2 stream")
		assert.Equal(t, 3, refused.Attempts)
		assert.EqualValues(t, 3, sent.Load())
		assert.False(t, refused.MaybeProcessed)
		_, err = client.Documents.Passport(t.Context(), identomat.FileFromReader(strings.NewReader(jpeg), int64(len(jpeg))))
		require.Error(t, err)
		assert.False(t, identomat.MaybeProcessed(err), "a file that can be read only once")
	})
}

func TestHTTP2LostStreamSentOnce(t *testing.T) {
	for name, lose := range map[string]func(c *http2Conn, stream uint32){
		"PROTOCOL_ERROR":             func(c *http2Conn, stream uint32) { c.reset(stream, protocolError) },
		"INTERNAL_ERROR":             func(c *http2Conn, stream uint32) { c.reset(stream, internalError) },
		"GOAWAY includes the stream": func(c *http2Conn, stream uint32) { c.goAway(stream, noError); _ = c.Close() },
		"closed":                     func(c *http2Conn, _ uint32) { _ = c.Close() },
		"GOAWAY with a false text": func(c *http2Conn, stream uint32) {
			text := "http2: Transport: cannot retry err [http2: Transport received Server's graceful shutdown GOAWAY]"
			c.frame(goAwayFrame, 0, 0, append(binary.BigEndian.AppendUint32(nil, stream), "\x00\x00\x00\x00"+text...)...)
			_ = c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int32
			service := http2Service(t, func(c *http2Conn) {
				for stream, ok := c.next(); ok; stream, ok = c.next() {
					sent.Add(1)
					lose(c, stream)
				}
			})
			service.ownAndDefault(t, service.listen(t), func(t *testing.T, client *identomat.Client) {
				sent.Store(0)
				err := begin(client, t.Context())
				var lost *identomat.TransportError
				require.ErrorAs(t, err, &lost)
				assert.True(t, lost.MaybeProcessed)
				assert.Equal(t, 1, lost.Attempts)
				assert.EqualValues(t, 1, sent.Load())
			})
		})
	}
}

// retryingOnce retries a request once after an error, as many RoundTrippers do.
func retryingOnce(base http.RoundTripper) identomat.Option {
	return identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (resp *http.Response, err error) {
		body, _ := io.ReadAll(r.Body)
		for range 2 {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(bytes.NewReader(body))
			if resp, err = base.RoundTrip(again); err == nil {
				break
			}
		}
		return resp, err
	})})
}

// The first response is lost. The second one says that the request was not processed, but the first
// request may have begun a session.
func TestRoundTripperRetryIsMaybeProcessed(t *testing.T) {
	for _, second := range []string{
		literal("429 Too Many Requests", "", ""), literal("421 Misdirected Request", "", ""), literal("425 Too Early", "", ""),
		literal("400 Bad Request", "", `{"argumentError":"wrong-parameters"}`),
	} {
		var requests atomic.Int32
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		url := listenHTTP1(t, func(conn net.Conn) {
			if requests.Add(1) == 1 {
				_ = conn.Close()
				return
			}
			_, _ = io.WriteString(conn, second)
		})
		assert.True(t, identomat.MaybeProcessed(begin(clientFor(t, url, retryingOnce(transport)), t.Context())), second)
		assert.EqualValues(t, 2, requests.Load(), second)
	}

	var streams atomic.Int32
	service := http2Service(t, func(c *http2Conn) {
		for stream, ok := c.next(); ok; stream, ok = c.next() {
			if streams.Add(1) == 1 {
				c.reset(stream, internalError)
			} else {
				c.reset(stream, refusedStream)
			}
		}
	})
	transport := service.transport()
	t.Cleanup(transport.CloseIdleConnections)
	assert.True(t, identomat.MaybeProcessed(begin(clientFor(t, service.listen(t), retryingOnce(transport)), t.Context())))
	assert.EqualValues(t, 2, streams.Load())
}

// errUnused is net/http's text for a connection that closed between the pool and the first write.
var errUnused = errors.New("net/http: cannot rewind body after connection loss")

// More retries than the budget allows must succeed, because the service is not failing.
func TestUnusedConnectionRetriedBeyondBudget(t *testing.T) {
	requests := 0
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		if requests++; requests%2 == 1 {
			return nil, errUnused
		}
		_, _ = io.Copy(io.Discard, r.Body)
		return newResponse(200, tokenResponse), nil
	}, quick)
	for range 100 {
		require.NoError(t, begin(client, t.Context()))
	}
	assert.Equal(t, 200, requests)
}

// The first response is lost, and the second connection closes before it is used.
func TestUnusedConnectionAfterLostResponseIsMaybeProcessed(t *testing.T) {
	var requests atomic.Int32
	url := listenHTTP1(t, func(conn net.Conn) {
		requests.Add(1)
		_ = conn.Close()
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := clientFor(t, url, identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		_, err := transport.RoundTrip(r)
		require.Error(t, err)
		return nil, errUnused
	})}))
	assert.True(t, identomat.MaybeProcessed(begin(client, t.Context())))
	assert.EqualValues(t, 1, requests.Load())
}

// Calls must not fail if the service ends every connection after 50 streams.
func TestHTTP2ShortConnections(t *testing.T) {
	service := http2Service(t, func(c *http2Conn) {
		responses, last := uint32(0), uint32(0)
		for stream, ok := c.next(); ok; stream, ok = c.next() {
			if responses < 50 || stream < last {
				c.respond(stream, tokenResponse)
				responses, last = responses+1, max(last, stream)
			}
			if responses == 50 {
				c.goAway(last, noError)
			}
			if responses >= 50 && responses == (last+1)/2 { // every stream up to last is answered
				_ = c.Conn.(*tls.Conn).CloseWrite()
			}
		}
	})
	client := clientWithDefaults(t, service.transport(), service.listen(t),
		identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 10, BaseDelay: 1}))
	var calls sync.WaitGroup
	for range 16 {
		calls.Go(func() {
			for range 60 {
				assert.NoError(t, begin(client, t.Context()))
			}
		})
	}
	calls.Wait()
	assert.GreaterOrEqual(t, service.conns.Load(), int32(960/51))
}

// silentAfter returns a service whose first connection stops sending after this many responses, but
// still receives.
func silentAfter(t *testing.T, responses int) *secureService {
	return http2Service(t, func(c *http2Conn) {
		for n := 0; ; n++ {
			c.silent.Store(c.number == 1 && n >= responses)
			stream, ok := c.next()
			if !ok {
				return
			}
			c.respond(stream, tokenResponse)
		}
	})
}

func pipeTransport(s *secureService) *http.Transport {
	transport := s.transport()
	transport.DialContext = s.dial
	return transport
}

func restart(c *identomat.Client, ctx context.Context) error {
	_, err := c.Call(ctx, identomat.Endpoint{Name: "restart", Retryable: true}, nil)
	return err
}

// If a connection's packets are dropped, the client receives no error.
func TestDeadHTTP2ConnectionFoundWithinAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := silentAfter(t, 1)
		client := clientWithDefaults(t, pipeTransport(service), "https://localhost")
		require.NoError(t, restart(client, t.Context()))
		start := time.Now()
		require.NoError(t, restart(client, t.Context()))
		assert.Less(t, time.Since(start), 30*time.Second, "half of the attempt timeout")
		assert.EqualValues(t, 2, service.conns.Load())
		client.CloseIdleConnections()
	})
}

func TestDeadHTTP2ConnectionNotUsedAfterTimeout(t *testing.T) {
	upload := func(c *identomat.Client, ctx context.Context) error {
		_, err := c.Documents.Passport(ctx, image())
		return err
	}
	for name, c := range map[string]struct {
		call    func(*identomat.Client, context.Context) error
		limit   time.Duration // timeout of the caller's context
		retried bool
	}{
		"read":              {restart, time.Hour, true},
		"read, deadline":    {restart, 3 * time.Second, false},
		"begin":             {begin, time.Hour, false},
		"begin, deadline":   {begin, 3 * time.Second, false},
		"upload":            {upload, time.Hour, false},
		"upload, canceled":  {upload, 3 * time.Second, false},
		"streamed response": {func(c *identomat.Client, ctx context.Context) error { _, err := face(ctx, c); return err }, 3 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := silentAfter(t, 1)
				transport := pipeTransport(service)
				client := clientFor(t, "https://localhost", identomat.WithHTTPClient(&http.Client{Transport: roundTrip(transport.RoundTrip)}))
				require.NoError(t, restart(client, t.Context()))
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				start := time.Now()
				err := c.call(client, ctx)
				assert.Equal(t, c.retried, err == nil, "%v", err)
				assert.Equal(t, min(time.Minute, c.limit), time.Since(start).Truncate(time.Second))
				synctest.Wait()
				start = time.Now()
				require.NoError(t, restart(client, t.Context()))
				assert.Zero(t, time.Since(start))
				assert.EqualValues(t, 2, service.conns.Load())
				transport.CloseIdleConnections()
			})
		})
	}
}

// A timeout must not close a connection on which other calls still receive data.
func TestLiveHTTP2ConnectionSurvivesTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := http2Service(t, func(c *http2Conn) {
			_, _ = c.next() // the slow call
			for {
				stream, ok := c.next()
				if !ok {
					return
				}
				time.Sleep(7 * time.Second)
				c.respond(stream, tokenResponse)
			}
		})
		transport := pipeTransport(service)
		client := clientFor(t, "https://localhost", identomat.WithHTTPClient(&http.Client{Transport: transport}))
		var slow sync.WaitGroup
		slow.Go(func() { assert.Error(t, begin(client, t.Context())) })
		synctest.Wait()
		for range 20 {
			require.NoError(t, begin(client, t.Context()))
		}
		slow.Wait()
		assert.EqualValues(t, 1, service.conns.Load())
		transport.CloseIdleConnections()
	})
}

// The client must close each idle connection before the service does.
func TestIdleConnectionClosedEarly(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		synctest.Test(t, func(t *testing.T) {
			service := http2Service(t, func(c *http2Conn) {
				for stream, ok := c.next(); ok; stream, ok = c.next() {
					c.respond(stream, tokenResponse)
				}
			})
			if protocol == "http/1.1" {
				service = http1Service(t, func(conn net.Conn) { _, _ = io.WriteString(conn, literal("200 OK", "", tokenResponse)) })
			}
			client := clientWithDefaults(t, pipeTransport(service), "https://localhost")
			for range 3 {
				require.NoError(t, begin(client, t.Context()))
				time.Sleep(20 * time.Second)
			}
			assert.EqualValues(t, 1, service.conns.Load(), protocol)
			time.Sleep(25 * time.Second)
			require.NoError(t, begin(client, t.Context()))
			assert.EqualValues(t, 2, service.conns.Load(), protocol)
			client.CloseIdleConnections()
		})
	}
}

// http1Service returns a service that calls respond for every request.
func http1Service(t *testing.T, respond func(conn net.Conn)) *secureService {
	return newSecureService(t, "http/1.1", func(conn net.Conn, _ int) { serveHTTP1(conn, respond) })
}

func serveHTTP1(conn net.Conn, respond func(conn net.Conn)) {
	defer conn.Close()
	for requests := bufio.NewReader(conn); ; {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		respond(conn)
	}
}

// listenHTTP1 is http1Service without TLS. It returns the URL.
func listenHTTP1(t *testing.T, respond func(conn net.Conn)) string {
	t.Helper()
	return "http://127.0.0.1:" + listen(t, func(conn net.Conn) { serveHTTP1(conn, respond) })
}

// Bytes that follow a response may be personal data. net/http would log them.
func TestBytesAfterResponseNotLogged(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	const name = "გიორგი ბერიძე"
	body := `{"result":"approved","name":"` + name + `","personal_number":"01001012345"}`
	for name, response := range map[string]string{
		"length in characters": "HTTP/1.1 200 OK\r\nContent-Length: " + fmt.Sprint(len([]rune(body))) + "\r\n\r\n" + body,
		"length 0":             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + body,
		"no content":           "HTTP/1.1 204 No Content\r\n\r\n" + body,
		"after the last chunk": literalChunked("", body) + body,
		"after a trailer":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\n" + body,
		"after 100":            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + body,
		"second response":      literal("200 OK", "", body) + literal("200 OK", "", body),
		"error":                "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}" + body,
		"line feeds alone":     "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}" + body,
		"picture":              "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 100\r\n\r\n" + picture(1000),
		"later":                literal("200 OK", "", body),
	} {
		closed := make(chan struct{}, 20)
		respond := func(conn net.Conn) {
			_, _ = io.WriteString(conn, response)
			for name == "later" {
				if _, err := io.WriteString(conn, body); err != nil {
					break
				}
			}
			_, _ = io.Copy(io.Discard, conn)
			closed <- struct{}{}
		}
		secure := http1Service(t, respond)
		for _, client := range []*identomat.Client{
			clientWithDefaults(t, &http.Transport{}, listenHTTP1(t, respond), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})),
			clientWithDefaults(t, secure.transport(), secure.listen(t), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})),
		} {
			_ = getResult(client, t.Context())
			<-closed
			if media, err := face(t.Context(), client); err == nil {
				_, _ = io.Copy(io.Discard, media)
			}
			<-closed
		}
		assert.Empty(t, logged.String(), name)
		logged.Reset()
	}
}

// The default transport must keep a connection after any well-formed response.
func TestDefaultTransportKeepsConnections(t *testing.T) {
	responses := []string{
		literal("200 OK", "", `{"result":"approved"}`), literalChunked("", `{"result":"`+strings.Repeat("x", 9000)+`"}`),
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + literal("200 OK", "", `{"result":"approved"}`),
		"HTTP/1.1 204 No Content\r\n\r\n", literal("404 Not Found", "", ""), literal("500 Internal Server Error", "", strings.Repeat("x", 20_000)),
		"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2 \r\n\r\n{}",
	}
	var n atomic.Int32
	secure := newSecureService(t, "http/1.1", nil)
	secure.serve = func(conn net.Conn, _ int) {
		serveHTTP1(conn, func(conn net.Conn) {
			response := responses[int(n.Add(1))%len(responses)]
			for ; response != ""; response = response[min(len(response), 7):] {
				_, _ = io.WriteString(conn, response[:min(len(response), 7)])
			}
		})
	}
	client := clientWithDefaults(t, secure.transport(), secure.listen(t), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	for range 5 * len(responses) {
		_ = getResult(client, t.Context())
	}
	assert.EqualValues(t, 5*len(responses), n.Load())
	assert.EqualValues(t, 1, secure.conns.Load())
}

// zeros is an endless reader of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The service responds after 1,000 bytes of a 40 MiB upload, so it cannot have read the image.
func TestUploadAnsweredEarlyIsUnexpected(t *testing.T) {
	for body, want := range map[string]error{
		documentResponse: identomat.ErrUnexpectedResponse, `{"argumentError":"company-key-invalid"}`: identomat.ErrInvalidKey,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.ReadFull(conn, make([]byte, 1000))
			_, _ = io.WriteString(conn, literal("200 OK", "Content-Type: application/json\r\n", body))
			_, _ = io.Copy(io.Discard, conn)
		}()
		const size = 40 << 20
		client := clientFor(t, "http://"+listener.Addr().String())
		_, err = client.Documents.Passport(t.Context(), identomat.FileFromReader(io.MultiReader(strings.NewReader(jpeg), io.LimitReader(zeros{}, size)), int64(len(jpeg)+size)))
		require.ErrorIs(t, err, want)
		assert.Equal(t, want == identomat.ErrUnexpectedResponse, identomat.MaybeProcessed(err))
	}
}

// An http.Client without a Transport uses the SDK's transport.
func TestHTTPClientWithoutTransportUsesDefault(t *testing.T) {
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	synctest.Test(t, func(t *testing.T) {
		service := silentAfter(t, 1)
		http.DefaultTransport = pipeTransport(service)
		client := clientFor(t, "https://localhost", identomat.WithHTTPClient(&http.Client{Timeout: time.Hour}))
		require.NoError(t, restart(client, t.Context()))
		start := time.Now()
		require.NoError(t, restart(client, t.Context()))
		assert.Less(t, time.Since(start), 30*time.Second)
		client.CloseIdleConnections()
	})
}

// A program has replaced http.DefaultTransport with a zero Transport and used it.
func TestReplacedDefaultTransportSpeaksHTTP2(t *testing.T) {
	service := http2Service(t, func(c *http2Conn) {
		for stream, ok := c.next(); ok; stream, ok = c.next() {
			c.respond(stream, tokenResponse)
		}
	})
	base := &http.Transport{}
	base.CloseIdleConnections() // enables HTTP/2, as a request does
	base.TLSClientConfig.RootCAs = service.roots
	client := clientWithDefaults(t, base, service.listen(t), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, begin(client, t.Context()))
}

func TestHandshakeTimeoutIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &http.Transport{TLSHandshakeTimeout: time.Second, DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, server) }()
			return client, nil
		}}
		err := begin(clientWithDefaults(t, transport, "https://localhost"), t.Context())
		require.ErrorContains(t, err, "TLS handshake timeout")
		assert.False(t, identomat.MaybeProcessed(err))
	})
}

// A DialContext may return a type that cannot be a map key.
func TestConnectionThatIsNotComparable(t *testing.T) {
	type conn struct {
		net.Conn
		_ []byte
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return conn{Conn: c}, err
	}}
	url := listenHTTP1(t, func(conn net.Conn) { _, _ = io.WriteString(conn, literal("200 OK", "", tokenResponse)) })
	require.NoError(t, begin(clientFor(t, url, identomat.WithHTTPClient(&http.Client{Transport: transport})), t.Context()))
}

func TestResponseHeaderBounded(t *testing.T) {
	var written atomic.Int64
	client := clientWithDefaults(t, &http.Transport{}, listenHTTP1(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for range 10_000 {
			n, err := io.WriteString(conn, "X-Padding: "+strings.Repeat("x", 1000)+"\r\n")
			if written.Add(int64(n)); err != nil {
				return
			}
		}
		_, _ = io.WriteString(conn, "Content-Length: 21\r\n\r\n"+`{"result":"approved"}`)
	}), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	err := getResult(client, t.Context())
	var large *identomat.TransportError
	require.ErrorAs(t, err, &large)
	assert.Less(t, written.Load(), int64(9<<20), "what the sockets buffer")

	client = clientWithDefaults(t, &http.Transport{}, listenHTTP1(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, literal("200 OK", "X-Padding: "+strings.Repeat("x", 30_000)+"\r\n", `{"result":"approved"}`))
	}))
	require.NoError(t, getResult(client, t.Context()))
}

// With an Idempotency-Key header, net/http could retry over HTTP/1.1 after a lost response.
func TestIdempotencyKeySendsOnce(t *testing.T) {
	var sent atomic.Int32
	url := listenHTTP1(t, func(conn net.Conn) {
		if sent.Add(1) == 1 {
			_, _ = io.WriteString(conn, literal("200 OK", "", tokenResponse))
			return
		}
		_ = conn.Close()
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := clientFor(t, url, identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		r.Header.Set("Idempotency-Key", "1")
		return transport.RoundTrip(r)
	})}))
	require.NoError(t, begin(client, t.Context()))
	err := begin(client, t.Context())
	require.Error(t, err)
	assert.True(t, identomat.MaybeProcessed(err))
	assert.EqualValues(t, 2, sent.Load())
}
