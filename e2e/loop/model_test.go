package loop

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// modelPatience is how long a model may take to load, or to answer on a machine that has other things to do.
const modelPatience = 3 * time.Minute

// TestARealModelUsesARealTool is run by `make test-model`, which sets LLAMA_HOME. The tool draws a number that nobody can
// guess, so an answer that holds it came from the tool, through the model.
func TestARealModelUsesARealTool(t *testing.T) {
	home := os.Getenv("LLAMA_HOME")
	if home == "" {
		t.Skip("LLAMA_HOME is not set: run make test-model")
	}
	tickets, port := startTickets(t)
	g := harness.Start(t, harness.Env{
		"LLAMACPP_API_URL": startLlama(t, home) + "/v1",
		"MCP_ENABLED":      "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "real=http://127.0.0.1:" + port + "/mcp",
	})
	awaitTools(t, g)

	for _, c := range []struct {
		name, more, row, seat string
		read                  func(testing.TB, *harness.Response) answer
	}{
		{"whole", "", "48", "94", whole},
		{"streamed", streaming, "60", "70", streamed},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := tickets.Stdout.Len()
			r := g.Chat(t, talk(t, "row "+c.row+" seat "+c.seat, c.more))
			a := c.read(t, r)
			drawn, found := strings.CutPrefix(strings.TrimSpace(tickets.Stdout.Since(before)), "row "+c.row+" seat "+c.seat+": ")
			require.True(t, found, "the tool server saw %q; the answer is %s", tickets.Stdout.Since(before), r)
			require.Len(t, drawn, 5, "it was called once")
			assert.Contains(t, a.text, drawn)
			assert.Equal(t, "stop", a.finish)
			assert.Empty(t, a.calls)
			assert.NotContains(t, r.String(), "mcp_real_draw")
			assert.Equal(t, a.usage.Prompt+a.usage.Completion, a.usage.Total)
			direct := whole(t, g.Chat(t, talk(t, "row 1 seat 1", ""), "X-MCP-Bypass: true"))
			assert.Greater(t, a.usage.Prompt, 2*direct.usage.Prompt, "the sum of two turns, with tools")
		})
	}
}

// talk is a chat request after some questions that were answered with the tool: a model this small does as was done before.
func talk(t *testing.T, question, more string) string {
	t.Helper()
	type object = map[string]any
	var messages []object
	for i, one := range [][3]int{{3, 4, 55127}, {50, 8, 90316}, {6, 30, 12884}} {
		row, seat, number := strconv.Itoa(one[0]), strconv.Itoa(one[1]), strconv.Itoa(one[2])
		id := "call_" + strconv.Itoa(i)
		messages = append(messages,
			object{"role": "user", "content": "row " + row + " seat " + seat},
			object{"role": "assistant", "content": nil, "tool_calls": []object{{
				"id": id, "type": "function",
				"function": object{"name": "mcp_real_draw", "arguments": `{"row":` + row + `,"seat":` + seat + `}`},
			}}},
			object{"role": "tool", "tool_call_id": id, "content": number},
			object{"role": "assistant", "content": "The ticket is " + number + "."})
	}
	raw, err := json.Marshal(append(messages, object{"role": "user", "content": question}))
	require.NoError(t, err)
	return `{"model":"llamacpp/small","max_tokens":60,` + more + `"messages":` + string(raw) + `}`
}

// startTickets starts the MCP server and gives its port.
func startTickets(t *testing.T) (*harness.Process, string) {
	t.Helper()
	root := harness.Root()
	python := filepath.Join(root, ".cache", "mcp", "stateless", "bin", "python")
	p := harness.StartProcess(t, harness.Env{}, python, filepath.Join(root, "e2e", "loop", "testdata", "model", "server.py"))
	p.Stdout.Await(t, patience, "\n")
	return p, strings.TrimSpace(p.Stdout.String())
}

// startLlama starts the model and gives its URL. One thread, because more of them wait for each other busily.
func startLlama(t *testing.T, home string) string {
	t.Helper()
	port := harness.FreePort(t)
	p := harness.StartProcess(t, harness.Env{}, filepath.Join(home, "llama-server"), "--model", filepath.Join(home, "model.gguf"),
		"--host", "127.0.0.1", "--port", port, "--jinja", "--chat-template-file", filepath.Join(harness.Root(), "e2e", "loop", "testdata", "model", "tools.jinja"),
		"--ctx-size", "4096", "--parallel", "1", "--threads", "1", "--temp", "0", "--seed", "1")
	url := "http://127.0.0.1:" + port
	client := harness.NewClient(t)
	harness.Eventually(t, modelPatience, "the model is loaded", func() bool {
		require.True(t, p.Running(), "llama-server has ended")
		r, err := client.Get(url + "/health")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return url
}
