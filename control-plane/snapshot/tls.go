package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// upstreamTLS verifies that the other side's certificate names its host, against the secret with the roots.
func upstreamTLS(in Input, host, roots string) *corev3.TransportSocket {
	kind, sni := tlsv3.SubjectAltNameMatcher_DNS, host
	if isIP(host) { // an address has no SNI (RFC 6066, 3) and stands in another kind of name
		kind, sni = tlsv3.SubjectAltNameMatcher_IP_ADDRESS, ""
	}
	return transportSocket(&tlsv3.UpstreamTlsContext{
		Sni: sni,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: minimumTLS(in.Config.Client.TLSMinVersion)},
			ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
				CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					DefaultValidationContext: &tlsv3.CertificateValidationContext{
						MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
							SanType: kind,
							Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: host}},
						}},
					},
					ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: roots, SdsConfig: ads()},
				},
			},
		},
	})
}

// downstreamTLS serves the public listener's certificate, and asks clients for theirs when there is an authority for
// those.
func downstreamTLS(t config.ServerTLS) *corev3.TransportSocket {
	c := &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams:                      serverParameters(),
		AlpnProtocols:                  []string{"h2", "http/1.1"},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: serverCertSecret, SdsConfig: ads()}},
	}}
	if t.ClientCA != "" {
		c.RequireClientCertificate = wrapperspb.Bool(t.ClientAuth == config.ClientAuthRequire)
		c.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
			ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: clientCASecret, SdsConfig: ads()},
		}
		// A resumed session would not be looked at again: neither its certificate's end nor a changed authority.
		c.SessionTicketKeysType = &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true}
		c.DisableStatefulSessionResumption = true
	}
	return transportSocket(c)
}

// serverParameters are TLS 1.2 with forward secrecy and authenticated encryption only, and TLS 1.3, whose suites are
// all of that kind. The first curve resists quantum computers and is used by clients that know it.
func serverParameters() *tlsv3.TlsParameters {
	return &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		CipherSuites: []string{
			"[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
			"[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
			"ECDHE-ECDSA-AES256-GCM-SHA384",
			"ECDHE-RSA-AES256-GCM-SHA384",
		},
		EcdhCurves: []string{"X25519MLKEM768", "X25519", "P-256", "P-384"},
	}
}

func transportSocket(c proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(c)},
	}
}

func minimumTLS(name string) tlsv3.TlsParameters_TlsProtocol {
	if name == "TLS13" {
		return tlsv3.TlsParameters_TLSv1_3
	}
	return tlsv3.TlsParameters_TLSv1_2
}

// ads fetches from the control plane over the stream that brought the referring resource.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}
