package security

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// When Envoy's memory is nearly full (ENVOY_MAX_HEAP), the streams that hold most of it are reset. The others go on, Envoy does
// not end, and it takes requests again when there is room.
func TestStreamsThatHoldMuchAreResetWhenMemoryIsFull(t *testing.T) {
	t.Parallel()
	const connections, streams = 4, 100
	let := make(chan struct{})
	own := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		select {
		case <-let:
		case <-r.Context().Done():
			return
		}
		if strings.HasSuffix(r.URL.Path, "/large") {
			_, _ = w.Write(make([]byte, 2<<20))
			return
		}
		_, _ = io.WriteString(w, "end")
	})
	policy := filepath.Join(t.TempDir(), "policy.yaml") // with one, Envoy holds bodies until they have come whole
	require.NoError(t, os.WriteFile(policy, []byte("rules: [{name: dear, match: {model: dear}, act: deny}]"), 0o600))
	env := harness.Env{"PROVIDERS": "own", "OWN_API_URL": own.URL, "POLICY_FILE": policy, "WASM_PATH": harness.Module(t)}
	const monitor, plenty = `overload\.envoy\.resource_monitors\.fixed_heap\.pressure`, 1 << 28
	// How much is in use before anything happens depends on the machine: so that is asked first.
	probe := &exposed{Gateway: harness.Start(t, env.With("ENVOY_MAX_HEAP", strconv.Itoa(plenty)))}
	var idle int
	harness.Eventually(t, patience, "the memory is known", func() bool { idle = probe.counted(t, monitor); return idle > 0 })
	probe.Stop(t)
	e := &exposed{Gateway: harness.Start(t, env.With("ENVOY_MAX_HEAP", strconv.Itoa(plenty/100*idle+(32<<20))))}
	t.Logf("idle %d%% of %d", idle, plenty)
	envoy := e.EnvoyPID()

	open := func(c *h2, id uint32, path string) {
		t.Helper()
		require.NoError(t, c.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, EndHeaders: true, EndStream: true,
			BlockFragment: c.head(":method", "GET", ":scheme", "http", ":authority", "x", ":path", path),
		}))
	}
	small := e.h2(t, false)
	open(small, 1, "/proxy/own/small")
	var hold []*h2
	for range connections {
		c := e.h2(t, false) // it never lets the gateway send more than the first windows
		hold = append(hold, c)
		for i := range uint32(streams) {
			open(c, 2*i+1, "/proxy/own/large")
		}
	}
	harness.Eventually(t, patience, "all are with the provider", func() bool { return len(own.Requests()) == connections*streams+1 })
	close(let)
	harness.Eventually(t, patience, "streams are reset", func() bool {
		return e.counted(t, `envoy\.overload_actions\.reset_high_memory_stream\.count`) > 0
	})
	var got strings.Builder
	for !strings.HasSuffix(got.String(), "end") {
		f, err := small.ReadFrame()
		require.NoError(t, err, "a stream that holds little goes on")
		switch f := f.(type) {
		case *http2.DataFrame:
			got.Write(f.Data())
		case *http2.RSTStreamFrame:
			t.Fatalf("a stream that holds little was reset: %v", f.ErrCode)
		}
	}
	for _, c := range hold {
		_ = c.Close()
	}
	again := func() {
		harness.Eventually(t, patience, "it takes requests again", func() bool {
			return e.Do(t, http.MethodGet, "/proxy/own/small", "").Status == http.StatusOK
		})
	}
	again()

	// Those of HTTP/1 cannot be reset: who goes on sending a body is answered and cut off.
	var slow []*harness.Conn
	for range 16 {
		c := e.Dial(t)
		c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
		slow = append(slow, c)
	}
	harness.Eventually(t, patience, "all are under way", func() bool { return e.counted(t, `http\.public\.downstream_rq_active`) >= len(slow) })
	answers := make(chan *harness.Response, len(slow))
	for _, c := range slow {
		go func() { answers <- c.Receive(http.MethodPost) }()
		go func() { // ends with its connection
			c.Send(strings.Repeat("x", 8_000_000))
			for _, err := c.Write([]byte("x")); err == nil; _, err = c.Write([]byte("x")) { // slowly from then on
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	r := <-answers
	for i := 1; r == nil && i < len(slow); i++ { // an answer may be lost to who goes on sending
		r = <-answers
	}
	require.NotNil(t, r)
	assert.Equal(t, http.StatusServiceUnavailable, r.Status, "%s", r)
	assert.Equal(t, "overloaded", r.Error().Code, "%s", r)
	for _, c := range slow {
		_ = c.Close()
	}
	again()
	assert.Equal(t, envoy, e.EnvoyPID())
}

// Neither a full heap nor the limit of clients' connections turns away what the gateway's own process asks, which belongs to
// requests that were let in, nor those who ask whether it lives. Envoy's admin interface, which the drain needs, is not
// turned away either.
func TestTheGatewaysOwnRequestsAndProbesAreNotTurnedAway(t *testing.T) {
	t.Parallel()
	probes := harness.FreePort(t)
	g := harness.Start(t, harness.Env{"ENVOY_MAX_HEAP": "1048576", "SERVER_MAX_CONNECTIONS": "1", "SERVER_PROBE_PORT": probes})
	path, err := filepath.Glob(filepath.Join(g.TempDir, "inference-gateway-*", "loopback.sock"))
	require.NoError(t, err)
	require.Len(t, path, 1)
	own, err := net.Dial("unix", path[0]) // it is there before the client, and does not take its place
	require.NoError(t, err)
	defer own.Close()
	ask := func(c net.Conn, path string) int {
		_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
	require.Equal(t, http.StatusOK, ask(own, "/proxy/demo/models"))
	client := g.Dial(t)
	harness.Eventually(t, patience, "clients' requests are refused", func() bool { return ask(client, "/health") == http.StatusServiceUnavailable })
	assert.Zero(t, ask(g.Dial(t), "/health"), "one more client than there may be")
	assert.Equal(t, http.StatusOK, ask(own, "/proxy/demo/models"))
	another, err := net.Dial("unix", path[0])
	require.NoError(t, err)
	defer another.Close()
	assert.Equal(t, http.StatusOK, ask(another, "/proxy/demo/models"))
	for path, status := range map[string]int{"/health": http.StatusOK, "/ready": http.StatusOK, "/v1/models": http.StatusNotFound} {
		probe, err := net.Dial("tcp", "127.0.0.1:"+probes)
		require.NoError(t, err)
		assert.Equal(t, status, ask(probe, path), path)
		_ = probe.Close()
	}
	assert.Zero(t, harness.Run(t, g.Env(), "healthcheck").Code, "it asks there")
	assert.Contains(t, g.Admin(t, http.MethodGet, "/ready"), "LIVE")
}
