package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
)

const (
	// firstCheck is when a session is looked at that nobody has called about.
	firstCheck = 5 * time.Second
	// slowestCheck is the longest interval while a customer may be at it, slowestReview while
	// a person decides, which can take days.
	slowestCheck  = time.Minute
	slowestReview = time.Hour
	// grace is added to the lifetime of a session, for one that was finished at the last
	// moment.
	grace = 5 * time.Minute
	// checkPatience bounds one question to the service, retries included.
	checkPatience = 30 * time.Second

	// concurrent is how many jobs are done at a time.
	concurrent = 8
	// idle is the longest time without a look at the database, and the interval of sweeps.
	idle = 30 * time.Second
)

// worker asks the service how sessions ended, or erases them there. Its queue is the table
// jobs: callbacks and returns only make a job due. Nothing is claimed, and a job is gone or put
// off in the transaction that writes down what came of it, so a crash at any point leaves a
// job that is simply done again.
type worker struct {
	store  *store
	client *identomat.Client
	log    *slog.Logger
	poked  chan struct{}
}

func newWorker(s *store, client *identomat.Client, log *slog.Logger) *worker {
	return &worker{store: s, client: client, log: log, poked: make(chan struct{}, 1)}
}

// poke makes a sleeping worker look at its queue.
func (w *worker) poke() {
	select {
	case w.poked <- struct{}{}:
	default: // it is going to look
	}
}

// run works until the context ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := idle
		err := errors.Join(w.store.sweep(ctx), w.work(ctx))
		if err == nil {
			var next time.Time
			var waiting bool
			if next, waiting, err = w.store.nextDue(ctx); waiting {
				pause = max(0, min(pause, next.Sub(w.store.now())))
			}
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("the worker cannot use its database", "error", err)
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-w.poked:
		case <-time.After(pause):
		}
	}
}

// work does all jobs that are due. It ends in time for a sweep, also when there are always some.
func (w *worker) work(ctx context.Context) error {
	for begun := w.store.now(); ctx.Err() == nil && w.store.now().Sub(begun) < idle; {
		jobs, err := w.store.due(ctx, concurrent)
		if err != nil || len(jobs) == 0 {
			return err
		}
		var wait sync.WaitGroup
		failed := make([]error, len(jobs))
		for i, j := range jobs {
			wait.Go(func() { failed[i] = w.do(ctx, j) })
		}
		wait.Wait()
		// Without a pause, a full disk would have the service asked in a loop.
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
	return nil
}

// do does one job. Its error is the database's; what the service refuses puts the job off.
func (w *worker) do(ctx context.Context, j job) error {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	if j.erasing {
		return w.erase(ctx, j)
	}
	result, err := w.client.Sessions.Result(ctx, j.token)
	// What was learnt is written down, also when the program is about to end.
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		if j.state == manualCheck {
			return w.store.drop(ctx, j) // the evidence is gone, and the decision is with the reviewers
		}
		return w.settle(ctx, j, expired, "session_not_found")
	case err != nil:
		return w.putOff(ctx, j, err)
	}
	switch {
	case result.Approved():
		return w.settle(ctx, j, approved, "")
	case result.Outcome == identomat.OutcomeRejected:
		return w.settle(ctx, j, rejected, result.RejectReason.Value)
	case result.Outcome == identomat.OutcomeInProgress && j.state == inProgress:
		if !w.store.now().Before(j.expires.Add(grace)) {
			return w.settle(ctx, j, expired, "")
		}
		return w.store.later(ctx, j, w.store.now().Add(backoff(3*time.Second, j.tries, slowestCheck)))
	default:
		// An operator of Identomat's decides, or the outcome is one that this program does not
		// know. Neither is an approval.
		if err := w.store.leaveToPeople(ctx, j.verification); err != nil {
			return err
		}
		return w.store.later(ctx, j, w.store.now().Add(backoff(time.Minute, j.tries, slowestReview)))
	}
}

func (w *worker) settle(ctx context.Context, j job, outcome state, reason string) error {
	settled, err := w.store.settle(ctx, j.verification, outcome, reason, byIdentomat)
	if err != nil {
		return err
	}
	if !settled { // a reviewer was faster, or the customer has it erased
		return w.store.later(ctx, j, w.store.now())
	}
	w.log.Info("a verification has ended", "verification", j.verification, "outcome", outcome)
	return nil
}

// erase removes a session from the service and then from the bank's books. The other way
// round, a crash would leave a session that nobody remembers.
func (w *worker) erase(ctx context.Context, j job) error {
	err := w.client.Sessions.Delete(ctx, j.token)
	ctx = context.WithoutCancel(ctx)
	if err != nil && !errors.Is(err, identomat.ErrSessionNotFound) {
		return w.putOff(ctx, j, err)
	}
	if err := w.store.erased(ctx, j.verification); err != nil {
		return err
	}
	w.log.Info("a verification was erased", "verification", j.verification)
	return nil
}

// putOff tries again later what the service did not answer.
func (w *worker) putOff(ctx context.Context, j job, err error) error {
	pause := backoff(2*time.Second, j.tries, 5*time.Minute)
	if api, ok := errors.AsType[*identomat.APIError](err); ok {
		pause = max(pause, min(api.RetryAfter, slowestReview))
	}
	w.log.Warn("a verification could not be looked after", "verification", j.verification, "again_in", pause, "error", err)
	return w.store.later(ctx, j, w.store.now().Add(pause))
}

// backoff doubles with every try.
func backoff(first time.Duration, tries int, most time.Duration) time.Duration {
	return min(first<<min(tries, 20), most)
}
