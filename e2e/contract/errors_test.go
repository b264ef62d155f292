package contract

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestABadBodyIsRefusedWithTheFieldAtFault(t *testing.T) {
	w := theWorld(t)
	w.own.Reset()
	for _, tt := range []struct {
		name, body string
		want       refused
	}{
		{"no body", "", invalid("")},
		{"not JSON", "hello", invalid("", "JSON")},
		{"truncated", `{"model":"own/good","messages":[`, invalid("", "JSON")},
		{"bytes after the end", chat("own/good") + `{"model":"own/bad"}`, invalid("")},
		{"duplicate keys", `{"model":"own/good","model":"own/bad",` + hello + `}`, invalid("model", "duplicate")},
		{"duplicate keys by escapes", `{"model":"own/good","m\u006fdel":"own/bad",` + hello + `}`, invalid("model", "duplicate")},
		{"an array", `[{"model":"own/good"}]`, invalid("", "object")},
		{"a string", `"own/good"`, invalid("", "object")},
		{"null", `null`, invalid("", "object")},
		{"not UTF-8", "{\"model\":\"own/\xff\"}", invalid("")},
		{"no model", `{` + hello + `}`, invalid("model", "provider/model")},
		{"a number as the model", `{"model":1}`, invalid("model", "string")},
		{"null as the model", `{"model":null}`, invalid("model", "provider/model")},
		{"an object as the model", `{"model":{"model":"own/good"}}`, invalid("model", "string")},
		{"an empty model", `{"model":""}`, invalid("model", "provider/model")},
		{"a provider without a model", `{"model":"own/"}`, invalid("model", "no model")},
		{"very deep", `{"model":"own/good","x":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`, invalid("")},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.want.check(t, w.Chat(t, tt.body)) })
	}
	t.Run("compressed", func(t *testing.T) {
		invalid("", "content-encoding").check(t, w.Chat(t, "\x1f\x8b\x08\x00abc", "Content-Encoding: gzip"))
	})
	untouched(t, w.own)
}

func TestAProviderThatCannotBeUsedIsAClearRefusal(t *testing.T) {
	w := theWorld(t)
	provider := func(code, param string, says ...string) refused {
		return refused{http.StatusBadRequest, "invalid_request_error", code, param, says}
	}
	for _, tt := range []struct {
		name, path, model string
		want              refused
	}{
		{"unknown in the model", "", "nobody/x", provider("unknown_provider", "model", `"nobody"`, "?provider=", "own")},
		{"unknown in the query", "?provider=nobody", "x", provider("unknown_provider", "provider", `"nobody"`, "own")},
		{"none named", "", "gpt-4o", provider("unknown_provider", "model", "provider/model", "?provider=")},
		{"without its key", "", "openai/gpt-4o", provider("provider_not_configured", "model", "OPENAI_API_KEY")},
		{"without its key, in the query", "?provider=OpenAI", "gpt-4o", provider("provider_not_configured", "provider", "OPENAI_API_KEY")},
		{"without its URL", "", "ollama/llama3", provider("provider_not_configured", "model", "OLLAMA_API_URL")},
		{"switched off", "", "groq/llama", provider("provider_not_configured", "model", "GROQ_ENABLED=true")},
		{"an empty name", "?provider=", "x", provider("unknown_provider", "provider", "?provider=")},
		{"two names", "?provider=own&provider=bare", "x", provider("invalid_request", "provider", "twice")},
		{"an endpoint it has not", "", "anthropic/x", provider("endpoint_not_supported", "model", "/v1/embeddings", "own")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := "/v1/chat/completions"
			if tt.want.code == "endpoint_not_supported" {
				path = "/v1/embeddings"
			}
			tt.want.check(t, w.Do(t, http.MethodPost, path+tt.path, chat(tt.model)))
		})
	}
}

func TestAModelThatIsNotAllowedIsForbidden(t *testing.T) {
	r := theRestricted(t)
	r.own.Reset()
	for _, tt := range []struct{ path, model string }{
		{"", "own/bad"},
		{"", "OWN/BAD"},
		{"", "own/good-but-dear"},
		{"", "own/GOOD-but-dear"},
		{"", `own/g\u006fod-but-dear`},
		{"?provider=own", "bad"},
		{"?provider=own", "own/bad"},
	} {
		want := refused{http.StatusForbidden, "model_not_allowed", "model_not_allowed", "model", []string{"not allowed", "/v1/models"}}
		want.check(t, r.Do(t, http.MethodPost, "/v1/chat/completions"+tt.path, chat(tt.model)))
	}
	for _, query := range []string{"?model=bad", "?Model=bad", "?x=1&m%6fdel=bad", "?model=good", "?provider=own&model=bad"} { // LocalAI takes it for the body's
		model := "own/good"
		if strings.Contains(query, "provider") {
			model = "good"
		}
		invalid("model", "query").check(t, r.Do(t, http.MethodPost, "/v1/chat/completions"+query, chat(model)))
	}
	untouched(t, r.own)
	for _, model := range []string{"own/good", "own/Good-2", "own/@cf/meta/llama"} {
		if got := r.Chat(t, chat(model)); got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", model, got.Status, got)
		}
	}
}

func TestAnUnknownPathIsNotFound(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/", "/v1/chat/completionsx", "/V1/chat/completions", "/v1/audio/speech", "/proxy", "/config_dump", "/v1/mcp", "/v2/models"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(method+" "+path, func(t *testing.T) { notFound("no such endpoint").check(t, w.Do(t, method, path, "")) })
		}
	}
}

func TestAWrongMethodSaysWhichAreRight(t *testing.T) {
	w := theWorld(t)
	for _, tt := range []struct{ path, wrong, allow string }{
		{"/v1/chat/completions", "GET PUT DELETE OPTIONS PATCH", "POST"},
		{"/v1/embeddings", "GET", "POST"},
		{"/v1/completions", "GET", "POST"},
		{"/v1/responses", "GET", "POST"},
		{"/v1/messages", "GET", "POST"},
		{"/v1/models", "POST DELETE", "GET, HEAD"},
		{"/v1/models/own/good", "POST", "GET, HEAD"},
		{"/health", "POST", "GET, HEAD"},
		{"/ready", "POST", "GET, HEAD"},
	} {
		for method := range strings.FieldsSeq(tt.wrong) {
			t.Run(method+" "+tt.path, func(t *testing.T) {
				r := w.Do(t, method, tt.path, "")
				refused{http.StatusMethodNotAllowed, "invalid_request_error", "method_not_allowed", "", []string{tt.allow}}.check(t, r)
				if got := r.Header.Values("Allow"); len(got) != 1 || got[0] != tt.allow {
					t.Errorf("allow %q, want %q", got, tt.allow)
				}
			})
		}
	}
}

func TestAProviderThatFailsIsNamed(t *testing.T) {
	w := theWorld(t)
	upstream := func(status int, code string, says ...string) refused {
		return refused{status, "upstream_error", code, "", says}
	}
	for _, tt := range []struct {
		name, model string
		want        refused
	}{
		{"refuses the connection", "dead/x", upstream(http.StatusBadGateway, "upstream_error", "provider dead")},
		{"resets", "sick/fault-reset", upstream(http.StatusBadGateway, "upstream_error", "provider sick")},
		{"does not answer in time", "sick/fault-hang", upstream(http.StatusGatewayTimeout, "upstream_timeout", "provider sick", "in time")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.want.check(t, w.Chat(t, chat(tt.model)))
		})
		t.Run(tt.name+", through /proxy", func(t *testing.T) {
			t.Parallel()
			id, model, _ := strings.Cut(tt.model, "/")
			tt.want.check(t, w.Do(t, http.MethodPost, "/proxy/"+id+"/chat/completions", chat(model)))
		})
	}
}

func TestAnAnswerThatIsNoHTTPIsToldFromABrokenConnection(t *testing.T) {
	w := theWorld(t)
	many := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + strings.Repeat("X-Many: v\r\n", 200) + "\r\n{}"
	for name, answer := range map[string]string{"another protocol": "SSH-2.0-OpenSSH_9.6\r\n\r\n", "too many headers": many, "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"} {
		t.Run(name, func(t *testing.T) {
			w.own.answers(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, answer)
			})
			refused{http.StatusBadGateway, "upstream_error", "upstream_error", "", []string{"provider own", "no valid HTTP"}}.check(t, w.Chat(t, chat("own/good")))
		})
	}
}

func TestARequestThatDoesNotArriveInTimeIsA408(t *testing.T) {
	w := theWorld(t)
	t.Parallel()
	for _, path := range []string{"/v1/chat/completions", "/proxy/own/x"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c := w.Dial(t)
			c.Send("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
			began := time.Now()
			refused{http.StatusRequestTimeout, "invalid_request_error", "request_timeout", "", []string{"SERVER_READ_TIMEOUT"}}.check(t, c.Receive("POST"))
			if took := time.Since(began); took < 2*time.Second {
				t.Errorf("already after %v", took)
			}
		})
	}
}

func TestTheRequestIDIsTheClientsOrANewOne(t *testing.T) {
	w := theWorld(t)
	w.own.Reset()
	if r := w.Chat(t, chat("own/good"), "X-Request-Id: mine-1"); r.Header.Get("X-Request-Id") != "mine-1" {
		t.Errorf("x-request-id %q", r.Header.Values("X-Request-Id"))
	}
	if r := w.Chat(t, `{`, "X-Request-Id: mine-2"); r.Header.Get("X-Request-Id") != "mine-2" {
		t.Errorf("of an error: x-request-id %q", r.Header.Values("X-Request-Id"))
	}
	if r := w.Do(t, http.MethodGet, "/health", ""); r.Header.Get("X-Request-Id") == "" {
		t.Error("none on /health")
	}
	if got := w.own.Only(t).Header.Get("X-Request-Id"); got != "mine-1" {
		t.Errorf("the provider got x-request-id %q", got)
	}
}
