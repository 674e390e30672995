package identomattest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// refusal is the body of a refused request, as the documents print it. Refusals come
// with HTTP 200.
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

	// One cause, five spellings: the key is wrong.
	companyKeyInvalid refusal = `"COMPANY_KEY_INVALID"`
	invalidAccess     refusal = `{"argumentError":"invalid-access"}`
	invalidCompanyKey refusal = `{"argumentError":"invalid-company-key"}`
	companyMissing    refusal = `{"argumentError":"company-missing"}`
	accessDenied      refusal = `{"argumentError":"access-denied"}`
)

// reply is what an operation answers.
type response struct {
	status      int // 200 when zero
	contentType string
	body        []byte
	// failed replies carry no signature. why is for the log of the test.
	failed bool
	why    string
}

func jsonResponse(v any) response {
	return response{contentType: "application/json", body: encodeJSON(v)}
}

func resultResponse(v any) response { return jsonResponse(object{{"result", v}}) }

func bytesResponse(contentType string, data []byte) response {
	return response{contentType: contentType, body: data}
}

func refuse(body refusal, format string, args ...any) response {
	return response{contentType: "application/json", body: []byte(body), failed: true, why: fmt.Sprintf(format, args...)}
}

// route is what the fake knows about one row of the operation table.
type route struct {
	// fields are the documented parameters beside the company key.
	fields []field
	// wrong answers whatever breaks the documented form of a request.
	wrong refusal
	// key answers an unknown company key, noKey a missing one, signature a missing or
	// wrong signature.
	key, noKey, signature refusal
	handle                func(*Server, *call) response
}

// Refusals per family of endpoints. Documented: the spelling of the key error where the
// reference shows one, wrong-parameters and session-not-found. Chosen, because the
// documents are silent:
//   - a refused signature is answered like a wrong key;
//   - wrong-parameters stands in wherever an endpoint documents no error for a mistake,
//     a missing key among them;
//   - of the two errors of screening, company-missing is the answer to a key that is
//     missing or unknown, access-denied to a signature;
//   - list-groups documents not-found, which can only be about the company: it answers a
//     missing key, and an unknown one meets invalid-access as in list-users.
func widgetRoute(handle func(*Server, *call) response, fields ...field) route {
	return route{fields, wrongParameters, companyKeyInvalid, companyKeyInvalid, companyKeyInvalid, handle}
}

func accessRoute(handle func(*Server, *call) response, fields ...field) route {
	return route{fields, wrongParameters, invalidAccess, wrongParameters, invalidAccess, handle}
}

func companyKeyRoute(handle func(*Server, *call) response, fields ...field) route {
	return route{fields, wrongParameters, invalidCompanyKey, wrongParameters, invalidCompanyKey, handle}
}

func screeningRoute(handle func(*Server, *call) response, fields ...field) route {
	return route{fields, wrongParameters, companyMissing, companyMissing, accessDenied, handle}
}

func groupRoute(handle func(*Server, *call) response, fields ...field) route {
	return route{fields, wrongGroupParameters, invalidAccess, wrongGroupParameters, invalidAccess, handle}
}

func listGroupsRoute(handle func(*Server, *call) response) route {
	return route{nil, wrongParameters, invalidAccess, notFound, invalidAccess, handle}
}

var (
	sessionToken = field{name: "session_token", required: true}
	sessionID    = field{name: "sessionId", required: true}
	imageFile    = field{name: "image", kind: jpeg, required: true}
)

// routes has one entry per row of the operation table.
var routes map[*operation.Operation]route

func init() {
	routes = map[*operation.Operation]route{
		operation.Begin:  widgetRoute((*Server).begin, beginFields...),
		operation.Result: widgetRoute((*Server).result, sessionToken),
		operation.Delete: widgetRoute((*Server).delete, sessionToken),
		operation.ExportSessionPDF: accessRoute((*Server).exportPDF, sessionID,
			field{name: "exportSession", kind: boolean},
			field{name: "exportScreening", kind: boolean},
			field{name: "exportProofOfAddress", kind: boolean}),

		operation.ResultCardFront:       widgetRoute(media(hasCard, "image/jpeg", cardFrontPicture), sessionToken),
		operation.ResultCardBack:        widgetRoute(media(hasCard, "image/jpeg", cardBackPicture), sessionToken),
		operation.ResultPassport:        widgetRoute(media(hasPassport, "image/jpeg", passportPicture), sessionToken),
		operation.ResultFace:            widgetRoute(media(hasFace, "image/jpeg", facePicture), sessionToken),
		operation.ResultFaceVideo:       widgetRoute(media(hasFace, "video/mp4", video), sessionToken),
		operation.ResultFaceDocument:    widgetRoute(media(hasFaceDocument, "image/jpeg", selfieWithID), sessionToken),
		operation.ResultGeneralDocument: widgetRoute((*Server).generalDocument, sessionToken, field{name: "typeId", required: true}),
		operation.DocumentFacePhoto:     accessRoute((*Server).facePhoto, sessionID),
		operation.SessionActivities:     accessRoute((*Server).listActivities, sessionID),
		operation.SessionStatistics:     accessRoute((*Server).statistics, sessionID),
		operation.VisualMarkers:         accessRoute((*Server).visualMarkers, sessionID),
		operation.QuestionFile: accessRoute((*Server).questionFile, sessionID,
			field{name: "stepKey", required: true},
			field{name: "questionKey", required: true},
			field{name: "fileIndex", kind: integer}),

		operation.ScreeningSearch: screeningRoute((*Server).searchScreening,
			field{name: "query", kind: nested, required: true, fields: screeningSearchQuery},
			field{name: "offset", kind: integer},
			field{name: "limit", kind: integer}),
		operation.ScreeningPerson: screeningRoute((*Server).screeningPerson, field{name: "personId", required: true}),
		operation.ScreeningMonitor: screeningRoute((*Server).monitorScreening,
			field{name: "query", kind: nested, required: true, fields: screeningQuery}),
		operation.ScreeningUnmonitor: screeningRoute((*Server).unmonitorScreening, field{name: "id", required: true}),
		operation.ScreeningMonitored: screeningRoute((*Server).listMonitored,
			field{name: "start", kind: integer},
			field{name: "limit", kind: integer},
			field{name: "date"}),

		operation.BlacklistAdd: companyKeyRoute((*Server).addBlacklisted,
			field{name: "query", kind: nested, required: true, fields: blacklistQuery}),
		operation.BlacklistRemove: companyKeyRoute((*Server).removeBlacklisted, field{name: "id", required: true}),
		// The parameter list of the reference puts offset and limit inside the query.
		operation.BlacklistList: companyKeyRoute((*Server).listBlacklisted,
			field{name: "query", kind: nested, fields: []field{{name: "offset", kind: integer}, {name: "limit", kind: integer}}}),

		operation.VideoCallShots:  accessRoute((*Server).videoCallShots, sessionID),
		operation.VideoCallVideos: accessRoute((*Server).videoCallVideos, sessionID),
		operation.VideoCallEnd:    accessRoute((*Server).endVideoCall, sessionID),

		operation.GroupsList: listGroupsRoute((*Server).listGroups),
		operation.GroupCreate: groupRoute((*Server).makeGroup,
			field{name: "name", required: true},
			field{name: "memberIds", kind: texts}),
		operation.GroupUpdate: groupRoute((*Server).changeGroup,
			field{name: "groupId", required: true},
			field{name: "name"},
			field{name: "memberIds", kind: texts}),
		operation.GroupDelete: groupRoute((*Server).deleteGroup, field{name: "groupId", required: true}),
		operation.UsersList:   accessRoute((*Server).listUsers),
		operation.UserCreate: companyKeyRoute((*Server).createUser,
			field{name: "email", required: true},
			field{name: "emailVerified", kind: boolean},
			field{name: "password", kind: unchecked, required: true}, // its wrong type has an answer of its own
			field{name: "firstName"},
			field{name: "lastName"},
			field{name: "rights", kind: texts}),
		operation.SessionConfig: accessRoute((*Server).sessionConfig, field{name: "sessionConfigId", required: true}),

		operation.CardFront:      widgetRoute(reader("card-front"), imageFile),
		operation.CardBack:       widgetRoute(reader("card-back"), imageFile),
		operation.LicenseFront:   widgetRoute(reader("license-front"), imageFile),
		operation.LicenseBack:    widgetRoute(reader("license-back"), imageFile),
		operation.ResidenceFront: widgetRoute(reader("residence-front"), imageFile),
		operation.ResidenceBack:  widgetRoute(reader("residence-back"), imageFile),
		operation.Passport:       widgetRoute(reader("passport"), imageFile),
		operation.CompareFaces: accessRoute((*Server).compareFaces,
			field{name: "face1", kind: jpeg, required: true},
			field{name: "face2", kind: jpeg, required: true}),
	}
}

// keyName is the spelling of the company key on the operation's host.
func keyName(op *operation.Operation) string {
	if op.Host == operation.Widget {
		return "company_key"
	}
	return "companyKey"
}

func operationNamed(name string) *operation.Operation {
	for _, op := range operation.All() {
		if op.Name == name {
			return op
		}
	}
	return nil
}

// find looks a path up in the operation table. The host is checked by the caller, so
// that a call sent to the wrong one is told from an unknown path.
func find(path string) *operation.Operation {
	for _, op := range operation.All() {
		if op.Path() == path {
			return op
		}
	}
	return nil
}

// handleCall runs the operation: the order is form, key, signature, parameters.
func (s *Server) handleCall(c *call, r *http.Request) response {
	rt := routes[c.op]
	err := s.read(c, r)
	c.log.Parameters = s.parameters(c)
	header := r.Header.Get("Authorization")
	c.log.Signed = header != ""
	c.log.SignatureValid = c.code != "" && signed(header, c.code)
	if err != nil {
		return refuse(rt.wrong, "%v", err)
	}
	name := keyName(c.op)
	key, present := c.params.get(name)
	switch {
	case !present || key == "":
		return refuse(rt.noKey, "the parameter %q is missing", name)
	case key != s.companyKey:
		return refuse(rt.key, "the company key is unknown")
	case c.log.Signed && !c.log.SignatureValid:
		return refuse(rt.signature, "the signature does not fit the body")
	case !c.log.Signed && s.requireHMAC:
		return refuse(rt.signature, "the request is not signed")
	}
	if err := s.check(c, append([]field{{name: name, required: true}}, rt.fields...)); err != nil {
		return refuse(rt.wrong, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.log.Processed = true
	return rt.handle(s, c)
}

// serve is the handler of one of the two hosts.
func (s *Server) serve(host operation.Host, w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.leave()
	if host == operation.Widget && strings.HasPrefix(r.URL.Path, controlPath) {
		s.serveControl(w, r)
		return
	}
	if host == operation.Widget && !strings.HasPrefix(r.URL.Path, "/external-api/") {
		s.servePage(w, r)
		return
	}
	log := &Request{
		Host:        hostName(host),
		Method:      r.Method,
		Path:        s.mask(r.URL.Path),
		ContentType: s.mask(strings.TrimSpace(strings.Split(r.Header.Get("Content-Type"), ";")[0])),
		UserAgent:   s.mask(r.UserAgent()),
		Time:        s.now(),
		Signed:      r.Header.Get("Authorization") != "",
	}
	op := find(r.URL.Path)
	if op != nil {
		log.Operation = op.Name
	}
	if op == nil || op.Host != host {
		log.Status, log.Refusal = http.StatusNotFound, "the path is unknown"
		if op != nil {
			log.Refusal = "the operation belongs to the other host"
		}
		s.record(log)
		s.logf("%s %s on the %s host: %s", r.Method, log.Path, log.Host, log.Refusal)
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	fault, broken := s.takeFault(op.Name)
	if broken {
		log.Fault = fault.name
	}
	// The request is on record before it is read, and complete before it is answered: a
	// caller that has its reply finds all of it in Requests.
	entry := s.record(log)
	if fault.resetFirst {
		fake.Reset(w)
		return
	}
	c := &call{op: op, log: log}
	var resp response
	if fault.replaces && !fault.processes {
		err := s.read(c, r)
		log.Parameters = s.parameters(c)
		log.SignatureValid = err == nil && signed(r.Header.Get("Authorization"), c.code)
	} else {
		resp = s.handleCall(c, r)
	}
	if resp.failed {
		log.Refusal = s.mask(resp.why)
		s.logf("%s refused: %s", op.Name, log.Refusal)
	}
	s.write(w, r, c, entry, fault, resp)
}

func hostName(h operation.Host) string {
	if h == operation.Widget {
		return "widget"
	}
	return "api"
}
