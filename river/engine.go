package identomatriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

// Config holds the functions and settings of an engine. Client and Store are required.
//
// The functions get the ID of a record, and return what the call needs from the bank's own tables. Their
// errors and panics may name people: River stores only that the function failed, and the logger gets the
// error.
type Config[TTx any] struct {
	// Client makes the calls, and Store keeps the records.
	Client *identomat.Client
	Store  Store[TTx]

	// BeginRequest returns the request for a verification's session. It is required for [Engine.Begin].
	BeginRequest func(ctx context.Context, id string) (identomat.BeginRequest, error)
	// ScreeningQuery returns whom to search for. It is required for [Engine.Screen].
	ScreeningQuery func(ctx context.Context, id string) (identomat.ScreeningQuery, error)
	// MonitorQuery returns whom to monitor. It is required for [Engine.Monitor].
	MonitorQuery func(ctx context.Context, id string) (identomat.MonitorQuery, error)
	// Changed is called in the transaction that changes a record, and stores what the bank wants to keep.
	// An error rolls the change back, and the job is tried again. After a billable call, the transaction is
	// retried for only a few seconds, and then the record is unclear. Changed may be called more than once,
	// because a transaction can fail after it, so it should change nothing but the database.
	Changed func(ctx context.Context, tx TTx, c Change) error

	// Evidence says where to keep evidence. If it is nil, no evidence is collected.
	Evidence *Evidence
	// Retention is how long after the decision a session is erased. 0 means that only [Engine.Erase] does so.
	Retention time.Duration

	// Lifetime is how long a session can be used. It must match the configuration at Identomat. The default
	// is 15 minutes.
	Lifetime time.Duration
	// BeginWithin is how long the call for a queued verification is retried after refusals. Then the
	// verification has failed. Unless BeginRequest fails, the call is made at least once. The default is 15
	// minutes.
	BeginWithin time.Duration
	// CallTimeout limits one billable call with its retries. A shutdown does not interrupt the call. The
	// default is 30 seconds.
	CallTimeout time.Duration

	// MaxWorkers is how many jobs run at the same time in this process. EvidenceWorkers is the same for the
	// collection of evidence, which has a queue of its own because large files would delay outcomes. The
	// defaults are 16 and 2.
	MaxWorkers, EvidenceWorkers int
	// InsertOnly makes the engine run no jobs, for processes that only queue them.
	InsertOnly bool
	// Logger gets errors. The default is [slog.Default].
	Logger *slog.Logger

	// River has further settings, such as the bank's own workers and queues, or PollOnly, which PgBouncer
	// in transaction mode requires because it does not pass on notifications. The engine adds its workers,
	// and sets the fields below if they are zero:
	//
	//   - JobTimeout, 2 minutes: longer than any billable call. Evidence that takes longer continues with the
	//     next attempt.
	//   - RescueStuckJobsAfter, 3 minutes: River's default is an hour, in which nothing happens to a job whose
	//     process was killed.
	//   - CompletedJobRetentionPeriod, 1 hour: every poll leaves a completed job. River's default is a day.
	//   - FetchPollInterval, 250 ms if the database has no notifications, as SQLite: a customer waits for Begin.
	//   - FetchCooldown, 50 ms: each fetch takes at most as many jobs as there are free workers.
	River *river.Config

	// now is the clock, and step is called before and after each committed step. Only tests set them.
	now  func() time.Time
	step func(id, step string)
}

// Evidence says where and how to keep evidence.
type Evidence struct {
	// Dir returns the folder for the package of a verification. All processes that collect evidence must see
	// the same folders, unless Seal moves the package and Open returns it.
	Dir func(id string) string
	// Files returns what the bank adds to the package, such as the decision. It must return the same data
	// each time. It may be nil.
	Files func(ctx context.Context, id string) ([]evidence.Option, error)
	// Seal time-stamps, encrypts or moves a complete package. It may be called again after a crash. It may
	// be nil.
	Seal func(ctx context.Context, id, dir string) error
	// Open returns the package for its verification before the session is erased. The default opens Dir.
	Open func(ctx context.Context, id string) (fs.FS, error)
	// Remove removes the bank's copy after the session was erased. It may be called again after a crash. If it
	// is nil, the package is kept.
	Remove func(ctx context.Context, id string) error
}

// Event says what happened to a record.
type Event string

// The events.
const (
	SessionBegun    Event = "session_begun"
	CallUnclear     Event = "call_unclear"
	CallFailed      Event = "call_failed"
	InManualCheck   Event = "in_manual_check"
	Decided         Event = "decided" // Approved, Rejected or Expired
	Screened        Event = "screened"
	Monitored       Event = "monitored"
	EvidenceSealed  Event = "evidence_sealed"
	EvidenceMissing Event = "evidence_missing" // Identomat no longer has the session
	SessionErased   Event = "session_erased"
)

// Change is what happened to a record.
type Change struct {
	// Event says what happened.
	Event Event
	// Record is the record after the change.
	Record *Record
	// Result is the result that was read, for Decided and InManualCheck. It is nil if there is no result,
	// because the session no longer exists.
	Result *identomat.Result
	// Hits are all hits of a screening.
	Hits []identomat.ScreeningHit
	// MonitoringID is for [identomat.ScreeningService.Unmonitor].
	MonitoringID string
	// Receipt is the receipt for an erased session.
	Receipt *evidence.Receipt
}

// Engine runs the jobs. Its methods that take a transaction change records and jobs in that transaction, so
// the bank can change its own tables together with them.
type Engine[TTx any] struct {
	config Config[TTx]
	client *identomat.Client
	store  Store[TTx]
	river  *river.Client[TTx]
	log    *slog.Logger
}

// New returns an engine. It does not touch the database. [Migrate] makes the tables.
func New[TTx any](driver riverdriver.Driver[TTx], config Config[TTx]) (*Engine[TTx], error) {
	e := &Engine[TTx]{config: config, client: config.Client, store: config.Store}
	c := &e.config
	switch {
	case e.client == nil || e.store == nil:
		return nil, errors.New("identomatriver: Client and Store are required")
	case c.Evidence != nil && c.Evidence.Dir == nil:
		return nil, errors.New("identomatriver: Evidence.Dir is required")
	case c.Evidence == nil && c.Retention > 0:
		return nil, errors.New("identomatriver: Retention requires Evidence, because no session is erased without evidence")
	}
	c.Lifetime = cmp.Or(c.Lifetime, 15*time.Minute)
	c.BeginWithin = cmp.Or(c.BeginWithin, 15*time.Minute)
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	if c.now == nil {
		c.now = time.Now
	}
	e.log = cmp.Or(c.Logger, slog.Default())

	settings := river.Config{}
	if c.River != nil {
		settings = *c.River
	}
	settings.Logger = cmp.Or(settings.Logger, e.log)
	settings.JobTimeout = cmp.Or(settings.JobTimeout, 2*time.Minute)
	settings.RescueStuckJobsAfter = cmp.Or(settings.RescueStuckJobsAfter, settings.JobTimeout+time.Minute)
	settings.CompletedJobRetentionPeriod = cmp.Or(settings.CompletedJobRetentionPeriod, time.Hour)
	settings.FetchCooldown = cmp.Or(settings.FetchCooldown, 50*time.Millisecond)
	if !driver.SupportsListener() {
		settings.FetchPollInterval = cmp.Or(settings.FetchPollInterval, 250*time.Millisecond)
	}
	if minimum := c.CallTimeout + 2*e.commitTimeout(); settings.JobTimeout < minimum {
		return nil, fmt.Errorf("identomatriver: JobTimeout must be at least %s, so that no job is rescued during a billable call", minimum)
	}
	if !c.InsertOnly {
		if settings.Workers == nil {
			settings.Workers = river.NewWorkers()
		}
		if err := e.addWorkers(settings.Workers); err != nil {
			return nil, err
		}
		queues := map[string]river.QueueConfig{
			mainQueue:     {MaxWorkers: cmp.Or(c.MaxWorkers, 16)},
			evidenceQueue: {MaxWorkers: cmp.Or(c.EvidenceWorkers, 2)},
		}
		for name, q := range settings.Queues {
			queues[name] = q
		}
		settings.Queues = queues
		settings.PeriodicJobs = append(settings.PeriodicJobs[:len(settings.PeriodicJobs):len(settings.PeriodicJobs)],
			river.NewPeriodicJob(river.PeriodicInterval(sweepInterval),
				func() (river.JobArgs, *river.InsertOpts) { return sweepJob{}, nil }, &river.PeriodicJobOpts{RunOnStart: true}))
	} else {
		settings.SkipUnknownJobCheck = true
	}
	var err error
	e.river, err = river.NewClient(driver, &settings)
	return e, err
}

// Migrate makes or updates River's tables and the store's. Run it in one process at a time, because River's
// migrations take no lock.
func Migrate[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], store *SQLStore[TTx]) error {
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// River returns the client of River, for example for its web interface or for the bank's own jobs.
func (e *Engine[TTx]) River() *river.Client[TTx] { return e.river }

// Start starts to run jobs. When ctx ends, no further jobs are started, and the contexts of running jobs are
// canceled, except that of a billable call. To let running jobs finish, call [Engine.Stop] before ctx ends.
func (e *Engine[TTx]) Start(ctx context.Context) error { return e.river.Start(ctx) }

// Stop waits until the running jobs have finished or ctx ends.
func (e *Engine[TTx]) Stop(ctx context.Context) error { return e.river.Stop(ctx) }

// ErrExists means that the kind has a record with this ID.
var ErrExists = errors.New("identomatriver: there is already such a record")

// Begin queues a verification, whose session is begun once. [Engine.Session] waits for the session. The ID is
// the bank's own for this verification. A customer who tries again needs another ID.
func (e *Engine[TTx]) Begin(ctx context.Context, tx TTx, id string) error {
	return e.queue(ctx, tx, Verification, id)
}

// Screen queues a screening, whose search is made once. The ID is the bank's own for this screening, so that a
// person can be screened again. The search fetches all hits with one request for every 100, and another that
// finds no more; see [identomat.ScreeningService.Search].
func (e *Engine[TTx]) Screen(ctx context.Context, tx TTx, id string) error {
	return e.queue(ctx, tx, Screening, id)
}

// Monitor queues a monitoring, which is started once.
func (e *Engine[TTx]) Monitor(ctx context.Context, tx TTx, id string) error {
	return e.queue(ctx, tx, Monitoring, id)
}

func (e *Engine[TTx]) queue(ctx context.Context, tx TTx, kind Kind, id string) error {
	now := e.config.now()
	return e.insert(ctx, tx, &Record{Kind: kind, ID: id, State: Queued, Queued: now, Entered: now, Due: now})
}

// insert inserts a record and its first job.
func (e *Engine[TTx]) insert(ctx context.Context, tx TTx, r *Record) error {
	if r.ID == "" {
		return errors.New("identomatriver: the ID is empty")
	}
	inserted, err := e.store.Insert(ctx, tx, r)
	if err == nil && !inserted {
		err = ErrExists
	}
	if err != nil {
		return err
	}
	return e.schedule(ctx, tx, r)
}

// Adopt adds a session that was begun elsewhere, and waits for its outcome.
func (e *Engine[TTx]) Adopt(ctx context.Context, tx TTx, id string, token identomat.Token) error {
	if token == "" {
		return errors.New("identomatriver: the token is empty")
	}
	now := e.config.now()
	return e.insert(ctx, tx, &Record{Kind: Verification, ID: id, State: Open, Token: token, Queued: now, Entered: now,
		Expires: now.Add(e.config.Lifetime), Due: now})
}

// Record returns a record, or [ErrUnknown].
func (e *Engine[TTx]) Record(ctx context.Context, tx TTx, kind Kind, id string) (*Record, error) {
	return e.store.Load(ctx, tx, kind, id)
}

// Unclear lists the records whose call may or may not have been processed, the oldest first.
func (e *Engine[TTx]) Unclear(ctx context.Context, tx TTx, limit int) ([]*Record, error) {
	return e.store.List(ctx, tx, Unclear, limit)
}

// Stats returns figures for a dashboard and for alerts.
func (e *Engine[TTx]) Stats(ctx context.Context, tx TTx) (*Stats, error) {
	return e.store.Stats(ctx, tx, e.config.now())
}

// Errors of [Engine.Session], [Engine.Erase] and [Engine.Settle].
var (
	// ErrUnclear: the call may or may not have been processed, or is being made.
	ErrUnclear = errors.New("identomatriver: the call is unclear")
	// ErrFailed: no session was begun.
	ErrFailed = errors.New("identomatriver: the call has failed")
	// ErrNotUnclear: the record is not unclear, perhaps because somebody has settled it.
	ErrNotUnclear = errors.New("identomatriver: the record is not unclear")
)

// Session waits until the session of a verification has begun, and returns it. It polls the database. Errors:
// [ErrUnknown], [ErrUnclear], [ErrFailed], and the context's when it ends first, which does not stop the
// session from beginning. The token is empty once the session is erased.
func (e *Engine[TTx]) Session(ctx context.Context, id string) (*identomat.Session, error) {
	pause := 25 * time.Millisecond
	for {
		var r *Record
		err := e.store.InTx(ctx, func(tx TTx) (err error) {
			r, err = e.store.Load(ctx, tx, Verification, id)
			return err
		})
		switch {
		case err != nil:
			return nil, err
		case r.State == Unclear:
			return nil, ErrUnclear
		case r.State == Failed:
			return nil, ErrFailed
		case r.State != Queued && r.State != Calling:
			return &identomat.Session{Token: r.Token, URL: e.client.WidgetURL() + "/?session_token=" + url.QueryEscape(string(r.Token))}, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
		pause = min(pause*3/2, time.Second)
	}
}

// Settlement is what a person decides about an unclear call. The zero value gives the call up: the record has
// failed.
type Settlement struct {
	// Token is the session that the person found elsewhere, such as in Identomat's dashboard, or the Token of
	// the record.
	Token identomat.Token
	// Again makes the call again, although it may have been processed and billed.
	Again bool
}

// Settle settles an unclear record. Errors: [ErrNotUnclear], [ErrUnknown].
func (e *Engine[TTx]) Settle(ctx context.Context, tx TTx, kind Kind, id string, s Settlement) error {
	if s.Token != "" && (s.Again || kind != Verification) {
		return errors.New("identomatriver: a token settles a verification, and only without Again")
	}
	r, err := e.store.Lock(ctx, tx, kind, id)
	if err != nil {
		return err
	}
	if r.State != Unclear {
		return ErrNotUnclear
	}
	now := e.config.now()
	r.Token, r.Due = s.Token, now
	switch {
	case s.Token != "":
		e.enter(r, Open)
		r.Expires = now.Add(e.config.Lifetime)
	case s.Again:
		e.enter(r, Queued)
		r.Queued = now // BeginWithin starts again
	default:
		e.enter(r, Failed)
		r.Due = time.Time{}
	}
	return e.save(ctx, tx, r)
}

// enter changes the state of a record.
func (e *Engine[TTx]) enter(r *Record, state State) { r.State, r.Entered = state, e.config.now() }

// save stores a record and schedules its next job.
func (e *Engine[TTx]) save(ctx context.Context, tx TTx, r *Record) error {
	if err := e.store.Save(ctx, tx, r); err != nil {
		return err
	}
	return e.schedule(ctx, tx, r)
}

// Wake has the engine read the outcome of a session now. Call it for a callback or when the customer returns; the
// transaction may contain the bank's own changes. It reports whether the token belongs to a verification. Wake
// is harmless: it changes no state, so callbacks may be doubled, late, reordered or forged.
func (e *Engine[TTx]) Wake(ctx context.Context, tx TTx, token identomat.Token) (known bool, err error) {
	id, err := e.store.Find(ctx, tx, token)
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := e.store.Lock(ctx, tx, Verification, id)
	if err != nil || !r.State.waits() {
		return err == nil, err
	}
	// A running job compares Wakes before it schedules the next poll.
	r.Wakes++
	r.Due = e.config.now()
	if err := e.store.Save(ctx, tx, r); err != nil {
		return false, err
	}
	inserted, err := e.river.InsertTx(ctx, tx, e.jobOf(r), &river.InsertOpts{Priority: priorityWoken})
	if err == nil && inserted.UniqueSkippedAsDuplicate &&
		(inserted.Job.State == rivertype.JobStateScheduled || inserted.Job.State == rivertype.JobStateRetryable) {
		_, err = e.river.JobRetryTx(ctx, tx, inserted.Job.ID)
	}
	return err == nil, err
}

// Decide records a person's decision about a verification that waits for its outcome, usually in a manual
// check. It collects the evidence and schedules the erasure, as after Identomat's decision, but does not call
// Config.Changed. It returns false if the verification no longer waits. The decision is not sent to Identomat.
func (e *Engine[TTx]) Decide(ctx context.Context, tx TTx, id string, approve bool) (decided bool, err error) {
	r, err := e.store.Lock(ctx, tx, Verification, id)
	if err != nil || !r.State.waits() || !r.Erased.IsZero() {
		return false, err
	}
	state := Rejected
	if approve {
		state = Approved
	}
	e.decide(r, state)
	return true, e.save(ctx, tx, r)
}

// decide enters the state of an outcome and plans what follows.
func (e *Engine[TTx]) decide(r *Record, outcome State) {
	e.enter(r, outcome)
	if r.EraseAt.IsZero() && e.config.Retention > 0 && outcome.decided() {
		r.EraseAt = r.Entered.Add(e.config.Retention)
	}
	r.Due = r.eraseDue()
	if e.config.Evidence != nil && outcome.decided() {
		r.Due = r.Entered
	}
}

// Erase schedules the erasure of a session at Identomat, and replaces an earlier schedule. A hold still stops
// the erasure. The session is erased only when its evidence is complete and verifies, unless anyway gives a
// reason, which becomes part of the receipt and must not contain personal data. A session that was neither
// approved nor rejected has no evidence, so it is erased only with a reason.
//
// Errors: [ErrUnclear] if a session with an unknown token may exist.
func (e *Engine[TTx]) Erase(ctx context.Context, tx TTx, id string, at time.Time, anyway string) error {
	r, err := e.store.Lock(ctx, tx, Verification, id)
	switch {
	case err != nil:
		return err
	case r.State == Calling || r.State == Unclear || r.State == Queued:
		return ErrUnclear
	case anyway == "" && r.Token != "" && (e.config.Evidence == nil || !r.State.decided()):
		return errors.New("identomatriver: there is no evidence, so the erasure requires a reason")
	case !r.Erased.IsZero():
		return nil
	}
	r.EraseAt, r.Anyway = at, anyway
	if !r.Held && (r.Due.IsZero() || r.Due.After(at) || !r.Sealed.IsZero() || r.erasing(e.config.now())) {
		r.Due = at
	}
	return e.save(ctx, tx, r)
}

// Hold sets or releases a legal hold. While it is set, the session is not erased, whatever was scheduled. A hold
// that is set while the package is being verified or the call is being made cannot stop the call, but keeps the
// bank's copy.
func (e *Engine[TTx]) Hold(ctx context.Context, tx TTx, id string, held bool) error {
	r, err := e.store.Lock(ctx, tx, Verification, id)
	if err != nil {
		return err
	}
	r.Held = held
	switch {
	case held && r.Due.Equal(r.EraseAt):
		r.Due = time.Time{}
	case !held && !r.EraseAt.IsZero() && (r.Due.IsZero() || r.Due.After(r.EraseAt)):
		r.Due = r.EraseAt
	}
	return e.save(ctx, tx, r)
}

func (e *Engine[TTx]) open(ctx context.Context, id string) (fs.FS, error) {
	if e.config.Evidence == nil {
		return os.DirFS(os.DevNull), nil // verifies nothing, which Erase allows only with a reason
	}
	if e.config.Evidence.Open != nil {
		return e.config.Evidence.Open(ctx, id)
	}
	return os.DirFS(e.config.Evidence.Dir(id)), nil
}
