//go:build unix

// Command readme runs every command of the READMEs exactly as written and checks the output. It
// fails if a README contains a command that the table below does not list, or if a README no
// longer contains a command that the table lists. It needs bash, curl, pgrep and a free port 8080.
// Run it from the root of the repository:
//
//	go run ./tools/readme
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A command says how to run a document's commands that begin with prefix.
type command struct {
	prefix string
	run    func(ctx context.Context, r *reader, command string) error
}

// documents lists the READMEs and their commands in the order in which they run.
var documents = []struct {
	name     string
	commands []command
}{
	{"README.md", []command{
		{"git clone ", clone},
		{"go test ./internal/... ", skip},
		{"go run ./examples/quickstart", prints(`^  http://127\.0\.0\.1:\d+/\?session_token=\w+$`, `^Outcome    approved$`)},
		{"go run ./cmd/identomat sandbox ", startSandbox},
		{"go get ", goGet},
		{"package main", integrate},
		{"go mod edit ", useClone},
		{"go mod tidy", prints()},
	}},
	{"examples/README.md", []command{
		{"go run ./examples/quickstart", prints(`^Outcome    approved$`)},
		{"go run ./examples/batch", prints(`^ +3 lost responses,`, `^10000 customers:$`, `^ +\d+ approved$`, `^ +3 unclear$`, `^These are the planted lost responses `)},
		{"go run ./examples/evidence", prints(`^Verified   \d+ files, \d+ bytes, complete: true$`, `^  "verified": true,$`)},
		{"go run ./examples/otel", prints(`^onboard .* span \w+$`, `^identomat\.client\.attempt\.duration \(s\)$`)},
		{"go test ./examples/", prints(`^ok `)},
		{"go run ./examples/idenfy", prints(`^Webhook arrived: the outcome is APPROVED, which is final\.$`, `^The customer is approved\.$`)},
		{"go run ./examples/webapp", signIn},
	}},
	{"cmd/identomat/README.md", []command{
		{"go install ./cmd/identomat", install},
		{"identomat sandbox --exec ", demo},
	}},
	{"docs/sandbox.md", []command{
		{"go run ./cmd/identomat sandbox ", startSandbox},
		{"export ", checkExports},
		{"token=$(curl ", prints(`"result": ?"rejected"`, `"reject_reason": ?\{[^}]*"face_mismatch"`)},
	}},
	{"examples/webapp/README.md", []command{
		{"go run ./examples/webapp", signIn},
		{"go get ", copyOut},
		{"go test ./examples/webapp/...", skip},
	}},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	if err := checkAll(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func checkAll(ctx context.Context) error {
	found, err := filepath.Glob("*/*/README.md")
	if err != nil {
		return err
	}
	for _, document := range documents {
		if err := check(ctx, document.name, document.commands); err != nil {
			return fmt.Errorf("%s: %w", document.name, err)
		}
		found = slices.DeleteFunc(found, func(name string) bool { return name == document.name })
	}
	if len(found) > 0 {
		return fmt.Errorf("no commands are defined for %q", found)
	}
	return nil
}

func check(ctx context.Context, document string, commands []command) (err error) {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	written := commandsOf(string(text))
	for _, w := range written {
		if !slices.ContainsFunc(commands, func(c command) bool { return strings.HasPrefix(w, c.prefix) }) {
			return fmt.Errorf("unknown command %q", w)
		}
	}
	temp, err := os.MkdirTemp("", "readme-")
	if err != nil {
		return err
	}
	r := &reader{temp: temp}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, c := range commands {
		found := false
		for _, w := range written {
			if !strings.HasPrefix(w, c.prefix) {
				continue
			}
			found = true
			fmt.Printf("\n%s $ %s\n", document, w)
			if err := c.run(ctx, r, w); err != nil {
				return fmt.Errorf("%s\n%w", w, err)
			}
		}
		if !found {
			return fmt.Errorf("the document no longer has a command %q", c.prefix)
		}
	}
	return r.stopSandbox()
}

var (
	block  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inline = regexp.MustCompile("`(go [a-z]+ [^`]+)`")
)

// commandsOf returns the shell blocks of a document, its complete Go programs, and the go commands
// in its text and tables, without duplicates.
func commandsOf(text string) (commands []string) {
	for _, match := range block.FindAllStringSubmatch(text, -1) {
		if match[1] == "sh" || strings.HasPrefix(match[2], "package main\n") {
			commands = append(commands, strings.TrimSuffix(match[2], "\n"))
		}
	}
	for _, match := range inline.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
		commands = append(commands, match[1])
	}
	slices.Sort(commands)
	return slices.Compact(commands)
}

// skip does not run the command: .ci/run test runs the README's test command, and .ci/run race the tests of every module.
func skip(context.Context, *reader, string) error {
	fmt.Println("skipped: .ci/run race and test run the tests")
	return nil
}

// clone clones this repository instead of the one on GitHub.
func clone(ctx context.Context, r *reader, command string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	return prints()(ctx, r, fmt.Sprintf(`cd '%s'
		export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0='url.file://%s.insteadOf' GIT_CONFIG_VALUE_0=https://github.com/identomat-go/identomat
		%s
		test -d examples/quickstart`, r.temp, root, command))
}

// prints returns a function that runs a command and checks that its output has a line for each
// pattern.
func prints(patterns ...string) func(context.Context, *reader, string) error {
	return func(ctx context.Context, r *reader, command string) error {
		p, err := r.start(ctx, command)
		if err != nil {
			return err
		}
		if err := p.end(); err != nil {
			return err
		}
		for _, pattern := range patterns {
			if !regexp.MustCompile("(?m)" + pattern).MatchString(p.printed) {
				return fmt.Errorf("no line of the output matches %s", pattern)
			}
		}
		return nil
	}
}

// signIn starts the web application and fetches the address that it prints.
func signIn(ctx context.Context, r *reader, command string) error {
	p, err := r.start(ctx, command)
	if err != nil {
		return err
	}
	match, err := p.until(`^  Open +(http://\S+)$`)
	if err != nil {
		return err
	}
	if err := prints()(ctx, r, "curl -sSfL "+match[1]+" | grep 'Sign in as'"); err != nil {
		return err
	}
	return p.interrupt()
}

// startSandbox starts the sandbox, which runs until the end of the document. The later commands
// get the environment variables that the sandbox prints.
func startSandbox(ctx context.Context, r *reader, command string) (err error) {
	if r.sandbox, err = r.start(ctx, command); err != nil {
		return err
	}
	if _, err = r.sandbox.until(`^curl -X POST `); err != nil {
		return err
	}
	for line := range strings.Lines(r.sandbox.printed) {
		if strings.HasPrefix(line, "export ") {
			r.exports += line
		}
	}
	return nil
}

// install installs a command into a temporary directory, where the later commands find it.
func install(ctx context.Context, r *reader, command string) error {
	r.exports += fmt.Sprintf("export GOBIN='%[1]s/bin' PATH=\"%[1]s/bin:$PATH\"\n", r.temp)
	return prints()(ctx, r, command)
}

// demo runs the session of the command's README in a temporary directory.
func demo(ctx context.Context, r *reader, command string) error {
	r.dir = r.temp
	return prints(`^\{"result":"approved",.*"first_name":"\[redacted\]"`)(ctx, r, command)
}

// checkExports checks that the sandbox printed the exports that the document shows.
func checkExports(_ context.Context, r *reader, exports string) error {
	for line := range strings.Lines(exports) {
		prefix, _, _ := strings.Cut(line, " #")
		prefix, _, elided := strings.Cut(strings.TrimSpace(prefix), "…")
		if !elided {
			prefix += "\n"
		}
		if !strings.Contains("\n"+r.exports, "\n"+prefix) {
			return fmt.Errorf("the sandbox did not print %q; it printed\n%s", prefix, r.exports)
		}
	}
	return nil
}

// goGet adds the SDK to a new, empty module, as a first-time user does.
func goGet(ctx context.Context, r *reader, command string) error {
	if err := r.moveOut(ctx, `mkdir "$1"`); err != nil {
		return err
	}
	return prints()(ctx, r, "go mod init example.com/kyc\n"+command)
}

// copyOut copies the web application as its README describes and adds the SDK and module river to the copy. It only
// checks that every package resolves, because compiling SQLite again takes a minute.
func copyOut(ctx context.Context, r *reader, command string) error {
	if err := r.moveOut(ctx, `cp -R examples/webapp "$1"
		rm "$1/browser_test.go"
		grep -v '^[[:space:]].*github.com/identomat-go/' examples/webapp/go.mod >"$1/go.mod"`); err != nil {
		return err
	}
	return prints()(ctx, r, command+"\ngo list -deps -test ./... >/dev/null")
}

// integrate runs the program against the sandbox and approves the customer's session.
func integrate(ctx context.Context, r *reader, program string) error {
	if err := os.WriteFile(filepath.Join(r.dir, "main.go"), []byte(program), 0o644); err != nil {
		return err
	}
	p, err := r.start(ctx, "go run .")
	if err != nil {
		return err
	}
	match, err := p.until(`^send the customer to .*[?&]session_token=(\w+)$`)
	if err != nil {
		return err
	}
	if err := prints()(ctx, r, "curl -sSf -X POST $IDENTOMAT_WIDGET_URL/_sandbox/sessions/"+match[1]+"/approve"); err != nil {
		return err
	}
	if _, err := p.until(`^approved: true$`); err != nil {
		return err
	}
	return p.end()
}

// useClone compiles the program with the clone beside it.
func useClone(ctx context.Context, r *reader, command string) error {
	return prints(`=> \.\./identomat$`)(ctx, r, command+"\ngo build -o /dev/null .\ngo list -m github.com/identomat-go/identomat")
}

// A reader runs the commands of one document, with the sandbox in the background.
type reader struct {
	temp    string // a temporary directory of this reader
	dir     string // where the commands run; empty for the root of the repository
	exports string // shell commands to run before each command
	sandbox *process
	started []*process
}

func (r *reader) start(ctx context.Context, command string) (*process, error) {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", r.exports+command)
	cmd.Dir, cmd.Stderr = r.dir, os.Stderr
	// The commands must not use the accounts of whoever runs this program.
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "IDENTOMAT_") || strings.HasPrefix(variable, "IDENFY_")
	})
	// Killing go run does not kill the program that it started, so kill the process group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{ctx: ctx, cmd: cmd, lines: bufio.NewScanner(out)}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.started = append(r.started, p)
	return p, nil
}

// moveOut runs the script, which creates the directory $1 outside the repository, and makes the
// later commands run there. Those commands start with an empty module cache and get the SDK from a
// proxy that serves this checkout. Other modules come from this machine's download cache if they
// are in it.
func (r *reader) moveOut(ctx context.Context, script string) error {
	dir := filepath.Join(r.temp, "kyc")
	proxy := fmt.Sprintf("go run ./tools/proxy '%s/proxy' v0.1.0\nset -- '%s'\n", r.temp, dir)
	if err := prints()(ctx, r, proxy+script); err != nil {
		return err
	}
	r.dir = dir
	r.exports += fmt.Sprintf(`
		export GOPROXY="file://%[1]s/proxy,file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)"
		export GOMODCACHE="%[1]s/modules" GOFLAGS="${GOFLAGS:-} -modcacherw"
		export GONOSUMDB="github.com/identomat-go/*" GOWORK=off
	`, r.temp)
	return nil
}

func (r *reader) stopSandbox() error {
	if r.sandbox == nil {
		return nil
	}
	return r.sandbox.interrupt()
}

// close kills the processes that a failure left running and removes the temporary directory.
func (r *reader) close() error {
	for _, p := range r.started {
		if !p.ended {
			_ = p.cmd.Cancel()
			_ = p.end()
		}
	}
	return os.RemoveAll(r.temp)
}

type process struct {
	ctx     context.Context
	cmd     *exec.Cmd
	lines   *bufio.Scanner
	printed string
	ended   bool
}

// until waits for a line that matches the pattern and returns the submatches.
func (p *process) until(pattern string) ([]string, error) {
	re := regexp.MustCompile(pattern)
	for p.next() {
		if match := re.FindStringSubmatch(p.lines.Text()); match != nil {
			return match, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("no line of the output matches %s", pattern), p.end())
}

func (p *process) next() bool {
	if !p.lines.Scan() {
		return false
	}
	fmt.Println(p.lines.Text())
	p.printed += p.lines.Text() + "\n"
	return true
}

// end waits until the process and its children have ended, and returns an error if the process
// failed.
func (p *process) end() error {
	for p.next() {
	}
	p.ended = true
	if err := errors.Join(p.lines.Err(), p.cmd.Wait()); err != nil {
		return errors.Join(p.ctx.Err(), err)
	}
	return nil
}

// interrupt sends an interrupt to the server only, which is the process without children. Ctrl-C
// also interrupts go run, which then fails even if its program exits with status 0.
func (p *process) interrupt() error {
	pid := p.cmd.Process.Pid
	for {
		out, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
			break // it has no child
		} else if err != nil {
			return err
		}
		if pid, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
			return err
		}
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		return err
	}
	if err := p.end(); err != nil {
		return fmt.Errorf("%s: after an interrupt: %w", p.cmd.Args[len(p.cmd.Args)-1], err)
	}
	return nil
}
