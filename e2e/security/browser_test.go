package security

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestEveryAnswerIsDataToABrowser(t *testing.T) {
	e := theExposed(t)
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/health", ""},
		{"GET", "/ready", ""},
		{"GET", "/v1/models", ""},
		{"GET", "/nothing", ""},
		{"POST", "/v1/chat/completions", hello},
		{"POST", "/v1/chat/completions", "{"}, // ext_proc's own answer
		{"GET", "/proxy/own/page.html", ""},
	} {
		r := e.Do(t, tt.method, tt.path, tt.body)
		assert.Equal(t, []string{"nosniff"}, r.Header.Values("X-Content-Type-Options"), tt.path)
		assert.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'", tt.path)
		assert.Equal(t, "no-referrer", r.Header.Get("Referrer-Policy"), tt.path)
		assert.Equal(t, "same-origin", r.Header.Get("Cross-Origin-Resource-Policy"), tt.path)
	}
	c := e.Dial(t)
	c.Send("nonsense\r\n\r\n")
	if r := c.Receive("GET"); assert.NotNil(t, r) {
		assert.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	}
}

func TestPagesOfOtherSitesMayNotCall(t *testing.T) {
	e := theExposed(t)
	for _, origin := range []string{"https://evil.example", "null"} {
		r := e.Do(t, http.MethodOptions, "/v1/chat/completions", "", "Origin: "+origin, "Access-Control-Request-Method: POST")
		assert.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), origin)
		for _, site := range []string{"cross-site", "same-site"} {
			r := e.Do(t, http.MethodPost, "/v1/chat/completions", hello, "Origin: "+origin, "Sec-Fetch-Site: "+site)
			assert.Equal(t, http.StatusForbidden, r.Status, "%s: %s", origin, r)
			assert.Equal(t, "permission_denied", r.Error().Code)
		}
	}
	for _, site := range []string{"same-origin", "none"} {
		r := e.Do(t, http.MethodPost, "/v1/chat/completions", hello, "Sec-Fetch-Site: "+site)
		assert.Equal(t, http.StatusOK, r.Status, site)
	}
}

// A provider may allow what it likes: here it allows nothing.
func TestAProvidersWordsToBrowsersDoNotCount(t *testing.T) {
	t.Parallel()
	p := harness.NewProvider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Security-Policy", "default-src *")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "session=of-the-provider")
		w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		w.Header().Set("Alt-Svc", `h3=":443"`)
		w.Header().Set("X-Request-Id", "of-the-provider")
	})
	g := harness.Start(t, harness.Env{"PROVIDERS": "own", "OWN_API_URL": p.URL})
	r := g.Do(t, http.MethodGet, "/proxy/own/x", "", "Origin: https://evil.example")
	assert.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, r.Header.Get("Content-Security-Policy"), "sandbox")
	for _, name := range []string{"Set-Cookie", "Strict-Transport-Security", "Alt-Svc"} { // they would hold for the gateway's host
		assert.Empty(t, r.Header.Values(name))
	}
	assert.Equal(t, "of-the-provider", r.Header.Get("X-Upstream-Request-Id"), "for its support")
	assert.NotContains(t, r.Header.Values("X-Request-Id"), "of-the-provider")
	r = g.Do(t, http.MethodGet, "/proxy/own/x", "", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Connection: Upgrade", "Upgrade: websocket")
	assert.GreaterOrEqual(t, r.Status, 400, "a page may not open a WebSocket to read what others may not")
}

// Near its limit of memory Envoy answers that it is overloaded, instead of dying.
func TestAFullHeapShedsLoad(t *testing.T) {
	g := harness.Start(t, harness.Env{"ENVOY_MAX_HEAP": "1048576"})
	harness.Eventually(t, patience, "requests are refused", func() bool {
		r := g.Chat(t, hello)
		return r.Status == http.StatusServiceUnavailable && r.Error().Code == "overloaded"
	})
	assert.Contains(t, g.Admin(t, http.MethodGet, "/stats?filter=overload.*stop_accepting_requests.active"), "active: 1")
	assert.True(t, g.Running())
}
