// Package xds serves snapshots to Envoy over ADS, and knows what Envoy said to them: which version it runs, and in its
// own words why it refused one. It must not know what is in a snapshot.
package xds

import (
	"context"
	"fmt"
	"log/slog"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	deltav3 "github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc"
)

// node is the key of the one snapshot: every Envoy of a gateway runs the same configuration.
const node = "gateway"

type everyNode struct{}

func (everyNode) ID(*corev3.Node) string { return node }

// Server holds the current snapshot. It is safe for concurrent use.
type Server struct {
	cache  cachev3.SnapshotCache
	status *status
	log    *slog.Logger
}

// NewServer makes a Server without a snapshot.
func NewServer(log *slog.Logger) *Server {
	return &Server{cache: cachev3.NewSnapshotCache(true, everyNode{}, nil), status: newStatus(log), log: log}
}

// Register adds ADS to a gRPC server. ctx ends the watches.
func (s *Server) Register(ctx context.Context, g *grpc.Server) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, ads{delta: deltav3.NewServer(ctx, s.cache, s.status)})
}

// ads speaks the incremental variant of ADS alone, the one that the bootstrap asks for. go-control-plane's whole server would add
// the other variant, a service for each resource type and REST to what is linked and can be called.
type ads struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	delta deltav3.Server
}

func (a ads) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return a.delta.DeltaStreamHandler(stream, resourcev3.AnyType)
}

// Push makes the snapshot current and sends what changed to every connected Envoy.
func (s *Server) Push(ctx context.Context, snapshot *cachev3.Snapshot) error {
	if err := s.status.expect(snapshot); err != nil {
		return err
	}
	if err := s.cache.SetSnapshot(ctx, node, snapshot); err != nil {
		return fmt.Errorf("xds: set snapshot: %w", err)
	}
	return nil
}

// Settled waits until an Envoy runs the current snapshot or has refused it, or until ctx ends. The error then says
// which resource types are still open, or why Envoy refused.
func (s *Server) Settled(ctx context.Context) error { return s.status.wait(ctx) }

// Problems lists why no Envoy runs the current snapshot: none when one does. Texts are for operators: they may hold
// Envoy's words about the configuration.
func (s *Server) Problems() []string { return s.status.problems() }
