package identomatriver

import (
	"context"
	"errors"
	"time"

	"github.com/identomat-go/identomat"
)

// Kind is the kind of a record.
type Kind string

// Each kind of record belongs to one billable call.
const (
	Verification Kind = "verification" // begin/
	Screening    Kind = "screening"    // search-screening-person
	Monitoring   Kind = "monitoring"   // monitor-screening-query
)

// State is the state of a record.
type State string

// The states of a record. The states from Open on are only for verifications.
const (
	// Queued means that a job will make the billable call.
	Queued State = "queued"
	// Calling means that the intent to make the call is committed, and the call may have been made.
	Calling State = "calling"
	// Unclear means that nobody knows whether the call was processed, because its process was killed or its
	// response was lost. Only [Engine.Settle] changes this state.
	Unclear State = "unclear"
	// Failed means that the call certainly had no effect and is not made again, or that a person gave it up.
	Failed State = "failed"
	// Done means that the response of a screening or a monitoring was stored.
	Done State = "done"

	// Open means that the session has begun, and that its outcome is unknown.
	Open State = "open"
	// ManualCheck means that an operator at Identomat decides, or that the SDK does not know the outcome.
	ManualCheck State = "manual_check"
	// Approved means that the session was approved, by Identomat or by a person ([Engine.Decide]).
	Approved State = "approved"
	// Rejected means that the session was rejected, by Identomat or by a person.
	Rejected State = "rejected"
	// Expired means that the session was not finished in time, or no longer exists.
	Expired State = "expired"
)

// waits reports whether the outcome of a session is still unknown.
func (s State) waits() bool { return s == Open || s == ManualCheck }

// decided reports whether a session has an outcome, and therefore evidence.
func (s State) decided() bool { return s == Approved || s == Rejected }

// Record is what the engine knows about a verification, a screening or a monitoring. It holds no personal
// data.
type Record struct {
	// Kind and ID identify the record. The ID is the bank's own. It must contain neither a token nor personal
	// data, because River stores it in the arguments of jobs.
	Kind Kind
	ID   string
	// State is what the record waits for, or how it ended.
	State State
	// Token is set while a session exists at Identomat. The token of an unclear verification is set if the
	// response arrived but could not be stored together with the bank's records.
	Token identomat.Token
	// Intent counts the intents to make the call.
	Intent int64
	// Wakes counts calls of [Engine.Wake].
	Wakes int64

	// Queued is when the record was made, and Called when the last intent was committed. Entered is when
	// the record entered its state. Other times are zero until they apply.
	Queued, Called, Entered time.Time
	// Expires is the end of the session's lifetime.
	Expires time.Time
	// Due is when the next job should run. If the job is missing, a sweep inserts it.
	Due time.Time
	// Sealed is when the evidence was complete and sealed.
	Sealed time.Time

	// EraseAt is when the session is to be erased. Held says that a legal hold stops the erasure.
	EraseAt time.Time
	Held    bool
	// Anyway is a reason to erase without a complete package of evidence.
	Anyway string
	// Receipt is the JSON of the [evidence.Receipt], which remains.
	Receipt []byte
	// Erased is when the erasure was complete.
	Erased time.Time
}

// erasing reports whether the session is to be erased now.
func (r *Record) erasing(now time.Time) bool {
	return !r.EraseAt.IsZero() && !r.EraseAt.After(now) && !r.Held && r.Erased.IsZero()
}

// eraseDue returns when the erasure is due, or the zero time if none is scheduled or a hold stops it.
func (r *Record) eraseDue() time.Time {
	if r.Held {
		return time.Time{}
	}
	return r.EraseAt
}

// ErrUnknown means that there is no such record.
var ErrUnknown = errors.New("identomatriver: there is no such record")

// Store keeps records in the bank's database. TTx is a transaction of that database, in which the bank
// also changes its own tables. [NewSQLiteStore], [NewPostgresStore] and [NewPostgresSQLStore] return ready ones.
type Store[TTx any] interface {
	// InTx runs fn in a transaction, which it commits unless fn returns an error.
	InTx(ctx context.Context, fn func(tx TTx) error) error
	// Insert inserts a record, and returns false if the kind has a record with this ID.
	Insert(ctx context.Context, tx TTx, r *Record) (bool, error)
	// Load returns a record or ErrUnknown. Lock does the same, and locks the record until the transaction
	// ends, so that no two transactions change it at the same time.
	Load(ctx context.Context, tx TTx, kind Kind, id string) (*Record, error)
	Lock(ctx context.Context, tx TTx, kind Kind, id string) (*Record, error)
	// Save stores all fields of a locked record.
	Save(ctx context.Context, tx TTx, r *Record) error
	// Find returns the ID of the verification with this token, or ErrUnknown.
	Find(ctx context.Context, tx TTx, token identomat.Token) (string, error)
	// List returns the records in a state, the oldest first.
	List(ctx context.Context, tx TTx, state State, limit int) ([]*Record, error)
	// Due locks and returns the records whose Due is set and not after t, the most overdue first. It skips records
	// that another transaction has locked, because waiting for several locks can end in a deadlock.
	Due(ctx context.Context, tx TTx, t time.Time, limit int) ([]*Record, error)
	// Stats returns figures for a dashboard and for alerts.
	Stats(ctx context.Context, tx TTx, now time.Time) (*Stats, error)
}

// Stats are figures about all records.
type Stats struct {
	// Undecided counts the records in the states Queued, Calling, Unclear, Open and ManualCheck.
	Undecided map[Kind]map[State]int
	// OldestOpen is the age of the oldest verification that waits for its session to begin or for its
	// outcome, or 0. Manual checks do not count.
	OldestOpen time.Duration
	// Unclear counts the records that wait for a person.
	Unclear int
	// Retrying counts the jobs of this package that failed and wait for their next attempt.
	Retrying int
	// BillableCalls counts the records of each kind whose last call was made within the last hour.
	BillableCalls map[Kind]int
}
