package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// policyRules is how many rules the measured policy has. None of them holds for the bench's requests, so that every one
// is asked.
const policyRules = 100

// startFilters starts a gateway with the filter inside Envoy, and one that holds a policy besides.
func (b *bench) startFilters(ctx context.Context, mockPort int) ([]*target, error) {
	rules := filepath.Join(b.fleet.dir, "policy.yaml")
	if err := os.WriteFile(rules, []byte(policyOf(policyRules)), 0o600); err != nil {
		return nil, err
	}
	var out []*target
	for _, kind := range []struct {
		name string
		env  list
	}{
		{"wasm", list{"WASM_ENABLED=true"}},
		{"wasm-policy", list{"WASM_ENABLED=true", "POLICY_FILE=" + rules}},
	} {
		t, err := b.startAnother(ctx, kind.name, kind.env, mockPort)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// policyOf makes rules of the kinds that a platform team writes, about models, headers and bodies.
func policyOf(rules int) string {
	var out strings.Builder
	out.WriteString("rules:\n")
	for i := range rules {
		match := fmt.Sprintf("model: [\"mock/team-%d-*\"]", i)
		switch i % 4 {
		case 1:
			match = fmt.Sprintf("headers: {x-team: [\"team-%d\"]}", i)
		case 2:
			match = fmt.Sprintf("provider: [\"provider-%d\"], stream: true", i)
		case 3:
			match = fmt.Sprintf("model: [\"mock/*-%d\"], tools: true", i)
		}
		fmt.Fprintf(&out, "  - {name: rule-%d, match: {%s}, act: {deny: {status: 403, message: not here}}}\n", i, match)
	}
	return out.String()
}
