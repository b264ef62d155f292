package mesh

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a real istiod makes of deploy/istio/sidecar is a listener of the workload's sidecar with the policy in it.
func TestIstiodGivesSidecarsThePolicy(t *testing.T) {
	p := startPlane(t, `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders.shop.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}]
`, "sidecar/providers.yaml", "sidecar/policy.yaml")
	p.proxy(t, "sidecar", "127.0.0.2", "shop", "cart", map[string]string{"app": "cart", "llm-policy": "enforced"})
	l := p.listens(t, "cart", 80, "127.0.0.1")
	for _, c := range []struct {
		host, model string
		status      int
		rule        string
	}{
		{"api.openai.com", "gpt-4o-mini", 200, ""},
		{"api.openai.com", "gpt-4o", 403, "deny"},
		{"api.anthropic.com", "gpt-4o-mini", 403, "deny"},
		{"api.openai.com", "gpt-9-preview", 403, "no-preview"},
	} {
		r, got := l.ask(t, "/v1/chat/completions", chat(c.model), host(c.host))
		assert.Equal(t, c.status, r.Status, "%s %s: %s", c.host, c.model, r)
		assert.Equal(t, c.rule, r.Header.Get("X-Policy-Rule"))
		if c.status == http.StatusOK && assert.Len(t, got, 1) {
			assert.Contains(t, string(got[0].Body), `"max_completion_tokens":500`)
		}
	}
	assert.Contains(t, p.admin(t, "cart", "/stats?filter=inference_gateway"), "wasmcustom.inference_gateway.policy.rule.cart.edit: 1\n")
}

// egressService is what a cluster has as a Service of the egress gateway.
const egressService = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: istio-egressgateway, namespace: istio-egress}
spec:
  hosts: [istio-egressgateway.istio-egress.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: https, protocol: HTTPS, targetPort: 8080}]
  subjectAltNames: ["spiffe://cluster.local/ns/istio-egress/sa/istio-egressgateway"]
  endpoints: [{address: 127.0.0.5, labels: {istio: egressgateway, app: istio-egressgateway}}]
`

// egress starts the egress gateway.
func (p *plane) egress(t *testing.T) *listener {
	t.Helper()
	p.gateway = p.proxy(t, "router", "127.0.0.5", "istio-egress", "istio-egressgateway", map[string]string{"istio": "egressgateway", "app": "istio-egressgateway"})
	l := p.listens(t, "istio-egressgateway", 8080, "127.0.0.5")
	l.URL = strings.Replace(l.URL, "http:", "https:", 1)
	return l
}

// Through a sidecar without a plugin and an egress gateway with one: the gateway knows the workload by its certificate.
func TestIstiodGivesTheEgressGatewayThePolicy(t *testing.T) {
	p := startPlane(t, egressService, "egress-gateway/providers.yaml", "egress-gateway/policy.yaml", "options/large-bodies.yaml", "options/token-usage.yaml",
		"options/access-log-metadata.yaml")
	direct := p.egress(t)
	p.proxy(t, "sidecar", "127.0.0.2", "shop", "cart", map[string]string{"app": "cart"})
	l := p.listens(t, "cart", 80, "127.0.0.1")

	openai := host("api.openai.com")
	r, got := l.ask(t, "/v1/chat/completions", strings.Replace(chat("gpt-4o-mini"), "{", `{"max_tokens":4000,`, 1), openai)
	require.Equal(t, http.StatusOK, r.Status, "%s\n%s", r, p.admin(t, "istio-egressgateway", "/clusters"))
	require.Len(t, got, 1)
	assert.Contains(t, string(got[0].Body), `"max_tokens":1000`)
	r, got = l.ask(t, "/v1/chat/completions", chat("o3"), openai)
	assert.Equal(t, http.StatusForbidden, r.Status, "%s", r)
	assert.Empty(t, got)
	r, _ = l.ask(t, "/v1/chat/completions", chat("gpt-4o-mini"), host("api.anthropic.com"))
	assert.Equal(t, http.StatusForbidden, r.Status, "%s", r)
	r, _ = l.ask(t, "/v1/chat/completions", `{"model":"gpt-4o-mini","input":"`+strings.Repeat("x", 3<<20)+`","messages":"AKIAIOSFODNN7EXAMPLE"}`, openai)
	assert.Equal(t, "no-secrets", r.Header.Get("X-Policy-Rule"), "a body of 3 MiB is read: %s", r)

	p.gateway.Stdout.Await(t, patience, "LOG no-secrets secret / no-secrets secret\n")
	assert.Empty(t, r.Header.Get("X-Igw-Policy"), "what carries that to the log is not on the answer")

	r, _ = direct.askAs(t, direct.as(t, "research", "notebook"), "/v1/messages", chat("claude-opus-4"), host("api.anthropic.com"))
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	r, _ = direct.askAs(t, direct.as(t, "other", "cart"), "/v1/chat/completions", chat("gpt-4o-mini"), openai)
	assert.Equal(t, http.StatusForbidden, r.Status, "%s", r)
}

// By an EnvoyFilter in place of the WasmPlugin, headers wait for the body, and a path can still be changed then.
func TestIstiodGivesTheEnvoyFilterThatHoldsHeaders(t *testing.T) {
	p := startPlane(t, egressService, "egress-gateway/providers.yaml", "options/held-headers.yaml")
	l := p.egress(t)
	const pro, flash = "/v1beta/models/gemini-2.5-pro:generateContent", "/v1beta/models/gemini-2.5-flash:generateContent"
	r, got := l.askAs(t, l.as(t, "shop", "cart"), pro, `{"contents":[]}`, host("api.openai.com"))
	require.Equal(t, http.StatusOK, r.Status, "%s", r)
	require.Len(t, got, 1)
	assert.Equal(t, flash, got[0].URI)
	r, _ = l.askAs(t, l.as(t, "other", "cart"), "/v1/chat/completions", chat("x"), host("api.openai.com"))
	assert.Equal(t, http.StatusForbidden, r.Status, "%s", r)
}

// The claims that rules ask for are those of Istio's RequestAuthentication.
func TestIstiodsTokensAreTheClaimsOfRules(t *testing.T) {
	p := startPlane(t, egressService+`
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: users, namespace: istio-egress}
spec:
  selector: {matchLabels: {istio: egressgateway}}
  jwtRules: [{issuer: "https://issuer.example.com", jwks: '`+string(issuer.jwks)+`'}]
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: claims, namespace: istio-egress}
spec:
  selector: {matchLabels: {istio: egressgateway}}
  url: oci://registry.example.com/platform/inference-gateway-wasm:1
  phase: AUTHZ
  pluginConfig:
    policy:
      default: deny
      rules:
        - {name: scope, match: {claims: {scope: llm.write, groups: [staff]}}, act: allow}
`, "egress-gateway/providers.yaml")
	l := p.egress(t)
	client := l.as(t, "shop", "cart")
	for _, c := range []struct {
		claims map[string]any
		status int
	}{
		{map[string]any{"scope": "openid llm.write", "groups": []string{"users", "staff"}}, 200},
		{map[string]any{"scope": "openid llm.read", "groups": []string{"users", "staff"}}, 403},
	} {
		r, _ := l.askAs(t, client, "/v1/chat/completions", chat("x"), host("api.openai.com"), issuer.token(t, c.claims))
		assert.Equal(t, c.status, r.Status, "%v: %s", c.claims, r)
	}
}
