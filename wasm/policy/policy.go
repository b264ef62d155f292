// Package policy decides about requests to language models: ordered rules say which workload may send what to which
// model, with which changes. A decision is a pure function of the policy and of what is known of the request; counters
// and the clock of budgets are the caller's.
//
// The package is compiled into the wasm filter and runs there for every request. So it must not know Envoy, proxy-wasm,
// HTTP servers or the environment, imports nothing that brings reflection (no fmt, encoding/json, regexp, time), and a
// request that no rule concerns costs next to no memory.
package policy

import "slices"

// The limits of a policy. They bound what one mistaken or hostile configuration costs every request.
const (
	maxPolicy  = 1 << 20 // bytes of JSON
	maxRules   = 1024
	maxEntries = 256  // of one list or map
	maxText    = 1024 // bytes of one string
	maxName    = 64   // bytes of a rule's name, which becomes part of a metric's name
)

// Policy is a parsed policy. It is immutable and may be used by several goroutines, each with its own Request.
type Policy struct {
	rules   []rule
	index   index
	hosts   []hostRow
	guarded []string // member names that may not appear in other spellings
	headers []string // that rules, and the reading of bodies, ask for

	asksModel  bool     // of a rule
	moreModels []string // members that name further models, which are not to be there; none where no rule asks for models

	guardsCapitals bool // one of them holds capitals
	maxBody        int64
	fallback       refusing // when no rule decides
	unknown        refusing // when no rule decides on a request that is not understood
	overLimit      refusing
	onError        refusing
	needsBody      bool // some rule may read or edit bodies
	needsUsage     bool
}

// Strangers are the providers that rules ask for and that nothing makes known: a rule with a misspelled one holds for no
// request, and nothing else would tell.
func (p *Policy) Strangers() []string {
	var out []string
	add := func(c *conditions) {
		for i := range c.providers {
			if id := &c.providers[i]; !id.Star && !p.isProvider(id.Text) && !slices.Contains(out, id.Text) {
				out = append(out, id.Text)
			}
		}
	}
	for i := range p.rules {
		add(&p.rules[i].match)
		if unless := p.rules[i].unless; unless != nil {
			add(unless)
		}
	}
	return out
}

// refusing is a setting that lets a request pass or not.
type refusing bool

// Rules gives the names of the rules in their order; a Step's Rule is an index into it.
func (p *Policy) Rules() []string {
	names := make([]string, len(p.rules))
	for i := range p.rules {
		names[i] = p.rules[i].name
	}
	return names
}

// MaxBody is how many bytes of a body are to be held for a decision. Above it, give the Request a body that is CutOff.
func (p *Policy) MaxBody() int64 { return p.maxBody }

// NeedsUsage says whether any rule counts tokens, so that the usage of answers has to be observed and charged.
func (p *Policy) NeedsUsage() bool { return p.needsUsage }

// Headers are the names of the request headers that decisions ask for.
func (p *Policy) Headers() []string { return p.headers }

// FailOpen says that a request passes when the policy cannot be applied to it because of a fault of the filter itself.
func (p *Policy) FailOpen() bool { return !bool(p.onError) }

// rule is one compiled rule.
type rule struct {
	name     string
	match    conditions
	unless   *conditions // the rule does not hold when these do
	act      act
	shadow   bool // counts what it would have done, and does nothing
	goOn     bool // what it does holds, and the rules after it are asked too
	readBody bool // its conditions or its act need the body
}
