package main

import (
	"math"
	"testing"
)

func TestPercentileIsNearestRank(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i // unsorted on purpose
	}
	for _, c := range []struct {
		d    []int
		p    float64
		want int
	}{
		{nil, 50, 0},
		{[]int{7}, 0, 7},
		{[]int{7}, 99, 7},
		{[]int{3, 1, 2}, 50, 2},
		{[]int{4, 3, 2, 1}, 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 99.5, 100},
		{hundred, 100, 100},
	} {
		if got := percentile(c.d, c.p); got != c.want {
			t.Errorf("p%v of %d values is %d, want %d", c.p, len(c.d), got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{[]float64{5}, 5}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.v); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.v, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestRatiosArePairByPair(t *testing.T) {
	got := spreadOf(ratios([]float64{50, 90, 10, 7}, []float64{100, 100, 40, 0}))
	if want := (spread{0.5, 0.25, 0.9}); got == nil || *got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if spreadOf(ratios(nil, []float64{1})) != nil {
		t.Error("no pairs, but a ratio")
	}
}
