package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
)

const (
	rootsSecret      = "provider-roots"
	serverCertSecret = "server-certificate"
)

func keySecret(id string) string { return "key/" + id }

// secrets are the providers' keys, the roots and the server's certificate. This is the only place where a key is
// revealed; Envoy shows secrets as [redacted].
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
	out = append(out, &tlsv3.Secret{
		Name: rootsSecret,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: file(in.RootsPath)}},
	})
	if s := in.Config.Server; s.TLSCertPath != "" {
		out = append(out, &tlsv3.Secret{
			Name: serverCertSecret,
			Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
				CertificateChain: file(s.TLSCertPath), PrivateKey: file(s.TLSKeyPath),
			}},
		})
	}
	return out
}

func inline(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}
