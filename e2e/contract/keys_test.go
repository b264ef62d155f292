package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// A gateway of its own, so that all that it ever printed can be searched, at the level that prints most.
func TestKeysAreSeenByNobodyElse(t *testing.T) {
	bearer, custom, anthropic, sick := newScripted(t), newScripted(t), newScripted(t), harness.NewDemo(t, demo.Options{Faults: true})
	env := harness.Env{
		"LOG_LEVEL": "debug",
		"PROVIDERS": "own,hdr,sick,dead", "OWN_API_URL": bearer.URL + "/v1", "OWN_API_KEY": ownKey,
		"HDR_API_URL": custom.URL + "/v1", "HDR_API_KEY": hdrKey, "HDR_AUTH": "header:x-own-secret",
		"SICK_API_URL": sick.URL, "SICK_API_KEY": marker + "-sick",
		"DEAD_API_URL": "http://127.0.0.1:" + harness.FreePort(t) + "/v1", "DEAD_API_KEY": marker + "-dead",
		"ANTHROPIC_API_URL": anthropic.URL + "/v1", "ANTHROPIC_API_KEY": antKey,
		"GROQ_API_KEY": offKey, "GROQ_ENABLED": "false",
		"AUTH_OIDC_CLIENT_SECRET":      marker + "-oidc",
		"SERVER_MAX_REQUEST_BODY_SIZE": "4096",
	}
	g := harness.Start(t, env)

	// Everything that a client may get.
	for _, path := range []string{
		"/", "/health", "/ready", "/v1/models", "/v1/models?provider=dead", "/v1/models/own/good", "/v1/mcp/tools", "/v1/chat/completions?provider=own",
		"/proxy/own/x", "/proxy/hdr/x", "/proxy/anthropic/x", "/proxy/dead/x", "/proxy/groq/x", "/proxy/nobody/x", "/proxy/own/..%2fx",
		"/proxy/own/x?key=a",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "TRACE"} {
			for _, body := range []string{"", chat("own/x"), chat("dead/x"), chat("groq/x"), chat("hdr/x"), chat("anthropic/x"), `{"model":`, strings.Repeat("x", 5000)} {
				if method != "POST" && len(body) > 0 {
					continue
				}
				searched(t, method+" "+path, g.Do(t, method, path, body))
			}
		}
	}
	for _, model := range []string{"own/x", "hdr/x", "anthropic/x", "dead/x", "groq/x", "sick/fault-reset", "sick/fault-401", "sick/fault-503-after-60", "sick/fault-gzip", "sick/echo"} {
		searched(t, model, g.Chat(t, chat(model), "Authorization: Bearer x", "X-Envoy-Force-Trace: 1"))
	}
	if r, _ := g.Try(t, g.Client(t), http.MethodPost, "/v1/chat/completions", `{"model":"sick/fault-error-midstream","stream":true,`+hello+`}`); r != nil {
		searched(t, "a broken stream", r)
	}
	junk := g.Dial(t)
	junk.Send("GET / HTTP/1.1\r\nBad Header: \x00\r\n\r\n")
	if r := junk.Receive("GET"); r != nil {
		searched(t, "junk", r)
	}

	// Everything that an operator may show to somebody.
	for _, path := range []string{
		"/config_dump", "/config_dump?include_eds", "/clusters", "/clusters?format=json", "/stats", "/listeners", "/server_info", "/certs", "/memory",
	} {
		clean(t, "Envoy's "+path, g.Admin(t, http.MethodGet, path))
	}
	for _, args := range [][]string{{"config"}, {"config", "--envoy"}, {"bootstrap"}, {"validate"}, {"version"}, {"healthcheck"}} {
		r := harness.Run(t, env.With("SERVER_PORT", "1"), args...)
		clean(t, strings.Join(args, " "), r.Stdout+r.Stderr)
	}
	r := harness.Run(t, env.With("OWN_AUTH", "nonsense", "OWN_API_KEY", ownKey+"\nx", "SERVER_PORT", "x"), "validate")
	clean(t, "a bad configuration", r.Stdout+r.Stderr)
	if code := g.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	clean(t, "stdout", g.Stdout.String())
	clean(t, "stderr", g.Stderr.String())

	// And the providers: each got its own key, in its header, and no other.
	for _, tt := range []struct {
		name, header, key string
		requests          []harness.Request
	}{
		{"own", "Authorization", ownKey, bearer.Requests()},
		{"hdr", "X-Own-Secret", hdrKey, custom.Requests()},
		{"anthropic", "X-Api-Key", antKey, anthropic.Requests()},
		{"sick", "Authorization", marker + "-sick", sick.Requests()},
	} {
		if len(tt.requests) == 0 {
			t.Errorf("nothing arrived at %s", tt.name)
		}
		for _, got := range tt.requests {
			for name, values := range got.Header {
				all := strings.Join(values, "\n")
				if name == tt.header && strings.Count(all, marker) == 1 && strings.Contains(all, tt.key) {
					continue
				}
				if name == tt.header || strings.Contains(all, marker) {
					t.Errorf("%s got %s: %s", tt.name, name, all)
				}
			}
			if strings.Contains(got.URI+string(got.Body), marker) {
				t.Errorf("%s got a key in %s %s", tt.name, got.URI, got.Body)
			}
		}
	}
}

func searched(t *testing.T, what string, r *harness.Response) {
	t.Helper()
	text := r.String()
	for name, values := range r.Header {
		text += "\n" + name + ": " + strings.Join(values, "\n")
	}
	clean(t, what, text)
}

func clean(t *testing.T, what, text string) {
	t.Helper()
	if text == "" && what != "stderr" && what != "Envoy's /certs" {
		t.Errorf("%s: nothing to search", what)
	}
	if i := strings.Index(text, marker); i >= 0 {
		t.Errorf("%s holds a key: …%s…", what, text[max(0, i-100):min(len(text), i+60)])
	}
}
