package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// State says whether requests can be sent to a provider, and if not, why.
type State int

// The states of a provider.
const (
	Ready       State = iota
	MissingKey        // it needs a key and has none
	MissingURL        // it is a local one and its URL is not set
	SwitchedOff       // <ID>_ENABLED=false, or the demo provider when another one is ready
)

// String gives a word for people.
func (s State) String() string {
	switch s {
	case Ready:
		return "ready"
	case MissingKey:
		return "missing key"
	case MissingURL:
		return "missing URL"
	case SwitchedOff:
		return "switched off"
	}
	return "unknown"
}

// Provider is a catalogue row as the environment completes it. BaseURL is the effective one.
type Provider struct {
	catalog.Provider
	URL         *url.URL // BaseURL parsed; nil for demo, and while a placeholder is not filled in
	Key         Secret   // empty when none is set or none is sent
	State       State
	KeyVariable string // for example OPENAI_API_KEY; "" when it takes no key
	URLVariable string // for example OPENAI_API_URL; "" for demo
	Own         bool   // named by PROVIDERS
}

// Endpoints are those that the provider speaks, in the catalogue's order.
func (p Provider) Endpoints() []catalog.Endpoint {
	return slices.DeleteFunc(catalog.Endpoints(), func(e catalog.Endpoint) bool { _, ok := p.Paths[e]; return !ok })
}

// Fix says what to set to make the provider ready; empty when it is.
func (p Provider) Fix() string {
	var set []string
	if p.State == SwitchedOff {
		set = append(set, upper(p.ID)+"_ENABLED=true")
	}
	if p.State != Ready && p.ID != catalog.DemoID {
		switch {
		case p.KeyNeed == catalog.KeyRequired && p.Key == "":
			set = append(set, p.KeyVariable+" (or "+p.KeyVariable+"_FILE)")
		case p.State == MissingURL:
			set = append(set, p.URLVariable+" (for example "+p.BaseURL+")")
		}
		if strings.Contains(p.BaseURL, catalog.AccountPlaceholder) {
			set = append(set, upper(p.ID)+"_ACCOUNT_ID")
		}
	}
	if len(set) == 0 {
		return ""
	}
	return "set " + strings.Join(set, " and ")
}

// Ready lists the providers that requests can be sent to, sorted by ID.
func (c *Config) Ready() []Provider {
	var out []Provider
	for _, p := range c.Providers {
		if p.State == Ready {
			out = append(out, p)
		}
	}
	return out
}

// WithDiscovered gives a copy in which a local provider, found running at baseURL, is ready although nobody set its
// URL. Nothing changes when id is not such a provider or baseURL is not usable. The demo provider stays as it is.
func (c Config) WithDiscovered(id, baseURL string) *Config {
	u, err := parseBaseURL(baseURL)
	i, ok := slices.BinarySearchFunc(c.Providers, id, func(p Provider, id string) int { return strings.Compare(p.ID, id) })
	if err != nil || !ok || c.Providers[i].State != MissingURL {
		return &c
	}
	c.Providers = slices.Clone(c.Providers)
	p := &c.Providers[i]
	p.BaseURL, p.URL, p.State = u.String(), u, Ready
	c.settings = append(slices.Clone(c.settings), Setting{
		Variable: p.URLVariable, Value: p.BaseURL, Default: true, Source: "discovered", Doc: urlDoc,
	})
	c.settings = sortedSettings(c.settings)
	return &c
}
