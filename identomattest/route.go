package identomattest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/documented"
	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// refusal is the response body of a refused request, as documented in Identomat's API reference.
// Refusals have HTTP status 200.
type refusal string

const (
	wrongParameters      refusal = `{"argumentError":"wrong-parameters"}`
	wrongGroupParameters refusal = `{"argumentError":"wrong-parameters","errorSourceGroup":"service-module-server-external"}`
	sessionNotFound      refusal = `{"argumentError":"session-not-found"}`
	facePhotoNotFound    refusal = `{"argumentError":"face-photo-not-found"}`
	notFound             refusal = `{"argumentError":"not-found"}`
	alreadyExists        refusal = `{"argumentError":"already-exists"}`
	invalidEmailFormat   refusal = `{"argumentError":"invalid-email-format"}`
	passwordTooShort     refusal = `{"argumentError":"password-too-short"}`
	invalidRights        refusal = `{"argumentError":"invalid-rights"}`
	userAlreadyExists    refusal = `{"argumentError":"user-already-exists"}`

	// The five codes that the API reference documents for a wrong key.
	companyKeyInvalid refusal = `"COMPANY_KEY_INVALID"`
	invalidAccess     refusal = `{"argumentError":"invalid-access"}`
	invalidCompanyKey refusal = `{"argumentError":"invalid-company-key"}`
	companyMissing    refusal = `{"argumentError":"company-missing"}`
	accessDenied      refusal = `{"argumentError":"access-denied"}`
)

// response is the response from an operation.
type response struct {
	status      int // 0 means 200
	contentType string
	body        []byte
	// failed is set for refusals. They are not signed.
	failed bool
	// reason is why the request was refused, for the test's log.
	reason string
	// retryAfter is sent as Retry-After if it is positive.
	retryAfter time.Duration
}

func jsonResponse(v any) response {
	return response{contentType: "application/json", body: encodeJSON(v)}
}

// resultResponse wraps v as {"result": v}.
func resultResponse(v any) response { return jsonResponse(object{{"result", v}}) }

func bytesResponse(contentType string, data []byte) response {
	return response{contentType: contentType, body: data}
}

func refuse(body refusal, format string, args ...any) response {
	return response{contentType: "application/json", body: []byte(body), failed: true, reason: fmt.Sprintf(format, args...)}
}

// route is how the fake serves one row of the operation table.
type route struct {
	// The refusals for undocumented or wrong parameters, an unknown company key, a missing company key,
	// and a missing or wrong signature.
	wrongParameters, unknownKey, missingKey, wrongSignature refusal
	handle                                                  func(*Server, *call) response
}

// The constructors below set the refusals for each family of endpoints. The API reference documents
// wrong-parameters, session-not-found and, for some endpoints, the code for a wrong key. For the rest,
// the fake makes these choices:
//   - a wrong signature gets the same response as a wrong key;
//   - where an endpoint documents no code for a mistake, such as a missing key, the response is
//     wrong-parameters;
//   - screening documents two codes: a missing or unknown key gets company-missing, and a missing
//     or wrong signature gets access-denied;
//   - list-groups documents not-found. The company key is its only parameter, so a missing key gets
//     not-found. An unknown key gets invalid-access, as in list-users;
//   - a signature covers the body alone, so parameters in the URL of a signed request get the same
//     response as a wrong signature.
func widgetRoute(handle func(*Server, *call) response) route {
	return route{wrongParameters, companyKeyInvalid, companyKeyInvalid, companyKeyInvalid, handle}
}

func accessRoute(handle func(*Server, *call) response) route {
	return route{wrongParameters, invalidAccess, wrongParameters, invalidAccess, handle}
}

func companyKeyRoute(handle func(*Server, *call) response) route {
	return route{wrongParameters, invalidCompanyKey, wrongParameters, invalidCompanyKey, handle}
}

func screeningRoute(handle func(*Server, *call) response) route {
	return route{wrongParameters, companyMissing, companyMissing, accessDenied, handle}
}

func groupRoute(handle func(*Server, *call) response) route {
	return route{wrongGroupParameters, invalidAccess, wrongGroupParameters, invalidAccess, handle}
}

func listGroupsRoute(handle func(*Server, *call) response) route {
	return route{wrongParameters, invalidAccess, notFound, invalidAccess, handle}
}

// routes has one entry per row of the operation table.
var routes map[*operation.Operation]route

func init() {
	routes = map[*operation.Operation]route{
		operation.SessionBegin:     widgetRoute((*Server).begin),
		operation.SessionResult:    widgetRoute((*Server).result),
		operation.SessionDelete:    widgetRoute((*Server).delete),
		operation.ExportSessionPDF: accessRoute((*Server).exportPDF),

		operation.ResultCardFront:       widgetRoute(media(hasCard, "image/jpeg", cardFrontPicture)),
		operation.ResultCardBack:        widgetRoute(media(hasCard, "image/jpeg", cardBackPicture)),
		operation.ResultPassport:        widgetRoute(media(hasPassport, "image/jpeg", passportPicture)),
		operation.ResultFace:            widgetRoute(media(hasFace, "image/jpeg", facePicture)),
		operation.ResultFaceVideo:       widgetRoute(media(hasFace, "video/mp4", video)),
		operation.ResultFaceDocument:    widgetRoute(media(hasFaceDocument, "image/jpeg", selfieWithID)),
		operation.ResultGeneralDocument: widgetRoute((*Server).generalDocument),
		operation.DocumentFacePhoto:     accessRoute((*Server).facePhoto),
		operation.SessionActivities:     accessRoute((*Server).listActivities),
		operation.SessionStatistics:     accessRoute((*Server).statistics),
		operation.VisualMarkers:         accessRoute((*Server).visualMarkers),
		operation.QuestionFile:          accessRoute((*Server).questionFile),

		operation.ScreeningSearch:    screeningRoute((*Server).searchScreening),
		operation.ScreeningPerson:    screeningRoute((*Server).screeningPerson),
		operation.ScreeningMonitor:   screeningRoute((*Server).monitorScreening),
		operation.ScreeningUnmonitor: screeningRoute((*Server).unmonitorScreening),
		operation.ScreeningMonitored: screeningRoute((*Server).listMonitored),

		operation.BlacklistAdd:    companyKeyRoute((*Server).addBlacklistRecord),
		operation.BlacklistRemove: companyKeyRoute((*Server).removeBlacklistRecord),
		operation.BlacklistList:   companyKeyRoute((*Server).listBlacklistRecords),

		operation.VideoCallShots:  accessRoute((*Server).videoCallShots),
		operation.VideoCallVideos: accessRoute((*Server).videoCallVideos),
		operation.VideoCallEnd:    accessRoute((*Server).endVideoCall),

		operation.GroupsList:    listGroupsRoute((*Server).listGroups),
		operation.GroupCreate:   groupRoute((*Server).makeGroup),
		operation.GroupUpdate:   groupRoute((*Server).changeGroup),
		operation.GroupDelete:   groupRoute((*Server).deleteGroup),
		operation.UsersList:     accessRoute((*Server).listUsers),
		operation.UserCreate:    companyKeyRoute((*Server).createUser),
		operation.SessionConfig: accessRoute((*Server).sessionConfig),

		operation.CardFront:      widgetRoute(reader("card-front")),
		operation.CardBack:       widgetRoute(reader("card-back")),
		operation.LicenseFront:   widgetRoute(reader("license-front")),
		operation.LicenseBack:    widgetRoute(reader("license-back")),
		operation.ResidenceFront: widgetRoute(reader("residence-front")),
		operation.ResidenceBack:  widgetRoute(reader("residence-back")),
		operation.Passport:       widgetRoute(reader("passport")),
		operation.CompareFaces:   accessRoute((*Server).compareFaces),
	}
}

func operationByName(name string) *operation.Operation {
	for _, op := range operation.All() {
		if op.Name == name {
			return op
		}
	}
	return nil
}

// operationByPath looks up a path in the operation table. The caller checks the host, to distinguish a
// request to the wrong host from one to an unknown path. In the developer guides, begin/ is at the root
// of the widget host.
func operationByPath(path string) *operation.Operation {
	if path == "/begin/" {
		return operation.SessionBegin
	}
	for _, op := range operation.All() {
		if op.Path() == path {
			return op
		}
	}
	return nil
}

// receive reads the request, and finds its company and signature.
func (s *Server) receive(c *call, r *http.Request) error {
	err := s.read(c, r)
	c.record.Parameters = s.parameters(c)
	key, _ := c.params.get(documented.CompanyKey(c.op).Name)
	i := slices.IndexFunc(s.companies, func(company *company) bool { return key == company.CompanyKey })
	if i >= 0 {
		c.record.Company = s.companies[i].Name
	}
	i = max(i, 0)
	c.company = s.companies[i]
	c.record.SignatureValid = err == nil && signatureMatches(r.Header.Get("Authorization"), c.signatures[i])
	return err
}

// otherKeyNames maps the name of the company key on one host to its name on the other.
var otherKeyNames = map[string]string{"company_key": "companyKey", "companyKey": "company_key"}

// handleCall checks the encoding, the key, the signature and the parameters, in this order, and runs
// the operation.
func (s *Server) handleCall(c *call, r *http.Request) response {
	rt := routes[c.op]
	if err := s.receive(c, r); err != nil {
		return refuse(rt.wrongParameters, "%v", err)
	}
	keyField := documented.CompanyKey(c.op)
	name := keyField.Name
	key, present := c.params.get(name)
	switch {
	case !present || key == "":
		other := otherKeyNames[name]
		if _, present := c.params.get(other); present {
			return refuse(rt.missingKey, "the parameter %q is missing; the parameter %q belongs to the other host", name, other)
		}
		return refuse(rt.missingKey, "the parameter %q is missing", name)
	case key != c.company.CompanyKey:
		return refuse(rt.unknownKey, "the company key is unknown")
	case c.record.Signed && !c.record.SignatureValid:
		return refuse(rt.wrongSignature, "the signature does not match the body")
	case !c.record.Signed && c.company.RequireHMAC:
		return refuse(rt.wrongSignature, "the request is not signed")
	case c.record.Signed && r.URL.RawQuery != "":
		return refuse(rt.wrongSignature, "the signature does not cover the query string")
	}
	if r.URL.Query().Has(name) {
		c.record.warn("the company key is in the URL, which proxies and servers write to their logs")
	}
	if err := s.check(c, append([]documented.Field{keyField}, documented.Endpoints[c.op].Parameters...)); err != nil {
		return refuse(rt.wrongParameters, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait := c.company.admit(c.record.Time); wait > 0 {
		c.record.Fault = "limit of requests" // not a documented refusal
		return response{
			status: http.StatusTooManyRequests, contentType: "text/plain; charset=utf-8", body: []byte(http.StatusText(http.StatusTooManyRequests)),
			failed: true, reason: fmt.Sprintf("the company has reached its limit of %d requests per minute", c.company.RequestsPerMinute), retryAfter: wait,
		}
	}
	c.record.Processed = true
	return rt.handle(s, c)
}

// tap is set by tests that record exchanges. It is called before an operation is served, and the
// function that it returns is called afterwards, when the entry is complete.
var tap func(entry *Request, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, func())

// serve handles the requests to one of the two hosts.
func (s *Server) serve(host operation.Host, w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.leave()
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if host == operation.Widget && strings.HasPrefix(r.URL.Path, controlPath) {
		s.serveControl(w, r)
		return
	}
	op := operationByPath(r.URL.Path)
	if host == operation.Widget && op == nil && !strings.HasPrefix(r.URL.Path, "/external-api/") {
		s.servePage(w, r)
		return
	}
	if op == nil || op.Host != host {
		s.notFound(host, w, r)
		return
	}
	rec := s.newRecord(host, r)
	rec.Operation = op.Name
	if err := s.checkBackend(r); err != nil {
		rec.Status, rec.Refusal = http.StatusForbidden, err.Error()
		s.record(rec)
		s.logf("%s refused: %s", op.Name, rec.Refusal)
		w.Header().Set(refusalHeader, headerText(rec.Refusal))
		http.Error(w, rec.Refusal, http.StatusForbidden)
		return
	}
	if tap != nil {
		tapped, done := tap(rec, w, r)
		defer done()
		w = tapped
	}
	fault, ok := s.nextFault(op.Name)
	if ok {
		rec.Fault = fault.name
	}
	// The request is listed before its body is read, and the entry is complete before the response is
	// sent: a caller that has the response sees the whole entry in Requests.
	entry := s.record(rec)
	if fault.resetBeforeRead {
		fake.Reset(w)
		return
	}
	c := &call{op: op, record: rec}
	var resp response
	if fault.replaces && !fault.processes {
		_ = s.receive(c, r) // the fault decides the response
	} else {
		resp = s.handleCall(c, r)
	}
	if resp.failed {
		rec.Refusal = oneLine(s.mask(resp.reason))
		s.logf("%s refused: %s", op.Name, rec.Refusal)
	} else if rec.Warning != "" {
		s.logf("%s: warning: %s", op.Name, rec.Warning)
	}
	s.write(w, r, c, entry, fault, resp)
}

// newRecord returns a record of the request's first line and headers.
func (s *Server) newRecord(host operation.Host, r *http.Request) *Request {
	return &Request{
		Host:        hostName(host),
		Method:      r.Method,
		Path:        oneLine(s.mask(r.URL.Path)),
		ContentType: s.mask(strings.TrimSpace(strings.Split(r.Header.Get("Content-Type"), ";")[0])),
		UserAgent:   s.mask(r.UserAgent()),
		Time:        s.now(),
		Signed:      r.Header.Get("Authorization") != "",
	}
}

func hostName(h operation.Host) string {
	if h == operation.Widget {
		return "widget"
	}
	return "api"
}
