package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// provider finds one by its ID, ready or not.
func provider(c *Config, id string) (Provider, bool) {
	i := slices.IndexFunc(c.Providers, func(p Provider) bool { return p.ID == id })
	if i < 0 {
		return Provider{}, false
	}
	return c.Providers[i], true
}

func TestDefaults(t *testing.T) {
	cfg, warnings, err := Load(nil)
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Equal(t, Server{
		Host: "127.0.0.1", Port: 8080, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		DrainTimeout: 30 * time.Second, MaxRequestBodySize: 10 << 20, MaxRequestBodiesSize: 1 << 30, MaxConnections: 10000,
		MaxStreams: 128, MaxHeaders: 100, MaxHeaderSize: 60, TLS: ServerTLS{ClientAuth: ClientAuthRequire},
	}, cfg.Server)
	assert.Equal(t, Client{
		ResponseHeaderTimeout: 5 * time.Minute, IdleConnTimeout: 30 * time.Second, StreamIdleTimeout: 5 * time.Minute,
		ConnectTimeout: 5 * time.Second, TLSMinVersion: "TLS12", MaxRetries: 2,
	}, cfg.Client)
	assert.Equal(t, "direct", cfg.MCP.ToolMode)
	assert.Equal(t, 10, cfg.MCP.MaxIterations)
	assert.Equal(t, Connection{3, 5 * time.Second, time.Second, true, 30 * time.Second}, cfg.MCP.Connection)
	assert.Equal(t, Telemetry{MetricsHost: "127.0.0.1", MetricsPort: 9464}, cfg.Telemetry)
	assert.Len(t, cfg.Providers, 16, "every known provider and demo")
	for _, p := range cfg.Providers {
		assert.NotEqual(t, p.State == Ready, p.Fix() != "", "%s: %s", p.ID, p.Fix())
	}
	cloudflare, _ := provider(cfg, "cloudflare")
	assert.Equal(t, "set CLOUDFLARE_API_KEY (or CLOUDFLARE_API_KEY_FILE) and CLOUDFLARE_ACCOUNT_ID", cloudflare.Fix())
	assert.Nil(t, cloudflare.URL)
	ollama, _ := provider(cfg, "ollama")
	assert.Equal(t, "set OLLAMA_API_URL (for example http://localhost:11434/v1)", ollama.Fix())
	_, ok := provider(cfg, "nobody")
	assert.False(t, ok)
}

func TestLoadLeavesTheEnvironmentAlone(t *testing.T) {
	env := map[string]string{"PROVIDERS": "A", "A_API_URL": "http://a/v1/"}
	_, _, err := Load(env)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"PROVIDERS": "A", "A_API_URL": "http://a/v1/"}, env)
}

func TestWithDiscovered(t *testing.T) {
	cfg, _, err := Load(nil)
	require.NoError(t, err)
	found := cfg.WithDiscovered("ollama", "http://127.0.0.1:11434/v1")
	ollama, _ := provider(found, "ollama")
	assert.Equal(t, Ready, ollama.State)
	assert.Equal(t, "127.0.0.1:11434", ollama.URL.Host)
	demo, _ := provider(found, catalog.DemoID)
	assert.Equal(t, Ready, demo.State)
	assert.Contains(t, found.Effective(), Setting{"OLLAMA_API_URL", "http://127.0.0.1:11434/v1", true, "discovered", urlDoc})

	before, _ := provider(cfg, "ollama")
	assert.Equal(t, MissingURL, before.State, "the old Config is as it was")
	for _, c := range [][2]string{{"nobody", "http://x"}, {"openai", "http://x"}, {"ollama", "nonsense"}} {
		assert.Len(t, cfg.WithDiscovered(c[0], c[1]).Ready(), 1, c)
	}
}

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range rows() {
		assert.False(t, seen[v.name], "%s is there twice", v.name)
		seen[v.name] = true
		assert.NotContains(t, retired, v.name)
		assert.True(t, strings.HasSuffix(v.doc, "."), v.name)
		if v.def != "" {
			assert.NoError(t, v.set(&Config{}, v.def), v.name)
		}
	}
	for name, why := range retired {
		assert.NotEmpty(t, why, name)
	}
}

func TestStateWords(t *testing.T) {
	for s, want := range map[State]string{Ready: "ready", MissingKey: "missing key", MissingURL: "missing URL", SwitchedOff: "switched off", 9: "unknown"} {
		assert.Equal(t, want, s.String())
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"BASE", "API", 3}, {"KYE", "KEY", 2}} {
		assert.Equal(t, c.want, distance(c.a, c.b), c)
		assert.Equal(t, c.want, distance(c.b, c.a), c)
	}
}

func TestEnvFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(file, []byte("# ours\nSERVER_PORT=9000\nLOG_LEVEL=debug\nGROQ_API_KEY='a$b'\nENVIRONMENT=\n"), 0o600))
	env, err := WithEnvFile(map[string]string{envFileVariable: file, "SERVER_PORT": "9001", "LOG_LEVEL": "", "HOME": "/"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		envFileVariable: file, "SERVER_PORT": "9001", "LOG_LEVEL": "debug", "GROQ_API_KEY": "a$b", "HOME": "/",
	}, env)

	none := map[string]string{"A": "b"}
	env, err = WithEnvFile(none)
	require.NoError(t, err)
	assert.Equal(t, none, env)

	_, err = WithEnvFile(map[string]string{envFileVariable: file + "-gone"})
	assert.ErrorContains(t, err, envFileVariable)
	require.NoError(t, os.WriteFile(file, []byte("OPENAI_API_KEY=\"hunter2\nbroken line"), 0o600))
	_, err = WithEnvFile(map[string]string{envFileVariable: file})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), hidden)
}

func TestRead(t *testing.T) {
	t.Setenv("SERVER_PORT", "9002")
	t.Setenv(envFileVariable, "")
	cfg, _, err := Read()
	require.NoError(t, err)
	assert.Equal(t, 9002, cfg.Server.Port)
}

func TestABadEnvFileNamesTheLine(t *testing.T) {
	for content, line := range map[string]string{
		"A=1\nnot a pair\nB=2\n":          "line 2",
		"A=1\n\n# text\nB='open\nC=3\n":   "line 4",
		"?":                               "line 1",
		"A=1\nB=2\nsecret-without-a-name": "line 3",
		"A='one\ntwo'\nB=2\nC=\"\\\"\"\nD D\nE=5\n": "line 5",
	} {
		_, err := WithEnvFile(map[string]string{envFileVariable: "env"}, WithFiles(func(string) ([]byte, error) { return []byte(content), nil }))
		require.ErrorContains(t, err, line, "%q", content)
		assert.NotContains(t, err.Error(), "secret")
	}
	env, err := WithEnvFile(map[string]string{envFileVariable: "env"}, WithFiles(func(string) ([]byte, error) { return []byte("\xef\xbb\xbfA=1\r\nB=2\r\n"), nil }))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{envFileVariable: "env", "A": "1", "B": "2"}, env)
}

func TestAURLThatCannotBeMeantIsWarnedOf(t *testing.T) {
	for url, says := range map[string]string{
		"http://localhost:8080/v1":                        "circle",
		"https://api.example/v1/chat/completions":         "/chat/completions",
		"https://api.example/v1/messages/":                "/messages",
		"https://api.example/v1":                          "",
		"https://api.example/models-of-ours/v1":           "",
		"http://localhost:8081/v1":                        "",
		"https://api.example/v1/completions-of-our-house": "",
	} {
		_, warnings, err := Load(map[string]string{"PROVIDERS": "own", "OWN_API_URL": url})
		require.NoError(t, err)
		if says == "" {
			assert.Empty(t, warnings, url)
			continue
		}
		require.Len(t, warnings, 1, url)
		assert.Contains(t, warnings[0].String(), "OWN_API_URL")
		assert.Contains(t, warnings[0].String(), says)
	}
}
