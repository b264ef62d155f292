package snapshot

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// earlyHeaders removes what only the gateway or Envoy may say, before a route is chosen; only then may something be
// said. Of x-envoy- headers Envoy drops those that it knows by itself, since it trusts no address; providers get none of
// the others either.
func earlyHeaders(in Input) *corev3.TypedExtensionConfig {
	mutations := []*mutationv3.HeaderMutation{
		removePrefix(catalog.InternalHeaderPrefix),
		removePrefix("x-envoy-"),
	}
	if in.Config.Server.TLS.ClientCA != "" {
		mutations = append(mutations, certificateCaller()...)
	}
	mutations = append(mutations, originOf(in.Config)...)
	return &corev3.TypedExtensionConfig{
		Name:        "envoy.http.early_header_mutation.header_mutation",
		TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: mutations}),
	}
}

// certificateCaller names the caller after its verified certificate: the URI in it, else the host name, else the
// subject, else its fingerprint: nobody with a certificate is nobody. It takes two steps, because a prefix would make a
// header also of a certificate that is not there.
func certificateCaller() []*mutationv3.HeaderMutation {
	name := `%COALESCE({"operators":["DOWNSTREAM_PEER_URI_SAN","DOWNSTREAM_PEER_DNS_SAN","DOWNSTREAM_PEER_SUBJECT","DOWNSTREAM_PEER_FINGERPRINT_256"]})%`
	return []*mutationv3.HeaderMutation{
		addHeader(catalog.CallerHeader, name, corev3.HeaderValueOption_ADD_IF_ABSENT),
		addHeader(catalog.CallerHeader, "cert:%REQ("+catalog.CallerHeader+")%", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS),
	}
}

func removePrefix(prefix string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
			KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}},
		},
	}}
}
