package identomattest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// httpResponse is a response with its whole body.
type httpResponse struct {
	status int
	header http.Header
	body   string
}

func post(t *testing.T, address, contentType, body string) httpResponse {
	t.Helper()
	return send(t, request(t, address, contentType, body))
}

func request(t *testing.T, address, contentType, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

func send(t *testing.T, req *http.Request) httpResponse {
	t.Helper()
	resp, err := client(t).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return httpResponse{resp.StatusCode, resp.Header, string(body)}
}

// client returns a client that does not follow redirects. It closes idle connections after the test.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const asJSON = "application/json"
const asForm = "application/x-www-form-urlencoded"

// widget posts a form to an operation of the widget host. The form has the company key and params, which
// are pairs of names and values.
func widget(t *testing.T, srv *Server, name string, params ...string) httpResponse {
	t.Helper()
	form := url.Values{"company_key": {srv.CompanyKey}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return post(t, srv.WidgetURL+"/external-api/"+name, asForm, form.Encode())
}

// api posts a JSON object to an operation of the API host. The object has the company key and members.
func api(t *testing.T, srv *Server, name, members string) httpResponse {
	t.Helper()
	body := `{"companyKey":"` + srv.CompanyKey + `"`
	if members != "" {
		body += "," + members
	}
	return post(t, srv.APIURL+"/"+name, asJSON, body+"}")
}

// begin begins a session and returns its token. The JSON body has the company key and members.
func begin(t *testing.T, srv *Server, members string) string {
	t.Helper()
	body := `{"company_key":"` + srv.CompanyKey + `"`
	if members != "" {
		body += "," + members
	}
	resp := post(t, srv.WidgetURL+"/external-api/begin/", asJSON, body+"}")
	require.Regexp(t, `^"[0-9a-z]{40}"$`, resp.body)
	return strings.Trim(resp.body, `"`)
}

// beginWith begins a session that has exactly these steps.
func beginWith(t *testing.T, srv *Server, steps string) string {
	t.Helper()
	return begin(t, srv, `"flags":{"skip_face":true,"skip_document":true},"steps":[`+steps+`]`)
}

type part struct{ name, file, content string }

func multipartBody(t *testing.T, parts ...part) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		var dst io.Writer
		var err error
		if p.file == "" {
			dst, err = w.CreateFormField(p.name)
		} else {
			dst, err = w.CreateFormFile(p.name, p.file)
		}
		require.NoError(t, err)
		_, err = io.WriteString(dst, p.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.String()
}

func TestEveryOperationHasRoute(t *testing.T) {
	for _, op := range operation.All() {
		assert.NotNil(t, routes[op].handle, op.Name)
	}
	assert.Len(t, routes, len(operation.All()), "every route must have a row in the operation table")
}

func TestRequestToWrongHost(t *testing.T) {
	srv := NewServer(t)
	resp := post(t, srv.APIURL+"/external-api/result/", asJSON, `{}`)
	assert.Equal(t, http.StatusNotFound, resp.status)
	resp = post(t, srv.WidgetURL+"/external-api/no-such-thing/", asJSON, `{}`)
	assert.Equal(t, http.StatusNotFound, resp.status)

	requests := srv.Requests()
	require.Len(t, requests, 2)
	assert.Equal(t, "result/", requests[0].Operation)
	assert.Equal(t, "api", requests[0].Host)
	assert.Contains(t, requests[0].Refusal, "other host")
	assert.Empty(t, requests[1].Operation)
}

func TestRequests(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	token := begin(t, srv, `"name":"`+srv.SecretKey+`","flags":{"language":"ka"}`)
	widget(t, srv, "result/", "session_token", token)

	requests := srv.Requests()
	require.Len(t, requests, 2)
	assert.Equal(t, 1, srv.Count("begin/"))
	assert.Equal(t, Request{
		Operation: "begin/", Host: "widget", Method: "POST", Path: "/external-api/begin/",
		ContentType: asJSON, UserAgent: "Go-http-client/1.1",
		Parameters: map[string]any{"company_key": "***", "name": "***", "flags": map[string]any{"language": "ka"}},
		Size:       requests[0].Size, Time: now, Status: 200, Processed: true,
	}, requests[0])
	assert.Positive(t, requests[0].Size)
	assert.NotContains(t, fmt.Sprintf("%+v", requests), srv.CompanyKey)

	requests[0].Parameters["flags"].(map[string]any)["language"] = "changed"
	assert.Equal(t, "ka", srv.Requests()[0].Parameters["flags"].(map[string]any)["language"], "Requests returns a copy")

	srv.ClearRequests()
	assert.Empty(t, srv.Requests())
}

func TestWrongKey(t *testing.T) {
	const (
		bare    = `"COMPANY_KEY_INVALID"`
		access  = `{"argumentError":"invalid-access"}`
		company = `{"argumentError":"invalid-company-key"}`
		missing = `{"argumentError":"company-missing"}`
	)
	special := map[string]string{
		"search-screening-person": missing, "get-screening-person-details": missing, "monitor-screening-query": missing,
		"remove-screening-query-from-monitoring": missing, "list-screening-monitoring-records": missing,
		"add-blacklist-record": company, "remove-blacklist-record": company, "list-blacklist-records": company,
		"create-user": company,
	}
	srv := NewServer(t)
	for _, op := range operation.All() {
		want := access
		if op.Host == operation.Widget {
			want = bare
		}
		if s, ok := special[op.Name]; ok {
			want = s
		}
		resp := sendKey(t, srv, op, "wrong")
		assert.Equal(t, http.StatusOK, resp.status, op.Name)
		assert.Equal(t, want, resp.body, op.Name)
	}
}

func TestMissingKey(t *testing.T) {
	srv := NewServer(t)
	for _, op := range operation.All() {
		want := `{"argumentError":"wrong-parameters"}`
		switch {
		case op.Host == operation.Widget:
			want = `"COMPANY_KEY_INVALID"`
		case op.Section == "AML Screening":
			want = `{"argumentError":"company-missing"}`
		case op.Name == "list-groups":
			want = `{"argumentError":"not-found"}`
		case strings.HasSuffix(op.Name, "-group"):
			want = `{"argumentError":"wrong-parameters","errorSourceGroup":"service-module-server-external"}`
		}
		assert.Equal(t, want, sendKey(t, srv, op, "").body, op.Name)
	}
}

// sendKey calls an operation with a company key and no other parameters. An empty key is not sent.
func sendKey(t *testing.T, srv *Server, op *operation.Operation, key string) httpResponse {
	t.Helper()
	contentType, body := asJSON, `{"`+op.KeyName()+`":"`+key+`"}`
	if key == "" {
		body = `{}`
	}
	if op.Encoding == operation.Multipart {
		contentType, body = multipartBody(t, part{name: op.KeyName(), content: key}, part{"image", "a.jpg", "\xff\xd8\xff"})
	}
	return post(t, address(srv, op), contentType, body)
}

func address(srv *Server, op *operation.Operation) string {
	if op.Host == operation.Widget {
		return srv.WidgetURL + op.Path()
	}
	return srv.APIURL + op.Path()
}

func TestMalformedRequests(t *testing.T) {
	srv := NewServer(t)
	for _, op := range operation.All() {
		want := `{"argumentError":"wrong-parameters"}`
		if strings.HasSuffix(op.Name, "-group") {
			want = `{"argumentError":"wrong-parameters","errorSourceGroup":"service-module-server-external"}`
		}
		good := `{"` + op.KeyName() + `":"` + srv.CompanyKey + `"}`
		requests := map[string]*http.Request{
			"an unknown parameter":         request(t, address(srv, op), asJSON, strings.Replace(good, "}", `,"sessionToken":"x"}`, 1)),
			"a key given twice":            request(t, address(srv, op)+"?"+op.KeyName()+"="+srv.CompanyKey, asJSON, good),
			"an unknown query":             request(t, address(srv, op)+"?"+op.KeyName()+"="+srv.CompanyKey+"&sessionToken=x", "", ""),
			"text/plain":                   request(t, address(srv, op), "text/plain", good),
			"no content type":              request(t, address(srv, op), "", good),
			"malformed JSON":               request(t, address(srv, op), asJSON, good[1:]),
			"two JSON documents":           request(t, address(srv, op), asJSON, good+good),
			"an array":                     request(t, address(srv, op), asJSON, `[]`),
			"an empty body":                request(t, address(srv, op), asJSON, ``),
			"a duplicate parameter":        request(t, address(srv, op), asJSON, strings.Replace(good, "{", `{"x":1,"x":1,`, 1)),
			"invalid UTF-8":                request(t, address(srv, op), asJSON, strings.Replace(good, "{", "{\"\xff\":1,", 1)),
			"multipart without a boundary": request(t, address(srv, op), "multipart/form-data", good),
			"truncated multipart":          request(t, address(srv, op), "multipart/form-data; boundary=x", "--x\r\n"),
		}
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			other := request(t, address(srv, op), asJSON, good)
			other.Method = method
			requests[method] = other
		}
		compressed := request(t, address(srv, op), asJSON, good)
		compressed.Header.Set("Content-Encoding", "gzip")
		requests["a compressed body"] = compressed
		for _, name := range slices.Sorted(maps.Keys(requests)) {
			resp := send(t, requests[name])
			assert.Equal(t, http.StatusOK, resp.status, "%s: %s", op.Name, name)
			assert.Equal(t, want, resp.body, "%s: %s", op.Name, name)
		}
	}
	for _, r := range srv.Requests() {
		assert.False(t, r.Processed, r.Operation)
		assert.NotEmpty(t, r.Refusal, r.Operation)
	}
}

func TestIdentityCodingIsAccepted(t *testing.T) {
	srv := NewServer(t)
	plain := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"`+srv.CompanyKey+`"}`)
	plain.Header.Set("Content-Encoding", "Identity")
	assert.Regexp(t, `^"[0-9a-z]{40}"$`, send(t, plain).body)
}

func TestConcurrentSessions(t *testing.T) {
	srv := NewServer(t)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			token := begin(t, srv, fmt.Sprintf(`"clientUserId":"user-%d"`, i))
			assert.NoError(t, srv.Approve(identomat.Token(token)))
			assert.Contains(t, widget(t, srv, "result/", "session_token", token).body, `{"result":"approved"`)
			srv.Requests()
			srv.Sessions()
			assert.Equal(t, "true", widget(t, srv, "delete/", "session_token", token).body)
		})
	}
	wg.Wait()
	assert.Equal(t, 100, srv.Count("begin/"))
	assert.Equal(t, 100, srv.Count("delete/"))
	assert.Empty(t, srv.Sessions())
}

func TestCloseStopsEverything(t *testing.T) {
	srv, err := Start()
	require.NoError(t, err)
	// Open three connections: one without a request, one that is idle, and one whose response is held back.
	unused, err := net.Dial("tcp", strings.TrimPrefix(srv.WidgetURL, "http://"))
	require.NoError(t, err)
	defer unused.Close()
	token := begin(t, srv, "")
	srv.Fault("result/", SlowBody(0), 1)
	held := make(chan error)
	go func() {
		resp, err := client(t).Do(request(t, srv.WidgetURL+"/external-api/result/", asForm,
			url.Values{"company_key": {srv.CompanyKey}, "session_token": {token}}.Encode()))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		held <- err
	}()
	for srv.Count("result/") == 0 {
		runtime.Gosched()
	}
	start := time.Now()
	srv.Close()
	srv.Close()
	assert.Less(t, time.Since(start), closeGrace, "Close must not wait for the connections")
	require.Error(t, <-held, "Close must abort a response that is held back")
	assert.False(t, fake.Hold(t.Context(), 0, nil, srv.closing), "a closed server must not hold responses back")

	_, err = net.Dial("tcp", strings.TrimPrefix(srv.APIURL, "http://"))
	require.Error(t, err)
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		n := runtime.Stack(stacks, true)
		if !bytes.Contains(stacks[:n], []byte("net/http.(*conn).serve")) && !bytes.Contains(stacks[:n], []byte("identomattest.(*Server)")) {
			return
		}
	}
	t.Fatal("a goroutine of the server is still running")
}

func TestStartAddressInUse(t *testing.T) {
	srv := NewServer(t)
	_, err := Start(WithAddr("", strings.TrimPrefix(srv.APIURL, "http://")))
	require.ErrorContains(t, err, "identomattest: ")
}

func TestStartOptions(t *testing.T) {
	var first, second *Server
	err := errors.New("not started")
	for try := 0; err != nil && try < 10; try++ { // another program may have taken the port
		first, err = Start()
		require.NoError(t, err)
		first.Close()
		host := strings.TrimPrefix(first.WidgetURL, "http://")
		second, err = Start(WithAddr(host, ""), WithKeys("other-company", "other-secret"), WithCallbackKey("other-callback"))
	}
	require.NoError(t, err)
	defer second.Close()
	assert.Equal(t, first.WidgetURL, second.WidgetURL)
	assert.Equal(t, []string{"other-company", "other-secret", "other-callback"},
		[]string{second.CompanyKey, second.SecretKey, second.CallbackKey})
	begin(t, second, "")
}
