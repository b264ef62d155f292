// Package mesh holds the promises that the filter makes to a platform team that loads it into its mesh: without the
// gateway's process, without a table of providers, with nothing but a policy as plugin configuration. A stock Envoy
// stands for Istio's: the bootstraps, listeners and clusters of testdata are those that istiod and its agent write for
// a sidecar and for an egress gateway. What a real istiod makes of deploy/istio is seen by `make test-istio`.
package mesh

import (
	"fmt"
	"os"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func chat(model string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]}`, model)
}
