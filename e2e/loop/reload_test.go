package loop

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const (
	taken   = "the changed configuration is in use"
	refused = "the changed configuration is refused"
)

// reloading is a gateway whose configuration is in a watched file.
type reloading struct {
	*harness.Gateway
	path string
}

func newReloading(t *testing.T, env harness.Env) *reloading {
	t.Helper()
	r := &reloading{path: filepath.Join(t.TempDir(), "env")}
	r.write(t, env)
	r.Gateway = harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": r.path})
	return r
}

// write replaces the file in one step, as editors do.
func (r *reloading) write(t *testing.T, env harness.Env) {
	t.Helper()
	text := ""
	for name, value := range env {
		text += fmt.Sprintf("%s='%s'\n", name, value)
	}
	require.NoError(t, os.WriteFile(r.path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(r.path+".new", r.path))
}

// change writes the file and waits until the gateway says what has become of it.
func (r *reloading) change(t *testing.T, env harness.Env, says string) {
	t.Helper()
	mark := r.Stderr.Len()
	r.write(t, env)
	harness.Eventually(t, patience, says, func() bool { return contains(r.Stderr.Since(mark), says) })
}

// offered is what a model is shown of the tools.
func (r *reloading) offered(t *testing.T) (mcp, agents bool) {
	t.Helper()
	seen := whole(t, r.Chat(t, say("one/mirror", "hello", ""))).text
	return contains(seen, "mcp_t_echo"), contains(seen, "a2a_p_echo")
}

func TestToolsAreTakenUpAndDroppedWithoutARestart(t *testing.T) {
	t.Parallel()
	one, tools, agent := newProvider(t), newToolServer(t), newAgent(t)
	env := harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL, "MCP_EXPOSE": "true", "A2A_EXPOSE": "true"}
	withAgent := []string{"A2A_ENABLED", "true", "A2A_AGENTS", "p=" + agent.URL}
	withTools := []string{"MCP_ENABLED", "true", "MCP_SERVERS", "t=" + tools.url}
	g := newReloading(t, env)
	state := func(mcp, agents bool) {
		t.Helper()
		gotMCP, gotAgents := g.offered(t)
		assert.Equal(t, []bool{mcp, agents}, []bool{gotMCP, gotAgents}, "tools of MCP servers, of agents")
		for path, on := range map[string]bool{"/v1/mcp/tools": mcp, "/v1/a2a/agents": agents} {
			assert.Equal(t, on, g.Do(t, http.MethodGet, path, "").Status == http.StatusOK, path)
		}
	}
	state(false, false)

	g.change(t, env.With(withAgent...), taken)
	state(false, true)
	a := whole(t, g.Chat(t, say("one/assistant", `use the tool a2a_p_echo with {"message":"alone"}`, "")))
	assert.Contains(t, a.text, "agent echo of alone")

	g.change(t, env.With(withAgent...).With(withTools...), taken)
	state(true, true)

	g.change(t, env.With(withAgent...).With(withTools...).With("MCP_SERVERS", "t=no address"), refused)
	state(true, true)

	slow := begin(t, g.Gateway, say("one/assistant", `use the tool mcp_t_slow with {"key":"kept"} then use the tool mcp_t_echo with {"text":"again"}`, streaming))
	tools.slowly.awaitBegun(t, "kept")
	g.change(t, env.With(withTools...).With("MCP_EXCLUDE_TOOLS", "echo"), taken)
	mcp, agents := g.offered(t)
	assert.Equal(t, []bool{false, false}, []bool{mcp, agents})
	assert.Contains(t, whole(t, g.Chat(t, say("one/mirror", "hello", ""))).text, "mcp_t_sum")

	g.change(t, env, taken)
	assert.Equal(t, say("mirror", "hello", ""), whole(t, g.Chat(t, say("one/mirror", "hello", ""))).text)
	assert.Positive(t, tools.open.Load(), "a loop is under way")
	tools.slowly.letGo("kept")
	r := <-slow.got
	require.NotNil(t, r, "the loop broke off")
	assert.Contains(t, streamed(t, r).text, "echo of again", "it goes on with the tools that it began with")
	harness.Eventually(t, patience, "all connections to the removed server are closed", func() bool { return tools.open.Load() == 0 })

	g.change(t, env.With(withTools...), taken)
	state(true, false)
}

// Two servers of one name take turns while loops run: no loop may find itself without tools, or fail.
func TestReloadsOfToolsFailNoLoop(t *testing.T) {
	t.Parallel()
	one, servers := newProvider(t), []*toolServer{newToolServer(t), newToolServer(t)}
	env := func(i int) harness.Env {
		return harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL, "MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + servers[i%2].url}
	}
	g := newReloading(t, env(0))
	awaitTools(t, g.Gateway)
	client := g.Client(t)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 8 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				mine := fmt.Sprintf("%d of %d", n, i)
				r, err := g.Try(t, client, http.MethodPost, "/v1/chat/completions",
					say("one/assistant", `use tools mcp_t_nap with {"text":"`+mine+`"} and mcp_t_echo with {"text":"`+mine+`"}`, []string{"", streaming}[i%2]))
				if !assert.NoError(t, err) || !assert.Equal(t, http.StatusOK, r.Status, "%s", r) {
					return
				}
				text := []func(testing.TB, *harness.Response) answer{whole, streamed}[i%2](t, r).text
				assert.Contains(t, text, "slept on "+mine)
				assert.Contains(t, text, "echo of "+mine)
			}
		})
	}
	const reloads = 6
	for i := 1; i <= reloads; i++ {
		g.change(t, env(i), taken)
	}
	close(stop)
	load.Wait()
	harness.Eventually(t, patience, "the connections to the server that is left out are closed", func() bool {
		return servers[(reloads+1)%2].open.Load() == 0
	})
	for i, s := range servers {
		s.mu.Lock()
		assert.NotEmpty(t, s.echoed, "server %d", i)
		s.mu.Unlock()
	}
}
