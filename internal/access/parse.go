package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Source is a file's content, with the name that its problems are told under.
type Source struct {
	Name    string
	Content []byte
}

// Load makes a Table of a file of keys and a file of rules; either may be nil. The error is Problems, every one of
// both files, and then there is no Table.
func Load(keys, rules *Source) (*Table, error) {
	t := &Table{byCaller: map[string]*grant{}, groups: map[string]*grant{}}
	var problems Problems
	if keys != nil {
		t.sources[0] = sha256.Sum256(keys.Content)
		problems = append(problems, t.readKeys(keys)...)
	}
	if rules != nil {
		t.sources[1] = sha256.Sum256(rules.Content)
		problems = append(problems, t.readRules(rules)...)
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	return t, nil
}

// readKeys reads a file of keys:
//
//	keys:
//	  - id: ci
//	    sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
//	    owner: build farm
//	    groups: [developers]
//	    expires: 2027-06-30
//	    allow: {models: ["openai/gpt-4o*"]}
//	    limits: {requests: {minute: 60}, tokens: {day: 100000}}
func (t *Table) readKeys(s *Source) Problems {
	ids, hashes := map[string]bool{}, map[digest]bool{}
	return read(s, func(r *reader, n yamlfile.Node) {
		r.Object(n, yamlfile.Fields{"keys": func(n yamlfile.Node) {
			r.Elements(n, func(n yamlfile.Node) {
				k, d := r.key(n)
				if k.ID != "" && ids[k.ID] {
					r.Missing(n, "id", "an id that no other key has")
				}
				if d != (digest{}) && hashes[d] {
					r.Missing(n, "sha256", "the hash of a key that does not stand here already")
				}
				ids[k.ID], hashes[d] = true, true
				t.keys, t.digests = append(t.keys, k), append(t.digests, wordsOf(d))
				if k.own != nil {
					t.byCaller[k.Caller()] = k.own
					t.note(k.own)
				}
			})
		}})
	})
}

// reader reads what the two files have in common.
type reader struct{ *yamlfile.Reader }

// read walks a file. A key that stands where the name of a field should is not repeated.
func read(s *Source, root func(r *reader, n yamlfile.Node)) Problems {
	err := yamlfile.Read(s.Content, func(r *yamlfile.Reader, n yamlfile.Node) { root(&reader{r}, n) }, CredentialPrefix)
	var wrong yamlfile.Problems
	var problems Problems
	if errors.As(err, &wrong) {
		for _, p := range wrong {
			problems = append(problems, Problem{s.Name, p})
		}
	}
	return problems
}

func (r *reader) key(n yamlfile.Node) (k Key, d digest) {
	var own grant
	var id, hash bool
	known := r.grantFields(&own)
	known["id"] = func(n yamlfile.Node) {
		id = true
		k.ID = r.Text(n, "an id of 1 to 64 letters, digits, - _ and .", validID)
	}
	known["sha256"] = func(n yamlfile.Node) {
		hash = true
		_, _ = hex.Decode(d[:], []byte(r.Text(n, "the SHA-256 of the key as 64 hexadecimal digits, not the key", validHash)))
	}
	known["owner"] = func(n yamlfile.Node) { k.Owner = r.Text(n, "a text of one line", validText) }
	known["limits"] = func(n yamlfile.Node) { k.limits = limits.ReadOwn(r.Reader, n) }
	known["groups"] = func(n yamlfile.Node) { k.Groups = r.Texts(n, groupForm, validGroup) }
	for name, at := range map[string]*time.Time{"created": &k.Created, "expires": &k.Expires, "revoked": &k.Revoked} {
		known[name] = func(n yamlfile.Node) {
			*at, _ = ParseTime(r.Text(n, timeForm, func(s string) bool { _, err := ParseTime(s); return err == nil }))
		}
	}
	if r.Object(n, known) {
		if !id {
			r.Missing(n, "id", "an id")
		}
		if !hash {
			r.Missing(n, "sha256", "the SHA-256 of the key as 64 hexadecimal digits")
		}
	}
	if own.speaks() {
		k.own = &own
	}
	return k, d
}

const (
	groupForm = "a group's name: up to 128 printable characters without commas or spaces at its ends"
	timeForm  = "a time such as 2027-01-31T12:00:00Z, or a date such as 2027-01-31"
)

// ParseTime reads a time of a file: RFC 3339, or a date, which is its beginning in UTC.
func ParseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

func validID(s string) bool {
	return len(s) >= 1 && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	})
}

func validHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == len(digest{})
}

func validText(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}

func validGroup(s string) bool {
	return s != "" && len(s) <= 128 && strings.TrimSpace(s) == s && !strings.Contains(s, ",") && validText(s)
}

// readRules reads a file of rules:
//
//	everyone: {allow: {models: [demo/*]}}
//	groups:
//	  developers: {allow: {models: ["openai/*"]}, max_tokens: 8192}
//	callers:
//	  oidc:login.example.com/alice: {deny: {tools: [shell/*]}}
//	claims:
//	  - {claim: department, value: research, groups: [researchers]}
func (t *Table) readRules(s *Source) Problems {
	return read(s, func(r *reader, n yamlfile.Node) {
		grantOf := func(n yamlfile.Node) *grant {
			g := &grant{}
			r.Object(n, r.grantFields(g))
			t.note(g)
			return g
		}
		r.Object(n, yamlfile.Fields{
			"everyone": func(n yamlfile.Node) { t.everyone = grantOf(n) },
			"groups": func(n yamlfile.Node) {
				r.Members(n, func(name string, value yamlfile.Node) {
					if !validGroup(name) {
						r.Problem(value.Name(), groupForm)
					}
					t.groups[name] = grantOf(value)
				})
			},
			"callers": func(n yamlfile.Node) {
				r.Members(n, func(name string, value yamlfile.Node) {
					if !validCaller(name) {
						r.Problem(value.Name(), "a caller: key:<id>, oidc:<issuer>/<subject> or cert:<name>, * for any characters")
					}
					t.callers = append(t.callers, callerRule{catalog.NewPattern(name), grantOf(value)})
				})
			},
			"claims": func(n yamlfile.Node) {
				r.Elements(n, func(n yamlfile.Node) { t.claims = append(t.claims, r.claim(n)) })
			},
		})
	})
}

func validCaller(s string) bool {
	for _, prefix := range []string{KeyCaller, OIDCCaller, CertCaller} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return rest != "" && validText(s)
		}
	}
	return false
}

func (r *reader) claim(n yamlfile.Node) claimRule {
	c := claimRule{value: catalog.NewPattern("*")}
	before := r.Count()
	ok := r.Object(n, yamlfile.Fields{
		"claim": func(n yamlfile.Node) {
			c.claim = r.Text(n, "the name of a claim", func(s string) bool { return s != "" && validText(s) })
		},
		"value": func(n yamlfile.Node) {
			c.value = catalog.NewPattern(r.Text(n, "the claim's value, * for any characters", validText))
		},
		"groups": func(n yamlfile.Node) { c.groups = r.Texts(n, groupForm, validGroup) },
	})
	if ok && r.Count() == before && (c.claim == "" || len(c.groups) == 0) {
		r.Problem(n, "a claim and the groups that it puts its callers into")
	}
	return c
}

// grantFields are the fields of a rule: what keys, groups and callers have in common.
func (r *reader) grantFields(g *grant) yamlfile.Fields {
	lists := func(to *[kinds]*names) func(n yamlfile.Node) {
		return func(n yamlfile.Node) {
			known := yamlfile.Fields{}
			for k, l := range listsOf() {
				known[l.name] = func(n yamlfile.Node) { to[k] = newNames(r.Texts(n, l.form, l.valid)) }
			}
			r.Object(n, known)
		}
	}
	return yamlfile.Fields{
		"allow": lists(&g.allow),
		"deny":  lists(&g.deny),
		"max_tokens": func(n yamlfile.Node) {
			s := r.Text(n, "a whole number of 1 or more, or unlimited", func(s string) bool {
				i, err := strconv.ParseInt(s, 10, 32)
				return s == "unlimited" || err == nil && i > 0
			})
			if g.maxTokens, _ = strconv.ParseInt(s, 10, 32); s == "unlimited" {
				g.maxTokens = unlimited
			}
		},
	}
}

type list struct {
	name, form string
	valid      func(string) bool
}

// listsOf names the lists of allow and deny.
func listsOf() map[kind]list {
	bare := func(s string) bool {
		return s != "" && strings.TrimSpace(s) == s && !strings.Contains(s, "/") && validText(s)
	}
	full := func(s string) bool { return s != "" && strings.TrimSpace(s) == s && validText(s) }
	return map[kind]list{
		providerNames: {"providers", "a provider's name, * for any characters", bare},
		modelNames:    {"models", "provider/model or a bare model, * for any characters", full},
		serverNames:   {"servers", "a tool server's name, * for any characters", bare},
		toolNames:     {"tools", "server/tool or a bare tool, * for any characters", full},
		agentNames:    {"agents", "an agent's name, * for any characters", bare},
	}
}

// speaks says whether a rule says anything.
func (g *grant) speaks() bool { return g.aboutBodies() || g.aboutTools() }

func (g *grant) aboutBodies() bool {
	return g.maxTokens != 0 || g.allow[providerNames] != nil || g.deny[providerNames] != nil ||
		g.allow[modelNames] != nil || g.deny[modelNames] != nil
}

func (g *grant) aboutTools() bool {
	for _, k := range []kind{serverNames, toolNames, agentNames} {
		if g.allow[k] != nil || g.deny[k] != nil {
			return true
		}
	}
	return false
}

// note keeps what kinds of rules there are.
func (t *Table) note(g *grant) {
	t.reads = t.reads || g.aboutBodies()
	t.tools = t.tools || g.aboutTools()
}
