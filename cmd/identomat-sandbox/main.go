// Identomat-sandbox runs a fake Identomat for local development and for testing services in any
// language. See its README, or run it with -help.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/internal/fake"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills the process
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "identomat-sandbox:", err)
		os.Exit(1)
	}
}

// errUsage means a wrong flag. The flag package has already printed the error.
var errUsage = errors.New("wrong usage")

// settings are the values of the flags.
type settings struct {
	addr, apiAddr                      string
	companyKey, secretKey, callbackKey string
	requireHMAC, public, allowUnknown  bool
	callbackURL, statusCallback        string
	configFiles, hosts                 stringList
	quiet                              bool
	companiesFile                      string
	companies                          []identomattest.Company
	seed                               *uint64
	clock                              time.Time
	latency                            time.Duration
}

// stringList is the value of a flag that can be repeated.
type stringList []string

func (l *stringList) String() string     { return strings.Join(*l, ",") }
func (l *stringList) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("identomat-sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` of the widget host, which also serves the page and the control API")
	flags.StringVar(&s.apiAddr, "api-addr", "", "`address` of the API host (default: the next free port after the one in -addr)")
	flags.BoolVar(&s.public, "public", false, "allow addresses that other machines can reach; they can then decide every session")
	flags.Var(&s.hosts, "host", "accept this host `name` from browsers and tools, such as the name of a container; can be repeated")
	flags.StringVar(&s.companyKey, "company-key", identomattest.DefaultCompanyKey, "the company `key` that the server accepts")
	flags.StringVar(&s.secretKey, "secret-key", identomattest.DefaultSecretKey, "the secret `key` for signatures")
	flags.StringVar(&s.callbackKey, "callback-key", identomattest.DefaultCallbackKey, "the `key` that callbacks contain as callbackApiKey")
	flags.BoolVar(&s.requireHMAC, "require-hmac", false, "refuse unsigned requests")
	flags.StringVar(&s.callbackURL, "callback-url", "", "post callbacks to this `URL`")
	flags.StringVar(&s.statusCallback, "status-callback", "", "post a callback of this `type` to -callback-url after every decision (default: none, because Identomat does not publish its types)")
	flags.Var(&s.configFiles, "config", "add the session configuration in this JSON `file`, in the format of a get-session-config result; can be repeated")
	flags.BoolVar(&s.allowUnknown, "allow-unknown", false, "accept parameters, flags, steps and questions that Identomat's documentation does not list")
	flags.StringVar(&s.companiesFile, "companies", "", "serve the companies in this JSON `file` instead of one company, each with its own keys, limit and data; see the README")
	flags.Func("seed", "make tokens, ids and one-time passwords depend on this `number` and on the order of the requests", func(text string) error {
		n, err := strconv.ParseUint(text, 10, 64)
		s.seed = &n
		return err
	})
	flags.Func("clock", "stop the clock at this `time`, such as 2026-01-31T12:00:00Z; POST /_sandbox/clock advances it", func(text string) (err error) {
		s.clock, err = time.Parse(time.RFC3339, text)
		return err
	})
	flags.DurationVar(&s.latency, "latency", 0, "delay every response from the API by this `duration`, such as 250ms")
	flags.BoolVar(&s.quiet, "quiet", false, "do not log refused requests")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errUsage
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	if err := s.readCompanies(flags); err != nil {
		return s, err
	}
	return s, s.check()
}

// readCompanies reads the file in -companies. Its first company replaces the one of the other flags.
func (s *settings) readCompanies(flags *flag.FlagSet) error {
	if s.companiesFile == "" {
		return nil
	}
	var conflict string
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "company-key", "secret-key", "callback-key", "require-hmac", "callback-url":
			conflict = f.Name
		}
	})
	if conflict != "" {
		return fmt.Errorf("-companies and -%s cannot be combined: the file has the keys", conflict)
	}
	data, err := os.ReadFile(s.companiesFile)
	if err != nil {
		return fmt.Errorf("-companies: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s.companies); err != nil {
		return fmt.Errorf("-companies: %s: %s", s.companiesFile, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `Identomat-sandbox runs a fake Identomat: both hosts of the API, the page for the browser and a
control API. It needs no account. It connects to no other server except to post callbacks.

Usage: identomat-sandbox [flags]

`)
	flags.PrintDefaults()
	fmt.Fprint(flags.Output(), `
The control API decides sessions, adds faults and sends callbacks. GET /_sandbox/ on the widget
host lists its paths. The README documents them:
https://pkg.go.dev/github.com/identomat-go/identomat/cmd/identomat-sandbox
`)
}

func (s *settings) check() error {
	for _, a := range []struct{ name, addr string }{{"-addr", s.addr}, {"-api-addr", s.apiAddr}} {
		if a.name == "-api-addr" && a.addr == "" {
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
			return fmt.Errorf("%s %q: other machines can reach this address and decide every session; add -public to allow it", a.name, a.addr)
		}
	}
	for _, k := range []struct{ name, key string }{{"-company-key", s.companyKey}, {"-secret-key", s.secretKey}, {"-callback-key", s.callbackKey}} {
		if k.key == "" {
			return fmt.Errorf("%s is empty", k.name)
		}
	}
	if s.latency < 0 {
		return errors.New("-latency is negative")
	}
	if s.callbackURL != "" {
		u, err := url.Parse(s.callbackURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("-callback-url is not an http URL")
		}
	} else if s.statusCallback != "" && s.companiesFile == "" {
		return errors.New("-status-callback requires -callback-url")
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	srv, err := s.start(stderr)
	if err != nil {
		return err
	}
	defer srv.Close()
	if s.callbackURL != "" {
		if err := srv.SetCallbackURL(s.callbackURL); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(stdout, welcome(srv, s)); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(stderr, "identomat-sandbox: stopping")
	return nil
}

func (s *settings) start(stderr io.Writer) (*identomattest.Server, error) {
	opts := []identomattest.Option{
		identomattest.WithKeys(s.companyKey, s.secretKey),
		identomattest.WithCallbackKey(s.callbackKey),
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
	if s.seed != nil {
		opts = append(opts, identomattest.WithSeed(*s.seed))
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
			return nil, fmt.Errorf("-config: %w", err)
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
			return nil, fmt.Errorf("the address %s is already in use; choose another with -addr or -api-addr", op.Addr)
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
func welcome(srv *identomattest.Server, s settings) string {
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
of every refusal. Or begin a session and decide it with curl:

`, srv.WidgetURL)
	if s.requireHMAC || len(s.companies) > 0 && s.companies[0].RequireHMAC {
		b.WriteString("# begin/ needs a signature; the page shows how to make one\n")
	}
	fmt.Fprintf(&b, `curl %s -F company_key=%s
curl -X POST %s
`, srv.WidgetURL+"/external-api/begin/", fake.ShellWord(srv.CompanyKey), fake.ShellWord(srv.WidgetURL+"/_sandbox/sessions/{token}/approve"))
	return b.String()
}
