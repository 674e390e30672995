package idenfytest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/internal/fake"
)

// Keys of a server that was started without [WithKeys] and [WithSigningKey]. They are long enough
// to search logs for, and obviously not real.
const (
	DefaultAPIKey     = "fake-api-key-4f0d62b7c91e-idenfytest"
	DefaultAPISecret  = "fake-api-secret-a83c5d0e7f29-idenfytest"
	DefaultSigningKey = "fake-signing-key-6b1e94d7c350-idenfytest"
)

// TB is the part of [testing.TB] that [NewServer] needs. The methods are those of [testing.TB].
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	// URL is the base URL, such as "http://127.0.0.1:49152". It replaces https://ivs.idenfy.com.
	URL string
	// APIKey and APISecret are the keys that the server accepts. SigningKey is the key that signs
	// webhooks. Changing these fields does not affect the server.
	APIKey, APISecret, SigningKey string

	apiKey, apiSecret, signingKey string
	allowUnknown                  bool
	credits                       int // negative means unlimited
	maxDigitExpiry                int // in seconds
	tb                            TB
	http                          *http.Server
	serving                       sync.WaitGroup
	closing                       chan struct{}
	once                          sync.Once
	// Handlers hold active's read lock while they run. Close sets closed under active's write lock;
	// later handlers return at once.
	active sync.RWMutex
	closed bool

	// mu guards everything below.
	mu       sync.Mutex
	release  chan struct{}
	faults   []*scheduled
	requests []Request
	sessions []Session
}

// Request is a received request to create a session.
type Request struct {
	// Body is the body as received, even if it is not JSON or the request was refused. It is nil if
	// [ResetBeforeRead] applied.
	Body []byte
	// Authorized reports whether the request had the right keys.
	Authorized bool
	// Status is the HTTP status of the response, or 0 if a fault reset the connection.
	Status int
}

// Session is a session that the server created.
type Session struct {
	// AuthToken and ScanRef are the values in the response.
	AuthToken, ScanRef string
	// ClientID, ExternalRef and CallbackURL are the values in the request.
	ClientID, ExternalRef string
	CallbackURL           string
}

// Option configures a server.
type Option func(*Server)

// WithKeys replaces [DefaultAPIKey] and [DefaultAPISecret].
func WithKeys(apiKey, apiSecret string) Option {
	return func(s *Server) { s.apiKey, s.apiSecret = apiKey, apiSecret }
}

// WithSigningKey replaces [DefaultSigningKey].
func WithSigningKey(key string) Option { return func(s *Server) { s.signingKey = key } }

// WithCredits makes the server create n sessions and refuse all others, as iDenfy does when the
// credits are used up.
func WithCredits(n int) Option { return func(s *Server) { s.credits = n } }

// AllowUnknown makes the server accept parameters and values that iDenfy's documentation does not
// list.
func AllowUnknown() Option { return func(s *Server) { s.allowUnknown = true } }

// WithMaxDigitStringExpiry sets the maximum expiryTime, in seconds, for a token with a digit
// string. The default is the documented 86400. Use it together with
// [idenfy.WithMaxDigitStringExpiry].
func WithMaxDigitStringExpiry(seconds int) Option {
	return func(s *Server) { s.maxDigitExpiry = seconds }
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
		apiKey: DefaultAPIKey, apiSecret: DefaultAPISecret, signingKey: DefaultSigningKey, credits: -1, tb: tb,
		maxDigitExpiry: idenfy.DefaultMaxDigitStringExpiry,
		closing:        make(chan struct{}), release: make(chan struct{}),
	}
	for _, opt := range opts {
		opt(s)
	}
	s.APIKey, s.APISecret, s.SigningKey = s.apiKey, s.apiSecret, s.signingKey
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("idenfytest: %w", err)
	}
	s.URL = "http://" + ln.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v2/token", s.serveToken)
	mux.HandleFunc("GET /api/v2/redirect", s.serveRedirect)
	s.http = &http.Server{Handler: s.whileOpen(mux), ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	s.serving.Go(func() { _ = s.http.Serve(ln) })
	return s, nil
}

// whileOpen serves requests until the server is closed.
func (s *Server) whileOpen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.active.RLock()
		defer s.active.RUnlock()
		if !s.closed {
			next.ServeHTTP(w, r)
		}
	})
}

// Close closes all connections, stops the server and waits for running handlers. Further calls have
// no effect.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closing)
		_ = s.http.Close()
		s.serving.Wait()
		s.active.Lock() // wait for handlers: they must not log after the test has ended
		s.closed = true
		s.active.Unlock()
	})
}

// Client returns a client for this server. The options override the server's own. If
// [idenfy.NewClient] returns an error, Client fails the test; for a server from [Start], it panics.
func (s *Server) Client(opts ...idenfy.Option) *idenfy.Client {
	client, err := idenfy.NewClient(s.apiKey, s.apiSecret, append([]idenfy.Option{idenfy.WithBaseURL(s.URL)}, opts...)...)
	switch {
	case err == nil:
	case s.tb != nil:
		s.tb.Helper()
		s.tb.Fatalf("idenfytest: %v", err)
	default:
		panic(err)
	}
	return client
}

// maxRequests is the number of requests that the server remembers.
const maxRequests = 10_000

// Requests returns, in order of arrival, the requests to create a session.
// The server remembers the latest 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Sessions returns the sessions in order of creation.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Session(nil), s.sessions...)
}

func (s *Server) session(matches func(Session) bool) (Session, bool) {
	for _, session := range s.Sessions() {
		if matches(session) {
			return session, true
		}
	}
	return Session{}, false
}

// response is a response from the server.
type response struct {
	status int
	header http.Header
	body   string
	reason string // why the request was refused, for the test's log
}

func jsonResponse(status int, body string) *response {
	return &response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// refuse returns an error in iDenfy's format.
func refuse(status int, identifier, format string, args ...any) *response {
	message := fmt.Sprintf(format, args...)
	body := `{"message":` + quote(message) + `}`
	if identifier != "" {
		body = `{"identifier":` + quote(identifier) + `,"message":` + quote(message) + `}`
	}
	resp := jsonResponse(status, body)
	resp.reason = message
	return resp
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // encoding a string cannot fail
	return string(quoted)
}

func (s *Server) authorized(r *http.Request) bool {
	key, secret, ok := r.BasicAuth()
	sameKey := subtle.ConstantTimeCompare([]byte(key), []byte(s.apiKey)) == 1
	sameSecret := subtle.ConstantTimeCompare([]byte(secret), []byte(s.apiSecret)) == 1
	return ok && sameKey && sameSecret
}

const maxBody = 1 << 20

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	fault := s.nextFault()
	if fault.resetBeforeRead {
		s.record(Request{Authorized: s.authorized(r)})
		fake.Reset(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the caller has disconnected, or the body is too large
	}
	request := Request{Body: body, Authorized: s.authorized(r)}
	resp := fault.replaces
	if resp == nil {
		resp = s.token(r, body)
	} else if fault.processes {
		s.token(r, body)
	}
	if !fault.resetAfterRead {
		request.Status = resp.status
	}
	release := s.record(request)
	if resp.reason != "" && s.tb != nil {
		s.tb.Logf("idenfytest: refused: %s", resp.reason)
	}
	s.write(w, r, fault, resp, release)
}

// record adds a request to the list and returns the channel that the next Release closes.
func (s *Server) record(request Request) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == maxRequests {
		s.requests[0] = Request{} // for the garbage collector
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, request)
	return s.release
}

// token validates a request and creates a session.
func (s *Server) token(r *http.Request, body []byte) *response {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed.")
	}
	if !s.authorized(r) {
		return refuse(http.StatusUnauthorized, "", "Invalid authorization credentials")
	}
	if r.Header.Get("Content-Type") != "application/json" || r.URL.RawQuery != "" {
		return refuse(http.StatusBadRequest, "JSON_ERROR", "The request must contain JSON.")
	}
	params, refused := readParams(body)
	if refused == nil {
		refused = s.check(params)
	}
	if refused != nil {
		return refused
	}
	session := Session{
		AuthToken: rand.Text() + rand.Text()[:14], ScanRef: newScanRef(),
		ClientID: params.text("clientId"), ExternalRef: params.text("externalRef"), CallbackURL: params.text("callbackUrl"),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credits >= 0 && len(s.sessions) >= s.credits {
		return OutOfCredits().replaces
	}
	s.sessions = append(s.sessions, session)
	return jsonResponse(http.StatusCreated, created(session, params))
}

func newScanRef() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// serveRedirect serves the page that the customer's browser is redirected to.
func (s *Server) serveRedirect(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("authToken")
	session, found := s.session(func(session Session) bool { return session.AuthToken == token })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if !found || strings.Count(r.URL.RawQuery, "=") != 1 {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>iDenfy (fake)</title><p>No such session.\n")
		return
	}
	_, _ = io.WriteString(w, "<!DOCTYPE html><title>iDenfy (fake)</title><p>Verification "+html.EscapeString(session.ScanRef)+"\n")
}
