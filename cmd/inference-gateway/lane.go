package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/loop"
)

// lastWords is how long loops have to tell their clients that they are cut off, at the end of SERVER_DRAIN_TIMEOUT.
const lastWords = time.Second

// lane serves the loop lane. A request stays with the tools and settings that it began with, and keeps the tools alive.
type lane struct {
	current atomic.Pointer[laneState]
	loops   atomic.Int64 // requests under way, whatever tools they have
	over    context.Context
	end     context.CancelFunc // over: what is under way has to end
}

type laneState struct {
	tools   *toolset
	handler *loop.Handler
}

func newLane() *lane {
	l := &lane{}
	l.over, l.end = context.WithCancel(context.Background()) //nolint:gosec // the lane lives as long as the program
	return l
}

// ServeHTTP implements http.Handler.
func (l *lane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.loops.Add(1)
	defer l.loops.Add(-1)
	now := l.current.Load()
	for !now.tools.enter() { // retired in this moment: there is a newer one
		now = l.current.Load()
	}
	defer now.tools.leave()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(l.over, func() {
		cancel(apierror.New(apierror.Unavailable, "the gateway is shutting down: send the request again"))
	})()
	now.handler.ServeHTTP(w, r.WithContext(ctx))
}

// drain waits until no loop is under way. Those that are not done shortly before the end of the time are told to end, so
// that their clients get an error and not a broken connection.
func (l *lane) drain(ctx context.Context, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer time.AfterFunc(timeout-min(timeout/4, lastWords), l.end).Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.loops.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// use has requests from now on served by these tools.
func (g *gateway) use(t *toolset, c *config.Config) {
	old := g.lane.current.Swap(&laneState{tools: t, handler: t.handler(g, c)})
	if old != nil && old.tools != t {
		old.tools.retire()
	}
}

// toolsFor gives the tools of a configuration: those that run when nothing has changed, else new ones, which have been
// asked for what they offer. discard ends them if they are not used after all.
func (g *gateway) toolsFor(ctx context.Context, c *config.Config) (t *toolset, discard func(), err error) {
	if running := g.lane.current.Load().tools; sameTools(g.current, c) {
		return running, func() {}, nil
	}
	if t, err = newToolset(c, g.log); err != nil {
		return nil, nil, err
	}
	t.run(ctx, g.group)
	t.settled(ctx)
	return t, t.retire, nil
}

// serveTools starts what the first configuration brings.
func (g *gateway) serveTools(ctx context.Context, group *errgroup.Group) {
	g.group = group
	g.lane.current.Load().tools.run(ctx, group)
}
