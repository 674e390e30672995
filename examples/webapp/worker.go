package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

const (
	// firstCheck is the delay before the first check of a session without a callback.
	firstCheck = 5 * time.Second
	// maxCheckInterval is the longest interval between checks while the customer may be completing
	// the steps. maxReviewInterval applies while a person decides, which can take days.
	maxCheckInterval  = time.Minute
	maxReviewInterval = time.Hour
	// grace extends the lifetime of a session, in case it was finished at the last moment.
	grace = 5 * time.Minute
	// jobTimeout limits the calls of one job, including retries.
	jobTimeout = 30 * time.Second
	// collectTimeout limits the collection of evidence, which continues with the next try.
	collectTimeout = 2 * time.Minute

	// concurrency is the number of jobs that run at the same time.
	concurrency = 8
	// maxIdle is the longest interval between two checks of the queue, and between two sweeps.
	maxIdle = 30 * time.Second
)

// worker fetches the outcomes of sessions, collects their evidence and erases sessions at the service.
// Its queue is the table jobs. A callback or a customer's return only makes a job due. The worker does
// not claim jobs. The outcome of a fetch is stored in one transaction that also ends its job or leaves
// a job to collect the evidence, so a crash at any point leaves a job that runs again, which is
// harmless.
type worker struct {
	store    *store
	client   *identomat.Client
	log      *slog.Logger
	notified chan struct{}
}

func newWorker(s *store, client *identomat.Client, log *slog.Logger) *worker {
	return &worker{store: s, client: client, log: log, notified: make(chan struct{}, 1)}
}

// notify makes the worker check its queue.
func (w *worker) notify() {
	select {
	case w.notified <- struct{}{}:
	default: // a notification is already pending
	}
}

// run works until the context ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := maxIdle
		err := errors.Join(w.store.sweep(ctx), w.work(ctx))
		if err == nil {
			var next time.Time
			var found bool
			if next, found, err = w.store.nextDue(ctx); found {
				pause = max(0, min(pause, next.Sub(w.store.now())))
			}
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("worker cannot use its database", "error", err)
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-w.notified:
		case <-time.After(pause):
		}
	}
}

// work runs all jobs that are due. It returns after maxIdle even if jobs are always due, so that
// run can sweep.
func (w *worker) work(ctx context.Context) error {
	for start := w.store.now(); ctx.Err() == nil && w.store.now().Sub(start) < maxIdle; {
		jobs, err := w.store.due(ctx, concurrency)
		if err != nil || len(jobs) == 0 {
			return err
		}
		var wait sync.WaitGroup
		errs := make([]error, len(jobs))
		for i, j := range jobs {
			wait.Go(func() { errs[i] = w.do(ctx, j) })
		}
		wait.Wait()
		// Return, so that run pauses: with a full disk, this loop would call the service
		// endlessly.
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// do runs one job. It returns only database errors. An error from the service postpones the job.
func (w *worker) do(ctx context.Context, j job) error {
	collecting := (j.state == approved || j.state == rejected) && !j.erasing
	timeout := jobTimeout
	if collecting {
		timeout = collectTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case j.erasing:
		return w.erase(ctx, j)
	case collecting:
		return w.collect(ctx, j)
	}
	result, err := w.client.Sessions.Result(ctx, j.token)
	// Store the outcome even if the program is shutting down.
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		if j.state == manualCheck {
			return w.store.deleteJob(ctx, j) // the evidence is gone, but a reviewer can still decide
		}
		return w.settle(ctx, j, expired, "session_not_found")
	case err != nil:
		return w.retryLater(ctx, j, err)
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
		return w.store.postpone(ctx, j, w.store.now().Add(backoff(3*time.Second, j.tries, maxCheckInterval)))
	default:
		// An operator at Identomat will decide, or this program does not know the outcome. Neither
		// is an approval.
		if err := w.store.leaveToReviewers(ctx, j.verification); err != nil {
			return err
		}
		return w.store.postpone(ctx, j, w.store.now().Add(backoff(time.Minute, j.tries, maxReviewInterval)))
	}
}

func (w *worker) settle(ctx context.Context, j job, outcome state, reason string) error {
	settled, err := w.store.settle(ctx, j.verification, outcome, reason, byIdentomat)
	if err != nil {
		return err
	}
	if !settled { // a reviewer was faster, or the customer requested an erasure
		return w.store.postpone(ctx, j, w.store.now())
	}
	w.log.Info("verification settled", "verification", j.verification, "outcome", outcome)
	return nil
}

// collect collects the evidence of a verification that has just been decided, because the service
// may delete its session. What was fetched before an error or a crash is not fetched again.
func (w *worker) collect(ctx context.Context, j job) error {
	added, err := w.store.ownEvidence(ctx, j.verification)
	if err != nil {
		return err
	}
	folder := w.store.evidenceOf(j.verification)
	report, err := evidence.Collect(ctx, w.client, j.token, evidence.Dir(folder), added...)
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		w.log.Error("the service no longer has the session, so the evidence stays incomplete", "verification", j.verification)
		if report == nil { // nothing was collected
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
		}
	case err != nil:
		return w.retryLater(ctx, j, err)
	default:
		w.log.Info("evidence collected", "verification", j.verification)
	}
	if _, found, err := w.store.verification(ctx, j.verification); err == nil && !found {
		return os.RemoveAll(folder) // another process has erased the verification in the meantime
	}
	return w.store.deleteJob(ctx, j)
}

// erase deletes a session at the service, and then its evidence and the bank's records. In the opposite
// order, a crash would leave a session at the service that the bank no longer knows. The receipt remains.
func (w *worker) erase(ctx context.Context, j job) error {
	receipt, err := evidence.Erase(ctx, w.client, j.token, os.DirFS(w.store.evidenceOf(j.verification)),
		evidence.Anyway("the customer requested the erasure"))
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		return w.retryLater(ctx, j, err)
	}
	if err := w.store.saveReceipt(ctx, j.verification, byCustomer, receipt); err != nil {
		return err
	}
	if err := w.store.deleteErased(ctx, j.verification); err != nil {
		return err
	}
	w.log.Info("verification erased", "verification", j.verification)
	return nil
}

// retryLater postpones a job whose call failed. All errors are retried, because the queue must not
// lose a job. An error that is not temporary, such as a refused key, is logged at level Error,
// because it lasts until somebody fixes its cause.
func (w *worker) retryLater(ctx context.Context, j job, err error) error {
	pause := backoff(2*time.Second, j.tries, 5*time.Minute)
	if api, ok := errors.AsType[*identomat.APIError](err); ok {
		pause = max(pause, min(api.RetryAfter, maxReviewInterval))
	}
	level := slog.LevelError
	// The job's timeout and a shutdown end the context, which IsTemporary does not count as
	// temporary.
	if identomat.IsTemporary(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		level = slog.LevelWarn
	}
	w.log.Log(ctx, level, "job failed", "verification", j.verification, "retry_in", pause, "error", err)
	return w.store.postpone(ctx, j, w.store.now().Add(pause))
}

// backoff returns a delay that doubles with every attempt, up to limit. Capping tries prevents an
// overflow.
func backoff(first time.Duration, tries int, limit time.Duration) time.Duration {
	return min(first<<min(tries, 20), limit)
}
