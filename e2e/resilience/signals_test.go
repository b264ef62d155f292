package resilience

import (
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// endless starts a gateway with one stream open that never ends. More is for its environment, names and values in turn.
func endless(t *testing.T, more ...string) (*harness.Gateway, *open) {
	one := newScripted(t)
	g := harness.Start(t, harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL, "SERVER_DRAIN_TIMEOUT": "10m"}.With(more...))
	model := one.on(func(_ int, w http.ResponseWriter, r *http.Request) {
		event(w, "1")
		forever(r)
	})
	s := start(t, g, chatStream("one/"+model))
	_, err := s.event()
	require.NoError(t, err)
	return g, s
}

// refuses says that the gateway takes no new connections.
func refuses(g *harness.Gateway) func() bool {
	return func() bool {
		c, err := net.Dial("tcp", g.Addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}
}

func draining(g *harness.Gateway) func() bool {
	return func() bool { return g.Stderr.Contains(`"draining"`) }
}

func TestASecondInterruptEndsTheDrain(t *testing.T) {
	t.Parallel()
	g, s := endless(t)
	g.Signal(t, syscall.SIGINT)
	harness.Eventually(t, patience, "it drains", draining(g))
	g.Signal(t, syscall.SIGINT)
	assert.Zero(t, g.Wait(t, patience))
	_, err := s.rest()
	require.Error(t, err, "never a clean end")
}

func TestASecondTermDoesNotBreakStreams(t *testing.T) {
	t.Parallel()
	g, _ := endless(t)
	for range 2 {
		g.Signal(t, syscall.SIGTERM)
		harness.Eventually(t, patience, "it drains", draining(g))
	}
	time.Sleep(300 * time.Millisecond) // nothing is to be seen of a signal that does nothing
	assert.True(t, g.Running(), "a stream is open")
	g.Signal(t, syscall.SIGINT)
	assert.Zero(t, g.Wait(t, patience))
}

func TestAHangupEndsNothing(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP) // what ignores it, as nohup does, would have the gateway ignore it too
	t.Cleanup(func() { signal.Stop(heard) })
	one := newScripted(t)
	g := harness.Start(t, harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL})
	model := one.on(func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w, "one") })
	g.Signal(t, syscall.SIGHUP)
	harness.Eventually(t, patience, "it says what there is to do", func() bool { return g.Stderr.Contains("GATEWAY_ENV_FILE") })
	assert.Equal(t, http.StatusOK, g.Chat(t, chat("one/"+model)).Status)
	assert.Zero(t, g.Stop(t))
}
