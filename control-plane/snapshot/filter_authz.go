package snapshot

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const authzName = "envoy.filters.http.ext_authz"

// authzFilters ask the gateway who calls, when API keys or rights are configured. Without an answer nobody gets in: the
// reply is a 503 (localReplies). Each value of a credential is sent by itself, so that two cannot pass for one.
func authzFilters(in Input) []*hcmv3.HttpFilter {
	if !in.Config.Access.On() {
		return nil
	}
	return []*hcmv3.HttpFilter{filter(authzName, &extauthzv3.ExtAuthz{
		TransportApiVersion: corev3.ApiVersion_V3,
		Services: &extauthzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: authzCluster, SkipEnvoyHeaders: true},
			},
			Timeout: duration(5 * time.Second), // Envoy's own 200 ms is shorter than a busy machine may take
		}},
		StatusOnError:             &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		AllowedHeaders:            exactly("authorization", "x-api-key", "upgrade", catalog.CallerHeader, catalog.GroupsHeader),
		EncodeRawHeaders:          true,
		MetadataContextNamespaces: []string{jwtName},
		EmitClientSpan:            no(),
	})}
}

// openToAll lets everybody reach these routes: whoever watches the gateway's health has no key.
func openToAll(in Input, list []*routev3.Route) []*routev3.Route {
	for _, r := range list {
		if in.Config.Access.On() {
			r.TypedPerFilterConfig = map[string]*anypb.Any{authzName: pack(&extauthzv3.ExtAuthzPerRoute{
				Override: &extauthzv3.ExtAuthzPerRoute_Disabled{Disabled: true},
			})}
		}
	}
	return list
}
