package providers_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// some are the rights of a caller of these tests: everything that they name and no more.
type some struct {
	providers []string // nil: all
	models    []string // provider/model; nil: all
	most      int64
}

func (s some) AllowsProvider(id string) bool {
	return s.providers == nil || slices.Contains(s.providers, id)
}

func (s some) AllowsModel(provider, model string) bool {
	return s.AllowsProvider(provider) && (s.models == nil || slices.Contains(s.models, provider+"/"+model))
}

func (s some) RestrictsModels() bool { return s.models != nil }
func (s some) MaxTokens() int64      { return s.most }

// withRights is the directory of all tests for callers of these names; others may do everything.
func withRights(callers map[providers.Caller]some) *providers.Directory {
	return directory(nil, []string{"openai/never"}).WithRights(func(c providers.Caller) providers.Rights {
		if s, ok := callers[c]; ok {
			return s
		}
		return nil
	})
}

func TestPlanIsHeldToTheCallersRights(t *testing.T) {
	narrow, short := providers.Caller{Name: "narrow"}, providers.Caller{Name: "short", Groups: "a,b"}
	one := providers.Caller{Name: "one provider"}
	d := withRights(map[providers.Caller]some{
		narrow: {models: []string{"openai/gpt-4o", "openai/never"}}, short: {most: 100}, one: {providers: []string{"openai"}},
	})
	for _, tt := range []struct {
		name           string
		caller         providers.Caller
		endpoint       catalog.Endpoint
		provider, body string
		want           string // the body, or the code of the refusal
	}{
		{"a model that is allowed", narrow, "", "", `{"model":"openai/gpt-4o"}`, `{"model":"gpt-4o"}`},
		{"in another case", narrow, "", "", `{"model":"OpenAI/gpt-4o"}`, `{"model":"gpt-4o"}`},
		{"by the parameter", narrow, "", "openai", `{"model":"gpt-4o"}`, `{"model":"gpt-4o"}`},
		{"a model that is not", narrow, "", "", `{"model":"openai/o3"}`, "model_not_allowed"},
		{"the parameter does not help", narrow, "", "openai", `{"model":"openai/gpt-4o"}`, "model_not_allowed"},
		{"the gateway's own list holds too", narrow, "", "", `{"model":"openai/never"}`, "model_not_allowed"},
		{"a second model for lax readers", narrow, "", "", `{"model":"openai/gpt-4o","Model":"o3"}`, "invalid_request"},
		{"models to fall back on", narrow, "", "", `{"model":"openai/gpt-4o","models":["o3"]}`, "invalid_request"},
		{"models for long prompts", narrow, "", "", `{"model":"openai/gpt-4o","context_window_fallbacks":[{"gpt-4o":["o3"]}]}`, "invalid_request"},
		{"models for refused prompts", narrow, "", "", `{"model":"openai/gpt-4o","Content_Policy_Fallbacks":[{"gpt-4o":["o3"]}]}`, "invalid_request"},
		{"no such models", narrow, "", "", `{"model":"openai/gpt-4o","models":null}`, `{"model":"gpt-4o","models":null}`},
		{"a provider that is allowed", one, "", "", `{"model":"openai/o3"}`, `{"model":"o3"}`},
		{"a provider that is not", one, "", "", `{"model":"anthropic/claude"}`, "model_not_allowed"},
		{"another caller", providers.Caller{Name: "narrow", Groups: "x"}, "", "", `{"model":"openai/o3","models":["a"],"Model":1}`, "invalid_request"},
		{"nobody", providers.Caller{}, "", "", `{"model":"anthropic/claude","max_tokens":1000}`, `{"model":"claude","max_tokens":1000}`},

		{"no length", short, "", "", `{"model":"anthropic/c"}`, `{"model":"c","max_tokens":100}`},
		{"no length at OpenAI", short, "", "", `{"model":"openai/o3"}`, `{"model":"o3","max_completion_tokens":100}`},
		{"a shorter one", short, "", "", `{"max_tokens": 99, "model":"openai/o3"}`, `{"max_tokens": 99, "model":"o3"}`},
		{"the same", short, "", "", `{"model":"openai/o3","max_completion_tokens":1e2}`, `{"model":"o3","max_completion_tokens":1e2}`},
		{"a longer one", short, "", "", `{"model":"openai/o3","max_tokens":101}`, `{"model":"o3","max_tokens":100}`},
		{"two", short, "", "", `{"model":"openai/o3","max_tokens":5,"max_completion_tokens":1000}`, `{"model":"o3","max_tokens":5,"max_completion_tokens":100}`},
		{"null", short, "", "", `{"model":"anthropic/c","max_tokens":null,"a":1}`, `{"model":"c","max_tokens":100,"a":1}`},
		{"without an end", short, "", "", `{"model":"openai/o3","max_tokens":-1}`, `{"model":"o3","max_tokens":100}`},
		{"nothing", short, "", "", `{"model":"openai/o3","max_tokens":0}`, `{"model":"o3","max_tokens":100}`},
		{"beyond all numbers", short, "", "", `{"model":"openai/o3","max_tokens":1e999}`, `{"model":"o3","max_tokens":100}`},
		{"not a number", short, "", "", `{"model":"openai/o3","max_tokens":"999"}`, "invalid_request"},
		{"for lax readers", short, "", "", `{"model":"openai/o3","max_tokens":5,"Max_Tokens":999}`, "invalid_request"},
		{"in the spelling of Google's servers", short, "", "", `{"model":"openai/o3","max_tokens":5,"maxTokens":999}`, "invalid_request"},
		{"without a rename", short, "", "openai", `{"model":"o3","max_tokens":500}`, `{"model":"o3","max_tokens":100}`},
		{"responses", short, catalog.Responses, "", `{"model":"openai/o3","max_tokens":500}`, `{"model":"o3","max_tokens":100,"max_output_tokens":100}`},
		{"llama.cpp's own name", short, "", "", `{"model":"anthropic/c","max_tokens":5,"n_predict":500}`, `{"model":"c","max_tokens":5,"n_predict":100}`},
		{"llama.cpp's name for all there is", short, catalog.Responses, "", `{"model":"openai/c","n_predict":-1}`, `{"model":"c","n_predict":100,"max_output_tokens":100}`},
		{"llama.cpp's name alone", short, "", "", `{"model":"anthropic/c","n_predict":50}`, `{"model":"c","n_predict":50,"max_tokens":100}`},
		{"llama.cpp's name for lax readers", short, "", "", `{"model":"anthropic/c","N_Predict":500}`, "invalid_request"},
		{"messages", short, catalog.Messages, "", `{"model":"anthropic/c","max_tokens":500}`, `{"model":"c","max_tokens":100}`},
		{"embeddings have none", short, catalog.Embeddings, "", `{"model":"openai/e","input":"x"}`, `{"model":"e","input":"x"}`},
	} {
		if tt.endpoint == "" {
			tt.endpoint = catalog.ChatCompletions
		}
		p, refusal := d.Plan(tt.caller, providers.Request{Endpoint: tt.endpoint, Provider: tt.provider, Body: []byte(tt.body)})
		if refusal != nil {
			assert.Equal(t, tt.want, string(refusal.Kind), tt.name)
			continue
		}
		assert.Equal(t, tt.want, string(p.Body), tt.name)
	}
	p, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: []byte(`{"model":"openai/o3"}`)})
	require.Nil(t, refusal)
	assert.Equal(t, "o3", p.Model)
}

func TestAModelInTheQueryIsRefusedWhereModelsAreRestricted(t *testing.T) {
	rights := map[string]some{"narrow": {models: []string{"openai/gpt-4o"}}, "short": {most: 100}}
	of := func(c providers.Caller) providers.Rights { return rights[c.Name] }
	r := providers.Request{Endpoint: catalog.ChatCompletions, Queried: true, Body: []byte(`{"model":"openai/gpt-4o"}`)}
	for name, want := range map[string]string{"narrow": "query", "short": ""} {
		_, refusal := directory(nil, nil).WithRights(of).Plan(providers.Caller{Name: name}, r)
		if want == "" {
			assert.Nil(t, refusal, name)
		} else if assert.NotNil(t, refusal, name) {
			assert.Contains(t, refusal.Message, want, name)
		}
	}
	_, refusal := directory(nil, nil).Plan(providers.Caller{}, r)
	assert.Nil(t, refusal, "nothing is restricted")
	_, refusal = directory([]string{"openai/*"}, nil).Plan(providers.Caller{}, r)
	require.NotNil(t, refusal)
	assert.Contains(t, refusal.Message, "query")
}

// A reload may take rights away: they are gone before Envoy has heard of it.
func TestBetweenHasTheNewRights(t *testing.T) {
	narrow := withRights(map[providers.Caller]some{{}: {models: []string{}}})
	_, refusal := directory(nil, nil).Between(narrow).Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: []byte(`{"model":"openai/o3"}`)})
	require.NotNil(t, refusal)
	assert.Equal(t, "model_not_allowed", string(refusal.Kind))
}

func TestProxyIsHeldToTheCallersRights(t *testing.T) {
	narrow, short, one := providers.Caller{Name: "narrow"}, providers.Caller{Name: "short"}, providers.Caller{Name: "one"}
	d := withRights(map[providers.Caller]some{
		narrow: {models: []string{"openai/gpt-4o", "cloudflare/@cf/meta/llama"}}, short: {most: 100}, one: {providers: []string{"openai"}},
	})
	for _, tt := range []struct {
		name       string
		caller     providers.Caller
		path, body string
		want       string // the body, or the code of the refusal
	}{
		{"a model that is allowed", narrow, "/proxy/openai/chat/completions", `{"model":"gpt-4o"}`, `{"model":"gpt-4o"}`},
		{"a model that is not", narrow, "/proxy/OPENAI/chat/completions", `{"model":"o3"}`, "model_not_allowed"},
		{"the gateway's own list", providers.Caller{}, "/proxy/openai/x", `{"model":"never"}`, "model_not_allowed"},
		{"models to fall back on", narrow, "/proxy/openai/chat/completions", `{"model":"gpt-4o","models":["o3"]}`, "invalid_request"},
		{"no model", narrow, "/proxy/openai/files", `{"purpose":"x"}`, `{"purpose":"x"}`},
		{"a batch", narrow, "/proxy/openai/batches", `{"input_file_id":"x"}`, "permission_denied"},
		{"in the path", narrow, "/proxy/cloudflare/run/@cf/meta/llama", `{"prompt":"x"}`, `{"prompt":"x"}`},
		{"another in the path", narrow, "/proxy/cloudflare/run/@cf/meta/other?x", `{"prompt":"x"}`, "model_not_allowed"},
		{"without a body", narrow, "/proxy/cloudflare/run/@cf/meta/other", ``, "model_not_allowed"},
		{"escaped", narrow, "/proxy/cloudflare/%72un/@cf%2Fmeta/other", `{"prompt":"x"}`, "model_not_allowed"},
		{"escaped badly", narrow, "/proxy/cloudflare/%zz", `{"prompt":"x"}`, "invalid_request"},
		{"with a verb", narrow, "/proxy/openai/v1beta/models/gpt-4o:generateContent", `{}`, `{}`},
		{"another with a verb", narrow, "/proxy/openai/v1beta/models/o3:generateContent", `{}`, "model_not_allowed"},
		{"with parameters", narrow, "/proxy/openai/v1beta/models/o3;x=1:generateContent", `{}`, "model_not_allowed"},
		{"with parameters before it", narrow, "/proxy/openai/v1beta/models%3bx=1/o3:generateContent", `{}`, "model_not_allowed"},
		{"with slashes", narrow, "/proxy/openai/v1beta/models//o3:generateContent", `{}`, "model_not_allowed"},
		{"with dot segments", narrow, "/proxy/openai/v1beta/models/x/%2e%2e/o3:generateContent", `{}`, "model_not_allowed"},
		{"in capitals", narrow, "/proxy/openai/v1beta/MODELS/o3:generateContent", `{}`, "model_not_allowed"},
		{"the list, with a parameter", providers.Caller{}, "/proxy/openai/v1beta/models/never;x=1:generateContent", `{}`, "model_not_allowed"},
		{"the list, with slashes", providers.Caller{}, "/proxy/openai/v1beta/models//never:generateContent", `{}`, "model_not_allowed"},
		{"a deployment", narrow, "/proxy/openai/openai/deployments/o3/chat/completions", `{}`, "model_not_allowed"},
		{"an engine", narrow, "/proxy/openai/engines/o3/completions", `{}`, "model_not_allowed"},
		{"the list of models", narrow, "/proxy/openai/models/", `{}`, `{}`},
		{"a provider that is not", one, "/proxy/anthropic/x", ``, "permission_denied"},
		{"a provider that is", one, "/proxy/openai/x", `{"model":"o3"}`, `{"model":"o3"}`},
		{"nobody", providers.Caller{}, "/proxy/anthropic/run/x", `{"max_tokens":1000}`, `{"max_tokens":1000}`},
		{"nobody, past the gateway's own list", providers.Caller{}, "/proxy/anthropic/run/x", `{"models":["never"]}`, "invalid_request"},

		{"a length", short, "/proxy/openai/chat/completions?x=y", `{"model":"o3","max_tokens":500}`, `{"model":"o3","max_tokens":100}`},
		{"no length", short, "/proxy/anthropic/v1/messages", `{"model":"c"}`, `{"model":"c","max_tokens":100}`},
		{"a short one", short, "/proxy/openai/responses", `{"model":"o3","max_output_tokens":5}`, `{"model":"o3","max_output_tokens":5}`},
		{"older completions", short, "/proxy/openai/completions", `{"model":"o3"}`, `{"model":"o3","max_tokens":100}`},
		{"no words", short, "/proxy/openai/embeddings", `{"model":"e","input":"x"}`, `{"model":"e","input":"x"}`},
		{"no body", short, "/proxy/openai/anything", ``, ``},
		{"a path of its own", short, "/proxy/openai/api/chat", `{"model":"o3"}`, "permission_denied"},
		{"a slash more", short, "/proxy/openai/chat/completions/", `{"model":"o3"}`, `{"model":"o3","max_completion_tokens":100}`},
		{"a batch of any length", short, "/proxy/openai/batches", `{}`, "permission_denied"},
		{"not JSON", short, "/proxy/openai/chat/completions", `model=o3`, "invalid_request"},
	} {
		target, refusal := providers.ParseTarget(tt.path)
		require.Nil(t, refusal)
		body, refusal := d.CheckProxy(tt.caller, providers.ProxyRequest{
			Provider: target.Proxy, Path: tt.path, ContentType: "application/json", Body: []byte(tt.body),
		})
		if refusal != nil {
			assert.Equal(t, tt.want, string(refusal.Kind), "%s: %s", tt.name, refusal.Message)
			continue
		}
		assert.Equal(t, tt.want, string(body), tt.name)
	}
	_, refusal := d.CheckProxy(short, providers.ProxyRequest{Provider: "openai", Path: "/proxy/openai/completions", ContentEncoding: "gzip", Body: []byte("x")})
	require.NotNil(t, refusal)
	assert.Contains(t, refusal.Message, "content-encoding")
}
