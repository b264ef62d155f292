package snapshot

import (
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// publicFilters is the order in which a request passes Envoy's HTTP filters. Before them stand the connection limit
// (bootstrap), TLS (listener), the stripping of internal headers and the name in a client's certificate (earlyHeaders); after
// them the route's cluster adds the provider's credential (upstreamFilters).
func publicFilters(in Input) []*hcmv3.HttpFilter {
	list := append([]*hcmv3.HttpFilter{responseHeadersFilter(in)}, corsFilters(in)...)
	if in.Config.Auth.Enabled {
		if issuer, ok := login(in); ok {
			list = append(list, loginFilter(in, issuer))
		}
		list = append(list, jwtFilter(in), identityFilter(in))
	}
	list = append(list, authzFilters(in)...)
	if callersKnown(in.Config) {
		list = append(list, callerFilter())
	}
	list = append(list, earlyLimitFilters(in)...)
	if in.Config.Policy.On() {
		list = append(list, bufferFilter(in))
	}
	list = append(list, wasmFilters(in)...)
	list = append(list, extProcFilter())
	list = append(list, lateLimitFilters(in)...)
	return append(list, routerFilter())
}

// loopbackFilters serve the gateway's own model calls: the same way, without what is only for outsiders.
func loopbackFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		extProcFilter(),
		routerFilter(),
	}
}

func filter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)}}
}
