package ratelimit

import (
	"strings"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// question is what Envoy tells of a request: at its beginning whom it is from and how much it may take, at its end
// what became of it.
type question struct {
	kind   limits.Kind
	fits   []fit
	tokens int64 // as ext_proc reckons them; 0 when it has not seen the body
	bytes  int64 // of the body, as far as the client says
	never  bool  // no answer will tell what it took

	hold   string // of a request that has ended
	status int64
	used   int64
	known  bool  // the provider has told what was used
	events int64 // bytes of server-sent events that the client got
}

// fit is a rule that Envoy has found to fit the request, and whose budget it is.
type fit struct{ rule, who string }

// read takes the question out of Envoy's message. Which rules fit it sees by the set, since a claim's value is for us
// to compare.
func read(r *ratelimitv3.RateLimitRequest, set *limits.Set) question {
	q := question{kind: limits.Kind(r.GetDomain())}
	for _, d := range r.GetDescriptors() {
		if len(d.GetEntries()) == 0 {
			continue
		}
		hits := int64(min(d.GetHitsAddend().GetValue(), most))
		switch first := d.GetEntries()[0]; first.GetKey() {
		case limits.RuleEntry:
			if who, ok := whose(d, set); ok {
				q.fits = append(q.fits, fit{first.GetValue(), who})
			}
		case limits.EstimateEntry:
			switch first.GetValue() {
			case limits.EstimateTokens:
				q.tokens = hits
			case limits.EstimateUncounted:
				q.never = hits > 0
			default:
				q.bytes = hits
			}
		case limits.DoneEntry:
			q.hold = entry(d, limits.HoldEntry)
			switch first.GetValue() {
			case limits.DoneTokens:
				q.used, q.known = max(0, hits-1), hits > 0
			case limits.DoneEvents:
				q.events = hits
			default:
				q.status = hits
			}
		}
	}
	return q
}

// most keeps arithmetic far from overflow, whatever a provider says it has used.
const most = 1 << 40

// whose finds the budget that a descriptor means, when it fits.
func whose(d *limitv3.RateLimitDescriptor, set *limits.Set) (string, bool) {
	rule, ok := find(set, d.GetEntries()[0].GetValue())
	if !ok {
		return "", false // of a configuration that is on its way in or out
	}
	for _, e := range d.GetEntries() {
		if claim, is := strings.CutPrefix(e.GetKey(), limits.ClaimEntry); is && rule.Claims[claim] != e.GetValue() {
			return "", false
		}
	}
	for _, name := range []string{limits.WhoEntry, limits.AddressEntry} {
		if who := entry(d, name); who != "" {
			return who, true
		}
	}
	return string(limits.PerEveryone), true
}

func find(set *limits.Set, name string) (limits.Rule, bool) {
	if set != nil {
		for _, r := range set.Rules {
			if r.Name == name {
				return r, true
			}
		}
	}
	return limits.Rule{}, false
}

func entry(d *limitv3.RateLimitDescriptor, name string) string {
	for _, e := range d.GetEntries() {
		if e.GetKey() == name {
			return e.GetValue()
		}
	}
	return ""
}

// counters are the budgets that a request takes from.
func (q question) counters(set *limits.Set) []counter {
	var out []counter
	for _, f := range q.fits {
		rule, _ := find(set, f.rule)
		for _, quota := range rule.Quotas(q.kind) {
			out = append(out, counter{rule, q.kind, quota, f.who})
		}
	}
	return out
}

// amount is how much a request takes at its beginning.
func (q question) amount(set *limits.Set) int64 {
	switch {
	case q.kind != limits.Tokens:
		return 1
	case q.tokens > 0:
		return q.tokens
	}
	return q.bytes/limits.BytesPerToken + set.Reserve
}

// charge is how much a request has taken in the end: what the provider says; nothing when it refused or failed; else
// what was held, because a client that leaves early has spent the provider's time all the same. Nor does it get a long
// stream for the price of what was held, by leaving just before the provider says what it took.
func (q question) charge(held int64) int64 {
	switch {
	case q.known:
		return q.used
	case q.status >= 400:
		return 0
	}
	return max(held, q.events/limits.BytesPerEvent)
}
