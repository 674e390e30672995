package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/riverqueue/river"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	identomatriver "github.com/identomat-go/identomat/river"
)

const (
	// beginTimeout limits a call of begin/, including retries.
	beginTimeout = 30 * time.Second
	// cleanupInterval is the interval between two cleanups.
	cleanupInterval = 30 * time.Second
)

// newEngine makes the store's engine, which begins sessions, reads their outcomes, collects their evidence and
// erases them. Its jobs are in the bank's database.
func newEngine(c config, s *store, client *identomat.Client, log *slog.Logger, settings river.Config) (err error) {
	s.lifetime = c.lifetime
	settings.Workers = river.NewWorkers()
	river.AddWorker(settings.Workers, &cleanup{store: s})
	settings.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}}
	settings.PeriodicJobs = []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(cleanupInterval),
		func() (river.JobArgs, *river.InsertOpts) { return cleanupArgs{}, nil }, &river.PeriodicJobOpts{RunOnStart: true})}
	s.engine, err = identomatriver.New(s.driver, identomatriver.Config[*sql.Tx]{
		Client: client, Store: s.records, Logger: log, River: &settings,
		BeginRequest: func(ctx context.Context, id string) (identomat.BeginRequest, error) {
			return s.beginRequest(ctx, c, id)
		},
		CallTimeout: beginTimeout,
		Lifetime:    c.lifetime,
		// The SDK's retries are enough: if Identomat refuses to begin a session, the customer is told at once.
		BeginWithin: time.Millisecond,
		Changed: func(ctx context.Context, tx *sql.Tx, change identomatriver.Change) error {
			return s.changed(ctx, tx, log, change)
		},
		Evidence: &identomatriver.Evidence{
			Dir: s.evidenceOf,
			Files: func(ctx context.Context, id string) ([]evidence.Option, error) {
				n, err := strconv.ParseInt(id, 10, 64)
				if err != nil {
					return nil, err
				}
				return s.ownEvidence(ctx, n)
			},
			Remove: s.removeEvidence,
		},
	})
	return err
}

// beginRequest returns the request for the session of a verification.
func (s *store) beginRequest(ctx context.Context, c config, id string) (identomat.BeginRequest, error) {
	var customer, way string
	if err := s.QueryRowContext(ctx, `SELECT customer, way FROM verifications WHERE id = CAST($1 AS BIGINT)`, id).Scan(&customer, &way); err != nil {
		return identomat.BeginRequest{}, err
	}
	request := identomat.BeginRequest{
		Flags:        identomat.NewFlags().Language(identomat.English),
		ConfigID:     c.configID,
		ClientUserID: customer, // identifies the customer even if the token is lost
	}
	if c.configID == "" {
		request.Steps = identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard),
			identomat.Liveness().Active(true),
		}
	}
	if way == "redirect" {
		request.Flags = request.Flags.ReturnURL(c.publicURL + returnPath)
	}
	return request, nil
}

// changed changes the bank's rows in the transaction in which the engine changes its record.
func (s *store) changed(ctx context.Context, tx *sql.Tx, log *slog.Logger, c identomatriver.Change) error {
	r := c.Record
	id, err := strconv.ParseInt(r.ID, 10, 64)
	if err != nil {
		return err
	}
	switch c.Event {
	case identomatriver.SessionBegun:
		_, err = execTx(ctx, tx, `UPDATE verifications SET state = 'in_progress', expires_at = $1
			WHERE id = $2 AND state IN ('beginning', 'unclear')`, r.Expires.UnixMilli(), id)
	case identomatriver.CallUnclear:
		// A session may exist. The customer cannot begin another one until it has certainly expired.
		_, err = execTx(ctx, tx, `UPDATE verifications SET state = 'unclear', expires_at = $1
			WHERE id = $2 AND state = 'beginning'`, s.expiry(r).UnixMilli(), id)
	case identomatriver.CallFailed:
		// Certainly no session was begun. The attempt does not count toward the customer's limit.
		if _, err = execTx(ctx, tx, `DELETE FROM begins WHERE verification = $1`, id); err == nil {
			_, err = execTx(ctx, tx, `DELETE FROM verifications WHERE id = $1 AND state = 'beginning'`, id)
		}
	case identomatriver.InManualCheck:
		_, err = execTx(ctx, tx, `UPDATE verifications SET state = 'manual_check' WHERE id = $1 AND state = 'in_progress' AND NOT erasing`, id)
	case identomatriver.Decided:
		outcome, reason := state(r.State), ""
		switch {
		case c.Result == nil:
			reason = "session_not_found"
		case outcome == rejected:
			reason = c.Result.RejectReason.Value
		}
		var settled bool
		if settled, err = s.settle(ctx, tx, id, outcome, reason, byIdentomat); settled {
			log.Info("verification settled", "verification", id, "outcome", outcome)
		}
	case identomatriver.EvidenceMissing:
		log.Error("the service no longer has the session, so the evidence stays incomplete", "verification", id)
	case identomatriver.SessionErased:
		if _, err = execTx(ctx, tx, `INSERT INTO audit (at, who, action, verification) SELECT CAST($1 AS BIGINT),
			CASE WHEN erasing THEN $2 ELSE erased_by END, 'erased the session at Identomat', id FROM verifications WHERE id = $3`,
			s.now().UnixMilli(), byCustomer, id); err == nil {
			err = s.queueCleanup(ctx, tx)
		}
	}
	return err
}

// expiry returns when the session of an unclear call, if there is one, has certainly expired.
func (s *store) expiry(r *identomatriver.Record) time.Time {
	return r.Called.Add(beginTimeout + s.lifetime)
}

// removeEvidence removes the evidence of a customer who requested the erasure. If a reviewer has erased the
// session, the bank keeps the evidence.
func (s *store) removeEvidence(ctx context.Context, id string) error {
	var kept bool
	if err := s.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications WHERE id = CAST($1 AS BIGINT) AND NOT erasing)`, id).Scan(&kept); err != nil || kept {
		return err
	}
	return os.RemoveAll(s.evidenceOf(id))
}

// cleanup deletes what is no longer needed: the rows of erased customers, expired rows, and traces of erased
// data. It is a job of the bank's own, next to the engine's.
type cleanup struct {
	river.WorkerDefaults[cleanupArgs]
	store *store
}

type cleanupArgs struct{}

func (cleanupArgs) Kind() string { return "cleanup" }

// queueCleanup makes a cleanup run after the transaction.
func (s *store) queueCleanup(ctx context.Context, tx *sql.Tx) error {
	s.dirty.Store(true)
	_, err := s.engine.River().InsertTx(ctx, tx, cleanupArgs{}, nil)
	return err
}

// Work implements [river.Worker].
func (c *cleanup) Work(ctx context.Context, _ *river.Job[cleanupArgs]) error {
	return c.store.cleanUp(ctx)
}

func (s *store) cleanUp(ctx context.Context) error {
	if err := errors.Join(s.deleteErased(ctx), s.deleteExpired(ctx)); err != nil || !s.dirty.Swap(false) {
		return err
	}
	done, err := s.forget(ctx)
	if !done {
		s.dirty.Store(true) // the next cleanup tries again
	}
	return err
}

// deleteErased deletes the evidence and the rows of customers who requested it and whose sessions are erased at
// the service. In the opposite order, a crash would leave a session at the service that the bank no longer
// knows. The engine's record remains, with the receipt.
func (s *store) deleteErased(ctx context.Context) error {
	var erasing []int64
	err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
		erasing, err = ids(ctx, tx, `SELECT id FROM verifications WHERE erasing`)
		return err
	})
	for _, id := range erasing {
		err = errors.Join(err, s.inTx(ctx, func(tx *sql.Tx) error {
			r, err := s.engine.Record(ctx, tx, identomatriver.Verification, recordID(id))
			if err != nil || r.Erased.IsZero() {
				return err
			}
			if err := os.RemoveAll(s.evidenceOf(r.ID)); err != nil {
				return err
			}
			n, err := execTx(ctx, tx, `DELETE FROM verifications WHERE id = $1 AND erasing`, id)
			if err != nil || n == 0 {
				return err
			}
			_, err = execTx(ctx, tx, insertAudit, s.now().UnixMilli(), byCustomer, "erased the records and the evidence", id)
			return err
		}))
	}
	return err
}

// deleteExpired deletes expired rows, and gives up unclear sessions that have certainly expired.
func (s *store) deleteExpired(ctx context.Context) error {
	now := s.now()
	return s.inTx(ctx, func(tx *sql.Tx) error {
		records, err := s.engine.Unclear(ctx, tx, 1000)
		if err != nil {
			return err
		}
		for _, r := range records {
			if time.Now().Before(s.expiry(r)) {
				continue
			}
			if err := s.giveUp(ctx, tx, r.ID); err != nil {
				return err
			}
		}
		if _, err := execTx(ctx, tx, `DELETE FROM begins WHERE at <= $1`, now.Add(-triesWindow).UnixMilli()); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, `DELETE FROM sign_ins WHERE expires_at <= $1`, now.UnixMilli())
		return err
	})
}
