package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestHealthAndReady(t *testing.T) {
	var reasons []string
	b := start(t, func(o *Options) { o.Ready = func() []string { return reasons } })
	equal(t, "health", string(b.get("/health").body), `{"status":"ok"}`)
	equal(t, "ready", string(b.get("/ready").body), `{"status":"ready"}`)
	reasons = []string{"Envoy has no configuration yet"}
	got := b.get("/ready")
	equal(t, "not ready", got.status, 503)
	equal(t, "not ready", string(got.body), `{"status":"not ready","reasons":["Envoy has no configuration yet"]}`)
	equal(t, "health goes on", b.get("/health").status, 200)
}

func TestWhatIsNotExposedSaysWhatToSet(t *testing.T) {
	b := start(t, nil)
	for _, path := range []string{"/v1/mcp/tools", "/v1/mcp/servers"} {
		b.refused(b.get(path), 403, "not_enabled", "MCP_EXPOSE=true", "MCP_ENABLED=true")
	}
	for _, path := range []string{"/v1/a2a/agents", "/v1/a2a/agents/x", "/v1/a2a/agents/x%2Fy", "/v1/a2a/agents/x/status"} {
		b.refused(b.get(path), 403, "not_enabled", "A2A_EXPOSE=true", "A2A_ENABLED=true")
	}
	b.server.Update(State{Agents: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, 200, []byte(`"`+r.PathValue("id")+`"`))
	})})
	equal(t, "exposed", string(b.get("/v1/a2a/agents/x").body), `"x"`)
	equal(t, "still not exposed", b.get("/v1/mcp/tools").status, 403)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	b := start(t, nil)
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v1/chat/completions", "/health/", "/v1/mcp", "/v1/mcp/tools/", "/v1/models//x", "/v1/../health",
		"//health", "/./health", "/v1/models/a/../b", "/HEALTH",
	} {
		b.refused(b.get(path), 404, "not_found", "GET")
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"} {
		for _, path := range []string{"/health", "/v1/models", "/v1/models/openai/x", "/v1/a2a/agents/x/status"} {
			got := b.do(method, path)
			b.refused(got, 405, "method_not_allowed", method)
			equal(t, "Allow", got.header.Get("Allow"), "GET, HEAD")
		}
	}
	b.refused(b.do("POST", "/nope"), 404, "not_found")
}

func TestAPanicIsA500WithoutItsCause(t *testing.T) {
	b := start(t, nil)
	b.server.Update(State{
		Tools: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Half", "done")
			panic("secret cause")
		}),
		Agents: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			say(w, `{"half":`)
			panic("secret later")
		}),
	})
	got := b.get("/v1/mcp/tools")
	b.refused(got, 500, "internal_error")
	if strings.Contains(string(got.body), "secret") || got.header.Get("X-Half") != "" {
		t.Errorf("%v %s", got.header, got.body)
	}
	if log := b.log.String(); !strings.Contains(log, "secret cause") || !strings.Contains(log, "api_test.go") {
		t.Errorf("the log lacks the cause or the stack: %s", log)
	}

	// An answer that has begun is cut off.
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://api/v1/a2a/agents", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("half an answer passed for a whole one: %s", body)
	}
	if !strings.Contains(b.log.String(), "secret later") {
		t.Error("the log lacks the second cause")
	}
}
