package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// print shows medians over the rounds, and ratios of neighbours in time.
func (l *loopReport) print(out io.Writer) {
	fmt.Fprintf(out, "\ntool loops, %d tools of one MCP server\n", loopTools)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, streamed := range []bool{false, true} {
		var direct, on []float64
		for _, r := range l.Unused {
			if r.Streamed == streamed {
				direct, on = append(direct, perRequest(r.Direct)), append(on, perRequest(r.On))
			}
		}
		if s := spreadOf(ratios(on, direct)); s != nil {
			kind := "non-streamed"
			if streamed {
				kind = "streamed"
			}
			fmt.Fprintf(w, "none called, %s, %d connections:\tdirect lane\t%s ms\twith tools\t%s ms a request\tratio %.2f (%.2f to %.2f)\t\n",
				kind, unusedConns, number(median(direct)), number(median(on)), s.Median, s.Min, s.Max)
		}
	}
	w.Flush()
	var hand, loop, added []float64
	for _, r := range l.Called {
		hand, loop, added = append(hand, r.Hand.P50), append(loop, r.Loop.P50), append(added, r.Loop.P50-r.Hand.P50)
	}
	if s := spreadOf(added); s != nil {
		fmt.Fprintf(out, "one call, 1 connection: p50 by hand %s ms, by the gateway %s ms, added %s ms (%s to %s)\n",
			number(median(hand)), number(median(loop)), number(s.Median), number(s.Min), number(s.Max))
	}
	if m := l.Many; m != nil {
		fmt.Fprintf(out, "%d loops at once with a tool of %v: %d right, %d wrong, all done after %s s, p50 %s ms, p99 %s ms\n",
			m.Loops, napTime, m.Result.Requests, m.Result.Errors, number(m.Result.Seconds), number(m.Result.P50), number(m.Result.P99))
		for _, g := range []string{"gateway", "envoy"} {
			fmt.Fprintf(out, "  RSS MB of %s: %s before, %s after, %s after as many again\n", g, figure(m.Before, g), figure(m.After, g), figure(m.Later, g))
		}
	}
}

// perRequest is the time that each request takes of a server that is kept busy, in milliseconds.
func perRequest(r loadResult) float64 {
	if r.Requests == 0 {
		return 0
	}
	return 1000 * r.Seconds / float64(r.Requests)
}
