package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
)

// report is everything a run found; -json writes it whole, print shows the medians.
type report struct {
	CPUs        int
	Concurrency int
	Rounds      int
	Seconds     float64 // of one measurement
	Usage       bool    // streams asked for a usage chunk
	Mock        string  // what the mock provider is
	BinaryMB    map[string]float64
	Idle        []idle
	Alone       []run // the load generator on the mock, nothing between: what the harness itself can do
	Runs        []run
	Streams     []streamRun
	Loops       *loopReport
	Notes       []string
	Problems    []string // wrong answers and the like: any of them makes the exit code 1
}

// idle is a target after its start, before any load.
type idle struct {
	Target       string
	StartSeconds float64
	RSS          map[string]float64 // MB
	CPUPercent   map[string]float64 // of one CPU
}

func (b *bench) problem(format string, args ...any) {
	b.report.Problems = append(b.report.Problems, fmt.Sprintf(format, args...))
	fmt.Fprintln(os.Stderr, "!!! "+fmt.Sprintf(format, args...))
}

func (b *bench) note(format string, args ...any) {
	b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
}

func (r *report) writeJSON(path string) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func (r *report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cols ...string) { fmt.Fprintln(w, strings.Join(cols, "\t")+"\t") }
	title := func(format string, args ...any) {
		w.Flush()
		fmt.Fprintf(out, "\n"+format+"\n", args...)
	}

	title("%d CPUs, Envoy concurrency %d, mock provider: %s, rounds: %d of %gs, medians", r.CPUs, r.Concurrency, r.Mock, r.Rounds, r.Seconds)
	for _, name := range []string{"gateway", "envoy"} {
		if mb, ok := r.BinaryMB[name]; ok {
			fmt.Fprintf(out, "binary of %s: %.1f MB\n", name, mb)
		}
	}
	title("idle, before any load")
	row("", "start s", "RSS MB gateway", "envoy", "CPU % gateway", "envoy")
	for _, i := range r.Idle {
		row(i.Target, number(i.StartSeconds), figure(i.RSS, "gateway"), figure(i.RSS, "envoy"), figure(i.CPUPercent, "gateway"), figure(i.CPUPercent, "envoy"))
	}
	for _, c := range r.cells() {
		title("%s", c)
		row("", "req/s", "p50 ms", "p99 ms", "first p50", "CPU s/1000: gateway", "envoy", "mock", "load", "RSS MB gateway", "envoy", "errors")
		for _, name := range append([]string{"mock", "raw"}, measured...) {
			if runs := r.of(c, name); len(runs) > 0 {
				row(rowOf(name, runs)...)
			}
		}
		w.Flush()
		for _, name := range measured {
			r.printRatios(out, c, name, "raw")
		}
		r.printRatios(out, c, "wasm-policy", "wasm")
		r.printRatios(out, c, "keys", "gateway")
		r.printRatios(out, c, "gateway", "floor-ext_proc")
		r.printRatios(out, c, "wasm", "floor-wasm")
		r.printRatios(out, c, "wasm", "floor-listener")
	}
	if len(r.Streams) > 0 {
		title("%d streams open at once", r.Streams[0].Streams)
		row("", "whole", "broken", "refused", "most open", "first p50 ms", "CPU s gateway", "envoy", "RSS MB of", "before", "all open", "middle", "end", "after")
	}
	for _, s := range r.Streams {
		cols := []string{
			s.Target, fmt.Sprint(s.Whole), fmt.Sprint(s.Broken), fmt.Sprint(s.Refused), fmt.Sprint(s.MaxOpen), number(s.FirstP50),
			figure(s.CPU, "gateway"), figure(s.CPU, "envoy"),
		}
		for _, g := range []string{"gateway", "envoy"} {
			if _, ok := s.Before[g]; ok {
				row(append(cols, g, figure(s.Before, g), figure(s.Open, g), figure(s.Middle, g), figure(s.End, g), figure(s.After, g))...)
				cols = []string{"", "", "", "", "", "", "", ""}
			}
		}
	}
	w.Flush()
	if r.Loops != nil {
		r.Loops.print(out)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(out, "note:", n)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(out, "\n!!! %d PROBLEMS: the figures above are not worth reading until these are gone\n", len(r.Problems))
		for _, p := range r.Problems {
			fmt.Fprintln(out, "!!!", p)
		}
	}
}

func rowOf(name string, runs []run) []string {
	mid := func(pick func(run) float64) string { return number(median(column(runs, pick))) }
	cols := []string{
		name,
		mid(func(r run) float64 { return r.RPS }), mid(func(r run) float64 { return r.P50 }),
		mid(func(r run) float64 { return r.P99 }), mid(func(r run) float64 { return r.FirstP50 }),
	}
	part := func(m func(run) map[string]float64, key string) {
		if _, ok := m(runs[0])[key]; !ok {
			cols = append(cols, "-")
			return
		}
		cols = append(cols, mid(func(r run) float64 { return m(r)[key] }))
	}
	for _, key := range []string{"gateway", "envoy", "mock", "load"} {
		part(func(r run) map[string]float64 { return r.CPU }, key)
	}
	for _, key := range []string{"gateway", "envoy"} {
		part(func(r run) map[string]float64 { return r.RSS }, key)
	}
	errors := 0
	for _, r := range runs {
		errors += r.Errors
	}
	return append(cols, fmt.Sprint(errors))
}

// measured are the targets that are compared with raw Envoy.
var measured = []string{"gateway", "wasm", "wasm-policy", "keys", "floor-listener", "floor-ext_proc", "floor-wasm", "floor-lua"}

// printRatios compares one target with another, round by round.
func (r *report) printRatios(out io.Writer, c cell, name, with string) {
	raw, gateway := r.of(c, with), r.of(c, name)
	if len(raw) == 0 || len(gateway) == 0 {
		return
	}
	proxyCPU := func(r run) float64 { return r.CPU["gateway"] + r.CPU["envoy"] }
	fmt.Fprintf(out, "  %s / %s:", name, with)
	for _, f := range []struct {
		name string
		pick func(run) float64
	}{
		{"req/s", func(r run) float64 { return r.RPS }},
		{"p50", func(r run) float64 { return r.P50 }},
		{"p99", func(r run) float64 { return r.P99 }},
		{"CPU", proxyCPU},
	} {
		if s := spreadOf(ratios(column(gateway, f.pick), column(raw, f.pick))); s != nil {
			fmt.Fprintf(out, "  %s %.2f (%.2f to %.2f)", f.name, s.Median, s.Min, s.Max)
		}
	}
	fmt.Fprintln(out)
}

func (r *report) cells() (cells []cell) {
	seen := map[cell]bool{}
	for _, x := range r.Runs {
		if !seen[x.Cell] {
			seen[x.Cell] = true
			cells = append(cells, x.Cell)
		}
	}
	return cells
}

// of keeps the order of the rounds, which ratios rely on: every round has both targets, or the run has ended.
func (r *report) of(c cell, target string) (runs []run) {
	for _, x := range append(r.Alone, r.Runs...) {
		if x.Cell == c && x.Target == target {
			runs = append(runs, x)
		}
	}
	return runs
}

func column(runs []run, pick func(run) float64) (v []float64) {
	for _, r := range runs {
		v = append(v, pick(r))
	}
	return v
}

func figure(m map[string]float64, key string) string {
	if v, ok := m[key]; ok {
		return number(v)
	}
	return "-"
}

// number keeps three digits that mean something.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case v == 0:
		return "0"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
