package contract

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestCommandsAndTheirExitCodes(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("rules: [{name: a, match: {provider: [oepnai, groq, mine]}, act: deny}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		env    harness.Env
		code   int
		stdout string // a part
		stderr string
	}{
		{"version", nil, 0, "inference-gateway ", ""},
		{"help", nil, 0, "usage:", ""},
		{"run --help", harness.Env{"SERVER_PORT": "x"}, 0, "usage:", ""},
		{"config -h", nil, 0, "usage:", ""},
		{"validate", nil, 0, "good", ""},
		{"validate", harness.Env{"SERVER_PORT": "x"}, 1, "", "SERVER_PORT"},
		{"config", harness.Env{"OPENAI_API_KEY": ownKey}, 0, "OPENAI_API_KEY=***", ""},
		{"config", harness.Env{"LOG_LEVEL": "loud"}, 1, "", "LOG_LEVEL"},
		{"config --envoy", harness.Env{"OPENAI_API_KEY": ownKey}, 0, "provider/openai", ""},
		{"bootstrap", nil, 0, "gateway-control-plane", ""},
		{"bootstrap", harness.Env{"SERVER_HOST": "a b"}, 1, "", "SERVER_HOST"},
		{"healthcheck", harness.Env{"SERVER_PORT": "1"}, 1, "", "not ready"},
		{"run", harness.Env{"CLIENT_TIMEOUT": "soon"}, 1, "", "CLIENT_TIMEOUT"},
		{"", harness.Env{"CLIENT_TIMEOUT": "soon"}, 1, "", "CLIENT_TIMEOUT"},
		{"serve", harness.Env{"CLIENT_TIMEOUT": "soon"}, 1, "", "CLIENT_TIMEOUT"},
		{"run", harness.Env{"ENVOY_PATH": "/nowhere/envoy"}, 2, "", "ENVOY_PATH"},
		{"run", harness.Env{"AUTH_ENABLED": "true", "AUTH_OIDC_ISSUER": "http://127.0.0.1:1"}, 1, "", "AUTH_OIDC_CLIENT_ID"},
		{"run", harness.Env{"CONTROL_SOCKET_DIR": "/proc/nowhere"}, 2, "", "CONTROL_SOCKET_DIR"},
		{"serve", harness.Env{"CONTROL_SOCKET_DIR": t.TempDir() + "/" + strings.Repeat("a", 100)}, 2, "", "shorter"},
		{"policy check " + policy, nil, 0, "hosts name them: oepnai, mine", ""},
		{"policy check " + policy + "x", nil, 1, "", "cannot be read"},
		{"policy test " + policy, nil, 2, "", "expected: policy check FILE"},
		{"validate", harness.Env{"POLICY_FILE": policy, "PROVIDERS": "mine", "MINE_API_URL": "http://127.0.0.1:1"}, 0, "good", "provider oepnai, which is none of this configuration"},
		{"nonsense", nil, 2, "", "unknown command"},
		{"validate twice", nil, 2, "", "unexpected argument"},
	} {
		t.Run(tt.args+" "+tt.stderr, func(t *testing.T) {
			r := harness.Run(t, tt.env.With(), strings.Fields(tt.args)...)
			if r.Code != tt.code || !strings.Contains(r.Stdout, tt.stdout) || !strings.Contains(r.Stderr, tt.stderr) || strings.Contains(r.Stdout+r.Stderr, marker) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.Code, tt.code, r.Stdout, r.Stderr)
			}
		})
	}
}

func TestEveryProblemOfAConfigurationIsToldAtOnce(t *testing.T) {
	r := harness.Run(t, harness.Env{
		"SERVER_PORT": "99999", "LOG_LEVEL": "loud", "CLIENT_TIMEOUT": "soon", "OPENAI_API_URL": "ftp://x", "OPENAI_API_KEY": ownKey, "OPENAI_API_KEY_FILE": "/x",
		"PROVIDERS": "mine", "SERVER_TLS_CERT_PATH": "/x",
	}, "validate")
	for _, part := range []string{"SERVER_PORT", "99999", "LOG_LEVEL", "loud", "CLIENT_TIMEOUT", "OPENAI_API_URL", "OPENAI_API_KEY", "MINE_API_URL", "SERVER_TLS_KEY_PATH"} {
		if !strings.Contains(r.Stderr, part) {
			t.Errorf("it does not say %q", part)
		}
	}
	if r.Code != 1 || strings.Contains(r.Stderr, marker) || t.Failed() {
		t.Errorf("exit code %d:\n%s", r.Code, r.Stderr)
	}
	r = harness.Run(t, harness.Env{"SERVER_PROT": "1"}, "validate")
	if r.Code != 0 || !strings.Contains(r.Stderr, "SERVER_PORT") {
		t.Errorf("a misspelled variable: exit code %d: %s", r.Code, r.Stderr)
	}
}

func TestABootstrapIsJSONThatEnvoyTakes(t *testing.T) {
	r := harness.Run(t, harness.Env{}, "bootstrap")
	if !json.Valid([]byte(r.Stdout)) {
		t.Fatalf("%s", r.Stdout)
	}
	p := harness.StartProcess(t, harness.Env{}, harness.EnvoyBinary(t), "--mode", "validate", "--config-yaml", r.Stdout)
	if code := p.Wait(t, 30*time.Second); code != 0 {
		t.Errorf("exit code %d: %s", code, p.Stderr)
	}
}

func TestAPortInUseIsToldAndEndsIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	t.Parallel()
	g := harness.Launch(t, harness.Env{"SERVER_PORT": port}, "run")
	if code := g.Wait(t, 90*time.Second); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(strings.ToLower(g.Stderr.String()), "address already in use") {
		t.Errorf("it does not say why: %s", g.Stderr)
	}
}

func TestKeysComeFromFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(ownKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := harness.Run(t, harness.Env{"OPENAI_API_KEY_FILE": path}, "config", "--envoy")
	if r.Code != 0 || !strings.Contains(r.Stdout, "key/openai") || strings.Contains(r.Stdout, marker) {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
}
