package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Auth is the check of bearer tokens on the public listener, and the browser login. When Enabled there is an issuer
// and an audience.
type Auth struct {
	Enabled       bool
	OIDCIssuer    string   // exactly as the token's iss claim spells it, a slash at the end included
	OIDCIssuers   []Issuer // further ones
	OIDCClientID  string   // an audience, and the client of the browser login
	OIDCAudiences []string // further ones
	UserClaim     string
	GroupsClaim   string // a name, or a path of names with dots between them; "" for no groups
	ClockSkew     time.Duration
	KeyRefresh    time.Duration // how often Envoy asks for an issuer's keys
	CAPath        string
	CA            string // what is in CAPath: PEM certificates

	// The browser login, at OIDCIssuer.
	ClientSecret Secret
	Scopes       []string
	CookieSecret Secret // "" for one that the gateway makes up
	PublicURL    string // under which browsers reach the gateway, without a slash at its end; "" takes it from requests
}

// Issuer is one OpenID Connect issuer.
type Issuer struct {
	Name string // stands for it in callers' names; distinct
	URL  string // as the iss claim spells it
}

// Issuers are all issuers, the one of AUTH_OIDC_ISSUER first.
func (a Auth) Issuers() []Issuer {
	if a.OIDCIssuer == "" {
		return a.OIDCIssuers
	}
	first := Issuer{Name: issuerHost(a.OIDCIssuer), URL: a.OIDCIssuer}
	for _, i := range a.OIDCIssuers { // naming it there is a way to give it a name
		if i.URL == a.OIDCIssuer {
			first.Name = i.Name
		}
	}
	return append([]Issuer{first}, slices.DeleteFunc(slices.Clone(a.OIDCIssuers), func(i Issuer) bool { return i.URL == a.OIDCIssuer })...)
}

// Login says whether browsers are sent to the issuer.
func (a Auth) Login() bool { return a.Enabled && a.ClientSecret != "" }

// Audiences are those of which a token must have one.
func (a Auth) Audiences() []string {
	out := slices.Clone(a.OIDCAudiences)
	if a.OIDCClientID != "" && !slices.Contains(out, a.OIDCClientID) {
		out = append(out, a.OIDCClientID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func authRows() []variable {
	return []variable{
		row("AUTH_ENABLED", "false", toggle, func(c *Config) *bool { return &c.Auth.Enabled },
			"Refuse requests without a valid token, on every path but `/health` and `/ready`."),
		row("AUTH_OIDC_ISSUER", "", issuer, func(c *Config) *string { return &c.Auth.OIDCIssuer },
			"Issuer, exactly as tokens name it in `iss`; where its keys are is found out from `<issuer>/.well-known/openid-configuration`."),
		row("AUTH_OIDC_ISSUERS", "", issuers, func(c *Config) *[]Issuer { return &c.Auth.OIDCIssuers },
			"Further issuers, each a URL or `name=url`; a caller is called `oidc:<name>/<user>`, with the issuer's host for a name unless it is given one."),
		row("AUTH_OIDC_CLIENT_ID", "", text, func(c *Config) *string { return &c.Auth.OIDCClientID },
			"Client at the issuer: an audience that tokens may have, and the client of the browser login."),
		row("AUTH_OIDC_CLIENT_SECRET", "", secret, func(c *Config) *Secret { return &c.Auth.ClientSecret },
			"Secret of the client. When set, browsers that open a page without a token are sent to `AUTH_OIDC_ISSUER` to log in."),
		row("AUTH_OIDC_SCOPES", "openid,profile,email", list, func(c *Config) *[]string { return &c.Auth.Scopes },
			"Scopes that the browser login asks for; `openid` must be among them. With `offline_access` a login lasts as long as the issuer lets it."),
		row("AUTH_COOKIE_SECRET", "", secret, func(c *Config) *Secret { return &c.Auth.CookieSecret },
			"At least 32 characters that the login's cookies are sealed with, the same in every replica; unset: made up at the start, so that a restart or another replica asks for a new login."),
		row("AUTH_PUBLIC_URL", "", endpoint, func(c *Config) *string { return &c.Auth.PublicURL },
			"Scheme, host and port under which browsers reach the gateway; unset: as the request says. The issuer must know its `/oauth2/callback` as a redirect URI."),
		row("AUTH_OIDC_AUDIENCES", "", list, func(c *Config) *[]string { return &c.Auth.OIDCAudiences },
			"Further audiences; a token must have one of all. This or the client ID is needed when auth is enabled."),
		row("AUTH_OIDC_USER_CLAIM", "sub", text, func(c *Config) *string { return &c.Auth.UserClaim },
			"Claim that names the user. Take one that users cannot choose themselves: `email` only of an issuer that verifies it."),
		row("AUTH_OIDC_GROUPS_CLAIM", "groups", text, func(c *Config) *string { return &c.Auth.GroupsClaim },
			"Claim with the user's groups, a list or one text; dots lead into objects, as in `realm_access.roles`."),
		row("AUTH_OIDC_CLOCK_SKEW", "60s", seconds(time.Second, time.Hour), func(c *Config) *time.Duration { return &c.Auth.ClockSkew },
			"How far the issuer's clock may be off when a token's `exp` and `nbf` are checked."),
		row("AUTH_OIDC_KEY_REFRESH", "30s", seconds(time.Second, 24*time.Hour), func(c *Config) *time.Duration { return &c.Auth.KeyRefresh },
			"How often Envoy asks for an issuer's keys, and so how long a new key is unknown at most. An issuer that is down keeps its last ones."),
		row("AUTH_OIDC_CA_PATH", "", path, func(c *Config) *string { return &c.Auth.CAPath },
			"PEM file of the authorities to trust for issuers; unset: those of `CLIENT_TLS_CA_PATH`, else the system's."),
	}
}

// issuers are as namedURLs, but a URL stays as it is written and a name may be a host.
var issuers = kind[[]Issuer]{"comma list of URLs", parseIssuers, namedURLs.show}

func parseIssuers(s string) ([]Issuer, error) {
	var out []Issuer
	for _, item := range splitList(s) {
		name, addr := cutName(item)
		if _, err := parseIssuer(addr); err != nil {
			return nil, fmt.Errorf("a comma list of URLs, each optionally name=url; item %d: %w", len(out)+1, err)
		}
		if name = strings.ToLower(name); name == "" {
			name = issuerHost(addr)
		} else if !validName(name) {
			return nil, errors.New("names of letters, digits, - and _, starting with a letter or digit")
		}
		out = append(out, Issuer{Name: name, URL: addr})
	}
	return out, nil
}

// parseIssuer takes a URL as it is: its last slash matters.
func parseIssuer(s string) (string, error) {
	_, err := parseURL(s)
	return s, err
}

// issuerHost names an issuer that has no name.
func issuerHost(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// seconds is a duration that Envoy counts in seconds.
func seconds(least, most time.Duration) kind[time.Duration] {
	return plain("duration", func(s string) (time.Duration, error) {
		d, err := parseDuration(s, 0)
		if err != nil || d < least || d > most || d%time.Second != 0 {
			return 0, fmt.Errorf("a duration in whole seconds from %v to %v", least, most)
		}
		return d, nil
	})
}

// checkAuth finds what is wrong with the AUTH_ variables together.
func (l *loader) checkAuth() {
	a := &l.cfg.Auth
	a.CA = l.authorities("AUTH_OIDC_CA_PATH", a.CAPath)
	l.checkIssuerNames()
	if !a.Enabled {
		return
	}
	missing := func(variable string, others ...string) bool {
		return !slices.ContainsFunc(append(others, variable), func(name string) bool { return l.get(name) != "" })
	}
	if len(a.Issuers()) == 0 && missing("AUTH_OIDC_ISSUER", "AUTH_OIDC_ISSUERS") {
		l.add("AUTH_OIDC_ISSUER", "", "a value, since AUTH_ENABLED is true")
	}
	if len(a.Audiences()) == 0 && missing("AUTH_OIDC_CLIENT_ID", "AUTH_OIDC_AUDIENCES") {
		l.add("AUTH_OIDC_CLIENT_ID", "", "a value, since AUTH_ENABLED is true (or AUTH_OIDC_AUDIENCES)")
	}
	l.checkLogin()
	for _, i := range a.Issuers() {
		if u, err := url.Parse(i.URL); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
			l.warn("AUTH_OIDC_ISSUER", "has an issuer without https: whoever is on the way to "+i.Name+" can make tokens")
		}
	}
}

func (l *loader) checkLogin() {
	a := l.cfg.Auth
	if !a.Login() {
		return
	}
	need := func(variable, value string) {
		if value == "" && l.get(variable) == "" {
			l.add(variable, "", "a value, since AUTH_OIDC_CLIENT_SECRET is set")
		}
	}
	need("AUTH_OIDC_ISSUER", a.OIDCIssuer)
	need("AUTH_OIDC_CLIENT_ID", a.OIDCClientID)
	if !slices.Contains(a.Scopes, "openid") {
		l.add("AUTH_OIDC_SCOPES", shown(l.get("AUTH_OIDC_SCOPES")), "a list with openid in it")
	}
	if n := len(a.CookieSecret); n > 0 && n < 32 {
		l.add("AUTH_COOKIE_SECRET", mask, "at least 32 characters")
	}
	if u, err := url.Parse(a.PublicURL); err == nil && u.Path != "" {
		l.add("AUTH_PUBLIC_URL", shownURL(a.PublicURL), "a URL without a path")
	}
	if strings.HasPrefix(a.PublicURL, "http:") && !isLoopback(a.publicHost()) {
		l.add("AUTH_PUBLIC_URL", shownURL(a.PublicURL), "an https:// URL: browsers do not keep the login's cookies otherwise")
	}
}

func (a Auth) publicHost() string {
	u, err := url.Parse(a.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// checkIssuerNames refuses two issuers that would give their users the same names.
func (l *loader) checkIssuerNames() {
	names, urls := map[string]bool{}, map[string]bool{}
	for _, i := range l.cfg.Auth.Issuers() {
		switch {
		case urls[i.URL]:
			l.add("AUTH_OIDC_ISSUERS", shownURL(l.get("AUTH_OIDC_ISSUERS")), "every issuer once")
			return
		case names[i.Name]:
			l.add("AUTH_OIDC_ISSUERS", shownURL(l.get("AUTH_OIDC_ISSUERS")), "a name of its own for every issuer, as in name=url, since two have the same host or name")
			return
		}
		names[i.Name], urls[i.URL] = true, true
	}
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
