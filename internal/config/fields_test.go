package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryVariableHasItsOwnField sets each row alone and sees exactly one field change, another one for each row: a
// row that writes to its neighbour's field would go unnoticed otherwise.
func TestEveryVariableHasItsOwnField(t *testing.T) {
	samples := map[string]string{
		"text": "sample", "path": "/sample", "secret": "sample", "comma list": "a,b", "comma list of URLs": "http://sample",
		"port": "1234", "bytes": "77", "count": "77", "address": "127.0.0.9", "duration": "77s", "URL": "http://sample/x",
		"debug, info, warn or error": "error", "json or text": "json", "TLS12 or TLS13": "TLS13", "URL of gRPC": "grpc://sample:8081", "word": "sample", "direct or selector": "selector",
		"require or optional": "optional", "host:port": "a.example:77", "KiB": "77", "comma list of origins": "https://a.example",
	}
	owner := map[string]string{}
	for _, v := range rows() {
		var before, after Config
		if v.def != "" {
			require.NoError(t, v.set(&before, v.def))
		}
		sample := samples[v.unit]
		if v.unit == "true or false" {
			sample = map[string]string{"true": "false", "false": "true"}[v.def]
		}
		require.NotEmpty(t, sample, "a sample for %s (%s)", v.name, v.unit)
		require.NoError(t, v.set(&after, sample), v.name)
		var changed []string
		a, b := flat(t, before), flat(t, after)
		for field := range b {
			if a[field] != b[field] {
				changed = append(changed, field)
			}
		}
		require.Len(t, changed, 1, v.name)
		assert.Empty(t, owner[changed[0]], "%s has the field of %s", v.name, owner[changed[0]])
		owner[changed[0]] = v.name

		if v.unit != "path" && !slices.Contains([]string{"AUTH_ENABLED", "SERVER_HTTP_REDIRECT_PORT", "CONTROL_HOST", "CONTROL_ADDRESS", "CONTROL_LOOPBACK_ADDRESS", "SERVER_MAX_REQUEST_BODIES_SIZE"}, v.name) { // these need others
			cfg, _, err := Load(map[string]string{v.name: sample})
			require.NoError(t, err)
			assert.Equal(t, b[changed[0]], flat(t, *cfg)[changed[0]], v.name)
		}
	}
}

// flat gives a config's fields as text, by their paths.
func flat(t *testing.T, c Config) map[string]string {
	c.Providers = nil
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	var groups map[string]any
	require.NoError(t, json.Unmarshal(encoded, &groups))
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if m, ok := v.(map[string]any); ok {
			for k, inner := range m {
				walk(path+"."+k, inner)
			}
			return
		}
		out[path] = fmt.Sprint(v)
	}
	walk("", groups)
	return out
}

func pair(t *testing.T) (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}
