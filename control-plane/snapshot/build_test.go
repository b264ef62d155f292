package snapshot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

var update = flag.Bool("update", false, "rewrite the wanted outputs of testdata")

// The certificate that a case may name.
const certPath, keyPath = "/tls/cert.pem", "/tls/key.pem"

// The files of keys and of rights that a case may name.
const keysPath, rulesPath = "/access/keys.yaml", "/access/rules.yaml"

var accessFiles = map[string]string{
	keysPath:  "keys: [{id: ci, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}]",
	rulesPath: "everyone: {allow: {models: [a]}}",
}

// certificate makes the pair anew: a private key has no place in a repository.
var certificate = sync.OnceValue(func() map[string][]byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return map[string][]byte{
		certPath: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		keyPath:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
})

// inputOf loads a configuration the way the program does. Variables are written NAME=value.
func inputOf(t testing.TB, variables ...string) Input {
	t.Helper()
	env := map[string]string{}
	for _, v := range variables {
		name, value, ok := strings.Cut(v, "=")
		require.True(t, ok, v)
		env[name] = value
	}
	c, _, err := config.Load(env, config.WithFiles(func(path string) ([]byte, error) {
		if content, ok := certificate()[path]; ok {
			return content, nil
		}
		if content, ok := accessFiles[path]; ok {
			return []byte(content), nil
		}
		if content, ok := limitFiles[path]; ok {
			return []byte(content), nil
		}
		return nil, fs.ErrNotExist
	}))
	require.NoError(t, err)
	known := map[string]Issuer{"https://known.example/realm": {
		KeysURL: "https://keys.example:8443/jwks", AuthorizeURL: "https://known.example/authorize", TokenURL: "https://known.example/token",
		EndSessionURL: "https://known.example/logout",
	}}
	return Input{Config: c, Issuers: known, RootsPath: "/roots.pem", Sockets: Sockets{
		ExtProc: "/s/extproc.sock", Authz: "/s/authz.sock", API: "/s/api.sock", Demo: "/s/demo.sock", Loopback: "/s/loopback.sock", Loop: "/s/loop.sock",
		RateLimit: "/s/ratelimit.sock",
	}}
}

func build(t testing.TB, variables ...string) *cachev3.Snapshot {
	t.Helper()
	s, err := Build(inputOf(t, variables...))
	require.NoError(t, err)
	return s
}

// marker begins every key of everyProvider.
const marker = "sk-marker-"

// everyProvider is the environment in which every row of the catalogue is ready, and two own ones.
func everyProvider() []string {
	out := []string{
		"PROVIDERS=vllm,claude2", "VLLM_API_URL=http://10.0.0.7:8000/v1", "VLLM_AUTH=header:x-secret", "VLLM_API_KEY=" + marker + "vllm",
		"CLAUDE2_API_URL=https://[2001:db8::1]:8443", "CLAUDE2_DIALECT=anthropic", "CLAUDE2_API_KEY=" + marker + "claude2",
		"DEMO_ENABLED=true", "CLOUDFLARE_ACCOUNT_ID=0123456789abcdef0123456789abcdef",
	}
	for _, p := range catalog.All() {
		name := strings.ToUpper(p.ID)
		if p.KeyNeed != catalog.KeyRequired {
			out = append(out, name+"_API_URL="+p.BaseURL)
		}
		if p.KeyNeed != catalog.KeyNone {
			out = append(out, name+"_API_KEY="+marker+p.ID)
		}
	}
	return out
}

var types = []string{listenerType, routeType, clusterType, secretType}

// each visits every resource in a fixed order.
func each(s *cachev3.Snapshot, visit func(kind, name string, r cachetypes.Resource)) {
	for _, url := range types {
		resources := s.GetResources(url)
		names := make([]string, 0, len(resources))
		for name := range resources {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			visit(shortType(url), name, resources[name])
		}
	}
}

// TestCases runs each file of testdata: prose, env, show (lines of a type and a pattern of names), and what is wanted:
// those resources as YAML.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(archive.Files), 2)
			require.Equal(t, "env", archive.Files[0].Name)
			require.Equal(t, "show", archive.Files[1].Name)
			shown := strings.Split(strings.TrimSpace(string(archive.Files[1].Data)), "\n")
			var got []txtar.File
			each(build(t, strings.Fields(string(archive.Files[0].Data))...), func(kind, name string, r cachetypes.Resource) {
				if slices.ContainsFunc(shown, func(pattern string) bool {
					fits, err := path.Match(pattern, kind+" "+name)
					require.NoError(t, err)
					return fits
				}) {
					got = append(got, txtar.File{Name: kind + " " + name, Data: asYAML(t, r)})
				}
			})
			require.NotEmpty(t, got, "nothing fits show")
			if *update {
				archive.Files = append(archive.Files[:2], got...)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
				return
			}
			want := archive.Files[2:]
			assert.Equal(t, string(txtar.Format(&txtar.Archive{Files: want})), string(txtar.Format(&txtar.Archive{Files: got})))
		})
	}
}

func asYAML(t *testing.T, m proto.Message) []byte {
	text, err := protojson.Marshal(m)
	require.NoError(t, err)
	for path, content := range certificate() { // another one in each run
		pem, err := json.Marshal(string(content))
		require.NoError(t, err)
		text = bytes.ReplaceAll(text, pem, []byte(`"content of `+path+`"`))
	}
	doc, err := yaml.JSONToYAML(text)
	require.NoError(t, err)
	return doc
}

// dump is every byte of a snapshot, versions included.
func dump(t testing.TB, s *cachev3.Snapshot) string {
	var b strings.Builder
	for _, url := range types {
		fmt.Fprintf(&b, "%s %s\n", shortType(url), s.GetVersion(url))
	}
	each(s, func(kind, name string, r cachetypes.Resource) {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s %s %x\n", kind, name, raw)
	})
	return b.String()
}

// A push happens when a version changes: the same configuration must never look like another.
func TestTheSameConfigurationGivesTheSameBytes(t *testing.T) {
	want := dump(t, build(t, everyProvider()...))
	for range 100 {
		require.Equal(t, want, dump(t, build(t, everyProvider()...)))
	}
}

func TestVersionsChangeWithTheContentAndOnlyThen(t *testing.T) {
	base := []string{"OPENAI_API_KEY=a", "GROQ_API_KEY=b"}
	all := []string{"Listener", "RouteConfiguration", "Cluster", "Secret"}
	for _, c := range []struct {
		variable string
		changes  []string
	}{
		{"OPENAI_API_KEY=c", []string{"Secret"}},
		{"SERVER_PORT=9999", []string{"Listener"}},
		{"CLIENT_CONNECT_TIMEOUT=7s", []string{"Cluster"}},
		{"CLIENT_MAX_RETRIES=0", []string{"RouteConfiguration"}},
		{"ALLOWED_MODELS=gpt-4o", []string{"RouteConfiguration"}},
		{"MISTRAL_API_KEY=d", []string{"RouteConfiguration", "Cluster", "Secret"}},
		{"TELEMETRY_METRICS_PORT=9555", nil},
		{"SERVER_DRAIN_TIMEOUT=77s", nil},
		{"LOG_FORMAT=text", nil},
	} {
		t.Run(c.variable, func(t *testing.T) {
			before, after := build(t, base...), build(t, append(slices.Clone(base), c.variable)...)
			for i, url := range types {
				changed := before.GetVersion(url) != after.GetVersion(url)
				assert.Equal(t, slices.Contains(c.changes, all[i]), changed, all[i])
			}
		})
	}
}

func TestVersionIsOfContentNotOfOrder(t *testing.T) {
	in := inputOf(t, everyProvider()...)
	forward := clusters(in)
	backward := slices.Clone(forward)
	slices.Reverse(backward)
	a, err := contentVersion(forward)
	require.NoError(t, err)
	b, err := contentVersion(backward)
	require.NoError(t, err)
	assert.Equal(t, a, b)
	c, err := contentVersion(forward[1:])
	require.NoError(t, err)
	assert.NotEqual(t, a, c)
}

// Build refuses what Envoy's rules refuse, so this is a test of every provider's resources at once and each alone.
func TestEveryProviderIsAcceptedByEnvoysRules(t *testing.T) {
	s := build(t, everyProvider()...)
	for _, p := range append(catalog.All(), catalog.Demo()) {
		assert.Contains(t, s.GetResources(clusterType), providerCluster(p.ID))
	}
	each(s, func(kind, name string, r cachetypes.Resource) { assert.NoError(t, validate(r), "%s %s", kind, name) })
	assert.Len(t, s.GetResources(clusterType), len(catalog.All())+6)
}

// Envoy and its dumps show everything but secrets.
func TestKeysOccurOnlyInSecrets(t *testing.T) {
	found := 0
	each(build(t, everyProvider()...), func(kind, name string, r cachetypes.Resource) {
		b, err := proto.Marshal(r)
		require.NoError(t, err)
		if kind == "Secret" {
			found += strings.Count(string(b), marker)
			return
		}
		assert.NotContains(t, string(b), marker, "%s %s", kind, name)
	})
	assert.Equal(t, len(catalog.All())-1+2, found, "every key but ollama's, which has none, and two own ones")
}
