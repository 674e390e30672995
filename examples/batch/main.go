// Batch reads the outcomes of ten thousand sessions under a rate limit and reports its progress. An
// error in a single session does not stop it. After Ctrl-C or a crash, run it again with the same
// journal to continue.
//
//	go run ./examples/batch
//	go run ./examples/batch -journal outcomes.jsonl -rate 50 -sessions sessions.csv
//
// Without -sessions it runs against a fake Identomat in the same process, and first begins ten
// thousand sessions there. With -sessions it takes your IDs and tokens from a CSV file with lines
// such as "user-12345,47fjzx…", and reads the outcomes from the service with IDENTOMAT_COMPANY_KEY,
// by default ten per second. Identomat's API documentation states no rate limit, so ask Identomat
// which rate to keep.
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	var s settings
	flag.StringVar(&s.sessions, "sessions", "", "CSV `file` with an ID and a token on each line; the default is a fake service")
	flag.StringVar(&s.journal, "journal", "", "`file` that records the outcomes; required with -sessions")
	flag.Float64Var(&s.rate, "rate", 0, "requests per second; 0 means 10, or 2000 with the fake")
	flag.IntVar(&s.workers, "workers", 16, "number of concurrent requests")
	flag.IntVar(&s.fakes, "n", 10_000, "number of sessions to begin at the fake")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "batch:", err)
		os.Exit(1)
	}
}

type settings struct {
	sessions, journal string
	rate              float64
	workers, fakes    int
}

func run(ctx context.Context, out io.Writer, s settings) error {
	if s.sessions != "" && s.journal == "" {
		return errors.New("-sessions requires -journal, the file that keeps the outcomes")
	}
	if s.rate == 0 {
		s.rate = 10
		if s.sessions == "" {
			s.rate = 2000
		}
	}
	limiter := identomat.WithRateLimiter(rate.NewLimiter(rate.Limit(s.rate), max(s.workers, 1)))
	var client *identomat.Client
	var sessions []Session
	var err error
	if s.sessions != "" {
		if client, err = identomat.NewClientFromEnv(limiter); err != nil {
			return err
		}
		sessions, err = readSessions(s.sessions)
	} else {
		var server *identomattest.Server
		if server, err = identomattest.Start(); err != nil {
			return err
		}
		defer server.Close()
		fmt.Fprintf(out, "Beginning %d sessions at a fake Identomat.\n", s.fakes)
		client = server.Client(limiter)
		sessions, err = fakeSessions(ctx, server, s.fakes)
	}
	if err != nil {
		return err
	}
	if s.journal == "" {
		dir, err := os.MkdirTemp("", "batch")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.journal = filepath.Join(dir, "outcomes.jsonl")
	}
	journal, err := OpenJournal(s.journal)
	if err != nil {
		return err
	}
	defer journal.Close()

	batch := Batch{Client: client, Workers: s.workers, Journal: journal, Progress: progress(out, time.Second)}
	report, err := batch.Run(ctx, sessions)
	fmt.Fprintf(out, "%d of %d sessions are in the journal, %d have no outcome yet, %d failed.\n",
		report.Read, report.Total, report.Pending, report.Failed)
	outcomes := journal.Outcomes()
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(out, "  %6d %s\n", outcomes[outcome], outcome)
	}
	if report.Last != nil {
		fmt.Fprintln(out, "Last failure:", report.Last)
	}
	if err != nil {
		return fmt.Errorf("stopped: %w; run again with the same journal to continue", err)
	}
	return nil
}

// progress returns a function for Batch.Progress that prints at most one line per interval.
func progress(out io.Writer, interval time.Duration) func(Report) {
	start := time.Now()
	last := start
	return func(r Report) {
		now := time.Now()
		if now.Sub(last) < interval {
			return
		}
		last = now
		speed := float64(r.Done()-r.Before) / now.Sub(start).Seconds()
		left := time.Duration(float64(r.Total-r.Done()) / speed * float64(time.Second))
		fmt.Fprintf(out, "%d of %d, %d failed, %.0f/s, %s left\n", r.Done(), r.Total, r.Failed, speed, left.Round(time.Second))
	}
}

func readSessions(name string) ([]Session, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows := csv.NewReader(file)
	rows.FieldsPerRecord = 2
	records, err := rows.ReadAll()
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(records))
	for i, record := range records {
		sessions[i] = Session{ID: record[0], Token: identomat.Token(record[1])}
	}
	return sessions, nil
}

// fakeSessions begins n sessions at the fake and approves or rejects nearly all of them.
func fakeSessions(ctx context.Context, server *identomattest.Server, n int) ([]Session, error) {
	client := server.Client()
	sessions := make([]Session, n)
	for i := range sessions {
		session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{})
		if err != nil {
			return nil, err
		}
		switch {
		case i%10 == 3:
			err = server.Reject(session.Token, "low_similarity")
		case i%100 != 7:
			err = server.Approve(session.Token)
		}
		if err != nil {
			return nil, err
		}
		sessions[i] = Session{ID: fmt.Sprintf("user-%05d", i), Token: session.Token}
	}
	// The fake fails a few times: three times with an HTML page, which counts as a failed session,
	// and five times with a status that the client retries.
	server.Fault("result/", identomattest.HTMLPage(200), 3)
	server.Fault("result/", identomattest.HTTPStatus(503), 5)
	return sessions, nil
}
