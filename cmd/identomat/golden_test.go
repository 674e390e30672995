package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// TestMain runs the test binary as the program if IDENTOMAT_RUN is set, for tests that need a process.
func TestMain(m *testing.M) {
	if os.Getenv("IDENTOMAT_RUN") != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

var update = flag.Bool("update", false, "write the golden files")

// environment sets the variables that "identomat sandbox" prints.
func environment(t *testing.T, server *identomattest.Server) {
	t.Helper()
	t.Setenv(identomat.EnvWidgetURL, server.WidgetURL)
	t.Setenv(identomat.EnvAPIURL, server.APIURL)
	t.Setenv(identomat.EnvCompanyKey, server.CompanyKey)
	t.Setenv(identomat.EnvSecretKey, server.SecretKey)
	t.Setenv(envCallbackKeys, server.CallbackKey)
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
}

// output is what a command wrote, and its exit code.
type output struct {
	out, err string
	code     int
}

// command runs a command without a terminal.
func command(t *testing.T, stdin string, args ...string) output {
	t.Helper()
	return runWith(t.Context(), streams{in: strings.NewReader(stdin), width: func() int { return 80 }}, args)
}

func runWith(ctx context.Context, s streams, args []string) output {
	var out, err bytes.Buffer
	s.out, s.err = &out, &err
	code := run(ctx, args, s)
	return output{out.String(), err.String(), code}
}

// The golden files hold commands and what they print. "$ identomat …" runs without a terminal, and
// "% identomat …" on a terminal of 80 columns. "< file" and "> file" at the end redirect. In the output,
// lines of standard error begin with "! ", and the last line is the exit code if it is not 0.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			name, err := filepath.Abs(name)
			require.NoError(t, err)
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			server := identomattest.NewServer(t, identomattest.WithConfiguration(configuration), identomattest.WithLogf(func(string, ...any) {}))
			environment(t, server)
			t.Chdir(t.TempDir())
			require.NoError(t, os.WriteFile("face.jpg", identomattest.FaceJPEG(200, 200), 0o600))
			got := golden(t, server, string(want))
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(got), 0o600))
			}
			assert.Equal(t, strings.Split(string(want), "\n"), strings.Split(got, "\n"))
			for line := range strings.Lines(got) {
				if !strings.HasPrefix(line, "$ ") && !strings.HasPrefix(line, "% ") {
					for _, value := range append(personal, server.CompanyKey, server.SecretKey, server.CallbackKey) {
						assert.NotContains(t, line, value)
					}
				}
			}
		})
	}
}

const configuration = `{"id":"configuration-1","name":"Onboarding","general":{"language":"en","sessionLifetime":900},"steps":[{"type":"liveness","key":"liveness"}]}`

// personal are values of the fake's default person.
var personal = []string{"John", "Smith", "1980", "1/8/", "123456789", "AB0002261", "2031", "123 Main", "john.smith", "+1202"}

// golden runs the commands in a golden file, and returns the file with what they print.
func golden(t *testing.T, server *identomattest.Server, text string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		prompt, command, isCommand := strings.Cut(strings.TrimSuffix(line, "\n"), " identomat ")
		if strings.HasPrefix(line, "# ") {
			b.WriteString(line)
		}
		if !isCommand || prompt != "$" && prompt != "%" {
			continue
		}
		b.WriteString(line)
		command, to, _ := strings.Cut(command, " > ")
		command, from, _ := strings.Cut(command, " < ")
		s := streams{in: strings.NewReader(""), width: func() int { return 80 }}
		if from != "" {
			data, err := os.ReadFile(from)
			if err != nil { // a text in quotes
				data = []byte(strings.ReplaceAll(strings.Trim(from, `"`), `\n`, "\n"))
			}
			s.in = bytes.NewReader(data)
		}
		if prompt == "%" {
			s.inTerminal, s.outTerminal, s.errTerminal = true, true, true
		}
		got := runWith(t.Context(), s, words(command))
		if to != "" {
			require.NoError(t, os.WriteFile(to, []byte(got.out), 0o600))
			got.out = ""
		}
		if to == "session.json" { // what the next commands need
			token := string(server.Sessions()[len(server.Sessions())-1].Token)
			require.NoError(t, os.WriteFile("token.txt", []byte(token+"\n"), 0o600))
		}
		b.WriteString(got.out)
		for line := range strings.Lines(got.err) {
			b.WriteString("! " + strings.TrimSuffix(line, "\n") + "\n")
		}
		if got.code != 0 {
			fmt.Fprintf(&b, "[exit code %d]\n", got.code)
		}
	}
	return stable(server, b.String())
}

// words splits a command line at spaces that are not inside quotes.
func words(line string) (args []string) {
	for _, match := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		args = append(args, match[1]+match[2])
	}
	return args
}

// stable replaces what differs from run to run.
func stable(server *identomattest.Server, text string) string {
	text = strings.NewReplacer(server.WidgetURL, "http://widget", server.APIURL, "http://api",
		strings.TrimPrefix(server.WidgetURL, "http://"), "widget", strings.TrimPrefix(server.APIURL, "http://"), "api", "\r", `\r`, "\x1b", `\e`).Replace(text)
	for _, r := range []struct{ pattern, with string }{
		{`\b[0-9a-z]{40}\b`, "TOKEN"},
		{`\b[0-9a-f]{64}\b`, "DIGEST"},
		{`\b[0-9a-f]{32}\b`, "REQUEST"},
		{`\b[0-9a-f]{24}\b`, "ID"},
		{`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b`, "TIME"},
		{`\b(in )?\d+ ms\b`, "MS"},
		{`go1\.\d+(\.\d+)?`, "GO"},
		{`"(bytes|size)": ?\d+`, `"$1":N`},
		{`( collected +)\d+`, "${1}N"}, // encoders of images differ between versions of Go
		{`,collected,,\d+`, ",collected,,N"},
		{`Time +Operation`, "Time  Operation"},
		{`TIME,\d+,TIME`, "TIME,N,TIME"},
		{`"revision":"[^"]*",`, ""},
		{`"sessionTimeSpan":\d+`, `"sessionTimeSpan":N`},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return text
}
