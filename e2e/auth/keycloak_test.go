package auth

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// keycloakStart is how long its first start may take: it builds itself.
const keycloakStart = 5 * time.Minute

// keycloak is a running one with the realm of testdata/keycloak.json.
type keycloak struct {
	t    *testing.T
	url  string // of the server
	http *http.Client
}

// TestKeycloak is run by `make test-keycloak`, which sets KEYCLOAK_HOME.
func TestKeycloak(t *testing.T) {
	home := os.Getenv("KEYCLOAK_HOME")
	if home == "" {
		t.Skip("KEYCLOAK_HOME is not set: run make test-keycloak")
	}
	port := harness.FreePort(t)
	w := &world{own: harness.NewProvider(t, nil)}
	k := startKeycloak(t, home, "https://127.0.0.1:"+port)
	w.issuer = &issuer{url: k.url + "/realms/acme"}
	env := w.loginEnv(t).With("SERVER_PORT", port, "AUTH_OIDC_ISSUER", w.issuer.url, "AUTH_OIDC_SCOPES", "openid,profile,email",
		"AUTH_OIDC_USER_CLAIM", "preferred_username")
	w.Gateway = harness.Start(t, env)

	token := k.token("acme", url.Values{
		"grant_type": {"password"}, "client_id": {audience}, "client_secret": {clientSecret}, "username": {"alice"}, "password": {password}, "scope": {"openid"},
	})
	t.Run("its access token is accepted and goes no further", func(t *testing.T) {
		w.own.Reset()
		r := w.chat(t, token)
		require.Equal(t, http.StatusOK, r.Status, r)
		arrived(t, w, token)
	})
	t.Run("and refused when changed", func(t *testing.T) {
		refused(t, w.chat(t, cutSignature(token)), "invalid_api_key", "not accepted")
		refused(t, w.chat(t, changedPayload(token, map[string]any{"iss": w.issuer.url})), "invalid_api_key", "")
	})
	t.Run("a token of another realm is refused", func(t *testing.T) {
		refused(t, w.chat(t, k.admin()), "invalid_api_key", "not accepted")
	})
	t.Run("a new key counts soon", func(t *testing.T) {
		k.newKey()
		next := k.token("acme", url.Values{
			"grant_type": {"password"}, "client_id": {audience}, "client_secret": {clientSecret}, "username": {"alice"}, "password": {password},
		})
		require.NotEqual(t, strings.Split(token, ".")[0], strings.Split(next, ".")[0], "another key has signed")
		w.accepted(t, next)
		assert.Equal(t, http.StatusOK, w.chat(t, token).Status, "the old one is still published")
	})
	b := newBrowser(t)
	t.Run("a browser logs in", func(t *testing.T) {
		at, page := k.logIn(b, w, "/v1/models?x=1")
		assert.Equal(t, w.URL+"/v1/models?x=1", at)
		require.Equal(t, http.StatusOK, page.Status, page)
	})
	t.Run("its session is renewed", func(t *testing.T) {
		for name := range b.host(w) {
			if !strings.Contains(name, "refresh") {
				delete(b.host(w), name)
			}
		}
		r := b.ask(http.MethodGet, w.URL+"/v1/models", nil, "Accept: application/json")
		assert.Equal(t, http.StatusOK, r.Status, r)
	})
	t.Run("and logs out, of Keycloak too", func(t *testing.T) {
		out := b.ask(http.MethodGet, w.URL+"/oauth2/logout", nil)
		require.Equal(t, http.StatusFound, out.Status)
		assert.Empty(t, b.host(w))
		at, page := b.follow(w.URL, out)
		assert.True(t, strings.HasPrefix(at, w.issuer.url), "it asks for the password again: %s", at)
		assert.Contains(t, page.String(), `name="password"`)
	})
	t.Run("the access log says who, and no token", func(t *testing.T) {
		require.Zero(t, w.Stop(t))
		assert.Contains(t, w.Stdout.String(), "/alice")
		assert.NotRegexp(t, `eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.`, w.Stdout.String()+w.Stderr.String())
	})
}

func startKeycloak(t *testing.T, home, gateway string) *keycloak {
	t.Helper()
	realm, err := os.ReadFile("testdata/keycloak.json")
	require.NoError(t, err)
	imports := filepath.Join(home, "data", "import")
	require.NoError(t, os.MkdirAll(imports, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(imports, "acme.json"), bytes.ReplaceAll(realm, []byte("GATEWAY"), []byte(gateway)), 0o600))
	port := harness.FreePort(t)
	k := &keycloak{t: t, url: "http://127.0.0.1:" + port, http: harness.NewClient(t)}
	p := harness.StartProcess(t, harness.Env{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "JAVA_HOME": os.Getenv("JAVA_HOME"), "JAVA_OPTS_APPEND": "-Xmx700m",
		"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
	}, filepath.Join(home, "bin", "kc.sh"), "start-dev", "--db=dev-mem", "--import-realm", "--http-host=127.0.0.1", "--http-port="+port)
	harness.Eventually(t, keycloakStart, "Keycloak is there", func() bool {
		if !p.Running() {
			t.Fatalf("Keycloak ended: %s%s", p.Stdout.String(), p.Stderr.String())
		}
		time.Sleep(500 * time.Millisecond)
		resp, err := k.http.Get(k.url + "/realms/acme" + "/.well-known/openid-configuration")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return k
}

// token asks for an access token.
func (k *keycloak) token(realm string, form url.Values) string {
	k.t.Helper()
	resp, err := k.http.PostForm(k.url+"/realms/"+realm+"/protocol/openid-connect/token", form)
	require.NoError(k.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(k.t, err)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(k.t, json.Unmarshal(text, &answer))
	require.NotEmpty(k.t, answer.AccessToken, "%s", text)
	return answer.AccessToken
}

func (k *keycloak) admin() string {
	k.t.Helper()
	return k.token("master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {password}})
}

// newKey makes the realm sign with another key from now on.
func (k *keycloak) newKey() {
	k.t.Helper()
	component := `{"name":"newer","providerId":"rsa-generated","providerType":"org.keycloak.keys.KeyProvider","config":{"priority":["1000"]}}`
	r, err := http.NewRequest(http.MethodPost, k.url+"/admin/realms/acme/components", strings.NewReader(component))
	require.NoError(k.t, err)
	r.Header.Set("Authorization", "Bearer "+k.admin())
	r.Header.Set("Content-Type", "application/json")
	resp, err := k.http.Do(r)
	require.NoError(k.t, err)
	defer resp.Body.Close()
	require.Equal(k.t, http.StatusCreated, resp.StatusCode)
}

var formAction = regexp.MustCompile(`<form[^>]*action="([^"]+)"`)

// logIn opens a page of the gateway and fills in Keycloak's form.
func (k *keycloak) logIn(b *browser, w *world, page string) (string, *harness.Response) {
	k.t.Helper()
	at, r := b.follow(w.URL+page, b.ask(http.MethodGet, w.URL+page, nil))
	require.True(k.t, strings.HasPrefix(at, w.issuer.url), at)
	action := formAction.FindStringSubmatch(r.String())
	require.NotNil(k.t, action, r)
	address := html.UnescapeString(action[1])
	return b.follow(address, b.ask(http.MethodPost, address, url.Values{"username": {"alice"}, "password": {password}, "credentialId": {""}}))
}
