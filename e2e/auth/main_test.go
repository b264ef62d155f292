// Package auth holds the gateway to its promises about callers that come with a token or log in with a browser, by the
// whole program with a real Envoy and a certified OpenID provider in this process.
package auth

import (
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID provider tells of every refusal
	os.Exit(harness.Main(m))
}

const (
	patience = 30 * time.Second
	audience = "the-gateway"
	ownKey   = "sk-of-the-provider"
)

// world is the gateway that most tests share, with its issuer and a provider.
type world struct {
	*harness.Gateway
	issuer *issuer
	own    *harness.Provider
}

var theWorld = harness.Shared(func(t harness.T) *world {
	w := &world{issuer: newIssuer(t), own: harness.NewProvider(t, nil)}
	w.Gateway = harness.Start(t, w.env())
	return w
})

func (w *world) env() harness.Env {
	return harness.Env{
		"PROVIDERS": "own", "OWN_API_URL": w.own.URL + "/v1", "OWN_API_KEY": ownKey,
		"AUTH_ENABLED": "true", "AUTH_OIDC_ISSUER": w.issuer.url, "AUTH_OIDC_CLIENT_ID": audience,
		"AUTH_OIDC_KEY_REFRESH": "1s", "AUTH_OIDC_CLOCK_SKEW": "5s",
	}
}

const chatBody = `{"model":"own/m","messages":[{"role":"user","content":"hello"}]}`

func bearer(token string) string { return "Authorization: Bearer " + token }

// chat posts a chat request with a token.
func (w *world) chat(t harness.T, token string, headers ...string) *harness.Response {
	t.Helper()
	return w.Chat(t, chatBody, append(headers, bearer(token))...)
}

// refused holds an answer to the shape of a refusal of a caller.
func refused(t testing.TB, r *harness.Response, code, says string) {
	t.Helper()
	assert.Equal(t, http.StatusUnauthorized, r.Status, r)
	assert.Equal(t, code, r.Error().Code, r)
	assert.Contains(t, r.Error().Message, says)
	assert.Equal(t, []string{"application/json"}, r.Header.Values("Content-Type"))
	assert.NotEmpty(t, r.Header.Get("X-Request-Id"))
	challenge := r.Header.Values("Www-Authenticate")
	if assert.Len(t, challenge, 1) {
		assert.True(t, strings.HasPrefix(challenge[0], "Bearer"), challenge)
		assert.NotContains(t, challenge[0], "realm", "it would repeat the path")
	}
}
