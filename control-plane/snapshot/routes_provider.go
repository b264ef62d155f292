package snapshot

import (
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// retryHintHeader is written by retryHintFilter and read by retryPolicy.
const retryHintHeader = "x-igw-retry-hint"

// longestRetryAfter is the longest wait that the gateway takes on for its client. A provider that asks for more is
// passed on at once, with its Retry-After, because the client knows better whether to wait.
const longestRetryAfter = 5 * time.Second

// retryBuffer is the largest body that can be sent again. Envoy holds it as long as the answer lasts, so that more than the
// longest conversations would make images and files a matter of gigabytes.
const retryBuffer = 1 << 20

// providerRoute is a route to a provider: nothing of the client's identity goes there, and nothing that is meant for
// a browser on the provider's own site comes back.
func providerRoute(p config.Provider, m *routev3.RouteMatch, action *routev3.RouteAction) *routev3.Route {
	return &routev3.Route{
		Match:                   m,
		Action:                  &routev3.Route_Route{Route: action},
		RequestHeadersToRemove:  withheldHeaders(p),
		RequestHeadersToAdd:     fixedHeaders(p),
		RequestBodyBufferLimit:  wrapperspb.UInt64(retryBuffer),
		ResponseHeadersToRemove: append(corsHeaders(), retryHintHeader, "alt-svc", "content-security-policy", "set-cookie", "strict-transport-security"),
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{{
			// The gateway's own id replaces the provider's; support at the provider asks for theirs.
			Header:       &corev3.HeaderValue{Key: "x-upstream-request-id", Value: "%RESP(x-request-id)%"},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}},
	}
}

func providerAction(in Input, p config.Provider) *routev3.RouteAction {
	c := in.Config.Client
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: providerCluster(p.ID)},
		Timeout:          duration(c.Timeout),
		RetryPolicy:      retryPolicy(c),
	}
	action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: hostHeader(p)}
	setIdleTimeouts(action, c)
	return action
}

// setIdleTimeouts bounds the wait for the first byte and the silence within a stream. Envoy's idle timer covers both
// and is not followed by a retry; only when the first byte has the shorter limit does it need a timer of its own, the
// one for each try, which Envoy ignores once the response has begun.
func setIdleTimeouts(action *routev3.RouteAction, c config.Client) {
	first, silence := c.ResponseHeaderTimeout, c.StreamIdleTimeout
	if first > 0 && (silence == 0 || first < silence) {
		action.RetryPolicy.PerTryTimeout = duration(first)
		action.IdleTimeout = duration(silence)
		return
	}
	if first == 0 || silence == 0 {
		action.IdleTimeout = duration(0)
		return
	}
	action.IdleTimeout = duration(max(first, silence))
}

// retryPolicy tries again what has had no effect: no connection, a reset before the first byte, and 429 or 503 unless
// the provider asks for a longer wait than longestRetryAfter. Envoy never retries after a byte went to the client.
func retryPolicy(c config.Client) *routev3.RetryPolicy {
	most := int(longestRetryAfter / time.Second)
	return &routev3.RetryPolicy{
		RetryOn:    "connect-failure,refused-stream,reset,retriable-headers",
		NumRetries: u32(uint32(c.MaxRetries)),
		RetriableHeaders: []*routev3.HeaderMatcher{
			headerRegex(retryHintHeader, `(429|503)/(-|[0-`+strconv.Itoa(most)+`])?`),
		},
		RetryBackOff: &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: duration(100 * time.Millisecond), MaxInterval: duration(2 * time.Second),
		},
		RateLimitedRetryBackOff: &routev3.RetryPolicy_RateLimitedRetryBackOff{
			ResetHeaders: []*routev3.RetryPolicy_ResetHeader{{Name: "retry-after", Format: routev3.RetryPolicy_SECONDS}},
			MaxInterval:  duration(longestRetryAfter + time.Second),
		},
	}
}

// withheldHeaders stay at the gateway: the caller's credentials, cookies and address.
func withheldHeaders(p config.Provider) []string {
	out := append(internalHeaders(),
		"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie",
		"origin", "referer", // a page's; some providers refuse what comes from one
		"forwarded", "x-envoy-external-address", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
		bypassMCP, bypassA2A, ownHeader, originHeader, shownHeader)
	switch p.Auth.Header {
	case "", "authorization", "x-api-key", "api-key":
	default:
		out = append(out, p.Auth.Header)
	}
	return out
}

// fixedHeaders are those that the provider wants on every request, unless the client has chosen its own value.
func fixedHeaders(p config.Provider) []*corev3.HeaderValueOption {
	var out []*corev3.HeaderValueOption
	for _, h := range p.Headers {
		out = append(out, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.Name, Value: h.Value},
			AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
		})
	}
	return out
}

// hostHeader is what the provider's own clients would send.
func hostHeader(p config.Provider) string {
	if p.URL == nil {
		return p.ID
	}
	return p.URL.Host
}

// basePath is the path of the provider's URL, without a slash at its end. The embedded provider has the usual one.
func basePath(p config.Provider) string {
	if p.URL == nil {
		return "/v1"
	}
	return p.URL.EscapedPath()
}
