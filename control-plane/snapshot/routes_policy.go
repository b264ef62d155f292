package snapshot

import (
	"maps"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// policed has the filter hold the policy over every request that may reach a model: those to the model endpoints, in
// whichever lane, and those to the providers' own APIs. The gateway's own calls, at the loopback listener, are not
// held to it: the request that they are made for was.
func policed(in Input, routes []*routev3.Route) []*routev3.Route {
	if !policyOn(in) {
		return routes
	}
	for _, r := range routes {
		if !reachesModels(r) {
			continue
		}
		if strings.HasSuffix(r.GetName(), wasmSuffix) {
			continue // the filter is there, and the bodies fit into the connection's buffer
		}
		if r.TypedPerFilterConfig == nil {
			r.TypedPerFilterConfig = withPolicy()
		} else {
			maps.Copy(r.TypedPerFilterConfig, withPolicy())
		}
		if len(r.GetRoute().GetUpgradeConfigs()) == 0 { // what follows an upgrade is no body
			maps.Copy(r.TypedPerFilterConfig, withBuffer(in))
		}
	}
	return routes
}

// reachesModels tells the routes that a request can come to from outside. A provider's model routes are not among them:
// a request comes there only from one of these.
func reachesModels(r *routev3.Route) bool {
	name := r.GetName()
	for _, suffix := range []string{": undecided", wasmSuffix, ": loop", ": tools bypassed", ": to be checked"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.HasPrefix(name, "proxy: ") && r.GetRoute() != nil
}
