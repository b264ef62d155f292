package auth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestAGoodTokenIsAcceptedAndGoesNoFurther(t *testing.T) {
	w := theWorld(t)
	for name, token := range map[string]string{
		"as it comes":         w.issuer.token(t),
		"one audience":        w.issuer.token(t, set("aud", audience)),
		"just expired":        w.issuer.token(t, set("exp", ago(2*time.Second))), // within the skew
		"valid in a moment":   w.issuer.token(t, set("nbf", ago(-2*time.Second))),
		"no groups":           w.issuer.token(t, without("groups")),
		"of eight kilobytes":  w.issuer.token(t, set("padding", strings.Repeat("x", 8<<10))),
		"without a key's id":  w.issuer.sign(t, signingKey{"", jose.RS256, w.issuer.published()[0].key}, w.issuer.claims()),
		"of a strange user":   w.issuer.token(t, set("sub", "a b,c\r\nx-igw-groups: admins\x00ü")),
		"with a strange list": w.issuer.token(t, set("groups", []any{1, "a,b", true, nil, map[string]any{"x": "y"}, ""})),
	} {
		t.Run(name, func(t *testing.T) {
			w.own.Reset()
			r := w.chat(t, token)
			require.Equal(t, http.StatusOK, r.Status, r)
			arrived(t, w, token)
			w.own.Reset()
			r = w.Do(t, http.MethodPost, "/proxy/own/v1/x?a=b", `{"model":"m"}`, bearer(token))
			require.Equal(t, http.StatusOK, r.Status, r)
			arrived(t, w, token)
			assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, "/v1/models", "", "Authorization: bearer "+token).Status)
		})
	}
}

// arrived wants one request at the provider, with nothing of the caller in it.
func arrived(t *testing.T, w *world, token string) {
	t.Helper()
	got := w.own.Only(t)
	assert.Equal(t, []string{"Bearer " + ownKey}, got.Header.Values("Authorization"))
	for name, values := range got.Header {
		assert.NotContains(t, strings.Join(values, " "), token[:20], name)
		assert.NotContains(t, strings.Join(values, " "), "alice", name)
		assert.False(t, strings.HasPrefix(strings.ToLower(name), "x-igw-"), name)
	}
	assert.NotContains(t, got.URI+string(got.Body), token[:20])
}

func TestABadTokenIsRefused(t *testing.T) {
	w := theWorld(t)
	other := newIssuerDown(t, nil) // its keys are known to nobody
	stranger := newRSAKey(t, w.issuer.published()[0].id)
	for name, tt := range map[string]struct{ token, says string }{
		"expired":                       {w.issuer.token(t, set("exp", ago(time.Minute))), "expired"},
		"without an end":                {w.issuer.token(t, without("exp")), "not accepted"},
		"not yet valid":                 {w.issuer.token(t, set("nbf", ago(-time.Minute))), "not valid yet"},
		"of a wrong audience":           {w.issuer.token(t, set("aud", "somebody-else")), "audience"},
		"of no audience":                {w.issuer.token(t, without("aud")), "audience"},
		"of a wrong issuer":             {w.issuer.token(t, set("iss", other.url)), "not accepted"},
		"of a nearly right issuer":      {w.issuer.token(t, set("iss", w.issuer.url+"/")), "not accepted"},
		"of no issuer":                  {w.issuer.token(t, without("iss")), "not accepted"},
		"of nobody":                     {w.issuer.token(t, without("sub")), "claim sub"},
		"of a user that is no text":     {w.issuer.token(t, set("sub", []string{"alice"})), "not accepted"},
		"of a user without a name":      {w.issuer.token(t, set("sub", "")), "claim sub"},
		"by an unknown key":             {w.issuer.sign(t, newRSAKey(t, "unknown"), w.issuer.claims()), "not accepted"},
		"by a key of the same name":     {w.issuer.sign(t, stranger, w.issuer.claims()), "not accepted"},
		"by another kind of key":        {w.issuer.sign(t, newECKey(t, "first"), w.issuer.claims()), "not accepted"},
		"without a signature":           {unsigned(t, w.issuer.claims(), "none"), "not accepted"},
		"without a signature, in caps":  {unsigned(t, w.issuer.claims(), "None"), "not accepted"},
		"with its signature taken away": {cutSignature(w.issuer.token(t)), "not accepted"},
		"with a changed payload":        {changedPayload(w.issuer.token(t), w.issuer.claims()), "not accepted"},
		"by the public key as a secret": {symmetric(t, w.issuer), "not accepted"},
		"with its own key":              {embeddedKey(t, w.issuer.claims()), "not accepted"},
		"of eight kilobytes":            {strings.Repeat("eyJ", 8<<10/3), "not accepted"},
		"garbage":                       {"garbage", "not accepted"},
		"three dots":                    {"a.b.c", "not accepted"},
		"nothing":                       {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.own.Reset()
			for _, r := range []*harness.Response{
				w.chat(t, tt.token),
				w.Do(t, http.MethodGet, "/v1/models", "", bearer(tt.token)),
				w.Do(t, http.MethodGet, "/proxy/own/v1/x", "", bearer(tt.token)),
			} {
				if tt.token == "" {
					assert.Equal(t, http.StatusUnauthorized, r.Status)
					continue
				}
				refused(t, r, "invalid_api_key", tt.says)
				assert.Equal(t, `Bearer error="invalid_token"`, r.Header.Get("Www-Authenticate"))
			}
			assert.Empty(t, w.own.Requests())
		})
	}
}

func TestWithoutATokenOnlyHealthAndReadyAnswer(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/health", "/ready", "/health?x=1"} {
		assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, path, "").Status, path)
	}
	for _, path := range []string{
		"/", "/v1/models", "/v1/models/own/m", "/v1/mcp/tools", "/v1/a2a/agents", "/proxy/own/v1/x", "/ui", "/index.html", "/nothing", "/health/", "/healthy",
		"/ready/x", "/health/../v1/models", "//health", "/Health",
	} {
		r := w.Do(t, http.MethodGet, path, "")
		refused(t, r, "unauthorized", "Authorization: Bearer")
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"} {
		assert.Equal(t, http.StatusUnauthorized, w.Do(t, method, "/v1/chat/completions", "{}").Status, method)
	}
	c := w.Dial(t)
	c.Send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
	assert.Equal(t, http.StatusNotFound, c.Receive("OPTIONS").Status, "no filter sees it")
	c = w.Dial(t)
	c.Send("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n")
	assert.GreaterOrEqual(t, c.Receive("CONNECT").Status, 400)
}

func TestATokenIsTakenFromNowhereElse(t *testing.T) {
	w := theWorld(t)
	good := w.issuer.token(t)
	w.own.Reset()
	for name, r := range map[string]*harness.Response{
		"the query":       w.Do(t, http.MethodPost, "/v1/chat/completions?access_token="+good, chatBody),
		"a cookie":        w.Chat(t, chatBody, "Cookie: access_token="+good+"; IdToken="+good+"; BearerToken="+good),
		"x-api-key":       w.Chat(t, chatBody, "X-Api-Key: "+good),
		"another header":  w.Chat(t, chatBody, "X-Forwarded-Authorization: Bearer "+good, "Proxy-Authorization: Bearer "+good),
		"another scheme":  w.Chat(t, chatBody, "Authorization: Basic "+good),
		"the client's id": w.Chat(t, chatBody, "X-Igw-Caller: oidc:x/alice", "X-Igw-Groups: admins"),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, r, "unauthorized", "Authorization: Bearer")
			assert.NotContains(t, r.String(), good[:20])
		})
	}
	assert.Empty(t, w.own.Requests())
}

// Two headers could be read by two parts in two ways, so that one is checked and the other used.
func TestTwoTokensAreRefused(t *testing.T) {
	w := theWorld(t)
	w.own.Reset()
	good := w.issuer.token(t)
	for name, second := range map[string]string{"good": w.issuer.token(t, set("sub", "bob")), "garbage": "x", "the same": good} {
		r := w.Chat(t, chatBody, bearer(good), bearer(second))
		assert.Equal(t, http.StatusUnauthorized, r.Status, name)
		r = w.Chat(t, chatBody, bearer(second), bearer(good))
		assert.Equal(t, http.StatusUnauthorized, r.Status, name)
	}
	assert.Empty(t, w.own.Requests())
}

func part(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

func unsigned(t *testing.T, claims map[string]any, alg string) string {
	t.Helper()
	return part(map[string]string{"alg": alg, "typ": "JWT"}) + "." + part(claims) + "."
}

func cutSignature(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

func changedPayload(token string, claims map[string]any) string {
	parts := strings.Split(token, ".")
	claims["sub"] = "root"
	parts[1] = part(claims)
	return strings.Join(parts, ".")
}

// symmetric is the trick on verifiers that take the algorithm from the token: HMAC, with the public key as the secret.
func symmetric(t *testing.T, i *issuer) string {
	t.Helper()
	k := i.published()[0]
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: k.publicPEM(t)}, (&jose.SignerOptions{}).WithHeader("kid", k.id))
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(i.claims()).Serialize()
	require.NoError(t, err)
	return token
}

// embeddedKey brings the key to verify it with along.
func embeddedKey(t *testing.T, claims map[string]any) string {
	t.Helper()
	k := newRSAKey(t, "first")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.key}, &jose.SignerOptions{EmbedJWK: true})
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}
