package snapshot

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	aiv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ai_protocol_manager/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	protocolv3 "github.com/envoyproxy/go-control-plane/envoy/type/ai/v3"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	usageName      = "envoy.filters.http.ai_protocol_manager"
	usageNamespace = "igw.usage"
	usageRecord    = "metadata.typed_filter_metadata['" + usageNamespace + "']"
	// usedTokens is one more than what an answer took, input and output, or what the provider calls the total
	// (embeddings have no output); 0 when the answer does not say.
	usedTokens = "%CEL('" + usageNamespace + "' in metadata.typed_filter_metadata ? (" +
		"has(" + usageRecord + ".total_tokens) ? " + usageRecord + ".total_tokens + 1u : " +
		"has(" + usageRecord + ".provider_total_tokens) ? " + usageRecord + ".provider_total_tokens + 1u : 0u) : 0u)%"
	// mostEvents is how many events of one stream are looked at.
	mostEvents = 1 << 20
)

// usageFilter reads what a provider says of the tokens of an answer, JSON or SSE, in any of its dialects, while the answer
// passes: it holds nothing back and cannot break it. Envoy calls it work in progress, so this is the only place that
// knows it. (json_to_metadata would hold a JSON answer, and turn a large one into a 500.)
func usageFilter() *hcmv3.HttpFilter {
	return filter(usageName, &aiv3.AiProtocolManager{ResponseHandling: &aiv3.ResponseHandling{
		TokenUsage: &aiv3.TokenUsageExtraction{
			MetadataNamespace: usageNamespace,
			Limits:            &aiv3.TokenUsageExtractionLimits{MaxParsedSseEvents: u32(mostEvents)},
		},
	}})
}

// countUsage has the filter look at a route's answers.
func countUsage(r *routev3.Route) {
	setFilter(r, usageName, pack(&aiv3.AiProtocolManagerPerRoute{Response: &aiv3.ResponsePerRoute{LlmProtocol: protocolOf(endpointOf(r))}}))
	plainAnswers(r)
}

// protocolOf is how an endpoint's answers look. Behind /proxy/ the filter finds out.
func protocolOf(e catalog.Endpoint) protocolv3.LLMProtocol {
	switch e {
	case catalog.ChatCompletions, catalog.Completions, catalog.Embeddings:
		return protocolv3.LLMProtocol_OPENAI_CHAT_COMPLETIONS
	case catalog.Responses:
		return protocolv3.LLMProtocol_OPENAI_RESPONSES
	case catalog.Messages:
		return protocolv3.LLMProtocol_ANTHROPIC_MESSAGES
	}
	return protocolv3.LLMProtocol_LLM_PROTOCOL_UNSPECIFIED
}
