package security

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// secure is a gateway with a certificate, which clients need not have.
type secure struct {
	*harness.Gateway
	ca *harness.CA
}

var theSecure = harness.Shared(func(t harness.T) *secure {
	s := &secure{ca: harness.NewCA(t)}
	cert, key := s.ca.Files(t, "localhost", "127.0.0.1")
	s.Gateway = harness.Start(t, harness.Env{"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key})
	return s
})

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	g := theSecure(t)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		c, err := tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if err == nil {
			_ = c.Close()
		}
		assert.ErrorContains(t, err, "protocol version", tls.VersionName(version))
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, err := tls.Dial("tcp", g.Addr, &tls.Config{RootCAs: g.ca.Pool(), MinVersion: version, MaxVersion: version})
		require.NoError(t, err, tls.VersionName(version))
		assert.Equal(t, version, c.ConnectionState().Version)
		_ = c.Close()
	}
}

// Everything that Go still knows and calls insecure, and what has neither forward secrecy nor authenticated encryption.
func TestWeakCiphersAreRefused(t *testing.T) {
	g := theSecure(t)
	weak := tls.InsecureCipherSuites()
	for _, s := range tls.CipherSuites() {
		switch s.ID {
		case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
			c, err := tls.Dial("tcp", g.Addr, &tls.Config{RootCAs: g.ca.Pool(), MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{s.ID}})
			require.NoError(t, err, s.Name)
			_ = c.Close()
		case tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:
			weak = append(weak, s)
		}
	}
	require.Greater(t, len(weak), 5)
	for _, s := range weak {
		c, err := tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{s.ID}})
		if err == nil {
			_ = c.Close()
		}
		assert.Error(t, err, s.Name)
	}
}

// The hybrid of X25519 and ML-KEM is used by whoever knows it; who does not gets an ordinary curve.
func TestKeyExchangeResistsQuantumComputers(t *testing.T) {
	g := theSecure(t)
	for want, offer := range map[tls.CurveID][]tls.CurveID{
		tls.X25519MLKEM768: nil, tls.X25519: {tls.X25519, tls.CurveP256}, tls.CurveP256: {tls.CurveP256},
	} {
		c, err := tls.Dial("tcp", g.Addr, &tls.Config{RootCAs: g.ca.Pool(), CurvePreferences: offer})
		require.NoError(t, err, want)
		assert.Equal(t, want, c.ConnectionState().CurveID)
		_ = c.Close()
	}
}

// There is one certificate: who names no host or another one gets it too, and judges it.
func TestTheNameThatAClientAsksForChangesNothing(t *testing.T) {
	g := theSecure(t)
	for _, name := range []string{"", "localhost", "other.example", "gateway-extproc"} {
		r, err := g.Try(t, client(t, func(c *tls.Config) { c.ServerName = name }), http.MethodPost, "/v1/chat/completions", hello)
		require.NoError(t, err, name)
		assert.Equal(t, http.StatusOK, r.Status, name)
		assert.Equal(t, "HTTP/2.0", r.Proto)
	}
	_, err := tls.Dial("tcp", g.Addr, &tls.Config{RootCAs: g.ca.Pool(), ServerName: "other.example"})
	assert.ErrorContains(t, err, "other.example")
}

// Plain HTTP on the port of HTTPS is not answered at all.
func TestPlainHTTPIsNotSpokenThere(t *testing.T) {
	c := theSecure(t).Dial(t)
	c.Send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	assert.Nil(t, c.Receive("GET"))
}
