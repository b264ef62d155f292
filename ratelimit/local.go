package ratelimit

import (
	"context"
	"sync"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// mostWindows bounds the memory of the counters: about 20 MB. Addresses may come in any number.
const mostWindows = 100_000

// local counts in this process. What runs is held in whatever period it is in, and counted in the one that it ends in.
type local struct {
	now     func() time.Time
	mu      sync.Mutex
	windows map[key]*window
}

type window struct {
	period     int64 // number since 1970
	used, held int64
}

func newLocal(now func() time.Time) *local { return &local{now: now, windows: map[key]*window{}} }

func (l *local) take(_ context.Context, counters []counter, n int64) ([]level, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	levels := make([]level, len(counters))
	found := make([]*window, len(counters))
	ok := true
	for i, c := range counters {
		w := l.window(c, now)
		found[i] = w
		levels[i] = level{counter: c, left: max(0, c.quota.Most-w.used-w.held), end: end(c.quota.Period, now)}
		if levels[i].left < n {
			levels[i].over, ok = true, false
		}
	}
	if ok {
		for i := range levels {
			if counters[i].kind == limits.Tokens {
				found[i].held += n
			} else { // nobody tells of its end: who counts requests here is an Envoy that a reload is about to have count them itself
				found[i].used += n
			}
			levels[i].left -= n
		}
	}
	return levels, ok, nil
}

func (l *local) settle(_ context.Context, levels []level, n, used int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, v := range levels {
		w := l.window(v.counter, now)
		w.held = max(0, w.held-n)
		w.used += used
	}
}

// window gives the counter's, in the period of now.
func (l *local) window(c counter, now time.Time) *window {
	period := number(c.quota.Period, now)
	w := l.windows[c.key()]
	switch {
	case w == nil:
		if len(l.windows) >= mostWindows {
			l.sweep(now)
		}
		w = &window{period: period}
		l.windows[c.key()] = w
	case w.period != period:
		w.period, w.used = period, 0
	}
	return w
}

// sweep drops the counters whose period is over; when none is, those with the shortest period, whose loss means least,
// until a tenth is free.
func (l *local) sweep(now time.Time) {
	for k, w := range l.windows {
		if w.held == 0 && w.period != number(k.period, now) {
			delete(l.windows, k)
		}
	}
	for _, p := range limits.Periods() {
		for k, w := range l.windows {
			if len(l.windows) <= mostWindows*9/10 {
				return
			}
			if k.period == p && w.held == 0 {
				delete(l.windows, k)
			}
		}
	}
}

func number(p limits.Period, now time.Time) int64 { return now.Unix() / int64(p.Length()/time.Second) }

func end(p limits.Period, now time.Time) time.Time {
	return time.Unix((number(p, now)+1)*int64(p.Length()/time.Second), 0)
}
