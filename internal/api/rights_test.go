package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// onlyFor lets a caller see one provider, and of it every model but those called secret.
type onlyFor string

func (p onlyFor) AllowsProvider(id string) bool { return id == string(p) }

func (p onlyFor) AllowsModel(provider, model string) bool {
	return provider == string(p) && !strings.HasPrefix(model, "secret")
}

func TestEachCallerSeesItsOwnModels(t *testing.T) {
	b := start(t, nil)
	b.provide("groq", lists("llama", "secret-one"))
	b.provide("openai", lists("gpt-4o", "bad"))
	b.server.Update(State{
		Providers: rows("openai", "groq"), Filter: deny{"openai/bad": true},
		Rights: func(c Caller) Rights {
			if c.Name == "" {
				return nil
			}
			return onlyFor(c.Groups)
		},
	})
	as := func(target, name, groups string) reply {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api"+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(catalog.CallerHeader, name)
		r.Header.Set(catalog.GroupsHeader, groups)
		return b.answer(b.client.Do(r))
	}
	equal(t, "of a provider", b.ids(as("/v1/models", "key:a", "groq")), "groq/llama")
	equal(t, "openai was not asked for it", b.hitsOf("openai"), 0)
	equal(t, "of the other one", b.ids(as("/v1/models", "key:a", "openai")), "openai/gpt-4o")
	equal(t, "of nobody", b.ids(as("/v1/models", "", "groq")), "groq/llama,groq/secret-one,openai/gpt-4o")
	equal(t, "of a provider that it may not use", b.ids(as("/v1/models?provider=openai", "key:a", "groq")), "")
	equal(t, "one", as("/v1/models/groq/llama", "key:a", "groq").status, 200)
	b.refused(as("/v1/models/groq/secret-one", "key:a", "groq"), 404, "model_not_found")
	b.refused(as("/v1/models/openai/gpt-4o", "key:a", "groq"), 404, "model_not_found")
}

// Pages are made for their caller.
func TestPagesKnowTheirCaller(t *testing.T) {
	b := start(t, nil)
	tell := func(c Caller) any { return c }
	b.server.Update(State{
		Tools: ToolPages(tell, tell),
		Agents: AgentPages(tell, func(c Caller, id string) (any, bool) { return c, id == c.Groups },
			func(c Caller, id string) (any, bool) { return c, id == c.Groups }),
	})
	for path, status := range map[string]int{
		"/v1/mcp/tools": 200, "/v1/mcp/servers": 200, "/v1/a2a/agents": 200, "/v1/a2a/agents/mine": 200, "/v1/a2a/agents/mine/status": 200,
		"/v1/a2a/agents/other": 404, "/v1/a2a/agents/other/status": 404,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(catalog.CallerHeader, "key:a")
		r.Header.Set(catalog.GroupsHeader, "mine")
		got := b.answer(b.client.Do(r))
		equal(t, path, got.status, status)
		if status == 200 {
			equal(t, path, string(got.body), `{"Name":"key:a","Groups":"mine"}`)
		}
	}
}
