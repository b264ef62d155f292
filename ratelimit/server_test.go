package ratelimit

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

const hourly = "reserve: 100\nlimits: [{name: a, per: caller, requests: {hour: 3}, tokens: {hour: 1000, day: 5000}}]"

// left asks what a caller has, by a request that is refused upstream.
func (g *gateway) left(who string) string {
	r, err := g.begin(limits.Tokens, 1, 0, pairs{limits.RuleEntry, "a", limits.WhoEntry, who})
	require.NoError(g.t, err)
	if hold := r.GetDynamicMetadata().GetFields()[limits.HoldField].GetStringValue(); hold != "" {
		g.end(hold, 400, -1)
	}
	return header(r, "x-ratelimit-remaining-tokens")
}

func TestWhatIsHeldIsSettled(t *testing.T) {
	c := newClock()
	g := newGateway(t, c, Policy{Set: parse(t, hourly)})
	for _, tt := range []struct {
		name   string
		status uint64
		used   int64
		left   string
	}{
		{"by what was used", 200, 100, "899"},
		{"which may be nothing", 200, 0, "899"},
		{"or more than was held", 200, 500, "399"},
		{"a refusal costs nothing", 429, -1, "399"},
		{"nor does a failure", 502, -1, "399"},
		{"what is not told costs what was held", 200, -1, "199"},
		{"and so does who leaves early", 0, -1, "0"},
	} {
		hold := g.ask("a", "bob", 200)
		require.NotEmpty(t, hold, tt.name)
		g.end(hold, tt.status, tt.used)
		assert.Equal(t, tt.left, g.left("bob"), tt.name)
		g.end(hold, 200, 1000) // a second end changes nothing
		assert.Equal(t, tt.left, g.left("bob"), tt.name)
	}
	assert.Equal(t, "999", g.left("eve"), "others have their own")

	c.forward(time.Hour)
	assert.Equal(t, "999", g.left("bob"), "the next hour")
}

// Who leaves a long stream just before its end has had more than was held.
func TestALongStreamIsChargedThoughNobodyTellsItsTokens(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status uint64
		used   int64
		sent   uint64
		left   string
	}{
		{"short", 200, -1, 10 * limits.BytesPerEvent, "899"},
		{"long", 200, -1, 300*limits.BytesPerEvent + 1, "699"},
		{"as the provider says", 200, 150, 300 * limits.BytesPerEvent, "849"},
		{"a failure", 500, -1, 300 * limits.BytesPerEvent, "999"},
	} {
		g := newGateway(t, newClock(), Policy{Set: parse(t, hourly)})
		g.endAfter(g.ask("a", "bob", 100), tt.status, tt.used, tt.sent)
		assert.Equal(t, tt.left, g.left("bob"), tt.name)
	}
}

func TestWhatCannotBeCountedIsRefused(t *testing.T) {
	g := newGateway(t, newClock(), Policy{Set: parse(t, hourly)})
	ask := func(hits uint64, rules ...string) *ratelimitv3.RateLimitResponse {
		q := &ratelimitv3.RateLimitRequest{Domain: "tokens", Descriptors: []*limitv3.RateLimitDescriptor{describe(hits, limits.EstimateEntry, limits.EstimateUncounted)}}
		for _, r := range rules {
			q.Descriptors = append(q.Descriptors, describe(0, limits.RuleEntry, r, limits.WhoEntry, "bob"))
		}
		r, err := g.ShouldRateLimit(context.Background(), q)
		require.NoError(t, err)
		return r
	}
	assert.Equal(t, ratelimitv3.RateLimitResponse_OK, ask(0, "a").GetOverallCode())
	assert.Equal(t, ratelimitv3.RateLimitResponse_OK, ask(1).GetOverallCode(), "nobody limits it")
	r := ask(1, "a")
	assert.Equal(t, ratelimitv3.RateLimitResponse_OVER_LIMIT, r.GetOverallCode())
	assert.Empty(t, header(r, "retry-after"))
	assert.Contains(t, string(r.GetRawBody()), "WebSocket")
	assert.True(t, r.GetDynamicMetadata().GetFields()[limits.RefusedField].GetBoolValue())
}

func TestWhatRunsIsHeldInTheNextPeriodToo(t *testing.T) {
	c := newClock()
	g := newGateway(t, c, Policy{Set: parse(t, hourly)})
	hold := g.ask("a", "bob", 600)
	assert.Empty(t, g.ask("a", "bob", 600), "both together are more than there is")
	c.forward(time.Hour)
	assert.Equal(t, "399", g.left("bob"))
	g.end(hold, 200, 50)
	assert.Equal(t, "949", g.left("bob"), "it ended in this hour")
}

// Envoy tells only of tokens when a request has ended.
func TestRequestsAreCountedAndNotHeld(t *testing.T) {
	c := newClock()
	g := newGateway(t, c, Policy{Set: parse(t, hourly)})
	left := func() string {
		r, err := g.begin(limits.Requests, 0, 0, pairs{limits.RuleEntry, "a", limits.WhoEntry, "bob"})
		require.NoError(t, err)
		return header(r, "x-ratelimit-remaining-requests")
	}
	for _, want := range []string{"2", "1", "0", "0"} {
		assert.Equal(t, want, left())
	}
	c.forward(time.Hour)
	assert.Equal(t, "2", left(), "the next hour")
}

// An Envoy that dies settles nothing: what it held is charged after an hour.
func TestHoldsThatNobodySettles(t *testing.T) {
	c := newClock()
	g := newGateway(t, c, Policy{Set: parse(t, hourly)})
	require.NotEmpty(t, g.ask("a", "bob", 900))
	c.forward(2 * time.Hour)
	require.NotEmpty(t, g.ask("a", "eve", 1))
	assert.Equal(t, "99", g.left("bob"), "charged in the hour in which it was found")
	c.forward(time.Hour)
	assert.Equal(t, "999", g.left("bob"))
	assert.Len(t, g.holds.open, 1)
}

func TestAnswersToEnvoy(t *testing.T) {
	c := newClock()
	c.forward(30 * time.Minute)
	g := newGateway(t, c, Policy{Set: parse(t, hourly)})
	rule := pairs{limits.RuleEntry, "a", limits.WhoEntry, "bob"}

	r, err := g.begin(limits.Tokens, 300, 0, rule)
	require.NoError(t, err)
	assert.Equal(t, ratelimitv3.RateLimitResponse_OK, r.GetOverallCode())
	assert.Equal(t, "1000", header(r, "x-ratelimit-limit-tokens"))
	assert.Equal(t, "700", header(r, "x-ratelimit-remaining-tokens"))
	assert.Equal(t, "30m0s", header(r, "x-ratelimit-reset-tokens"))
	assert.Empty(t, header(r, "retry-after"))

	r, err = g.begin(limits.Tokens, 701, 0, rule)
	require.NoError(t, err)
	assert.Equal(t, ratelimitv3.RateLimitResponse_OVER_LIMIT, r.GetOverallCode())
	assert.Equal(t, "1800", header(r, "retry-after"))
	assert.Equal(t, "700", header(r, "x-ratelimit-remaining-tokens"))
	assert.Equal(t, "application/json", header(r, "content-type"))
	assert.True(t, r.GetDynamicMetadata().GetFields()[limits.RefusedField].GetBoolValue())
	var body struct {
		Error struct{ Message, Code string }
	}
	require.NoError(t, json.Unmarshal(r.GetRawBody(), &body))
	assert.Equal(t, "rate_limit_exceeded", body.Error.Code)
	assert.Contains(t, body.Error.Message, "700")

	r, err = g.begin(limits.Tokens, 1001, 0, rule)
	require.NoError(t, err)
	assert.Equal(t, ratelimitv3.RateLimitResponse_OVER_LIMIT, r.GetOverallCode())
	assert.Empty(t, header(r, "retry-after"), "it will never fit")

	r, err = g.begin(limits.Tokens, 0, 400, rule) // a body that nobody has read: 400 bytes and the reserve
	require.NoError(t, err)
	assert.Equal(t, "500", header(r, "x-ratelimit-remaining-tokens"))

	for i := range 4 {
		r, err = g.begin(limits.Requests, 0, 0, rule)
		require.NoError(t, err)
		assert.Equal(t, i == 3, r.GetOverallCode() == ratelimitv3.RateLimitResponse_OVER_LIMIT, i)
		assert.Empty(t, r.GetDynamicMetadata().GetFields()[limits.HoldField].GetStringValue(), "a request is not settled")
	}
	assert.Equal(t, "0", header(r, "x-ratelimit-remaining-requests"))
}

func TestWhoseBudgetItIs(t *testing.T) {
	g := newGateway(t, newClock(), Policy{Set: parse(t, `
limits:
  - {name: all, per: everyone, requests: {hour: 2}}
  - {name: net, per: address, requests: {hour: 2}}
  - {name: free, per: "claim:org", claims: {plan: free}, requests: {hour: 2}}
`)})
	count := func(entries ...string) string {
		r, err := g.begin(limits.Requests, 0, 0, entries)
		require.NoError(t, err)
		return header(r, "x-ratelimit-remaining-requests")
	}
	assert.Equal(t, []string{"1", "0"}, []string{count(limits.RuleEntry, "all"), count(limits.RuleEntry, "all", "groups", "yes")})
	assert.Equal(t, []string{"1", "1"}, []string{
		count(limits.RuleEntry, "net", limits.AddressEntry, "10.0.0.1/32"), count(limits.RuleEntry, "net", limits.AddressEntry, "10.0.0.2/32"),
	})
	assert.Equal(t, "1", count(limits.RuleEntry, "free", "claim.plan", "free", limits.WhoEntry, "acme"))
	assert.Empty(t, count(limits.RuleEntry, "free", "claim.plan", "paid", limits.WhoEntry, "acme"), "another claim does not fit")
	assert.Empty(t, count(limits.RuleEntry, "gone", limits.WhoEntry, "acme"), "of a configuration that is gone")
	assert.Empty(t, count())
}

func TestAReloadKeepsTheCounts(t *testing.T) {
	g := newGateway(t, newClock(), Policy{Set: parse(t, hourly)})
	g.end(g.ask("a", "bob", 300), 200, 300)
	hold := g.ask("a", "bob", 100)
	g.Update(Policy{Set: parse(t, "limits: [{name: b, per: caller, tokens: {hour: 2000}}, {name: a, per: caller, tokens: {hour: 2000}}]")})
	assert.Equal(t, "1599", g.left("bob"))
	g.end(hold, 200, 0)
	assert.Equal(t, "1699", g.left("bob"))
	g.Update(Policy{})
	assert.Empty(t, g.left("bob"), "nobody is limited")
}

// Whatever runs together: what was used is never more than there is, when no answer is longer than was reckoned.
func TestConcurrentRequestsNeverPassABudget(t *testing.T) {
	const most, callers = 20_000, 8
	set := parse(t, "limits: [{name: a, per: caller, tokens: {hour: 20000, day: 1000000}}]")
	run := func(t *testing.T, gateways ...*gateway) int64 {
		var used atomic.Int64
		var all sync.WaitGroup
		for i := range callers * len(gateways) {
			all.Go(func() {
				g := gateways[i%len(gateways)]
				for range 100 {
					n := 1 + rand.Int64N(1000)
					hold := g.ask("a", "bob", uint64(n))
					if hold == "" {
						continue
					}
					switch took := rand.Int64N(n + 1); rand.IntN(4) {
					case 0:
						g.end(hold, 500, -1)
					case 1:
						used.Add(n)
						g.end(hold, 200, -1)
					default:
						used.Add(took)
						g.end(hold, 200, took)
					}
				}
			})
		}
		all.Wait()
		return used.Load()
	}
	t.Run("alone", func(t *testing.T) {
		used := run(t, newGateway(t, newClock(), Policy{Set: set}))
		assert.LessOrEqual(t, used, int64(most))
		assert.Greater(t, used, int64(most*8/10))
	})
	t.Run("three together", func(t *testing.T) {
		c := newClock()
		r, conn := newRedis(t, c)
		r.set(set)
		p := Policy{Set: set, Service: &ServiceOptions{Conn: conn, Domain: "d", Timeout: 5 * time.Second}}
		used := run(t, newGateway(t, c, p), newGateway(t, c, p), newGateway(t, c, p))
		assert.LessOrEqual(t, used, int64(most))
		assert.Greater(t, used, int64(most/2), "not much is lost")
	})
}

func TestTheServiceIsAskedOnlyForWhatIsNotSpare(t *testing.T) {
	c := newClock()
	r, conn := newRedis(t, c)
	set := parse(t, hourly)
	r.set(set)
	g := newGateway(t, c, Policy{Set: set, Service: &ServiceOptions{Conn: conn, Domain: "d", Timeout: time.Second}})
	g.end(g.ask("a", "bob", 1000), 200, 100)
	assert.Equal(t, "899", g.left("bob"), "900 are spare")
	hold := g.ask("a", "bob", 900)
	require.NotEmpty(t, hold)
	g.end(hold, 200, 950)
	r.mu.Lock()
	for k, n := range r.counts {
		assert.EqualValues(t, 1050, n, "%s: 1000 and what was more than reckoned", k)
	}
	r.mu.Unlock()
	assert.Equal(t, "0", g.left("bob"))

	c.forward(time.Hour)
	hold = g.ask("a", "bob", 1000)
	c.forward(time.Hour)
	g.end(hold, 200, 0)
	assert.Equal(t, "999", g.left("bob"), "what was spare in an hour is not in the next")
}

func TestAnOutage(t *testing.T) {
	for _, open := range []bool{false, true} {
		c := newClock()
		r, conn := newRedis(t, c)
		set := parse(t, hourly)
		r.set(set)
		g := newGateway(t, c, Policy{Set: set, FailOpen: open, Service: &ServiceOptions{Conn: conn, Domain: "d", Timeout: time.Second}})
		require.NoError(t, g.Learned(t.Context()))
		r.fail(true)
		for range 3 {
			reply, err := g.begin(limits.Tokens, 10, 0, pairs{limits.RuleEntry, "a", limits.WhoEntry, "bob"})
			if open {
				require.NoError(t, err)
				assert.Equal(t, ratelimitv3.RateLimitResponse_OK, reply.GetOverallCode())
				assert.Empty(t, g.Problem())
			} else {
				assert.Equal(t, codes.Unavailable, status.Code(err))
				assert.NotEmpty(t, g.Problem())
			}
		}
		r.fail(false)
		g.probe(t.Context())
		assert.Empty(t, g.Problem())
		said := g.log.String()
		assert.Regexp(t, `(?s)^[^\n]*level=ERROR[^\n]*does not answer[^\n]*\n[^\n]*level=INFO[^\n]*answers again[^\n]*failed_calls=3\n$`, said)
		assert.NotContains(t, said, "10.1.2.3", "no address")
	}
}

// A service with other limits must not look like one that has plenty.
func TestAServiceThatDoesNotKnowTheLimits(t *testing.T) {
	c := newClock()
	_, conn := newRedis(t, c)
	g := newGateway(t, c, Policy{Set: parse(t, hourly), Service: &ServiceOptions{Conn: conn, Domain: "d", Timeout: time.Second}})
	_, err := g.begin(limits.Requests, 0, 0, pairs{limits.RuleEntry, "a", limits.WhoEntry, "bob"})
	assert.Equal(t, codes.Unavailable, status.Code(err))
	assert.Contains(t, g.log.String(), "RATELIMIT_CONFIG_DIR")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.Error(t, g.Learned(ctx))
}

func TestTheServerWatchesUntilItsEnd(t *testing.T) {
	c := newClock()
	r, conn := newRedis(t, c)
	set := parse(t, hourly)
	r.set(set)
	g := newGateway(t, c, Policy{Set: set, Service: &ServiceOptions{Conn: conn, Domain: "d", Timeout: time.Second}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { g.Watch(ctx, time.Millisecond); close(ended) }()
	r.fail(true)
	require.Eventually(t, func() bool { return g.Problem() != "" }, 5*time.Second, time.Millisecond)
	r.fail(false)
	require.Eventually(t, func() bool { return g.Problem() == "" }, 5*time.Second, time.Millisecond)
	stop()
	<-ended
}

func TestCountersAreBounded(t *testing.T) {
	c := newClock()
	l := newLocal(c.time)
	rule := limits.Rule{Name: "a"}
	one := func(who string, p limits.Period) []counter {
		return []counter{{rule, limits.Tokens, limits.Quota{Period: p, Most: 10}, who}}
	}
	levels, _, _ := l.take(t.Context(), one("held", limits.Minute), 5)
	for i := range mostWindows + 10 {
		_, _, _ = l.take(t.Context(), one(time.Duration(i).String(), limits.Minute), 0)
	}
	assert.LessOrEqual(t, len(l.windows), mostWindows)
	again, _, _ := l.take(t.Context(), one("held", limits.Minute), 0)
	assert.EqualValues(t, 5, again[0].left, "what runs is not forgotten")
	l.settle(t.Context(), levels, 5, 0)
}
