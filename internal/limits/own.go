package limits

import (
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
)

// Own is what one caller may use, as it stands beside the caller: {requests: {minute: 60}, tokens: {day: 5000}}.
type Own struct {
	Requests, Tokens []Quota
	places           []place
}

// place is where a quota of tokens stands in its file.
type place struct {
	most  int64
	line  int
	field string
}

// ReadOwn reads a caller's own limits.
func ReadOwn(r *yamlfile.Reader, n yamlfile.Node) *Own {
	o, before := &Own{}, r.Count()
	ok := r.Object(n, yamlfile.Fields{
		"requests": func(n yamlfile.Node) { o.Requests = quotas(r, n, nil) },
		"tokens": func(n yamlfile.Node) {
			o.Tokens = quotas(r, n, func(n yamlfile.Node, most int64) { o.places = append(o.places, place{most, n.Line(), n.Path()}) })
		},
	})
	if ok && len(o.Requests)+len(o.Tokens) == 0 && r.Count() == before {
		r.Problem(n, "requests or tokens")
	}
	return o
}

// With is the set with a rule for each kind of own limits. Callers with the same ones share the rule, and none of them a
// budget. The error is yamlfile.Problems with the file that the own limits stand in. The receiver is unchanged and may be
// nil, as may be what is returned.
func (s *Set) With(owns []*Own) (*Set, error) {
	if len(owns) == 0 {
		return s, nil
	}
	both := Set{Reserve: DefaultReserve, Usage: AskUsage}
	if s != nil {
		both = *s
	}
	both.Rules = slices.Clone(both.Rules)
	var problems yamlfile.Problems
	known := map[string]bool{}
	for _, o := range owns {
		for _, p := range o.places {
			if p.most <= both.Reserve {
				problems = append(problems, yamlfile.Problem{Line: p.line, Field: p.field, Expected: both.tooFew()})
			}
		}
		if name := o.Rule(); !known[name] {
			known[name] = true
			both.Rules = append(both.Rules, Rule{Name: name, Own: true, Per: PerCaller, Requests: o.Requests, Tokens: o.Tokens})
		}
	}
	if len(both.Rules) > mostRules {
		problems = append(problems, yamlfile.Problem{Expected: "at most " + strconv.Itoa(mostRules) +
			" different limits, those of LIMITS_FILE included: give keys groups, and limit the groups there"})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return &both, nil
}

// tooFew tells of a quota that no request without max_tokens could ever pass.
func (s *Set) tooFew() string {
	return "more than the " + strconv.FormatInt(s.Reserve, 10) +
		" tokens that are held for each answer without max_tokens; or a smaller reserve"
}

// Rule names the rule that holds for callers with these limits. It says what they are, so that budgets live on when other
// keys come and go. No rule of a file has a dot.
func (o *Own) Rule() string {
	var b strings.Builder
	b.WriteString("key")
	for _, k := range []Kind{Requests, Tokens} {
		for _, q := range o.quotas(k) {
			b.WriteString("." + strconv.FormatInt(q.Most, 10) + "-" + string(k) + "-" + string(q.Period))
		}
	}
	return b.String()
}

func (o *Own) quotas(k Kind) []Quota {
	if k == Tokens {
		return o.Tokens
	}
	return o.Requests
}
