package mcp

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// snapshot is the tools of one moment. It holds servers, not connections: a connection may be replaced under it.
type snapshot struct {
	tools []tools.Tool
	at    map[string]place // by injected name
}

type place struct {
	server     *server
	definition definition
}

var _ tools.Catalogue = (*snapshot)(nil)

func newSnapshot(servers []*server) *snapshot {
	c := &snapshot{at: map[string]place{}}
	for _, s := range servers {
		for _, d := range s.current().tools {
			name := c.free(s.name, d.original)
			c.at[name] = place{server: s, definition: d}
			c.tools = append(c.tools, tools.Tool{
				Name: name, Source: tools.SourceMCP, Server: s.name, Original: d.original, Description: d.description, Schema: d.schema,
			})
		}
	}
	return c
}

// free is the tool's injected name or, where another tool has it (a_b's c and a's b_c), one that ends in a hash.
func (c *snapshot) free(server, tool string) string {
	name := tools.InjectedName(tools.SourceMCP, server, tool)
	for n := 2; c.at[name].server != nil; n++ {
		name = tools.InjectedName(tools.SourceMCP, server, tool+"\x00"+strconv.Itoa(n))
	}
	return name
}

// Tools gives the caller a list of its own.
func (c *snapshot) Tools() []tools.Tool { return slices.Clone(c.tools) }

// Call implements tools.Catalogue.
func (c *snapshot) Call(ctx context.Context, name string, arguments json.RawMessage) tools.Result {
	p, ok := c.at[name]
	if !ok {
		return tools.Failure(tools.StatusUnknownTool, "there is no such tool")
	}
	return p.server.call(ctx, p.definition, arguments)
}
