package limits

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// theCounting gateway limits the tokens of each address, and is shared. Tokens are counted in periods of the clock, so tests
// take months: the end of one hardly ever falls into a test.
var theCounting = harness.Shared(func(t harness.T) *gateway {
	return start(t, newModel(t), limitsFile(t, perAddress("tokens: {day: 100000, month: 5000}")))
})

// settled waits until a caller has so many tokens left: Envoy tells of the end of a request when its client knows it
// already.
func (c *caller) settled(t *testing.T, tokens int) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("left: %s", last)
		}
	}()
	// Its own estimate is taken off, and comes back because it fails.
	own := estimated("fail", 1, `"max_tokens":1`)
	harness.Eventually(t, patience, "there are "+strconv.Itoa(tokens)+" tokens left", func() bool {
		last = left(c.ask(t, "fail", `"max_tokens":1`), "tokens")
		return last == strconv.Itoa(tokens-own)
	})
}

// estimated is what a request is reckoned at, as the provider gets it: four bytes of its prompt are a token.
func estimated(model string, answer int, more ...string) int {
	return len(chat(model, more...))/4 + answer
}

func TestTokensAreChargedByWhatWasUsed(t *testing.T) {
	c := theCounting(t).stranger(t)
	r := c.ask(t, "use-1200", `"max_tokens":2000`)
	require.Equal(t, http.StatusOK, r.Status, r)
	assert.Equal(t, "5000", r.Header.Get("X-Ratelimit-Limit-Tokens"))
	assert.Equal(t, []string{strconv.Itoa(5000 - estimated("use-1200", 2000, `"max_tokens":2000`))}, r.Header.Values("X-Ratelimit-Remaining-Tokens"), "what it may take is held while it runs")
	assert.Regexp(t, `^(\d+h)?(\d+m)?\d+s$`, r.Header.Get("X-Ratelimit-Reset-Tokens"))
	assert.Empty(t, r.Header.Get("Retry-After"))
	c.settled(t, 3800)

	t.Run("a stream", func(t *testing.T) {
		r := c.ask(t, "use-800", `"max_tokens":1000`, `"stream":true`)
		require.Equal(t, http.StatusOK, r.Status, r)
		assert.Contains(t, r.String(), `"total_tokens":800`, "the provider was asked for it")
		c.settled(t, 3000)
	})
	t.Run("a stream whose client asked itself", func(t *testing.T) {
		r := c.ask(t, "use-100", `"max_tokens":1000`, `"stream":true`, `"stream_options":{"include_usage":true}`)
		require.Equal(t, http.StatusOK, r.Status, r)
		c.settled(t, 2900)
	})
	t.Run("a large answer", func(t *testing.T) {
		r := c.ask(t, "use-100-large", `"max_tokens":1000`)
		require.Equal(t, http.StatusOK, r.Status)
		assert.Greater(t, len(r.Body), 3<<20)
		c.settled(t, 2800)
	})
	t.Run("what the provider refuses is not charged", func(t *testing.T) {
		assert.Equal(t, http.StatusBadRequest, c.ask(t, "fail", `"max_tokens":1000`).Status)
		c.settled(t, 2800)
	})
	t.Run("what it does not count is charged as held", func(t *testing.T) {
		prompt := estimated("use-1-silent", 0, `"max_tokens":277`)
		assert.Equal(t, http.StatusOK, c.ask(t, "use-1-silent", `"max_tokens":`+strconv.Itoa(300-prompt)).Status)
		c.settled(t, 2500)
	})
	t.Run("the provider's own API", func(t *testing.T) {
		assert.Equal(t, http.StatusOK, c.send(t, http.MethodPost, "/proxy/up/chat/completions", chat("use-500")).Status)
		c.settled(t, 2000)
		assert.Equal(t, http.StatusOK, c.send(t, http.MethodGet, "/proxy/up/models", "").Status)
		c.settled(t, 2000)
	})
	t.Run("more than is left", func(t *testing.T) {
		r := c.ask(t, "use-100", `"max_tokens":2100`)
		checkRefusal(t, r, "tokens")
		assert.Contains(t, r.Error().Message, "each-address")
		assert.Equal(t, http.StatusOK, c.ask(t, "use-100", `"max_tokens":1500`).Status)
	})
	t.Run("more than there ever is", func(t *testing.T) {
		r := c.ask(t, "use-100", `"max_tokens":6000`)
		require.Equal(t, http.StatusTooManyRequests, r.Status)
		assert.Contains(t, r.Error().Message, "max_tokens")
		assert.Empty(t, r.Header.Get("Retry-After"), "it would not help")
	})
}

func TestAClientThatLeavesIsCharged(t *testing.T) {
	g := theCounting(t)
	c := g.stranger(t)
	ctx, leave := context.WithCancel(t.Context())
	held := 1000 - estimated("use-1-wait", 0, `"max_tokens":900`)
	body := chat("up/use-1-wait", `"max_tokens":`+strconv.Itoa(held))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
	require.NoError(t, err)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := c.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	harness.Eventually(t, patience, "the provider has the request", func() bool { return g.model.running.Load() == 1 })
	leave()
	<-gone
	c.settled(t, 4000)
}

// The estimate is held while a request runs, so that those that run together cannot use more than there is.
func TestABurstOfTokensDoesNotPassItsLimit(t *testing.T) {
	g := theCounting(t)
	for _, more := range [][]string{{`"max_tokens":400`}, {`"max_tokens":400`, `"stream":true`}} {
		c := g.stranger(t)
		before := g.model.used.Load()
		seen := c.burst(t, 60, "use-400", more...)
		used := g.model.used.Load() - before
		assert.LessOrEqual(t, used, int64(5000))
		assert.Equal(t, used/400, int64(seen[200]))
		assert.Equal(t, 60, seen[200]+seen[429], "%v", seen)
		// What was held and not used is there again.
		for range 60 {
			c.ask(t, "use-400", more...)
		}
		used = g.model.used.Load() - before
		assert.LessOrEqual(t, used, int64(5000))
		assert.Greater(t, used, int64(4000))
	}
}

func TestRequestsAndTokensTogether(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, `
reserve: 100
stream_usage: estimate
limits:
  - {name: asks, per: address, requests: {hour: 3}}
  - {name: together, per: everyone, tokens: {month: 10000}}
  - {name: unseen, per: caller, requests: {hour: 1}, tokens: {month: 1000}}
`))
	a := g.stranger(t)
	assert.Equal(t, strconv.Itoa(10000-estimated("use-1000", 100)), left(a.ask(t, "use-1000"), "tokens"), "reserve and prompt")
	harness.Eventually(t, patience, "it is settled", func() bool {
		return left(g.stranger(t).ask(t, "fail"), "tokens") == strconv.Itoa(9000-estimated("fail", 100))
	})
	r := a.ask(t, "use-1", `"stream":true`)
	assert.NotContains(t, r.String(), "total_tokens", "stream_usage: estimate leaves streams alone")
	assert.Equal(t, "1", left(r, "requests"))
	assert.Equal(t, http.StatusOK, a.ask(t, "use-1").Status)
	checkRefusal(t, a.ask(t, "use-1"), "requests")
}
