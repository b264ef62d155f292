package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// groupPrefixes belong to the gateway: an unknown name under one is a mistake.
var groupPrefixes = []string{"SERVER_", "CLIENT_", "MCP_", "A2A_", "AUTH_", "TELEMETRY_", "CONTROL_", "LIMITS_", "RATELIMIT_"}

// serviceLink is what Kubernetes and Docker set for a service that is called server, mcp and the like.
var serviceLink = regexp.MustCompile(`_(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)$`)

// closeEnough is the edit distance up to which a name under a prefix that other tools use too is taken for a slip.
const closeEnough = 2

// unknown warns of names that look like the gateway's and mean nothing. Outside of the gateway's own prefixes only a
// likely slip is told: OPENAI_BASE_URL, OLLAMA_HOST and their kind are set for other programs.
func (l *loader) unknown() {
	candidates := map[string][]string{} // known names by their prefix, sorted
	for _, name := range slices.Compact(slices.Sorted(maps.Values(l.known))) {
		prefix, _ := l.prefixOf(name)
		candidates[prefix] = append(candidates[prefix], name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if _, ok := l.known[name]; ok || l.get(name) == "" {
			continue
		}
		if why, ok := retired[name]; ok {
			l.warn(name, "is not used: "+why)
			continue
		}
		prefix, ours := l.prefixOf(name)
		if ours && (serviceLink.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.HasPrefix(l.get(name), "tcp://")) {
			continue
		}
		near, distance := nearest(name, candidates[prefix])
		switch {
		case near == "":
		case ours:
			l.warn(name, "is unknown; the nearest name is "+near)
		case distance <= closeEnough:
			l.warn(name, "is unknown; is "+near+" meant?")
		}
	}
}

// prefixOf finds the gateway's prefix of a name, if it has one, and says so; a provider's prefix is not its alone.
func (l *loader) prefixOf(name string) (prefix string, ours bool) {
	for _, p := range groupPrefixes {
		if strings.HasPrefix(name, p) {
			return p, true
		}
	}
	for _, p := range l.cfg.Providers {
		if q := upper(p.ID) + "_"; strings.HasPrefix(name, q) && len(q) > len(prefix) {
			prefix = q
		}
	}
	return prefix, false
}

// nearest finds the candidate that is nearest to name. The candidates share its prefix, so that XAI_API_KEY, which has
// none, is not taken for ZAI_API_KEY.
func nearest(name string, candidates []string) (string, int) {
	best, least := "", 0
	for _, candidate := range candidates {
		if d := distance(name, candidate); best == "" || d < least {
			best, least = candidate, d
		}
	}
	return best, least
}

// distance is the number of letters to insert, delete or replace to make b of a (Levenshtein). A name longer than any
// known one by far is not worth the walk.
func distance(a, b string) int {
	if len(a) > 200 {
		return len(a)
	}
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		diagonal := last[0]
		last[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(last[j+1]+1, last[j]+1, diagonal+cost)
			diagonal, last[j+1] = last[j+1], next
		}
	}
	return last[len(b)]
}
