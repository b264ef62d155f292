// Package ratelimit counts what callers use, where Envoy cannot do it alone: it answers Envoy's rate limit filter, holds
// what a request may take while it runs, and settles it by what it took. It counts in memory, or in the rate limit
// service that several gateways share. It is the only importer of Envoy's rate limit service protos; it must not know
// the environment, xDS, providers or credentials.
package ratelimit

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// ServiceOptions say how to reach a rate limit service.
type ServiceOptions struct {
	Conn    *grpc.ClientConn
	Domain  string
	Timeout time.Duration // of one call
}

// Policy is what a configuration says about limits. It is swapped whole.
type Policy struct {
	Set      *limits.Set
	Service  *ServiceOptions // nil: count in memory
	FailOpen bool            // let requests through when the service does not answer
}

// policy is a Policy with its store.
type policy struct {
	Policy
	store store
}

// Server answers Envoy.
type Server struct {
	ratelimitv3.UnimplementedRateLimitServiceServer
	log    *slog.Logger
	now    func() time.Time
	policy atomic.Pointer[policy]
	local  *local // outlives reloads
	holds  *holds
	outage outage
}

// NewServer makes a Server that decides by p until Update.
func NewServer(p Policy, log *slog.Logger) *Server { return newServer(p, log, time.Now) }

func newServer(p Policy, log *slog.Logger, now func() time.Time) *Server {
	s := &Server{log: log, now: now, local: newLocal(now), holds: newHolds()}
	s.outage.log = log
	s.Update(p)
	return s
}

// Update swaps the policy. What is counted stays counted; a request settles where it was held.
func (s *Server) Update(p Policy) {
	next := &policy{Policy: p, store: s.local}
	if p.Service != nil {
		was := s.policy.Load()
		if was != nil && was.Service != nil && *was.Service == *p.Service {
			next.store = was.store
		} else {
			next.store = newGlobal(*p.Service, s.now)
		}
	}
	s.policy.Store(next)
}

// Register adds the service to a gRPC server.
func (s *Server) Register(g *grpc.Server) { ratelimitv3.RegisterRateLimitServiceServer(g, s) }

// ShouldRateLimit answers for the beginning of a request, or takes note of its end.
func (s *Server) ShouldRateLimit(ctx context.Context, r *ratelimitv3.RateLimitRequest) (reply *ratelimitv3.RateLimitResponse, err error) {
	defer func() {
		if p := recover(); p != nil { // one request must not take the others with it
			s.log.Error("ratelimit: panic", "panic", p, "stack", string(debug.Stack()))
			reply, err = nil, status.Error(codes.Internal, "internal error")
		}
	}()
	p := s.policy.Load()
	q := read(r, p.Set)
	if q.hold != "" {
		s.settle(ctx, q)
		return pass(), nil
	}
	return s.take(ctx, p, q)
}

func (s *Server) take(ctx context.Context, p *policy, q question) (*ratelimitv3.RateLimitResponse, error) {
	counters := q.counters(p.Set)
	if len(counters) == 0 {
		return pass(), nil
	}
	if q.never {
		return uncountable(counters[0].rule.Name), nil
	}
	n := q.amount(p.Set)
	levels, ok, err := p.store.take(ctx, counters, n)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err() // the client has gone
	case err != nil:
		s.outage.failed(err, p.FailOpen)
		if p.FailOpen {
			return pass(), nil
		}
		return nil, status.Error(codes.Unavailable, "the rate limit service does not answer")
	}
	s.outage.answered()
	if !ok {
		return refused(q.kind, levels, n, s.now()), nil
	}
	id := ""
	if q.kind == limits.Tokens {
		var stale []hold
		id, stale = s.holds.put(hold{policy: p, levels: levels, amount: n, since: s.now()})
		for _, h := range stale {
			h.policy.store.settle(ctx, h.levels, h.amount, h.amount)
		}
	}
	return granted(q.kind, levels, id, s.now()), nil
}

// settle counts what a request took in place of what was held for it.
func (s *Server) settle(ctx context.Context, q question) {
	if h, ok := s.holds.take(q.hold); ok {
		// Envoy does not wait for the reply, and may hang up.
		h.policy.store.settle(context.WithoutCancel(ctx), h.levels, h.amount, q.charge(h.amount))
	}
}

// Watch asks the service every interval whether it counts, so that an outage is known before a request finds it, and
// so is its end. It returns when ctx ends.
func (s *Server) Watch(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.probe(ctx)
	}
}

// probe looks once.
func (s *Server) probe(ctx context.Context) {
	p := s.policy.Load()
	g, ok := p.store.(*global)
	if !ok || p.Set == nil {
		s.outage.answered()
		return
	}
	if err := g.knows(ctx, p.Set); err == nil {
		s.outage.answered()
	} else if ctx.Err() == nil {
		s.outage.failed(err, p.FailOpen)
	}
}

// Learned waits until the service counts by the policy's limits.
func (s *Server) Learned(ctx context.Context) error {
	p := s.policy.Load()
	g, ok := p.store.(*global)
	if !ok || p.Set == nil {
		return nil
	}
	for {
		err := g.knows(ctx, p.Set)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Problem says why requests are refused though nobody has used too much; "" when they are not.
func (s *Server) Problem() string {
	if p := s.policy.Load(); !p.FailOpen && s.outage.on() {
		return "the rate limit service does not answer"
	}
	return ""
}
