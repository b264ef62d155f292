package access

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestACallerSeesTheModelsThatItMayUse(t *testing.T) {
	w := theRuled(t)
	for id, want := range map[string][]string{
		"guest":   {"one/large", "one/small"},
		"dev":     {"one/large", "one/small", "two/good"},
		"narrow":  {"two/good"},
		"onlyone": {"one/large", "one/small"},
	} {
		r := w.Do(t, http.MethodGet, "/v1/models", "", bearer(id))
		assert.Equal(t, want, names(t, r, "id"), id)
		assert.Empty(t, r.Header.Get("X-Unavailable-Providers"), id)
	}
	assert.Empty(t, names(t, w.Do(t, http.MethodGet, "/v1/models?provider=two", "", bearer("guest")), "id"))
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/v1/models/two/good", "", bearer("dev")).Status)
	for _, id := range []string{"guest", "onlyone"} {
		refused(t, w.Do(t, http.MethodGet, "/v1/models/two/good", "", bearer(id)), http.StatusNotFound, "model_not_found")
	}
	refused(t, w.Do(t, http.MethodGet, "/v1/models/two%2Fgood-but-dear", "", bearer("dev")), http.StatusNotFound, "model_not_found")
}

// ways are the ways that a model request can take: through a tool loop, past it, streamed, by another endpoint, and to the
// provider's own API.
var ways = []struct{ name, path, members, header string }{
	{"loop", "/v1/chat/completions", "", "X-Nothing: 1"},
	{"direct", "/v1/chat/completions", "", "X-MCP-Bypass: 1"},
	{"stream", "/v1/chat/completions", `"stream":true,`, "X-MCP-Bypass: 1"},
	{"embeddings", "/v1/embeddings", `"input":"x",`, "X-Nothing: 1"},
	{"proxy", "/proxy/PROVIDER/chat/completions", "", "X-Nothing: 1"},
}

func TestACallerUsesTheModelsThatItMayUse(t *testing.T) {
	w := theRuled(t)
	for _, way := range ways {
		for _, tt := range []struct {
			id, model string
			allowed   bool
		}{
			{"guest", "one/small", true},
			{"guest", "two/good", false},
			{"dev", "one/small", true},
			{"dev", "two/good", true},
			{"dev", "two/good-but-dear", false},
			{"dev", "two/bad", false},
			{"narrow", "two/good", true},
			{"narrow", "one/small", false},
			{"onlyone", "one/small", true},
			{"onlyone", "two/good", false},
		} {
			w.one.Reset()
			w.two.Reset()
			provider, model, _ := strings.Cut(tt.model, "/")
			path, asked := strings.Replace(way.path, "PROVIDER", provider, 1), tt.model
			if path != way.path {
				asked = model
			}
			body := `{` + way.members + chat(asked)[1:]
			r := w.Do(t, http.MethodPost, path, body, bearer(tt.id), way.header, "X-A2A-Bypass: 1")
			if tt.allowed {
				assert.Equal(t, http.StatusOK, r.Status, "%s %s %s: %s", way.name, tt.id, tt.model, r)
				continue
			}
			assert.Equal(t, http.StatusForbidden, r.Status, "%s %s %s: %s", way.name, tt.id, tt.model, r)
			assert.Contains(t, []string{"model_not_allowed", "permission_denied"}, r.Error().Code, "%s %s %s", way.name, tt.id, tt.model)
			assert.Empty(t, append(w.one.Requests(), w.two.Requests()...), "%s %s %s", way.name, tt.id, tt.model)
		}
	}
	r := w.Do(t, http.MethodPost, "/v1/chat/completions?provider=two", chat("one/small"), bearer("guest"))
	refused(t, r, http.StatusForbidden, "model_not_allowed")
}

func TestAnAnswerIsAsLongAsItsCallerMayAskFor(t *testing.T) {
	w := theRuled(t)
	for _, way := range ways {
		if way.name == "embeddings" {
			continue
		}
		for _, tt := range []struct {
			id, model, members string
			want               float64
		}{
			{"guest", "one/small", "", 50},
			{"guest", "one/small", `"max_tokens":10,`, 10},
			{"guest", "one/small", `"max_tokens":51,`, 50},
			{"guest", "one/small", `"max_tokens":-1,`, 50},
			{"dev", "one/small", "", 500},
			{"dev", "two/good", `"max_tokens":400,`, 400},
			{"narrow", "two/good", `"max_tokens":400,`, 20},
		} {
			w.one.Reset()
			w.two.Reset()
			provider, model, _ := strings.Cut(tt.model, "/")
			path, asked := strings.Replace(way.path, "PROVIDER", provider, 1), tt.model
			if path != way.path {
				asked = model
			}
			r := w.Do(t, http.MethodPost, path, `{`+way.members+tt.members+chat(asked)[1:], bearer(tt.id), way.header, "X-A2A-Bypass: 1")
			require.Equal(t, http.StatusOK, r.Status, "%s %s: %s", way.name, tt.id, r)
			for _, got := range append(w.one.Requests(), w.two.Requests()...) {
				var body map[string]any
				require.NoError(t, json.Unmarshal(got.Body, &body))
				assert.Equal(t, tt.want, body["max_tokens"], "%s %s %s: %s", way.name, tt.id, tt.members, got.Body)
			}
		}
	}
	r := w.Chat(t, `{"max_tokens":"many",`+chat("one/small")[1:], bearer("guest"))
	assert.Equal(t, "max_tokens", refused(t, r, http.StatusBadRequest, "invalid_request").Param)
}

func TestProxyIsNoWayAroundRights(t *testing.T) {
	w := theRuled(t)
	w.one.Reset()
	w.two.Reset()
	for _, tt := range []struct{ name, id, method, path, body, code string }{
		{"a provider without a body", "onlyone", http.MethodGet, "/proxy/two/models", "", "permission_denied"},
		{"a provider in capitals", "onlyone", http.MethodGet, "/PROXY/TWO/models", "", "permission_denied"},
		{"a provider by DELETE", "onlyone", http.MethodDelete, "/proxy/two/files/1", "", "permission_denied"},
		{"a model in the path", "guest", http.MethodPost, "/proxy/two/models/bad:generate", `{}`, "model_not_allowed"},
		{"a model in the path of a DELETE", "guest", http.MethodDelete, "/proxy/two/models/bad", "", "model_not_allowed"},
		{"a model in the query", "guest", http.MethodGet, "/proxy/two/text?model=bad", "", "model_not_allowed"},
		{"a batch", "guest", http.MethodPost, "/proxy/one/batches", `{"input_file_id":"f"}`, "permission_denied"},
		{"a path whose length nobody knows", "guest", http.MethodPost, "/proxy/one/api/chat", `{"model":"small"}`, "permission_denied"},
		{"a model behind another", "guest", http.MethodPost, "/proxy/one/chat/completions", `{"model":"small","Model":"bad"}`, "invalid_request"},
		{"more models", "guest", http.MethodPost, "/proxy/one/chat/completions", `{"model":"small","models":["bad"]}`, "invalid_request"},
	} {
		r := w.Do(t, tt.method, tt.path, tt.body, bearer(tt.id))
		assert.Equal(t, tt.code, r.Error().Code, "%s: %d %s", tt.name, r.Status, r)
	}
	r := w.Do(t, http.MethodGet, "/proxy/one/realtime", "", bearer("guest"), "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	assert.Contains(t, refused(t, r, http.StatusForbidden, "permission_denied").Message, "WebSocket")
	assert.Empty(t, append(w.one.Requests(), w.two.Requests()...))
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/proxy/one/models", "", bearer("guest")).Status)
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodPost, "/proxy/one/files", `{"a":1}`, bearer("guest")).Status)
}

// tools is the names of the tools that a provider was offered.
func tools(t *testing.T, r harness.Request) []string {
	t.Helper()
	var body struct {
		Tools []struct{ Function struct{ Name string } }
	}
	require.NoError(t, json.Unmarshal(r.Body, &body))
	out := []string{}
	for _, tool := range body.Tools {
		out = append(out, tool.Function.Name)
	}
	return out
}

func TestACallersModelUsesTheToolsThatTheCallerMayUse(t *testing.T) {
	w := theRuled(t)
	for _, tt := range []struct {
		id, model string
		offered   []string
		runs      map[string]bool // a tool that the model calls: whether it runs
	}{
		{"guest", "one", []string{"mcp_files_read"}, map[string]bool{"mcp_files_read": true, "mcp_files_erase": false, "mcp_shell_run": false}},
		{"dev", "one", []string{"mcp_files_read", "mcp_shell_run", "a2a_helper_talk"}, map[string]bool{"mcp_files_read": true, "mcp_files_erase": false, "mcp_shell_run": true}},
	} {
		for tool, runs := range tt.runs {
			w.one.Reset()
			r := w.Chat(t, chat(tt.model+"/call-"+tool), bearer(tt.id))
			require.Equal(t, http.StatusOK, r.Status, "%s", r)
			requests := w.one.Requests()
			require.Len(t, requests, 2, "%s calls %s", tt.id, tool)
			for _, got := range requests {
				assert.ElementsMatch(t, tt.offered, tools(t, got), "%s calls %s: %s %s", tt.id, tool, got.URI, got.Body)
				assert.Contains(t, string(got.Body), `"max_tokens":`, "every turn is as long as the caller may ask for")
				for name := range got.Header {
					assert.False(t, strings.HasPrefix(name, "X-Igw-"), name)
				}
				assert.Equal(t, "Bearer "+providerKey, got.Header.Get("Authorization"))
			}
			ran := w.files.ran() + w.shell.ran()
			if runs {
				assert.Equal(t, 1, ran, "%s calls %s", tt.id, tool)
				assert.Contains(t, r.String(), "did ", "%s calls %s", tt.id, tool)
				continue
			}
			assert.Zero(t, ran, "%s calls %s", tt.id, tool)
		}
	}
	// Without a tool there is no loop.
	w.two.Reset()
	r := w.Chat(t, chat("two/good"), bearer("narrow"), "X-A2A-Bypass: 1")
	require.Equal(t, http.StatusOK, r.Status, "%s", r)
	assert.Empty(t, tools(t, w.two.Only(t)))
}

func TestACallerSeesTheToolsAndAgentsThatItMayUse(t *testing.T) {
	w := theRuled(t)
	for _, tt := range []struct {
		id                     string
		tools, servers, agents []string
	}{
		{"guest", []string{"mcp_files_read"}, []string{"files"}, []string{}},
		{"dev", []string{"mcp_files_read", "mcp_shell_run"}, []string{"files", "shell"}, []string{"helper"}},
		{"narrow", []string{}, []string{"files", "shell"}, []string{"helper"}},
	} {
		assert.ElementsMatch(t, tt.tools, names(t, w.Do(t, http.MethodGet, "/v1/mcp/tools", "", bearer(tt.id)), "name"), tt.id)
		servers := w.Do(t, http.MethodGet, "/v1/mcp/servers", "", bearer(tt.id))
		assert.ElementsMatch(t, tt.servers, names(t, servers, "name"), tt.id)
		assert.NotContains(t, servers.String(), `"tools":2`, "%s: nor how many there are", tt.id)
		assert.ElementsMatch(t, tt.agents, names(t, w.Do(t, http.MethodGet, "/v1/a2a/agents", "", bearer(tt.id)), "id"), tt.id)
	}
	for _, path := range []string{"/v1/a2a/agents/helper", "/v1/a2a/agents/helper/status"} {
		assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, path, "", bearer("dev")).Status, path)
		refused(t, w.Do(t, http.MethodGet, path, "", bearer("guest")), http.StatusNotFound, "not_found")
		refused(t, w.Do(t, http.MethodGet, strings.Replace(path, "helper", "bank", 1), "", bearer("dev")), http.StatusNotFound, "not_found")
	}
}

// The last test of this gateway: it changes the rules.
func TestRightsChangeWhileTheGatewayRuns(t *testing.T) {
	w := theRuled(t)
	defer write(t, w.rules, rules)
	ask := func() int {
		return w.Chat(t, chat("two/bad"), bearer("guest"), "X-MCP-Bypass: 1", "X-A2A-Bypass: 1").Status
	}
	require.Equal(t, http.StatusForbidden, ask())
	write(t, w.rules, `{}`)
	harness.Eventually(t, patience, "everything is allowed", func() bool { return ask() == http.StatusOK })
	harness.Eventually(t, patience, "and shown", func() bool { // a moment later: requests are decided by the new rules first
		return len(names(t, w.Do(t, http.MethodGet, "/v1/models", "", bearer("guest")), "id")) == 5
	})
	write(t, w.rules, "everyone: {allow: {models: [one/*]}}\ngroups: [wrong]\n")
	w.Stderr.Await(t, patience, "line 2, groups")
	assert.Equal(t, http.StatusOK, ask(), "a bad file is no file")
	write(t, w.rules, rules)
	harness.Eventually(t, patience, "the rules hold again", func() bool { return ask() == http.StatusForbidden })
}

// Rules do not need callers that are known: without keys and tokens everybody is everyone.
func TestRulesForEverybody(t *testing.T) {
	t.Parallel()
	one, dir := newModels(t, "small", "large"), tempDir(t)
	path := filepath.Join(dir, "rules.yaml")
	write(t, path, "everyone: {allow: {models: [one/small]}}\ngroups: {g: {allow: {models: ['*']}}}\n")
	g := harness.Start(t, harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL, "ONE_AUTH": "none", "ACCESS_FILE": path})
	for _, headers := range [][]string{nil, {"Authorization: Bearer unused"}, {"X-Igw-Groups: g", "X-Igw-Caller: key:x"}} {
		assert.Equal(t, []string{"one/small"}, names(t, g.Do(t, http.MethodGet, "/v1/models", "", headers...), "id"))
		assert.Equal(t, http.StatusOK, g.Chat(t, chat("one/small"), headers...).Status)
		refused(t, g.Chat(t, chat("one/large"), headers...), http.StatusForbidden, "model_not_allowed")
		refused(t, g.Do(t, http.MethodPost, "/proxy/one/chat/completions", chat("large"), headers...), http.StatusForbidden, "model_not_allowed")
	}
	for _, r := range one.Requests() {
		assert.Empty(t, r.Header.Values("Authorization"), r.URI)
	}
}
