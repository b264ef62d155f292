package limits

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// What a request may take is reckoned whichever way it goes: a burst through another lane cannot spend more.
func TestABurstIsHeldInEveryLane(t *testing.T) {
	m := newModel(t)
	tools := harness.NewToolServer(t)
	g := start(t, m, limitsFile(t, perAddress("tokens: {month: 5000}")), "MCP_ENABLED", "true", "MCP_SERVERS", "files="+tools.URL)
	for _, tt := range []struct{ path, body string }{
		{"/v1/chat/completions", chat("up/use-1-wait", `"max_tokens":900`, `"stream":true`)},
		{"/proxy/up/chat/completions", chat("use-1-wait", `"max_tokens":900`)},
		{"/proxy/up/completions", `{"model":"use-1-wait","prompt":["a","b","c"],"max_tokens":300}`},
		{"/v1/completions", `{"model":"up/use-1-wait","prompt":["a","b","c"],"max_tokens":100,"n":3}`},
	} {
		t.Run(tt.path, func(t *testing.T) {
			c := g.stranger(t)
			seen := c.rush(t, 20, tt.path, tt.body)
			for range 15 { // the others are held at 900 each, and wait
				require.Equal(t, http.StatusTooManyRequests, <-seen)
			}
			for range 5 {
				m.let <- struct{}{}
				require.Equal(t, http.StatusOK, <-seen)
			}
		})
	}
}

// With restricted models the paths of requests without a body are read too. They take no tokens.
func TestRequestsWithoutABodyTakeNoTokens(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, perAddress("tokens: {month: 5000}")), "ALLOWED_MODELS", "up/use-*, up/fail")
	c := g.stranger(t)
	for range 20 {
		r := c.send(t, http.MethodGet, "/proxy/up/models/use-1", "")
		require.Equal(t, http.StatusOK, r.Status, r)
		assert.Empty(t, left(r, "tokens"))
	}
	c.settled(t, 5000)
	assert.Equal(t, http.StatusForbidden, c.send(t, http.MethodGet, "/proxy/up/models/other", "").Status)
}

// A client that reads a stream to just before its end, where the provider says what it took, is charged for what it got.
func TestAClientThatLeavesALongStreamIsChargedForIt(t *testing.T) {
	g := theCounting(t)
	c := g.stranger(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	const bytes = 200 * 1500 // fifteen hundred tokens as events are
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions",
		strings.NewReader(chat("up/use-1-"+strconv.Itoa(bytes)+"-endless", `"stream":true`, `"max_tokens":100`)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewReader(resp.Body)
	for read := 0; read < bytes; {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		read += len(line)
	}
	leave()
	harness.Eventually(t, patience, "it is charged", func() bool {
		n, err := strconv.Atoi(left(c.ask(t, "fail", `"max_tokens":1`), "tokens"))
		return err == nil && n <= 3500 && n > 3000
	})
}

// Where tokens are limited, nothing is used that nobody will ever count.
func TestWhatNobodyCountsIsRefused(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, "reserve: 100\nlimits: [{name: each-address, per: address, tokens: {month: 5000}}]"))
	c := g.stranger(t)
	for _, tt := range []struct{ path, body string }{
		{"/proxy/up/batches", `{"input_file_id":"f"}`},
		{"/proxy/up/messages/batches", `{"requests":[]}`},
		{"/proxy/up/responses", `{"model":"use-1","input":"x","background":true}`},
		{"/v1/responses", `{"model":"up/use-1","input":"x","background":true}`},
	} {
		r := c.send(t, http.MethodPost, tt.path, tt.body)
		require.Equal(t, http.StatusTooManyRequests, r.Status, "%s: %s", tt.path, r)
		assert.Contains(t, r.Error().Message, "each-address")
		assert.Empty(t, r.Header.Get("Retry-After"), "it would not help")
	}
	assert.Equal(t, http.StatusOK, c.send(t, http.MethodPost, "/v1/responses", `{"model":"up/use-1","input":"x","background":false}`).Status)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/proxy/up/realtime", nil)
	require.NoError(t, err)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		req.Header.Set(name, value)
	}
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	assert.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
}
