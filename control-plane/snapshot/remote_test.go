package snapshot

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
)

// With Envoy elsewhere nothing is left on a socket, and nothing of the gateway's own is spoken without mutual TLS.
func TestALinkTakesThePlaceOfEverySocket(t *testing.T) {
	in := inputOf(t, append(everyProvider(), "MCP_ENABLED=true", "MCP_SERVERS=a=http://10.0.0.8/mcp")...)
	in.Remote = &link.Remote{Host: "gateway.example", Port: 18000, LoopbackHost: "10.0.0.9", LoopbackPort: 18001, Dir: "/run/igw"}
	s, err := Build(in)
	require.NoError(t, err)
	services := map[string]string{}
	each(s, func(_, name string, r cachetypes.Resource) {
		rewrite(t, proto.Clone(r).ProtoReflect(), func(m proto.Message) {
			if a, ok := m.(*corev3.Address); ok {
				assert.Nil(t, a.GetPipe(), name)
			}
		})
		c, ok := r.(*clusterv3.Cluster)
		if !ok {
			return
		}
		address := c.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().GetAddress().GetSocketAddress()
		if address.GetAddress() != "gateway.example" {
			return
		}
		assert.EqualValues(t, 18000, address.GetPortValue())
		var tls tlsv3.UpstreamTlsContext
		require.NoError(t, c.GetTransportSocket().GetTypedConfig().UnmarshalTo(&tls))
		services[name] = tls.GetSni()
		assertMutual(t, tls.GetCommonTlsContext())
	})
	assert.Equal(t, map[string]string{
		"gateway-extproc": "extproc", "gateway-authz": "authz", "gateway-api": "api", "gateway-loop": "loop", "provider/demo": "demo",
	}, services)

	l, ok := s.GetResources(listenerType)[LoopbackListener].(*listenerv3.Listener)
	require.True(t, ok)
	assert.Equal(t, "10.0.0.9", l.GetAddress().GetSocketAddress().GetAddress())
	var tls tlsv3.DownstreamTlsContext
	require.NoError(t, l.GetFilterChains()[0].GetTransportSocket().GetTypedConfig().UnmarshalTo(&tls))
	assert.True(t, tls.GetRequireClientCertificate().GetValue())
	assertMutual(t, tls.GetCommonTlsContext())
}

func assertMutual(t *testing.T, c *tlsv3.CommonTlsContext) {
	t.Helper()
	assert.Equal(t, tlsv3.TlsParameters_TLSv1_3, c.GetTlsParams().GetTlsMinimumProtocolVersion())
	require.Len(t, c.GetTlsCertificateSdsSecretConfigs(), 1)
	assert.Equal(t, "/run/igw/control-certificate.json", c.GetTlsCertificateSdsSecretConfigs()[0].GetSdsConfig().GetPathConfigSource().GetPath())
	validation := c.GetCombinedValidationContext()
	assert.Equal(t, "/run/igw/control-authorities.json", validation.GetValidationContextSdsSecretConfig().GetSdsConfig().GetPathConfigSource().GetPath())
	names := validation.GetDefaultValidationContext().GetMatchTypedSubjectAltNames()
	require.Len(t, names, 1)
	assert.Equal(t, "gateway.example", names[0].GetMatcher().GetExact())
}
