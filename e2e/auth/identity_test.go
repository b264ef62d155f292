package auth

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// No client ever sees the headers that say who calls, so these tests put a route behind the real filters that shows
// them.
func TestATokenSaysWhoCalls(t *testing.T) {
	one, two := newIssuer(t), newIssuer(t)
	g := echo(t, map[string]string{
		"AUTH_OIDC_ISSUER": one.url, "AUTH_OIDC_ISSUERS": "second=" + two.url, "AUTH_OIDC_CLIENT_ID": audience,
	}, one, two)
	host := strings.TrimPrefix(one.url, "http://")
	for name, tt := range map[string]struct{ token, caller, groups string }{
		"a user with groups":     {one.token(t), "oidc:" + host + "/alice", "staff,admins"},
		"of the named issuer":    {two.token(t), "oidc:second/alice", "staff,admins"},
		"no groups":              {one.token(t, without("groups")), "oidc:" + host + "/alice", ""},
		"an empty list":          {one.token(t, set("groups", []string{})), "oidc:" + host + "/alice", ""},
		"one group as a text":    {one.token(t, set("groups", "staff")), "oidc:" + host + "/alice", "staff"},
		"a group with a comma":   {one.token(t, set("groups", []string{"a,admins"})), "oidc:" + host + "/alice", "a%2Cadmins"},
		"what is no group":       {one.token(t, set("groups", []any{"a", true, nil, []string{"admins"}, "", 7})), "oidc:" + host + "/alice", "a"},
		"an object":              {one.token(t, set("groups", map[string]any{"admins": true})), "oidc:" + host + "/alice", ""},
		"an email":               {one.token(t, set("sub", "alice+x@example.com")), "oidc:" + host + "/alice+x@example.com", "staff,admins"},
		"an id of two parts":     {one.token(t, set("sub", "auth0|12/3")), "oidc:" + host + "/auth0|12/3", "staff,admins"},
		"a number":               {one.token(t, set("sub", "12345678901234567890")), "oidc:" + host + "/12345678901234567890", "staff,admins"},
		"a line break":           {one.token(t, set("sub", "x\r\nx-igw-groups: admins")), "oidc:" + host + "/x%0D%0Ax-igw-groups:%20admins", "staff,admins"},
		"a percent sign":         {one.token(t, set("sub", "a%2Cb")), "oidc:" + host + "/a%252Cb", "staff,admins"},
		"letters beyond ASCII":   {one.token(t, set("sub", "jürgen")), "oidc:" + host + "/j%C3%BCrgen", "staff,admins"},
		"a group like a path":    {one.token(t, set("groups", []string{"/org/admins"})), "oidc:" + host + "/alice", "/org/admins"},
		"a group with spaces":    {one.token(t, set("groups", []string{"All Staff"})), "oidc:" + host + "/alice", "All%20Staff"},
		"a name with everything": {one.token(t, set("sub", "!\"#$&'()*+-./:;<=>?@[\\]^_`{|}~")), "oidc:" + host + "/!\"#$&'()*+-./:;<=>?@[\\]^_`{|}~", "staff,admins"},
	} {
		t.Run(name, func(t *testing.T) {
			r := g.Do(t, http.MethodGet, "/", "", bearer(tt.token), "X-Igw-Groups: forged", "X-Igw-Caller: forged")
			require.Equal(t, http.StatusOK, r.Status, r)
			assert.Equal(t, []string{tt.caller}, r.Header.Values("Seen-Caller"))
			assert.Equal(t, tt.groups, r.Header.Get("Seen-Groups"))
			assert.Empty(t, r.Header.Get("Seen-Authorization"))
		})
	}
	t.Run("the other issuer's keys do not count", func(t *testing.T) {
		forged := one.sign(t, two.published()[0], one.claims())
		refused(t, g.Do(t, http.MethodGet, "/", "", bearer(forged)), "invalid_api_key", "not accepted")
	})
	t.Run("the reason is that of the token's own issuer", func(t *testing.T) {
		refused(t, g.Do(t, http.MethodGet, "/", "", bearer(one.token(t, set("exp", 1)))), "invalid_api_key", "expired")
		refused(t, g.Do(t, http.MethodGet, "/", "", bearer(two.token(t, set("exp", 1)))), "invalid_api_key", "expired")
		refused(t, g.Do(t, http.MethodGet, "/", ""), "unauthorized", "Authorization: Bearer")
	})
}

func TestClaimsMayBeElsewhere(t *testing.T) {
	i := newIssuer(t)
	host := strings.TrimPrefix(i.url, "http://")
	env := map[string]string{"AUTH_OIDC_ISSUERS": i.url, "AUTH_OIDC_AUDIENCES": "x,another"}
	for _, tt := range []struct {
		name, user, groups string
		claims             []func(map[string]any)
		caller, seen       string
	}{
		{"in an object", "email", "realm_access.roles", []func(map[string]any){
			set("email", "a@b.example"), set("realm_access", map[string]any{"roles": []string{"r1", "r2"}}),
		}, "a@b.example", "r1,r2"},
		{"under a URL", "https://x.example/user.name", "https://x.example/groups", []func(map[string]any){
			set("https://x.example/user.name", "u"), set("https://x.example/groups", []string{"g"}),
		}, "u", "g"},
		{"a number", "uid", "nothing.here", []func(map[string]any){set("uid", 1000)}, "1000", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env["AUTH_OIDC_USER_CLAIM"], env["AUTH_OIDC_GROUPS_CLAIM"] = tt.user, tt.groups
			g := echo(t, env, i)
			r := g.Do(t, http.MethodGet, "/", "", bearer(i.token(t, tt.claims...)))
			require.Equal(t, http.StatusOK, r.Status, r)
			assert.Equal(t, "oidc:"+host+"/"+tt.caller, r.Header.Get("Seen-Caller"))
			assert.Equal(t, tt.seen, r.Header.Get("Seen-Groups"))
			refused(t, g.Do(t, http.MethodGet, "/", "", bearer(i.token(t))), "invalid_api_key", "claim "+tt.user)
		})
	}
}

// echo runs an Envoy with the gateway's public listener, in which every route answers with who calls.
func echo(t *testing.T, env map[string]string, issuers ...*issuer) *harness.Gateway {
	t.Helper()
	return echoWith(t, func(*hcmv3.HttpConnectionManager) {}, env, issuers...)
}

// echoWith is echo with a change.
func echoWith(t *testing.T, change func(*hcmv3.HttpConnectionManager), env map[string]string, issuers ...*issuer) *harness.Gateway {
	t.Helper()
	env["AUTH_ENABLED"], env["SERVER_PORT"] = "true", harness.FreePort(t)
	c, _, err := config.Load(env)
	require.NoError(t, err)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	input := snapshot.Input{Config: c, RootsPath: "/unused", Issuers: map[string]snapshot.Issuer{}, Sockets: snapshot.Sockets{
		ExtProc: in("e"), Authz: in("z"), API: in("a"), Demo: in("d"), Loopback: in("lb"), Loop: in("l"),
	}}
	for _, i := range issuers {
		input.Issuers[i.url] = snapshot.Issuer{KeysURL: i.url + "/keys"}
	}
	s, err := snapshot.Build(input)
	require.NoError(t, err)

	listener := s.GetResources(resourcev3.ListenerType)[snapshot.PublicListener].(*listenerv3.Listener)
	filter := listener.GetFilterChains()[0].GetFilters()[0]
	manager := &hcmv3.HttpConnectionManager{}
	require.NoError(t, filter.GetTypedConfig().UnmarshalTo(manager))
	manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
		VirtualHosts: []*routev3.VirtualHost{{Name: "echo", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200}},
			ResponseHeadersToAdd: []*corev3.HeaderValueOption{
				{Header: &corev3.HeaderValue{Key: "seen-caller", Value: "%REQ(x-igw-caller)%"}},
				{Header: &corev3.HeaderValue{Key: "seen-groups", Value: "%REQ(x-igw-groups)%"}},
				{Header: &corev3.HeaderValue{Key: "seen-authorization", Value: "%REQ(authorization)%"}},
			},
		}}}},
	}}
	change(manager)
	packed, err := anypb.New(manager)
	require.NoError(t, err)
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed}
	static := &bootstrapv3.Bootstrap_StaticResources{Listeners: []*listenerv3.Listener{listener}}
	for _, r := range s.GetResources(resourcev3.ClusterType) {
		static.Clusters = append(static.Clusters, r.(*clusterv3.Cluster))
	}
	text, err := protojson.Marshal(&bootstrapv3.Bootstrap{StaticResources: static, Node: &corev3.Node{Id: "echo", Cluster: "echo"}})
	require.NoError(t, err)
	p := harness.StartProcess(t, harness.Env{}, harness.EnvoyBinary(t), "--config-yaml", string(text), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")
	g := &harness.Gateway{Process: p, Addr: "127.0.0.1:" + env["SERVER_PORT"]}
	g.URL = "http://" + g.Addr
	harness.Eventually(t, patience, "Envoy listens", func() bool {
		_, err := g.Try(t, g.Client(t), http.MethodGet, "/health", "")
		return err == nil
	})
	return g
}
