package identomatriver

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/identomat-go/identomat"
)

// billable makes the billable call of a record at most once:
//
//  1. The first transaction commits the intent to make the call.
//  2. The call is made.
//  3. The second transaction stores the response, schedules the next job and completes this one.
//
// A job that finds an intent comes after a process that was killed between the two transactions. Nobody knows
// whether that process made the call, so the record becomes unclear.
//
// The function prepare gets the request from the bank before the intent is committed. The function that it
// returns makes the call, and returns a function that puts the response into the record.
func (e *Engine[TTx]) billable(ctx context.Context, row *rivertype.JobRow, kind Kind, id string, prepare func(context.Context) (call, error)) error {
	call, unprepared := prepare(ctx)
	e.step(id, "before the intent")
	// A shutdown must not make a call unclear. The timeout includes the commit of the intent, so that a process
	// that was stalled after it does not make the call when a person may already have settled it.
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.CallTimeout)
	defer cancel()
	intent := int64(0)
	err := e.locked(ctx, row, kind, id, func(tx TTx, r *Record) error {
		now := e.config.now()
		switch {
		case r.State == Calling:
			e.enter(r, Unclear)
			r.Due = time.Time{}
			return e.next(ctx, tx, row, r, &Change{Event: CallUnclear})
		case r.State != Queued:
			return e.complete(ctx, tx, row)
		case unprepared != nil && !e.isLate(r):
			return nil
		case unprepared != nil:
			return e.failed(ctx, tx, row, r)
		}
		e.enter(r, Calling)
		r.Intent++
		r.Called = now
		intent = r.Intent
		return e.store.Save(ctx, tx, r)
	})
	if err != nil || intent == 0 {
		return errors.Join(err, unprepared)
	}
	e.step(id, "after the intent")

	ctx = context.WithoutCancel(ctx)
	respond, callErr := call(callCtx)
	e.step(id, "after the call")

	refused, settledOtherwise := false, false
	err = e.persist(ctx, func(ctx context.Context, lastResort bool) error {
		return e.locked(ctx, row, kind, id, func(tx TTx, r *Record) error {
			if r.Intent != intent || r.State != Calling && r.State != Unclear {
				// A person has settled the call in the meantime, or the last attempt to commit succeeded, although it
				// returned an error.
				settledOtherwise = callErr == nil && (r.State == Failed || r.State == Queued || r.Intent != intent)
				return e.next(ctx, tx, row, r, nil)
			}
			now := e.config.now()
			r.Due = time.Time{}
			switch {
			case callErr == nil && !lastResort:
				change := respond(r)
				return e.next(ctx, tx, row, r, &change)
			case callErr == nil:
				// The bank's records cannot be changed, so keep at least the token.
				respond(r)
				r.Due = time.Time{}
				e.enter(r, Unclear)
				return e.next(ctx, tx, row, r, nil)
			case maybeProcessed(callErr):
				e.enter(r, Unclear)
				return e.next(ctx, tx, row, r, &Change{Event: CallUnclear})
			case e.isLate(r) || isPermanent(callErr):
				return e.failed(ctx, tx, row, r)
			}
			refused = true
			e.enter(r, Queued)
			r.Due = now
			return e.save(ctx, tx, r) // River retries this job; if it was rescued and has ended, save inserts another
		})
	})
	e.step(id, "after the response")
	switch {
	case err != nil:
		return err
	case refused:
		return callErr
	case settledOtherwise:
		e.log.ErrorContext(ctx, "identomatriver: billable call was processed after a person settled it otherwise", "kind", kind, "id", id)
	case callErr != nil:
		e.log.ErrorContext(ctx, "identomatriver: billable call failed", "kind", kind, "id", id,
			"maybe_processed", maybeProcessed(callErr), "error", callErr)
	}
	return nil
}

// A call makes a billable call. The function that it returns changes the record and says what happened.
type call func(context.Context) (func(*Record) Change, error)

// failed ends a call that certainly had no effect.
func (e *Engine[TTx]) failed(ctx context.Context, tx TTx, row *rivertype.JobRow, r *Record) error {
	e.enter(r, Failed)
	r.Due = time.Time{}
	return e.next(ctx, tx, row, r, &Change{Event: CallFailed})
}

// isLate reports whether a verification was queued so long ago that its customer does not wait any more.
func (e *Engine[TTx]) isLate(r *Record) bool {
	return r.Kind == Verification && !e.config.now().Before(r.Queued.Add(e.config.BeginWithin))
}

// isPermanent reports whether the same call would be refused again.
func isPermanent(err error) bool {
	_, invalid := errors.AsType[*identomat.ValidationError](err)
	return invalid || errors.Is(err, identomat.ErrWrongParameters) || errors.Is(err, identomat.ErrAlreadyExists)
}

// commitTimeout limits the attempts to commit a response, and then the last resort.
func (e *Engine[TTx]) commitTimeout() time.Duration { return e.config.CallTimeout / 3 }

// persist tries to commit what a billable call has returned, because the response exists only in memory. After
// five attempts or the timeout comes the last resort, with the same timeout.
func (e *Engine[TTx]) persist(ctx context.Context, commit func(ctx context.Context, lastResort bool) error) error {
	try := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, e.commitTimeout())
		defer cancel()
		for i := 1; ; i++ {
			err := commit(ctx, false)
			if err == nil || i == 5 || ctx.Err() != nil {
				return err
			}
			e.log.WarnContext(ctx, "identomatriver: cannot store a response yet", "error", err)
			time.Sleep(e.commitTimeout() / 20)
		}
	}
	err := try(ctx)
	if err == nil {
		return nil
	}
	e.log.ErrorContext(ctx, "identomatriver: cannot store a response together with the bank's records", "error", err)
	ctx, cancel := context.WithTimeout(ctx, e.commitTimeout())
	defer cancel()
	return commit(ctx, true)
}

func (e *Engine[TTx]) begin(ctx context.Context, row *rivertype.JobRow, id string) error {
	return e.billable(ctx, row, Verification, id, func(ctx context.Context) (call, error) {
		if e.config.BeginRequest == nil {
			return nil, errors.New("BeginRequest is nil")
		}
		request, err := e.config.BeginRequest(ctx, id)
		return func(ctx context.Context) (func(*Record) Change, error) {
			session, err := e.client.Sessions.Begin(ctx, request)
			return func(r *Record) Change {
				e.enter(r, Open)
				r.Token = session.Token
				r.Expires = r.Entered.Add(e.config.Lifetime)
				r.Due = r.Entered.Add(minPoll)
				return Change{Event: SessionBegun}
			}, err
		}, err
	})
}

func (e *Engine[TTx]) screen(ctx context.Context, row *rivertype.JobRow, id string) error {
	return e.billable(ctx, row, Screening, id, func(ctx context.Context) (call, error) {
		if e.config.ScreeningQuery == nil {
			return nil, errors.New("ScreeningQuery is nil")
		}
		query, err := e.config.ScreeningQuery(ctx, id)
		return func(ctx context.Context) (func(*Record) Change, error) {
			var hits []identomat.ScreeningHit
			for hit, err := range e.client.Screening.Search(ctx, query) {
				if err != nil && len(hits) > 0 {
					err = &laterPage{err} // the first pages may have been billed
				}
				if err != nil {
					return nil, err
				}
				hits = append(hits, hit)
			}
			return func(r *Record) Change {
				e.enter(r, Done)
				return Change{Event: Screened, Hits: hits}
			}, nil
		}, err
	})
}

func (e *Engine[TTx]) monitor(ctx context.Context, row *rivertype.JobRow, id string) error {
	return e.billable(ctx, row, Monitoring, id, func(ctx context.Context) (call, error) {
		if e.config.MonitorQuery == nil {
			return nil, errors.New("MonitorQuery is nil")
		}
		query, err := e.config.MonitorQuery(ctx, id)
		return func(ctx context.Context) (func(*Record) Change, error) {
			monitoring, err := e.client.Screening.Monitor(ctx, query)
			return func(r *Record) Change {
				e.enter(r, Done)
				return Change{Event: Monitored, MonitoringID: monitoring}
			}, err
		}, err
	})
}

// laterPage is the error of a later page of a search, whose first pages were processed.
type laterPage struct{ err error }

func maybeProcessed(err error) bool {
	_, later := errors.AsType[*laterPage](err)
	return later || identomat.MaybeProcessed(err)
}

func (l *laterPage) Error() string { return l.err.Error() }
func (l *laterPage) Unwrap() error { return l.err }
