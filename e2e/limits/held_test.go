package limits

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// While five streams hold the whole budget, nobody else of the same caller gets in; when they have ended by less than
// they held, the next do.
func TestAStreamHoldsItsEstimateWhileItRuns(t *testing.T) {
	g := theCounting(t) // 5000 tokens
	c := g.stranger(t)
	more := []string{`"stream":true`, `"max_tokens":900`}
	require.Greater(t, 6*estimated("use-100-wait", 900, more...), 5000)
	require.LessOrEqual(t, 5*estimated("use-100-wait", 900, more...), 5000)

	answers := c.rush(t, 50, "/v1/chat/completions", chat("up/use-100-wait", more...))
	for range 45 { // all that do not hold: one that came later would find room
		require.Equal(t, http.StatusTooManyRequests, <-answers)
	}
	checkRefusal(t, c.ask(t, "use-100-wait", more...), "tokens")
	for range 5 {
		g.model.let <- struct{}{} // a sixth would wait for ever, and the test with it
		require.Equal(t, http.StatusOK, <-answers)
	}
	c.settled(t, 4500)
}

// A stream that its client cuts in the middle is charged as it was held: the provider has worked, and nobody has said how
// much.
func TestAStreamThatItsClientCutsIsCharged(t *testing.T) {
	g := theCounting(t)
	for _, path := range []string{"/v1/chat/completions", "/proxy/up/chat/completions"} {
		t.Run(path, func(t *testing.T) {
			c := g.stranger(t)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			model := "up/use-1-endless"
			if strings.HasPrefix(path, "/proxy/") {
				model = "use-1-endless"
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+path, strings.NewReader(chat(model, `"stream":true`, `"max_tokens":900`)))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			resp, err := c.Do(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			line, err := bufio.NewReader(resp.Body).ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, "hi", "it is in the middle")
			held, err := strconv.Atoi(resp.Header.Get("X-Ratelimit-Remaining-Tokens"))
			require.NoError(t, err)
			require.Less(t, held, 5000-900)
			leave()
			harness.Eventually(t, patience, "the provider is let go", func() bool { return g.model.running.Load() == 0 })
			c.settled(t, held)
		})
	}
}

// Envoy's buckets are full at first and refill evenly. In any time, no more pass than what a bucket holds and what is
// refilled in that time; and after a burst nobody waits for the whole period.
func TestNoMorePassesThanTheBucketAndItsRefill(t *testing.T) {
	const most = 600 // a minute: ten a second
	g := start(t, newModel(t), limitsFile(t, perAddress(fmt.Sprintf("requests: {minute: %d}", most))))
	c := g.stranger(t)
	began := time.Now()
	granted := c.burst(t, most/2, "fail")[http.StatusBadRequest]
	for granted < most+20 { // as fast as one client can
		seen := c.burst(t, 50, "fail")
		require.Equal(t, 50, seen[http.StatusBadRequest]+seen[http.StatusTooManyRequests], "%v", seen)
		granted += seen[http.StatusBadRequest]
		bound := most + most*time.Since(began).Minutes() + 1
		require.LessOrEqual(t, float64(granted), bound)
	}
}
