package main

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// measure returns the medians of all rounds.
func (r row) measure(rounds int, clients []client) (figures, error) {
	costs := make([][]cost, len(clients))
	for _, c := range clients { // warm up connections, pools and caches
		if _, err := r.run(c); err != nil {
			return figures{}, err
		}
	}
	for range rounds {
		// Use a random order, so that no client always runs after one that leaves a lot of garbage.
		for _, i := range rand.Perm(len(clients)) {
			c, err := r.run(clients[i])
			if err != nil {
				return figures{}, err
			}
			costs[i] = append(costs[i], c)
		}
	}
	f := figures{Row: r.name}
	for _, own := range costs {
		ratios := make([]cost, rounds)
		for round, c := range own {
			ratios[round] = c.relativeTo(costs[0][round])
		}
		f.Costs, f.Ratios = append(f.Costs, median(own)), append(f.Ratios, median(ratios))
	}
	return f, nil
}

// run makes one batch of calls.
func (r row) run(c client) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := r.calls(c, r.batch)
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(r.batch)
	return cost{
		Time: float64(elapsed) / n, Allocs: float64(after.Mallocs-before.Mallocs) / n,
		Bytes: float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, err
}

func (r row) calls(c client, n int) error {
	workers := max(1, r.workers)
	var all sync.WaitGroup
	failures := make([]error, workers)
	work := func(i int) {
		for range max(1, n/workers) {
			if _, err := r.call(c); err != nil {
				failures[i] = err
				return
			}
		}
	}
	for i := 1; i < workers; i++ {
		all.Go(func() { work(i) })
	}
	work(0)
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c cost) relativeTo(base cost) cost {
	return cost{ratio(c.Time, base.Time), ratio(c.Allocs, base.Allocs), ratio(c.Bytes, base.Bytes), ratio(c.Instructions, base.Instructions)}
}

// ratio returns 0 if there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func median(costs []cost) cost {
	of := func(value func(cost) float64) float64 {
		all := make([]float64, len(costs))
		for i, c := range costs {
			all[i] = value(c)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return cost{
		of(func(c cost) float64 { return c.Time }), of(func(c cost) float64 { return c.Allocs }),
		of(func(c cost) float64 { return c.Bytes }), of(func(c cost) float64 { return c.Instructions }),
	}
}

// discard is io.Discard without ReadFrom, which would bypass the copy buffers.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
