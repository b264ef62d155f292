package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// slowService is a rate limit service that answers when it may.
type slowService struct {
	ratelimitv3.UnimplementedRateLimitServiceServer
	asked, answer chan struct{}
}

func (s *slowService) ShouldRateLimit(ctx context.Context, r *ratelimitv3.RateLimitRequest) (*ratelimitv3.RateLimitResponse, error) {
	select {
	case s.asked <- struct{}{}:
	case <-ctx.Done():
	}
	select {
	case <-s.answer:
	case <-ctx.Done():
	}
	out := &ratelimitv3.RateLimitResponse{OverallCode: ratelimitv3.RateLimitResponse_OK}
	for range r.GetDescriptors() {
		out.Statuses = append(out.Statuses, &ratelimitv3.RateLimitResponse_DescriptorStatus{
			Code: ratelimitv3.RateLimitResponse_OK, CurrentLimit: &ratelimitv3.RateLimitResponse_RateLimit{RequestsPerUnit: 5}, LimitRemaining: 4,
		})
	}
	return out, nil
}

func newSlowService(t *testing.T) (*slowService, string) {
	s := &slowService{asked: make(chan struct{}), answer: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := grpc.NewServer()
	ratelimitv3.RegisterRateLimitServiceServer(g, s)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	return s, "grpc://" + l.Addr().String()
}

// A reload with another RATELIMIT_URL does not fail the requests that ask the old service just then.
func TestAnotherRateLimitServiceFailsNoRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits.yaml")
	require.NoError(t, os.WriteFile(file, []byte("limits: [{name: all, per: address, requests: {minute: 5}}]"), 0o600))
	old, oldURL := newSlowService(t)
	next, nextURL := newSlowService(t)
	close(next.answer)
	env := map[string]string{"LIMITS_FILE": file, "RATELIMIT_URL": oldURL, "RATELIMIT_TIMEOUT": "30s"}
	was := loaded(t, env)
	env["RATELIMIT_URL"] = nextURL
	is := loaded(t, env)

	k, err := newCounting(was, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(k.close)
	ask := func() error {
		_, err := k.server.ShouldRateLimit(t.Context(), &ratelimitv3.RateLimitRequest{Domain: string(limits.Requests), Descriptors: []*limitv3.RateLimitDescriptor{{
			Entries: []*limitv3.RateLimitDescriptor_Entry{{Key: limits.RuleEntry, Value: "all"}, {Key: limits.WhoEntry, Value: "x"}},
		}}})
		return err
	}
	answered := make(chan error, 1)
	go func() { answered <- ask() }()
	<-old.asked
	go func() { // whatever else the new one is asked
		for {
			select {
			case <-next.asked:
			case <-t.Context().Done():
				return
			}
		}
	}()
	require.NoError(t, k.begin(t.Context(), was, is))
	k.settle(is)
	close(old.answer)
	assert.NoError(t, <-answered)
	assert.NoError(t, ask(), "and the next asks the new service")
}
