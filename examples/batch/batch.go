package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/identomat-go/identomat"
)

// Session is a line of the batch: your name for it, and its token.
type Session struct {
	ID    string
	Token identomat.Token
}

// gone is written down for a session that does not exist any more.
const gone identomat.Outcome = "session_not_found"

// maxFailures ends a batch: so many sessions in a row are no single errors.
const maxFailures = 50

// Batch reads the outcomes of many sessions.
type Batch struct {
	// Client carries the rate limit, so that repeated attempts count, too.
	Client *identomat.Client
	// Workers is how many sessions are read at the same time, one at least.
	Workers int
	// Journal remembers what was read, for the next run.
	Journal *Journal
	// Progress is called after each session, by one goroutine at a time. It may be nil.
	Progress func(Report)
}

// Report counts sessions.
type Report struct {
	Total int
	// Read are those in the journal, of which Before were there when the run began.
	Read, Before int
	// Pending are those without an outcome as yet, and Failed those that could not be read.
	// The next run reads both again.
	Pending, Failed int
	// Last is the latest error of a single session.
	Last error
}

// Done is the number of sessions that the run has looked at.
func (r Report) Done() int { return r.Read + r.Pending + r.Failed }

type answer struct {
	id      string
	outcome identomat.Outcome
	err     error
}

// Run reads the sessions that are not in the journal. The error of a single session is
// counted; it returns an error when to go on is pointless: when the context has ended, the
// key is refused, the journal cannot be written, or too many sessions in a row have failed.
// A run that ended early goes on where it was when it is run again.
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

	queue, answers := make(chan Session), make(chan answer)
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
				answers <- b.read(ctx, s)
			}
		})
	}
	go func() {
		workers.Wait()
		close(answers)
	}()

	inARow := 0
	for a := range answers { // to the end, also after stop: the workers are waiting
		switch {
		case a.err != nil && ctx.Err() != nil:
			continue // nothing is known about the session
		case errors.Is(a.err, identomat.ErrInvalidKey):
			stop(a.err)
			continue
		case a.err != nil:
			report.Failed++
			report.Last = fmt.Errorf("%s: %w", a.id, a.err)
			if inARow++; inARow == maxFailures {
				stop(fmt.Errorf("%d sessions in a row have failed, the last with: %w", inARow, a.err))
			}
		case a.outcome == identomat.OutcomeInProgress || a.outcome == identomat.OutcomeManualCheck:
			inARow = 0
			report.Pending++
		default:
			inARow = 0
			if err := b.Journal.Add(a.id, a.outcome); err != nil {
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

func (b *Batch) read(ctx context.Context, s Session) answer {
	result, err := b.Client.Sessions.Result(ctx, s.Token)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		return answer{id: s.ID, outcome: gone}
	case err != nil:
		return answer{id: s.ID, err: err}
	}
	return answer{id: s.ID, outcome: result.Outcome}
}
