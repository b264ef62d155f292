package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
)

const (
	rootsSecret       = "provider-roots"
	serverCertSecret  = "server-certificate"
	clientCASecret    = "client-authorities"
	issuerRootsSecret = "issuer-roots"
)

func keySecret(id string) string { return "key/" + id }

// secrets are the providers' keys, the roots, the server's certificate and its clients' authorities. Their content
// travels, not their files' names: what Envoy gets is what was checked, wherever it runs and whenever it asks. This is
// the only place where Envoy is given a provider's key; it shows secrets as [redacted].
func secrets(in Input) []cachetypes.Resource {
	var out []cachetypes.Resource
	for _, p := range in.Config.Ready() {
		if p.Auth.Header == "" || p.Key == "" {
			continue
		}
		out = append(out, &tlsv3.Secret{
			Name: keySecret(p.ID),
			Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
				Secret: inline(p.Auth.Prefix + p.Key.Reveal()),
			}},
		})
	}
	roots := file(in.RootsPath)
	if in.Config.Client.TLSCA != "" {
		roots = inline(in.Config.Client.TLSCA)
	}
	out = append(out, authoritiesSecret(rootsSecret, roots))
	if ca := in.Config.Auth.CA; in.Config.Auth.Enabled && ca != "" {
		out = append(out, authoritiesSecret(issuerRootsSecret, inline(ca)))
	}
	out = append(out, loginSecrets(in)...)
	if t := in.Config.Server.TLS; t.Enabled() {
		out = append(out, &tlsv3.Secret{
			Name: serverCertSecret,
			Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
				CertificateChain: inline(t.Pair.Cert), PrivateKey: inline(t.Pair.Key.Reveal()),
			}},
		})
		if t.ClientCA != "" {
			out = append(out, authoritiesSecret(clientCASecret, inline(t.ClientCA)))
		}
	}
	return out
}

// authoritiesSecret is a bundle of certificates to trust.
func authoritiesSecret(name string, bundle *corev3.DataSource) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: bundle}},
	}
}

func inline(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}
