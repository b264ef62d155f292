package security

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestPlainHTTPIsRedirected(t *testing.T) {
	t.Parallel()
	clients := harness.NewCA(t)
	plain, https := harness.FreePort(t), harness.FreePort(t)
	g := mutual(t, clients, "SERVER_HTTP_REDIRECT_PORT", plain, "SERVER_PORT", https)
	base := "http://" + net.JoinHostPort("127.0.0.1", plain)
	c := client(t, nil)
	do := func(method, path, host string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, base+path, nil)
		require.NoError(t, err)
		if host != "" {
			r.Host = host
		}
		resp, err := c.Do(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp
	}
	for _, tt := range []struct{ method, path, host, location string }{
		{"GET", "/v1/models?provider=demo", "gateway.example", "https://gateway.example:" + https + "/v1/models?provider=demo"},
		{"GET", "/", "gateway.example:80", "https://gateway.example:" + https + "/"},
		{"POST", "/v1/chat/completions", "gateway.example:" + plain, "https://gateway.example:" + https + "/v1/chat/completions"},
		{"DELETE", "/proxy/demo/files/a%2Fb", "", "https://127.0.0.1:" + https + "/proxy/demo/files/a%2Fb"},
		{"GET", "/v1/models", "[::1]:" + plain, "https://[::1]:" + https + "/v1/models"},
	} {
		r := do(tt.method, tt.path, tt.host)
		assert.Equal(t, http.StatusPermanentRedirect, r.StatusCode, "the method must be kept")
		assert.Equal(t, tt.location, r.Header.Get("Location"))
	}
	for _, path := range []string{"/health", "/ready"} { // probes have no certificate
		assert.Equal(t, http.StatusOK, do("GET", path, "").StatusCode, path)
	}
	check := harness.Run(t, g.Env().With("SERVER_PORT", https), "healthcheck")
	assert.Zero(t, check.Code, check.Stderr)
	assert.Equal(t, "ready\n", check.Stdout)

	followed := client(t, with(clients.Issue(t, "app", nil)))
	followed.CheckRedirect = nil
	r, err := followed.Post(base+"/v1/chat/completions", "application/json", nil)
	require.NoError(t, err)
	_ = r.Body.Close()
	assert.Equal(t, http.StatusBadRequest, r.StatusCode, "the redirect leads to where it says")
	assert.Equal(t, "https", r.Request.URL.Scheme)
	assert.NotNil(t, r.TLS)
	assert.Equal(t, uint16(tls.VersionTLS13), r.TLS.Version)
}

func TestARedirectNamesThePortThatClientsSee(t *testing.T) {
	t.Parallel()
	cert, key := harness.NewCA(t).Files(t, "localhost")
	plain := harness.FreePort(t)
	harness.Start(t, harness.Env{
		"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key,
		"SERVER_HTTP_REDIRECT_PORT": plain, "SERVER_HTTP_REDIRECT_TO_PORT": "443",
	})
	r, err := client(t, nil).Get("http://127.0.0.1:" + plain + "/v1/models")
	require.NoError(t, err)
	_ = r.Body.Close()
	assert.Equal(t, "https://127.0.0.1:443/v1/models", r.Header.Get("Location"))
}
