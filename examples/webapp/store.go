package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite"

	"github.com/identomat-go/identomat"
)

// state is where a verification stands in the bank's books.
type state string

// The states that Go code tells apart. Before them stand two without a token, which only the
// statements of the store and the pages name: beginning, while the reply of begin/ is waited
// for, and unclear, when it was lost and a session may exist that nobody can open.
const (
	inProgress  state = "in_progress"
	manualCheck state = "manual_check"
	approved    state = "approved"
	rejected    state = "rejected"
	// expired: nobody finished the session in its time, or it is gone.
	expired state = "expired"
)

// verification is a row of the table.
type verification struct {
	ID       int64
	Customer string
	Way      string
	State    state
	Session  identomat.Session
	// Returned: the customer says that all steps are done. It proves nothing.
	Returned bool
	Erasing  bool
	Reserved time.Time
	Expires  time.Time
	// The outcome, if there is one.
	Reason    string
	DecidedBy string
	Decided   time.Time
}

// Open reports whether the customer can still go on with the session.
func (v verification) Open(now time.Time) bool {
	return v.State == inProgress && !v.Erasing && now.Before(v.Expires)
}

const (
	// maxTries bounds what a customer can cost in triesWithin.
	maxTries    = 3
	triesWithin = 24 * time.Hour
	// beginPatience is how long the reply of begin/ is waited for.
	beginPatience = 30 * time.Second
	// signedIn is how long a sign-in lasts.
	signedIn = 8 * time.Hour
)

var (
	errTooManyTries = errors.New("too many verifications in a day")
	errErasing      = errors.New("the customer's data is being erased")
	errUnsettled    = errors.New("a verification is being begun")
)

// store keeps the bank's books in SQLite. Every change is one transaction, and a change of
// state names in its WHERE the states that it starts from.
type store struct {
	db  *sql.DB
	now func() time.Time
	// lingers: the write-ahead log may still have what was erased, also what a process before has
	// erased that was killed.
	lingers atomic.Bool
}

//go:embed migrations/*.sql
var migrations embed.FS

func openStore(ctx context.Context, path string) (*store, error) {
	// The file holds tokens: it is its owner's alone, and SQLite gives its companions the
	// same mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil { // of a restored file, too
		return nil, err
	}
	name := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		name = "/" + name // file:/C:/bank.db
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: name}).EscapedPath(), RawQuery: url.Values{
		"_txlock": {"immediate"}, // a transaction that reads first and writes then would fail beside another
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer; a queue here is fairer than its busy_timeout
	s := &store{db: db, now: time.Now}
	s.lingers.Store(true)
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate the database: %w", err), db.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.db.Close() }

// migrate runs what has not been run, in the order of the names. user_version counts them.
func (s *store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
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

// change runs one transaction.
func (s *store) change(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// exec is a change of one statement. It returns how many rows it met.
func (s *store) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Signing in.

func hashed(cookie string) []byte {
	sum := sha256.Sum256([]byte(cookie))
	return sum[:]
}

func (s *store) signIn(ctx context.Context, cookie, user string) error {
	_, err := s.exec(ctx, `INSERT INTO sign_ins (id, user, expires_at) VALUES (?, ?, ?)`,
		hashed(cookie), user, s.now().Add(signedIn).UnixMilli())
	return err
}

// signedInAs returns the user of a cookie, or "".
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
	v.reserved_at, v.expires_at, coalesce(o.reason, ''), coalesce(o.decided_by, ''), coalesce(o.decided_at, 0)
	FROM verifications v LEFT JOIN outcomes o ON o.verification = v.id `

func scan(row interface{ Scan(...any) error }) (v verification, found bool, err error) {
	var reserved, expires, decided int64
	err = row.Scan(&v.ID, &v.Customer, &v.Way, &v.State, &v.Session.Token, &v.Session.URL, &v.Returned, &v.Erasing,
		&reserved, &expires, &v.Reason, &v.DecidedBy, &decided)
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	v.Reserved, v.Expires = time.UnixMilli(reserved), time.UnixMilli(expires)
	if decided != 0 {
		v.Decided = time.UnixMilli(decided)
	}
	return v, err == nil, err
}

// latest is the customer's newest verification.
func (s *store) latest(ctx context.Context, customer string) (verification, bool, error) {
	return scan(s.db.QueryRowContext(ctx, selectVerification+`WHERE v.customer = ? ORDER BY v.id DESC LIMIT 1`, customer))
}

func (s *store) verification(ctx context.Context, id int64) (verification, bool, error) {
	return scan(s.db.QueryRowContext(ctx, selectVerification+`WHERE v.id = ?`, id))
}

// listed are verifications of all customers: first what waits for a reviewer, the longest wait
// first, so that the limit cuts none of them off before they are decided, then the newest.
func (s *store) listed(ctx context.Context, limit int) (list []verification, err error) {
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
		list = append(list, v)
	}
	return list, nil
}

// triesLeft is how many sessions the customer may still begin now.
func (s *store) triesLeft(ctx context.Context, customer string) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM begins WHERE customer = ? AND at > ?`,
		customer, s.now().Add(-triesWithin).UnixMilli()).Scan(&n)
	return max(0, maxTries-n), err
}

// Beginning.

// reserve makes the row of a verification before its session is begun, and reports whether it
// is this call that has to begin it. Otherwise the customer has one that is not over.
func (s *store) reserve(ctx context.Context, customer, way string, lifetime time.Duration) (id int64, mine bool, err error) {
	now := s.now()
	err = s.change(ctx, func(tx *sql.Tx) error {
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
		mine = true
		if id, err = result.LastInsertId(); err != nil {
			return err
		}
		var tries int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM begins WHERE customer = ? AND at > ?`,
			customer, now.Add(-triesWithin).UnixMilli()).Scan(&tries); err != nil {
			return err
		}
		if tries >= maxTries {
			return errTooManyTries
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO begins (customer, at) VALUES (?, ?)`, customer, now.UnixMilli())
		return err
	})
	return id, mine, err
}

// begun binds the session to the verification, and so to its customer.
func (s *store) begun(ctx context.Context, id int64, session *identomat.Session, expires, firstCheck time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE verifications SET state = 'in_progress', token = ?, url = ?, expires_at = ?
			WHERE id = ? AND state IN ('beginning', 'unclear')`, string(session.Token), session.URL, expires.UnixMilli(), id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, errors.New("the verification was given up before its session was begun"))
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO jobs (verification, due_at) VALUES (?, ?)`, id, firstCheck.UnixMilli())
		return err
	})
}

// notBegun forgets a reservation when it is certain that no session was begun.
func (s *store) notBegun(ctx context.Context, id int64) error {
	return s.change(ctx, func(tx *sql.Tx) error {
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

// beganUnclearly keeps a reservation whose session may exist. Until its lifetime is over the
// customer begins no other one.
func (s *store) beganUnclearly(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, `UPDATE verifications SET state = 'unclear' WHERE id = ? AND state = 'beginning'`, id)
	return err
}

// sweep ends what time has ended. A reservation that outlived the wait for its reply was left
// behind by a process that died.
func (s *store) sweep(ctx context.Context) error {
	now := s.now()
	if err := s.change(ctx, func(tx *sql.Tx) error {
		for _, c := range []struct {
			statement string
			before    time.Time
		}{
			{`UPDATE verifications SET state = 'unclear' WHERE state = 'beginning' AND reserved_at <= ?`, now.Add(-2 * beginPatience)},
			// Nobody can have opened the session, for its token was never known: nothing of it is kept.
			{`DELETE FROM verifications WHERE state = 'unclear' AND expires_at <= ?`, now},
			{`DELETE FROM begins WHERE at <= ?`, now.Add(-triesWithin)},
			{`DELETE FROM sign_ins WHERE expires_at <= ?`, now},
		} {
			if _, err := tx.ExecContext(ctx, c.statement, c.before.UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil || !s.lingers.Load() {
		return err
	}
	return s.emptyLog(ctx)
}

// Coming back.

// returned notes that the customer says to be done. It is false for a token that is not bound to
// this very customer, whoever else's it is. The first time wakes the worker; were it every time,
// customers who come back over and over would have the service asked over and over.
func (s *store) returned(ctx context.Context, customer string, token identomat.Token) (bound bool, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
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

// wake makes the job of a session due, and does nothing for a session without one: an unknown
// one, or one that has ended.
func (s *store) wake(ctx context.Context, token identomat.Token) error {
	_, err := s.exec(ctx, wakeJob+`(SELECT id FROM verifications WHERE token = ?)`, s.now().UnixMilli(), string(token))
	return err
}

func (s *store) knows(ctx context.Context, token identomat.Token) (known bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications WHERE token = ?)`, string(token)).Scan(&known)
	return known, err
}

// Jobs.

// job is a session to ask for, or to erase.
type job struct {
	verification int64
	token        identomat.Token
	state        state
	erasing      bool
	expires      time.Time
	tries, wakes int
}

// due returns jobs whose time has come, the oldest first.
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

// nextDue is when the next job is due; false without any.
func (s *store) nextDue(ctx context.Context) (time.Time, bool, error) {
	var at sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT min(due_at) FROM jobs`).Scan(&at)
	return time.UnixMilli(at.Int64), at.Valid, err
}

// later puts a job off, unless it was woken while it ran: then it is due again, behind those
// that wait. With its old time it would stay the first, and callbacks about it that come over and
// over would keep the worker from everybody else.
func (s *store) later(ctx context.Context, j job, until time.Time) error {
	_, err := s.exec(ctx, `UPDATE jobs SET due_at = CASE wakes WHEN ? THEN ? ELSE max(due_at, ?) END, tries = tries + 1
		WHERE verification = ?`, j.wakes, until.UnixMilli(), s.now().UnixMilli(), j.verification)
	return err
}

// drop ends a job that has nothing left to learn.
func (s *store) drop(ctx context.Context, j job) error {
	_, err := s.exec(ctx, `DELETE FROM jobs WHERE verification = ? AND wakes = ?`, j.verification, j.wakes)
	return err
}

// leaveToPeople notes that a person decides.
func (s *store) leaveToPeople(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, `UPDATE verifications SET state = 'manual_check' WHERE id = ? AND state = 'in_progress' AND NOT erasing`, id)
	return err
}

// byIdentomat is who decides where no reviewer does.
const byIdentomat = "Identomat"

// settle ends a verification, opens the account of an approved one, and notes what a reviewer
// decided. It reports whether it was this call that ended it: one that has ended stays as it is, so
// nobody is approved twice, or after a rejection.
func (s *store) settle(ctx context.Context, id int64, outcome state, reason, by string) (settled bool, err error) {
	now := s.now().UnixMilli()
	err = s.change(ctx, func(tx *sql.Tx) error {
		// The URL has done its service.
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
			if _, err := tx.ExecContext(ctx, insertNote, now, by, "decided: "+string(outcome), id); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM jobs WHERE verification = ?`, id)
		return err
	})
	return settled && err == nil, err
}

// Erasing.

// eraseAll marks everything of a customer for the worker, which erases it at the service
// first. It refuses while it is unknown whether a session exists.
func (s *store) eraseAll(ctx context.Context, customer string) error {
	now := s.now().UnixMilli()
	return s.change(ctx, func(tx *sql.Tx) error {
		var unsettled bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications
			WHERE customer = ? AND state IN ('beginning', 'unclear'))`, customer).Scan(&unsettled); err != nil {
			return err
		}
		if unsettled {
			return errUnsettled
		}
		// What is being erased keeps its job as it is, however often it is asked for: the service may
		// have asked for patience.
		if _, err := tx.ExecContext(ctx, `INSERT INTO jobs (verification, due_at)
			SELECT id, ? FROM verifications WHERE customer = ? AND NOT erasing
			ON CONFLICT (verification) DO UPDATE SET due_at = excluded.due_at, tries = 0, wakes = wakes + 1`, now, customer); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE verifications SET erasing = 1, url = '' WHERE customer = ?`, customer)
		return err
	})
}

// erased removes a verification with all that hangs on it.
func (s *store) erased(ctx context.Context, id int64) error {
	s.lingers.Store(true)
	if _, err := s.exec(ctx, `DELETE FROM verifications WHERE id = ? AND erasing`, id); err != nil {
		return err
	}
	return s.emptyLog(ctx)
}

// emptyLog empties the write-ahead log. It cannot while another process reads, which is no error:
// a sweep tries again.
func (s *store) emptyLog(ctx context.Context) error {
	var busy bool
	var frames, moved int
	err := s.db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	s.lingers.Store(err != nil || busy)
	return err
}

// Checks.

// check is an answer that a reviewer has asked for.
type check struct {
	At     time.Time
	Who    string
	answer []byte // JSON
}

// keep writes a check down in the place of the one before. What is being erased gets none.
func (s *store) keep(ctx context.Context, verification int64, kind, who string, answer []byte) error {
	_, err := s.exec(ctx, `INSERT INTO checks (verification, kind, at, who, answer)
		SELECT id, ?, ?, ?, ? FROM verifications WHERE id = ? AND NOT erasing
		ON CONFLICT DO UPDATE SET at = excluded.at, who = excluded.who, answer = excluded.answer`,
		kind, s.now().UnixMilli(), who, string(answer), verification)
	return err
}

// checks are those of a verification by their kinds.
func (s *store) checks(ctx context.Context, verification int64) (made map[string]check, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT kind, at, who, answer FROM checks WHERE verification = ?`, verification)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	made = map[string]check{}
	for rows.Next() {
		var kind string
		var at int64
		var c check
		if err := rows.Scan(&kind, &at, &c.Who, &c.answer); err != nil {
			return nil, err
		}
		c.At = time.UnixMilli(at)
		made[kind] = c
	}
	return made, nil
}

// Audit.

const insertNote = `INSERT INTO audit (at, who, action, verification) VALUES (?, ?, ?, ?)`

// note writes down who looked at what.
func (s *store) note(ctx context.Context, who, action string, verification int64) error {
	_, err := s.exec(ctx, insertNote, s.now().UnixMilli(), who, action, verification)
	return err
}

type auditEntry struct {
	At          time.Time
	Who, Action string
}

// notes are the latest entries about a verification.
func (s *store) notes(ctx context.Context, verification int64, limit int) (list []auditEntry, err error) {
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
		list = append(list, e)
	}
	return list, nil
}
