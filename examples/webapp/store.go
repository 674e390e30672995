package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

// state is the state of a verification in the bank's records.
type state string

// These are the states that the Go code distinguishes. Two earlier states have no token, and appear
// only in SQL statements and templates: "beginning" while begin/ runs, and "unclear" if its
// response was lost and an unusable session may exist.
const (
	inProgress  state = "in_progress"
	manualCheck state = "manual_check"
	approved    state = "approved"
	rejected    state = "rejected"
	// expired means that the session was not finished in time, or no longer exists.
	expired state = "expired"
)

// verification is a row of the table verifications, with its outcome.
type verification struct {
	ID       int64
	Customer string
	Way      string
	State    state
	Session  identomat.Session
	// Returned reports whether the customer came back from the widget, which proves nothing.
	Returned bool
	Erasing  bool
	Reserved time.Time
	Expires  time.Time
	// Reason, DecidedBy and Decided describe the outcome, if there is one.
	Reason    string
	DecidedBy string
	Decided   time.Time
	// Collecting reports whether the worker has yet to collect the evidence of a decided verification.
	Collecting bool
	// Receipt is set once a reviewer has erased the session at Identomat.
	Receipt *evidence.Receipt
}

// HasOutcome reports whether Identomat or a reviewer has decided.
func (v verification) HasOutcome() bool { return v.State == approved || v.State == rejected }

// Open reports whether the customer can still continue the session.
func (v verification) Open(now time.Time) bool {
	return v.State == inProgress && !v.Erasing && now.Before(v.Expires)
}

const (
	// maxTries limits the sessions that a customer can begin within triesWindow, because each one
	// costs money.
	maxTries    = 3
	triesWindow = 24 * time.Hour
	// beginTimeout limits a call of begin/, including retries.
	beginTimeout = 30 * time.Second
	// signInLifetime is how long a sign-in lasts.
	signInLifetime = 8 * time.Hour
)

var (
	errTooManyTries = errors.New("too many verifications in a day")
	errErasing      = errors.New("the customer's data is being erased")
	errBeginning    = errors.New("a verification is being started")
)

// store keeps the bank's records in SQLite. Every change is one transaction, and every change of
// state names the allowed previous states in its WHERE clause.
type store struct {
	db *sql.DB
	// evidence is a folder with one package of evidence per verification.
	evidence string
	now      func() time.Time
	// walDirty reports whether the write-ahead log may still contain erased data, including data
	// that an earlier process erased before it was killed.
	walDirty atomic.Bool
}

//go:embed migrations/*.sql
var migrations embed.FS

func openStore(ctx context.Context, path string) (*store, error) {
	// The file contains tokens, so only its owner may read it. SQLite gives the write-ahead log the
	// same mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil { // a restored file may have another mode
		return nil, err
	}
	name := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		name = "/" + name // as in file:/C:/bank.db
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: name}).EscapedPath(), RawQuery: url.Values{
		"_txlock": {"immediate"}, // otherwise a transaction that reads before it writes can fail with SQLITE_BUSY
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer, and the queue of database/sql is fairer than busy_timeout
	s := &store{db: db, evidence: path + ".evidence", now: time.Now}
	s.walDirty.Store(true)
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate the database: %w", err), db.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.db.Close() }

// migrate runs the pending migrations in the order of their names. PRAGMA user_version counts those
// that have run.
func (s *store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var done int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&done); err != nil {
			return err
		}
		if done > len(files) {
			return errors.New("the database belongs to a newer version of this program")
		}
		for _, name := range files[done:] {
			script, err := migrations.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, string(script)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(files)))
		return err
	})
}

// inTx runs fn in a transaction.
func (s *store) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// exec runs a single statement and returns the number of affected rows.
func (s *store) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Sign-ins.

func hashed(cookie string) []byte {
	sum := sha256.Sum256([]byte(cookie))
	return sum[:]
}

func (s *store) signIn(ctx context.Context, cookie, user string) error {
	_, err := s.exec(ctx, `INSERT INTO sign_ins (id, user, expires_at) VALUES (?, ?, ?)`,
		hashed(cookie), user, s.now().Add(signInLifetime).UnixMilli())
	return err
}

// signedInAs returns the ID of the user who is signed in with the cookie, or "".
func (s *store) signedInAs(ctx context.Context, cookie string) (string, error) {
	var user string
	err := s.db.QueryRowContext(ctx, `SELECT user FROM sign_ins WHERE id = ? AND expires_at > ?`,
		hashed(cookie), s.now().UnixMilli()).Scan(&user)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return user, err
}

func (s *store) signOut(ctx context.Context, cookie string) error {
	_, err := s.exec(ctx, `DELETE FROM sign_ins WHERE id = ?`, hashed(cookie))
	return err
}

// Reading verifications.

const selectVerification = `SELECT v.id, v.customer, v.way, v.state, coalesce(v.token, ''), v.url, v.returned, v.erasing,
	v.reserved_at, v.expires_at, coalesce(o.reason, ''), coalesce(o.decided_by, ''), coalesce(o.decided_at, 0),
	EXISTS (SELECT 1 FROM jobs j WHERE j.verification = v.id), r.receipt
	FROM verifications v LEFT JOIN outcomes o ON o.verification = v.id LEFT JOIN receipts r ON r.verification = v.id `

func scan(row interface{ Scan(...any) error }) (v verification, found bool, err error) {
	var reserved, expires, decided int64
	var hasJob bool
	var receipt []byte
	err = row.Scan(&v.ID, &v.Customer, &v.Way, &v.State, &v.Session.Token, &v.Session.URL, &v.Returned, &v.Erasing,
		&reserved, &expires, &v.Reason, &v.DecidedBy, &decided, &hasJob, &receipt)
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	if err == nil && receipt != nil {
		err = json.Unmarshal(receipt, &v.Receipt)
	}
	v.Collecting = hasJob && v.HasOutcome() && !v.Erasing
	v.Reserved, v.Expires = time.UnixMilli(reserved), time.UnixMilli(expires)
	if decided != 0 {
		v.Decided = time.UnixMilli(decided)
	}
	return v, err == nil, err
}

// latest returns the customer's newest verification.
func (s *store) latest(ctx context.Context, customer string) (verification, bool, error) {
	return scan(s.db.QueryRowContext(ctx, selectVerification+`WHERE v.customer = ? ORDER BY v.id DESC LIMIT 1`, customer))
}

func (s *store) verification(ctx context.Context, id int64) (verification, bool, error) {
	return scan(s.db.QueryRowContext(ctx, selectVerification+`WHERE v.id = ?`, id))
}

// list returns verifications of all customers. Those that need a decision come first, oldest first,
// so that the limit never cuts off the ones that have waited longest. The others follow, newest
// first.
func (s *store) list(ctx context.Context, limit int) (vs []verification, err error) {
	rows, err := s.db.QueryContext(ctx, selectVerification+`ORDER BY
		CASE WHEN v.state = 'manual_check' AND NOT v.erasing THEN v.id END NULLS LAST, v.id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		v, _, err := scan(rows)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// triesLeft returns how many more sessions the customer may begin now.
func (s *store) triesLeft(ctx context.Context, customer string) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM begins WHERE customer = ? AND at > ?`,
		customer, s.now().Add(-triesWindow).UnixMilli()).Scan(&n)
	return max(0, maxTries-n), err
}

// Beginning a session.

// reserve inserts the row of a verification before its session is begun. If reserved is true, the
// caller must begin the session. Otherwise the customer already has an open verification.
func (s *store) reserve(ctx context.Context, customer, way string, lifetime time.Duration) (id int64, reserved bool, err error) {
	now := s.now()
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		var erasing bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications WHERE customer = ? AND erasing)`,
			customer).Scan(&erasing); err != nil {
			return err
		}
		if erasing {
			return errErasing
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO verifications (customer, way, state, reserved_at, expires_at)
			VALUES (?, ?, 'beginning', ?, ?) ON CONFLICT DO NOTHING`, customer, way, now.UnixMilli(), now.Add(lifetime).UnixMilli())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		reserved = true
		if id, err = result.LastInsertId(); err != nil {
			return err
		}
		var tries int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM begins WHERE customer = ? AND at > ?`,
			customer, now.Add(-triesWindow).UnixMilli()).Scan(&tries); err != nil {
			return err
		}
		if tries >= maxTries {
			return errTooManyTries
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO begins (customer, at) VALUES (?, ?)`, customer, now.UnixMilli())
		return err
	})
	return id, reserved, err
}

// sessionBegun stores the session in the verification, which binds it to the customer.
func (s *store) sessionBegun(ctx context.Context, id int64, session *identomat.Session, expires, firstCheck time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE verifications SET state = 'in_progress', token = ?, url = ?, expires_at = ?
			WHERE id = ? AND state IN ('beginning', 'unclear')`, string(session.Token), session.URL, expires.UnixMilli(), id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, errors.New("the verification was removed before its session was begun"))
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO jobs (verification, due_at) VALUES (?, ?)`, id, firstCheck.UnixMilli())
		return err
	})
}

// beginRefused removes a reservation after a begin/ that certainly created no session. The attempt
// does not count toward the customer's limit.
func (s *store) beginRefused(ctx context.Context, id int64) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM begins WHERE rowid = (SELECT b.rowid FROM begins b
			JOIN verifications v ON v.customer = b.customer AND v.reserved_at = b.at
			WHERE v.id = ? AND v.state = 'beginning' LIMIT 1)`, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM verifications WHERE id = ? AND state = 'beginning'`, id)
		return err
	})
}

// beginUnclear keeps a reservation whose session may exist. The customer cannot begin another
// session until that session has certainly expired.
func (s *store) beginUnclear(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, `UPDATE verifications SET state = 'unclear' WHERE id = ? AND state = 'beginning'`, id)
	return err
}

// sweep removes or updates expired rows, and truncates the write-ahead log if necessary. A
// reservation older than twice the timeout of begin/ was left behind by a process that died.
func (s *store) sweep(ctx context.Context) error {
	now := s.now()
	if err := s.inTx(ctx, func(tx *sql.Tx) error {
		for _, c := range []struct {
			statement string
			before    time.Time
		}{
			{`UPDATE verifications SET state = 'unclear' WHERE state = 'beginning' AND reserved_at <= ?`, now.Add(-2 * beginTimeout)},
			// The token was never known, so nobody can have used the session.
			{`DELETE FROM verifications WHERE state = 'unclear' AND expires_at <= ?`, now},
			{`DELETE FROM begins WHERE at <= ?`, now.Add(-triesWindow)},
			{`DELETE FROM sign_ins WHERE expires_at <= ?`, now},
		} {
			if _, err := tx.ExecContext(ctx, c.statement, c.before.UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil || !s.walDirty.Load() {
		return err
	}
	return s.truncateWAL(ctx)
}

// Returns and callbacks.

// markReturned records that the customer came back from the widget. It returns false if the token
// does not belong to this customer. Only the first return makes the job due, so that a customer who
// returns again and again does not cause a call to the service each time.
func (s *store) markReturned(ctx context.Context, customer string, token identomat.Token) (bound bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, wakeJob+`(SELECT id FROM verifications WHERE token = ? AND customer = ? AND NOT returned)`,
			s.now().UnixMilli(), string(token), customer); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `UPDATE verifications SET returned = 1 WHERE token = ? AND customer = ?`, string(token), customer)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		bound = n > 0
		return err
	})
	return bound && err == nil, err
}

const wakeJob = `UPDATE jobs SET due_at = min(due_at, ?), tries = 0, wakes = wakes + 1 WHERE verification = `

// wake makes the job of a session due. There is no job, and wake does nothing, if the session is
// unknown or has ended.
func (s *store) wake(ctx context.Context, token identomat.Token) error {
	_, err := s.exec(ctx, wakeJob+`(SELECT id FROM verifications WHERE token = ?)`, s.now().UnixMilli(), string(token))
	return err
}

// hasSession reports whether a verification has this token.
func (s *store) hasSession(ctx context.Context, token identomat.Token) (known bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications WHERE token = ?)`, string(token)).Scan(&known)
	return known, err
}

// Jobs.

// job is a session to work on: the worker fetches its outcome, collects its evidence or erases it.
type job struct {
	verification int64
	token        identomat.Token
	state        state
	erasing      bool
	expires      time.Time
	tries, wakes int
}

// due returns the jobs that are due, the most overdue first.
func (s *store) due(ctx context.Context, limit int) (jobs []job, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT v.id, v.state, v.token, v.erasing, v.expires_at, j.tries, j.wakes
		FROM jobs j JOIN verifications v ON v.id = j.verification
		WHERE j.due_at <= ? ORDER BY j.due_at, v.id LIMIT ?`, s.now().UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var j job
		var expires int64
		if err := rows.Scan(&j.verification, &j.state, &j.token, &j.erasing, &expires, &j.tries, &j.wakes); err != nil {
			return nil, err
		}
		j.expires = time.UnixMilli(expires)
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// nextDue returns the time at which the next job is due, and false if there are no jobs.
func (s *store) nextDue(ctx context.Context) (time.Time, bool, error) {
	var at sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT min(due_at) FROM jobs`).Scan(&at)
	return time.UnixMilli(at.Int64), at.Valid, err
}

// postpone schedules a job for the given time. If the job was woken while it ran, it is due again
// now, but after the other due jobs: if it kept its old time, repeated callbacks about one session
// could starve all other jobs.
func (s *store) postpone(ctx context.Context, j job, until time.Time) error {
	_, err := s.exec(ctx, `UPDATE jobs SET due_at = CASE wakes WHEN ? THEN ? ELSE max(due_at, ?) END, tries = tries + 1
		WHERE verification = ?`, j.wakes, until.UnixMilli(), s.now().UnixMilli(), j.verification)
	return err
}

// deleteJob deletes a job that has nothing left to do, unless it was woken while it ran.
func (s *store) deleteJob(ctx context.Context, j job) error {
	_, err := s.exec(ctx, `DELETE FROM jobs WHERE verification = ? AND wakes = ?`, j.verification, j.wakes)
	return err
}

// leaveToReviewers records that a person has to decide.
func (s *store) leaveToReviewers(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, `UPDATE verifications SET state = 'manual_check' WHERE id = ? AND state = 'in_progress' AND NOT erasing`, id)
	return err
}

// byIdentomat is the value of decided_by for outcomes that no reviewer decided.
const byIdentomat = "Identomat"

// settle writes the outcome of a verification, opens the account if it is approved, records a
// reviewer's decision in the audit log, and leaves a job to collect the evidence. The result settled
// reports whether this call wrote the outcome. A verification that already has an outcome keeps it, so
// nobody is approved twice or after a rejection.
func (s *store) settle(ctx context.Context, id int64, outcome state, reason, by string) (settled bool, err error) {
	now := s.now().UnixMilli()
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		// The widget's URL is no longer needed.
		result, err := tx.ExecContext(ctx, `UPDATE verifications SET state = ?, url = ''
			WHERE id = ? AND state IN ('in_progress', 'manual_check') AND NOT erasing`, outcome, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		settled = true
		if _, err := tx.ExecContext(ctx, `INSERT INTO outcomes (verification, outcome, reason, decided_by, decided_at)
			VALUES (?, ?, ?, ?, ?)`, id, outcome, reason, by, now); err != nil {
			return err
		}
		if outcome == approved {
			if _, err := tx.ExecContext(ctx, `INSERT INTO accounts (customer, verification, opened_at)
				SELECT customer, id, ? FROM verifications WHERE id = ?`, now, id); err != nil {
				return err
			}
		}
		if by != byIdentomat {
			if _, err := tx.ExecContext(ctx, insertAudit, now, by, "decided: "+string(outcome), id); err != nil {
				return err
			}
		}
		if outcome == expired {
			_, err = tx.ExecContext(ctx, `DELETE FROM jobs WHERE verification = ?`, id)
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO jobs (verification, due_at) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET due_at = excluded.due_at, tries = 0, wakes = wakes + 1`, id, now)
		return err
	})
	return settled && err == nil, err
}

// Erasure.

// requestErasure marks all verifications of a customer for the worker, which erases the sessions at
// the service before it deletes the rows. It fails if a session with an unknown token may exist.
func (s *store) requestErasure(ctx context.Context, customer string) error {
	now := s.now().UnixMilli()
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var beginning bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications
			WHERE customer = ? AND state IN ('beginning', 'unclear'))`, customer).Scan(&beginning); err != nil {
			return err
		}
		if beginning {
			return errBeginning
		}
		// Further requests do not change the job of an erasure that is in progress, because the
		// service may have sent a Retry-After.
		if _, err := tx.ExecContext(ctx, `INSERT INTO jobs (verification, due_at)
			SELECT id, ? FROM verifications WHERE customer = ? AND NOT erasing
			ON CONFLICT (verification) DO UPDATE SET due_at = excluded.due_at, tries = 0, wakes = wakes + 1`, now, customer); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE verifications SET erasing = 1, url = '' WHERE customer = ?`, customer)
		return err
	})
}

// saveReceipt stores the receipt for a session that was erased at the service, and records in the audit
// log who erased it. It keeps an earlier receipt, because a later one can only say that the session was
// gone.
func (s *store) saveReceipt(ctx context.Context, id int64, who string, receipt *evidence.Receipt) error {
	data, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO receipts (verification, receipt) VALUES (?, ?) ON CONFLICT DO NOTHING`, id, string(data))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, insertAudit, s.now().UnixMilli(), who, "erased the session at Identomat", id)
		return err
	})
}

// byCustomer is the audit log's name for all customers, because the log holds no customer data.
const byCustomer = "customer"

// deleteErased deletes a verification and everything that belongs to it except the receipt.
func (s *store) deleteErased(ctx context.Context, id int64) error {
	s.walDirty.Store(true)
	if err := os.RemoveAll(s.evidenceOf(id)); err != nil {
		return err
	}
	if err := s.inTx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM verifications WHERE id = ? AND erasing`, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, insertAudit, s.now().UnixMilli(), byCustomer, "erased the records and the evidence", id)
		return err
	}); err != nil {
		return err
	}
	return s.truncateWAL(ctx)
}

// truncateWAL truncates the write-ahead log. If another process is reading, SQLite cannot truncate
// the log; this is not an error, because the next sweep tries again.
func (s *store) truncateWAL(ctx context.Context) error {
	var busy bool
	var frames, moved int
	err := s.db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	s.walDirty.Store(err != nil || busy)
	return err
}

// Checks.

// check is the response of a billed call that a reviewer requested.
type check struct {
	At     time.Time
	Who    string
	answer []byte // JSON
}

// saveCheck stores a check and replaces an earlier one of the same kind. It does nothing if the
// verification is being erased.
func (s *store) saveCheck(ctx context.Context, verification int64, kind, who string, answer []byte) error {
	_, err := s.exec(ctx, `INSERT INTO checks (verification, kind, at, who, answer)
		SELECT id, ?, ?, ?, ? FROM verifications WHERE id = ? AND NOT erasing
		ON CONFLICT DO UPDATE SET at = excluded.at, who = excluded.who, answer = excluded.answer`,
		kind, s.now().UnixMilli(), who, string(answer), verification)
	return err
}

// checks returns a verification's checks, keyed by kind.
func (s *store) checks(ctx context.Context, verification int64) (checks map[string]check, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT kind, at, who, answer FROM checks WHERE verification = ?`, verification)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	checks = map[string]check{}
	for rows.Next() {
		var kind string
		var at int64
		var c check
		if err := rows.Scan(&kind, &at, &c.Who, &c.answer); err != nil {
			return nil, err
		}
		c.At = time.UnixMilli(at)
		checks[kind] = c
	}
	return checks, nil
}

// Evidence.

// evidenceOf returns the folder for the evidence of a verification.
func (s *store) evidenceOf(id int64) string {
	return filepath.Join(s.evidence, strconv.FormatInt(id, 10))
}

// ownEvidence returns what the bank adds to the evidence: the decision and the checks. A reviewer can
// replace a check while the evidence is being collected, so the name of a check includes its hash.
func (s *store) ownEvidence(ctx context.Context, id int64) ([]evidence.Option, error) {
	v, found, err := s.verification(ctx, id)
	if err != nil || !found {
		return nil, cmp.Or(err, errors.New("the verification was erased"))
	}
	decision, err := json.Marshal(map[string]any{
		"verification": v.ID, "outcome": v.State, "reason": v.Reason, "decidedBy": v.DecidedBy, "decidedAt": v.Decided.UTC(),
	})
	if err != nil {
		return nil, err
	}
	added := []evidence.Option{evidence.With("decision.json", decision)}
	checks, err := s.checks(ctx, id)
	if err != nil {
		return nil, err
	}
	for kind, c := range checks {
		data, err := json.Marshal(map[string]any{"kind": kind, "at": c.At.UTC(), "who": c.Who, "answer": json.RawMessage(c.answer)})
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(kind, " ") // without the ID of a hit
		added = append(added, evidence.With(fmt.Sprintf("checks/%s-%x.json", name, sha256.Sum256(data)), data))
	}
	return added, nil
}

// Audit log.

const insertAudit = `INSERT INTO audit (at, who, action, verification) VALUES (?, ?, ?, ?)`

// audit records who looked at what.
func (s *store) audit(ctx context.Context, who, action string, verification int64) error {
	_, err := s.exec(ctx, insertAudit, s.now().UnixMilli(), who, action, verification)
	return err
}

type auditEntry struct {
	At          time.Time
	Who, Action string
}

// auditEntries returns the newest entries about a verification.
func (s *store) auditEntries(ctx context.Context, verification int64, limit int) (entries []auditEntry, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT at, who, action FROM audit WHERE verification = ? ORDER BY id DESC LIMIT ?`,
		verification, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var e auditEntry
		var at int64
		if err := rows.Scan(&at, &e.Who, &e.Action); err != nil {
			return nil, err
		}
		e.At = time.UnixMilli(at)
		entries = append(entries, e)
	}
	return entries, nil
}
