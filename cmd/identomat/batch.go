package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"github.com/identomat-go/identomat"
)

func (a *app) batchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "batch",
		Short:   "Read many sessions",
		Example: `  identomat batch results -f tokens.csv -o results.jsonl`,
	}
	var in, out string
	var perSecond float64
	results := &cobra.Command{
		Use:   "results -f FILE -o FILE",
		Short: "Read the results of many sessions into a file",
		Long: `Read the results of many sessions into a file, one JSON object per line. The first row of the CSV file
names the columns: token, and optionally id, your own ID for the session.

Run it again to go on where it stopped: sessions that are in the file are not read again. Sessions in
progress or in manual check are not written, because their outcome may still change. With --reveal,
every line also holds the whole result, which is personal data. Only the owner can read the file.`,
		Example: `  identomat batch results -f tokens.csv -o results.jsonl
  identomat batch results -f tokens.csv -o results.jsonl --rate 50 --reveal`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in == "" {
				return usageError{cmd, errors.New("missing --file")}
			}
			if err := a.checkName(cmd, out); err != nil {
				return err
			}
			if perSecond <= 0 {
				return usageError{cmd, errors.New("--rate must be positive")}
			}
			return a.batch(cmd.Context(), in, out, perSecond)
		},
	}
	results.Flags().StringVarP(&in, "file", "f", "", "read the tokens from this CSV `file`; - is standard input")
	results.Flags().StringVarP(&out, "output", "o", "", "append the results to this `file`")
	results.Flags().Float64Var(&perSecond, "rate", 10, "the maximum number of requests per second")
	cmd.AddCommand(results)
	return cmd
}

// batchSession is a row of the CSV file.
type batchSession struct{ id, token string }

// batchLine is a line of the output.
type batchLine struct {
	ID         string          `json:"id,omitzero"`
	Token      string          `json:"token"`
	Outcome    string          `json:"outcome"`
	Reason     string          `json:"reason,omitzero"`
	Similarity *float64        `json:"similarity,omitzero"`
	Result     json.RawMessage `json:"result,omitzero"`
}

// isOurs reports whether the line was written by this command. Other lines may have a token, too.
func (l *batchLine) isOurs() bool { return l.Token != "" && l.Outcome != "" }

// batchReport counts sessions. It is also what the command prints.
type batchReport struct {
	Total   int `json:"total"`
	Written int `json:"written"`
	Before  int `json:"before"`
	Pending int `json:"pending"`
	Failed  int `json:"failed"`
}

// maxFailures is how many sessions in a row may fail before the batch stops, because that many failures
// point to a problem with the service.
const maxFailures = 50

func (a *app) batch(ctx context.Context, in, out string, perSecond float64) error {
	sessions, err := a.readTokens(in)
	if err != nil {
		return err
	}
	client, err := a.client(identomat.WithRateLimiter(rate.NewLimiter(rate.Limit(perSecond), 1)))
	if err != nil {
		return err
	}
	file, written, err := openOutput(out)
	if err != nil {
		return err
	}
	defer file.Close()
	var todo []batchSession
	for _, s := range sessions {
		if !written[s.token] {
			todo = append(todo, s)
			written[s.token] = true // a token that is twice in the file is read once
		}
	}
	report := batchReport{Total: len(sessions), Before: len(sessions) - len(todo)}
	draw, clear := a.bar()
	last, err := a.readAll(ctx, client, todo, file, &report, func() {
		draw("results", int64(report.Before+report.Written+report.Pending+report.Failed), int64(report.Total), count)
	})
	clear()
	if err := errors.Join(err, file.Sync()); err != nil {
		return advisedError{err, fmt.Sprintf("%d of %d results are in the file. Run this again to go on.", report.Before+report.Written, report.Total)}
	}
	p := a.one("Total=total Written=written In_the_file_before=before Pending=pending Failed=failed")
	if err := p.add(report); err != nil {
		return err
	}
	if report.Failed > 0 {
		return p.fail(fmt.Errorf("%d sessions failed, the last with: %w; run this again to read them", report.Failed, last))
	}
	return p.close()
}

// readAll reads sessions, several at a time, and appends their results to the file. It returns the last
// error of a session, and an error that makes it pointless to go on.
func (a *app) readAll(ctx context.Context, client *identomat.Client, todo []batchSession, file *os.File, report *batchReport, progress func()) (last, fatal error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	type read struct {
		line batchLine
		err  error
	}
	queue, reads := make(chan batchSession), make(chan read)
	go func() {
		defer close(queue)
		for _, s := range todo {
			select {
			case queue <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for s := range queue {
				line, err := a.readSession(ctx, client, s)
				reads <- read{line, err}
			}
		})
	}
	go func() {
		workers.Wait()
		close(reads)
	}()
	inRow := 0
	for r := range reads { // until the end even after stop, because workers block on the channel
		switch {
		case r.err != nil && ctx.Err() != nil:
			continue
		case errors.Is(r.err, identomat.ErrInvalidKey):
			stop(r.err)
			continue
		case r.err != nil:
			last = r.err
			report.Failed++
			if inRow++; inRow == maxFailures {
				stop(fmt.Errorf("%d sessions in a row failed, the last with: %w", inRow, r.err))
			}
		case r.line.Outcome == string(identomat.OutcomeInProgress) || r.line.Outcome == string(identomat.OutcomeManualCheck):
			inRow = 0
			report.Pending++
		default:
			inRow = 0
			raw, err := json.Marshal(r.line)
			if err == nil {
				_, err = file.Write(append(printableJSON(raw), '\n'))
			}
			if err != nil {
				stop(err)
				continue
			}
			report.Written++
		}
		progress()
	}
	return last, context.Cause(ctx)
}

func (a *app) readSession(ctx context.Context, client *identomat.Client, s batchSession) (batchLine, error) {
	line := batchLine{ID: s.id, Token: s.token}
	result, err := client.Sessions.Result(ctx, identomat.Token(s.token))
	if errors.Is(err, identomat.ErrSessionNotFound) {
		line.Outcome = "session_not_found"
		return line, nil
	}
	if err != nil {
		return line, err
	}
	line.Outcome, line.Reason, line.Similarity = string(result.Outcome), result.RejectReason.Value, result.Similarity
	if a.reveal {
		line.Result = result.Raw()
	}
	return line, nil
}

func (a *app) readTokens(name string) (sessions []batchSession, err error) {
	in, name, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	missing := 0
	_, err = readCSV(in, func(line int, row map[string]string) {
		if row["token"] == "" && missing == 0 {
			missing = line
		}
		sessions = append(sessions, batchSession{row["id"], row["token"]})
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case missing > 0:
		return nil, fmt.Errorf("%s: line %d has no token; the first row must name the columns: token, and optionally id", name, missing)
	case len(sessions) == 0:
		return nil, fmt.Errorf("%s has no rows", name)
	}
	return sessions, nil
}

// openOutput opens the file to append to, and returns the tokens in it. It cuts off a last line that is
// incomplete because the program was killed.
func openOutput(name string) (*os.File, map[string]bool, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	written, end := map[string]bool{}, int64(0)
	r := bufio.NewReader(file)
	for n := 1; ; n++ {
		raw, err := r.ReadBytes('\n')
		if err == io.EOF && isLineStart(raw) {
			break
		}
		var line batchLine
		if err == nil {
			err = json.Unmarshal(bytes.TrimSpace(raw), &line)
		}
		if err != nil || !line.isOurs() {
			_ = file.Close()
			return nil, nil, fmt.Errorf("%s: line %d is not a line of this command; choose another file", name, n)
		}
		written[line.Token] = true
		end += int64(len(raw))
	}
	// An existing file may be readable by others.
	err = file.Chmod(0o600)
	if err == nil {
		err = file.Truncate(end)
	}
	if err = errors.Join(err, file.Close()); err == nil { // append, in case another run does, too
		file, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s cannot be appended to: %w", name, err)
	}
	return file, written, nil
}

// isLineStart reports whether text can be the beginning of a [batchLine]. Anything else is not ours to cut off.
func isLineStart(text []byte) bool {
	if line := (batchLine{}); json.Unmarshal(text, &line) == nil {
		return line.isOurs()
	}
	for _, start := range []string{`{"id":"`, `{"token":"`} {
		if n := min(len(start), len(text)); string(text[:n]) == start[:n] {
			return true
		}
	}
	return false
}
