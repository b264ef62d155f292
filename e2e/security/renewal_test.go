package security

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// served is the subject of the certificate that a new connection gets.
func served(t *testing.T, g *harness.Gateway) string {
	t.Helper()
	c, err := tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func becomes(t *testing.T, g *harness.Gateway, subject string) {
	t.Helper()
	harness.Eventually(t, patience, "new connections get "+subject, func() bool { return served(t, g) == subject })
}

// The certificate is renewed in every way that one is renewed, while clients of both protocols go on, some on one
// connection and some on a new one each time. No request fails, no connection is closed, and no stream ends early.
func TestRenewalUnderLoad(t *testing.T) {
	t.Parallel()
	ca := harness.NewCA(t)
	dir := harness.TempDir(t)
	cert, key := harness.WritePair(t, dir, ca.Issue(t, "first", nil))
	renewed := make(chan struct{})
	slow := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: begun\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-renewed:
			_, _ = io.WriteString(w, "data: ended\n\n")
		case <-r.Context().Done():
		}
	})
	g := harness.Start(t, harness.Env{
		"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key, "DEMO_ENABLED": "true", "PROVIDERS": "slow", "SLOW_API_URL": slow.URL, "SLOW_AUTH": "none",
	})
	var streams []*http.Response
	for _, http2 := range []bool{true, false} {
		c := client(t, nil)
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
		r, err := c.Get(g.URL + "/proxy/slow/stream")
		require.NoError(t, err)
		defer r.Body.Close()
		_, err = io.ReadFull(r.Body, make([]byte, len("data: begun\n\n")))
		require.NoError(t, err)
		streams = append(streams, r)
	}

	stop := make(chan struct{})
	var requests, failures, dials atomic.Int64
	var workers sync.WaitGroup
	for i := range 6 {
		c := client(t, nil)
		transport := c.Transport.(*http.Transport)
		transport.ForceAttemptHTTP2 = i%2 == 0
		transport.DisableKeepAlives = i >= 4
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := g.Try(t, c, http.MethodPost, "/v1/chat/completions", hello)
				requests.Add(1)
				if err != nil || r.Status != http.StatusOK {
					failures.Add(1)
					t.Errorf("%v %v", r, err)
					return
				}
			}
		})
	}
	// One connection that is there from the beginning to the end.
	old, err := tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer old.Close()
	ask := func() {
		dials.Add(1)
		_, err := fmt.Fprintf(old, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		_, err = io.ReadAtLeast(old, make([]byte, 4096), 100)
		require.NoError(t, err, "the old connection was closed")
	}
	ask()

	write := func(name, subject string) {
		next := harness.TempDir(t)
		c, k := harness.WritePair(t, next, ca.Issue(t, subject, nil))
		switch name {
		case "in place":
			copyFile(t, c, cert)
			copyFile(t, k, key)
		case "by renames":
			require.NoError(t, os.Rename(c, cert))
			require.NoError(t, os.Rename(k, key))
		}
		becomes(t, g, subject)
		ask()
	}
	write("in place", "second")
	write("by renames", "third")
	write("in place", "fourth")
	close(renewed)
	for _, r := range streams {
		rest, err := io.ReadAll(r.Body)
		assert.NoError(t, err, "%s: the stream was broken off", r.Proto)
		assert.Equal(t, "data: ended\n\n", string(rest), r.Proto)
	}

	close(stop)
	workers.Wait()
	assert.Zero(t, failures.Load())
	assert.Greater(t, requests.Load(), int64(20))
	assert.NotContains(t, g.Stderr.String(), "level=ERROR")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o600))
}

// Kubernetes mounts a secret as symlinks to symlinks, and renews it by swapping the one in the middle.
func TestRenewalBySymlink(t *testing.T) {
	t.Parallel()
	ca := harness.NewCA(t)
	mount := harness.TempDir(t)
	publish := func(version, subject string) {
		dir := filepath.Join(mount, version)
		require.NoError(t, os.Mkdir(dir, 0o700))
		harness.WritePair(t, dir, ca.Issue(t, subject, nil))
		require.NoError(t, os.Symlink(version, filepath.Join(mount, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")))
	}
	publish("..2026_01", "first")
	for _, name := range []string{"cert.pem", "key.pem"} {
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(mount, name)))
	}
	g := harness.Start(t, harness.Env{
		"SERVER_TLS_CERT_PATH": filepath.Join(mount, "cert.pem"), "SERVER_TLS_KEY_PATH": filepath.Join(mount, "key.pem"),
	})
	assert.Equal(t, "first", served(t, g))
	publish("..2026_02", "second")
	becomes(t, g, "second")
	require.NoError(t, os.RemoveAll(filepath.Join(mount, "..2026_01")))
	publish("..2026_03", "third")
	becomes(t, g, "third")
}

// What cannot be used is refused with an error that says so, by the gateway or by Envoy, and what was there stays.
func TestABadPairIsRefused(t *testing.T) {
	t.Parallel()
	ca := harness.NewCA(t)
	dir := harness.TempDir(t)
	first := ca.Issue(t, "first", nil)
	cert, key := harness.WritePair(t, dir, first)
	g := harness.Start(t, harness.Env{"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key, "SERVER_PORT": harness.FreePort(t)})

	weakKey, weak := weakPair(t)
	for _, step := range []struct{ name, file, content, says string }{
		{"no PEM", cert, "junk", "a PEM certificate that fits the PEM key"},
		{"another key's certificate", cert, pemOf(t, "CERTIFICATE", ca.Issue(t, "other", nil).Certificate[0]), "a PEM certificate that fits the PEM key"},
		{"an empty key", key, "", "a PEM certificate that fits the PEM key"},
		{"a key that is too weak for Envoy", "", "", "2048-bit"},
	} {
		mark := g.Stderr.Len()
		if step.file == "" {
			require.NoError(t, os.WriteFile(key, []byte(weakKey), 0o600))
			require.NoError(t, os.WriteFile(cert, []byte(weak), 0o600))
		} else {
			require.NoError(t, os.WriteFile(step.file, []byte(step.content), 0o600))
		}
		harness.Eventually(t, patience, step.name+": the log says that it is refused", func() bool {
			text := g.Stderr.Since(mark)
			return strings.Contains(text, "the changed configuration is refused, the old one stays") && strings.Contains(text, step.says)
		})
		assert.Equal(t, "first", served(t, g), step.name)
		r, err := g.Try(t, client(t, nil), http.MethodGet, "/ready", "")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, r.Status, "%s: %s", step.name, r)
	}
	assert.NotContains(t, g.Stderr.String(), "PRIVATE KEY")

	// Even an Envoy that starts anew gets the old one.
	pid := g.EnvoyPID()
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	harness.Eventually(t, patience, "another Envoy is ready", func() bool {
		if now := g.EnvoyPID(); now == 0 || now == pid {
			return false
		}
		r, err := g.Try(t, client(t, nil), http.MethodGet, "/ready", "")
		return err == nil && r.Status == http.StatusOK
	})
	assert.Equal(t, "first", served(t, g))

	harness.WritePair(t, dir, ca.Issue(t, "second", nil))
	becomes(t, g, "second")
}

// Who is trusted is renewed likewise.
func TestRenewalOfTheClientsAuthority(t *testing.T) {
	t.Parallel()
	old, next := harness.NewCA(t), harness.NewCA(t)
	mine, theirs := old.Issue(t, "old", nil), next.Issue(t, "new", nil)
	g := mutual(t, old)
	taken := func(c tls.Certificate) bool {
		r, err := g.Try(t, client(t, insists(c)), http.MethodGet, "/health", "")
		return err == nil && r.Status == http.StatusOK
	}
	assert.True(t, taken(mine))
	assert.False(t, taken(theirs))
	copyFile(t, next.Path, old.Path)
	harness.Eventually(t, patience, "the new authority's clients are taken", func() bool { return taken(theirs) })
	assert.False(t, taken(mine))
}

func pemOf(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// weakPair fits by Go's rules, and Envoy's TLS does not serve it.
func weakPair(t *testing.T) (key, cert string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pemOf(t, "PRIVATE KEY", keyDER), pemOf(t, "CERTIFICATE", der)
}
