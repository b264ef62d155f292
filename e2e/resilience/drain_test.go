package resilience

import (
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestOpenStreamsFinishWhenTheGatewayIsStopped(t *testing.T) {
	t.Parallel()
	one := newScripted(t)
	g := harness.Start(t, harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL})
	letGo := make(chan struct{})
	model := one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		event(w, "1")
		<-letGo
		event(w, "[DONE]")
	})
	var streams []*open
	for range 5 {
		s := start(t, g, chatStream("one/"+model))
		_, err := s.event()
		require.NoError(t, err)
		streams = append(streams, s)
	}
	g.Signal(t, syscall.SIGTERM)
	harness.Eventually(t, patience, "new connections are refused", refuses(g))
	assert.True(t, g.Running(), "streams are open")
	close(letGo)
	for _, s := range streams {
		text, err := s.rest()
		require.NoError(t, err)
		assert.Contains(t, text, "[DONE]")
	}
	assert.Zero(t, g.Wait(t, patience))
}

// Who watches over the gateway can tell one that drains from one that has gone.
func TestProbesAreAnsweredInADrain(t *testing.T) {
	t.Parallel()
	probes := harness.FreePort(t)
	g, _ := endless(t, "SERVER_PROBE_PORT", probes)
	probed := func(path string) (status int, body string) {
		resp, err := harness.NewClient(t).Get("http://127.0.0.1:" + probes + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	status, body := probed("/ready")
	require.Equal(t, http.StatusOK, status, body)
	g.Signal(t, syscall.SIGTERM)
	harness.Eventually(t, patience, "clients are refused", refuses(g))
	status, body = probed("/ready")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "shutting down")
	status, body = probed("/health")
	assert.Equal(t, http.StatusOK, status, body)
	g.Signal(t, syscall.SIGINT)
	assert.Zero(t, g.Wait(t, patience))
}

func TestAStreamThatDoesNotEndDoesNotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	g, s := endless(t, "SERVER_DRAIN_TIMEOUT", "1s")
	g.Signal(t, syscall.SIGTERM)
	assert.Zero(t, g.Wait(t, patience))
	_, err := s.rest()
	require.Error(t, err, "never a clean end")
}
