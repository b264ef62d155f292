package loop

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// asking asks the gateway in the way that a test runs in.
type asking = func(g *harness.Gateway, model, text, more string, headers ...string) (answer, *harness.Response)

func TestALoopAnswersOnce(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	both(t, func(t *testing.T, ask asking) {
		a, r := ask(w.Gateway, "one/assistant", `use the tool mcp_t_sum with {"a":2,"b":40}`, "")
		assert.Contains(t, a.text, "The tool mcp_t_sum answered: the sum is 42")
		assert.Equal(t, "stop", a.finish)
		assert.Empty(t, a.calls, "gateway tool calls are the gateway's")
		assert.Empty(t, r.Header.Get("X-Tool-Loop"))
		assert.NotEmpty(t, r.Header.Get("X-Request-Id"))
		assert.NotContains(t, r.String(), "tool_calls")
	})
}

func TestParallelCallsAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	both(t, func(t *testing.T, ask asking) {
		a, _ := ask(w.Gateway, "one/assistant", `use tools mcp_t_echo with {"text":"first"} and mcp_t_sum with {"a":1,"b":2} and mcp_t_fail with {} and mcp_t_nothing with {}`, "")
		lines := strings.Split(a.text, "\n")
		require.Len(t, lines, 4, a.text)
		for i, want := range []string{"echo of first", "the sum is 3", "it is broken", "no tool named"} {
			assert.Contains(t, lines[i], want)
		}
	})
}

func TestTheClientsOwnToolsAreReturnedAndNotRun(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	const own = `"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}],`
	both(t, func(t *testing.T, ask asking) {
		for name, text := range map[string]string{
			"alone":                 `use the tool weather with {"city":"Bern"}`,
			"beside a gateway tool": `use tools mcp_t_echo with {"text":"not to be run"} and weather with {"city":"Bern"}`,
		} {
			a, r := ask(w.Gateway, "one/assistant", text, own)
			assert.Equal(t, "tool_calls", a.finish, name)
			require.Len(t, a.calls, 1, "%s: %s", name, r)
			assert.Equal(t, "weather", a.calls[0].Function.Name)
			assert.JSONEq(t, `{"city":"Bern"}`, a.calls[0].Function.Arguments)
			assert.NotEmpty(t, a.calls[0].ID)
		}
		assert.False(t, w.tools.ran("not to be run"))
	})
}

func TestUsageIsSummedOverTheTurns(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	both(t, func(t *testing.T, ask asking) {
		text := `use the tool mcp_t_echo with {"text":"usage"}`
		a, _ := ask(w.Gateway, "one/assistant", text, "")
		one, _ := ask(w.Gateway, "one/assistant", text, `"tool_choice":"none",`)
		assert.Equal(t, a.usage.Prompt+a.usage.Completion, a.usage.Total)
		assert.Greater(t, a.usage.Prompt, 2*one.usage.Prompt, "two turns, the second with a call and a result")
		assert.Positive(t, a.usage.Completion)
	})
}

func TestUsageIsNotStreamedUnasked(t *testing.T) {
	t.Parallel()
	r := theWorld(t).Chat(t, say("one/assistant", `use the tool mcp_t_echo with {"text":"x"}`, `"stream":true,`))
	assert.Zero(t, streamed(t, r).usage)
}

func TestTheLastTurnOfALoopHasWords(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	both(t, func(t *testing.T, ask asking) {
		a, _ := ask(w.Gateway, "one/assistant", `keep using the tool mcp_t_echo with {"text":"again"}`, "")
		assert.Contains(t, a.text, "echo of again")
		assert.Equal(t, "stop", a.finish)
		assert.Empty(t, a.calls)
	})
}

func TestAModelThatNeverStopsIsStopped(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	both(t, func(t *testing.T, ask asking) {
		a, r := ask(w.Gateway, "two/stubborn", "go", "")
		assert.Contains(t, a.text, "so far")
		assert.Equal(t, "length", a.finish)
		assert.Empty(t, a.calls)
		if r.Header.Get("Content-Type") == "application/json" { // a stream's headers have gone by then
			assert.Equal(t, "limit", r.Header.Get("X-Tool-Loop"))
		}
	})
}

func TestAProvidersErrorInTheFirstTurnPassesUnchanged(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for _, more := range []string{"", streaming} {
		body := say("one/fault-429-after-7", "hello", more)
		direct := w.Chat(t, body, "X-MCP-Bypass: true")
		got := w.Chat(t, body)
		assert.Equal(t, http.StatusTooManyRequests, got.Status)
		assert.Equal(t, direct.String(), got.String())
		assert.Equal(t, "7", got.Header.Get("Retry-After"))
		assert.Equal(t, direct.Header.Get("Content-Type"), got.Header.Get("Content-Type"))
	}
}

func TestAProvidersErrorInALaterTurnIsToldWithItsCause(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	r := w.Chat(t, say("two/late", "go", ""))
	assert.Equal(t, http.StatusBadGateway, r.Status)
	assert.Equal(t, "upstream_error", r.Error().Type)
	assert.Contains(t, r.Error().Message, "the late cause")

	r = w.Chat(t, say("two/late", "go", streaming))
	assert.Equal(t, http.StatusOK, r.Status)
	assert.Equal(t, 1, strings.Count(r.String(), `"error":`), "%s", r)
	assert.Contains(t, r.String(), "the late cause")
}

func TestAClientThatAsksIsToldOfEachCall(t *testing.T) {
	t.Parallel()
	r := theWorld(t).Chat(t, say("one/assistant", `use tools mcp_t_echo with {"text":"x"} and mcp_t_fail with {}`, streaming), "X-Tool-Events: true")
	streamed(t, r)
	assert.Equal(t, 2, strings.Count(r.String(), "event: tool\n"), "%s", r)
	assert.Contains(t, r.String(), "mcp_t_fail")
}

func TestTheToolsAreListed(t *testing.T) {
	t.Parallel()
	r := theWorld(t).Do(t, http.MethodGet, "/v1/mcp/tools", "")
	require.Equal(t, http.StatusOK, r.Status)
	var list struct {
		Object string
		Data   []struct{ Name, Original, Server string }
	}
	require.NoError(t, json.Unmarshal(r.Body, &list))
	var names []string
	for _, tool := range list.Data {
		assert.Equal(t, "t", tool.Server)
		names = append(names, tool.Name)
	}
	assert.ElementsMatch(t, []string{"mcp_t_echo", "mcp_t_sum", "mcp_t_slow", "mcp_t_nap", "mcp_t_fail"}, names)
	assert.NotContains(t, r.String(), "127.0.0.1")
}
