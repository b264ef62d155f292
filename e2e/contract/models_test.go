package contract

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

type modelList struct {
	Object string
	Data   []struct {
		ID       string
		Object   string
		ServedBy string `json:"served_by"`
	}
}

func (l modelList) ids() []string {
	var out []string
	for _, m := range l.Data {
		out = append(out, m.ID)
	}
	return out
}

func TestModelsOfEveryProviderAreListed(t *testing.T) {
	w := theWorld(t)
	r := w.Do(t, http.MethodGet, "/v1/models", "")
	var list modelList
	if err := json.Unmarshal(r.Body, &list); err != nil || r.Status != http.StatusOK || list.Object != "list" {
		t.Fatalf("%d %s", r.Status, r)
	}
	if got := r.Header.Get("X-Unavailable-Providers"); got != "dead" {
		t.Errorf("x-unavailable-providers %q", got)
	}
	ids := list.ids()
	if !slices.IsSorted(ids) {
		t.Errorf("not sorted: %v", ids)
	}
	for _, want := range []string{"anthropic/good", "bare/good", "hdr/good", "own/@cf/meta/llama", "own/bad", "own/good", "sick/echo"} {
		if !slices.Contains(ids, want) {
			t.Errorf("%s is missing in %v", want, ids)
		}
	}
	for _, m := range list.Data {
		if provider, _, _ := strings.Cut(m.ID, "/"); m.ServedBy != provider || m.Object != "model" {
			t.Errorf("%+v", m)
		}
	}
	if !strings.Contains(r.String(), `"x_window":1.0e5`) {
		t.Errorf("an unknown field is lost: %s", r)
	}
}

func TestModelsOfOneProviderAreListed(t *testing.T) {
	w := theWorld(t)
	var list modelList
	r := w.Do(t, http.MethodGet, "/v1/models?provider=OWN", "")
	if err := json.Unmarshal(r.Body, &list); err != nil || !slices.Equal(list.ids(), []string{"own/@cf/meta/llama", "own/bad", "own/good"}) {
		t.Errorf("%d %s", r.Status, r)
	}
	refused{http.StatusBadGateway, "upstream_error", "upstream_error", "", []string{"dead", "cannot be reached"}}.check(t, w.Do(t, http.MethodGet, "/v1/models?provider=dead", ""))
	refused{http.StatusBadRequest, "invalid_request_error", "unknown_provider", "provider", []string{"nobody", "own"}}.check(t, w.Do(t, http.MethodGet, "/v1/models?provider=nobody", ""))
	refused{http.StatusBadRequest, "invalid_request_error", "provider_not_configured", "provider", []string{"OPENAI_API_KEY"}}.check(t, w.Do(t, http.MethodGet, "/v1/models?provider=openai", ""))
}

func TestOneModelIsDescribed(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/v1/models/own/@cf/meta/llama", "/v1/models/own%2F@cf%2Fmeta%2Fllama", "/v1/models/OWN%2f%40cf/meta/llama", "/v1/models/@cf/meta/llama?provider=own"} {
		var m struct{ ID string }
		r := w.Do(t, http.MethodGet, path, "")
		if err := json.Unmarshal(r.Body, &m); err != nil || r.Status != http.StatusOK || m.ID != "own/@cf/meta/llama" {
			t.Errorf("%s: %d %s", path, r.Status, r)
		}
	}
	missing := refused{http.StatusNotFound, "invalid_request_error", "model_not_found", "model", nil}
	for _, path := range []string{"/v1/models/own/nothing", "/v1/models/nobody/good", "/v1/models/good"} {
		missing.check(t, w.Do(t, http.MethodGet, path, ""))
	}
}

func TestModelsThatAreNotAllowedAreNotListed(t *testing.T) {
	g := theRestricted(t)
	var list modelList
	r := g.Do(t, http.MethodGet, "/v1/models", "")
	if err := json.Unmarshal(r.Body, &list); err != nil || !slices.Equal(list.ids(), []string{"own/@cf/meta/llama", "own/good"}) {
		t.Errorf("%d %s", r.Status, r)
	}
	refused{http.StatusNotFound, "invalid_request_error", "model_not_found", "model", nil}.check(t, g.Do(t, http.MethodGet, "/v1/models/own/bad", ""))
}

func TestToolsAndAgentsSayHowToExposeThem(t *testing.T) {
	w := theWorld(t)
	for path, variable := range map[string]string{
		"/v1/mcp/tools": "MCP_EXPOSE", "/v1/mcp/servers": "MCP_EXPOSE",
		"/v1/a2a/agents": "A2A_EXPOSE", "/v1/a2a/agents/x": "A2A_EXPOSE", "/v1/a2a/agents/x/status": "A2A_EXPOSE",
	} {
		refused{http.StatusForbidden, "permission_error", "not_enabled", "", []string{variable}}.check(t, w.Do(t, http.MethodGet, path, ""))
	}
}

func TestHealthAndReadySayHowItIs(t *testing.T) {
	w := theWorld(t)
	for path, want := range map[string]string{"/health": `{"status":"ok"}`, "/ready": `{"status":"ready"}`} {
		r := w.Do(t, http.MethodGet, path, "")
		if r.Status != http.StatusOK || r.String() != want || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v %s", path, r.Status, r.Header, r)
		}
		if r := w.Do(t, http.MethodHead, path, ""); r.Status != http.StatusOK || len(r.Body) > 0 {
			t.Errorf("HEAD %s: %d %s", path, r.Status, r)
		}
	}
}
