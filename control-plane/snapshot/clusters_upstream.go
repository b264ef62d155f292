package snapshot

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	dnscommonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// upstreamCluster is a provider: resolved by DNS, TLS when its URL says https, with its credential added by Envoy.
func upstreamCluster(in Input, p config.Provider) *clusterv3.Cluster {
	name := providerCluster(p.ID)
	c := &clusterv3.Cluster{
		Name:                      name,
		ClusterDiscoveryType:      dnsOf(p.URL),
		ConnectTimeout:            duration(in.Config.Client.ConnectTimeout),
		CircuitBreakers:           roomyBreakers(),
		OutlierDetection:          outlierDetection(),
		Metadata:                  providerMetadata(p.ID),
		LoadAssignment:            oneEndpoint(name, socketAddress(p.URL.Hostname(), port(p.URL))),
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{}},
	}
	filters := upstreamFilters(p)
	if p.URL.Scheme == "https" {
		c.TransportSocket = upstreamTLS(in, p.URL.Hostname(), rootsSecret)
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: pack(alpnOptions(in, filters))}
	} else {
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: pack(http1Options(in, filters))}
	}
	return c
}

// dnsOf says what the addresses of a URL's host are. Those of a public service, and of localhost, are ways to one server, tried
// one after the other as browsers do (happy eyeballs): a machine without IPv6, or a server that listens on 127.0.0.1 alone,
// costs no attempt. Those of a plain-text host of one's own may be its replicas, which all get their share.
func dnsOf(u *url.URL) *clusterv3.Cluster_ClusterType {
	return dns(dnscommonv3.DnsLookupFamily_ALL, u.Scheme == "https" || strings.EqualFold(u.Hostname(), "localhost"))
}

// dns resolves a host again and again, as often as its records say, and soon when there are none or nobody answers: a
// server that comes back, or a machine whose network does, must not wait. With one, its addresses are those of one server.
func dns(family dnscommonv3.DnsLookupFamily, one bool) *clusterv3.Cluster_ClusterType {
	return &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.cluster.dns",
		TypedConfig: pack(&dnsv3.DnsCluster{
			DnsRefreshRate:               duration(5 * time.Second),
			DnsFailureRefreshRate:        &dnsv3.DnsCluster_RefreshRate{BaseInterval: duration(time.Second), MaxInterval: duration(5 * time.Second)},
			RespectDnsTtl:                true,
			DnsLookupFamily:              family,
			AllAddressesInSingleEndpoint: one,
		}),
	}}
}

// outlierDetection looks only at failures to connect: a provider that answers 500 has answered, and its client must
// see that answer. With one address it never ejects, so that a provider cannot be switched off by its own errors.
func outlierDetection() *clusterv3.OutlierDetection {
	return &clusterv3.OutlierDetection{
		SplitExternalLocalOriginErrors:         true,
		EnforcingConsecutive_5Xx:               u32(0),
		EnforcingConsecutiveGatewayFailure:     u32(0),
		EnforcingSuccessRate:                   u32(0),
		EnforcingLocalOriginSuccessRate:        u32(0),
		ConsecutiveLocalOriginFailure:          u32(5),
		EnforcingConsecutiveLocalOriginFailure: u32(100),
		BaseEjectionTime:                       duration(10 * time.Second),
		MaxEjectionPercent:                     u32(50),
	}
}

// alpnOptions let TLS choose between HTTP/2 and HTTP/1.1.
func alpnOptions(in Input, filters []*hcmv3.HttpFilter) *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: upstreamCommon(in),
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_AutoConfig{AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
			HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
			Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: keepalive()},
		}},
		HttpFilters: filters,
	}
}

// http1Options are for plain-text upstreams, where nothing can negotiate HTTP/2.
func http1Options(in Input, filters []*hcmv3.HttpFilter) *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: upstreamCommon(in),
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}},
		}},
		HttpFilters: filters,
	}
}

// http2Options are for the gateway's own gRPC services.
func http2Options() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{MaxConcurrentStreams: u32(1 << 20), ConnectionKeepalive: keepalive()},
			},
		}},
	}
}

func upstreamCommon(in Input) *corev3.HttpProtocolOptions {
	return &corev3.HttpProtocolOptions{IdleTimeout: duration(in.Config.Client.IdleConnTimeout)}
}

// keepalive finds a connection that died without a word while a model was thinking, and a process of the gateway that has
// been stopped: what waits for it is answered then.
func keepalive() *corev3.KeepaliveSettings {
	return &corev3.KeepaliveSettings{Interval: duration(30 * time.Second), Timeout: duration(15 * time.Second)}
}

// port is the URL's port, or the scheme's.
func port(u *url.URL) uint32 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint32(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

func isIP(host string) bool { return net.ParseIP(host) != nil }
