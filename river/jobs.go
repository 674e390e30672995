package identomatriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

const (
	mainQueue     = "identomat"
	evidenceQueue = "identomat_evidence"

	priorityBegin, priorityWoken, priorityOther, priorityErase = 1, 1, 2, 4

	// maxAttempts is practically infinite, because a job that River discards would be lost until the next
	// sweep. maxRetry is the longest interval between attempts.
	maxAttempts = 10_000
	maxRetry    = time.Hour

	// sweepInterval is the interval between sweeps. A record is swept when it is overdue by sweepAfter, which
	// is longer than maxRetry. So an erasure begins at most three hours late. sweepSize is the number of
	// records in one transaction.
	sweepInterval = time.Hour
	sweepAfter    = 2 * time.Hour
	sweepSize     = 1000
)

// A job's arguments are the ID of a record and nothing else.
type job struct {
	ID string `json:"id"`
}

func (j job) id() string { return j.ID }

// once makes a job unique by its ID until it has ended.
func once(queue string, priority int) river.InsertOpts {
	return river.InsertOpts{Queue: queue, Priority: priority, MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

type (
	beginJob    struct{ job }
	resultJob   struct{ job }
	evidenceJob struct{ job }
	screenJob   struct{ job }
	monitorJob  struct{ job }
	eraseJob    struct{ job }
	sweepJob    struct{ job }
)

func (beginJob) Kind() string    { return "identomat_begin" }
func (resultJob) Kind() string   { return "identomat_result" }
func (evidenceJob) Kind() string { return "identomat_evidence" }
func (screenJob) Kind() string   { return "identomat_screen" }
func (monitorJob) Kind() string  { return "identomat_monitor" }
func (eraseJob) Kind() string    { return "identomat_erase" }
func (sweepJob) Kind() string    { return "identomat_sweep" }

func (beginJob) InsertOpts() river.InsertOpts    { return once(mainQueue, priorityBegin) }
func (resultJob) InsertOpts() river.InsertOpts   { return once(mainQueue, priorityOther) }
func (evidenceJob) InsertOpts() river.InsertOpts { return once(evidenceQueue, priorityOther) }
func (screenJob) InsertOpts() river.InsertOpts   { return once(mainQueue, priorityOther) }
func (monitorJob) InsertOpts() river.InsertOpts  { return once(mainQueue, priorityOther) }
func (eraseJob) InsertOpts() river.InsertOpts    { return once(mainQueue, priorityErase) }
func (sweepJob) InsertOpts() river.InsertOpts    { return once(mainQueue, priorityOther) }

// jobOf returns the job that a record waits for at its Due.
func (e *Engine[TTx]) jobOf(r *Record) river.JobArgs {
	j := job{r.ID}
	switch {
	case !r.Held && !r.EraseAt.IsZero() && !r.EraseAt.After(r.Due):
		return eraseJob{j}
	case r.State.waits():
		return resultJob{j}
	case r.State.decided():
		return evidenceJob{j}
	case r.Kind == Screening:
		return screenJob{j}
	case r.Kind == Monitoring:
		return monitorJob{j}
	}
	return beginJob{j}
}

// schedule inserts the job that a record waits for, unless there is one. Future erasures, which can be years away,
// are left to the sweep.
func (e *Engine[TTx]) schedule(ctx context.Context, tx TTx, r *Record) error {
	now := e.config.now()
	if r.Due.IsZero() {
		return nil
	}
	args := e.jobOf(r)
	if _, isErasure := args.(eraseJob); isErasure && r.Due.After(now) {
		return nil
	}
	opts := &river.InsertOpts{}
	if r.Due.After(now) {
		opts.ScheduledAt = r.Due
	}
	_, err := e.river.InsertTx(ctx, tx, args, opts)
	return err
}

// worker runs one kind of job.
type worker[A interface {
	river.JobArgs
	id() string
}] struct {
	river.WorkerDefaults[A]
	work func(ctx context.Context, row *rivertype.JobRow, id string) error
	fail func(ctx context.Context, kind, id string, err error) error
	now  func() time.Time
}

func (w *worker[A]) Work(ctx context.Context, j *river.Job[A]) (err error) {
	defer func() {
		if v := recover(); v != nil { // River would store the value
			err = w.fail(ctx, j.Kind, j.Args.id(), panicked(v))
		}
	}()
	if err := w.work(ctx, j.JobRow, j.Args.id()); err != nil {
		return w.fail(ctx, j.Kind, j.Args.id(), err)
	}
	return nil
}

// panicked returns the error for a recovered panic. The value is left out, because it may name somebody.
func panicked(v any) error { return fmt.Errorf("panic with a %T\n%s", v, debug.Stack()) }

// NextRetry doubles the interval with every attempt, with jitter.
func (w *worker[A]) NextRetry(j *river.Job[A]) time.Time {
	return w.now().Add(jitter(min(time.Second<<min(j.Attempt, 20), maxRetry)))
}

// jitter returns a random duration between 90 and 110 percent of d, so that jobs do not return in lockstep.
func jitter(d time.Duration) time.Duration { return d*9/10 + rand.N(d/5+1) }

func (e *Engine[TTx]) addWorkers(workers *river.Workers) error {
	return errors.Join(
		river.AddWorkerSafely(workers, &worker[beginJob]{work: e.begin, fail: e.fail, now: e.config.now}),
		river.AddWorkerSafely(workers, &worker[resultJob]{work: e.result, fail: e.fail, now: e.config.now}),
		river.AddWorkerSafely(workers, &worker[evidenceJob]{work: e.collect, fail: e.fail, now: e.config.now}),
		river.AddWorkerSafely(workers, &worker[screenJob]{work: e.screen, fail: e.fail, now: e.config.now}),
		river.AddWorkerSafely(workers, &worker[monitorJob]{work: e.monitor, fail: e.fail, now: e.config.now}),
		river.AddWorkerSafely(workers, &worker[eraseJob]{work: e.erase, fail: e.fail, now: e.config.now}),
		river.AddWorkerSafely(workers, &worker[sweepJob]{work: e.sweep, fail: e.fail, now: e.config.now}),
	)
}

// fail logs the error of a job, and returns the error that River stores in plain text: the text of an error from
// the SDK, which contains no values, or a fixed text.
func (e *Engine[TTx]) fail(ctx context.Context, kind, id string, err error) error {
	if snooze, ok := errors.AsType[*river.JobSnoozeError](err); ok {
		return snooze
	}
	// An error that is not temporary, such as a refused key, lasts until somebody fixes its cause. A timeout and a
	// shutdown end the context, which IsTemporary does not count as temporary.
	level := slog.LevelError
	if identomat.IsTemporary(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, errErasedMeanwhile) {
		level = slog.LevelWarn
	}
	e.log.Log(ctx, level, "identomatriver: job failed", "job", kind, "id", id, "error", err)
	if api, ok := errors.AsType[*identomat.APIError](err); ok {
		if api.RetryAfter > time.Minute {
			return river.JobSnooze(min(api.RetryAfter, maxRetry))
		}
		return errors.New(api.Error())
	}
	if sent, ok := errors.AsType[*identomat.TransportError](err); ok {
		return errors.New(sent.Error())
	}
	for _, known := range []error{evidence.ErrIncomplete, evidence.ErrInUse, evidence.ErrOtherSession, evidence.ErrAddedBefore} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("the log has the error")
}

// step marks a point at which the tests of crashes kill the process.
func (e *Engine[TTx]) step(id, step string) {
	if e.config.step != nil {
		e.config.step(id, step)
	}
}

// locked runs fn on a locked record in a transaction.
func (e *Engine[TTx]) locked(ctx context.Context, row *rivertype.JobRow, kind Kind, id string, fn func(tx TTx, r *Record) error) error {
	return e.store.InTx(ctx, func(tx TTx) error {
		r, err := e.store.Lock(ctx, tx, kind, id)
		if errors.Is(err, ErrUnknown) {
			return e.complete(ctx, tx, row) // the bank has deleted the record
		}
		if err != nil {
			return err
		}
		return fn(tx, r)
	})
}

// complete completes a job. A job that was rescued in the meantime stays, and finds that nothing is left to do.
func (e *Engine[TTx]) complete(ctx context.Context, tx TTx, row *rivertype.JobRow) error {
	_, err := river.JobCompleteTx[riverdriver.Driver[TTx]](ctx, tx, &river.Job[sweepJob]{JobRow: row})
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return err
}

// next completes a job, stores its record, tells the bank and schedules the next job. It completes the job first,
// because the next one may be of the same kind, and a job is unique until it has ended.
func (e *Engine[TTx]) next(ctx context.Context, tx TTx, row *rivertype.JobRow, r *Record, c *Change) error {
	if err := e.complete(ctx, tx, row); err != nil {
		return err
	}
	if err := e.save(ctx, tx, r); err != nil {
		return err
	}
	if c == nil || e.config.Changed == nil {
		return nil
	}
	c.Record = r
	return e.changed(ctx, tx, *c)
}

// changed calls Config.Changed. A panic is an error, because the response of a billable call must still be stored.
func (e *Engine[TTx]) changed(ctx context.Context, tx TTx, c Change) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return e.config.Changed(ctx, tx, c)
}

// sweep makes the jobs of overdue records: erasures, and jobs that were lost.
func (e *Engine[TTx]) sweep(ctx context.Context, _ *rivertype.JobRow, _ string) error {
	now := e.config.now()
	for {
		n := 0
		err := e.store.InTx(ctx, func(tx TTx) error {
			overdue, err := e.store.Due(ctx, tx, now.Add(-sweepAfter), sweepSize)
			if err != nil {
				return err
			}
			n = len(overdue)
			for _, r := range overdue {
				if _, err := e.river.InsertTx(ctx, tx, e.jobOf(r), nil); err != nil {
					return err
				}
				r.Due = now // the next sweeps begin with other records
				if err := e.store.Save(ctx, tx, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || n < sweepSize {
			return err
		}
	}
}
