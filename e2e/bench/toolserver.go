package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	loopTools  = 50 // that the gateway is offered
	napTime    = 200 * time.Millisecond
	toolAnswer = "21 degrees, light wind from the west, no rain before the evening"

	toolModel = benchModel + "-calls-t0"  // the mock calls this tool when it is offered some
	napModel  = benchModel + "-calls-nap" // and this one, which takes napTime
	callName  = "mcp_bench_"
)

// toolServerMain is the MCP server's process: fifty tools with a schema of ordinary size, one of which is slow. It ends
// with its standard input.
func toolServerMain() error {
	m := mcpserver.NewMCPServer("bench", "1", mcpserver.WithToolCapabilities(false))
	for i := range loopTools {
		name := fmt.Sprintf("t%d", i)
		if i == loopTools-1 {
			name = "nap"
		}
		m.AddTool(mcp.NewToolWithRawSchema(name, "Looks up what is known of a place: the weather, the time and the way there. Ask for one place at a time.",
			[]byte(`{"type":"object","properties":{"place":{"type":"string","description":"a town, with its country when there are several"},`+
				`"days":{"type":"integer","minimum":1,"maximum":14,"description":"how far to look ahead"},`+
				`"units":{"type":"string","enum":["metric","imperial"]}},"required":["place"]}`)),
			func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				if name == "nap" {
					time.Sleep(napTime)
				}
				return mcp.NewToolResultText(toolAnswer), nil
			})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	s := &http.Server{Handler: mcpserver.NewStreamableHTTPServer(m, mcpserver.WithStateLess(true)), ReadHeaderTimeout: time.Minute}
	return s.Serve(l)
}

// callsTool says whether the mock is to call a tool: its model does so once.
func callsTool(body []byte) bool {
	return bytes.Contains(member(body, "model"), []byte("-calls-")) && !bytes.Contains(body, []byte(`"role":"tool"`))
}

// mockCall is the answer of a model that calls a tool.
func mockCall(body []byte) mockAnswer {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(member(body, "model")), `"`), `"`)
	_, tool, _ := strings.Cut(name, "-calls-")
	return plainAnswer("200 OK", callBody(tool))
}

func callBody(tool string) string {
	return `{"id":"chatcmpl-BenchBenchBenchBenchBench02","object":"chat.completion","created":1700000000,"model":"` + benchModel + `",` +
		`"choices":[{"index":0,"message":` + callMessage(tool) + `,"logprobs":null,"finish_reason":"tool_calls"}],` +
		`"usage":{"prompt_tokens":4061,"completion_tokens":21,"total_tokens":4082},"service_tier":"default","system_fingerprint":"fp_bench"}`
}

func callMessage(tool string) string {
	return `{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[{"id":"call_BenchBenchBench01","type":"function",` +
		`"function":{"name":"` + callName + tool + `","arguments":"{\"place\":\"Bern\",\"days\":3}"}}]}`
}
