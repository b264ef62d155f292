package snapshot

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// originHeader is the Origin header, or noOrigin: Envoy chooses the virtual host by it, and finds none for a request
// without the header.
const (
	originHeader = catalog.InternalHeaderPrefix + "origin"
	noOrigin     = "none"
)

// shownHeader is the first letter of a credential that the page itself sends: those filters that check one take it out,
// and routes are chosen anew after them.
const shownHeader = catalog.InternalHeaderPrefix + "shown"

// preflightAge is for how many seconds a browser need not ask again: what Chromium takes at most is two hours.
const preflightAge = "600"

// publicVirtualHosts are the public routes for everybody, and once more for pages of origins that may call. Which of the two
// a request gets is decided in one place, by Envoy's choice of the virtual host, and both have the same routes but for what
// browsers are told.
func publicVirtualHosts(in Input, everybody []*routev3.Route) *routev3.RouteConfiguration {
	cors := in.Config.Server.CORS
	after := func(first ...*routev3.Route) []*routev3.Route {
		limitRoutes(in, first)
		return append(first, everybody...)
	}
	if cors.Any() {
		c := routes(PublicListener, after(preflightRoute(), websocketRoute()))
		c.VirtualHosts[0].TypedPerFilterConfig = corsAnswers(config.AnyOrigin)
		return c
	}
	c := routes(PublicListener, after(refuseSite("changes", method(changes)), websocketRoute()))
	if cors.On() {
		c.VhostHeader = originHeader
		c.VirtualHosts = append(c.VirtualHosts, &routev3.VirtualHost{
			Name:                 PublicListener + ": allowed origins",
			Domains:              cors.Origins,
			Routes:               after(allowedSiteRoutes(in.Config)...),
			TypedPerFilterConfig: corsAnswers("%FILTER_STATE(" + originState + ":PLAIN)%"),
		})
	}
	return c
}

// preflightRoute is for what browsers ask before they send what a page wants: Envoy's CORS filter answers. Its cluster is
// never asked: the filter wants a route that has one.
func preflightRoute() *routev3.Route {
	r := apiRoute("preflight", prefixPath("/", method("OPTIONS"), headerRegex("origin", ".+"), headerRegex("access-control-request-method", ".+")))
	r.TypedPerFilterConfig = map[string]*anypb.Any{corsName: pack(&corsv3.CorsPolicy{
		AllowOriginStringMatch: []*matcherv3.StringMatcher{{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(".+")}}},
		AllowMethods:           "GET, HEAD, POST, PUT, PATCH, DELETE",
		AllowHeaders:           "*", // those that were asked for: internal ones are removed as ever
		MaxAge:                 preflightAge,
	})}
	return r
}

// corsAnswers let the pages read answers, errors of every filter among them. That they may not send what the browser knows
// (access-control-allow-credentials) is what makes * good for the names of headers.
func corsAnswers(origin string) map[string]*anypb.Any {
	return map[string]*anypb.Any{headerMutationName: pack(&headermutationv3.HeaderMutationPerRoute{Mutations: &headermutationv3.Mutations{
		ResponseMutations: []*mutationv3.HeaderMutation{
			addHeader("access-control-allow-origin", origin, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD),
			addHeader("access-control-expose-headers", "*", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD),
		},
	}})}
}

// originOf keeps the origin for the choice of the virtual host, and what is needed for the choice of its routes.
func originOf(c *config.Config) []*mutationv3.HeaderMutation {
	if !c.Server.CORS.On() || c.Server.CORS.Any() {
		return nil
	}
	list := []*mutationv3.HeaderMutation{
		addHeader(originHeader, "%REQ(origin)%", corev3.HeaderValueOption_ADD_IF_ABSENT),
		addHeader(originHeader, noOrigin, corev3.HeaderValueOption_ADD_IF_ABSENT),
	}
	if c.KnownByBrowser() {
		list = append(list, addHeader(shownHeader, "%REQ(authorization?x-api-key):1%", corev3.HeaderValueOption_ADD_IF_ABSENT))
	}
	return list
}

// allowedSiteRoutes answer a page that may call beforehand, and refuse what it could do only in its visitor's name: with
// the cookies of a login or with a client certificate, which a browser shows by itself, instead of a key that the page
// has. A browser asks before it sends one of these headers, so that a page can add none for which it is not allowed to.
func allowedSiteRoutes(c *config.Config) []*routev3.Route {
	list := []*routev3.Route{preflightRoute(), websocketRoute()}
	if c.KnownByBrowser() {
		list = append(list, direct("cross-site: without a key", prefixPath("/", crossSite(), method(changes), headerAbsent(shownHeader)),
			apierror.New(apierror.PermissionDenied, "a page of another site needs a key or token of its own: Authorization: Bearer")))
	}
	return list
}
