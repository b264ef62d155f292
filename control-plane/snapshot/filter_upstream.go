package snapshot

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	credentialv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	genericv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// upstreamFilters run in a provider's cluster, anew for each attempt, in this order. The last one sends the request.
func upstreamFilters(p config.Provider) []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{retryHintFilter()}
	if p.Auth.Header != "" && p.Key != "" {
		filters = append(filters, credentialFilter(p))
	}
	return append(filters, filter("envoy.filters.http.upstream_codec", &codecv3.UpstreamCodec{}))
}

// credentialFilter adds the provider's key. The key itself is a secret (secrets.go): neither this configuration nor a
// dump of it holds the key.
func credentialFilter(p config.Provider) *hcmv3.HttpFilter {
	return filter("envoy.filters.http.credential_injector", &credentialv3.CredentialInjector{
		Overwrite: true,
		Credential: &corev3.TypedExtensionConfig{
			Name: "envoy.http.injected_credentials.generic",
			TypedConfig: pack(&genericv3.Generic{
				Credential: &tlsv3.SdsSecretConfig{Name: keySecret(p.ID), SdsConfig: ads()},
				Header:     p.Auth.Header,
			}),
		},
	})
}

// retryHintFilter writes status and Retry-After side by side into one response header, because Envoy's retry policy
// can match headers but not "this status and that header". See retryPolicy; the route removes the header again.
func retryHintFilter() *hcmv3.HttpFilter {
	return filter(headerMutationName, &headermutationv3.HeaderMutation{
		Mutations: &headermutationv3.Mutations{ResponseMutations: []*mutationv3.HeaderMutation{
			addHeader(retryHintHeader, "%RESP(:status)%/%RESP(retry-after)%", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD),
		}},
	})
}
