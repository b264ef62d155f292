package envoy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3" // a type that the bootstrap names
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

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

// What is written as JSON is what Envoy's own types say, with every field known to them and every rule of theirs kept.
func TestBootstrapIsWhatEnvoysTypesSay(t *testing.T) {
	for _, heap := range []int64{0, 1 << 31} {
		var b bootstrapv3.Bootstrap
		require.NoError(t, protojson.Unmarshal(bootstrap(t, heap), &b))
		require.NoError(t, b.ValidateAll())
		if heap == 0 {
			assert.Len(t, b.GetOverloadManager().GetResourceMonitors(), 1)
			assert.Empty(t, b.GetOverloadManager().GetActions())
			continue
		}
		var limit heapv3.FixedHeapConfig
		require.NoError(t, b.GetOverloadManager().GetResourceMonitors()[1].GetTypedConfig().UnmarshalTo(&limit))
		assert.Equal(t, uint64(heap), limit.GetMaxHeapSizeBytes())
		assert.Len(t, b.GetOverloadManager().GetActions(), 5)
	}
}

func TestEnvoyTakesTheBootstrap(t *testing.T) {
	for _, heap := range []int64{0, 1 << 31} {
		path := filepath.Join(t.TempDir(), "bootstrap.json")
		require.NoError(t, os.WriteFile(path, bootstrap(t, heap), 0o600))
		out, err := exec.CommandContext(t.Context(), realEnvoy(t), "--mode", "validate", "--config-path", path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.NotContains(t, string(out), "[warning]", "and finds nothing to warn of")
	}
}

func testBootstrap(t *testing.T) []byte {
	t.Helper()
	return bootstrap(t, 1<<31)
}

func bootstrap(t *testing.T, heap int64) []byte {
	t.Helper()
	c := &config.Config{Server: config.Server{MaxConnections: 1234}, Envoy: config.Envoy{MaxHeap: heap}}
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
