package security

import (
	"crypto/tls"
	"crypto/x509"
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

const envoyName = "spiffe://example/envoy"

// asEnvoy makes a certificate an Envoy's.
func asEnvoy(c *x509.Certificate) {
	name, _ := url.Parse(envoyName)
	c.URIs = []*url.URL{name}
}

func asGateway(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }

// end is one end of the link: a directory with its certificate, key and authorities.
type end struct{ dir string }

func newEnd(t *testing.T, ca *harness.CA, change func(*x509.Certificate)) end {
	t.Helper()
	e := end{harness.TempDir(t)}
	harness.WritePair(t, e.dir, ca.Issue(t, "end", change))
	copyFile(t, ca.Path, filepath.Join(e.dir, "ca.pem"))
	return e
}

// env is that end's part of the environment.
func (e end) env() []string {
	return []string{
		"CONTROL_TLS_CERT_PATH", filepath.Join(e.dir, "cert.pem"), "CONTROL_TLS_KEY_PATH", filepath.Join(e.dir, "key.pem"),
		"CONTROL_TLS_CA_PATH", filepath.Join(e.dir, "ca.pem"),
	}
}

// become replaces the files by another end's, each by a rename.
func (e end) become(t *testing.T, other end) {
	t.Helper()
	for _, name := range []string{"ca.pem", "key.pem", "cert.pem"} {
		require.NoError(t, os.Rename(filepath.Join(other.dir, name), filepath.Join(e.dir, name)))
	}
}

// apart is a gateway without an Envoy, and what Envoys must know of it.
func apart(t *testing.T, gateway end) (*harness.Gateway, harness.Env) {
	t.Helper()
	control := harness.FreePort(t)
	env := harness.Env{
		"CONTROL_HOST": "127.0.0.1", "CONTROL_PORT": control, "CONTROL_ADDRESS": "localhost:" + control,
		"CONTROL_LOOPBACK_PORT": harness.FreePort(t), "CONTROL_TLS_PEERS": envoyName, "CONTROL_SOCKET_DIR": harness.TempDir(t),
		"SERVER_PORT": harness.FreePort(t), "DEMO_ENABLED": "true",
		// A server that is not there puts chat into the tool loop's lane all the same.
		"MCP_ENABLED": "true", "MCP_SERVERS": "none=http://127.0.0.1:1/mcp", "MCP_MAX_RETRIES": "0", "LOG_LEVEL": "debug",
	}.With(gateway.env()...)
	return harness.Serve(t, env), env
}

func controlAddress(env harness.Env) string { return "127.0.0.1:" + env["CONTROL_PORT"] }

func TestAnEnvoyElsewhereSpeaksMutualTLS(t *testing.T) {
	t.Parallel()
	ca, strangers := harness.NewCA(t), harness.NewCA(t)
	gateway, envoy := newEnd(t, ca, asGateway), newEnd(t, ca, asEnvoy)
	g, env := apart(t, gateway)
	remote := g.StartEnvoy(t, envoy.env()...)
	ready := func() bool { return g.Do(t, http.MethodGet, "/ready", "").Status == http.StatusOK }
	harness.Eventually(t, patience, "it is ready", ready)

	t.Run("and everything works", func(t *testing.T) {
		for path, lane := range map[string][]string{
			"/v1/chat/completions":         {"X-MCP-Bypass: false", "X-MCP-Bypass: true"}, // the loop, which asks Envoy itself; ext_proc
			"/proxy/demo/chat/completions": {"X-A: b"},
		} {
			for _, header := range lane {
				body := hello
				if path != "/v1/chat/completions" {
					body = `{"model":"echo","messages":[{"role":"user","content":"hello"}]}`
				}
				r := g.Do(t, http.MethodPost, path, body, header)
				assert.Equal(t, http.StatusOK, r.Status, "%s %s: %s", path, header, r)
			}
		}
		r := g.Do(t, http.MethodGet, "/v1/models", "") // asked for through Envoy
		assert.Equal(t, http.StatusOK, r.Status)
		assert.Contains(t, r.String(), "demo/echo")
		sockets, err := filepath.Glob(filepath.Join(env["CONTROL_SOCKET_DIR"], "*.sock"))
		require.NoError(t, err)
		assert.Equal(t, []string{filepath.Join(env["CONTROL_SOCKET_DIR"], "admin.sock")}, sockets, "Envoy's admin interface stays on its machine")
	})

	t.Run("and nobody else gets in, at either end", func(t *testing.T) {
		loopback := "127.0.0.1:" + env["CONTROL_LOOPBACK_PORT"]
		for name, c := range map[string]*tls.Certificate{
			"no certificate":             nil,
			"another authority, gateway": issued(t, strangers, asGateway),
			"another authority, Envoy":   issued(t, strangers, asEnvoy),
			"another name":               issued(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"app.example"} }),
			"expired gateway":            issued(t, ca, func(c *x509.Certificate) { asGateway(c); c.NotAfter = time.Now().Add(-time.Minute) }),
			"expired Envoy":              issued(t, ca, func(c *x509.Certificate) { asEnvoy(c); c.NotAfter = time.Now().Add(-time.Minute) }),
		} {
			for _, address := range []string{controlAddress(env), loopback} {
				config := &tls.Config{InsecureSkipVerify: true, ServerName: "xds"}
				if c != nil {
					insists(*c)(config)
				}
				assert.ErrorContains(t, handshake(address, config), "remote error", "%s at %s", name, address)
			}
		}
		// Each end has its name: an Envoy cannot ask another for providers' keys, nor a gateway be an Envoy.
		config := &tls.Config{InsecureSkipVerify: true, ServerName: "xds"}
		insists(*issued(t, ca, asGateway))(config)
		assert.ErrorContains(t, handshake(controlAddress(env), config), "remote error")
		insists(*issued(t, ca, asEnvoy))(config)
		assert.ErrorContains(t, handshake(loopback, config), "remote error")
	})

	t.Run("and shows its keys to nobody", func(t *testing.T) {
		said := g.Stdout.String() + g.Stderr.String() + remote.Stdout.String() + remote.Stderr.String()
		for _, path := range []string{"/config_dump?include_eds", "/certs", "/clusters", "/listeners", "/init_dump"} {
			said += g.Admin(t, http.MethodGet, path)
		}
		for _, args := range [][]string{{"config"}, {"config", "--envoy"}, {"bootstrap"}} {
			r := harness.Run(t, g.Env().With("CONTROL_SOCKET_DIR", harness.TempDir(t)), args...)
			require.Zero(t, r.Code, r.Stderr)
			said += r.Stdout + r.Stderr
		}
		require.Contains(t, said, "configs")
		assert.NotContains(t, said, "PRIVATE")
		for _, e := range []end{gateway, envoy} {
			key, err := os.ReadFile(filepath.Join(e.dir, "key.pem"))
			require.NoError(t, err)
			for _, line := range strings.Split(strings.TrimSpace(string(key)), "\n")[1:] {
				assert.False(t, strings.Contains(said, line), "a line of a key in %s", e.dir)
			}
		}
	})

	t.Run("and renewed files are taken at both ends", func(t *testing.T) {
		next := harness.NewCA(t)
		gateway.become(t, newEnd(t, next, asGateway))
		envoy.become(t, newEnd(t, next, asEnvoy))
		config := &tls.Config{RootCAs: next.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS13}
		insists(*issued(t, next, asEnvoy))(config)
		harness.Eventually(t, patience, "the gateway has the new certificate", func() bool {
			c, err := tls.Dial("tcp", controlAddress(env), config)
			return err == nil && c.Close() == nil
		})
		config = &tls.Config{RootCAs: next.Pool(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
		insists(*issued(t, next, asGateway))(config)
		harness.Eventually(t, patience, "Envoy has the new certificate", func() bool {
			c, err := tls.Dial("tcp", "127.0.0.1:"+env["CONTROL_LOOPBACK_PORT"], config)
			if err != nil {
				return false
			}
			defer c.Close()
			_, err = c.ConnectionState().PeerCertificates[0].Verify(x509.VerifyOptions{Roots: next.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			return err == nil
		})
		// What is open goes on, and after it is gone Envoy comes back with its new certificate.
		assert.True(t, ready())
		g.Kill(t)
		again := harness.Serve(t, env)
		harness.Eventually(t, patience, "it is ready again", ready)
		harness.Eventually(t, patience, "and serves", func() bool {
			return g.Chat(t, hello).Status == http.StatusOK && g.Chat(t, hello, "X-MCP-Bypass: true").Status == http.StatusOK
		})
		assert.Zero(t, again.Stop(t))
	})
}

func issued(t *testing.T, ca *harness.CA, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	c := ca.Issue(t, "end", change)
	return &c
}

// A real Envoy with what is not a good certificate gets no configuration, and one that finds another gateway takes none.
func TestAnEnvoyThatIsNotKnownGetsNothing(t *testing.T) {
	t.Parallel()
	ca, strangers := harness.NewCA(t), harness.NewCA(t)
	gateway := newEnd(t, ca, asGateway)
	g, env := apart(t, gateway)
	stranger := newEnd(t, strangers, asEnvoy)
	copyFile(t, ca.Path, filepath.Join(stranger.dir, "ca.pem")) // it trusts the gateway; the gateway does not trust it
	doubting := newEnd(t, ca, asEnvoy)
	copyFile(t, strangers.Path, filepath.Join(doubting.dir, "ca.pem"))
	for name, tt := range map[string]struct {
		envoy   end
		more    []string
		refusal string // what the gateway's log says, or how Envoy counts it
	}{
		"another authority":         {stranger, nil, "unknown authority"},
		"expired":                   {newEnd(t, ca, func(c *x509.Certificate) { asEnvoy(c); c.NotAfter = time.Now().Add(-time.Minute) }), nil, "certificate has expired"},
		"another name":              {newEnd(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"app.example"} }), nil, "no known peer"},
		"a gateway of strangers":    {doubting, nil, "ssl.fail_verify_error"},
		"a gateway of another name": {newEnd(t, ca, asEnvoy), []string{"CONTROL_ADDRESS", controlAddress(env)}, "ssl.fail_verify_san"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := harness.TempDir(t)
			ask := func(path string) string {
				text, err := harness.AdminAt(filepath.Join(dir, "admin.sock"), http.MethodGet, path)
				if err != nil {
					return ""
				}
				return text
			}
			mark := g.Stderr.Len()
			p := g.LaunchEnvoy(t, append(append(tt.envoy.env(), "CONTROL_SOCKET_DIR", dir), tt.more...)...)
			harness.Eventually(t, patience, "the connection fails", func() bool {
				counted := ask("/stats?usedonly&filter=gateway-control-plane.ssl")
				return strings.Contains(g.Stderr.Since(mark), tt.refusal) || strings.Contains(counted, tt.refusal+": ")
			})
			assert.True(t, p.Running())
			assert.Empty(t, ask("/listeners"), "it was configured")
			assert.Contains(t, ask("/ready"), "INITIALIZING")
		})
	}
	assert.NotContains(t, g.Stderr.String(), "PRIVATE")
}

func TestThePortForEnvoysIsNotOpenedWithoutMutualTLS(t *testing.T) {
	t.Parallel()
	ca := harness.NewCA(t)
	full := harness.Env{"CONTROL_HOST": "0.0.0.0", "CONTROL_ADDRESS": "localhost:18000", "CONTROL_TLS_PEERS": envoyName}.With(newEnd(t, ca, asGateway).env()...)
	require.Zero(t, harness.Run(t, full, "validate").Code)
	for _, missing := range []string{"CONTROL_TLS_CERT_PATH", "CONTROL_TLS_KEY_PATH", "CONTROL_TLS_CA_PATH", "CONTROL_TLS_PEERS"} {
		for _, host := range []string{"0.0.0.0", "127.0.0.1"} {
			r := harness.Run(t, full.With(missing, "", "CONTROL_HOST", host), "serve")
			assert.Equal(t, 1, r.Code, missing)
			assert.Contains(t, r.Stderr, missing)
		}
	}
}
