package main

import (
	"context"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/loop"
)

// lane serves the loop lane. A request stays with the tools and settings that it began with, and keeps the tools alive.
type lane struct{ current atomic.Pointer[laneState] }

type laneState struct {
	tools   *toolset
	handler *loop.Handler
}

// ServeHTTP implements http.Handler.
func (l *lane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := l.current.Load()
	for !now.tools.enter() { // retired in this moment: there is a newer one
		now = l.current.Load()
	}
	defer now.tools.leave()
	now.handler.ServeHTTP(w, r)
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
