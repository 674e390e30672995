package identomatriver

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

const (
	// minPoll is the shortest interval between two polls of a session that nobody called about. maxPoll is the
	// longest while the customer can use the session. maxReviewPoll is the longest in a manual check, which can
	// take days.
	minPoll, maxPoll             = 5 * time.Second, 5 * time.Minute
	minReviewPoll, maxReviewPoll = time.Minute, 6 * time.Hour
	// grace extends the lifetime of a session, in case it was finished at the last moment.
	grace = 5 * time.Minute
)

// pollAfter returns the time until the next poll: half as long as the record has been in its state.
func pollAfter(r *Record, now time.Time) time.Duration {
	half := now.Sub(r.Entered) / 2
	if r.State == ManualCheck {
		return jitter(min(max(half, minReviewPoll), maxReviewPoll))
	}
	return min(jitter(min(max(half, minPoll), maxPoll)), max(r.Expires.Add(grace).Sub(now), time.Second))
}

// result reads the outcome of a session.
func (e *Engine[TTx]) result(ctx context.Context, row *rivertype.JobRow, id string) error {
	e.step(id, "before the result")
	var r *Record
	err := e.locked(ctx, row, Verification, id, func(tx TTx, found *Record) error {
		if !found.State.waits() || found.erasing(e.config.now()) {
			return e.complete(ctx, tx, row)
		}
		r = found
		return nil
	})
	if err != nil || r == nil {
		return err
	}
	wakes := r.Wakes
	result, err := e.client.Sessions.Result(ctx, r.Token)
	gone := errors.Is(err, identomat.ErrSessionNotFound)
	if err != nil && !gone {
		return err
	}
	e.step(id, "after the result")
	err = e.locked(ctx, row, Verification, id, func(tx TTx, r *Record) error {
		if !r.State.waits() || r.Receipt != nil || !r.Erased.IsZero() { // a person has decided, or the session was erased
			return e.complete(ctx, tx, row)
		}
		now := e.config.now()
		change := &Change{Event: Decided, Result: result}
		switch {
		case gone && r.State == ManualCheck:
			change = nil // the session was erased at Identomat, but a person can still decide
			r.Due = time.Time{}
		case gone:
			e.decide(r, Expired)
		case result.Approved():
			e.decide(r, Approved)
		case result.Outcome == identomat.OutcomeRejected:
			e.decide(r, Rejected)
		case result.Outcome == identomat.OutcomeInProgress && r.State == Open && !now.Before(r.Expires.Add(grace)):
			e.decide(r, Expired)
		case result.Outcome != identomat.OutcomeInProgress && r.State == Open:
			// An operator at Identomat decides, or the SDK does not know the outcome. Neither is an approval.
			e.enter(r, ManualCheck)
			change.Event = InManualCheck
			r.Due = now.Add(pollAfter(r, now))
		default:
			change = nil
			r.Due = now.Add(pollAfter(r, now))
			if r.Wakes != wakes { // somebody called while the result was on its way
				r.Due = now
			}
		}
		return e.next(ctx, tx, row, r, change)
	})
	e.step(id, "after the outcome")
	return err
}

// collect collects and seals the evidence of a decided session, because Identomat may delete the session.
func (e *Engine[TTx]) collect(ctx context.Context, row *rivertype.JobRow, id string) error {
	e.step(id, "before the evidence")
	var r *Record
	erased := false
	err := e.locked(ctx, row, Verification, id, func(tx TTx, found *Record) error {
		if erased = !found.Erased.IsZero(); erased {
			return nil
		}
		if e.config.Evidence == nil || !found.State.decided() || !found.Sealed.IsZero() || found.Receipt != nil || found.Anyway != "" && found.erasing(e.config.now()) {
			return e.complete(ctx, tx, row)
		}
		r = found
		return nil
	})
	if erased && err == nil {
		// An earlier attempt may have written files after the erasure.
		if err := e.removeEvidence(ctx, id); err != nil {
			return err
		}
		return e.locked(ctx, row, Verification, id, func(tx TTx, _ *Record) error { return e.complete(ctx, tx, row) })
	}
	if err != nil || r == nil {
		return err
	}
	var files []evidence.Option
	if e.config.Evidence.Files != nil {
		if files, err = e.config.Evidence.Files(ctx, id); err != nil {
			return err
		}
	}
	dir := e.config.Evidence.Dir(id)
	_, err = evidence.Collect(ctx, e.client, r.Token, evidence.Dir(dir), files...)
	event := EvidenceSealed
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
		event = EvidenceMissing
		if _, err := os.Stat(filepath.Join(dir, "data", "result.json")); errors.Is(err, fs.ErrNotExist) {
			// Nothing was collected, now or earlier, so the folder would look like a damaged package.
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	case err != nil:
		return err
	}
	e.step(id, "after the collection")
	if e.config.Evidence.Seal != nil && event == EvidenceSealed {
		if err := e.config.Evidence.Seal(ctx, id, dir); err != nil {
			return err
		}
	}
	e.step(id, "after the seal")
	err = e.locked(ctx, row, Verification, id, func(tx TTx, r *Record) error {
		if !r.Erased.IsZero() {
			return errErasedMeanwhile // the next attempt removes the files
		}
		if event == EvidenceSealed {
			r.Sealed = e.config.now()
		}
		r.Due = r.eraseDue()
		return e.next(ctx, tx, row, r, &Change{Event: event})
	})
	e.step(id, "after the evidence")
	return err
}

var errErasedMeanwhile = errors.New("identomatriver: the session was erased while its evidence was collected")

// removeEvidence removes the bank's copy of the evidence.
func (e *Engine[TTx]) removeEvidence(ctx context.Context, id string) error {
	if e.config.Evidence == nil || e.config.Evidence.Remove == nil {
		return nil
	}
	return e.config.Evidence.Remove(ctx, id)
}

// erase erases a session at Identomat, and then the bank's copy of the evidence. Each of the two ends with a
// transaction, so that no retry after a crash repeats it.
func (e *Engine[TTx]) erase(ctx context.Context, row *rivertype.JobRow, id string) error {
	e.step(id, "before the erasure")
	r, err := e.dueForErasure(ctx, row, id)
	if err != nil || r == nil {
		return err
	}
	if r.Receipt == nil && r.Token != "" {
		if err := e.eraseSession(ctx, row, id, r); err != nil {
			return err
		}
		// A hold that was set in the meantime still protects the bank's copy.
		if r, err = e.dueForErasure(ctx, row, id); err != nil || r == nil {
			return err
		}
	}
	e.step(id, "after the receipt")
	if err := e.removeEvidence(ctx, id); err != nil {
		return err
	}
	e.step(id, "after the removal")
	err = e.locked(ctx, row, Verification, id, func(tx TTx, r *Record) error {
		if !r.Erased.IsZero() {
			return e.complete(ctx, tx, row)
		}
		if r.State.waits() {
			e.enter(r, Expired)
		}
		r.Erased, r.Token, r.Due = e.config.now(), "", time.Time{}
		change := &Change{Event: SessionErased}
		if r.Receipt != nil {
			change.Receipt = &evidence.Receipt{}
			if err := json.Unmarshal(r.Receipt, change.Receipt); err != nil {
				return err
			}
		}
		return e.next(ctx, tx, row, r, change)
	})
	e.step(id, "after the erasure")
	return err
}

// dueForErasure returns the record if its erasure is due, and otherwise completes or postpones the job. An erasure is
// final, so it must be due by the clocks of the process and of the database, which sets AttemptedAt.
func (e *Engine[TTx]) dueForErasure(ctx context.Context, row *rivertype.JobRow, id string) (r *Record, err error) {
	now := e.config.now()
	if row.AttemptedAt.Before(now) {
		now = *row.AttemptedAt
	}
	err = e.locked(ctx, row, Verification, id, func(tx TTx, found *Record) error {
		if found.erasing(now) {
			r = found
			return nil
		}
		if found.Erased.IsZero() && !found.EraseAt.IsZero() {
			if early := found.EraseAt.Sub(now); !found.Held && early <= sweepAfter {
				return river.JobSnooze(max(early, time.Second))
			}
			found.Due = found.eraseDue() // until Hold releases it, or a sweep finds it
			if err := e.store.Save(ctx, tx, found); err != nil {
				return err
			}
		}
		return e.complete(ctx, tx, row)
	})
	return r, err
}

// eraseSession erases a session at Identomat and stores the receipt.
func (e *Engine[TTx]) eraseSession(ctx context.Context, row *rivertype.JobRow, id string, r *Record) error {
	pack, err := e.open(ctx, id)
	if err != nil {
		return err
	}
	var opts []evidence.EraseOption
	if r.Anyway != "" {
		opts = append(opts, evidence.Anyway(r.Anyway))
	}
	receipt, err := evidence.Erase(ctx, e.client, r.Token, pack, opts...)
	if err != nil {
		return err
	}
	data, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	e.step(id, "after the deletion")
	return e.locked(ctx, row, Verification, id, func(tx TTx, r *Record) error {
		if r.Receipt == nil {
			r.Receipt = data
		}
		return e.store.Save(ctx, tx, r)
	})
}
