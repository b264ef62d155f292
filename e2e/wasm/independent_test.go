package wasm

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// gated is a provider whose streams begin at once and end when it is opened.
func gated(t *testing.T) (p *harness.Provider, open func()) {
	gate := make(chan struct{})
	p = harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !bytes.Contains(body, []byte(`"stream":true`)) {
			_, _ = io.WriteString(w, `{"ok":true}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {}\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-gate:
			_, _ = io.WriteString(w, "data: [DONE]\n\n")
		case <-r.Context().Done():
		}
	})
	return p, func() { close(gate) }
}

// What is under way when the Go process is killed, and what has begun while it was gone, goes on when it comes back: a
// stream, and a request of which half has arrived. The policy holds all the time, and no request fails.
func TestTheReturnOfTheGoProcessChangesNothing(t *testing.T) {
	t.Parallel()
	one, open := gated(t)
	dir, err := os.MkdirTemp("", "igw") // short: it holds sockets
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env := harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "SERVER_PORT": harness.FreePort(t), "CONTROL_SOCKET_DIR": dir,
		"WASM_ENABLED": "true", "WASM_PATH": harness.Module(t), "POLICY_FILE": policyFile(t, denyDear),
	}
	g := harness.Serve(t, env)
	envoy := g.StartEnvoy(t)
	const streamed = `{"model":"one/m","stream":true}`
	half := func() func() *harness.Response {
		c := g.Dial(t)
		body := chat("one/m", "sent in two halves")
		c.Send(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:20]))
		return func() *harness.Response {
			c.Send(body[20:])
			return c.Receive(http.MethodPost)
		}
	}
	stream := func() *bufio.Reader {
		c := g.Dial(t)
		c.Send(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(streamed), streamed))
		require.Contains(t, line(t, c.Reader()), "200")
		for line(t, c.Reader()) != "data: {}" { // the head, and the size of a chunk
		}
		return c.Reader()
	}
	harness.Eventually(t, patience, "the lane is there", func() bool { return g.Chat(t, chat("one/m", "hi")).Status == http.StatusOK })
	stop, failed := make(chan struct{}), make(chan string, 1)
	go func() {
		bad := ""
		for {
			select {
			case <-stop:
				failed <- bad
				return
			case <-time.After(5 * time.Millisecond):
			}
			if r := g.Chat(t, chat("one/m", "hi")); r.Status != http.StatusOK {
				bad += r.String()
			}
			if r := g.Chat(t, chat("one/dear", "hi")); r.Status != http.StatusPaymentRequired {
				bad += r.String()
			}
		}
	}()
	streams, halves := []*bufio.Reader{stream()}, []func() *harness.Response{half()}
	g.Kill(t)
	streams, halves = append(streams, stream()), append(halves, half())
	again := harness.Serve(t, env)
	harness.Eventually(t, patience, "it is ready", func() bool {
		return g.Do(t, http.MethodGet, "/ready", "").Status == http.StatusOK
	})
	for _, finish := range halves {
		r := finish()
		if assert.NotNil(t, r) {
			assert.Equal(t, http.StatusOK, r.Status, r)
		}
	}
	open()
	for _, s := range streams {
		for text := line(t, s); text != "data: [DONE]"; text = line(t, s) {
			require.NotEqual(t, "0", text, "it has ended early")
		}
	}
	close(stop)
	assert.Empty(t, <-failed, "requests that failed meanwhile")
	assert.True(t, envoy.Running(), "the same Envoy")
	assert.Zero(t, again.Stop(t))
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	text, err := r.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimRight(text, "\r\n")
}
