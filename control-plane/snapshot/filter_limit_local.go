package snapshot

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// mostBuckets is how many callers or addresses Envoy remembers for each limit; the one that was away longest is
// forgotten first and begins anew.
const mostBuckets = 10_000

// localLimitFilter counts requests in Envoy: a bucket for each quota of each budget, full at first and refilled evenly.
// No request of it reaches Go. The buckets belong to the filter's configuration: one that changes begins anew.
func localLimitFilter(in Input) *hcmv3.HttpFilter {
	c := &localv3.LocalRateLimit{
		StatPrefix:                      "requests",
		FilterEnabled:                   always(),
		FilterEnforced:                  always(),
		EnableXRatelimitHeaders:         limitv3.XRateLimitHeadersRFCVersion_DRAFT_VERSION_03,
		EnableRetryAfterHeader:          true,
		AlwaysConsumeDefaultTokenBucket: no(),
		MaxDynamicDescriptors:           u32(mostBuckets),
	}
	for _, r := range in.Config.Limits.Set.Of(limits.Requests) {
		for _, q := range r.Requests {
			name := r.ServiceKey(limits.Requests, q.Period)
			c.RateLimits = append(c.RateLimits, &routev3.RateLimit{Actions: fitting(r, name)})
			c.Descriptors = append(c.Descriptors, &limitv3.LocalRateLimitDescriptor{
				Entries: entries(r, name),
				TokenBucket: &typev3.TokenBucket{
					MaxTokens: uint32(q.Most), TokensPerFill: u32(uint32(q.Most)), FillInterval: duration(q.Period.Length()),
				},
			})
		}
	}
	return filter(requestLimitsName, c)
}

// limitHeadersFilter gives Envoy's own rate limit headers the names that OpenAI's clients know. It stands before the
// filter that writes them: answers pass the filters backwards. The second step is for the unit, which would make a header
// where there was none.
func limitHeadersFilter() *hcmv3.HttpFilter {
	const reset = "x-igw-reset"
	remove := func(name string) *mutationv3.HeaderMutation {
		return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}}
	}
	const overwrite = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	return filter(limitHeadersName, &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{ResponseMutations: []*mutationv3.HeaderMutation{
		addHeader(reset, "%RESP(x-ratelimit-reset)%", overwrite),
		addHeader(reset, "%RESP(x-ratelimit-reset)%s", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS),
		addHeader("x-ratelimit-limit-requests", "%RESP(x-ratelimit-limit)%", overwrite),
		addHeader("x-ratelimit-remaining-requests", "%RESP(x-ratelimit-remaining)%", overwrite),
		addHeader("x-ratelimit-reset-requests", "%RESP("+reset+")%", overwrite),
		remove(reset), remove("x-ratelimit-limit"), remove("x-ratelimit-remaining"), remove("x-ratelimit-reset"),
	}}})
}

func always() *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
}
