package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// These are checked likewise but stay text: a template holds a placeholder for an account, and an issuer's last slash
// matters.
var (
	template = kind[string]{"URL", func(s string) (string, error) {
		s = strings.TrimRight(s, "/")
		_, err := parseURL(s)
		return s, err
	}, shownURL}
	endpoint = kind[string]{"URL", func(s string) (string, error) {
		u, err := parseBaseURL(s)
		if err != nil {
			return "", err
		}
		return u.String(), nil
	}, shownURL}
	issuer = kind[string]{"URL", parseIssuer, shownURL}
)

// hostPort is where a service is found: a name may stand for several machines.
var hostPort = plain("host:port", func(s string) (HostPort, error) {
	host, port, err := net.SplitHostPort(s)
	n, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil || n < 1 || n > 65535 || !validHost(host) {
		return HostPort{}, errors.New("a host name or IP address and a port, such as gateway.example:18000")
	}
	return HostPort{host, n}, nil
})

var (
	errNotURL   = errors.New("an absolute http:// or https:// URL")
	errUserinfo = errors.New("a URL without user:password@ (a key belongs into its own variable)")
	errQuery    = errors.New("a URL without ? or # (a key belongs into its own variable)")
	errHost     = errors.New("a URL whose host is a plain ASCII name or an IP address")
	errPort     = errors.New("a URL whose port is a number from 1 to 65535")
	errPath     = errors.New("a URL whose path has no .. or . segments")
)

// parseBaseURL reads an address that paths are appended to: a slash at its end is dropped.
func parseBaseURL(s string) (*url.URL, error) { return parseURL(strings.TrimRight(s, "/")) }

// parseURL reads the address of another service.
func parseURL(s string) (*url.URL, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return nil, errNotURL
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errNotURL
	case u.User != nil:
		return nil, errUserinfo
	case u.RawQuery != "", u.ForceQuery, strings.Contains(s, "#"):
		return nil, errQuery
	case !validHost(u.Hostname()):
		return nil, errHost
	}
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, errPort
		}
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == ".." || segment == "." {
			return nil, errPath
		}
	}
	return u, nil
}

// validHost takes what a resolver takes. Underscores are no host name by the book, but container names have them.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 || host[0] == '.' || strings.Contains(host, "..") {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

// shownURL hides every part of an address in which people put keys: the user, the query, the fragment.
func shownURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		if strings.ContainsAny(s, "@?#&=") {
			return mask
		}
		return s
	}
	if u.User == nil && !strings.ContainsAny(s, "@?#") {
		return s
	}
	if u.User != nil {
		u.User = url.User(mask)
	}
	if u.RawQuery != "" {
		u.RawQuery = mask
	}
	u.Fragment, u.RawFragment = "", ""
	return strings.NewReplacer("%2A", "*", "%7B", "{", "%7D", "}").Replace(u.String())
}
