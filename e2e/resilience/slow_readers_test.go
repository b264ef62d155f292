package resilience

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// TestClientsThatDoNotReadCostLittleMemory: what a client does not read must stay at the provider.
func TestClientsThatDoNotReadCostLittleMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory of other processes is read from /proc")
	}
	one := newScripted(t)
	g := harness.Start(t, harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL})
	const clients, most = 50, 20 << 20
	var written atomic.Int64
	piece := "data: " + strings.Repeat("x", 16<<10) + "\n\n"
	model := one.on(func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for sent := 0; sent < most && r.Context().Err() == nil; sent += len(piece) {
			n, err := w.Write([]byte(piece))
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	assert.Equal(t, http.StatusOK, g.Do(t, http.MethodGet, "/ready", "").Status)
	envoy, gateway := memory(t, g.EnvoyPID()), memory(t, g.PID())
	for range clients {
		start(t, g, chatStream("one/"+model)) // and read nothing
	}
	// Still is when the providers could not write for a while.
	for last := int64(-1); last != written.Load(); time.Sleep(500 * time.Millisecond) {
		last = written.Load()
	}
	envoyGrew, gatewayGrew := memory(t, g.EnvoyPID())-envoy, memory(t, g.PID())-gateway
	t.Logf("%d clients do not read: providers wrote %d MB of %d MB, Envoy grew by %d MB, the gateway by %d MB",
		clients, written.Load()>>20, clients*most>>20, envoyGrew>>20, gatewayGrew>>20)
	assert.Less(t, written.Load(), int64(clients*most), "the providers are held back")
	assert.Less(t, envoyGrew, int64(150<<20))
	assert.Less(t, gatewayGrew, int64(50<<20))
	assert.Equal(t, http.StatusOK, g.Chat(t, chat("one/x")).Status, "others are served")
}

// memory is the resident memory of a process in bytes.
func memory(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	require.NotEmpty(t, fields)
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	require.NoError(t, err)
	return kb << 10
}
