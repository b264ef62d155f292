// Package access holds what is promised about API keys and rights: the whole program with a real Envoy, a real MCP server
// and providers on real sockets. Each file is one promise.
package access

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// patience bounds every wait for something that is promised to happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// marker begins every key, so that nothing that the gateway gives away can hold one unseen. They do not look like its own
// keys: whoever sets up the file may bring keys of any form.
const marker = "CLIENTKEY-"

// The keys of the world, by their ids.
func credential(id string) string { return marker + id + "-9f31c77d" }

// keyFile writes a file of keys. Each entry is an id and, after it, further lines of YAML.
func keyFile(t harness.T, path string, entries ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("keys:\n")
	for _, e := range entries {
		id, more, _ := strings.Cut(e, "\n")
		b.WriteString("  - id: " + id + "\n    sha256: " + access.Hash(credential(id)) + "\n")
		for line := range strings.Lines(more) {
			b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	write(t, path, b.String())
	return path
}

func write(t harness.T, path, content string) {
	t.Helper()
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		t.Fatalf("%v", err)
	}
}

func tempDir(t harness.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "igw-access-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// world is the gateway that most tests share.
type world struct {
	*harness.Gateway
	one, two *harness.Provider
	env      harness.Env
}

const providerKey = "PROVIDERKEY-77aa"

var theWorld = harness.Shared(func(t harness.T) *world {
	dir := tempDir(t)
	w := &world{one: harness.NewDemo(t, demo.Options{}), two: harness.NewDemo(t, demo.Options{})}
	w.env = harness.Env{
		"PROVIDERS":   "one,two",
		"ONE_API_URL": w.one.URL, "ONE_API_KEY": providerKey, "TWO_API_URL": w.two.URL, "TWO_API_KEY": providerKey,
		"API_KEYS_FILE": keyFile(t, filepath.Join(dir, "keys.yaml"),
			"plain\nowner: somebody",
			"other",
			"late\nexpires: 2020-01-01",
			"gone\nrevoked: 2020-01-01T00:00:00Z",
			"soon\nrevoked: 2999-01-01",
		),
	}
	w.Gateway = harness.Start(t, w.env)
	return w
})

func bearer(id string) string  { return "Authorization: Bearer " + credential(id) }
func xAPIKey(id string) string { return "X-Api-Key: " + credential(id) }

func chat(model string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"hello"}]}`
}

// lanes is one request for each way through the gateway that needs a caller.
var lanes = []struct{ name, method, path, body string }{
	{"chat", http.MethodPost, "/v1/chat/completions", chat("one/echo")},
	{"stream", http.MethodPost, "/v1/chat/completions", `{"stream":true,` + chat("one/echo")[1:]},
	{"embeddings", http.MethodPost, "/v1/embeddings", `{"model":"one/embedding","input":"a"}`},
	{"models", http.MethodGet, "/v1/models", ""},
	{"one model", http.MethodGet, "/v1/models/one/echo", ""},
	{"proxy", http.MethodPost, "/proxy/one/chat/completions", chat("echo")},
	{"proxy without a body", http.MethodGet, "/proxy/one/models", ""},
}

// refused holds an answer to the shape of every error.
func refused(t *testing.T, r *harness.Response, status int, code string) harness.Error {
	t.Helper()
	assert.Equal(t, status, r.Status, "%s", r)
	assert.Equal(t, []string{"application/json"}, r.Header.Values("Content-Type"))
	assert.NotEmpty(t, r.Header.Get("X-Request-Id"))
	var shape map[string]map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(r.Body, &shape), "%s", r)
	assert.Len(t, shape["error"], 4, "%s", r)
	assert.Equal(t, code, r.Error().Code, "%s", r)
	return r.Error()
}
