package loop

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// inFlight begins loops that wait for a tool, and one more that has several turns to go after it.
func inFlight(t *testing.T, w *world, tag string) (loops []asked) {
	t.Helper()
	for _, c := range []struct{ key, then, more string }{
		{"whole", "", ""},
		{"streamed", "", streaming},
		{"more-turns", ` then use tools mcp_t_echo with {"text":"still"} and mcp_t_sum with {"a":2,"b":40}`, streaming},
	} {
		key := c.key + tag
		loops = append(loops, begin(t, w.Gateway, say("one/assistant", `use the tool mcp_t_slow with {"key":"`+key+`"}`+c.then, c.more)))
		w.tools.slowly.awaitBegun(t, key)
	}
	return loops
}

func (w *world) letGo(tag string) {
	for _, key := range []string{"whole", "streamed", "more-turns"} {
		w.tools.slowly.letGo(key + tag)
	}
}

// finished checks that the loops of inFlight have come to their ends.
func finished(t *testing.T, loops []asked, tag string) {
	t.Helper()
	for i, a := range loops {
		r := <-a.got
		require.NotNil(t, r, "loop %d broke off", i)
		switch i {
		case 0:
			assert.Contains(t, whole(t, r).text, "slowly did whole"+tag)
		case 1:
			assert.Contains(t, streamed(t, r).text, "slowly did streamed"+tag)
		default:
			assert.Contains(t, streamed(t, r).text, "the sum is 42", "it has asked its model twice more")
		}
	}
}

// stopping is a gateway of a test that stops it.
func stopping(t *testing.T, start func(harness.T, harness.Env) *harness.Gateway, pairs ...string) *world {
	t.Helper()
	w := &world{tools: newToolServer(t), one: newProvider(t), two: newProvider(t)}
	w.Gateway = start(t, w.env().With("MCP_MAX_ITERATIONS", "10").With(pairs...))
	return w
}

func TestLoopsFinishWhenTheGatewayIsStopped(t *testing.T) {
	t.Parallel()
	w := stopping(t, harness.Start)
	awaitTools(t, w.Gateway)
	loops := inFlight(t, w, "")
	w.Signal(t, syscall.SIGTERM)
	harness.Eventually(t, patience, "it drains", func() bool { return w.Stderr.Contains("draining") })
	assert.True(t, w.Running(), "loops are under way")
	w.letGo("")
	finished(t, loops, "")
	assert.Zero(t, w.Wait(t, patience))
}

func TestLoopsThatDoNotEndAreToldOfTheStop(t *testing.T) {
	t.Parallel()
	w := stopping(t, harness.Start, "SERVER_DRAIN_TIMEOUT", "2s")
	awaitTools(t, w.Gateway)
	loops := inFlight(t, w, "")
	loops = append(loops, begin(t, w.Gateway, say("one/wait-first-stop", "go", streaming)))
	w.one.answers.awaitBegun(t, "wait-first-stop")
	w.Signal(t, syscall.SIGTERM)
	for i, a := range loops {
		r := <-a.got
		require.NotNil(t, r, "loop %d broke off", i)
		assert.Contains(t, r.String(), "the gateway is shutting down", "loop %d", i)
		assert.Equal(t, 1, strings.Count(r.String(), `"error":`), "%s", r)
		assert.NotContains(t, r.String(), "[DONE]")
		if i == 0 {
			assert.Equal(t, http.StatusServiceUnavailable, r.Status)
			assert.Equal(t, "unavailable", r.Error().Code)
		}
	}
	assert.Zero(t, w.Wait(t, patience))
	for _, key := range []string{"whole", "streamed", "more-turns"} {
		w.tools.slowly.awaitLeft(t, key)
	}
	w.one.answers.awaitLeft(t, "wait-first-stop")
}

// Without an Envoy of its own the gateway cannot keep new requests out, but it can stay for those it has.
func TestLoopsFinishWhenTheControlPlaneIsStopped(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "igw") // short: it holds sockets
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := stopping(t, harness.Serve, "SERVER_PORT", harness.FreePort(t), "CONTROL_SOCKET_DIR", dir)
	w.StartEnvoy(t)
	awaitTools(t, w.Gateway)
	loops := inFlight(t, w, "")
	w.Signal(t, syscall.SIGTERM)
	harness.Eventually(t, patience, "it drains", func() bool { return w.Stderr.Contains("draining") })
	r := w.Do(t, http.MethodGet, "/ready", "") // so that a load balancer sends nobody here any more
	assert.Equal(t, http.StatusServiceUnavailable, r.Status)
	assert.Contains(t, r.String(), "the gateway is shutting down")
	w.letGo("")
	finished(t, loops, "")
	assert.Zero(t, w.Wait(t, patience))
}
