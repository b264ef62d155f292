package link

import (
	"fmt"
	"net"
	"path/filepath"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Remote is what an Envoy on another machine must know of the link.
type Remote struct {
	Host         string // of the gateway, as Envoy connects to it and as its certificate names it
	Port         uint32
	LoopbackHost string // an IP address, on which Envoy listens for the gateway
	LoopbackPort uint32
	// Dir is a directory on Envoy's machine. The files that Secrets gives are in it.
	Dir string
}

const (
	certificateSecret = "control-certificate"
	authoritiesSecret = "control-authorities"
)

// Files are the paths of Envoy's own certificate, key and authorities, on Envoy's machine.
type Files struct {
	Certificate, Key, Authorities string
}

// Upstream is Envoy's end of a connection to one of the gateway's services.
func (r Remote) Upstream(service string) *corev3.TransportSocket {
	return socket(&tlsv3.UpstreamTlsContext{Sni: service, CommonTlsContext: r.common()})
}

// Downstream is Envoy's end of a connection that the gateway opens. Nobody else may.
func (r Remote) Downstream() *corev3.TransportSocket {
	return socket(&tlsv3.DownstreamTlsContext{
		CommonTlsContext:                 r.common(),
		RequireClientCertificate:         wrapperspb.Bool(true),
		SessionTicketKeysType:            &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true},
		DisableStatefulSessionResumption: true,
	})
}

// common shows Envoy's certificate, and takes only one that names the gateway.
func (r Remote) common() *tlsv3.CommonTlsContext {
	kind := tlsv3.SubjectAltNameMatcher_DNS
	if net.ParseIP(r.Host) != nil {
		kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	}
	return &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{
			TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{r.secret(certificateSecret)},
		ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: &tlsv3.CertificateValidationContext{
					MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
						SanType: kind,
						Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: r.Host}},
					}},
				},
				ValidationContextSdsSecretConfig: r.secret(authoritiesSecret),
			},
		},
	}
}

// secret refers to a file of Secrets: only secrets that come so are read again when their files are renewed.
func (r Remote) secret(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{
			Path: r.secretPath(name),
		}},
	}}
}

func (r Remote) secretPath(name string) string { return filepath.Join(r.Dir, name+".json") }

// Secrets are the files that tell Envoy where its certificate, key and authorities are: content by path. They hold no
// secret themselves.
func (r Remote) Secrets(f Files) (map[string][]byte, error) {
	pair := &tlsv3.TlsCertificate{CertificateChain: file(f.Certificate), PrivateKey: file(f.Key)}
	if filepath.Dir(f.Certificate) == filepath.Dir(f.Key) { // sees symlinks being swapped, which watching the files does not
		pair.WatchedDirectory = directory(f.Certificate)
	}
	out := map[string][]byte{}
	for _, s := range []*tlsv3.Secret{
		{Name: certificateSecret, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: pair}},
		{Name: authoritiesSecret, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: file(f.Authorities), WatchedDirectory: directory(f.Authorities),
		}}},
	} {
		packed, err := anypb.New(s)
		if err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
		text, err := protojson.MarshalOptions{Multiline: true}.Marshal(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{packed}})
		if err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
		out[r.secretPath(s.GetName())] = text
	}
	return out, nil
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

func directory(path string) *corev3.WatchedDirectory {
	return &corev3.WatchedDirectory{Path: filepath.Dir(path)}
}

// socket packs one of the contexts above. An empty Any is what Envoy would refuse, loudly, if that ever failed.
func socket(c proto.Message) *corev3.TransportSocket {
	packed, err := anypb.New(c)
	if err != nil {
		packed = &anypb.Any{}
	}
	return &corev3.TransportSocket{
		Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed},
	}
}
