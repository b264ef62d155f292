package auth

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
)

// Tokens and API keys open the same gateway, each by itself; rights go by the groups and claims of the one and by the
// groups of the other.
func TestTokensAndKeysTogether(t *testing.T) {
	w := &world{issuer: newIssuer(t), own: harness.NewProvider(t, nil)}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	const key = "igw-of-the-build-farm"
	w.Gateway = harness.Start(t, w.env().With(
		"API_KEYS_FILE", file("keys.yaml", fmt.Sprintf("keys: [{id: ci, sha256: %s, groups: [staff]}]", access.Hash(key))),
		"ACCESS_FILE", file("rules.yaml", `
everyone: {allow: {models: []}}
groups:
  staff: {allow: {models: ["own/m"]}}
  researchers: {allow: {models: ["own/*"]}}
  All Staff: {allow: {models: ["own/spaced"]}}
callers:
  oidc:*/mallory: {deny: {models: ["*"]}}
claims:
  - {claim: dept.name, value: research*, groups: [researchers]}
`),
	))
	ask := func(model string, headers ...string) *harness.Response {
		return w.Chat(t, strings.Replace(chatBody, "own/m", model, 1), headers...)
	}
	token := w.issuer.token(t)
	harness.Eventually(t, patience, "tokens are taken", func() bool { return ask("own/m", bearer(token)).Status == http.StatusOK })
	department := set("dept", map[string]any{"name": "research and development"})

	for _, tt := range []struct {
		name, model string
		headers     []string
		status      int
		code        string
	}{
		{"a key", "own/m", []string{bearer(key)}, 200, ""},
		{"in the other header", "own/m", []string{"X-Api-Key: " + key}, 200, ""},
		{"a key's groups", "own/x", []string{bearer(key)}, 403, "model_not_allowed"},
		{"a token's groups", "own/x", []string{bearer(token)}, 403, "model_not_allowed"},
		{"a token's claims", "own/x", []string{bearer(w.issuer.token(t, department))}, 200, ""},
		{"a token without groups", "own/m", []string{bearer(w.issuer.token(t, without("groups")))}, 403, "model_not_allowed"},
		{"a group with a space", "own/spaced", []string{bearer(w.issuer.token(t, set("groups", []string{"All Staff"})))}, 200, ""},
		{"a group that looks like two", "own/m", []string{bearer(w.issuer.token(t, set("groups", []string{"x,staff"})))}, 403, "model_not_allowed"},
		{"a subject", "own/m", []string{bearer(w.issuer.token(t, set("sub", "mallory")))}, 403, "model_not_allowed"},

		{"nothing", "own/m", nil, 401, "invalid_api_key"},
		{"a token and a key", "own/m", []string{bearer(token), "X-Api-Key: " + key}, 401, "invalid_api_key"},
		{"a bad token and a key", "own/m", []string{bearer(token + "x"), "X-Api-Key: " + key}, 401, "invalid_api_key"},
		{"a token as a key", "own/m", []string{"X-Api-Key: " + token}, 401, "invalid_api_key"},
		{"a token and an empty key", "own/m", []string{bearer(token), "X-Api-Key: "}, 401, "invalid_api_key"},
		{"an expired token", "own/m", []string{bearer(w.issuer.token(t, set("exp", ago(time.Hour))))}, 401, "invalid_api_key"},
		{"an unsigned token", "own/m", []string{bearer(unsigned(t, w.issuer.claims(), "none"))}, 401, "invalid_api_key"},
		{"a token in capitals", "own/m", []string{"Authorization: BEARER " + unsigned(t, w.issuer.claims(), "none")}, 401, ""},
		{"a token behind spaces", "own/m", []string{"Authorization: Bearer   " + unsigned(t, w.issuer.claims(), "none")}, 401, ""},
		{"a token without a scheme", "own/m", []string{"Authorization: " + token}, 401, "invalid_api_key"},
		{"an unknown key", "own/m", []string{bearer("igw-other")}, 401, "invalid_api_key"},
		{"a caller of one's own", "own/m", []string{"X-Igw-Caller: oidc:x/alice", "X-Igw-Groups: researchers"}, 401, "invalid_api_key"},
	} {
		w.own.Reset()
		r := ask(tt.model, tt.headers...)
		assert.Equal(t, tt.status, r.Status, "%s: %s", tt.name, r)
		if tt.code != "" {
			assert.Equal(t, tt.code, r.Error().Code, "%s: %s", tt.name, r)
		}
		if tt.status == http.StatusUnauthorized {
			assert.Len(t, r.Header.Values("Www-Authenticate"), 1, tt.name)
		}
		for _, got := range w.own.Requests() {
			assert.Equal(t, http.StatusOK, tt.status, "%s reached the provider", tt.name)
			assert.Equal(t, "Bearer "+ownKey, got.Header.Get("Authorization"), tt.name)
		}
	}
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/ready", "").Status)
	assert.Zero(t, w.Stop(t))
	text := w.Stdout.String() + w.Stderr.String()
	assert.Contains(t, text, `"caller":"key:ci"`)
	assert.NotContains(t, text, key)
}

func TestABrowserLogsInWhereKeysAreInUse(t *testing.T) {
	const key = "igw-of-the-build-farm"
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	require.NoError(t, os.WriteFile(keys, []byte(fmt.Sprintf("keys: [{id: ci, sha256: %s}]", access.Hash(key))), 0o600))
	w := newLoginWorld(t, "API_KEYS_FILE", keys)
	harness.Eventually(t, patience, "browsers are sent to the issuer", func() bool {
		return newBrowser(t).ask(http.MethodGet, w.URL+"/v1/models", nil).Status == http.StatusFound
	})
	b := newBrowser(t)
	_, page := b.logIn(w, "/v1/models")
	require.Equal(t, http.StatusOK, page.Status, page)
	ask := func(b *browser, headers ...string) int {
		return b.ask(http.MethodGet, w.URL+"/proxy/own/v1/x", nil, append(headers, "Accept: application/json")...).Status
	}
	assert.Equal(t, http.StatusOK, ask(b), "the session")
	assert.Equal(t, http.StatusOK, ask(newBrowser(t), bearer(key)), "a key")
	assert.Equal(t, http.StatusUnauthorized, ask(newBrowser(t)), "neither")
	assert.Equal(t, http.StatusUnauthorized, ask(b, bearer("igw-other")), "a bad key is not mended by a session")
	for _, c := range b.host(w) {
		c.Value = "x" + c.Value
	}
	assert.Equal(t, http.StatusUnauthorized, ask(b), "a broken session")
}
