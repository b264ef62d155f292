package policy

import "slices"

// index finds the rules that can hold for a request by three of its properties, so that the others are not even looked
// at. A set of rules is a list of words, one bit for each rule; nil is the empty set.
type index struct {
	words     int
	endpoints [numEndpoints][]uint64
	provider  literals
	model     literals
}

// literals are the rules whose patterns for something are plain words, by word, and all the other rules.
type literals struct {
	byWord map[string][]uint64
	other  []uint64
}

func newIndex(rules []rule) index {
	ix := index{words: (len(rules) + 63) / 64}
	ix.provider = literals{map[string][]uint64{}, make([]uint64, ix.words)}
	ix.model = literals{map[string][]uint64{}, make([]uint64, ix.words)}
	for e := range ix.endpoints {
		ix.endpoints[e] = make([]uint64, ix.words)
	}
	for i := range rules {
		c := &rules[i].match
		for e := range ix.endpoints {
			if c.endpoints == 0 || c.endpoints&(1<<e) != 0 {
				add(ix.endpoints[e], i)
			}
		}
		ix.provider.add(c.providers, i, ix.words)
		ix.model.add(c.models, i, ix.words)
	}
	return ix
}

func (l *literals) add(ps patterns, rule, words int) {
	if len(ps) == 0 || !ps.literal() {
		add(l.other, rule)
		return
	}
	for i := range ps {
		set, ok := l.byWord[ps[i].prefix]
		if !ok {
			set = make([]uint64, words)
			l.byWord[ps[i].prefix] = set
		}
		add(set, rule)
	}
}

func add(set []uint64, rule int) { set[rule/64] |= 1 << (rule % 64) }

// candidates leaves in the request the set of rules that can hold. What is not known yet excludes no rule.
func (p *Policy) candidates(r *Request) []uint64 {
	s := &r.seen
	s.set = slices.Grow(s.set[:0], p.index.words)[:p.index.words]
	copy(s.set, p.index.endpoints[r.target().endpoint])
	if r.Body.State == Pending || !p.needsBody && r.Model == "" {
		return s.set
	}
	if len(p.index.provider.byWord) > 0 && (r.findProvider(p) || s.halt == running) {
		p.index.provider.keep(s.set, s.provider, "")
	}
	if len(p.index.model.byWord) > 0 && s.halt == running && (r.model(p) || s.halt == running) {
		p.index.model.keep(s.set, s.bare, s.full)
	}
	s.halt = running // the first rule that asks finds the same again
	return s.set
}

// keep takes away the rules that want other words.
func (l *literals) keep(set []uint64, a, b string) {
	inA, inB := l.byWord[a], l.byWord[b]
	for i := range set {
		word := l.other[i]
		if inA != nil {
			word |= inA[i]
		}
		if inB != nil {
			word |= inB[i]
		}
		set[i] &= word
	}
}
