package routing

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Target is what a request's path says: a model endpoint, or a provider's own API under /proxy.
type Target struct {
	Endpoint catalog.Endpoint // empty for /proxy and unknown paths
	Proxy    string           // the provider of a /proxy path, as written
	Provider string           // the value of ?provider=
	Queried  bool             // the query may name a model as well: some servers (LocalAI) take that one
	Path     string           // :path without the provider parameter, which is the gateway's own
}

// ParseTarget reads the value of :path. Only "provider" is taken out of the query; every other byte stays. The Reason
// is "" unless ?provider= cannot be read.
func ParseTarget(path string) (Target, Reason) {
	bare, query, hasQuery := strings.Cut(path, "?")
	t := Target{Path: path}
	if len(bare) >= len(proxy) && strings.EqualFold(bare[:len(proxy)], proxy) {
		t.Proxy, _, _ = strings.Cut(bare[len(proxy):], "/")
		return t, "" // a proxied query is the provider's
	}
	if name, ok := strings.CutPrefix(bare, "/v1/"); ok {
		for _, e := range endpoints {
			if name == string(e) {
				t.Endpoint = e
			}
		}
	}
	if !hasQuery {
		return t, ""
	}
	t.Queried = QueryNamesModel(query)
	if !strings.Contains(query, "provider") {
		return t, ""
	}
	kept := make([]string, 0, 4)
	for _, pair := range strings.Split(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key != "provider" {
			kept = append(kept, pair)
			continue
		}
		name, ok := unescape(value)
		if !ok || name == "" {
			return t, EmptyParameter
		}
		if t.Provider != "" && !strings.EqualFold(t.Provider, name) {
			return t, TwoParameters
		}
		t.Provider = name
	}
	t.Path = bare
	if len(kept) > 0 {
		t.Path += "?" + strings.Join(kept, "&")
	}
	return t, ""
}

// proxy begins the paths of providers' own APIs; routes take it in any case.
const proxy = "/proxy/"

// QueryNamesModel says whether a query has a parameter that a server could read as model. What has an escape that cannot be
// read is taken for one.
func QueryNamesModel(query string) bool {
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if plain, ok := unescape(name); !ok || strings.EqualFold(plain, "model") {
			return true
		}
	}
	return false
}

// endpoints is made once: this stands in the way of every request.
var endpoints = catalog.Endpoints()

// unescape resolves the escapes of a query's value as net/url does, which would make the wasm filter larger.
func unescape(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			c, ok := escaped(s[i:])
			if !ok {
				return "", false
			}
			out = append(out, c)
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}
