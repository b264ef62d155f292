package access

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestAKeyOpensEveryLane(t *testing.T) {
	w := theWorld(t)
	for _, lane := range lanes {
		for name, header := range map[string]string{"bearer": bearer("plain"), "x-api-key": xAPIKey("plain")} {
			r := w.Do(t, lane.method, lane.path, lane.body, header)
			assert.Equal(t, http.StatusOK, r.Status, "%s with %s: %s", lane.name, name, r)
		}
		both := w.Do(t, lane.method, lane.path, lane.body, bearer("plain"), xAPIKey("plain"))
		assert.Equal(t, http.StatusOK, both.Status, "%s with the same key twice: %s", lane.name, both)
	}
	for _, spelled := range []string{"bearer ", "BEARER ", "Bearer  "} {
		r := w.Do(t, http.MethodGet, "/v1/models", "", "Authorization: "+spelled+credential("plain"))
		assert.Equal(t, http.StatusOK, r.Status, "%q: %s", spelled, r)
	}
	r := w.Do(t, http.MethodGet, "/v1/models", "", bearer("soon"))
	assert.Equal(t, http.StatusOK, r.Status, "a key that will be revoked is good until then: %s", r)
}

func TestNothingOpensALaneWithoutAGoodKey(t *testing.T) {
	w := theWorld(t)
	w.one.Reset()
	for _, lane := range lanes {
		for _, tt := range []struct {
			name    string
			headers []string
			says    string
			error   bool // the challenge says that what was sent is wrong
		}{
			{"nothing", nil, "did not provide", false},
			{"an empty key", []string{"Authorization: Bearer ", "X-Api-Key: "}, "did not provide", false},
			{"an unknown key", []string{bearer("nobody")}, "incorrect API key", true},
			{"an unknown key in the other header", []string{xAPIKey("nobody")}, "incorrect API key", true},
			{"half a key", []string{bearer("plain")[:len(bearer("plain"))-1]}, "incorrect API key", true},
			{"a key and more", []string{bearer("plain") + "x"}, "incorrect API key", true},
			{"two keys in one header", []string{bearer("plain") + "," + credential("other")}, "incorrect API key", true},
			{"an expired key", []string{bearer("late")}, "expired", true},
			{"a revoked key", []string{xAPIKey("gone")}, "revoked", true},
			{"two good keys", []string{bearer("plain"), xAPIKey("other")}, "two different credentials", true},
			{"a good and a bad key", []string{bearer("plain"), xAPIKey("nobody")}, "two different credentials", true},
			{"the same header twice", []string{bearer("plain"), bearer("other")}, "incorrect API key", true},
			{"the other header twice", []string{xAPIKey("plain"), xAPIKey("nobody")}, "two different credentials", true},
			{"another scheme", []string{"Authorization: Basic " + credential("plain")}, "not a bearer token", true},
			{"another scheme and a key", []string{"Authorization: Basic YTpi", xAPIKey("plain")}, "two different credentials", true},
			{"a caller of one's own", []string{"X-Igw-Caller: key:plain"}, "did not provide", false},
			{"a provider of one's own", []string{"X-Igw-Provider: one", "X-Igw-Checked: true"}, "did not provide", false},
		} {
			r := w.Do(t, lane.method, lane.path, lane.body, tt.headers...)
			e := refused(t, r, http.StatusUnauthorized, "invalid_api_key")
			assert.Contains(t, e.Message, tt.says, "%s with %s", lane.name, tt.name)
			assert.NotContains(t, r.String(), marker, "%s with %s", lane.name, tt.name)
			challenge := `Bearer realm="inference-gateway"`
			if tt.error {
				challenge += `, error="invalid_token"`
			}
			assert.Equal(t, []string{challenge}, r.Header.Values("Www-Authenticate"), "%s with %s", lane.name, tt.name)
		}
	}
	assert.Empty(t, w.one.Requests(), "nothing of it reached a provider")
	for _, path := range []string{"/", "/ui", "/v1/mcp/tools", "/v1/a2a/agents", "/proxy/nobody/x", "/v1/models/..%2f", "/health/x", "/ready/x"} {
		assert.Equal(t, http.StatusUnauthorized, w.Do(t, http.MethodGet, path, "").Status, path)
	}
}

func TestHealthIsOpen(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/health", "/ready"} {
		assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, path, "").Status, path)
		assert.Equal(t, http.StatusOK, w.Do(t, http.MethodGet, path, "", bearer("nobody")).Status, path)
	}
	assert.Equal(t, http.StatusMethodNotAllowed, w.Do(t, http.MethodPost, "/health", "{}").Status)
	r := harness.Run(t, w.env.With("SERVER_PORT", w.Addr[strings.LastIndex(w.Addr, ":")+1:]), "healthcheck")
	assert.Zero(t, r.Code, "a container's health check needs no key: %s", r.Stderr)
}

func TestNothingOfACallerReachesAProvider(t *testing.T) {
	w := theWorld(t)
	for _, lane := range lanes {
		for _, header := range []string{bearer("plain"), xAPIKey("plain")} {
			w.one.Reset()
			r := w.Do(t, lane.method, lane.path, lane.body, header, "Cookie: a=b")
			assert.Equal(t, http.StatusOK, r.Status, "%s: %s", lane.name, r)
			assert.NotContains(t, r.String(), marker, lane.name)
			for _, got := range w.one.Requests() {
				assert.Equal(t, []string{"Bearer " + providerKey}, got.Header.Values("Authorization"), lane.name)
				for name, values := range got.Header {
					all := strings.Join(values, "\n")
					assert.NotContains(t, all, marker, "%s: %s", lane.name, name)
					assert.NotContains(t, all, "key:plain", "%s: %s", lane.name, name)
					assert.False(t, strings.HasPrefix(strings.ToLower(name), "x-igw-"), "%s: %s: %s", lane.name, name, all)
				}
			}
		}
	}
	w.one.Reset()
	w.Do(t, http.MethodPost, "/v1/chat/completions", chat("one/echo"), bearer("plain"))
	assert.NotEmpty(t, w.one.Requests(), "or this test tests nothing")
}
