package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/identomat-go/identomat"
)

// Session is one session of the batch: your ID for it and its token.
type Session struct {
	ID    string
	Token identomat.Token
}

// gone is the journal's outcome for a session that no longer exists.
const gone identomat.Outcome = "session_not_found"

// maxFailures is how many sessions in a row may fail before the batch stops. That many failures in
// a row point to a problem with the service, not with single sessions.
const maxFailures = 50

// Batch reads the outcomes of many sessions.
type Batch struct {
	// Client has the rate limiter, which therefore also limits retries.
	Client *identomat.Client
	// Workers is the number of concurrent reads. Values below 1 mean 1.
	Workers int
	// Journal records which sessions were read, for the next run.
	Journal *Journal
	// Progress is called after each session, never concurrently. It may be nil.
	Progress func(Report)
}

// Report counts sessions.
type Report struct {
	Total int
	// Read is the number of sessions in the journal, and Before the number of those that were
	// there when the run began.
	Read, Before int
	// Pending counts the sessions without an outcome yet. Failed counts those that could not be
	// read. The next run reads the sessions of both kinds again.
	Pending, Failed int
	// Last is the error of the session that failed most recently.
	Last error
}

// Done returns the number of sessions that this run has tried, plus those that were already in the
// journal.
func (r Report) Done() int { return r.Read + r.Pending + r.Failed }

type readResult struct {
	id      string
	outcome identomat.Outcome
	err     error
}

// Run reads the sessions that are not in the journal. Run counts errors in single sessions, and
// returns an error only if continuing is pointless: if the context has ended, the service refuses
// the key, the journal cannot be written, or too many sessions in a row have failed. The next Run
// continues where this one stopped.
func (b *Batch) Run(ctx context.Context, sessions []Session) (Report, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var todo []Session
	for _, s := range sessions {
		if !b.Journal.Has(s.ID) {
			todo = append(todo, s)
		}
	}
	before := len(sessions) - len(todo)
	report := Report{Total: len(sessions), Read: before, Before: before}

	queue, results := make(chan Session), make(chan readResult)
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
	for range max(b.Workers, 1) {
		workers.Go(func() {
			for s := range queue {
				results <- b.read(ctx, s)
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()

	failedInRow := 0
	for res := range results { // keep receiving after stop, because a worker blocks until its result is received
		switch {
		case res.err != nil && ctx.Err() != nil:
			continue // the context ended, which says nothing about the session
		case errors.Is(res.err, identomat.ErrInvalidKey):
			stop(res.err)
			continue
		case res.err != nil:
			report.Failed++
			report.Last = fmt.Errorf("%s: %w", res.id, res.err)
			if failedInRow++; failedInRow == maxFailures {
				stop(fmt.Errorf("%d sessions in a row failed, most recently with: %w", failedInRow, res.err))
			}
		case res.outcome == identomat.OutcomeInProgress || res.outcome == identomat.OutcomeManualCheck:
			failedInRow = 0
			report.Pending++
		default:
			failedInRow = 0
			if err := b.Journal.Add(res.id, res.outcome); err != nil {
				stop(err)
				continue
			}
			report.Read++
		}
		if b.Progress != nil {
			b.Progress(report)
		}
	}
	if report.Done() == report.Total {
		return report, nil
	}
	return report, context.Cause(ctx)
}

func (b *Batch) read(ctx context.Context, s Session) readResult {
	result, err := b.Client.Sessions.Result(ctx, s.Token)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		return readResult{id: s.ID, outcome: gone}
	case err != nil:
		return readResult{id: s.ID, err: err}
	}
	return readResult{id: s.ID, outcome: result.Outcome}
}
