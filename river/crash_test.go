package identomatriver_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

// These tests run engines in processes of their own, which are the test binary again.

const childEnv = "IDENTOMAT_RIVER_CHILD"

// childRequest tells the child what to do.
type childRequest struct {
	Database, WidgetURL, APIURL, Key, Evidence string
	// KillID and KillStep say where the child kills itself.
	KillID, KillStep string
	// Limit is the shared limit of Calls calls, if it is not 0.
	Limit float64
	Calls int
	// Plain leaves out everything after the outcome.
	Plain bool
	// Measure makes the child print its goroutines and the size of its heap after three seconds.
	Measure bool
}

// child runs an engine until its standard input ends.
func child() {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	must(err)
	var r childRequest
	must(json.Unmarshal(line, &r))
	client, err := identomat.NewClient(r.Key, identomat.WithWidgetURL(r.WidgetURL), identomat.WithAPIURL(r.APIURL))
	must(err)
	if isPostgres(r.Database) {
		b, err := openPostgres(r.Database)
		must(err)
		childWith(in, r, client, b)
	} else {
		b, err := openSQLite(r.Database)
		must(err)
		childWith(in, r, client, b)
	}
}

func childWith[TTx any](in io.Reader, r childRequest, client *identomat.Client, b *bank[TTx]) {
	if r.Limit > 0 {
		limitedCalls(r, b)
		return
	}
	e := lifecycle(b, client, r.Evidence, func(config *identomatriver.Config[TTx]) {
		config.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
		if r.Plain {
			config.Evidence, config.Retention, config.Changed = nil, 0, b.changed
			config.MaxWorkers = 50
		}
		workers := river.NewWorkers()
		river.AddWorker(workers, &naiveWorker[TTx]{b: b, client: client, request: r})
		config.River = &river.Config{Workers: workers, TestOnly: true, JobTimeout: 5 * time.Second, RescueStuckJobsAfter: 6 * time.Second}
		if r.KillID != "" {
			config.River.RescueStuckJobsAfter = time.Hour // or a job of an earlier row could run when this process is killed
		}
		config.CallTimeout = 3 * time.Second
		identomatriver.SetStep(config, r.killAt)
	})
	must(e.Start(context.Background()))
	if r.Measure {
		time.Sleep(3 * time.Second)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		fmt.Println(runtime.NumGoroutine(), m.HeapAlloc)
	}
	_, _ = io.Copy(io.Discard, in)
	must(e.Stop(context.Background()))
	if !r.Measure {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(m.Sys)
	}
}

func (r childRequest) killAt(id, step string) {
	if id == r.KillID && step == r.KillStep {
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill() // SIGKILL
		select {}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// lifecycle returns an engine with which a verification is begun, sealed, and erased at once. If the verification is
// w1, the screening s1 follows the decision.
func lifecycle[TTx any](b *bank[TTx], client *identomat.Client, dir string, change func(*identomatriver.Config[TTx])) (e *identomatriver.Engine[TTx]) {
	config := b.config(client)
	config.Retention = time.Millisecond
	config.Evidence = &identomatriver.Evidence{
		Dir: func(id string) string { return filepath.Join(dir, id) },
		Files: func(_ context.Context, id string) ([]evidence.Option, error) {
			return []evidence.Option{evidence.With("decision.json", []byte(`{"id":"`+id+`"}`))}, nil
		},
		Remove: func(_ context.Context, id string) error { return os.RemoveAll(filepath.Join(dir, id)) },
	}
	config.Changed = func(ctx context.Context, tx TTx, c identomatriver.Change) error {
		if number, screened := strings.CutPrefix(c.Record.ID, "w"); screened && c.Event == identomatriver.Decided {
			if err := e.Screen(ctx, tx, "s"+number); err != nil {
				return err
			}
		}
		return b.changed(ctx, tx, c)
	}
	change(&config)
	e, err := identomatriver.New(b.driver, config)
	must(err)
	return e
}

// naiveArgs and naiveWorker are what a bank would write without the protocol.
type naiveArgs struct {
	ID string `json:"id"`
}

func (naiveArgs) Kind() string { return "naive" }

func (naiveArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: "identomat"} }

type naiveWorker[TTx any] struct {
	river.WorkerDefaults[naiveArgs]
	b       *bank[TTx]
	client  *identomat.Client
	request childRequest
}

func (w *naiveWorker[TTx]) Work(ctx context.Context, j *river.Job[naiveArgs]) error {
	if _, err := w.client.Sessions.Begin(ctx, identomat.BeginRequest{ClientUserID: j.Args.ID}); err != nil {
		return err
	}
	w.request.killAt(j.Args.ID, "after the call")
	return w.b.store.InTx(ctx, func(tx TTx) error {
		return w.b.exec(ctx, tx, `INSERT INTO bank_events (id, event, state) VALUES ($1, 'naive', '')`, j.Args.ID)
	})
}

// crash is a row of the crash table: a process is killed at a step of a job for this record.
type crash struct {
	kind identomatriver.Kind
	step string
	// unclear reports whether nobody can know if the call was made.
	unclear bool
	// long leaves the row to the long test.
	long bool
}

// verification returns the ID of the verification in a row.
func (c crash) verification(row int) string {
	if c.kind == identomatriver.Screening {
		return fmt.Sprintf("w%d", row)
	}
	return fmt.Sprintf("v%d", row)
}

var crashes = []crash{
	{identomatriver.Verification, "before the intent", false, true},
	{identomatriver.Verification, "after the intent", true, false},
	{identomatriver.Verification, "after the call", true, false},
	{identomatriver.Verification, "after the response", false, true},
	{identomatriver.Verification, "before the result", false, true},
	{identomatriver.Verification, "after the result", false, false},
	{identomatriver.Verification, "after the outcome", false, true},
	{identomatriver.Screening, "before the intent", false, true},
	{identomatriver.Screening, "after the intent", true, false},
	{identomatriver.Screening, "after the call", true, false},
	{identomatriver.Screening, "after the response", false, true},
	{identomatriver.Verification, "before the evidence", false, true},
	{identomatriver.Verification, "after the collection", false, true},
	{identomatriver.Verification, "after the seal", false, false},
	{identomatriver.Verification, "after the evidence", false, true},
	{identomatriver.Verification, "before the erasure", false, true},
	{identomatriver.Verification, "after the deletion", false, true},
	{identomatriver.Verification, "after the receipt", false, false},
	{identomatriver.Verification, "after the removal", false, true},
	{identomatriver.Verification, "after the erasure", false, true},
}

// A process is killed with SIGKILL at every step of every job. Nothing is lost, and nothing is begun or billed
// twice: each call is made at most once, or is listed as unclear. A naive job begins twice.
func TestCrashTable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the exit status of a killed process differs")
	}
	onBoth(t, crashTable[*sql.Tx], crashTable[pgx.Tx])
}

func crashTable[TTx any](t *testing.T, b *bank[TTx], database string) {
	fake := identomattest.NewServer(t)
	dir := t.TempDir()
	queue := lifecycle(b, fake.Client(), dir, func(c *identomatriver.Config[TTx]) { c.InsertOnly = true })
	request := childRequest{Database: database, WidgetURL: fake.WidgetURL, APIURL: fake.APIURL, Key: fake.CompanyKey, Evidence: dir}

	// Approve every session, and call back.
	approve := func() {
		for _, session := range fake.Sessions() {
			if session.Outcome == "in_progress" && session.ClientUserID != "naive" {
				require.NoError(t, fake.Approve(session.Token))
			}
			b.in(t, func(tx TTx) error {
				_, err := queue.Wake(t.Context(), tx, session.Token)
				return err
			})
		}
	}
	for i, c := range crashes {
		if c.long && !longTests {
			continue
		}
		b.in(t, func(tx TTx) error { return queue.Begin(t.Context(), tx, c.verification(i)) })
		r := request
		r.KillID, r.KillStep = c.verification(i), c.step
		if c.kind == identomatriver.Screening {
			r.KillID = fmt.Sprintf("s%d", i)
		}
		process := startChild(t, r)
		process.waitKilled(t, fmt.Sprintf("%s of %s", c.step, r.KillID), approve)
	}
	b.in(t, func(tx TTx) error {
		_, err := queue.River().InsertTx(t.Context(), tx, naiveArgs{"naive"}, nil)
		return err
	})
	r := request
	r.KillID, r.KillStep = "naive", "after the call"
	startChild(t, r).waitKilled(t, "the naive job", approve)

	// The last process works everything off. A dead leader keeps its office for 15 seconds.
	b.do(t, `DELETE FROM river_leader`)
	time.Sleep(7 * time.Second) // until every job is stuck
	survivor := startChild(t, request)
	eventually(t, "everything is worked off", func() bool {
		approve()
		return b.n(t, `SELECT count(*) FROM river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled', 'pending') AND kind <> 'identomat_sweep'`) == 0
	})
	survivor.stop(t)

	begun, searched := map[string]int{}, map[string]int{}
	for _, r := range fake.Requests() {
		switch r.Operation {
		case "begin/":
			begun[r.Parameters["clientUserId"].(string)]++
		case "search-screening-person":
			name := r.Parameters["query"].(map[string]any)["fullName"].(string)
			searched[strings.TrimPrefix(name, "Person ")]++
		}
	}
	var unclear []*identomatriver.Record
	b.in(t, func(tx TTx) (err error) {
		unclear, err = queue.Unclear(t.Context(), tx, 100)
		return err
	})
	listed := map[string]bool{}
	for _, r := range unclear {
		listed[r.ID] = true
	}
	rows, lost, twice := 0, 0, 0
	for i, c := range crashes {
		if c.long && !longTests {
			continue
		}
		rows++
		v, s := c.verification(i), fmt.Sprintf("s%d", i)
		if begun[v] > 1 || searched[s] > 1 {
			twice++
			t.Errorf("%s: begun %d times, searched %d times", c.step, begun[v], searched[s])
		}
		if c.kind == identomatriver.Verification && c.unclear {
			assert.True(t, listed[v], "begin %s: not listed", c.step)
			continue
		}
		r := record(t, b, identomatriver.Verification, v)
		assert.Equal(t, identomatriver.Approved, r.State, c.step)
		assert.False(t, r.Erased.IsZero(), "%s: not erased", c.step)
		var receipt evidence.Receipt
		require.NoError(t, json.Unmarshal(r.Receipt, &receipt), c.step)
		assert.True(t, receipt.Verified && receipt.Complete, c.step)
		for _, event := range []identomatriver.Event{identomatriver.SessionBegun, identomatriver.Decided, identomatriver.EvidenceSealed, identomatriver.SessionErased} {
			if n := b.n(t, `SELECT count(*) FROM bank_events WHERE id = $1 AND event = $2`, v, string(event)); n != 1 {
				lost++
				t.Errorf("%s: %d events %s", c.step, n, event)
			}
		}
		assert.Equal(t, c.unclear, listed[s], "screen %s", c.step)
		if c.kind == identomatriver.Screening && !c.unclear {
			assert.Equal(t, identomatriver.Done, record(t, b, identomatriver.Screening, s).State, c.step)
		}
	}
	assert.Len(t, unclear, 4)
	assert.Equal(t, 2, begun["naive"], "the naive job begins twice, so this test can fail")
	t.Logf("%d crashes: lost %d, begun or billed twice %d, unclear and listed %d; naive: begun %d times",
		rows, lost, twice, len(unclear), begun["naive"])
}

// process is a child process.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   bytes.Buffer
	ended chan error
}

func startChild(t *testing.T, r childRequest) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0]), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), childEnv+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, os.Stderr
	var err error
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	_, err = fmt.Fprintln(p.stdin, toJSON(r))
	require.NoError(t, err)
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// waitKilled waits until the process has killed itself.
func (p *process) waitKilled(t *testing.T, what string, meanwhile func()) {
	t.Helper()
	eventually(t, "the process is killed: "+what, func() bool {
		meanwhile()
		select {
		case err := <-p.ended:
			exit, isExit := errors.AsType[*exec.ExitError](err)
			require.True(t, isExit && exit.String() == "signal: killed", "%s: %v", what, err)
			return true
		default:
			return false
		}
	})
}

// stop ends the process and returns what it printed.
func (p *process) stop(t *testing.T) string {
	t.Helper()
	require.NoError(t, p.stdin.Close())
	require.NoError(t, <-p.ended)
	return p.out.String()
}
