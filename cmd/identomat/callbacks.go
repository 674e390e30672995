package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

// envCallbackKeys holds the keys that callbacks contain, separated by commas.
const envCallbackKeys = "IDENTOMAT_CALLBACK_KEYS"

// receivedCallback is the record of a callback.
type receivedCallback struct {
	Time      string `json:"time"`
	Type      string `json:"type"`
	SessionID string `json:"sessionId,omitzero"`
	File      string `json:"file,omitzero"`
	Forwarded int    `json:"forwarded,omitzero"`
	Error     string `json:"error,omitzero"`
}

func (a *app) listenCommand() *cobra.Command {
	var addr, forward, dir string
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive callbacks, print them and forward them",
		Long: `Receive callbacks, check their keys, print them and forward them to a program on this machine. The
keys come from the variable ` + envCallbackKeys + `, separated by commas.

The default address is a loopback one, so Identomat reaches it only through a tunnel. The sandbox
reaches it directly: identomat sandbox --callback-url http://127.0.0.1:4242/`,
		Example: `  identomat listen --forward http://localhost:3000/callbacks
  identomat listen --save ./callbacks`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys := strings.Split(os.Getenv(envCallbackKeys), ",")
			if keys[0] == "" {
				return fmt.Errorf("%s is not set; \"identomat sandbox\" prints the sandbox's key, and the dashboard shows yours under Company settings", envCallbackKeys)
			}
			if forward != "" {
				if err := checkHTTP(forward); err != nil {
					return usageError{cmd, fmt.Errorf("--forward: %w", err)}
				}
			}
			if a.format() == "json" {
				return usageError{cmd, errors.New("listen needs --output jsonl, csv or table")}
			}
			if dir != "" {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return err
				}
			}
			ln, err := net.Listen("tcp", addr)
			if err != nil {
				return err
			}
			a.note("Listening on http://%s/. Stop with Ctrl-C.", ln.Addr())
			l := &listener{app: a, keys: keys, forward: forward, dir: dir}
			server := &http.Server{Handler: l, ReadTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return cmd.Context() }}
			stop := context.AfterFunc(cmd.Context(), func() { _ = server.Close() })
			defer stop()
			if err := server.Serve(ln); cmd.Context().Err() == nil {
				return err
			}
			return nil // Ctrl-C is the only way to end
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:4242", "listen on this `address`")
	cmd.Flags().StringVar(&forward, "forward", "", "forward every callback to this `URL`")
	cmd.Flags().StringVar(&dir, "save", "", "write every callback, with its key, to a file in this `directory`; \"callback replay\" sends it again")
	return cmd
}

// listener receives callbacks.
type listener struct {
	*app
	keys         []string
	forward, dir string

	mu sync.Mutex
	n  int
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, identomat.DefaultMaxCallbackSize))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	callback, err := identomat.ParseCallback(r, l.keys)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	record := receivedCallback{Time: time.Now().UTC().Format(time.RFC3339), Type: string(callback.Type), SessionID: string(callback.SessionID)}
	status := http.StatusOK
	if refused, ok := errors.AsType[*identomat.CallbackError](err); ok {
		record.Type, record.Error, status = "refused", refused.Reason, refused.StatusCode
	} else if err != nil {
		record.Type, record.Error, status = "refused", err.Error(), http.StatusInternalServerError
	} else {
		l.keep(&record, body)
		if l.forward != "" {
			if record.Forwarded, err = post(r.Context(), l.forward, body); err != nil {
				record.Error, status = err.Error(), http.StatusBadGateway
			} else {
				status = record.Forwarded
			}
		}
	}
	p := l.list("Time=time Type=type File=file Forwarded=forwarded Error=error").masked(paths("time type file forwarded error"))
	p.open, p.continued = true, l.n > 1
	if err := errors.Join(p.add(record), p.close()); err != nil {
		l.note("%v", err)
	}
	w.WriteHeader(status)
}

// keep writes a callback to a file.
func (l *listener) keep(record *receivedCallback, body []byte) {
	if l.dir == "" {
		return
	}
	name := filepath.Join(l.dir, time.Now().UTC().Format("20060102T150405.000000000")+".json")
	if err := writeFile(name, func(file *os.File) error { _, err := file.Write(body); return err }); err != nil {
		record.Error = err.Error()
		return
	}
	record.File = name
}

func checkHTTP(address string) error {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an http URL", address)
	}
	return nil
}

// post posts a callback, and returns the status of the response.
func post(ctx context.Context, to string, body []byte) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err // without the URL, which may hold a secret
	}
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func (a *app) callbackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "callback",
		Short:   "Send saved callbacks again",
		Example: `  identomat callback replay callback.json --to http://localhost:3000/callbacks`,
	}
	var to string
	replay := &cobra.Command{
		Use:   "replay FILE --to URL",
		Short: "Send a callback from a file",
		Long: `Send a callback from a file, such as one of "identomat listen --save". The file - is standard input.
The exit code is 0 if the status of the response is below 300, and 1 otherwise.`,
		Example: `  identomat callback replay callbacks/20270131T090000.json --to http://localhost:3000/callbacks
  jq '.type = "unknown"' callback.json | identomat callback replay - --to http://localhost:3000/callbacks`,
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usageError{cmd, errors.New("missing --to")}
			}
			if err := checkHTTP(to); err != nil {
				return usageError{cmd, fmt.Errorf("--to: %w", err)}
			}
			in, _, err := a.open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			body, err := io.ReadAll(io.LimitReader(in, identomat.DefaultMaxCallbackSize))
			if err != nil {
				return err
			}
			if !json.Valid(body) {
				return errors.New("the file is not JSON")
			}
			status, err := post(cmd.Context(), to, body)
			if err != nil {
				return err
			}
			if err := a.show(map[string]int{"status": status}, "Status=status", nil); err != nil {
				return err
			}
			if status >= 300 {
				return outcomeError(1)
			}
			return nil
		},
	}
	replay.Flags().StringVar(&to, "to", "", "send the callback to this `URL`")
	cmd.AddCommand(replay)
	return cmd
}
