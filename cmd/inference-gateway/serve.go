package main

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// service is something that Envoy calls: a socket, or a name on the link to other machines.
type service struct {
	socket string
	serve  func(net.Listener) error
	stop   func()
}

// services are all of them.
func (g *gateway) services(ctx context.Context) []service {
	control := grpc.NewServer(pinged())
	g.xds.Register(ctx, control)
	processor := askedOften(grpc.MaxRecvMsgSize(math.MaxInt32)) // Envoy's pieces are bounded by its buffers, the whole body by the exchange
	g.extproc.Register(processor)
	authorizer := askedOften()
	g.authz.Register(authorizer)
	counter := askedOften()
	g.counts.server.Register(counter)
	return []service{
		grpcService(g.layout.envoy.XDS, control),
		grpcService(g.layout.snapshot.ExtProc, processor),
		grpcService(g.layout.snapshot.Authz, authorizer),
		grpcService(g.layout.snapshot.RateLimit, counter),
		g.httpService(g.layout.snapshot.API, g.api.Handler()),
		g.httpService(g.layout.snapshot.Demo, demo.New(demo.Options{Pause: demo.DefaultPause})),
		g.httpService(g.layout.snapshot.Loop, g.lane),
	}
}

// workers are goroutines that wait for calls. One that is new has a small stack, which is copied three times until it holds a
// call: 15 % of what a request costs here. When all are busy, there is a new one for each call.
const workers = 64

// askedOften makes a server for what Envoy asks with each request.
func askedOften(more ...grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(more, pinged(), grpc.MaxConcurrentStreams(math.MaxUint32), grpc.NumStreamWorkers(workers))...)
}

// pinged lets Envoy find out whether this process is still there (bootstrap, clusters), more often than gRPC expects.
func pinged() grpc.ServerOption {
	return grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true})
}

func grpcService(socket string, server *grpc.Server) service {
	return service{socket, server.Serve, server.Stop}
}

func (g *gateway) httpService(socket string, handler http.Handler) service {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelWarn)}
	return service{socket, func(l net.Listener) error { return ignoreClosed(server.Serve(l)) }, func() { _ = server.Close() }}
}

// serve opens what Envoy calls and starts what listens there.
func (g *gateway) serve(ctx context.Context, group *errgroup.Group) error {
	open := listen
	if g.link != nil {
		c := g.current.Control
		port, err := link.Listen(net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), g.link, g.log)
		if err != nil {
			return err
		}
		open = func(socket string) (net.Listener, error) { return port.Service(snapshot.ServiceName(socket)), nil }
		defer group.Go(func() error { return port.Serve(ctx) }) // when all services are there
	}
	for _, s := range g.services(ctx) {
		l, err := open(s.socket)
		if err != nil {
			return err
		}
		group.Go(func() error { return s.serve(l) })
		group.Go(func() error { <-ctx.Done(); s.stop(); return nil })
	}
	group.Go(func() error { g.counts.server.Watch(ctx, probeInterval); return nil })
	g.serveTools(ctx, group)
	return nil
}
