package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	identomatriver "github.com/identomat-go/identomat/river"
)

// state is the state of a verification in the bank's records. Unlike the engine's record, it also says what
// a reviewer has decided, and it is what customers see.
type state string

const (
	beginning state = "beginning"
	// unclear means that the response of begin/ was lost, and an unusable session may exist.
	unclear     state = "unclear"
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
	// Returned reports whether the customer came back from the widget, which proves nothing.
	Returned bool
	Erasing  bool
	Reserved time.Time
	Expires  time.Time
	// Reason, DecidedBy and Decided describe the outcome, if there is one.
	Reason    string
	DecidedBy string
	Decided   time.Time

	// The fields below come from the engine, and only store.verification sets them. Token is empty before
	// the session has begun and after it was erased.
	Token identomat.Token
	// Collecting reports whether the evidence of a decided verification is still being collected.
	Collecting bool
	// Continuable reports whether the token of an unclear verification is known after all.
	Continuable bool
	// Receipt is set once the session was erased at Identomat.
	Receipt *evidence.Receipt
}

// HasOutcome reports whether Identomat or a reviewer has decided.
func (v verification) HasOutcome() bool { return v.State == approved || v.State == rejected }

// Begun reports whether the session has begun.
func (v verification) Begun() bool { return v.State != beginning && v.State != unclear }

// Open reports whether the customer can still continue the session.
func (v verification) Open(now time.Time) bool {
	return v.State == inProgress && !v.Erasing && now.Before(v.Expires)
}

const (
	// maxTries limits the sessions that a customer can begin within triesWindow, because each one
	// costs money.
	maxTries    = 3
	triesWindow = 24 * time.Hour
	// signInLifetime is how long a sign-in lasts.
	signInLifetime = 8 * time.Hour
)

var (
	errTooManyTries = errors.New("too many verifications in a day")
	errErasing      = errors.New("the customer's data is being erased")
	errBeginning    = errors.New("a verification is being started")
	errNotSettled   = errors.New("the verification has an outcome or is being erased")
	errNoToken      = errors.New("the token of the session is unknown")
)

// store keeps the bank's records. Every change is one transaction, often together with a change of the engine's
// record, and every change of state names the allowed previous states in its WHERE clause. A transaction
// changes the engine's record first and the bank's rows after it, as the engine does, so that no two
// transactions wait for each other.
type store struct {
	*database
	engine *identomatriver.Engine[*sql.Tx]
	// evidence is a folder with one package of evidence per verification.
	evidence string
	lifetime time.Duration // of a session
	now      func() time.Time
	// dirty reports whether the database may still contain traces of erased data, including data that an
	// earlier process erased before it was killed.
	dirty atomic.Bool
}

func openStore(ctx context.Context, name, evidence string) (*store, error) {
	d, err := openDatabase(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &store{database: d, evidence: evidence, now: time.Now}
	s.dirty.Store(true)
	return s, nil
}

// execTx runs a single statement and returns the number of affected rows.
func execTx(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// recordID returns the ID of a verification in the engine's records.
func recordID(id int64) string { return strconv.FormatInt(id, 10) }

// Sign-ins.

func hashed(cookie string) []byte {
	sum := sha256.Sum256([]byte(cookie))
	return sum[:]
}

func (s *store) signIn(ctx context.Context, cookie, user string) error {
	_, err := s.ExecContext(ctx, `INSERT INTO sign_ins (id, user_id, expires_at) VALUES ($1, $2, $3)`,
		hashed(cookie), user, s.now().Add(signInLifetime).UnixMilli())
	return err
}

// signedInAs returns the ID of the user who is signed in with the cookie, or "".
func (s *store) signedInAs(ctx context.Context, cookie string) (string, error) {
	var user string
	err := s.QueryRowContext(ctx, `SELECT user_id FROM sign_ins WHERE id = $1 AND expires_at > $2`,
		hashed(cookie), s.now().UnixMilli()).Scan(&user)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return user, err
}

func (s *store) signOut(ctx context.Context, cookie string) error {
	_, err := s.ExecContext(ctx, `DELETE FROM sign_ins WHERE id = $1`, hashed(cookie))
	return err
}

// Reading verifications.

const selectVerification = `SELECT v.id, v.customer, v.way, v.state, v.returned, v.erasing, v.reserved_at, v.expires_at,
	coalesce(o.reason, ''), coalesce(o.decided_by, ''), coalesce(o.decided_at, 0)
	FROM verifications v LEFT JOIN outcomes o ON o.verification = v.id `

func scan(row interface{ Scan(...any) error }) (v verification, found bool, err error) {
	var reserved, expires, decided int64
	err = row.Scan(&v.ID, &v.Customer, &v.Way, &v.State, &v.Returned, &v.Erasing, &reserved, &expires, &v.Reason, &v.DecidedBy, &decided)
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	v.Reserved, v.Expires = time.UnixMilli(reserved), time.UnixMilli(expires)
	if decided != 0 {
		v.Decided = time.UnixMilli(decided)
	}
	return v, err == nil, err
}

// latest returns the customer's newest verification.
func (s *store) latest(ctx context.Context, customer string) (verification, bool, error) {
	return scan(s.QueryRowContext(ctx, selectVerification+`WHERE v.customer = $1 ORDER BY v.id DESC LIMIT 1`, customer))
}

// verification returns a verification with what the engine knows about it.
func (s *store) verification(ctx context.Context, id int64) (v verification, found bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if v, found, err = scan(tx.QueryRowContext(ctx, selectVerification+`WHERE v.id = $1`, id)); err != nil || !found {
			return err
		}
		r, err := s.engine.Record(ctx, tx, identomatriver.Verification, recordID(id))
		if err != nil {
			return err
		}
		if r.State == identomatriver.Unclear {
			v.State, v.Continuable = unclear, r.Token != ""
			return nil
		}
		v.Token = r.Token
		v.Collecting = v.HasOutcome() && !v.Erasing && r.Sealed.IsZero() && !r.Due.IsZero()
		if r.Receipt != nil {
			return json.Unmarshal(r.Receipt, &v.Receipt)
		}
		return nil
	})
	return v, found && err == nil, err
}

// list returns verifications of all customers. Those that need a decision come first, oldest first,
// so that the limit never cuts off the ones that have waited longest. Those that are being started or
// unclear follow, and then the others, newest first.
func (s *store) list(ctx context.Context, limit int) (vs []verification, err error) {
	unclearIDs := map[string]bool{}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		records, err := s.engine.Unclear(ctx, tx, limit)
		for _, r := range records {
			unclearIDs[r.ID] = r.Kind == identomatriver.Verification
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, selectVerification+`ORDER BY
		CASE WHEN v.state = 'manual_check' AND NOT v.erasing THEN v.id END NULLS LAST,
		CASE WHEN v.state IN ('beginning', 'unclear') THEN 0 ELSE 1 END, v.id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		v, _, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if unclearIDs[recordID(v.ID)] {
			v.State = unclear
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// ids returns the IDs that a query selects.
func ids(ctx context.Context, tx *sql.Tx, query string, args ...any) (ids []int64, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

const countBegins = `SELECT count(*) FROM begins WHERE customer = $1 AND at > $2`

// triesLeft returns how many more sessions the customer may begin now.
func (s *store) triesLeft(ctx context.Context, customer string) (int, error) {
	var n int
	err := s.QueryRowContext(ctx, countBegins, customer, s.now().Add(-triesWindow).UnixMilli()).Scan(&n)
	return max(0, maxTries-n), err
}

// Beginning a session.

// reserve inserts the row of a verification and queues its session, unless the customer already has an
// open verification.
func (s *store) reserve(ctx context.Context, customer, way string) (id int64, reserved bool, err error) {
	now := s.now()
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockCustomer(ctx, tx, customer); err != nil {
			return err
		}
		var erasing bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM verifications WHERE customer = $1 AND erasing)`,
			customer).Scan(&erasing); err != nil {
			return err
		}
		if erasing {
			return errErasing
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO verifications (customer, way, state, reserved_at, expires_at)
			VALUES ($1, $2, 'beginning', $3, $4) ON CONFLICT DO NOTHING RETURNING id`,
			customer, way, now.UnixMilli(), now.Add(s.lifetime).UnixMilli()).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var tries int
		if err := tx.QueryRowContext(ctx, countBegins, customer, now.Add(-triesWindow).UnixMilli()).Scan(&tries); err != nil {
			return err
		}
		if tries >= maxTries {
			return errTooManyTries
		}
		if _, err := execTx(ctx, tx, `INSERT INTO begins (verification, customer, at) VALUES ($1, $2, $3)`, id, customer, now.UnixMilli()); err != nil {
			return err
		}
		reserved = true
		return s.engine.Begin(ctx, tx, recordID(id))
	})
	return id, reserved && err == nil, err
}

// settleUnclear ends the uncertainty about a session whose begin/ is unclear: the customer can continue the
// session, if its token is known, or it is given up and the customer can start again.
func (s *store) settleUnclear(ctx context.Context, id int64, keep bool, who string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if !keep {
			if err := s.giveUp(ctx, tx, recordID(id)); err != nil {
				return err
			}
			_, err := execTx(ctx, tx, insertAudit, s.now().UnixMilli(), who, "gave up the unclear start", id)
			return err
		}
		r, err := s.engine.Record(ctx, tx, identomatriver.Verification, recordID(id))
		if err != nil {
			return err
		}
		if r.Token == "" {
			return errNoToken // Settle would give the session up
		}
		if err := s.engine.Settle(ctx, tx, r.Kind, r.ID, identomatriver.Settlement{Token: r.Token}); err != nil {
			return err
		}
		now := s.now()
		if _, err := execTx(ctx, tx, `UPDATE verifications SET state = 'in_progress', expires_at = $1
			WHERE id = $2 AND state IN ('beginning', 'unclear')`, now.Add(s.lifetime).UnixMilli(), id); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, insertAudit, now.UnixMilli(), who, "let the customer continue the session", id)
		return err
	})
}

// giveUp gives up a session whose begin/ is unclear. The customer never got a link to it, so it contains no data
// about the customer.
func (s *store) giveUp(ctx context.Context, tx *sql.Tx, id string) error {
	if err := s.engine.Settle(ctx, tx, identomatriver.Verification, id, identomatriver.Settlement{}); err != nil {
		return err
	}
	_, err := execTx(ctx, tx, `DELETE FROM verifications WHERE id = CAST($1 AS BIGINT)`, id)
	return err
}

// Returns and callbacks.

// markReturned records that the customer came back from the widget. It returns false if the token
// does not belong to this customer. Only the first return makes the engine read the outcome, so that a
// customer who returns again and again does not cause a call to the service each time.
func (s *store) markReturned(ctx context.Context, customer string, token identomat.Token) (bound bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		id, err := s.records.Find(ctx, tx, token)
		if errors.Is(err, identomatriver.ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := s.records.Lock(ctx, tx, identomatriver.Verification, id); err != nil {
			return err
		}
		var returned bool
		err = tx.QueryRowContext(ctx, `SELECT returned FROM verifications WHERE id = CAST($1 AS BIGINT) AND customer = $2`, id, customer).Scan(&returned)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if bound = err == nil; err != nil || returned {
			return err
		}
		if _, err := s.engine.Wake(ctx, tx, token); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, `UPDATE verifications SET returned = TRUE WHERE id = CAST($1 AS BIGINT)`, id)
		return err
	})
	return bound && err == nil, err
}

// wake makes the engine read the outcome of a session now. It does nothing if the session is unknown or has
// ended.
func (s *store) wake(ctx context.Context, token identomat.Token) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := s.engine.Wake(ctx, tx, token)
		return err
	})
}

// hasSession reports whether a verification has this token.
func (s *store) hasSession(ctx context.Context, token identomat.Token) (known bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := s.records.Find(ctx, tx, token)
		if known = err == nil; errors.Is(err, identomatriver.ErrUnknown) {
			return nil
		}
		return err
	})
	return known, err
}

// Outcomes.

// byIdentomat is the value of decided_by for outcomes that no reviewer decided.
const byIdentomat = "Identomat"

// decide records a reviewer's decision. It returns false if the verification already has an outcome or is being
// erased.
func (s *store) decide(ctx context.Context, id int64, outcome state, reason, who string) (decided bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		decided, err := s.engine.Decide(ctx, tx, recordID(id), outcome == approved)
		if err == nil && decided {
			decided, err = s.settle(ctx, tx, id, outcome, reason, who)
		}
		if err == nil && !decided {
			err = errNotSettled // the engine's record must not change either
		}
		return err
	})
	if errors.Is(err, errNotSettled) {
		return false, nil
	}
	return err == nil, err
}

// settle writes the outcome of a verification, opens the account if it is approved, and records a
// reviewer's decision in the audit log. The result settled reports whether this call wrote the outcome. A
// verification that already has an outcome keeps it, so nobody is approved twice or after a rejection.
func (s *store) settle(ctx context.Context, tx *sql.Tx, id int64, outcome state, reason, by string) (settled bool, err error) {
	now := s.now().UnixMilli()
	n, err := execTx(ctx, tx, `UPDATE verifications SET state = $1 WHERE id = $2 AND state IN ('in_progress', 'manual_check') AND NOT erasing`, string(outcome), id)
	if err != nil || n == 0 {
		return false, err
	}
	if _, err := execTx(ctx, tx, `INSERT INTO outcomes (verification, outcome, reason, decided_by, decided_at)
		VALUES ($1, $2, $3, $4, $5)`, id, string(outcome), reason, by, now); err != nil {
		return false, err
	}
	if outcome == approved {
		if _, err := execTx(ctx, tx, `INSERT INTO accounts (customer, verification, opened_at)
			SELECT customer, id, CAST($1 AS BIGINT) FROM verifications WHERE id = $2`, now, id); err != nil {
			return false, err
		}
	}
	if by != byIdentomat {
		_, err = execTx(ctx, tx, insertAudit, now, by, "decided: "+string(outcome), id)
	}
	return err == nil, err
}

// Erasure.

// byCustomer is the audit log's name for all customers, because the log holds no customer data.
const byCustomer = "customer"

// requestErasure marks all verifications of a customer. The engine erases the sessions at the service before
// the cleanup deletes the rows. It fails if a session with an unknown token may exist.
func (s *store) requestErasure(ctx context.Context, customer string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockCustomer(ctx, tx, customer); err != nil {
			return err
		}
		// Further requests do not change an erasure that is in progress, because the service may have sent
		// a Retry-After.
		verifications, err := ids(ctx, tx, `SELECT id FROM verifications WHERE customer = $1 AND NOT erasing ORDER BY id`, customer)
		if err != nil {
			return err
		}
		for _, id := range verifications {
			err := s.engine.Erase(ctx, tx, recordID(id), time.Now(), "the customer requested the erasure")
			if errors.Is(err, identomatriver.ErrUnclear) {
				return errBeginning
			}
			if err != nil {
				return err
			}
		}
		if _, err := execTx(ctx, tx, `UPDATE verifications SET erasing = TRUE WHERE customer = $1`, customer); err != nil {
			return err
		}
		return s.queueCleanup(ctx, tx) // for sessions that a reviewer has erased
	})
}

// eraseSession makes the engine erase a session at the service. The bank keeps the evidence.
func (s *store) eraseSession(ctx context.Context, id int64, who string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.engine.Erase(ctx, tx, recordID(id), time.Now(), ""); err != nil {
			return err
		}
		_, err := execTx(ctx, tx, `UPDATE verifications SET erased_by = $1 WHERE id = $2 AND erased_by = ''`, who, id)
		return err
	})
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
	_, err := s.ExecContext(ctx, `INSERT INTO checks (verification, kind, at, who, answer)
		SELECT id, $1, CAST($2 AS BIGINT), $3, $4 FROM verifications WHERE id = $5 AND NOT erasing
		ON CONFLICT (verification, kind) DO UPDATE SET at = excluded.at, who = excluded.who, answer = excluded.answer`,
		kind, s.now().UnixMilli(), who, string(answer), verification)
	return err
}

// checks returns a verification's checks, keyed by kind.
func (s *store) checks(ctx context.Context, verification int64) (checks map[string]check, err error) {
	rows, err := s.QueryContext(ctx, `SELECT kind, at, who, answer FROM checks WHERE verification = $1`, verification)
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
func (s *store) evidenceOf(id string) string { return filepath.Join(s.evidence, id) }

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

const insertAudit = `INSERT INTO audit (at, who, action, verification) VALUES ($1, $2, $3, $4)`

// audit records who looked at what.
func (s *store) audit(ctx context.Context, who, action string, verification int64) error {
	_, err := s.ExecContext(ctx, insertAudit, s.now().UnixMilli(), who, action, verification)
	return err
}

type auditEntry struct {
	At          time.Time
	Who, Action string
}

// auditEntries returns the newest entries about a verification.
func (s *store) auditEntries(ctx context.Context, verification int64, limit int) (entries []auditEntry, err error) {
	rows, err := s.QueryContext(ctx, `SELECT at, who, action FROM audit WHERE verification = $1 ORDER BY id DESC LIMIT $2`,
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
