// Batch verifies ten thousand customers as jobs of package identomatriver, under a rate limit, and reports its
// progress. After Ctrl-C or a kill, run it again to continue. It never begins a session twice for a customer: if
// nobody can know whether a call was processed, the customer is listed as unclear. After a kill, the calls that
// were being made are listed after about three minutes.
//
//	go run ./examples/batch
//	go run ./examples/batch -customers customers.csv -dir batch -rate 50
//
// Without -customers, it runs against a fake Identomat in the same process, and plants failures. With
// -customers, it calls the service with IDENTOMAT_COMPANY_KEY. Each line of the file is your ID for a customer,
// such as "user-12345". If a session was begun elsewhere, its token follows: "user-12345,47fjzx…".
//
// The folder contains the database, batch.db, and the links to send to customers, links.csv. At the end,
// outcomes.csv says what became of each customer. Several processes can share a database of PostgreSQL, and
// with it the work and the rate limit. Identomat's API documentation states no rate limit, so ask Identomat
// which rate to keep.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatriver "github.com/identomat-go/identomat/river"
)

func main() {
	var s settings
	flag.StringVar(&s.customers, "customers", "", "`file` with a line for each customer: the ID, or ID,token; the default is a fake service")
	flag.StringVar(&s.dir, "dir", "", "`folder` for the database and the results; required with -customers")
	flag.StringVar(&s.database, "database", "", "`URL` of a PostgreSQL database that only batches use; the default is SQLite in the folder")
	flag.Float64Var(&s.rate, "rate", 0, "requests per second; 0 means 10, or 500 with the fake")
	flag.IntVar(&s.workers, "workers", 16, "number of concurrent requests")
	flag.IntVar(&s.fakes, "n", 10_000, "number of customers with the fake")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "batch:", err)
		os.Exit(1)
	}
}

type settings struct {
	customers, dir, database string
	rate                     float64
	workers, fakes           int
}

func run(ctx context.Context, out io.Writer, s settings) (err error) {
	b := batch{rate: s.rate, workers: s.workers}
	switch {
	case s.customers == "" && (s.dir != "" || s.database != ""):
		return errors.New("-dir and -database require -customers, because the fake forgets its sessions")
	case s.customers == "":
		server, err := identomattest.Start()
		if err != nil {
			return err
		}
		defer server.Close()
		if s.dir, err = os.MkdirTemp("", "batch"); err != nil {
			return err
		}
		defer os.RemoveAll(s.dir)
		b.fake(out, server, s.fakes)
	case s.dir == "":
		return errors.New("-customers requires -dir, the folder that keeps the database and the results")
	default:
		if b.customers, err = readCustomers(s.customers); err != nil {
			return err
		}
		if err := os.MkdirAll(s.dir, 0o700); err != nil { // the files contain tokens
			return err
		}
		b.client = identomat.NewClientFromEnv
		b.invite = func(id string, session *identomat.Session) error {
			file, err := os.OpenFile(filepath.Join(s.dir, "links.csv"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(file, "%s,%s\n", id, session.URL)
			return errors.Join(err, file.Close())
		}
	}
	states, err := b.run(ctx, out, s.database, filepath.Join(s.dir, "batch.db"))
	if len(states) == 0 {
		return err
	}
	return errors.Join(report(out, states, filepath.Join(s.dir, "outcomes.csv"), s.customers == ""), err)
}

// run verifies the customers with PostgreSQL, or if there is no URL, with SQLite in a file.
func (b *batch) run(ctx context.Context, out io.Writer, postgres, file string) (map[string]identomatriver.State, error) {
	if postgres != "" {
		pool, err := pgxpool.New(ctx, postgres)
		if err != nil {
			return nil, err
		}
		defer pool.Close()
		return verify(ctx, out, b, riverpgxv5.New(pool), identomatriver.NewPostgresStore(pool, nil))
	}
	name := url.URL{Scheme: "file", Opaque: filepath.ToSlash(file), RawQuery: url.Values{
		"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"},
	}.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	return verify(ctx, out, b, riversqlite.New(db), identomatriver.NewSQLiteStore(db, nil))
}

// fake makes n customers of a fake service, and plants failures.
func (b *batch) fake(out io.Writer, server *identomattest.Server, n int) {
	if b.rate == 0 {
		b.rate = 500
	}
	for i := range n {
		b.customers = append(b.customers, customer{id: fmt.Sprintf("user-%05d", i)})
	}
	b.client = func(opts ...identomat.Option) (*identomat.Client, error) { return server.Client(opts...), nil }
	// These customers follow their links at once.
	b.invite = func(id string, session *identomat.Session) error {
		switch {
		case strings.HasSuffix(id, "3"):
			return server.Reject(session.Token, "low_similarity")
		case strings.HasSuffix(id, "07"):
			return server.ManualCheck(session.Token)
		}
		return server.Approve(session.Token)
	}
	server.Fault("begin/", identomattest.TooManyRequests(0), 5)
	server.Fault("begin/", identomattest.ResetAfterRead(), 3)
	server.Fault("result/", identomattest.HTTPStatus(503), 5)
	server.Fault("result/", identomattest.HTMLPage(200), 3)
	fmt.Fprintf(out, `Verifying %d customers at a fake Identomat. These failures are planted:
  begin/   5 responses with status 429: retried
           3 lost responses, so nobody knows if there is a session: 3 customers are unclear at the end
  result/  5 responses with status 503, and 3 with an HTML page: read again
The log shows those that the SDK does not retry by itself. Also, one customer in ten is rejected, and one in a hundred needs a manual check.
`, n)
}

func readCustomers(name string) (customers []customer, err error) {
	data, err := os.ReadFile(name)
	for line := range strings.Lines(string(data)) {
		id, token, _ := strings.Cut(strings.TrimSpace(line), ",")
		customers = append(customers, customer{id, identomat.Token(token)})
	}
	return customers, err
}

// report prints how many verifications are in each state, and writes the state of each to a file.
func report(out io.Writer, states map[string]identomatriver.State, name string, planted bool) error {
	count := map[identomatriver.State]int{}
	var lines strings.Builder
	var unclear []string
	for _, id := range slices.Sorted(maps.Keys(states)) {
		state := states[id]
		count[state]++
		fmt.Fprintf(&lines, "%s,%s\n", id, state)
		if state == identomatriver.Unclear {
			unclear = append(unclear, id)
		}
	}
	fmt.Fprintf(out, "%d customers:\n", len(states))
	for _, state := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(out, "  %6d %s\n", count[state], state)
	}
	if len(unclear) > 0 {
		fmt.Fprintf(out, "Unclear: %s\n", strings.Join(unclear, ", "))
		if planted {
			fmt.Fprint(out, "These are the planted lost responses of begin/, not a defect. With the service, do this:\n")
		}
		fmt.Fprint(out, "Look for their sessions in Identomat's dashboard. Add the tokens to the file of customers, and run again.\n")
	}
	return os.WriteFile(name, []byte(lines.String()), 0o600)
}
