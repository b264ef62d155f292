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

const claimsPolicy = `
default: deny
rules:
  - {name: nested, match: {claims: {realm.roles: [tester]}}, act: {deny: {status: 402}}}
  - {name: flagged, match: {claims: {trial: "true"}}, act: {deny: {status: 451}}}
  - {name: level, match: {claims: {level: "3"}}, act: {deny: {status: 418}}}
  - {name: admins, match: {claims: {groups: [admins]}}, act: allow}
  - {name: bob, match: {claims: {sub: [bob]}}, unless: {claims: {acr: true}}, act: allow}
`

// A policy knows the claims of the token that was verified, in the wasm lane and beside ext_proc.
func TestAPolicyAsksForClaims(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte(claimsPolicy), 0o600))
	for _, lane := range []string{"true", "false"} {
		t.Run("WASM_ENABLED="+lane, func(t *testing.T) {
			t.Parallel()
			w := &world{issuer: newIssuer(t), own: harness.NewProvider(t, nil)}
			w.Gateway = harness.Start(t, w.env().With("POLICY_FILE", file, "WASM_ENABLED", lane, "WASM_PATH", harness.Module(t)))
			for name, c := range map[string]struct {
				change func(map[string]any)
				status int
				rule   string
			}{
				"a member of a list":     {set("groups", []string{"staff", "admins"}), 200, ""},
				"a text":                 {set("groups", "admins"), 200, ""},
				"another member":         {set("groups", []string{"staff"}), 403, "deny"},
				"a part of a name":       {set("groups", []string{"admins2", "the,admins"}), 403, "deny"},
				"none":                   {without("groups"), 403, "deny"},
				"nested":                 {set("realm", map[string]any{"roles": []string{"tester"}}), 402, "nested"},
				"nested, of another":     {set("realm", map[string]any{"roles": []string{"x"}}), 200, ""},
				"a truth value":          {set("trial", true), 451, "flagged"},
				"another truth value":    {set("trial", false), 200, ""},
				"a number":               {set("level", 3), 418, "level"},
				"a claim that is absent": {func(c map[string]any) { c["sub"] = "bob"; delete(c, "groups") }, 200, ""},
				"or not":                 {func(c map[string]any) { c["sub"] = "bob"; c["acr"] = "1"; delete(c, "groups") }, 403, "deny"},
			} {
				// What a client says of itself counts for nothing.
				r := w.chat(t, w.issuer.token(t, c.change), "X-Igw-Groups: admins", "X-Jwt-Payload: eyJncm91cHMiOlsiYWRtaW5zIl19")
				assert.Equal(t, c.status, r.Status, "%s: %s", name, r)
				assert.Equal(t, c.rule, r.Header.Get("X-Policy-Rule"), name)
			}
			refused(t, w.Chat(t, chatBody), "unauthorized", "needs a token")
			assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)
		})
	}
}
