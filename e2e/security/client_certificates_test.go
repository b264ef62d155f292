package security

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// mutual starts a gateway that asks clients for certificates of an authority.
func mutual(t *testing.T, clients *harness.CA, more ...string) *harness.Gateway {
	t.Helper()
	cert, key := harness.NewCA(t).Files(t, "localhost", "127.0.0.1")
	return harness.Start(t, harness.Env{
		"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key, "SERVER_TLS_CLIENT_CA_PATH": clients.Path,
	}.With(more...))
}

func with(c tls.Certificate) func(*tls.Config) {
	return func(config *tls.Config) { config.Certificates = []tls.Certificate{c} }
}

// insists sends its certificate whatever the server says that it wants.
func insists(c tls.Certificate) func(*tls.Config) {
	return func(config *tls.Config) {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	}
}

func TestClientCertificates(t *testing.T) {
	clients, strangers := harness.NewCA(t), harness.NewCA(t)
	named := func(uris, hosts []string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.DNSNames = hosts
			for _, u := range uris {
				parsed, err := url.Parse(u)
				require.NoError(t, err)
				c.URIs = append(c.URIs, parsed)
			}
		}
	}
	nameless := clients.Issue(t, "", func(c *x509.Certificate) { c.EmailAddresses = []string{"root@example"} })
	digest := sha256.Sum256(nameless.Certificate[0])
	callers := []struct {
		name, want string
		cert       tls.Certificate
	}{
		{"a-uri", "cert:spiffe://example/app", clients.Issue(t, "app", named([]string{"spiffe://example/app"}, []string{"app.example"}))},
		{"a-host", "cert:app.example", clients.Issue(t, "app", named(nil, []string{"app.example"}))},
		{"a-subject", "cert:CN=app", clients.Issue(t, "app", nil)},
		{"a-strange-subject", `cert:CN=a\0D\0Ax-igw-groups: b`, clients.Issue(t, "a\r\nx-igw-groups: b", nil)},
		{"no-name", "cert:" + hex.EncodeToString(digest[:]), nameless},
	}
	bad := map[string]tls.Certificate{
		"expired":       clients.Issue(t, "app", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
		"not yet valid": clients.Issue(t, "app", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }),
		"foreign":       strangers.Issue(t, "app", nil),
		"for servers":   clients.Issue(t, "app", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	}
	for _, kind := range []string{"require", "optional"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := mutual(t, clients, "SERVER_TLS_CLIENT_AUTH", kind)
			for _, c := range callers {
				// A client that says who it is, in every way that it can think of, is not believed.
				r, err := g.Try(t, client(t, with(c.cert)), http.MethodPost, "/v1/chat/completions", hello, "X-Request-Id: "+c.name,
					"X-Igw-Caller: key:admin", "x-igw-caller: cert:root", "X-Forwarded-Client-Cert: Subject=\"CN=root\"", "X-Igw-Groups: admins")
				require.NoError(t, err, c.name)
				assert.Equal(t, http.StatusOK, r.Status, "%s: %s", c.name, r)
			}
			for name, cert := range bad {
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					config := &tls.Config{InsecureSkipVerify: true, MaxVersion: version}
					insists(cert)(config)
					err := handshake(g.Addr, config)
					var refused *net.OpError
					if assert.ErrorAs(t, err, &refused, "%s: %s", name, tls.VersionName(version)) {
						assert.Equal(t, "remote error", refused.Op, "%s: %v", name, err)
					}
				}
			}
			if kind == "require" {
				assert.ErrorContains(t, handshake(g.Addr, &tls.Config{InsecureSkipVerify: true}), "certificate required")
			} else {
				r, err := g.Try(t, client(t, nil), http.MethodPost, "/v1/chat/completions", hello, "X-Request-Id: nobody", "X-Igw-Caller: key:admin")
				require.NoError(t, err)
				assert.Equal(t, http.StatusOK, r.Status)
			}
			check := harness.Run(t, g.Env().With("SERVER_PORT", port(g.Addr)), "healthcheck")
			assert.Zero(t, check.Code, check.Stderr)

			assert.Zero(t, g.Stop(t))
			logged := map[string]string{}
			for _, line := range strings.Split(g.Stdout.String(), "\n") {
				var entry struct {
					Caller string `json:"caller"`
					ID     string `json:"request_id"`
				}
				if json.Unmarshal([]byte(line), &entry) == nil && entry.ID != "" {
					logged[entry.ID] = entry.Caller
				}
			}
			for _, c := range callers {
				assert.Equal(t, c.want, logged[c.name], c.name)
			}
			assert.Empty(t, logged["nobody"])
		})
	}
}

// Where keys are in use, a certificate alone lets nobody in: it may be that of a proxy, which many stand behind.
func TestACertificateAloneIsNoKey(t *testing.T) {
	t.Parallel()
	const key = "igw-KEYMARKER-of-the-caller-01234567890123456789"
	sum := sha256.Sum256([]byte(key))
	file := filepath.Join(harness.TempDir(t), "keys.yaml")
	require.NoError(t, os.WriteFile(file, []byte("keys: [{id: caller, sha256: "+hex.EncodeToString(sum[:])+"}]\n"), 0o600))
	clients := harness.NewCA(t)
	g := mutual(t, clients, "API_KEYS_FILE", file)
	c := client(t, with(clients.Issue(t, "proxy", nil)))
	ask := func(headers ...string) *harness.Response {
		t.Helper()
		r, err := g.Try(t, c, http.MethodPost, "/v1/chat/completions", hello, headers...)
		require.NoError(t, err)
		return r
	}
	r := ask()
	assert.Equal(t, http.StatusUnauthorized, r.Status, r)
	assert.Equal(t, "invalid_api_key", r.Error().Code)
	assert.Equal(t, http.StatusUnauthorized, ask("X-Igw-Caller: oidc:a/b").Status)
	assert.Equal(t, http.StatusOK, ask("X-Api-Key: "+key).Status)
	g.Stdout.Await(t, patience, `"caller":"key:caller"`)
}

// A resumed session would skip the look at the certificate.
func TestSessionsOfClientCertificatesAreNotResumed(t *testing.T) {
	t.Parallel()
	clients := harness.NewCA(t)
	g := mutual(t, clients)
	cert := clients.Issue(t, "app", nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(8)
		for range 3 {
			c, err := tls.Dial("tcp", g.Addr, &tls.Config{
				InsecureSkipVerify: true, MaxVersion: version, Certificates: []tls.Certificate{cert}, ClientSessionCache: cache,
			})
			require.NoError(t, err)
			assert.False(t, c.ConnectionState().DidResume, tls.VersionName(version))
			_, _ = c.Write([]byte("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
			_, _ = c.Read(make([]byte, 1024)) // tickets of TLS 1.3 come with the first bytes
			_ = c.Close()
		}
	}
}

// handshake connects and waits for what the other side says first, which should be nothing: in TLS 1.3 a client has
// finished before it is judged.
func handshake(address string, config *tls.Config) error {
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Read(make([]byte, 1))
	return err
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}
