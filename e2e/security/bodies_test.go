package security

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// Bodies that come slowly fill the gateway's memory, each within its own limit: together they have another one. Small
// requests that still fit are served meanwhile, and the room is there again when a client has gone.
func TestManySlowBodiesHaveALimitTogether(t *testing.T) {
	t.Parallel()
	g := harness.Start(t, harness.Env{
		"DEMO_ENABLED": "true", "SERVER_MAX_REQUEST_BODY_SIZE": "1000000", "SERVER_MAX_REQUEST_BODIES_SIZE": "1000000",
	})
	begin := `{"model":"demo/assistant","messages":[{"role":"user","content":"`
	large := begin + strings.Repeat("x", 200_000) + `"}]}`
	slow := g.Dial(t)
	slow.Send(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n%s%s",
		begin, strings.Repeat("x", 900_000)))
	harness.Eventually(t, patience, "there is no room for another large one", func() bool {
		r := g.Chat(t, large)
		return r.Status == http.StatusServiceUnavailable && r.Error().Code == "overloaded"
	})
	assert.Equal(t, http.StatusOK, g.Chat(t, hello).Status)
	_ = slow.Close()
	harness.Eventually(t, patience, "there is room again", func() bool { return g.Chat(t, large).Status == http.StatusOK })
}
