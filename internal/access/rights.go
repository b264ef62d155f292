package access

import (
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// kind is what a list of a rule is about.
type kind int

const (
	providerNames kind = iota
	modelNames
	serverNames
	toolNames
	agentNames
	kinds
)

// unlimited is a max_tokens that lifts the limit of other rules.
const unlimited = -1

// grant is one rule, compiled.
type grant struct {
	allow, deny [kinds]*names // nil: the rule does not speak of this kind
	maxTokens   int64         // 0: it does not speak of it
}

// names is one list, in lower case. An entry with a slash is an owner and a name: a provider and its model, a server and
// its tool. One without is a name, whoever has it. (In ALLOWED_MODELS an entry with a slash may also be a model's whole
// name; a right to openai/* must not be one to another provider's model that is called openai/o3.)
type names struct{ whole, bare []catalog.Pattern }

func newNames(entries []string) *names {
	n := &names{}
	for _, e := range entries {
		p := catalog.NewPattern(strings.ToLower(e))
		if strings.Contains(e, "/") {
			n.whole = append(n.whole, p)
		} else {
			n.bare = append(n.bare, p)
		}
	}
	return n
}

// has takes a model by each of its names.
func (n *names) has(k kind, owner, name string) bool {
	owner, name = strings.ToLower(owner), strings.ToLower(name)
	if n.lists(owner, name) {
		return true
	}
	other, ok := "", false
	if k == modelNames {
		other, ok = catalog.OtherSpelling(owner, name)
	}
	return ok && n.lists(owner, other)
}

func (n *names) lists(owner, name string) bool {
	if slices.ContainsFunc(n.bare, func(p catalog.Pattern) bool { return p.Match(name) }) {
		return true
	}
	if len(n.whole) == 0 {
		return false
	}
	whole := owner + "/" + name
	return slices.ContainsFunc(n.whole, func(p catalog.Pattern) bool { return p.Match(whole) })
}

// Rights are what one caller may do. The zero Rights allow everything.
//
// A refusal of any rule wins. Of each kind, the caller may do what at least one of the rules allows that speak of it;
// when none does, everything. The longest of the rules' max_tokens holds. What a key says of itself then narrows this.
type Rights struct {
	rules []*grant // of everyone, the caller's groups and the caller
	own   *grant   // of the key itself
}

// Rights gives the rights of a caller that is in these groups.
func (t *Table) Rights(caller string, groups []string) Rights {
	if t == nil || !t.reads && !t.tools {
		return Rights{}
	}
	r := Rights{own: t.byCaller[caller]}
	if t.everyone != nil {
		r.rules = append(r.rules, t.everyone)
	}
	for _, name := range groups {
		if g := t.groups[name]; g != nil {
			r.rules = append(r.rules, g)
		}
	}
	for _, c := range t.callers {
		if c.pattern.Match(caller) {
			r.rules = append(r.rules, c.grant)
		}
	}
	return r
}

func (r Rights) allows(k kind, owner, name string) bool {
	spoken, allowed := false, false
	for _, g := range r.rules {
		if d := g.deny[k]; d != nil && d.has(k, owner, name) {
			return false
		}
		if a := g.allow[k]; a != nil {
			spoken = true
			allowed = allowed || a.has(k, owner, name)
		}
	}
	if spoken && !allowed {
		return false
	}
	if r.own == nil {
		return true
	}
	if d := r.own.deny[k]; d != nil && d.has(k, owner, name) {
		return false
	}
	a := r.own.allow[k]
	return a == nil || a.has(k, owner, name)
}

func (r Rights) speaks(k kind) bool {
	for _, g := range r.rules {
		if g.allow[k] != nil || g.deny[k] != nil {
			return true
		}
	}
	return r.own != nil && (r.own.allow[k] != nil || r.own.deny[k] != nil)
}

// AllowsProvider says whether anything of a provider may be used.
func (r Rights) AllowsProvider(id string) bool { return r.allows(providerNames, "", id) }

// AllowsModel says whether a provider's model may be used.
func (r Rights) AllowsModel(provider, model string) bool {
	return r.AllowsProvider(provider) && r.allows(modelNames, provider, model)
}

// RestrictsModels says whether some model is refused, so that one which cannot be told must be refused too.
func (r Rights) RestrictsModels() bool { return r.speaks(modelNames) }

// AllowsServer says whether a tool server may be used.
func (r Rights) AllowsServer(server string) bool { return r.allows(serverNames, "", server) }

// AllowsTool says whether a server's tool may be used, by the server's own name for it.
func (r Rights) AllowsTool(server, tool string) bool {
	return r.AllowsServer(server) && r.allows(toolNames, server, tool)
}

// AllowsAgent says whether an agent may be used.
func (r Rights) AllowsAgent(agent string) bool { return r.allows(agentNames, "", agent) }

// RestrictsTools says whether some server, tool or agent is refused.
func (r Rights) RestrictsTools() bool {
	return r.speaks(serverNames) || r.speaks(toolNames) || r.speaks(agentNames)
}

// MaxTokens is the longest answer that may be asked for, in tokens; 0 is no limit.
func (r Rights) MaxTokens() int64 {
	var most int64
	for _, g := range r.rules {
		if g.maxTokens == unlimited {
			most = unlimited
			break
		}
		most = max(most, g.maxTokens)
	}
	most = max(most, 0)
	if r.own != nil && r.own.maxTokens > 0 && (most == 0 || r.own.maxTokens < most) {
		most = r.own.maxTokens
	}
	return most
}
