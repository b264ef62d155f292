package loop

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// Loops at the same time never mix, and when they are over nothing of them is left.
func TestManyLoopsAtOnceKeepNothing(t *testing.T) {
	nap := func(ctx context.Context, arguments string) tools.Result {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
		return echo(ctx, arguments)
	}
	g := start(t, nil, func(o *Options) { o.MCP = offering("mcp", "calc", "add", nap) })
	round := func() {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				more := []string{"", streaming}[i%2]
				r := g.post(t, say([]string{"one/assistant", "two/assistant"}[i/2%2], fmt.Sprintf(`use the tool mcp_calc_add with {"n":"<%d>"}`, i), more))
				assert.Equal(t, http.StatusOK, r.status)
				assert.Equal(t, fmt.Sprintf(`The tool mcp_calc_add answered: got {"n":"<%d>"}`, i), textOf(t, r, more))
			})
		}
		all.Wait()
		g.forget()
	}
	round()
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	for range 3 {
		round()
	}
	grew := heapInUse() - heap
	t.Logf("300 loops more: %d KB, %d goroutines", grew>>10, runtime.NumGoroutine()-goroutines)
	assert.Less(t, grew, int64(1<<20))
}

// heapInUse is what lives, after collection.
func heapInUse() int64 {
	var m runtime.MemStats
	for range 3 { // finalizers, and what only they held
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
