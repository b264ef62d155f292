package snapshot

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// publicHosts are the virtual hosts of the public listener.
func publicHosts(t *testing.T, variables ...string) *routev3.RouteConfiguration {
	t.Helper()
	for _, r := range routeConfigurations(inputOf(t, variables...)) {
		if c := r.(*routev3.RouteConfiguration); c.GetName() == PublicListener {
			return c
		}
	}
	require.Fail(t, "no public routes")
	return nil
}

func names(list []*routev3.Route) (out []string) {
	for _, r := range list {
		out = append(out, r.GetName())
	}
	return out
}

// Pages that may call get what everybody gets, but for what stands before.
func TestAllowedOriginsHaveTheRoutesOfEverybody(t *testing.T) {
	key := "OPENAI_API_KEY=a"
	login := []string{key, "AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://known.example/realm", "AUTH_OIDC_CLIENT_ID=x", "AUTH_OIDC_CLIENT_SECRET=y"}
	none := publicHosts(t, key)
	require.Len(t, none.GetVirtualHosts(), 1)
	assert.Empty(t, none.GetVhostHeader())
	assert.Empty(t, none.GetVirtualHosts()[0].GetTypedPerFilterConfig())
	want := names(none.GetVirtualHosts()[0].GetRoutes())
	require.Equal(t, []string{"cross-site: changes", "cross-site: websocket"}, want[:2])

	some := publicHosts(t, key, "SERVER_CORS_ALLOWED_ORIGINS=https://app.example")
	require.Len(t, some.GetVirtualHosts(), 2)
	assert.Equal(t, originHeader, some.GetVhostHeader())
	assert.Equal(t, []string{"https://app.example"}, some.GetVirtualHosts()[1].GetDomains())
	assert.Equal(t, want, names(some.GetVirtualHosts()[0].GetRoutes()))
	assert.Equal(t, append([]string{"preflight", "cross-site: websocket"}, want[2:]...), names(some.GetVirtualHosts()[1].GetRoutes()))

	withLogin := publicHosts(t, append(login, "SERVER_CORS_ALLOWED_ORIGINS=https://app.example")...)
	assert.Equal(t, append([]string{"preflight", "cross-site: websocket", "cross-site: without a key"}, want[2:]...), names(withLogin.GetVirtualHosts()[1].GetRoutes()))

	all := publicHosts(t, key, "SERVER_CORS_ALLOWED_ORIGINS=*", "API_KEYS_FILE="+keysPath)
	require.Len(t, all.GetVirtualHosts(), 1)
	assert.Empty(t, all.GetVhostHeader())
	assert.Equal(t, append([]string{"preflight", "cross-site: websocket"}, want[2:]...), names(all.GetVirtualHosts()[0].GetRoutes()))
}
