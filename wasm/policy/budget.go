package policy

import "strconv"

// Budgets counts what was spent, and knows the time. The caller keeps the counters where all that share a budget can see
// them: in memory that the workers of one Envoy share.
type Budgets interface {
	// Now is the time in seconds since the Unix epoch.
	Now() int64
	// Add adds n, which may be negative, to the counter of key for the window of per seconds that ends at the given time,
	// and gives the sum. A counter of another window begins at zero. It never goes below zero.
	Add(key string, per, ends, n int64) int64
}

// budget allows a number of requests or tokens in each window of time. Windows begin at multiples of their length since
// the Unix epoch, so that those of a day begin at midnight UTC and every Envoy agrees on them.
type budget struct {
	limit   int64
	tokens  bool
	per     int64 // seconds
	reserve int64 // tokens that a request counts for until its usage is known
	key     []keyPart
}

// keyPart is one of the things that have a budget each.
type keyPart struct {
	kind keyKind
	lookup
	at int // the lookup's number
}

type keyKind uint8

const (
	keyLookup keyKind = iota
	keyModel
	keyProvider
)

// Hold is what a request in flight has taken of a budget of tokens. It keeps nothing of the request alive.
type Hold struct {
	key     string
	per     int64
	ends    int64 // the window's, in seconds since the Unix epoch
	reserve int64
}

// windowEnd gives when the window ends that now lies in.
func windowEnd(now, per int64) int64 { return (now/per + 1) * per }

// Charge settles the holds of a request whose answer took so many tokens. A request that failed took none. What was used
// counts for the window in which it became known.
func Charge(b Budgets, holds []Hold, tokens int64) {
	for i := range holds {
		h := &holds[i]
		ends, n := windowEnd(b.Now(), h.per), tokens
		if ends == h.ends {
			n -= h.reserve
		}
		if n != 0 {
			b.Add(h.key, h.per, ends, n)
		}
	}
}

// spend takes what the request costs of the budgets of every rule that held. The first that has too little left refuses
// the request, and what was taken of the others is given back.
func (p *Policy) spend(r *Request, d *Decision) {
	if r.Budgets == nil {
		return
	}
	s := &r.seen
	var taken []Hold
	for _, step := range s.steps {
		rule := &p.rules[step.Rule]
		for i := range rule.act.budgets {
			b := &rule.act.budgets[i]
			now := r.Budgets.Now()
			h := Hold{key: r.budgetKey(p, rule.name, i, b), per: b.per, ends: windowEnd(now, b.per), reserve: b.reserve}
			cost := b.reserve
			if !b.tokens {
				cost = 1
			}
			if after := r.Budgets.Add(h.key, h.per, h.ends, cost); after > b.limit || b.tokens && after-cost >= b.limit {
				r.Budgets.Add(h.key, h.per, h.ends, -cost)
				if rule.shadow {
					s.mark(step.Rule)
					continue
				}
				for j := range taken {
					r.Budgets.Add(taken[j].key, taken[j].per, taken[j].ends, -taken[j].reserve)
				}
				d.overBudget(step.Rule, rule.name, b, h.ends-now)
				s.mark(step.Rule)
				return
			}
			if b.tokens {
				s.holds = append(s.holds, h)
			}
			h.reserve = cost
			taken = append(taken, h)
		}
	}
	d.Holds = s.holds
}

func (d *Decision) overBudget(rule int, name string, b *budget, wait int64) {
	what := "requests"
	if b.tokens {
		what = "tokens"
	}
	d.refuse(OverBudget, 429, "policy_budget", "",
		"the budget of "+number(b.limit)+" "+what+" per "+number(b.per)+" seconds is used up: try again in "+number(wait)+" seconds")
	d.Rule, d.Name, d.RetryAfter = rule, name, wait
}

// mark notes in the rule's step that its budget is used up.
func (s *seen) mark(rule int) {
	for i := range s.steps {
		if s.steps[i].Rule == rule {
			s.steps[i].Outcome = OverBudget
		}
	}
}

// budgetKey names the counter: the rule, its how manieth budget, what that counts in which windows, and the values of the
// key's parts. A policy that changes a budget's kind or window so begins to count anew. Clients choose some of the values,
// so long ones are shortened to a hash.
func (r *Request) budgetKey(p *Policy, rule string, i int, b *budget) string {
	key := make([]byte, 0, 96)
	key = append(key, rule...)
	key = append(key, '/', byte('0'+i), '/')
	key = strconv.AppendInt(key, b.per, 10)
	if b.tokens {
		key = append(key, 't')
	}
	for _, part := range b.key {
		key = append(key, 0)
		key = r.appendPart(p, key, part)
	}
	const most = 192
	if len(key) <= most {
		return string(key)
	}
	key = appendHash(key[:most-17:most-17], key[most-17:])
	return string(key)
}

func (r *Request) appendPart(p *Policy, key []byte, part keyPart) []byte {
	switch part.kind {
	case keyModel:
		if r.model(p) {
			key = append(key, r.seen.bare...)
		}
		return key
	case keyProvider:
		if r.findProvider(p) {
			key = append(key, r.seen.provider...)
		}
		return key
	case keyLookup:
	}
	f := r.fact(part.at, part.lookup)
	if part.lookup.kind == lookClaim {
		for _, value := range r.seen.values[f.from:f.to] {
			key = append(append(key, value...), ',')
		}
	}
	return append(key, f.value...)
}

// appendHash appends a hash in hex.
func appendHash(dst, rest []byte) []byte {
	h := hash(rest)
	dst = append(dst, '#')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[h>>shift&15])
	}
	return dst
}

// hash is 64 bits of FNV-1a.
func hash[T string | []byte](text T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}
