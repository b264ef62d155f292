package extauthz

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
)

var moment = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func table(t testing.TB) *access.Table {
	t.Helper()
	entry := func(id, more string) string {
		return "  - {id: " + id + ", sha256: " + access.Hash("secret-"+id) + more + "}\n"
	}
	keys := "keys:\n" + entry("good", ", groups: [developers, b c]") + entry("late", ", expires: 2020-01-01") +
		entry("gone", ", revoked: 2020-01-01") + entry("narrow", ", allow: {models: ['one/*'], providers: [one]}") +
		entry("one", ", allow: {models: ['one/small']}") + entry("short", ", max_tokens: 5")
	rules := `
groups: {nowhere: {deny: {providers: ["*"]}}}
claims: [{claim: department, value: research, groups: [researchers, nowhere]}]`
	out, err := access.Load(&access.Source{Name: "k", Content: []byte(keys)}, &access.Source{Name: "r", Content: []byte(rules)})
	require.NoError(t, err)
	return out
}

func TestDecide(t *testing.T) {
	keys := Policy{Table: table(t), Keys: true, Required: true}
	oidc := Policy{Table: table(t), Required: true}
	open := Policy{Table: table(t)}
	bearer := func(values ...string) (q question) { q.authorization = values; return q }
	const token, login, cert = "oidc:login/alice", "oidc:login/bob", "cert:proxy.example.com"
	for _, tt := range []struct {
		name   string
		policy Policy
		q      question
		want   string // the caller and its groups, or the kind of the refusal and a part of its message
		says   string
	}{
		{"a key", keys, bearer("Bearer secret-good"), "key:good [developers,b%20c]", ""},
		{"in the other header", keys, question{apiKeys: []string{"secret-good"}}, "key:good [developers,b%20c]", ""},
		{"in both", keys, question{authorization: []string{"bearer secret-good"}, apiKeys: []string{" secret-good "}}, "key:good [developers,b%20c]", ""},
		{"nothing", keys, question{}, "invalid_api_key", "did not provide"},
		{"empty headers", keys, question{authorization: []string{"", "Bearer", "Bearer "}, apiKeys: []string{""}}, "invalid_api_key", "did not provide"},
		{"an unknown key", keys, bearer("Bearer secret-goo"), "invalid_api_key", "incorrect"},
		{"an expired key", keys, bearer("Bearer secret-late"), "invalid_api_key", "expired"},
		{"a revoked key", keys, bearer("Bearer secret-gone"), "invalid_api_key", "revoked"},
		{"a token that nobody has verified", keys, bearer("Bearer eyJhbGciOiJub25lIn0.e30."), "invalid_api_key", "incorrect"},
		{"another scheme", keys, bearer("Basic secret-good"), "invalid_api_key", "not a bearer token"},
		{"no scheme", keys, bearer("secret-good"), "invalid_api_key", "not a bearer token"},
		{"two keys", keys, question{authorization: []string{"Bearer secret-good"}, apiKeys: []string{"secret-short"}}, "invalid_api_key", "two different"},
		{"two values", keys, bearer("Bearer secret-good", "Bearer secret-short"), "invalid_api_key", "two different"},
		{"another scheme beside a key", keys, question{authorization: []string{"Basic YTpi"}, apiKeys: []string{"secret-good"}}, "invalid_api_key", "two different"},

		{"a token", keys, question{caller: token, groups: "developers"}, token + " [developers]", ""},
		{"a token and a key", keys, question{caller: token, apiKeys: []string{"secret-good"}}, "invalid_api_key", "two different"},
		{"a certificate alone", keys, question{caller: cert}, "invalid_api_key", "did not provide"},
		{"a certificate alone, which is called like a user", keys, question{caller: "cert:oidc:login/alice"}, "invalid_api_key", "did not provide"},
		{"a certificate and a key", keys, question{caller: cert, groups: "of-the-certificate", apiKeys: []string{"secret-good"}}, "key:good [developers,b%20c]", ""},
		{"a certificate and a bad key", keys, question{caller: cert, apiKeys: []string{"x"}}, "invalid_api_key", "incorrect"},
		{"claims", keys, question{caller: token, groups: "a", claims: map[string]any{"department": "research"}}, token + " [a,researchers,nowhere]", ""},
		{"a group that is two", keys, question{caller: token, groups: "a", claims: map[string]any{"department": "sales"}}, token + " [a]", ""},

		{"without keys, a token", oidc, question{caller: login}, login + " []", ""},
		{"without keys, a key", oidc, bearer("Bearer secret-good"), "unauthorized", "no token"},
		{"without keys, a certificate alone", oidc, question{caller: cert}, "unauthorized", "no token"},
		{"without keys, nothing", oidc, question{}, "unauthorized", "no token"},
		{"rules alone, nobody", open, question{}, " []", ""},
		{"rules alone, any key of an SDK", open, bearer("Bearer unused"), " []", ""},
		{"rules alone, a certificate", open, question{caller: cert}, cert + " []", ""},
		{"claims of nobody", open, question{claims: map[string]any{"department": "research"}}, " []", ""},

		{"a provider that is allowed", keys, question{path: "/proxy/one/x?y", apiKeys: []string{"secret-narrow"}}, "key:narrow []", ""},
		{"a provider that is not", keys, question{path: "/proxy/two/x", apiKeys: []string{"secret-narrow"}}, "permission_denied", "provider two"},
		{"in another spelling", keys, question{path: "/PROXY/Two/x", apiKeys: []string{"secret-narrow"}}, "permission_denied", "provider two"},
		{"without a path", keys, question{path: "/proxy/two?x=/one/", apiKeys: []string{"secret-narrow"}}, "permission_denied", "provider two"},
		{"by a claim", keys, question{path: "/proxy/one/x", caller: token, claims: map[string]any{"department": []any{"research"}}}, "permission_denied", "provider one"},
		{"a model in the query", keys, question{path: "/proxy/one/x?a=b&Model=small", apiKeys: []string{"secret-one"}}, "key:one []", ""},
		{"another model in the query", keys, question{path: "/proxy/one/x?a=b&model=small&model=lar%67e", apiKeys: []string{"secret-one"}}, "model_not_allowed", "one/large"},
		{"a model in a query that is half bad", keys, question{path: "/proxy/one/x?model=large;x=y", apiKeys: []string{"secret-one"}}, "permission_denied", "query"},
		{"a bad query of somebody with all models", keys, question{path: "/proxy/one/x?%zz=1", apiKeys: []string{"secret-short"}}, "key:short []", ""},
		{"a WebSocket", keys, question{path: "/proxy/one/x", upgrade: true, apiKeys: []string{"secret-good"}}, "key:good [developers,b%20c]", ""},
		{"a WebSocket with few models", keys, question{path: "/proxy/one/x", upgrade: true, apiKeys: []string{"secret-narrow"}}, "permission_denied", "WebSocket"},
		{"a WebSocket with short answers", keys, question{path: "/proxy/one/x", upgrade: true, apiKeys: []string{"secret-short"}}, "permission_denied", "WebSocket"},
		{"chat of few models is for others to decide", keys, question{path: "/v1/chat/completions", apiKeys: []string{"secret-narrow"}}, "key:narrow []", ""},
	} {
		a := tt.policy.decide(tt.q, moment)
		if a.refusal != nil {
			assert.Equal(t, tt.want, string(a.refusal.Kind), tt.name)
			assert.Contains(t, a.refusal.Message, tt.says, tt.name)
			assert.NotContains(t, a.refusal.Message, "secret-", tt.name)
			continue
		}
		assert.Equal(t, tt.want, a.caller+" ["+a.groups+"]", tt.name)
		assert.Equal(t, tt.policy.Required, a.strip, "%s: the credential has done its work", tt.name)
	}
}

func BenchmarkDecide(b *testing.B) {
	p := Policy{Table: table(b), Keys: true, Required: true}
	q := question{path: "/v1/chat/completions", authorization: []string{"Bearer secret-good"}}
	b.ReportAllocs()
	for b.Loop() {
		if p.decide(q, moment).refusal != nil {
			b.Fatal("refused")
		}
	}
}
