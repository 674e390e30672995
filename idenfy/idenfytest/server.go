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

// Keys of a server that was started without WithKeys: long enough to be searched for in
// logs, and plainly not real.
const (
	DefaultAPIKey     = "fake-api-key-4f0d62b7c91e-idenfytest"
	DefaultAPISecret  = "fake-api-secret-a83c5d0e7f29-idenfytest"
	DefaultSigningKey = "fake-signing-key-6b1e94d7c350-idenfytest"
)

// TB is the part of testing.TB that NewServer needs. The methods are those of testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Server is a running fake. Its methods may be called from any goroutine.
type Server struct {
	// URL stands for https://ivs.idenfy.com, such as "http://127.0.0.1:49152".
	URL string
	// APIKey and APISecret are the keys that the server knows, SigningKey is that of its
	// webhooks. Changing these fields changes nothing.
	APIKey, APISecret, SigningKey string

	apiKey, apiSecret, signingKey string
	unknown                       bool
	credits                       int // negative: no end
	maxDigits                     int // seconds
	tb                            TB
	http                          *http.Server
	serving                       sync.WaitGroup
	closing                       chan struct{}
	once                          sync.Once
	// active is held by requests that are served. closed says that none may begin.
	active sync.RWMutex
	closed bool

	// mu guards everything below.
	mu       sync.Mutex
	release  chan struct{}
	faults   []*scheduled
	requests []Request
	sessions []Session
}

// Request is a request to create a session, as it arrived.
type Request struct {
	// Body is what was sent, also if it was refused or is no JSON.
	Body []byte
	// Authorized says that the keys were right.
	Authorized bool
	// Status is that of the reply, or 0 if a fault cut the connection.
	Status int
}

// Session is a session that the server created.
type Session struct {
	// AuthToken and ScanRef are those of the reply.
	AuthToken, ScanRef string
	// ClientID, ExternalRef and CallbackURL are those of the request.
	ClientID, ExternalRef string
	CallbackURL           string
}

// Option changes a server before it starts.
type Option func(*Server)

// WithKeys replaces the default keys of the API.
func WithKeys(apiKey, apiSecret string) Option {
	return func(s *Server) { s.apiKey, s.apiSecret = apiKey, apiSecret }
}

// WithSigningKey replaces the default key that signs webhooks.
func WithSigningKey(key string) Option { return func(s *Server) { s.signingKey = key } }

// WithCredits lets the server create n sessions and then refuse more, as iDenfy does when
// the credits are used up.
func WithCredits(n int) Option { return func(s *Server) { s.credits = n } }

// AllowUnknown lets parameters and values pass that the page does not list.
func AllowUnknown() Option { return func(s *Server) { s.unknown = true } }

// WithMaxDigitStringExpiry is the contract that [idenfy.WithMaxDigitStringExpiry] is for: a
// token with a digit string may live for so many seconds. The page's maximum is 86400.
func WithMaxDigitStringExpiry(seconds int) Option {
	return func(s *Server) { s.maxDigits = seconds }
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
		apiKey: DefaultAPIKey, apiSecret: DefaultAPISecret, signingKey: DefaultSigningKey, credits: -1, tb: tb,
		maxDigits: idenfy.DefaultMaxDigitStringExpiry,
		closing:   make(chan struct{}), release: make(chan struct{}),
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

func (s *Server) whileOpen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.active.RLock()
		defer s.active.RUnlock()
		if !s.closed {
			next.ServeHTTP(w, r)
		}
	})
}

// Close ends replies that a fault is holding back and stops the server. Closing twice is
// no error.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closing)
		_ = s.http.Close()
		s.serving.Wait()
		s.active.Lock() // a handler that lived on would log to a test that is over
		s.closed = true
		s.active.Unlock()
	})
}

// Client returns a client for this server. Options are applied after the server's own and
// win. An option that [idenfy.NewClient] refuses fails the test, or panics where there is
// none.
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

// Requests are the requests to create a session that arrived so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Sessions are the sessions that were created so far.
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

// reply is what the server answers.
type response struct {
	status int
	header http.Header
	body   string
	why    string // for the log of the test
}

func jsonResponse(status int, body string) *response {
	return &response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// refuse is an error in iDenfy's form.
func refuse(status int, identifier, format string, args ...any) *response {
	message := fmt.Sprintf(format, args...)
	body := `{"message":` + quote(message) + `}`
	if identifier != "" {
		body = `{"identifier":` + quote(identifier) + `,"message":` + quote(message) + `}`
	}
	resp := jsonResponse(status, body)
	resp.why = message
	return resp
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always has a JSON form
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
	fault := s.takeFault()
	if fault.resetFirst {
		s.record(Request{Authorized: s.authorized(r)})
		fake.Reset(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the caller has gone, or sends far more than any request has
	}
	request := Request{Body: body, Authorized: s.authorized(r)}
	resp := fault.replaces
	if resp == nil {
		resp = s.token(r, body)
	} else if fault.processes {
		s.token(r, body)
	}
	if !fault.resetAfter {
		request.Status = resp.status
	}
	release := s.record(request)
	if resp.why != "" && s.tb != nil {
		s.tb.Logf("idenfytest: refused: %s", resp.why)
	}
	s.write(w, r, fault, resp, release)
}

// record remembers a request and returns what lets its reply go.
func (s *Server) record(request Request) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
	return s.release
}

// token creates a session, or says why not.
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

// serveRedirect is where the customer's browser comes to.
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
