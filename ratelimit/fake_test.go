package ratelimit

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0).Truncate(time.Hour)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// redis plays the rate limit service: it adds, also what it refuses, and takes nothing back.
type redis struct {
	ratelimitv3.UnimplementedRateLimitServiceServer
	clock *clock

	mu     sync.Mutex
	quotas map[string]limits.Quota // by ServiceKey
	counts map[string]uint64
	down   bool
}

func (r *redis) set(set *limits.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quotas = map[string]limits.Quota{}
	for _, rule := range set.Rules {
		for _, k := range []limits.Kind{limits.Requests, limits.Tokens} {
			for _, q := range rule.Quotas(k) {
				r.quotas[rule.ServiceKey(k, q.Period)] = q
			}
		}
	}
}

func (r *redis) fail(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *redis) ShouldRateLimit(_ context.Context, q *ratelimitv3.RateLimitRequest) (*ratelimitv3.RateLimitResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return nil, status.Error(codes.Unknown, "dial tcp 10.1.2.3:6379: connection refused")
	}
	out := &ratelimitv3.RateLimitResponse{OverallCode: ratelimitv3.RateLimitResponse_OK}
	now := r.clock.time()
	for _, d := range q.GetDescriptors() {
		s := &ratelimitv3.RateLimitResponse_DescriptorStatus{Code: ratelimitv3.RateLimitResponse_OK}
		out.Statuses = append(out.Statuses, s)
		quota, known := r.quotas[d.GetEntries()[0].GetValue()]
		if !known {
			continue
		}
		key := d.GetEntries()[0].GetValue() + " " + d.GetEntries()[1].GetValue() + end(quota.Period, now).String()
		r.counts[key] += d.GetHitsAddend().GetValue()
		s.CurrentLimit = &ratelimitv3.RateLimitResponse_RateLimit{RequestsPerUnit: uint32(quota.Most)}
		s.DurationUntilReset = durationpb.New(end(quota.Period, now).Sub(now).Truncate(time.Second))
		if left := quota.Most - int64(r.counts[key]); left >= 0 {
			s.LimitRemaining = uint32(left)
		} else {
			s.Code, out.OverallCode = ratelimitv3.RateLimitResponse_OVER_LIMIT, ratelimitv3.RateLimitResponse_OVER_LIMIT
		}
	}
	return out, nil
}

func newRedis(t *testing.T, c *clock) (*redis, *grpc.ClientConn) {
	t.Helper()
	r := &redis{clock: c, counts: map[string]uint64{}}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	g := grpc.NewServer()
	ratelimitv3.RegisterRateLimitServiceServer(g, r)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return r, conn
}

// gateway is a Server, asked as Envoy asks it.
type gateway struct {
	*Server
	t   *testing.T
	log *bytes.Buffer
}

func newGateway(t *testing.T, c *clock, p Policy) *gateway {
	t.Helper()
	log := &bytes.Buffer{}
	return &gateway{newServer(p, slog.New(slog.NewTextHandler(log, nil)), c.time), t, log}
}

func parse(t *testing.T, text string) *limits.Set {
	t.Helper()
	s, err := limits.Parse([]byte(text))
	require.NoError(t, err)
	return s
}

type pairs = []string // key, value, …

func describe(hits uint64, entries ...string) *limitv3.RateLimitDescriptor {
	d := &limitv3.RateLimitDescriptor{HitsAddend: wrapperspb.UInt64(hits)}
	for i := 0; i+1 < len(entries); i += 2 {
		d.Entries = append(d.Entries, &limitv3.RateLimitDescriptor_Entry{Key: entries[i], Value: entries[i+1]})
	}
	return d
}

// begin is the beginning of a request that fits rules, each the entries of its descriptor.
func (g *gateway) begin(kind limits.Kind, tokens, body uint64, rules ...pairs) (*ratelimitv3.RateLimitResponse, error) {
	r := &ratelimitv3.RateLimitRequest{Domain: string(kind)}
	for _, entries := range rules {
		r.Descriptors = append(r.Descriptors, describe(0, entries...))
	}
	r.Descriptors = append(r.Descriptors, describe(tokens, limits.EstimateEntry, limits.EstimateTokens), describe(body, limits.EstimateEntry, limits.EstimateBytes))
	return g.ShouldRateLimit(context.Background(), r)
}

// ask begins a request for tokens by one rule and returns what it holds; "" when it is refused.
func (g *gateway) ask(rule, who string, tokens uint64) string {
	r, err := g.begin(limits.Tokens, tokens, 0, pairs{limits.RuleEntry, rule, limits.WhoEntry, who})
	if err != nil {
		g.t.Errorf("ask: %v", err)
		return ""
	}
	return r.GetDynamicMetadata().GetFields()[limits.HoldField].GetStringValue()
}

// end is the end of a request; used is -1 when nobody knows.
func (g *gateway) end(hold string, status uint64, used int64) { g.endAfter(hold, status, used, 0) }

// endAfter is the end of a stream of so many bytes.
func (g *gateway) endAfter(hold string, status uint64, used int64, sent uint64) {
	_, err := g.ShouldRateLimit(context.Background(), &ratelimitv3.RateLimitRequest{Domain: "tokens", Descriptors: []*limitv3.RateLimitDescriptor{
		describe(sent, limits.DoneEntry, limits.DoneEvents, limits.HoldEntry, hold),
		describe(status, limits.DoneEntry, limits.DoneStatus, limits.HoldEntry, hold),
		describe(uint64(used+1), limits.DoneEntry, limits.DoneTokens, limits.HoldEntry, hold),
	}})
	require.NoError(g.t, err)
}

func header(r *ratelimitv3.RateLimitResponse, name string) string {
	for _, h := range r.GetResponseHeadersToAdd() {
		if h.GetKey() == name {
			return h.GetValue()
		}
	}
	return ""
}
