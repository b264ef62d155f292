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
