package policy

import (
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// act reads a rule's act: the word allow or deny, or an object of what to do.
func (r *reader) act(path string, v jsonedit.Value) act {
	var a act
	if v.Kind == jsonedit.String {
		if r.word(path, v, "allow", "deny") == "deny" {
			a.deny = &denial{status: 403, message: defaultDenial}
		}
		return a
	}
	before, others := len(r.problems), 0
	count := func(read func(string, jsonedit.Value)) func(string, jsonedit.Value) {
		return func(path string, v jsonedit.Value) { others++; read(path, v) }
	}
	r.object(path, v,
		field{"deny", func(path string, v jsonedit.Value) { a.deny = r.denial(path, v) }},
		field{"secrets", count(func(path string, v jsonedit.Value) { a.secrets = r.detectors(path, v) })},
		field{"require", count(func(path string, v jsonedit.Value) { a.require = r.memberNames(path, v) })},
		field{"remove", count(func(path string, v jsonedit.Value) { a.remove = r.memberNames(path, v) })},
		field{"set", count(func(path string, v jsonedit.Value) { a.set = r.edits(path, v) })},
		field{"cap", count(func(path string, v jsonedit.Value) { a.cap = r.tokenCap(path, v) })},
		field{"model", count(func(path string, v jsonedit.Value) { a.model = r.model(path, v) })},
		field{"budget", count(func(path string, v jsonedit.Value) {
			r.items(path, v, func(path string, v jsonedit.Value) { a.budgets = append(a.budgets, r.budget(path, v)) })
			if len(a.budgets) > 9 {
				r.problem(path, "has more than 9 entries")
			}
		})},
	)
	if len(r.problems) > before {
		return a
	}
	if a.deny != nil && others > 0 {
		r.problem(path, "deny stands alone: nothing else can be done with a request that is refused")
	}
	if a.deny == nil && others == 0 {
		r.problem(path, "is empty: write act: allow to let requests pass")
	}
	for _, e := range a.set {
		if slices.Contains(a.remove, e.Name) {
			r.problem(JoinName(path, "set"), "sets "+e.Name+", which remove removes")
		}
	}
	return a
}

const defaultDenial = "refused by policy"

// denial reads a message, or an object of status and message.
func (r *reader) denial(path string, v jsonedit.Value) *denial {
	d := &denial{status: 403, message: defaultDenial}
	message := func(path string, v jsonedit.Value) { d.message, _ = r.text(path, v) }
	switch v.Kind {
	case jsonedit.String:
		message(path, v)
	case jsonedit.True:
	default:
		r.object(path, v,
			field{"status", func(path string, v jsonedit.Value) { d.status = int(r.whole(path, v, 400, 599)) }},
			field{"message", message},
		)
	}
	return d
}

// detectors reads all, or a list of names.
func (r *reader) detectors(path string, v jsonedit.Value) detectors {
	if s, ok := v.Text(); ok && s == "all" {
		return allDetectors
	}
	var set detectors
	r.items(path, v, func(path string, v jsonedit.Value) {
		name, _ := v.Text()
		i := slices.Index(detectorNames[:], name)
		if i < 0 {
			r.problem(path, "expected all, or a list of "+strings.Join(detectorNames[:], ", "))
			return
		}
		set |= 1 << i
	})
	return set
}

// memberNames reads names of top-level members of bodies.
func (r *reader) memberNames(path string, v jsonedit.Value) []string {
	names := r.texts(path, v)
	for _, name := range names {
		r.memberName(path, name)
	}
	return names
}

func (r *reader) memberName(path, name string) {
	if name == "model" {
		r.problem(path, "model is no field to edit here: act.model replaces it")
	}
}

// edits reads the members to set, each to any JSON value.
func (r *reader) edits(path string, v jsonedit.Value) []jsonedit.Edit {
	var out []jsonedit.Edit
	r.members(path, v, func(path, name string, v jsonedit.Value) {
		r.memberName(path, name)
		out = append(out, jsonedit.Edit{Name: name, Raw: v.Raw()})
	})
	return out
}

// tokenCap reads a number of tokens, or an object that also says what to do when a request names none.
func (r *reader) tokenCap(path string, v jsonedit.Value) *tokenCap {
	c := &tokenCap{}
	tokens := func(path string, v jsonedit.Value) { c.most = r.whole(path, v, 1, maxCount) }
	if v.Kind == jsonedit.Number {
		tokens(path, v)
	} else {
		r.object(path, v,
			field{"tokens", tokens},
			field{"insert", func(path string, v jsonedit.Value) { c.insert = r.word(path, v, capInsert...) }},
		)
		if c.most == 0 {
			r.problem(path, "expected a number of tokens, or an object with tokens")
		}
	}
	c.raw = []byte(number(c.most))
	return c
}

func (r *reader) model(path string, v jsonedit.Value) string {
	name, ok := r.text(path, v)
	if ok && strings.ContainsAny(name, "*?#%\r\n\t ") {
		r.problem(path, "expected the name of one model, without spaces, wildcards or characters that end a path")
	}
	return name
}

func (r *reader) budget(path string, v jsonedit.Value) budget {
	var b budget
	before, kinds := len(r.problems), 0
	r.object(path, v,
		field{"requests", func(path string, v jsonedit.Value) { b.limit = r.whole(path, v, 1, maxCount); kinds++ }},
		field{"tokens", func(path string, v jsonedit.Value) { b.limit, b.tokens = r.whole(path, v, 1, maxCount), true; kinds++ }},
		field{"per", func(path string, v jsonedit.Value) { b.per = r.seconds(path, v) }},
		field{"reserve", func(path string, v jsonedit.Value) { b.reserve = r.whole(path, v, 0, maxCount) }},
		field{"key", func(path string, v jsonedit.Value) {
			r.items(path, v, func(path string, v jsonedit.Value) { b.key = append(b.key, r.keyPart(path, v)) })
			if len(b.key) > 8 {
				r.problem(path, "has more than 8 entries")
			}
		}},
	)
	switch {
	case len(r.problems) > before:
	case kinds != 1:
		r.problem(path, "expected either requests or tokens")
	case b.per == 0:
		r.problem(path, "expected per, a length of time such as 1h")
	case b.reserve > 0 && !b.tokens:
		r.problem(path, "reserve is for budgets of tokens")
	case b.reserve > b.limit:
		r.problem(path, "reserve is more than the budget: no request would pass")
	}
	return b
}

func (r *reader) keyPart(path string, v jsonedit.Value) keyPart {
	s, _ := v.Text()
	switch s {
	case "model":
		return keyPart{kind: keyModel}
	case "provider":
		return keyPart{kind: keyProvider}
	case "peer":
		return keyPart{lookup: lookup{kind: lookPrincipal}}
	case "namespace":
		return keyPart{lookup: lookup{kind: lookNamespace}}
	}
	kind, name, _ := strings.Cut(s, ":")
	switch {
	case kind == "header" && name != "":
		return keyPart{lookup: lookup{lookHeader, strings.ToLower(name)}}
	case kind == "claim" && name != "":
		return keyPart{lookup: lookup{lookClaim, name}}
	}
	r.problem(path, "expected peer, namespace, model, provider, header:NAME or claim:NAME")
	return keyPart{}
}
