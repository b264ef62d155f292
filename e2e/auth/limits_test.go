package auth

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// Limits count by who a token says its user is, by its groups and by its claims.
func TestLimitsByTokens(t *testing.T) {
	w := theWorld(t)
	file := filepath.Join(t.TempDir(), "limits.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
limits:
  - {name: each, per: caller, groups: [All Staff], requests: {hour: 2}}
  - {name: org, per: "claim:org.id", claims: {plan: free}, requests: {hour: 3}}
  - {name: org-tokens, per: "claim:org.id", claims: {plan: free}, tokens: {month: 100000}}
`), 0o600))
	g := harness.Start(t, w.env().With("LIMITS_FILE", file))
	ask := func(changes ...func(map[string]any)) *harness.Response {
		t.Helper()
		return g.Chat(t, chatBody, bearer(w.issuer.token(t, changes...)))
	}
	left := func(r *harness.Response, kind string) string { return r.Header.Get("x-ratelimit-remaining-" + kind) }
	group := set("groups", []string{"other", "All Staff"})
	assert.Equal(t, "1", left(ask(group, set("sub", "ann")), "requests"))
	assert.Equal(t, "0", left(ask(group, set("sub", "ann")), "requests"))
	assert.Equal(t, http.StatusTooManyRequests, ask(group, set("sub", "ann")).Status)
	assert.Equal(t, "1", left(ask(group, set("sub", "ben")), "requests"), "another caller")
	assert.Empty(t, left(ask(set("sub", "ann")), "requests"), "not in the group")

	org := func(id, plan string) func(map[string]any) {
		return func(c map[string]any) { c["org"], c["plan"] = map[string]any{"id": id}, plan }
	}
	for i, want := range []string{"2", "1", "0"} {
		r := ask(org("acme", "free"), set("sub", "user"+want))
		assert.Equal(t, want, left(r, "requests"), i)
		assert.NotEmpty(t, left(r, "tokens"))
	}
	assert.Equal(t, http.StatusTooManyRequests, ask(org("acme", "free"), set("sub", "someone else")).Status)
	assert.Equal(t, "2", left(ask(org("umbrella", "free")), "requests"))
	paid := ask(org("acme", "paid"))
	assert.Empty(t, left(paid, "requests")+left(paid, "tokens"))
	assert.Equal(t, http.StatusUnauthorized, g.Chat(t, chatBody).Status)
}
