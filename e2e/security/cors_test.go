package security

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const (
	appOrigin   = "https://app.example"
	localOrigin = "http://localhost:3000"
	callersKey  = "igw_a-key-that-the-page-was-given"
	withKey     = "Authorization: Bearer " + callersKey
)

// keysFile holds the one key.
func keysFile(t harness.T) string {
	sum := sha256.Sum256([]byte(callersKey))
	path := filepath.Join(os.TempDir(), "keys-"+hex.EncodeToString(sum[:4])+".yaml")
	if err := os.WriteFile(path, []byte("keys: [{id: page, sha256: "+hex.EncodeToString(sum[:])+"}]\n"), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	return path
}

// talkative is a provider that has its own mind of who may call.
func talkative(t harness.T) *harness.Provider {
	return harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Vary", "Accept")
		if strings.HasSuffix(r.URL.Path, "/fails") {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
}

type paged struct {
	*harness.Gateway
	own *harness.Provider
}

// thePaged is a gateway with keys that pages of two origins may call.
var thePaged = harness.Shared(func(t harness.T) *paged {
	p := &paged{own: talkative(t)}
	p.Gateway = harness.Start(t, harness.Env{
		"SERVER_CORS_ALLOWED_ORIGINS": appOrigin + ":443, " + localOrigin, "API_KEYS_FILE": keysFile(t), "DEMO_ENABLED": "true",
		"PROVIDERS": "own,dead", "OWN_API_URL": p.own.URL + "/v1", "DEAD_API_URL": "http://127.0.0.1:1/v1", "CLIENT_MAX_RETRIES": "0",
		"SERVER_MAX_REQUEST_BODY_SIZE": "1000",
	})
	return p
})

// exchanges are one of each kind of answer: direct, streamed, proxied, the gateway's own, and errors of every part.
var exchanges = []struct {
	name, method, path, body string
	headers                  []string
	status                   int
}{
	{"chat", "POST", "/v1/chat/completions", hello, []string{withKey}, 200},
	{"streamed", "POST", "/v1/chat/completions", `{"stream":true,` + hello[1:], []string{withKey}, 200},
	{"models", "GET", "/v1/models", "", []string{withKey}, 200},
	{"the provider's own API", "GET", "/proxy/own/x", "", []string{withKey}, 200},
	{"x-api-key", "GET", "/proxy/own/x", "", []string{"X-Api-Key: " + callersKey}, 200},
	{"health", "GET", "/health", "", nil, 200},
	{"no key (ext_authz)", "POST", "/v1/chat/completions", hello, nil, 401},
	{"a wrong key (ext_authz)", "GET", "/v1/models", "", []string{"Authorization: Bearer igw_nobody"}, 401},
	{"no JSON (ext_proc)", "POST", "/v1/chat/completions", "{", []string{withKey}, 400},
	{"an unknown provider (ext_proc)", "POST", "/v1/chat/completions", `{"model":"nobody/m"}`, []string{withKey}, 400},
	{"too large", "POST", "/v1/chat/completions", `{"model":"` + strings.Repeat("a", 2000) + `"}`, []string{withKey}, 413},
	{"an unknown path (route)", "GET", "/nothing", "", []string{withKey}, 404},
	{"another method (route)", "GET", "/v1/chat/completions", "", []string{withKey}, 405},
	{"an unknown provider (route)", "GET", "/proxy/nobody/x", "", []string{withKey}, 400},
	{"escaped dots (route)", "GET", "/proxy/own/%2e%2e%2fx", "", []string{withKey}, 400},
	{"the provider's error", "POST", "/proxy/own/fails", "{}", []string{withKey}, 418},
	{"a provider that is not there (router)", "POST", "/v1/chat/completions", `{"model":"dead/m"}`, []string{withKey}, 502},
}

func TestPagesOfAllowedOriginsMayReadEveryAnswer(t *testing.T) {
	p := thePaged(t)
	p.own.Reset()
	for _, x := range exchanges {
		for _, origin := range []string{appOrigin, localOrigin} {
			r := p.Do(t, x.method, x.path, x.body, append(x.headers, "Origin: "+origin, "Sec-Fetch-Site: cross-site", "Referer: "+origin+"/page")...)
			assert.Equal(t, x.status, r.Status, "%s: %s", x.name, r)
			assert.Equal(t, []string{origin}, r.Header.Values("Access-Control-Allow-Origin"), x.name)
			assert.Equal(t, []string{"*"}, r.Header.Values("Access-Control-Expose-Headers"), x.name)
			assert.Empty(t, r.Header.Values("Access-Control-Allow-Credentials"), "%s: nothing that the browser shows by itself", x.name)
			assert.Contains(t, strings.Join(r.Header.Values("Vary"), ","), "origin", x.name)
			assert.Equal(t, "same-origin", r.Header.Get("Cross-Origin-Resource-Policy"), "%s: it is read by fetch, and embedded by nobody", x.name)
			assert.NotEmpty(t, r.Header.Get("X-Request-Id"), x.name)
		}
	}
	require.NotEmpty(t, p.own.Requests())
	for _, r := range p.own.Requests() {
		for name := range r.Header {
			assert.NotContains(t, []string{"Origin", "Referer", "Authorization", "X-Api-Key"}, name)
			assert.False(t, strings.HasPrefix(name, "X-Igw-"), name)
		}
	}
}

// strangers are origins that resemble allowed ones, as a list of headers.
var strangers = map[string][]string{
	"another":                   {"Origin: https://evil.example"},
	"none of its own":           {"Origin: null"},
	"another scheme":            {"Origin: http://app.example"},
	"another port":              {"Origin: https://app.example:8443"},
	"a port that is missing":    {"Origin: http://localhost"},
	"a subdomain":               {"Origin: https://x.app.example"},
	"a longer one":              {"Origin: https://app.example.evil.example"},
	"a list":                    {"Origin: https://app.example, https://evil.example"},
	"two headers":               {"Origin: https://evil.example", "Origin: https://app.example"},
	"two headers, turned round": {"Origin: https://app.example", "Origin: https://evil.example"},
	"the gateway's own header":  {"Origin: https://evil.example", "X-Igw-Origin: https://app.example"},
	"only that header":          {"X-Igw-Origin: https://app.example"},
	"a path":                    {"Origin: https://app.example/"},
	"empty":                     {"Origin: "},
}

func TestPagesOfOtherOriginsMayNot(t *testing.T) {
	p := thePaged(t)
	p.own.Reset()
	for who, headers := range strangers {
		for _, x := range exchanges {
			r := p.Do(t, x.method, x.path, x.body, append(append([]string{"Sec-Fetch-Site: cross-site"}, headers...), x.headers...)...)
			for name := range r.Header {
				assert.False(t, strings.HasPrefix(name, "Access-Control-"), "%s, %s: %s", who, x.name, name)
			}
			if x.method == http.MethodPost && x.status != http.StatusUnauthorized { // who has no key is refused before
				assert.Equal(t, http.StatusForbidden, r.Status, "%s, %s: %s", who, x.name, r)
			}
		}
		r := p.Do(t, http.MethodOptions, "/v1/chat/completions", "", append(headers, "Access-Control-Request-Method: POST")...)
		for name := range r.Header {
			assert.False(t, strings.HasPrefix(name, "Access-Control-"), "%s, asked beforehand: %s", who, name)
		}
	}
	for _, r := range p.own.Requests() {
		assert.Equal(t, http.MethodGet, r.Method, "only what reads, and is not shown")
	}
}

// A browser asks without a key, and sends nothing before it has the answer.
func TestBrowsersAskBeforehand(t *testing.T) {
	p := thePaged(t)
	p.own.Reset()
	for _, path := range []string{"/v1/chat/completions", "/v1/models", "/v1/embeddings", "/proxy/own/x", "/proxy/own/%2e%2e/x", "/nothing"} {
		r := p.Do(t, http.MethodOptions, path, "", "Origin: "+appOrigin, "Sec-Fetch-Site: cross-site",
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type,x-stainless-lang")
		assert.Equal(t, http.StatusOK, r.Status, "%s: %s", path, r)
		assert.Empty(t, r.Body)
		assert.Equal(t, []string{appOrigin}, r.Header.Values("Access-Control-Allow-Origin"), path)
		assert.Contains(t, r.Header.Get("Access-Control-Allow-Methods"), "POST")
		assert.Equal(t, "authorization,content-type,x-stainless-lang", r.Header.Get("Access-Control-Allow-Headers"))
		assert.NotEmpty(t, r.Header.Get("Access-Control-Max-Age"))
		assert.Empty(t, r.Header.Values("Access-Control-Allow-Credentials"))
	}
	for name, headers := range map[string][]string{
		"no method asked for":  {"Origin: " + appOrigin},
		"an empty method":      {"Origin: " + appOrigin, "Access-Control-Request-Method: "},
		"no origin":            {"Access-Control-Request-Method: POST"},
		"an internal header":   {"X-Igw-Origin: " + appOrigin, "Access-Control-Request-Method: POST"},
		"another page's":       {"Origin: https://evil.example", "Access-Control-Request-Method: POST"},
		"no page's, of itself": nil,
	} {
		r := p.Do(t, http.MethodOptions, "/proxy/own/x", "", headers...)
		assert.Equal(t, http.StatusUnauthorized, r.Status, "%s: %s", name, r)
	}
	assert.Empty(t, p.own.Requests(), "nobody else is asked")
}

// Tokens are refused by another part (jwt_authn), which stands before the keys.
func TestAPageReadsWhyItsTokenIsRefused(t *testing.T) {
	t.Parallel()
	for _, origins := range []string{appOrigin, "*"} {
		g := harness.Start(t, harness.Env{
			"SERVER_CORS_ALLOWED_ORIGINS": origins, "AUTH_ENABLED": "true", "AUTH_OIDC_ISSUER": "http://127.0.0.1:1", "AUTH_OIDC_CLIENT_ID": "x",
		})
		want := map[string]string{appOrigin: appOrigin, "*": "*"}[origins]
		r := g.Chat(t, hello, "Origin: "+appOrigin, "Sec-Fetch-Site: cross-site")
		assert.Equal(t, http.StatusUnauthorized, r.Status)
		assert.Equal(t, []string{want}, r.Header.Values("Access-Control-Allow-Origin"))
		assert.Equal(t, "Bearer", r.Header.Get("Www-Authenticate"))
		r = g.Do(t, http.MethodOptions, "/v1/chat/completions", "", "Origin: "+appOrigin, "Access-Control-Request-Method: POST")
		assert.Equal(t, http.StatusOK, r.Status)
		assert.Equal(t, []string{want}, r.Header.Values("Access-Control-Allow-Origin"))
		r = g.Chat(t, hello, "Origin: https://other.example", "Sec-Fetch-Site: cross-site")
		if origins == "*" {
			assert.Equal(t, http.StatusUnauthorized, r.Status)
			assert.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		} else {
			assert.Equal(t, http.StatusUnauthorized, r.Status)
			assert.Empty(t, r.Header.Values("Access-Control-Allow-Origin"))
		}
		r = g.Do(t, http.MethodGet, "/proxy/demo/x", "", "Origin: "+appOrigin, "Sec-Fetch-Site: cross-site", "Connection: Upgrade", "Upgrade: websocket")
		assert.Equal(t, http.StatusBadRequest, r.Status, "no WebSockets")
	}
}

// The list is changed while the gateway runs.
func TestOriginsAreReloaded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "env")
	set := func(origins string) {
		require.NoError(t, os.WriteFile(file+".new", []byte("SERVER_CORS_ALLOWED_ORIGINS="+origins+"\n"), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	set("")
	g := harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": file, "DEMO_ENABLED": "true"})
	allowed := func(origin string) bool {
		r := g.Chat(t, hello, "Origin: "+origin, "Sec-Fetch-Site: cross-site")
		return r.Status == http.StatusOK && r.Header.Get("Access-Control-Allow-Origin") == origin
	}
	assert.False(t, allowed(appOrigin))
	set(appOrigin)
	harness.Eventually(t, patience, "the first may call", func() bool { return allowed(appOrigin) })
	set(localOrigin)
	harness.Eventually(t, patience, "the second may call", func() bool { return allowed(localOrigin) })
	assert.False(t, allowed(appOrigin), "and the first no more")
	set("*")
	g.Stderr.Await(t, patience, "SERVER_CORS_ALLOWED_ORIGINS")
	assert.True(t, allowed(localOrigin), "a list that is refused changes nothing")
}

// What a browser shows by itself, here a client certificate, is not for a page to use.
func TestAPageCannotUseItsVisitorsCertificate(t *testing.T) {
	t.Parallel()
	clients := harness.NewCA(t)
	g := mutual(t, clients, "SERVER_CORS_ALLOWED_ORIGINS", appOrigin, "DEMO_ENABLED", "true")
	visitor := client(t, with(clients.Issue(t, "visitor", nil)))
	for _, tt := range []struct {
		headers []string
		status  int
	}{
		{[]string{"Origin: " + appOrigin, "Sec-Fetch-Site: cross-site"}, http.StatusForbidden},
		{[]string{"Origin: " + appOrigin, "Sec-Fetch-Site: same-site", "X-Igw-Shown: B"}, http.StatusForbidden},
		{[]string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Authorization: Bearer x"}, http.StatusForbidden},
		{[]string{"Origin: " + appOrigin, "Sec-Fetch-Site: cross-site", "Authorization: Bearer x"}, http.StatusOK}, // a browser asks before it sends this
		{nil, http.StatusOK},
	} {
		r, err := g.Try(t, visitor, http.MethodPost, "/v1/chat/completions", hello, tt.headers...)
		require.NoError(t, err)
		assert.Equal(t, tt.status, r.Status, "%v: %s", tt.headers, r)
		assert.Empty(t, r.Header.Values("Access-Control-Allow-Credentials"))
	}
}
