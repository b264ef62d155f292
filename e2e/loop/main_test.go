// Package loop holds the promises of chat with tools: the whole program with a real Envoy, a real MCP server and
// providers on real sockets. Each test is one promise.
package loop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
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

// world is the gateway that most tests share.
type world struct {
	*harness.Gateway
	one, two *harness.Provider
	tools    *toolServer
}

var theWorld = harness.Shared(func(t harness.T) *world {
	w := &world{tools: newToolServer(t), one: newProvider(t), two: newProvider(t)}
	w.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS":   "one,two",
		"ONE_API_URL": w.one.URL, "ONE_API_KEY": keyOne, "TWO_API_URL": w.two.URL, "TWO_API_KEY": keyTwo,
		"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + w.tools.url, "MCP_MAX_ITERATIONS": "2",
		"SERVER_MAX_REQUEST_BODY_SIZE": "1048576",
	})
	awaitTools(t, w.Gateway)
	return w
})

// awaitTools waits until a gateway's tool servers are connected.
func awaitTools(t harness.T, g *harness.Gateway) {
	t.Helper()
	harness.Eventually(t, patience, "the tool server is connected", func() bool {
		r := g.Do(t, http.MethodGet, "/v1/mcp/servers", "")
		return r.Status == http.StatusOK && strings.Contains(r.String(), `"status":"connected"`)
	})
}

// newProvider is the demo provider with faults and three models more: stubborn calls a tool whatever it is told, late
// fails once it has a tool's result, and flood streams without an end in sight.
func newProvider(t harness.T) *harness.Provider {
	plain := demo.New(demo.Options{Faults: true})
	p := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var request struct {
			Model    string
			Messages []struct{ Role string }
		}
		_ = json.Unmarshal(body, &request)
		switch {
		case request.Model == "late" && request.Messages[len(request.Messages)-1].Role == "tool":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":{"message":"the late cause","type":"server_error"}}`)
		case request.Model == "late", request.Model == "stubborn":
			callEcho(w, bytes.Contains(body, []byte(`"stream":true`)), len(request.Messages))
		case request.Model == "flood":
			flood(w, r)
		default:
			plain.ServeHTTP(w, r)
		}
	})
	p.URL += "/v1"
	return p
}

// callEcho is a model's answer that calls the tool echo, with other arguments in each turn.
func callEcho(w http.ResponseWriter, stream bool, n int) {
	arguments, _ := json.Marshal(`{"text":"` + strings.Repeat("x", n) + `"}`)
	calls := `"tool_calls":[{"index":0,"id":"call_` + strings.Repeat("x", n) + `","type":"function","function":{"name":"mcp_t_echo","arguments":` + string(arguments) + `}}]`
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"so far",`+calls+`}}]}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, choice := range []string{
		`{"index":0,"delta":{"role":"assistant","content":"so far"},"finish_reason":null}`,
		`{"index":0,"delta":{` + calls + `},"finish_reason":null}`, `{"index":0,"delta":{},"finish_reason":"tool_calls"}`,
	} {
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[`+choice+"]}\n\n")
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

const floodSize = 48 << 20

// flooded counts what clients that do not read were sent.
var flooded atomic.Int64

func flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	piece := `data: {"id":"f","object":"chat.completion.chunk","created":1,"model":"flood","choices":[{"index":0,"delta":{"content":"` +
		strings.Repeat("x", 16<<10) + `"},"finish_reason":null}]}` + "\n\n"
	for sent := 0; sent < floodSize && r.Context().Err() == nil; sent += len(piece) {
		n, err := io.WriteString(w, piece)
		flooded.Add(int64(n))
		if err != nil {
			return
		}
	}
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
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
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
