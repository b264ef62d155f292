package a2a

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// catalogue is the tools of the agents that are up, at one moment.
type catalogue struct {
	tools []tools.Tool
	at    map[string]target
}

type target struct {
	connection *connection
	skill      string
}

var _ tools.Catalogue = (*catalogue)(nil)

// newCatalogue joins the tools of connections. Two tools of one name are possible (agent a, skill b_c and agent a_b, skill
// c), so the later one is named anew.
func newCatalogue(connections []*connection) *catalogue {
	c := &catalogue{at: map[string]target{}}
	for _, conn := range connections {
		for _, t := range conn.tools {
			for n := 2; c.taken(t.Name); n++ {
				t.Name = tools.InjectedName(t.Source, t.Server, t.Original+"#"+strconv.Itoa(n))
			}
			c.at[t.Name] = target{conn, t.Original}
			c.tools = append(c.tools, t)
		}
	}
	return c
}

func (c *catalogue) taken(name string) bool {
	_, ok := c.at[name]
	return ok
}

// Tools gives the caller a list of its own.
func (c *catalogue) Tools() []tools.Tool { return slices.Clone(c.tools) }

func (c *catalogue) Call(ctx context.Context, name string, arguments json.RawMessage) tools.Result {
	t, ok := c.at[name]
	if !ok {
		return tools.Failure(tools.StatusUnknownTool, "there is no such tool")
	}
	return t.connection.call(ctx, t.skill, arguments)
}
