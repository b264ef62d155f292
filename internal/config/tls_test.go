package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTLSFiles(t *testing.T) {
	cert, key := pair(t)
	_, otherKey := pair(t)
	files := map[string][]byte{"/cert": cert, "/key": key, "/other": otherKey, "/junk": []byte("junk")}
	good := "SERVER_TLS_CERT_PATH=/cert SERVER_TLS_KEY_PATH=/key "
	for _, c := range []struct {
		name, env string
		problems  []string
	}{
		{"nothing", "", nil},
		{"a pair and an authority", good + "CLIENT_TLS_CA_PATH=/cert", nil},
		{"no key", "SERVER_TLS_CERT_PATH=/cert", []string{"SERVER_TLS_KEY_PATH"}},
		{"no certificate", "SERVER_TLS_KEY_PATH=/key", []string{"SERVER_TLS_CERT_PATH"}},
		{"another key", "SERVER_TLS_CERT_PATH=/cert SERVER_TLS_KEY_PATH=/other", []string{"SERVER_TLS_CERT_PATH"}},
		{
			"all gone", "SERVER_TLS_CERT_PATH=/gone SERVER_TLS_KEY_PATH=/gone CLIENT_TLS_CA_PATH=/gone SERVER_TLS_CLIENT_CA_PATH=/gone",
			[]string{"CLIENT_TLS_CA_PATH", "SERVER_TLS_CERT_PATH", "SERVER_TLS_CLIENT_CA_PATH", "SERVER_TLS_KEY_PATH"},
		},
		{
			"junk", "SERVER_TLS_CERT_PATH=/junk SERVER_TLS_KEY_PATH=/key CLIENT_TLS_CA_PATH=/junk SERVER_TLS_CLIENT_CA_PATH=/junk",
			[]string{"CLIENT_TLS_CA_PATH", "SERVER_TLS_CERT_PATH", "SERVER_TLS_CLIENT_CA_PATH"},
		},
		{"clients' certificates without TLS", "SERVER_TLS_CLIENT_CA_PATH=/cert", []string{"SERVER_TLS_CLIENT_CA_PATH"}},
		{"clients' certificates", good + "SERVER_TLS_CLIENT_CA_PATH=/cert SERVER_TLS_CLIENT_AUTH=Optional", nil},
		{"an odd kind of them", good + "SERVER_TLS_CLIENT_CA_PATH=/cert SERVER_TLS_CLIENT_AUTH=maybe", []string{"SERVER_TLS_CLIENT_AUTH"}},
		{"a redirect without TLS", "SERVER_HTTP_REDIRECT_PORT=80", []string{"SERVER_HTTP_REDIRECT_PORT"}},
		{"a redirect", good + "SERVER_HTTP_REDIRECT_PORT=8081", nil},
		{"a redirect to itself", good + "SERVER_HTTP_REDIRECT_PORT=8080", []string{"SERVER_HTTP_REDIRECT_PORT"}},
		{"a port for probes", "SERVER_PROBE_PORT=8081", nil},
		{"the same for probes", "SERVER_PROBE_PORT=8080", []string{"SERVER_PROBE_PORT"}},
		{"the redirect's for probes", good + "SERVER_PROBE_PORT=8081 SERVER_HTTP_REDIRECT_PORT=8081", []string{"SERVER_PROBE_PORT"}},
		{"a redirect to nowhere", good + "SERVER_PORT=0 SERVER_HTTP_REDIRECT_PORT=8081", []string{"SERVER_HTTP_REDIRECT_TO_PORT"}},
		{"a redirect to a mapped port", good + "SERVER_PORT=0 SERVER_HTTP_REDIRECT_PORT=8081 SERVER_HTTP_REDIRECT_TO_PORT=443", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := Load(environ(c.env), WithFiles(readerOf(files)))
			var got []string
			problems, _ := err.(Problems)
			for _, p := range problems {
				got = append(got, p.Variable)
			}
			assert.Equal(t, c.problems, got)
			assert.Empty(t, warnings)
		})
	}
}

// What was checked is what is used, and the key shows itself to nobody.
func TestTLSFilesArePartOfTheConfiguration(t *testing.T) {
	cert, key := pair(t)
	c, warnings, err := Load(environ("SERVER_TLS_CERT_PATH=/cert SERVER_TLS_KEY_PATH=/key CLIENT_TLS_CA_PATH=/ca SERVER_TLS_CLIENT_AUTH=optional"),
		WithFiles(readerOf(map[string][]byte{"/cert": cert, "/key": key, "/ca": cert})))
	require.NoError(t, err)
	assert.Equal(t, KeyPair{string(cert), Secret(key)}, c.Server.TLS.Pair)
	assert.Equal(t, string(cert), c.Client.TLSCA)
	assert.NotContains(t, fmt.Sprintf("%+v %v", c, c.Effective()), "PRIVATE")
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0].Message, "has no effect")
}

// environ makes variables of NAME=value words.
func environ(text string) map[string]string {
	out := map[string]string{}
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		out[name] = value
	}
	return out
}
