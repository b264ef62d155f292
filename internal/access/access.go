// Package access says who calls and what a caller may do: API keys by their hashes, and rights to models, providers,
// tools and agents by key, group, claim and caller. It is pure: files come as bytes and the time as an argument, so a
// decision can be played again. It must not know HTTP, Envoy, the environment or how rights are enforced.
//
// Two files have one grammar (parse.go). Both make one Table, which is immutable and swapped whole.
package access

import (
	"fmt"
	"slices"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// The kinds of callers, as the beginnings of a caller's name.
const (
	KeyCaller  = "key:"  // and the key's id
	OIDCCaller = "oidc:" // and issuer/subject
	CertCaller = "cert:" // and the certificate's name
)

// Key is one API key. What it is made of is not here: only its hash is known.
type Key struct {
	ID      string
	Owner   string // for people; may be empty
	Groups  []string
	Created time.Time // zero when the file does not say
	Expires time.Time // from then on it is refused; zero is never
	Revoked time.Time // from then on it is refused; zero is not

	own    *grant      // nil when the key narrows nothing
	limits *limits.Own // nil when it has none of its own
}

// Caller is how requests with the key are called in logs, limits and rules.
func (k Key) Caller() string { return KeyCaller + k.ID }

// LimitsRule names the rule that holds the key's own limits; "" when it has none.
func (k Key) LimitsRule() string {
	if k.limits == nil {
		return ""
	}
	return k.limits.Rule()
}

// Table is everything that the files say. The nil Table knows nobody and restricts nothing. It may be used by many
// goroutines and is changed by none.
type Table struct {
	keys     []Key
	digests  []words // of keys, by the same index
	byCaller map[string]*grant
	everyone *grant
	groups   map[string]*grant
	callers  []callerRule
	claims   []claimRule
	reads    bool // some rule is about what stands in a body
	tools    bool // some rule is about tools or agents
	sources  [2]digest
}

type callerRule struct {
	pattern catalog.Pattern
	grant   *grant
}

// Keys lists the keys in the order of the file. The list is the caller's own.
func (t *Table) Keys() []Key {
	if t == nil {
		return nil
	}
	return slices.Clone(t.keys)
}

// Limits lists the limits that stand beside keys, in the order of the file.
func (t *Table) Limits() []*limits.Own {
	if t == nil {
		return nil
	}
	var out []*limits.Own
	for _, k := range t.keys {
		if k.limits != nil {
			out = append(out, k.limits)
		}
	}
	return out
}

// Same says whether two tables are of the same files.
func (t *Table) Same(other *Table) bool {
	return t == other || t != nil && other != nil && t.sources == other.sources
}

// Restricts says whether somebody's models, providers or answer lengths are restricted, so that requests' bodies have
// to be read by something that knows the caller.
func (t *Table) Restricts() bool { return t != nil && t.reads }

// String tells how much there is and nothing of what: a Table may end up in a log with what holds it.
func (t *Table) String() string {
	if t == nil {
		return "no access table"
	}
	return fmt.Sprintf("access table of %d keys, %d groups, %d callers and %d claims", len(t.keys), len(t.groups), len(t.callers), len(t.claims))
}

// GoString is String, for %#v.
func (t *Table) GoString() string { return t.String() }
