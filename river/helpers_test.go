package identomatriver_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/identomat-go/identomat"
	identomatriver "github.com/identomat-go/identomat/river"
)

// longTests runs the full versions of tests: see `.ci/run river`.
var longTests = os.Getenv("IDENTOMAT_LONG_TESTS") != ""

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

const postgresEnv = "IDENTOMAT_POSTGRES"

// bank is a bank's database with an engine: SQLite or PostgreSQL.
type bank[TTx any] struct {
	driver riverdriver.Driver[TTx]
	store  *identomatriver.SQLStore[TTx]
	exec   func(ctx context.Context, tx TTx, statement string, args ...any) error
	count  func(ctx context.Context, tx TTx, query string, args ...any) (int, error)
	close  func()
}

// bankTables is what the bank of the tests stores in the transactions of changes.
const bankTables = `CREATE TABLE bank_events (id TEXT NOT NULL, event TEXT NOT NULL, state TEXT NOT NULL)`

// testCipher has an invented key.
func testCipher() identomatriver.Cipher {
	c, err := identomatriver.NewCipher([]byte("fake-key-for-tests-0123456789abc"))
	if err != nil {
		panic(err)
	}
	return c
}

func openSQLite(path string) (*bank[*sql.Tx], error) {
	dsn := url.URL{Scheme: "file", Opaque: path, RawQuery: url.Values{
		"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &bank[*sql.Tx]{
		driver: riversqlite.New(db),
		store:  identomatriver.NewSQLiteStore(db, testCipher()),
		exec: func(ctx context.Context, tx *sql.Tx, statement string, args ...any) error {
			_, err := tx.ExecContext(ctx, statement, args...)
			return err
		},
		count: func(ctx context.Context, tx *sql.Tx, query string, args ...any) (n int, err error) {
			return n, tx.QueryRowContext(ctx, query, args...).Scan(&n)
		},
		close: func() { _ = db.Close() },
	}, nil
}

func openPostgres(database string) (*bank[pgx.Tx], error) {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return &bank[pgx.Tx]{
		driver: riverpgxv5.New(pool),
		store:  identomatriver.NewPostgresStore(pool, testCipher()),
		exec: func(ctx context.Context, tx pgx.Tx, statement string, args ...any) error {
			_, err := tx.Exec(ctx, statement, args...)
			return err
		},
		count: func(ctx context.Context, tx pgx.Tx, query string, args ...any) (n int, err error) {
			return n, tx.QueryRow(ctx, query, args...).Scan(&n)
		},
		close: pool.Close,
	}, nil
}

// newPostgres makes an empty database and returns its URL. The test is skipped without a server.
func newPostgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(postgresEnv)
	if server == "" {
		if os.Getenv("IDENTOMAT_REQUIRE_POSTGRES") != "" {
			t.Fatal("no PostgreSQL server")
		}
		t.Skip("set " + postgresEnv + " to the URL of a PostgreSQL server, or run: .ci/postgres go test ./river/...")
	}
	conn, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	name := fmt.Sprintf("identomat_%d_%d", os.Getpid(), time.Now().UnixNano())
	_, err = conn.Exec(t.Context(), `CREATE DATABASE `+name)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), server)
		if err == nil {
			_, _ = conn.Exec(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`)
			_ = conn.Close(context.Background())
		}
	})
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}

// prepare migrates an empty database.
func prepare[TTx any](t *testing.T, b *bank[TTx], err error) *bank[TTx] {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(b.close)
	require.NoError(t, identomatriver.Migrate(t.Context(), b.driver, b.store))
	b.do(t, bankTables)
	return b
}

// onBoth runs a test on SQLite and on PostgreSQL. The tests get the URL of the database for child processes.
func onBoth(t *testing.T, sqlite func(*testing.T, *bank[*sql.Tx], string), postgres func(*testing.T, *bank[pgx.Tx], string)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "bank.db")
		b, err := openSQLite(path)
		sqlite(t, prepare(t, b, err), path)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		database := newPostgres(t)
		b, err := openPostgres(database)
		postgres(t, prepare(t, b, err), database)
	})
}

// in runs fn in a transaction.
func (b *bank[TTx]) in(t *testing.T, fn func(tx TTx) error) {
	t.Helper()
	require.NoError(t, b.store.InTx(t.Context(), fn))
}

func (b *bank[TTx]) do(t *testing.T, statement string, args ...any) {
	t.Helper()
	b.in(t, func(tx TTx) error { return b.exec(t.Context(), tx, statement, args...) })
}

// n returns the number that a query selects.
func (b *bank[TTx]) n(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	b.in(t, func(tx TTx) (err error) {
		n, err = b.count(t.Context(), tx, query, args...)
		return err
	})
	return n
}

// changed stores the event of a change.
func (b *bank[TTx]) changed(ctx context.Context, tx TTx, c identomatriver.Change) error {
	return b.exec(ctx, tx, `INSERT INTO bank_events (id, event, state) VALUES ($1, $2, $3)`, c.Record.ID, string(c.Event), string(c.Record.State))
}

// config returns settings for tests. Screenings have the name of the record's ID.
func (b *bank[TTx]) config(client *identomat.Client) identomatriver.Config[TTx] {
	return identomatriver.Config[TTx]{
		Client: client,
		Store:  b.store,
		BeginRequest: func(_ context.Context, id string) (identomat.BeginRequest, error) {
			return identomat.BeginRequest{ClientUserID: id}, nil
		},
		ScreeningQuery: func(_ context.Context, id string) (identomat.ScreeningQuery, error) {
			return identomat.ScreeningQuery{FullName: "Person " + id, ScoreThreshold: 80}, nil
		},
		MonitorQuery: func(_ context.Context, id string) (identomat.MonitorQuery, error) {
			return identomat.MonitorQuery{FullName: "Person " + id}, nil
		},
		Changed: b.changed,
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		River:   &river.Config{TestOnly: true},
	}
}

// start starts an engine that stops when the test ends.
func start[TTx any](t *testing.T, b *bank[TTx], config identomatriver.Config[TTx]) *identomatriver.Engine[TTx] {
	t.Helper()
	e, err := identomatriver.New(b.driver, config)
	require.NoError(t, err)
	if !config.InsertOnly {
		require.NoError(t, e.Start(t.Context()))
		t.Cleanup(func() { _ = e.Stop(context.Background()) })
	}
	return e
}

// record returns a record.
func record[TTx any](t *testing.T, b *bank[TTx], kind identomatriver.Kind, id string) (r *identomatriver.Record) {
	t.Helper()
	b.in(t, func(tx TTx) (err error) {
		r, err = b.store.Load(t.Context(), tx, kind, id)
		return err
	})
	return r
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	eventuallyEvery(t, 20*time.Millisecond, what, condition)
}

// eventuallyEvery waits for a condition that is checked at intervals.
func eventuallyEvery(t *testing.T, interval time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("timeout: %s", what)
		}
		time.Sleep(interval)
	}
}

func isPostgres(database string) bool { return strings.HasPrefix(database, "postgres://") }

func toJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}
