package limits

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// theGateway limits the requests of each address, and is shared.
var theGateway = harness.Shared(func(t harness.T) *gateway {
	return start(t, newModel(t), limitsFile(t, perAddress("requests: {hour: 5}")))
})

func perAddress(quotas string) string {
	return "limits:\n  - {name: each-address, per: address, " + quotas + "}\n"
}

func TestEachAddressHasItsOwnRequests(t *testing.T) {
	g := theGateway(t)
	alice, bob := g.stranger(t), g.stranger(t)
	for i := range 5 {
		r := alice.ask(t, "use-10")
		require.Equal(t, http.StatusOK, r.Status, r)
		assert.Equal(t, "5", r.Header.Get("X-Ratelimit-Limit-Requests"))
		assert.Equal(t, strconv.Itoa(4-i), left(r, "requests"))
		assert.Regexp(t, `^\d+s$`, r.Header.Get("X-Ratelimit-Reset-Requests"))
		assert.Empty(t, left(r, "tokens"), "the provider's own limits are not the caller's")
		for _, name := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Igw-Reset"} {
			assert.Empty(t, r.Header.Values(name))
		}
	}
	r := alice.ask(t, "use-10")
	assert.Equal(t, http.StatusOK, bob.ask(t, "use-10").Status)
	checkRefusal(t, r, "requests")
	assert.Equal(t, "0", left(r, "requests"))

	t.Run("for everything of the API", func(t *testing.T) {
		for _, path := range []string{"/v1/models", "/proxy/up/files"} {
			checkRefusal(t, alice.send(t, http.MethodGet, path, ""), "requests")
		}
		checkRefusal(t, alice.send(t, http.MethodPost, "/v1/embeddings", `{}`), "requests")
	})
	t.Run("but not for health", func(t *testing.T) {
		for range 10 {
			for _, path := range []string{"/health", "/ready"} {
				r := alice.send(t, http.MethodGet, path, "")
				assert.Equal(t, http.StatusOK, r.Status, path)
				assert.Empty(t, left(r, "requests"), path)
			}
		}
	})
	t.Run("and the access log says so", func(t *testing.T) {
		g.Stdout.Await(t, patience, `"details":"local_rate_limited"`)
	})
}

// checkRefusal holds a 429 to the form that OpenAI's clients know.
func checkRefusal(t *testing.T, r *harness.Response, kind string) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, r.Status, r)
	assert.Equal(t, []string{"application/json"}, r.Header.Values("Content-Type"))
	var body map[string]map[string]any
	require.NoError(t, json.Unmarshal(r.Body, &body), r)
	assert.Equal(t, "rate_limit_error", body["error"]["type"])
	assert.Equal(t, "rate_limit_exceeded", body["error"]["code"])
	assert.Contains(t, body["error"], "param")
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	require.NoError(t, err, "Retry-After %q", r.Header.Values("Retry-After"))
	assert.Positive(t, seconds)
	for _, what := range []string{"limit", "remaining", "reset"} {
		assert.Len(t, r.Header.Values("X-Ratelimit-"+what+"-"+kind), 1, what)
	}
	assert.NotEmpty(t, r.Header.Get("X-Request-Id"))
	assert.NotContains(t, r.String(), secretKey)
}

func TestABurstOfRequestsDoesNotPassItsLimit(t *testing.T) {
	g := theGateway(t)
	assert.Equal(t, map[int]int{200: 5, 429: 55}, g.stranger(t).burst(t, 60, "use-10"))
}

func TestEveryPeriodAndReload(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, ""))
	old := g.stranger(t)
	for range 10 {
		r := old.ask(t, "use-10")
		require.Equal(t, http.StatusOK, r.Status)
		require.Equal(t, "888888", r.Header.Get("X-Ratelimit-Limit-Requests"), "without limits the provider's headers pass")
	}
	for _, quotas := range []string{"minute: 2, hour: 1000", "hour: 2", "minute: 500, day: 2", "hour: 90, month: 2"} {
		t.Run(quotas, func(t *testing.T) {
			g.change(t, perAddress("requests: {"+quotas+"}"), taken)
			c := g.stranger(t)
			assert.Equal(t, "1", left(c.ask(t, "use-10"), "requests"))
			assert.Equal(t, http.StatusOK, c.ask(t, "use-10").Status)
			checkRefusal(t, c.ask(t, "use-10"), "requests")
		})
	}
	t.Run("a bad file changes nothing", func(t *testing.T) {
		said := g.change(t, "limits:\n  - {name: a, per: nobody}\n  - name: b\n    per: address\n    tokens: {minute: many}\n", refused)
		for _, part := range []string{"LIMITS_FILE", "line 2, limits[1].per", "line 5, limits[2].tokens.minute"} {
			assert.Contains(t, said, part)
		}
		c := g.stranger(t)
		assert.Equal(t, "1", left(c.ask(t, "use-10"), "requests"))
	})
	t.Run("and no file is no limit", func(t *testing.T) {
		g.change(t, "limits: []\n", taken)
		assert.Equal(t, map[int]int{200: 20}, g.stranger(t).burst(t, 20, "use-10"))
	})
}

func TestABadFileIsRefusedAtTheStart(t *testing.T) {
	file := limitsFile(t, "limits:\n  - {name: a, per: address, requests: {minute: 0}}\nlimit: []\n")
	r := harness.Run(t, harness.Env{"LIMITS_FILE": file}, "validate")
	assert.Equal(t, 1, r.Code)
	for _, part := range []string{"line 2, limits[1].requests.minute", "line 3, limit"} {
		assert.Contains(t, r.Stderr, part)
	}
}

// Changes that are about something else leave callers their counts, or begin anew; they fail nobody.
func TestAReloadUnderLoadFailsNobody(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, perAddress("requests: {hour: 100000}, tokens: {month: 2000000}")))
	c := g.stranger(t)
	stop, done := make(chan struct{}), make(chan map[int]int)
	go func() {
		seen := map[int]int{}
		for {
			select {
			case <-stop:
				done <- seen
				return
			default:
				for status, n := range c.burst(t, 4, "use-10") {
					seen[status] += n
				}
			}
		}
	}()
	for _, quotas := range []string{
		"requests: {hour: 90000}, tokens: {month: 2000000}", "requests: {hour: 90000}", "tokens: {month: 3000000}", "requests: {day: 90000}, tokens: {month: 2000000}",
	} {
		g.change(t, perAddress(quotas), taken)
	}
	close(stop)
	seen := <-done
	assert.Positive(t, seen[200])
	assert.Len(t, seen, 1, "%v", seen)
}

func TestNobodySeesKeys(t *testing.T) {
	g := theGateway(t)
	c := g.stranger(t)
	for range 6 {
		c.ask(t, "use-10")
	}
	for _, said := range []string{g.Stdout.String(), g.Stderr.String(), g.Admin(t, http.MethodGet, "/config_dump"), g.Admin(t, http.MethodGet, "/stats")} {
		assert.False(t, strings.Contains(said, secretKey))
	}
}
