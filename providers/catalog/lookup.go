package catalog

import (
	"slices"
	"strings"
)

// AccountPlaceholder stands in a BaseURL for the account that <ID>_ACCOUNT_ID names.
const AccountPlaceholder = "{ACCOUNT_ID}"

// DemoID is the ID of the embedded provider.
const DemoID = "demo"

// The dialects that an own provider may name.
const (
	DialectOpenAI    = "openai"
	DialectAnthropic = "anthropic"
)

// All gives every row, sorted by ID, the demo provider not among them. The result belongs to the caller.
func All() []Provider {
	all := rows()
	slices.SortFunc(all, func(a, b Provider) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Lookup finds a row by its ID, lower case; the demo provider is not among them.
func Lookup(id string) (Provider, bool) {
	for _, p := range rows() {
		if p.ID == id {
			return p, true
		}
	}
	return Provider{}, false
}

// Demo is the embedded provider. It has no BaseURL: it runs inside the gateway and its cluster is wired there.
func Demo() Provider {
	return local(compatible(DemoID, "Demo", "", Embeddings), KeyNone)
}

// Dialects lists what Own accepts, sorted.
func Dialects() []string { return []string{DialectAnthropic, DialectOpenAI} }

// Own makes the row of a provider that the user names: its key is optional, and every endpoint that the dialect has is
// allowed, since only the user knows which of them the server answers. False when the dialect is not known.
func Own(id, dialect string) (Provider, bool) {
	var p Provider
	switch dialect {
	case DialectOpenAI:
		p = compatible(id, id, "", Embeddings, Completions, Responses)
	case DialectAnthropic:
		p = compatible(id, id, "")
		p.Dialect, p.Auth, p.Headers, p.Paths = DialectAnthropic, XAPIKey, anthropicHeaders(), paths(Messages)
		p.ModelsPath = "/models?limit=1000"
	default:
		return Provider{}, false
	}
	p.KeyNeed = KeyOptional
	return p, true
}
