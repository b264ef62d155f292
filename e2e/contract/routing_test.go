package contract

import (
	"net/http"
	"testing"
)

func TestARequestGoesToTheProviderItNames(t *testing.T) {
	w := theWorld(t)
	for _, tt := range []struct {
		name, query, model  string
		to                  *scripted
		path, arrives, auth string
	}{
		{"in the model", "", "own/good", w.own, "/base/v1/chat/completions", "good", "Bearer " + ownKey},
		{"in the model, in any case", "", "OwN/Good", w.own, "/base/v1/chat/completions", "Good", "Bearer " + ownKey},
		{"in a model with slashes", "", "own/@cf/meta/llama", w.own, "/base/v1/chat/completions", "@cf/meta/llama", "Bearer " + ownKey},
		{"in the query", "?provider=bare", "own/good", w.bare, "/v1/chat/completions", "own/good", ""},
		{"in the query, in any case", "?provider=BARE", "x", w.bare, "/v1/chat/completions", "x", ""},
		{"in the query, escaped", "?provider=%62are", "x", w.bare, "/v1/chat/completions", "x", ""},
		{"in the query, with other parameters", "?a=1&provider=bare&b=%2F&&c", "x", w.bare, "/v1/chat/completions?a=1&b=%2F&&c", "x", ""},
		{"with other parameters", "?a=1&b=%2F", "own/good", w.own, "/base/v1/chat/completions?a=1&b=%2F", "good", "Bearer " + ownKey},
		{"by its own compatible endpoint", "", "anthropic/claude", w.ant, "/v1/chat/completions", "claude", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.to.Reset()
			w.stray.Reset()
			if r := w.Do(t, http.MethodPost, "/v1/chat/completions"+tt.query, chat(tt.model)); r.Status != http.StatusOK {
				t.Fatalf("%d %s", r.Status, r)
			}
			got := tt.to.Only(t)
			if got.URI != tt.path {
				t.Errorf("path %s, want %s", got.URI, tt.path)
			}
			if string(got.Body) != chat(tt.arrives) {
				t.Errorf("body %s, want model %s", got.Body, tt.arrives)
			}
			if got.Header.Get("Authorization") != tt.auth {
				t.Errorf("authorization %q", got.Header.Get("Authorization"))
			}
			untouched(t, w.stray)
		})
	}
}

func TestEachEndpointReachesThoseThatSpeakIt(t *testing.T) {
	w := theWorld(t)
	for _, tt := range []struct {
		endpoint, model string
		to              *scripted
		path            string // "" when the provider does not speak it
		names           string // a provider that does
	}{
		{"/v1/embeddings", "own/good", w.own, "/base/v1/embeddings", ""},
		{"/v1/completions", "own/good", w.own, "/base/v1/completions", ""},
		{"/v1/responses", "own/good", w.own, "/base/v1/responses", ""},
		{"/v1/messages", "anthropic/good", w.ant, "/v1/messages", ""},
		{"/v1/messages", "own/good", w.own, "", "anthropic"},
		{"/v1/embeddings", "anthropic/good", w.ant, "", "own"},
		{"/v1/completions", "anthropic/good", w.ant, "", "own"},
		{"/v1/responses", "anthropic/good", w.ant, "", "own"},
	} {
		t.Run(tt.endpoint+" "+tt.model, func(t *testing.T) {
			tt.to.Reset()
			r := w.Do(t, http.MethodPost, tt.endpoint, chat(tt.model))
			if tt.path == "" {
				refused{http.StatusBadRequest, "invalid_request_error", "endpoint_not_supported", "model", []string{tt.endpoint, tt.names}}.check(t, r)
				untouched(t, tt.to)
				return
			}
			if got := tt.to.Only(t); r.Status != http.StatusOK || got.URI != tt.path || string(got.Body) != chat("good") {
				t.Errorf("%d: the provider got %s %s", r.Status, got.URI, got.Body)
			}
		})
	}
}

func TestAnthropicGetsItsVersionUnlessTheClientChoosesOne(t *testing.T) {
	w := theWorld(t)
	w.ant.Reset()
	w.Do(t, http.MethodPost, "/v1/messages", chat("anthropic/good"))
	w.Do(t, http.MethodPost, "/v1/messages", chat("anthropic/good"), "Anthropic-Version: 2024-01-01", "Anthropic-Beta: b1")
	got := w.ant.Requests()
	if len(got) != 2 || got[0].Header.Get("Anthropic-Version") != "2023-06-01" || got[1].Header.Get("Anthropic-Version") != "2024-01-01" || got[1].Header.Get("Anthropic-Beta") != "b1" {
		t.Errorf("%v", got)
	}
}

func TestAGatewayWithoutKeysAnswersByTheDemoProvider(t *testing.T) {
	g := theKeyless(t)
	if r := g.Chat(t, chat("demo/echo")); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r)
	}
	if r := g.Do(t, http.MethodPost, "/v1/embeddings", `{"model":"demo/embedding","input":"a"}`); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r)
	}
}
