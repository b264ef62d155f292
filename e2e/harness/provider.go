package harness

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// Request is what arrived at a provider.
type Request struct {
	Method, Host, Proto string
	URI                 string // path and query as they were sent
	Header              http.Header
	Trailer             http.Header
	Body                []byte
}

// Provider is a provider on the loopback address that keeps what arrives.
type Provider struct {
	URL string // without a slash at the end
	*httptest.Server

	mu       sync.Mutex
	requests []Request
}

// NewProvider serves plain HTTP/1.1. The handler sees the whole body; nil answers 200 with `{"ok":true}`.
func NewProvider(t T, handler http.HandlerFunc) *Provider {
	t.Helper()
	p := provider(t, handler)
	p.Start()
	p.URL = p.Server.URL
	return p
}

// NewTLSProvider serves HTTPS, with HTTP/2 when the client wants it.
func NewTLSProvider(t T, ca *CA, handler http.HandlerFunc) *Provider {
	t.Helper()
	return NewCertificateProvider(t, ca.Certificate(t, "localhost", "127.0.0.1"), handler)
}

// NewCertificateProvider serves HTTPS with a certificate of the test's choice, which may be a bad one.
func NewCertificateProvider(t T, cert tls.Certificate, handler http.HandlerFunc) *Provider {
	t.Helper()
	p := provider(t, handler)
	p.EnableHTTP2 = true
	p.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	p.StartTLS()
	p.URL = p.Server.URL
	return p
}

// NewDemo is the embedded provider on a socket of its own. Its base URL ends in /v1.
func NewDemo(t T, opts demo.Options) *Provider {
	t.Helper()
	p := NewProvider(t, demo.New(opts).ServeHTTP)
	p.URL += "/v1"
	return p
}

func provider(t T, handler http.HandlerFunc) *Provider {
	if handler == nil {
		handler = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	}
	p := &Provider{}
	p.Server = httptest.NewUnstartedServer(p.recorded(handler))
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // broken connections are what tests make
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// recorded keeps a request once its body has arrived, before it is answered. A WebSocket has no body.
func (p *Provider) recorded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it broke off: the test sees that nothing has arrived
		}
		p.mu.Lock()
		p.requests = append(p.requests, Request{r.Method, r.Host, r.Proto, r.RequestURI, r.Header.Clone(), r.Trailer.Clone(), body})
		p.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		next(w, r)
	})
}

// Requests are all since the last Reset.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// Reset forgets the requests.
func (p *Provider) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = nil
}

// Only is the one request since the last Reset; it fails the test when there is another number of them.
func (p *Provider) Only(t T) Request {
	t.Helper()
	all := p.Requests()
	if len(all) != 1 {
		t.Fatalf("%d requests arrived at the provider, want one: %v", len(all), all)
	}
	return all[0]
}

// CA signs the certificates of providers and gateways.
type CA struct {
	Path string // PEM, for CLIENT_TLS_CA_PATH
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority that lasts as long as the test.
func NewCA(t T) *CA {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatalf("authority: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("authority: %v", err)
	}
	ca := &CA{Path: filepath.Join(tempDir(t), "ca.pem"), cert: cert, key: key}
	writePEM(t, ca.Path, "CERTIFICATE", der)
	return ca
}

// Certificate signs one for host names and addresses.
func (ca *CA) Certificate(t T, hosts ...string) tls.Certificate {
	t.Helper()
	return ca.sign(t, time.Now().Add(24*time.Hour), hosts...)
}

// Expired signs a certificate whose time is over.
func (ca *CA) Expired(t T, hosts ...string) tls.Certificate {
	t.Helper()
	return ca.sign(t, time.Now().Add(-time.Minute), hosts...)
}

func (ca *CA) sign(t T, until time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: hosts[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatalf("certificate: %v", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Files writes a certificate and its key, for SERVER_TLS_CERT_PATH and SERVER_TLS_KEY_PATH.
func (ca *CA) Files(t T, hosts ...string) (cert, key string) {
	t.Helper()
	c := ca.Certificate(t, hosts...)
	dir := tempDir(t)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	writePEM(t, cert, "CERTIFICATE", c.Certificate[0])
	writePEM(t, key, "PRIVATE KEY", der)
	return cert, key
}

// Pool trusts the authority.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func newKey(t T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	return key
}

func writePEM(t T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
}
