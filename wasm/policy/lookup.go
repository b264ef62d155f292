package policy

import (
	"slices"
	"strings"
)

// lookup is one fact that rules ask of the host by kind and name. A policy numbers its lookups, so that a request asks
// the host once for each, whatever number of rules wants it.
type lookup struct {
	kind lookupKind
	name string // of the header, label or claim
}

type lookupKind uint8

const (
	lookHeader lookupKind = iota
	lookLabel
	lookClaim
	lookPrincipal
	lookNamespace
	lookNode
)

// fact is the answer to a lookup. A claim may have several values, and so may a header; they stand in seen.values[from:to].
type fact struct {
	asked, ok bool
	value     string
	from, to  int
}

// named is a condition on a lookup.
type named struct {
	lookup
	at      int    // the lookup's number
	present answer // asked alone: whether it is there
	values  patterns
}

// lookups numbers the lookups of a policy.
type lookups []lookup

func (ls *lookups) number(l lookup) int {
	at := slices.Index(*ls, l)
	if at < 0 {
		at = len(*ls)
		*ls = append(*ls, l)
	}
	return at
}

// numberAll gives all lookups of a rule their numbers.
func (ls *lookups) numberAll(rule *rule) {
	for i := range rule.match.named {
		rule.match.named[i].at = ls.number(rule.match.named[i].lookup)
	}
	if rule.unless != nil {
		for i := range rule.unless.named {
			rule.unless.named[i].at = ls.number(rule.unless.named[i].lookup)
		}
	}
	for _, b := range rule.act.budgets {
		for i := range b.key {
			if b.key[i].kind == keyLookup {
				b.key[i].at = ls.number(b.key[i].lookup)
			}
		}
	}
}

// hold judges the fact.
func (n *named) hold(r *Request) bool {
	f := r.fact(n.at, n.lookup)
	switch {
	case n.present != unasked:
		return f.ok == (n.present == yes)
	case !f.ok:
		return false
	case n.kind != lookClaim && n.values.match(f.value):
		return true
	}
	for _, value := range r.seen.values[f.from:f.to] {
		if n.values.match(value) {
			return true
		}
	}
	return false
}

// fact asks the host, once.
func (r *Request) fact(at int, l lookup) *fact {
	s := &r.seen
	for at >= len(s.facts) {
		s.facts = append(s.facts, fact{})
	}
	f := &s.facts[at]
	if f.asked || r.Facts == nil {
		return f
	}
	f.asked = true
	switch l.kind {
	case lookHeader:
		f.value, f.ok = r.Facts.Header(l.name)
		s.splitHeader(f)
	case lookLabel:
		f.value, f.ok = r.Facts.NodeLabel(l.name)
	case lookClaim:
		f.from = len(s.values)
		s.values = r.Facts.AppendClaims(s.values, l.name)
		f.to = len(s.values)
		f.ok = f.to > f.from
	case lookPrincipal:
		f.value = r.Facts.Principal()
		f.ok = f.value != ""
	case lookNamespace:
		f.value = peerNamespace(r.Facts)
		f.ok = f.value != ""
	case lookNode:
		f.value = r.Facts.NodeNamespace()
		f.ok = f.value != ""
	}
	return f
}

// splitHeader keeps the members of a header that is a list, so that a rule about one of them holds, wherever in the list
// it stands and whether it came in a header of its own.
func (s *seen) splitHeader(f *fact) {
	f.from = len(s.values)
	if strings.IndexByte(f.value, ',') >= 0 {
		for member := range strings.SplitSeq(f.value, ",") {
			s.values = append(s.values, strings.TrimSpace(member))
		}
	}
	f.to = len(s.values)
}

// peerNamespace believes the peer's certificate before its metadata.
func peerNamespace(f Facts) string {
	if _, rest, ok := strings.Cut(f.Principal(), "/ns/"); ok {
		namespace, _, _ := strings.Cut(rest, "/")
		return namespace
	}
	return f.PeerNamespace()
}
