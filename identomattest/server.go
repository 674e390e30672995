package identomattest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
)

// Keys of a server that was started without [WithKeys] and [WithCallbackKey]. They are long enough
// to search logs for, and obviously not real.
const (
	DefaultCompanyKey  = "fake-company-key-7c1e93d5a04b4f6e8b2d-identomattest"
	DefaultSecretKey   = "fake-secret-key-e9b80f27d6c54a1193fa-identomattest"
	DefaultCallbackKey = "fake-callback-key-31d7aa60c2e94b58bf04-identomattest"
)

// TB is the part of [testing.TB] that [NewServer] and [Server.AssertRequest] need. The methods are
// those of [testing.TB].
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	// WidgetURL and APIURL are the base URLs of the two hosts, such as "http://127.0.0.1:49152".
	// They replace https://widget.identomat.com and https://external-api.identomat.com.
	WidgetURL string
	APIURL    string
	// CompanyKey and SecretKey are the keys that the server accepts. Changing these fields does
	// not affect the server.
	CompanyKey string
	SecretKey  string
	// CallbackKey is the callbackApiKey of the callbacks that the server posts.
	CallbackKey string

	onlyCompany         Company // unless WithCompanies is given
	companies           []*company
	secrets             []string // see secretTexts
	allowAll            bool
	allowNames          []string
	widgetAddr, apiAddr string
	clock               func() time.Time
	offset              atomic.Int64 // a time.Duration to add to the clock
	latency             time.Duration
	seed                *uint64
	dataURI             DataURI
	bareFiles           bool
	deletedDocuments    bool
	extraConfigs        []string
	statusCallback      string
	hosts               []string
	logFunc             func(format string, args ...any)
	tb                  TB

	servers []*http.Server
	serving sync.WaitGroup
	closing chan struct{}
	once    sync.Once

	// mu guards everything below.
	mu       sync.Mutex
	closed   bool
	active   int           // number of requests being served
	idle     chan struct{} // closed when the server is closed and no request is being served
	newConns map[net.Conn]struct{}
	release  chan struct{}
	random   io.Reader
	requests []*Request     // the latest ones, at most maxRequests
	counts   map[string]int // number of requests by operation
	faults   []*scheduledFault
	configs  map[string]object
	sessions map[string]*session
	order    []*session
}

// Option configures a server.
type Option func(*Server)

// WithAddr sets the addresses that the two hosts listen on, such as "127.0.0.1:8080". An empty
// address selects a free port of the loopback interface. Anyone who can reach the widget host can
// decide its sessions.
func WithAddr(widget, api string) Option {
	return func(s *Server) { s.widgetAddr, s.apiAddr = widget, api }
}

// WithKeys replaces [DefaultCompanyKey] and [DefaultSecretKey]. Keys have at least 8 characters, because the
// server masks them wherever they occur in a text.
func WithKeys(companyKey, secretKey string) Option {
	return func(s *Server) { s.onlyCompany.CompanyKey, s.onlyCompany.SecretKey = companyKey, secretKey }
}

// WithCallbackKey replaces [DefaultCallbackKey].
func WithCallbackKey(key string) Option {
	return func(s *Server) { s.onlyCompany.CallbackKey = key }
}

// WithStatusCallback makes the server post a [PlainCallback] of this type to the URL from
// [Server.SetCallbackURL] whenever a session is decided: on the page, through the control API, and by
// [Server.Approve], [Server.Reject], [Server.ManualCheck] and [Server.SetResult]. Identomat does not
// publish the types of its status callbacks, so by default, the server posts none.
//
// When the server posts the callback, result/ already has the decision. The method or request that
// decided the session waits up to ten seconds for the response. The server logs a callback that fails.
func WithStatusCallback(callbackType string) Option {
	return func(s *Server) { s.statusCallback = callbackType }
}

// WithLogf sets the function that logs refused requests and failed callbacks. By default, a server from
// [NewServer] logs to the test, and a server from [Start] does not log.
func WithLogf(logf func(format string, args ...any)) Option {
	return func(s *Server) { s.logFunc = logf }
}

// RequireHMAC makes the company key an HMAC key: the server refuses unsigned requests. Without this
// option, the server accepts unsigned requests, and verifies the signature of a signed request.
func RequireHMAC() Option {
	return func(s *Server) { s.onlyCompany.RequireHMAC = true }
}

// WithClock replaces [time.Now] for timestamps and expiry.
func WithClock(now func() time.Time) Option {
	return func(s *Server) { s.clock = now }
}

// WithLatency delays every response from the API.
func WithLatency(d time.Duration) Option {
	return func(s *Server) { s.latency = d }
}

// AllowUnknown makes the server accept the named parameters, flags, step types and question types,
// although Identomat's API documentation does not list them. Without names, it accepts any. It adds no
// endpoints: test [identomat.Client.Call] with your own transport.
func AllowUnknown(names ...string) Option {
	return func(s *Server) {
		s.allowAll = s.allowAll || len(names) == 0
		s.allowNames = append(s.allowNames, names...)
	}
}

// WithConfiguration adds a session configuration: a JSON object with an id and steps, like the
// result of get-session-config.
func WithConfiguration(rawJSON string) Option {
	return func(s *Server) { s.extraConfigs = append(s.extraConfigs, rawJSON) }
}

// NewServer starts a server and closes it when the test ends. It logs each refused request and the
// reason to the test.
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

// Start starts a server. The caller must close it.
func Start(opts ...Option) (*Server, error) { return start(nil, opts) }

func start(tb TB, opts []Option) (*Server, error) {
	s := &Server{
		onlyCompany: Company{CompanyKey: DefaultCompanyKey, SecretKey: DefaultSecretKey, CallbackKey: DefaultCallbackKey},
		clock:       time.Now,
		tb:          tb,
		closing:     make(chan struct{}),
		idle:        make(chan struct{}),
		newConns:    map[net.Conn]struct{}{},
		release:     make(chan struct{}),
		counts:      map[string]int{},
		configs:     map[string]object{},
		sessions:    map[string]*session{},
	}
	for _, opt := range opts {
		opt(s)
	}
	if s.companies == nil {
		s.companies = []*company{{Company: s.onlyCompany}}
	}
	if err := checkCompanies(s.companies); err != nil {
		return nil, fmt.Errorf("identomattest: %w", err)
	}
	s.secrets = secretTexts(s.companies)
	for _, c := range s.companies {
		c.clear()
	}
	s.reseed()
	for _, name := range s.hosts {
		if name == "" || strings.ContainsAny(name, ":/") {
			return nil, fmt.Errorf("identomattest: WithHosts: %q is not a host name without a port", name)
		}
	}
	s.CompanyKey, s.SecretKey, s.CallbackKey = s.companies[0].CompanyKey, s.companies[0].SecretKey, s.companies[0].CallbackKey
	for _, raw := range append([]string{sampleConfiguration}, s.extraConfigs...) {
		if err := s.addConfiguration(raw); err != nil {
			return nil, err
		}
	}
	widget, err := listen(s.widgetAddr, &s.WidgetURL)
	if err != nil {
		return nil, fmt.Errorf("identomattest: %w", err)
	}
	api, err := listen(s.apiAddr, &s.APIURL)
	if err != nil {
		_ = widget.Close()
		return nil, fmt.Errorf("identomattest: %w", err)
	}
	// A request may need both URLs.
	s.serveOn(operation.Widget, widget)
	s.serveOn(operation.API, api)
	return s, nil
}

func listen(addr string, url *string) (net.Listener, error) {
	ln, err := net.Listen("tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err == nil {
		*url = "http://" + dialAddr(ln.Addr())
	}
	return ln, err
}

func (s *Server) serveOn(host operation.Host, ln net.Listener) {
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(host, w, r) }),
		ConnState:         s.connState,
		ErrorLog:          log.New(logWriter{s}, "", 0),
		ReadHeaderTimeout: 30 * time.Second,
	}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(ln) })
}

// dialAddr returns an address that clients can dial. It replaces the unspecified address, which means
// all interfaces, with loopback.
func dialAddr(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// closeGrace is how long Close waits for running requests.
const closeGrace = 5 * time.Second

// Close aborts responses that a fault is holding back, waits for other running requests, and stops
// the server. Further calls have no effect.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closing)
		s.mu.Lock()
		s.closed = true
		if s.active == 0 {
			close(s.idle)
		}
		// Shutdown would wait for connections that have not carried a request.
		for conn := range s.newConns {
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

// connState tracks the connections that have not carried a request yet.
func (s *Server) connState(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != http.StateNew {
		delete(s.newConns, conn)
		return
	}
	s.newConns[conn] = struct{}{}
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

func (s *Server) now() time.Time { return s.clock().Add(time.Duration(s.offset.Load())) }

// Advance moves the server's clock forward, to let sessions expire for example. It does not shorten the
// waits of faults and of [WithLatency].
func (s *Server) Advance(d time.Duration) { s.offset.Add(int64(d)) }

func (s *Server) logf(format string, args ...any) {
	text := s.mask(fmt.Sprintf(format, args...))
	switch {
	case s.logFunc != nil:
		s.logFunc("%s", text)
	case s.tb != nil:
		s.tb.Helper()
		s.tb.Logf("identomattest: %s", text)
	}
}

// misuse returns an error about a mistake in the test itself, and reports it to the test.
func (s *Server) misuse(format string, args ...any) error {
	err := fmt.Errorf("identomattest: "+format, args...)
	if s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("%v", err)
	}
	return err
}

// logWriter receives the log from net/http, in particular panics. If the server has neither a test nor
// a log function, logWriter writes to the standard logger.
type logWriter struct{ s *Server }

func (w logWriter) Write(p []byte) (int, error) {
	if w.s.tb == nil && w.s.logFunc == nil {
		log.Print(w.s.mask(strings.TrimSpace(string(p))))
	} else {
		w.s.logf("%s", strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
