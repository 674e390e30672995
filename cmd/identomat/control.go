package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

// control calls the control API of the sandbox, and returns the response's body.
func (a *app) control(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	base := os.Getenv(identomat.EnvWidgetURL)
	u, err := url.Parse(base)
	if base == "" || err != nil || strings.HasSuffix(u.Hostname(), "identomat.com") {
		return nil, fmt.Errorf("%s does not name a sandbox; \"identomat sandbox\" prints the variables to set", identomat.EnvWidgetURL)
	}
	var encoded io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		encoded = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+"/_sandbox/"+path, encoded)
	if err != nil {
		return nil, errors.New("the sandbox's URL is not valid")
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		// The URL holds a token.
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return nil, fmt.Errorf("cannot reach the sandbox at %s: %w", u.Redacted(), err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	var refusal struct{ Error string }
	if response.StatusCode != http.StatusOK {
		if json.Unmarshal(raw, &refusal) != nil || refusal.Error == "" {
			return nil, fmt.Errorf("%s is not a sandbox (HTTP %d)", u.Redacted(), response.StatusCode)
		}
		if response.StatusCode == http.StatusNotFound {
			return nil, notInSandbox{refusal.Error}
		}
		return nil, fmt.Errorf("sandbox: %s", refusal.Error)
	}
	return raw, nil
}

// notInSandbox says that the sandbox has no such session.
type notInSandbox struct{ reason string }

func (e notInSandbox) Error() string { return "sandbox: " + e.reason }

func (e notInSandbox) Unwrap() error { return identomat.ErrNotFound }

func (a *app) triggerCommand() *cobra.Command {
	var reason, person string
	cmd := &cobra.Command{
		Use:   "trigger (approve | reject | manual | expire) TOKEN",
		Short: "Decide a session of the sandbox, as its customer or an operator",
		Long: `Decide a session of the sandbox, as if its customer had finished or an operator had decided. The
persons for --person are john-smith, nino-beridze and juergen-groessmann.` + tokenHelp,
		Example: `  identomat trigger approve @token.txt
  identomat trigger reject @token.txt --reason face_mismatch`,
		Args:      takes("approve, reject, manual or expire", "TOKEN"),
		ValidArgs: []string{"approve", "reject", "manual", "expire"},
		RunE: func(cmd *cobra.Command, args []string) error {
			verb := map[string]string{"approve": "approve", "reject": "reject", "manual": "manual-check", "expire": "expire"}[args[0]]
			if verb == "" {
				return usageError{cmd, fmt.Errorf("%q is not one of approve, reject, manual, expire", args[0])}
			}
			token, err := a.token(cmd, args[1])
			if err != nil {
				return err
			}
			body := map[string]string{}
			if reason != "" {
				body["reason"] = reason
			}
			if person != "" {
				body["person"] = person
			}
			raw, err := a.control(cmd.Context(), http.MethodPost, "sessions/"+url.PathEscape(string(token))+"/"+verb, body)
			if err != nil {
				return err
			}
			var session struct {
				Outcome string `json:"outcome"`
				State   string `json:"state"`
			}
			if err := json.Unmarshal(raw, &session); err != nil {
				return err
			}
			return a.show(session, "Outcome=outcome State=state", nil)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "the `reason` of a rejection, such as face_mismatch")
	cmd.Flags().StringVar(&person, "person", "", "the `name` of the person in the result")
	return cmd
}

func (a *app) faultCommand() *cobra.Command {
	var times int
	var after, list, clear bool
	var delay time.Duration
	var code string
	cmd := &cobra.Command{
		Use:   "fault OPERATION FAULT",
		Short: "Make calls of the sandbox fail",
		Long: `Make calls of the sandbox fail. OPERATION is an endpoint, such as result/, or * for all. FAULT is an
HTTP status or one of:

error-code, argument-error, too-many-requests, redirect, html-page, empty-body, empty-object, null,
slow-headers, slow-body, truncated, wrong-content-type, reset-before-read, reset-after-read,
wrong-signature, missing-signature, internal-error.`,
		Example: `  identomat fault result/ 503 --times 3
  identomat fault begin/ reset-after-read --times 1
  identomat fault passport/ error-code --code DOCUMENT_BLURRY
  identomat fault --list
  identomat fault --clear`,
		Args: func(_ *cobra.Command, args []string) error {
			if list || clear {
				return takes()(nil, args)
			}
			return takes("OPERATION", "FAULT")(nil, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var raw json.RawMessage
			var err error
			switch {
			case clear:
				if _, err = a.control(cmd.Context(), http.MethodDelete, "faults", nil); err == nil {
					raw, err = a.control(cmd.Context(), http.MethodGet, "faults", nil)
				}
			case list:
				raw, err = a.control(cmd.Context(), http.MethodGet, "faults", nil)
			default:
				body := map[string]any{"operation": args[0], "fault": args[1], "count": times}
				if status, isStatus := strconv.Atoi(args[1]); isStatus == nil {
					body["fault"], body["status"] = "http-status", status
				}
				if code != "" {
					body["code"] = code
				}
				if after {
					body["afterProcessing"] = true
				}
				if delay > 0 && args[1] == "too-many-requests" {
					body["retryAfterSeconds"] = delay.Seconds()
				} else if delay > 0 {
					body["delaySeconds"] = delay.Seconds()
				}
				raw, err = a.control(cmd.Context(), http.MethodPost, "faults", body)
			}
			if err != nil {
				return err
			}
			var pending struct{ Faults []json.RawMessage }
			if err := json.Unmarshal(raw, &pending); err != nil {
				return err
			}
			p := a.list("Operation=operation Fault=fault Calls_left=left")
			for _, fault := range pending.Faults {
				if err := p.add(fault); err != nil {
					return err
				}
			}
			return p.close()
		},
	}
	cmd.Flags().IntVar(&times, "times", 0, "the `number` of calls that fail (default: all, until --clear)")
	cmd.Flags().BoolVar(&after, "after-processing", false, "process the call, and replace only its response")
	cmd.Flags().StringVar(&code, "code", "", "the `code` of error-code and argument-error")
	cmd.Flags().DurationVar(&delay, "delay", 0, "the delay of slow-headers and slow-body, or the Retry-After of too-many-requests")
	cmd.Flags().BoolVar(&list, "list", false, "list the pending faults")
	cmd.Flags().BoolVar(&clear, "clear", false, "remove all faults")
	return cmd
}

func (a *app) requestsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "requests",
		Short: "List the requests that the sandbox received",
		Long:  `List the requests that the sandbox received. Their secrets are masked.`,
		Example: `  identomat requests
  identomat requests --follow -o jsonl | jq -r 'select(.refusal) | .refusal'`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const cols = "Time=time Operation=operation Status=status Refusal=refusal Fault=fault Warning=warning"
			safe := paths("operation host method path contentType userAgent size time status refusal fault warning")
			seen := 0
			if follow && a.format() == "json" {
				return usageError{cmd, errors.New("--follow needs --output jsonl, csv or table")}
			}
			for {
				raw, err := a.control(cmd.Context(), http.MethodGet, "requests", nil)
				if err != nil {
					return err
				}
				var received struct{ Requests []json.RawMessage }
				if err := json.Unmarshal(raw, &received); err != nil {
					return err
				}
				if len(received.Requests) < seen { // they were cleared
					seen = 0
				}
				p := a.list(cols).masked(safe)
				p.open, p.continued = follow, seen > 0
				for _, request := range received.Requests[seen:] {
					if err := p.add(request); err != nil {
						return err
					}
				}
				if !follow || len(received.Requests) > seen {
					if err := p.close(); err != nil {
						return err
					}
				}
				seen = len(received.Requests)
				if !follow {
					return nil
				}
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(500 * time.Millisecond):
				}
			}
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on until interrupted")
	return cmd
}
