package envoy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestBootstrapIsTheGoldenOne(t *testing.T) {
	got := indented(t, testBootstrap(t))
	path := filepath.Join("testdata", "bootstrap.json")
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "run with -update when this is meant")
}

func TestBootstrapIsPure(t *testing.T) {
	first := indented(t, testBootstrap(t))
	for range 5 {
		assert.Equal(t, string(first), string(indented(t, testBootstrap(t))))
	}
}

func TestEnvoyTakesTheBootstrap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootstrap.json")
	require.NoError(t, os.WriteFile(path, testBootstrap(t), 0o600))
	out, err := exec.CommandContext(t.Context(), realEnvoy(t), "--mode", "validate", "--config-path", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.NotContains(t, string(out), "[warning]", "and finds nothing to warn of")
}

func testBootstrap(t *testing.T) []byte {
	t.Helper()
	c := &config.Config{Server: config.Server{MaxConnections: 1234}}
	b, err := Bootstrap(c, Endpoints{XDS: "/run/gateway/xds.sock", Admin: "/run/gateway/admin.sock"})
	require.NoError(t, err)
	return b
}

// indented takes out the blanks that protojson varies from build to build, so that nobody relies on them.
func indented(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, text, "", "  "))
	return append(b.Bytes(), '\n')
}
