package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// The files that -write changes.
const (
	document = "docs/quality.md"
	picture  = "docs/speed.svg"

	documentBegin = "<!-- The text up to the next comment was written by go run ./bench -write. -->"
	documentEnd   = "<!-- End of the text written by go run ./bench -write. -->"
)

// printRelease prints the tables of a release in Markdown.
func printRelease(w io.Writer, r release) {
	fmt.Fprintf(w, "\n### %s\n\n%s, %d cores, %s, %d rounds.", strings.Replace(r.Go, "go", "Go ", 1), r.CPU, r.Cores, r.Platform, r.Rounds)
	if r.Quick {
		fmt.Fprint(w, " This is a quick run, which only checks that every client does the same work. The figures are meaningless.")
	}
	fmt.Fprintln(w)
	for _, t := range r.Tables {
		if len(t.Rows) > 0 {
			printGoals(w, t, !r.Quick)
		}
	}
	if !r.Quick {
		printMissed(w, r)
		printRefused(w, r)
	}
	for _, t := range r.Tables {
		if len(t.Rows) > 0 {
			printPeers(w, t, !r.Quick)
		}
	}
}

// title returns the heading of a table's first column.
func (t table) title() string {
	if t.Signed {
		return "signed, responses verified"
	}
	return "unsigned"
}

// column returns the index of a client, or -1.
func (t table) column(name string) int { return slices.Index(t.Columns, name) }

// printGoals compares the SDK with the hand-written client, the goals and the floors.
func printGoals(w io.Writer, t table, judge bool) {
	fmt.Fprintf(w, "\n| %s | by hand |", t.title())
	shown := []int{}
	for i, name := range t.Columns[1:] {
		if columnOf(name).kind != peerKind {
			shown = append(shown, i+1)
			fmt.Fprintf(w, " %s |", name)
			if name == "identomat" {
				fmt.Fprint(w, " goal, at most | missed |")
			}
		}
	}
	fmt.Fprintln(w, "\n|---|---|"+strings.Repeat("---|", len(shown)+2*min(1, len(shown))))
	for _, f := range t.Rows {
		fmt.Fprintf(w, "| %s | %s |", f.Row, absolute(f.Costs[0]))
		for _, i := range shown {
			fmt.Fprintf(w, " %s |", ratios(f.Ratios[i]))
			if t.Columns[i] == "identomat" {
				missed := "–"
				if r := rowOf(f.Row); judge && r.goal != (cost{}) {
					missed = cmp.Or(strings.Join(r.missed(f.Ratios[i]), ", "), "none")
				}
				fmt.Fprintf(w, " %s | %s |", ratios(rowOf(f.Row).goal), missed)
			}
		}
		fmt.Fprintln(w)
	}
}

// printPeers compares the SDK with the peers, and marks the figures in which a peer is ahead.
func printPeers(w io.Writer, t table, judge bool) {
	sdk := t.column("identomat")
	peers := []int{}
	for i, name := range t.Columns {
		if columnOf(name).kind == peerKind {
			peers = append(peers, i)
		}
	}
	if sdk < 0 || len(peers) == 0 {
		return
	}
	fmt.Fprintf(w, "\n| %s | identomat |", t.title())
	for _, i := range peers {
		fmt.Fprintf(w, " %s |", t.Columns[i])
	}
	fmt.Fprintln(w, "\n|---|---|"+strings.Repeat("---|", len(peers)))
	for _, f := range t.Rows {
		fmt.Fprintf(w, "| %s | %s |", f.Row, ratios(f.Ratios[sdk]))
		for _, i := range peers {
			if judge {
				fmt.Fprintf(w, " %s |", marked(f.Ratios[i], f.Ratios[sdk], rowOf(f.Row).tolerance()))
			} else {
				fmt.Fprintf(w, " %s |", ratios(f.Ratios[i]))
			}
		}
		fmt.Fprintln(w)
	}
}

// tolerance is the difference of two ratios of times that counts as none.
func (r row) tolerance() float64 {
	if r.isMedia() {
		return 0.05
	}
	return 0.03
}

// missed names the goals that the SDK misses.
func (r row) missed(got cost) (goals []string) {
	for _, g := range []struct {
		name               string
		got, goal, allowed float64
	}{
		{"time", got.Time, r.goal.Time, r.tolerance()}, {"allocations", got.Allocs, r.goal.Allocs, 0},
		{"bytes", got.Bytes, r.goal.Bytes, 0}, {"instructions", got.Instructions, r.goal.Instructions, 0.02},
	} {
		if g.goal > 0 && rounded(g.got) > rounded(g.goal+g.allowed) {
			goals = append(goals, fmt.Sprintf("**%s**", g.name))
		}
	}
	return goals
}

func rounded(f float64) int { return int(100*f + 0.5) }

// printMissed lists the missed goals with the floor and the reason.
func printMissed(w io.Writer, r release) {
	var lines []string
	for _, t := range r.Tables {
		sdk, floor := t.column("identomat"), t.column("RoundTrip")
		if sdk < 0 || floor < 0 {
			continue
		}
		for _, f := range t.Rows {
			row := rowOf(f.Row)
			if missed := row.missed(f.Ratios[sdk]); len(missed) > 0 {
				kind, _, _ := strings.Cut(t.title(), ",")
				line := fmt.Sprintf("- %s, %s: %s. `RoundTrip` alone: %s.", f.Row, kind, strings.Join(missed, ", "), ratios(f.Ratios[floor]))
				if row.reason != "" {
					line += " " + row.reason
				}
				lines = append(lines, line)
			}
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(w, "\nMissed goals:\n\n%s\n", strings.Join(lines, "\n"))
	}
}

// printRefused compares a refused begin with a successful one.
func printRefused(w io.Writer, r release) {
	times := map[string]float64{}
	t := r.Tables[0]
	sdk := t.column("identomat")
	if sdk < 0 {
		return
	}
	for _, f := range t.Rows {
		times[f.Row] = f.Costs[sdk].Time
	}
	if success, refused := times[manyQuestions], times[manyQuestionsRefused]; success > 0 && refused > 0 {
		verdict := ""
		if rounded(refused/success) > 100*maxRefused {
			verdict = ", **missed**"
		}
		fmt.Fprintf(w, "\nA refused begin with 1,000 questions takes %.2f times as long as a successful one (goal: at most %d%s).\n",
			refused/success, maxRefused, verdict)
	}
}

// absolute formats the costs of the hand-written client.
func absolute(c cost) string {
	text := fmt.Sprintf("%s, %.0f, %s", duration(c.Time), c.Allocs, size(c.Bytes))
	if c.Instructions > 0 {
		text += ", " + thousands(c.Instructions)
	}
	return text
}

func duration(ns float64) string {
	if ns < 1e6 {
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/float64(time.Millisecond))
}

func size(bytes float64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.1f kB", bytes/1e3)
	}
	return fmt.Sprintf("%.1f MB", bytes/1e6)
}

func thousands(n float64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.0fk", n/1e3)
	}
	return fmt.Sprintf("%.2fM", n/1e6)
}

// ratios formats time, allocations and bytes, and instructions if they were counted.
func ratios(c cost) string { return marked(c, cost{}, 0) }

// marked is ratios with the figures in bold that are below those of the SDK by more than tolerance.
func marked(c, sdk cost, tolerance float64) string {
	if c == (cost{}) {
		return "–"
	}
	figure := func(f, sdk float64) string {
		if rounded(sdk-f) > rounded(tolerance) && sdk > 0 {
			return fmt.Sprintf("**%.2f**", f)
		}
		return fmt.Sprintf("%.2f", f)
	}
	text := figure(c.Time, sdk.Time) + " / " + figure(c.Allocs, sdk.Allocs) + " / " + figure(c.Bytes, sdk.Bytes)
	if c.Instructions > 0 {
		text += " / " + figure(c.Instructions, 0)
	}
	return text
}

// writeDocument writes the figures to the document, and the picture.
func writeDocument(releases []release) error {
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), documentBegin)
	_, after, closed := strings.Cut(rest, documentEnd)
	if !found || !closed {
		return fmt.Errorf("%s lacks the comments around the figures", document)
	}
	var text strings.Builder
	printDocument(&text, releases)
	if err := os.WriteFile(document, []byte(before+documentBegin+"\n\n"+text.String()+"\n"+documentEnd+after), 0o644); err != nil {
		return err
	}
	return os.WriteFile(picture, []byte(chart(releases[0])), 0o644)
}

func printDocument(w io.Writer, releases []release) {
	fmt.Fprintf(w, `![Time of a call relative to the same call written by hand, by row](%s)

The program compares the SDK with the same calls written by hand with net/http and encoding/json, and
with other clients: %s. The server is a separate process. The clients take turns in random order, and a
figure is the median of the ratios of all rounds.

The column "by hand" holds the time, the allocations, the bytes allocated and the instructions of a call.
The other columns hold the same figures relative to it. callgrind counts the instructions, without those of
the garbage collector, of the clients and rows where they matter. A goal is the highest ratio that the SDK
may have. A difference of up to 0.03 between two times, or 0.05 if a file is transferred, does not count.

"RoundTrip" calls an http.Transport with a request that was encoded in advance, and does not decode the
response. "raw TCP" writes the literal request to a connection. Both show how much of the cost no client
can avoid. "control" is the hand-written client again: its difference from 1 is noise. A figure of another
client is bold if that client is ahead of the SDK.
`, strings.TrimPrefix(picture, "docs/"), strings.Join(releases[0].Peers, ", "))
	for _, r := range releases {
		printRelease(w, r)
	}
}
