package snapshot

import (
	_ "embed"

	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

//go:embed lua/identity.lua
var identityScript string

// identityFilter turns a verified token's claims into the caller's name and groups. It is a script because jwt_authn
// copies a list as base64 of JSON, and copies what ends a header as it is.
func identityFilter(in Input) *hcmv3.HttpFilter {
	auth := in.Config.Auth
	nobody := apierror.New(apierror.InvalidAPIKey, "the token does not say who its user is: it has no claim %s", auth.UserClaim)
	critical := apierror.New(apierror.InvalidAPIKey, "the token is not accepted: it demands an extension (crit) that is not known here")
	issuers := map[string]string{}
	for _, i := range auth.Issuers() {
		issuers[i.URL] = i.Name
	}
	return filter("envoy.filters.http.lua", &luav3.Lua{
		DefaultSourceCode: inline(identityScript),
		StatPrefix:        "identity",
		ClearRouteCache:   no(), // no route depends on the caller
		FilterContext: &structpb.Struct{Fields: map[string]*structpb.Value{
			"issuers":       structpb.NewStructValue(texts(issuers)), // names by iss
			"user_claim":    structpb.NewStringValue(auth.UserClaim),
			"groups_claim":  structpb.NewStringValue(auth.GroupsClaim),
			"caller_header": structpb.NewStringValue(catalog.CallerHeader),
			"groups_header": structpb.NewStringValue(catalog.GroupsHeader),
			"nobody":        structpb.NewStringValue(string(nobody.Body())),
			"critical":      structpb.NewStringValue(string(critical.Body())),
		}},
	})
}

func texts(m map[string]string) *structpb.Struct {
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(m))}
	for k, v := range m {
		s.Fields[k] = structpb.NewStringValue(v)
	}
	return s
}
