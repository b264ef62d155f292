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
		Tools      json.RawMessage `json:"tools"`
		NextCursor string          `json:"nextCursor,omitempty"`
	}
	if err := json.Unmarshal(resp.Result, &page); err != nil {
		return nil, errNoAnswer
	}
	all, _, err := decodeElements(page.Tools, mostListed)
	if err != nil {
		return nil, errNoAnswer
	}
	kept, known := all, []json.RawMessage{}
	if s.modern {
		kept = nil
		for _, raw := range all {
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
	rest, err := json.Marshal(struct {
		Tools      []json.RawMessage `json:"tools"`
		NextCursor string            `json:"nextCursor,omitempty"`
	}{known, page.NextCursor})
	if err != nil {
		return nil, errNoAnswer
	}
	return &transport.JSONRPCResponse{JSONRPC: resp.JSONRPC, ID: resp.ID, Result: rest}, nil
}

// mostListed of a page's tools are looked at: more than a server may have (Limits.Tools).
const mostListed = 10_000

// decodeElements gives the elements of an array that nobody has checked, no more than so many, and whether there are others.
func decodeElements(array json.RawMessage, most int) (out []json.RawMessage, more bool, err error) {
	if blank(array) {
		return nil, false, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(array))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('[') {
		return nil, false, errNoAnswer
	}
	for decoder.More() {
		var element json.RawMessage
		if len(out) == most {
			return out, true, nil
		}
		if err := decoder.Decode(&element); err != nil {
			return nil, false, err
		}
		out = append(out, element)
	}
	return out, false, nil
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
