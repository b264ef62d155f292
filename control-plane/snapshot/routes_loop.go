package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// The headers by which a client asks for the tools of a kind to be left out.
const (
	bypassMCP = "x-mcp-bypass"
	bypassA2A = "x-a2a-bypass"
)

// toolsInPlay says whether chat requests may need a tool loop.
func toolsInPlay(c *config.Config) bool { return c.MCP.InUse() || c.A2A.InUse() }

// loopRoutes send chat to the loop lane when tools are in play, and past it when the client bypasses all of them:
// such a request takes the direct lane and costs what it costs without tools. The loopback listener has no such
// route, so a loop cannot start another.
func loopRoutes(in Input) []*routev3.Route {
	if !toolsInPlay(in.Config) {
		return nil
	}
	var bypass []*routev3.HeaderMatcher
	if in.Config.MCP.InUse() {
		bypass = append(bypass, switchedOn(bypassMCP)...)
	}
	if in.Config.A2A.InUse() {
		bypass = append(bypass, switchedOn(bypassA2A)...)
	}
	path := catalog.ChatCompletions.Path()
	past := undecidedRoute(catalog.ChatCompletions)
	past.Name = "chat/completions: tools bypassed"
	past.Match = exactPath(path, append(bypass, method("POST"), headerAbsent(catalog.ProviderHeader))...)
	loop := &routev3.Route{
		Name:                "chat/completions: loop",
		Match:               exactPath(path, method("POST"), headerAbsent(catalog.ProviderHeader)),
		Metadata:            lane("loop"),
		RequestHeadersToAdd: []*corev3.HeaderValueOption{setHeader(ownHeader, "true")},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: loopCluster},
			// The model calls inside have their limits, at the loopback listener; a loop is as long as they are together.
			Timeout:     duration(0),
			IdleTimeout: duration(0),
		}},
	}
	if in.Config.Limits.Set.Limits(limits.Tokens) {
		loop.TypedPerFilterConfig = withReckoning()
	}
	return []*routev3.Route{past, loop}
}

// switchedOn matches a header with any value but nothing and false.
func switchedOn(name string) []*routev3.HeaderMatcher {
	isFalse := headerRegex(name, "(?i)false")
	isFalse.InvertMatch = true
	return []*routev3.HeaderMatcher{headerRegex(name, ".+"), isFalse}
}
