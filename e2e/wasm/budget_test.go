package wasm

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// Budgets are shared by the worker threads of one Envoy, and those of tokens are charged by what answers took.
func TestBudgets(t *testing.T) {
	t.Parallel()
	one := harness.NewDemo(t, demo.Options{})
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one,away", "ONE_API_URL": one.URL, "AWAY_API_URL": "http://127.0.0.1:1", "CLIENT_MAX_RETRIES": "0", "WASM_ENABLED": "true", "WASM_PATH": harness.Module(t),
		"POLICY_FILE": policyFile(t, `
rules:
  - name: requests
    match: {headers: {x-team: red}}
    act: {budget: {requests: 5, per: 30d}}
  - name: tokens
    match: {headers: {x-team: blue}}
    act: {budget: {tokens: 120, per: 30d, reserve: 1, key: ["header:x-user"]}}
  - name: reserved
    match: {headers: {x-team: green}}
    act: {budget: {tokens: 1000, per: 30d, reserve: 600}}
`),
	})
	passed := 0
	for range 12 { // each on a connection of its own choice, so on either worker
		if r := g.Chat(t, chat("one/echo", "hi"), "X-Team: red", "Connection: close"); r.Status == http.StatusOK {
			passed++
		} else {
			assert.Equal(t, http.StatusTooManyRequests, r.Status, "%s", r)
			assert.Equal(t, "requests", r.Header.Get("X-Policy-Rule"))
			wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
			assert.NoError(t, err)
			assert.Positive(t, wait)
		}
	}
	assert.Equal(t, 5, passed)

	// An answer of some 100 tokens: the second request finds the budget used up.
	for _, user := range []string{"ann", "bob"} {
		words := strings.Repeat("word ", 100)
		r := g.Chat(t, chat("one/echo", words), "X-Team: blue", "X-User: "+user)
		require.Equal(t, http.StatusOK, r.Status, "%s", r)
		asked := 0
		harness.Eventually(t, patience, "what the answer took is charged", func() bool {
			asked++
			return g.Chat(t, chat("one/echo", "hi"), "X-Team: blue", "X-User: "+user).Status == http.StatusTooManyRequests
		})
		assert.Less(t, asked, 40, "by what the answers took, not by what is reserved")
	}

	// What failed took no tokens: its reserve comes back.
	for range 3 {
		harness.Eventually(t, patience, "the failed request is settled", func() bool {
			return g.Chat(t, chat("away/m", "hi"), "X-Team: green").Status == http.StatusBadGateway
		})
	}
	harness.Eventually(t, patience, "nothing was charged", func() bool {
		return g.Chat(t, chat("one/echo", "hi"), "X-Team: green").Status == http.StatusOK
	})
}
