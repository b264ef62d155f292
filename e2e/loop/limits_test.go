package loop

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A chat with tools is charged for the tokens of all its turns, whether it was streamed or not.
func TestALoopIsChargedForAllItsTurns(t *testing.T) {
	shared := theWorld(t)
	file := filepath.Join(t.TempDir(), "limits.yaml")
	require.NoError(t, os.WriteFile(file, []byte("reserve: 500\nlimits: [{name: all, per: everyone, requests: {day: 1000000}, tokens: {month: 1000000}}]"), 0o600))
	w := &world{tools: shared.tools, one: shared.one, two: shared.two}
	w.Gateway = harness.Start(t, w.env().With("LIMITS_FILE", file))
	awaitTools(t, w.Gateway)

	left := func(r *harness.Response) int {
		n, err := strconv.Atoi(r.Header.Get("x-ratelimit-remaining-tokens"))
		require.NoError(t, err, "%s: %s", r.Header, r)
		return n
	}
	// A request that the gateway refuses costs nothing in the end; what it held is known.
	refused := say("nobody/m", "x", "")
	used := 0
	now := func() int { return left(w.Chat(t, refused)) + len(refused)/4 + 500 }
	for name, more := range map[string]string{"whole": "", "a stream": streaming, "a stream that does not ask": `"stream":true,`} {
		t.Run(name, func(t *testing.T) {
			before := 1000000 - used // and not now(): what an earlier request held may not be given back yet
			r := w.Chat(t, say("one/assistant", `use the tool mcp_t_sum with {"a":2,"b":40}`, more))
			a := answer{}
			if more == "" {
				a = whole(t, r)
			} else {
				a = streamed(t, r)
			}
			assert.Contains(t, a.text, "42")
			require.Positive(t, a.usage.Total)
			assert.Less(t, left(r), before, "something is held")
			used += a.usage.Total
			harness.Eventually(t, patience, "it is charged by what it took", func() bool { return now() == before-a.usage.Total })
		})
	}
}
