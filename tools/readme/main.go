//go:build unix

// Command readme follows the READMEs as a reader does: every command in them runs as it is
// written there, and what it prints is looked at. A command that nothing here knows is a
// failure, and so is one that is expected here and in no README any more. From the root of the
// repository, with bash, curl, pgrep and a free port 8080:
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

// A command is one of a document, or several, that begin with these words and are tried in this way.
type command struct {
	words string
	try   func(ctx context.Context, r *reader, command string) error
}

// documents are the READMEs with their commands, in the order in which they run.
var documents = []struct {
	name     string
	commands []command
}{
	{"README.md", []command{
		{"go test -race work", leave},
		{"go run ./examples/quickstart", prints(`^  http://127\.0\.0\.1:\d+/\?session_token=\w+$`, `^Outcome    approved$`)},
		{"go run ./examples/batch", prints(`^\d+ of 10000 sessions are in the journal`, `^ +\d+ approved$`)},
		{"go run ./examples/otel", prints(`^onboard .* span \w+$`, `^identomat\.client\.attempt\.duration \(s\)$`)},
		{"go test ./examples/", prints(`^ok `)},
		{"go run ./examples/idenfy", prints(`^Webhook    APPROVED, final: true$`, `^Approved   true$`)},
		{"go run ./examples/webapp", signIn},
		{"go run ./cmd/identomat-sandbox ", startSandbox},
		{"go get ", goGet},
		{"package main", integrate},
	}},
	{"cmd/identomat-sandbox/README.md", []command{
		{"go run ./cmd/identomat-sandbox ", startSandbox},
		{"export ", paste},
		{"token=$(curl ", prints(`"result": ?"rejected"`, `"reject_reason": ?\{[^}]*"face_mismatch"`)},
	}},
	{"examples/webapp/README.md", []command{
		{"go run ./examples/webapp", signIn},
		{"go get ", copyOut},
		{"go test -race ./examples/webapp/...", leave},
	}},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	if err := follow(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func follow(ctx context.Context) error {
	found, err := filepath.Glob("*/*/README.md")
	if err != nil {
		return err
	}
	for _, document := range documents {
		if err := read(ctx, document.name, document.commands); err != nil {
			return fmt.Errorf("%s: %w", document.name, err)
		}
		found = slices.DeleteFunc(found, func(name string) bool { return name == document.name })
	}
	if len(found) > 0 {
		return fmt.Errorf("nothing follows %q", found)
	}
	return nil
}

func read(ctx context.Context, document string, commands []command) (err error) {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	written := commandsOf(string(text))
	for _, w := range written {
		if !slices.ContainsFunc(commands, func(c command) bool { return strings.HasPrefix(w, c.words) }) {
			return fmt.Errorf("nothing is known about the command %q", w)
		}
	}
	temp, err := os.MkdirTemp("", "readme-")
	if err != nil {
		return err
	}
	r := &reader{temp: temp}
	defer func() { err = errors.Join(err, r.leave()) }()
	for _, c := range commands {
		found := false
		for _, w := range written {
			if !strings.HasPrefix(w, c.words) {
				continue
			}
			found = true
			fmt.Printf("\n%s $ %s\n", document, w)
			if err := c.try(ctx, r, w); err != nil {
				return fmt.Errorf("%s\n%w", w, err)
			}
		}
		if !found {
			return fmt.Errorf("there is no command %q any more", c.words)
		}
	}
	return r.stopSandbox()
}

var (
	block  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inline = regexp.MustCompile("`(go [a-z]+ [^`]+)`")
)

// commandsOf are the blocks of shell of a document, the whole programs, and the commands of go in
// its sentences and tables, each of them once.
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

// leave leaves a command to the step test, which takes its own from the README and runs the tests
// of every module with it.
func leave(context.Context, *reader, string) error {
	fmt.Println("left to the step test")
	return nil
}

// prints runs a command, which prints lines like these.
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
				return fmt.Errorf("it printed nothing like %s", pattern)
			}
		}
		return nil
	}
}

// signIn opens the address that the web application prints.
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

// startSandbox starts the sandbox for the rest of the document, and takes over what it prints to
// be pasted.
func startSandbox(ctx context.Context, r *reader, command string) (err error) {
	if r.sandbox, err = r.start(ctx, command); err != nil {
		return err
	}
	if _, err = r.sandbox.until(`^curl -X POST `); err != nil {
		return err
	}
	for line := range strings.Lines(r.sandbox.printed) {
		if strings.HasPrefix(line, "export ") {
			r.pasted += line
		}
	}
	return nil
}

// paste compares what the document says that the sandbox prints.
func paste(_ context.Context, r *reader, exports string) error {
	for line := range strings.Lines(exports) {
		beginning, _, _ := strings.Cut(line, " #")
		beginning, _, open := strings.Cut(strings.TrimSpace(beginning), "…")
		if !open {
			beginning += "\n"
		}
		if !strings.Contains("\n"+r.pasted, "\n"+beginning) {
			return fmt.Errorf("the sandbox printed no %q but\n%s", beginning, r.pasted)
		}
	}
	return nil
}

// goGet gets the module into an empty one, as a stranger does.
func goGet(ctx context.Context, r *reader, command string) error {
	if err := r.moveOut(ctx, `mkdir "$1"`); err != nil {
		return err
	}
	return prints()(ctx, r, "go mod init example.com/kyc\n"+command)
}

// copyOut gets the module into the copy of the web application, made as its README says. That
// every package is found has to do: to compile SQLite once more takes a minute.
func copyOut(ctx context.Context, r *reader, command string) error {
	if err := r.moveOut(ctx, `cp -R examples/webapp "$1"
		rm "$1/browser_test.go"
		grep -v '^[[:space:]].*github.com/identomat-go/' examples/webapp/go.mod >"$1/go.mod"`); err != nil {
		return err
	}
	return prints()(ctx, r, command+"\ngo list -deps -test ./... >/dev/null")
}

// integrate runs the program with the sandbox, and lets the customer pass.
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

// A reader has a terminal, and a second one for the sandbox.
type reader struct {
	temp    string // a folder of the reader's own
	dir     string // where the commands run; empty at the root of the repository
	pasted  string // what was pasted into the terminal
	sandbox *process
	started []*process
}

func (r *reader) start(ctx context.Context, command string) (*process, error) {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", r.pasted+command)
	cmd.Dir, cmd.Stderr = r.dir, os.Stderr
	// Nothing that runs here may meet an account of whoever runs it.
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "IDENTOMAT_") || strings.HasPrefix(variable, "IDENFY_")
	})
	// What go run has started does not end with it, but with the process group.
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

// moveOut leaves the repository for a folder that the script makes of $1. There the module comes
// from a proxy that serves this checkout, into a module cache that is empty; what the one of this
// machine holds need not be fetched again.
func (r *reader) moveOut(ctx context.Context, script string) error {
	dir := filepath.Join(r.temp, "kyc")
	proxy := fmt.Sprintf("go run ./tools/proxy '%s/proxy' v0.0.0-readme\nset -- '%s'\n", r.temp, dir)
	if err := prints()(ctx, r, proxy+script); err != nil {
		return err
	}
	r.dir = dir
	r.pasted += fmt.Sprintf(`
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

// leave ends what a failure left running, and removes the folder.
func (r *reader) leave() error {
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

// until waits for a line like this, and returns its submatches.
func (p *process) until(pattern string) ([]string, error) {
	re := regexp.MustCompile(pattern)
	for p.next() {
		if match := re.FindStringSubmatch(p.lines.Text()); match != nil {
			return match, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("it printed nothing like %s", pattern), p.end())
}

func (p *process) next() bool {
	if !p.lines.Scan() {
		return false
	}
	fmt.Println(p.lines.Text())
	p.printed += p.lines.Text() + "\n"
	return true
}

// end waits for the end of the process and of its children, and is an error if it failed.
func (p *process) end() error {
	for p.next() {
	}
	p.ended = true
	if err := errors.Join(p.lines.Err(), p.cmd.Wait()); err != nil {
		return errors.Join(p.ctx.Err(), err)
	}
	return nil
}

// interrupt sends an interrupt to the server alone, which has no children and ends well then. The
// one of Ctrl-C reaches go run, too, and makes it fail whatever its program does.
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
		return fmt.Errorf("%s, after an interrupt: %w", p.cmd.Args[len(p.cmd.Args)-1], err)
	}
	return nil
}
