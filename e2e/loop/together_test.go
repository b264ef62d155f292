package loop

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestAnAgentAndAToolServerWorkInOneRequest(t *testing.T) {
	t.Parallel()
	w := theWorldWithAgent(t)
	both(t, func(t *testing.T, ask asking) {
		a, r := ask(w.Gateway, "one/assistant", `use tools a2a_p_echo with {"message":"hello"} and mcp_t_sum with {"a":2,"b":40}`, "")
		assert.Equal(t, "The tool a2a_p_echo answered: agent echo of hello\nThe tool mcp_t_sum answered: the sum is 42", a.text)
		assert.Equal(t, "stop", a.finish)
		assert.NotContains(t, r.String(), "tool_calls")

		a, _ = ask(w.Gateway, "two/assistant", `use the tool mcp_t_echo with {"text":"one"} then use the tool a2a_p_echo with {"message":"two"}`, "")
		assert.Contains(t, a.text, "agent echo of two")
	})
}

func TestEachKindCanBeBypassedByItself(t *testing.T) {
	t.Parallel()
	w := theWorldWithAgent(t)
	for _, c := range []struct {
		headers     []string
		mcp, agents bool
	}{
		{nil, true, true},
		{[]string{"X-MCP-Bypass: true"}, false, true},
		{[]string{"X-A2A-Bypass: true"}, true, false},
	} {
		seen := whole(t, w.Chat(t, say("one/mirror", "hello", ""), c.headers...)).text
		assert.Equal(t, c.mcp, contains(seen, "mcp_t_echo"), c.headers)
		assert.Equal(t, c.agents, contains(seen, "a2a_p_echo"), c.headers)
	}
	a := whole(t, w.Chat(t, say("one/assistant", `use the tool a2a_p_echo with {"message":"alone"}`, ""), "X-MCP-Bypass: true"))
	assert.Contains(t, a.text, "agent echo of alone")
}

func TestARequestThatBypassesBothTakesTheDirectLane(t *testing.T) {
	t.Parallel()
	w := theWorldWithAgent(t)
	r := w.Chat(t, say("one/mirror", "hello", ""), "X-MCP-Bypass: true", "X-A2A-Bypass: true")
	assert.Equal(t, say("mirror", "hello", ""), whole(t, r).text, "the provider gets the body as it came, but for the model")
	id := r.Header.Get("X-Request-Id")
	require.NotEmpty(t, id)
	var got []string
	harness.Eventually(t, patience, "the access log has the request", func() bool { got = lanes(w.Gateway)[id]; return len(got) > 0 })
	assert.Equal(t, []string{"direct"}, got)
}

func TestAnAgentIsToldNothingOfTheClient(t *testing.T) {
	t.Parallel()
	w := theWorldWithAgent(t)
	whole(t, w.Chat(t, say("one/assistant", `use the tool a2a_p_echo with {"message":"to be heard"}`, ""),
		"Authorization: Bearer CLIENTMARKER-auth", "Cookie: CLIENTMARKER-cookie", "X-Api-Key: CLIENTMARKER-key", "X-Own: CLIENTMARKER-own"))
	heard := false
	for _, r := range w.agent.Requests() {
		heard = heard || contains(string(r.Body), "to be heard")
		for name, values := range r.Header {
			for _, v := range values {
				assert.False(t, contains(v, "MARKER"), "%s: %s reached the agent", name, v)
			}
		}
	}
	assert.True(t, heard)
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/v1/a2a/agents/p", "").Status)
}
