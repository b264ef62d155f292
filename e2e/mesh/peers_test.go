package mesh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// workload is the certificate that istiod signs for a service account.
func (w *world) workload(t harness.T, namespace, account string) tls.Certificate {
	t.Helper()
	return w.mesh.Issue(t, "", withURI(spiffe(namespace, account)))
}

// as is a client with a workload's certificate.
func (l *listener) as(t *testing.T, namespace, account string) *http.Client {
	t.Helper()
	return mutual(t, l.world.workload(t, namespace, account))
}

// withoutIdentity is a client with a certificate of the mesh that names nobody.
func (l *listener) withoutIdentity(t *testing.T) *http.Client {
	t.Helper()
	return mutual(t, l.world.mesh.Issue(t, "ztunnel", nil))
}

func mutual(t *testing.T, cert tls.Certificate) *http.Client {
	t.Helper()
	client := harness.NewClient(t)
	client.Timeout = patience
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig.Certificates = []tls.Certificate{cert}
	transport.TLSClientConfig.ServerName = "api.openai.com" // as sidecars say by the DestinationRule
	transport.ForceAttemptHTTP2 = true
	return client
}

// issuer signs the tokens of users.
var issuer = newIssuer()

type tokens struct {
	key  *ecdsa.PrivateKey
	jwks []byte
}

func newIssuer() tokens {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		panic(err)
	}
	return tokens{key, jwks}
}

// token is one with these claims beside issuer and expiry.
func (i tokens) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": "https://issuer.example.com", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	payload, _ := json.Marshal(all)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "one"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + text
}
