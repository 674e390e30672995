package identomattest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
)

// controlPath is where the control API begins on the widget host. The true service has
// nothing there.
const controlPath = "/_sandbox/"

const maxControlBody = 16 << 20

// WithHosts adds names by which the control API may be called, without a port, such as the name
// of a container. Addresses and localhost always may.
func WithHosts(names ...string) Option {
	return func(s *Server) { s.hosts = append(s.hosts, names...) }
}

// mayControl keeps web pages away. The control API asks for no key, so a browser must not
// reach it on behalf of a page: a page of another site betrays itself by its Origin, and one
// whose name was bound to this address by the Host it believes to be talking to.
func (s *Server) mayControl(r *http.Request) error {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if net.ParseIP(host) == nil && !strings.EqualFold(host, "localhost") && !slices.Contains(s.hosts, host) {
		return fmt.Errorf("the host name %q is not one of this server's", host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "http" || u.Host != r.Host {
			return errors.New("a web page of another origin may not call this")
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return nil
	}
	return errors.New("a web page of another site may not call this")
}

// problem is a mistake of the caller, with the status that says so.
type problem struct {
	status int
	error
}

func badRequest(format string, args ...any) error {
	return problem{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// control is one operation of the control API. It returns what becomes the JSON of the reply.
type control func(*Server, *http.Request) (any, error)

// controls is the control API. The README of cmd/identomat-sandbox describes it.
func controls() map[string]control {
	return map[string]control{
		"GET /_sandbox/{$}":                            (*Server).controlOverview,
		"GET /_sandbox/sessions":                       (*Server).controlSessions,
		"GET /_sandbox/sessions/{token}":               (*Server).controlSession,
		"POST /_sandbox/sessions/{token}/approve":      (*Server).controlDecide,
		"POST /_sandbox/sessions/{token}/reject":       (*Server).controlDecide,
		"POST /_sandbox/sessions/{token}/manual-check": (*Server).controlDecide,
		"POST /_sandbox/sessions/{token}/expire":       (*Server).controlExpire,
		"POST /_sandbox/sessions/{token}/result":       (*Server).controlSetResult,
		"GET /_sandbox/requests":                       (*Server).controlRequests,
		"DELETE /_sandbox/requests":                    (*Server).controlClearRequests,
		"GET /_sandbox/faults":                         (*Server).controlFaults,
		"POST /_sandbox/faults":                        (*Server).controlFault,
		"DELETE /_sandbox/faults":                      (*Server).controlClearFaults,
		"POST /_sandbox/release":                       (*Server).controlRelease,
		"POST /_sandbox/callbacks":                     (*Server).controlCallback,
		"POST /_sandbox/reset":                         (*Server).controlReset,
	}
}

func (s *Server) controlMux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, do := range controls() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
			v, err := do(s, r)
			if err != nil {
				writeProblem(w, err)
				return
			}
			writeControl(w, http.StatusOK, v)
		})
	}
	return mux
}

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if err := s.mayControl(r); err != nil {
		writeProblem(w, problem{http.StatusForbidden, err})
		return
	}
	mux := s.controlMux()
	if _, pattern := mux.Handler(r); pattern == "" {
		// What the mux has to say to a wrong method or path is no JSON.
		recorder := &statusOnly{header: http.Header{}}
		mux.ServeHTTP(recorder, r)
		if allow := recorder.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			writeProblem(w, problem{http.StatusMethodNotAllowed, fmt.Errorf("%s takes %s", r.URL.Path, allow)})
			return
		}
		writeProblem(w, problem{http.StatusNotFound, errors.New("no such path: GET " + controlPath + " lists them")})
		return
	}
	mux.ServeHTTP(w, r)
}

type statusOnly struct{ header http.Header }

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
func (s *statusOnly) WriteHeader(int)             {}

func writeProblem(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if p, ok := errors.AsType[problem](err); ok {
		status = p.status
	}
	writeControl(w, status, map[string]string{"error": err.Error()})
}

func writeControl(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // an error means that the caller has gone
}

// done is the reply of an operation that has nothing to tell.
var done = map[string]bool{"ok": true}

// readControl reads a JSON object, or nothing. A misspelt name is an error.
func readControl(r *http.Request, into any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return badRequest("the body cannot be read")
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badRequest("the body is not the JSON object that is wanted: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if dec.More() {
		return badRequest("the body is more than one JSON object")
	}
	return nil
}

func (s *Server) controlOverview(*http.Request) (any, error) {
	var operations []string
	for _, op := range operation.All() {
		operations = append(operations, op.Name)
	}
	var paths []string
	for _, pattern := range slices.Sorted(maps.Keys(controls())) {
		paths = append(paths, strings.TrimSuffix(pattern, "{$}"))
	}
	return map[string]any{
		"widgetUrl":  s.WidgetURL,
		"apiUrl":     s.APIURL,
		"operations": operations,
		"faults":     slices.Sorted(maps.Keys(namedFaults)),
		"people":     []string{people[0].key, people[1].key, people[2].key},
		"control":    paths,
	}, nil
}

type controlSession struct {
	Token        string        `json:"token"`
	URL          string        `json:"url"`
	Outcome      string        `json:"outcome"`
	State        string        `json:"state"`
	Parent       string        `json:"parent,omitempty"`
	ConfigID     string        `json:"configId,omitempty"`
	Name         string        `json:"name,omitempty"`
	ClientUserID string        `json:"clientUserId,omitempty"`
	GroupID      string        `json:"groupId,omitempty"`
	ReturnURL    string        `json:"returnUrl,omitempty"`
	Steps        []controlStep `json:"steps"`
	Created      time.Time     `json:"created"`
	Expires      time.Time     `json:"expires"`
}

type controlStep struct {
	Type string `json:"type"`
	Key  string `json:"key"`
}

// describe is called with the lock held.
func (s *Server) describe(ses *session) controlSession {
	c := ses.copy()
	_, state, _ := s.state(ses.token)
	out := controlSession{
		Token: ses.token, URL: s.WidgetURL + "/?session_token=" + ses.token, Outcome: c.Outcome, State: state, Parent: ses.parent,
		ConfigID: c.ConfigID, Name: c.Name, ClientUserID: c.ClientUserID, GroupID: c.GroupID, ReturnURL: c.ReturnURL,
		Steps: []controlStep{}, Created: c.Created, Expires: c.Expires,
	}
	for _, step := range c.Steps {
		out.Steps = append(out.Steps, controlStep(step))
	}
	return out
}

func (s *Server) controlSessions(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []controlSession{}
	for _, ses := range s.order {
		out = append(out, s.describe(ses))
	}
	return map[string]any{"sessions": out}, nil
}

func (s *Server) controlSession(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[r.PathValue("token")]
	if !ok {
		return nil, noSuchSession
	}
	return s.describe(ses), nil
}

var noSuchSession = problem{http.StatusNotFound, errors.New("no session has this token")}

// decisionOrder is a decision in the words of the control API.
type decisionOrder struct {
	Reason       *string                   `json:"reason"`
	Person       string                    `json:"person"`
	DocumentType string                    `json:"documentType"`
	Comment      string                    `json:"comment"`
	Similarity   *float64                  `json:"similarity"`
	Answers      map[string]map[string]any `json:"answers"`
}

// controlDecide takes the same wishes as Approve, Reject and ManualCheck.
func (s *Server) controlDecide(r *http.Request) (any, error) {
	var body decisionOrder
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	var d decision
	choice := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch choice {
	case "approve":
		d = approval()
	case "manual-check":
		d = doubt()
	default:
		reason := "low_similarity"
		if body.Reason != nil {
			reason = *body.Reason
		}
		d = rejection(reason)
	}
	if body.Reason != nil && choice != "reject" {
		return nil, badRequest("only a rejection has a reason")
	}
	if body.Person != "" {
		p, ok := personNamed(body.Person)
		if !ok {
			return nil, badRequest("nobody is called %q", body.Person)
		}
		d.person = p
	}
	if body.Similarity != nil {
		d.similarity = *body.Similarity
	}
	d.documentType, d.comment = body.DocumentType, body.Comment
	d.answers = map[[2]string]any{}
	for step, questions := range body.Answers {
		for question, value := range questions {
			if list, ok := value.([]any); ok {
				texts := []string{}
				for _, item := range list {
					text, ok := item.(string)
					if !ok {
						return nil, badRequest("answers.%s.%s is a list of something else than texts", step, question)
					}
					texts = append(texts, text)
				}
				value = texts
			}
			if number, ok := value.(float64); ok && number == float64(int(number)) {
				value = int(number)
			}
			if _, ok := answerValue(value); !ok {
				return nil, badRequest("answers.%s.%s is no answer", step, question)
			}
			d.answers[[2]string{step, question}] = value
		}
	}
	return s.controlSettle(r, d)
}

func (s *Server) controlSettle(r *http.Request, d decision) (any, error) {
	s.mu.Lock()
	ses, ok := s.sessions[r.PathValue("token")]
	if !ok {
		s.mu.Unlock()
		return nil, noSuchSession
	}
	s.settle(ses, d)
	out := s.describe(ses)
	s.mu.Unlock()
	s.tellSettled(out.Token)
	return out, nil
}

func (s *Server) controlExpire(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[r.PathValue("token")]
	if !ok {
		return nil, noSuchSession
	}
	ses.expires = s.now()
	return s.describe(ses), nil
}

func (s *Server) controlSetResult(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest("the body cannot be read")
	}
	v, err := decodeJSON(data)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	o, _ := v.(object)
	return s.controlSettle(r, decision{outcome: o.text("result"), raw: data})
}

func (s *Server) controlRequests(*http.Request) (any, error) {
	requests := s.Requests()
	if requests == nil {
		requests = []Request{}
	}
	return map[string]any{"requests": requests}, nil
}

func (s *Server) controlClearRequests(*http.Request) (any, error) {
	s.ClearRequests()
	return done, nil
}

// faultOrder is a fault in the words of the control API.
type faultOrder struct {
	Operation string `json:"operation"`
	Fault     string `json:"fault"`
	Count     int    `json:"count"`

	Status            int     `json:"status,omitempty"`
	Code              string  `json:"code,omitempty"`
	Message           string  `json:"message,omitempty"`
	ContentType       string  `json:"contentType,omitempty"`
	Body              string  `json:"body,omitempty"`
	Location          string  `json:"location,omitempty"`
	RetryAfterSeconds float64 `json:"retryAfterSeconds,omitempty"`
	DelaySeconds      float64 `json:"delaySeconds,omitempty"`
	Bytes             int     `json:"bytes,omitempty"`
	AfterProcessing   bool    `json:"afterProcessing,omitempty"`
}

func (o faultOrder) status(fallback int) int {
	if o.Status == 0 {
		return fallback
	}
	return o.Status
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

var namedFaults = map[string]func(faultOrder) Fault{
	"response":           func(o faultOrder) Fault { return Response(o.status(http.StatusOK), o.ContentType, o.Body) },
	"http-status":        func(o faultOrder) Fault { return HTTPStatus(o.status(http.StatusInternalServerError)) },
	"error-code":         func(o faultOrder) Fault { return ErrorCode(o.Code) },
	"argument-error":     func(o faultOrder) Fault { return ArgumentError(o.Code) },
	"internal-error":     func(o faultOrder) Fault { return InternalError(o.Message) },
	"html-page":          func(o faultOrder) Fault { return HTMLPage(o.status(http.StatusOK)) },
	"empty-body":         func(faultOrder) Fault { return EmptyBody() },
	"empty-object":       func(faultOrder) Fault { return EmptyObject() },
	"null":               func(faultOrder) Fault { return Null() },
	"too-many-requests":  func(o faultOrder) Fault { return TooManyRequests(seconds(o.RetryAfterSeconds)) },
	"redirect":           func(o faultOrder) Fault { return Redirect(o.status(http.StatusFound), o.Location) },
	"reset-before-read":  func(faultOrder) Fault { return ResetBeforeRead() },
	"reset-after-read":   func(faultOrder) Fault { return ResetAfterRead() },
	"slow-headers":       func(o faultOrder) Fault { return SlowHeaders(seconds(o.DelaySeconds)) },
	"slow-body":          func(o faultOrder) Fault { return SlowBody(seconds(o.DelaySeconds)) },
	"truncated":          func(o faultOrder) Fault { return Truncated(o.Bytes) },
	"wrong-content-type": func(o faultOrder) Fault { return WrongContentType(o.ContentType) },
	"wrong-signature":    func(faultOrder) Fault { return WrongSignature() },
	"missing-signature":  func(faultOrder) Fault { return MissingSignature() },
}

func (s *Server) controlFault(r *http.Request) (any, error) {
	var order faultOrder
	if err := readControl(r, &order); err != nil {
		return nil, err
	}
	if order.Operation == "" {
		order.Operation = AnyOperation
	}
	if order.Operation != AnyOperation && operationNamed(order.Operation) == nil {
		return nil, badRequest("no operation is named %q", order.Operation)
	}
	named, ok := namedFaults[order.Fault]
	switch {
	case !ok:
		return nil, badRequest("no fault is named %q: there are %s", order.Fault, strings.Join(slices.Sorted(maps.Keys(namedFaults)), ", "))
	case order.Status != 0 && (order.Status < 200 || order.Status > 599):
		return nil, badRequest("the status is between 200 and 599")
	case order.RetryAfterSeconds < 0 || order.DelaySeconds < 0 || order.Bytes < 0 || order.Count < 0:
		return nil, badRequest("a number is negative")
	}
	f := named(order)
	if order.AfterProcessing {
		f = f.AfterProcessing()
	}
	s.Fault(order.Operation, f, order.Count)
	return s.controlFaults(r)
}

func (s *Server) controlFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type pending struct {
		Operation string `json:"operation"`
		Fault     string `json:"fault"`
		// Left is absent for a fault without end.
		Left *int `json:"left,omitempty"`
	}
	out := []pending{}
	for _, f := range s.faults {
		switch left := f.left; {
		case left < 0:
			out = append(out, pending{f.operation, f.fault.name, nil})
		case left > 0:
			out = append(out, pending{f.operation, f.fault.name, &left})
		}
	}
	return map[string]any{"faults": out}, nil
}

func (s *Server) controlClearFaults(*http.Request) (any, error) {
	s.ClearFaults()
	return done, nil
}

func (s *Server) controlRelease(*http.Request) (any, error) {
	s.Release()
	return done, nil
}

// callbackOrder is a callback in the words of the control API.
type callbackOrder struct {
	URL         string  `json:"url"`
	Type        string  `json:"type"`
	SessionID   string  `json:"sessionId"`
	PhoneNumber string  `json:"phoneNumber"`
	Code        string  `json:"code"`
	Link        string  `json:"sessionLink"`
	Key         string  `json:"callbackApiKey"`
	Raw         *string `json:"raw"`
}

// controlCallback sends a callback, by default to the address of WithCallbackURL.
func (s *Server) controlCallback(r *http.Request) (any, error) {
	var body callbackOrder
	if err := readControl(r, &body); err != nil {
		return nil, err
	}
	if body.URL == "" {
		body.URL = s.callbackURL
	}
	u, err := url.Parse(body.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, badRequest("the url of the callback is missing or no http URL")
	}
	token := identomat.Token(body.SessionID)
	var callback Callback
	switch {
	case body.Raw != nil:
		callback = RawCallback(*body.Raw)
	case body.Type == "":
		return nil, badRequest("the type is missing")
	case body.Type == "one-time-password-request":
		callback = OneTimePassword(token, body.PhoneNumber, body.Code)
	case body.Type == "share-session-link-via-sms":
		callback = SessionLinkSMS(token, body.PhoneNumber, body.Link)
	default:
		callback = PlainCallback(body.Type, token)
	}
	if body.Key != "" && body.Raw == nil {
		callback = callback.WithKey(body.Key)
	}
	status, err := s.SendCallback(r.Context(), body.URL, callback)
	if err != nil {
		return nil, problem{http.StatusBadGateway, err}
	}
	return map[string]int{"status": status}, nil
}

// controlReset brings back the server of the start.
func (s *Server) controlReset(*http.Request) (any, error) {
	s.Reset()
	return done, nil
}

// Reset forgets sessions, requests, faults, records, groups and users, and lets held replies
// go. The configurations stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions, s.order = map[string]*session{}, nil
	s.requests, s.faults = nil, nil
	s.monitoring, s.blacklist, s.groups = nil, nil, nil
	s.users = []user{administrator}
	close(s.release)
	s.release = make(chan struct{})
}
