package config

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func loadLimits(env map[string]string, file string) (*Config, []Warning, error) {
	return Load(env, WithFiles(func(path string) ([]byte, error) {
		if path == "/limits.yaml" {
			return []byte(file), nil
		}
		return nil, fs.ErrNotExist
	}))
}

func TestLimitsFile(t *testing.T) {
	c, _, err := loadLimits(map[string]string{"LIMITS_FILE": "/limits.yaml", "RATELIMIT_URL": "grpcs://limits.example:8081"},
		"limits: [{name: a, per: address, requests: {minute: 5}}]")
	require.NoError(t, err)
	require.NotNil(t, c.Limits.Set)
	assert.Len(t, c.Limits.Set.Rules, 1)
	address, secure := c.Limits.Service()
	assert.Equal(t, "limits.example:8081", address)
	assert.True(t, secure && c.Limits.Shared())

	c, _, err = loadLimits(map[string]string{"LIMITS_FILE": "/limits.yaml"}, "")
	require.NoError(t, err)
	assert.Nil(t, c.Limits.Set)
	assert.False(t, c.Limits.Shared())
}

func TestLimitsThatFitNobody(t *testing.T) {
	const file = "limits: [{name: a, per: address, requests: {minute: 5}}, {name: b, per: caller, requests: {minute: 5}}, {name: c, per: everyone, groups: [x], requests: {minute: 5}}]"
	_, warnings, err := loadLimits(map[string]string{"LIMITS_FILE": "/limits.yaml"}, file)
	require.NoError(t, err)
	require.Len(t, warnings, 2)
	assert.Contains(t, warnings[0].String(), "LIMITS_FILE: limit b fits nobody")
	_, warnings, err = loadLimits(map[string]string{
		"LIMITS_FILE": "/limits.yaml", "AUTH_ENABLED": "true", "AUTH_OIDC_ISSUER": "https://a.example", "AUTH_OIDC_CLIENT_ID": "x",
	}, file)
	require.NoError(t, err)
	assert.Empty(t, warnings)
}

func TestBadLimits(t *testing.T) {
	_, _, err := loadLimits(map[string]string{"LIMITS_FILE": "/limits.yaml", "RATELIMIT_URL": "http://limits", "RATELIMIT_DOMAIN": "A b"},
		"limits:\n- {name: a, per: nobody}\n- 5\n\n\n\n\n\n\n\n- x\n")
	require.Error(t, err)
	assert.Equal(t, `LIMITS_FILE=/limits.yaml: expected caller, address, everyone or claim:<name> at line 2, limits[1].per
LIMITS_FILE=/limits.yaml: expected requests or tokens at line 2, limits[1]
LIMITS_FILE=/limits.yaml: expected fields with values (name: value) at line 3, limits[2]
LIMITS_FILE=/limits.yaml: expected fields with values (name: value) at line 11, limits[3]
RATELIMIT_DOMAIN="A b": expected up to 63 lower-case letters, digits, - and _
RATELIMIT_URL=http://limits: expected grpc://host:port, or grpcs://host:port for TLS`, err.Error())
	_, _, err = loadLimits(map[string]string{"LIMITS_FILE": "/gone"}, "")
	assert.EqualError(t, err, "LIMITS_FILE=/gone: expected a file that can be read")
	for _, url := range []string{"grpc://a", "grpc://a:0", "grpc://a:99999", "grpc://u:p@a:1", "grpc://a:1/x", "grpc://a:1?x", "a:1", "grpc://:1"} {
		_, _, err := loadLimits(map[string]string{"RATELIMIT_URL": url}, "")
		assert.Error(t, err, url)
	}
}
