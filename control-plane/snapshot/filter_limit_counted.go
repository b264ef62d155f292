package snapshot

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// rateLimitCluster is the gateway's own counter.
const rateLimitCluster = "gateway-ratelimit"

// countedFilter asks the gateway's process, which counts itself or asks the service that all gateways share: Envoy can
// neither hold tokens while a request runs nor take any back. Of tokens it tells also the end, with what was used.
func countedFilter(in Input, name string, kind limits.Kind) *hcmv3.HttpFilter {
	c := in.Config.Limits
	timeout := 5 * time.Second // a busy machine may take more than one, and who is not counted is refused
	if c.Shared() {
		timeout += 2 * c.Timeout // it may ask twice
	}
	config := &ratelimitv3.RateLimit{
		Domain:                         string(kind),
		StatPrefix:                     string(kind),
		Timeout:                        duration(timeout),
		FailureModeDeny:                !c.FailOpen,
		StatusOnError:                  &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		DisableXEnvoyRatelimitedHeader: true,
		MetadataNamespace:              limits.Namespace,
		RateLimitService: &rlsv3.RateLimitServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: rateLimitCluster, SkipEnvoyHeaders: true},
			}},
		},
	}
	for _, r := range c.Set.Of(kind) {
		config.RateLimits = append(config.RateLimits, &routev3.RateLimit{Actions: fitting(r, r.Name)})
	}
	if kind == limits.Tokens {
		config.RateLimits = append(config.RateLimits,
			estimate(limits.EstimateTokens, headerNumber(catalog.TokensHeader)),
			estimate(limits.EstimateBytes, headerNumber("content-length")),
			estimate(limits.EstimateUncounted, uncounted),
			done(limits.DoneStatus, "%RESPONSE_CODE%"),
			done(limits.DoneTokens, usedTokens),
			done(limits.DoneEvents, sentEvents),
		)
	}
	return filter(name, config)
}

// headerNumber is the number in a header of the request, 0 without it: Envoy complains of what is no number.
func headerNumber(name string) string {
	return "%CEL('" + name + "' in request.headers ? request.headers['" + name + "'] : '0')%"
}

const (
	// uncounted is 1 for what nobody will tell the tokens of: a protocol of its own, and what ext_proc has found.
	uncounted = "%CEL('upgrade' in request.headers || '" + catalog.UncountedHeader + "' in request.headers ? 1u : 0u)%"
	// sentEvents is how many bytes of server-sent events the client got.
	sentEvents = "%CEL('content-type' in response.headers && response.headers['content-type'].startsWith('text/event-stream') ? uint(response.size) : 0u)%"
)

// estimate is a descriptor that limits nothing: it carries a number.
func estimate(what, format string) *routev3.RateLimit {
	return &routev3.RateLimit{
		Actions:    []*action{word(limits.EstimateEntry, what)},
		HitsAddend: &routev3.RateLimit_HitsAddend{Format: format},
	}
}

// done is sent when a request has ended, however it did, if something was held for it.
func done(what, format string) *routev3.RateLimit {
	held := metadataEntry(limits.HoldEntry, limits.Namespace, []*metadatav3.MetadataKey_PathSegment{segment(limits.HoldField)})
	return &routev3.RateLimit{
		Actions:           []*action{word(limits.DoneEntry, what), held},
		HitsAddend:        &routev3.RateLimit_HitsAddend{Format: format},
		ApplyOnStreamDone: true,
	}
}
