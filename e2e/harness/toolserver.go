package harness

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// NewToolServer is a real MCP server that keeps what arrives, with one tool, echo, which repeats a text. Its URL is that of
// its endpoint.
func NewToolServer(t T) *Provider {
	t.Helper()
	m := mcpserver.NewMCPServer("test", "1", mcpserver.WithToolCapabilities(true))
	m.AddTool(mcp.NewTool("echo", mcp.WithString("text", mcp.Required())), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("echo of " + r.GetString("text", "")), nil
	})
	handler := mcpserver.NewStreamableHTTPServer(m)
	p := NewProvider(t, handler.ServeHTTP)
	t.Cleanup(func() { _ = handler.Shutdown(context.Background()) })
	p.URL += "/mcp"
	return p
}
