package mesh

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"path/filepath"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// agent gives proxies their secrets, as Istio's agent does beside each: a certificate of the workload, and whom to trust.
type agent struct {
	secretv3.UnimplementedSecretDiscoveryServiceServer
	t               *testing.T
	mesh, providers *harness.CA
}

// serveSecrets gives the socket.
func serveSecrets(t *testing.T, dir string, mesh, providers *harness.CA) string {
	t.Helper()
	path := filepath.Join(dir, "sds.sock")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	server := grpc.NewServer()
	secretv3.RegisterSecretDiscoveryServiceServer(server, &agent{t: t, mesh: mesh, providers: providers})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return path
}

// StreamSecrets answers each first question; there is nothing new later.
func (a *agent) StreamSecrets(stream secretv3.SecretDiscoveryService_StreamSecretsServer) error {
	node := ""
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		if id := request.GetNode().GetId(); id != "" {
			node = id
		}
		if request.GetResponseNonce() != "" {
			continue
		}
		response := &discoveryv3.DiscoveryResponse{VersionInfo: "1", Nonce: "1", TypeUrl: request.GetTypeUrl()}
		for _, name := range request.GetResourceNames() {
			packed, err := anypb.New(a.secret(name, node))
			if err != nil {
				return err
			}
			response.Resources = append(response.Resources, packed)
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

func (a *agent) secret(name, node string) *tlsv3.Secret {
	trusted := func(ca *harness.CA) *tlsv3.Secret {
		return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: ca.Path}},
		}}}
	}
	switch {
	case name == "ROOTCA":
		return trusted(a.mesh)
	case strings.HasPrefix(name, "file-root:"): // of this machine
		return trusted(a.providers)
	}
	account, namespace, _ := strings.Cut(strings.Split(node, "~")[2], ".")
	cert := a.mesh.Issue(a.t, "", withURI(spiffe(namespace, account)))
	chain, key := pems(cert)
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: chain}},
		PrivateKey:       &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: key}},
	}}}
}

func pems(c tls.Certificate) (chain, key []byte) {
	der, _ := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
