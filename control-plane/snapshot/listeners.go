package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
)

// The listeners' names, which are also their statistics' prefixes and their route configurations' names.
const (
	PublicListener   = "public"
	LoopbackListener = "loopback"
)

// connectionBuffer is how many bytes Envoy holds for one slow connection before it stops reading from the other side.
const connectionBuffer = 256 << 10

func listeners(in Input) []cachetypes.Resource {
	public := listener(PublicListener, socketAddress(in.Config.Server.Host, uint32(in.Config.Server.Port)), publicHTTP(in))
	if in.Config.Server.TLSCertPath != "" {
		public.FilterChains[0].TransportSocket = downstreamTLS()
	}
	return []cachetypes.Resource{
		listener(LoopbackListener, pipeAddress(in.Sockets.Loopback), loopbackHTTP(in)),
		public,
	}
}

func listener(name string, address *corev3.Address, http *hcmv3.HttpConnectionManager) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          name,
		Address:                       address,
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(http)},
		}}}},
	}
}
