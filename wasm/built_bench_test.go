package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What one request costs the built file, with a host that does next to nothing: the time of the Go code in the machine and
// of its calls. Rows are configurations; the difference to none is what a policy costs.
func BenchmarkTheBuiltFilter(b *testing.B) {
	raw, err := os.ReadFile(filepath.Join("policy", "testdata", "hundred_rules.jsonl")) // a rule a line, none of which holds
	if err != nil {
		b.Fatal(err)
	}
	rules := strings.Split(strings.TrimSpace(string(raw)), "\n")
	body := []byte(`{"model":"openai/gpt-bench","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"` +
		strings.Repeat("Tell me of the sea. ", 14) + `"}],"temperature":0.2}`)
	for _, row := range []struct{ name, policy string }{
		{"none", ""},
		{"0 rules", `{"rules":[]}`},
		{"1 rule", `{"rules":[{"name":"a","match":{"model":"x"},"act":"deny"}]}`},
		{"100 rules", `{"rules":[` + strings.Join(rules, ",") + `]}`},
	} {
		b.Run(row.name, func(b *testing.B) {
			m, ok := boot(b, configuration(b, nil, nil, row.policy))
			if !ok {
				b.Fatal(m.logs)
			}
			m.headers = post("/v1/chat/completions", body)
			for b.Loop() {
				m.request(post("/v1/chat/completions", body), body)
			}
			b.ReportMetric(float64(m.calls)/float64(b.N+1), "calls/op")
		})
	}
}
