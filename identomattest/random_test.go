package identomattest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestSeedRepeatsResponses makes the same requests to two servers, and to one server again after a reset.
func TestSeedRepeatsResponses(t *testing.T) {
	run := func(srv *Server) string {
		var out strings.Builder
		show := func(resp httpResponse) httpResponse {
			out.WriteString(resp.header.Get("Date") + resp.header.Get("Content-Type") + resp.body + "\n")
			return resp
		}
		token := strings.Trim(show(widget(t, srv, "begin/", "flags", `{"skip_face":true,"skip_document":true}`, "steps", `[{"type":"identity-document"},{"type":"liveness"},{"type":"video-call"},{"type":"general-document"},
			{"type":"user-questionnaire","key":"q","questions":[{"type":"file","key":"f"}]}]`)).body, `"`)
		session := `"sessionId":"` + token + `"`
		openPage(t, srv.WidgetURL+"/?session_token="+token)
		control(t, srv, "POST", "clock", `{"advanceSeconds":30}`)
		control(t, srv, "POST", "sessions/"+token+"/approve", "")
		for _, name := range []string{"result/", "result/card-front/", "result/card-back/", "result/face/", "result/face-video/"} {
			show(widget(t, srv, name, "session_token", token))
		}
		show(widget(t, srv, "result/general-document/", "session_token", token, "typeId", "utility-bill"))
		for _, name := range []string{"list-session-activities", "get-session-statistical-summary", "get-visual-markers", "get-video-call-shots",
			"get-video-call-videos", "get-session-main-document-face-photo"} {
			show(api(t, srv, name, session))
		}
		show(api(t, srv, "get-question-file", session+`,"stepKey":"q","questionKey":"f","fileIndex":0`))
		show(api(t, srv, "export-session-as-pdf", session+`,"exportSession":true`))
		show(api(t, srv, "make-group", `"name":"a"`))
		show(api(t, srv, "create-user", `"email":"a@example.com","password":"12345678"`))
		show(api(t, srv, "add-blacklist-record", `"query":{"firstName":"A","reason":"b"}`))
		show(api(t, srv, "monitor-screening-query", `"query":{"fullName":"A"}`))
		contentType, body := multipartBody(t, part{name: "company_key", content: srv.CompanyKey}, part{"image", "a.jpg", string(FaceJPEG(9, 9))})
		show(post(t, srv.WidgetURL+"/external-api/passport/", contentType, body))
		return out.String()
	}
	clock := WithClock(func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) })
	srv := NewServer(t, WithSeed(7), clock)
	first := run(srv)
	assert.NotContains(t, first, "argumentError")
	assert.Contains(t, first, "Sat, 31 Jan 2026 12:00:30 GMT")
	assert.Equal(t, first, run(NewServer(t, WithSeed(7), clock)))
	assert.NotEqual(t, first, run(NewServer(t, WithSeed(8), clock)))
	control(t, srv, "POST", "reset", "")
	assert.Equal(t, first, run(srv))
}

func TestLatencyDelaysResponses(t *testing.T) {
	srv := NewServer(t, WithLatency(30*time.Millisecond))
	start := time.Now()
	api(t, srv, "list-users", "")
	assert.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
}

func TestControlClock(t *testing.T) {
	srv := NewServer(t, WithClock(func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }))
	token := begin(t, srv, "")
	assert.JSONEq(t, `{"time":"2026-01-31T12:00:00Z"}`, control(t, srv, "GET", "clock", "").body)
	assert.JSONEq(t, `{"time":"2026-01-31T12:15:00Z"}`, control(t, srv, "POST", "clock", `{"advanceSeconds":900}`).body)
	assert.Contains(t, control(t, srv, "GET", "sessions/"+token, "").body, `"state": "expired"`)
	assert.Equal(t, 400, control(t, srv, "POST", "clock", `{"advanceSeconds":-1}`).status)
	control(t, srv, "POST", "reset", "")
	assert.JSONEq(t, `{"time":"2026-01-31T12:00:00Z"}`, control(t, srv, "GET", "clock", "").body)
}
