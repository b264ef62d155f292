package oidc

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a Finder whose goroutines end with the test.
func running(t *testing.T) *Finder {
	t.Helper()
	f := NewFinder(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; http.DefaultClient.CloseIdleConnections() })
	return f
}

// issuerAt serves a document in which ISSUER stands for the issuer's URL.
func issuerAt(t *testing.T, document func() (int, string)) string {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wellKnown {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		status, text := document()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.ReplaceAll(text, "ISSUER", s.URL)))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const good = `{"issuer":"ISSUER","jwks_uri":"ISSUER/keys","authorization_endpoint":"ISSUER/auth","token_endpoint":"ISSUER/token","x":[1]}`

func answers(status int, text string) func() (int, string) {
	return func() (int, string) { return status, text }
}

func TestAnIssuerIsFound(t *testing.T) {
	f := running(t)
	url := issuerAt(t, answers(200, good))
	f.Follow(http.DefaultClient, []string{url})
	f.Asked(t.Context())
	assert.Equal(t, map[string]Metadata{url: {
		Issuer: url, KeysURL: url + "/keys", AuthorizeURL: url + "/auth", TokenURL: url + "/token",
	}}, f.Found())
	<-f.Changed()
}

func TestAnIssuerThatComesUpLaterIsFound(t *testing.T) {
	var up atomic.Bool
	url := issuerAt(t, func() (int, string) {
		if up.Load() {
			return 200, good
		}
		return 503, "not yet"
	})
	f := running(t)
	f.Follow(http.DefaultClient, []string{url})
	f.Asked(t.Context())
	assert.Empty(t, f.Found())
	up.Store(true)
	select {
	case <-f.Changed():
	case <-time.After(20 * time.Second):
		t.Fatal("not found")
	}
	assert.Contains(t, f.Found(), url)
}

func TestAnIssuerThatIsFollowedNoLongerIsForgotten(t *testing.T) {
	one, two := issuerAt(t, answers(200, good)), issuerAt(t, answers(200, good))
	f := running(t)
	f.Follow(http.DefaultClient, []string{one})
	f.Asked(t.Context())
	f.Follow(http.DefaultClient, []string{one, two})
	assert.Contains(t, f.Found(), one, "what is known stays")
	f.Asked(t.Context())
	f.Follow(http.DefaultClient, []string{two})
	assert.Len(t, f.Found(), 1)
	assert.Contains(t, f.Found(), two)
}

func TestABadDocumentIsRefused(t *testing.T) {
	with := func(old, replacement string) string { return strings.Replace(good, old, replacement, 1) }
	for name, tt := range map[string]struct {
		status   int
		document string
		says     string
	}{
		"another issuer":    {200, with(`"ISSUER"`, `"https://evil.example"`), "https://evil.example"},
		"a slash too many":  {200, with(`"ISSUER"`, `"ISSUER/"`), "spelled exactly"},
		"no keys":           {200, with("jwks_uri", "other"), "jwks_uri"},
		"keys in a file":    {200, with(`ISSUER/keys`, `file:///etc/passwd`), "jwks_uri"},
		"keys nowhere":      {200, with(`ISSUER/keys`, `/keys`), "jwks_uri"},
		"keys with a user":  {200, with(`ISSUER/keys`, `http://a:b@c/keys`), "jwks_uri"},
		"a broken endpoint": {200, with(`ISSUER/token`, "http://c/a b"), "token_endpoint"},
		"no JSON":           {200, "<html>", "not JSON"},
		"too large":         {200, with(`"x":[1]`, fmt.Sprintf(`"x":%q`, strings.Repeat("x", maxDocument))), "too large"},
		"not found":         {404, good, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			url := issuerAt(t, answers(tt.status, tt.document))
			_, err := ask(t.Context(), http.DefaultClient, url)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.says)
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestAnEndpointIsNoLessProtectedThanItsIssuer(t *testing.T) {
	m := Metadata{Issuer: "https://a.example", KeysURL: "http://a.example/keys"}
	require.Error(t, m.check("https://a.example"))
	m.KeysURL = "https://keys.example/"
	assert.NoError(t, m.check("https://a.example"))
}

func TestTheSecretGoesWhereTheIssuerWantsIt(t *testing.T) {
	assert.False(t, Metadata{}.TokenAuthByBody())
	assert.False(t, Metadata{TokenAuth: []string{"client_secret_post", "client_secret_basic"}}.TokenAuthByBody())
	assert.True(t, Metadata{TokenAuth: []string{"client_secret_post"}}.TokenAuthByBody())
}
