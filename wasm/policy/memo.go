package policy

import (
	"slices"
	"strings"
)

// memo is what was found out about a model when a request first named it so: its names, its provider, and for each endpoint
// the rules that can hold. Clients ask for a few models again and again, and inside Envoy every function that is not
// entered is memory that need not be fetched.
type memo struct {
	prefix, provider, bare, full string
	also                         []string
	rules                        [numEndpoints][]uint64 // sets, as index has them; nil where none was asked for yet
}

// memos belong to one policy. The bounds are for clients that think names up.
type memos struct {
	policy *Policy
	byName map[string]*memo
}

const (
	maxMemos   = 256
	maxMemoKey = 512
)

// memoKey tells apart all that the names and the provider of a model in a body follow from; nil when it is too long. It is in
// the request's scratch memory.
func (r *Request) memoKey(written []byte) []byte {
	if len(r.Provider)+len(r.Upstream)+len(r.Authority)+len(written) > maxMemoKey {
		return nil
	}
	key := r.seen.scratch[:0]
	key = append(key, r.Provider...)
	key = append(append(key, 0), r.Upstream...)
	key = append(append(key, 0), r.Authority...)
	key = append(append(key, 0), written...)
	r.seen.scratch = key[:0]
	return key
}

// recall takes the names and the provider from a memo. False: there is none.
func (r *Request) recall(p *Policy, written []byte) bool {
	s := &r.seen
	if r.memos.policy != p {
		return false
	}
	m := r.memos.byName[string(r.memoKey(written))]
	if m == nil {
		return false
	}
	s.memo = m
	s.prefix, s.bare, s.full, s.also = m.prefix, m.bare, m.full, m.also
	s.provider, s.providerDone, s.modelDone = m.provider, true, true
	return true
}

// remember makes a memo of what was found out. The provider may be a piece of the request's own memory, which is the caller's
// and changes when the request is over; all else was made from the body anew.
func (r *Request) remember(p *Policy, written []byte) {
	s, key := &r.seen, r.memoKey(written)
	if key == nil {
		return
	}
	if r.memos.policy != p || len(r.memos.byName) == maxMemos {
		r.memos = memos{policy: p, byName: map[string]*memo{}}
	}
	s.memo = &memo{prefix: s.prefix, provider: strings.Clone(s.provider), bare: s.bare, full: s.full, also: s.also}
	r.memos.byName[string(key)] = s.memo
}

// narrow leaves in the request's set the rules that can hold for its provider and model, of those that its endpoint leaves.
func (m *memo) narrow(ix *index, s *seen, e Endpoint) {
	if m.rules[e] == nil {
		ix.provider.keep(s, s.provider)
		ix.keepModel(s)
		m.rules[e] = slices.Clone(s.set)
		return
	}
	copy(s.set, m.rules[e])
}
