package catalog

import "strings"

// ModelFilter decides which models may be used. Chat and model listing ask the same filter, so a model that is listed
// can be called and the other way round. The zero ModelFilter allows everything; a filter is safe for concurrent use.
type ModelFilter struct {
	allow, deny matcher
}

// NewModelFilter compiles the two lists. Entries are "provider/model" or a bare model, in any case, and a * matches any
// run of characters, slashes included. Blank entries are skipped; an empty allow list allows every model.
func NewModelFilter(allowed, disallowed []string) ModelFilter {
	return ModelFilter{allow: newMatcher(allowed), deny: newMatcher(disallowed)}
}

// Empty says that the filter allows everything.
func (f ModelFilter) Empty() bool { return f.allow.empty() && f.deny.empty() }

// Allows says whether the provider's model may be used; deny wins over allow. An entry without a slash is compared with
// the model alone, whatever the provider; an entry with a slash with "provider/model" and also with the model, since
// models hold slashes themselves.
func (f ModelFilter) Allows(provider, model string) bool {
	if f.Empty() {
		return true
	}
	full := strings.ToLower(provider + "/" + model)
	id, bare, _ := strings.Cut(full, "/") // an ID holds no slash, so this cuts off the ID
	denied, allowed := f.deny.matches(full, bare), f.allow.empty() || f.allow.matches(full, bare)
	if other, ok := OtherSpelling(id, bare); ok {
		full = id + "/" + other
		denied, allowed = denied || f.deny.matches(full, other), allowed || f.allow.matches(full, other)
	}
	return allowed && !denied
}

// OtherSpelling gives the second name of a model, where its provider takes two: Google's models may have models/ before
// their names, which is how Google lists them, or not. The ID and the model are in lower case.
func OtherSpelling(provider, model string) (string, bool) {
	const prefix = "models/"
	if provider != "google" || model == "" {
		return "", false
	}
	if short, ok := strings.CutPrefix(model, prefix); ok {
		return short, short != ""
	}
	return prefix + model, true
}

// matcher is one compiled list: literal entries in a set, the others as patterns.
type matcher struct {
	literal  map[string]struct{}
	patterns []Pattern
}

func newMatcher(entries []string) matcher {
	var m matcher
	for _, e := range entries {
		e = strings.ToLower(strings.TrimSpace(e))
		switch {
		case e == "":
		case strings.Contains(e, "*"):
			m.patterns = append(m.patterns, NewPattern(e))
		default:
			if m.literal == nil {
				m.literal = make(map[string]struct{}, len(entries))
			}
			m.literal[e] = struct{}{}
		}
	}
	return m
}

func (m matcher) empty() bool { return len(m.literal) == 0 && len(m.patterns) == 0 }

// matches takes both spellings of one model, lower case. A literal without a slash can equal only the bare one.
func (m matcher) matches(full, bare string) bool {
	if _, ok := m.literal[bare]; ok {
		return true
	}
	if _, ok := m.literal[full]; ok {
		return true
	}
	for i := range m.patterns {
		if p := &m.patterns[i]; p.Match(bare) || p.Slash && p.Match(full) {
			return true
		}
	}
	return false
}
