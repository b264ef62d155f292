package limits

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// Without the gateway's process Envoy goes on counting requests, and lets nothing through whose tokens nobody would count.
func TestLimitsWithoutTheGatewaysProcess(t *testing.T) {
	m := newModel(t)
	env := harness.Env{
		"PROVIDERS": "up", "UP_API_URL": m.URL + "/v1", "UP_API_KEY": secretKey, "CONTROL_SOCKET_DIR": filepath.Join(harness.TempDir(t), "s"),
		"SERVER_PORT": harness.FreePort(t), "WASM_ENABLED": "true", "WASM_PATH": harness.Module(t),
	}
	t.Run("requests", func(t *testing.T) {
		g := harness.Serve(t, env.With("LIMITS_FILE", limitsFile(t, perAddress("requests: {hour: 5}"))))
		g.StartEnvoy(t)
		c := (&gateway{Gateway: g, model: m}).stranger(t)
		require.Equal(t, http.StatusOK, c.ask(t, "use-10").Status)
		g.Kill(t)
		assert.Equal(t, map[int]int{200: 4, 429: 6}, c.burst(t, 10, "use-10"), "the count goes on where it was")
	})
	t.Run("tokens", func(t *testing.T) {
		g := harness.Serve(t, env.With("LIMITS_FILE", limitsFile(t, perAddress("tokens: {month: 5000}"))))
		g.StartEnvoy(t)
		c := (&gateway{Gateway: g, model: m}).stranger(t)
		require.Equal(t, http.StatusOK, c.ask(t, "use-10").Status)
		g.Kill(t)
		before := m.used.Load()
		for _, path := range []string{"/v1/chat/completions", "/proxy/up/v1/chat/completions"} {
			r := c.send(t, http.MethodPost, path, chat("up/use-10"))
			require.Equal(t, http.StatusServiceUnavailable, r.Status, "%s: %s", path, r)
			assert.Equal(t, "unavailable", r.Error().Code, path)
		}
		assert.Equal(t, before, m.used.Load(), "no model has worked")
	})
}
