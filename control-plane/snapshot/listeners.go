package snapshot

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
)

// The listeners' names, which are also their statistics' prefixes and their route configurations' names.
const (
	PublicListener   = "public"
	RedirectListener = "redirect"
	LoopbackListener = "loopback"
	ProbeListener    = "probes"
)

// connectionBuffer is how many bytes Envoy holds for one slow connection before it stops reading from the other side.
const connectionBuffer = 256 << 10

// handshakeTimeout is how long a client may take for TLS before it has said who it is or what it wants.
const handshakeTimeout = 10 * time.Second

func listeners(in Input) []cachetypes.Resource {
	s := in.Config.Server
	public := listener(PublicListener, listenAddress(s.Host, s.Port), publicHTTP(in))
	if s.TLS.Enabled() {
		public.FilterChains[0].TransportSocket = downstreamTLS(s.TLS)
		public.FilterChains[0].TransportSocketConnectTimeout = duration(handshakeTimeout)
	}
	out := []cachetypes.Resource{
		loopbackListener(in),
		public,
	}
	if s.TLS.RedirectPort != 0 {
		out = append(out, listener(RedirectListener, listenAddress(s.Host, s.TLS.RedirectPort), redirectHTTP(in)))
	}
	if s.ProbePort != 0 {
		out = append(out, stays(listener(ProbeListener, listenAddress(s.Host, s.ProbePort), probeHTTP(in))))
	}
	return out
}

// stays keeps a listener through what turns clients away: neither overload nor the limit of connections, which the overload
// manager counts, holds for it, and a drain, which closes at once what is inbound, leaves it open.
func stays(l *listenerv3.Listener) *listenerv3.Listener {
	l.BypassOverloadManager = true
	l.TrafficDirection = corev3.TrafficDirection_OUTBOUND
	l.DrainType = listenerv3.Listener_MODIFY_ONLY
	return l
}

func listener(name string, address *corev3.Address, http *hcmv3.HttpConnectionManager) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          name,
		Address:                       address,
		TrafficDirection:              corev3.TrafficDirection_INBOUND,
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(http)},
		}}}},
	}
}

// listenAddress takes :: for every address of both families, as other servers do; Envoy by itself takes only IPv6.
func listenAddress(host string, port int) *corev3.Address {
	a := socketAddress(host, uint32(port))
	a.GetSocketAddress().Ipv4Compat = host == "::"
	return a
}
