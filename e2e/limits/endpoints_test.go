package limits

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// messageStart begins a stream of Anthropic's API, and tells some tokens already.
const messageStart = `event: message_start` + "\n" +
	`data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}` + "\n\n"

// otherAnswer is what endpoints other than chat answer, each with its own words for what it took; "" for chat.
func otherAnswer(path string, stream bool, tokens int) string {
	switch {
	case strings.HasSuffix(path, "/embeddings"):
		return fmt.Sprintf(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"m","usage":{"prompt_tokens":%d,"total_tokens":%[1]d}}`, tokens)
	case strings.HasSuffix(path, "/responses"):
		response := fmt.Sprintf(`{"id":"r","object":"response","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":%d,"total_tokens":%d}}`, tokens-1, tokens)
		if stream {
			return "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n" +
				"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response + "}\n\n"
		}
		return response
	case strings.HasSuffix(path, "/messages"):
		if stream {
			return messageStart + "event: message_delta\n" + fmt.Sprintf(`data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d}}`, tokens-3) + "\n\n" +
				"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
		}
		return fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":3,"output_tokens":%d}}`, tokens-3)
	}
	return ""
}

// Each endpoint that a model answers is limited, says so in its headers, and is charged by what its own answers say.
func TestEveryEndpointIsLimitedAndCharged(t *testing.T) {
	m := newModel(t)
	g := start(t, m, limitsFile(t, perAddress("requests: {hour: 100000}, tokens: {month: 50000}")),
		"PROVIDERS", "up,claude", "CLAUDE_API_URL", m.URL+"/v1", "CLAUDE_API_KEY", secretKey, "CLAUDE_DIALECT", "anthropic")
	for _, tt := range []struct{ path, body string }{
		{"/v1/chat/completions", chat("up/use-700", `"max_tokens":1000`)},
		{"/v1/chat/completions", chat("up/use-700", `"max_tokens":1000`, `"stream":true`)},
		{"/v1/embeddings", `{"model":"up/use-700","input":"hello"}`},
		{"/v1/responses", `{"model":"up/use-700","input":"hello","max_output_tokens":1000}`},
		{"/v1/responses", `{"model":"up/use-700","input":"hello","max_output_tokens":1000,"stream":true}`},
		{"/v1/messages", chat("claude/use-700", `"max_tokens":1000`)},
		{"/v1/messages", chat("claude/use-700", `"max_tokens":1000`, `"stream":true`)},
		{"/proxy/up/chat/completions", chat("use-700", `"max_tokens":1000`)},
		{"/proxy/up/responses", `{"model":"use-700","input":"hello","stream":true}`},
		{"/proxy/claude/messages", chat("use-700", `"max_tokens":1000`)},
		{"/proxy/claude/messages", chat("use-700", `"max_tokens":1000`, `"stream":true`)},
	} {
		stream := strings.Contains(tt.body, `"stream":true`)
		t.Run(fmt.Sprintf("%s stream=%t", tt.path, stream), func(t *testing.T) {
			c := g.stranger(t)
			r := c.send(t, http.MethodPost, tt.path, tt.body)
			require.Equal(t, http.StatusOK, r.Status, r)
			assert.Contains(t, []string{"99999", "100000"}, left(r, "requests"), "one is taken, and this bucket gets one back every 36 ms")
			assert.Equal(t, "100000", r.Header.Get("X-Ratelimit-Limit-Requests"))
			assert.Equal(t, "50000", r.Header.Get("X-Ratelimit-Limit-Tokens"))
			assert.Regexp(t, `^\d+$`, left(r, "tokens"))
			c.settled(t, 49300)
		})
	}
	// Its beginning tells of some tokens; that is not what it took.
	t.Run("a message that its client cuts is charged as it was held", func(t *testing.T) {
		c := g.stranger(t)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/messages", strings.NewReader(chat("claude/use-1-endless", `"stream":true`, `"max_tokens":900`)))
		require.NoError(t, err)
		resp, err := c.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		held, err := strconv.Atoi(left(&harness.Response{Header: resp.Header}, "tokens"))
		require.NoError(t, err)
		require.Less(t, held, 50000-900)
		_, err = bufio.NewReader(resp.Body).ReadString('}')
		require.NoError(t, err)
		leave()
		harness.Eventually(t, patience, "the provider is let go", func() bool { return g.model.running.Load() == 0 })
		c.settled(t, held)
	})
	// Behind /proxy Envoy has to find out by itself what an answer is, and does not know embeddings by their usage: they
	// have no output (docs/limits.md).
	t.Run("embeddings behind /proxy are charged as estimated", func(t *testing.T) {
		c := g.stranger(t)
		body := `{"model":"use-700","input":"hello"}`
		require.Equal(t, http.StatusOK, c.send(t, http.MethodPost, "/proxy/up/embeddings", body).Status)
		c.settled(t, 50000-len(body)/4)
	})
	t.Run("and refused", func(t *testing.T) {
		g.change(t, perAddress("tokens: {month: 2000}"), taken)
		for _, tt := range []struct{ path, model string }{
			{"/v1/chat/completions", "up/use-1500"},
			{"/v1/responses", "up/use-1500"},
			{"/v1/embeddings", "up/use-1500"},
			{"/v1/messages", "claude/use-1500"},
			{"/proxy/up/chat/completions", "use-1500"},
			{"/proxy/claude/messages", "use-1500"},
		} {
			c := g.stranger(t)
			ask := func(model string) *harness.Response {
				return c.send(t, http.MethodPost, tt.path, `{"model":"`+model+`","input":"x","messages":[{"role":"user","content":"x"}]}`)
			}
			require.Equal(t, http.StatusOK, ask(tt.model).Status, tt.path)
			harness.Eventually(t, patience, tt.path+" is refused", func() bool { return ask(tt.model).Status == http.StatusTooManyRequests })
			checkRefusal(t, ask(tt.model), "tokens")
		}
	})
}
