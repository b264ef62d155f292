package extauthz

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// request is what Envoy sends: raw headers, and the metadata of jwt_authn.
func request(t testing.TB, path string, claims map[string]any, headers ...string) *authv3.CheckRequest {
	t.Helper()
	m := &corev3.HeaderMap{}
	for i := 0; i < len(headers); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: headers[i], RawValue: []byte(headers[i+1])})
	}
	r := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Id: "7", Path: path, HeaderMap: m},
	}}}
	if claims != nil {
		payload, err := structpb.NewStruct(map[string]any{"claims": claims, "failure/0": map[string]any{"department": "research"}})
		require.NoError(t, err)
		r.Attributes.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{jwtNamespace: payload}}
	}
	return r
}

func set(headers []*corev3.HeaderValueOption) map[string]string {
	out := map[string]string{}
	for _, h := range headers {
		out[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	return out
}

func TestCheck(t *testing.T) {
	var log bytes.Buffer
	s := NewServer(Policy{Table: table(t), Keys: true, Required: true}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))

	r, err := s.Check(context.Background(), request(t, "/v1/models", nil, "authorization", "Bearer secret-good"))
	require.NoError(t, err)
	assert.EqualValues(t, codes.OK, r.GetStatus().GetCode())
	assert.ElementsMatch(t, []string{"authorization", "x-api-key", "x-igw-limits"}, r.GetOkResponse().GetHeadersToRemove())
	assert.Equal(t, map[string]string{catalog.CallerHeader: "key:good", catalog.GroupsHeader: "developers,b%20c"}, set(r.GetOkResponse().GetHeaders()))
	for _, h := range r.GetOkResponse().GetHeaders() {
		assert.Equal(t, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, h.GetAppendAction(), "never beside what somebody else said")
	}

	r, err = s.Check(context.Background(), request(t, "/v1/models", map[string]any{"department": "research"}, catalog.CallerHeader, "oidc:a/b", catalog.GroupsHeader, "x"))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{catalog.CallerHeader: "oidc:a/b", catalog.GroupsHeader: "x,researchers,nowhere"}, set(r.GetOkResponse().GetHeaders()))

	r, err = s.Check(context.Background(), request(t, "/v1/models", nil, "x-api-key", "secret-short", catalog.CallerHeader, "cert:a", catalog.GroupsHeader, "admins"))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{catalog.CallerHeader: "key:short"}, set(r.GetOkResponse().GetHeaders()))
	assert.Contains(t, r.GetOkResponse().GetHeadersToRemove(), catalog.GroupsHeader, "a key without groups has nobody else's")

	for _, tt := range []struct {
		name      string
		request   *authv3.CheckRequest
		status    int
		code      codes.Code
		challenge string
	}{
		{"nothing", request(t, "/", nil), 401, codes.Unauthenticated, `Bearer realm="inference-gateway"`},
		{"not even a request", &authv3.CheckRequest{}, 401, codes.Unauthenticated, `Bearer realm="inference-gateway"`},
		{"a bad key", request(t, "/", nil, "x-api-key", "secret-nobody"), 401, codes.Unauthenticated, `Bearer realm="inference-gateway", error="invalid_token"`},
		{"no right", request(t, "/proxy/two/", nil, "x-api-key", "secret-narrow"), 403, codes.PermissionDenied, ""},
		{"a WebSocket", request(t, "/proxy/one/", nil, "x-api-key", "secret-narrow", "upgrade", "websocket"), 403, codes.PermissionDenied, ""},
	} {
		r, err := s.Check(context.Background(), tt.request)
		require.NoError(t, err)
		assert.EqualValues(t, tt.code, r.GetStatus().GetCode(), tt.name)
		d := r.GetDeniedResponse()
		assert.EqualValues(t, tt.status, d.GetStatus().GetCode(), tt.name)
		assert.Equal(t, "application/json", set(d.GetHeaders())["content-type"], tt.name)
		assert.Equal(t, tt.challenge, set(d.GetHeaders())["www-authenticate"], tt.name)
		assert.Contains(t, d.GetBody(), `{"error":{"message":`, tt.name)
	}
	assert.Contains(t, log.String(), "request_id=7")
	assert.NotContains(t, log.String(), "secret-")

	s.Update(Policy{})
	r, err = s.Check(context.Background(), request(t, "/proxy/two/", nil, "x-api-key", "secret-narrow"))
	require.NoError(t, err)
	assert.NotNil(t, r.GetOkResponse(), "nothing is configured any more")
	assert.NotContains(t, r.GetOkResponse().GetHeadersToRemove(), "x-api-key")
}
