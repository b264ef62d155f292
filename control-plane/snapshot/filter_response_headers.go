package snapshot

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// browserRules tell a browser to take an answer for data: not to guess its type, to run and embed nothing of it, and to
// show it in no frame. A page of the gateway's own, which needs more, says so itself; a provider's words do not count
// (providerRoute), because what it answers through /proxy would run as a page of the gateway's.
var browserRules = [][2]string{
	{"content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"},
	{"referrer-policy", "no-referrer"},
	{"cross-origin-resource-policy", "same-origin"},
}

const headerMutationName = "envoy.filters.http.header_mutation"

// noSniff is the one that has no exceptions.
const noSniff = "x-content-type-options"

// responseHeadersFilter adds them to every answer. It stands first, so that it sees also what other filters answer.
func responseHeadersFilter(in Input) *hcmv3.HttpFilter {
	set := []*mutationv3.HeaderMutation{addHeader(noSniff, "nosniff", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)}
	for _, h := range browserRules {
		set = append(set, addHeader(h[0], h[1], corev3.HeaderValueOption_ADD_IF_ABSENT))
	}
	if cors := in.Config.Server.CORS; cors.On() && !cors.Any() { // what is said to one origin is not for a cache to say to another
		set = append(set, addHeader("vary", "origin", corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD))
	}
	return filter(headerMutationName, &headermutationv3.HeaderMutation{
		Mutations: &headermutationv3.Mutations{ResponseMutations: set},
	})
}

func addHeader(name, value string, action corev3.HeaderValueOption_HeaderAppendAction) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: action,
	}}}
}
