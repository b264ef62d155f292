package snapshot

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	extProcCluster = "gateway-extproc"
	authzCluster   = "gateway-authz"
	apiCluster     = "gateway-api"
	loopCluster    = "gateway-loop"
	// httpOptions is the key under which Envoy looks for a cluster's HTTP protocol options.
	httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
	// metadataNamespace holds what local replies and access logs say of a cluster.
	metadataNamespace = "igw"
)

// clusters are the gateway's own ones, one for each ready provider, and those of issuers, in a fixed order.
func clusters(in Input) []cachetypes.Resource {
	out := []cachetypes.Resource{
		socketCluster(extProcCluster, in.Sockets.ExtProc, http2Options()),
		// There also when no filter asks it: the connections of a listener that a reload has replaced still do for a while.
		socketCluster(authzCluster, in.Sockets.Authz, http2Options()),
		socketCluster(apiCluster, in.Sockets.API, http1Options(in, nil)),
	}
	if toolsInPlay(in.Config) {
		out = append(out, socketCluster(loopCluster, in.Sockets.Loop, http1Options(in, nil)))
	}
	if in.Config.MayLimit() { // also without rules: the requests that run when they go still need it
		out = append(out, socketCluster(rateLimitCluster, in.Sockets.RateLimit, http2Options()))
	}
	for _, p := range in.Config.Ready() {
		if p.ID == catalog.DemoID {
			demo := socketCluster(providerCluster(p.ID), in.Sockets.Demo, http1Options(in, nil))
			demo.Metadata = providerMetadata(p.ID)
			out = append(out, demo)
			continue
		}
		out = append(out, upstreamCluster(in, p))
	}
	return overLink(in.Remote, append(out, issuerClusters(in)...))
}

func providerCluster(id string) string { return "provider/" + id }

func providerMetadata(id string) *corev3.Metadata {
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		metadataNamespace: {Fields: map[string]*structpb.Value{"provider": structpb.NewStringValue(id)}},
	}}
}

// socketCluster is a part of the gateway's own process.
func socketCluster(name, path string, options *httpv3.HttpProtocolOptions) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:                duration(2 * time.Second),
		CircuitBreakers:               roomyBreakers(),
		LoadAssignment:                oneEndpoint(name, pipeAddress(path)),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{httpOptions: pack(options)},
	}
}

// roomyBreakers replace Envoy's defaults of 1,024, which turn long streams into errors. What bounds the load is the
// listener's connection limit; these only keep a defect from running away.
func roomyBreakers() *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections: u32(65536), MaxPendingRequests: u32(65536), MaxRequests: u32(1 << 20), MaxRetries: u32(1024),
	}}}
}

func oneEndpoint(cluster string, address *corev3.Address) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: cluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}},
		}},
	}}}
}

func pipeAddress(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path, Mode: 0o600}}}
}

func socketAddress(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
