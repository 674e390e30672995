package identomattest

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
)

// documentedResponses returns the API reference's response examples by operation and label. JSON is
// compacted. "-" stands for a response that is not JSON.
func documentedResponses(t *testing.T) map[[2]string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/documented.txt")
	require.NoError(t, err)
	out := map[[2]string]string{}
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, cells, 3)
		out[[2]string{cells[0], cells[1]}] = cells[2]
	}
	return out
}

// volatile matches the parts of a response that differ between calls.
var volatile = regexp.MustCompile(`"[0-9a-f]{16}"|"[0-9a-f]{24}"|"[0-9a-f]{32}"|"[0-9a-z]{40}"|base64[,\w+\\/=]+`)

// normalize replaces the volatile parts in a response.
func normalize(body string) string {
	return volatile.ReplaceAllStringFunc(body, func(s string) string {
		if strings.HasPrefix(s, "base64") {
			return "base64String"
		}
		return `"…"`
	})
}

// example is a request and how to compare its response with the documented one.
type example struct {
	operation, label string
	send             func() httpResponse
	// want is "" if the bytes must be equal, and "shape" if the names and types must be equal. Any other
	// value is the beginning of a response that is not JSON.
	want string
}

// TestDocumentedResponses makes a successful request to every endpoint, and one request for every error
// that the API reference documents for the endpoint.
func TestDocumentedResponses(t *testing.T) {
	now := time.Date(2021, 12, 29, 11, 30, 40, 0, time.UTC)
	clock := func() time.Time { return now }
	srv := NewServer(t, WithClock(clock))
	signedOnly := NewServer(t, WithClock(clock), RequireHMAC())

	const everything = `{"type":"identity-document"},{"type":"liveness","flags":{"liveness":true}},{"type":"face-document"},{"type":"general-document"},
		{"type":"video-call"},{"type":"user-questionnaire","key":"q","questions":[{"type":"file","key":"f"}]},{"type":"phone-number"},{"type":"email"},{"type":"geolocation"}`
	card, passport, bare := beginWith(t, srv, everything), beginWith(t, srv, everything), beginWith(t, srv, `{"type":"liveness"}`)
	plain := begin(t, srv, "")
	openPage(t, srv.WidgetURL+"/?session_token="+plain)
	openPage(t, srv.WidgetURL+"/?session_token="+plain)
	now = now.Add(8 * time.Second)
	require.NoError(t, srv.Approve(identomat.Token(card)))
	require.NoError(t, srv.Reject(identomat.Token(passport), "low_similarity", WithDocumentType("passport")))
	require.NoError(t, srv.Approve(identomat.Token(plain)))

	face := string(FaceJPEG(100, 100))
	image := func(name, key string) httpResponse {
		contentType, body := multipartBody(t, part{name: "company_key", content: key}, part{"image", "a.jpg", face})
		return post(t, srv.WidgetURL+"/external-api/"+name, contentType, body)
	}
	compare := func(face1 string) httpResponse {
		contentType, body := multipartBody(t, part{name: "companyKey", content: srv.CompanyKey}, part{"face1", "a.jpg", face1}, part{"face2", "b.jpg", face})
		return post(t, srv.APIURL+"/compare-faces", contentType, body)
	}
	form := func(name string, params ...string) func() httpResponse {
		return func() httpResponse { return widget(t, srv, name, params...) }
	}
	call := func(name, members string) func() httpResponse {
		return func() httpResponse { return api(t, srv, name, members) }
	}
	wrongKey := func(name string) func() httpResponse {
		return func() httpResponse { return post(t, srv.APIURL+"/"+name, asJSON, `{"companyKey":"wrong"}`) }
	}
	noKey := func(name string) func() httpResponse {
		return func() httpResponse { return post(t, srv.APIURL+"/"+name, asJSON, `{}`) }
	}
	unsigned := func(name string) func() httpResponse {
		return func() httpResponse {
			return post(t, signedOnly.APIURL+"/"+name, asJSON, `{"companyKey":"`+signedOnly.CompanyKey+`"}`)
		}
	}
	session := func(token string) string { return `"sessionId":"` + token + `"` }
	const unknownSession = `"sessionId":"unknown"`
	const jpegStart = "\xff\xd8\xff"

	var group, user string
	doe := `"query":{"firstName":"John","lastName":"Doe","documentNumber":"123ABC123","personalNumber":"012345678901","birthday":"1980-01-01T00:00:00.000Z","reason":"Reason for adding to blacklist"}`
	lastRecord := func() string { return srv.companies[0].blacklist[len(srv.companies[0].blacklist)-1].id }

	examples := []example{
		{"begin/", "default", func() httpResponse {
			return post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`)
		}, ""},
		{"result/", "sessionApproved", form("result/", "session_token", card), "shape"},
		{"result/", "sessionRejected", form("result/", "session_token", passport), "shape"},
		{"result/", "sessionNotFound", form("result/", "session_token", "unknown"), ""},
		{"delete/", "default", func() httpResponse { return widget(t, srv, "delete/", "session_token", begin(t, srv, "")) }, ""},
		{"delete/", "sessionNotFound", form("delete/", "session_token", "unknown"), ""},
		{"export-session-as-pdf", "default", call("export-session-as-pdf", session(card)+`,"exportSession":true`), "%PDF-"},
		{"export-session-as-pdf", "wrongParameters", call("export-session-as-pdf", session(card)), ""},
		{"export-session-as-pdf", "invalidAccess", wrongKey("export-session-as-pdf"), ""},
		{"export-session-as-pdf", "sessionNotFound", call("export-session-as-pdf", unknownSession+`,"exportSession":true`), ""},

		{"result/card-front/", "default", form("result/card-front/", "session_token", card), jpegStart},
		{"result/card-back/", "default", form("result/card-back/", "session_token", card), jpegStart},
		{"result/passport/", "default", form("result/passport/", "session_token", passport), jpegStart},
		{"result/face/", "default", form("result/face/", "session_token", card), jpegStart},
		{"result/face-video/", "default", form("result/face-video/", "session_token", card), "\x00\x00\x00"},
		{"result/face-document/", "default", form("result/face-document/", "session_token", card), jpegStart},
		{"result/general-document/", "default", form("result/general-document/", "session_token", card, "typeId", "utility-bill"), jpegStart},
		{"result/general-document/", "sessionNotFound", form("result/general-document/", "session_token", "unknown", "typeId", "utility-bill"), ""},
		{"get-session-main-document-face-photo", "default", call("get-session-main-document-face-photo", session(card)), ""},
		{"get-session-main-document-face-photo", "notFound", call("get-session-main-document-face-photo", session(bare)), ""},
		{"list-session-activities", "default", call("list-session-activities", session(plain)), "shape"},
		{"get-session-statistical-summary", "default", call("get-session-statistical-summary", session(plain)), ""},
		{"get-visual-markers", "default", call("get-visual-markers", session(card)), ""},
		{"get-visual-markers", "wrongParameters", call("get-visual-markers", `"sessionID":"x"`), ""},
		{"get-question-file", "default", call("get-question-file", session(card)+`,"stepKey":"q","questionKey":"f","fileIndex":0`), ""},
		{"get-question-file", "wrongParameters", call("get-question-file", session(card)), ""},
		{"get-question-file", "sessionNotFound", call("get-question-file", unknownSession+`,"stepKey":"q","questionKey":"f"`), ""},

		{"search-screening-person", "default - no results for person", call("search-screening-person", `"query":{"fullName":"Nobody","scoreThreshold":80}`), ""},
		{"search-screening-person", "default - person found", call("search-screening-person", `"query":{"fullName":"Viktor Examplov","scoreThreshold":80}`), "shape"},
		{"search-screening-person", "companyMissing", noKey("search-screening-person"), ""},
		{"search-screening-person", "accessDenied", unsigned("search-screening-person"), ""},
		{"get-screening-person-details", "default", call("get-screening-person-details", `"personId":"`+screeningList[0].id+`"`), "shape"},
		{"get-screening-person-details", "companyMissing", wrongKey("get-screening-person-details"), ""},
		{"get-screening-person-details", "accessDenied", unsigned("get-screening-person-details"), ""},
		{"monitor-screening-query", "default", call("monitor-screening-query", `"query":{"fullName":"John","birthdayTimeFrom":"1982-12-12"}`), ""},
		{"monitor-screening-query", "Already on monitoring", call("monitor-screening-query", `"query":{"fullName":"John","birthdayTimeFrom":"1982-12-12"}`), ""},
		{"list-screening-monitoring-records", "default", func() httpResponse {
			api(t, srv, "monitor-screening-query", `"query":{"fullName":"Jane"}`)
			require.NoError(t, srv.UpdateMonitored(srv.companies[0].monitoring[1].id))
			return api(t, srv, "list-screening-monitoring-records", `"start":0,"limit":50`)
		}, "shape"},
		{"remove-screening-query-from-monitoring", "default", func() httpResponse {
			return api(t, srv, "remove-screening-query-from-monitoring", `"id":"`+srv.companies[0].monitoring[0].id+`"`)
		}, ""},

		{"list-blacklist-records", "noRecord", call("list-blacklist-records", ``), ""},
		{"add-blacklist-record", "default", call("add-blacklist-record", doe), ""},
		{"add-blacklist-record", "alreadyExists", call("add-blacklist-record", doe), ""},
		{"add-blacklist-record", "wrongParameters", call("add-blacklist-record", `"query":{"reason":"nobody"}`), ""},
		{"add-blacklist-record", "invalidCompanyKey", wrongKey("add-blacklist-record"), ""},
		{"list-blacklist-records", "default", call("list-blacklist-records", `"query":{"offset":0,"limit":100}`), ""},
		{"list-blacklist-records", "wrongParameters", call("list-blacklist-records", `"query":{"offset":"0"}`), ""},
		{"list-blacklist-records", "invalidCompanyKey", wrongKey("list-blacklist-records"), ""},
		{"remove-blacklist-record", "default", func() httpResponse { return api(t, srv, "remove-blacklist-record", `"id":"`+lastRecord()+`"`) }, ""},
		{"remove-blacklist-record", "wrongParameters", call("remove-blacklist-record", ``), ""},
		{"remove-blacklist-record", "invalidCompanyKey", wrongKey("remove-blacklist-record"), ""},
		{"remove-blacklist-record", "idNotFound", call("remove-blacklist-record", `"id":"682b09e4400b3a00067ebcf7"`), ""},

		{"get-video-call-shots", "default", call("get-video-call-shots", session(card)), ""},
		{"get-video-call-videos", "default", call("get-video-call-videos", session(card)), "video-1.mp4"},
		{"get-video-call-videos", "notFound", call("get-video-call-videos", session(bare)), ""},
		{"end-video-call", "default", call("end-video-call", session(card)), ""},

		{"list-groups", "noGroups", call("list-groups", ``), ""},
		{"list-groups", "notFound", noKey("list-groups"), ""},
		{"create-user", "default", func() httpResponse {
			resp := api(t, srv, "create-user", `"email":"user1@example.com","emailVerified":true,"password":"12345678","firstName":"John","rights":["operator"]`)
			user = unwrapID(t, resp.body)
			return resp
		}, ""},
		{"create-user", "userAlreadyExists", call("create-user", `"email":"user1@example.com","password":"12345678"`), ""},
		{"create-user", "wrongParameters", call("create-user", `"email":"a@example.com"`), ""},
		{"create-user", "invalidCompanyKey", wrongKey("create-user"), ""},
		{"create-user", "invalidEmailFormat", call("create-user", `"email":"a","password":"12345678"`), ""},
		{"create-user", "passwordTooShort", call("create-user", `"email":"a@example.com","password":"1234567"`), ""},
		{"create-user", "passwordIsNotString", call("create-user", `"email":"a@example.com","password":12345678`), ""},
		{"create-user", "invalidRights", call("create-user", `"email":"a@example.com","password":"12345678","rights":["king"]`), ""},
		{"list-users", "default", call("list-users", ``), "shape"},
		{"list-users", "wrongParameters", noKey("list-users"), ""},
		{"make-group", "default", func() httpResponse {
			second := unwrapID(t, api(t, srv, "create-user", `"email":"user2@example.com","password":"12345678"`).body)
			// The fake sorts members by ID.
			first, last := min(user, second), max(user, second)
			resp := api(t, srv, "make-group", `"name":"group_name","memberIds":["`+first+`","`+last+`"]`)
			group = unwrapID(t, resp.body)
			return resp
		}, ""},
		{"make-group", "wrongParameter", call("make-group", `"name":""`), ""},
		{"list-groups", "default", call("list-groups", ``), "shape"},
		{"change-group", "default", func() httpResponse { return api(t, srv, "change-group", `"groupId":"`+group+`","name":"Group 1"`) }, ""},
		{"change-group", "wrongParameter", call("change-group", `"groupId":"unknown"`), ""},
		{"delete-group", "wrongParameter", call("delete-group", `"groupId":"unknown"`), ""},
		{"delete-group", "default", func() httpResponse { return api(t, srv, "delete-group", `"groupId":"`+group+`"`) }, ""},
		{"get-session-config", "default", call("get-session-config", `"sessionConfigId":"679c74e4d9725987e3879265"`), ""},
		{"get-session-config", "wrongParameters", call("get-session-config", `"sessionConfigId":"unknown"`), ""},

		{"compare-faces", "default", func() httpResponse { return compare(string(FaceJPEG(101, 100))) }, ""},
		{"compare-faces", "error", func() httpResponse { return compare(string(FaceJPEG(60, 60))) }, ""},
	}
	for _, op := range operation.All() {
		if op.Section == operation.CardFront.Section {
			examples = append(examples, example{op.Name, "default", func() httpResponse { return image(op.Name, srv.CompanyKey) }, ""})
		}
	}
	// Most endpoints document two errors: an unknown session and a wrong key.
	documented := documentedResponses(t)
	covered := map[[2]string]bool{}
	for _, e := range examples {
		covered[[2]string{e.operation, e.label}] = true
	}
	for _, op := range operation.All() {
		for label, send := range map[string]func() httpResponse{
			"sessionNotFound": map[bool]func() httpResponse{
				true: form(op.Name, "session_token", "unknown"), false: call(op.Name, unknownSession),
			}[op.Host == operation.Widget],
			"invalidAccess": wrongKey(op.Name),
		} {
			key := [2]string{op.Name, label}
			if _, exists := documented[key]; exists && !covered[key] {
				examples = append(examples, example{op.Name, label, send, ""})
			}
		}
	}

	tested, succeeded := map[[2]string]bool{}, map[string]bool{}
	for _, e := range examples {
		key := [2]string{e.operation, e.label}
		want, exists := documented[key]
		require.True(t, exists, "%v is not documented", key)
		require.False(t, tested[key], "%v is tested twice", key)
		tested[key] = true
		resp := e.send()
		assert.Equal(t, http.StatusOK, resp.status, key)
		refused := strings.HasPrefix(resp.body, `{"argumentError"`) || strings.HasPrefix(resp.body, `{"internalError"`) || resp.body == string(companyKeyInvalid)
		assert.Equal(t, refused, resp.header.Get("X-Sandbox-Refusal") != "", "%v: %s", key, resp.header)
		switch e.want {
		case "":
			assert.Equal(t, normalize(want), normalize(resp.body), key)
		case "shape":
			assertShape(t, key, want, resp.body)
		default:
			assert.Equal(t, "-", want, key)
			assert.True(t, strings.HasPrefix(resp.body, e.want), "%v begins with %.20q", key, resp.body)
		}
		if !strings.Contains(resp.body, "argumentError") && !strings.Contains(resp.body, "internalError") {
			succeeded[e.operation] = true
		}
	}
	for key := range documented {
		assert.True(t, tested[key], "no request for %v", key)
	}
	for _, op := range operation.All() {
		assert.True(t, succeeded[op.Name], "no successful request for %s", op.Name)
	}
}

// assertShape compares the names and types of two JSON values. The members of a result depend on the
// session, so for result/ it compares only the members that both values have, and checks that some
// essential ones exist.
func assertShape(t *testing.T, key [2]string, want, got string) {
	t.Helper()
	if key[0] != "result/" {
		assert.Equal(t, shape(t, want), shape(t, got), key)
		return
	}
	wantShape, gotShape := shape(t, want), shape(t, got)
	for path, kind := range gotShape {
		if wantKind, ok := wantShape[path]; ok && !strings.HasSuffix(path, ".answer") && kind != "null" && wantKind != "null" {
			assert.Equal(t, wantKind, kind, "%v %s", key, path)
		}
	}
	for _, path := range []string{"$.result", "$.similarity", "$.live", "$.document_type", "$.generalDocuments", "$.reject_reason.value", "$.name", "$.person.first_name"} {
		assert.Equal(t, wantShape[path], gotShape[path], "%v %s", key, path)
	}
}
