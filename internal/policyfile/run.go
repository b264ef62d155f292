package policyfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Result is what a policy did with one case.
type Result struct {
	Case    *Case
	Action  string // the outcome's name
	Rule    string // that decided, or none
	Status  int    // 0 for a request that passes
	Differs []Difference
}

// Difference is one thing that is not as wanted.
type Difference struct{ What, Want, Got string }

// Report is what a policy did with all cases.
type Report struct {
	Results []Result
	Failed  int
	Unasked []string // rules that held in no case
}

// Run shows every case to the policy.
func Run(p *policy.Policy, cases []Case) Report {
	names := p.Rules()
	held := make([]bool, len(names))
	var report Report
	for i := range cases {
		result, steps := run(p, names, &cases[i])
		for _, s := range steps {
			held[s.Rule] = true
		}
		if len(result.Differs) > 0 {
			report.Failed++
		}
		report.Results = append(report.Results, result)
	}
	for i, name := range names {
		if !held[i] {
			report.Unasked = append(report.Unasked, name)
		}
	}
	return report
}

func run(p *policy.Policy, names []string, c *Case) (Result, []policy.Step) {
	r, d := decide(p, c)
	result := Result{Case: c, Action: d.Outcome.String(), Rule: none, Status: d.Status}
	if d.Name != "" {
		result.Rule = d.Name
	}
	result.Differs = c.Want.compare(p, r, &d, result)
	return result, slices.Clone(d.Steps)
}

// decide gives the last of the decisions on a case.
func decide(p *policy.Policy, c *Case) (*policy.Request, policy.Decision) {
	budgets := newBudgets()
	r := new(policy.Request)
	var d policy.Decision
	for range max(1, c.Repeat) {
		r.Reset()
		c.Request.fill(r, p.MaxBody())
		r.Budgets = budgets
		if d = p.Decide(r); d.Verdict == policy.Pass {
			policy.Charge(budgets, d.Holds, c.Usage)
		}
	}
	return r, d
}

// fill makes the request that a policy sees.
func (x *Request) fill(r *policy.Request, maxBody int64) {
	r.Method, r.Path, r.Authority = or(x.Method, "POST"), or(x.Path, "/v1/chat/completions"), x.Host
	r.Upstream, r.Provider, r.Model = x.Upstream, x.Provider, x.Model
	f := newFacts(x)
	r.Facts = f
	content, _ := bodyOf(x.Body) // ParseCases has seen that it can be written
	r.Body = policy.Body{State: policy.Whole, Bytes: content, Size: max(int64(len(content)), x.Size)}
	encoding, _ := f.Header("content-encoding")
	switch {
	case content == nil && x.Size == 0:
		r.Body.State = policy.NoBody
	case r.Body.Size > maxBody:
		r.Body.State = policy.CutOff
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		r.Body.State = policy.Encoded
	}
}

func (w *Want) compare(p *policy.Policy, r *policy.Request, d *policy.Decision, got Result) []Difference {
	var out []Difference
	differ := func(what, want, got string) {
		if want != got {
			out = append(out, Difference{what, want, got})
		}
	}
	verdict := map[policy.Verdict]string{policy.Pass: "pass", policy.Refuse: "refuse"}[d.Verdict]
	switch w.Action {
	case "":
	case "pass", "refuse":
		differ("action", w.Action, verdict)
	default:
		differ("action", w.Action, got.Action)
	}
	if w.Rule != nil {
		differ("rule", or(*w.Rule, none), got.Rule)
	}
	if w.Status != 0 {
		differ("status", fmt.Sprint(w.Status), fmt.Sprint(d.Status))
	}
	if w.Code != "" {
		differ("code", w.Code, d.Code)
	}
	if w.Message != "" && !strings.Contains(d.Message, w.Message) {
		differ("message", "…"+w.Message+"…", d.Message)
	}
	if w.Shadow != nil {
		differ("shadow", listed(w.Shadow), listed(shadows(p.Rules(), d)))
	}
	for i, name := range policy.Detectors() {
		if w.Secrets != nil {
			differ("secrets "+name, fmt.Sprint(w.Secrets[name]), fmt.Sprint(d.Secrets[i]))
		}
	}
	w.compareSent(p, r, d, differ)
	return out
}

// compareSent looks at what goes on to the provider.
func (w *Want) compareSent(p *policy.Policy, r *policy.Request, d *policy.Decision, differ func(what, want, got string)) {
	if w.Model != "" {
		_, model := p.Named(r)
		differ("model", w.Model, or(d.Model, model))
	}
	if w.Path != "" {
		differ("path", w.Path, or(d.Path, r.Path))
	}
	want, _ := bodyOf(w.Body)
	if want == nil {
		return
	}
	sent := r.Body.Bytes
	switch {
	case d.Verdict != policy.Pass:
		sent = nil
	case d.Changed():
		sent = d.AppendBody(nil, r)
	}
	if !sameJSON(want, sent) {
		differ("body", string(want), or(string(sent), "nothing: the request is refused"))
	}
}

// shadows gives the rules in shadow that held, and what each would have done.
func shadows(names []string, d *policy.Decision) map[string]string {
	out := map[string]string{}
	for _, s := range d.Steps {
		if s.Shadow {
			out[names[s.Rule]] = s.Outcome.String()
		}
	}
	return out
}

// listed writes a map in one line, sorted.
func listed(m map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+": "+m[name])
	}
	return or(strings.Join(parts, ", "), none)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
