package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// print shows medians over the rounds, and ratios of neighbours in time.
func (l *loopReport) print(out io.Writer) {
	fmt.Fprintf(out, "\ntool loops, %d tools of one MCP server\n", loopTools)
	for _, streamed := range []bool{false, true} {
		l.printUnused(out, streamed)
	}
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
			fmt.Fprintf(out, "  RSS MB of %s: %s before, %s after, %s after as many again, %s after %v more\n",
				g, figure(m.Before, g), figure(m.After, g), figure(m.Later, g), figure(m.Rested, g), restTime)
		}
	}
}

// printUnused compares the lanes.
func (l *loopReport) printUnused(out io.Writer, streamed bool) {
	var direct, on []costed
	for _, r := range l.Unused {
		if r.Streamed == streamed {
			direct, on = append(direct, r.Direct), append(on, r.On)
		}
	}
	times := func(of []costed) (v []float64) {
		for _, r := range of {
			v = append(v, perRequest(r))
		}
		return v
	}
	s := spreadOf(ratios(times(on), times(direct)))
	if s == nil {
		return
	}
	fmt.Fprintf(out, "none called, %s\n", cell{streamed, unusedConns})
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tms a request\tp50 ms\tfirst p50\tCPU s/1000: gateway\tenvoy\tmock\tload\t")
	for _, lane := range []struct {
		name string
		of   []costed
	}{{"direct lane", direct}, {"with tools", on}} {
		var p50, first []float64
		cpu := map[string][]float64{}
		for _, r := range lane.of {
			p50, first = append(p50, r.P50), append(first, r.FirstP50)
			for k, v := range r.CPU {
				cpu[k] = append(cpu[k], v)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", lane.name, number(median(times(lane.of))), number(median(p50)), number(median(first)),
			number(median(cpu["gateway"])), number(median(cpu["envoy"])), number(median(cpu["mock"])), number(median(cpu["load"])))
	}
	w.Flush()
	fmt.Fprintf(out, "  with tools / direct lane: %.2f (%.2f to %.2f)\n", s.Median, s.Min, s.Max)
}

// perRequest is the time that each request takes of a server that is kept busy, in milliseconds.
func perRequest(r costed) float64 {
	if r.Requests == 0 {
		return 0
	}
	return 1000 * r.Seconds / float64(r.Requests)
}
