package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// NamedURL is one tool server or agent.
type NamedURL struct {
	Name    string // lower case, [a-z0-9_-]; distinct within its list
	URL     string // absolute; a slash at its end stays, since some servers insist on it
	Headers []Header
}

// Header goes with every request to a server or agent; its value is likely a credential.
type Header struct {
	Name  string // as written
	Value Secret
}

var namedURLs = kind[[]NamedURL]{"comma list of URLs", parseNamedURLs, func(s string) string {
	items := splitList(s)
	for i, item := range items {
		name, addr := cutName(item)
		if items[i] = shownURL(addr); name != "" {
			items[i] = name + "=" + items[i]
		}
	}
	return strings.Join(items, ",")
}}

func parseNamedURLs(s string) ([]NamedURL, error) {
	var out []NamedURL
	for _, item := range splitList(s) {
		name, addr := cutName(item)
		name = strings.ToLower(name)
		u, err := parseURL(addr)
		if err != nil {
			return nil, fmt.Errorf("a comma list of URLs, each optionally name=url; item %d: %w", len(out)+1, err)
		}
		if name != "" && !validName(name) {
			return nil, errors.New("names of letters, digits, - and _, starting with a letter or digit")
		}
		if name == "" {
			name = hostName(u)
		}
		out = append(out, NamedURL{Name: name, URL: u.String()})
	}
	return distinct(out)
}

// cutName splits name=url. An = behind a slash or colon belongs to the URL.
func cutName(item string) (name, addr string) {
	before, after, ok := strings.Cut(item, "=")
	if !ok || strings.ContainsAny(before, ":/?") {
		return "", item
	}
	return strings.TrimSpace(before), strings.TrimSpace(after)
}

// hostName names an unnamed server by what tells servers apart for people: the host, without its dots.
func hostName(u *url.URL) string {
	name := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(name); err != nil {
		name, _, _ = strings.Cut(name, ".svc.") // the rest of a Kubernetes name is the same for all
	}
	name = strings.Trim(strings.NewReplacer(".", "-", ":", "-").Replace(name), "-_")
	if !validName(name) {
		return "server"
	}
	return name
}

// distinct refuses two servers whose names (and so variables) are the same, after setting apart those on one host by
// their ports and then by their order.
func distinct(list []NamedURL) ([]NamedURL, error) {
	count := map[string]int{}
	for _, s := range list {
		count[upper(s.Name)]++
	}
	seen := map[string]bool{}
	for i := range list {
		u, err := url.Parse(list[i].URL)
		if err != nil {
			return nil, errNotURL
		}
		own := list[i].Name != hostName(u)
		if !own && count[upper(list[i].Name)] > 1 && u.Port() != "" {
			list[i].Name += "-" + u.Port()
		}
		for base, n := list[i].Name, 2; !own && seen[upper(list[i].Name)]; n++ {
			list[i].Name = fmt.Sprintf("%s-%d", base, n)
		}
		if seen[upper(list[i].Name)] {
			return nil, errors.New("a different name for every server")
		}
		seen[upper(list[i].Name)] = true
	}
	return list, nil
}

// parseHeaders reads "Name: value" or "Name=value", one a line, or separated by commas when there is only one line.
func parseHeaders(s string) ([]Header, error) {
	wrong := errors.New("headers as Name=value or Name: value, separated by commas or one a line")
	separator := ","
	if strings.Contains(s, "\n") { // so that a value may hold a comma
		separator = "\n"
	}
	var out []Header
	for item := range strings.SplitSeq(s, separator) {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		i := strings.IndexAny(item, "=:")
		if i <= 0 {
			return nil, wrong
		}
		name := strings.TrimSpace(item[:i])
		value, err := parseSecret(strings.TrimSpace(item[i+1:]))
		if err != nil || !validHeader(name) {
			return nil, wrong
		}
		out = append(out, Header{name, value})
	}
	return out, nil
}

// validHeader says whether name is a token (RFC 9110, 5.6.2).
func validHeader(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
