package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// Parse reads a policy as JSON. When there are problems, it gives all of them and no policy. The policy keeps nothing of
// the bytes. Providers are IDs, beyond those that are known, which may stand before the slash of a model: at the edge,
// those of the configuration.
func Parse(json []byte, providers ...string) (*Policy, []Problem) {
	if len(json) > maxPolicy {
		return nil, []Problem{{Message: "the policy is larger than " + strconv.Itoa(maxPolicy) + " bytes"}}
	}
	doc, err := jsonedit.Parse(slices.Clone(json))
	if err != nil {
		return nil, []Problem{{Message: strings.Replace(err.Error(), "the request body", "the policy", 1)}}
	}
	r := &reader{}
	p := &Policy{maxBody: 10 << 20, overLimit: true, onError: true}
	var hosts []hostRow
	fields := []field{
		{"default", func(path string, v jsonedit.Value) { p.fallback = r.refusing(path, v, "allow", "deny") }},
		{"unknown", func(path string, v jsonedit.Value) { p.unknown = r.refusing(path, v, "pass", "refuse") }},
		{"on_error", func(path string, v jsonedit.Value) { p.onError = r.refusing(path, v, "open", "closed") }},
		{"over_limit", func(path string, v jsonedit.Value) { p.overLimit = r.refusing(path, v, "pass", "refuse") }},
		{"max_body", func(path string, v jsonedit.Value) {
			if p.maxBody = r.bytes(path, v); p.maxBody > 1<<30 {
				r.problem(path, "expected at most 1GiB")
			}
		}},
		{"hosts", func(path string, v jsonedit.Value) { hosts = r.hosts(path, v) }},
		{"rules", func(path string, v jsonedit.Value) { p.rules = r.rules(path, v) }},
	}
	r.walk("", doc, func(path, name string, v jsonedit.Value) {
		if i := slices.IndexFunc(fields, func(f field) bool { return f.name == name }); i >= 0 {
			fields[i].read(path, v)
			return
		}
		r.problem(path, "unknown field: expected one of default, hosts, max_body, on_error, over_limit, rules, unknown")
	})
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	for _, id := range providers {
		hosts = append(hosts, hostRow{id: strings.ToLower(id)})
	}
	p.hosts = hostTable(hosts)
	p.prepare()
	return p, nil
}

// refusing reads one of two words, of which the second refuses.
func (r *reader) refusing(path string, v jsonedit.Value, passes, refuses string) refusing {
	return refusing(r.word(path, v, passes, refuses) == refuses)
}

// hosts reads a map from provider IDs to the hosts of their upstreams.
func (r *reader) hosts(path string, v jsonedit.Value) []hostRow {
	var rows []hostRow
	r.members(path, v, func(path, id string, v jsonedit.Value) {
		rows = append(rows, hostRow{hosts: lowerPatterns(r.texts(path, v)), id: strings.ToLower(id)})
	})
	return rows
}

func (r *reader) rules(path string, v jsonedit.Value) []rule {
	items := v.Items()
	switch {
	case v.Kind != jsonedit.Array:
		r.problem(path, "expected a list of rules")
	case len(items) > maxRules:
		r.problem(path, "has more than "+strconv.Itoa(maxRules)+" rules")
		return nil
	}
	rules := make([]rule, len(items))
	first := map[string]int{}
	for i, item := range items {
		at := JoinIndex(path, i)
		rules[i] = r.rule(at, item)
		name := rules[i].name
		if other, ok := first[name]; ok && name != "" {
			r.problem(JoinName(at, "name"), "is the name of "+JoinIndex(path, other)+" already")
			continue
		}
		first[name] = i
	}
	return rules
}

func (r *reader) rule(path string, v jsonedit.Value) rule {
	var out rule
	before, acts, named := len(r.problems), false, false
	r.object(path, v,
		field{"name", func(path string, v jsonedit.Value) { out.name, named = r.name(path, v), true }},
		field{"about", func(path string, v jsonedit.Value) { r.text(path, v) }},
		field{"match", func(path string, v jsonedit.Value) { out.match = r.conditions(path, v) }},
		field{"unless", func(path string, v jsonedit.Value) {
			c := r.conditions(path, v)
			out.unless = &c
		}},
		field{"act", func(path string, v jsonedit.Value) { out.act, acts = r.act(path, v), true }},
		field{"shadow", func(path string, v jsonedit.Value) { out.shadow = r.flag(path, v) }},
		field{"continue", func(path string, v jsonedit.Value) { out.goOn = r.flag(path, v) }},
	)
	if len(r.problems) > before {
		return out
	}
	if !named {
		r.problem(path, "has no name: every rule needs one, for metrics and replies")
	}
	if !acts && !out.shadow {
		r.problem(path, "does nothing: expected act, or shadow: true")
	}
	out.readBody = out.act.readBody() || out.match.readBody() || out.unless != nil && out.unless.readBody()
	return out
}

// name reads what becomes part of a metric's name and of a response header.
func (r *reader) name(path string, v jsonedit.Value) string {
	s, ok := v.Text()
	bad := strings.IndexFunc(s, func(c rune) bool { return c > 127 || kinds[c]&word == 0 }) >= 0
	if !ok || s == "" || len(s) > maxName || bad {
		r.problem(path, "expected a name of letters, digits, - and _, at most "+strconv.Itoa(maxName)+" of them")
		return ""
	}
	return s
}

// prepare derives what decisions need from the rules.
func (p *Policy) prepare() {
	p.guarded = []string{"model", "stream", "messages", "input", "contents", "system", "instructions"}
	p.guarded = append(p.guarded, toolMembers[:]...)
	p.guarded = append(p.guarded, routing.FallbackMembers[:]...)
	var edited []string
	p.guarded = append(p.guarded, capNames[:]...)
	p.guarded = append(p.guarded, geminiConfigs[:]...)
	var all lookups
	for i := range p.rules {
		rule := &p.rules[i]
		all.numberAll(rule)
		p.guarded = append(p.guarded, rule.act.require...)
		p.guarded = append(p.guarded, rule.act.remove...)
		edited = append(edited, rule.act.remove...)
		p.asksModel = p.asksModel || len(rule.match.models) > 0 || rule.unless != nil && len(rule.unless.models) > 0 || rule.act.model != ""
		for _, e := range rule.act.set {
			p.guarded = append(p.guarded, e.Name)
			edited = append(edited, e.Name)
		}
		p.needsBody = p.needsBody || rule.readBody || rule.match.mayReadBody() || rule.unless != nil && rule.unless.mayReadBody()
		for j := range rule.act.budgets {
			b := &rule.act.budgets[j]
			p.needsUsage = p.needsUsage || b.tokens
			p.needsBody = p.needsBody || slices.ContainsFunc(b.key, func(k keyPart) bool { return k.kind == keyModel || k.kind == keyProvider })
		}
	}
	for _, name := range routing.FallbackMembers {
		if p.asksModel && !slices.Contains(edited, name) {
			p.moreModels = append(p.moreModels, name)
		}
	}
	p.index = newIndex(p.rules, all)
	for _, l := range all {
		if l.kind == lookHeader {
			p.headers = append(p.headers, l.name)
		}
	}
	if p.needsBody && !slices.Contains(p.headers, contentType) {
		p.headers = append(p.headers, contentType)
	}
	slices.Sort(p.guarded)
	p.guarded = slices.Compact(p.guarded)
	for _, name := range p.guarded {
		if !snakeCase([]byte(name)) && !slices.Contains(geminiConfigs[:], name) {
			p.guardsCapitals = true
		}
	}
}
