package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestControl(t *testing.T) {
	cert, key := pair(t)
	_, otherKey := pair(t)
	files := map[string][]byte{"/cert": cert, "/key": key, "/other": otherKey, "/ca": cert}
	good := "CONTROL_HOST=10.0.0.1 CONTROL_TLS_CERT_PATH=/cert CONTROL_TLS_KEY_PATH=/key CONTROL_TLS_CA_PATH=/ca CONTROL_TLS_PEERS=envoy.example "
	for _, c := range []struct {
		name, env string
		problems  []string
	}{
		{"all of it", good, nil},
		{"no TLS", "CONTROL_HOST=0.0.0.0 CONTROL_ADDRESS=gateway:1", []string{"CONTROL_TLS_CA_PATH", "CONTROL_TLS_CERT_PATH", "CONTROL_TLS_PEERS"}},
		{"no TLS on the loopback address", "CONTROL_HOST=127.0.0.1", []string{"CONTROL_TLS_CA_PATH", "CONTROL_TLS_CERT_PATH", "CONTROL_TLS_PEERS"}},
		{"no peers", good + "CONTROL_TLS_PEERS=", []string{"CONTROL_TLS_PEERS"}},
		{"no authority", good + "CONTROL_TLS_CA_PATH=", []string{"CONTROL_TLS_CA_PATH"}},
		{"another key", good + "CONTROL_TLS_KEY_PATH=/other", []string{"CONTROL_TLS_CERT_PATH"}},
		{"an authority that is a key", good + "CONTROL_TLS_CA_PATH=/key", []string{"CONTROL_TLS_CA_PATH"}},
		{"nowhere to connect to", good + "CONTROL_HOST=0.0.0.0", []string{"CONTROL_ADDRESS"}},
		{"nowhere to connect back to", good + "CONTROL_LOOPBACK_HOST=::", []string{"CONTROL_LOOPBACK_ADDRESS"}},
		{"odd addresses", good + "CONTROL_ADDRESS=gateway CONTROL_LOOPBACK_ADDRESS=a:b:1", []string{"CONTROL_ADDRESS", "CONTROL_LOOPBACK_ADDRESS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Load(environ(c.env), WithFiles(readerOf(files)))
			var got []string
			problems, _ := err.(Problems)
			for _, p := range problems {
				got = append(got, p.Variable)
			}
			assert.Equal(t, c.problems, got, "%v", err)
		})
	}
	c, warnings, err := Load(environ(good+"CONTROL_TLS_PEERS=b,a,b CONTROL_LOOPBACK_ADDRESS=envoys.example:7"), WithFiles(readerOf(files)))
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Equal(t, HostPort{"10.0.0.1", 18000}, c.Control.Address)
	assert.Equal(t, "envoys.example:7", c.Control.Loopback.String())
	assert.Equal(t, []string{"a", "b"}, c.Control.TLS.Peers)

	_, warnings, err = Load(environ("CONTROL_PORT=1"))
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0].String(), "CONTROL_HOST is not set")
}
