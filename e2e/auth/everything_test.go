package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// The secrets of a gateway that has one of each kind. All but files and tokens have the marker.
const (
	marker       = "SECRETMARKER"
	cookieSecret = marker + "-cookie-0123456789abcdef"
	providerKey  = marker + "-provider"
	toolSecret   = marker + "-tool"
	agentSecret  = marker + "-agent"
	callerKey    = marker + "-caller"
)

// everything is a gateway with all that can have a secret or a caller: HTTPS, client certificates, a login, keys, a
// provider, tools and an agent.
type everything struct {
	*world
	environment harness.Env
	keyFile     string            // of the listener's certificate
	tools       *harness.Provider // MCP
	agent       *harness.Provider // A2A
}

func newEverything(t harness.T) *everything {
	e := &everything{world: &world{issuer: newIssuer(t), own: harness.NewDemo(t, demo.Options{Faults: true})}, tools: harness.NewToolServer(t), agent: newAgent(t)}
	dir := harness.TempDir(t)
	sum := sha256.Sum256([]byte(callerKey))
	keys := filepath.Join(dir, "keys.yaml")
	if err := os.WriteFile(keys, []byte("keys: [{id: caller, sha256: "+hex.EncodeToString(sum[:])+"}]\n"), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	ca := harness.NewCA(t)
	env := e.loginEnv(t).With("OWN_API_URL", e.own.URL, "OWN_API_KEY", providerKey, "LOG_LEVEL", "debug",
		"AUTH_COOKIE_SECRET", cookieSecret, "AUTH_OIDC_SCOPES", "openid,offline_access", "API_KEYS_FILE", keys,
		"SERVER_TLS_CLIENT_CA_PATH", ca.Path, "SERVER_TLS_CLIENT_AUTH", "optional",
		"MCP_ENABLED", "true", "MCP_EXPOSE", "true", "MCP_SERVERS", "t="+e.tools.URL, "MCP_T_HEADERS", "X-Tool="+toolSecret,
		"A2A_ENABLED", "true", "A2A_EXPOSE", "true", "A2A_AGENTS", "p="+e.agent.URL, "A2A_P_HEADERS", "X-Agent="+agentSecret)
	e.keyFile = env["SERVER_TLS_KEY_PATH"]
	e.environment = env
	e.Gateway = harness.Start(t, env)
	e.issuer.allow(e.URL)
	e.Client(t).Transport.(*http.Transport).TLSClientConfig.Certificates = append(
		e.Client(t).Transport.(*http.Transport).TLSClientConfig.Certificates, ca.Issue(t, "somebody", func(c *x509.Certificate) {}))
	for path, says := range map[string]string{"/v1/mcp/servers": `"status":"connected"`, "/v1/a2a/agents": `"status":"available"`} {
		harness.Eventually(t, patience, "tools and agents are there", func() bool {
			return strings.Contains(e.Do(t, http.MethodGet, path, "", bearer(callerKey)).String(), says)
		})
	}
	return e
}

// useBoth has the demo model call a tool and an agent.
func useBoth(stream bool) string {
	return fmt.Sprintf(`{"model":"own/assistant","stream":%v,"messages":[{"role":"user","content":"use tools mcp_t_echo with {\"text\":\"to the tool\"} and a2a_p_echo with {\"message\":\"to the agent\"}"}]}`, stream)
}

// newAgent is an A2A agent of protocol 1.0 over JSON-RPC that answers at once.
func newAgent(t harness.T) *harness.Provider {
	return harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/.well-known/agent-card.json" {
			_, _ = fmt.Fprintf(w, `{"name":"Test","description":"d","version":"1","capabilities":{},"defaultInputModes":["text"],"defaultOutputModes":["text"],
				"skills":[{"id":"echo","name":"echo","description":"repeats","tags":["t"]}],
				"supportedInterfaces":[{"url":"http://%s/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]}`, r.Host)
			return
		}
		var call struct{ ID json.RawMessage }
		_ = json.NewDecoder(r.Body).Decode(&call)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"agent echo"}]}}}`, call.ID)
	})
}
