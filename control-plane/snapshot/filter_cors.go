package snapshot

import (
	"slices"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

const corsName = "envoy.filters.http.cors"

// corsFilter answers the questions that browsers ask before a page of another origin may call, for the origins that are
// configured. Without any it is not there, and no page but the gateway's own may.
func corsFilter() *hcmv3.HttpFilter { return filter(corsName, &corsv3.Cors{}) }

// corsPolicy is the filter's configuration for all routes. Cookies are not let through: a page brings its own key.
func corsPolicy(origins []string) map[string]*anypb.Any {
	if len(origins) == 0 {
		return nil
	}
	policy := &corsv3.CorsPolicy{
		AllowMethods:  "GET, HEAD, POST, PUT, PATCH, DELETE",
		AllowHeaders:  "*, authorization", // which the star does not cover
		ExposeHeaders: "*",
		MaxAge:        "600",
	}
	for _, o := range origins {
		policy.AllowOriginStringMatch = append(policy.AllowOriginStringMatch, originMatch(o))
	}
	return map[string]*anypb.Any{corsName: pack(policy)}
}

func originMatch(origin string) *matcherv3.StringMatcher {
	if origin == "*" {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(".*")}}
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: origin}}
}

// corsHeaders are what a provider may say about pages; it is not the one to say it.
func corsHeaders() []string {
	return []string{
		"access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
		"access-control-allow-private-network", "access-control-expose-headers", "access-control-max-age",
	}
}

func anyOrigin(origins []string) bool { return slices.Contains(origins, "*") }
