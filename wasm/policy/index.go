package policy

import (
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// index finds the rules that can hold for a request by what they want of its endpoint, model, provider and facts, so that
// the others are not even looked at. It only leaves out rules that cannot hold; those that it keeps are asked. A set of
// rules is a list of words, one bit for each rule; nil is the empty set.
type index struct {
	words     int
	endpoints [numEndpoints][]uint64
	provider  wants
	model     wants
	facts     []factIndex
}

// factIndex is the index of one lookup.
type factIndex struct {
	lookup
	at int
	wants
}

// wants are the rules by what they want of one thing: a word, or one of a pattern's; other are those that want nothing.
type wants struct {
	byWord    map[string][]uint64
	byPattern []patternRules
	byEnds    map[string][]int // of byPattern by what the patterns begin and end with
	ends      []ends           // that there are; none when it is as well to ask one pattern after the other
	other     []uint64
	spellings bool // the words are a model without and with its provider
}

// ends are the lengths of a beginning and of an end, and whether all of these lengths have a slash.
type ends struct {
	prefix, suffix int
	slash          bool
}

// mostEnds are the longest that the index looks at.
const mostEnds = 48

type patternRules struct {
	text    string
	pattern catalog.Pattern
	rules   []uint64
}

func newIndex(rules []rule, all lookups) index {
	ix := index{words: (len(rules) + 63) / 64}
	ix.provider, ix.model = newWants(ix.words), newWants(ix.words)
	ix.model.spellings = true
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
	ix.provider.index()
	ix.model.index()
	for at, l := range all {
		f := factIndex{l, at, newWants(ix.words)}
		for i := range rules {
			f.add(rules[i].match.wanted(at), i, ix.words)
		}
		f.index()
		if len(f.byWord)+len(f.byPattern) > 0 {
			ix.facts = append(ix.facts, f)
		}
	}
	return ix
}

// wanted gives the patterns of which a lookup has to match one; nil when it may be anything.
func (c *conditions) wanted(at int) patterns {
	for i := range c.named {
		if c.named[i].at == at {
			return c.named[i].values
		}
	}
	return nil
}

func newWants(words int) wants {
	return wants{byWord: map[string][]uint64{}, other: make([]uint64, words)}
}

func (w *wants) add(ps patterns, rule, words int) {
	if len(ps) == 0 {
		add(w.other, rule)
	}
	for i := range ps {
		add(w.of(&ps[i], words), rule)
	}
}

// of gives the set of the rules that want a pattern, made when it is the first of them.
func (w *wants) of(p *catalog.Pattern, words int) []uint64 {
	if !p.Star {
		set, ok := w.byWord[p.Prefix]
		if !ok {
			set = make([]uint64, words)
			w.byWord[p.Prefix] = set
		}
		return set
	}
	i := slices.IndexFunc(w.byPattern, func(known patternRules) bool { return known.text == p.Text })
	if i < 0 {
		i = len(w.byPattern)
		w.byPattern = append(w.byPattern, patternRules{p.Text, *p, make([]uint64, words)})
	}
	return w.byPattern[i].rules
}

// index sorts the patterns by their ends. A policy has many patterns whose ends have few lengths, such as team-17-*.
func (w *wants) index() {
	byEnds := map[string][]int{}
	var all []ends
	for i := range w.byPattern {
		p := &w.byPattern[i].pattern
		e := ends{prefix: min(len(p.Prefix), mostEnds), suffix: min(len(p.Suffix), mostEnds)}
		key := p.Prefix[:e.prefix] + p.Suffix[len(p.Suffix)-e.suffix:]
		e.slash = strings.IndexByte(key, '/') >= 0
		byEnds[key] = append(byEnds[key], i)
		at := slices.IndexFunc(all, func(known ends) bool { return known.prefix == e.prefix && known.suffix == e.suffix })
		if at < 0 {
			all = append(all, e)
		} else {
			all[at].slash = all[at].slash && e.slash
		}
	}
	if 4*len(all) <= len(w.byPattern) {
		w.byEnds, w.ends = byEnds, all
	}
}

// patterned adds to kept the rules with a pattern that matches the word.
func (w *wants) patterned(kept []uint64, word string, onlySlashes bool) {
	if len(w.ends) == 0 {
		for i := range w.byPattern {
			w.byPattern[i].keep(kept, word, onlySlashes)
		}
		return
	}
	var space [2 * mostEnds]byte
	slash := strings.IndexByte(word, '/') >= 0
	for _, e := range w.ends {
		if len(word) < e.prefix+e.suffix || e.slash && !slash {
			continue
		}
		key := append(append(space[:0], word[:e.prefix]...), word[len(word)-e.suffix:]...)
		for _, i := range w.byEnds[string(key)] {
			w.byPattern[i].keep(kept, word, onlySlashes)
		}
	}
}

func (p *patternRules) keep(kept []uint64, word string, onlySlashes bool) {
	if onlySlashes && !p.pattern.Slash || !p.pattern.Match(word) {
		return
	}
	for i, bits := range p.rules {
		kept[i] |= bits
	}
}

func add(set []uint64, rule int) { set[rule/64] |= 1 << (rule % 64) }

// candidates leaves in the request the set of rules that can hold. What is not known yet excludes no rule.
func (p *Policy) candidates(r *Request) []uint64 {
	s, ix := &r.seen, &p.index
	s.set = slices.Grow(s.set[:0], ix.words)[:ix.words]
	copy(s.set, ix.endpoints[r.target().endpoint])
	if r.Body.State != Pending {
		byProvider, byModel := ix.provider.narrows(s.set), ix.model.narrows(s.set)
		switch {
		case (byModel || byProvider && r.hostProvider(p) == "") && r.model(p) && s.memo != nil:
			s.memo.narrow(ix, s, r.target().endpoint)
		default:
			s.halt = running
			if byProvider && (r.findProvider(p) || s.halt == running) {
				ix.provider.keep(s, s.provider)
			}
			if byModel && s.halt == running && (r.model(p) || s.halt == running) {
				ix.keepModel(s)
			}
		}
		s.halt = running // the first rule that asks finds the same again
	}
	for i := range ix.facts {
		if f := &ix.facts[i]; f.narrows(s.set) {
			f.keepFact(r.fact(f.at, f.lookup), s)
		}
	}
	return s.set
}

// keepModel takes away the rules that want another model.
func (ix *index) keepModel(s *seen) {
	if len(s.also) == 0 {
		ix.model.keep(s, s.bare, s.full)
	} else {
		ix.model.keep(s, append([]string{s.bare, s.full}, s.also...)...)
	}
}

// narrows says that the set has rules that want something here.
func (w *wants) narrows(set []uint64) bool {
	for i := range set {
		if set[i]&^w.other[i] != 0 {
			return true
		}
	}
	return false
}

// keep takes away the rules that want something else than these words.
func (w *wants) keep(s *seen, words ...string) {
	s.kept = append(s.kept[:0], w.other...)
	kept := s.kept
	for n, word := range words {
		for i, bits := range w.byWord[word] {
			kept[i] |= bits
		}
		// Of the spellings of one model, those after the first are for patterns with a slash.
		w.patterned(kept, word, w.spellings && n > 0)
	}
	for i := range kept {
		s.set[i] &= kept[i]
	}
}

func (f *factIndex) keepFact(got *fact, s *seen) {
	switch {
	case !got.ok:
		f.keep(s)
	case got.to == got.from:
		f.keep(s, got.value)
	case got.value == "":
		f.keep(s, s.values[got.from:got.to]...)
	default: // a header that is a list counts as a whole, too
		f.keep(s, append(s.values[got.from:got.to:got.to], got.value)...)
	}
}
