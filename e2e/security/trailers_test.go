package security

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A request that ends with trailers must not leave bytes behind on the provider's connection: they would be the beginning
// of somebody else's request.
func TestTrailersSmuggleNothing(t *testing.T) {
	t.Parallel()
	provider := harness.NewProvider(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	g := harness.Start(t, harness.Env{"PROVIDERS": "own", "OWN_API_URL": provider.URL + "/v1", "ALLOWED_MODELS": "own/*"})
	two := harness.NewClient(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	two.Transport.(*http.Transport).Protocols = protocols
	for _, path := range []string{"/v1/chat/completions", "/proxy/own/anything"} {
		for i := range 20 {
			attack := fmt.Sprintf(`{"model":"own/a","i":%d}`, i)
			r, err := http.NewRequest(http.MethodPost, g.URL+path, struct{ io.Reader }{strings.NewReader(attack)})
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Trailer = http.Header{"X-Sum": {"1"}}
			resp, err := two.Do(r)
			require.NoError(t, err)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			_ = resp.Body.Close()
			assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
			assert.Contains(t, string(text), "trailers")

			stranger := g.Do(t, http.MethodPost, path, `{"model":"own/stranger"}`, "Content-Type: application/json")
			assert.Equal(t, http.StatusOK, stranger.Status, "%s", stranger)
		}
	}
	assert.Len(t, provider.Requests(), 40, "nothing but the stranger's")
	for _, r := range provider.Requests() {
		assert.Contains(t, string(r.Body), "stranger")
	}

	// Over HTTP/1.1, Envoy reads trailers and drops them.
	c := g.Dial(t)
	c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"15\r\n" + `{"model":"own/chunk"}` + "\r\n0\r\nX-Igw-Provider: demo\r\nX-Sum: 1\r\n\r\n")
	if r := c.Receive(http.MethodPost); assert.NotNil(t, r) {
		assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	}
	last := provider.Requests()[40]
	assert.Equal(t, `{"model":"chunk"}`, string(last.Body))
	assert.Empty(t, last.Trailer)
	assert.Empty(t, last.Header.Get("X-Igw-Provider"))
}
