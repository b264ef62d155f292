package main

import "github.com/inference-gateway/envoy-inference-gateway/wasm/policy"

// counts are Envoy's counters of what the rules did. One is defined when it is first needed, so that a policy of many
// rules does not fill the statistics with zeros.
type counts struct {
	rules   []string
	byRule  map[countKey]counter
	secrets map[string]counter
}

type countKey struct {
	rule    int
	outcome policy.Outcome
	shadow  bool
}

// metricPrefix is followed by rule.{name}.{outcome}, with .shadow for what would have happened, by none.{outcome} for
// what no rule did, and by secret.{detector}.
const metricPrefix = "inference_gateway.policy."

func newCounts(p *policy.Policy) *counts {
	return &counts{rules: p.Rules(), byRule: map[countKey]counter{}, secrets: map[string]counter{}}
}

// add counts a decision.
func (c *counts) add(d *policy.Decision) {
	for _, s := range d.Steps {
		c.one(countKey{s.Rule, s.Outcome, s.Shadow})
	}
	if d.Rule == policy.NoRule && d.Verdict == policy.Refuse {
		c.one(countKey{policy.NoRule, d.Outcome, false})
	}
	if !d.Secrets.Any() {
		return
	}
	for i, name := range policy.Detectors() {
		n := d.Secrets[i]
		if n == 0 {
			continue
		}
		found, ok := c.secrets[name]
		if !ok {
			found = defineCounter(metricPrefix + "secret." + name)
			c.secrets[name] = found
		}
		found.add(uint64(n))
	}
}

func (c *counts) one(k countKey) {
	known, ok := c.byRule[k]
	if !ok {
		name := metricPrefix + "none." + k.outcome.String()
		if k.rule != policy.NoRule {
			name = metricPrefix + "rule." + c.rules[k.rule] + "." + k.outcome.String()
		}
		if k.shadow {
			name += ".shadow"
		}
		known = defineCounter(name)
		c.byRule[k] = known
	}
	known.add(1)
}
