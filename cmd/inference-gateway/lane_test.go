package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

// toolServer is a real MCP server.
func toolServer(t *testing.T) (url string) {
	t.Helper()
	m := mcpserver.NewMCPServer("test", "1")
	m.AddTool(mcp.NewTool("echo"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("echo"), nil
	})
	s := httptest.NewServer(mcpserver.NewStreamableHTTPServer(m))
	t.Cleanup(s.Close)
	return s.URL
}

// A toolset lives as long as one of its loops, and leaves nothing behind.
func TestAToolsetEndsWithItsLastLoop(t *testing.T) {
	url := toolServer(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var group errgroup.Group
	c := loaded(t, map[string]string{"MCP_ENABLED": "true", "MCP_SERVERS": "t=" + url, "A2A_ENABLED": "true", "A2A_AGENTS": "down=http://127.0.0.1:1"})
	first, err := newToolset(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	first.run(ctx, &group)
	first.settled(ctx)
	tools := first.mcp.Catalogue()
	require.Len(t, tools.Tools(), 1)

	require.True(t, first.enter())
	require.True(t, first.enter())
	first.retire()
	assert.False(t, first.enter(), "no new loop")
	first.leave()
	got := tools.Call(ctx, "mcp_t_echo", nil)
	assert.Equal(t, "echo", got.Text, "a loop that is under way goes on")
	first.leave()
	require.NoError(t, group.Wait(), "all of it ends, though ctx does not")

	unused, err := newToolset(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	unused.run(ctx, &group)
	unused.retire()
	require.NoError(t, group.Wait())

	last, err := newToolset(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	last.run(ctx, &group)
	require.True(t, last.enter())
	end()
	require.NoError(t, group.Wait(), "the gateway's end does not wait for loops")
	http.DefaultClient.CloseIdleConnections()
}
