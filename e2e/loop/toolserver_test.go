package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// toolServer is a real MCP server that keeps what arrives. Its tools are echo, sum, slow, nap and fail.
type toolServer struct {
	url string

	slowly *moments     // the calls of slow
	open   atomic.Int64 // connections

	mu     sync.Mutex
	heard  []string // headers and body of every request
	echoed []string
}

func newToolServer(t harness.T) *toolServer {
	s := &toolServer{slowly: newMoments()}
	m := mcpserver.NewMCPServer("test", "1", mcpserver.WithToolCapabilities(true))
	m.AddTool(mcp.NewTool("echo", mcp.WithDescription("repeats a text"), mcp.WithString("text", mcp.Required())), s.echo)
	m.AddTool(mcp.NewTool("sum", mcp.WithNumber("a"), mcp.WithNumber("b")), sum)
	m.AddTool(mcp.NewTool("slow", mcp.WithString("key")), s.slow)
	m.AddTool(mcp.NewTool("nap", mcp.WithString("text")), nap)
	m.AddTool(mcp.NewTool("fail"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("it is broken"), nil
	})
	handler := mcpserver.NewStreamableHTTPServer(m)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.heard = append(s.heard, fmt.Sprint(r.RequestURI, r.Header, string(body)))
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	server.Start()
	t.Cleanup(func() {
		_ = handler.Shutdown(context.Background())
		server.CloseClientConnections()
		server.Close()
	})
	s.url = server.URL + "/mcp"
	return s
}

func (s *toolServer) echo(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	text := r.GetString("text", "nothing")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.echoed = append(s.echoed, text)
	return mcp.NewToolResultText("echo of " + text), nil
}

func sum(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(fmt.Sprintf("the sum is %v", r.GetFloat("a", 0)+r.GetFloat("b", 0))), nil
}

// slow ends when a test lets it go, or it is cancelled.
func (s *toolServer) slow(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	key := r.GetString("key", "")
	if !s.slowly.wait(ctx, key) {
		return nil, errors.New("cancelled")
	}
	return mcp.NewToolResultText("slowly did " + key), nil
}

// nap takes as long as a tool may.
func nap(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	select {
	case <-time.After(200 * time.Millisecond):
		return mcp.NewToolResultText("slept on " + r.GetString("text", "nothing")), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ran says whether echo was called with a text.
func (s *toolServer) ran(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.echoed, text)
}

// everything is what has arrived so far.
func (s *toolServer) everything() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, "\n")
}
