package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

// usageError is a mistake in the arguments.
type usageError struct {
	cmd *cobra.Command
	error
}

func (e usageError) Unwrap() error { return e.error }

// outcomeError ends a command that has printed a result with the exit code of the result's outcome.
type outcomeError int

func (e outcomeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// maybeError is a failed call that the service may have processed.
type maybeError struct {
	error
	advice string
}

func (e maybeError) Unwrap() error { return e.error }

// advisedError is an error with advice.
type advisedError struct {
	error
	advice string
}

func (e advisedError) Unwrap() error { return e.error }

// maybe adds advice to the error of a call that creates something or may be billed, if the service may have
// processed the call.
func maybe(err error, advice string) error {
	if identomat.MaybeProcessed(err) {
		return maybeError{err, advice}
	}
	return err
}

func exitCode(ctx context.Context, err error) int {
	outcome, isOutcome := errors.AsType[outcomeError](err)
	_, isUsage := errors.AsType[usageError](err)
	_, isMaybe := errors.AsType[maybeError](err)
	_, isInvalid := errors.AsType[*identomat.ValidationError](err)
	_, isFile := errors.AsType[*fileError](err)
	switch {
	case err == nil:
		return 0
	case isOutcome:
		return int(outcome)
	case isMaybe: // before interruptions, because it is about money
		return 6
	case ctx.Err() != nil:
		return 130
	case isUsage, isInvalid, isFile:
		return 2
	case errors.Is(err, identomat.ErrInvalidKey):
		return 7
	case errors.Is(err, identomat.ErrSessionNotFound), errors.Is(err, identomat.ErrNotFound):
		return 8
	}
	return 1
}

// problem is one thing that is wrong with a file or a request.
type problem struct {
	Line    int    `json:"line,omitzero"`
	Path    string `json:"path"`
	Message string `json:"message"`
	file    string
}

func (p problem) String() string {
	text := p.Message
	if p.Path != "" {
		text = p.Path + ": " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d: %s", p.file, p.Line, text)
	}
	return text
}

// failure is an error in JSON.
type failure struct {
	Message        string    `json:"message"`
	ExitCode       int       `json:"exitCode"`
	Operation      string    `json:"operation,omitzero"`
	Status         int       `json:"status,omitzero"`
	Code           string    `json:"code,omitzero"`
	MaybeProcessed bool      `json:"maybeProcessed,omitzero"`
	Advice         string    `json:"advice,omitzero"`
	Problems       []problem `json:"problems,omitzero"`
}

// report prints an error and returns the exit code. With --output json, the error goes to standard output,
// so that standard output is always one JSON value.
func (a *app) report(ctx context.Context, args []string, err error) int {
	code := exitCode(ctx, err)
	if _, isOutcome := errors.AsType[outcomeError](err); err == nil || isOutcome {
		return code
	}
	f := failure{Message: strings.ReplaceAll(err.Error(), "identomat: ", ""), ExitCode: code}
	if code == 130 {
		f.Message = "interrupted"
	}
	if e, ok := errors.AsType[*identomat.APIError](err); ok {
		f.Operation, f.Status, f.Code = e.Operation, e.StatusCode, e.Code
	}
	if e, ok := errors.AsType[*identomat.TransportError](err); ok {
		f.Operation = e.Operation
	}
	if e, ok := errors.AsType[maybeError](err); ok {
		f.MaybeProcessed, f.Advice = true, e.advice
	}
	if e, ok := errors.AsType[advisedError](err); ok {
		f.Advice = e.advice
	}
	if f.Advice == "" && errors.Is(err, identomat.ErrWrongParameters) {
		f.Advice = "The service does not accept a value. It may be an ID that does not exist."
	}
	if e, ok := errors.AsType[*identomat.ValidationError](err); ok {
		f.Operation = e.Operation
		for _, p := range e.Problems {
			f.Problems = append(f.Problems, problem{Path: p.Path, Message: p.Message})
		}
	}
	if e, ok := errors.AsType[*fileError](err); ok {
		f.Problems = e.problems
	}
	format := a.errorFormat(args)
	if format == "json" || format == "jsonl" {
		printed := struct {
			Error   failure           `json:"error"`
			Records []json.RawMessage `json:"records,omitzero"`
		}{Error: f}
		if e, ok := errors.AsType[partialError](err); ok {
			printed.Records = e.records
		}
		raw, _ := encode(printed) // texts and numbers
		if format == "json" {
			_ = writeIndented(a.out, raw)
		} else { // standard output holds the records that were read before
			fmt.Fprintf(a.err, "%s\n", printableJSON(raw))
		}
		return code
	}
	if len(f.Problems) > 0 {
		for _, p := range f.Problems {
			fmt.Fprintln(a.err, printable(p.String()))
		}
	} else {
		fmt.Fprintln(a.err, "identomat: "+printable(f.Message))
	}
	if f.Advice != "" {
		fmt.Fprintln(a.err, f.Advice)
	}
	if e, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(a.err, "Run \"%s --help\" for usage.\n", e.cmd.CommandPath())
	}
	return code
}

// errorFormat returns the format that the flags ask for. It looks at the arguments, because after a mistake
// in a flag, the flags behind it have not been read.
func (a *app) errorFormat(args []string) string {
	format := a.output
	for i, arg := range args {
		switch {
		case arg == "--json":
			return "json"
		case (arg == "-o" || arg == "--output") && i+1 < len(args):
			format = args[i+1]
		case strings.HasPrefix(arg, "-o") || strings.HasPrefix(arg, "--output="):
			format = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(arg, "--output"), "-o"), "=")
		}
	}
	return format
}
