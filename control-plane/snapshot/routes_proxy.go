package snapshot

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// proxyRoutes are the providers' own APIs. Envoy passes a request on alone when nothing has to be read; ext_proc looks at
// it when an allow-list or callers' rights are set, when tokens are limited, when its body is larger than the limit, and
// when its size is not told.
func proxyRoutes(in Input) []*routev3.Route {
	restricted := len(in.Config.General.AllowedModels)+len(in.Config.General.DisallowedModels) > 0 || in.Config.Access.Restricts()
	read := restricted || in.Config.Limits.Set.Limits(limits.Tokens)
	var out []*routev3.Route
	for _, p := range in.Config.Providers {
		if p.State != config.Ready {
			out = append(out, direct("proxy: "+p.ID+" not configured", proxyMatch(p.ID), apierror.New(apierror.ProviderNotReady,
				"provider %s is not configured: %s", p.ID, p.Fix())))
			continue
		}
		noBody := []*routev3.HeaderMatcher{headerAbsent("content-length"), headerAbsent("transfer-encoding"), method("GET|HEAD|OPTIONS|DELETE")}
		checked := headerIs(catalog.CheckedHeader, "true")
		if restricted { // a path may name a model: DELETE /models/{model}
			noBody = append(noBody, checked)
		}
		upgrade := upgradeRoute(in, p)
		if restricted {
			upgrade.TypedPerFilterConfig = withHeadersChecked()
		}
		out = append(out, upgrade, proxyRoute(in, p, "no body", noBody...), proxyRoute(in, p, "checked", checked))
		if !read {
			out = append(out, proxyRoute(in, p, "small body", lengthUpTo(in.Config.Server.MaxRequestBodySize)))
		}
		if restricted { // a route of its own: those that have no body take no tokens (limitRoutes), and Envoy asks the first route
			out = append(out, toBeChecked(p.ID, "no body: ", noBody[:3]...))
		}
		out = append(out, toBeChecked(p.ID, ""))
	}
	return append(out, direct("proxy: unknown provider", prefixPath("/proxy/"), apierror.Field(apierror.UnknownProvider, "provider",
		"unknown provider: write /proxy/{provider}/{path}. Configured: %s", readyNames(in.Config))))
}

// toBeChecked is where ext_proc looks at a request.
func toBeChecked(id, what string, headers ...*routev3.HeaderMatcher) *routev3.Route {
	r := direct("proxy: "+id+": "+what+"to be checked", proxyMatch(id, headers...), apierror.New(apierror.Unavailable, "the request was not checked: try again"))
	r.TypedPerFilterConfig = withExtProc()
	return r
}

// plainProxyRoutes are for the gateway's own requests, which need no check.
func plainProxyRoutes(in Input) []*routev3.Route {
	var out []*routev3.Route
	for _, p := range in.Config.Ready() {
		out = append(out, proxyRoute(in, p, "own"))
	}
	return out
}

func proxyRoute(in Input, p config.Provider, why string, headers ...*routev3.HeaderMatcher) *routev3.Route {
	action := providerAction(in, p)
	rewriteProxyPath(action, p)
	r := providerRoute(p, proxyMatch(p.ID, headers...), action)
	r.Name = "proxy: " + p.ID + ": " + why
	r.Metadata = lane("static")
	return r
}

// versionAtEnd is the last part of a base path that names an API's version.
var versionAtEnd = regexp.MustCompile(`/(v[0-9]+[a-z0-9]*)$`)

// rewriteProxyPath puts the provider's base path in the place of /proxy/{provider}. Some clients write the version
// themselves, whatever their base URL is: Anthropic's ask for {base}/v1/messages. It is not said twice.
func rewriteProxyPath(action *routev3.RouteAction, p config.Provider) {
	base := basePath(p)
	version := versionAtEnd.FindStringSubmatch(base)
	if version == nil {
		action.PrefixRewrite = base + "/"
		return
	}
	action.RegexRewrite = &matcherv3.RegexMatchAndSubstitute{
		Pattern:      &matcherv3.RegexMatcher{Regex: `(?i)^/proxy/` + regexp.QuoteMeta(p.ID) + `/(?:` + version[1] + `/)?`},
		Substitution: base + "/",
	}
}

// upgradeRoute passes WebSockets on, as providers' realtime APIs use them. They are never retried. Only a GET opens one
// (RFC 6455, 4.1): a POST that asks for an upgrade as well would get its body past the check.
func upgradeRoute(in Input, p config.Provider) *routev3.Route {
	r := proxyRoute(in, p, "websocket", headerRegex("upgrade", "(?i)websocket"), method("GET"))
	r.GetRoute().RetryPolicy = nil
	r.GetRoute().UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "websocket", Enabled: yes()}}
	return r
}

func proxyMatch(id string, headers ...*routev3.HeaderMatcher) *routev3.RouteMatch {
	m := prefixPath("/proxy/"+id+"/", headers...)
	m.CaseSensitive = no()
	return m
}

// lengthUpTo matches a declared length from nothing to most bytes.
func lengthUpTo(most int64) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: "content-length", HeaderMatchSpecifier: &routev3.HeaderMatcher_RangeMatch{
		RangeMatch: &typev3.Int64Range{Start: 0, End: most + 1},
	}}
}

func readyNames(c *config.Config) string {
	var ids []string
	for _, p := range c.Ready() {
		ids = append(ids, p.ID)
	}
	return strings.Join(ids, ", ")
}
