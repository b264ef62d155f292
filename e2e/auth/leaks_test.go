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
	w, _ := ownWorld(t, nil)
	env := w.loginEnv(t).With("LOG_LEVEL", "debug", "AUTH_OIDC_SCOPES", "openid,offline_access", "AUTH_COOKIE_SECRET", "SECRETMARKER-cookie-0123456789abcdef")
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	w.issuer.allow(w.URL)
	var said strings.Builder
	b := newBrowser(t)
	_, page := b.logIn(w, "/v1/models")
	require.Equal(t, http.StatusOK, page.Status)
	for _, path := range []string{"/proxy/own/v1/session", "/v1/models", "/nothing", "/oauth2/callback?code=x&state=y"} {
		said.WriteString(b.ask(http.MethodGet, w.URL+path, nil).String())
	}
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
	for _, c := range b.host(w) {
		if !strings.Contains(c.Name, "expires") { // a time
			assert.NotContains(t, said.String(), c.Value, c.Name)
		}
	}
	assert.NotRegexp(t, `eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.`, said.String(), "a token that the issuer made")
	assert.NotContains(t, said.String(), "SECRETMARKER")
	assert.Contains(t, w.Stdout.String(), "/"+userID+`"`, "the access log has the caller")
}
