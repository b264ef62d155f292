package loop

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A policy holds for what a client asks of a tool loop, before the loop begins; the loop's own calls carry what it has
// changed.
func TestAPolicyHoldsForLoops(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
rules:
  - {name: dear, match: {model: "one/dear*"}, act: {deny: {status: 402, message: too dear}}}
  - {name: own-tools, match: {tools: true}, act: {deny: {message: bring no tools}}}
  - {name: short, act: {secrets: all, cap: {tokens: 90, insert: max_tokens}}}
`), 0o600))
	for _, lane := range []string{"true", "false"} {
		t.Run("WASM_ENABLED="+lane, func(t *testing.T) {
			t.Parallel()
			w := &world{tools: newToolServer(t), one: newProvider(t), two: newProvider(t)}
			w.Gateway = harness.Start(t, w.env().With("POLICY_FILE", file, "WASM_ENABLED", lane, "WASM_PATH", harness.Module(t)))
			awaitTools(t, w.Gateway)
			for name, c := range map[string]struct {
				body   string
				status int
				rule   string
			}{
				"model":    {say("one/dear-1", "hello", ""), http.StatusPaymentRequired, "dear"},
				"tools":    {say("one/assistant", "hello", `"tools":[{"type":"function","function":{"name":"f"}}],`), http.StatusForbidden, "own-tools"},
				"secret":   {say("one/assistant", "AKIAIOSFODNN7EXAMPLE", ""), http.StatusForbidden, "short"},
				"bad":      {`{"model":"one/assistant","model":"one/dear"}`, http.StatusBadRequest, "unreadable"},
				"streamed": {say("one/dear-1", "hello", streaming), http.StatusPaymentRequired, "dear"},
			} {
				for _, header := range []string{"X-MCP-Bypass: false", "X-MCP-Bypass: true"} {
					r := w.Chat(t, c.body, header)
					assert.Equal(t, c.status, r.Status, "%s, %s: %s", name, header, r)
					assert.Equal(t, c.rule, r.Header.Get("X-Policy-Rule"), "%s, %s", name, header)
				}
			}
			assert.Empty(t, w.one.Requests())
			a := whole(t, w.Chat(t, say("one/assistant", `use the tool mcp_t_echo with {"text":"a known text"}`, `"max_tokens":5000,`)))
			assert.Contains(t, a.text, "echo of a known text")
			turns := w.one.Requests()
			assert.Len(t, turns, 2)
			for _, turn := range turns {
				assert.Contains(t, string(turn.Body), `"max_tokens":90`, "in every turn")
			}
		})
	}
}
