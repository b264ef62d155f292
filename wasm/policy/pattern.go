package policy

import "github.com/inference-gateway/envoy-inference-gateway/providers/catalog"

// patterns match when one of them does. Without any, there is no condition: callers ask first.
type patterns []catalog.Pattern

func (ps patterns) match(s string) bool {
	for i := range ps {
		if ps[i].Match(s) {
			return true
		}
	}
	return false
}
