// Package wasm holds the promises of the filter inside Envoy that no other lane has: nobody else is asked, the Go process
// may be gone, and a policy holds wherever a request can reach a model. What the lanes have in common is in the packages
// that `make test-wasm` runs through the filter.
package wasm

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func chat(model, content string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]}`, model, content)
}

func TestExtProcIsNotAsked(t *testing.T) {
	t.Parallel()
	one := harness.NewDemo(t, demo.Options{})
	g := harness.Start(t, harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL, "WASM_ENABLED": "true", "WASM_PATH": harness.Module(t)})
	asked := func() string {
		return regexp.MustCompile(`(?m)^cluster\.gateway-extproc\.upstream_rq_total: (\d+)$`).FindString(g.Admin(t, http.MethodGet, "/stats?filter=gateway-extproc"))
	}
	before := asked()
	require.NotEmpty(t, before)
	for range 20 {
		require.Equal(t, http.StatusOK, g.Chat(t, chat("one/echo", "hi")).Status)
	}
	assert.Equal(t, http.StatusBadRequest, g.Chat(t, chat("nobody/echo", "hi")).Status)
	assert.Equal(t, before, asked(), "by none of these, refused ones included")
	assert.Equal(t, http.StatusOK, g.Chat(t, chat("one/echo", strings.Repeat("long ", 60_000))).Status, "longer ones are read by ext_proc")
	assert.NotEqual(t, before, asked())
}

// The Go process is killed, and chat, its errors and the policy go on without it.
func TestChatNeedsNoGoProcess(t *testing.T) {
	t.Parallel()
	one := harness.NewDemo(t, demo.Options{})
	dir, err := os.MkdirTemp("", "igw") // short: it holds sockets
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env := harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "ONE_API_KEY": "sk-one",
		"SERVER_PORT": harness.FreePort(t), "CONTROL_SOCKET_DIR": dir,
		"WASM_ENABLED": "true", "WASM_PATH": harness.Module(t),
		"POLICY_FILE": policyFile(t, denyDear),
	}
	g := harness.Serve(t, env)
	envoy := g.StartEnvoy(t)
	works := func() {
		t.Helper()
		r := g.Chat(t, chat("one/echo", "hello"))
		assert.Equal(t, http.StatusOK, r.Status, "%s", r)
		r = g.Chat(t, strings.TrimSuffix(chat("one/echo", "hello"), "}")+`,"stream":true}`)
		assert.Contains(t, r.String(), "[DONE]")
		assert.Equal(t, "unknown_provider", g.Chat(t, chat("nobody/x", "hello")).Error().Code)
		r = g.Chat(t, chat("one/dear-1", "hello"))
		assert.Equal(t, http.StatusPaymentRequired, r.Status, "%s", r)
		assert.Equal(t, "dear", r.Header.Get("X-Policy-Rule"))
	}
	works()
	g.Kill(t)
	for range 20 {
		works()
	}
	requests := one.Requests()
	assert.Equal(t, "Bearer sk-one", requests[len(requests)-1].Header.Get("Authorization"), "Envoy holds the key itself")
	again := harness.Serve(t, env)
	harness.Eventually(t, patience, "it is ready", func() bool {
		return g.Do(t, http.MethodGet, "/ready", "").Status == http.StatusOK
	})
	works()
	assert.True(t, envoy.Running(), "the same Envoy")
	assert.Zero(t, again.Stop(t))
}

const denyDear = `
rules:
  - name: dear
    match: {model: ["one/dear*"]}
    act: {deny: {status: 402, message: too dear}}
  - name: secrets
    match: {}
    act: {secrets: all}
    continue: true
  - name: short
    match: {model: ["one/*"]}
    act: {cap: {tokens: 7, insert: max_tokens}}
`

func policyFile(t *testing.T, rules string) string {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(rules), 0o600))
	return path
}

// A policy holds in the wasm lane, with ext_proc, for bodies of every size and framing, and for the providers' own APIs.
func TestAPolicyHoldsInEveryLane(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"true", "false"} {
		t.Run("WASM_ENABLED="+lane, func(t *testing.T) {
			t.Parallel()
			one := harness.NewDemo(t, demo.Options{})
			g := harness.Start(t, harness.Env{
				"PROVIDERS": "one", "ONE_API_URL": one.URL,
				"WASM_ENABLED": lane, "WASM_PATH": harness.Module(t), "POLICY_FILE": policyFile(t, denyDear),
			})
			long := strings.Repeat("long ", 100_000)
			for name, r := range map[string]*harness.Response{
				"small":     g.Chat(t, chat("one/dear-1", "hi")),
				"large":     g.Chat(t, chat("one/dear-1", long)),
				"by query":  g.Do(t, http.MethodPost, "/v1/chat/completions?provider=one", chat("dear-1", "hi")),
				"proxy":     g.Do(t, http.MethodPost, "/proxy/one/chat/completions", chat("dear-1", "hi")),
				"proxy big": g.Do(t, http.MethodPost, "/proxy/ONE/chat/completions", chat("dear-1", long)),
			} {
				assert.Equal(t, http.StatusPaymentRequired, r.Status, "%s: %s", name, r)
				assert.Equal(t, "dear", r.Header.Get("X-Policy-Rule"), name)
				assert.Equal(t, "too dear", r.Error().Message, name)
			}
			r := g.Chat(t, `{"model":"one/echo","messages":[{"role":"user","content":"\u0041KIAIOSFODNN7EXAMPLE"}]}`)
			assert.Equal(t, http.StatusForbidden, r.Status, "%s", r)
			assert.NotContains(t, g.Stderr.String()+g.Stdout.String(), "IOSFODNN", "no prompt in a log")
			assert.Empty(t, one.Requests(), "nothing has reached the provider")

			for name, body := range map[string]string{"small": chat("one/echo", "hi"), "large": chat("one/echo", long)} {
				one.Reset()
				r := g.Chat(t, body)
				require.Equal(t, http.StatusOK, r.Status, "%s: %s", name, r)
				got := one.Requests()
				require.NotEmpty(t, got)
				assert.Contains(t, string(got[len(got)-1].Body), `"max_tokens":7`, name)
				assert.Contains(t, string(got[len(got)-1].Body), `"model":"echo"`, name)
			}
			assert.Equal(t, http.StatusRequestEntityTooLarge, g.Chat(t, chat("one/echo", strings.Repeat("x", 11<<20))).Status)
			assert.Regexp(t, `inference_gateway\.policy\.rule\.dear\.deny: [1-9]`, g.Admin(t, http.MethodGet, "/stats?filter=inference_gateway"))
		})
	}
}
