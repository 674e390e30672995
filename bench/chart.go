package main

import (
	"fmt"
	"strings"
)

// chart returns a bar chart in SVG: the SDK's time by row, relative to the hand-written call.
func chart(r release) string {
	type bar struct {
		name             string
		unsigned, signed float64
		goal             float64
	}
	var bars []bar
	highest := 1.2
	for _, t := range r.Tables {
		sdk := t.column("identomat")
		for _, f := range t.Rows {
			value := f.Ratios[sdk].Time
			highest = max(highest, value)
			if t.Signed {
				for i := range bars {
					if bars[i].name == f.Row {
						bars[i].signed = value
					}
				}
			} else {
				bars = append(bars, bar{name: f.Row, unsigned: value, goal: rowOf(f.Row).goal.Time})
			}
		}
	}
	const (
		width, left, right   = 760, 220, 120
		top, rowHeight, thin = 64, 34, 11
	)
	height := top + len(bars)*rowHeight + 16
	x := func(value float64) float64 { return left + value/highest*(width-left-right) }
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%d" role="img">
<title>Time of a call with identomat, relative to the same call written by hand</title>
<style>
text { font: 13px sans-serif; fill: #1f2328 }
.page { fill: #ffffff }
.unsigned { fill: #0969da }
.signed { fill: #80b3ef }
.goal { fill: #bc4c00 }
.hand { stroke: #59636e; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.page { fill: #0d1117 }
.unsigned { fill: #4493f8 }
.signed { fill: #2a5a9b }
.goal { fill: #f0883e }
.hand { stroke: #9198a1 }
}
</style>
<rect class="page" width="%[1]d" height="%[2]d"/>
<text x="16" y="22">Time of a call relative to the same call by hand, %[3]s. Shorter is faster.</text>
`, width, height, strings.Replace(r.Go, "go", "Go ", 1))
	legend := left
	for _, entry := range []struct{ class, label string }{{"unsigned", "unsigned"}, {"signed", "signed"}, {"goal", "goal, at most"}} {
		size := 11
		if entry.class == "goal" {
			size = 3
		}
		fmt.Fprintf(&out, `<rect class="%s" x="%d" y="37" width="%d" height="11"/><text x="%d" y="47">%s</text>`+"\n",
			entry.class, legend, size, legend+size+6, entry.label)
		legend += 100
	}
	fmt.Fprintf(&out, `<path class="hand" d="M%d 36V50"/><text x="%d" y="47">by hand</text>`+"\n", legend+20, legend+28)
	fmt.Fprintf(&out, `<path class="hand" d="M%.1f %dV%d"/>`+"\n", x(1), top-6, height-12)
	for i, b := range bars {
		y := top + i*rowHeight
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-10, y+15, b.name)
		shown := fmt.Sprintf("%.2f", b.unsigned)
		if b.signed > 0 {
			shown += fmt.Sprintf(", %.2f", b.signed)
			fmt.Fprintf(&out, `<rect class="signed" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", left, y+thin+1, x(b.signed)-left, thin)
		} else {
			y += thin / 2
		}
		fmt.Fprintf(&out, `<rect class="unsigned" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", left, y, x(b.unsigned)-left, thin)
		y = top + i*rowHeight
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", width-16, y+15, shown)
		if b.goal > 0 {
			fmt.Fprintf(&out, `<rect class="goal" x="%.1f" y="%d" width="3" height="%d"/>`+"\n", x(b.goal)-1.5, y-3, 2*thin+7)
		}
	}
	return out.String() + "</svg>\n"
}
