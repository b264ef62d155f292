package auth

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// accepted waits until a token is.
func (w *world) accepted(t testing.TB, token string) {
	t.Helper()
	harness.Eventually(t, patience, "the token is accepted", func() bool { return w.chat(t, token).Status == http.StatusOK })
}

// A gateway with an issuer of its own, which may be down and may speak TLS.
func ownWorld(t *testing.T, ca *harness.CA, changes ...string) (*world, harness.Env) {
	t.Helper()
	w := &world{issuer: newIssuerDown(t, ca), own: harness.NewProvider(t, nil)}
	return w, w.env().With(changes...)
}

func TestAnIssuerMayBeDownAtTheStart(t *testing.T) {
	ca := harness.NewCA(t)
	w, env := ownWorld(t, ca, "AUTH_OIDC_CA_PATH", ca.Path)
	w.Gateway = harness.Start(t, env)
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/health", "").Status)
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/ready", "").Status)
	refused(t, w.Do(t, http.MethodGet, "/v1/models", ""), "unauthorized", "Authorization: Bearer")
	token := w.issuer.token(t)
	r := w.chat(t, token)
	assert.Equal(t, http.StatusServiceUnavailable, r.Status, r)
	assert.Equal(t, "unavailable", r.Error().Code)
	assert.Contains(t, r.Error().Message, "identity provider")
	assert.Contains(t, w.Stderr.String(), "issuer cannot be asked")
	refused(t, w.chat(t, "garbage"), "invalid_api_key", "not accepted")
	refused(t, w.chat(t, w.issuer.token(t, set("aud", "x"))), "invalid_api_key", "audience")
	assert.Empty(t, w.own.Requests())

	w.issuer.start(t)
	w.accepted(t, token)
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/v1/models", "", bearer(token)).Status)
}

func TestAnIssuerThatGoesAwayKeepsItsKeys(t *testing.T) {
	w, env := ownWorld(t, nil)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	require.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)
	w.issuer.stop()
	mark := w.Stderr.Len()
	harness.Eventually(t, patience, "Envoy has noticed", func() bool { return strings.Contains(w.Stderr.Since(mark), "Jwks async fetching") })
	time.Sleep(2 * time.Second) // longer than a key is kept when it is fetched on demand
	assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t, set("sub", "bob"))).Status)

	next := newECKey(t, "after the fall")
	w.issuer.rotate(next)
	w.issuer.start(t)
	w.accepted(t, w.issuer.token(t))
}

func TestKeysRotate(t *testing.T) {
	w, env := ownWorld(t, nil)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	first := w.issuer.published()[0]
	before := w.issuer.token(t)
	require.Equal(t, http.StatusOK, w.chat(t, before).Status)

	second := newECKey(t, "second")
	w.issuer.rotate(second, first)
	w.accepted(t, w.issuer.token(t))
	assert.Equal(t, http.StatusOK, w.chat(t, before).Status, "the old key is still published")

	w.issuer.rotate(second)
	harness.Eventually(t, patience, "the old key does not count any more", func() bool {
		return w.chat(t, w.issuer.sign(t, first, w.issuer.claims())).Status == http.StatusUnauthorized
	})
	assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)
}

func TestAnIssuerMustProveWhoItIs(t *testing.T) {
	ca, stranger := harness.NewCA(t), harness.NewCA(t)
	w, env := ownWorld(t, ca, "AUTH_OIDC_CA_PATH", stranger.Path, "CLIENT_TLS_CA_PATH", ca.Path)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	assert.Equal(t, http.StatusServiceUnavailable, w.chat(t, w.issuer.token(t)).Status)
	assert.Contains(t, w.Stderr.String(), "certificate")
}

func TestTheClientsAuthoritiesHoldForIssuersToo(t *testing.T) {
	ca := harness.NewCA(t)
	w, env := ownWorld(t, ca, "CLIENT_TLS_CA_PATH", ca.Path)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)
}

// TestAuthIsReloaded changes AUTH_ variables of a running gateway.
func TestAuthIsReloaded(t *testing.T) {
	w, env := ownWorld(t, nil)
	w.issuer.start(t)
	second := newIssuer(t)
	file := filepath.Join(t.TempDir(), "env")
	change := func(says string, changes ...string) {
		t.Helper()
		var text strings.Builder
		for name, value := range env.With(changes...) {
			text.WriteString(name + "='" + value + "'\n")
		}
		require.NoError(t, os.WriteFile(file+".new", []byte(text.String()), 0o600))
		mark := 0
		if w.Gateway != nil {
			mark = w.Stderr.Len()
		}
		require.NoError(t, os.Rename(file+".new", file))
		if w.Gateway != nil {
			harness.Eventually(t, patience, says, func() bool { return strings.Contains(w.Stderr.Since(mark), says) })
		}
	}
	const taken, kept = "the changed configuration is in use", "the changed configuration is refused"
	change("", "AUTH_ENABLED", "false")
	w.Gateway = harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": file})
	assert.Equal(t, http.StatusOK, w.Chat(t, chatBody).Status, "nobody is asked")

	change(taken)
	harness.Eventually(t, patience, "everybody is asked", func() bool { return w.Chat(t, chatBody).Status == http.StatusUnauthorized })
	w.accepted(t, w.issuer.token(t))
	assert.NotEqual(t, http.StatusOK, w.chat(t, second.token(t)).Status)

	change(kept, "AUTH_OIDC_ISSUERS", "x=not a url")
	assert.Equal(t, http.StatusUnauthorized, w.Chat(t, chatBody).Status, "the old one stays")
	assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)

	change(taken, "AUTH_OIDC_ISSUERS", "x="+second.url)
	w.accepted(t, second.token(t))
	assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)

	change(taken, "AUTH_OIDC_CLIENT_ID", "somebody-else", "AUTH_OIDC_ISSUERS", "x="+second.url)
	harness.Eventually(t, patience, "the audience has changed", func() bool { return w.chat(t, w.issuer.token(t)).Status == http.StatusUnauthorized })
	w.accepted(t, second.token(t, set("aud", "somebody-else")))

	change(taken, "AUTH_ENABLED", "false")
	harness.Eventually(t, patience, "nobody is asked", func() bool { return w.Chat(t, chatBody).Status == http.StatusOK })
}

// An Envoy that the gateway does not start gets the same configuration, also what is learned after it has connected.
func TestAnEnvoyElsewhereChecksTokens(t *testing.T) {
	w, env := ownWorld(t, nil)
	w.Gateway = harness.Serve(t, env.With("CONTROL_SOCKET_DIR", filepath.Join(t.TempDir(), "sockets")))
	w.StartEnvoy(t)
	refused(t, w.Do(t, http.MethodGet, "/v1/models", ""), "unauthorized", "Authorization: Bearer")
	assert.Equal(t, http.StatusServiceUnavailable, w.chat(t, w.issuer.token(t)).Status)
	w.issuer.start(t)
	w.accepted(t, w.issuer.token(t))
	refused(t, w.chat(t, w.issuer.token(t, set("exp", 1))), "invalid_api_key", "expired")
}
