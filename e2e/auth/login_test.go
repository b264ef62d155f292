package auth

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// loginWorld is a gateway with HTTPS at which browsers log in.
var loginWorld = harness.Shared(func(t harness.T) *world { return newLoginWorld(t) })

func newLoginWorld(t harness.T, changes ...string) *world {
	w := &world{issuer: newIssuer(t), own: harness.NewProvider(t, nil)}
	w.Gateway = harness.Start(t, w.loginEnv(t).With(changes...))
	w.issuer.allow(w.URL)
	return w
}

func (w *world) loginEnv(t harness.T) harness.Env {
	cert, key := harness.NewCA(t).Files(t, "localhost", "127.0.0.1")
	return w.env().With("SERVER_TLS_CERT_PATH", cert, "SERVER_TLS_KEY_PATH", key, "AUTH_OIDC_CLIENT_SECRET", clientSecret)
}

// browser is a client with cookies, as far as this needs one: it keeps them by name, whatever their attributes, and
// remembers those.
type browser struct {
	t       *testing.T
	client  *http.Client
	cookies map[string]map[string]*http.Cookie // by host and port
}

func newBrowser(t *testing.T) *browser {
	return &browser{t: t, client: harness.NewClient(t), cookies: map[string]map[string]*http.Cookie{}}
}

// ask makes one request, without following redirects.
func (b *browser) ask(method, address string, form url.Values, headers ...string) *harness.Response {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, address, body)
	require.NoError(b.t, err)
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	for _, c := range b.cookies[r.URL.Host] {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	resp, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	for _, c := range resp.Cookies() {
		jar := b.cookies[r.URL.Host]
		if jar == nil {
			jar = map[string]*http.Cookie{}
			b.cookies[r.URL.Host] = jar
		}
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(jar, c.Name)
		} else {
			jar[c.Name] = c
		}
	}
	return &harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: text}
}

// follow goes on from a redirect until something else comes, and gives that and its address.
func (b *browser) follow(from string, r *harness.Response) (string, *harness.Response) {
	b.t.Helper()
	for range 10 {
		if r.Status/100 != 3 {
			return from, r
		}
		base, err := url.Parse(from)
		require.NoError(b.t, err)
		next, err := base.Parse(r.Header.Get("Location"))
		require.NoError(b.t, err)
		from = next.String()
		r = b.ask(http.MethodGet, from, nil)
	}
	b.t.Fatal("redirects without an end")
	return "", nil
}

var formID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// logIn opens a page of the gateway and logs in at the issuer.
func (b *browser) logIn(w *world, page string) (string, *harness.Response) {
	b.t.Helper()
	at, r := b.follow(w.URL+page, b.ask(http.MethodGet, w.URL+page, nil))
	require.True(b.t, strings.HasPrefix(at, w.issuer.url), at)
	id := formID.FindStringSubmatch(r.String())
	require.NotNil(b.t, id, r)
	return b.follow(at, b.ask(http.MethodPost, at, url.Values{"id": {id[1]}, "username": {username}, "password": {password}}))
}

func (b *browser) host(w *world) map[string]*http.Cookie { return b.cookies[w.Addr] }

func TestABrowserLogsIn(t *testing.T) {
	w := loginWorld(t)
	b := newBrowser(t)

	first := newBrowser(t).ask(http.MethodGet, w.URL+"/v1/models?a=b", nil)
	require.Equal(t, http.StatusFound, first.Status, first)
	there, err := url.Parse(first.Header.Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, w.issuer.url, there.Scheme+"://"+there.Host)
	q := there.Query()
	assert.Equal(t, "code", q.Get("response_type"))
	assert.Equal(t, audience, q.Get("client_id"))
	assert.Equal(t, "S256", q.Get("code_challenge_method"))
	assert.NotEmpty(t, q.Get("code_challenge"))
	assert.NotEmpty(t, q.Get("state"))
	assert.Equal(t, w.URL+"/oauth2/callback", q.Get("redirect_uri"))
	assert.Contains(t, strings.Fields(q.Get("scope")), "openid")

	at, page := b.logIn(w, "/v1/models?a=b")
	assert.Equal(t, w.URL+"/v1/models?a=b", at, "back where it wanted to go")
	require.Equal(t, http.StatusOK, page.Status, page)
	assert.Contains(t, page.String(), `"object":"list"`)

	t.Run("the cookies are safe", func(t *testing.T) {
		require.NotEmpty(t, b.host(w))
		for name, c := range b.host(w) {
			assert.True(t, strings.HasPrefix(name, "__Host-igw-"), name)
			assert.True(t, c.HttpOnly, name)
			assert.True(t, c.Secure, name)
			assert.Equal(t, http.SameSiteLaxMode, c.SameSite, name)
			assert.Equal(t, "/", c.Path, name)
			assert.Empty(t, c.Domain, name)
			assert.NotContains(t, c.Value, "eyJ", "tokens are sealed")
			assert.NotContains(t, name, "nonce")
			assert.NotContains(t, name, "verifier")
			assert.NotContains(t, name, "access")
		}
	})
	t.Run("scripts of the page may ask, too", func(t *testing.T) {
		w.own.Reset()
		r := b.ask(http.MethodPost, w.URL+"/v1/chat/completions", nil, "Accept: application/json", "Sec-Fetch-Mode: cors")
		assert.Equal(t, http.StatusBadRequest, r.Status, "it got as far as being read: %s", r)
		r = b.ask(http.MethodGet, w.URL+"/proxy/own/v1/x", nil, "Accept: application/json")
		assert.Equal(t, http.StatusOK, r.Status)
		got := w.own.Only(t)
		assert.Empty(t, got.Header.Values("Cookie"))
		assert.Equal(t, []string{"Bearer " + ownKey}, got.Header.Values("Authorization"))
		assert.NotContains(t, got.URI+strings.Join(flat(got.Header), " "), "eyJ")
	})
	t.Run("a changed cookie is worth nothing", func(t *testing.T) {
		for name, c := range b.host(w) {
			value := c.Value
			c.Value = "x" + value[1:]
			if value[0] == 'x' {
				c.Value = "y" + value[1:]
			}
			r := b.ask(http.MethodGet, w.URL+"/v1/models", nil, "Accept: application/json")
			c.Value = value
			assert.Equal(t, http.StatusUnauthorized, r.Status, name)
		}
		r := b.ask(http.MethodGet, w.URL+"/v1/models", nil, "Accept: application/json")
		assert.Equal(t, http.StatusOK, r.Status, "unchanged, they are good")
	})
	t.Run("logging out ends it", func(t *testing.T) {
		b := newBrowser(t)
		_, page := b.logIn(w, "/v1/models")
		require.Equal(t, http.StatusOK, page.Status)
		r := b.ask(http.MethodGet, w.URL+"/oauth2/logout", nil)
		assert.Equal(t, http.StatusFound, r.Status)
		assert.True(t, strings.HasPrefix(r.Header.Get("Location"), w.issuer.url+"/end_session?"), r.Header.Get("Location"))
		assert.Empty(t, b.host(w))
		r = b.ask(http.MethodGet, w.URL+"/v1/models", nil, "Accept: application/json")
		assert.Equal(t, http.StatusUnauthorized, r.Status)
		r = b.ask(http.MethodGet, w.URL+"/v1/models", nil)
		assert.Equal(t, http.StatusFound, r.Status)
	})
}

func flat(h http.Header) (out []string) {
	for name, values := range h {
		out = append(out, name+": "+strings.Join(values, " "))
	}
	return out
}

func TestOnlyPagesRedirect(t *testing.T) {
	w := loginWorld(t)
	page := "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	for name, r := range map[string]*harness.Response{
		"an SDK":                   w.Chat(t, chatBody),
		"an SDK with a bad token":  w.Chat(t, chatBody, bearer("garbage")),
		"curl":                     w.Do(t, http.MethodGet, "/v1/models", "", "Accept: */*"),
		"no Accept":                w.Do(t, http.MethodGet, "/v1/models", ""),
		"a form":                   w.Do(t, http.MethodPost, "/v1/chat/completions", chatBody, page),
		"a script":                 w.Do(t, http.MethodGet, "/v1/models", "", page, "Sec-Fetch-Mode: cors"),
		"a page with a bad token":  w.Do(t, http.MethodGet, "/", "", page, bearer("garbage")),
		"a page with an old token": w.Do(t, http.MethodGet, "/", "", page, bearer(w.issuer.token(t, set("exp", 1)))),
		"forged cookies":           w.Do(t, http.MethodGet, "/v1/models", "", "Cookie: __Host-igw-id="+w.issuer.token(t)+"; __Host-igw-expires=99999999999; __Host-igw-hmac=x"),
		"an API key":               w.Do(t, http.MethodGet, "/", "", page, "X-Api-Key: x"),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, http.StatusUnauthorized, r.Status, r)
			assert.NotEmpty(t, r.Error().Code, r)
			assert.Empty(t, r.Header.Get("Location"))
			assert.Empty(t, r.Header.Values("Set-Cookie"))
		})
	}
	for name, r := range map[string]*harness.Response{
		"a page":         w.Do(t, http.MethodGet, "/", "", page),
		"a deep page":    w.Do(t, http.MethodGet, "/ui/chat?x=1", "", page, "Sec-Fetch-Mode: navigate"),
		"an API page":    w.Do(t, http.MethodGet, "/v1/models", "", page),
		"forged cookies": w.Do(t, http.MethodGet, "/", "", page, "Cookie: __Host-igw-id="+w.issuer.token(t)+"; __Host-igw-expires=99999999999; __Host-igw-hmac=x"),
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, http.StatusFound, r.Status, r) })
	}
	for _, path := range []string{"/health", "/ready", "/health?x=/oauth2/callback"} {
		assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, path, "", page).Status, path)
	}
	assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/v1/models", "", page, bearer(w.issuer.token(t))).Status, "a token is as good as ever")
}

func TestACallbackThatNobodyBeganIsRefused(t *testing.T) {
	w := newLoginWorld(t) // whose log ends with the test
	b := newBrowser(t)
	first := b.ask(http.MethodGet, w.URL+"/", nil)
	there, err := url.Parse(first.Header.Get("Location"))
	require.NoError(t, err)
	state := there.Query().Get("state")
	const code = "CODEMARKER"
	for name, tt := range map[string]struct {
		b     *browser
		query string
	}{
		"nothing":               {newBrowser(t), ""},
		"no state":              {newBrowser(t), "?code=" + code},
		"junk":                  {newBrowser(t), "?code=" + code + "&state=%00%ff"},
		"somebody else's state": {newBrowser(t), "?code=" + code + "&state=" + state},
		"an unknown code":       {b, "?code=" + code + "&state=" + state},
		"the issuer's error":    {newBrowser(t), "?error=access_denied&state=" + state + "&error_description=" + code},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.b.ask(http.MethodGet, w.URL+"/oauth2/callback"+tt.query, nil)
			assert.Equal(t, http.StatusUnauthorized, r.Status, r)
			assert.Contains(t, r.Error().Message, "login did not succeed")
			assert.NotContains(t, r.String(), code)
		})
	}
	w.Do(t, http.MethodGet, "/never?x="+code, "", "Accept: application/json")
	require.Zero(t, w.Stop(t))
	assert.Contains(t, w.Stdout.String(), "/oauth2/callback")
	assert.NotContains(t, w.Stdout.String()+w.Stderr.String(), code)
	assert.NotContains(t, w.Stdout.String()+w.Stderr.String(), state)
}

// The user comes back to where the login began, and to no other site.
func TestALoginDoesNotLeadAway(t *testing.T) {
	w := &world{issuer: newIssuer(t), own: harness.NewProvider(t, nil)}
	port := harness.FreePort(t)
	w.Gateway = harness.Start(t, w.loginEnv(t).With("SERVER_PORT", port, "AUTH_PUBLIC_URL", "https://127.0.0.1:"+port))
	w.issuer.allow(w.URL)
	page := "Accept: text/html"
	r := w.Do(t, http.MethodGet, "/x", "", page, "Host: evil.example", "X-Forwarded-Host: evil.example")
	require.Equal(t, http.StatusFound, r.Status, r)
	there, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, w.URL+"/oauth2/callback", there.Query().Get("redirect_uri"))
	at, page2 := newBrowser(t).logIn(w, "/v1/models")
	assert.Equal(t, w.URL+"/v1/models", at)
	assert.Equal(t, http.StatusOK, page2.Status)
	assert.NotContains(t, r.Header.Get("Location"), "evil")
}

// Replicas stand behind one address, so that the cookies' host is the same; they share the secret.
func TestReplicasAgreeOnCookies(t *testing.T) {
	issuer := newIssuer(t)
	const same = "0123456789abcdef0123456789abcdef"
	replica := func(secret string) *world {
		w := &world{issuer: issuer, own: harness.NewProvider(t, nil)}
		w.Gateway = harness.Start(t, w.loginEnv(t).With("AUTH_COOKIE_SECRET", secret))
		return w
	}
	one := replica(same)
	issuer.allow(one.URL)
	b := newBrowser(t)
	_, page := b.logIn(one, "/v1/models")
	require.Equal(t, http.StatusOK, page.Status)
	var cookies []string
	for name, c := range b.host(one) {
		cookies = append(cookies, name+"="+c.Value)
	}
	for secret, want := range map[string]int{same: http.StatusOK, same + "x": http.StatusUnauthorized} {
		other := replica(secret)
		r := other.Do(t, http.MethodGet, "/v1/models", "", "Host: "+one.Addr, "Cookie: "+strings.Join(cookies, "; "))
		assert.Equal(t, want, r.Status, "%s", r)
	}
}

// Browsers drop a cookie of more than 4096 bytes without a word, and some issuers put every group into a token.
func TestAUserOfManyGroupsLogsIn(t *testing.T) {
	w := newLoginWorld(t)
	for i := range 200 {
		w.issuer.groups = append(w.issuer.groups, fmt.Sprintf("a-group-with-a-long-name-%03d", i))
	}
	b := newBrowser(t)
	_, page := b.logIn(w, "/v1/models")
	require.Equal(t, http.StatusOK, page.Status, page)
	size := 0
	for name, c := range b.host(w) {
		assert.LessOrEqual(t, len(name)+len(c.Value), 4096, name)
		size += len(c.Value)
	}
	assert.Greater(t, size, 8<<10, "the token was large")
	b.ask(http.MethodGet, w.URL+"/oauth2/logout", nil)
	assert.Empty(t, b.host(w))
}

// A session is renewed by its refresh token, and what the renewed one brings is checked like any token.
func TestASessionIsRenewed(t *testing.T) {
	w := newLoginWorld(t, "AUTH_OIDC_SCOPES", "openid,offline_access")
	b := newBrowser(t)
	_, page := b.logIn(w, "/v1/models")
	require.Equal(t, http.StatusOK, page.Status)
	jar := b.host(w)
	var refresh string
	for name := range jar {
		if strings.Contains(name, "refresh") {
			refresh = name
		}
	}
	require.NotEmpty(t, refresh, "offline_access was asked for")
	old := jar["__Host-igw-id"].Value
	for name := range jar { // as when their time is over
		if name != refresh {
			delete(jar, name)
		}
	}
	r := b.ask(http.MethodGet, w.URL+"/v1/models", nil, "Accept: application/json")
	require.Equal(t, http.StatusOK, r.Status, r)
	assert.NotEqual(t, old, b.host(w)["__Host-igw-id"].Value)
}
