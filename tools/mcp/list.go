package mcp

import (
	"context"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
)

var errCursor = errors.New("the list of tools does not go on")

// omission is a tool that is not offered, and why.
type omission struct{ tool, why string }

// list asks for the server's tools, page by page and no more than the limits allow.
func (c *connection) list(ctx context.Context, limits Limits) (found []definition, left []omission, err error) {
	var request mcp.ListToolsRequest
	seen := map[mcp.Cursor]bool{}
	names := map[string]bool{}
	for page := 1; ; page++ {
		pageCtx, ex := withExchange(ctx)
		result, err := c.client.ListToolsByPage(pageCtx, request)
		switch {
		case errors.Is(err, mcp.ErrMethodNotFound): // it has resources or prompts, and no tools
			return nil, nil, nil
		case err != nil:
			return nil, nil, ex.cause(err)
		}
		for _, raw := range ex.answer.tools {
			if len(found)+len(left) == limits.Tools {
				return found, append(left, omission{why: "the server has more tools than are allowed"}), nil
			}
			d, err := parseDefinition(raw, limits)
			switch {
			case err != nil:
				left = append(left, omission{tool: d.original, why: err.Error()})
			case names[d.original]:
				left = append(left, omission{tool: d.original, why: "the server lists it twice"})
			default:
				names[d.original] = true
				found = append(found, d)
			}
		}
		next := result.NextCursor
		switch {
		case next == "":
			return found, left, nil
		case seen[next]:
			return nil, nil, errCursor
		case page == limits.Pages:
			return found, append(left, omission{why: "the list has more pages than are allowed"}), nil
		}
		seen[next] = true
		request.Params.Cursor = next
	}
}
