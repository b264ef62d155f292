package auth

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// signText signs a payload as it is written, with more in the token's header.
func signText(t *testing.T, k signingKey, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", k.id)
	for name, v := range header {
		options = options.WithHeader(name, v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.key}, options)
	require.NoError(t, err)
	signed, err := signer.Sign([]byte(payload))
	require.NoError(t, err)
	token, err := signed.CompactSerialize()
	require.NoError(t, err)
	return token
}

// What two readers could read in two ways is refused, though the issuer itself has signed it; and nothing that is in a token
// ends Envoy.
func TestTokensThatCouldBeReadInTwoWays(t *testing.T) {
	w := theWorld(t)
	k := w.issuer.published()[0]
	claims, err := json.Marshal(w.issuer.claims())
	require.NoError(t, err)
	good := string(claims)
	with := func(member string) string { return strings.TrimSuffix(good, "}") + "," + member + "}" }
	instead := func(old, text string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, text, 1)
	}
	for name, tt := range map[string]struct {
		payload string
		header  map[jose.HeaderKey]any
		status  int
	}{
		"a good one":                    {good, nil, http.StatusOK},
		"of another type":               {good, map[jose.HeaderKey]any{"typ": "at+jwt"}, http.StatusOK},
		"of three thousand groups":      {instead(`"staff"`, strings.Repeat(`"g",`, 3000)+`"staff"`), nil, http.StatusOK},
		"an extension that is demanded": {good, map[jose.HeaderKey]any{"crit": []string{"x-mine"}, "x-mine": true}, http.StatusUnauthorized},
		"two users":                     {with(`"sub":"root"`), nil, http.StatusUnauthorized},
		"two ends":                      {with(`"exp":9999999999`), nil, http.StatusUnauthorized},
		"an end beyond all time":        {instead(`"exp":`, `"exp":1e30,"x":`), nil, http.StatusUnauthorized},
		"an end before all time":        {instead(`"exp":`, `"exp":-1,"x":`), nil, http.StatusUnauthorized},
		"an end in words":               {instead(`"exp":`, `"exp":"9999999999","x":`), nil, http.StatusUnauthorized},
		"a beginning beyond all time":   {instead(`"nbf":`, `"nbf":1e300,"x":`), nil, http.StatusUnauthorized},
		"a user that is rounded":        {instead(`"alice"`, `12345678901234567890`), nil, http.StatusUnauthorized},
		"a user that is not UTF-8":      {instead(`alice`, "al\xffice"), nil, http.StatusUnauthorized},
		"lists in lists":                {with(`"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), nil, http.StatusUnauthorized},
		"more behind it":                {good + "{}", nil, http.StatusUnauthorized},
		"no object":                     {`["` + w.issuer.url + `"]`, nil, http.StatusUnauthorized},
		"nothing":                       {``, nil, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			w.own.Reset()
			r := w.chat(t, signText(t, k, tt.payload, tt.header))
			assert.Equal(t, tt.status, r.Status, r)
			if tt.status != http.StatusOK {
				assert.Equal(t, "invalid_api_key", r.Error().Code)
				assert.Empty(t, w.own.Requests())
			}
		})
	}
}

// A key that is withdrawn ends also the tokens that Envoy has verified by it before: whoever stole the key has made some that
// never expire.
func TestATokenThatWasSeenEndsWithItsKey(t *testing.T) {
	w, env := ownWorld(t, nil)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	before := w.issuer.token(t)
	for range 20 {
		require.Equal(t, http.StatusOK, w.chat(t, before).Status)
	}
	w.issuer.rotate(newECKey(t, "second"))
	harness.Eventually(t, patience, "the token of the old key does not count any more", func() bool {
		return w.chat(t, before).Status == http.StatusUnauthorized
	})
}

// An issuer that answers nonsense is as one that does not answer: its last keys stay.
func TestKeysThatCannotBeReadChangeNothing(t *testing.T) {
	w, env := ownWorld(t, nil)
	w.issuer.start(t)
	w.Gateway = harness.Start(t, env)
	require.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t)).Status)
	for _, says := range []string{
		"garbage", "{}", `{"keys":[]}`, `{"keys":[{"kty":"RSA","kid":"first","n":"!!","e":"AQAB"}]}`, `{"keys":` + strings.Repeat("[", 10_000), strings.Repeat("x", 8<<20),
	} {
		mark := w.Stderr.Len()
		w.issuer.say(says)
		harness.Eventually(t, patience, "Envoy has noticed", func() bool { return strings.Contains(w.Stderr.Since(mark), "Jwks") })
		assert.Equal(t, http.StatusOK, w.chat(t, w.issuer.token(t, set("sub", "bob"))).Status, "%.40s", says)
	}
	w.issuer.rotate(newECKey(t, "second"))
	w.issuer.say("")
	w.accepted(t, w.issuer.token(t))
}
