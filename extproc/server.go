// Package extproc is the gateway's external processor: for each model request Envoy opens one gRPC stream, the stream
// becomes one exchange, and the exchange says where the request goes and with which body. Responses never pass here.
// It is the only importer of Envoy's ext_proc protos; it must not know xDS, the environment, keys or addresses.
package extproc

import (
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Server answers Envoy's streams with the current directory.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	dir    atomic.Pointer[providers.Directory]
	bodies *bodies.Limit
	log    *slog.Logger
}

// NewServer makes a Server that decides by dir until Update, and holds as much of bodies as limit admits.
func NewServer(dir *providers.Directory, limit *bodies.Limit, log *slog.Logger) *Server {
	s := &Server{bodies: limit, log: log}
	s.dir.Store(dir)
	return s
}

// Update swaps the directory. Exchanges that have begun finish with the one that they began with.
func (s *Server) Update(dir *providers.Directory) { s.dir.Store(dir) }

// Directory is the current one.
func (s *Server) Directory() *providers.Directory { return s.dir.Load() }

// Register adds the service to a gRPC server.
func (s *Server) Register(g *grpc.Server) { extprocv3.RegisterExternalProcessorServer(g, s) }

// Process serves one stream, which is one request. It returns as soon as the request is on its way: the response has
// no code of ours in it.
func (s *Server) Process(stream grpc.BidiStreamingServer[extprocv3.ProcessingRequest, extprocv3.ProcessingResponse]) (err error) {
	defer func() {
		if r := recover(); r != nil { // one request must not take the others with it
			s.log.Error("extproc: panic", "panic", r, "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	x := newExchange(s.dir.Load(), s.bodies.Share())
	defer x.held.Release()
	if asked, ok := metadata.FromIncomingContext(stream.Context()); ok {
		x.reckons = len(asked.Get(catalog.TokensHeader)) > 0
		x.headersOnly = len(asked.Get(catalog.CheckedHeader)) > 0
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // the client went away, or Envoy did: gRPC's own status
		}
		out, done := x.on(m)
		for _, r := range out {
			if err := stream.Send(r); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}

// on hands a message to the phase that it belongs to.
func (x *exchange) on(m *extprocv3.ProcessingRequest) (replies, bool) {
	switch r := m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return x.onHeaders(r.RequestHeaders)
	case *extprocv3.ProcessingRequest_RequestBody:
		return x.onBody(r.RequestBody)
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return x.onTrailers()
	}
	return nil, true // response phases are switched off: nothing else can be asked
}
