package config

import (
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// providers reads every known provider, the own ones that PROVIDERS names, and demo.
func (l *loader) providers() {
	for _, p := range catalog.All() {
		l.provider(&draft{Provider: Provider{Provider: p}})
	}
	l.ownProviders()
	l.demo()
	slices.SortFunc(l.cfg.Providers, func(a, b Provider) int { return strings.Compare(a.ID, b.ID) })
}

// provider reads the variables of one provider and appends it. Its settings are kept only when it is ready or the
// environment speaks of it: a list of fourteen providers that nobody uses would hide the one that somebody does.
func (l *loader) provider(d *draft) {
	before := len(l.cfg.settings)
	d.URLVariable = upper(d.ID) + "_API_URL"
	urlSet := l.apply(urlRow(d))
	l.apply(enabledRow(d, "true"))
	l.key(d)
	l.account(d)
	if !strings.Contains(d.BaseURL, catalog.AccountPlaceholder) {
		d.URL, _ = parseBaseURL(d.BaseURL) // nil when it is missing, which is told below or in State
	}
	switch {
	case !d.enabled:
		d.State = SwitchedOff
	case d.KeyNeed == catalog.KeyRequired && d.Key == "":
		d.State = MissingKey
	case d.KeyNeed != catalog.KeyRequired && !urlSet:
		d.State = MissingURL
		if d.Own {
			l.add(d.URLVariable, "", "a URL, since PROVIDERS names "+d.ID)
		}
	}
	l.cfg.Providers = append(l.cfg.Providers, d.Provider)
	mentioned := slices.ContainsFunc(l.cfg.settings[before:], func(s Setting) bool { return !s.Default })
	if d.State != Ready && !mentioned && !d.Own {
		l.cfg.settings = l.cfg.settings[:before]
	}
}

// key reads the key unless the provider takes none: a key that is set all the same is not sent anywhere.
func (l *loader) key(d *draft) {
	v := keyRow(d)
	if d.Auth != catalog.NoAuth {
		d.KeyVariable = v.name
		l.apply(v)
		return
	}
	l.known[v.name], l.known[v.name+"_FILE"] = v.name, v.name+"_FILE"
	if l.get(v.name) == "" && l.get(v.name+"_FILE") == "" {
		return
	}
	why := "is not used: " + d.Name + " is called without a key"
	if d.ID == "ollama" {
		why += "; for ollama.com set OLLAMA_CLOUD_API_KEY"
	}
	l.warn(v.name, why)
}

// account fills the placeholder of the URL, for the providers that have one.
func (l *loader) account(d *draft) {
	known, _ := catalog.Lookup(d.ID)
	has := strings.Contains(known.BaseURL, catalog.AccountPlaceholder)
	if rest := d.BaseURL; strings.ContainsAny(strings.ReplaceAll(rest, catalog.AccountPlaceholder, ""), "{}") ||
		!has && strings.Contains(rest, catalog.AccountPlaceholder) {
		l.add(d.URLVariable, shown(shownURL(rest)), "a URL without a placeholder in braces")
		d.BaseURL = known.BaseURL
	}
	if !has {
		return
	}
	v := accountRow(d)
	l.apply(v)
	switch {
	case d.account != "":
		d.BaseURL = strings.ReplaceAll(d.BaseURL, catalog.AccountPlaceholder, d.account)
	case strings.Contains(d.BaseURL, catalog.AccountPlaceholder) && d.Key != "" && d.enabled && l.get(v.name) == "":
		l.add(v.name, "", "the account id, since "+d.KeyVariable+" is set")
	}
}

// reserved names would take the variables of another part of the configuration.
var reserved = []string{"server", "client", "mcp", "a2a", "auth", "telemetry", "otel", "gateway", "envoy", "control", catalog.DemoID}

func (l *loader) ownProviders() {
	l.apply(providersRow)
	for _, name := range splitList(l.get(providersRow.name)) {
		id := strings.ToLower(name)
		_, builtIn := catalog.Lookup(id)
		_, taken := l.known[upper(id)+"_API_URL"]    // also when only - and _ set the two apart
		_, switches := l.known[upper(id)+"_ENABLED"] // something else, such as the wasm lane
		switch {
		case !validName(id):
			l.add(providersRow.name, shown(name), "names of letters, digits, - and _, starting with a letter or digit")
		case builtIn:
			l.add(providersRow.name, shown(name), "names of your own providers: this one is built in and need not be listed")
		case taken:
			l.add(providersRow.name, shown(name), "names that differ from each other and from built-in ones, - and _ counting as one")
		case switches || slices.Contains(reserved, id):
			l.add(providersRow.name, shown(name), "a name that the gateway does not use itself")
		default:
			l.ownProvider(id)
		}
	}
}

func (l *loader) ownProvider(id string) {
	var dialect string
	var auth ownAuth
	v := dialectRow(id, &dialect)
	l.apply(v)
	l.apply(authRow(id, &auth))
	p, ok := catalog.Own(id, dialect)
	if !ok { // the row admits only known dialects
		l.add(v.name, shown(dialect), "one of "+strings.Join(catalog.Dialects(), ", "))
		return
	}
	if auth.set {
		p.Auth = auth.Auth
		if auth.Auth == catalog.NoAuth {
			p.KeyNeed = catalog.KeyNone
		}
	}
	l.provider(&draft{Provider: Provider{Provider: p, Own: true}})
}

// demo answers when nothing else can, so that a first start shows something.
func (l *loader) demo() {
	d := &draft{Provider: Provider{Provider: catalog.Demo(), State: SwitchedOff}}
	v := enabledRow(d, "")
	v.doc = demoDoc
	set := l.apply(v)
	if set && d.enabled || !set && len(l.cfg.Ready()) == 0 {
		d.State = Ready
	}
	l.cfg.Providers = append(l.cfg.Providers, d.Provider)
	if len(l.cfg.Ready()) == 0 {
		l.warn(v.name, "is false and no provider is configured: every request will be refused")
	}
}
