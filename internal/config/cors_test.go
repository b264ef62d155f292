package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOrigins(t *testing.T) {
	for written, want := range map[string][]string{
		"https://app.example":                         {"https://app.example"},
		"https://App.Example:443, http://a.b:80":      {"https://app.example", "http://a.b"},
		"http://localhost:3000,https://localhost:443": {"http://localhost:3000", "https://localhost"},
		"https://a.example:80,http://[::1]:5173":      {"https://a.example:80", "http://[::1]:5173"},
		"tauri://localhost,chrome-extension://abcdef": {"tauri://localhost", "chrome-extension://abcdef"},
		"https://a.example,HTTPS://A.EXAMPLE":         {"https://a.example"},
	} {
		got, err := parseOrigins(written)
		require.NoError(t, err, written)
		assert.Equal(t, want, got, written)
	}
	for _, written := range []string{
		"null", "app.example", "//app.example", "https://", "https://app.example/", "https://app.example/x", "https://app.example?x",
		"https://app.example#x", "https://u@app.example", "https://*.example", "*.example", "https://app.example:", "https://app.example:x",
		"https://exämple.org", "https://a b", "*,https://app.example", "https://a.example%2eb", "https:app.example",
	} {
		_, err := parseOrigins(written)
		assert.Error(t, err, written)
	}
}

// Every page there is may be let in only where a page that knows no key can do nothing.
func TestAnyOriginIsRefusedWhereBrowsersSayWhoTheirUserIs(t *testing.T) {
	cert, key := pair(t)
	files := WithFiles(readerOf(map[string][]byte{"/cert": cert, "/key": key, "/keys": []byte("keys: []\n")}))
	auth := "AUTH_ENABLED=true AUTH_OIDC_ISSUER=https://issuer.example AUTH_OIDC_CLIENT_ID=c "
	login := auth + "AUTH_OIDC_CLIENT_SECRET=s AUTH_PUBLIC_URL=https://gateway.example "
	certificates := "SERVER_TLS_CERT_PATH=/cert SERVER_TLS_KEY_PATH=/key SERVER_TLS_CLIENT_CA_PATH=/cert "
	for name, tt := range map[string]struct{ env, says string }{
		"nobody is checked":           {"", "API_KEYS_FILE or AUTH_ENABLED"},
		"a login":                     {login, "cookies"},
		"a login, and keys":           {login + "API_KEYS_FILE=/keys ", "cookies"},
		"client certificates":         {certificates, "client certificate"},
		"client certificates, tokens": {auth + certificates, "client certificate"},
		"keys":                        {"API_KEYS_FILE=/keys ", ""},
		"tokens":                      {auth, ""},
	} {
		_, _, err := Load(environ(tt.env+"SERVER_CORS_ALLOWED_ORIGINS=*"), files)
		if tt.says == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, "SERVER_CORS_ALLOWED_ORIGINS", name)
			assert.ErrorContains(t, err, tt.says, name)
		}
		_, _, err = Load(environ(tt.env+"SERVER_CORS_ALLOWED_ORIGINS=https://app.example"), files)
		assert.NoError(t, err, name)
	}
}
