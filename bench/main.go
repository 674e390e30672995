// Command bench compares calls of this SDK with the same calls written by hand and with other
// clients. Run it from the root of the repository:
//
//	go run ./bench
//
// The server runs in a separate process, so the figures cover only the client's work. In each
// round, every client makes one batch of calls. A figure is the median, over all rounds, of the ratio
// to the hand-written calls in the same round. Anything that slows down the machine therefore
// affects all clients. Before a measurement, the program checks that every client sends the same
// request and decodes the same response as the hand-written client.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	if os.Getenv(serverVariable) != "" {
		serve()
		return
	}
	rounds := flag.Int("rounds", 30, "number of rounds")
	quick := flag.Bool("quick", false, "check that everything runs, in a few seconds; the figures are meaningless")
	only := flag.String("rows", "", "measure only the rows that match this `regexp`")
	columns := flag.String("columns", "", "measure only the clients that match this `regexp`, in addition to the baseline")
	profile := flag.String("cpuprofile", "", "write a CPU profile to `file`")
	flag.Parse()
	if err := run(*rounds, *quick, *only, *columns, *profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A row is one kind of call.
type row struct {
	name string
	call func(client) (answer, error)
	// batch is the number of calls per measurement. If workers is set, that many goroutines share
	// them.
	batch, workers int
}

var rows = []row{
	{name: "begin", call: client.begin, batch: 300},
	{name: "result, response kept", call: client.result, batch: 200},
	{name: "result, response not kept", call: client.outcome, batch: 200},
	{name: "download 16 MiB", call: client.download, batch: 6},
	{name: "upload 8 MiB", call: client.upload, batch: 10},
	{name: "begin, 8 concurrent", call: client.begin, batch: 400, workers: 8},
	{name: "search, 230 hits", call: client.search, batch: 20},
}

// A column is one client.
type column struct {
	name string
	make func(base string, signed bool) (client, error)
}

var columns = []column{
	{"by hand", func(base string, signed bool) (client, error) { return byHand(base, signed), nil }},
	{"identomat", newSDK},
	// The same code as the baseline: the deviation from 1 in this column is noise.
	{"by hand (control)", func(base string, signed bool) (client, error) { return byHand(base, signed), nil }},
	{"resty", newResty},
	{"retryablehttp", newRetryable},
	{"go-github", newGitHub},
	{"godo", newGodo},
	{"stripe-go", newStripe},
	{"openai-go", newOpenAI},
}

func run(rounds int, quick bool, only, names, profile string) error {
	rowFilter, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	columnFilter, err := regexp.Compile(names)
	if err != nil {
		return err
	}
	base, stop, err := startServer()
	if err != nil {
		return err
	}
	defer stop()
	if err := writeUpload(); err != nil {
		return err
	}
	defer os.Remove(uploadFile)
	if quick {
		rounds = 2
	}
	chosen := columns[:1:1]
	for _, c := range columns[1:] {
		if columnFilter.MatchString(c.name) {
			chosen = append(chosen, c)
		}
	}
	describe(rounds, quick)
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for _, signed := range []bool{false, true} {
		clients := make([]client, len(chosen))
		for i, c := range chosen {
			if clients[i], err = c.make(base, signed); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		var measured []measurement
		for _, r := range rows {
			if !rowFilter.MatchString(r.name) {
				continue
			}
			if quick {
				r.batch = max(2, r.batch/50)
			}
			if err := check(base, r, chosen, clients); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			m, err := r.measure(rounds, clients)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			measured = append(measured, m)
		}
		report(signed, chosen, measured)
	}
	return nil
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
			return fmt.Errorf("%s sends %s\nby hand: %s", chosen[i].name, got, want)
		}
		if gotAnswer != wantAnswer {
			return fmt.Errorf("%s reads %s\nby hand: %s", chosen[i].name, gotAnswer, wantAnswer)
		}
	}
	return nil
}

// A cost is the average cost of one call.
type cost struct{ time, allocs, bytes float64 }

// A measurement holds the costs of every client in every round.
type measurement struct {
	row     string
	clients [][]cost
}

func (r row) measure(rounds int, clients []client) (measurement, error) {
	m := measurement{row: r.name, clients: make([][]cost, len(clients))}
	for _, c := range clients { // warm up connections, pools and caches
		if _, err := r.run(c); err != nil {
			return m, err
		}
	}
	for range rounds {
		// Use a random order, so that no client always runs after one that leaves a lot of garbage.
		for _, i := range rand.Perm(len(clients)) {
			c, err := r.run(clients[i])
			if err != nil {
				return m, err
			}
			m.clients[i] = append(m.clients[i], c)
		}
	}
	return m, nil
}

// run makes one batch of calls.
func (r row) run(c client) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := r.calls(c)
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(r.batch)
	return cost{
		time: float64(elapsed) / n, allocs: float64(after.Mallocs-before.Mallocs) / n,
		bytes: float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, err
}

func (r row) calls(c client) error {
	if r.workers == 0 {
		for range r.batch {
			if _, err := r.call(c); err != nil {
				return err
			}
		}
		return nil
	}
	var all sync.WaitGroup
	failures := make([]error, r.workers)
	for i := range r.workers {
		all.Go(func() {
			for range r.batch / r.workers {
				if _, err := r.call(c); err != nil {
					failures[i] = err
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// describe prints the machine and the versions that the figures depend on.
func describe(rounds int, quick bool) {
	cpu := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, model, found := strings.Cut(string(info), "model name\t: "); found {
			cpu, _, _ = strings.Cut(model, "\n")
		}
	}
	fmt.Printf("%s, %d cores, %s/%s, %s, %d rounds\n", cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), rounds)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			switch dep.Path {
			case "resty.dev/v3", "github.com/hashicorp/go-retryablehttp", "github.com/google/go-github/v89", "github.com/digitalocean/godo",
				"github.com/stripe/stripe-go/v85", "github.com/openai/openai-go/v3":
				fmt.Printf("%s %s\n", dep.Path, dep.Version)
			}
		}
	}
	fmt.Println("\nTime / allocations / bytes allocated per call, relative to the hand-written call.")
	if quick {
		fmt.Println("This is a quick run, which only checks that every client does the same work. The figures are meaningless.")
	}
}

func report(signed bool, chosen []column, measured []measurement) {
	title := "unsigned"
	if signed {
		title = "signed, responses verified"
	}
	fmt.Printf("\n| %s | by hand |", title)
	for _, c := range chosen[1:] {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Print(" interquartile range of identomat's times |\n|---|---|")
	fmt.Println(strings.Repeat("---|", len(chosen)))
	for _, m := range measured {
		baseline := m.clients[0]
		fmt.Printf("| %s | %s, %.0f, %s |", m.row, time.Duration(median(baseline, timeOf)).Round(100*time.Nanosecond),
			median(baseline, allocsOf), size(median(baseline, bytesOf)))
		spread := ""
		for i, costs := range m.clients[1:] {
			ratios := make([]cost, len(costs))
			for round := range costs {
				ratios[round] = cost{
					costs[round].time / baseline[round].time, costs[round].allocs / baseline[round].allocs, costs[round].bytes / baseline[round].bytes,
				}
			}
			fmt.Printf(" %.2f / %.2f / %.2f |", median(ratios, timeOf), median(ratios, allocsOf), median(ratios, bytesOf))
			if chosen[i+1].name == "identomat" {
				spread = fmt.Sprintf("%.2f–%.2f", quantile(ratios, timeOf, 0.25), quantile(ratios, timeOf, 0.75))
			}
		}
		fmt.Printf(" %s |\n", spread)
	}
}

func timeOf(c cost) float64   { return c.time }
func allocsOf(c cost) float64 { return c.allocs }
func bytesOf(c cost) float64  { return c.bytes }

func median(costs []cost, of func(cost) float64) float64 { return quantile(costs, of, 0.5) }

func quantile(costs []cost, of func(cost) float64, q float64) float64 {
	all := make([]float64, len(costs))
	for i, c := range costs {
		all[i] = of(c)
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1)+0.5)]
}

func size(bytes float64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f kB", bytes/1000)
	}
	return fmt.Sprintf("%.1f MB", bytes/1e6)
}

// discard is io.Discard without ReadFrom, which would bypass the copy buffers.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

var _ io.Writer = discard{}
