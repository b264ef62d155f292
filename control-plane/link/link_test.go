package link

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert, key}
}

// issue gives a certificate for a host name, good for both ends unless it is changed.
func (a authority) issue(t *testing.T, host string, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

func (a authority) material(t *testing.T, c tls.Certificate, peers ...string) Material {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(t, err)
	return Material{
		Chain:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		Authorities: a.pem(), Peers: peers,
	}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// output collects the log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// port is a Listener whose services answer with their names.
type port struct {
	*Listener
	identity *Identity
	log      *output
}

func serve(t *testing.T, m Material, names ...string) *port {
	t.Helper()
	identity, err := NewIdentity(m)
	require.NoError(t, err)
	p := &port{identity: identity, log: &output{}}
	p.Listener, err = Listen("127.0.0.1:0", identity, slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, name := range names {
		s := p.Service(name)
		t.Cleanup(func() { _ = s.Close() })
		running.Go(func() {
			for {
				c, err := s.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, name)
				_ = c.Close()
			}
		})
	}
	running.Go(func() { assert.NoError(t, p.Serve(ctx)) })
	t.Cleanup(func() {
		cancel()
		for _, s := range p.services {
			s.end()
		}
		running.Wait()
	})
	return p
}

// ask connects for a service and reads what it says.
func ask(p *port, set *tls.Config) (string, error) {
	c, err := tls.Dial("tcp", p.Addr().String(), set)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	said, err := io.ReadAll(c)
	return string(said), err
}

func TestAPeerGetsTheServiceThatItAsksFor(t *testing.T) {
	ca := newAuthority(t)
	p := serve(t, ca.material(t, ca.issue(t, "gateway.example", nil), "envoy.example", "spiffe://example/envoy", "10.0.0.9"), "xds", "extproc")
	spiffe, err := url.Parse("spiffe://example/envoy")
	require.NoError(t, err)
	for _, peer := range []tls.Certificate{
		ca.issue(t, "envoy.example", nil),
		ca.issue(t, "Envoy.Example", nil),
		ca.issue(t, "x", func(c *x509.Certificate) { c.URIs = []*url.URL{spiffe} }),
		ca.issue(t, "x", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 9)} }),
	} {
		for _, name := range []string{"xds", "extproc"} {
			said, err := ask(p, &tls.Config{Certificates: []tls.Certificate{peer}, ServerName: name, InsecureSkipVerify: true})
			require.NoError(t, err)
			assert.Equal(t, name, said)
		}
	}
}

func TestAStrangerGetsNothing(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	p := serve(t, ca.material(t, ca.issue(t, "gateway.example", nil), "envoy.example"), "xds")
	good := ca.issue(t, "envoy.example", nil)
	insist := func(c tls.Certificate) *tls.Config {
		return &tls.Config{
			ServerName: "xds", InsecureSkipVerify: true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil },
		}
	}
	old := insist(good)
	old.MaxVersion = tls.VersionTLS12
	elsewhere := insist(good)
	elsewhere.ServerName = "admin"
	nameless := insist(good)
	nameless.ServerName = ""
	for name, set := range map[string]*tls.Config{
		"no certificate":    {ServerName: "xds", InsecureSkipVerify: true},
		"another authority": insist(other.issue(t, "envoy.example", nil)),
		"expired":           insist(ca.issue(t, "envoy.example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })),
		"another name":      insist(ca.issue(t, "app.example", nil)),
		"for servers only":  insist(ca.issue(t, "envoy.example", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })),
		"TLS 1.2":           old,
		"no such service":   elsewhere,
		"no service at all": nameless,
	} {
		said, err := ask(p, set)
		assert.Empty(t, said, name)
		if set != elsewhere && set != nameless { // these are hung up on
			assert.Error(t, err, name)
		}
	}
	c, err := net.Dial("tcp", p.Addr().String())
	require.NoError(t, err)
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	_, err = io.ReadAll(c)
	_ = err // an alert or a reset: it ends, which is what is wanted
	_ = c.Close()

	assert.Contains(t, p.log.String(), "level=WARN msg=\"control: a connection was refused\"")
	assert.NotContains(t, p.log.String(), "PRIVATE")
	said, err := ask(p, insist(good))
	require.NoError(t, err)
	assert.Equal(t, "xds", said, "the others are served on")
}

func TestThePeerVerifiesTheGateway(t *testing.T) {
	ca := newAuthority(t)
	p := serve(t, ca.material(t, ca.issue(t, "gateway.example", nil), "envoy.example"), "xds")
	c, err := tls.Dial("tcp", p.Addr().String(), &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "envoy.example", nil)}, ServerName: "gateway.example", RootCAs: ca.pool(),
	})
	require.NoError(t, err, "its certificate names it")
	_ = c.Close()
}

// New material holds from the next connection on, and bad material changes nothing.
func TestRenewedMaterial(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	p := serve(t, old.material(t, old.issue(t, "gateway.example", nil), "envoy.example"), "xds")
	as := func(a authority) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{a.issue(t, "envoy.example", nil)}, ServerName: "xds", InsecureSkipVerify: true}
	}
	said, err := ask(p, as(old))
	require.NoError(t, err)
	require.Equal(t, "xds", said)

	good := next.material(t, next.issue(t, "gateway.example", nil), "envoy.example")
	for name, change := range map[string]func(*Material){
		"another key":  func(m *Material) { m.Key = old.material(t, old.issue(t, "x", nil)).Key },
		"no authority": func(m *Material) { m.Authorities = "none" },
		"no peers":     func(m *Material) { m.Peers = nil },
	} {
		bad := good
		change(&bad)
		err := p.identity.Update(bad)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "PRIVATE", name)
		said, err = ask(p, as(old))
		require.NoError(t, err, name)
		assert.Equal(t, "xds", said, name)
	}
	require.NoError(t, p.identity.Update(good))
	said, err = ask(p, as(next))
	require.NoError(t, err)
	assert.Equal(t, "xds", said)
	_, err = ask(p, as(old))
	assert.Error(t, err)
}

// The gateway's own connections: whoever answers must be an Envoy, and sees the gateway's certificate.
func TestDial(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	identity, err := NewIdentity(ca.material(t, ca.issue(t, "gateway.example", nil), "envoy.example"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		server tls.Certificate
		good   bool
	}{
		"an Envoy":          {ca.issue(t, "envoy.example", nil), true},
		"another name":      {ca.issue(t, "app.example", nil), false},
		"another authority": {other.issue(t, "envoy.example", nil), false},
		"expired":           {ca.issue(t, "envoy.example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), false},
		"for clients only": {ca.issue(t, "envoy.example", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{tt.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
			})
			require.NoError(t, err)
			names := make(chan []string, 1)
			go func() {
				defer close(names)
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = c.Close() }()
				if s := c.(*tls.Conn); s.Handshake() == nil {
					names <- append(s.ConnectionState().PeerCertificates[0].DNSNames, s.ConnectionState().ServerName)
				}
			}()
			c, err := Dialer{Address: l.Addr().String(), Identity: identity}.Dial(t.Context())
			if tt.good {
				require.NoError(t, err)
				assert.Equal(t, []string{"gateway.example", LoopbackService}, <-names)
				_ = c.Close()
			} else {
				require.Error(t, err)
			}
			_ = l.Close()
			<-names
		})
	}
}
