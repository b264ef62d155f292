package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// What a burst of requests has needed at once stays with the process for minutes: Go collects only when the heap has
// doubled, or after two minutes, and keeps pages for a heap of that size. So a gateway that has nothing to do any more
// collects, and gives back what is free. RATIONALE.md has the figures.
const (
	restLook  = 10 * time.Second
	restWorth = 8 << 20 // what must have been allocated since the last time
	restQuiet = 1 << 20 // what a gateway that serves nobody allocates at most between two looks
)

// restAgain is how many quiet looks later it does so once more: connections that nobody uses have been closed by then.
const restAgain = 5

// rest decides when it is time to give memory back.
type rest struct {
	seen, rested uint64 // bytes allocated so far: at the last look, and at the last rest
	again        int    // quiet looks until the second rest
}

// due takes a look, told how many bytes the process has allocated in its life.
func (r *rest) due(allocated uint64) bool {
	quiet := allocated-r.seen < restQuiet
	r.seen = allocated
	switch {
	case !quiet:
		return false
	case allocated-r.rested >= restWorth:
		r.again = restAgain
	case r.again == 0:
		return false
	default:
		if r.again--; r.again > 0 {
			return false
		}
	}
	r.rested = allocated
	return true
}

// run looks until ctx ends.
func (r *rest) run(ctx context.Context) {
	look := time.NewTicker(restLook)
	defer look.Stop()
	var now runtime.MemStats
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		runtime.ReadMemStats(&now)
		if r.due(now.TotalAlloc) {
			runtime.GC() // pools keep what they hold for one collection
			debug.FreeOSMemory()
		}
	}
}
