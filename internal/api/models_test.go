package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type deny map[string]bool

func (d deny) Allows(provider, model string) bool { return !d[provider+"/"+model] }

func TestModelsOfAllProvidersAreSorted(t *testing.T) {
	b := start(t, nil)
	b.provide("groq", lists("z", "openai/a"))
	b.provide("openai", lists("gpt-4o", "bad"))
	b.provide("anthropic", lists("claude"))
	b.server.Update(State{
		Providers: append(rows("openai", "groq", "anthropic"), Provider{ID: "mistral", ModelsPath: "/models", Fix: "set MISTRAL_API_KEY"}),
		Filter:    deny{"openai/bad": true},
	})
	got := b.get("/v1/models")
	equal(t, "ids", b.ids(got), "anthropic/claude,groq/openai/a,groq/z,openai/gpt-4o")
	if _, named := got.header[unavailableHeader]; named {
		t.Error("a provider is called unavailable: ", got.header)
	}
	equal(t, "HEAD", b.do(http.MethodHead, "/v1/models").status, 200)
}

func TestNoProviders(t *testing.T) {
	b := start(t, nil)
	equal(t, "before Update", string(b.get("/v1/models").body), `{"object":"list","data":[]}`)
	b.server.Update(State{})
	b.refused(b.get("/v1/models?provider=openai"), 400, "unknown_provider", `"openai"`, "none")
}

func TestOneProviderIsAskedForInAnyCase(t *testing.T) {
	b := start(t, nil)
	b.provide("openai", lists("gpt-4o"))
	b.provide("groq", lists("x"))
	b.server.Update(State{Providers: append(
		rows("openai", "groq"),
		Provider{ID: "mistral", ModelsPath: "/models", Fix: "mistral has no key: set MISTRAL_API_KEY"},
		Provider{ID: "bare", Ready: true},
	)})
	equal(t, "ids", b.ids(b.get("/v1/models?provider=OpenAI")), "openai/gpt-4o")
	equal(t, "groq was asked", b.hitsOf("groq"), 0)
	equal(t, "empty name", b.ids(b.get("/v1/models?provider=")), "groq/x,openai/gpt-4o")
	b.refused(b.get("/v1/models?provider=nope"), 400, "unknown_provider", `"nope"`, "bare, groq, openai")
	b.refused(b.get("/v1/models?provider=Mistral"), 400, "provider_not_configured", "set MISTRAL_API_KEY")
	b.refused(b.get("/v1/models?provider=bare"), 400, "endpoint_not_supported", `"bare"`)
	b.refused(b.get("/v1/models?provider="+strings.Repeat("x", 5000)), 400, "unknown_provider", "…")
}

// Every way in which a provider can fail leaves the others' models standing.
func TestAFailingProviderIsNamedAndLeftOut(t *testing.T) {
	gone := make(chan struct{})
	failures := map[string]struct {
		handler http.HandlerFunc
		status  int
		says    string
	}{
		"status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, 502, "401"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://loopback/proxy/good/models?limit=9", http.StatusFound)
		}, 502, "302"},
		"reset":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, "reached"},
		"hangs":  {func(_ http.ResponseWriter, r *http.Request) { awaitEnd(r, gone) }, 504, "in time"},
		"stalls": {func(w http.ResponseWriter, r *http.Request) { say(w, `{"data":[`); awaitEnd(r, gone) }, 504, "in time"},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			say(w, `{"data":["`+strings.Repeat("x", 100_000)+`"]}`)
		}, 502, "too large"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat(" ", 10_000)); err != nil {
					return
				}
			}
		}, 502, "too large"},
		"bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(strings.Repeat(" ", 1_000_000)))
		}, 502, "too large"},
		"badzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			say(w, listOf("x"))
		}, 502, "reached"},
		"many":      {lists(strings.Split(strings.Repeat("x,", 60), ",")...), 502, "more than 50"},
		"html":      {func(w http.ResponseWriter, _ *http.Request) { say(w, "<html>secret</html>") }, 502, "not a list"},
		"empty":     {func(http.ResponseWriter, *http.Request) {}, 502, "not a list"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) { say(w, `{"data":[{"id":"a"}]`) }, 502, "not a list"},
		"trailing":  {func(w http.ResponseWriter, _ *http.Request) { say(w, listOf("a")+"x") }, 502, "not a list"},
		"error":     {func(w http.ResponseWriter, _ *http.Request) { say(w, `{"error":{"message":"secret"}}`) }, 502, "not a list"},
		"envoys": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			say(w, `{"error":{"type":"upstream_error","message":"provider envoys cannot be reached"}}`)
		}, 502, "it cannot be reached"},
		"faked": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			say(w, `{"error":{"type":"upstream_error","message":"secret"}}`)
		}, 502, "it answered with status 502"},
		"object":    {func(w http.ResponseWriter, _ *http.Request) { say(w, `{"data":{}}`) }, 502, "not a list"},
		"useless":   {func(w http.ResponseWriter, _ *http.Request) { say(w, `{"data":[1,2]}`) }, 502, "not a list"},
		"duplicate": {func(w http.ResponseWriter, _ *http.Request) { say(w, `{"data":[{"id":"a","id":"b"}]}`) }, 502, "not a list"},
		"deep":      {func(w http.ResponseWriter, _ *http.Request) { say(w, strings.Repeat("[", 30_000)) }, 502, "not a list"},
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(o *Options) {
				o.MaxBody, o.MaxModels, o.RetryAfter = 50_000, 50, time.Hour
				if f.status == 504 {
					o.FetchTimeout = 300 * time.Millisecond
				} else {
					o.FetchTimeout = time.Minute
				}
			})
			b.provide("good", func(w http.ResponseWriter, _ *http.Request) { // compresses unasked
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(zip(listOf("a")))
			})
			b.provide(name, f.handler)
			b.server.Update(State{Providers: rows("good", name)})
			got := b.get("/v1/models")
			equal(t, "ids", b.ids(got), "good/a")
			equal(t, "header", got.header.Get(unavailableHeader), name)
			equal(t, "redirect followed", b.hitsOf("good"), 1)

			code := "upstream_error"
			if f.status == 504 {
				code = "upstream_timeout"
			}
			alone := b.get("/v1/models?provider=" + name)
			b.refused(alone, f.status, code, `"`+name+`"`, f.says)
			b.refused(b.get("/v1/models/"+name+"/a"), f.status, code, `"`+name+`"`)
			for _, inner := range []string{"loopback", "/proxy", "secret", "unix"} {
				if bytes.Contains(alone.body, []byte(inner)) {
					t.Errorf("the error tells %q: %s", inner, alone.body)
				}
			}
			if !strings.Contains(b.log.String(), "provider="+name) {
				t.Error("nothing was logged")
			}
		})
	}
	close(gone)
}

func TestSeveralFailingProvidersAreNamedInOrder(t *testing.T) {
	b := start(t, nil)
	b.provide("good", lists("a"))
	b.server.Update(State{Providers: rows("zeta", "good", "alpha")}) // the fake answers 418 for unknown ones
	got := b.get("/v1/models")
	equal(t, "ids", b.ids(got), "good/a")
	equal(t, "header", got.header.Get(unavailableHeader), "alpha,zeta")
}

func TestOneModel(t *testing.T) {
	b := start(t, nil)
	b.provide("openai", lists("gpt-4o", "bad"))
	b.provide("cloudflare", lists("@cf/meta/llama:8b"))
	b.server.Update(State{
		Providers: append(rows("openai", "cloudflare"), Provider{ID: "mistral", Fix: "set MISTRAL_API_KEY"}),
		Filter:    deny{"openai/bad": true},
	})
	want := `{"id":"openai/gpt-4o","object":"model","created":0,"owned_by":"openai","served_by":"openai"}`
	for _, path := range []string{
		"/v1/models/openai/gpt-4o", "/v1/models/openai%2Fgpt-4o", "/v1/models/openai%2fgpt-4o", "/v1/models/OpenAI/gpt-4o",
		"/v1/models/gpt-4o?provider=OPENAI",
	} {
		got := b.get(path)
		equal(t, path, string(got.body), want)
		equal(t, path, got.status, 200)
	}
	for _, path := range []string{
		"/v1/models/cloudflare/@cf/meta/llama:8b", "/v1/models/cloudflare%2F%40cf%2Fmeta%2Fllama%3A8b",
		"/v1/models/@cf/meta/llama:8b?provider=cloudflare",
	} {
		equal(t, path, b.get(path).status, 200)
	}
	equal(t, "a slash too many", b.ids(b.get("/v1/models/")), "cloudflare/@cf/meta/llama:8b,openai/gpt-4o")
	for _, path := range []string{
		"/v1/models/openai/gpt-5", "/v1/models/openai/bad", "/v1/models/openai/GPT-4o", "/v1/models/openai%2F",
		"/v1/models/nope/gpt-4o", "/v1/models/gpt-4o", "/v1/models/%00",
	} {
		b.refused(b.get(path), 404, "model_not_found")
	}
	b.refused(b.get("/v1/models/gpt-4o"), 404, "model_not_found", "provider/model")
	b.refused(b.get("/v1/models/mistral/x"), 400, "provider_not_configured", "set MISTRAL_API_KEY")
}

func awaitEnd(r *http.Request, gone <-chan struct{}) {
	select {
	case <-r.Context().Done():
	case <-gone:
	}
}

func say(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

func zip(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.Bytes()
}
