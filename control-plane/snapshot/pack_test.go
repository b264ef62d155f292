package snapshot

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/anypb"
)

// packed hides an invalid header two messages deep, each packed into the other: a listener whose connection manager
// has a filter whose configuration is what inner says.
func packed(inner *anypb.Any) *listenerv3.Listener {
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     "x",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "x", ConfigSource: ads()}},
		HttpFilters:    []*hcmv3.HttpFilter{{Name: "f", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: inner}}},
	}
	return listener("x", pipeAddress("/s"), manager)
}

func TestValidateLooksIntoEveryPackedMessage(t *testing.T) {
	invalid := &corev3.HeaderValue{Key: ""} // a header without a name
	for name, c := range map[string]struct {
		inner *anypb.Any
		want  string
	}{
		"valid":            {pack(&routerv3.Router{}), ""},
		"invalid":          {pack(invalid), "HeaderValue.Key"},
		"unknown type":     {&anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type"}, "no.such.Type"},
		"no type":          {&anypb.Any{}, "invalid"},
		"bad bytes":        {&anypb.Any{TypeUrl: pack(invalid).GetTypeUrl(), Value: []byte{0xff}}, "HeaderValue"},
		"not marshallable": {pack(&corev3.HeaderValue{Key: "\xff"}), "UTF-8"},
		"packed once more": {pack(pack(invalid)), "HeaderValue.Key"},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate(packed(c.inner))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func TestValidateLooksIntoMapsAndLists(t *testing.T) {
	bad := pack(&corev3.HeaderValue{})
	in := &clusterv3.Cluster{Name: "c", TypedExtensionProtocolOptions: map[string]*anypb.Any{"a": pack(&routerv3.Router{}), "b": bad}}
	assert.ErrorContains(t, validate(in), "HeaderValue.Key")
	in = &clusterv3.Cluster{Name: "c", Filters: []*clusterv3.Filter{{Name: "f", TypedConfig: bad}}}
	assert.ErrorContains(t, validate(in), "HeaderValue.Key")
}

// A defect or a value that the configuration let through is reported with its place, never a panic or a half-built
// snapshot.
func TestBuildReportsWhatEnvoyWouldRefuse(t *testing.T) {
	in := inputOf(t, "OPENAI_API_KEY=a")
	in.Sockets.API, in.Sockets.Loopback, in.RootsPath = "", "", ""
	in.Config.Server.Port = 70000
	s, err := Build(in)
	require.Error(t, err)
	assert.Nil(t, s)
	for _, place := range []string{`Cluster "gateway-api"`, `Listener "loopback"`, `Listener "public"`, `Secret "provider-roots"`} {
		assert.ErrorContains(t, err, place)
	}
}
