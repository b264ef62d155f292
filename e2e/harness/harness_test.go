package harness_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func TestAGatewayStartsAnswersAndLeavesNothingBehind(t *testing.T) {
	ca := harness.NewCA(t)
	plain := harness.NewDemo(t, demo.Options{Faults: true})
	secure := harness.NewTLSProvider(t, ca, nil)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "plain,secure", "PLAIN_API_URL": plain.URL, "SECURE_API_URL": secure.URL, "CLIENT_TLS_CA_PATH": ca.Path,
	})

	if r := g.Chat(t, `{"model":"plain/echo","messages":[{"role":"user","content":"hello there"}]}`); r.Status != http.StatusOK || !strings.Contains(r.String(), "hello there") {
		t.Errorf("chat: %d %s", r.Status, r)
	}
	if r := plain.Only(t); r.URI != "/v1/chat/completions" {
		t.Errorf("the provider was asked for %s", r.URI)
	}
	if r := g.Chat(t, `{"model":"secure/x","messages":[]}`); r.Status != http.StatusOK || r.String() != `{"ok":true}` {
		t.Errorf("chat over TLS: %d %s", r.Status, r)
	}
	if r := secure.Only(t); r.Proto != "HTTP/2.0" || string(r.Body) != `{"model":"x","messages":[]}` {
		t.Errorf("the provider got %s %s", r.Proto, r.Body)
	}
	if state := g.Admin(t, http.MethodGet, "/ready"); strings.TrimSpace(state) != "LIVE" {
		t.Errorf("Envoy is %s", state)
	}
	if g.EnvoyPID() == 0 {
		t.Error("no Envoy runs")
	}

	conn := g.Dial(t)
	conn.Send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	if r := conn.Receive(http.MethodGet); r == nil || r.Status != http.StatusOK {
		t.Errorf("raw: %v", r)
	}
	conn.Close()

	if code := g.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	left, err := os.ReadDir(g.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}
}

func TestAnEnvoyOfOnesOwnIsServed(t *testing.T) {
	g := harness.Serve(t, harness.Env{})
	envoy := g.StartEnvoy(t)
	if r := g.Chat(t, `{"model":"demo/echo","messages":[{"role":"user","content":"hello there"}]}`); r.Status != http.StatusOK {
		t.Errorf("chat: %d %s", r.Status, r)
	}
	if code := g.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !envoy.Running() {
		t.Error("Envoy ended with the control plane")
	}
}

func TestACommandIsRunToItsEnd(t *testing.T) {
	if r := harness.Run(t, harness.Env{"SERVER_PORT": "x"}, "validate"); r.Code != 1 || !strings.Contains(r.Stderr, "SERVER_PORT") {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
}
