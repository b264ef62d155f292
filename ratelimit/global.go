package ratelimit

import (
	"context"
	"sync"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// global counts in the rate limit service, which all replicas share. The service can add and not take back: what was
// held and not used is spare, and the replica that held it gives it out again before it asks for more. So the sum over
// all replicas never passes a quota; what is spare at one of them is missing at the others until it is used up there or
// the period ends.
type global struct {
	client  ratelimitv3.RateLimitServiceClient
	domain  string
	timeout time.Duration
	now     func() time.Time

	mu    sync.Mutex
	spare map[key]*spare
}

type spare struct {
	left int64
	end  time.Time
}

// margin keeps what is spare from being given out in the next period: the service tells the end in whole seconds.
const margin = time.Second

func newGlobal(o ServiceOptions, now func() time.Time) *global {
	return &global{client: ratelimitv3.NewRateLimitServiceClient(o.Conn), domain: o.Domain, timeout: o.Timeout, now: now, spare: map[key]*spare{}}
}

func (g *global) take(ctx context.Context, counters []counter, n int64) ([]level, bool, error) {
	fromSpare := g.borrow(counters, n)
	needs := make([]int64, len(counters))
	for i := range counters {
		needs[i] = n - fromSpare[i]
	}
	levels, ok, err := g.charge(ctx, counters, needs, n)
	if err != nil || !ok {
		g.giveBack(counters, fromSpare)
	}
	g.addSpare(levels)
	return levels, ok, err
}

// charge counts what spares do not cover. The service counts also what it refuses; so what is more than one is asked
// for before, and only what came in between is lost until the period ends.
func (g *global) charge(ctx context.Context, counters []counter, needs []int64, n int64) ([]level, bool, error) {
	levels := make([]level, len(counters))
	if n > 1 {
		ok, err := g.ask(ctx, counters, make([]int64, len(counters)), levels)
		if err != nil || !ok {
			return levels, false, err
		}
		for i, need := range needs {
			if levels[i].left < need {
				levels[i].over, ok = true, false
			}
		}
		if !ok {
			return levels, false, nil
		}
	}
	ok, err := g.ask(ctx, counters, needs, levels)
	if err != nil || ok {
		return levels, ok, err
	}
	for i, l := range levels {
		if !l.over { // counted, but the request is refused for another counter
			g.put(l.counter, needs[i], l.end)
		}
	}
	return levels, false, nil
}

// ask has the service count hits and fills in the levels. It is false when a counter is over.
func (g *global) ask(ctx context.Context, counters []counter, hits []int64, levels []level) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	r := &ratelimitv3.RateLimitRequest{Domain: g.domain}
	for i, c := range counters {
		r.Descriptors = append(r.Descriptors, descriptor(c, hits[i]))
	}
	reply, err := g.client.ShouldRateLimit(ctx, r)
	if err != nil {
		return false, err
	}
	statuses := reply.GetStatuses()
	ok := reply.GetOverallCode() == ratelimitv3.RateLimitResponse_OK
	for i, c := range counters {
		if i >= len(statuses) || statuses[i].GetCurrentLimit() == nil {
			return false, errUnknown
		}
		levels[i] = level{
			counter: c,
			left:    int64(statuses[i].GetLimitRemaining()),
			end:     g.now().Add(statuses[i].GetDurationUntilReset().AsDuration()),
			over:    statuses[i].GetCode() == ratelimitv3.RateLimitResponse_OVER_LIMIT,
		}
		ok = ok && !levels[i].over
	}
	return ok, nil
}

// knows asks the service about every limit, and has it count nothing, for somebody who does not exist.
func (g *global) knows(ctx context.Context, set *limits.Set) error {
	var counters []counter
	for _, r := range set.Rules {
		for _, k := range []limits.Kind{limits.Requests, limits.Tokens} {
			for _, q := range r.Quotas(k) {
				counters = append(counters, counter{r, k, q, "gateway probe"})
			}
		}
	}
	_, err := g.ask(ctx, counters, make([]int64, len(counters)), make([]level, len(counters)))
	return err
}

func descriptor(c counter, hits int64) *limitv3.RateLimitDescriptor {
	return &limitv3.RateLimitDescriptor{
		Entries: []*limitv3.RateLimitDescriptor_Entry{
			{Key: limits.RuleEntry, Value: c.rule.ServiceKey(c.kind, c.quota.Period)},
			{Key: limits.WhoEntry, Value: c.who},
		},
		HitsAddend: wrapperspb.UInt64(uint64(max(0, hits))),
	}
}

// settle counts what was used beyond what was held, and keeps as spare what was not.
func (g *global) settle(ctx context.Context, levels []level, n, used int64) {
	if used <= n {
		for _, l := range levels {
			g.put(l.counter, n-used, l.end)
		}
		return
	}
	counters, hits := make([]counter, len(levels)), make([]int64, len(levels))
	for i, l := range levels {
		counters[i], hits[i] = l.counter, used-n
	}
	// Whether they are over now is for the next request; that it could not be told, too.
	_, _ = g.ask(ctx, counters, hits, make([]level, len(levels)))
}

// borrow takes up to n from each counter's spare.
func (g *global) borrow(counters []counter, n int64) []int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]int64, len(counters))
	for i, c := range counters {
		if s := g.current(c.key()); s != nil {
			out[i] = min(s.left, n)
			s.left -= out[i]
		}
	}
	return out
}

func (g *global) giveBack(counters []counter, amounts []int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, c := range counters {
		if s := g.current(c.key()); s != nil {
			s.left += amounts[i]
		}
	}
}

// addSpare makes the levels what the caller of this replica has left.
func (g *global) addSpare(levels []level) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range levels {
		if s := g.current(levels[i].counter.key()); s != nil {
			levels[i].left += s.left
		}
	}
}

// put adds to a counter's spare, when the period that it was counted in is not over.
func (g *global) put(c counter, n int64, end time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n <= 0 || !g.now().Before(end.Add(-margin)) {
		return
	}
	s := g.current(c.key())
	if s == nil {
		if len(g.spare) >= mostWindows {
			g.sweep()
		}
		s = &spare{end: end}
		g.spare[c.key()] = s
	}
	s.left += n
	if end.Before(s.end) {
		s.end = end
	}
}

// current gives a counter's spare of the running period, or nil.
func (g *global) current(k key) *spare {
	s := g.spare[k]
	if s != nil && !g.now().Before(s.end.Add(-margin)) {
		delete(g.spare, k)
		return nil
	}
	return s
}

// sweep drops what is over, and everything when that is not enough: it costs callers tokens, never the operator.
func (g *global) sweep() {
	for k := range g.spare {
		g.current(k)
	}
	if len(g.spare) >= mostWindows {
		clear(g.spare)
	}
}
