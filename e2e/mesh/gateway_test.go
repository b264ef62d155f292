package mesh

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// At an egress gateway the certificate says who sends, whatever the request says.
func TestAGatewayKnowsWhoSends(t *testing.T) {
	t.Parallel()
	w := gateway(t)
	l := w.with(t, plugin{policy: `
default: deny
unknown: refuse
rules:
  - name: shop
    match: {peer: {namespace: shop}, provider: openai, model: "gpt-4o*"}
    act: {cap: {tokens: 50, insert: max_tokens}}
  - name: batch
    match: {peer: {principal: "spiffe://cluster.local/ns/research/sa/batch"}, provider: [openai, anthropic]}
    act: {budget: {requests: 2, per: 30d, key: [peer]}}
`})
	l.URL = strings.Replace(l.URL, "http:", "https:", 1)
	openai := host("api.openai.com")
	ask := func(namespace, account, model string, more ...string) int {
		t.Helper()
		r, got := l.askAs(t, l.as(t, namespace, account), "/v1/chat/completions", chat(model), append(more, openai)...)
		assert.Equal(t, r.Status == http.StatusOK, len(got) == 1, "%s/%s %s: %s", namespace, account, model, r)
		return r.Status
	}
	assert.Equal(t, 200, ask("shop", "cart", "gpt-4o"))
	assert.Equal(t, 403, ask("shop", "cart", "o3"))
	assert.Equal(t, 403, ask("other", "cart", "gpt-4o"))
	forged := "X-Forwarded-Client-Cert: URI=" + spiffe("shop", "cart")
	assert.Equal(t, 403, ask("other", "cart", "gpt-4o", forged), "headers tell nobody who sends")
	assert.Equal(t, 403, ask("research", "notebook", "o3"))
	for _, want := range []int{200, 200, 429, 429} {
		assert.Equal(t, want, ask("research", "batch", "o3"))
	}
	r, got := l.askAs(t, l.as(t, "shop", "cart"), "/v1/chat/completions", chat("gpt-4o"), openai)
	require.Len(t, got, 1, "%s", r)
	assert.JSONEq(t, strings.Replace(chat("gpt-4o"), "{", `{"max_tokens":50,`, 1), string(got[0].Body))
}

// Without a certificate of the mesh there is no connection at all.
func TestAGatewayTakesNoStrangers(t *testing.T) {
	t.Parallel()
	l := gateway(t).with(t, plugin{policy: "rules: []"})
	l.URL = strings.Replace(l.URL, "http:", "https:", 1)
	_, err := l.Try(t, l.Client(t), http.MethodPost, "/v1/chat/completions", chat("x"), host("api.openai.com"))
	assert.Error(t, err)
}

// Behind a waypoint's first listener there is no certificate, but what that has learned of the workload.
func TestAWaypointKnowsWhoSends(t *testing.T) {
	t.Parallel()
	w := gateway(t)
	const policy = "default: deny\nrules: [{name: shop, match: {peer: {namespace: shop}}, act: allow}]"
	for namespace, status := range map[string]int{"shop": 200, "other": 403} {
		l := w.with(t, plugin{policy: policy, Principal: spiffe(namespace, "cart")})
		l.URL = strings.Replace(l.URL, "http:", "https:", 1)
		r, _ := l.askAs(t, l.withoutIdentity(t), "/v1/chat/completions", chat("x"), host("api.openai.com"))
		assert.Equal(t, status, r.Status, "%s: %s", namespace, r)
	}
}

// The claims are those that a RequestAuthentication of Istio has verified, of every type that JSON has.
func TestClaimsOfARequestAuthentication(t *testing.T) {
	t.Parallel()
	w := gateway(t)
	l := w.with(t, plugin{policy: `
default: deny
rules:
  - {name: group, match: {claims: {groups: [llm-users]}}, act: allow}
  - {name: scope, match: {claims: {scope: "llm.write"}}, act: allow}
  - {name: nested, match: {claims: {org.plan: pro}}, act: allow}
  - {name: dotted, match: {claims: {"https://example.com/role": admin}}, act: allow}
  - {name: level, match: {claims: {level: "42"}}, act: allow}
  - {name: staff, match: {claims: {staff: "true"}}, act: allow}
  - {name: anyone, match: {claims: {sub: true}, model: "*-mini"}, act: allow}
`})
	l.URL = strings.Replace(l.URL, "http:", "https:", 1)
	client := l.as(t, "shop", "cart")
	for _, c := range []struct {
		claims map[string]any
		model  string
		rule   string
	}{
		{map[string]any{"groups": []string{"users", "llm-users"}}, "gpt-4o", "group"},
		{map[string]any{"groups": "llm-users"}, "gpt-4o", "group"},
		{map[string]any{"groups": []string{"users"}}, "gpt-4o", ""},
		{map[string]any{"scope": "openid llm.write"}, "gpt-4o", "scope"},
		{map[string]any{"scope": "openid llm.writes"}, "gpt-4o", ""},
		{map[string]any{"org": map[string]any{"plan": "pro"}}, "gpt-4o", "nested"},
		{map[string]any{"https://example.com/role": "admin"}, "gpt-4o", "dotted"},
		{map[string]any{"level": 42}, "gpt-4o", "level"},
		{map[string]any{"level": 43}, "gpt-4o", ""},
		{map[string]any{"staff": true}, "gpt-4o", "staff"},
		{map[string]any{"staff": false}, "gpt-4o", ""},
		{map[string]any{"sub": "ann"}, "gpt-4o-mini", "anyone"},
		{map[string]any{"sub": "ann"}, "gpt-4o", ""},
		{nil, "gpt-4o-mini", ""}, // no token
	} {
		headers := []string{host("api.openai.com")}
		if c.claims != nil {
			headers = append(headers, issuer.token(t, c.claims))
		}
		r, got := l.askAs(t, client, "/v1/chat/completions", chat(c.model), headers...)
		assert.Equal(t, c.rule != "", r.Status == http.StatusOK, "%v: %s", c.claims, r)
		assert.Equal(t, c.rule != "", len(got) == 1, "%v", c.claims)
	}
	for _, rule := range []string{"group", "scope", "nested", "dotted", "level", "staff", "anyone"} {
		assert.Regexp(t, `(?m)rule\.`+rule+`\.allow: [12]$`, w.stats(t, `rule\.`+rule+`\.`))
	}
	r, _ := l.askAs(t, client, "/v1/chat/completions", chat("gpt-4o-mini"), host("api.openai.com"), "Authorization: Bearer a.b.c")
	assert.Equal(t, http.StatusUnauthorized, r.Status, "a bad token is Istio's matter: %s", r)
}
