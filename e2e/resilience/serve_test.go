package resilience

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// TestEnvoyGoesOnWithoutTheControlPlane kills `serve` beside an Envoy of one's own and starts it again.
func TestEnvoyGoesOnWithoutTheControlPlane(t *testing.T) {
	t.Parallel()
	one := newScripted(t)
	dir, err := os.MkdirTemp("", "igw") // short: it holds sockets
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env := harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "ONE_API_KEY": "sk-one",
		"SERVER_PORT": harness.FreePort(t), "CONTROL_SOCKET_DIR": dir,
		"WASM_ENABLED": "false", // with the filter, chat needs nobody (e2e/wasm)
	}
	g := harness.Serve(t, env)
	envoy := g.StartEnvoy(t)

	letGo := make(chan struct{})
	model := one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		event(w, "1")
		<-letGo
		event(w, "[DONE]")
	})
	var streams []*open
	for range 5 {
		s := start(t, g, chatStream("one/"+model))
		first, err := s.event()
		require.NoError(t, err)
		require.Equal(t, "1", first)
		streams = append(streams, s)
	}
	g.Kill(t)

	r := g.Chat(t, chat("one/x"))
	assert.Equal(t, http.StatusServiceUnavailable, r.Status, "%s", r)
	assert.Equal(t, "unavailable", r.Error().Code, "%s", r)
	assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
	assert.Equal(t, http.StatusServiceUnavailable, g.Do(t, http.MethodGet, "/ready", "").Status)
	assert.Equal(t, http.StatusServiceUnavailable, g.Do(t, http.MethodGet, "/v1/models", "").Status)
	assert.Equal(t, http.StatusOK, g.Do(t, http.MethodGet, "/health", "").Status)
	r = g.Do(t, http.MethodPost, "/proxy/one/v1/anything", `{"a":1}`)
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	requests := one.Requests()
	assert.Equal(t, "Bearer sk-one", requests[len(requests)-1].Header.Get("Authorization"), "Envoy holds the key itself")
	close(letGo)
	for _, s := range streams {
		text, err := s.rest()
		require.NoError(t, err)
		assert.Contains(t, text, "[DONE]")
	}

	again := harness.Serve(t, env)
	harness.Eventually(t, patience, "chats are answered again", func() bool {
		return g.Chat(t, chat("one/x")).Status == http.StatusOK
	})
	harness.Eventually(t, patience, "it is ready", func() bool {
		return g.Do(t, http.MethodGet, "/ready", "").Status == http.StatusOK
	})
	assert.True(t, envoy.Running(), "the same Envoy")
	assert.Zero(t, again.Stop(t))
}
