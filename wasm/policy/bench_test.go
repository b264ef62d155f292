package policy

import (
	"fmt"
	"os"
	"path/filepath"
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

// What 100 rules of all kinds, of which none holds, add to reading a request's body, which routing has to do anyway: reading
// alone, with one rule, and with all.
func BenchmarkRulesOfAllKinds(b *testing.B) {
	body := []byte(`{"model":"mock/bench","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"` +
		strings.Repeat("Tell me of the sea. ", 14) + `"}],"temperature":0.2}`)
	raw, err := os.ReadFile(filepath.Join("testdata", "hundred_rules.jsonl")) // a rule a line, none of which holds
	if err != nil {
		b.Fatal(err)
	}
	rules := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, n := range []int{0, 1, 2, 3, 4, 20, 100} {
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) {
			p, problems := Parse([]byte(`{"rules":[`+strings.Join(rules[:n], ",")+`]}`), "mock")
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			b.ReportAllocs()
			var r Request
			for b.Loop() {
				r.Reset()
				r.SentAsJSON = true
				r.Method, r.Path, r.Facts = "POST", "/v1/chat/completions", noFacts{}
				r.Body = Body{State: Whole, Bytes: body, Size: int64(len(body))}
				if d := p.Decide(&r); d.Verdict != Pass {
					b.Fatal(d)
				}
			}
		})
	}
}

type noFacts struct{ benchFacts }

func (noFacts) Header(string) (string, bool) { return "", false }
