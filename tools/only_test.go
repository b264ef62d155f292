package tools

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnly(t *testing.T) {
	// Two catalogues with a clash of names: the name that one of them gets must lead to the right tool afterwards.
	all := Join(
		new(shelf).add("mcp", "a", "one", ok("a one")).add("mcp", "a", "two", ok("a two")),
		new(shelf).add("mcp", "a", "two", ok("another two")).add("a2a", "bot", "ask", ok("bot")),
	)
	require.Len(t, all.Tools(), 4)
	second := all.Tools()[2]
	some := Only(all, func(t Tool) bool { return t.Name == second.Name || t.Source == "a2a" })
	require.Len(t, some.Tools(), 2)
	assert.Equal(t, "another two", some.Call(context.Background(), second.Name, nil).Text)
	assert.Equal(t, "bot", some.Call(context.Background(), "a2a_bot_ask", nil).Text)
	for _, hidden := range []string{"mcp_a_one", "mcp_a_two"} {
		assert.Equal(t, StatusUnknownTool, some.Call(context.Background(), hidden, nil).Status, hidden)
	}
	assert.Len(t, all.Tools(), 4, "the whole stays as it was")
	assert.Empty(t, Only(all, func(Tool) bool { return false }).Tools())
	assert.Len(t, Only(ordinary(), func(Tool) bool { return true }).Tools(), 2, "any catalogue will do")
}

// What is left out is not offered, not found by the selector, and not run when a model calls it all the same.
func TestWhatIsLeftOutIsNowhere(t *testing.T) {
	for _, selecting := range []bool{false, true} {
		some := Only(Join(ordinary().add("mcp", "calc", "hidden", func(context.Context, string) Result {
			t.Error("the tool was run")
			return Result{}
		})), func(t Tool) bool { return t.Original != "hidden" })
		s, open := Open([]byte(`{"messages":[{"role":"user","content":"hi"}]}`), some, Options{Selector: selecting})
		require.True(t, open)
		assert.NotContains(t, string(first(s)), "hidden")
		assert.Contains(t, string(first(s)), `"name":"a2a_bot_ask"`)
		assert.Equal(t, !selecting, strings.Contains(string(first(s)), `"name":"mcp_calc_add"`))
		for _, called := range []string{"mcp_calc_hidden", "hidden"} {
			assert.Equal(t, StatusUnknownTool, s.call(context.Background(), called, `{}`).Status)
		}
		if selecting {
			found := s.call(context.Background(), selectorGet, `{}`)
			assert.Contains(t, found.Text, "mcp_calc_add")
			assert.NotContains(t, found.Text, "hidden")
			assert.NotContains(t, s.call(context.Background(), selectorGet, `{"names":["mcp_calc_hidden"]}`).Text, "calc")
			assert.Equal(t, StatusUnknownTool, s.call(context.Background(), selectorExecute, `{"name":"mcp_calc_hidden","arguments":{}}`).Status)
		}
	}
	_, open := Open([]byte(`{"messages":[]}`), Only(Join(ordinary()), func(t Tool) bool { return strings.HasPrefix(t.Name, "x") }), Options{})
	assert.False(t, open, "a caller without tools needs no loop")
}
