package snapshot

import (
	"path"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	dnscommonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
)

// overLink replaces the sockets by the link, when Envoy is elsewhere. A service has the name of its socket.
func overLink(remote *link.Remote, clusters []cachetypes.Resource) []cachetypes.Resource {
	if remote == nil {
		return clusters
	}
	for _, r := range clusters {
		c, ok := r.(*clusterv3.Cluster)
		if !ok {
			continue
		}
		for _, l := range c.GetLoadAssignment().GetEndpoints() {
			for _, e := range l.GetLbEndpoints() {
				if socket := e.GetEndpoint().GetAddress().GetPipe().GetPath(); socket != "" {
					linkCluster(c, e.GetEndpoint(), remote, ServiceName(socket))
				}
			}
		}
	}
	return clusters
}

func linkCluster(c *clusterv3.Cluster, e *endpointv3.Endpoint, remote *link.Remote, service string) {
	// The name may stand for several replicas, and each of its addresses is taken for one: a name with two families, of
	// which the gateway listens on one, would lose every other request.
	c.ClusterDiscoveryType = dns(dnscommonv3.DnsLookupFamily_V4_PREFERRED, false)
	e.Address = socketAddress(remote.Host, remote.Port)
	c.TransportSocket = remote.Upstream(service)
	c.UpstreamConnectionOptions = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
		KeepaliveProbes: u32(3), KeepaliveTime: u32(10), KeepaliveInterval: u32(10), // seconds
	}}
	c.ConnectTimeout = duration(5 * time.Second) // TLS is in it
}

// ServiceName is what the link calls the service with that socket.
func ServiceName(socket string) string { return strings.TrimSuffix(path.Base(socket), ".sock") }

// loopbackListener serves the gateway's own process: over a Unix socket that nobody else can open, or to whoever has its
// certificate. What comes in there belongs to requests that were let in before; loops that are under way in a drain still ask
// their models.
func loopbackListener(in Input) *listenerv3.Listener {
	l := stays(listener(LoopbackListener, pipeAddress(in.Sockets.Loopback), loopbackHTTP(in)))
	if in.Remote != nil {
		l.Address = socketAddress(in.Remote.LoopbackHost, in.Remote.LoopbackPort)
		l.FilterChains[0].TransportSocket = in.Remote.Downstream()
		l.FilterChains[0].TransportSocketConnectTimeout = duration(handshakeTimeout)
	}
	return l
}
