package ratelimit

import (
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// pass lets a request through as if nothing limited it.
func pass() *ratelimitv3.RateLimitResponse {
	return &ratelimitv3.RateLimitResponse{OverallCode: ratelimitv3.RateLimitResponse_OK}
}

// granted lets a request through, tells its client what is left, and has Envoy remember what was held.
func granted(kind limits.Kind, levels []level, hold string, now time.Time) *ratelimitv3.RateLimitResponse {
	r := pass()
	r.ResponseHeadersToAdd = told(kind, tightest(levels), now)
	if hold != "" {
		r.DynamicMetadata = metadata(limits.HoldField, structpb.NewStringValue(hold))
	}
	return r
}

// refused answers the client. A request that is more than a whole budget is not told to come again.
func refused(kind limits.Kind, levels []level, n int64, now time.Time) *ratelimitv3.RateLimitResponse {
	l := tightest(levels)
	headers := append(told(kind, l, now), &corev3.HeaderValue{Key: "content-type", Value: "application/json"})
	e := apierror.New(apierror.RateLimited, "the limit %s of %d %s per %s is reached: try again in %s",
		l.counter.rule.Name, l.counter.quota.Most, kind, l.counter.quota.Period, wait(l, now))
	switch {
	case n > l.counter.quota.Most:
		e = apierror.New(apierror.RateLimited, "this request may take %d tokens, and the limit %s is %d per %s: make it shorter, or lower max_tokens",
			n, l.counter.rule.Name, l.counter.quota.Most, l.counter.quota.Period)
	case kind == limits.Tokens:
		e = apierror.New(apierror.RateLimited, "this request may take %d tokens, and %d of the limit %s, %d per %s, are left: try again in %s, or lower max_tokens",
			n, l.left, l.counter.rule.Name, l.counter.quota.Most, l.counter.quota.Period, wait(l, now))
		fallthrough
	default:
		headers = append(headers, &corev3.HeaderValue{Key: "retry-after", Value: strconv.Itoa(int(wait(l, now) / time.Second))})
	}
	return &ratelimitv3.RateLimitResponse{
		OverallCode:          ratelimitv3.RateLimitResponse_OVER_LIMIT,
		ResponseHeadersToAdd: headers,
		RawBody:              e.Body(),
		DynamicMetadata:      metadata(limits.RefusedField, structpb.NewBoolValue(true)),
	}
}

// uncountable refuses what would be used without ever being counted. It is not told to come again.
func uncountable(rule string) *ratelimitv3.RateLimitResponse {
	e := apierror.New(apierror.RateLimited, "your tokens are limited (%s), and nobody would count those of a WebSocket, a batch or an answer in the background", rule)
	return &ratelimitv3.RateLimitResponse{
		OverallCode:          ratelimitv3.RateLimitResponse_OVER_LIMIT,
		ResponseHeadersToAdd: []*corev3.HeaderValue{{Key: "content-type", Value: "application/json"}},
		RawBody:              e.Body(),
		DynamicMetadata:      metadata(limits.RefusedField, structpb.NewBoolValue(true)),
	}
}

// tightest is the level that a client should know of: of those that refused it the one that lasts longest, else the one
// that is nearest to its end.
func tightest(levels []level) level {
	best := levels[0]
	for _, l := range levels[1:] {
		switch {
		case l.over != best.over:
			if l.over {
				best = l
			}
		case l.over && l.end.After(best.end), !l.over && l.left < best.left:
			best = l
		}
	}
	return best
}

// told is a level as OpenAI's clients read it (https://platform.openai.com/docs/guides/rate-limits).
func told(kind limits.Kind, l level, now time.Time) []*corev3.HeaderValue {
	header := func(what, value string) *corev3.HeaderValue {
		return &corev3.HeaderValue{Key: "x-ratelimit-" + what + "-" + string(kind), Value: value}
	}
	return []*corev3.HeaderValue{
		header("limit", strconv.FormatInt(l.counter.quota.Most, 10)),
		header("remaining", strconv.FormatInt(l.left, 10)),
		header("reset", wait(l, now).String()),
	}
}

// wait is how long a level lasts, in whole seconds.
func wait(l level, now time.Time) time.Duration {
	return max(time.Second, (l.end.Sub(now) + time.Second - 1).Truncate(time.Second))
}

func metadata(field string, v *structpb.Value) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{field: v}}
}
