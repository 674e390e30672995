package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"

	identomatriver "github.com/identomat-go/identomat/river"
)

// database is an SQLite file or a PostgreSQL database. Only this file knows which.
type database struct {
	*sql.DB
	driver  riverdriver.Driver[*sql.Tx]
	records *identomatriver.SQLStore[*sql.Tx]
	sqlite  bool
}

func isPostgres(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// openDatabase opens a database and makes or updates its tables. The name is the path of a file or the URL of a
// PostgreSQL database.
func openDatabase(ctx context.Context, name string) (d *database, err error) {
	if isPostgres(name) {
		d, err = openPostgres(name)
	} else {
		d, err = openSQLite(name)
	}
	if err != nil {
		return nil, err
	}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate the database: %w", err), d.Close())
	}
	return d, nil
}

func openPostgres(address string) (*database, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	return &database{DB: db, driver: riverdatabasesql.New(db), records: identomatriver.NewPostgresSQLStore(db, nil)}, nil
}

func openSQLite(path string) (*database, error) {
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
	return &database{DB: db, driver: riversqlite.New(db), records: identomatriver.NewSQLiteStore(db, nil), sqlite: true}, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// migrate runs the pending migrations of the engine and of this program, in the order of their names.
func (d *database) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	serialKey := "INTEGER PRIMARY KEY AUTOINCREMENT"
	if !d.sqlite {
		serialKey = "BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY"
		// One process migrates, and the others wait.
		conn, err := d.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtext('onboarding'))`); err != nil {
			return err
		}
		defer func() {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtext('onboarding'))`)
		}()
	}
	if err := identomatriver.Migrate(ctx, d.driver, d.records); err != nil {
		return err
	}
	return d.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)`); err != nil {
			return err
		}
		var done int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM migrations`).Scan(&done); err != nil {
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
			if _, err := tx.ExecContext(ctx, strings.ReplaceAll(string(script), "SERIAL_KEY,", serialKey+",")); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO migrations (name) VALUES ($1)`, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// inTx runs fn in a transaction.
func (d *database) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	return d.records.InTx(ctx, fn)
}

// lockCustomer makes other transactions about the same customer wait until this one ends. SQLite has only
// one transaction at a time.
func (d *database) lockCustomer(ctx context.Context, tx *sql.Tx, customer string) error {
	if d.sqlite {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('customer'), hashtext($1))`, customer)
	return err
}

// forget removes overwritten data from SQLite's write-ahead log, and reports whether that was done. SQLite
// cannot truncate the log while another process is reading.
func (d *database) forget(ctx context.Context) (done bool, err error) {
	if !d.sqlite {
		return true, nil // see the README
	}
	var busy bool
	var frames, moved int
	err = d.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	return err == nil && !busy, err
}
