package snapshot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Envoy itself reads the resources, as one static configuration: it knows rules that the API's annotations do not, and
// that every route's cluster, every filter and every secret exists.
func TestEnvoyAccepts(t *testing.T) {
	for name, variables := range map[string][]string{
		"nothing set":     nil,
		"every provider":  everyProvider(),
		"restricted":      {"OPENAI_API_KEY=a", "ALLOWED_MODELS=openai/*", "DISALLOWED_MODELS=*-pro", "LOG_LEVEL=error"},
		"keys and rights": {"OPENAI_API_KEY=a", "API_KEYS_FILE=" + keysPath, "ACCESS_FILE=" + rulesPath},
		"a login": {
			"AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://known.example/realm", "AUTH_OIDC_CLIENT_ID=x", "AUTH_OIDC_CLIENT_SECRET=y",
			"AUTH_PUBLIC_URL=https://gateway.example", "LOG_LEVEL=error",
		},
		"issuers": {
			"AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://known.example/realm", "AUTH_OIDC_ISSUERS=pending=https://pending.example",
			"AUTH_OIDC_CLIENT_ID=x", "AUTH_OIDC_CA_PATH=" + certPath,
		},
		"issuers and keys": {"AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://a.example", "AUTH_OIDC_CLIENT_ID=x", "API_KEYS_FILE=" + keysPath},
		"no limits": {
			"OPENAI_API_KEY=a", "SERVER_READ_TIMEOUT=0", "SERVER_IDLE_TIMEOUT=0", "CLIENT_RESPONSE_HEADER_TIMEOUT=0",
			"CLIENT_IDLE_CONN_TIMEOUT=0", "CLIENT_STREAM_IDLE_TIMEOUT=0", "CLIENT_MAX_RETRIES=0", "SERVER_HOST=::1",
		},
		"every limit": {
			"OPENAI_API_KEY=a", "CLIENT_TIMEOUT=10m", "CLIENT_RESPONSE_HEADER_TIMEOUT=1s", "SERVER_WRITE_TIMEOUT=1h",
			"SERVER_MAX_REQUEST_BODY_SIZE=1", "CLIENT_TLS_MIN_VERSION=TLS13", "SERVER_TLS_CERT_PATH=" + certPath, "SERVER_TLS_KEY_PATH=" + keyPath,
			"SERVER_TLS_CLIENT_CA_PATH=" + certPath, "SERVER_HTTP_REDIRECT_PORT=8081", "SERVER_PROBE_PORT=8082", "CLIENT_TLS_CA_PATH=" + certPath,
		},
		"pages of others":         {"OPENAI_API_KEY=a", "SERVER_CORS_ALLOWED_ORIGINS=https://app.example,http://localhost:3000"},
		"pages of all":            {"OPENAI_API_KEY=a", "SERVER_CORS_ALLOWED_ORIGINS=*", "API_KEYS_FILE=" + keysPath},
		"requests limited":        {"OPENAI_API_KEY=a", "LIMITS_FILE=" + requestsLimited},
		"requests and tokens":     {"OPENAI_API_KEY=a", "LIMITS_FILE=" + bothLimited},
		"limits that are shared":  {"OPENAI_API_KEY=a", "LIMITS_FILE=" + bothLimited, "RATELIMIT_URL=grpc://limits:8081"},
		"tokens with a tool loop": {"OPENAI_API_KEY=a", "LIMITS_FILE=" + bothLimited, "MCP_ENABLED=true", "MCP_SERVERS=http://localhost:9"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := validateWithEnvoy(t, build(t, variables...))
			assert.NoError(t, err, out)
			assert.Contains(t, out, "OK")
		})
	}
}

// The test above can fail.
func TestEnvoyRefuses(t *testing.T) {
	s := build(t)
	delete(s.Resources[cachetypes.Cluster].Items, apiCluster)
	out, err := validateWithEnvoy(t, s)
	require.Error(t, err)
	assert.Contains(t, out, apiCluster)
}

func validateWithEnvoy(t *testing.T, s *cachev3.Snapshot) (output string, err error) {
	t.Helper()
	binary := os.Getenv("ENVOY_PATH")
	if binary == "" {
		binary, err = filepath.Abs("../../.cache/envoy/1.40.0/envoy")
		require.NoError(t, err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("no Envoy here: run make envoy")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), certificate()[certPath], 0o600))
	text, err := protojson.Marshal(static(t, s, dir))
	require.NoError(t, err)
	file := filepath.Join(dir, "envoy.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "--mode", "validate", "--log-level", "error", "-c", file).CombinedOutput()
	return string(out), err
}

// static makes one configuration of a snapshot: routes stand in their listeners, secrets in the bootstrap, and
// the system's roots are a file in dir.
func static(t *testing.T, s *cachev3.Snapshot, dir string) *bootstrapv3.Bootstrap {
	out := &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{}}
	each(s, func(_, _ string, r cachetypes.Resource) {
		m := proto.Clone(r)
		rewrite(t, m.ProtoReflect(), func(m proto.Message) {
			switch m := m.(type) {
			case *tlsv3.SdsSecretConfig:
				m.SdsConfig = nil // the bootstrap's own secret
			case *hcmv3.HttpConnectionManager:
				routes, ok := s.GetResources(routeType)[m.GetRds().GetRouteConfigName()].(*routev3.RouteConfiguration)
				require.True(t, ok)
				routes = proto.CloneOf(routes)
				routes.ValidateClusters = yes()
				m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
			case *tlsv3.CertificateValidationContext:
				if m.GetTrustedCa().GetFilename() != "" {
					m.TrustedCa = file(filepath.Join(dir, "cert.pem"))
				}
			}
		})
		switch m := m.(type) {
		case *listenerv3.Listener:
			out.StaticResources.Listeners = append(out.StaticResources.Listeners, m)
		case *clusterv3.Cluster:
			out.StaticResources.Clusters = append(out.StaticResources.Clusters, m)
		case *tlsv3.Secret:
			out.StaticResources.Secrets = append(out.StaticResources.Secrets, m)
		}
	})
	return out
}

// rewrite visits every message in m, also those that are packed, innermost first.
func rewrite(t *testing.T, m protoreflect.Message, visit func(proto.Message)) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		require.NoError(t, err)
		rewrite(t, inner.ProtoReflect(), visit)
		require.NoError(t, a.MarshalFrom(inner))
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				rewrite(t, e.Message(), visit)
				return true
			})
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				rewrite(t, v.List().Get(i).Message(), visit)
			}
		case !fd.IsMap() && !fd.IsList() && fd.Message() != nil:
			rewrite(t, v.Message(), visit)
		}
		return true
	})
	visit(m.Interface())
}
