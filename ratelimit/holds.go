package ratelimit

import (
	"crypto/rand"
	"strconv"
	"sync"
	"time"
)

// longest is how long a request may hold what it has not settled. Envoy settles every request, however it ends; only an
// Envoy that dies leaves some behind.
const longest = time.Hour

// hold is what a running request has been counted for before it is known what it takes.
type hold struct {
	policy *policy
	levels []level
	amount int64
	since  time.Time
}

// holds are the running requests' holds.
type holds struct {
	mu    sync.Mutex
	run   string // of this process: Envoy may still know ids of the one before
	next  uint64
	open  map[string]hold
	swept time.Time
}

func newHolds() *holds { return &holds{run: rand.Text()[:8], open: map[string]hold{}} }

// put gives a hold its id, and returns those that are too old to be settled by Envoy.
func (h *holds) put(v hold) (id string, stale []hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	id = h.run + "-" + strconv.FormatUint(h.next, 10)
	h.open[id] = v
	if v.since.Sub(h.swept) > time.Minute {
		h.swept = v.since
		for id, old := range h.open {
			if v.since.Sub(old.since) > longest {
				stale = append(stale, old)
				delete(h.open, id)
			}
		}
	}
	return id, stale
}

// take gives a hold once.
func (h *holds) take(id string) (hold, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.open[id]
	delete(h.open, id)
	return v, ok
}
