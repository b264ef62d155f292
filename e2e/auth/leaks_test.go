package auth

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A gateway of its own, at the level that prints most, so that all that it ever said can be searched.
func TestTokensAreSeenByNobody(t *testing.T) {
	w, env := ownWorld(t, nil, "LOG_LEVEL", "debug", "AUTH_OIDC_CLIENT_SECRET", clientSecret)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	var said strings.Builder
	good := w.issuer.token(t)
	bad := w.issuer.token(t, set("exp", 1))
	for _, token := range []string{good, bad, w.issuer.token(t, without("sub")), cutSignature(good), good + "x"} {
		for _, r := range []*harness.Response{
			w.chat(t, token),
			w.Do(t, http.MethodGet, "/v1/models", "", bearer(token)),
			w.Do(t, http.MethodGet, "/nothing?access_token="+token, "", bearer(token)),
			w.Do(t, http.MethodGet, "/?access_token="+token, "", "Accept: text/html"),
			w.Do(t, http.MethodGet, "/v1/models", "", bearer(token), bearer(token)),
			w.Do(t, http.MethodGet, "/proxy/nobody/"+token[:40], "", "Cookie: IdToken="+token),
		} {
			said.WriteString(r.String())
			for name, values := range r.Header {
				said.WriteString(name + ": " + strings.Join(values, "\n"))
			}
		}
	}
	for _, path := range []string{"/config_dump?include_eds", "/clusters", "/stats", "/listeners", "/server_info", "/certs"} {
		said.WriteString(w.Admin(t, http.MethodGet, path))
	}
	for _, args := range [][]string{{"config"}, {"config", "--envoy"}, {"bootstrap"}, {"validate"}} {
		r := harness.Run(t, env.With("SERVER_PORT", "1"), args...)
		require.Zero(t, r.Code, r.Stderr)
		said.WriteString(r.Stdout + r.Stderr)
	}
	require.Zero(t, w.Stop(t))
	said.WriteString(w.Stdout.String() + w.Stderr.String())
	for _, request := range w.own.Requests() {
		for name, values := range request.Header {
			said.WriteString(name + ": " + strings.Join(values, "\n"))
		}
	}
	require.NotEmpty(t, w.own.Requests())
	for _, token := range w.issuer.made {
		for _, secret := range strings.Split(token, ".")[1:] { // a header is the same in all
			assert.NotContains(t, said.String(), secret[:min(len(secret), 60)])
		}
	}
	assert.NotContains(t, said.String(), "SECRETMARKER")
}
