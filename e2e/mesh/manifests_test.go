package mesh

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// manifest is a file below deploy/istio.
func manifest(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "deploy", "istio", name))
	require.NoError(t, err)
	return text
}

// The policies of the manifests are good ones, and do what their cases say, with every rule asked. The fields of Istio's
// own are held against Istio itself by `make test-istio`.
func TestPoliciesOfTheManifests(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"sidecar", "egress-gateway"} {
		read, err := policyfile.Read(dir, manifest(t, dir+"/policy.yaml"))
		require.NoError(t, err)
		p, _ := policy.Parse(read)
		cases, err := policyfile.ParseCases(dir, manifest(t, dir+"/cases.yaml"))
		require.NoError(t, err)
		report := policyfile.Run(p, cases)
		var out strings.Builder
		require.NoError(t, report.Write(&out))
		assert.Zero(t, report.Failed, out.String())
		assert.Empty(t, report.Unasked)
	}
}

// A misspelt field of a WasmPlugin is noticed without Istio's programs, too.
func TestWasmPluginsHaveTheFieldsThatIstioHas(t *testing.T) {
	t.Parallel()
	known := []string{ // of istio.extensions.v1alpha1.WasmPlugin
		"selector", "targetRefs", "url", "sha256", "imagePullPolicy", "imagePullSecret", "pluginConfig", "pluginName", "phase",
		"failStrategy", "vmConfig", "match", "priority", "type",
	}
	for _, dir := range []string{"sidecar", "egress-gateway"} {
		var plugin struct {
			Spec map[string]any
		}
		require.NoError(t, yaml.Unmarshal(manifest(t, dir+"/policy.yaml"), &plugin))
		for name := range plugin.Spec {
			assert.Contains(t, known, name, dir)
		}
		assert.Contains(t, []any{"FAIL_CLOSE", "FAIL_RELOAD"}, plugin.Spec["failStrategy"], "closed: %s", dir)
	}
}

// The EnvoyFilter that may hold headers back holds what the plugin reads.
func TestThePolicyOfTheEnvoyFilter(t *testing.T) {
	t.Parallel()
	configuration := heldHeaders(t)
	assert.Equal(t, true, configuration["hold_headers"])
	assert.Len(t, configuration, 2)
	text, err := yaml.Marshal(configuration["policy"])
	require.NoError(t, err)
	_, err = policyfile.Read("held-headers.yaml", text)
	assert.NoError(t, err)
}

// heldHeaders is the plugin's configuration in deploy/istio/options/held-headers.yaml.
func heldHeaders(t *testing.T) map[string]any {
	t.Helper()
	var filter struct {
		Spec struct {
			ConfigPatches []struct {
				Patch struct {
					Value struct {
						Typed struct {
							Config struct {
								Allow         bool `json:"allow_on_headers_stop_iteration"`
								Configuration struct {
									Value map[string]any
								}
							}
						} `json:"typed_config"`
					}
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(manifest(t, "options/held-headers.yaml"), &filter))
	config := filter.Spec.ConfigPatches[0].Patch.Value.Typed.Config
	assert.True(t, config.Allow)
	return config.Configuration.Value
}

// The documentation's plugin holds a good policy, and its commands run as they stand.
func TestTheDocumentationOfTheMesh(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "mesh.md"))
	require.NoError(t, err)
	_, plugin, found := strings.Cut(string(text), "```yaml plugin\n")
	require.True(t, found)
	plugin, _, _ = strings.Cut(plugin, "```")
	_, err = policyfile.Read("docs/mesh.md", []byte(plugin))
	require.NoError(t, err)

	run := 0
	for line := range strings.Lines(string(manifest(t, "README.md"))) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "inference-gateway ")
		if !ok {
			continue
		}
		run++
		words := strings.Fields(args)
		for i, word := range words {
			if strings.Contains(word, "/") {
				words[i] = filepath.Join(harness.Root(), word)
			}
		}
		r := harness.Run(t, harness.Env{}, words...)
		assert.Zero(t, r.Code, "%s\n%s%s", line, r.Stdout, r.Stderr)
	}
	assert.Equal(t, 4, run)
}

// Istio's agent looks for plugin.wasm in the root of an image.
func TestTheImageHoldsTheModule(t *testing.T) {
	t.Parallel()
	assert.Contains(t, string(manifest(t, "Dockerfile")), "\nFROM scratch\nCOPY inference-gateway.wasm ./plugin.wasm\n")
	makefile, err := os.ReadFile(filepath.Join(harness.Root(), "Makefile"))
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^WASM +:= bin/inference-gateway\.wasm$`, string(makefile))
}
