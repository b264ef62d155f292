package loop

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestToolServersThatAreDownDelayNothing(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(gone) })
	one := newProvider(t)
	began := time.Now()
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "MCP_ENABLED": "true",
		"MCP_SERVERS": "down=http://127.0.0.1:" + harness.FreePort(t) + "/mcp,silent=" + silent.URL + "/mcp",
	})
	for _, more := range []string{"", streaming} {
		r := g.Chat(t, say("one/echo", "hello", more))
		assert.Equal(t, http.StatusOK, r.Status)
		assert.Contains(t, r.String(), "hello")
	}
	assert.Less(t, time.Since(began), patience, "less than the tool servers' time limit")

	for _, path := range []string{"/v1/mcp/tools", "/v1/mcp/servers"} { // MCP_EXPOSE is not set
		r := g.Do(t, http.MethodGet, path, "")
		assert.Equal(t, http.StatusForbidden, r.Status, path)
		assert.Equal(t, "not_enabled", r.Error().Code)
		assert.NotContains(t, r.String(), "silent")
	}
}

// What a client does not read must stay at the provider.
func TestClientsThatDoNotReadCostLittleMemory(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory of other processes is read from /proc")
	}
	one, tools := newProvider(t), newToolServer(t)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL,
		"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + tools.url,
	})
	awaitTools(t, g)
	const clients = 50
	envoy, gateway := memory(t, g.EnvoyPID()), memory(t, g.PID())
	body := say("one/flood", "go", streaming)
	for range clients {
		c := g.Dial(t)
		tcp, ok := c.Conn.(*net.TCPConn)
		require.True(t, ok)
		require.NoError(t, tcp.SetReadBuffer(16<<10)) // the kernel must not read for the client
		c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
		line, err := c.Reader().ReadString('\n') // and no more
		require.NoError(t, err)
		require.Contains(t, line, "200")
	}
	for last := int64(-1); last != flooded.Load(); time.Sleep(500 * time.Millisecond) { // until providers could not write for a while
		last = flooded.Load()
	}
	envoyGrew, gatewayGrew := memory(t, g.EnvoyPID())-envoy, memory(t, g.PID())-gateway
	t.Logf("%d clients do not read: providers wrote %d MB of %d MB, Envoy grew by %d MB, the gateway by %d MB",
		clients, flooded.Load()>>20, clients*floodSize>>20, envoyGrew>>20, gatewayGrew>>20)
	assert.Less(t, flooded.Load(), int64(clients*floodSize)/2, "the providers are held back")
	assert.Less(t, envoyGrew, int64(200<<20))
	// The loop keeps a turn's text for the next request, so the gateway holds what has come through; what has not come
	// through, the larger part, must not be in memory. The race detector's build needs several times as much as ours.
	assert.Less(t, gatewayGrew, int64(clients*floodSize)/2)
	assert.Contains(t, whole(t, g.Chat(t, say("one/assistant", `use the tool mcp_t_echo with {"text":"still"}`, ""))).text, "echo of still")
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
