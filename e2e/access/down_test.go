package access

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// An Envoy whose gateway has gone lets nobody in, and everybody who may once it is back.
func TestWithoutTheCheckNobodyGetsIn(t *testing.T) {
	t.Parallel()
	one, dir := harness.NewProvider(t, nil), tempDir(t)
	env := harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "ONE_AUTH": "none",
		"API_KEYS_FILE": keyFile(t, filepath.Join(dir, "keys.yaml"), "plain"),
		"SERVER_PORT":   harness.FreePort(t), "CONTROL_SOCKET_DIR": dir,
	}
	g := harness.Serve(t, env)
	envoy := g.StartEnvoy(t)
	proxy := func(headers ...string) *harness.Response {
		return g.Do(t, http.MethodGet, "/proxy/one/x", "", headers...)
	}
	assert.Equal(t, http.StatusOK, proxy(bearer("plain")).Status)
	g.Kill(t)
	one.Reset()

	for name, r := range map[string]*harness.Response{
		"with a key": proxy(bearer("plain")), "without": proxy(), "with a bad key": proxy(bearer("nobody")),
		"chat": g.Chat(t, chat("one/m"), bearer("plain")), "a path that is not there": g.Do(t, http.MethodGet, "/nothing", ""),
	} {
		e := refused(t, r, http.StatusServiceUnavailable, "unavailable")
		assert.Contains(t, e.Message, "checks callers", name)
	}
	assert.Empty(t, one.Requests())
	assert.Equal(t, http.StatusOK, g.Do(t, http.MethodGet, "/health", "").Status)
	assert.Equal(t, http.StatusServiceUnavailable, g.Do(t, http.MethodGet, "/ready", "").Status)

	again := harness.Serve(t, env)
	harness.Eventually(t, patience, "callers are checked again", func() bool { return proxy(bearer("plain")).Status == http.StatusOK })
	assert.Equal(t, http.StatusUnauthorized, proxy(bearer("nobody")).Status)
	assert.True(t, envoy.Running(), "the same Envoy")
	assert.Zero(t, again.Stop(t))
}
