package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/identomattest"
)

// sandbox is a running process and its output.
type sandbox struct {
	cmd                 *exec.Cmd
	env                 map[string]string
	printed             string
	stdout              io.ReadCloser
	stderr              *bytes.Buffer
	widget, api, secret string
	key                 string
}

func startSandbox(t *testing.T, args ...string) *sandbox {
	t.Helper()
	s := &sandbox{cmd: process(t, append([]string{"sandbox"}, args...)...), env: map[string]string{}, stderr: &bytes.Buffer{}}
	s.cmd.Stderr = s.stderr
	var err error
	s.stdout, err = s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	lines := bufio.NewScanner(s.stdout)
	for lines.Scan() {
		s.printed += lines.Text() + "\n"
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok && strings.HasPrefix(name, "IDENTOMAT_") {
			s.env[name] = strings.Trim(value, "'")
		}
		if strings.HasPrefix(lines.Text(), "curl -X POST") {
			break
		}
	}
	if s.env["IDENTOMAT_WIDGET_URL"] == "" {
		_ = s.cmd.Wait()
		t.Fatalf("the sandbox did not start:\n%s%s", s.printed, s.stderr)
	}
	s.widget, s.api = s.env["IDENTOMAT_WIDGET_URL"], s.env["IDENTOMAT_API_URL"]
	s.key, s.secret = s.env["IDENTOMAT_COMPANY_KEY"], s.env["IDENTOMAT_SECRET_KEY"]
	return s
}

// stop sends a signal to the process, waits for it and returns its exit code.
func (s *sandbox) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(signal))
	_, _ = io.Copy(io.Discard, s.stdout)
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func TestStartAndStop(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		s := startSandbox(t, "--addr", "127.0.0.1:0")
		assert.Equal(t, identomattest.DefaultCompanyKey, s.key)
		assert.Equal(t, identomattest.DefaultSecretKey, s.secret)
		assert.Equal(t, identomattest.DefaultCallbackKey, s.env["IDENTOMAT_CALLBACK_KEYS"])
		assert.Contains(t, s.printed, "curl "+s.widget+"/external-api/begin/ -F company_key="+s.key)
		assert.NotEqual(t, s.widget, s.api)
		assert.Equal(t, 0, s.stop(t, signal))
		assert.Contains(t, s.stderr.String(), "stopping")
		_, err := net.Dial("tcp", strings.TrimPrefix(s.widget, "http://"))
		require.Error(t, err)
	}
}

func TestAPIHostPort(t *testing.T) {
	first := startSandbox(t, "--addr", "127.0.0.1:0")
	defer first.stop(t, os.Interrupt)
	// Find a free port for the widget host.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	second := startSandbox(t, "--addr", addr)
	assert.Equal(t, "http://"+addr, second.widget)
	third := startSandbox(t, "--addr", "127.0.0.1:0", "--api-addr", "localhost:0")
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, third.api)
	assert.Equal(t, 0, second.stop(t, os.Interrupt))
	assert.Equal(t, 0, third.stop(t, os.Interrupt))
}

func TestAPIHostSkipsPortInUse(t *testing.T) {
	// Find two adjacent ports: one for the widget host, and the next one, which is in use.
	for range 50 {
		widget, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := widget.Addr().(*net.TCPAddr).Port
		inUse, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1})
		require.NoError(t, widget.Close())
		if err != nil {
			continue
		}
		defer inUse.Close()
		s := startSandbox(t, "--addr", widget.Addr().String())
		assert.NotEqual(t, "http://"+inUse.Addr().String(), s.api)
		assert.Equal(t, 0, s.stop(t, os.Interrupt))
		return
	}
	t.Skip("did not find two adjacent free ports")
}

func TestWrongFlags(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte(`{"steps":[]}`), 0o600))
	companies := func(text string) string {
		file := filepath.Join(t.TempDir(), "companies.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	misspelled := companies(`[{"name":"bank","companykey2":"k"}]`)
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer inUse.Close()
	for _, test := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"--addr", ":8080"}, 2, "other machines can reach this address"},
		{[]string{"--addr", "0.0.0.0:8080"}, 2, "add --public"},
		{[]string{"--addr", "example.com:8080"}, 2, "add --public"},
		{[]string{"--addr", "127.0.0.1:0", "--api-addr", "192.0.2.1:1"}, 2, "--api-addr"},
		{[]string{"--addr", "8080"}, 2, "is not an address such as"},
		{[]string{"--addr", "127.0.0.1:http"}, 2, "the port is not a number"},
		{[]string{"--addr", inUse.Addr().String()}, 1, "is already in use"},
		{[]string{"--addr", "127.0.0.1:0", "--api-addr", inUse.Addr().String()}, 1, "is already in use"},
		{[]string{"--callback-url", "bank.example"}, 2, "--callback-url is not an http URL"},
		{[]string{"--status-callback", "status"}, 2, "--status-callback requires --callback-url"},
		{[]string{"--config", "no such file"}, 1, "--config: open no such file"},
		{[]string{"--config", broken}, 1, "a configuration must be an object with an id"},
		{[]string{"--companies", "no such file"}, 2, "--companies: open no such file"},
		{[]string{"--companies", broken}, 2, "--companies: " + broken + ": not a list of objects"},
		{[]string{"--companies", companies(`[{"name":"bank","companyKey":7}]`)}, 2, "companyKey has the wrong type"},
		{[]string{"--companies", companies(`[{"name":"bank","companyKey":"k"}] [`)}, 2, "text after the list"},
		{[]string{"--companies", misspelled}, 2, `unknown field "companykey2"`},
		{[]string{"--companies", misspelled, "--require-hmac"}, 2, "cannot be combined"},
		{[]string{"--seed", "x"}, 2, `invalid argument "x" for "--seed" flag`},
		{[]string{"--clock", "noon"}, 2, `--clock "noon" is not a time`},
		{[]string{"--latency", "-1s"}, 2, "--latency is negative"},
		{[]string{"8080"}, 2, `too many arguments`},
		{[]string{"--port", "8080"}, 2, "unknown flag: --port"},
		{[]string{"--help"}, 0, "--exec command"},
	} {
		cmd := process(t, append([]string{"sandbox"}, test.args...)...)
		out, _ := cmd.CombinedOutput()
		assert.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%v: %s", test.args, out)
		assert.Contains(t, string(out), test.text, "%v", test.args)
	}
}

func TestFlags(t *testing.T) {
	config := filepath.Join(t.TempDir(), "kyc.json")
	require.NoError(t, os.WriteFile(config, []byte(`{"id":"kyc","steps":[{"type":"liveness","key":"face"}]}`), 0o600))
	s := startSandbox(t, "--addr", "127.0.0.1:0", "--config", config, "--require-hmac",
		"--host", "identomat", "--allow-unknown", "--callback-url", "http://127.0.0.1:1/")
	assert.Contains(t, s.printed, "begin/ needs a signature")
	assert.Equal(t, `"COMPANY_KEY_INVALID"`, call(t, http.MethodPost, s.widget+"/external-api/begin/", `{"company_key":"`+s.key+`","config_id":"kyc"}`))
	assert.Equal(t, 0, s.stop(t, os.Interrupt))
	assert.Contains(t, s.stderr.String(), "begin/ refused: the request is not signed")

	quiet := startSandbox(t, "--addr", "127.0.0.1:0", "--quiet", "--config", config)
	token := strings.Trim(call(t, http.MethodPost, quiet.widget+"/external-api/begin/", `{"company_key":"`+quiet.key+`","config_id":"kyc"}`), `"`)
	assert.Contains(t, call(t, http.MethodGet, quiet.widget+"/_sandbox/sessions/"+token, ""), `"key": "face"`)
	call(t, http.MethodPost, quiet.widget+"/external-api/begin/", `{}`)
	assert.Equal(t, 0, quiet.stop(t, os.Interrupt))
	assert.NotContains(t, quiet.stderr.String(), "refused")

	public := startSandbox(t, "--addr", ":0", "--public")
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, public.widget, "the printed address can be dialed")
	assert.Equal(t, 0, public.stop(t, os.Interrupt))
}

func TestCompanies(t *testing.T) {
	file := filepath.Join(t.TempDir(), "companies.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"name":"bank","companyKey":"bank's key"},{"name":"lending","companyKey":"lending-key","requestsPerMinute":1}]`), 0o600))
	s := startSandbox(t, "--addr", "127.0.0.1:0", "--companies", file)
	assert.Contains(t, s.printed, `export IDENTOMAT_COMPANY_KEY='bank'\''s key'`)
	assert.Equal(t, `{"result":[]}`, call(t, http.MethodPost, s.api+"/list-groups", `{"companyKey":"lending-key"}`))
	assert.Equal(t, "Too Many Requests", call(t, http.MethodPost, s.api+"/list-groups", `{"companyKey":"lending-key"}`))
	assert.Equal(t, `{"result":[]}`, call(t, http.MethodPost, s.api+"/list-groups", `{"companyKey":"bank's key"}`))
	assert.Equal(t, 0, s.stop(t, os.Interrupt))
}

// TestSeedAndClock compares with a recorded response.
func TestSeedAndClock(t *testing.T) {
	s := startSandbox(t, "--addr", "127.0.0.1:0", "--seed", "7", "--clock", "2026-01-31T12:00:00Z", "--latency", "1ms")
	token := strings.Trim(call(t, http.MethodPost, s.widget+"/external-api/begin/", `{"company_key":"`+s.key+`"}`), `"`)
	assert.Equal(t, "kwichkhnxptdz94eguou0dyu9zc0sdj0e7ri0o57", token)
	assert.Contains(t, call(t, http.MethodGet, s.widget+"/_sandbox/sessions/"+token, ""), `"expires": "2026-01-31T12:15:00Z"`)
	assert.Equal(t, 0, s.stop(t, os.Interrupt))
}

func TestStatusCallback(t *testing.T) {
	received := make(chan string, 1)
	company := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
	}))
	defer company.Close()
	s := startSandbox(t, "--addr", "127.0.0.1:0", "--callback-url", company.URL, "--status-callback", "status-from-test")
	defer s.stop(t, os.Interrupt)
	token := strings.Trim(call(t, http.MethodPost, s.widget+"/external-api/begin/", `{"company_key":"`+s.key+`"}`), `"`)
	call(t, http.MethodPost, s.widget+"/_sandbox/sessions/"+token+"/approve", "")
	select {
	case body := <-received:
		assert.JSONEq(t, `{"callbackApiKey":"`+identomattest.DefaultCallbackKey+`","type":"status-from-test","sessionId":"`+token+`"}`, body)
	default:
		t.Error("approve returned before the status callback was posted")
	}
}

func call(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data)
}

// TestStartPageSnippets runs the commands and programs of the start page unchanged: for a company whose
// requests are signed, and for one whose requests are not.
func TestStartPageSnippets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "companies.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"name":"signed","companyKey":"it's \"signed\"","secretKey":"it's <secret>","requireHmac":true},
		{"name":"unsigned","companyKey":"@key;üüü"},{"name":"plain","companyKey":"plain-key"}]`), 0o600))
	s := startSandbox(t, "--addr", "127.0.0.1:0", "--companies", file)
	defer s.stop(t, os.Interrupt)
	for _, company := range []string{"signed", "unsigned", "plain"} {
		snippet := func(id string) string {
			t.Helper()
			page := call(t, http.MethodGet, s.widget+"/?company="+company, "")
			found := regexp.MustCompile(`(?s)<pre id="` + id + `"[^>]*>(.*?)</pre>`).FindStringSubmatch(page)
			require.NotNil(t, found, id)
			return html.UnescapeString(found[1])
		}
		for _, program := range []struct {
			id, file, command string
			needs             []string
		}{
			{"curl", "begin.sh", "sh", []string{"sh", "curl", "openssl"}},
			{"python", "begin.py", "python3", []string{"python3"}},
			{"typescript", "begin.mjs", "node", []string{"node"}},
		} {
			if missing := slices.IndexFunc(program.needs, notInstalled); missing >= 0 {
				t.Logf("%s is not installed", program.needs[missing])
				continue
			}
			name := filepath.Join(t.TempDir(), program.file)
			require.NoError(t, os.WriteFile(name, []byte(snippet(program.id)), 0o600))
			cmd := exec.CommandContext(t.Context(), program.command, name)
			cmd.Env = append(os.Environ(), "NO_PROXY=*", "PYTHONUNBUFFERED=1")
			var errs bytes.Buffer
			cmd.Stderr = &errs
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			output := bufio.NewReader(stdout)
			first, _ := output.ReadString('\n')
			token := regexp.MustCompile(`[0-9a-z]{40}`).FindString(first)
			require.NotEmpty(t, token, "%s %s: %s%s", company, program.id, first, &errs)
			assert.Contains(t, call(t, http.MethodPost, s.widget+"/_sandbox/sessions/"+token+"/approve", ""), `"company": "`+company+`"`)
			rest, err := io.ReadAll(output)
			require.NoError(t, err)
			require.NoError(t, cmd.Wait(), "%s", &errs)
			if program.id == "curl" {
				out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(snippet("result"), "curl ", "curl --silent --show-error ")).CombinedOutput()
				require.NoError(t, err, "%s", out)
				rest = out
			}
			assert.Contains(t, string(rest), "approved", "%s %s", company, program.id)
		}
	}
}

func notInstalled(program string) bool {
	_, err := exec.LookPath(program)
	return err != nil
}

// TestGuideCommands runs curl commands like those in Identomat's guides. The oldest guide sends JSON
// with curl's default content type. All guides allow a query string.
func TestGuideCommands(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	s := startSandbox(t, "--addr", "127.0.0.1:0")
	defer s.stop(t, os.Interrupt)
	for _, arguments := range []string{
		s.widget + `/begin/ -d '{
			"company_key": "` + s.key + `",
			"flags": {
				"return_url": "https://company.example/"
			},
			"steps": [{
				"type": "user-questionnaire",
				"key": "employment",
				"title": "Employment stats",
				"description": "დასაქმება",
				"questions": [{
					"type": "boolean",
					"mandatory": true,
					"title": {
						"en": "Are you currently employed?",
						"ka": "ხართ თუ არა ამჟამად დასაქმებული?"
					},
					"key": "are-you-employed"
				}]
			}]
		}'`,
		s.widget + `/begin/ -G -d company_key=` + s.key + ` --data-urlencode 'flags={"language":"ka"}'`,
		s.widget + `/begin/ -d company_key=` + s.key + ` --data-urlencode 'flags={"language":"ka"}'`,
	} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "curl --silent --show-error --noproxy '*' "+arguments).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Regexp(t, `^"[0-9a-z]{40}"$`, string(out), arguments)
	}
}

// referenceCommands maps each operation to its curl command in the API reference, unchanged.
func referenceCommands(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/commands.txt")
	require.NoError(t, err)
	out := map[string]string{}
	for block := range strings.SplitSeq("\n"+string(data), "\n# ") {
		if name, text, ok := strings.Cut(block, "\n"); ok && name != "" {
			out[name] = strings.TrimSpace(text)
		}
	}
	require.Len(t, out, 42)
	return out
}

// TestReferenceCommands runs the curl commands of the API reference against the sandbox. The test
// corrects mistakes in the reference: the example of end-video-call has the wrong path, the body of
// delete-group is not valid JSON, and export-session-as-pdf selects no part.
func TestReferenceCommands(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	s := startSandbox(t, "--addr", "127.0.0.1:0")
	defer s.stop(t, os.Interrupt)
	dir := t.TempDir()
	for _, name := range []string{"image.jpg", "face1.jpg", "face2.jpg"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), identomattest.FaceJPEG(120, 160), 0o600))
	}
	shell := func(command string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command, "curl ", "curl --silent --show-error --noproxy '*' "))
		cmd.Dir = dir
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		require.NoError(t, err, "%s\n%s", command, errs.String())
		return string(out)
	}
	commands, used := referenceCommands(t), map[string]bool{}
	token := "defg"
	curl := func(name string, corrections ...string) string {
		t.Helper()
		used[name] = true
		command := strings.NewReplacer(append(corrections,
			"https://widget.identomat.com", s.widget, "https://external-api.identomat.com", s.api,
			"{some_company_key}", s.key, "abcd", s.key, "{some_session_token}", token, "defg", token, "{some_", "", ".jpg}", ".jpg",
		)...).Replace(commands[name])
		return shell(command)
	}
	id := func(response string) string {
		t.Helper()
		found := regexp.MustCompile(`"([0-9a-f]{24})"`).FindStringSubmatch(response)
		require.NotNil(t, found, response)
		return found[1]
	}

	require.Regexp(t, `^"[0-9a-z]{40}"$`, curl("begin/", "{some_flags}", `{"language":"ka"}`))
	steps := `[{"type":"identity-document"},{"type":"liveness"},{"type":"face-document"},{"type":"video-call"},
		{"type":"general-document","flags":{"general_document_types":["bank_statement"]}},
		{"type":"user-questionnaire","key":"user-questionnaire-1","questions":[{"type":"file","key":"question-1"}]}]`
	response := curl("begin/", "'flags={some_flags}'", `'flags={"skip_face":true,"skip_document":true}' -F 'steps=`+steps+`'`)
	require.Regexp(t, `^"[0-9a-z]{40}"$`, response)
	token = strings.Trim(response, `"`)
	assert.Contains(t, curl("result/"), `{"result":"in_progress"`)
	assert.Contains(t, shell("curl -X POST "+s.widget+"/_sandbox/sessions/"+token+"/approve"), `"outcome": "approved"`)
	assert.Contains(t, curl("result/"), `{"result":"approved"`)
	assert.True(t, strings.HasPrefix(curl("export-session-as-pdf", `"sessionId":"defg"`, `"sessionId":"`+token+`","exportSession":true`), "%PDF-"))

	jpeg := "\xff\xd8\xff"
	for _, name := range []string{"result/card-front/", "result/card-back/", "result/face/", "result/face-document/"} {
		assert.True(t, strings.HasPrefix(curl(name), jpeg), name)
	}
	assert.Contains(t, curl("result/face-video/"), "ftyp")
	assert.True(t, strings.HasPrefix(curl("result/general-document/", "{some_typeId}", "bank-statement"), "%PDF-"))
	assert.Contains(t, curl("get-session-main-document-face-photo"), `{"result":"data:text\/plain;base64\/9j\/`)
	assert.Contains(t, curl("list-session-activities"), `PAGE_LOADED`)
	assert.Contains(t, curl("get-session-statistical-summary"), `{"result":[{"sessionStartDate"`)
	for _, name := range []string{"get-visual-markers", "get-question-file", "get-video-call-shots"} {
		assert.Contains(t, curl(name), `{"result":[["data:application\/x-tar;base64,`, name)
	}
	assert.Contains(t, curl("get-video-call-videos"), "video-1.mp4")
	assert.Equal(t, `{}`, curl("end-video-call", "get-video-call-videos", "end-video-call"))

	assert.Contains(t, curl("search-screening-person"), `"entityType":"person"`)
	assert.Contains(t, curl("get-screening-person-details", `"personId":"defg"`, `"personId":"67137933a2176f0797f1e601"`), `"firstName":"John"`)
	monitored := id(curl("monitor-screening-query"))
	assert.Contains(t, curl("list-screening-monitoring-records"), monitored)
	assert.Equal(t, `{}`, curl("remove-screening-query-from-monitoring", "64ad3b14090678e34512eab8", monitored))

	listed := id(curl("add-blacklist-record"))
	assert.Equal(t, `{"argumentError":"already-exists"}`, curl("add-blacklist-record"))
	assert.Contains(t, curl("list-blacklist-records"), listed)
	assert.Equal(t, `{"result":true}`, curl("remove-blacklist-record", "682b09e4400b3a00067ebcf7", listed))
	assert.Equal(t, `{"argumentError":"not-found"}`, curl("remove-blacklist-record", "682b09e4400b3a00067ebcf7", listed))

	user := id(curl("create-user"))
	assert.Equal(t, `{"argumentError":"user-already-exists"}`, curl("create-user"))
	assert.Contains(t, curl("list-users"), `"username":"johndoe@email.com"`)
	members := []string{`"user1_id", "user2_id"`, `"` + user + `"`}
	group := id(curl("make-group", members...))
	assert.Equal(t, `{}`, curl("change-group", append(members, "679c951cfc9fb5ff47e2833c", group, "Group 1", "Group 2")...))
	assert.Contains(t, curl("list-groups"), `"name":"Group 2","members":[{"username":"johndoe@email.com"}]`)
	assert.Equal(t, `{}`, curl("delete-group", "679c951cfc9fb5ff47e2833c", group, "\n    ]\n", "\n"))
	assert.Contains(t, curl("get-session-config", `"sessionConfigId":"defg"`, `"sessionConfigId":"679c74e4d9725987e3879265"`), `"type":"identity-document"`)

	for _, name := range []string{"card/front/", "card/back/", "license/front/", "license/back/", "residence/front/", "residence/back/", "passport/"} {
		assert.Contains(t, curl(name), `"requestId":"`, name)
	}
	assert.Equal(t, `{"result":{"similarity":1,"face1Statuses":[],"face2Statuses":[]}}`, curl("compare-faces"))

	token = strings.Trim(curl("begin/", "{some_flags}", `{}`), `"`)
	shell("curl " + s.widget + "/_sandbox/sessions/" + token + `/approve -d '{"documentType":"passport"}'`)
	assert.True(t, strings.HasPrefix(curl("result/passport/"), jpeg))
	assert.Equal(t, `true`, curl("delete/"))
	assert.Equal(t, `{"argumentError":"session-not-found"}`, curl("result/"))

	for name := range commands {
		assert.True(t, used[name], "%s was not run", name)
	}
	var recorded struct{ Requests []identomattest.Request }
	require.NoError(t, json.Unmarshal([]byte(shell("curl "+s.widget+"/_sandbox/requests")), &recorded))
	for _, r := range recorded.Requests {
		assert.True(t, r.Processed, r.String())
	}
}

// TestExec runs a session from begin to outcome, as the README does.
func TestExec(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("IDENTOMAT_PROGRAM", self)
	t.Chdir(t.TempDir())
	for outcome, code := range map[string]int{"approve": 0, "reject": 3, "manual": 4} {
		cmd := process(t, "sandbox", "--exec", `set -e
			"$IDENTOMAT_PROGRAM" begin --yes --token-file token.txt --quiet
			"$IDENTOMAT_PROGRAM" trigger `+outcome+` @token.txt
			"$IDENTOMAT_PROGRAM" wait @token.txt`)
		out, _ := cmd.CombinedOutput()
		assert.Equal(t, code, cmd.ProcessState.ExitCode(), "%s", out)
	}
	info, err := os.Stat("token.txt")
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}
