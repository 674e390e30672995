package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"github.com/identomat-go/identomat"
	identomatriver "github.com/identomat-go/identomat/river"
)

type customer struct {
	id    string
	token identomat.Token // of a session that was begun elsewhere
}

// batch says whom to verify, and how.
type batch struct {
	customers []customer
	client    func(...identomat.Option) (*identomat.Client, error)
	// invite sends a customer the link. After a crash, it may be called again for the same customer.
	invite  func(id string, session *identomat.Session) error
	rate    float64 // requests per second, also of retries; 0 means 10
	workers int
}

// invitation is a job of the bank's own: to invite a customer whose session has begun.
type invitation struct {
	ID string `json:"id"`
}

// Kind implements [river.JobArgs].
func (invitation) Kind() string { return "invitation" }

// verify queues the customers that are not in the database yet, and runs jobs until no session is waited for. It
// returns the states of all customers. If ctx ends or the service refuses the key, verify stops early.
func verify[TTx any](ctx context.Context, out io.Writer, b *batch, driver riverdriver.Driver[TTx], store *identomatriver.SQLStore[TTx]) (map[string]identomatriver.State, error) {
	if err := identomatriver.Migrate(ctx, driver, store); err != nil {
		return nil, err
	}
	if b.rate == 0 {
		b.rate = 10
	}
	limiter, err := store.NewRateLimiter(identomatriver.RateLimit{Name: "identomat", PerSecond: b.rate})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var requests atomic.Int64
	client, err := b.client(identomat.WithRateLimiter(limiter), identomat.WithObserver(func(e identomat.Event) {
		requests.Add(1)
		if errors.Is(e.Err, identomat.ErrInvalidKey) {
			cancel(e.Err) // every other call would be refused, too
		}
	}))
	if err != nil {
		return nil, err
	}

	var engine *identomatriver.Engine[TTx]
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[invitation]) error {
		session, err := engine.Session(ctx, job.Args.ID)
		if err != nil {
			return err
		}
		return b.invite(job.Args.ID, session)
	}))
	engine, err = identomatriver.New(driver, identomatriver.Config[TTx]{
		Client: client, Store: store, MaxWorkers: b.workers,
		BeginRequest: func(_ context.Context, id string) (identomat.BeginRequest, error) {
			return identomat.BeginRequest{
				Steps:        identomat.Steps{identomat.IdentityDocument(), identomat.Liveness()},
				ClientUserID: id, // to find the session if its response is lost
			}, nil
		},
		BeginWithin: 7 * 24 * time.Hour, // nobody waits in front of a browser
		Changed: func(ctx context.Context, tx TTx, c identomatriver.Change) error {
			if c.Event != identomatriver.SessionBegun {
				return nil
			}
			_, err := engine.River().InsertTx(ctx, tx, invitation{c.Record.ID}, nil)
			return err
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		River:  &river.Config{Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: b.workers}}},
	})
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(b.customers, 1000) {
		err := store.InTx(ctx, func(tx TTx) error {
			for _, c := range some {
				if err := queue(ctx, tx, engine, c); err != nil {
					return fmt.Errorf("%s: %w", c.id, err)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}

	last := context.WithoutCancel(ctx) // when ctx ends, the running jobs finish
	if err := engine.Start(last); err != nil {
		return nil, err
	}
	err = watch(ctx, out, len(b.customers), &requests, func() (stats *identomatriver.Stats, err error) {
		err = store.InTx(last, func(tx TTx) error {
			stats, err = engine.Stats(last, tx)
			return err
		})
		return stats, err
	})
	err = errors.Join(err, engine.Stop(last))

	states := map[string]identomatriver.State{}
	return states, errors.Join(err, store.InTx(last, func(tx TTx) error {
		for _, c := range b.customers {
			r, err := engine.Record(last, tx, identomatriver.Verification, c.id)
			if err != nil {
				return err
			}
			states[c.id] = r.State
		}
		return nil
	}))
}

// queue queues a customer, unless an earlier run has done so. A token settles an unclear verification.
func queue[TTx any](ctx context.Context, tx TTx, engine *identomatriver.Engine[TTx], c customer) (err error) {
	if c.token == "" {
		err = engine.Begin(ctx, tx, c.id)
	} else {
		err = engine.Adopt(ctx, tx, c.id, c.token)
	}
	if c.token != "" && errors.Is(err, identomatriver.ErrExists) {
		err = engine.Settle(ctx, tx, identomatriver.Verification, c.id, identomatriver.Settlement{Token: c.token})
	}
	if errors.Is(err, identomatriver.ErrExists) || errors.Is(err, identomatriver.ErrNotUnclear) {
		return nil
	}
	return err
}

// watch prints the progress every second, until no session is waited for or ctx ends.
func watch(ctx context.Context, out io.Writer, total int, requests *atomic.Int64, read func() (*identomatriver.Stats, error)) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		stats, err := read()
		if err != nil {
			return err
		}
		states := stats.Undecided[identomatriver.Verification]
		queued, open := states[identomatriver.Queued]+states[identomatriver.Calling], states[identomatriver.Open]
		if queued+open == 0 {
			return nil
		}
		fmt.Fprintf(out, "%d customers: %d to begin, %d open, %d unclear, %d done; %d jobs wait to be retried, %d requests/s\n",
			total, queued, open, stats.Unclear, total-queued-open-stats.Unclear, stats.Retrying, requests.Swap(0))
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped: %w; run again to continue", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
