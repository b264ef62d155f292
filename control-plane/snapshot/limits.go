package snapshot

import (
	"maps"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// The names of the limits' filters. Routes switch them off where they do not hold (limitRoutes).
const (
	limitHeadersName  = "igw.limits.headers"
	requestLimitsName = "igw.limits.requests"
	tokenLimitsName   = "igw.limits.tokens"
)

// earlyLimitFilters count requests inside Envoy, before anything of them is read. There is none when no requests are
// limited, or when they are counted elsewhere.
func earlyLimitFilters(in Input) []*hcmv3.HttpFilter {
	if in.Config.Limits.Shared() || !in.Config.Limits.Set.Limits(limits.Requests) {
		return nil
	}
	return []*hcmv3.HttpFilter{limitHeadersFilter(), localLimitFilter(in)}
}

// lateLimitFilters stand behind what reads the body, because it reckons what an answer may take, and around the answer,
// because that says what it has taken. Requests that all gateways count together are counted here too: Envoy's filter
// for it passes over a request that has no upstream yet. There is none when nothing of it is limited.
func lateLimitFilters(in Input) []*hcmv3.HttpFilter {
	var out []*hcmv3.HttpFilter
	if in.Config.Limits.Shared() && in.Config.Limits.Set.Limits(limits.Requests) {
		out = append(out, countedFilter(in, requestLimitsName, limits.Requests))
	}
	if in.Config.Limits.Set.Limits(limits.Tokens) {
		out = append(out, countedFilter(in, tokenLimitsName, limits.Tokens))
	}
	if usageCounts(in) {
		out = append(out, usageFilter())
	}
	return out
}

// limitRoutes switches the limits' filters off where they do not hold: requests are limited for the API and the
// providers, tokens where a model may answer. Health, readiness and pages are never limited.
func limitRoutes(in Input, list []*routev3.Route) {
	requests, tokens := in.Config.Limits.Set.Limits(limits.Requests), in.Config.Limits.Set.Limits(limits.Tokens)
	for _, r := range list {
		path := r.GetMatch().GetPath() + r.GetMatch().GetPrefix()
		limited := strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/proxy/")
		asks := limited && asksModels(r)
		if requests && !limited {
			switchOff(r, requestLimitsName)
		}
		if tokens && !asks {
			switchOff(r, tokenLimitsName)
		}
		if usageCounts(in) && asks && r.GetRoute() != nil {
			countUsage(r)
		}
		if (requests || tokens) && limited {
			// They tell of the account that all callers share, and a caller is told of its own limits.
			r.ResponseHeadersToRemove = append(r.ResponseHeadersToRemove, rateLimitHeaders()...)
		}
	}
}

// usageCounts says that something is charged by the tokens that answers took: a limit, or a budget of the policy.
func usageCounts(in Input) bool {
	return in.Config.Limits.Set.Limits(limits.Tokens) || in.Config.Policy.CountsTokens && in.WasmPath != ""
}

// asksModels says whether a model may answer: a request without a body asks none.
func asksModels(r *routev3.Route) bool {
	for _, h := range r.GetMatch().GetHeaders() {
		if _, present := h.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch); h.GetName() == "content-length" && present {
			return false
		}
	}
	return strings.HasPrefix(r.GetMatch().GetPrefix(), "/proxy/") || endpointOf(r) != ""
}

// endpointOf gives the model endpoint that a route serves, or "".
func endpointOf(r *routev3.Route) catalog.Endpoint {
	for _, e := range catalog.Endpoints() {
		if r.GetMatch().GetPath() == e.Path() {
			return e
		}
	}
	return ""
}

func switchOff(r *routev3.Route, name string) {
	setFilter(r, name, pack(&routev3.FilterConfig{Disabled: true}))
}

func setFilter(r *routev3.Route, name string, c *anypb.Any) {
	r.TypedPerFilterConfig = maps.Clone(r.TypedPerFilterConfig) // other routes may have the same map
	if r.TypedPerFilterConfig == nil {
		r.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	r.TypedPerFilterConfig[name] = c
}

// rateLimitHeaders are what providers say about theirs (https://platform.openai.com/docs/guides/rate-limits).
func rateLimitHeaders() []string {
	var out []string
	for _, suffix := range []string{"", "-requests", "-tokens"} {
		for _, what := range []string{"limit", "remaining", "reset"} {
			out = append(out, "x-ratelimit-"+what+suffix)
		}
	}
	return out
}

// plainAnswers keeps providers from compressing what has to be read.
func plainAnswers(r *routev3.Route) {
	r.RequestHeadersToAdd = append(r.RequestHeadersToAdd, setHeader("accept-encoding", "identity"))
}
