package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Each matcher by its name: a request for which it holds, and one for which it does not. Their corners are in testdata.
var matchers = map[string]struct{ match, holds, not string }{
	"provider": {`{provider: openai}`, `{body: {model: openai/m}}`, `{body: {model: groq/m}}`},
	"upstream": {`{upstream: "*.openai.com"}`, `{upstream: api.openai.com, body: {}}`, `{upstream: api.groq.com, body: {}}`},
	"model":    {`{model: "gpt-*"}`, `{body: {model: GPT-4o}}`, `{body: {model: llama}}`},
	"endpoint": {`{endpoint: messages}`, `{path: /v1/messages, body: {}}`, `{path: /v1/responses, body: {}}`},
	"path":     {`{path: "/v1/chat/*"}`, `{path: "//v1/%63hat/completions", body: {}}`, `{path: /v1/embeddings, body: {}}`},
	"method":   {`{method: DELETE}`, `{method: DELETE, path: /v1/files}`, `{method: GET, path: /v1/files}`},
	"headers":  {`{headers: {x-team: red}}`, `{headers: {X-Team: "blue, red"}, body: {}}`, `{headers: {x-team: reddish}, body: {}}`},
	"claims":   {`{claims: {groups: admins}}`, `{claims: {groups: [staff, admins]}, body: {}}`, `{claims: {groups: [staff]}, body: {}}`},
	"peer":     {`{peer: {namespace: shop}}`, `{peer: {principal: "spiffe://cluster.local/ns/shop/sa/cart"}, body: {}}`, `{peer: {namespace: web}, body: {}}`},
	"node":     {`{node: {labels: {app: front}}}`, `{node: {labels: {app: front}}, body: {}}`, `{node: {labels: {app: back}}, body: {}}`},
	"stream":   {`{stream: true}`, `{body: {stream: true}}`, `{body: {stream: false}}`},
	"tools":    {`{tools: true}`, `{body: {tools: [{type: function}]}}`, `{body: {tools: []}}`},
	"images": {
		`{images: true}`, `{body: {messages: [{role: user, content: [{type: image_url, image_url: {url: "data:"}}]}]}}`,
		`{body: {messages: [{role: user, content: image_url}]}}`,
	},
	"body": {`{body: {min: 40}}`, `{body: {model: a-name-that-is-longer-than-forty-bytes}}`, `{body: {model: m}}`},
}

func TestEachMatcher(t *testing.T) {
	for name, c := range matchers {
		t.Run(name, func(t *testing.T) {
			cases(t, `rules: [{name: it, match: `+c.match+`, act: deny}]`,
				`{name: holds, request: `+c.holds+`, want: {action: deny, rule: it, status: 403}}`,
				`{name: does not, request: `+c.not+`, want: {rule: none}}`)
			cases(t, `rules: [{name: it, unless: `+c.match+`, act: deny}]`,
				`{name: unless it holds, request: `+c.holds+`, want: {rule: none}}`,
				`{name: does not, request: `+c.not+`, want: {action: deny, rule: it}}`)
		})
	}
	named(t, matchers, `rules: [{name: it, match: {nothing: 1}, act: deny}]`)
}

// Each action by its name: what it does, and to which request it does nothing.
var actions = map[string]struct{ act, does, not string }{
	"deny": {`{deny: {status: 451, message: not here}}`, `{request: {body: {}}, want: {action: deny, status: 451, code: policy_denied, message: not here}}`, ``},
	"secrets": {
		`{secrets: [aws_access_key]}`,
		`{request: {body: {user: AKIAIOSFODNN7EXAMPLE}}, want: {action: secret, status: 403, code: policy_secret, secrets: {aws_access_key: 1}}}`,
		`{request: {body: {user: AKIA}}, want: {action: allow}}`,
	},
	"require": {`{require: [user]}`, `{request: {body: {model: m}}, want: {action: require, status: 400, code: policy_required_field}}`, `{request: {body: {user: u}}, want: {action: allow}}`},
	"remove":  {`{remove: [seed]}`, `{request: {body: {seed: 1, model: m}}, want: {action: edit, body: {model: m}}}`, `{request: {body: {model: m}}, want: {action: allow}}`},
	"set":     {`{set: {store: false}}`, `{request: {body: {store: true}}, want: {action: edit, body: {store: false}}}`, ``},
	"cap":     {`{cap: 9}`, `{request: {body: {max_tokens: 10}}, want: {action: edit, body: {max_tokens: 9}}}`, `{request: {body: {max_tokens: 9}}, want: {action: allow}}`},
	"model":   {`{model: small}`, `{request: {body: {model: openai/large}}, want: {action: edit, model: openai/small}}`, ``},
	"budget": {
		`{budget: {requests: 1, per: 1h}}`, `{repeat: 2, request: {body: {}}, want: {action: budget, status: 429, code: policy_budget}}`,
		`{request: {body: {}}, want: {action: allow}}`,
	},
}

func TestEachAction(t *testing.T) {
	for name, c := range actions {
		t.Run(name, func(t *testing.T) {
			list := []string{strings.Replace(c.does, "{", "{name: does, ", 1)}
			if c.not != "" {
				list = append(list, strings.Replace(c.not, "{", "{name: does nothing, ", 1))
			}
			for _, one := range list { // each with a new budget
				cases(t, `rules: [{name: it, act: `+c.act+`}]`, one)
			}
			cases(t, `rules: [{name: it, shadow: true, act: `+c.act+`}]`, `{name: in shadow, request: {body: {seed: 1, model: m}}, want: {action: pass, rule: none}}`)
		})
	}
	named(t, actions, `rules: [{name: it, act: {nothing: 1}}]`)
}

func cases(t *testing.T, rules string, list ...string) {
	t.Helper()
	json, err := policyfile.Read("policy.yaml", []byte(rules))
	require.NoError(t, err, rules)
	p, problems := policy.Parse(json)
	require.Empty(t, problems)
	parsed, err := policyfile.ParseCases("cases.yaml", []byte("cases:\n- "+strings.Join(list, "\n- ")+"\n"))
	require.NoError(t, err, list)
	if report := policyfile.Run(p, parsed); report.Failed > 0 {
		var out strings.Builder
		require.NoError(t, report.Write(&out))
		t.Error(rules + "\n" + out.String())
	}
}

// named compares a table with the list of fields that the parser tells when one is unknown.
func named[V any](t *testing.T, table map[string]V, bad string) {
	t.Helper()
	_, err := policyfile.Read("policy.yaml", []byte(bad))
	require.ErrorContains(t, err, "unknown field")
	_, all, found := strings.Cut(err.Error(), "expected one of ")
	require.True(t, found, err)
	var got []string
	for name := range table {
		got = append(got, name)
	}
	slices.Sort(got)
	assert.Equal(t, strings.Split(strings.TrimSpace(all), ", "), got, "each has its test")
}
