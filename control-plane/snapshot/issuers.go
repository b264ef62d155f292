package snapshot

import (
	"maps"
	"net/url"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/types/known/anypb"
)

// Issuer is where an OpenID Connect issuer's endpoints are, as the issuer itself has said.
type Issuer struct {
	KeysURL       string
	AuthorizeURL  string
	TokenURL      string
	EndSessionURL string
	// TokenAuthByBody puts the client's secret into the body of a token request instead of a header.
	TokenAuthByBody bool
}

const issuerTimeout = 5 * time.Second

// issuerClusters are the hosts that Envoy asks for keys and, at a login, for tokens, each once.
func issuerClusters(in Input) []cachetypes.Resource {
	if !in.Config.Auth.Enabled {
		return nil
	}
	var out []cachetypes.Resource
	hosts := map[string]*url.URL{}
	add := func(address string) {
		if u, err := url.Parse(address); err == nil {
			hosts[issuerCluster(address)] = u
		}
	}
	if found, ok := login(in); ok {
		add(found.TokenURL)
	}
	for _, i := range in.Config.Auth.Issuers() {
		found, ok := in.Issuers[i.URL]
		if !ok {
			if len(out) == 0 {
				out = append(out, nowhere())
			}
			continue
		}
		add(found.KeysURL)
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		out = append(out, issuerHostCluster(in, name, hosts[name]))
	}
	return out
}

// pendingCluster stands for an issuer that has not answered yet.
const pendingCluster = "issuer/pending"

// nowhere is a cluster without an address.
func nowhere() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 pendingCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: pendingCluster},
	}
}

// issuerCluster is the name of the cluster for a URL: one for each scheme, host and port.
func issuerCluster(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "issuer/"
	}
	return "issuer/" + u.Scheme + "/" + u.Host
}

func issuerHostCluster(in Input, name string, u *url.URL) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: dnsOf(u),
		ConnectTimeout:       duration(in.Config.Client.ConnectTimeout),
		LoadAssignment:       oneEndpoint(name, socketAddress(u.Hostname(), port(u))),
	}
	options := http1Options(in, nil)
	if u.Scheme == "https" {
		c.TransportSocket = upstreamTLS(in, u.Hostname(), issuerRoots(in))
		options = alpnOptions(in, nil)
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: pack(options)}
	return c
}

// issuerRoots is the secret with the authorities that issuers' certificates are verified with.
func issuerRoots(in Input) string {
	if in.Config.Auth.CA != "" {
		return issuerRootsSecret
	}
	return rootsSecret
}

func httpURI(address, cluster string) *corev3.HttpUri {
	return &corev3.HttpUri{
		Uri:              address,
		HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: cluster},
		Timeout:          duration(issuerTimeout),
	}
}
