package policy

import (
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

func (r *reader) conditions(path string, v jsonedit.Value) conditions {
	var c conditions
	identity := func(kind lookupKind) func(string, jsonedit.Value) {
		return func(path string, v jsonedit.Value) {
			c.named = append(c.named, named{lookup: lookup{kind: kind}, values: newPatterns(r.texts(path, v))})
		}
	}
	r.object(path, v,
		field{"provider", func(path string, v jsonedit.Value) { c.providers = lowerPatterns(r.texts(path, v)) }},
		field{"upstream", func(path string, v jsonedit.Value) { c.upstreams = lowerPatterns(r.texts(path, v)) }},
		field{"model", func(path string, v jsonedit.Value) { c.models = lowerPatterns(r.texts(path, v)) }},
		field{"endpoint", func(path string, v jsonedit.Value) { c.endpoints = r.endpoints(path, v) }},
		field{"path", func(path string, v jsonedit.Value) { c.paths = r.paths(path, v) }},
		field{"method", func(path string, v jsonedit.Value) { c.methods = r.methods(path, v) }},
		field{"headers", func(path string, v jsonedit.Value) { c.named = append(c.named, r.headers(path, v)...) }},
		field{"claims", func(path string, v jsonedit.Value) { c.named = append(c.named, r.named(path, v, lookClaim)...) }},
		field{"peer", func(path string, v jsonedit.Value) {
			r.object(path, v,
				field{"principal", identity(lookPrincipal)},
				field{"namespace", identity(lookNamespace)},
			)
		}},
		field{"node", func(path string, v jsonedit.Value) {
			r.object(path, v,
				field{"namespace", identity(lookNode)},
				field{"labels", func(path string, v jsonedit.Value) { c.named = append(c.named, r.named(path, v, lookLabel)...) }},
			)
		}},
		field{"stream", func(path string, v jsonedit.Value) { c.stream = answerOf(r.flag(path, v)) }},
		field{"tools", func(path string, v jsonedit.Value) { c.tools = answerOf(r.flag(path, v)) }},
		field{"images", func(path string, v jsonedit.Value) { c.images = answerOf(r.flag(path, v)) }},
		field{"body", func(path string, v jsonedit.Value) {
			r.object(path, v,
				field{"min", func(path string, v jsonedit.Value) { c.leastBody = r.bytes(path, v) }},
				field{"max", func(path string, v jsonedit.Value) { c.mostBody = r.bytes(path, v) }},
			)
			if c.mostBody > 0 && c.leastBody > c.mostBody {
				r.problem(path, "min is more than max: no body can match")
			}
		}},
	)
	return c
}

// mayReadBody says that a condition needs the body when nothing else tells what it asks for.
func (c *conditions) mayReadBody() bool {
	return c.readBody() || len(c.models) > 0 || len(c.providers) > 0 || c.leastBody > 0 || c.mostBody > 0
}

func newPatterns(texts []string) patterns {
	out := make(patterns, len(texts))
	for i, text := range texts {
		out[i] = catalog.NewPattern(text)
	}
	return out
}

// lowerPatterns are of things that are compared in any case.
func lowerPatterns(texts []string) patterns {
	for i := range texts {
		texts[i] = strings.ToLower(texts[i])
	}
	return newPatterns(texts)
}

func (r *reader) endpoints(path string, v jsonedit.Value) uint16 {
	var bits uint16
	r.items(path, v, func(path string, v jsonedit.Value) {
		if i := slices.Index(endpointNames[:], r.word(path, v, endpointNames[:]...)); i >= 0 {
			bits |= 1 << i
		}
	})
	return bits
}

func (r *reader) paths(path string, v jsonedit.Value) patterns {
	texts := r.texts(path, v)
	for _, text := range texts {
		switch {
		case text[0] != '/' && text[0] != '*':
			r.problem(path, "expected a path that begins with / or *")
		case strings.ContainsAny(text, "?#"):
			r.problem(path, "expected a path without a query: that is not compared")
		}
	}
	return newPatterns(texts)
}

func (r *reader) methods(path string, v jsonedit.Value) []string {
	methods := r.texts(path, v)
	for _, m := range methods {
		if strings.ToUpper(m) != m {
			r.problem(path, "expected methods in capitals, such as POST")
		}
	}
	return methods
}

func (r *reader) headers(path string, v jsonedit.Value) []named {
	list := r.named(path, v, lookHeader)
	for i := range list {
		list[i].name = strings.ToLower(list[i].name)
		if strings.ContainsAny(list[i].name, ": \t\r\n") || list[i].name == "" {
			r.problem(JoinName(path, list[i].name), "expected the name of a header")
		}
	}
	return list
}

// named reads a map from names to the values wanted, or to true or false for whether it is there at all.
func (r *reader) named(path string, v jsonedit.Value, kind lookupKind) []named {
	var out []named
	r.members(path, v, func(path, name string, v jsonedit.Value) {
		n := named{lookup: lookup{kind, name}}
		if v.Kind == jsonedit.True || v.Kind == jsonedit.False {
			n.present = answerOf(v.Kind == jsonedit.True)
		} else {
			n.values = newPatterns(r.texts(path, v))
		}
		out = append(out, n)
	})
	return out
}
