package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/internal/fake"
)

// settings are the values of the flags of "identomat sandbox".
type settings struct {
	addr, apiAddr                     string
	requireHMAC, public, allowUnknown bool
	callbackURL, statusCallback       string
	configFiles, hosts                []string
	quiet                             bool
	companiesFile                     string
	companies                         []identomattest.Company
	seed                              uint64
	hasSeed                           bool
	clockText                         string
	clock                             time.Time
	latency                           time.Duration
	exec                              string
}

func (a *app) sandboxCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a fake Identomat, which needs no account",
		Long: `Run a fake Identomat: both hosts of the API, the page for the browser and a control API. It needs no
account, and verifies no identity. It connects to no other server except to post callbacks.

It prints the environment variables that other commands and your services need. With --exec, it runs
one command with these variables set, and exits with the command's exit code.`,
		Example: `  identomat sandbox
  identomat sandbox --exec 'identomat doctor'
  identomat sandbox --addr 127.0.0.1:9000 --callback-url http://127.0.0.1:4242/`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.quiet, s.hasSeed = a.quiet, cmd.Flags().Changed("seed")
			if s.exec != "" && !cmd.Flags().Changed("addr") {
				s.addr = "127.0.0.1:0" // several may run at once
			}
			if err := s.check(); err != nil {
				return usageError{cmd, err}
			}
			return a.sandbox(cmd.Context(), &s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "the `address` of the widget host, which also serves the page and the control API")
	flags.StringVar(&s.apiAddr, "api-addr", "", "the `address` of the API host (default: the next free port after the one in --addr)")
	flags.BoolVar(&s.public, "public", false, "allow addresses that other machines can reach; they can then decide every session")
	flags.StringArrayVar(&s.hosts, "host", nil, "accept this host `name` from browsers and tools, such as the name of a container; can be repeated")
	flags.BoolVar(&s.requireHMAC, "require-hmac", false, "refuse unsigned requests")
	flags.StringVar(&s.callbackURL, "callback-url", "", "post callbacks to this `URL`")
	flags.StringVar(&s.statusCallback, "status-callback", "", "post a callback of this `type` to --callback-url after every decision (default: none, because Identomat does not publish its types)")
	flags.StringArrayVar(&s.configFiles, "config", nil, "add the session configuration in this JSON `file`, in the format of a get-session-config result; can be repeated")
	flags.BoolVar(&s.allowUnknown, "allow-unknown", false, "accept parameters, flags, steps and questions that Identomat's documentation does not list")
	flags.StringVar(&s.companiesFile, "companies", "", "serve the companies in this JSON `file` instead of one company, each with its own keys, limit and data")
	flags.Uint64Var(&s.seed, "seed", 0, "make tokens, ids and one-time passwords depend on this `number` and on the order of the requests")
	flags.StringVar(&s.clockText, "clock", "", "stop the clock at this `time`, such as 2026-01-31T12:00:00Z; POST /_sandbox/clock advances it")
	flags.DurationVar(&s.latency, "latency", 0, "delay every response from the API")
	flags.StringVar(&s.exec, "exec", "", "run this `command` with the variables set, and stop when it ends")
	return cmd
}

// readCompanies reads the file in --companies. Its first company replaces the built-in one.
func (s *settings) readCompanies() error {
	if s.companiesFile == "" {
		return nil
	}
	if s.requireHMAC || s.callbackURL != "" {
		return errors.New("--companies and --require-hmac or --callback-url cannot be combined: the file has them")
	}
	data, err := os.ReadFile(s.companiesFile)
	if err != nil {
		return fmt.Errorf("--companies: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err = dec.Decode(&s.companies)
	wrongType, isWrongType := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case isWrongType && wrongType.Field == "":
		err = errors.New("not a list of objects")
	case isWrongType:
		err = fmt.Errorf("%s has the wrong type", wrongType.Field)
	case err == nil && dec.InputOffset() < int64(len(bytes.TrimRight(data, " \t\r\n"))):
		err = errors.New("text after the list")
	}
	if err != nil {
		return fmt.Errorf("--companies: %s: %s", s.companiesFile, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func (s *settings) check() error {
	for _, a := range []struct{ name, addr string }{{"--addr", s.addr}, {"--api-addr", s.apiAddr}} {
		if a.name == "--api-addr" && a.addr == "" {
			continue
		}
		host, port, err := net.SplitHostPort(a.addr)
		if err != nil {
			return fmt.Errorf("%s %q is not an address such as 127.0.0.1:8080", a.name, a.addr)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return fmt.Errorf("%s %q: the port is not a number from 0 to 65535", a.name, a.addr)
		}
		ip := net.ParseIP(host)
		if !s.public && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s %q: other machines can reach this address and decide every session; add --public to allow it", a.name, a.addr)
		}
	}
	if s.latency < 0 {
		return errors.New("--latency is negative")
	}
	if s.callbackURL != "" {
		u, err := url.Parse(s.callbackURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("--callback-url is not an http URL")
		}
	} else if s.statusCallback != "" && s.companiesFile == "" {
		return errors.New("--status-callback requires --callback-url")
	}
	if s.clockText != "" {
		clock, err := time.Parse(time.RFC3339, s.clockText)
		if err != nil {
			return fmt.Errorf("--clock %q is not a time such as 2026-01-31T12:00:00Z", s.clockText)
		}
		s.clock = clock
	}
	return s.readCompanies()
}

// sandbox runs the fake until it is interrupted, or until the command of --exec ends.
func (a *app) sandbox(ctx context.Context, s *settings) error {
	srv, err := s.start(a.err)
	if err != nil {
		return err
	}
	defer srv.Close()
	if s.callbackURL != "" {
		if err := srv.SetCallbackURL(s.callbackURL); err != nil {
			return err
		}
	}
	if s.exec != "" {
		return a.runIn(ctx, srv, s.exec)
	}
	if _, err := io.WriteString(a.out, welcome(srv, s)); err != nil {
		return err
	}
	<-ctx.Done()
	a.note("stopping")
	return nil
}

// runIn runs a shell command with the variables that name the sandbox.
func (a *app) runIn(ctx context.Context, srv *identomattest.Server, command string) error {
	shell := []string{"sh", "-c", command}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/c", command}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(),
		identomat.EnvWidgetURL+"="+srv.WidgetURL, identomat.EnvAPIURL+"="+srv.APIURL,
		identomat.EnvCompanyKey+"="+srv.CompanyKey, identomat.EnvSecretKey+"="+srv.SecretKey, envCallbackKeys+"="+srv.CallbackKey)
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return outcomeError(exit.ExitCode())
	}
	return err
}

func (s *settings) start(stderr io.Writer) (*identomattest.Server, error) {
	opts := []identomattest.Option{
		identomattest.WithStatusCallback(s.statusCallback),
		identomattest.WithHosts(s.hosts...),
		identomattest.WithLatency(s.latency),
		identomattest.WithLogf(func(string, ...any) {}),
	}
	if !s.quiet {
		opts = append(opts, identomattest.WithLogf(log.New(stderr, "", log.Ltime).Printf))
	}
	if s.companiesFile != "" {
		opts = append(opts, identomattest.WithCompanies(s.companies...))
	}
	if s.hasSeed {
		opts = append(opts, identomattest.WithSeed(s.seed))
	}
	if !s.clock.IsZero() {
		opts = append(opts, identomattest.WithClock(func() time.Time { return s.clock }))
	}
	if s.requireHMAC {
		opts = append(opts, identomattest.RequireHMAC())
	}
	if s.allowUnknown {
		opts = append(opts, identomattest.AllowUnknown())
	}
	for _, name := range s.configFiles {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
		opts = append(opts, identomattest.WithConfiguration(string(data)))
	}
	candidates := []string{s.apiAddr}
	if s.apiAddr == "" {
		host, port, _ := net.SplitHostPort(s.addr) // check has validated the address
		n, _ := strconv.Atoi(port)
		candidates = nil
		for next := n + 1; n > 0 && next <= min(n+100, 65535); next++ {
			candidates = append(candidates, net.JoinHostPort(host, strconv.Itoa(next)))
		}
		candidates = append(candidates, net.JoinHostPort(host, "0"))
	}
	for i, candidate := range candidates {
		srv, err := identomattest.Start(append(opts, identomattest.WithAddr(s.addr, candidate))...)
		if err == nil {
			return srv, nil
		}
		var op *net.OpError
		inUse := errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &op)
		if inUse && i < len(candidates)-1 && op.Addr != nil && samePort(op.Addr.String(), candidate) {
			continue
		}
		if inUse {
			return nil, fmt.Errorf("the address %s is already in use; choose another with --addr or --api-addr", op.Addr)
		}
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "identomattest: "))
	}
	return nil, errors.New("no port is free")
}

// samePort reports whether two addresses have the same port.
func samePort(a, b string) bool {
	_, portA, _ := net.SplitHostPort(a)
	_, portB, _ := net.SplitHostPort(b)
	return portA == portB
}

// welcome returns the text that is printed at startup: environment variables to paste, and commands to
// try.
func welcome(srv *identomattest.Server, s *settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, `A fake Identomat is running. It verifies no identity. Stop it with Ctrl-C.

export IDENTOMAT_WIDGET_URL=%s
export IDENTOMAT_API_URL=%s
export IDENTOMAT_COMPANY_KEY=%s
export IDENTOMAT_SECRET_KEY=%s
export IDENTOMAT_CALLBACK_KEYS=%s
`, fake.ShellWord(srv.WidgetURL), fake.ShellWord(srv.APIURL), fake.ShellWord(srv.CompanyKey), fake.ShellWord(srv.SecretKey), fake.ShellWord(srv.CallbackKey))
	fmt.Fprintf(&b, `
Open %s/ in a browser: it shows how to begin a session, the open sessions, and the reason
of every refusal. Or begin a session and decide it with "identomat begin" and
"identomat trigger", or with curl:

`, srv.WidgetURL)
	if s.requireHMAC || len(s.companies) > 0 && s.companies[0].RequireHMAC {
		b.WriteString("# begin/ needs a signature; the page shows how to make one\n")
	}
	fmt.Fprintf(&b, `curl %s -F company_key=%s
curl -X POST %s
`, srv.WidgetURL+"/external-api/begin/", fake.ShellWord(srv.CompanyKey), fake.ShellWord(srv.WidgetURL+"/_sandbox/sessions/{token}/approve"))
	return b.String()
}
