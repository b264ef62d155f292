// Package limits says how much callers may use: the rules of LIMITS_FILE, read from bytes, and what they mean for the
// rate limit service that knows nothing but descriptors. It is pure: no clock, file or socket. It must not know Envoy's
// protos or who counts; Envoy, the gateway's own counter and the service all count by the same rules.
package limits

import (
	"cmp"
	"slices"
	"time"
)

// Set is a file's rules. It is immutable and shared. The nil Set limits nothing.
type Set struct {
	Rules []Rule
	// Reserve is how many tokens are held for an answer whose length the client does not bound.
	Reserve int64
	Usage   StreamUsage
}

// StreamUsage says what is done about streams whose client did not ask how many tokens they took.
type StreamUsage string

// The ways.
const (
	AskUsage      StreamUsage = "ask"      // ask the provider; the client sees the usage chunk
	EstimateUsage StreamUsage = "estimate" // charge what was held
)

// Rule limits whom it fits. Each of them, or each value of what Per says, has a budget of its own.
type Rule struct {
	Name string
	Per  Per
	// Claim is the claim of PerClaim, with dots between names of nested ones.
	Claim string

	// Own says that it fits only callers beside whom these limits stand: catalog.LimitsHeader has its name.
	Own bool

	Callers []string          // patterns; none: any caller, known or not
	Groups  []string          // any of them, as catalog.GroupsHeader spells them; none: with and without groups
	Claims  map[string]string // all of them, exactly
	Except  Except

	Requests, Tokens []Quota // the shortest period first
}

// Except is whom a rule leaves alone.
type Except struct{ Callers, Groups []string }

// Per says who shares a budget.
type Per string

// Who shares.
const (
	PerEveryone Per = "everyone" // all whom the rule fits
	PerCaller   Per = "caller"   // nobody: each key, user or certificate
	PerAddress  Per = "address"  // nobody: each IPv4 address or IPv6 /64
	PerClaim    Per = "claim"    // those with the same value of a claim
)

// Quota is how much may be used in a period.
type Quota struct {
	Period Period
	Most   int64
}

// Period is a length of time, which begins when the Unix time is a multiple of it.
type Period string

// The periods. A month is 30 days, as it is to the rate limit service.
const (
	Minute Period = "minute"
	Hour   Period = "hour"
	Day    Period = "day"
	Month  Period = "month"
)

// Periods lists them, the shortest first.
func Periods() []Period { return []Period{Minute, Hour, Day, Month} }

// Length is how long a period is.
func (p Period) Length() time.Duration {
	switch p {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	}
	return 30 * 24 * time.Hour
}

// Kind is what is counted.
type Kind string

// What is counted.
const (
	Requests Kind = "requests"
	Tokens   Kind = "tokens"
)

// Quotas are a rule's, of one kind.
func (r Rule) Quotas(k Kind) []Quota {
	if k == Tokens {
		return r.Tokens
	}
	return r.Requests
}

// Of gives the rules that limit a kind.
func (s *Set) Of(k Kind) []Rule {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Rules), func(r Rule) bool { return len(r.Quotas(k)) == 0 })
}

// Limits says whether a kind is limited for anyone.
func (s *Set) Limits(k Kind) bool { return len(s.Of(k)) > 0 }

// Union has next's rules, and those of old that next has not: for the time in which both may be asked for.
func Union(old, next *Set) *Set {
	if old == nil || next == nil {
		return cmp.Or(next, old)
	}
	both := *next
	both.Rules = slices.Clone(next.Rules)
	for _, r := range old.Rules {
		if !slices.ContainsFunc(next.Rules, func(n Rule) bool { return n.Name == r.Name }) {
			both.Rules = append(both.Rules, r)
		}
	}
	return &both
}
