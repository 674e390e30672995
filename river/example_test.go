package identomatriver_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/identomat-go/identomat"
	identomatriver "github.com/identomat-go/identomat/river"
)

// A bank's service on PostgreSQL.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE"))
	if err != nil {
		log.Fatal(err)
	}
	cipher, err := identomatriver.NewCipher([]byte(os.Getenv("TOKEN_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	driver, store := riverpgxv5.New(pool), identomatriver.NewPostgresStore(pool, cipher)
	if err := identomatriver.Migrate(ctx, driver, store); err != nil {
		log.Fatal(err)
	}
	limiter, err := store.NewRateLimiter(identomatriver.RateLimit{Name: "identomat", PerSecond: 50, Local: 5})
	if err != nil {
		log.Fatal(err)
	}
	client, err := identomat.NewClientFromEnv(identomat.WithRateLimiter(limiter))
	if err != nil {
		log.Fatal(err)
	}
	engine, err := identomatriver.New(driver, identomatriver.Config[pgx.Tx]{
		Client: client,
		Store:  store,
		BeginRequest: func(ctx context.Context, id string) (identomat.BeginRequest, error) {
			request := identomat.BeginRequest{Steps: identomat.Steps{identomat.IdentityDocument(), identomat.Liveness()}}
			err := pool.QueryRow(ctx, `SELECT customer FROM verifications WHERE id = $1`, id).Scan(&request.ClientUserID)
			return request, err
		},
		Changed: func(ctx context.Context, tx pgx.Tx, c identomatriver.Change) error {
			if c.Event != identomatriver.Decided {
				return nil
			}
			_, err := tx.Exec(ctx, `UPDATE verifications SET outcome = $1 WHERE id = $2`, string(c.Record.State), c.Record.ID)
			return err
		},
		Evidence:  &identomatriver.Evidence{Dir: func(id string) string { return filepath.Join("evidence", id) }},
		Retention: 5 * 365 * 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := engine.Start(ctx); err != nil {
		log.Fatal(err)
	}

	http.HandleFunc("POST /verify", func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("id")
		err := pgx.BeginFunc(r.Context(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(r.Context(), `INSERT INTO verifications (id, customer) VALUES ($1, $2)`, id, "user-1"); err != nil {
				return err
			}
			return engine.Begin(r.Context(), tx, id)
		})
		if err != nil {
			http.Error(w, "please try again", http.StatusInternalServerError)
			return
		}
		session, err := engine.Session(r.Context(), id)
		switch {
		case errors.Is(err, identomatriver.ErrUnclear):
			http.Error(w, "our staff is looking into it", http.StatusAccepted)
		case err != nil:
			http.Error(w, "please try again", http.StatusBadGateway)
		default:
			http.Redirect(w, r, session.URL, http.StatusSeeOther)
		}
	})
	callbacks, err := identomat.CallbackHandler([]string{os.Getenv("CALLBACK_KEY")}, func(ctx context.Context, c identomat.Callback) error {
		return store.InTx(ctx, func(tx pgx.Tx) error {
			_, err := engine.Wake(ctx, tx, c.SessionID)
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /callback", callbacks)
}
