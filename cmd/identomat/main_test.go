package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// start returns a fake whose keys and URLs are in the environment. The tests run in a new directory.
func start(t *testing.T, opts ...identomattest.Option) *identomattest.Server {
	t.Helper()
	server := identomattest.NewServer(t, append(opts, identomattest.WithLogf(func(string, ...any) {}))...)
	environment(t, server)
	t.Chdir(t.TempDir())
	return server
}

// begin begins a session, writes its token to token.txt and returns it.
func begin(t *testing.T, server *identomattest.Server) identomat.Token {
	t.Helper()
	session, err := server.Client().Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("token.txt", []byte(session.Token), 0o600))
	return session.Token
}

func TestBeginWithoutYesSendsNothing(t *testing.T) {
	server := start(t)
	got := command(t, "", "begin")
	assert.Equal(t, 2, got.code)
	assert.Empty(t, got.out)
	assert.Zero(t, server.Count("begin/"))
}

func TestLostResponseOfBegin(t *testing.T) {
	server := start(t)
	server.Fault("begin/", identomattest.ResetAfterRead(), 0)
	got := command(t, "", "begin", "--yes")
	assert.Equal(t, 6, got.code)
	assert.Equal(t, 1, server.Count("begin/"))
	assert.Contains(t, got.err, "A session may have begun, and may be billed.")
	got = command(t, "", "begin", "--yes", "-o", "json")
	assert.Equal(t, 6, got.code)
	var failed struct{ Error failure }
	require.NoError(t, json.Unmarshal([]byte(got.out), &failed))
	assert.True(t, failed.Error.MaybeProcessed)
	assert.NotEmpty(t, failed.Error.Advice)
	assert.Empty(t, got.err)
}

// A lost response of a read costs nothing.
func TestLostResponseOfResultIsAnError(t *testing.T) {
	server := start(t)
	begin(t, server)
	server.Fault("result/", identomattest.ResetAfterRead(), 0)
	assert.Equal(t, 1, command(t, "", "result", "@token.txt").code)
}

func TestRefusedKey(t *testing.T) {
	start(t)
	t.Setenv(identomat.EnvCompanyKey, "key-of-another-company")
	t.Setenv(identomat.EnvSecretKey, "")
	got := command(t, "", "begin", "--yes")
	assert.Equal(t, 7, got.code)
	got = command(t, "", "doctor")
	assert.Equal(t, 7, got.code)
	assert.Contains(t, got.out, `{"check":"widget host, access","state":"failed","detail":"the key is refused"}`)
	t.Setenv(identomat.EnvCompanyKey, "")
	got = command(t, "", "begin", "--yes")
	assert.Equal(t, output{"", "identomat: there is no company key: set IDENTOMAT_COMPANY_KEY, or use --key-file or --keyring\n", 1}, got)
}

func TestKeyFile(t *testing.T) {
	server := start(t)
	t.Setenv(identomat.EnvCompanyKey, "")
	t.Setenv(identomat.EnvSecretKey, "")
	require.NoError(t, os.WriteFile("keys", []byte(server.CompanyKey+"\n"+server.SecretKey+"\n"), 0o600))
	got := command(t, "", "begin", "--yes", "--key-file", "keys")
	assert.Equal(t, 0, got.code, got.err)
	assert.True(t, server.Requests()[0].SignatureValid)

	require.NoError(t, os.Chmod("keys", 0o640))
	got = command(t, "", "begin", "--yes", "--key-file", "keys")
	assert.Equal(t, output{"", "identomat: other users can access the key file keys; run: chmod 600 keys\n", 1}, got)
	assert.Equal(t, 1, server.Count("begin/"))
}

func TestKeyringWithoutSession(t *testing.T) {
	start(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	got := command(t, "", "begin", "--yes", "--keyring")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "this system has no keyring")
	got = command(t, "a-key", "key", "set")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "this system has no keyring")
}

// This stores, reads and removes keys in a keyring of its own, on a D-Bus session of its own.
func TestKeyring(t *testing.T) {
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("IDENTOMAT_REQUIRE_KEYRING") != "" {
				require.NoError(t, err)
			}
			t.Skip(program + " is not installed")
		}
	}
	start(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("IDENTOMAT_RUN", "1")
	t.Setenv("PROGRAM", os.Args[0])
	t.Setenv("COMPANY_KEY", os.Getenv(identomat.EnvCompanyKey))
	t.Setenv("SECRET_KEY", os.Getenv(identomat.EnvSecretKey))
	t.Setenv(identomat.EnvCompanyKey, "")
	t.Setenv(identomat.EnvSecretKey, "")
	out, err := exec.CommandContext(t.Context(), "dbus-run-session", "--", "sh", "-c", `
exec >said 2>&1 # the services write to the standard output of dbus-run-session
eval "$(printf password | gnome-keyring-daemon --unlock --components=secrets 2>/dev/null)"
"$PROGRAM" begin --yes --keyring
echo "$COMPANY_KEY" | "$PROGRAM" key set
echo "$SECRET_KEY" | "$PROGRAM" key set --secret
"$PROGRAM" begin --yes --keyring -o csv >/dev/null; echo "exit code $?"
"$PROGRAM" doctor --keyring | grep -c '"the key is accepted"\|they are signed with the secret key'
"$PROGRAM" key remove --secret
"$PROGRAM" key remove
"$PROGRAM" key remove; echo "exit code $?"
`).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, []string{
		"identomat: the keyring holds no company key; see: identomat key set",
		"The company key is in the keyring.",
		"The secret key is in the keyring.",
		"exit code 0",
		"3",
		"The secret key is no longer in the keyring.",
		"The company key is no longer in the keyring.",
		"identomat: the keyring holds no company key; see: identomat key set",
		"exit code 1",
	}, strings.Split(strings.TrimSpace(string(readFile(t, "said"))), "\n"))
}

func TestEveryProblemOfASessionFile(t *testing.T) {
	start(t)
	t.Setenv(identomat.EnvCompanyKey, "") // validate needs no key
	require.NoError(t, os.WriteFile("session.yaml", []byte(`# A comment.
flags:
  languages: en
  skip_desktop: "yes"
steps:
  - type: identity-document
    flags:
      document_types: [passport, driving_license]
  - type: livenes
  - type: user-questionnaire
    key: q
    questions:
      - {type: options, key: a, title: {en: "?"}}
color: red
`), 0o600))
	got := command(t, "", "validate", "-f", "session.yaml")
	assert.Equal(t, output{"", `session.yaml:3: flags.languages: is not documented; did you mean language?
session.yaml:4: flags.skip_desktop: must be true or false
session.yaml:8: steps[0].flags.document_types[1]: "driving_license" is not documented; known are driver_license, id, non_bio_passport, passport, residence_license, residence_permit
session.yaml:9: steps[1].type: "livenes" is not documented; did you mean liveness?
session.yaml:13: steps[2].questions[0]: options is missing
session.yaml:14: color: is not documented; known are clientUserId, config_id, flags, groupId, name, parent_session_id, scheduleEndTime, scheduleStartTime, steps
`, 2}, got)
	got = command(t, "", "validate", "-f", "session.yaml", "-o", "json")
	var failed struct{ Error failure }
	require.NoError(t, json.Unmarshal([]byte(got.out), &failed))
	require.Len(t, failed.Error.Problems, 6)
	assert.Equal(t, problem{Line: 4, Path: "flags.skip_desktop", Message: "must be true or false"}, failed.Error.Problems[1])
}

// The rules of the SDK have lines, too.
func TestRulesOfASessionFile(t *testing.T) {
	start(t)
	for text, want := range map[string]string{
		"steps:\n  - type: liveness\n    key: a\n  - type: email\n    key: a\n": "standard input:5: steps[1].key: must be unique in the session\n",
		"{\"flags\":{\n\t\"document_countries\":[\n\t\t\"deu\"]}}":              "standard input:3: flags.document_countries[0]: must be three capital letters, such as DEU\n",
		"flags: [": "standard input:1: did not find expected node content\n",
		"":         "standard input:1: the file is empty\n",
		"flags:\n  language: en\n  language: ka\n": "standard input:3: flags.language: is there twice\n",
		"scheduleStartTime: 2027-01-31\n":          "standard input:1: scheduleStartTime: must be a time with a zone, such as 2027-01-31T09:00:00Z\n",
	} {
		got := command(t, text, "validate", "-f", "-")
		assert.Equal(t, output{"", want, 2}, got, text)
	}
}

func TestSessionFileIsSentAsWritten(t *testing.T) {
	server := start(t)
	got := command(t, `
flags: {language: ka, skip_desktop: true}
steps:
  - {type: identity-document, flags: {document_types: [passport]}}
name: Customer
clientUserId: user-1
`, "begin", "-f", "-", "--user", "user-2", "--yes")
	require.Equal(t, 0, got.code, got.err)
	server.AssertRequest(t, "begin/", map[string]any{
		"flags": map[string]any{"language": "ka", "skip_desktop": true, "skip_face": true, "skip_document": true},
		"steps": []any{map[string]any{"type": "identity-document", "flags": map[string]any{"document_types": []any{"passport"}}}},
		"name":  "Customer", "clientUserId": "user-2",
	})
}

func TestExamplesAreValid(t *testing.T) {
	start(t)
	for _, kind := range []string{"kyc", "kyb", "address"} {
		example := command(t, "", "begin", "--example", kind)
		got := command(t, example.out, "validate", "-f", "-", "-o", "csv")
		assert.Equal(t, output{"file,valid\n-,yes\n", "", 0}, got)
		got = command(t, example.out, "begin", "-f", "-", "--yes")
		assert.Equal(t, 0, got.code, got.err)
	}
}

// process starts the program as a process.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	// By default, the race detector delays the exit of a process by a second.
	cmd.Env = append(os.Environ(), "IDENTOMAT_RUN=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

func TestInterruptedMedia(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Approve(begin(t, server)))
	server.Fault("result/face/", identomattest.SlowBody(0), 1)
	cmd := process(t, "media", "@token.txt", "--kind", "face", "-o", "media")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { // until a part of the file is there
		files, _ := os.ReadDir("media")
		return len(files) == 1
	}, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	assert.Equal(t, "identomat: interrupted\n", stderr.String())
	files, err := os.ReadDir("media")
	require.NoError(t, err)
	assert.Empty(t, files)
	server.Release()
}

func TestKilledCollectGoesOn(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Approve(begin(t, server)))
	server.Fault("export-session-as-pdf", identomattest.SlowBody(0), 1)
	cmd := process(t, "evidence", "collect", "@token.txt", "evidence")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return server.Count("result/face/") == 1 && server.Count("export-session-as-pdf") == 1 }, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	server.Release()
	assert.Equal(t, 1, command(t, "", "evidence", "verify", "evidence").code)
	got := command(t, "", "evidence", "collect", "@token.txt", "evidence")
	assert.Equal(t, 0, got.code, got.err)
	assert.Equal(t, 0, command(t, "", "evidence", "verify", "evidence").code)
}

func TestTerminal(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Approve(begin(t, server)))
	for _, columns := range []uint16{80, 40} {
		run := func(env, input string, args ...string) (string, int) {
			cmd := process(t, args...)
			cmd.Env = append(cmd.Env, env)
			terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: columns})
			require.NoError(t, err)
			defer terminal.Close()
			_, err = terminal.WriteString(input)
			require.NoError(t, err)
			var out bytes.Buffer
			_, err = out.ReadFrom(terminal)
			if !errors.Is(err, syscall.EIO) { // Linux reports the end of a terminal like this
				require.NoError(t, err)
			}
			_ = cmd.Wait()
			return out.String(), cmd.ProcessState.ExitCode()
		}
		out, code := run("A=b", "", "media", "@token.txt", "-o", "media")
		assert.Equal(t, 0, code)
		assert.Contains(t, out, "face-video  ") // a bar
		assert.Contains(t, out, "\x1b[1m")
		for line := range strings.Lines(out) {
			assert.LessOrEqual(t, len([]rune(strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(lastOf(strings.TrimSpace(line), "\r")))), int(columns))
		}
		out, _ = run("NO_COLOR=1", "", "media", "@token.txt", "-o", "media")
		assert.NotContains(t, out, "\x1b")
		out, code = run("A=b", "n\n", "begin")
		assert.Contains(t, out, "A session is billed. Continue? [y/N]")
		assert.Equal(t, 1, code)
	}
	assert.Equal(t, 1, server.Count("begin/")) // of begin(t, server)
}

func lastOf(text, sep string) string { return text[strings.LastIndex(text, sep)+1:] }

func TestBatchGoesOn(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Approve(begin(t, server)))
	first := string(readFile(t, "token.txt"))
	require.NoError(t, server.Reject(begin(t, server), "face_mismatch"))
	second := string(readFile(t, "token.txt"))
	pending := string(begin(t, server))
	require.NoError(t, os.WriteFile("tokens.csv", []byte("id,token\nuser-1,"+first+"\nuser-2,"+second+"\nuser-3,"+pending+"\n"), 0o600))
	line := `{"id":"user-1","token":"` + first + `","outcome":"approved"}` + "\n"
	require.NoError(t, os.WriteFile("results.jsonl", []byte(line+`{"id":"user-2","tok`), 0o600)) // a killed run
	got := command(t, "", "batch", "results", "-f", "tokens.csv", "-o", "results.jsonl", "--rate", "1000")
	assert.Equal(t, output{`{"total":3,"written":1,"before":1,"pending":1,"failed":0}` + "\n", "", 0}, got)
	assert.Equal(t, line+`{"id":"user-2","token":"`+second+`","outcome":"rejected","reason":"face_mismatch","similarity":0.59931052549619}`+"\n", string(readFile(t, "results.jsonl")))
	assert.Equal(t, 2, server.Count("result/"))
}

func TestBatchKeepsOtherFiles(t *testing.T) {
	start(t)
	require.NoError(t, os.WriteFile("tokens.csv", []byte("token\nabc\n"), 0o600))
	for _, text := range []string{"Dear customer", "Dear customer\n", "{\"a\":1}\n", `{"a":1}`, `{"id":"1"}`, `{"token":"abc","url":"https://widget.example/"}` + "\n"} {
		require.NoError(t, os.WriteFile("letter", []byte(text), 0o600))
		got := command(t, "", "batch", "results", "-f", "tokens.csv", "-o", "letter")
		assert.Equal(t, 1, got.code)
		assert.Equal(t, text, string(readFile(t, "letter")))
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Clean(name))
	require.NoError(t, err)
	return data
}

// The service's texts must not control the terminal.
func TestControlCharactersAreEscaped(t *testing.T) {
	server := start(t)
	token := begin(t, server)
	require.NoError(t, server.SetResult(token, `{"result":"approved","reject_reason":{"value":"\u001b[2J\u202e\u009b"}}`))
	for _, format := range []string{"table", "json", "jsonl"} {
		got := command(t, "", "result", "@token.txt", "-o", format)
		assert.Contains(t, got.out, `\u001b[2J\u202e\u009b`, format)
	}
}

// Every command has a short description, an example that begins with its name, and fails without arguments
// instead of panicking.
func TestEveryCommandHasExamples(t *testing.T) {
	a := &app{}
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		assert.NotEmpty(t, cmd.Short, cmd.CommandPath())
		assert.False(t, strings.HasSuffix(cmd.Short, "."), cmd.CommandPath())
		assert.Contains(t, cmd.Example, cmd.CommandPath(), cmd.CommandPath())
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			assert.LessOrEqual(t, len([]rune(line)), 112, line)
		}
		for _, c := range cmd.Commands() {
			check(c)
		}
	}
	check(a.root())
}

func TestManPages(t *testing.T) {
	start(t)
	require.Equal(t, 0, command(t, "", "man", "man1").code)
	assert.Contains(t, string(readFile(t, "man1/identomat-evidence-collect.1")), "fetches only what is missing")
}

// Other users of the machine can read the arguments of a process.
func TestArgumentsHoldNoSecret(t *testing.T) {
	server := start(t)
	token := begin(t, server)
	seen := ""
	for _, args := range [][]string{{"result", "-"}, {"activities", "-"}, {"stats", "-"}, {"trigger", "approve", "-"}, {"wait", "-"}} {
		cmd := process(t, args...)
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		// Linux shows no arguments before the program is loaded and after it has ended. This one waits for the token.
		var arguments []byte
		for len(arguments) == 0 && err == nil {
			arguments, err = os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		}
		_, _ = io.WriteString(stdin, string(token))
		_ = stdin.Close()
		_ = cmd.Wait()
		if err != nil {
			t.Skip("this system has no /proc")
		}
		assert.Equal(t, 0, cmd.ProcessState.ExitCode()&^5, args) // in progress or approved
		seen += string(arguments)
	}
	assert.Contains(t, seen, "trigger\x00approve")
	assert.NotContains(t, seen, string(token))
	assert.NotContains(t, seen, server.CompanyKey)
	assert.NotContains(t, seen, server.SecretKey)
}

// lockedBuffer is a buffer that a test reads while a command writes.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestListenForwardsAndSavesCallbacks(t *testing.T) {
	server := start(t)
	token := begin(t, server)
	received := make(chan string, 2)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer program.Close()

	ctx, stop := context.WithCancel(t.Context())
	var out, errs lockedBuffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"listen", "--addr", "127.0.0.1:0", "--forward", program.URL, "--save", "saved"}, streams{out: &out, err: &errs})
	}()
	var address string
	require.Eventually(t, func() bool {
		address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(errs.String())
		return address != ""
	}, 10*time.Second, time.Millisecond)

	status, err := server.SendCallback(t.Context(), address, identomattest.PlainCallback("session-finished", token))
	require.NoError(t, err)
	assert.Equal(t, 202, status)
	want := `{"callbackApiKey":"` + server.CallbackKey + `","type":"session-finished","sessionId":"` + string(token) + `"}`
	assert.JSONEq(t, want, <-received)
	status, err = server.SendCallback(t.Context(), address, identomattest.PlainCallback("session-finished", token).WithKey("wrong"))
	require.NoError(t, err)
	assert.Equal(t, 403, status)
	stop()
	assert.Equal(t, 0, <-ended)

	files, err := filepath.Glob("saved/*.json")
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.JSONEq(t, want, string(readFile(t, files[0])))
	assert.NotContains(t, out.String(), string(token))
	assert.NotContains(t, out.String(), server.CallbackKey)
	assert.Contains(t, out.String(), `"type":"session-finished","sessionId":"[redacted]","file":"`+files[0]+`","forwarded":202}`)
	assert.Contains(t, out.String(), `"type":"refused","error":"callbackApiKey is missing or wrong"}`)

	got := command(t, "", "callback", "replay", files[0], "--to", program.URL)
	assert.Equal(t, output{`{"status":202}` + "\n", "", 0}, got)
	assert.JSONEq(t, want, <-received)
}

// With --json, standard output is one JSON value, also after an error.
func TestEveryCommandPrintsJSON(t *testing.T) {
	start(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	tried := 0
	var try func(cmd *cobra.Command)
	try = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			try(c)
		}
		switch {
		case cmd.HasSubCommands(), cmd.Name() == "help":
			return
		case cmd.Name() == "sandbox": // it prints variables
			return
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		for _, args := range [][]string{{"--json"}, {"--json", "@missing"}, {"--json", "a", "b", "c"}, {"--json", "--no-such-flag"}} {
			got := command(t, "", append(path[:len(path):len(path)], args...)...)
			assert.True(t, json.Valid([]byte(got.out)), "%s %s: %s", path, args, got.out)
			tried++
		}
	}
	try((&app{}).root())
	assert.Greater(t, tried, 4*35)
}
