package main

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// sentHeaders is what the policy wants to know of headers that go on while the body is waited for: the host does not
// show them any more then. It owns its memory, as the host's ends with the callback.
type sentHeaders struct {
	method, path, authority, upstream string
	values                            map[string]string // of the headers that rules ask for
}

func keepHeaders(r *policy.Request, names []string) *sentHeaders {
	s := &sentHeaders{
		method: strings.Clone(r.Method), path: strings.Clone(r.Path),
		authority: strings.Clone(r.Authority), upstream: strings.Clone(r.Upstream),
	}
	for _, name := range names {
		if value, ok := r.Facts.Header(name); ok {
			if s.values == nil {
				s.values = make(map[string]string, len(names))
			}
			s.values[name] = strings.Clone(value)
		}
	}
	return s
}

// fill makes the request that the headers were of.
func (s *sentHeaders) fill(r *policy.Request) {
	r.Method, r.Path, r.Authority, r.Upstream = s.method, s.path, s.authority, s.upstream
	r.Facts, r.Budgets = hostFacts{s}, budgets
}
