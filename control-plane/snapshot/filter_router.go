package snapshot

import (
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// routerFilter is the last filter. Envoy's own x-envoy- headers tell a client or a provider nothing that they need.
func routerFilter() *hcmv3.HttpFilter {
	return filter("envoy.filters.http.router", &routerv3.Router{SuppressEnvoyHeaders: true})
}
