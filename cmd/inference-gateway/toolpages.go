package main

import (
	"net/http"
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
	"github.com/inference-gateway/envoy-inference-gateway/internal/api"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/tools"
	"github.com/inference-gateway/envoy-inference-gateway/tools/a2a"
	"github.com/inference-gateway/envoy-inference-gateway/tools/mcp"
)

// callersRights are the rights of the moment.
func (g *gateway) callersRights(name, groups string) access.Rights {
	return g.authz.Policy().Table.Rights(name, catalog.SplitGroups(groups))
}

// mayUse holds a caller's tools to its rights; nil when it may use all of them.
func (g *gateway) mayUse(c providers.Caller) func(tools.Tool) bool {
	rights := g.callersRights(c.Name, c.Groups)
	if !rights.RestrictsTools() {
		return nil
	}
	return func(t tools.Tool) bool {
		switch t.Source {
		case tools.SourceMCP:
			return rights.AllowsTool(t.Server, t.Original)
		case tools.SourceA2A:
			return rights.AllowsAgent(t.Server)
		}
		return false
	}
}

// pages are the API's view of the tools, where they are exposed: each caller sees what it may use.
func (t *toolset) pages(g *gateway, c *config.Config) (toolPages, agentPages http.Handler) {
	if t.mcp != nil && c.MCP.Expose {
		toolPages = api.ToolPages(
			func(c api.Caller) any { return t.toolsOf(g.callersRights(c.Name, c.Groups)) },
			func(c api.Caller) any { return t.serversOf(g.callersRights(c.Name, c.Groups)) })
	}
	if t.a2a != nil && c.A2A.Expose {
		agent := func(c api.Caller, id string) (a2a.Status, bool) {
			s, ok := t.a2a.Agent(id)
			return s, ok && g.callersRights(c.Name, c.Groups).AllowsAgent(id)
		}
		agentPages = api.AgentPages(
			func(c api.Caller) any { return t.agentsOf(g.callersRights(c.Name, c.Groups)) },
			func(c api.Caller, id string) (any, bool) {
				s, ok := agent(c, id)
				return s.Card, ok && len(s.Card) > 0
			},
			func(c api.Caller, id string) (any, bool) {
				s, ok := agent(c, id)
				s.Card = nil // that is the agent's own page
				return s, ok
			})
	}
	return toolPages, agentPages
}

func (t *toolset) toolsOf(rights access.Rights) mcp.ToolList {
	list := t.mcp.ToolList()
	list.Data = slices.DeleteFunc(list.Data, func(t mcp.ToolInfo) bool { return !rights.AllowsTool(t.Server, t.Original) })
	return list
}

func (t *toolset) serversOf(rights access.Rights) mcp.ServerList {
	list := t.mcp.Servers()
	list.Data = slices.DeleteFunc(list.Data, func(s mcp.ServerStatus) bool { return !rights.AllowsServer(s.Name) })
	if !rights.RestrictsTools() {
		return list
	}
	count := map[string]int{}
	for _, t := range t.toolsOf(rights).Data {
		count[t.Server]++
	}
	for i := range list.Data {
		list.Data[i].Tools = count[list.Data[i].Name]
	}
	return list
}

type agentList struct {
	Object string       `json:"object"`
	Data   []a2a.Status `json:"data"`
}

func (t *toolset) agentsOf(rights access.Rights) agentList {
	return agentList{Object: "list", Data: slices.DeleteFunc(t.a2a.Agents(), func(s a2a.Status) bool { return !rights.AllowsAgent(s.ID) })}
}
