// Command bench compares calls of this SDK with the same calls written by hand and with other
// clients. Run it from the root of the repository, on an idle machine:
//
//	go run ./bench
//
// This measures both supported Go releases in a quarter of an hour. With -write, it also writes the
// figures to docs/quality.md and docs/speed.svg. A run of selected rows or clients, and a quick run,
// measure only the Go release that runs the program.
//
// The server runs in a separate process, so the figures cover only the client's work. In each
// round, every client makes one batch of calls. A figure is the median, over all rounds, of the ratio
// to the hand-written calls in the same round. Anything that slows down the machine therefore
// affects all clients. If valgrind is installed, the program also counts the instructions of a call.
// Before a measurement, the program checks that every client sends the same request and decodes the
// same response as the hand-written client.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

// otherRelease is the Go release that a complete run measures in addition to its own.
const otherRelease = "go1.27.0"

func main() {
	switch {
	case os.Getenv(serverVariable) != "":
		serve()
		return
	case os.Getenv(countVariable) != "":
		exitOn(makeCounted(os.Getenv(countVariable)))
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 30, "number of rounds")
	flag.BoolVar(&o.quick, "quick", false, "check that everything runs, in a few seconds; the figures are meaningless")
	flag.StringVar(&o.rows, "rows", "", "measure only the rows that match this `regexp`")
	flag.StringVar(&o.columns, "columns", "", "measure only the clients that match this `regexp`, in addition to the baseline")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to `file`")
	asJSON := flag.Bool("json", false, "measure only this Go release and print the figures as JSON")
	write := flag.Bool("write", false, "write the figures of a complete run to "+document+" and "+picture)
	flag.Parse()
	complete := o == options{rounds: o.rounds}
	if *write && !complete {
		exitOn(fmt.Errorf("-write needs a complete run"))
	}
	own, err := run(o)
	exitOn(err)
	if *asJSON {
		exitOn(json.NewEncoder(os.Stdout).Encode(own))
		return
	}
	releases := []release{own}
	printRelease(os.Stdout, own)
	if complete && own.Go != otherRelease {
		other, err := runWith(otherRelease, o.rounds)
		exitOn(err)
		printRelease(os.Stdout, other)
		releases = append(releases, other)
	}
	if *write {
		exitOn(writeDocument(releases))
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runWith runs this program with another Go release.
func runWith(version string, rounds int) (r release, err error) {
	cmd := exec.Command("go", "run", "./bench", "-json", "-rounds", fmt.Sprint(rounds))
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+version)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w", version, err)
	}
	return r, json.Unmarshal(out, &r)
}

type options struct {
	rounds                 int
	quick                  bool
	rows, columns, profile string
}

// A release holds the figures for one Go release, and what they depend on.
type release struct {
	Go, CPU, Platform string
	Cores, Rounds     int
	Quick             bool
	Peers             []string // modules and versions
	Tables            []table
}

// A table holds the figures of all unsigned or all signed calls.
type table struct {
	Signed  bool
	Columns []string // the clients, the hand-written one first
	Rows    []figures
}

// figures are the costs of one row, by column.
type figures struct {
	Row   string
	Costs []cost
	// Ratios are relative to the first column.
	Ratios []cost
}

// A cost is the average cost of one call. Instructions is 0 if they were not counted.
type cost struct{ Time, Allocs, Bytes, Instructions float64 }

// A row is one kind of call.
type row struct {
	name string
	call func(client) (answer, error)
	// batch is the number of calls per measurement, which takes about 20 ms. If workers is set, that
	// many goroutines share the calls.
	batch, workers int
	// counted is the number of calls whose instructions are counted, or 0.
	counted int
	// unsigned is set if the row is only measured without signatures.
	unsigned bool
	// goal holds the highest ratios that the SDK may have, or 0.
	goal cost
	// reason says why the SDK misses a goal.
	reason string
}

// isMedia reports whether a row transfers a file. Its time varies more than that of other calls.
func (r row) isMedia() bool { return strings.Contains(r.name, "MiB") }

func begin(b beginning) func(client) (answer, error) {
	return func(c client) (answer, error) { return c.begin(b) }
}

func read(l *list) func(client) (answer, error) {
	return func(c client) (answer, error) { return c.list(l) }
}

const (
	manyQuestions        = "begin, 1,000 questions"
	manyQuestionsRefused = "begin refused, 1,000 questions"
)

// maxRefused is the goal for the time of a refused begin with 1,000 questions, relative to a
// successful one.
const maxRefused = 2

// Why the SDK misses goals.
const (
	beginReason = "The attempt has a timeout (3 percent of the instructions), and a trace that shows whether anything was sent (2 percent). " +
		"The calls send the same steps, which are checked against the documented rules only once."
	resultReason = "The attempt has a timeout, and the strings in the fields of a document are allocated one by one."
	listReason   = "With Go 1.27, the hand-written client needs fewer allocations. The cost of the call itself remains: the timeout " +
		"and the trace."
	downloadReason = "go-querystring encodes the form, and a timer watches for a stalled transfer."
	uploadReason   = "The file is opened twice, because no file is kept open between attempts."
)

var rows = []row{
	{name: "begin", call: begin(beginning{}), batch: 300, counted: 200, goal: cost{1.02, 1.05, 1.05, 1}, reason: beginReason},
	{name: "begin, 8 concurrent", call: begin(beginning{}), batch: 400, workers: 8, goal: cost{1.02, 1.05, 1.05, 0}, reason: beginReason},
	{name: "begin refused", call: begin(beginning{refused: true}), batch: 300, counted: 200, unsigned: true},
	{name: manyQuestions, call: begin(beginning{questions: 1000}), batch: 20, counted: 20, unsigned: true},
	{name: manyQuestionsRefused, call: begin(beginning{1000, true}), batch: 20, counted: 20, unsigned: true},
	{name: "result, response kept", call: client.result, batch: 100, counted: 100, goal: cost{0.85, 0.5, 1.1, 0}, reason: resultReason},
	{name: "result, response not kept", call: client.outcome, batch: 100, counted: 100, goal: cost{0.85, 0.5, 1.35, 0}, reason: resultReason},
	{name: "search, 230 hits", call: read(searchList), batch: 15, counted: 20, goal: cost{0.85, 0.25, 1.05, 0}, reason: listReason},
	{name: "blacklist, 230 records", call: read(blacklistList), batch: 15, counted: 20, goal: cost{0.85, 0.25, 1.05, 0}, reason: listReason},
	{name: "monitored, 230 records", call: read(monitoredList), batch: 20, counted: 20, goal: cost{0.85, 0.25, 1.05, 0}, reason: listReason},
	{name: "blacklist page of 2 MB", call: read(longList), batch: 1, counted: 2, unsigned: true},
	{name: "download 16 MiB", call: client.download, batch: 4, goal: cost{1, 1, 1.1, 0}, reason: downloadReason},
	{name: "upload 8 MiB", call: client.upload, batch: 5, goal: cost{1, 1.1, 1.1, 0}, reason: uploadReason},
}

// A column is one client.
type column struct {
	name string
	make func(base string, signed bool) (client, error)
	kind kind
}

type kind int

const (
	peerKind kind = iota
	ownKind
	// floorKind marks a client that sends literal requests and does not decode responses.
	floorKind
)

func newHand(base string, signed bool) (client, error) { return byHand(base, signed), nil }

var columns = []column{
	{"by hand", newHand, ownKind},
	{"identomat", newSDK, ownKind},
	{"RoundTrip", newRoundTrip, floorKind},
	{"raw TCP", newRawTCP, floorKind},
	// The same code as the baseline: the deviation from 1 in this column is noise.
	{"control", newHand, ownKind},
	{"resty", newResty, peerKind},
	{"retryablehttp", newRetryable, peerKind},
	{"go-github", newGitHub, peerKind},
	{"godo", newGodo, peerKind},
	{"stripe-go", newStripe, peerKind},
	{"openai-go", newOpenAI, peerKind},
}

func columnOf(name string) column {
	for _, c := range columns {
		if c.name == name {
			return c
		}
	}
	panic(name)
}

func rowOf(name string) row {
	for _, r := range rows {
		if r.name == name {
			return r
		}
	}
	panic(name)
}

// run measures the Go release that runs the program.
func run(o options) (release, error) {
	if o.quick {
		o.rounds = 2
	}
	r := describe(o)
	rowFilter, err := regexp.Compile(o.rows)
	if err != nil {
		return r, err
	}
	columnFilter, err := regexp.Compile(o.columns)
	if err != nil {
		return r, err
	}
	base, stop, err := startServer()
	if err != nil {
		return r, err
	}
	defer stop()
	if err := writeUpload(); err != nil {
		return r, err
	}
	defer os.Remove(uploadFile)
	chosen := columns[:1:1]
	for _, c := range columns[1:] {
		if columnFilter.MatchString(c.name) {
			chosen = append(chosen, c)
		}
	}
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return r, err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return r, err
		}
		defer pprof.StopCPUProfile()
	}
	for _, signed := range []bool{false, true} {
		t := table{Signed: signed}
		clients := make([]client, len(chosen))
		for i, c := range chosen {
			t.Columns = append(t.Columns, c.name)
			if clients[i], err = c.make(base, signed); err != nil {
				return r, fmt.Errorf("%s: %w", c.name, err)
			}
		}
		for _, row := range rows {
			if !rowFilter.MatchString(row.name) || signed && row.unsigned {
				continue
			}
			progress("%s, %s, signed: %t", r.Go, row.name, signed)
			if o.quick {
				row.batch = max(1, row.batch/50)
			}
			if err := check(base, row, chosen, clients); err != nil {
				return r, fmt.Errorf("%s: %w", row.name, err)
			}
			f, err := row.measure(o.rounds, clients)
			if err != nil {
				return r, fmt.Errorf("%s: %w", row.name, err)
			}
			t.Rows = append(t.Rows, f)
		}
		if !o.quick {
			progress("%s, instructions, signed: %t", r.Go, signed)
			if err := count(base, &t); err != nil {
				return r, err
			}
		}
		r.Tables = append(r.Tables, t)
	}
	progress("")
	return r, nil
}

// progress prints what is being measured, in place if possible.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r\033[K"+format, args...)
	}
}

// check makes one call with every client and compares the received request and the decoded answer
// with those of the hand-written client.
func check(base string, r row, chosen []column, clients []client) error {
	var want, wantAnswer string
	for i, c := range clients {
		got, gotAnswer, err := observe(base, func() (answer, error) { return r.call(c) })
		if err != nil {
			return fmt.Errorf("%s: %w", chosen[i].name, err)
		}
		if i == 0 {
			want, wantAnswer = got, gotAnswer
		}
		if got != want {
			got, want = fromDifference(got, want)
			return fmt.Errorf("%s sends %s\nby hand: %s", chosen[i].name, got, want)
		}
		if gotAnswer != wantAnswer && chosen[i].kind != floorKind {
			return fmt.Errorf("%s reads %s\nby hand: %s", chosen[i].name, gotAnswer, wantAnswer)
		}
	}
	return nil
}

// fromDifference cuts two texts around the first difference.
func fromDifference(a, b string) (string, string) {
	const shown = 200
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	i = max(0, i-shown)
	return a[i:min(i+2*shown, len(a))], b[i:min(i+2*shown, len(b))]
}

// describe returns the machine and the versions that the figures depend on.
func describe(o options) release {
	r := release{
		Go: runtime.Version(), CPU: "unknown CPU", Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(), Rounds: o.rounds, Quick: o.quick,
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, model, found := strings.Cut(string(info), "model name\t: "); found {
			r.CPU, _, _ = strings.Cut(model, "\n")
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			switch dep.Path {
			case "resty.dev/v3", "github.com/hashicorp/go-retryablehttp", "github.com/google/go-github/v89", "github.com/digitalocean/godo",
				"github.com/stripe/stripe-go/v85", "github.com/openai/openai-go/v3":
				r.Peers = append(r.Peers, dep.Path+" "+dep.Version)
			}
		}
	}
	return r
}
