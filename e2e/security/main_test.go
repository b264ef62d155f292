// Package security holds the edge to what docs/security.md promises, one file for each threat, by the whole program with a
// real Envoy and clients that speak TLS, HTTP/1 and HTTP/2 themselves where no ordinary client would misbehave enough.
package security

import (
	"crypto/tls"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// patience bounds every wait for something that is promised to happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const hello = `{"model":"demo/echo","messages":[{"role":"user","content":"hello"}]}`

// client is one of TLS with the given settings, and HTTP/2 where the gateway wants it.
func client(t *testing.T, set func(*tls.Config)) *http.Client {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if set != nil {
		set(config)
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
