package snapshot

import (
	"slices"
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// theProvider stands in a message for the provider whose cluster was in use.
const theProvider = "{provider}"

// localReplies gives every reply that Envoy makes itself the shape and status of the gateway's errors. The first
// mapper that fits decides; replies that already carry such a body (ext_proc's, direct responses) fit none of them.
// Response flags: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
func localReplies(c *config.Config) *hcmv3.LocalReplyConfig {
	// The route has set this header by then. The path says nothing: a provider's route has rewritten it.
	ownPart := matches(headerPresent(ownHeader))
	callers := []*hcmv3.ResponseMapper{
		asItIs(matches(headerPresent(catalog.PolicyHeader))), // in the policy's words, whatever the status
		reply(allOf(flags("UAEX"), status(503)), apierror.Unavailable,
			"the gateway's own part that checks callers is not there: try again in a moment"),
		asItIs(flags("UAEX")), // a refused caller
	}
	return &hcmv3.LocalReplyConfig{Mappers: slices.Concat(callers, tokenReplies(c), []*hcmv3.ResponseMapper{
		reply(status(408), apierror.RequestTimeout, "the request did not arrive in time (SERVER_READ_TIMEOUT)"),
		reply(allOf(flags("UF", "UC", "UR", "LR", "UPE", "UH", "URX"), ownPart), apierror.Unavailable,
			"the gateway's own part that answers this is not there: try again in a moment"),
		reply(allOf(status(504), ownPart), apierror.UpstreamTimeout, "the answer took longer than this gateway allows (SERVER_WRITE_TIMEOUT)"),
		reply(flags("UT", "SI", "DT"), apierror.UpstreamTimeout,
			"provider "+theProvider+" did not answer in time (CLIENT_RESPONSE_HEADER_TIMEOUT, CLIENT_TIMEOUT)"),
		reply(flags("UF"), apierror.UpstreamError, "provider "+theProvider+" cannot be reached: the connection was refused, timed out or failed TLS"),
		reply(flags("UH"), apierror.UpstreamError, "provider "+theProvider+" cannot be reached: its host name does not resolve, or every address fails"),
		reply(flags("UPE"), apierror.UpstreamError, "provider "+theProvider+" sent no valid HTTP, or headers that are too many or too large: do the scheme and the port of its URL fit?"),
		reply(flags("UC", "UR", "LR", "URX"), apierror.UpstreamError, "provider "+theProvider+" broke the connection off before it answered"),
		reply(oneOf(flags("UO", "OM"), detailsAre("overload")), apierror.Overloaded, "the gateway is overloaded: try again in a moment"),
		reply(allOf(status(429), metadataMissing(limits.Namespace, limits.RefusedField)), apierror.RateLimited,
			"too many requests: a limit of this gateway is reached, Retry-After says for how many seconds"),
		reply(flags("RLSE"), apierror.Unavailable, "the gateway cannot check its limits at the moment: try again"),
		reply(oneOf(flags("NR"), because("absolute_path_rejected")), apierror.NotFound, "no such endpoint"),
		reply(flags("NC"), apierror.Unavailable, reconfigured), // its cluster has gone before its route
		reply(status(426), apierror.InvalidRequest, "HTTP/1.0 is not served: use HTTP/1.1 or HTTP/2 (in nginx: proxy_http_version 1.1)"),
		// In the midst of a body the flag is not set yet; only the reason tells it from a 400 of the gateway's own.
		reply(oneOf(flags("DPE"), allOf(status(400), because("http1."))), apierror.InvalidRequest, "the request is not valid HTTP"),
		reply(allOf(status(400), matches(headerRegex(":path", `.*#.*|[^?]*%00.*`))), apierror.InvalidRequest,
			"the path has a null byte, or the fragment of a URL (#…)"),
		// What is not HTTP at all has no path; every other 400 is ext_proc's or a direct response's.
		reply(allOf(status(400), matches(headerAbsent(":path"))), apierror.InvalidRequest, "the request is not valid HTTP"),
		reply(allOf(status(400), matches(headerAbsent(":authority"))), apierror.InvalidRequest, "the request has no Host header"),
		reply(status(431), apierror.HeadersTooLarge, "the request's headers are too many or too large"),
		// The buffer filter's; ext_proc says the same.
		reply(status(413), apierror.BodyTooLarge, "the request body is larger than "+strconv.FormatInt(c.Server.MaxRequestBodySize, 10)+" bytes (SERVER_MAX_REQUEST_BODY_SIZE)"),
		reply(status(501), apierror.InvalidRequest, "the request's transfer-encoding is not supported"),
		// A refused upgrade is seen by no route: every other 403 has its own body.
		reply(allOf(status(403), detailsAre("upgrade_failed")), apierror.InvalidRequest,
			"this cannot be upgraded: WebSockets are opened by GET below /proxy/"),
		reply(status(504), apierror.UpstreamTimeout, "the answer of provider "+theProvider+" took longer than this gateway allows (SERVER_WRITE_TIMEOUT, CLIENT_TIMEOUT)"),
		asItIs(detailsAre(apierror.DetailsPrefix + string(apierror.Overloaded))), // ext_proc's, when it holds too much
		reply(status(503), apierror.Unavailable, "the gateway cannot take model requests at the moment: try again"),
		reply(status(500), apierror.Internal, "internal error of the gateway"),
	})}
}

// reply answers what f matches with an error of the table.
func reply(f *accesslogv3.AccessLogFilter, kind apierror.Kind, message string) *hcmv3.ResponseMapper {
	e := apierror.New(kind, "%s", message)
	body := strings.ReplaceAll(string(e.Body()), "%", "%%")
	body = strings.ReplaceAll(body, theProvider, "%METADATA(CLUSTER:"+metadataNamespace+":provider)%")
	return &hcmv3.ResponseMapper{
		Filter:       f,
		StatusCode:   u32(uint32(e.Status())),
		HeadersToAdd: replyHeaders(),
		BodyFormatOverride: &corev3.SubstitutionFormatString{
			Format:      &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline(body)},
			ContentType: "application/json",
		},
	}
}

// replyHeaders are for the replies that are made before there are filters (responseHeadersFilter), or before the request
// has its id.
func replyHeaders() []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{
		setHeader(noSniff, "nosniff"),
		{Header: &corev3.HeaderValue{Key: "x-request-id", Value: "%UNIQUE_ID%"}, AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT},
	}
}

// asItIs leaves a reply alone that has its body already.
func asItIs(f *accesslogv3.AccessLogFilter) *hcmv3.ResponseMapper {
	return &hcmv3.ResponseMapper{Filter: f}
}

// detailsAre matches the response code details, which say why Envoy made a reply.
func detailsAre(words string) *accesslogv3.AccessLogFilter {
	return detailed(" == '" + words + "'")
}

func flags(names ...string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: names},
	}}
}

func status(code uint32) *accesslogv3.AccessLogFilter {
	return compareStatus(accesslogv3.ComparisonFilter_EQ, code)
}

func compareStatus(op accesslogv3.ComparisonFilter_Op, code uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op: op, Value: &corev3.RuntimeUInt32{DefaultValue: code, RuntimeKey: "igw.unused"},
		}},
	}}
}

// matches looks at a header of the request.
func matches(m *routev3.HeaderMatcher) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{
		HeaderFilter: &accesslogv3.HeaderFilter{Header: m},
	}}
}

// metadataMissing looks at what a filter has said about a request.
func metadataMissing(namespace, field string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_MetadataFilter{
		MetadataFilter: &accesslogv3.MetadataFilter{
			Matcher: &matcherv3.MetadataMatcher{
				Filter: namespace,
				Path:   []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: field}}},
				Value:  &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_BoolMatch{BoolMatch: false}},
			},
			MatchIfKeyNotFound: yes(),
		},
	}}
}

// because matches response code details that begin with these words.
func because(reason string) *accesslogv3.AccessLogFilter {
	return detailed(".startsWith('" + reason + "')")
}

// detailed holds the response code details to what the rest of a CEL expression says of them.
func detailed(rest string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name:       "envoy.access_loggers.extension_filters.cel",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: pack(&celv3.ExpressionFilter{Expression: "response.code_details" + rest})},
		},
	}}
}

func oneOf(filters ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if len(filters) == 1 { // Envoy wants two
		return filters[0]
	}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_OrFilter{
		OrFilter: &accesslogv3.OrFilter{Filters: filters},
	}}
}

func allOf(filters ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: filters},
	}}
}
