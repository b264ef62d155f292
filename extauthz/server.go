// Package extauthz answers Envoy's question who calls: it checks API keys, gives the request its caller and groups, and
// takes the client's credential out. It is the only importer of Envoy's ext_authz protos; it must not know xDS, the
// environment, providers' keys or what is in a body. Rights that need the body are held where the body is read.
package extauthz

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
)

// Policy is what a configuration says about callers. It is swapped whole.
type Policy struct {
	Table    *access.Table
	Keys     bool // API keys are in use; otherwise a credential that is left in a request means nothing
	Required bool // a request without any identity is refused
}

// Server answers Envoy with the current Policy.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	policy atomic.Pointer[Policy]
	log    *slog.Logger
	now    func() time.Time
}

// NewServer makes a Server that decides by p until Update.
func NewServer(p Policy, log *slog.Logger) *Server {
	s := &Server{log: log, now: time.Now}
	s.policy.Store(&p)
	return s
}

// Update swaps the policy. A request that was let in before stays in.
func (s *Server) Update(p Policy) { s.policy.Store(&p) }

// Policy is the current one.
func (s *Server) Policy() Policy { return *s.policy.Load() }

// Register adds the service to a gRPC server.
func (s *Server) Register(g *grpc.Server) { authv3.RegisterAuthorizationServer(g, s) }

// Check answers for one request.
func (s *Server) Check(_ context.Context, r *authv3.CheckRequest) (_ *authv3.CheckResponse, err error) {
	defer func() {
		if p := recover(); p != nil { // one request must not take the others with it
			s.log.Error("extauthz: panic", "panic", p, "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	policy := s.policy.Load()
	q := read(r, policy.Table.ReadsClaims())
	a := policy.decide(q, s.now())
	if a.refusal != nil {
		s.log.Debug("a caller is refused", "caller", a.caller, "reason", a.refusal.Message, "request_id", q.id)
		return denied(a), nil
	}
	return allowed(a), nil
}
