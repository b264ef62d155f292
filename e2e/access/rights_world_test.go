package access

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// ruled is a gateway with rights: two providers, two tool servers, two agents, and callers who may use a part of them.
type ruled struct {
	*harness.Gateway
	one, two     *harness.Provider
	files, shell *toolServer
	rules        string // the file
}

const rules = `
everyone:
  allow: {models: [one/*], servers: [files], tools: [files/read], agents: []}
  max_tokens: 50
groups:
  developers:
    allow: {models: [two/good*], servers: ["*"], tools: ["*"], agents: [helper]}
    deny: {models: [two/good-but-dear], tools: [files/erase]}
    max_tokens: 500
callers:
  key:onlyone: {deny: {providers: [two]}}
`

var theRuled = harness.Shared(func(t harness.T) *ruled {
	dir := tempDir(t)
	w := &ruled{
		one: newModels(t, "small", "large"), two: newModels(t, "good", "good-but-dear", "bad"),
		files: newToolServer(t, "read", "erase"), shell: newToolServer(t, "run"), rules: filepath.Join(dir, "rules.yaml"),
	}
	write(t, w.rules, rules)
	w.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS": "one,two", "ONE_API_URL": w.one.URL, "ONE_API_KEY": providerKey, "TWO_API_URL": w.two.URL, "TWO_API_KEY": providerKey,
		"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "files=" + w.files.url + ",shell=" + w.shell.url,
		"A2A_ENABLED": "true", "A2A_EXPOSE": "true", "A2A_AGENTS": "helper=" + newAgent(t) + ",bank=" + newAgent(t),
		"ACCESS_FILE": w.rules,
		"API_KEYS_FILE": keyFile(t, filepath.Join(dir, "keys.yaml"),
			"guest",
			"dev\ngroups: [developers]",
			"narrow\ngroups: [developers]\nallow: {models: [two/good], tools: []}\nmax_tokens: 20",
			"onlyone\ngroups: [developers]",
		),
	})
	harness.Eventually(t, patience, "servers and agents are connected", func() bool {
		tools := w.Do(t, http.MethodGet, "/v1/mcp/tools", "", bearer("dev")).String()
		agents := w.Do(t, http.MethodGet, "/v1/a2a/agents", "", bearer("dev")).String()
		return strings.Contains(tools, "mcp_shell_run") && strings.Contains(tools, "mcp_files_read") && strings.Contains(agents, `"available"`)
	})
	return w
})

// newModels is a provider of these models. One asked for as call-NAME calls the tool NAME first; every model says what the
// last message was.
func newModels(t harness.T, names ...string) *harness.Provider {
	p := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/models") {
			_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"`+strings.Join(names, `"},{"id":"`)+`"}]}`)
			return
		}
		var request struct {
			Model    string
			Messages []struct{ Role, Content string }
		}
		_ = json.NewDecoder(r.Body).Decode(&request)
		if len(request.Messages) == 0 {
			_, _ = io.WriteString(w, `{"object":"something"}`)
			return
		}
		last := request.Messages[len(request.Messages)-1]
		if tool, ok := strings.CutPrefix(request.Model, "call-"); ok && last.Role != "tool" {
			_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"`+tool+`","arguments":"{}"}}]}}]}`)
			return
		}
		content, _ := json.Marshal(last.Content)
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":`+string(content)+`}}]}`)
	})
	return p
}

// toolServer is a real MCP server that counts the calls of its tools.
type toolServer struct {
	url   string
	mu    sync.Mutex
	calls int
}

func newToolServer(t harness.T, tools ...string) *toolServer {
	s := &toolServer{}
	m := mcpserver.NewMCPServer("test", "1", mcpserver.WithToolCapabilities(true))
	for _, name := range tools {
		m.AddTool(mcp.NewTool(name), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls++
			return mcp.NewToolResultText("did " + name), nil
		})
	}
	handler := mcpserver.NewStreamableHTTPServer(m)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		_ = handler.Shutdown(context.Background())
		server.CloseClientConnections()
		server.Close()
	})
	s.url = server.URL + "/mcp"
	return s
}

// ran says how often tools have run since the last question.
func (s *toolServer) ran() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls
	s.calls = 0
	return n
}

// newAgent is an A2A agent with a card and nothing to say.
func newAgent(t harness.T) string {
	p := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"name":"Test","description":"d","version":"1","capabilities":{},"defaultInputModes":["text"],"defaultOutputModes":["text"],
			"skills":[{"id":"talk","name":"talk","description":"talks","tags":["t"]}],
			"supportedInterfaces":[{"url":"http://`+r.Host+`/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]}`)
	})
	return p.URL
}

// names reads a list's members.
func names(t *testing.T, r *harness.Response, field string) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Status, "%s", r)
	var list struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal(r.Body, &list))
	out := []string{}
	for _, m := range list.Data {
		name, _ := m[field].(string)
		out = append(out, name)
	}
	return out
}
