package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// percentile sorts d and returns its p-th percentile by nearest rank: a value that was measured, never one in between.
func percentile[T cmp.Ordered](d []T, p float64) T {
	var zero T
	if len(d) == 0 {
		return zero
	}
	slices.Sort(d)
	rank := int(math.Ceil(p / 100 * float64(len(d))))
	return d[min(max(rank, 1), len(d))-1]
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// spread is how a figure came out over the rounds.
type spread struct{ Median, Min, Max float64 }

func spreadOf(v []float64) *spread {
	if len(v) == 0 {
		return nil
	}
	return &spread{median(v), slices.Min(v), slices.Max(v)}
}

// ratios divides pair by pair: the two runs of a round are neighbours in time, so what else the machine did weighs on both,
// which a ratio of two medians would not cancel. A pair without a figure on either side is left out.
func ratios(a, b []float64) []float64 {
	var r []float64
	for i := range min(len(a), len(b)) {
		if a[i] > 0 && b[i] > 0 {
			r = append(r, a[i]/b[i])
		}
	}
	return r
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
