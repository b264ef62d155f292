package access

import (
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// claimRule puts the callers whose token has a claim into groups.
type claimRule struct {
	claim  string
	value  catalog.Pattern
	groups []string
}

// GroupsOf gives the groups that a token's verified claims put its caller into. A claim is found by its name, or by the
// names on the way to it with dots between; of a list, any member counts.
func (t *Table) GroupsOf(claims map[string]any) []string {
	if t == nil {
		return nil
	}
	var out []string
	for _, rule := range t.claims {
		if v, ok := find(claims, rule.claim); ok && rule.matches(v) {
			out = append(out, rule.groups...)
		}
	}
	return out
}

// ReadsClaims says whether claims decide anything.
func (t *Table) ReadsClaims() bool { return t != nil && len(t.claims) > 0 }

func find(claims map[string]any, name string) (any, bool) {
	if v, ok := claims[name]; ok {
		return v, true
	}
	first, rest, nested := strings.Cut(name, ".")
	inner, ok := claims[first].(map[string]any)
	if !nested || !ok {
		return nil, false
	}
	return find(inner, rest)
}

func (r claimRule) matches(v any) bool {
	switch v := v.(type) {
	case string:
		return r.value.Match(v)
	case bool:
		return r.value.Match(strconv.FormatBool(v))
	case float64:
		return r.value.Match(strconv.FormatFloat(v, 'f', -1, 64))
	case []any:
		for _, member := range v {
			if _, nested := member.([]any); !nested && r.matches(member) {
				return true
			}
		}
	}
	return false
}
