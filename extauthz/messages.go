package extauthz

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Where Envoy's jwt_authn filter puts the payload of a token that it has verified, as control-plane/snapshot tells it.
const (
	jwtNamespace = "envoy.filters.http.jwt_authn"
	claimsKey    = "claims"
)

// read takes from Envoy's message what a decision needs.
func read(r *authv3.CheckRequest, claims bool) question {
	http := r.GetAttributes().GetRequest().GetHttp()
	q := question{id: http.GetId(), path: http.GetPath()}
	for _, h := range http.GetHeaderMap().GetHeaders() {
		v := string(h.GetRawValue())
		switch h.GetKey() {
		case "authorization":
			q.authorization = append(q.authorization, v)
		case "x-api-key":
			q.apiKeys = append(q.apiKeys, v)
		case "upgrade":
			q.upgrade = true
		case catalog.CallerHeader:
			q.caller = v
		case catalog.GroupsHeader:
			q.groups = v
		}
	}
	if claims {
		q.claims = payload(r.GetAttributes().GetMetadataContext().GetFilterMetadata()[jwtNamespace])
	}
	return q
}

// payload gives the claims of a verified token.
func payload(namespace *structpb.Struct) map[string]any {
	return namespace.GetFields()[claimsKey].GetStructValue().AsMap()
}

// allowed lets a request in under its caller's name, without its credential.
func allowed(a answer) *authv3.CheckResponse {
	ok := &authv3.OkHttpResponse{}
	if a.strip {
		ok.HeadersToRemove = []string{"authorization", "x-api-key"}
	}
	for name, value := range map[string]string{catalog.CallerHeader: a.caller, catalog.GroupsHeader: a.groups, catalog.LimitsHeader: a.limits} {
		if value == "" { // a key without groups has not those of the certificate that came with it
			ok.HeadersToRemove = append(ok.HeadersToRemove, name)
		} else {
			ok.Headers = append(ok.Headers, header(name, value))
		}
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
	}
}

// denied answers the client. RFC 9110, 11.6.1 wants a challenge with every 401; RFC 6750, 3 an error in it when there was
// a credential.
func denied(a answer) *authv3.CheckResponse {
	code := codes.PermissionDenied
	headers := []*corev3.HeaderValueOption{header("content-type", "application/json")}
	if a.retry {
		code = codes.Unauthenticated
		challenge := `Bearer realm="inference-gateway"`
		if a.wrong {
			challenge += `, error="invalid_token"`
		}
		headers = append(headers, header("www-authenticate", challenge))
	}
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(a.refusal.Status())}, Headers: headers, Body: string(a.refusal.Body()),
		}},
	}
}

func header(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
