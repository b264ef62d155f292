// Package loop holds the promises of chat with tools: the whole program with a real Envoy, a real MCP server and
// providers on real sockets. Each test is one promise.
package loop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// patience bounds every wait for something that is promised to happen.
const patience = 20 * time.Second

// The credentials that must not stray.
const (
	keyOne  = "KEYMARKER-one-51c2"
	keyTwo  = "KEYMARKER-two-9e04"
	maxBody = 1 << 20
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// world is the gateway that most tests share. It has tools of an MCP server.
type world struct {
	*harness.Gateway
	one, two *provider
	tools    *toolServer
	agent    *agent // nil but in theWorldWithAgent
}

var theWorld = harness.Shared(func(t harness.T) *world {
	w := &world{tools: newToolServer(t), one: newProvider(t), two: newProvider(t)}
	w.Gateway = harness.Start(t, w.env())
	awaitTools(t, w.Gateway)
	return w
})

// theWorldWithAgent has an A2A agent too.
var theWorldWithAgent = harness.Shared(func(t harness.T) *world {
	w := &world{tools: newToolServer(t), agent: newAgent(t), one: newProvider(t), two: newProvider(t)}
	w.Gateway = harness.Start(t, w.env().With("A2A_ENABLED", "true", "A2A_EXPOSE", "true", "A2A_AGENTS", "p="+w.agent.URL))
	awaitTools(t, w.Gateway)
	awaitAgent(t, w.Gateway)
	return w
})

func (w *world) env() harness.Env {
	return harness.Env{
		"PROVIDERS":   "one,two",
		"ONE_API_URL": w.one.URL, "ONE_API_KEY": keyOne, "TWO_API_URL": w.two.URL, "TWO_API_KEY": keyTwo,
		"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + w.tools.url, "MCP_MAX_ITERATIONS": "2",
		"SERVER_MAX_REQUEST_BODY_SIZE": "1048576",
	}
}

// awaitTools waits until a gateway's tool servers are connected.
func awaitTools(t harness.T, g *harness.Gateway) {
	t.Helper()
	harness.Eventually(t, patience, "the tool server is connected", func() bool {
		r := g.Do(t, http.MethodGet, "/v1/mcp/servers", "")
		return r.Status == http.StatusOK && strings.Contains(r.String(), `"status":"connected"`)
	})
}

// say is a chat request with one message of the user's, and further members of the object.
func say(model, text, more string) string {
	content, _ := json.Marshal(text)
	return `{"model":"` + model + `",` + more + `"messages":[{"role":"user","content":` + string(content) + `}]}`
}

const streaming = `"stream":true,"stream_options":{"include_usage":true},`

type call struct {
	ID       string
	Function struct{ Name, Arguments string }
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// answer is what a client makes of an answer, whether it was streamed or not.
type answer struct {
	text, finish string
	calls        []call
	usage        usage
}

// whole reads an answer that is not streamed.
func whole(t testing.TB, r *harness.Response) answer {
	t.Helper()
	var c struct {
		Object  string
		Usage   usage
		Choices []struct {
			FinishReason string `json:"finish_reason"`
			Message      struct {
				Role      string
				Content   string
				ToolCalls []call `json:"tool_calls"`
			}
		}
	}
	require.Equal(t, http.StatusOK, r.Status, "%s", r)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")) // some providers add a charset
	require.NoError(t, err)
	require.Equal(t, "application/json", kind)
	require.NoError(t, json.Unmarshal(r.Body, &c), "%s", r)
	require.Len(t, c.Choices, 1, "%s", r)
	assert.Equal(t, "chat.completion", c.Object)
	assert.Equal(t, "assistant", c.Choices[0].Message.Role)
	m := c.Choices[0].Message
	return answer{m.Content, c.Choices[0].FinishReason, m.ToolCalls, c.Usage}
}

// streamed reads a stream and holds it to being one: one id, one role, one finish_reason, one [DONE], at its end.
func streamed(t testing.TB, r *harness.Response) answer {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Status, "%s", r)
	require.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream"), "%s", r.Header)
	var a answer
	var roles, finishes, dones, usages int
	ids := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(r.Body))
	lines.Buffer(nil, 1<<20)
	tool := false
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			tool = false
		}
		tool = tool || line == "event: tool"
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || tool {
			continue
		}
		assert.Zero(t, dones, "nothing comes after [DONE]: %s", r)
		if data == "[DONE]" {
			dones++
			continue
		}
		var c struct {
			ID      string
			Usage   *usage
			Choices []struct {
				FinishReason *string `json:"finish_reason"`
				Delta        struct {
					Role      string
					Content   string
					ToolCalls []struct {
						Index int
						call
					} `json:"tool_calls"`
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(data), &c), "%s", data)
		ids[c.ID] = true
		if c.Usage != nil {
			usages++
			a.usage = *c.Usage
		}
		for _, choice := range c.Choices {
			if choice.Delta.Role != "" {
				roles++
			}
			if choice.FinishReason != nil {
				finishes++
				a.finish = *choice.FinishReason
			}
			a.text += choice.Delta.Content
			for _, d := range choice.Delta.ToolCalls {
				require.LessOrEqual(t, d.Index, len(a.calls), "%s", r)
				if d.Index == len(a.calls) {
					a.calls = append(a.calls, d.call)
					continue
				}
				a.calls[d.Index].Function.Arguments += d.Function.Arguments
			}
		}
	}
	assert.Equal(t, []int{1, 1, 1, 1}, []int{len(ids), roles, finishes, dones}, "ids, roles, finish_reasons and [DONE]s: %s", r)
	assert.LessOrEqual(t, usages, 1)
	return a
}

// both runs a test with a whole answer and with a stream.
func both(t *testing.T, test func(t *testing.T, ask func(g *harness.Gateway, model, text, more string, headers ...string) (answer, *harness.Response))) {
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		test(t, func(g *harness.Gateway, model, text, more string, headers ...string) (answer, *harness.Response) {
			r := g.Chat(t, say(model, text, more), headers...)
			return whole(t, r), r
		})
	})
	t.Run("streamed", func(t *testing.T) {
		t.Parallel()
		test(t, func(g *harness.Gateway, model, text, more string, headers ...string) (answer, *harness.Response) {
			r := g.Chat(t, say(model, text, streaming+more), headers...)
			return streamed(t, r), r
		})
	})
}
