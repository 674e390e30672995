package identomatriver

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/identomat-go/identomat"
)

// SQLStore is a [Store] with tables of its own in SQLite or PostgreSQL, next to River's.
type SQLStore[TTx any] struct {
	cipher Cipher
	inTx   func(context.Context, func(TTx) error) error
	exec   func(ctx context.Context, tx TTx, statement string, args ...any) (int64, error)
	query  func(ctx context.Context, tx TTx, statement string, args []any, scan func(row) error) error
	// forUpdate locks selected rows, and skipLocked locks those that no other transaction has locked. micros is the database's clock in microseconds. migrating lets only
	// one process migrate. relaxed makes the commit of the transaction not wait for the disk.
	forUpdate, skipLocked, micros, migrating, relaxed string
}

type row interface{ Scan(dest ...any) error }

// NewSQLiteStore returns a store in SQLite. The pool must have one connection (SetMaxOpenConns(1)) and begin
// transactions as writers (_txlock=immediate), because SQLite has one writer: otherwise transactions fail
// with SQLITE_BUSY. A function that runs in a transaction must therefore use that transaction and not the
// pool, or it waits for itself.
//
// A nil cipher stores tokens in plain text.
func NewSQLiteStore(db *sql.DB, cipher Cipher) *SQLStore[*sql.Tx] {
	// SQLite writes ?1 for PostgreSQL's $1.
	s := newStore(db, cipher, func(statement string) string { return strings.ReplaceAll(statement, "$", "?") })
	s.micros = `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
	return s
}

// NewPostgresSQLStore returns a store in PostgreSQL for services that use [database/sql] with pgx's driver
// (github.com/jackc/pgx/v5/stdlib). Its driver for River is riverdatabasesql. [NewPostgresStore] with
// riverpgxv5 gets notifications and needs no polling. A nil cipher stores tokens in plain text.
func NewPostgresSQLStore(db *sql.DB, cipher Cipher) *SQLStore[*sql.Tx] {
	s := newStore(db, cipher, func(statement string) string { return statement })
	s.setPostgres()
	return s
}

// setPostgres sets the statements of PostgreSQL.
func (s *SQLStore[TTx]) setPostgres() {
	s.forUpdate = ` FOR UPDATE`
	s.skipLocked = ` FOR UPDATE SKIP LOCKED`
	s.micros = `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
	s.relaxed = `SET LOCAL synchronous_commit = off`
	s.migrating = `SELECT pg_advisory_xact_lock(hashtext('identomat_migrations'))`
}

// newStore returns a store for a database of database/sql. The function local translates a statement.
func newStore(db *sql.DB, cipher Cipher, local func(statement string) string) *SQLStore[*sql.Tx] {
	return &SQLStore[*sql.Tx]{
		cipher: cipher,
		inTx: func(ctx context.Context, fn func(*sql.Tx) error) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }() // does nothing after Commit
			if err := fn(tx); err != nil {
				return err
			}
			return tx.Commit()
		},
		exec: func(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
			result, err := tx.ExecContext(ctx, local(statement), args...)
			if err != nil {
				return 0, err
			}
			return result.RowsAffected()
		},
		query: func(ctx context.Context, tx *sql.Tx, statement string, args []any, scan func(row) error) error {
			rows, err := tx.QueryContext(ctx, local(statement), args...)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				if err := scan(rows); err != nil {
					return err
				}
			}
			return rows.Err()
		},
	}
}

// NewPostgresStore returns a store in PostgreSQL. A nil cipher stores tokens in plain text.
func NewPostgresStore(pool *pgxpool.Pool, cipher Cipher) *SQLStore[pgx.Tx] {
	s := &SQLStore[pgx.Tx]{
		cipher: cipher,
		inTx: func(ctx context.Context, fn func(pgx.Tx) error) error {
			return pgx.BeginFunc(ctx, pool, fn)
		},
		exec: func(ctx context.Context, tx pgx.Tx, statement string, args ...any) (int64, error) {
			tag, err := tx.Exec(ctx, statement, args...)
			return tag.RowsAffected(), err
		},
		query: func(ctx context.Context, tx pgx.Tx, statement string, args []any, scan func(row) error) error {
			rows, err := tx.Query(ctx, statement, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := scan(rows); err != nil {
					return err
				}
			}
			return rows.Err()
		},
	}
	s.setPostgres()
	return s
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate makes or updates the store's own tables. [Migrate] also migrates River's.
func (s *SQLStore[TTx]) Migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx TTx) error {
		if s.migrating != "" {
			if _, err := s.exec(ctx, tx, s.migrating); err != nil {
				return err
			}
		}
		if _, err := s.exec(ctx, tx, `CREATE TABLE IF NOT EXISTS identomat_migrations (name TEXT PRIMARY KEY)`); err != nil {
			return err
		}
		for _, name := range names {
			n, err := s.exec(ctx, tx, `INSERT INTO identomat_migrations (name) VALUES ($1) ON CONFLICT DO NOTHING`, name)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			script, err := migrations.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := s.exec(ctx, tx, string(script)); err != nil {
				return fmt.Errorf("identomatriver: %s: %w", name, err)
			}
		}
		return nil
	})
}

// InTx implements [Store].
func (s *SQLStore[TTx]) InTx(ctx context.Context, fn func(tx TTx) error) error {
	return s.inTx(ctx, fn)
}

const columns = `kind, id, state, token, intent, wakes, queued_at, called_at, entered_at, expires_at, due_at, sealed_at, erase_at,
	held, anyway, receipt, erased_at`

// values returns the values of the columns, except token, and of token_hash.
func (s *SQLStore[TTx]) values(r *Record) (values []any, err error) {
	var token, hash []byte
	if r.Token != "" {
		token, hash = []byte(string(r.Token)), hashOf(r.Token)
		if s.cipher != nil {
			if token, err = s.cipher.Encrypt(token, associated(r)); err != nil {
				return nil, err
			}
		}
	}
	return []any{string(r.Kind), r.ID, string(r.State), token, r.Intent, r.Wakes, millis(r.Queued), millis(r.Called), millis(r.Entered),
		millis(r.Expires), millis(r.Due), millis(r.Sealed), millis(r.EraseAt), r.Held, r.Anyway, r.Receipt, millis(r.Erased), hash}, nil
}

// associated binds an encrypted token to its record.
func associated(r *Record) []byte { return []byte(string(r.Kind) + "/" + r.ID) }

// hashOf makes tokens searchable. A token is random and long, so its hash needs no salt.
func hashOf(token identomat.Token) []byte {
	sum := sha256.Sum256([]byte(string(token)))
	return sum[:]
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (s *SQLStore[TTx]) records(ctx context.Context, tx TTx, where string, args ...any) (records []*Record, err error) {
	err = s.query(ctx, tx, `SELECT `+columns+` FROM identomat_records WHERE `+where, args, func(row row) error {
		r := &Record{}
		var token []byte
		times := [...]*time.Time{&r.Queued, &r.Called, &r.Entered, &r.Expires, &r.Due, &r.Sealed, &r.EraseAt, &r.Erased}
		var ms [len(times)]int64
		if err := row.Scan(&r.Kind, &r.ID, &r.State, &token, &r.Intent, &r.Wakes, &ms[0], &ms[1], &ms[2], &ms[3], &ms[4], &ms[5], &ms[6],
			&r.Held, &r.Anyway, &r.Receipt, &ms[7]); err != nil {
			return err
		}
		for i, t := range times {
			if ms[i] != 0 {
				*t = time.UnixMilli(ms[i])
			}
		}
		if token != nil && s.cipher != nil {
			var err error
			if token, err = s.cipher.Decrypt(token, associated(r)); err != nil {
				return fmt.Errorf("identomatriver: cannot decrypt the token of %s %s: %w", r.Kind, r.ID, err)
			}
		}
		r.Token = identomat.Token(token)
		records = append(records, r)
		return nil
	})
	return records, err
}

func (s *SQLStore[TTx]) one(ctx context.Context, tx TTx, where string, args ...any) (*Record, error) {
	records, err := s.records(ctx, tx, where, args...)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, ErrUnknown
	}
	return records[0], nil
}

// Insert implements [Store].
func (s *SQLStore[TTx]) Insert(ctx context.Context, tx TTx, r *Record) (bool, error) {
	values, err := s.values(r)
	if err != nil {
		return false, err
	}
	n, err := s.exec(ctx, tx, `INSERT INTO identomat_records (`+columns+`, token_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (kind, id) DO NOTHING`, values...)
	return n > 0, err
}

// Load implements [Store].
func (s *SQLStore[TTx]) Load(ctx context.Context, tx TTx, kind Kind, id string) (*Record, error) {
	return s.one(ctx, tx, `kind = $1 AND id = $2`, string(kind), id)
}

// Lock implements [Store].
func (s *SQLStore[TTx]) Lock(ctx context.Context, tx TTx, kind Kind, id string) (*Record, error) {
	return s.one(ctx, tx, `kind = $1 AND id = $2`+s.forUpdate, string(kind), id)
}

// Save implements [Store].
func (s *SQLStore[TTx]) Save(ctx context.Context, tx TTx, r *Record) error {
	values, err := s.values(r)
	if err != nil {
		return err
	}
	n, err := s.exec(ctx, tx, `UPDATE identomat_records SET state = $3, token = $4, intent = $5, wakes = $6, queued_at = $7,
		called_at = $8, entered_at = $9, expires_at = $10, due_at = $11, sealed_at = $12, erase_at = $13, held = $14, anyway = $15,
		receipt = $16, erased_at = $17, token_hash = $18 WHERE kind = $1 AND id = $2`, values...)
	if err == nil && n == 0 {
		err = ErrUnknown
	}
	return err
}

// Find implements [Store].
func (s *SQLStore[TTx]) Find(ctx context.Context, tx TTx, token identomat.Token) (id string, err error) {
	err = s.query(ctx, tx, `SELECT id FROM identomat_records WHERE token_hash = $1`, []any{hashOf(token)}, func(row row) error { return row.Scan(&id) })
	if err == nil && id == "" {
		err = ErrUnknown
	}
	return id, err
}

// List implements [Store].
func (s *SQLStore[TTx]) List(ctx context.Context, tx TTx, state State, limit int) ([]*Record, error) {
	return s.records(ctx, tx, `state = $1 ORDER BY entered_at LIMIT $2`, string(state), limit)
}

// Due implements [Store].
func (s *SQLStore[TTx]) Due(ctx context.Context, tx TTx, t time.Time, limit int) ([]*Record, error) {
	return s.records(ctx, tx, `due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2`+s.skipLocked, millis(t), limit)
}

// Stats implements [Store].
func (s *SQLStore[TTx]) Stats(ctx context.Context, tx TTx, now time.Time) (*Stats, error) {
	stats := &Stats{Undecided: map[Kind]map[State]int{}, BillableCalls: map[Kind]int{}}
	var kind Kind
	var state State
	var n int
	var oldest sql.NullInt64
	err := errors.Join(
		s.query(ctx, tx, `SELECT kind, state, count(*) FROM identomat_records
			WHERE state IN ('queued', 'calling', 'unclear', 'open', 'manual_check') GROUP BY kind, state`, nil, func(row row) error {
			err := row.Scan(&kind, &state, &n)
			if stats.Undecided[kind] == nil {
				stats.Undecided[kind] = map[State]int{}
			}
			stats.Undecided[kind][state] = n
			if state == Unclear {
				stats.Unclear += n
			}
			return err
		}),
		s.query(ctx, tx, `SELECT min(queued_at) FROM identomat_records WHERE kind = 'verification' AND state IN ('queued', 'calling', 'open')`,
			nil, func(row row) error { return row.Scan(&oldest) }),
		s.query(ctx, tx, `SELECT count(*) FROM river_job WHERE state = 'retryable' AND kind LIKE 'identomat\_%' ESCAPE '\'`,
			nil, func(row row) error { return row.Scan(&stats.Retrying) }),
		s.query(ctx, tx, `SELECT kind, count(*) FROM identomat_records WHERE called_at > $1 GROUP BY kind`,
			[]any{millis(now.Add(-time.Hour))}, func(row row) error {
				err := row.Scan(&kind, &n)
				stats.BillableCalls[kind] = n
				return err
			}),
	)
	if oldest.Valid {
		stats.OldestOpen = now.Sub(time.UnixMilli(oldest.Int64))
	}
	return stats, err
}
