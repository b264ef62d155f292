package mesh

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const sidecarPolicy = `
default: deny
unknown: refuse
rules:
  - name: own-services
    match: {upstream: "reviews.*"}
    act: allow
  - name: stable-names
    match: {model: "*-preview*"}
    act: {deny: {status: 451, message: use the stable name of that model}}
  - name: secrets
    continue: true
    act: {secrets: all}
  - name: cart
    match:
      node: {namespace: shop, labels: {app: cart}}
      provider: [openai, azure, anthropic, google]
      model: ["gpt-4o*", "claude-*", "gemini-*"]
    act: {cap: {tokens: 100, insert: max_tokens}}
`

// What a workload may send where is decided beside it: the application speaks plain HTTP to the provider's own name,
// and its sidecar makes the TLS.
func TestASidecarHoldsItsWorkloadToThePolicy(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	for name, asStruct := range map[string]bool{"StringValue": false, "Struct": true} {
		l := w.with(t, plugin{policy: sidecarPolicy, asStruct: asStruct})
		for _, c := range []struct {
			what, host, path, body string
			status                 int
			rule, sent             string
		}{
			{"a model of OpenAI", "api.openai.com", "/v1/chat/completions", `{"model":"gpt-4o","max_tokens":5000}`, 200, "", `{"model":"gpt-4o","max_tokens":100}`},
			{"with the port in the authority", "api.openai.com:80", "/v1/chat/completions", `{"model":"gpt-4o","max_tokens":7}`, 200, "", `{"model":"gpt-4o","max_tokens":7}`},
			{"Azure names the model in the path", "team.openai.azure.com", "/openai/deployments/gpt-4o-mini/chat/completions?api-version=1", `{"max_tokens":101}`, 200, "", `{"max_tokens":100}`},
			{"Anthropic, over HTTP/2", "api.anthropic.com", "/v1/messages", `{"model":"claude-sonnet-4","max_tokens":200}`, 200, "", `{"model":"claude-sonnet-4","max_tokens":100}`},
			{"Google names the model in the path", "generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent", `{"generationConfig":{"maxOutputTokens":200}}`, 200, "", `{"generationConfig":{"maxOutputTokens":100}}`},
			{"a model that nobody may use", "api.openai.com", "/v1/chat/completions", chat("gpt-9-preview"), 451, "stable-names", ""},
			{"a model that this workload may not use", "api.openai.com", "/v1/chat/completions", chat("o3"), 403, "deny", ""},
			{"a provider that it may not use", "vllm.models", "/v1/chat/completions", chat("gpt-4o"), 403, "deny", ""},
			{"a secret in the prompt", "api.openai.com", "/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user","content":"\u0041KIAIOSFODNN7EXAMPLE"}]}`, 403, "secrets", ""},
			{"no endpoint of a model", "api.openai.com", "/v1/files", `{}`, 403, "unknown", ""},
			{"no JSON", "api.openai.com", "/v1/chat/completions", `{"model":`, 400, "unreadable", ""},
			{"its own services are its own matter", "reviews", "/v1/messages", `no JSON`, 200, "", `no JSON`},
		} {
			r, got := l.ask(t, c.path, c.body, host(c.host))
			assert.Equal(t, c.status, r.Status, "%s, %s: %s", name, c.what, r)
			assert.Equal(t, c.rule, r.Header.Get("X-Policy-Rule"), "%s, %s", name, c.what)
			if c.sent == "" {
				assert.Empty(t, got, "%s, %s: nothing goes on", name, c.what)
				assert.NotEmpty(t, r.Error().Message, "%s, %s", name, c.what)
				continue
			}
			require.Len(t, got, 1, "%s, %s", name, c.what)
			assert.Equal(t, c.sent, string(got[0].Body), "%s, %s", name, c.what)
			assert.Equal(t, c.path, got[0].URI, "%s, %s", name, c.what)
			assert.Equal(t, c.host, got[0].Host, "%s, %s", name, c.what)
		}
	}
	assert.Regexp(t, `(?m)^wasmcustom\.inference_gateway\.policy\.rule\.stable-names\.deny: 2$`, w.stats(t, "inference_gateway"))
}

// What the provider is, is told by where the request goes: by the cluster of its route, and where that is a gateway of the
// mesh or has no host, by the name that the application has asked for.
func TestProvidersAreKnownByTheirHosts(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	l := w.with(t, plugin{policy: `
default: deny
hosts: {vllm: ["*.models.svc.cluster.local"]}
rules:
  - {name: mistral, match: {provider: mistral, upstream: "istio-egressgateway.*"}, act: allow}
  - {name: vllm, match: {provider: vllm, upstream: vllm.models.svc.cluster.local, model: "vllm/llama-*"}, act: allow}
  - {name: openai, match: {provider: openai, upstream: api.openai.com}, act: allow}
`})
	for _, c := range []struct {
		host, model string
		status      int
	}{
		{"api.openai.com", "gpt-4o", 200},
		{"api.mistral.ai", "mistral-large", 200},         // by an egress gateway
		{"vllm.models", "llama-4", 200},                  // by the cluster: the application has used a short name
		{"vllm.models", "openai/gpt-4o", 403},            // a prefix is no way around
		{"reviews", "anything", 403},                     // no provider
		{"api.anthropic.com", "openai/gpt-4o", 403},      // here neither
		{"team.openai.azure.com", "gpt-4o", 403},         // Azure's is another
		{"api.openai.com.example.com", "gpt-4o", 403},    // nor a longer name
		{"API.OPENAI.COM", "openai/gpt-4o", 200},         // in any case, with its own prefix
		{"api.openai.com:80", "anthropic/whatever", 200}, // and whatever the model is named
	} {
		r, got := l.ask(t, "/v1/chat/completions", chat(c.model), host(c.host))
		assert.Equal(t, c.status, r.Status, "%s %s: %s", c.host, c.model, r)
		assert.Equal(t, c.status == 200, len(got) == 1, c.host)
	}
}

// The sidecar makes the TLS, with the provider's name and its certificate checked. A provider that shows another's
// certificate gets nothing, and the application is told.
func TestASidecarMakesTheTLS(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	l := w.with(t, plugin{policy: bodyPolicy})
	r, got := l.ask(t, "/v1/chat/completions", chat("gpt-4o"), host("api.openai.com"), "Authorization: Bearer sk-of-the-application")
	require.Equal(t, http.StatusOK, r.Status, "%s", r)
	require.Len(t, got, 1)
	assert.Equal(t, "Bearer sk-of-the-application", got[0].Header.Get("Authorization"), "nothing else is touched")
	r, got = l.ask(t, "/v1/chat/completions", chat("deepseek-chat"), host("api.deepseek.com"))
	assert.Equal(t, http.StatusServiceUnavailable, r.Status, "%s", r)
	assert.Empty(t, got)
}

// What is no request to a model passes or is refused by one setting, and rules hold for it by its headers.
func TestWhatIsNoRequestToAModel(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	const rules = `
default: deny
rules:
  - {name: no-files, match: {path: "/v1/files*"}, act: deny}
  - {name: red, match: {headers: {x-team: red}}, act: allow}
`
	for setting, status := range map[string]int{"pass": 200, "refuse": 403} {
		l := w.with(t, plugin{policy: "unknown: " + setting + rules})
		for _, path := range []string{"/", "/api/orders?id=1", "/v1/batches", "/messages/7"} {
			r, _ := l.ask(t, path, `not JSON`, host("reviews"))
			assert.Equal(t, status, r.Status, "%s %s: %s", setting, path, r)
			assert.Equal(t, status, l.Do(t, http.MethodGet, path, "", host("reviews")).Status, "%s %s", setting, path)
		}
		assert.Equal(t, status, l.Do(t, http.MethodGet, "/v1/chat/completions", "", host("reviews")).Status, "the list of stored ones")
		r, _ := l.ask(t, "/v1/files", `{}`, host("reviews"))
		assert.Equal(t, "no-files", r.Header.Get("X-Policy-Rule"))
		r, _ = l.ask(t, "/v1/batches", `{}`, host("reviews"), "X-Team: blue", "X-Team: red")
		assert.Equal(t, http.StatusOK, r.Status, "the second of two headers of one name counts: %s", r)
		r, _ = l.ask(t, "/v1/chat/completions", chat("x"), host("reviews"))
		assert.Equal(t, http.StatusForbidden, r.Status, "default: deny is for models: %s", r)
	}
}

// The access log names the rule, as the statistics do.
func TestTheAccessLogNamesTheRule(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	l := w.with(t, plugin{policy: bodyPolicy})
	_, _ = l.ask(t, "/v1/chat/completions", chat("gpt-9-preview"), host("api.openai.com"), "X-Team: red")
	_, _ = l.ask(t, "/v1/chat/completions", chat("gpt-4o"), host("api.openai.com"))
	harness.Eventually(t, patience, "both are in the log", func() bool {
		text, err := os.ReadFile(filepath.Join(w.dir, "access.log"))
		return err == nil && strings.Contains(string(text), l.name+" 403 outbound|80||api.openai.com no-preview deny\n") &&
			strings.Contains(string(text), l.name+" 200 outbound|80||api.openai.com capped edit\n")
	})
	text, err := w.admin("/stats/prometheus?filter=inference_gateway")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^inference_gateway_policy_rule_capped_edit\{\} [1-9]`, text)
}

// With the two stock filters of an option, rule and outcome are dynamic metadata too: for logs, and for what chooses their
// lines. Nothing of it is on the answer, and what a provider says does not count.
func TestTheAccessLogMayHaveTheRuleAsDynamicMetadata(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	option := patches(t, "access-log-metadata.yaml")
	slices.Reverse(option) // each goes before those that are there
	l := w.with(t, plugin{First: option, policy: `
rules:
  - {name: no-preview, match: {model: "*-preview"}, act: deny}
  - {name: capped, match: {model: "gpt-4*"}, act: {cap: {tokens: 100, insert: max_tokens}}}
  - {name: plain, match: {model: "gpt-3*"}, act: allow}
`})
	forge := "X-Forge: capped forged"
	for _, c := range []struct {
		body   string
		status int
	}{
		{chat("gpt-9-preview"), 403},
		{chat("gpt-4o"), 200},
		{chat("gpt-3o"), 200},
		{chat("llama"), 200},
		{`{"model":`, 400},
		{chat("gpt-4o"), 200},
	} {
		r, _ := l.ask(t, "/v1/chat/completions", c.body, host("api.openai.com"), forge)
		assert.Equal(t, c.status, r.Status, "%s", r)
		assert.Empty(t, r.Header.Get("X-Igw-Policy"))
	}
	r, _ := l.ask(t, "/v1/files", "x", host("api.openai.com"), forge)
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	want := []string{"403 no-preview deny", "200 capped edit", "400 none unreadable", "200 capped edit"}
	var got []string
	harness.Eventually(t, patience, "all are in the log", func() bool {
		text, err := os.ReadFile(filepath.Join(w.dir, "metadata.log"))
		got = nil
		for line := range strings.Lines(string(text)) {
			if rest, ours := strings.CutPrefix(line, l.name+" "); ours {
				got = append(got, strings.TrimSpace(rest))
			}
		}
		return err == nil && len(got) >= len(want)
	})
	assert.ElementsMatch(t, want, got)
}
