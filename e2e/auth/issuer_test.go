package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// The provider's one client and its one user.
const (
	clientSecret = "SECRETMARKER-client"
	username     = "test-user2"
	password     = "verysecure"
	userID       = "id2"
)

// issuer is a certified OpenID provider on the loopback address, with the storage of its example. Its signing keys are
// the test's.
type issuer struct {
	url string
	ca  *harness.CA // nil for plain HTTP

	reserved net.Listener // for the first start: whoever else looks for a port meanwhile does not get this one

	mu     sync.Mutex
	keys   []signingKey // the first one signs, all are published
	server *httptest.Server
	store  *opStorage
	client *webClient
	groups []string // that a login brings, beside staff
	says   string   // in place of its keys, when it is not empty
	made   []string // every token that was made, for those who look for leaks
}

type signingKey struct {
	id  string
	alg jose.SignatureAlgorithm
	key crypto.Signer
}

// newIssuer starts one.
func newIssuer(t harness.T) *issuer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("OpenID provider: %v", err)
	}
	i := newIssuerAt(t, "http://"+l.Addr().String(), nil)
	i.reserved = l
	i.start(t)
	return i
}

// newIssuerDown makes an issuer that does not listen yet.
func newIssuerDown(t harness.T, ca *harness.CA) *issuer {
	t.Helper()
	scheme := "http"
	if ca != nil {
		scheme = "https"
	}
	return newIssuerAt(t, scheme+"://127.0.0.1:"+harness.FreePort(t), ca)
}

func newIssuerAt(t harness.T, url string, ca *harness.CA) *issuer {
	t.Helper()
	i := &issuer{url: url, ca: ca, keys: []signingKey{newRSAKey(t, "first")}}
	i.allow("https://nowhere.example")
	return i
}

func newRSAKey(t harness.T, id string) signingKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	return signingKey{id, jose.RS256, key}
}

func newECKey(t harness.T, id string) signingKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	return signingKey{id, jose.ES256, key}
}

// start listens. stop ends that, and start may be called again.
func (i *issuer) start(t harness.T) {
	t.Helper()
	provider, err := op.NewProvider(&op.Config{
		CryptoKey: [32]byte{1}, CodeMethodS256: true, GrantTypeRefreshToken: true, AuthMethodPost: true, DefaultLogoutRedirectURI: "/logged-out",
	}, i.store, op.StaticIssuer(i.url), op.WithAllowInsecure())
	if err != nil {
		t.Fatalf("OpenID provider: %v", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.HandleFunc(op.DefaultEndpoints.JwksURI.Relative(), func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		says := i.says
		i.mu.Unlock()
		if says == "" {
			provider.ServeHTTP(w, r)
			return
		}
		_, _ = io.WriteString(w, says)
	})
	mux.HandleFunc("/login/username", i.login(op.AuthCallbackURL(provider)))
	mux.HandleFunc("/logged-out", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "logged out") })
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a certificate that is refused is what some tests want
	_ = s.Listener.Close()
	s.Listener, i.reserved = i.reserved, nil
	if s.Listener == nil {
		_, address, _ := strings.Cut(i.url, "://")
		if s.Listener, err = net.Listen("tcp", address); err != nil {
			t.Fatalf("OpenID provider: %v", err)
		}
	}
	if i.ca != nil {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{i.ca.Certificate(t, "127.0.0.1")}}
		s.StartTLS()
	} else {
		s.Start()
	}
	i.mu.Lock()
	i.server = s
	i.mu.Unlock()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
}

func (i *issuer) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.server.CloseClientConnections()
	i.server.Close()
}

// say has it answer something else than its keys; "" is its keys again.
func (i *issuer) say(text string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.says = text
}

// rotate publishes another set of keys.
func (i *issuer) rotate(keys ...signingKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// allow makes a gateway one to which browsers may be sent back.
func (i *issuer) allow(gateway string) {
	web := &webClient{storage.WebClient(audience, clientSecret, gateway+"/oauth2/callback"), gateway + "/"}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.client = web
	if i.store == nil {
		i.store = &opStorage{Storage: storage.NewStorageWithClients(storage.NewUserStore(i.url), map[string]*storage.Client{audience: web.Client}), issuer: i}
	}
}

// webClient is the example's, with an address to go to after logging out.
type webClient struct {
	*storage.Client
	home string
}

func (c *webClient) PostLogoutRedirectURIs() []string { return []string{c.home} }

func (s *opStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	s.issuer.mu.Lock()
	defer s.issuer.mu.Unlock()
	if id != audience {
		return nil, errors.New("no such client")
	}
	return s.issuer.client, nil
}

func (i *issuer) published() []signingKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]signingKey(nil), i.keys...)
}

// claims are those of a good token.
func (i *issuer) claims() map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": i.url, "sub": "alice", "aud": []string{audience, "another"}, "groups": []string{"staff", "admins"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
}

// token signs the claims of a good token, with changes, by the current key.
func (i *issuer) token(t harness.T, changes ...func(map[string]any)) string {
	t.Helper()
	c := i.claims()
	for _, change := range changes {
		change(c)
	}
	return i.sign(t, i.published()[0], c)
}

func (i *issuer) sign(t harness.T, k signingKey, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.id != "" {
		options = options.WithHeader("kid", k.id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.key}, options)
	if err != nil {
		t.Fatalf("signer: %v", err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made = append(i.made, token)
	return token
}

func set(name string, value any) func(map[string]any) {
	return func(c map[string]any) { c[name] = value }
}

func without(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }

func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

// publicPEM is the public key as a file, for those who confuse it with a shared secret.
func (k signingKey) publicPEM(t harness.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		t.Fatalf("public key: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

var loginPage = template.Must(template.New("").Parse(`<!doctype html><title>Log in</title>
<form method="post"><input type="hidden" name="id" value="{{.}}">
<input id="username" name="username"><input id="password" name="password" type="password"><button id="go">Log in</button></form>`))

// login is the page that the provider leaves to its operator.
func (i *issuer) login(back func(context.Context, string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("authRequestID")
		if r.Method != http.MethodPost {
			_ = loginPage.Execute(w, id)
			return
		}
		id = r.PostFormValue("id")
		if err := i.store.CheckUsernamePassword(r.PostFormValue("username"), r.PostFormValue("password"), id); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, back(op.ContextWithIssuer(r.Context(), i.url), id), http.StatusFound)
	}
}

// opStorage is the example's storage with the test's keys and groups.
type opStorage struct {
	*storage.Storage
	issuer *issuer
}

func (s *opStorage) SigningKey(context.Context) (op.SigningKey, error) {
	return opKey{s.issuer.published()[0], true}, nil
}

func (s *opStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256}, nil
}

func (s *opStorage) KeySet(context.Context) (out []op.Key, err error) {
	for _, k := range s.issuer.published() {
		out = append(out, opKey{k, false})
	}
	return out, nil
}

func (s *opStorage) SetUserinfoFromRequest(ctx context.Context, u *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	s.issuer.mu.Lock()
	u.AppendClaims("groups", append([]string{"staff"}, s.issuer.groups...))
	s.issuer.mu.Unlock()
	return s.Storage.SetUserinfoFromRequest(ctx, u, r, scopes)
}

// opKey is a key as the provider wants it.
type opKey struct {
	signingKey
	private bool
}

func (k opKey) ID() string                                  { return k.id }
func (k opKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.alg }
func (k opKey) Algorithm() jose.SignatureAlgorithm          { return k.alg }
func (k opKey) Use() string                                 { return "sig" }

func (k opKey) Key() any {
	if k.private {
		return k.key
	}
	return k.key.Public()
}
