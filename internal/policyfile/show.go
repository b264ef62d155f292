package policyfile

import (
	"bytes"
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Shown is a case as an HTTP request, and what a proxy has to do with it: the tests of the filter hold each host that it
// runs in to what the command line says.
type Shown struct {
	Method, Path string
	Body         []byte

	Status             int    // of the refusal; 0 when the request goes on
	Rule               string // that refuses, or the outcome when none does
	SentPath, SentBody string // of what goes on
}

// Show decides on a case.
func (c *Case) Show(p *policy.Policy) Shown {
	content, _ := bodyOf(c.Request.Body)
	if n := int(c.Request.Size) - len(content); n > 0 {
		content = append(slices.Clone(content), bytes.Repeat([]byte{' '}, n)...)
	}
	r, d := decide(p, c)
	out := Shown{Method: r.Method, Path: r.Path, Body: content, SentPath: or(d.Path, r.Path), SentBody: string(content)}
	switch {
	case d.Verdict != policy.Pass:
		out.Status, out.Rule = d.Status, or(d.Name, d.Outcome.String())
	case d.Changed():
		out.SentBody = string(d.AppendBody(nil, r))
	}
	return out
}
