package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// environment leaves the test with these variables (NAME=value) and none of the machine's.
func environment(t *testing.T, variables ...string) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains([]string{"PATH", "HOME", "TMPDIR"}, name) {
			t.Setenv(name, "")
		}
	}
	for _, pair := range variables {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// program runs a command line and gives what a shell would see.
func program(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	text := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		return string(b)
	}
	out, problems := open("stdout"), open("stderr")
	code = command(args, out, problems)
	return code, text(out), text(problems)
}

func TestVersionAndHelp(t *testing.T) {
	for _, name := range []string{"version", "--version", "-v"} {
		code, stdout, stderr := program(t, name)
		assert.Zero(t, code)
		assert.Equal(t, "inference-gateway "+version+"\n", stdout)
		assert.Empty(t, stderr)
	}
	for _, name := range []string{"help", "--help", "-h"} {
		code, stdout, stderr := program(t, name)
		assert.Zero(t, code)
		assert.Empty(t, stderr)
		for _, c := range []string{"run", "serve", "bootstrap", "validate", "config", "healthcheck", "version"} {
			assert.Contains(t, stdout, "\n  "+c+" ")
		}
	}
}

func TestMisuse(t *testing.T) {
	for line, problem := range map[string]string{
		"walk":              "unknown command walk",
		"":                  "unknown command ",
		"--port":            "unknown command --port",
		"run now":           "unexpected argument now",
		"version --short":   "unexpected argument --short",
		"config --json":     "unexpected argument --json",
		"config --envoy x":  "unexpected argument",
		"validate --envoy":  "unexpected argument --envoy",
		"bootstrap a b c":   "unexpected argument a",
		"healthcheck --now": "unexpected argument --now",
	} {
		t.Run(line, func(t *testing.T) {
			code, stdout, stderr := program(t, strings.Split(line, " ")...)
			assert.Equal(t, 2, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, problem)
			assert.Contains(t, stderr, "usage: inference-gateway")
		})
	}
}

func TestValidate(t *testing.T) {
	environment(t, "OPENAI_API_KEY=sk-secret")
	code, stdout, stderr := program(t, "validate")
	assert.Zero(t, code, stderr)
	assert.Equal(t, "the configuration is good\n", stdout)

	environment(t, "OPENAI_API_KEY=sk-secret", "SERVER_PORT=http", "CLIENT_TIMEOUT=soon", "MISTRAL_API_URL=ftp://sk-secret@x", "PROVIDERS=openai")
	for _, name := range []string{"validate", "config", "bootstrap", "run", "serve"} {
		code, stdout, stderr = program(t, name)
		assert.Equal(t, 1, code, name)
		assert.Empty(t, stdout, name)
		for _, variable := range []string{"SERVER_PORT", "CLIENT_TIMEOUT", "MISTRAL_API_URL", "PROVIDERS"} {
			assert.Contains(t, stderr, variable, "%s names every problem", name)
		}
		assert.NotContains(t, stderr, "sk-secret", name)
	}
}

// A login that nobody checks is worse than none.
func TestALoginWithoutAnIssuerIsRefused(t *testing.T) {
	environment(t, "AUTH_ENABLED=true")
	code, _, stderr := program(t, "validate")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "AUTH_OIDC_ISSUER")
	assert.Contains(t, stderr, "AUTH_OIDC_CLIENT_ID")
	environment(t, "AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://issuer.example", "AUTH_OIDC_CLIENT_ID=x")
	code, _, stderr = program(t, "validate")
	assert.Zero(t, code, stderr)
}

func TestWarningsAreNoProblems(t *testing.T) {
	environment(t, "OPENAI_API_KEY=a", "SERVER_PROT=8080")
	code, _, stderr := program(t, "validate")
	assert.Zero(t, code)
	assert.Contains(t, stderr, "warning: SERVER_PROT")
	assert.Contains(t, stderr, "SERVER_PORT")
}

func TestConfigMasksSecrets(t *testing.T) {
	environment(t, "OPENAI_API_KEY=sk-secret", "ANTHROPIC_API_KEY=sk-secret-2", "AUTH_OIDC_CLIENT_SECRET=sk-secret-3", "SERVER_PORT=8123")
	code, stdout, stderr := program(t, "config")
	require.Zero(t, code, stderr)
	assert.Contains(t, stdout, "SERVER_PORT=8123\n")
	assert.Contains(t, stdout, "OPENAI_API_KEY=***")
	assert.NotContains(t, stdout+stderr, "sk-secret")

	code, stdout, stderr = program(t, "config", "--envoy")
	require.Zero(t, code, stderr)
	assert.NotContains(t, stdout+stderr, "sk-secret")
	names := map[string]bool{}
	for _, doc := range strings.Split(stdout, "---\n")[1:] {
		var r struct {
			Name          string         `json:"name"`
			GenericSecret map[string]any `json:"genericSecret"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(doc), &r), doc)
		names[r.Name] = true
		if r.GenericSecret != nil {
			assert.Equal(t, map[string]any{"inlineString": "***"}, r.GenericSecret["secret"])
		}
	}
	for _, name := range []string{"public", "loopback", "gateway-extproc", "provider/openai", "provider/anthropic", "key/openai", "key/anthropic"} {
		assert.Contains(t, names, name)
	}
	_, again, _ := program(t, "config", "--envoy")
	assert.Equal(t, stdout, again, "the same configuration prints the same text")
}

// serve and bootstrap find each other's sockets without talking.
func TestBootstrapNamesTheControlSockets(t *testing.T) {
	dir := t.TempDir()
	environment(t, "CONTROL_SOCKET_DIR="+dir, "OPENAI_API_KEY=sk-secret")
	code, stdout, stderr := program(t, "bootstrap")
	require.Zero(t, code, stderr)
	assert.True(t, json.Valid([]byte(stdout)))
	assert.Contains(t, stdout, sockets(dir).envoy.XDS)
	assert.Contains(t, stdout, sockets(dir).envoy.Admin)
	assert.NotContains(t, stdout, "sk-secret")
}

func TestHealthcheck(t *testing.T) {
	answers := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/ready", r.URL.Path)
		w.WriteHeader(answers)
		_, _ = w.Write([]byte("the reason"))
	}))
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "::"} {
		environment(t, "SERVER_HOST="+host, "SERVER_PORT="+u.Port())
		answers = http.StatusOK
		code, stdout, stderr := program(t, "healthcheck")
		assert.Zero(t, code, stderr)
		assert.Equal(t, "ready\n", stdout)
		answers = http.StatusServiceUnavailable
		code, _, stderr = program(t, "healthcheck")
		assert.Equal(t, 1, code)
		assert.Contains(t, stderr, "the reason")
	}
	server.Close()
	code, _, stderr := program(t, "healthcheck")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "not ready")

	environment(t, "SERVER_PORT=http")
	code, _, stderr = program(t, "healthcheck")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "validate")
}

func TestRunWithoutEnvoyCannotStart(t *testing.T) {
	environment(t, "ENVOY_PATH=/nowhere/envoy", "OPENAI_API_KEY=sk-secret", "SERVER_PORT=0")
	code, stdout, stderr := program(t, "run")
	assert.Equal(t, 2, code)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "ENVOY_PATH")
	assert.NotContains(t, stderr, "sk-secret")
}

// serve opens its sockets, says where they are, and ends cleanly when it is told to.
func TestServeUntilTold(t *testing.T) {
	dir := shortDir(t)
	environment(t, "CONTROL_SOCKET_DIR="+dir, "OPENAI_API_KEY=sk-secret")
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	require.NoError(t, err)
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	ended := make(chan int, 1)
	go func() { ended <- command([]string{"serve"}, stdout, stderr) }()
	require.Eventually(t, func() bool {
		said, err := os.ReadFile(stdout.Name())
		return err == nil && strings.Contains(string(said), dir)
	}, 10*time.Second, 10*time.Millisecond)

	client := loopbackClient(socketDialer(sockets(dir).snapshot.API))
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://gateway/ready")
	require.NoError(t, err)
	_ = answer.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode, "no Envoy is there")

	_, err = listen(sockets(dir).envoy.XDS)
	assert.ErrorContains(t, err, "in use by another gateway", "a second one must not take the sockets")

	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	select {
	case code := <-ended:
		assert.Zero(t, code)
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
	}
	log, err := os.ReadFile(stderr.Name())
	require.NoError(t, err)
	assert.NotContains(t, string(log), "sk-secret")
}
