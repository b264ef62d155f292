package examples

import (
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// The files that docs/limits.md shows are files that the gateway reads, and the one for the rate limit service is what
// it would write.
func TestLimitsOfTheDocumentation(t *testing.T) {
	found, _ := blocks(read(t, "docs/limits.md"))
	var sets []*limits.Set
	wrote := false
	for _, b := range found {
		switch {
		case b.info != "yaml":
		case strings.HasPrefix(b.text, "# limits.yaml"):
			set, err := limits.Parse([]byte(b.text))
			if err != nil || len(set.Rules) == 0 {
				t.Fatalf("line %d: %v", b.line, err)
			}
			sets = append(sets, set)
		case strings.HasPrefix(b.text, "# keys.yaml"):
			table, err := access.Load(&access.Source{Content: []byte(b.text)}, nil)
			if err != nil || len(table.Limits()) == 0 {
				t.Errorf("line %d: %v", b.line, err)
			}
		default:
			wrote = true
			if got := string(sets[0].ServiceConfig("inference-gateway")); strings.TrimSpace(got) != strings.TrimSpace(b.text) {
				t.Errorf("line %d: the service's configuration is\n%s", b.line, got)
			}
		}
	}
	if len(sets) < 2 || !wrote {
		t.Errorf("%d files of limits, the service's: %v", len(sets), wrote)
	}
}
