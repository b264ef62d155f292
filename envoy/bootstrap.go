package envoy

import (
	"encoding/json"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

const controlPlaneCluster = "gateway-control-plane"

// Endpoints are what the bootstrap names: absolute paths of Unix sockets, or the link to another machine.
type Endpoints struct {
	XDS    string       // the control plane listens
	Admin  string       // Envoy's admin interface listens
	Remote *link.Remote // in the place of XDS; nil for a control plane on this machine
}

// xdsService is what the link calls the control plane.
const xdsService = "xds"

// Bootstrap gives Envoy's static configuration as JSON: who it is, where its control plane is, where its admin
// interface is, and how many connections it takes. Everything else comes over ADS. It is pure.
//
// The outermost messages are written as JSON, because their Go types would add half a megabyte to the program for this
// one use. A test reads the result back into those types, by their own rules, and another gives it to Envoy.
func Bootstrap(c *config.Config, e Endpoints) ([]byte, error) {
	return json.MarshalIndent(object{
		"node":  object{"id": "inference-gateway", "cluster": "inference-gateway"},
		"admin": object{"address": message{pipe(e.Admin)}},
		"dynamicResources": object{
			"adsConfig": message{&corev3.ApiConfigSource{
				ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
				TransportApiVersion: corev3.ApiVersion_V3,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: controlPlaneCluster},
				}}},
				SetNodeOnFirstMessageOnly: true,
			}},
			"cdsConfig": message{ads()},
			"ldsConfig": message{ads()},
		},
		"staticResources":        object{"clusters": []message{{controlPlane(e)}}},
		"overloadManager":        overload(c),
		"memoryAllocatorManager": object{"bytesToRelease": 8 << 20}, // a second; by itself tcmalloc gives nothing back
	}, "", "  ")
}

// object is a message of Envoy's configuration in its JSON form.
type object map[string]any

// message is one that has its Go type here anyway. It is checked by its own rules before it becomes JSON.
type message struct{ proto.Message }

func (m message) MarshalJSON() ([]byte, error) {
	if v, ok := m.Message.(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			return nil, err
		}
	}
	return protojson.Marshal(m.Message)
}

func controlPlane(e Endpoints) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 controlPlaneCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(2 * time.Second),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: controlPlaneCluster,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: pipe(e.XDS)}},
			}}}},
		},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(&httpv3.HttpProtocolOptions{
				UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
					ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
						ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
							Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
								Interval: durationpb.New(30 * time.Second), Timeout: durationpb.New(5 * time.Second),
							}},
						},
					},
				},
			}),
		},
	}
	if r := e.Remote; r != nil {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED // each address is taken for a replica
		c.ConnectTimeout = durationpb.New(5 * time.Second)
		c.LoadAssignment.Endpoints[0].LbEndpoints[0].GetEndpoint().Address = &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: r.Host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: r.Port}},
		}}
		c.TransportSocket = r.Upstream(xdsService)
	}
	return c
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func pipe(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path, Mode: 0o600}}}
}

// pack wraps one of the fixed messages above. An empty Any is what Envoy would refuse, loudly, if that ever failed.
func pack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		return &anypb.Any{}
	}
	return a
}
