package mcp

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// answer is what a server said about tools, as it said it.
type answer struct {
	tools  []json.RawMessage        // of a page of tools/list
	result json.RawMessage          // of tools/call
	err    *mcp.JSONRPCErrorDetails // of tools/call
}

// listed keeps a page whole and gives mcp-go what it needs of it: the stateless era wants some parameters repeated in
// headers, and a tool whose marks for that are wrong left out.
func (s *strict) listed(ctx context.Context, resp *transport.JSONRPCResponse) (*transport.JSONRPCResponse, error) {
	if resp.Error != nil {
		return resp, nil
	}
	var page struct {
		Tools      []json.RawMessage `json:"tools"`
		NextCursor string            `json:"nextCursor,omitempty"`
	}
	if err := json.Unmarshal(resp.Result, &page); err != nil {
		return nil, errNoAnswer
	}
	kept, known := page.Tools, []json.RawMessage{}
	if s.modern {
		kept = nil
		for _, raw := range page.Tools {
			var tool mcp.Tool
			err := json.Unmarshal(raw, &tool)
			switch {
			case err == nil && mcp.ValidateParamHeaderAnnotations(&tool) == nil:
				kept, known = append(kept, raw), append(known, raw)
			case err != nil && !bytes.Contains(raw, []byte("x-mcp-header")):
				kept = append(kept, raw) // mcp-go cannot read it and need not
			}
		}
	}
	exchangeOf(ctx).answer.tools = kept
	page.Tools = known
	rest, err := json.Marshal(page)
	if err != nil {
		return nil, errNoAnswer
	}
	return &transport.JSONRPCResponse{JSONRPC: resp.JSONRPC, ID: resp.ID, Result: rest}, nil
}

// called keeps a result whole. What mcp-go gets to see asks for nothing, so that it repeats no call by itself.
func called(ctx context.Context, resp *transport.JSONRPCResponse) *transport.JSONRPCResponse {
	ex := exchangeOf(ctx)
	ex.answer.result, ex.answer.err = resp.Result, resp.Error
	if resp.Error != nil {
		return resp
	}
	return &transport.JSONRPCResponse{JSONRPC: resp.JSONRPC, ID: resp.ID, Result: json.RawMessage(`{"content":[]}`)}
}
