package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Instructions are counted by callgrind in a process of one client. The process makes a few calls in
// one run, and many more in another, and the difference is the cost of a call. The count repeats to
// about 2 %, whatever else the machine does. Garbage collection is off, because it would run in one
// process and not in another.

// countVariable is the environment variable that makes the process a client whose instructions are
// counted. Its value is a counted call in JSON.
const countVariable = "IDENTOMAT_BENCH_COUNT"

type countedCall struct {
	Base, Row, Column string
	Signed            bool
	Calls             int
}

func makeCounted(text string) error {
	var call countedCall
	if err := json.Unmarshal([]byte(text), &call); err != nil {
		return err
	}
	c, err := columnOf(call.Column).make(call.Base, call.Signed)
	if err != nil {
		return err
	}
	return rowOf(call.Row).calls(c, call.Calls)
}

// warm is the number of calls in the first run.
const warm = 3

// count adds the instructions of the hand-written client, the SDK and RoundTrip to a table.
func count(base string, t *table) error {
	if path, _ := exec.LookPath("valgrind"); path == "" {
		return nil
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	failures := make(chan error, len(t.Rows)*len(t.Columns))
	for _, f := range t.Rows {
		n := rowOf(f.Row).counted
		for i, name := range t.Columns {
			if n == 0 || name != "by hand" && name != "identomat" && name != "RoundTrip" {
				continue
			}
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				few, err := countInstructions(countedCall{base, f.Row, name, t.Signed, warm})
				if err != nil {
					failures <- err
					return
				}
				many, err := countInstructions(countedCall{base, f.Row, name, t.Signed, warm + n})
				if err != nil {
					failures <- err
					return
				}
				f.Costs[i].Instructions = (many - few) / float64(n)
			})
		}
	}
	all.Wait()
	close(failures)
	for err := range failures {
		return err
	}
	for _, f := range t.Rows {
		for i := range f.Costs {
			f.Ratios[i].Instructions = ratio(f.Costs[i].Instructions, f.Costs[0].Instructions)
		}
	}
	return nil
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

func countInstructions(call countedCall) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(call)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self)
	// Callgrind fails on the signals that preempt goroutines.
	cmd.Env = append(os.Environ(), countVariable+"="+string(text), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "GOGC=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	match := collected.FindStringSubmatch(stderr.String())
	if err == nil && match == nil {
		err = errors.New("no count of instructions")
	}
	if err != nil {
		lines := strings.Split(stderr.String(), "\n")
		return 0, fmt.Errorf("%s: callgrind: %w\n%s", text, err, strings.Join(lines[:min(30, len(lines))], "\n"))
	}
	return strconv.ParseFloat(match[1], 64)
}
