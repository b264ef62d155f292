package limits

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	// DefaultReserve is the Reserve of a file that names none.
	DefaultReserve = 1024
	// mostRules bounds what Envoy evaluates for each request.
	mostRules = 200
	// most of a quota: the rate limit service and Envoy count in 32 bits.
	most = 4_000_000_000
)

// Parse reads a file:
//
//	reserve: 1024
//	stream_usage: ask
//	limits:
//	  - name: each-caller
//	    per: caller
//	    except: {groups: [staff]}
//	    requests: {minute: 60, day: 5000}
//	    tokens: {minute: 100000, month: 20000000}
//
// The error is yamlfile.Problems, every one of the file. A file without rules limits nothing.
func Parse(content []byte) (*Set, error) {
	s := &Set{Reserve: DefaultReserve, Usage: AskUsage}
	p := &parser{set: s, names: map[string]bool{}}
	err := yamlfile.Read(content, func(r *yamlfile.Reader, n yamlfile.Node) {
		p.Reader = r
		r.Object(n, yamlfile.Fields{
			"reserve": func(n yamlfile.Node) { s.Reserve = number(r, n) },
			"stream_usage": func(n yamlfile.Node) {
				s.Usage = StreamUsage(r.Text(n, "ask or estimate", oneOf(string(AskUsage), string(EstimateUsage))))
			},
			"limits": func(n yamlfile.Node) { r.Elements(n, p.rule) },
		})
		if len(s.Rules) > mostRules {
			r.Problem(n, "at most "+strconv.Itoa(mostRules)+" limits")
		}
		p.checkReserve()
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

type parser struct {
	*yamlfile.Reader
	set    *Set
	names  map[string]bool
	tokens []tokenQuota
}

// tokenQuota is a quota of tokens and where it stands.
type tokenQuota struct {
	at   yamlfile.Node
	most int64
}

func (p *parser) rule(n yamlfile.Node) {
	var rule Rule
	var name, per, quota bool // what is there and wrong is not missing
	ok := p.Object(n, yamlfile.Fields{
		"name": func(n yamlfile.Node) {
			name = true
			rule.Name = p.Text(n, "a name of 1 to 64 letters, digits, - and _", validName)
			if p.names[rule.Name] && rule.Name != "" {
				p.Problem(n, "a name that no other limit has")
			}
			p.names[rule.Name] = true
		},
		"per": func(n yamlfile.Node) {
			per = true
			s := p.Text(n, "caller, address, everyone or claim:<name>", validPer)
			kind, claim, _ := strings.Cut(s, ":")
			rule.Per, rule.Claim = Per(kind), claim
		},
		"callers": func(n yamlfile.Node) { rule.Callers = p.Texts(n, callerForm, validCaller) },
		"groups":  func(n yamlfile.Node) { rule.Groups = p.groups(n) },
		"claims": func(n yamlfile.Node) {
			rule.Claims = map[string]string{}
			p.Members(n, func(name string, value yamlfile.Node) {
				if !validClaim(name) {
					p.Problem(value, claimForm)
				}
				rule.Claims[name] = p.Text(value, "the value that the claim must have", validText)
			})
		},
		"except": func(n yamlfile.Node) {
			p.Object(n, yamlfile.Fields{
				"callers": func(n yamlfile.Node) { rule.Except.Callers = p.Texts(n, callerForm, validCaller) },
				"groups":  func(n yamlfile.Node) { rule.Except.Groups = p.groups(n) },
			})
		},
		"requests": func(n yamlfile.Node) {
			quota = true
			rule.Requests = quotas(p.Reader, n, nil)
		},
		"tokens": func(n yamlfile.Node) {
			quota = true
			rule.Tokens = quotas(p.Reader, n, func(n yamlfile.Node, most int64) { p.tokens = append(p.tokens, tokenQuota{n, most}) })
		},
	})
	p.set.Rules = append(p.set.Rules, rule)
	if !ok {
		return
	}
	if !name {
		p.Missing(n, "name", "a name")
	}
	if !per {
		p.Missing(n, "per", "caller, address, everyone or claim:<name>")
	}
	if !quota {
		p.Problem(n, "requests or tokens")
	}
}

// groups are spelled as in the header that says them.
func (p *parser) groups(n yamlfile.Node) []string {
	out := p.Texts(n, groupForm, func(s string) bool { return s != "" && validText(s) })
	for i, g := range out {
		out[i] = catalog.JoinGroups([]string{g})
	}
	return out
}

// quotas reads {minute: 60, day: 5000}. Each is noted with its place.
func quotas(r *yamlfile.Reader, n yamlfile.Node, note func(yamlfile.Node, int64)) []Quota {
	found, before := map[Period]int64{}, r.Count()
	known := yamlfile.Fields{}
	for _, period := range Periods() {
		known[string(period)] = func(n yamlfile.Node) {
			found[period] = number(r, n)
			if note != nil {
				note(n, found[period])
			}
		}
	}
	if r.Object(n, known) && len(found) == 0 && r.Count() == before {
		r.Problem(n, "at least one of "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	var out []Quota
	for _, period := range Periods() {
		if most, ok := found[period]; ok {
			out = append(out, Quota{period, most})
		}
	}
	return out
}

// checkReserve refuses a quota that no request without max_tokens could ever pass.
func (p *parser) checkReserve() {
	for _, q := range p.tokens {
		if q.most > 0 && q.most <= p.set.Reserve { // 0: it is no number, which is told already
			p.Problem(q.at, p.set.tooFew())
		}
	}
}

func number(r *yamlfile.Reader, n yamlfile.Node) int64 {
	form := "a whole number from 1 to " + strconv.Itoa(most)
	i, _ := strconv.ParseInt(r.Text(n, form, func(s string) bool {
		i, err := strconv.ParseInt(s, 10, 64)
		return err == nil && i >= 1 && i <= most
	}), 10, 64)
	return i
}

const (
	callerForm = "a caller: key:<id>, oidc:<issuer>/<subject> or cert:<name>, * for any characters"
	groupForm  = "a group's name: up to 256 printable characters"
	claimForm  = "the name of a claim: letters, digits, - and _, with dots between nested ones"
)

func oneOf(words ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(words, s) }
}

func validName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool { return !isWord(c) })
}

func isWord(c rune) bool {
	return c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || c == '-' || c == '_')
}

func validClaim(s string) bool {
	if len(s) > 256 {
		return false
	}
	for name := range strings.SplitSeq(s, ".") {
		if !validName(name) {
			return false
		}
	}
	return true
}

func validPer(s string) bool {
	if claim, ok := strings.CutPrefix(s, string(PerClaim)+":"); ok {
		return validClaim(claim)
	}
	return oneOf(string(PerEveryone), string(PerCaller), string(PerAddress))(s)
}

func validCaller(s string) bool {
	for _, prefix := range []string{"key:", "oidc:", "cert:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return rest != "" && validText(s)
		}
	}
	return false
}

func validText(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}
