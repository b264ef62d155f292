package mcp

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// filter says which tools may be offered and run. Names count as the server spells them or as models see them.
type filter struct{ include, exclude map[string]bool }

func newFilter(include, exclude []string) filter {
	return filter{include: nameSet(include), exclude: nameSet(exclude)}
}

func nameSet(names []string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" {
			set[n] = true
		}
	}
	return set
}

func (f filter) allows(server, tool string) bool {
	own, injected := strings.ToLower(tool), strings.ToLower(tools.InjectedName(tools.SourceMCP, server, tool))
	if f.exclude[own] || f.exclude[injected] {
		return false
	}
	return len(f.include) == 0 || f.include[own] || f.include[injected]
}
