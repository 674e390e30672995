// Identomat-sandbox runs a fake Identomat for local development and for tests of services
// in any language. See the README beside it, or run it with -help.
package main

import (
	"context"
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

	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
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

// errUsage is a wrong flag, which the flag package has explained.
var errUsage = errors.New("wrong usage")

type settings struct {
	addr, apiAddr                      string
	companyKey, secretKey, callbackKey string
	requireHMAC, public, allowUnknown  bool
	callbackURL, statusCallback        string
	configFiles, hosts                 texts
	quiet                              bool
}

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("identomat-sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` of the widget host, the page and the control API")
	flags.StringVar(&s.apiAddr, "api-addr", "", "`address` of the external-api host (default: the next free port after -addr)")
	flags.BoolVar(&s.public, "public", false, "allow addresses that other machines reach: they can decide every session")
	flags.Var(&s.hosts, "host", "a `name` by which the control API may be called, such as that of a container; may be repeated")
	flags.StringVar(&s.companyKey, "company-key", identomattest.DefaultCompanyKey, "the company `key` that the server knows")
	flags.StringVar(&s.secretKey, "secret-key", identomattest.DefaultSecretKey, "the `key` of signatures")
	flags.StringVar(&s.callbackKey, "callback-key", identomattest.DefaultCallbackKey, "the `key` that callbacks bear as callbackApiKey")
	flags.BoolVar(&s.requireHMAC, "require-hmac", false, "refuse requests without a signature")
	flags.StringVar(&s.callbackURL, "callback-url", "", "`URL` that callbacks are posted to")
	flags.StringVar(&s.statusCallback, "status-callback", "", "`type` of a callback that tells -callback-url of every decision (default: none, because no type is published)")
	flags.Var(&s.configFiles, "config", "a JSON `file` with a session configuration, as get-session-config answers; may be repeated")
	flags.BoolVar(&s.allowUnknown, "allow-unknown", false, "let parameters, flags, steps and questions pass that no document lists")
	flags.BoolVar(&s.quiet, "quiet", false, "do not log refused requests")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errUsage
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q is no flag: see -help", flags.Arg(0))
	}
	return s, s.check()
}

func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `Identomat-sandbox runs a fake Identomat: the API of both hosts, the page for the browser and
a control API. Nothing leaves the machine and no account is needed.

usage: identomat-sandbox [flags]

`)
	flags.PrintDefaults()
	fmt.Fprint(flags.Output(), `
The control API decides sessions, breaks replies and sends callbacks: GET /_sandbox/ of the widget
host lists its paths, and the README describes them:
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
			return fmt.Errorf("%s %q is no address such as 127.0.0.1:8080", a.name, a.addr)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return fmt.Errorf("%s %q: the port is no number up to 65535", a.name, a.addr)
		}
		ip := net.ParseIP(host)
		if !s.public && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s %q can be reached by other machines, which could decide every session: add -public to allow it", a.name, a.addr)
		}
	}
	for _, k := range []struct{ name, key string }{{"-company-key", s.companyKey}, {"-secret-key", s.secretKey}, {"-callback-key", s.callbackKey}} {
		if k.key == "" {
			return fmt.Errorf("%s is empty", k.name)
		}
	}
	if s.callbackURL != "" {
		u, err := url.Parse(s.callbackURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("-callback-url is no http URL")
		}
	} else if s.statusCallback != "" {
		return errors.New("-status-callback needs -callback-url")
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
		identomattest.WithCallbackURL(s.callbackURL),
		identomattest.WithStatusCallback(s.statusCallback),
		identomattest.WithHosts(s.hosts...),
		identomattest.WithLogf(func(string, ...any) {}),
	}
	if !s.quiet {
		opts = append(opts, identomattest.WithLogf(log.New(stderr, "", log.Ltime).Printf))
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
		host, port, _ := net.SplitHostPort(s.addr) // check has seen it
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
		taken := errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &op)
		if taken && i < len(candidates)-1 && op.Addr != nil && sameAddress(op.Addr.String(), candidate) {
			continue
		}
		if taken {
			return nil, fmt.Errorf("the address %s is taken by another program: choose another one with -addr or -api-addr", op.Addr)
		}
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "identomattest: "))
	}
	return nil, errors.New("no port is free")
}

func sameAddress(a, b string) bool {
	_, portA, _ := net.SplitHostPort(a)
	_, portB, _ := net.SplitHostPort(b)
	return portA == portB
}

// welcome is what is printed first: environment variables to paste, and a command to try.
func welcome(srv *identomattest.Server, s settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, `A fake Identomat is running. No identity is verified by it. Ctrl-C stops it.

export IDENTOMAT_WIDGET_URL=%s
export IDENTOMAT_API_URL=%s
export IDENTOMAT_COMPANY_KEY=%s
export IDENTOMAT_SECRET_KEY=%s
export IDENTOMAT_CALLBACK_KEYS=%s
`, quote(srv.WidgetURL), quote(srv.APIURL), quote(s.companyKey), quote(s.secretKey), quote(s.callbackKey))
	fmt.Fprintf(&b, `
Begin a session, open %s/?session_token=… in a browser, or decide it at once:

`, srv.WidgetURL)
	if s.requireHMAC {
		b.WriteString("# -require-hmac is set: requests to the two hosts need a signature, which curl does not make\n")
	}
	fmt.Fprintf(&b, `curl %s -F company_key=%s
curl -X POST %s
`, srv.WidgetURL+"/external-api/begin/", quote(s.companyKey), quote(srv.WidgetURL+"/_sandbox/sessions/{token}/approve"))
	return b.String()
}

// quote makes one word of a text for a POSIX shell.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
