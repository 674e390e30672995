// Package identomatriver runs verifications as jobs of River (riverqueue.com) in the bank's own database. They
// survive crashes, and any number of processes can share them. SQLite is enough for one process, and PostgreSQL
// serves a fleet with the same code.
//
//	driver, store := riverpgxv5.New(pool), identomatriver.NewPostgresStore(pool, cipher)
//	err := identomatriver.Migrate(ctx, driver, store)
//	engine, err := identomatriver.New(driver, identomatriver.Config[pgx.Tx]{
//		Client: client, Store: store,
//		BeginRequest: func(ctx context.Context, id string) (identomat.BeginRequest, error) { … },
//		Changed:      func(ctx context.Context, tx pgx.Tx, c identomatriver.Change) error { … },
//	})
//	err = engine.Start(ctx)
//
//	err = engine.Begin(ctx, tx, "v-1001")             // in the transaction that stores the verification
//	session, err := engine.Session(ctx, "v-1001")     // after the commit: where to send the customer
//	known, err := engine.Wake(ctx, tx, callback.SessionID)
//
// # Billable calls
//
// begin/ and other billable calls have no idempotency key: if a process is killed during the call, nobody knows
// whether it was processed. A job that simply starts again can begin a second session, and pay for it. So every
// billable call has two transactions. The first commits the intent to make the call. The second stores the
// response, inserts the next job and completes this one.
//
// A job that finds an intent does not make the call. The record becomes [Unclear], and so does the record of a
// call whose error is [identomat.MaybeProcessed]. [Engine.Unclear] lists such records, and a person settles them
// with [Engine.Settle]: with a session that was found in Identomat's dashboard, with a second call, or with
// neither. A call that was certainly refused is tried again.
//
// The SDK retries a search of the screening databases, because a second search changes nothing at Identomat.
// This package treats a search as billable nevertheless, because your contract may. To exclude retries within
// one call, use a client with [identomat.RetryPolicy] MaxAttempts 1.
//
// # Waiting
//
// A session waits in the database, as a scheduled job, and costs no memory. [Engine.Wake] reads its outcome at
// once. A session that nobody called about is polled at growing intervals: after five seconds, then each time
// its age has grown by half, until five minutes after its lifetime. A manual check is polled for as long as it
// takes, at intervals of up to six hours. River makes scheduled jobs available every five seconds.
//
// # Evidence and retention
//
// The decision schedules the collection of the evidence and, with a [Config.Retention], the erasure, in its own
// transaction. A sweep runs every hour, finds due erasures, and begins them at most three hours late. A session
// is erased only when its package verifies and is complete. [Engine.Hold] stops an erasure. The receipt remains
// in the record.
//
// An erasure must be due by the clocks of the process and of the database. A session expires by the clock of the
// process that reads its result, so keep the clocks of all processes within a minute of each other.
//
// # What the database contains
//
// The arguments of jobs are IDs that the bank chooses. Errors in River's tables are texts of the SDK or of this
// package, without values. A token is in one column, which a [Cipher] encrypts, and its SHA-256 in another.
//
// # Databases
//
// SQLite needs a pool of one connection; see [NewSQLiteStore]. For PgBouncer in transaction mode, set
// river.Config.PollOnly, and configure pgx for it (default_query_exec_mode=exec). The page docs/scale.md of the
// repository says which setup serves how many sessions, and plans a fleet.
//
// [Engine.Stats] returns figures for alerts, which module otel exports. River's web interface
// (riverqueue.com/docs/river-ui) shows the jobs.
//
// # Testing
//
// A test needs no database server: SQLite and package identomattest are enough, as in the tests of the repository's
// example webapp.
package identomatriver
