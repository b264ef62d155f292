package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Provider is what the API needs to know of one provider. Two equal Providers may share cached models.
type Provider struct {
	ID           string // lower case
	ModelsPath   string // appended to /proxy/{ID}, query included; empty when the provider lists no models
	ModelsFormat catalog.ModelsFormat
	Ready        bool   // configured: it may be asked
	Fix          string // when not Ready, the sentence that tells the client what to set
	// Fingerprint changes whenever the same request could get other models: with the URL, or with the key's hash.
	Fingerprint string
}

// Filter hides models. Both names are bare: "openai", "gpt-4o".
type Filter interface {
	Allows(provider, model string) bool
}

// Caller is who asks: the values of the headers that Envoy's filters have written.
type Caller struct{ Name, Groups string }

func callerOf(r *http.Request) Caller {
	return Caller{Name: r.Header.Get(catalog.CallerHeader), Groups: r.Header.Get(catalog.GroupsHeader)}
}

// Rights are what one caller may see.
type Rights interface {
	AllowsProvider(id string) bool
	AllowsModel(provider, model string) bool
}

// State is what a reload of the configuration replaces as a whole. It must not change once handed over.
type State struct {
	Providers []Provider
	Filter    Filter // nil shows everything
	// Rights gives what a caller may see, from the headers that Envoy's filters have written; nil shows everything.
	Rights func(Caller) Rights
	// Tools and Agents answer /v1/mcp/… and /v1/a2a/…; nil says that they are not exposed.
	Tools  http.Handler
	Agents http.Handler
}

// current is a State with the shelves of its ready providers; immutable, the shelves' contents excepted.
type current struct {
	State
	shelves map[string]*shelf
}

// Update makes state the current one. Requests that have begun finish with the state that they began with. Models of a
// provider whose row is unchanged stay cached.
func (s *Server) Update(state State) {
	s.mu.Lock() // two updates at once must not both inherit from the same predecessor
	defer s.mu.Unlock()
	old := s.current.Load()
	next := &current{State: state, shelves: make(map[string]*shelf, len(state.Providers))}
	for _, p := range state.Providers {
		if !p.Ready || p.ModelsPath == "" {
			continue
		}
		if kept, ok := old.shelves[p.ID]; ok && kept.provider == p {
			next.shelves[p.ID] = kept
			continue
		}
		next.shelves[p.ID] = &shelf{provider: p}
	}
	s.current.Store(next)
}

// view is what one request may see.
type view struct {
	filter Filter
	rights Rights
}

func (c *current) view(r *http.Request) view {
	v := view{filter: c.Filter}
	if c.Rights != nil {
		v.rights = c.Rights(callerOf(r))
	}
	return v
}

func (v view) allowsProvider(id string) bool { return v.rights == nil || v.rights.AllowsProvider(id) }

func (v view) allows(provider, model string) bool {
	return (v.filter == nil || v.filter.Allows(provider, model)) && (v.rights == nil || v.rights.AllowsModel(provider, model))
}

// shelf finds the shelf of a provider named in any case, or says why there is none.
func (c *current) shelf(name string) (*shelf, *apierror.Error) {
	id := strings.ToLower(name)
	if sh, ok := c.shelves[id]; ok {
		return sh, nil
	}
	i := slices.IndexFunc(c.Providers, func(p Provider) bool { return p.ID == id })
	switch {
	case i < 0:
		return nil, apierror.Field(apierror.UnknownProvider, "provider",
			"unknown provider %q; configured providers: %s", shortened(name), c.ready())
	case !c.Providers[i].Ready:
		return nil, apierror.Field(apierror.ProviderNotReady, "provider", "%s", c.Providers[i].Fix)
	default:
		return nil, apierror.Field(apierror.UnsupportedRoute, "provider", "provider %q has no list of models", id)
	}
}

// ready names the providers that can be asked.
func (c *current) ready() string {
	var ids []string
	for _, p := range c.Providers {
		if p.Ready {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return "none"
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

// shortened keeps a client's text in an error message to 100 characters.
func shortened(text string) string {
	if r := []rune(text); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return text
}
