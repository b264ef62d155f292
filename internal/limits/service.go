package limits

import (
	"fmt"
	"strings"
)

// ServiceKey is how a quota of a rule is named to the rate limit service: the value of its descriptor's first entry,
// before the one of WhoEntry.
func (r Rule) ServiceKey(k Kind, p Period) string { return r.Name + "/" + string(k) + "/" + string(p) }

// ServiceConfig is the rules as a configuration file of github.com/envoyproxy/ratelimit. Names need no quoting: they are
// words.
func (s *Set) ServiceConfig(domain string) []byte {
	var b strings.Builder
	b.WriteString("# Written by the gateway from LIMITS_FILE: changes here are lost.\n")
	fmt.Fprintf(&b, "domain: %s\n", domain)
	for i, r := range s.rules() {
		if i == 0 {
			b.WriteString("descriptors:\n")
		}
		for _, k := range []Kind{Requests, Tokens} {
			for _, q := range r.Quotas(k) {
				fmt.Fprintf(&b, "  - key: %s\n    value: %s\n    descriptors:\n      - key: %s\n        rate_limit:\n          unit: %s\n          requests_per_unit: %d\n",
					RuleEntry, r.ServiceKey(k, q.Period), WhoEntry, q.Period, q.Most)
			}
		}
	}
	return []byte(b.String())
}

func (s *Set) rules() []Rule {
	if s == nil {
		return nil
	}
	return s.Rules
}
