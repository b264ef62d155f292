package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// corsVariable names the pages that may call.
const corsVariable = "SERVER_CORS_ALLOWED_ORIGINS"

// AnyOrigin stands in CORS for every page there is. It stands alone.
const AnyOrigin = "*"

// CORS is which pages of other origins a browser lets call. The zero value is none.
type CORS struct {
	Origins []string // as browsers write them in the Origin header (RFC 6454, 6.2), without duplicates; or AnyOrigin alone
}

// On says that some page may call.
func (c CORS) On() bool { return len(c.Origins) > 0 }

// Any says that every page may.
func (c CORS) Any() bool { return slices.Contains(c.Origins, AnyOrigin) }

// KnownByBrowser says that a browser can show who its user is without the page's doing: by the cookies of a login or by a
// client certificate. A page that is let in could then act in its visitor's name.
func (c *Config) KnownByBrowser() bool { return c.Auth.Login() || c.Server.TLS.ClientCAPath != "" }

var origins = plain("comma list of origins", parseOrigins)

func parseOrigins(s string) ([]string, error) {
	wrong := errors.New("a comma list of origins as browsers write them, scheme://host or scheme://host:port without a slash at the end, or * alone")
	var out []string
	for _, item := range splitList(s) {
		origin, ok := parseOrigin(item)
		if !ok {
			return nil, wrong
		}
		if !slices.Contains(out, origin) {
			out = append(out, origin)
		}
	}
	if slices.Contains(out, AnyOrigin) && len(out) > 1 {
		return nil, wrong
	}
	return out, nil
}

// parseOrigin writes an origin as browsers do: in lower case, without the port that the scheme implies. The origin null
// is none: every page that its site has shut in (a sandboxed frame) has it, and a site can make one of any page.
func parseOrigin(s string) (string, bool) {
	if s == AnyOrigin {
		return s, true
	}
	s = strings.ToLower(s)
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Scheme+"://"+u.Host != s || strings.ContainsAny(s, "*%\x7f") || strings.HasSuffix(s, ":") {
		return "", false
	}
	for _, r := range s {
		if r <= ' ' || r > 0x7f { // browsers write international names in punycode
			return "", false
		}
	}
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; port != "" {
		s = strings.TrimSuffix(s, port)
	}
	return s, true
}

func corsRow() variable {
	return row(corsVariable, "", origins, func(c *Config) *[]string { return &c.Server.CORS.Origins },
		"Origins whose pages may call `/v1` and `/proxy` from a browser, with a key or token that the page itself holds; unset: none. `*` is for all, and is taken only where callers show a key or a token, and neither cookies nor client certificates tell who they are.")
}

// checkCORS refuses to let every page in where that would let it use what is its visitor's.
func (l *loader) checkCORS() {
	c := l.cfg
	switch {
	case !c.Server.CORS.Any():
	case c.KnownByBrowser():
		l.add(corsVariable, AnyOrigin, "the origins one by one, since browsers show the login's cookies or a client certificate by themselves, whichever page calls")
	case !c.CallersRequired():
		l.add(corsVariable, AnyOrigin, "the origins one by one, or API_KEYS_FILE or AUTH_ENABLED, since otherwise every page that somebody opens could use the providers' keys")
	}
}
