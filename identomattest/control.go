package identomattest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// controlPath is the prefix of the control API on the widget host. The real service has no such paths.
const controlPath = "/_sandbox/"

const maxControlBody = 16 << 20

// controlError is an error from the control API with its HTTP status.
type controlError struct {
	status int
	error
}

func badRequest(format string, args ...any) error {
	return controlError{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// controlHandler serves one operation of the control API. Its result is the JSON response.
type controlHandler func(*Server, *http.Request) (any, error)

// controlRoutes maps the patterns of the control API to their handlers. docs/sandbox.md
// documents them.
func controlRoutes() map[string]controlHandler {
	return map[string]controlHandler{
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
		"GET /_sandbox/clock":                          (*Server).controlClock,
		"POST /_sandbox/clock":                         (*Server).controlClock,
		"POST /_sandbox/reset":                         (*Server).controlReset,
	}
}

func (s *Server) controlMux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handle := range controlRoutes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
			v, err := handle(s, r)
			if err != nil {
				writeControlError(w, err)
				return
			}
			writeControlJSON(w, http.StatusOK, v)
		})
	}
	return mux
}

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if isDocs := r.URL.Path == docsPath || strings.HasPrefix(r.URL.Path, docsPath+"/"); isDocs && s.checkHost(r) == nil {
		s.showDocs(w, r)
		return
	}
	if err := s.checkTool(r); err != nil {
		writeControlError(w, controlError{http.StatusForbidden, err})
		return
	}
	if r.URL.Path == openAPIPath && r.Method == http.MethodGet {
		s.serveOpenAPI(w, r)
		return
	}
	mux := s.controlMux()
	if _, pattern := mux.Handler(r); pattern == "" {
		// The mux responds to a wrong method or path in plain text. Discard that and respond in JSON.
		recorder := &headerRecorder{header: http.Header{}}
		mux.ServeHTTP(recorder, r)
		if allow := recorder.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			writeControlError(w, controlError{http.StatusMethodNotAllowed, fmt.Errorf("%s allows only %s", r.URL.Path, allow)})
			return
		}
		writeControlError(w, controlError{http.StatusNotFound, errors.New("no such path; GET " + controlPath + " lists the paths")})
		return
	}
	mux.ServeHTTP(w, r)
}

// headerRecorder is a ResponseWriter that keeps only the header.
type headerRecorder struct{ header http.Header }

func (r *headerRecorder) Header() http.Header         { return r.header }
func (r *headerRecorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *headerRecorder) WriteHeader(int)             {}

func writeControlError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if e, ok := errors.AsType[controlError](err); ok {
		status = e.status
	}
	writeControlJSON(w, status, map[string]string{"error": err.Error()})
}

func writeControlJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // fails only if the client has disconnected
}

// okResponse is the response from operations without a result.
var okResponse = map[string]bool{"ok": true}

// readControl decodes the JSON object in the body into a struct and returns the names of the object's
// members. An empty body leaves the struct unchanged; an unknown member is an error.
func readControl(r *http.Request, into any) (given []string, err error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest("cannot read the body")
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte(fake.ByteOrderMark))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return nil, badRequest("the body is not a valid JSON object: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if dec.More() {
		return nil, badRequest("the body has more than one JSON value")
	}
	v, err := decodeJSON(data)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	o, _ := v.(object)
	for _, m := range o {
		given = append(given, m.name)
	}
	return given, nil
}

func (s *Server) controlOverview(*http.Request) (any, error) {
	var operations []string
	for _, op := range operation.All() {
		operations = append(operations, op.Name)
	}
	var paths []string
	for _, pattern := range slices.Sorted(maps.Keys(controlRoutes())) {
		paths = append(paths, strings.TrimSuffix(pattern, "{$}"))
	}
	return map[string]any{
		"widgetUrl":  s.WidgetURL,
		"apiUrl":     s.APIURL,
		"operations": operations,
		"about":      "https://github.com/identomat-go/identomat/blob/main/docs/sandbox.md",
		"docs":       s.WidgetURL + docsPath,
		"openapi":    s.WidgetURL + openAPIPath,
		"faults":     slices.Sorted(maps.Keys(namedFaults)),
		"people":     []string{people[0].key, people[1].key, people[2].key},
		"control":    paths,
	}, nil
}

type controlSession struct {
	Token        string        `json:"token"`
	URL          string        `json:"url"`
	Company      string        `json:"company,omitempty"`
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

// describe returns the session as the control API shows it. The caller holds s.mu.
func (s *Server) describe(ses *session) controlSession {
	c := ses.copy()
	_, state, _ := s.state(ses.token)
	out := controlSession{
		Token: ses.token, URL: s.WidgetURL + "/?session_token=" + ses.token, Company: ses.company.Name, Outcome: c.Outcome, State: state, Parent: ses.parent,
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
		return nil, errNoSuchSession
	}
	return s.describe(ses), nil
}

var errNoSuchSession = controlError{http.StatusNotFound, errors.New("no session has this token")}

// decisionRequest is the body for approve, reject and manual-check.
type decisionRequest struct {
	Reason       *string                   `json:"reason"`
	Person       string                    `json:"person"`
	DocumentType string                    `json:"documentType"`
	Comment      string                    `json:"comment"`
	Similarity   *float64                  `json:"similarity"`
	Answers      map[string]map[string]any `json:"answers"`
}

// controlDecide does what Approve, Reject and ManualCheck do.
func (s *Server) controlDecide(r *http.Request) (any, error) {
	var body decisionRequest
	if _, err := readControl(r, &body); err != nil {
		return nil, err
	}
	var d decision
	verb := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch verb {
	case "approve":
		d = approval()
	case "manual-check":
		d = manualReview()
	default:
		reason := "low_similarity"
		if body.Reason != nil {
			reason = *body.Reason
		}
		d = rejection(reason)
	}
	if body.Reason != nil && verb != "reject" {
		return nil, badRequest("only reject takes a reason")
	}
	if body.Person != "" {
		p, ok := personNamed(body.Person)
		if !ok {
			return nil, badRequest("unknown person %q", body.Person)
		}
		d.person = p
	}
	if body.Similarity != nil {
		WithSimilarity(*body.Similarity)(&d)
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
						return nil, badRequest("answers.%s.%s is a list with items other than strings", step, question)
					}
					texts = append(texts, text)
				}
				value = texts
			}
			if number, ok := value.(float64); ok && number == float64(int(number)) {
				value = int(number)
			}
			if _, ok := answerValue(value); !ok {
				return nil, badRequest("answers.%s.%s has a type that answers cannot have", step, question)
			}
			d.answers[[2]string{step, question}] = value
		}
	}
	return s.controlSetDecision(r, d)
}

func (s *Server) controlSetDecision(r *http.Request, d decision) (any, error) {
	s.mu.Lock()
	ses, ok := s.sessions[r.PathValue("token")]
	if !ok {
		s.mu.Unlock()
		return nil, errNoSuchSession
	}
	if err := s.checkDecision(ses, d); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.setDecision(ses, d)
	out := s.describe(ses)
	s.mu.Unlock()
	s.postStatusCallback(ses)
	return out, nil
}

func (s *Server) controlExpire(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[r.PathValue("token")]
	if !ok {
		return nil, errNoSuchSession
	}
	ses.expires = s.now()
	return s.describe(ses), nil
}

func (s *Server) controlSetResult(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest("cannot read the body")
	}
	v, err := decodeJSON(data)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	o, _ := v.(object)
	return s.controlSetDecision(r, decision{outcome: o.text("result"), raw: data})
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
	return okResponse, nil
}

// faultRequest is the body that adds a fault.
type faultRequest struct {
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

func (f faultRequest) status(fallback int) int {
	if f.Status == 0 {
		return fallback
	}
	return f.Status
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// namedFault creates a fault from the members of a faultRequest that the fault uses.
type namedFault struct {
	members []string
	create  func(faultRequest) Fault
}

var namedFaults = map[string]namedFault{
	"response":           {[]string{"status", "contentType", "body"}, func(f faultRequest) Fault { return Response(f.status(http.StatusOK), f.ContentType, f.Body) }},
	"http-status":        {[]string{"status"}, func(f faultRequest) Fault { return HTTPStatus(f.status(http.StatusInternalServerError)) }},
	"error-code":         {[]string{"code"}, func(f faultRequest) Fault { return ErrorCode(f.Code) }},
	"argument-error":     {[]string{"code"}, func(f faultRequest) Fault { return ArgumentError(f.Code) }},
	"internal-error":     {[]string{"message"}, func(f faultRequest) Fault { return InternalError(f.Message) }},
	"html-page":          {[]string{"status"}, func(f faultRequest) Fault { return HTMLPage(f.status(http.StatusOK)) }},
	"empty-body":         {nil, func(faultRequest) Fault { return EmptyBody() }},
	"empty-object":       {nil, func(faultRequest) Fault { return EmptyObject() }},
	"null":               {nil, func(faultRequest) Fault { return Null() }},
	"too-many-requests":  {[]string{"retryAfterSeconds"}, func(f faultRequest) Fault { return TooManyRequests(seconds(f.RetryAfterSeconds)) }},
	"redirect":           {[]string{"status", "location"}, func(f faultRequest) Fault { return Redirect(f.status(http.StatusFound), f.Location) }},
	"reset-before-read":  {nil, func(faultRequest) Fault { return ResetBeforeRead() }},
	"reset-after-read":   {nil, func(faultRequest) Fault { return ResetAfterRead() }},
	"slow-headers":       {[]string{"delaySeconds"}, func(f faultRequest) Fault { return SlowHeaders(seconds(f.DelaySeconds)) }},
	"slow-body":          {[]string{"delaySeconds"}, func(f faultRequest) Fault { return SlowBody(seconds(f.DelaySeconds)) }},
	"truncated":          {[]string{"bytes"}, func(f faultRequest) Fault { return Truncated(f.Bytes) }},
	"wrong-content-type": {[]string{"contentType"}, func(f faultRequest) Fault { return WrongContentType(f.ContentType) }},
	"wrong-signature":    {nil, func(faultRequest) Fault { return WrongSignature() }},
	"missing-signature":  {nil, func(faultRequest) Fault { return MissingSignature() }},
}

func (s *Server) controlFault(r *http.Request) (any, error) {
	var body faultRequest
	given, err := readControl(r, &body)
	if err != nil {
		return nil, err
	}
	if body.Operation == "" {
		body.Operation = AnyOperation
	}
	named, ok := namedFaults[body.Fault]
	if !ok {
		return nil, badRequest("unknown fault %q; the faults are %s", body.Fault, strings.Join(slices.Sorted(maps.Keys(namedFaults)), ", "))
	}
	if err := refuseUnused(given, body.Fault, append(named.members, "operation", "fault", "count", "afterProcessing")); err != nil {
		return nil, err
	}
	if body.RetryAfterSeconds < 0 || body.DelaySeconds < 0 || body.Bytes < 0 || body.Count < 0 {
		return nil, badRequest("retryAfterSeconds, delaySeconds, bytes and count must not be negative")
	}
	f := named.create(body)
	if body.AfterProcessing {
		f = f.AfterProcessing()
	}
	if err := checkFault(body.Operation, f); err != nil {
		return nil, badRequest("%v", err)
	}
	s.Fault(body.Operation, f, body.Count)
	return s.controlFaults(r)
}

// refuseUnused refuses members that the named operation would ignore.
func refuseUnused(given []string, name string, used []string) error {
	for _, member := range given {
		if !slices.Contains(used, member) {
			return badRequest("%s takes no member %q", name, member)
		}
	}
	return nil
}

func (s *Server) controlFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type pending struct {
		Operation string `json:"operation"`
		Fault     string `json:"fault"`
		// Left is the number of calls left to affect. It is absent if the number is unlimited.
		Left *int `json:"left,omitempty"`
	}
	out := []pending{}
	for _, f := range s.faults {
		p := pending{Operation: f.operation, Fault: f.fault.name}
		if left := f.left; left > 0 {
			p.Left = &left
		}
		out = append(out, p)
	}
	return map[string]any{"faults": out}, nil
}

func (s *Server) controlClearFaults(*http.Request) (any, error) {
	s.ClearFaults()
	return okResponse, nil
}

func (s *Server) controlRelease(*http.Request) (any, error) {
	s.Release()
	return okResponse, nil
}

// callbackRequest is the body that sends a callback.
type callbackRequest struct {
	URL         string  `json:"url"`
	Type        string  `json:"type"`
	SessionID   string  `json:"sessionId"`
	PhoneNumber string  `json:"phoneNumber"`
	Code        string  `json:"code"`
	Link        string  `json:"sessionLink"`
	Key         string  `json:"callbackApiKey"`
	Raw         *string `json:"raw"`
}

// controlCallback posts a callback, by default to the URL of the session's company.
func (s *Server) controlCallback(r *http.Request) (any, error) {
	var body callbackRequest
	given, err := readControl(r, &body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	from := s.companies[0]
	if ses, ok := s.sessions[body.SessionID]; ok {
		from = ses.company
	}
	body.URL = cmp.Or(body.URL, from.CallbackURL)
	s.mu.Unlock()
	if !isHTTPURL(body.URL) {
		return nil, badRequest("url is missing or not an http URL")
	}
	token := identomat.Token(body.SessionID)
	name, used := body.Type, []string{"url", "type", "sessionId", "callbackApiKey"}
	var callback Callback
	switch {
	case body.Raw != nil:
		name, used, callback = "raw", []string{"url", "raw"}, RawCallback(*body.Raw)
	case body.Type == "":
		return nil, badRequest("type is missing")
	case body.Type == "one-time-password-request":
		used = append(used, "phoneNumber", "code")
		callback = OneTimePassword(token, body.PhoneNumber, body.Code)
	case body.Type == "share-session-link-via-sms":
		used = append(used, "phoneNumber", "sessionLink")
		callback = SessionLinkSMS(token, body.PhoneNumber, body.Link)
	default:
		callback = PlainCallback(body.Type, token)
	}
	if err := refuseUnused(given, name, used); err != nil {
		return nil, err
	}
	if body.Key != "" {
		callback = callback.WithKey(body.Key)
	}
	status, err := s.sendCallback(r.Context(), from, body.URL, callback)
	if err != nil {
		return nil, controlError{http.StatusBadGateway, err}
	}
	return map[string]int{"status": status}, nil
}

// clockRequest is the body that advances the clock.
type clockRequest struct {
	Seconds float64 `json:"advanceSeconds"`
}

// controlClock returns the time of the clock. POST advances the clock first.
func (s *Server) controlClock(r *http.Request) (any, error) {
	var body clockRequest
	if r.Method == http.MethodPost {
		if _, err := readControl(r, &body); err != nil {
			return nil, err
		}
		if body.Seconds <= 0 {
			return nil, badRequest("advanceSeconds is not positive")
		}
		s.Advance(seconds(body.Seconds))
	}
	return map[string]time.Time{"time": s.now().UTC()}, nil
}

func (s *Server) controlReset(*http.Request) (any, error) {
	s.Reset()
	return okResponse, nil
}

// Reset clears the sessions, requests, faults, records, groups and users, and releases the responses
// that faults are holding back. It keeps the configurations. The clock and the random values of
// [WithSeed] start again.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions, s.order = map[string]*session{}, nil
	s.requests, s.counts, s.faults = nil, map[string]int{}, nil
	for _, c := range s.companies {
		c.clear()
	}
	s.offset.Store(0)
	s.reseed()
	close(s.release)
	s.release = make(chan struct{})
}
