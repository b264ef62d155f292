package snapshot

import (
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

const corsName = "envoy.filters.http.cors"

// originState is the filter state that holds which origin's page calls, for the answer: routes take the header away
// before a request leaves.
const originState = "igw.origin"

// corsFilters let pages of other origins call, when some may. The CORS filter answers a browser that asks beforehand
// (preflightRoute), and does so before anything asks who calls, since browsers ask without credentials. That is all it
// does: it passes over direct responses, which a chat request without a provider matches first, and all errors of the
// routes. What answers say to browsers is up to the virtual host (publicVirtualHosts).
func corsFilters(in Input) []*hcmv3.HttpFilter {
	if !in.Config.Server.CORS.On() {
		return nil
	}
	return []*hcmv3.HttpFilter{remember("igw.origin", originState, "origin"), filter(corsName, &corsv3.Cors{})}
}
