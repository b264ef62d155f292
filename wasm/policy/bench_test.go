package policy

import (
	"fmt"
	"strings"
	"testing"
)

// hundred makes a policy of n rules of a shape, none of which concerns the benchmark's request.
func hundred(b *testing.B, rule string, n int) *Policy {
	b.Helper()
	var rules []string
	for i := range n {
		rules = append(rules, strings.ReplaceAll(rule, "%d", fmt.Sprint(i)))
	}
	p, problems := Parse([]byte(`{"rules":[` + strings.Join(rules, ",") + `]}`))
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	return p
}

type benchFacts struct{}

func (benchFacts) Header(string) (string, bool)                 { return "blue", true }
func (benchFacts) Principal() string                            { return "spiffe://cluster.local/ns/shop/sa/cart" }
func (benchFacts) PeerNamespace() string                        { return "" }
func (benchFacts) NodeNamespace() string                        { return "shop" }
func (benchFacts) NodeLabel(string) (string, bool)              { return "", false }
func (benchFacts) AppendClaims(dst []string, _ string) []string { return append(dst, "users") }

// Each row is 100 rules that do not match; the first has none, and is what reading the body costs.
func BenchmarkDecide(b *testing.B) {
	body := []byte(`{"model":"openai/gpt-4o","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"` +
		strings.Repeat("Tell me of the sea - and of AI. ", 8) + `"}],"stream":true,"max_tokens":256,"temperature":0.2}`)
	rows := []struct {
		name, rule string
		n          int
	}{
		{"none", ``, 0},
		{"model", `{"name":"r%d","match":{"model":"model-%d"},"act":"deny"}`, 100},
		{"wildcard", `{"name":"r%d","match":{"model":"model-%d*"},"act":"deny"}`, 100},
		{"provider", `{"name":"r%d","match":{"provider":"p%d","model":"gpt*"},"act":"deny"}`, 100},
		{"peer", `{"name":"r%d","match":{"model":"gpt-*","peer":{"namespace":"ns%d"}},"act":"deny"}`, 100},
		{"header", `{"name":"r%d","match":{"headers":{"x-team":"team%d"}},"act":"deny"}`, 100},
		{"secrets", `{"name":"r%d","match":{"model":"gpt*"},"act":{"secrets":"all"}}`, 1},
		{"cap", `{"name":"r%d","match":{"model":"gpt*"},"act":{"cap":100}}`, 1},
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			p := hundred(b, row.rule, row.n)
			b.ReportAllocs()
			var r Request
			for b.Loop() {
				r.Reset()
				r.Method, r.Path, r.Authority = "POST", "/v1/chat/completions", "gateway.local:8080"
				r.Body = Body{State: Whole, Bytes: body, Size: int64(len(body))}
				r.Facts = benchFacts{}
				d := p.Decide(&r)
				if d.Verdict == Undecided {
					b.Fatal("undecided")
				}
			}
		})
	}
}
