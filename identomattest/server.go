package identomattest

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
)

// Keys of a server that was started without WithKeys: long enough to be searched for in
// logs, and plainly not real.
const (
	DefaultCompanyKey  = "fake-company-key-7c1e93d5a04b4f6e8b2d-identomattest"
	DefaultSecretKey   = "fake-secret-key-e9b80f27d6c54a1193fa-identomattest"
	DefaultCallbackKey = "fake-callback-key-31d7aa60c2e94b58bf04-identomattest"
)

// TB is the part of testing.TB that NewServer needs. The methods are those of testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Server is a running fake. Its methods may be called from any goroutine.
type Server struct {
	// WidgetURL and APIURL are the two hosts, such as "http://127.0.0.1:49152". They stand for
	// https://widget.identomat.com and https://external-api.identomat.com.
	WidgetURL string
	APIURL    string
	// CompanyKey and SecretKey are the keys that the server knows. Changing these fields
	// does not change the server.
	CompanyKey string
	SecretKey  string
	// CallbackKey is the callbackApiKey of the callbacks that the server sends.
	CallbackKey string

	companyKey, secretKey, callbackKey string
	requireHMAC                        bool
	allowAll                           bool
	allowNames                         []string
	widgetAddr, apiAddr                string
	clock                              func() time.Time
	dataURI                            DataURI
	bareFiles                          bool
	extraConfigs                       []string
	callbackURL                        string
	statusCallback                     string
	hosts                              []string
	sink                               func(format string, args ...any)
	tb                                 TB

	servers []*http.Server
	serving sync.WaitGroup
	closing chan struct{}
	once    sync.Once

	// mu guards everything below.
	mu       sync.Mutex
	closed   bool
	active   int           // requests being served
	idle     chan struct{} // closed when active falls to zero after closing
	fresh    map[net.Conn]struct{}
	release  chan struct{}
	requests []*Request
	faults   []*scheduledFault
	configs  map[string]object
	sessions map[string]*session
	order    []*session

	monitoring []*monitored
	blacklist  []blacklisted
	groups     []*group
	users      []user
}

// Option changes a server before it starts.
type Option func(*Server)

// WithAddr lets the two hosts listen on fixed addresses, such as "127.0.0.1:8080". An empty
// address takes a free port of the loopback interface. Whoever reaches the widget host can
// decide its sessions.
func WithAddr(widget, api string) Option {
	return func(s *Server) { s.widgetAddr, s.apiAddr = widget, api }
}

// WithKeys replaces the two default keys.
func WithKeys(companyKey, secretKey string) Option {
	return func(s *Server) { s.companyKey, s.secretKey = companyKey, secretKey }
}

// WithCallbackKey replaces the default callbackApiKey.
func WithCallbackKey(key string) Option {
	return func(s *Server) { s.callbackKey = key }
}

// WithCallbackURL lets the widget post the callback that asks for a one-time password to
// this address when a person has entered a phone number or an email address to be verified.
// The server of the callbacks must listen before the fake starts; its client is made after.
func WithCallbackURL(url string) Option {
	return func(s *Server) { s.callbackURL = url }
}

// WithStatusCallback posts a [PlainCallback] of this type to the address of
// [WithCallbackURL] whenever a session is settled: on the page, by Approve, Reject,
// ManualCheck and SetResult, and by the control API. The types of the true service's status
// callbacks are not published, so there is none by default.
//
// It is sent once the decision can be read from result/, and answered before the method
// returns; a company that does not answer is given up after ten seconds. What became of it
// is in the log.
func WithStatusCallback(callbackType string) Option {
	return func(s *Server) { s.statusCallback = callbackType }
}

// WithLogf receives what the server has to say, refused requests above all. Without it the
// log of the test receives it, or nobody.
func WithLogf(logf func(format string, args ...any)) Option {
	return func(s *Server) { s.sink = logf }
}

// RequireHMAC makes the company key one of the HMAC type: a request without a signature
// is refused. Without this option a signature is checked when there is one.
func RequireHMAC() Option {
	return func(s *Server) { s.requireHMAC = true }
}

// WithClock replaces time.Now for everything the server dates or lets expire.
func WithClock(now func() time.Time) Option {
	return func(s *Server) { s.clock = now }
}

// AllowUnknown lets parameters, flags, step types and question types pass that no
// document lists: those named, or all of them when none is.
func AllowUnknown(names ...string) Option {
	return func(s *Server) {
		s.allowAll = s.allowAll || len(names) == 0
		s.allowNames = append(s.allowNames, names...)
	}
}

// WithConfiguration adds a session configuration: a JSON object like the result of
// get-session-config, with an id and steps.
func WithConfiguration(rawJSON string) Option {
	return func(s *Server) { s.extraConfigs = append(s.extraConfigs, rawJSON) }
}

// NewServer starts a server that closes itself when the test ends. Requests that it
// refuses, and why, are in the log of the test.
func NewServer(t TB, opts ...Option) *Server {
	t.Helper()
	s, err := start(t, opts)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server that runs until Close.
func Start(opts ...Option) (*Server, error) { return start(nil, opts) }

func start(tb TB, opts []Option) (*Server, error) {
	s := &Server{
		companyKey:  DefaultCompanyKey,
		secretKey:   DefaultSecretKey,
		callbackKey: DefaultCallbackKey,
		clock:       time.Now,
		tb:          tb,
		closing:     make(chan struct{}),
		idle:        make(chan struct{}),
		fresh:       map[net.Conn]struct{}{},
		release:     make(chan struct{}),
		configs:     map[string]object{},
		sessions:    map[string]*session{},
		users:       []user{administrator},
	}
	for _, opt := range opts {
		opt(s)
	}
	if s.statusCallback != "" && s.callbackURL == "" {
		return nil, errors.New("identomattest: WithStatusCallback needs an address: add WithCallbackURL")
	}
	s.CompanyKey, s.SecretKey, s.CallbackKey = s.companyKey, s.secretKey, s.callbackKey
	for _, raw := range append([]string{sampleConfiguration}, s.extraConfigs...) {
		if err := s.addConfiguration(raw); err != nil {
			return nil, err
		}
	}
	for _, host := range []struct {
		host operation.Host
		addr string
		url  *string
	}{{operation.Widget, s.widgetAddr, &s.WidgetURL}, {operation.API, s.apiAddr, &s.APIURL}} {
		if err := s.listen(host.host, host.addr, host.url); err != nil {
			s.Close()
			return nil, fmt.Errorf("identomattest: %w", err)
		}
	}
	return s, nil
}

func (s *Server) listen(host operation.Host, addr string, url *string) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	*url = "http://" + reachable(ln.Addr())
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(host, w, r) }),
		ConnState:         s.connState,
		ErrorLog:          log.New(logWriter{s}, "", 0),
		ReadHeaderTimeout: 30 * time.Second,
	}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(ln) })
	return nil
}

// reachable is an address to call: one that stands for all interfaces is none.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// closeGrace is how long Close lets running requests finish.
const closeGrace = 5 * time.Second

// Close ends replies that a fault is holding back, lets the other running requests
// finish, and stops the server. Closing twice is no error.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closing)
		s.mu.Lock()
		s.closed = true
		if s.active == 0 {
			close(s.idle)
		}
		// A connection that was opened and never used would hold Shutdown up.
		for conn := range s.fresh {
			_ = conn.Close()
		}
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		for _, server := range s.servers {
			if server.Shutdown(ctx) != nil {
				_ = server.Close()
			}
		}
		<-s.idle
		s.serving.Wait()
	})
}

// connState remembers the connections that have not carried a request yet.
func (s *Server) connState(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != http.StateNew {
		delete(s.fresh, conn)
		return
	}
	s.fresh[conn] = struct{}{}
	if s.closed {
		_ = conn.Close()
	}
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.active++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if s.closed && s.active == 0 {
		close(s.idle)
	}
}

func (s *Server) now() time.Time { return s.clock() }

func (s *Server) logf(format string, args ...any) {
	text := s.mask(fmt.Sprintf(format, args...))
	switch {
	case s.sink != nil:
		s.sink("%s", text)
	case s.tb != nil:
		s.tb.Helper()
		s.tb.Logf("identomattest: %s", text)
	}
}

// misuse reports a mistake of the test itself.
func (s *Server) misuse(format string, args ...any) error {
	err := fmt.Errorf("identomattest: "+format, args...)
	if s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("%v", err)
	}
	return err
}

// logWriter carries what net/http has to say, a panic above all, to the log of the test.
type logWriter struct{ s *Server }

func (w logWriter) Write(p []byte) (int, error) {
	if w.s.tb == nil && w.s.sink == nil {
		log.Print(w.s.mask(strings.TrimSpace(string(p))))
	} else {
		w.s.logf("%s", strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
